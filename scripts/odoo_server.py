"""Odoo of this checkout: its configuration, and its processes.

One Odoo process with queue_job's runner as a thread in it: enough for one machine and one person.
docker-compose.yml runs Odoo with workers.
"""

import os
import secrets
import subprocess
import sys

from . import paths, postgres, services
from .steps import Failed

#: how many jobs run side by side
CHANNELS = "root:2"


def environment(odoo, database, *, channels=CHANNELS, port=None):
    """Environment of an Odoo process: where its source, its server and its job runner's port are.

    19.0 takes the name of the database from there rather than from its configuration.
    """
    values = {
        **os.environ,
        **postgres.environment(),
        "PGDATABASE": database,
        "PYTHONPATH": os.pathsep.join([str(odoo.source), str(paths.ROOT)]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "ODOO_QUEUE_JOB_CHANNELS": channels,
        "ODOO_QUEUE_JOB_HOST": "127.0.0.1",
    }
    if port:
        values["ODOO_QUEUE_JOB_PORT"] = str(port)
    for name in ("ODOO_RC", "OPENERP_SERVER"):
        values.pop(name, None)  # a configuration of the machine's own must not mix with ours
    return values


def configuration(odoo, database, *, port=8069, name="odoo"):
    """Write .spp/SERIES/NAME.conf and return its path.

    Odoo's limit of address space is off: a browser that a test starts would inherit it, and not start. A job about a
    million people takes longer than Odoo's two minutes, after which it would be begun again.
    """
    odoo.state.mkdir(parents=True, exist_ok=True)
    key = paths.STATE / "master-password"
    if not key.exists():
        with open(os.open(key, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(24))
    folders = [*odoo.core_addons, odoo.addons]
    path = odoo.state / f"{name}.conf"
    text = f"""\
[options]
addons_path = {",".join(map(str, folders))}
data_dir = {odoo.state / "data"}
db_name = {database}
dbfilter = ^{database}$
list_db = False
admin_passwd = {key.read_text()}
http_interface = 127.0.0.1
http_port = {port}
server_wide_modules = base,web,queue_job
without_demo = True
workers = 0
max_cron_threads = 1
limit_memory_hard = 0
limit_time_real = 7200
unaccent = False
"""
    if not path.exists() or path.read_text() != text:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
    return path


def command(config, verb, *arguments):
    return [sys.executable, "-m", "odoo", verb, "-c", config, *arguments]


def run(odoo, database, verb, *arguments, name="install", script=None):
    """Run Odoo on a database to its end, e.g. to install modules, or with `script` in its shell."""
    config = configuration(odoo, database, name=name)
    result = subprocess.run(
        list(map(str, command(config, verb, *arguments))),
        input=script, capture_output=True, text=True, cwd=paths.ROOT,
        env=environment(odoo, database, channels="root:0"),
    )  # fmt: skip
    paths.LOGS.mkdir(parents=True, exist_ok=True)
    log = paths.LOGS / "install.log"
    with open(log, "a") as file:
        file.write(result.stdout + result.stderr)
    if result.returncode:
        told = [line for line in (result.stdout + result.stderr).splitlines() if line.strip()][-15:]
        raise Failed("Odoo stopped with an error:\n    " + "\n    ".join(told), f"the whole log is {log}")
    return result.stdout


def start(odoo, database, name="odoo", port=8069, channels=CHANNELS):
    """Start the web client and the job runner; returns the base URL once it answers."""
    port = services.free_port(port)
    config = configuration(odoo, database, port=port, name=name)
    url = f"http://localhost:{port}"
    log = services.start(
        name,
        command(config, "server"),
        environment=environment(odoo, database, port=port, channels=channels),
        info={"url": url, "database": database},
    )
    services.wait_for(name, f"{url}/web/health", log, 120)
    return url
