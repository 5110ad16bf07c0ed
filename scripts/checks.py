"""./spp test: the linters, then every test of the addons and of tests/, in one pytest run.

Tests of the addons run in a copy of the template database, each rolled back. Tests that commit, kill
or restart something make copies of their own (tests/conftest.py).
"""

import os
import shutil
import subprocess

from . import database, odoo_server, paths, services
from .steps import say, step

DATABASE = "spp_test"
LINTERS = {
    "ruff": ["ruff", "check", "."],
    "ruff format": ["ruff", "format", "--check", "."],
    "pylint-odoo": [
        "pylint",
        "--rcfile=pyproject.toml",
        "--disable=missing-readme",  # the manual of an addon is its readme/ fragments, not a generated README.rst
        *sorted(f"addons/{name}" for name in paths.our_modules()),
    ],
}


def run(source, arguments, deep=False):
    """Run everything, or only what `arguments` (files, options of pytest) name. Returns the exit status."""
    if not arguments and not all([_lint(name, command) for name, command in LINTERS.items()]):
        return 1
    if not shutil.which("chromium") and not shutil.which("google-chrome"):
        say(
            "  ! There is no Chromium here: the browser tests are skipped (on Debian: apt-get install chromium)."
        )
    with step(f"Database {DATABASE}"):
        database.clone(database.TEMPLATE, DATABASE)
    config = odoo_server.configuration(source, DATABASE, port=services.free_port(8170), name="test")
    environment = {
        **odoo_server.environment(source, channels="root:0"),
        "ODOO_RC": str(config),
        "SPP_SOURCE": str(source),
    }
    command = [paths.PYTHON, "-m", "pytest", "--odoo-http", *(["-m", ""] if deep else [])]
    status = subprocess.call(
        [*map(str, command), *(arguments or ["addons", "tests"])],
        cwd=paths.ROOT,
        env=environment,
    )
    database.drop(DATABASE)
    return status


def _lint(name, command):
    program = str(paths.VENV / "bin" / command[0])
    result = subprocess.run(
        [program, *command[1:]],
        cwd=paths.ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    clean = result.returncode == 0
    say(f"  {'✓' if clean else '✗'} {name}")
    if not clean:
        say(result.stdout + result.stderr)
    return clean
