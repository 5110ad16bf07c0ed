"""What the rule editor asks while somebody types: which names there are, what is wrong, who would match.

All of it only reads. Whoever may read rules may call it, over XML-RPC as well.
"""

from markupsafe import Markup
from psycopg2.errors import QueryCanceled

from odoo import _, api, fields, models
from odoo.exceptions import UserError
from odoo.tools import SQL

from ..lang import RuleError, Type
from ..lang.reference import FUNCTIONS
from .spp_cel_variable import COMPUTED

_EXAMPLES = 5
_TIMEOUT_SECONDS = 5


def _written(scope):
    """How a scope is written before a dot: an item of a list has the name that the macro gives it."""
    return "m" if "." in scope else scope


def _table(title, rows):
    """A heading, and a table whose first column is code."""
    body = Markup().join(
        Markup("<tr><td><code>%s</code></td>%s</tr>")
        % (row[0], Markup().join(Markup("<td>%s</td>") % cell for cell in row[1:]))
        for row in rows
    )
    return Markup("<h4>%s</h4><table class='table table-sm'><tbody>%s</tbody></table>") % (title, body)


class SppRule(models.Model):
    _inherit = "spp.rule"

    reference = fields.Html(
        compute="_compute_reference",
        sanitize=False,  # made here, of escaped texts
        help="All names, functions and operators that the condition may use.",
    )

    @api.depends("target")
    def _compute_reference(self):
        for rule in self:
            words = self.editor_vocabulary(rule.target or "group")
            names = [
                (f"{_written(scope)}.{entry['name']}", words["types"][entry["type"]], entry["help"])
                for scope, entries in words["scopes"].items()
                for entry in entries
            ]
            functions = [
                (known.signature, known.help, Markup("<code>%s</code>") % known.example)
                for known in FUNCTIONS
            ]
            rule.reference = _table(_("Names"), names) + _table(_("Functions and operators"), functions)

    @api.model
    def editor_vocabulary(self, target):
        """All names that a rule about `target` may use.

        `roots` are names that stand alone. `scopes` lists what may follow a dot after something of that
        scope; an entry with `scope` leads on to another one, and one of type `list` is a list of records of
        that scope. `functions` are called on one of their `receivers` (types), or stand alone where there is none.
        """
        self.check_access_rights("read")
        schema = self._editor_schema(target)
        types = {kind.value: kind.words for kind in Type}
        types.update(list=_("a list"), record=_("a record"), number=_("a number"), value=_("a value"))
        variables = self.env["spp.cel.variable"].search([("kind", "!=", False)])
        scopes = {
            "variables": [self._editor_variable(known) for known in variables if known.kind == "constant"]
        }
        computed = [(COMPUTED[known.kind], known) for known in variables if known.kind in COMPUTED]
        left = [(target, target, schema.record_types[target])]
        while left:
            scope, type_name, record_type = left.pop()
            scopes[scope] = [self._editor_name(field, field.type.value) for field in record_type.fields]
            scopes[scope] += [self._editor_variable(known) for kind, known in computed if kind == type_name]
            for collection in record_type.collections:
                items = f"{type_name}.{collection.name}"
                scopes[scope].append({**self._editor_name(collection, "list"), "scope": items})
                if items not in scopes:
                    left.append((items, collection.item_type, schema.item_type(collection)))
        roots = [
            {
                "name": target,
                "type": "record",
                "scope": target,
                "help": _("The %s that the rule is about.", target),
            },
            {
                "name": "variables",
                "type": "record",
                "scope": "variables",
                "help": _("Named values, such as the retirement age."),
            },
        ]
        functions = [
            {"name": function.name, "signature": function.signature, "help": function.help, **parts}
            for function in FUNCTIONS
            if (parts := function.parts())
        ]
        return {"roots": roots, "scopes": scopes, "functions": functions, "types": types}

    @api.model
    def editor_check(self, text, target):
        """What is wrong with `text`: {message, line, column, suggestion}, or False."""
        self.check_access_rights("read")
        return self._editor_problem(self._editor_compile, text, target)

    @api.model
    def editor_check_amount(self, text, target):
        """As `editor_check`, for an amount: a number for each registrant that the text is about."""
        self.check_access_rights("read")
        self._editor_schema(target)
        definitions = self.env["spp.cel.variable"]._definitions()
        schema = self.env["spp.cel.schema"]
        return self._editor_problem(schema._compile_amount, str(text or ""), target, *definitions)

    @api.model
    def editor_count_amount(self, text, target, as_of=False):
        """What an amount comes to for the registrants that the user may see, at `as_of` (today).

        {computed, not_computable, not_above_zero: numbers; least, greatest, total: decimal strings, rounded to cents,
        or False where nothing can be computed; total_people}; {too_long}, {failed: why} or False as in `editor_count`.
        """
        self.check_access_rights("read")
        date = self._editor_date(as_of)
        self._editor_schema(target)
        schema = self.env["spp.cel.schema"]
        constants, computed = self.env["spp.cel.variable"]._definitions()
        try:
            amount = schema._compile_amount(str(text or ""), target, constants, computed)
        except RuleError:
            return False
        if amount.not_compiled:
            return {"failed": _("There are no live numbers for this formula. %s", amount.not_compiled)}
        population = self._editor_population(target)
        self.env["spp.rule.version"]._run_settings(self.env.cr, "editor_timeout", _TIMEOUT_SECONDS)
        try:
            self.env.flush_all()
            text_sql, params = amount.values_sql(
                population.code,
                population.params,
                date,
                constants,
                most=schema._is_most(amount, population),
            )
            with self.env.cr.savepoint():
                self.env.cr.execute(
                    SQL(
                        """
                        SELECT count(*), count(value), count(*) FILTER (WHERE value <= 0),
                               min(value)::text, max(value)::text, sum(value)::text
                          FROM (SELECT CASE WHEN value < 'Infinity' AND value > '-Infinity' THEN value END AS value
                                  FROM (%s) AS amounts) AS finite
                        """,
                        SQL(text_sql, *params),
                    ),
                    log_exceptions=False,
                )
                people, found, not_above_zero, least, greatest, total = self.env.cr.fetchone()
        except QueryCanceled:
            return {"too_long": True}
        return {
            "total_people": people,
            "computed": found,
            "not_computable": people - found,
            "not_above_zero": not_above_zero,
            "least": least or False,
            "greatest": greatest or False,
            "total": total or False,
        }

    def _editor_problem(self, compile_text, *arguments):
        try:
            compile_text(*arguments)
        except RuleError as error:
            return {
                "message": error.message,
                "line": error.line,
                "column": error.column,
                "suggestion": "" if error.variable else error.suggestion,
            }
        return False

    @api.model
    def editor_count(self, text, target, as_of=False):
        """How many registrants that the user may see have each outcome at `as_of` (today), and a few of each.

        {eligible, not_eligible, undetermined, warning, examples: {outcome: [{id, name}]}}; {too_long} when
        it took longer than the system parameter spp_cel.editor_timeout allows; {failed: why} for a rule that
        has no SQL; False for a rule with an error.
        """
        self.check_access_rights("read")
        date = self._editor_date(as_of)
        try:
            rule, constants = self._editor_compile(text, target)
        except RuleError:
            return False
        return self._editor_numbers(rule, constants, target, date)

    def _editor_date(self, as_of):
        try:
            return fields.Date.to_date(as_of) or fields.Date.context_today(self)
        except ValueError:
            raise UserError(_("“%s” is not a date.", as_of)) from None

    def _editor_numbers(self, rule, constants, target, date):
        """What `editor_count` answers for a compiled rule."""
        if rule.not_compiled:
            return {"failed": _("There are no live numbers for this condition. %s", rule.not_compiled)}
        schema = self.env["spp.cel.schema"]
        population = self._editor_population(target)
        run_settings = self.env["spp.rule.version"]._run_settings
        run_settings(self.env.cr, "editor_timeout", _TIMEOUT_SECONDS)
        try:
            decided = schema._decided(rule, constants, population, date)
            tally = schema._tally(population, decided, _EXAMPLES)
        except QueryCanceled:
            return {"too_long": True}
        counts = {outcome: count for outcome, (count, _ids) in tally.items()}
        people = self.env["res.partner"].browse(
            [partner_id for _count, ids in tally.values() for partner_id in ids]
        )
        names = {person.id: person.display_name for person in people}
        examples = {
            outcome: [{"id": partner_id, "name": names[partner_id]} for partner_id in ids]
            for outcome, (_count, ids) in tally.items()
        }
        return {**counts, "warning": self._warning(**counts), "examples": examples}

    def _editor_population(self, target):
        """Registrants whom the user may see; of groups only those whose members the user may all see.

        With a condition of one's own on a member, the numbers would give away what is hidden of the member.
        """
        schema = self.env["spp.cel.schema"]
        population = schema._population(target)
        if not self.env.user.sudo().spp_area_ids:  # sudo: the user's own limits
            return population
        people = self.env["res.partner"].with_context(active_test=False)
        readable = people._search([("is_registrant", "=", True)]).select()
        for collection in schema._collections_of_people(target):
            population = SQL(
                "SELECT id FROM (%s) AS seen WHERE NOT EXISTS ("
                "SELECT FROM %s link WHERE link.%s = seen.id AND link.%s NOT IN (%s))",
                population,
                SQL.identifier(collection.table),
                SQL.identifier(collection.owner),
                SQL.identifier(collection.item),
                readable,
            )
        return population

    def _editor_compile(self, text, target):
        """(compiled rule, constants); RuleError if the text is refused."""
        self._editor_schema(target)
        constants, computed = self.env["spp.cel.variable"]._definitions()
        rule = self.env["spp.cel.schema"]._compile(str(text or ""), target, constants, computed)
        return rule, constants

    def _editor_schema(self, target):
        schema = self.env["spp.cel.schema"]._schema()
        if target not in dict(self._fields["target"].selection):
            raise UserError(_("A rule cannot be about “%s”.", target))
        return schema

    def _editor_name(self, known, kind):
        """What the editor says about a field or collection; its label only where that says more."""
        says_more = known.words.lower() != known.name.replace("_", " ")
        return {"name": known.name, "type": kind, "help": known.words if says_more else ""}

    @staticmethod
    def _editor_variable(variable):
        return {
            "name": variable.name,
            "type": variable.result_type or "value",
            "value": variable.summary or "",
            "help": variable.description or "",
        }
