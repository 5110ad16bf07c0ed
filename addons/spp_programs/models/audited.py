"""What of programs and payment managers is in the audit trail with each change: all that decides who gets how much.

Cycles, members, payments and funds log their own actions.
"""

from odoo import models


class Program(models.Model):
    _name = "spp.program"
    _inherit = ["spp.program", "spp.audited.mixin"]

    # Not the values of variables, which have entries of their own, nor what a program only counts.
    _unaudited = frozenset({"state", "company_id"})

    @property
    def _audited_fields(self):
        """Every setting that is stored: an addon's own is in the trail without being named."""
        return tuple(
            name
            for name, field in self._fields.items()
            if field.store
            and name not in models.MAGIC_COLUMNS
            and not field.compute
            and field.type not in ("one2many", "binary", "html")
            and name not in self._unaudited
            and name not in self._guarded()
        )


class ProgramBenefit(models.Model):
    _name = "spp.program.benefit"
    _inherit = ["spp.program.benefit", "spp.audited.mixin"]

    @property
    def _audited_fields(self):
        return tuple(
            name
            for name, field in self._fields.items()
            if field.store
            and name not in (*models.MAGIC_COLUMNS, "program_id", "sequence")
            and not field.compute
        )

    def _audit_about(self):
        return self.program_id


class PaymentManager(models.Model):
    _name = "spp.payment.manager"
    _inherit = ["spp.payment.manager", "spp.audited.mixin"]

    # What decides how payments go is logged by the manager itself.
    _audited_events = frozenset({"create", "unlink"})
    _audited_fields = ("name", "provider", "company_id")
