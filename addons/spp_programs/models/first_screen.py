"""Who releases, reconciles or runs programs begins there; who only looks, with the programs."""

from odoo import api, models


class ResUsers(models.Model):
    _inherit = "res.users"

    @api.model
    def _first_screens(self):
        return [
            *super()._first_screens(),
            (20, "payment_releaser", "spp_programs.action_spp_cycle_to_send"),
            (30, "finance_officer", "spp_programs.action_spp_payment_attention"),
            (40, "program_manager", "spp_programs.action_spp_program"),
            (80, "program_viewer", "spp_programs.action_spp_program"),
        ]
