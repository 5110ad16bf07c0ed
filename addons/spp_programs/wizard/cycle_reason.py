"""Send a submitted cycle back, or cancel a cycle, with the reason."""

from odoo import fields, models


class CycleReason(models.TransientModel):
    _name = "spp.cycle.reason"
    _description = "Reason to send a cycle back or cancel it"

    cycle_id = fields.Many2one(comodel_name="spp.cycle", required=True, readonly=True)
    decision = fields.Selection(
        selection=[("reject", "Send back"), ("cancel", "Cancel")], required=True, readonly=True
    )
    reason = fields.Char(required=True)

    def action_decide(self):
        self.ensure_one()
        cycle = self.cycle_id.with_context(open_run=True)
        decide = cycle.action_reject if self.decision == "reject" else cycle.action_cancel
        return cycle._close_dialog(decide(self.reason))
