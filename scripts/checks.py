"""./spp test: the linters, then every test of the addons and of tests/, in one pytest run.

Tests of the addons run in a copy of the template database, each rolled back. Tests that commit, kill
or restart something make copies of their own (tests/conftest.py).
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

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
        "--disable=consider-merging-classes-inherited",  # a model of many topics has a file for each
        *sorted(f"addons/{name}" for name in paths.our_modules()),
    ],
}


def run(odoo, arguments, deep=False):
    """Run everything, or only what `arguments` (files, options of pytest) name. Returns the exit status."""
    if not arguments and not all([_lint(name, command) for name, command in LINTERS.items()]):
        return 1
    if not shutil.which("chromium") and not shutil.which("google-chrome"):
        say(
            "  ! There is no Chromium here: the browser tests are skipped (on Debian: apt-get install chromium)."
        )
    with step(f"Database {DATABASE}"):
        database.clone(odoo.template, DATABASE)
    config = odoo_server.configuration(odoo, DATABASE, port=services.free_port(8170), name="test")
    environment = {
        **odoo_server.environment(odoo, DATABASE, channels="root:0"),
        "ODOO_RC": str(config),
        # published specifications and samples, beside the checkout; tests that need one say so where it is not
        "SPP_TESTDATA": os.environ.get("SPP_TESTDATA", str(paths.ROOT.parent / "shared/testdata")),
    }
    if deep:
        environment.setdefault("SPP_RANDOM_PAYMENTS", "1000")  # in each dialect
    command = [sys.executable, "-m", "pytest", "--odoo-http", *(["-m", ""] if deep else [])]
    if not any((paths.ROOT / argument.partition("::")[0]).exists() for argument in arguments):
        arguments = [*arguments, "addons", "tests"]  # options only
    status = subprocess.call(
        [*map(str, command), *(_of_series(odoo, argument) for argument in arguments)],
        cwd=paths.ROOT,
        env=environment,
    )
    database.drop(DATABASE)
    return status


def _of_series(odoo, argument):
    """Where the tests of an addon are for this series: "addons/spp_cel" may be a folder of the conversion."""
    return (
        f"{odoo.addons}{argument.removeprefix('addons')}" if re.match(r"addons(/|$)", argument) else argument
    )


def _lint(name, command):
    program = str(Path(sys.prefix) / "bin" / command[0])
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
