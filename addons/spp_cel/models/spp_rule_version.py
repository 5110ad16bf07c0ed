"""One version of a rule. A draft may change; a published version never does, nor do its variables."""

from contextlib import contextmanager

from psycopg2.errors import QueryCanceled

from odoo import _, api, fields, models
from odoo.exceptions import UserError, ValidationError
from odoo.tools import SQL, str2bool

from ..lang import Constant, RuleError, TooManySteps, Type, compile_rule

_SAMPLE = 200
_TIMEOUT_SECONDS = 600
_SHARE_PERCENT = 80

# Only publishing and retiring change these, whoever asks: an object cannot come in over RPC.
_PROTECTED = {
    "rule_id",
    "number",
    "state",
    "published_at",
    "published_by_id",
    "published_reach",
    "published_reason",
    "variables_snapshot",
}
_OWN_METHOD = object()


def plain(constants):
    return {
        name: {"type": constant.type.value, "value": constant.value} for name, constant in constants.items()
    }


def typed(kept):
    return Constant(Type(kept["type"]), kept["value"])


class SppRuleVersion(models.Model):
    _name = "spp.rule.version"
    _description = "Rule Version"
    _order = "rule_id, number desc"
    _rec_name = "number"

    rule_id = fields.Many2one(comodel_name="spp.rule", required=True, index=True, ondelete="cascade")
    number = fields.Integer(readonly=True, copy=False)
    target = fields.Selection(related="rule_id.target")
    expression = fields.Text(required=True)
    state = fields.Selection(
        selection=[("draft", "Draft"), ("published", "Published"), ("retired", "Retired")],
        required=True,
        default="draft",
        readonly=True,
        copy=False,
    )
    published_at = fields.Datetime(readonly=True, copy=False)
    published_by_id = fields.Many2one(comodel_name="res.users", readonly=True, copy=False)
    published_reach = fields.Text(
        string="Reach at publishing",
        readonly=True,
        copy=False,
        help="How many of the registry were eligible, not eligible and undetermined on that day.",
    )
    published_reason = fields.Text(
        string="Reason",
        readonly=True,
        copy=False,
        help="Why it was published although it reaches nobody, everybody or an unusually large part.",
    )
    variables_snapshot = fields.Json(
        readonly=True,
        copy=False,
        help="Type and value of each constant, and the expression of each computed variable, at the time of "
        "publishing.",
    )

    _sql_constraints = [
        (
            "rule_number_unique",
            "UNIQUE (rule_id, number)",
            "This rule already has a version with that number.",
        ),
    ]

    def init(self):
        self.env.cr.execute(
            "CREATE UNIQUE INDEX IF NOT EXISTS spp_rule_version_published_unique"
            " ON spp_rule_version (rule_id) WHERE state = 'published'"
        )

    @api.depends("rule_id.name", "number")
    def _compute_display_name(self):
        for version in self:
            version.display_name = _(
                "%(rule)s, version %(number)s", rule=version.rule_id.name, number=version.number
            )

    @api.constrains("expression")
    def _check_expression(self):
        for version in self.filtered(lambda version: version.state == "draft"):
            try:
                version._compile()
            except RuleError as error:
                place = error.pointer(version.expression or "")
                raise ValidationError(_("%(error)s\n\n%(place)s", error=error, place=place)) from None

    @api.model_create_multi
    def create(self, vals_list):
        prepared = []
        for vals in vals_list:
            if _PROTECTED.intersection(vals) - {"rule_id"}:
                raise UserError(_("A new version is a draft; publish it with the button."))
            rule = self.env["spp.rule"].browse(vals.get("rule_id") or self.env.context.get("default_rule_id"))
            number = max([*rule.version_ids.mapped("number"), 0]) + 1
            prepared.append(
                {
                    **vals,
                    "number": number,
                    "state": "draft",
                    "published_at": False,
                    "published_by_id": False,
                    "published_reach": False,
                    "published_reason": False,
                    "variables_snapshot": False,
                }
            )
        return super().create(prepared)

    def write(self, vals):
        if _PROTECTED.intersection(vals) and self.env.context.get("spp_cel_from") is not _OWN_METHOD:
            raise UserError(_("This is set by publishing or retiring a version, not by hand."))
        if "expression" in vals and self.filtered(lambda version: version.state != "draft"):
            raise UserError(
                _("A published version never changes. Change the rule: it gets a new draft version.")
            )
        return super().write(vals)

    @api.ondelete(at_uninstall=False)
    def _unlink_unless_published(self):
        if self.filtered(lambda version: version.state != "draft"):
            raise UserError(_("A version that was published is kept. Retire or archive the rule instead."))

    def action_publish(self, reason=""):
        """Publish a draft: compile it, compare both evaluations, count whom it reaches, freeze it.

        The version published before is retired. Values of variables are kept with the version, so
        that a later change of a variable does not change what this version means.

        :param str reason: why it is right although `_reach` finds its reach remarkable; without one
            such a rule is refused with a UserError that says what is remarkable
        """
        self.ensure_one()
        self.check_access_rights("write")
        self.check_access_rule("write")
        self.env.cr.execute("SELECT id FROM spp_rule WHERE id = %s FOR UPDATE", [self.rule_id.id])
        if self.state != "draft":
            raise UserError(_("Only a draft can be published."))
        self._ready()
        snapshot = self._snapshot()
        today = fields.Date.context_today(self)
        self._compare_on_sample(today)
        reach = self._reach(today)
        reason = reason.strip() if isinstance(reason, str) else ""
        if reach["remarkable"] and not reason:
            raise UserError(_("%s Publishing it needs a written reason.", reach["text"]))
        former = self.rule_id.published_version_id
        former._set_protected({"state": "retired"})
        self._set_protected(
            {
                "state": "published",
                "published_at": fields.Datetime.now(),
                "published_by_id": self.env.uid,
                "published_reach": reach["text"],
                "published_reason": reason or False,
                "variables_snapshot": snapshot,
            }
        )
        self.env["spp.audit.entry"]._log(
            "Rule published",
            self,
            old={"version": former.number or None, "expression": former.expression or None},
            new={
                "version": self.number,
                "expression": self.expression,
                "variables": self.variables_snapshot,
                "reach": reach["text"],
                "reason": reason or None,
            },
        )
        return True

    def action_retire(self):
        """Take a published version out of use."""
        self.ensure_one()
        self.check_access_rights("write")
        self.check_access_rule("write")
        if self.state != "published":
            raise UserError(_("Only a published version can be retired."))
        self._set_protected({"state": "retired"})
        self.env["spp.audit.entry"]._log(
            "Rule retired", self, old={"state": "published"}, new={"state": "retired"}
        )
        return True

    @api.model
    def _check_uninstall(self, modules):
        """Refuse the uninstallation of addons that a published version cannot do without."""
        schema, problems = self.env["spp.cel.schema"]._schema_without(modules), []
        # sudo: every published rule, whoever may see it; an administrator is told its name and the field
        for version in self.sudo().search([("state", "=", "published")]):
            try:
                version._compile()
            except RuleError:
                continue  # it misses something else already
            try:
                compile_rule(version.expression, schema, version.target, *version._definitions())
            except RuleError as error:
                problems.append(f"{version.display_name}: {error.message}")
        if problems:
            raise UserError(
                _(
                    "%(addons)s cannot be uninstalled: published rules need it. Publish a version without it, or "
                    "retire the rule, first.\n%(problems)s",
                    addons=", ".join(modules),
                    problems="\n".join(problems),
                )
            )

    def _set_protected(self, vals):
        self.with_context(spp_cel_from=_OWN_METHOD).write(vals)
        self.flush_recordset()

    def _snapshot(self):
        """What the expression rests on, as `_definitions` reads it back."""
        variables = self.env["spp.cel.variable"]
        constants, computed = variables._used_by(self.expression, *variables._definitions())
        return {
            **plain(constants),
            **{
                name: {"computed_for": record, "expression": expression}
                for (record, name), expression in computed.items()
            },
        }

    def _definitions(self):
        """{name: Constant} and {(record type, name): expression}: as published, or as now for a draft."""
        self.ensure_one()
        if self.state == "draft":
            return self.env["spp.cel.variable"]._definitions()
        constants, computed = {}, {}
        for name, kept in (self.variables_snapshot or {}).items():
            if "expression" in kept:
                computed[kept["computed_for"], name] = kept["expression"]
            else:
                constants[name] = typed(kept)
        return constants, computed

    def _compile(self):
        """(compiled rule, constants); RuleError if the expression is refused."""
        constants, computed = self._definitions()
        rule = self.env["spp.cel.schema"]._compile(self.expression or "", self.target, constants, computed)
        return rule, constants

    def _ready(self, values=None):
        """As `_compile`, with an error that names the rule.

        :param values: {name: Constant} that replace the rule's own where it uses them: those of a program
        """
        try:
            rule, constants = self._compile()
        except RuleError as error:
            raise UserError(
                _("The rule “%(rule)s” cannot be used. %(error)s", rule=self.rule_id.name, error=error)
            ) from None
        values = {name: value for name, value in (values or {}).items() if name in constants}
        for name, value in values.items():
            if value.type is not constants[name].type:
                raise UserError(
                    _(
                        "The rule “%(rule)s” was published when “%(name)s” was %(type)s; the program's own value "
                        "is %(other)s. Publish the rule again.",
                        rule=self.rule_id.name,
                        name=name,
                        type=constants[name].type.words,
                        other=value.type.words,
                    )
                )
        return rule, {**constants, **values}

    def _constants_used(self, values=None):
        """{name: {type, value}} of the constants that an evaluation with a program's `values` uses."""
        _rule, constants = self._ready(values)
        return plain(constants)

    @api.model
    def _run_settings(self, cr, limit="statement_timeout", seconds=_TIMEOUT_SECONDS):
        """Settings for the rest of the transaction in which a rule is evaluated for many.

        The system parameter spp_cel.`limit` says after how many seconds a statement is stopped.
        """
        seconds = self._setting(limit, seconds)
        cr.execute("SET LOCAL jit = off")
        cr.execute("SET LOCAL statement_timeout = %s", [seconds * 1000])

    @api.model
    def _setting(self, name, default):
        """The system parameter spp_cel.`name`, a whole number."""
        parameter = self.env["ir.config_parameter"].sudo()  # sudo: a limit, not a secret; read by any role
        value = parameter.get_param(f"spp_cel.{name}", str(default))
        if not value.isdecimal():
            raise UserError(_("The system parameter spp_cel.%s must be a whole number.", name))
        return int(value)

    def _outcome_query(self, population, as_of, values=None):
        """SQL that selects (id, outcome, facts) for every id of `population`, in one statement.

        `population` is a SQL that selects a column `id`. Outcomes are eligible, not_eligible and
        undetermined; facts are what the rule looked at, from which `_explain` makes sentences. `values` are
        a program's own, as `_ready` takes them.
        """
        rule, constants = self._ready(values)
        self.env.flush_all()
        return self.env["spp.cel.schema"]._outcome_query(rule, constants, population, as_of)

    def _counts(self, population, as_of):
        """How many of `population` have each outcome."""
        rule, constants = self._ready()
        self._run_settings(self.env.cr)
        schema = self.env["spp.cel.schema"]
        with self._within_time():
            if rule.not_compiled:
                answers = self._outcome_query(population, as_of)
                decided = {
                    outcome: SQL("SELECT id FROM (%s) AS answer WHERE outcome = %s", answers, outcome)
                    for outcome in ("eligible", "not_eligible")
                }
            else:
                decided = schema._decided(rule, constants, population, as_of)
            tally = schema._tally(population, decided)
        return {outcome: count for outcome, (count, _ids) in tally.items()}

    @contextmanager
    def _within_time(self):
        """Statements over everybody; one that passes the time limit ends in a sentence."""
        try:
            with self.env.cr.savepoint():
                yield
        except QueryCanceled:
            raise UserError(_("Checking took too long and was stopped. Simplify the rule.")) from None

    def _whole_population(self):
        """SQL with the ids of all active registrants that the rule is about, whoever asks."""
        # sudo: safeguards look at the whole registry; only numbers and the name of a faulty record get out
        schema = self.env["spp.cel.schema"].sudo().with_context(active_test=True)
        return schema._population(self.target)

    def _reach(self, as_of):
        """Whom the rule reaches: the counts, a sentence, and whether publishing needs a reason."""
        counts = self._counts(self._whole_population(), as_of)
        total, eligible = sum(counts.values()), counts["eligible"]
        share = self._setting("reason_share", _SHARE_PERCENT)
        remarkable = bool(total) and (not eligible or eligible * 100 > total * share)
        if not total:
            text = _("There is nobody in the registry that this rule is about.")
        elif not eligible:
            text = _("Nobody is eligible under this rule, of %s in the registry.", total)
        elif eligible == total:
            text = _("Everybody is eligible under this rule: all %s in the registry.", total)
        else:
            text = _(
                "%(eligible)s of %(total)s in the registry are eligible under this rule.",
                eligible=eligible,
                total=total,
            )
        if counts["undetermined"]:
            text += " " + _("For %s of them data are missing.", counts["undetermined"])
        return {**counts, "text": text, "remarkable": remarkable}

    def why(self, partner_id, as_of=None):
        """Why, or why not: this version as a tree for one registrant, as plain data.

        :param partner_id: id of the registrant
        :param as_of: the date on which ages and memberships are looked at, "2026-01-31"; today when not given
        :returns: `outcome`, `as_of`, `rule`, `registrant`, `missing`; `why`, the tree, whose parts lang/why.py
            describes; `changes_shown`, and if so `changes`: what would have to be different to flip the outcome
        """
        return self._why(partner_id, as_of)

    def _why(self, partner_id, as_of, values=None):
        """As `why`, with a program's own `values`."""
        self.ensure_one()
        self.check_access_rights("read")
        self.check_access_rule("read")
        as_of = fields.Date.to_date(as_of) or fields.Date.context_today(self)
        rule, constants = self._ready(values)
        partner = self.env["res.partner"].browse(int(partner_id))
        record = self.env["spp.cel.schema"]._record_to_show(self.target, partner)
        try:
            tree = rule.why(record, as_of, constants)
        except TooManySteps as error:
            raise UserError(_("%(who)s: %(error)s", who=record["display_name"], error=error)) from None
        answer = {
            "outcome": {"true": "eligible", "false": "not_eligible", "missing": "undetermined"}[tree.state],
            "as_of": fields.Date.to_string(as_of),
            "rule": self.display_name,
            "registrant": record["display_name"],
            "why": tree.as_dict(),
            "missing": tree.because,
            "changes_shown": self._shows_change(),
        }
        if answer["changes_shown"]:
            way = rule.change(record, as_of, constants)
            answer["changes"] = list(way.sentences) if way else []
        return answer

    def _action_why(self, partner, decided, decided_on, values=None):
        """Open the dialog about one registrant, with what was decided before, and when.

        :param values: those of the program, {name: {type, value}}
        """
        if not self:
            raise UserError(_("There is no published rule to ask."))
        return {
            "type": "ir.actions.act_window",
            "name": _("Why: %s", partner.display_name),
            "res_model": "spp.rule.trial",
            "view_mode": "form",
            "target": "new",
            "context": {
                "default_version_id": self.id,
                "default_partner_id": partner.id,
                "default_decided": decided,
                "default_decided_on": decided_on,
                "default_own_values": values or {},
            },
        }

    @api.model
    def _shows_change(self):
        """Whether this user may see what would change an outcome: it can teach how to game a rule."""
        # sudo: whether a feature is on, not a secret
        parameter = self.env["ir.config_parameter"].sudo().get_param("spp_cel.show_change")
        return str2bool(parameter or "", False) and self.env.user.has_group("spp_cel.group_see_change")

    def _explain(self, facts, outcome, as_of, labels=None):
        """One paragraph from stored facts: what the outcome rests on, at the as-of date.

        Without facts it is the outcome alone.

        :param labels: {outcome: sentence} where the outcome has another name
        """
        labels = labels or {
            "eligible": _("Eligible on %s.", as_of),
            "not_eligible": _("Not eligible on %s.", as_of),
            "undetermined": _("Undetermined on %s: data are missing.", as_of),
        }
        try:
            rule, _constants = self._compile()
        except RuleError as error:
            # A field of the registry is gone. What was decided stays readable.
            return _(
                "%(outcome)s The rule can no longer be read. %(error)s", outcome=labels[outcome], error=error
            )
        return " ".join([labels[outcome], *(rule.explain(facts) if facts else [])])

    def _changed(self, before, after):
        """Sentences that say which facts turned the answer between two evaluations; else what it rests on now."""
        try:
            rule, _constants = self._compile()
        except RuleError:
            return []  # a field of the registry is gone; what was decided stays readable
        if not rule.answers(after):
            return []
        return rule.changed(before or {}, after) or rule.explain(after)

    def _unknowns(self):
        """{fact: what is not known where it is missing, in words}, for lists of who is undetermined."""
        rule, _constants = self._ready()
        return rule.unknowns

    def _compare_on_sample(self, as_of):
        """Refuse to go on if the SQL and the interpreter differ on a random sample or a boundary case."""
        population = self._whole_population()
        rule, constants = self._ready()
        if rule.not_compiled:
            return  # there is only one way of evaluating it
        self.env.flush_all()
        self._run_settings(self.env.cr)
        with self._within_time():
            text, params = rule.boundary_sql(population.code, population.params, as_of, constants)
            sample = SQL("(SELECT id FROM (%s) AS everybody ORDER BY random() LIMIT %s)", population, _SAMPLE)
            self.env.cr.execute(SQL("%s UNION %s", SQL(text, *params), sample))
            partners = self.env["res.partner"].sudo().browse([row[0] for row in self.env.cr.fetchall()])
            ids = SQL("SELECT unnest(CAST(%s AS integer[])) AS id", partners.ids)
            self.env.cr.execute(self._outcome_query(ids, as_of))
            compiled = {row[0]: (row[1], row[2]) for row in self.env.cr.fetchall()}
        for partner_id, record in self.env["spp.cel.schema"].sudo()._records(self.target, partners).items():
            result = rule.evaluate(record, as_of, constants)
            if result.given_up:  # too large for the interpreter; the other records are compared
                continue
            if compiled[partner_id] != (result.outcome, result.facts):
                raise UserError(
                    _(
                        "The two ways of evaluating this rule differ for %(name)s (%(one)s, %(other)s). "
                        "It was not published; please report this.",
                        name=record["display_name"],
                        one=compiled[partner_id][0],
                        other=result.outcome,
                    )
                )
