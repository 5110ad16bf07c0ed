"""Processes that run in the background: start, find again, stop.

A service is known by its number and by when that process began, so that a number that went to
another process after a crash is never taken for ours, and never stopped.
"""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

from . import paths
from .steps import Failed

FOLDER = paths.STATE / "run"


def start(name, command, *, environment=None, info=None):
    """Start `command` apart from this terminal, its output in .spp/log/NAME.log. Returns its log path."""
    paths.LOGS.mkdir(parents=True, exist_ok=True)
    FOLDER.mkdir(parents=True, exist_ok=True)
    log = paths.LOGS / f"{name}.log"
    with open(log, "ab") as output:
        process = subprocess.Popen(
            list(map(str, command)),
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            cwd=paths.ROOT, env=environment, start_new_session=True,
        )  # fmt: skip
    record = {"pid": process.pid, "began": _began(process.pid), **(info or {})}
    (FOLDER / f"{name}.json").write_text(json.dumps(record))
    return log


def running(name):
    """What was recorded of a service when it started, or None if it does not run."""
    try:
        record = json.loads((FOLDER / f"{name}.json").read_text())
    except (OSError, ValueError):
        return None
    return record if record["began"] is not None and _began(record["pid"]) == record["began"] else None


def stop(name, patience=20):
    """End a service; ask first, insist after `patience` seconds. True if it was running."""
    record = running(name)
    if record:
        for send in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(record["pid"], send)
            except ProcessLookupError:
                break
            deadline = time.monotonic() + patience
            while running(name) and time.monotonic() < deadline:
                time.sleep(0.1)
            if not running(name):
                break
    (FOLDER / f"{name}.json").unlink(missing_ok=True)
    return bool(record)


def wait_for(name, url, log, seconds):
    """Wait until `url` answers; fail with the end of the log when the service ends or the time does."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not running(name):
            raise Failed(f"{name} ended while it was starting:\n{_tail(log)}", f"the whole log is {log}")
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.2)
    raise Failed(f"{name} did not answer within {seconds} s:\n{_tail(log)}", f"the whole log is {log}")


def free_port(wanted):
    """The first free port of the loopback interface from `wanted` on."""
    for port in range(wanted, wanted + 200):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise Failed(f"No port from {wanted} to {wanted + 199} is free.", "end what occupies them")


def _began(pid):
    """Start time of a living process in clock ticks since boot (proc(5), field 22), else None."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
    except OSError:
        return None
    try:
        os.waitpid(pid, os.WNOHANG)  # our own child would stay a zombie
    except ChildProcessError:
        pass
    return None if fields[0] == "Z" else int(fields[19])


def _tail(log, lines=15):
    text = log.read_text(errors="replace").splitlines()[-lines:]
    return "    " + "\n    ".join(text)
