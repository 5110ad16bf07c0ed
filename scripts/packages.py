"""uv and the virtual environments, one for each Odoo series: .venv/17.0, .venv/19.0.

An environment is complete only when its stamp says so; an interrupted installation is taken up
again by the next try.
"""

import hashlib
import os
import shutil
import subprocess
import sys

from . import paths
from .series import SERIES
from .steps import Failed

UV = "uv==0.13.8"


def requirement_files(series):
    return [
        paths.ROOT / "requirements.txt",
        paths.ROOT / f"requirements-odoo-{series}.txt",
        paths.ROOT / "requirements-dev.txt",
    ]


def python(series):
    """The Python of the environment for this series."""
    return paths.VENV / series / "bin" / "python"


def complete(series):
    """Does the environment hold what the requirement files pin?"""
    stamp = _stamp(series)
    return stamp.exists() and stamp.read_text() == _wanted(series) and python(series).exists()


def install(series):
    """Make the environment hold what the requirement files pin."""
    uv, folder = _uv(), paths.VENV / series
    _stamp(series).unlink(missing_ok=True)
    if not _usable(python(series)):
        shutil.rmtree(folder, ignore_errors=True)
        _run([uv, "venv", "--quiet", "--python", sys.executable, str(folder)], "make the virtual environment")
    files = [argument for path in requirement_files(series) for argument in ("-r", str(path))]
    install = [uv, "pip", "install", "--quiet", "--python", str(python(series))]
    _run([*install, *files], "install the Python packages")
    _run([*install, "--no-deps", SERIES[series].queue_job], "install queue_job")
    _stamp(series).write_text(_wanted(series))


def _stamp(series):
    return paths.VENV / series / ".spp-complete"


def _wanted(series):
    digest = hashlib.sha256(sys.version.encode() + SERIES[series].queue_job.encode())
    for path in requirement_files(series):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _usable(python):
    """Is there an environment, made by this very Python? (One of another version holds other wheels.)"""
    if not python.exists():
        return False
    ours = f"{sys.version_info.major}.{sys.version_info.minor}"
    probe = "import sys; print('%d.%d' % sys.version_info[:2])"
    answer = subprocess.run([python, "-c", probe], capture_output=True, text=True)
    return answer.stdout.strip() == ours


def _uv():
    """uv from the PATH, else our own copy, fetched with pip (which needs no `ensurepip` for --target)."""
    found = shutil.which("uv")
    if found:
        return found
    tools = paths.STATE / "tools"
    own = tools / "bin" / "uv"
    if not own.exists():
        partial = paths.STATE / "tools.partial"
        shutil.rmtree(partial, ignore_errors=True)
        _run(
            [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
             "--no-warn-script-location", "--root-user-action=ignore", "--target", str(partial), UV],
            "fetch uv",
            "install pip (on Debian: apt-get install python3-pip) or uv, and see that a package index answers",
        )  # fmt: skip
        shutil.rmtree(tools, ignore_errors=True)
        partial.rename(tools)
    return str(own)


def _run(command, what, todo="see that a package index can be reached, and run the command again"):
    result = subprocess.run(command, capture_output=True, text=True, env={**_uv_settings(), **os.environ})
    if result.returncode:
        lines = (result.stderr or result.stdout).strip().splitlines()[-12:]
        raise Failed(f"Could not {what}:\n    " + "\n    ".join(lines), todo)


def _uv_settings():
    """What uv does not find out by itself: the machine's certificates, and the package index that pip uses."""
    settings = {"UV_NO_PROGRESS": "1"}
    if os.path.exists("/etc/ssl/certs/ca-certificates.crt"):
        settings["UV_SYSTEM_CERTS"] = "1"
    asked = [sys.executable, "-m", "pip", "config", "get", "global.index-url"]
    index = (
        os.environ.get("PIP_INDEX_URL")
        or subprocess.run(asked, capture_output=True, text=True).stdout.strip()
    )
    if index:
        settings["UV_DEFAULT_INDEX"] = index
    return settings
