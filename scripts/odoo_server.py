"""Odoo of this checkout: its configuration, and its processes.

One Odoo process with queue_job's runner as a thread in it: enough for one machine and one person.
docker-compose.yml runs Odoo with workers.
"""

import os
import secrets
import subprocess

from . import odoo_src, paths, postgres, services
from .steps import Failed

#: how many jobs run side by side
CHANNELS = "root:2"


def environment(source, *, channels=CHANNELS, port=None):
    """Environment of an Odoo process: where its source, its server and its job runner's port are."""
    values = {
        **os.environ,
        **postgres.environment(),
        "PYTHONPATH": os.pathsep.join([str(source), str(paths.ROOT)]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "ODOO_QUEUE_JOB_CHANNELS": channels,
        "ODOO_QUEUE_JOB_HOST": "127.0.0.1",
    }
    if port:
        values["ODOO_QUEUE_JOB_PORT"] = str(port)
    for name in ("ODOO_RC", "OPENERP_SERVER"):
        values.pop(name, None)  # a configuration of the machine's own must not mix with ours
    return values


def configuration(source, database, *, port=8069, name="odoo"):
    """Write .spp/NAME.conf and return its path.

    Odoo's limit of address space is off: a browser that a test starts would inherit it, and not start.
    """
    paths.STATE.mkdir(exist_ok=True)
    key = paths.STATE / "master-password"
    if not key.exists():
        with open(os.open(key, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(24))
    folders = [*odoo_src.addons_folders(source), paths.ADDONS]
    path = paths.STATE / f"{name}.conf"
    text = f"""\
[options]
addons_path = {",".join(map(str, folders))}
data_dir = {paths.DATA}
db_name = {database}
dbfilter = ^{database}$
list_db = False
admin_passwd = {key.read_text()}
http_interface = 127.0.0.1
http_port = {port}
server_wide_modules = base,web,queue_job
without_demo = all
workers = 0
max_cron_threads = 1
limit_memory_hard = 0
unaccent = False
"""
    if not path.exists() or path.read_text() != text:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
    return path


def command(config, verb, *arguments):
    return [paths.PYTHON, "-m", "odoo", verb, "-c", config, *arguments]


def run(source, config, verb, *arguments, script=None):
    """Run Odoo to its end, e.g. to install modules, or with `script` in its shell."""
    result = subprocess.run(
        list(map(str, command(config, verb, *arguments))),
        input=script, capture_output=True, text=True, cwd=paths.ROOT,
        env=environment(source, channels="root:0"),
    )  # fmt: skip
    paths.LOGS.mkdir(parents=True, exist_ok=True)
    log = paths.LOGS / "install.log"
    with open(log, "a") as file:
        file.write(result.stdout + result.stderr)
    if result.returncode:
        told = [line for line in (result.stdout + result.stderr).splitlines() if line.strip()][-15:]
        raise Failed("Odoo stopped with an error:\n    " + "\n    ".join(told), f"the whole log is {log}")
    return result.stdout


def start(source, database, name="odoo", port=8069):
    """Start the web client and the job runner; returns the base URL once it answers."""
    port = services.free_port(port)
    config = configuration(source, database, port=port, name=name)
    url = f"http://localhost:{port}"
    log = services.start(
        name,
        command(config, "server"),
        environment=environment(source, port=port),
        info={"url": url, "database": database},
    )
    services.wait_for(name, f"{url}/web/health", log, 120)
    return url
