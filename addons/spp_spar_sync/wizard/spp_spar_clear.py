"""Asks why flagged accounts may be paid to."""

from odoo import fields, models


class SparClear(models.TransientModel):
    _name = "spp.spar.clear"
    _description = "Clear Flagged Accounts"

    account_ids = fields.Many2many(
        comodel_name="spp.payment.account",
        relation="spp_spar_clear_account_rel",
        column1="clear_id",
        column2="account_id",
        string="Accounts",
        readonly=True,
    )
    reason = fields.Char(required=True)

    def action_clear(self):
        """Clear them."""
        self.ensure_one()
        return self.account_ids.action_clear_flag(self.reason)
