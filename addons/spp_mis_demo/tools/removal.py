"""Takes a company away with everything that belongs to it, in whatever table, also of addons that did not exist yet.

What belongs to it is found in the database's own references: the company, what has an external id of this module, and
whatever refers to one of these, directly or through others, by a foreign key or by model and id. What can be without the
record that it refers to stays, without it. All is deleted by one statement, so the order does not matter. Users stay; they
only lose the company.
"""

import json

from odoo import _
from odoo.exceptions import UserError
from odoo.tools import SQL

MODULE = "spp_mis_demo"
STAY = ("res_users", "res_company")
MANY = 1000  # rows: from here on a reference without an index would be looked for in vain, again and again


def remove(env, company):
    """Delete `company` and all that belongs to it.

    :raise UserError: where somebody of the company has a part in a program of another one
    """
    trail = _let_users_go(env, company)
    env.cr.execute(
        "CREATE TEMPORARY TABLE spp_removed (name text, id integer, round integer, PRIMARY KEY (name, id)) ON COMMIT DROP"
    )
    references = _references(env.cr)
    _mark_roots(env, company, trail)
    number = 0
    while _mark_what_refers(env, references, number):
        number += 1
    _refuse_others(env)
    _delete(env.cr, references)
    env.cr.execute("DROP TABLE spp_removed")
    env.invalidate_all(flush=False)
    env.registry.clear_all_caches()


def _let_users_go(env, company):
    """Users lose the company by the ORM, which also takes back the group that several companies come with.

    :return: entries of the audit trail that say so
    """
    last = env["spp.audit.entry"].search([], limit=1).id
    for user in env["res.users"].with_context(active_test=False).search([("company_ids", "in", company.ids)]):
        others = user.company_ids - company or env.ref("base.main_company")
        values = {"company_ids": [(6, 0, others.ids)]}
        if user.company_id == company:
            values["company_id"] = others[0].id
        user.write(values)
        if user.partner_id.company_id == company:
            user.partner_id.company_id = False
    env.flush_all()
    return env["spp.audit.entry"].search([("id", ">", last), ("res_model", "=", "res.users")])


def _references(cr):
    """[(table, column, table referred to, whether a row belongs to what it refers to)] of all foreign keys to an id.

    A row belongs to what it cannot be without, and to its company.
    """
    cr.execute(
        """
        SELECT c.conrelid::regclass::text, a.attname, c.confrelid::regclass::text,
               (c.confdeltype <> 'n' OR c.confrelid = 'res_company'::regclass)
               AND EXISTS (SELECT FROM pg_attribute i WHERE i.attrelid = c.conrelid AND i.attname = 'id'
                                                        AND NOT i.attisdropped)
          FROM pg_constraint c
          JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
          JOIN pg_attribute f ON f.attrelid = c.confrelid AND f.attnum = c.confkey[1] AND f.attname = 'id'
         WHERE c.contype = 'f' AND cardinality(c.conkey) = 1 AND c.connamespace = 'public'::regnamespace
         ORDER BY 1, 2
        """
    )
    return cr.fetchall()


def _mark_roots(env, company, trail):
    names = {model._table for model in env.values() if not model._abstract and model._auto}
    env.cr.execute(
        "SELECT model, array_agg(res_id) FROM ir_model_data WHERE module = %s AND noupdate GROUP BY model",
        [MODULE],
    )
    made = dict(env.cr.fetchall())
    made["res.company"] = company.ids
    made["spp.audit.entry"] = [*made.get("spp.audit.entry", ()), *trail.ids]
    made["res.partner"] = [*made.get("res.partner", ()), company.partner_id.id]
    for model, ids in made.items():
        if model in env and env[model]._table in names:
            _mark(env.cr, env[model]._table, SQL("SELECT unnest(%s::integer[])", ids), 0)


def _mark_what_refers(env, references, number):
    """Mark what refers to the rows of round `number`; returns how many were new."""
    env.cr.execute("SELECT DISTINCT name FROM spp_removed WHERE round = %s", [number])
    names = {name for (name,) in env.cr.fetchall()}
    new = 0
    for table, column, target, belongs in references:
        if target in names and belongs and table not in STAY:
            rows = SQL(
                "SELECT t.id FROM %s t JOIN spp_removed r ON r.name = %s AND r.round = %s AND r.id = t.%s",
                SQL.identifier(table),
                target,
                number,
                SQL.identifier(column),
            )
            new += _mark(env.cr, table, rows, number + 1)
    models = {model._name: model._table for model in env.values() if model._table in names}
    for table, model_column, id_column in _loose_references(env):
        for model, target in models.items():
            rows = SQL(
                "SELECT t.id FROM %s t JOIN spp_removed r ON r.name = %s AND r.round = %s AND r.id = t.%s WHERE t.%s = %s",
                SQL.identifier(table),
                target,
                number,
                SQL.identifier(id_column),
                SQL.identifier(model_column),
                model,
            )
            new += _mark(env.cr, table, rows, number + 1)
    return new + _mark_jobs(env, models, number)


