"""Create a program in two steps: whom it is for, with how many that would be; then what it gives, when, and how."""

import re
import unicodedata

from dateutil.relativedelta import relativedelta
from markupsafe import Markup

from odoo import _, api, fields, models
from odoo.exceptions import AccessError, UserError

from odoo.addons.spp_cel.lang import RuleError

# What is usual for a kind: whom it is for, and how often.
USUAL = {
    "uct": ("group", "monthly"),
    "cct": ("group", "bimonthly"),
    "emergency": ("group", "by_hand"),
    "agricultural": ("individual", "yearly"),
    "in_kind": ("group", "monthly"),
}
BENEFIT_FIELDS = (
    "name",
    "sequence",
    "kind",
    "amount_kind",
    "amount",
    "formula",
    "cap",
    "condition",
    "quantity",
    "unit",
    "product_name",
    "valid_days",
    "most_instalments",
)


class ProgramNew(models.TransientModel):
    _name = "spp.program.new"
    _description = "New program"

    step = fields.Selection(
        selection=[("who", "Whom it is for"), ("what", "What it gives")], required=True, default="who"
    )
    name = fields.Char(required=True)
    code = fields.Char(
        compute="_compute_code",
        store=True,
        readonly=False,
        required=True,
        help="Letters, digits, - and _; it begins the reference of every entitlement and payment.",
    )
    kind = fields.Selection(
        selection=lambda self: self.env["spp.program"]._fields["kind"].selection, required=True, default="uct"
    )
    target = fields.Selection(
        selection=lambda self: self.env["spp.program"]._fields["target"].selection,
        compute="_compute_target",
        store=True,
        precompute=True,
        readonly=False,
        required=True,
        help="Whether single people or whole households are members and receive the benefit.",
    )
    company_id = fields.Many2one(
        comodel_name="res.company", required=True, default=lambda self: self.env.company
    )
    currency_id = fields.Many2one(related="company_id.currency_id")

    rule_from = fields.Selection(
        selection=[
            ("existing", "A rule that is there"),
            ("template", "A rule of a logic pack"),
            ("later", "Later, on the program's form"),
        ],
        string="Eligibility by",
        required=True,
        default="existing",
    )
    rule_id = fields.Many2one(
        comodel_name="spp.rule",
        compute="_compute_rule_id",
        store=True,
        readonly=False,
        domain="[('target', '=', target), ('state', '!=', 'retired')]",
        help="Its published version decides who is eligible, at enrollment and again in each cycle.",
    )
    template_id = fields.Many2one(
        comodel_name="spp.program.new.template",
        compute="_compute_template_id",
        store=True,
        readonly=False,
        domain="[('target', '=', target)]",
        help="The pack is installed, with the values that the rule needs.",
    )
    expression = fields.Text(compute="_compute_matching")
    matching = fields.Html(
        string="Who would match",
        compute="_compute_matching",
        help="Counted in the registry as it is today, as far as you may see it.",
    )
    is_draft = fields.Boolean(compute="_compute_is_draft")
    publish = fields.Boolean(
        string="Publish the rule",
        default=True,
        help="Only a published rule decides about people. A published version never changes.",
    )
    publish_reason = fields.Char(
        string="Reason",
        help="Needed where the rule's reach is remarkable: nobody, everybody, or very different from before.",
    )
    compliance_rule_id = fields.Many2one(
        comodel_name="spp.rule",
        domain="[('target', '=', target), ('state', '=', 'published')]",
        help="What beneficiaries of a conditional transfer must keep to, such as school attendance. It is asked in "
        "each cycle about those who are eligible.",
    )

    benefit_ids = fields.One2many(
        comodel_name="spp.program.new.benefit",
        inverse_name="program_new_id",
        string="Benefits",
    )
    calendar = fields.Selection(
        selection=lambda self: self.env["spp.program"]._fields["calendar"].selection,
        compute="_compute_calendar",
        store=True,
        precompute=True,
        readonly=False,
        required=True,
        help="How long the program's periods are. A cycle for any other period can be opened by hand as well.",
    )
    calendar_start = fields.Date(
        string="First period from",
        default=lambda self: self._next_month(),
        help="The first day of the first period.",
    )
    payment_manager_id = fields.Many2one(
        comodel_name="spp.payment.manager",
        domain="[('company_id', '=', company_id)]",
        help="How the program pays. Without one, its payments are held.",
    )

    # ------------------------------------------------------------------ proposals

    @api.depends("name")
    def _compute_code(self):
        for wizard in self:
            wizard.code = wizard._proposed_code() if wizard.name else wizard.code

    def _proposed_code(self):
        """The name's first words in capitals and the year, as no other program of the company has it."""
        plain = unicodedata.normalize("NFKD", self.name).encode("ascii", "ignore").decode().upper()
        words = re.findall(r"[A-Z0-9]+", plain)[:2] or ["PROGRAM"]
        code = proposed = "-".join([*words, fields.Date.context_today(self).strftime("%y")])
        # sudo: a code is taken, whoever may see the program
        taken = set(self.env["spp.program"].sudo().search([("code", "=like", f"{code}%")]).mapped("code"))
        number = 1
        while proposed in taken:
            number += 1
            proposed = f"{code}-{number}"
        return proposed

    @api.depends("kind")
    def _compute_target(self):
        for wizard in self:
            wizard.target = USUAL[wizard.kind or "uct"][0]

    @api.depends("kind")
    def _compute_calendar(self):
        for wizard in self:
            wizard.calendar = USUAL[wizard.kind or "uct"][1]

    @api.depends("target", "rule_from")
    def _compute_rule_id(self):
        for wizard in self:
            if wizard.rule_from != "existing" or wizard.rule_id.target != wizard.target:
                wizard.rule_id = False

    @api.depends("target", "rule_from")
    def _compute_template_id(self):
        for wizard in self:
            if wizard.rule_from != "template" or wizard.template_id.target != wizard.target:
                wizard.template_id = False

    @api.model
    def _next_month(self):
        return fields.Date.context_today(self) + relativedelta(day=1, months=1)

    # ------------------------------------------------------------------ preview

    @api.depends("rule_id", "template_id")
    def _compute_is_draft(self):
        for wizard in self:
            rule = wizard.rule_id or wizard.template_id._rule()
            wizard.is_draft = bool(wizard.template_id or rule) and rule.state != "published"

    @api.depends("rule_id", "template_id", "target")
    def _compute_matching(self):
        for wizard in self:
            wizard.expression, wizard.matching = wizard._preview()

    def _preview(self):
        """(expression, who would match) of the chosen rule."""
        rules = self.env["spp.rule"]
        definitions = self.env["spp.cel.variable"]._definitions()
        if self.template_id:
            expression = self.template_id.expression
            # What is here already stays as it is when a pack is installed.
            from_pack = self.template_id._pack().definitions({}, {})
            definitions = [{**own, **here} for own, here in zip(from_pack, definitions, strict=True)]
        elif self.rule_id:
            published = self.rule_id.published_version_id
            expression = published.expression if published else self.rule_id.expression
        else:
            return False, False
        try:
            compiled = self.env["spp.cel.schema"]._compile(expression or "", self.target, *definitions)
        except RuleError as error:
            return expression, Markup("<span class='text-danger'>%s</span>") % str(error)
        today = fields.Date.context_today(self)
        numbers = rules._editor_numbers(compiled, definitions[0], self.target, today)
        if "eligible" not in numbers:
            return expression, Markup("%s") % (numbers.get("failed") or _("Counting takes too long here."))
        told = Markup("<strong>%s</strong> %s, %s %s, %s %s") % (
            f"{numbers['eligible']:,}",
            _("eligible"),
            f"{numbers['not_eligible']:,}",
            _("not eligible"),
            f"{numbers['undetermined']:,}",
            _("undetermined, because data are missing"),
        )
        if numbers["warning"]:
            told += Markup("<div class='text-warning'>%s</div>") % numbers["warning"]
        return expression, told

    # ------------------------------------------------------------------ actions

    @api.model
    def action_start(self):
        """Open an empty wizard."""
        self.env["spp.program.new.template"]._renew()
        return self._opened(self.browse())

    def action_next(self):
        """To the second step, where the first one is complete."""
        self.ensure_one()
        if self.rule_from != "later" and not (self.rule_id or self.template_id):
            raise UserError(_("Choose the rule, or leave it for later."))
        self.step = "what"
        return self._opened(self)

    def action_back(self):
        self.ensure_one()
        self.step = "who"
        return self._opened(self)

    def _opened(self, wizard):
        return {
            "type": "ir.actions.act_window",
            "name": _("New program"),
            "res_model": self._name,
            "res_id": wizard.id,
            "views": [(False, "form")],
            "target": "new",
        }

    def action_create_program(self):
        """Create the program, a draft, and open it."""
        self.ensure_one()
        if not self.env.user.has_group("spp_base.group_program_manager"):
            raise AccessError(_("Only a program manager creates programs."))
        program = self.env["spp.program"].with_company(self.company_id).create(self._program_values())
        return {
            "type": "ir.actions.act_window",
            "res_model": program._name,
            "res_id": program.id,
            "views": [(False, "form")],
        }

    def _program_values(self):
        rule = self._chosen_rule()
        return {
            "name": self.name,
            "code": self.code,
            "kind": self.kind,
            "target": self.target,
            "company_id": self.company_id.id,
            "currency_id": self.currency_id.id,
            "rule_id": rule.id,
            "compliance_rule_id": self.compliance_rule_id.id if self.kind == "cct" else False,
            "calendar": self.calendar,
            "calendar_start": self.calendar_start if self.calendar != "by_hand" else False,
            "payment_manager_id": self.payment_manager_id.id,
            "benefit_ids": [(0, 0, line._benefit_values()) for line in self.benefit_ids],
        }

    def _chosen_rule(self):
        """The rule, installed from its pack and published where that was asked for."""
        if self.template_id:
            rule = self.template_id._install()
        else:
            rule = self.rule_id
        if rule and self.publish and rule.state == "draft":
            rule.action_publish(self.publish_reason or "")
        return rule


