"""What rules may speak about: the one place where the registry's fields get their names in CEL.

Another addon adds a field by extending `_individual_fields` or `_group_fields` and calling super.
"""

from odoo import _, api, models, tools
from odoo.exceptions import AccessError, UserError
from odoo.tools import SQL

from odoo.addons.spp_registry.tools.membership import live_sql

from ..lang import (
    Collection,
    Constant,
    Field,
    RecordType,
    RuleError,
    Schema,
    Type,
    compile_rule,
    compile_value,
)
from ..lang import sql as lang_sql

OUTCOMES = ("eligible", "not_eligible", "undetermined")
_MANY = 1000  # people; for fewer, it does not matter how the statement is written
INCOME = Field("income", Type.DOUBLE, "{r}.income", "Income", places=2)
SCORE = Field("vulnerability_score", Type.DOUBLE, "{r}.vulnerability_score", "Vulnerability score", places=2)
BIRTHDATE = Field("birthdate", Type.DATE, "{r}.birthdate", "Birthdate")


def _live_sql(alias, as_of):
    condition = live_sql(alias, as_of)
    return condition.code, condition.params


def _live(row, as_of):
    """The same as `_live_sql`, of one row in Python."""
    started = row["start"] is None or row["start"] <= as_of
    return started and (row["ended"] is None or row["ended"] > as_of)


def _hashable(constants, computed):
    types = ((name, constant.type.value) for name, constant in constants.items())
    return tuple(sorted(types)), tuple(sorted(computed.items()))


def _constants(types):
    return {name: Constant(Type(kind), None) for name, kind in types}


