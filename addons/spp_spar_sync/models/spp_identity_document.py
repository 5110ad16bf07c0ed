"""A document names its holder at SPAR: entered, corrected or withdrawn, the links follow."""

from odoo import api, models


class IdentityDocument(models.Model):
    _inherit = "spp.identity.document"

    @api.model_create_multi
    def create(self, vals_list):
        documents = super().create(vals_list)
        self.env["spp.spar.change"]._record(documents.partner_id)
        return documents

    def _created_in_bulk(self):
        result = super()._created_in_bulk()
        self.env["spp.spar.change"]._record(self.partner_id)
        return result

    def write(self, vals):
        partners = self.partner_id
        result = super().write(vals)
        self.env["spp.spar.change"]._record(partners | self.partner_id)
        return result

    def unlink(self):
        partners = self.partner_id
        result = super().unlink()
        self.env["spp.spar.change"]._record(partners)
        return result

    def action_withdraw(self):
        result = super().action_withdraw()
        self.env["spp.spar.change"]._record(self.partner_id)
        return result

    def action_accept(self):
        result = super().action_accept()
        self.env["spp.spar.change"]._record(self.partner_id)
        return result
