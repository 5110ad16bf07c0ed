"""A constant for which programs have values of their own keeps its name and type."""

from odoo import _, api, models
from odoo.exceptions import UserError


class SppCelVariable(models.Model):
    _inherit = "spp.cel.variable"

    def write(self, vals):
        changed = self.filtered(
            lambda variable: any(
                name in vals and variable[name] != vals[name] for name in ("name", "kind", "value_type")
            )
        )
        changed._check_not_overridden()
        return super().write(vals)

    @api.ondelete(at_uninstall=False)
    def _unlink_unless_overridden(self):
        self._check_not_overridden()

    def _check_not_overridden(self):
        # sudo: a program of another company counts as well; its name is all that gets out
        overrides = self.env["spp.program.variable"].sudo().search([("variable_id", "in", self.ids)])
        if overrides:
            raise UserError(
                _(
                    "These programs have a value of their own for %(names)s: %(programs)s. "
                    "Remove it there first.",
                    names=", ".join(overrides.variable_id.mapped("name")),
                    programs=", ".join(overrides.program_id.mapped("display_name")),
                )
            )
