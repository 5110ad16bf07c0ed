"""Bulk actions held in the middle of their work, for tests that then kill the worker or act beside it.

Each action is held by a lock that another connection to the database has: on a row that its one large statement
comes to late, or on a table that it writes last.
"""

import contextlib
import time

import psycopg2
from test_crash import kill

from scripts import database

LATE_ROW = {
    # the last of the people is being inserted by somebody else
    "action_import_candidates": """
        INSERT INTO spp_program_membership (program_id, partner_id, state, by_hand)
        SELECT %(id)s, max(id), 'candidate', FALSE FROM res_partner
         WHERE is_registrant AND is_group AND active AND registrant_status = 'active'""",
    "action_import_list": "LOCK TABLE spp_program_membership IN SHARE MODE",
    "action_enroll_by_hand": "LOCK TABLE spp_audit_entry IN SHARE MODE",
    "action_decide": "LOCK TABLE spp_audit_entry IN SHARE MODE",
    "action_take_back": "LOCK TABLE spp_audit_entry IN SHARE MODE",
    "action_cancel": "LOCK TABLE spp_audit_entry IN SHARE MODE",
    "action_close": "LOCK TABLE spp_audit_entry IN SHARE MODE",
    "action_enroll": """
        SELECT 1 FROM spp_program_membership
         WHERE id = (SELECT max(id) FROM spp_program_membership WHERE program_id = %(id)s) FOR UPDATE""",
    "action_compute": """
        INSERT INTO spp_cycle_beneficiary (cycle_id, membership_id, partner_id, outcome)
        SELECT c.id, m.id, m.partner_id, 'eligible' FROM spp_cycle c
          JOIN spp_program_membership m ON m.program_id = c.program_id AND m.state = 'enrolled'
         WHERE c.id = %(id)s ORDER BY m.id DESC LIMIT 1""",
    "action_submit": "LOCK TABLE spp_audit_entry IN SHARE MODE",
    "action_approve": """
        SELECT 1 FROM spp_entitlement
         WHERE id = (SELECT max(id) FROM spp_entitlement WHERE cycle_id = %(id)s) FOR UPDATE""",
    "action_propose_withdrawals": "LOCK TABLE spp_audit_entry IN SHARE MODE",
    "action_hand_out": "LOCK TABLE spp_audit_entry IN SHARE MODE",
    "action_search_duplicates": "LOCK TABLE spp_duplicate_case IN SHARE MODE",
    "action_prepare_payments": "LOCK TABLE spp_payment_batch IN SHARE MODE",
    "action_read": "LOCK TABLE spp_payment_result_row IN SHARE MODE",
    "action_apply": "LOCK TABLE spp_fund_entry IN SHARE MODE",
}


@contextlib.contextmanager
def held(name, action, record_id):
    """Inside of the block, `action` on the record comes to a halt in the middle of its work."""
    with contextlib.closing(psycopg2.connect(dbname=name)) as connection, connection.cursor() as cr:
        cr.execute(LATE_ROW[action], {"id": record_id})
        try:
            yield
        finally:
            connection.rollback()


def wait_until_held(name, seconds=60, many=1):
    """Wait until so many wait for the locks of `held`; a dead job is given to the next worker meanwhile."""
    with contextlib.closing(psycopg2.connect(dbname=name)) as connection, connection.cursor() as cr:
        connection.autocommit = True
        deadline = time.monotonic() + seconds
        while True:
            cr.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'",
                [name],
            )
            if cr.fetchone()[0] >= many:
                return
            assert time.monotonic() < deadline, "nothing came to a halt"
            wake_runner(name)
            time.sleep(0.2)


def kill_held(system, many=1):
    """kill -9 of the server once its work, of so many jobs, came to a halt."""
    wait_until_held(system.name, many=many)
    kill(system.name)
    # PostgreSQL would notice at the end of the statement that nobody listens any more.
    with database.cursor("postgres") as cr:
        cr.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = %s AND wait_event_type = 'Lock'",
            [system.name],
        )


def by_jobs(system, always=True):
    """Let the system leave every bulk action to a job, or only the large ones."""
    limit = "0" if always else "10000"
    system.log_in("admin")("ir.config_parameter", "set_param", "spp_base.rows_at_once", limit)


def over(session, run, wake=None, seconds=180):
    """Wait for a run's end; what it says. With the name of a database, its job runner looks for dead jobs at once,
    which it does by itself every minute."""
    deadline = time.monotonic() + seconds
    while True:
        (found,) = session("spp.run", "read", [run], ["state", "counts", "message", "deaths"])
        if found["state"] not in ("queued", "running"):
            return found
        assert time.monotonic() < deadline, found
        if wake:
            wake_runner(wake)
        time.sleep(0.5 if wake else 0.2)


def wake_runner(name):
    with database.cursor(name) as cr:
        cr.execute("SELECT pg_notify('queue_job', 'none')")