class ProgramNewBenefit(models.TransientModel):
    _name = "spp.program.new.benefit"
    _description = "Benefit of a new program"
    _order = "sequence, id"

    program_new_id = fields.Many2one(comodel_name="spp.program.new", required=True, ondelete="cascade")
    currency_id = fields.Many2one(related="program_new_id.currency_id")
    sequence = fields.Integer(default=10)
    name = fields.Char(required=True)
    kind = fields.Selection(
        selection=lambda self: self.env["spp.program.benefit"]._fields["kind"].selection,
        required=True,
        default="money",
    )
    amount_kind = fields.Selection(
        selection=lambda self: self.env["spp.program.benefit"]._fields["amount_kind"].selection,
        string="Amount is",
        required=True,
        default="fixed",
    )
    amount = fields.Monetary(help="What each beneficiary is due per cycle.")
    formula = fields.Char(
        help="What one beneficiary is due per cycle, in CEL: "
        "100 + 20 * group.members.filter(m, m.age < 18).size(). It is rounded once, half up, to the currency."
    )
    cap = fields.Monetary(
        string="At most", help="The largest amount that the formula may give. Empty: no limit."
    )
    condition = fields.Char(
        help="Who of the beneficiaries gets this benefit, in CEL: group.members.exists(m, m.age < 2). Empty: all."
    )
    quantity = fields.Float(digits=(16, 3), help="How much of the goods each beneficiary is due per cycle.")
    unit = fields.Char(help="What one of the quantity is: bag of 10 kg, litre, piece.")
    product_name = fields.Char(string="Goods", help="What is handed out: maize flour, hand hoe.")
    valid_days = fields.Integer(string="Valid for (days)", help="0: without limit.")
    most_instalments = fields.Integer(
        help="How many times one beneficiary gets this benefit. 0: without limit."
    )

    def _benefit_values(self):
        return {name: self[name] for name in BENEFIT_FIELDS}


