"""The sandbox as a process: ready line, stop, restart and kill -9 without loss, and who holds a taken port."""

import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys

import pytest
from sandbox_client import Client

from sandbox import StateTaken, start
from sandbox.server import PortTaken, who_holds

ROOT = pathlib.Path(__file__).parents[1]


@contextlib.contextmanager
def process(state, *options):
    command = [sys.executable, "-m", "sandbox", "--state", str(state), *options]
    running = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield running
    finally:
        running.kill()
        running.communicate()


FREE = ("--mis-port", "0", "--spar-port", "0", "--payer-port", "0", "--bridge-port", "0")


def test_what_was_answered_survives_kill_9_and_sigterm_stops_in_order(tmp_path):
    with process(tmp_path, *FREE) as running:
        urls = json.loads(running.stdout.readline())
        assert urls.keys() == {"mis", "spar", "payer", "bridge", "control"}
        payer, spar, mis = Client(urls["payer"]), Client(urls["spar"]), Client(urls["mis"])
        payer.set(settle_after=60)
        payer.disburse({})
        spar.spar("link", {"id": "a", "fa": "b"})
        mis.login()
        mis.set(model="res.partner", id=8, values={"given_name": "Flor"})
        cookie = mis._opener
        running.send_signal(signal.SIGKILL)
        running.wait(10)
    with process(tmp_path, *FREE) as running:
        urls = json.loads(running.stdout.readline())
        payer, spar, mis = Client(urls["payer"]), Client(urls["spar"]), Client(urls["mis"])
        mis._opener = cookie  # the session survives too
        assert payer.state()["counts"] == {"PAY-1": 1} and payer.state()["settings"]["settle_after"] == 60
        assert spar.state()["links"]["a"]["fa"] == "b"
        assert mis.found("res.partner", [["id", "=", 8]], ["given_name"]) == [{"id": 8, "given_name": "Flor"}]
        running.terminate()
        assert running.wait(10) == 0
        assert running.stderr.read() == ""


def test_a_second_start_says_who_holds_the_port_or_the_state(tmp_path):
    with start(tmp_path / "one") as urls:
        port = int(urls.spar.rsplit(":", 1)[1])
        with pytest.raises(
            PortTaken, match=rf"port {port} for the payer is held by another sandbox \(its spar"
        ):
            with start(tmp_path / "two", payer_port=port):
                pass
        with pytest.raises(StateTaken, match="is in use by the sandbox of process"):
            with start(tmp_path / "one"):
                pass
        with process(tmp_path / "two", "--mis-port", str(port)) as running:
            assert running.wait(10) == 1
            said = running.stderr.read()
            assert said.startswith(f"sandbox: port {port} for the mis is held by another sandbox")
            assert "Traceback" not in said


def test_a_port_held_by_another_program_is_named_too():
    with socket.create_server(("127.0.0.1", 0)) as holder:
        said = who_holds(holder.getsockname()[1])
        proc = pathlib.Path("/proc/self/comm")
        assert said == (
            f"process {os.getpid()} ({proc.read_text().strip()})" if proc.exists() else "another program"
        )


def test_it_listens_on_loopback_only_and_is_gone_afterwards(tmp_path):
    with start(tmp_path) as urls:
        assert all(url.startswith("http://127.0.0.1:") for url in urls)
        Client(urls.mis).login()
        port = int(urls.mis.rsplit(":", 1)[1])
        own = socket.gethostbyname(socket.gethostname())
        if not own.startswith("127."):
            with pytest.raises(OSError):
                socket.create_connection((own, port), timeout=1)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=1)
    with start(tmp_path, mis_port=port) as urls:  # the same port and state again, at once
        assert Client(urls.mis).state()["sessions"] == ["mis_api"]
