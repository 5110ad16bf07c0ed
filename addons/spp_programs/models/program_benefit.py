"""What a program gives to one beneficiary in one cycle: a line of money, or of goods."""

from odoo import api, fields, models


class ProgramBenefit(models.Model):
    _name = "spp.program.benefit"
    _description = "Program benefit"
    _order = "program_id, sequence, id"

    program_id = fields.Many2one(comodel_name="spp.program", required=True, index=True, ondelete="cascade")
    company_id = fields.Many2one(comodel_name="res.company", related="program_id.company_id")
    name = fields.Char(required=True, translate=False)
    sequence = fields.Integer(default=10)
    active = fields.Boolean(
        default=True, help="An archived benefit is not given in cycles computed from now on."
    )
    kind = fields.Selection(
        selection=[("money", "Money"), ("goods", "Goods")],
        required=True,
        default="money",
        help="Money is committed to the fund and paid; goods are only listed as due.",
    )
    amount = fields.Monetary(help="What each beneficiary is due per cycle.")
    currency_id = fields.Many2one(comodel_name="res.currency", related="program_id.currency_id")
    quantity = fields.Float(digits=(16, 3), help="How much of the goods each beneficiary is due per cycle.")
    product_name = fields.Char(
        string="Goods", help="What is handed out, with its unit: Maize flour, bag of 10 kg."
    )

    _sql_constraints = [
        (
            "something_due",
            "CHECK((kind = 'money' AND COALESCE(amount, 0) > 0)"
            " OR (kind = 'goods' AND COALESCE(quantity, 0) > 0 AND product_name IS NOT NULL))",
            "A money benefit needs an amount above zero, a goods benefit a quantity above zero and the goods' name.",
        ),
    ]

    @api.model_create_multi
    def create(self, vals_list):
        benefits = super().create(vals_list)
        benefits._ask_for_new_computation()
        return benefits

    def write(self, vals):
        self._ask_for_new_computation()
        result = super().write(vals)
        self._ask_for_new_computation()
        return result

    @api.ondelete(at_uninstall=False)
    def _unlink_recompute(self):
        self._ask_for_new_computation()

    def _ask_for_new_computation(self):
        """Drafts computed with the benefits as they were must be computed again before they are submitted."""
        self.program_id._draft_cycles_outdated()
