"""Databases of this checkout: create, update, clone, drop.

A database is made under another name and renamed when it is complete, so that an interrupted set-up
leaves nothing that the next try trips over. It remembers from which state of the addons it was made
(parameter `spp.fingerprints`); only addons that changed since are updated.
"""

import contextlib
import json

from . import odoo_server, paths
from .steps import Failed

#: Given to Odoo's shell when a database is new. Assets are built once here instead of at the first
#: page; files are kept in the database, so that a copy of it is complete.
FINISH = """
env["ir.attachment"].force_storage()
env["ir.qweb"]._pregenerate_assets_bundles()
env.cr.commit()
"""
SET_PASSWORD = """
env.ref("base.user_admin").password = %r
env.cr.commit()
"""


def ensure(odoo, name):
    """Have database `name` with all addons as they are in this checkout. Returns what was done."""
    wanted = {module: paths.fingerprint(odoo.addons / module) for module in paths.our_modules()}
    wanted["odoo"] = odoo.series
    if not exists(name) or _is_empty(name):
        partial = f"{name}_partial"
        drop(partial)
        odoo_server.run(odoo, partial, "server", "-i", "base", "--stop-after-init", "--no-http")
        set_parameter(partial, "ir_attachment.location", "db")
        modules = ",".join(paths.our_modules())
        odoo_server.run(odoo, partial, "server", "-i", modules, "--stop-after-init", "--no-http")
        odoo_server.run(odoo, partial, "shell", "--no-http", script=FINISH)
        set_parameter(partial, "spp.fingerprints", json.dumps(wanted))
        drop(name)
        rename(partial, name)
        return "created"
    had = json.loads(get_parameter(name, "spp.fingerprints") or "{}")
    if had.get("odoo") != odoo.series:
        raise Failed(
            f"The database {name} was made with Odoo {had.get('odoo')}; this is Odoo {odoo.series}. "
            "It was not opened, and nothing in it was touched.",
            f"--series {had['odoo']} opens it" if "odoo" in had else "name another database in PGDATABASE",
        )
    changed = [module for module in paths.our_modules() if had.get(module) != wanted[module]]
    if not changed:
        return "up to date"
    new = [module for module in changed if module not in had]
    known = [module for module in changed if module in had]
    arguments = (["-i", ",".join(new)] if new else []) + (["-u", ",".join(known)] if known else [])
    odoo_server.run(odoo, name, "server", *arguments, "--stop-after-init", "--no-http")
    set_parameter(name, "spp.fingerprints", json.dumps(wanted))
    return f"updated: {', '.join(changed)}"


def made_with(name):
    """The Odoo series of a database of ours; None if it is none, or not there."""
    if not exists(name) or _is_empty(name):
        return None
    return json.loads(get_parameter(name, "spp.fingerprints") or "{}").get("odoo")


def set_admin_password(odoo, name, password):
    odoo_server.run(odoo, name, "shell", "--no-http", script=SET_PASSWORD % password)


@contextlib.contextmanager
def cursor(name):
    """A cursor on database `name`, each statement its own transaction."""
    import psycopg2

    try:
        with contextlib.closing(psycopg2.connect(dbname=name)) as connection:
            connection.autocommit = True
            with connection.cursor() as cr:
                yield cr
    except psycopg2.Error as error:
        raise Failed(
            f"PostgreSQL refused something in database {name}: {str(error).strip()}",
            "see that the role may create databases (CREATEDB), and that nobody else uses this one",
        ) from error


def exists(name):
    with cursor("postgres") as cr:
        cr.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
        return bool(cr.fetchone())


def _is_empty(name):
    """Was it only created, by somebody else, with nothing in it? A database with other things in is refused."""
    with cursor(name) as cr:
        cr.execute("SELECT count(*), bool_or(tablename = 'ir_config_parameter') FROM pg_tables"
                   " WHERE schemaname = 'public'")  # fmt: skip
        tables, is_odoo = cr.fetchone()
    if tables and not is_odoo:
        raise Failed(
            f"The database {name} holds something that is not Odoo.", "name another one in PGDATABASE"
        )
    return not tables


def drop(name):
    with cursor("postgres") as cr:
        cr.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def rename(name, new_name):
    with cursor("postgres") as cr:
        cr.execute(f'ALTER DATABASE "{name}" RENAME TO "{new_name}"')


def clone(name, new_name):
    """Make `new_name` a copy of `name`, to which nobody may be connected."""
    drop(new_name)
    with cursor("postgres") as cr:
        cr.execute(f'CREATE DATABASE "{new_name}" TEMPLATE "{name}"')


def get_parameter(name, key):
    with cursor(name) as cr:
        cr.execute("SELECT value FROM ir_config_parameter WHERE key = %s", [key])
        return next(iter(cr.fetchone() or []), None)


def set_parameter(name, key, value):
    with cursor(name) as cr:
        cr.execute(
            "INSERT INTO ir_config_parameter (key, value) VALUES (%s, %s)"
            " ON CONFLICT (key) DO UPDATE SET value = EXCLUDED.value",
            [key, value],
        )