class CelSchema(models.AbstractModel):
    _name = "spp.cel.schema"
    _description = "Schema of the registry for rules"

    def _individual_fields(self):
        return [
            Field("age", Type.INT, label="Age", age_of=BIRTHDATE),
            BIRTHDATE,
            Field("gender", Type.STRING, "{r}.gender", "Gender"),
            INCOME,
            SCORE,
            Field("registrant_status", Type.STRING, "{r}.registrant_status", "Status"),
        ]

    def _group_fields(self):
        return [
            INCOME,
            SCORE,
            Field(
                "kind",
                Type.STRING,
                "{j}.code",
                "Kind of group",
                join="LEFT JOIN spp_group_kind {j} ON {j}.id = {r}.group_kind_id",
            ),
        ]

    def _individual_collections(self):
        events = Collection(
            name="events",
            item_type="event",
            table="spp_event",
            owner="partner_id",
            item="id",
            live_sql=lambda alias, as_of: (f"{alias}.date <= %s", [as_of]),
            live=lambda row, as_of: row["date"] <= as_of,
            label="events",
        )
        return [events]

    def _event_fields(self):
        return [
            Field("kind", Type.STRING, "{r}.kind", "Kind of event", nullable=False),
            Field("date", Type.DATE, "{r}.date", "Date", nullable=False),
            Field("value", Type.STRING, "{r}.value", "Value"),
        ]

    def _group_collections(self):
        members = Collection(
            name="members",
            item_type="individual",
            table="spp_group_membership",
            owner="group_id",
            item="individual_id",
            live_sql=_live_sql,
            live=_live,
            live_columns=("start", "ended"),
            fields=(
                Field(
                    "is_head",
                    Type.BOOL,
                    "COALESCE({link}.is_head, FALSE)",
                    "Head of the group",
                    nullable=False,
                ),
            ),
            label="members",
        )
        return [members]

    def _schema(self):
        individual = RecordType(
            "individual",
            "res_partner",
            tuple(self._individual_fields()),
            tuple(self._individual_collections()),
        )
        event = RecordType("event", "spp_event", tuple(self._event_fields()), title="{r}.kind")
        group = RecordType(
            "group", "res_partner", tuple(self._group_fields()), tuple(self._group_collections())
        )
        return Schema({"individual": individual, "group": group, "event": event})

    def _schema_without(self, modules):
        """The schema as it would be if the addons of these names were uninstalled."""
        extensions = [cls for cls in type(self).__bases__ if getattr(cls, "_module", None) not in modules]
        remaining = type(self._name, tuple(extensions), {"_register": False})
        return remaining(self.env, (), ())._schema()

    def _names_of(self, record):
        """Names that records of a type have in the registry: fields, collections, and what a link adds."""
        record_types = self._schema().record_types
        collections = [known for owner in record_types.values() for known in owner.collections]
        return {
            *(known.name for known in (*record_types[record].fields, *record_types[record].collections)),
            *(known.name for items in collections if items.item_type == record for known in items.fields),
        }

    @api.model
    def _compile(self, text, target, constants, computed):
        """The compiled rule; RuleError if it is refused.

        :param constants: {name: Constant}; only their types matter here
        :param computed: {(record type, name): expression} of the computed variables
        """
        return self._compiled(text, target, *_hashable(constants, computed))

    @api.model
    def _value_type(self, text, target, constants, computed):
        """Name of the type of a computed variable's expression; RuleError if it is refused."""
        return self._compile_value(text, target, constants, computed).node.type.value

    @api.model
    def _compile_value(self, text, target, constants, computed):
        """As `_compile`, for a text that yields a number, a text, a date or yes/no."""
        return self._compiled_value(text, target, *_hashable(constants, computed))

    @api.model
    def _compile_amount(self, text, target, constants, computed):
        """As `_compile_value`, for an amount, which is a number."""
        found = self._compile_value(text, target, constants, computed)
        if not found.node.type.numeric:
            raise RuleError(_("An amount is a number; this is %s.", found.node.type.words))
        return found

    @tools.ormcache("text", "target", "types", "computed")
    def _compiled(self, text, target, types, computed):
        return compile_rule(text, self._schema(), target, _constants(types), dict(computed))

    @tools.ormcache("text", "target", "types", "computed")
    def _compiled_value(self, text, target, types, computed):
        return compile_value(text, self._schema(), target, _constants(types), dict(computed))

    def _population(self, target):
        """SQL with the ids of all active registrants of a kind that the user may see."""
        domain = [("is_registrant", "=", True), ("is_group", "=", target == "group")]
        return self.env["res.partner"]._search(domain).select()

    def _decided(self, rule, constants, population, as_of):
        """{eligible, not_eligible: SQL with the ids of those of `population`} for a rule with SQL.

        `population` is a SQL that selects a column `id`.
        """
        self.env.flush_all()
        queries, most = {}, self._is_most(rule, population)
        for outcome in ("eligible", "not_eligible"):
            text, params = rule.ids_sql(
                outcome, population.code, population.params, as_of, constants, most=most
            )
            queries[outcome] = SQL(text, *params)
        return queries

    def _is_most(self, rule, population):
        """Whether a population is most of all whom a rule with lists is about (see lang/sql.py, `outcomes`)."""
        if not rule.reads_lists:
            return False  # it makes no difference
        # sudo: a number, on which only the form of a statement depends
        everybody = self.sudo().with_context(active_test=True)._population(rule.target)
        if population == everybody:
            return True
        self.env.cr.execute(SQL("SELECT count(*) FROM (%s) AS asked", population))
        (asked,) = self.env.cr.fetchone()
        if asked < _MANY:
            return False
        self.env.cr.execute(SQL("SELECT count(*) FROM (%s) AS everybody", everybody))
        return asked * 3 >= self.env.cr.fetchone()[0] * 2

    def _tally(self, population, decided, examples=0):
        """{outcome: (how many of `population`, ids of the first `examples` of them)}, in one statement.

        `decided` is as `_decided` gives it; whoever is not decided is undetermined. QueryCanceled when it
        takes longer than the settings of the transaction allow.
        """
        query = SQL(
            """
            WITH eligible AS MATERIALIZED (%(eligible)s), not_eligible AS MATERIALIZED (%(not_eligible)s)
            SELECT (SELECT count(*) FROM (%(population)s) AS everybody),
                   (SELECT count(*) FROM eligible),
                   (SELECT count(*) FROM not_eligible),
                   ARRAY(SELECT id FROM eligible ORDER BY id LIMIT %(examples)s),
                   ARRAY(SELECT id FROM not_eligible ORDER BY id LIMIT %(examples)s),
                   ARRAY(SELECT id FROM (%(population)s) AS everybody
                         EXCEPT SELECT id FROM eligible
                         EXCEPT SELECT id FROM not_eligible
                         ORDER BY id LIMIT %(examples)s)
            """,
            population=population,
            examples=examples,
            **decided,
        )
        with self.env.cr.savepoint():
            self.env.cr.execute(query, log_exceptions=False)
            total, eligible, not_eligible, *some = self.env.cr.fetchone()
        counts = (eligible, not_eligible, total - eligible - not_eligible)
        return dict(zip(OUTCOMES, zip(counts, some, strict=True), strict=True))

    def _records(self, target, partners, readable=False):
        """{id: record} as the interpreter takes them, in one statement and one per collection.

        With `readable`, each row of a registrant says under that key whether the user may read it.
        """
        self.env.flush_all()
        schema = self._schema()
        record_type = schema.record_types[target]
        population = lang_sql.Sql("SELECT unnest(CAST(%s AS integer[]))", partners.ids)
        of_people = self._collections_of_people(target) if readable else ()
        records = lang_sql.records(record_type, population)
        found = {row["id"]: row for row in self._fetch(records, readable)}
        for collection in record_type.collections:
            for record in found.values():
                record[collection.name] = []
            items = lang_sql.items(schema, collection, population)
            for row in self._fetch(items, collection in of_people):
                found[row["owner_id"]][collection.name].append(row)
        if len(found) < len(partners):
            raise UserError(_("A registrant of this list was deleted meanwhile."))
        return found

    def _collections_of_people(self, target):
        """The collections of a record type whose items are registrants, which not everybody may see."""
        record_types = self._schema().record_types
        return [
            collection
            for collection in record_types[target].collections
            if record_types[collection.item_type].table == "res_partner"
        ]

    def _record_to_show(self, target, partner):
        """The record of one registrant whom the user may read, for the interpreter.

        Members whom the user may not read are counted, but keep their names and values to themselves. Two
        statements: the record, and its members or events.
        """
        record = self._records(target, partner, readable=True)[partner.id]
        of_registry = [
            item for collection in self._collections_of_people(target) for item in record[collection.name]
        ]
        if not record["readable"]:
            raise AccessError(_("This is not a registrant whom you may see."))
        if bool(record["is_group"]) != (target == "group"):
            raise UserError(_("This rule is about one %s; choose another registrant.", target))
        for number, item in enumerate(of_registry, start=1):
            if not item["readable"]:
                item.update(display_name=_("member %s, whom you may not see", number), withheld=True)
        return record

    def _fetch(self, query, readable=False):
        """The rows of a Sql, as dicts; with `readable`, those of registrants say whether the user may read them."""
        query = SQL(query.text, *query.params)
        if readable:
            people = self.env["res.partner"].with_context(active_test=False)
            seen = people._search([("is_registrant", "=", True)])
            seen.add_where("res_partner.id = found.id")
            query = SQL(
                "SELECT found.*, EXISTS (%s) AS readable,"
                " (SELECT is_group FROM res_partner WHERE id = found.id) AS is_group FROM (%s) AS found",
                seen.select("1"),
                query,
            )
        self.env.cr.execute(query)
        return self.env.cr.dictfetchall()
