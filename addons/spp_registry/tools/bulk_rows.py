"""Many new rows in one statement, such as the ORM would make them.

    ids = create(env["res.partner"], [{"name": "ANA", "is_registrant": True, …}, …])

A row that the ORM makes, and that is rolled back, tells what every column holds that nobody gave: defaults, who and when.
The rows differ from it in what was given and in the stored computed columns that are listed here. Python constraints are
checked as ever; the database checks its own.

Where an addon adds a stored computed column that is not listed, or overrides `create()` without saying in
`_created_in_bulk()` what is to be done for rows that were made here, the ORM makes them all, one by one.
"""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field

from odoo import models
from odoo.tools import SQL, email_normalize

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
    """`given`: what a row must have for the ORM to make one; `computed`: stored columns, from a row's values;
    `same`: stored computed columns that are the same in all such rows."""

    given: tuple
    computed: dict[str, Callable] = field(default_factory=dict)
    same: frozenset = frozenset()


KNOWN = {
    "res.partner": Columns(
        given=("name", "is_registrant", "is_group", "registration_date"),
        computed={
            "complete_name": lambda values: values["name"],
            "commercial_partner_id": lambda values: values["id"],
            "email_normalized": lambda values: email_normalize(values.get("email")) or None,
        },
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
        computed={"sanitized": lambda values: sanitize(values["number"]) or None},
    ),
    "spp.payment.account": Columns(
        given=("partner_id", "number", "kind"),
        computed={"number_masked": lambda values: mask_number(values["number"])},
    ),
    "spp.group.membership": Columns(given=("group_id", "individual_id")),
}


def fits(model):
    """Whether rows of this model can be made in bulk here, with the addons that are installed."""
    columns = KNOWN[model._name]
    stored = {name for name, one in model._fields.items() if one.compute and one.store and one.column_type}
    makers = [
        part for part in type(model).__mro__ if "create" in vars(part) and not part.__module__.startswith(OWN)
    ]
    return stored <= columns.computed.keys() | columns.same and all(
        "_created_in_bulk" in vars(part) for part in makers
    )


def create(model, vals_list):
    """Make the rows; returns them as records, in the order of `vals_list`.

    Values are as for the ORM's create(), whole: what the model's own create() would add has been added. Of many2many
    fields, the ids.
    """
    many = {name for values in vals_list for name in values if model._fields[name].type == "many2many"}
    own = [{name: value for name, value in values.items() if name not in many} for values in vals_list]
    records = model.browse(_insert(model, own))
    for name in many:
        _link(model._fields[name], records, [values.get(name, ()) for values in vals_list])
    records._validate_fields({name for values in vals_list for name in values})
    records._created_in_bulk()
    return records


def _insert(model, vals_list):
    env, columns = model.env, KNOWN[model._name]
    env.flush_all()
    template = _template(model, {name: vals_list[0][name] for name in columns.given if name in vals_list[0]})
    env.cr.execute(
        SQL(
            "SELECT nextval(%s) FROM generate_series(1, %s)",
            f"{model._table}_id_seq",
            len(vals_list),
        )
    )
    ids = [number for (number,) in env.cr.fetchall()]
    names = sorted({name for values in vals_list for name in values})
    cells = {name: [] for name in ["id", *names, *columns.computed]}
    for number, values in zip(ids, vals_list, strict=True):
        cells["id"].append(number)
        for name in names:
            column = model._fields[name]
            known = column.convert_to_column(values[name], model) if name in values else template[name]
            cells[name].append(known)
        for name, compute in columns.computed.items():
            cells[name].append(compute({**values, "id": number}))
    same = {name: value for name, value in template.items() if name not in cells and value is not None}
    types = {
        name: "int4" if name == "id" else model._fields[name].column_type[1].partition("(")[0]
        for name in cells
    }
    env.cr.execute(
        SQL(
            "INSERT INTO %s (%s) SELECT %s FROM unnest(%s) AS given (%s)",
            SQL.identifier(model._table),
            SQL(", ").join(map(SQL.identifier, [*cells, *same])),
            SQL(", ").join(
                [*(SQL.identifier("given", name) for name in cells), *(SQL("%s", v) for v in same.values())]
            ),
            SQL(", ").join(SQL(f"%s::{types[name]}[]", cells[name]) for name in cells),
            SQL(", ").join(map(SQL.identifier, cells)),
        ),
        log_exceptions=False,
    )
    env.invalidate_all(flush=False)
    return ids


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
    with closing(cr.savepoint()):  # rolls back
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
