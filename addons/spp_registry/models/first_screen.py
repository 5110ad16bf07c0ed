"""What a user sees first: where the work of their role waits."""

from odoo import api, models


class ResUsers(models.Model):
    _inherit = "res.users"

    @api.model
    def action_open_first_screen(self):
        """The action that opens the screen a user begins the day with."""
        screens = sorted(self._first_screens())
        action = next(
            xmlid for _order, role, xmlid in screens if self.env.user.has_group(f"spp_base.group_{role}")
        )
        return self.env["ir.actions.actions"]._for_xml_id(action)

    @api.model
    def _first_screens(self):
        """[(order, role, action)]; of several roles, the first in order counts. An addon adds its own."""
        return [
            (60, "enrollment_officer", "spp_registry.action_res_partner_individual"),
            (70, "auditor", "spp_base.action_spp_audit_entry"),
            (99, "program_viewer", "spp_registry.action_res_partner_group"),
        ]
