"""A CEL rule: one condition on an individual or a group, with its history of versions."""

from odoo import _, api, fields, models
from odoo.exceptions import UserError

from ..lang import RuleError


class SppRule(models.Model):
    _name = "spp.rule"
    _description = "Rule"
    _order = "name, id"

    name = fields.Char(required=True)
    active = fields.Boolean(default=True)
    target = fields.Selection(
        selection=[("individual", "Individual"), ("group", "Group")],
        required=True,
        default="group",
        help="Who the rule is about: it is answered for each individual, or for each group. "
        "Fixed once a version was published.",
    )
    description = fields.Text(help="What the rule is for, and the decision it comes from.")
    pack_key = fields.Char(
        string="Logic pack",
        readonly=True,
        copy=False,
        index="btree_not_null",
        help="The pack and the rule in it that this one was made from.",
    )
    version_ids = fields.One2many(
        comodel_name="spp.rule.version", inverse_name="rule_id", string="Versions", copy=False
    )
    published_version_id = fields.Many2one(
        comodel_name="spp.rule.version", compute="_compute_state", store=True
    )
    draft_version_id = fields.Many2one(comodel_name="spp.rule.version", compute="_compute_draft_version_id")
    state = fields.Selection(
        selection=[("draft", "Draft"), ("published", "Published"), ("retired", "Retired")],
        string="Status",
        compute="_compute_state",
        store=True,
    )
    expression = fields.Text(
        compute="_compute_expression",
        inverse="_inverse_expression",
        copy=True,
        help="The condition in CEL. Changing a published rule starts a new draft version.",
    )
    problem = fields.Text(
        compute="_compute_problem",
        help="What is wrong with the expression, and where, by the variables as they are now.",
    )
    published_problem = fields.Text(
        compute="_compute_published_problem",
        help="Why the published version cannot be used any more: a field of the registry that it reads is gone.",
    )
    not_compiled = fields.Char(
        compute="_compute_problem",
        help="Why the database cannot answer this rule for everybody at once. It is then answered one by one, "
        "which takes longer.",
    )
    check_as_of = fields.Date(
        string="As of",
        default=fields.Date.context_today,
        copy=False,
        help="The date at which ages and memberships are taken when the rule is checked.",
    )

    @api.depends("version_ids.state")
    def _compute_state(self):
        for rule in self:
            states = rule.version_ids.mapped("state")
            rule.published_version_id = rule.version_ids.filtered(
                lambda version: version.state == "published"
            )
            if rule.published_version_id:
                rule.state = "published"
            else:
                rule.state = "draft" if "draft" in states or not states else "retired"

    @api.depends("version_ids.state")
    def _compute_draft_version_id(self):
        for rule in self:
            drafts = rule.version_ids.filtered(lambda version: version.state == "draft")
            rule.draft_version_id = drafts.sorted("number")[-1:]

    @api.depends("version_ids.state", "version_ids.expression")
    def _compute_expression(self):
        for rule in self:
            rule.expression = rule._working_version().expression

    def _inverse_expression(self):
        for rule in self:
            text = (rule.expression or "").strip()
            if rule.draft_version_id:
                rule.draft_version_id.expression = text
            elif text != rule._working_version().expression:
                self.env["spp.rule.version"].create({"rule_id": rule.id, "expression": text})

    @api.depends("expression", "target")
    def _compute_problem(self):
        definitions = self.env["spp.cel.variable"]._definitions()
        for rule in self:
            rule.problem = rule.not_compiled = False
            try:
                if rule.expression:
                    compiled = self.env["spp.cel.schema"]._compile(rule.expression, rule.target, *definitions)
                    rule.not_compiled = compiled.not_compiled
            except RuleError as error:
                rule.problem = f"{error}\n\n{error.pointer(rule.expression)}"

    @api.depends("version_ids.state")
    def _compute_published_problem(self):
        for rule in self:
            rule.published_problem = False
            try:
                if rule.published_version_id:
                    rule.published_version_id._compile()
            except RuleError as error:
                rule.published_problem = str(error)

    @api.model
    def _warning(self, eligible, not_eligible, undetermined):
        """What is odd about these numbers, or False."""
        if not eligible + not_eligible + undetermined:
            return _("There is nobody in the registry that this rule is about.")
        if not eligible:
            return _("Nobody is eligible under this rule. Is that what is meant?")
        if not not_eligible + undetermined:
            return _("Everybody is eligible under this rule. Is that what is meant?")
        return False

    @api.constrains("target")
    def _check_target(self):
        for version in self.version_ids:
            version._check_expression()

    def write(self, vals):
        if "target" in vals:
            changed = self.filtered(lambda rule: rule.target != vals["target"])
            if changed.version_ids.filtered(lambda version: version.state != "draft"):
                raise UserError(
                    _("A version of this rule was published: who it is about cannot change any more.")
                )
        return super().write(vals)

    @api.ondelete(at_uninstall=False)
    def _unlink_unless_published(self):
        self.version_ids._unlink_unless_published()

    def action_publish(self, reason=""):
        """Publish the draft version; see `spp.rule.version.action_publish` for the reason."""
        self.ensure_one()
        self.check_access_rights("write")
        self.check_access_rule("write")
        return self._draft().action_publish(reason)

    def action_open_publish(self):
        """Open the dialog that shows whom the draft reaches, asks for a reason if need be, and publishes."""
        self.ensure_one()
        self.check_access_rights("write")
        self.check_access_rule("write")
        dialog = self.env["spp.rule.publish"].create({"version_id": self._draft().id})
        return {
            "type": "ir.actions.act_window",
            "name": _("Publish"),
            "res_model": dialog._name,
            "res_id": dialog.id,
            "view_mode": "form",
            "target": "new",
        }

    def _draft(self):
        if not self.draft_version_id:
            raise UserError(_("There is no draft to publish: change the expression first."))
        return self.draft_version_id

    def action_retire(self):
        """Retire the published version; programs that run keep the version of their cycles."""
        self.ensure_one()
        self.check_access_rights("write")
        self.check_access_rule("write")
        return self.published_version_id.action_retire()

    def action_try(self):
        """Open the dialog that answers the rule for one person."""
        self.ensure_one()
        version = self._working_version()
        if not version:
            raise UserError(_("Write the expression first."))
        return {
            "type": "ir.actions.act_window",
            "name": _("Try on one person") if self.target == "individual" else _("Try on one group"),
            "res_model": "spp.rule.trial",
            "view_mode": "form",
            "target": "new",
            "context": {
                "default_version_id": version.id,
                "default_as_of": self.check_as_of or fields.Date.context_today(self),
            },
        }

    def why(self, partner_id, as_of=None):
        """Why, or why not, by the published version, or the draft of a rule not published yet.

        See the method of the same name of spp.rule.version.
        """
        self.ensure_one()
        version = self.published_version_id or self._working_version()
        if not version:
            raise UserError(_("Write the expression first."))
        return version.why(partner_id, as_of)

    def _working_version(self):
        """The version a user sees: the draft, else the published one, else the last retired one."""
        self.ensure_one()
        return self.draft_version_id or self.published_version_id or self.version_ids.sorted("number")[-1:]
