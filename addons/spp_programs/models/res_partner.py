"""What a registrant is a member of, on the registrant."""

from odoo import fields, models


class ResPartner(models.Model):
    _inherit = "res.partner"

    program_membership_ids = fields.One2many(
        comodel_name="spp.program.membership", inverse_name="partner_id", string="Programs"
    )
    entitlement_ids = fields.One2many(
        comodel_name="spp.entitlement", inverse_name="partner_id", string="Entitlements"
    )