def _loose_references(env):
    """[(table, column of the model's name, column of the id)] of all references by model and id."""
    return sorted(
        {
            (model._table, field.model_field, field.name)
            for model in env.values()
            if model._auto and not model._abstract
            for field in model._fields.values()
            if field.type == "many2one_reference" and field.store and model._fields[field.model_field].store
        }
    )


def _mark_jobs(env, models, number):
    """Jobs that work on these records, which they name in a text."""
    env.cr.execute("SELECT id, records FROM queue_job WHERE model_name = ANY(%s)", [sorted(models)])
    named = {}
    for job, text in env.cr.fetchall():
        records = json.loads(text or "{}")
        for record in records.get("ids") or ():
            named.setdefault(records.get("model"), []).append((job, record))
    new = 0
    for model, pairs in named.items():
        if model in models:
            rows = SQL(
                "SELECT job FROM unnest(%s::integer[], %s::integer[]) AS named (job, record)"
                " JOIN spp_removed r ON r.name = %s AND r.round = %s AND r.id = record",
                [job for job, _record in pairs],
                [record for _job, record in pairs],
                models[model],
                number,
            )
            new += _mark(env.cr, "queue_job", rows, number + 1)
    return new


def _mark(cr, table, rows, number):
    cr.execute(
        SQL(
            "INSERT INTO spp_removed (name, id, round) SELECT DISTINCT %s, rows.id, %s FROM (%s) AS rows (id)"
            " WHERE rows.id IS NOT NULL ON CONFLICT DO NOTHING",
            table,
            number,
            rows,
        )
    )
    return cr.rowcount


def _refuse_others(env):
    """Nobody's place in a program of another company is deleted, whatever company the person was given meanwhile."""
    env.cr.execute(
        """
        SELECT count(*) FROM spp_program_membership m JOIN spp_removed r ON r.name = 'spp_program_membership' AND r.id = m.id
         WHERE NOT EXISTS (SELECT FROM spp_removed p WHERE p.name = 'spp_program' AND p.id = m.program_id)
        """
    )
    (others,) = env.cr.fetchone()
    if others:
        raise UserError(
            _(
                "%s members of programs of other companies are registrants of the demonstration's company. Give them the "
                "company that they belong to first: they would be deleted.",
                others,
            )
        )


def _delete(cr, references):
    """Delete what is marked, in one statement: references are checked at its end, when all of it is gone."""
    cr.execute("SELECT name, count(*) FROM spp_removed GROUP BY name ORDER BY name")
    counts = dict(cr.fetchall())
    cr.execute("ANALYZE spp_removed")
    deletions = [
        SQL(
            "%s AS (DELETE FROM %s t USING spp_removed r WHERE r.name = %s AND r.id = t.id)",
            SQL.identifier(f"without_{number}"),
            SQL.identifier(name),
            name,
        )
        for number, name in enumerate(counts)
    ]
    indexes = [
        index
        for table, column, target, _belongs in references
        if counts.get(target, 0) >= MANY and (index := _have_index(cr, table, column))
    ]
    # Append-only tables refuse it otherwise. For this transaction only, and for this statement.
    cr.execute("SET LOCAL spp.allow_rewrite = 'on'")
    cr.execute(SQL("WITH %s SELECT 1", SQL(", ").join(deletions)))
    cr.execute("SET LOCAL spp.allow_rewrite = 'off'")
    for index in indexes:
        cr.execute(SQL("DROP INDEX %s", SQL.identifier(index)))


def _have_index(cr, table, column):
    """Index a column that is looked through once for each row that is deleted; the index's name if there was none."""
    cr.execute(
        """
        SELECT EXISTS (SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
                        WHERE i.indrelid = %(table)s::regclass AND a.attname = %(column)s AND i.indpred IS NULL)
            OR EXISTS (SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
                        WHERE i.indrelid = %(table)s::regclass AND a.attname = %(column)s
                          AND pg_get_expr(i.indpred, i.indrelid) = format('(%%I IS NOT NULL)', a.attname))
        """,
        {"table": table, "column": column},
    )
    if cr.fetchone()[0]:
        return None
    cr.execute(SQL("SELECT count(*) FROM (SELECT FROM %s LIMIT %s) AS rows", SQL.identifier(table), MANY))
    if cr.fetchone()[0] < MANY:
        return None
    name = f"spp_removal_{table}_{column}"[:63]
    cr.execute(
        SQL("CREATE INDEX %s ON %s (%s)", SQL.identifier(name), SQL.identifier(table), SQL.identifier(column))
    )
    return name
