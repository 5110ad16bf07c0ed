"""Many new rows in one statement, such as the ORM would make them.

    records = create(env["res.partner"], [{"name": "ANA", "is_registrant": True, …}, …])
    number = create_from(env["res.partner"], ("name", "birthdate"), SQL("SELECT …"), {"is_registrant": True, …})

A row that the ORM makes, and that is rolled back, tells what every column holds that nobody gave: defaults, who and when.
The rows differ from it in what was given and in the stored computed columns that are listed here. No followers and no
messages are made.

Where an addon adds a stored computed column that is not listed, or overrides `create()` without saying in
`_created_in_bulk()` what is to be done for rows that were made here, `fits()` is false: then the ORM must make them.
"""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field

from odoo import _, models
from odoo.exceptions import UserError
from odoo.tools import SQL, email_normalize

from odoo.addons.spp_base.tools import statistics

from ..models.spp_payment_account import mask_number
from ..models.spp_phone_number import sanitize

OWN = (
    "odoo.models",
    "odoo.orm.",
    "odoo.addons.base.",
    "odoo.addons.mail.",
    "odoo.addons.partner_autocomplete.",  # looks companies up, one at a time
    "odoo.addons.spp_base.",  # the audit trail: who makes many rows leaves one entry with their run
    "odoo.addons.spp_registry.",
)


@dataclass(frozen=True)
class Columns:
    """`given`: what a row must have for the ORM to make one; `following`: stored computed columns, as SQL of the new
    row `r`; `computed`: those that Python computes, each from one given column; `same`: those that are the same in all
    such rows."""

    given: tuple
    following: dict[str, str] = field(default_factory=dict)
    computed: dict[str, tuple[str, Callable]] = field(default_factory=dict)
    same: frozenset = frozenset()


KNOWN = {
    "res.partner": Columns(
        given=("name", "is_registrant", "is_group", "registration_date", "area_id", "registrant_status"),
        following={"complete_name": "btrim(r.name)", "commercial_partner_id": "r.id"},
        computed={"email_normalized": ("email", lambda email: email_normalize(email) or None)},
        same=frozenset(
            {
                "commercial_company_name",
                "company_registry",
                "lang",
                "partner_share",
                "phone_sanitized",
                "properties",  # 19.0
                "user_id",
            }
        ),
    ),
    "spp.identity.document": Columns(given=("partner_id", "type_id", "value", "state")),
    "spp.phone.number": Columns(
        given=("partner_id", "number"),
        computed={"sanitized": ("number", lambda number: sanitize(number) or None)},
    ),
    "spp.payment.account": Columns(
        given=("partner_id", "number", "kind"), computed={"number_masked": ("number", mask_number)}
    ),
    "spp.group.membership": Columns(given=("group_id", "individual_id")),
    "spp.event": Columns(given=("partner_id", "kind", "date")),
}


def fits(model):
    """Whether rows of this model can be made in bulk here, with the addons that are installed."""
    columns = KNOWN[model._name]
    stored = {name for name, one in model._fields.items() if one.compute and one.store and one.column_type}
    makers = [
        part for part in type(model).__mro__ if "create" in vars(part) and not part.__module__.startswith(OWN)
    ]
    return stored <= columns.following.keys() | columns.computed.keys() | columns.same and all(
        "_created_in_bulk" in vars(part) for part in makers
    )


def create(model, vals_list):
    """Make the rows; returns them as records, in the order of `vals_list`.

    Values are as for the ORM's create(); of many2many fields, the ids. Constraints are checked as ever.
    """
    vals_list = model._completed_for_bulk(vals_list)
    many = {name for values in vals_list for name in values if model._fields[name].type == "many2many"}
    own = [{name: value for name, value in values.items() if name not in many} for values in vals_list]
    records = model.browse(_insert_values(model, own))
    statistics.refresh_unknown(model.env.cr, {model._table}, len(records))
    for name in many:
        _link(model._fields[name], records, [values.get(name, ()) for values in vals_list])
    # Constraints look at few columns: these are read, not whole rows.
    lean = records.with_context(prefetch_fields=False)
    lean._validate_fields({name for values in vals_list for name in values})
    records._created_in_bulk()
    return records


