"""Refuse a proposed withdrawal, with the reason."""

from odoo import fields, models


class WithdrawalRefuse(models.TransientModel):
    _name = "spp.withdrawal.refuse"
    _description = "Refuse a withdrawal"

    withdrawal_id = fields.Many2one(
        comodel_name="spp.cycle.withdrawal", required=True, readonly=True, ondelete="cascade"
    )
    reason = fields.Char(required=True)

    def action_refuse(self):
        self.ensure_one()
        self.withdrawal_id.action_refuse(self.reason)
        return {"type": "ir.actions.act_window_close"}