class ProgramNewTemplate(models.TransientModel):
    """The rules of all logic packs, to choose from."""

    _name = "spp.program.new.template"
    _description = "Rule of a logic pack"
    _order = "name, id"

    pack_id = fields.Many2one(comodel_name="spp.logic.pack", required=True, ondelete="cascade")
    key = fields.Char(required=True)
    name = fields.Char(required=True)
    target = fields.Selection(selection=[("individual", "Individual"), ("group", "Group")], required=True)
    description = fields.Char()
    expression = fields.Text(required=True)

    @api.model
    def _renew(self):
        """Have the user's own list as the packs are now."""
        self.search([("create_uid", "=", self.env.uid)]).unlink()
        self.create(
            [
                {
                    "pack_id": pack.id,
                    "key": rule.key,
                    "name": rule.name,
                    "target": rule.target,
                    "description": rule.description,
                    "expression": rule.expression,
                }
                for pack in self.env["spp.logic.pack"].search([])
                for rule in pack._pack().rules
            ]
        )

    def _pack(self):
        return self.pack_id._pack()

    def _rule(self):
        """The rule that was made from it before, if there is one."""
        if not self:
            return self.env["spp.rule"]
        return self.env["spp.rule"].search([("pack_key", "=", f"{self.pack_id.code}.{self.key}")], limit=1)

    def _install(self):
        """The rule, made now if it was not yet."""
        if not self._rule():
            self.pack_id.action_install()
        return self._rule()
