"""The commands of ./spp and their options.

A command first sets up what is missing (packages, Odoo, PostgreSQL, database), each step shown;
what is there already takes no time. Set-up begins in the Python that was called and goes on in the
virtual environment's.
"""

import argparse
import fcntl
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time

from . import database, odoo_server, odoo_src, packages, paths, postgres, services
from .steps import Failed, report, say, step

#: Everybody who uses the demonstration has this password; it is made anew for each checkout.
PASSWORD = paths.STATE / "password"


def main(arguments):
    parser = argparse.ArgumentParser(prog="spp", description="SPP, a social protection MIS on Odoo 17.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    command = commands.add_parser(
        "run", help="set up, run the main job on real input, leave the web client running"
    )
    command.add_argument(
        "--once", action="store_true", help="end after the job; status 0 only if all came out right"
    )
    command.set_defaults(do=run)

    command = commands.add_parser("test", help="set up, check the style, run all tests")
    command.add_argument(
        "--deep", action="store_true", help="also what takes long: crashes, random runs, large data"
    )
    command.add_argument("pytest", nargs="*", help="files or options for pytest instead of everything")
    command.set_defaults(do=test)

    command = commands.add_parser("bench", help="run a benchmark of benchmarks/")
    command.add_argument("name", nargs="?", help="its name; without one, the list of them")
    command.add_argument("--size", type=int, help="how many people")
    command.set_defaults(do=bench)

    commands.add_parser("shell", help="Odoo's Python shell on the database").set_defaults(do=shell)
    commands.add_parser("update", help="bring the database up to the addons' sources").set_defaults(do=update)
    commands.add_parser("stop", help="end everything that runs").set_defaults(do=stop)
    commands.add_parser("reset", help="forget the databases and all that was set up").set_defaults(do=reset)

    options, unknown = parser.parse_known_args(arguments)
    if options.command == "test":
        options.pytest = [argument for argument in arguments[1:] if argument != "--deep"]  # in their order
    elif unknown:
        parser.error(f"unknown option: {' '.join(unknown)}")
    try:
        return options.do(options) or 0
    except Failed as error:
        report(error)
        return 1
    except OSError as error:
        report(
            Failed(
                f"The machine refused: {error}",
                "see that the disk has room and that this folder may be written",
            )
        )
        return 1
    except KeyboardInterrupt:
        say("\nStopped.")
        return 130


def run(options):
    source = set_up(with_database=database.RUN)
    from . import job

    started_here = not services.running("odoo")
    try:
        with step("Counterparties (another MIS, SPAR, the payer)"):
            sandbox = job.start_sandbox()
        with step("Web client") as note:
            record = services.running("odoo")
            url = record["url"] if record else odoo_server.start(source, database.RUN)
            note(url)
        as_expected = job.run(url, database.RUN, PASSWORD.read_text(), sandbox)
        if options.once:
            return 0 if as_expected else 1
        say(f"\nThe web client is at {url}. Ctrl-C or ./spp stop ends it.")
        while services.running("odoo"):
            time.sleep(0.5)
    finally:
        if started_here or not options.once:
            stop_all()
    return 0


def test(options):
    from . import checks

    source = set_up(with_database=database.TEMPLATE)
    return checks.run(source, options.pytest, deep=options.deep)


def bench(options):
    from . import bench as benchmarks

    if not options.name:
        say("\n".join(benchmarks.names()) or "There is no benchmark yet.")
        return 0
    source = set_up(with_database=database.TEMPLATE)
    return benchmarks.run(source, options.name, options.size)


def shell(options):
    source = set_up(with_database=database.RUN)
    config = odoo_server.configuration(source, database.RUN, name="shell")
    command = odoo_server.command(config, "shell", "--no-http")
    return subprocess.call(list(map(str, command)), env=odoo_server.environment(source, channels="root:0"))


def update(options):
    running = services.stop("odoo")
    set_up(with_database=database.RUN)
    if running:
        say("The web client was stopped for it; ./spp run starts it again.")


def stop(options):
    enter_environment()
    say("Stopped." if stop_all() else "Nothing was running.")


def reset(options):
    enter_environment()
    stop_all()
    if postgres.is_external():
        postgres.ensure()
        for name in (database.RUN, database.TEMPLATE):
            database.drop(name)
    else:
        postgres.remove()
    shutil.rmtree(paths.STATE, ignore_errors=True)
    say("The databases and everything under .spp/ are gone. The packages in .venv/ stay.")


def set_up(with_database):
    """Have everything that a command needs; returns the folder of Odoo's source."""
    paths.STATE.mkdir(exist_ok=True)
    enter_environment()
    with one_at_a_time():
        with step("Odoo 17.0") as note:
            source = odoo_src.ensure()
            note(f"in {source}")
        with step("PostgreSQL") as note:
            note(postgres.ensure())
        os.environ.update(postgres.environment())
        with step(f"Database {with_database}") as note:
            note(database.ensure(source, with_database))
        if with_database == database.RUN and not PASSWORD.exists():
            with step("Password of the demonstration"):
                password = "spp-" + secrets.token_hex(3)
                database.set_admin_password(source, with_database, password)
                with open(os.open(PASSWORD, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
                    file.write(password)
    return source


def enter_environment():
    """Have the virtual environment, and go on in its Python."""
    if os.environ.get("SPP_ENTERED") == str(paths.VENV):
        return
    paths.STATE.mkdir(exist_ok=True)
    if not packages.complete():
        with one_at_a_time(), step("Python packages"):
            packages.install()
    os.environ["SPP_ENTERED"] = str(paths.VENV)
    sys.stdout.flush()
    os.execv(paths.PYTHON, [str(paths.PYTHON), str(paths.ROOT / "spp"), *sys.argv[1:]])


class one_at_a_time:
    """Two set-ups of one checkout wait for each other. The lock ends with its process, whatever ends that."""

    def __enter__(self):
        self.file = open(paths.STATE / "lock", "w")
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("  … another ./spp of this folder is setting up; waiting for it")
            fcntl.flock(self.file, fcntl.LOCK_EX)

    def __exit__(self, *error):
        self.file.close()


def stop_all():
    """End every process of this checkout; True if there was one."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not leave half of them behind
    stopped = [services.stop(name) for name in ("odoo", "sandbox")]
    had_server = postgres.running()
    postgres.stop()
    return any(stopped) or had_server
