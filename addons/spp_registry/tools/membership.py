"""When a membership is live: the one definition, in SQL and as a search domain.

Live at a date: (start is null or start <= date) and (ended is null or ended > date).
"""

from odoo.tools import SQL


def live_sql(alias, date):
    """Condition that the row `alias` of spp_group_membership is live at `date` (a date or a SQL)."""
    return SQL(
        "((%(start)s IS NULL OR %(start)s <= %(date)s) AND (%(ended)s IS NULL OR %(ended)s > %(date)s))",
        start=SQL.identifier(alias, "start"),
        ended=SQL.identifier(alias, "ended"),
        date=date,
    )


def live_domain(date, path=""):
    """The same as a domain; `path` is where the membership is seen from ("membership_ids.")."""
    return [
        "|", (f"{path}start", "=", False), (f"{path}start", "<=", date),
        "|", (f"{path}ended", "=", False), (f"{path}ended", ">", date),
    ]  # fmt: skip
