from odoo import fields, models


class ResGroups(models.Model):
    _inherit = "res.groups"

    is_spp_role = fields.Boolean(
        string="Role of the MIS",
        readonly=True,
        help="The SP-MIS Administrator may give it, and giving it is audited.",
    )
