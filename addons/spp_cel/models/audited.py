"""Rules, their drafts and their variables in the audit trail; publishing has an entry of its own."""

from odoo import models


class Rule(models.Model):
    _name = "spp.rule"
    _inherit = ["spp.rule", "spp.audited.mixin"]

    _audited_fields = ("name", "target", "active")


class RuleVersion(models.Model):
    _name = "spp.rule.version"
    _inherit = ["spp.rule.version", "spp.audited.mixin"]

    _audited_fields = ("expression",)

    def _audit_about(self):
        return self.rule_id


class CelVariable(models.Model):
    _name = "spp.cel.variable"
    _inherit = ["spp.cel.variable", "spp.audited.mixin"]

    _audited_fields = ("name", "kind", "value_type", "value", "expression")
