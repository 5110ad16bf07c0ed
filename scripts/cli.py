"""The commands of ./spp and their options.

A command first sets up what is missing (Odoo, packages, PostgreSQL, database), each step shown;
what is there already takes no time. Set-up begins in the Python that was called and goes on in that of
the virtual environment of the Odoo series it found.
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

from . import convert, database, odoo_server, packages, paths, postgres, series, services
from .steps import Failed, NotToBeHad, report, say, step


def main(arguments):
    parser = argparse.ArgumentParser(prog="spp", description="SPP, a social protection MIS on Odoo.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    command = commands.add_parser(
        "run", help="set up, run the main job on real input, leave the web client running"
    )
    command.add_argument(
        "--once", action="store_true", help="end after the job; status 0 only if all came out right"
    )
    command.add_argument(
        "--people",
        type=int,
        metavar="N",
        help="how many people the demonstration has, where there is none yet",
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

    command = commands.add_parser(
        "tour", help="make the README's pictures of the running system again, each as the role that sees it"
    )
    command.set_defaults(do=tour)

    command = commands.add_parser("shell", help="Odoo's Python shell on the database")
    command.set_defaults(do=shell)
    command = commands.add_parser("update", help="bring the database up to the addons' sources")
    command.set_defaults(do=update)

    command = commands.add_parser("replay", help="compute a cycle's decisions again from what it froze")
    command.add_argument("cycle", type=int, nargs="?", help="its id")
    command.add_argument(
        "--enrollment", type=int, metavar="PROGRAM", help="the enrollment of a program instead"
    )
    command.set_defaults(do=replay)

    for name in ("run", "test", "bench", "tour", "shell", "update", "replay"):
        commands.choices[name].add_argument(
            "--series",
            choices=[*series.SERIES, *(["all"] if name == "test" else [])],
            help="which Odoo; without it 17.0, or 19.0 where 17.0 cannot be had",
        )
    commands.add_parser("stop", help="end everything that runs").set_defaults(do=stop)
    commands.add_parser("reset", help="forget the databases and all that was set up").set_defaults(do=reset)

    options, unknown = parser.parse_known_args(arguments)
    if options.command == "test":
        options.pytest = _for_pytest(arguments[1:])
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


def _for_pytest(arguments):
    """What of the arguments of `test` is not ours, in its order."""
    remaining = iter(arguments)
    for argument in remaining:
        if argument == "--series":
            next(remaining)
        elif argument != "--deep" and not argument.startswith("--series="):
            yield argument


def run(options):
    odoo = enter_environment(options.series)
    record = services.running("odoo")
    if record and record["database"] != odoo.database:
        raise Failed(f"The web client already runs here, on the database {record['database']}.", "./spp stop")
    set_up(odoo, odoo.database)
    from . import demo, job

    started_here = not record
    try:
        with step("Counterparties (another MIS, SPAR, the payer)"):
            sandbox = job.start_sandbox(odoo.state / "sandbox")
        with step("Web client") as note:
            record = services.running("odoo")
            url = record["url"] if record else odoo_server.start(odoo, odoo.database)
            note(url)
        arguments = (url, odoo.database, _password(odoo).read_text(), sandbox)
        as_expected = job.run(*arguments)
        as_expected = demo.run(*arguments, people=options.people) and as_expected
        job.say_logins(arguments[2])
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
    if options.series == "all":
        return test_every_series(options)
    from . import checks

    odoo = enter_environment(options.series)
    set_up(odoo, odoo.template)
    return checks.run(odoo, list(options.pytest), deep=options.deep)


def test_every_series(options):
    """The tests on each series that this machine has or can get; 0 only if there is one and all went well."""
    results = {}
    for name in series.SERIES:
        say(f"\nOdoo {name}")
        try:
            series.choose(name)
        except NotToBeHad as reason:
            say(f"  - not tested. {reason.what}")
            continue
        arguments = ["--series", name, *(["--deep"] if options.deep else []), *options.pytest]
        results[name] = subprocess.call([sys.executable, str(paths.ROOT / "spp"), "test", *arguments])
    say()
    for name in series.SERIES:
        told = {None: "not to be had on this machine", 0: "passed"}.get(results.get(name), "FAILED")
        say(f"Odoo {name}: {told}")
    return int(not results or any(results.values()))


def bench(options):
    from . import bench as benchmarks

    if not options.name:
        say("\n".join(benchmarks.names()) or "There is no benchmark yet.")
        return 0
    odoo = enter_environment(options.series)
    set_up(odoo, odoo.template)
    return benchmarks.run(odoo, options.name, options.size)


def tour(options):
    odoo = enter_environment(options.series)
    from . import tour as tours

    tours.of_running_system(odoo, _password(odoo))


def shell(options):
    odoo = enter_environment(options.series)
    set_up(odoo, odoo.database)
    config = odoo_server.configuration(odoo, odoo.database, name="shell")
    command = odoo_server.command(config, "shell", "--no-http")
    environment = odoo_server.environment(odoo, odoo.database, channels="root:0")
    return subprocess.call(list(map(str, command)), env=environment)


def replay(options):
    from . import replay as replays

    if bool(options.cycle) == bool(options.enrollment):
        raise Failed("Say what to replay.", "./spp replay CYCLE, or ./spp replay --enrollment PROGRAM")
    odoo = enter_environment(options.series)
    set_up(odoo, odoo.database)
    if options.cycle:
        return replays.run(odoo, "spp.cycle", options.cycle)
    return replays.run(odoo, "spp.program", options.enrollment)


def update(options):
    odoo = enter_environment(options.series)
    running = services.stop("odoo")
    set_up(odoo, odoo.database)
    if running:
        say("The web client was stopped for it; ./spp run starts it again.")


def stop(options):
    if not enter_any_environment():
        return say("Nothing was set up here.")
    say("Stopped." if stop_all() else "Nothing was running.")


def reset(options):
    if not enter_any_environment():
        return say("Nothing was set up here.")
    stop_all()
    if postgres.is_external():
        postgres.ensure()
        for name in series.SERIES:
            odoo = series.Odoo(name, None)
            database.drop(odoo.template)
            if database.made_with(odoo.database) == name:
                database.drop(odoo.database)
    else:
        postgres.remove()
    shutil.rmtree(paths.STATE, ignore_errors=True)
    say("The databases and everything under .spp/ are gone. The packages in .venv/ stay.")


def set_up(odoo, name):
    """Have everything that a command needs on the database `name`."""
    with one_at_a_time():
        if odoo.series != series.WRITTEN_FOR:
            with step(f"Addons for Odoo {odoo.series}") as note:
                note(f"{convert.build(odoo)} files converted")
        with step("PostgreSQL") as note:
            note(postgres.ensure())
        os.environ.update(postgres.environment())
        with step(f"Database {name}") as note:
            note(database.ensure(odoo, name))
        if name == odoo.database and not _password(odoo).exists():
            with step("Password of the demonstration"):
                password = "spp-" + secrets.token_hex(3)
                database.set_admin_password(odoo, name, password)
                with open(os.open(_password(odoo), os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
                    file.write(password)


def _password(odoo):
    """Where the password of everybody in the demonstration is; it is made anew for each database."""
    return odoo.state / "password"


def enter_environment(wanted):
    """Have Odoo, of the series `wanted` if one is named, and its packages; go on in their Python. Returns it."""
    if os.environ.get("SPP_ENTERED") == str(paths.ROOT) and wanted in (None, os.environ["SPP_SERIES"]):
        return series.current()
    paths.STATE.mkdir(exist_ok=True)
    with one_at_a_time():
        with step("Odoo") as note:
            odoo, where, why = series.choose(wanted)
            note(odoo.series)
            note(where)
        if why:
            say(f"    This is Odoo {odoo.series}, because: {why}")
        if not packages.complete(odoo.series):
            with step("Python packages"):
                packages.install(odoo.series)
    _go_on_in(odoo.series, odoo.source)


def enter_any_environment():
    """Go on in the Python of an environment that is there; False if there is none."""
    if os.environ.get("SPP_ENTERED") == str(paths.ROOT):
        return True
    for name in filter(packages.complete, series.SERIES):
        _go_on_in(name, "")
    return False


def _go_on_in(name, source):
    os.environ.update(SPP_ENTERED=str(paths.ROOT), SPP_SERIES=name, SPP_SOURCE=str(source))
    python = str(packages.python(name))
    sys.stdout.flush()
    os.execv(python, [python, str(paths.ROOT / "spp"), *sys.argv[1:]])


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
