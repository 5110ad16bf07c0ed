"""Open a supplementary cycle, with the reason and, if need be, the people."""

from odoo import fields, models


class CycleSupplement(models.TransientModel):
    _name = "spp.cycle.supplement"
    _description = "New supplementary cycle"

    cycle_id = fields.Many2one(comodel_name="spp.cycle", required=True, readonly=True)
    program_id = fields.Many2one(comodel_name="spp.program", related="cycle_id.program_id")
    currency_id = fields.Many2one(comodel_name="res.currency", related="cycle_id.currency_id")
    reason = fields.Char(required=True, help="Who was left out, and why. Shown to whoever approves it.")
    membership_ids = fields.Many2many(
        comodel_name="spp.program.membership",
        string="Only these members",
        domain="[('program_id', '=', program_id), ('state', '=', 'enrolled')]",
        help="Empty: everybody enrolled who has nothing in this period.",
    )
    budget = fields.Monetary(help="What it may come to. 0: no limit.")

    def action_open(self):
        self.ensure_one()
        cycle_id = self.cycle_id.action_open_supplementary(
            self.reason, self.membership_ids.ids, str(self.budget)
        )
        return {
            "type": "ir.actions.act_window",
            "res_model": "spp.cycle",
            "res_id": cycle_id,
            "views": [(False, "form")],
        }
