"""Writing what must stay, and be seen, whatever becomes of the transaction around it."""

from contextlib import contextmanager

from odoo.tools import SQL


@contextmanager
def on_own_cursor(record):
    """Give ``record`` as superuser on a cursor of its own, committed at the end of the block.

    Progress, a failure, a paused endpoint must reach others while the caller's transaction
    is still open, and survive its rollback.

    A record that this very transaction made and has not committed cannot be seen by another
    cursor: then the block works in the caller's transaction, and shares its fate.

    Within one transaction write such fields only through here. The row would otherwise be
    locked by the one cursor while the other waits for it; that wait ends with an error
    after five seconds rather than never.
    """
    record.ensure_one()
    record.flush_recordset()
    with record.env.registry.cursor() as cr:
        cr.execute("SET LOCAL lock_timeout = '5s'")
        cr.execute(SQL("SELECT 1 FROM %s WHERE id = %s", SQL.identifier(record._table), record.id))
        committed = bool(cr.rowcount)
        if committed:
            # sudo: roles may read these records; only code like this writes them
            yield record.with_env(record.env(cr=cr, su=True))
    if not committed:
        yield record.sudo()
    record.invalidate_recordset()
