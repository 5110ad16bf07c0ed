"""Asks why nothing is to be sent to a SPAR mapper."""

from odoo import fields, models


class SparPause(models.TransientModel):
    _name = "spp.spar.pause"
    _description = "Pause Sending to SPAR"

    mapper_id = fields.Many2one(comodel_name="spp.spar.mapper", required=True, readonly=True)
    reason = fields.Char(required=True)

    def action_pause(self):
        """Pause."""
        self.ensure_one()
        return self.mapper_id.action_pause(self.reason)
