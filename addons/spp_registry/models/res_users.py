"""Users limited to areas, and the record rules that follow from it."""

from odoo import api, fields, models

EVERYTHING = [(1, "=", 1)]


class ResUsers(models.Model):
    _inherit = "res.users"

    spp_area_ids = fields.Many2many(
        comodel_name="spp.area", string="Limited to areas",
        help="The user sees registrants of these areas, and of the areas within them. Empty: everywhere.",
    )  # fmt: skip

    @api.model
    def _spp_own_limits(self):
        return super()._spp_own_limits() | {"spp_area_ids"}

    def write(self, vals):
        result = super().write(vals)
        if "spp_area_ids" in vals:
            self.env.registry.clear_cache()  # ir.rule caches the domains below
        return result

    def _spp_area_domain(self, path=""):
        """Registrants of this user's areas; `path` leads to the registrant ("partner_id.")."""
        areas = self.sudo().spp_area_ids  # sudo: a rule is evaluated for users who may not read areas
        return [(f"{path}area_id", "child_of", areas.ids)] if areas else EVERYTHING

    def _spp_partner_domain(self, role="spp_base.group_program_viewer"):
        """Partners this user may meet: registrants of their areas if they hold `role`, else none.

        Ordinary contacts and the partners of users are spared.
        """
        spared = ["|", ("is_registrant", "=", False), ("partner_share", "=", False)]
        if not self.has_group(role):
            return spared
        areas = self._spp_area_domain()
        return areas if areas == EVERYTHING else ["|", *spared, *areas]

    def _spp_registrant_domain(self, company_ids, path="partner_id."):
        """Lines of the registrants this user may meet, by area and by the registrant's company."""
        company = f"{path}company_id"
        return [
            "|", (company, "=", False), (company, "parent_of", company_ids), *self._spp_area_domain(path)
        ]  # fmt: skip