def create_from(model, names, query, values):
    """Make a row for each that `query` selects; returns how many. For code of the system: neither Python's constraints
    nor areas of the user are looked at.

    :param names: the columns that the query selects, in its order
    :param values: what all rows have, as for create(); with examples of the columns of `names` that are required
    :raise UserError: if rows of the model, or with these columns, cannot be made so
    """
    model.check_access_rights("create")
    columns = KNOWN[model._name]
    unknown = [name for name, (source, _compute) in columns.computed.items() if source in names]
    if unknown or not fits(model):
        raise UserError(
            _(
                "Rows of %(model)s cannot be made by a query here: %(column)s is not known to it.",
                model=model._description,
                column=", ".join(unknown) or _("what another module computes or does"),
            )
        )
    (values,) = model._completed_for_bulk([values])
    template = _template(model, values)
    rows = SQL(
        "SELECT nextval(%s) AS id, given.* FROM (%s) AS given (%s)",
        f"{model._table}_id_seq",
        query,
        _names(names),
    )
    inserted = _insert(model, names, rows, template)
    statistics.refresh(model.env.cr, model._table, inserted)
    return inserted


def _insert_values(model, vals_list):
    env, columns = model.env, KNOWN[model._name]
    env.flush_all()
    template = _template(model, {name: vals_list[0][name] for name in columns.given})
    env.cr.execute(
        SQL("SELECT nextval(%s) FROM generate_series(1, %s)", f"{model._table}_id_seq", len(vals_list))
    )
    ids = [number for (number,) in env.cr.fetchall()]
    cells = {"id": ids}
    for name in sorted({name for values in vals_list for name in values}):
        column = model._fields[name]
        cells[name] = [
            column.convert_to_column(values[name], model) if name in values else template[name]
            for values in vals_list
        ]
    for name, (source, compute) in columns.computed.items():
        cells[name] = [compute(values.get(source)) for values in vals_list]
    types = {
        name: "int4" if name == "id" else model._fields[name].column_type[1].partition("(")[0]
        for name in cells
    }
    arrays = SQL(", ").join(SQL(f"%s::{types[name]}[]", cells[name]) for name in cells)
    names = [name for name in cells if name != "id"]
    rows = SQL("SELECT * FROM unnest(%s) AS given (%s)", arrays, _names(cells))
    _insert(model, names, rows, template)
    return ids


def _insert(model, names, rows, template):
    """:param rows: SQL that selects an id and the columns of `names`"""
    env, following = model.env, KNOWN[model._name].following
    same = {
        name: value
        for name, value in template.items()
        if value is not None and name not in {*names, *following}
    }
    env.cr.execute(
        SQL(
            "INSERT INTO %s (id, %s) SELECT r.id, %s FROM (%s) AS r",
            SQL.identifier(model._table),
            _names([*names, *following, *same]),
            SQL(", ").join(
                [
                    *(SQL.identifier("r", name) for name in names),
                    *map(SQL, following.values()),
                    *(SQL("%s", value) for value in same.values()),
                ]
            ),
            rows,
        ),
        log_exceptions=False,
    )
    inserted = env.cr.rowcount
    env.invalidate_all(flush=False)
    return inserted


def _link(relation, records, ids_list):
    """Rows of a many2many: of each record, the ids."""
    pairs = [
        (record_id, linked) for record_id, ids in zip(records.ids, ids_list, strict=True) for linked in ids
    ]
    records.env.cr.execute(
        SQL(
            "INSERT INTO %s (%s, %s) SELECT * FROM unnest(%s::int4[], %s::int4[])",
            SQL.identifier(relation.relation),
            SQL.identifier(relation.column1),
            SQL.identifier(relation.column2),
            [one for one, _other in pairs],
            [other for _one, other in pairs],
        )
    )


def _template(model, values):
    """The row that the ORM makes of these values; it is rolled back."""
    cr = model.env.cr
    model.env.flush_all()
    # It rolls back; without flush, which would also forget what was left to be done before the commit.
    with closing(cr.savepoint(flush=False)):
        record = models.BaseModel.create(model.with_context(tracking_disable=True), [values])
        model.env.flush_all()
        cr.execute(
            SQL("SELECT * FROM %s WHERE id = %s", SQL.identifier(model._table), record.id),
            log_exceptions=False,
        )
        row = cr.dictfetchone()
    model.env.invalidate_all(flush=False)
    del row["id"]
    return row


def _names(names):
    return SQL(", ").join(map(SQL.identifier, names))
