"""Asks why changes are not to be sent."""

from odoo import fields, models


class SparSkip(models.TransientModel):
    _name = "spp.spar.skip"
    _description = "Skip SPAR Changes"

    change_ids = fields.Many2many(
        comodel_name="spp.spar.change",
        relation="spp_spar_skip_change_rel",
        column1="skip_id",
        column2="change_id",
        string="Changes",
        readonly=True,
    )
    reason = fields.Char(required=True)

    def action_skip(self):
        """Skip them."""
        self.ensure_one()
        return self.change_ids.action_skip(self.reason)
