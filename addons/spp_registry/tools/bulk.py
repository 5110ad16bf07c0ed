"""Many registrants in one statement, as the ORM would have made them one by one.

Odoo's partner has some seventy columns, and other addons add theirs. What the caller does not give is taken from a
registrant that the ORM made a moment before, and was taken away again: defaults, and what was computed from them.
No followers and no messages are made.
"""

import json
from contextlib import closing

from odoo import _
from odoo.exceptions import UserError
from odoo.tools import SQL

from odoo.addons.spp_base.tools import statistics

#: Stored computed columns that depend on what a caller gives, and their SQL of the new row `r`.
FOLLOWING = {"complete_name": "r.name", "commercial_partner_id": "r.id"}


def insert_registrants(env, columns, rows, is_group=False):
    """Insert a registrant for each of the rows. For code of the system: areas of the user are not looked at.

    :param columns: names of stored columns of res.partner, in the order of `rows`; with "name"
    :param rows: SQL that selects their values
    :return: how many were inserted
    :raise UserError: if a stored column is computed from one of `columns` in a way that is not known here
    """
    partners = env["res.partner"]
    partners.check_access_rights("create")
    _refuse_unknown(partners, columns)
    template = _template(partners, is_group)
    taken = [name for name in template if name not in {"id", *columns, *FOLLOWING}]
    env.cr.execute(
        SQL(
            """
            INSERT INTO res_partner (id, %(given)s, %(following)s, %(taken)s)
            SELECT r.id, %(given_values)s, %(following_values)s, %(taken_values)s
              FROM (SELECT nextval('res_partner_id_seq') AS id, given.* FROM (%(rows)s) AS given (%(given)s)) r,
                   jsonb_populate_record(NULL::res_partner, %(template)s::jsonb) t
            """,
            given=_names(columns),
            following=_names(FOLLOWING),
            taken=_names(taken),
            given_values=_names(columns, "r"),
            following_values=SQL(", ").join(SQL(value) for value in FOLLOWING.values()),
            taken_values=_names(taken, "t"),
            rows=rows,
            template=json.dumps(template),
        )
    )
    inserted = env.cr.rowcount
    statistics.refresh(env.cr, "res_partner", inserted)
    env.invalidate_all()
    return inserted


def _refuse_unknown(partners, columns):
    """Refuse where a stored column that is computed from a given one would keep the template's value."""
    for field in partners._fields.values():
        if not field.store or not field.compute or field.name in {*columns, *FOLLOWING}:
            continue
        sources = {path.partition(".")[0] for path in partners.pool.field_depends[field]}
        if sources.intersection(columns):
            raise UserError(
                _(
                    "%(column)s is computed from %(sources)s: registrants are not inserted in bulk with it.",
                    column=field.name,
                    sources=", ".join(sorted(sources.intersection(columns))),
                )
            )


def _template(partners, is_group):
    """{column: value} of a registrant as the ORM makes one."""
    cr = partners.env.cr
    with closing(cr.savepoint()):  # rolls back
        made = partners.create({"is_registrant": True, "is_group": is_group, "name": "-"})
        partners.env.flush_all()
        cr.execute("SELECT to_jsonb(p) FROM res_partner p WHERE id = %s", [made.id])
        template = cr.fetchone()[0]
    partners.env.invalidate_all(flush=False)
    return template


def _names(names, table=None):
    return SQL(", ").join(SQL.identifier(table, name) if table else SQL.identifier(name) for name in names)
