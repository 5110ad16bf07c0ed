"""Locks that end with their worker.

A lock row stays behind when a worker is killed; a session-level advisory lock does not:
the server drops it together with the connection. So whether somebody is still at work is
asked of the lock, never of a flag::

    with held(self.env.cr.dbname, key("spp.run", run.id)):
        ...  # at most one worker at a time, anywhere, is here

    if is_held(self.env.cr, key("spp.run", run.id)):
        ...  # a worker is alive

The lock has a connection of its own, outside Odoo's pool: the main transaction may commit
and roll back freely, and no pooled connection ever carries a lock to its next borrower.
It needs a direct connection to PostgreSQL (a pooler in transaction mode loses it).
"""

import hashlib
from contextlib import closing, contextmanager

import psycopg2

from odoo.sql_db import connection_info_for
from odoo.tools import SQL


class Busy(Exception):
    """The lock is held by somebody else."""


def key(namespace, number):
    """The lock's number for ``(namespace, number)``: a signed 64-bit integer.

    The first 8 bytes of BLAKE2b over ``"<namespace>:<number>"`` in UTF-8, big-endian. It is
    the same on every machine, Python and release, so that all workers mean the same lock.
    """
    digest = hashlib.blake2b(f"{namespace}:{number}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


@contextmanager
def held(dbname, lock_key):
    """Hold the lock for the length of the block; raise :class:`Busy` if it is taken."""
    _name, parameters = connection_info_for(dbname)
    with closing(psycopg2.connect(**parameters)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", (lock_key,))
            if not cursor.fetchone()[0]:
                raise Busy()
            try:
                yield
            finally:
                # Closing lets go too, but the server may notice a moment later.
                cursor.execute("SELECT pg_advisory_unlock(%s)", (lock_key,))


def is_held(cr, lock_key):
    """Whether somebody, in any process, holds the lock now (true now, not as of the snapshot)."""
    unsigned = lock_key % 2**64
    cr.execute(
        SQL(
            """
            SELECT EXISTS (
                SELECT FROM pg_locks
                 WHERE locktype = 'advisory' AND granted AND objsubid = 1
                   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                   AND classid::bigint = %s AND objid::bigint = %s)
            """,
            unsigned >> 32,
            unsigned & 0xFFFFFFFF,
        )
    )
    return cr.fetchone()[0]
