"""Work that must stay, whatever becomes of the transaction around it, and that must see rows as they are now."""

from odoo.service.model import retrying


def in_own_transaction(records, work):
    """Run `work(records)` as superuser in a transaction of its own, and commit it.

    It is run again where it collides with another transaction, so it does nothing but database work, and returns
    plain values only. Rows that it changes must not be touched by the transaction around it: that one has an older
    snapshot, and would wait for itself.
    """
    records.env.flush_all()
    with records.env.registry.cursor() as cr:
        # sudo: the steps of a job are the system's; what the user may do was checked when the job was enqueued.
        env = records.env(cr=cr, su=True)
        result = retrying(lambda: work(records.with_env(env)), env)
    records.env.invalidate_all()
    return result
