"""What a job does beside its own transaction: work that must stay, whatever becomes of the job, and looking at rows as
they are now. The transaction of the job itself is never committed: that would drop queue_job's lock on it."""

from contextlib import contextmanager

from odoo.service.model import retrying
from odoo.sql_db import Cursor


def in_own_transaction(records, work, locks_first=False):
    """Run `work(records)` as superuser in a transaction of its own, and commit it.

    It is run again where it collides with another transaction, so it does nothing but database work, and returns
    plain values only. Rows that it changes must not be touched by the transaction around it: that one would wait
    for itself.

    :param locks_first: it waits for a lock, and must then see what whoever held it has done
    """
    records.env.flush_all()
    with records.env.registry.cursor() as cr:
        if locks_first:
            _see_what_is_committed(cr)
        # sudo: the steps of a job are the system's; what the user may do was checked when the job was enqueued.
        env = records.env(cr=cr, su=True)
        result = retrying(lambda: work(records.with_env(env)), env)
    records.env.invalidate_all()
    return result


@contextmanager
def seeing_now(records):
    """`records` as superuser on a cursor that sees, once it is asked to look again, rows as they are now.

    The cursor of a job sees them as they were when the job began: not what others have done since, nor what the job
    itself has done in transactions of its own. What a payment's next step depends on is read here.
    """
    records.env.flush_all()
    with records.env.registry.cursor() as cr:
        _see_what_is_committed(cr)
        try:
            # sudo: as above
            yield records.with_env(records.env(cr=cr, su=True))
        finally:
            # Also after an error: in a test, transactions of their own are part of this one, and stay.
            cr.commit()  # pylint: disable=invalid-commit  # of a cursor of its own
    records.env.invalidate_all()


def _see_what_is_committed(cr):
    if isinstance(cr, Cursor):  # a test has one transaction, and sees everything in it
        cr.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
