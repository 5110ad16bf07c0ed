"""A whole checkout, as a new user has it: kill -9 of everything, Ctrl-C, and the next ./spp run."""

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from scripts import paths

pytestmark = pytest.mark.deep

OWN = ("PG", "SPP_", "ODOO_", "PYTHONPATH", "PYTEST")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy of this checkout with nothing set up but its packages, and the main job run once."""
    folder = tmp_path_factory.mktemp("checkout") / "spp"
    shutil.copytree(paths.ROOT, folder, ignore=shutil.ignore_patterns(".venv", ".spp", ".git", ".hypothesis"))
    (folder / ".venv").symlink_to(paths.VENV)
    result = spp(folder, "run", "--once")
    assert result.returncode == 0, result.stdout + result.stderr
    yield folder
    spp(folder, "reset")


def spp(folder, *arguments):
    return subprocess.run(
        [folder / "spp", *arguments], capture_output=True, text=True, env=environment(), timeout=900
    )


def environment():
    """As in a terminal of its own: nothing of the tests' server or database."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(OWN)}
    return {**clean, "ODOO_SRC": os.environ["SPP_SOURCE"]}


def start(folder):
    """./spp run in the background, once its web client is left running."""
    process = subprocess.Popen(
        [folder / "spp", "run"], stdout=subprocess.PIPE, text=True, env=environment(), start_new_session=True
    )
    for line in process.stdout:
        if line.startswith("The web client is at"):
            return process
    raise AssertionError("./spp run ended before the web client was up")


def services_of(folder):
    return {
        path.stem: json.loads(path.read_text())["pid"] for path in (folder / ".spp" / "run").glob("*.json")
    }


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_everything_killed_at_once_starts_again_and_pays_nobody_twice(checkout):
    running = start(checkout)
    server = int((checkout / ".spp" / "postgres" / "data" / "postmaster.pid").read_text().split()[0])
    victims = {**services_of(checkout), "postgres": server}
    assert set(victims) == {"odoo", "sandbox", "postgres"}
    os.killpg(running.pid, signal.SIGKILL)
    for pid in victims.values():
        os.kill(pid, signal.SIGKILL)
    running.wait()

    again = spp(checkout, "run", "--once")

    assert again.returncode == 0, again.stdout + again.stderr
    assert "Payments that the payer received twice             0" in again.stdout


def test_ctrl_c_ends_all_that_runs(checkout):
    running = start(checkout)
    pids = services_of(checkout).values()
    os.killpg(running.pid, signal.SIGINT)
    assert running.wait(timeout=120) == 130
    deadline = time.monotonic() + 30
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not any(map(alive, pids))
    assert "Nothing was running." in spp(checkout, "stop").stdout


def test_a_database_half_made_does_not_block_the_next_try(checkout):
    spp(checkout, "reset")
    running = subprocess.Popen(
        [checkout / "spp", "run", "--once"],
        stdout=subprocess.DEVNULL,
        env=environment(),
        start_new_session=True,
    )
    log = checkout / ".spp" / "log" / "install.log"
    while not log.exists():  # the first of the modules are in, the others are not
        assert running.poll() is None
        time.sleep(0.5)
    time.sleep(5)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()

    again = spp(checkout, "run", "--once")

    assert again.returncode == 0, again.stdout + again.stderr
