"""What a program gives to one beneficiary in one cycle: a line of money, or of goods.

An amount is a fixed sum or a formula in CEL. It is checked when it is saved; what it was when a cycle was computed
is kept with the cycle (`spp.cycle.terms`).
"""

from odoo import _, api, fields, models
from odoo.exceptions import ValidationError

from odoo.addons.spp_cel.lang import RuleError

from ..tools.goods import goods_text
from ..tools.money import exact


class ProgramBenefit(models.Model):
    _name = "spp.program.benefit"
    _description = "Program benefit"
    _order = "program_id, sequence, id"

    program_id = fields.Many2one(comodel_name="spp.program", required=True, index=True, ondelete="cascade")
    company_id = fields.Many2one(comodel_name="res.company", related="program_id.company_id")
    target = fields.Selection(related="program_id.target")
    name = fields.Char(required=True, translate=False)
    sequence = fields.Integer(default=10)
    active = fields.Boolean(
        default=True, help="An archived benefit is not given in cycles computed from now on."
    )
    kind = fields.Selection(
        selection=[("money", "Money"), ("goods", "Goods")],
        required=True,
        default="money",
        help="Money is committed to the fund and paid; goods are handed out.",
    )
    amount_kind = fields.Selection(
        selection=[("fixed", "The same sum for everybody"), ("formula", "Computed by a formula")],
        string="Amount is",
        required=True,
        default="fixed",
    )
    amount = fields.Monetary(help="What each beneficiary is due per cycle.")
    formula = fields.Text(
        help="What one beneficiary is due per cycle, in CEL: "
        "100 + 20 * group.members.filter(m, m.age < 18).size(). It is rounded once, half up, to the currency."
    )
    cap = fields.Monetary(
        string="At most",
        help="The largest amount that the formula may give; who is limited by it is marked. Empty: no limit.",
    )
    condition = fields.Text(
        help="Who of the beneficiaries gets this benefit, in CEL: group.members.exists(m, m.age < 2). Empty: all. "
        "Where it cannot be decided because data are missing, the cycle cannot be submitted until that is mended."
    )
    currency_id = fields.Many2one(comodel_name="res.currency", related="program_id.currency_id")
    quantity = fields.Float(digits=(16, 3), help="How much of the goods each beneficiary is due per cycle.")
    unit = fields.Char(help="What one of the quantity is: bag of 10 kg, litre, piece.")
    product_name = fields.Char(string="Goods", help="What is handed out: maize flour, hand hoe.")
    valid_days = fields.Integer(
        string="Valid for (days)",
        help="For how many days from the approval of the cycle it can be paid or collected; then it expires, and its "
        "money is free again. 0: without limit.",
    )
    most_instalments = fields.Integer(
        help="How many times one beneficiary gets this benefit. Who got all instalments of all benefits of the "
        "program graduates or exits, as the program says. 0: without limit.",
    )
    summary = fields.Char(compute="_compute_summary", help="What is given, in short.")

    _sql_constraints = [
        (
            "something_due",
            "CHECK((kind = 'money' AND (amount_kind = 'formula' OR COALESCE(amount, 0) > 0))"
            " OR (kind = 'goods' AND COALESCE(quantity, 0) > 0 AND product_name IS NOT NULL))",
            "A money benefit needs an amount above zero, a goods benefit a quantity above zero and the goods' name.",
        ),
        (
            "formula_given",
            "CHECK(amount_kind = 'fixed' OR (kind = 'money' AND formula IS NOT NULL))",
            "Write the formula of the amount. Goods have a quantity, and no formula.",
        ),
        (
            "limits",
            "CHECK(COALESCE(cap, 0) >= 0 AND COALESCE(valid_days, 0) >= 0 AND COALESCE(most_instalments, 0) >= 0)",
            "A limit is a number above zero, or 0 for none.",
        ),
        (
            "cap_of_formula",
            "CHECK(amount_kind = 'formula' OR COALESCE(cap, 0) = 0)",
            "Only an amount that is computed by a formula has an upper limit.",
        ),
    ]

    @api.depends("kind", "amount_kind", "amount", "formula", "quantity", "unit", "product_name")
    def _compute_summary(self):
        for benefit in self:
            if benefit.kind == "goods":
                benefit.summary = goods_text(benefit.quantity, benefit.unit, benefit.product_name)
            elif benefit.amount_kind == "formula":
                benefit.summary = " ".join((benefit.formula or "").split())
            else:
                benefit.summary = f"{benefit.amount:,.2f} {benefit.currency_id.name or ''}"

    @api.constrains("formula", "condition", "amount_kind", "kind", "program_id")
    def _check_cel(self):
        """Formula and condition are right, or not saved."""
        # sudo: what a formula may use does not depend on who writes it
        definitions = self.env["spp.cel.variable"].sudo()._definitions()
        for benefit in self:
            for label, text in benefit._texts().items():
                try:
                    self._compile(label, text, benefit.program_id.target, *definitions)
                except RuleError as error:
                    raise ValidationError(
                        _(
                            "%(benefit)s, %(label)s: %(error)s\n\n%(place)s",
                            benefit=benefit.name,
                            label=benefit._fields[label].string.lower(),
                            error=error,
                            place=error.pointer(text),
                        )
                    ) from None

    @api.model_create_multi
    def create(self, vals_list):
        for vals in vals_list:
            self._check_entered(vals, self.env["spp.program"].browse(vals.get("program_id")).currency_id)
        benefits = super().create(vals_list)
        benefits._ask_for_new_computation()
        return benefits

    def write(self, vals):
        for currency in self.currency_id:
            self._check_entered(vals, currency)
        self._ask_for_new_computation()
        result = super().write(vals)
        self._ask_for_new_computation()
        return result

    @api.model
    def _check_entered(self, vals, currency):
        """What a person enters is never rounded, as a field would do: the currency must be able to hold it."""
        for name in ("amount", "cap"):
            if currency and vals.get(name):
                exact(str(vals[name]), currency)

    @api.ondelete(at_uninstall=False)
    def _unlink_recompute(self):
        self._ask_for_new_computation()

    # ------------------------------------------------------------------ business

    def _texts(self):
        """{field: CEL text} of what is computed for each beneficiary."""
        found = {}
        if self.kind == "money" and self.amount_kind == "formula":
            found["formula"] = self.formula or ""
        if (self.condition or "").strip():
            found["condition"] = self.condition
        return found

    @api.model
    def _compile(self, label, text, target, constants, computed):
        """The text of a benefit's field, compiled; RuleError if it is refused."""
        schema = self.env["spp.cel.schema"]
        if label == "formula":
            return schema._compile_amount(text, target, constants, computed)
        return schema._compile(text, target, constants, computed)

    def _term(self):
        """What the benefit gives, as a cycle keeps it: plain values, amounts as decimal strings, False for nothing."""
        money = self.kind == "money"
        formula = money and self.amount_kind == "formula"
        digits = self.currency_id.decimal_places
        return {
            "id": self.id,
            "name": self.name,
            "kind": self.kind,
            "amount_kind": "formula" if formula else "fixed",
            "amount": money and not formula and f"{self.amount:.{digits}f}",
            "formula": formula and self.formula,
            "cap": formula and self.cap > 0 and f"{self.cap:.{digits}f}",
            "condition": (self.condition or "").strip() or False,
            "quantity": not money and self.quantity,
            "unit": not money and self.unit,
            "product_name": not money and self.product_name,
            "valid_days": self.valid_days,
            "most_instalments": self.most_instalments,
        }

    def _ask_for_new_computation(self):
        """Drafts computed with the benefits as they were must be computed again before they are submitted."""
        self.program_id._draft_cycles_outdated()
