"""An addon whose fields a published rule reads is not uninstalled: running programs keep their rules."""

from odoo import models


class IrModuleModule(models.Model):
    _inherit = "ir.module.module"

    def button_uninstall(self):
        leaving = self | self.downstream_dependencies()
        if "spp_cel" not in leaving.mapped("name"):  # else the rules go as well
            self.env["spp.rule.version"]._check_uninstall(leaving.mapped("name"))
        return super().button_uninstall()
