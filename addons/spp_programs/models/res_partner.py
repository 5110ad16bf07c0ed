"""What a registrant is a member of, on the registrant."""

from odoo import fields, models


class ResPartner(models.Model):
    _inherit = "res.partner"

    program_membership_ids = fields.One2many(
        comodel_name="spp.program.membership",
        inverse_name="partner_id",
        string="Programs",
        groups="spp_base.group_program_viewer",
    )
    entitlement_ids = fields.One2many(
        comodel_name="spp.entitlement",
        inverse_name="partner_id",
        string="Entitlements",
        groups="spp_base.group_program_viewer",
    )
