"""Why a decision about members is taken back."""

from odoo import fields, models


class DecisionTakeBack(models.TransientModel):
    _name = "spp.decision.take.back"
    _description = "Take a decision back"

    decision_id = fields.Many2one(comodel_name="spp.enrollment.decision", required=True)
    reason = fields.Char(required=True, help="Kept with the decision.")

    def action_take_back(self):
        self.ensure_one()
        self.decision_id.action_take_back(self.reason)
        return {"type": "ir.actions.act_window_close"}
