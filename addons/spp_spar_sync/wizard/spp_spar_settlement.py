"""Asks which account counts, with a reason, where SPAR and the registry differ."""

from odoo import fields, models


class SparSettlement(models.TransientModel):
    _name = "spp.spar.settlement"
    _description = "Settle a SPAR Conflict"

    change_id = fields.Many2one(
        comodel_name="spp.spar.change", required=True, readonly=True, ondelete="cascade"
    )
    partner_id = fields.Many2one(related="change_id.partner_id")
    target_masked = fields.Char(related="change_id.target_masked")
    observed_masked = fields.Char(related="change_id.observed_masked")
    observed_at = fields.Datetime(related="change_id.observed_at")
    choice = fields.Selection(
        selection=[
            ("ours", "Ours wins: write our account to SPAR"),
            ("theirs", "Keep theirs: leave SPAR as it is"),
        ],
        required=True,
        help="If theirs is kept, payments stay held until the registry holds the same account as SPAR.",
    )
    reason = fields.Char(required=True)

    def action_settle(self):
        self.ensure_one()
        return self.change_id.action_resolve_conflict(self.choice, self.reason)
