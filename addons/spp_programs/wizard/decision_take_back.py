"""Why a decision about members is taken back."""

from odoo import fields, models


class DecisionTakeBack(models.TransientModel):
    _name = "spp.decision.take.back"
    _description = "Take a decision back"

    decision_id = fields.Many2one(comodel_name="spp.enrollment.decision", required=True)
    reason = fields.Char(required=True, help="Kept with the decision.")

    def action_take_back(self):
        self.ensure_one()
        decision = self.decision_id.with_context(open_run=True)
        return decision._close_dialog(decision.action_take_back(self.reason))
