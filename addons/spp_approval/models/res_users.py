from odoo import api, models


class ResUsers(models.Model):
    _inherit = "res.users"

    @api.model
    def count_approvals(self):
        """How many requests wait for the user's decision; 0 for who decides nothing."""
        requests = self.env["spp.approval.request"]
        if not requests.check_access_rights("read", raise_exception=False):
            return 0
        return requests.count_to_decide()
