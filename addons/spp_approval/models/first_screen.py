"""Who decides begins with what waits for a decision."""

from odoo import api, models


class ResUsers(models.Model):
    _inherit = "res.users"

    @api.model
    def _first_screens(self):
        return [*super()._first_screens(), (10, "approver", "spp_approval.action_spp_approval_inbox")]
