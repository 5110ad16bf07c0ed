"""Cancel a cycle, with the reason."""

from odoo import fields, models


class CycleReason(models.TransientModel):
    _name = "spp.cycle.reason"
    _description = "Reason to cancel a cycle"

    cycle_id = fields.Many2one(comodel_name="spp.cycle", required=True, readonly=True)
    reason = fields.Char(required=True)

    def action_cancel(self):
        self.ensure_one()
        cycle = self.cycle_id.with_context(open_run=True)
        return cycle._close_dialog(cycle.action_cancel(self.reason))
