"""Chains of a program, and requests that say of which program they are."""

from odoo import fields, models


class ApprovalChain(models.Model):
    _inherit = "spp.approval.chain"

    _audited_fields = (
        "name", "kind", "program_id", "company_id", "approver_may_release", "remind_days", "active"
    )  # fmt: skip

    program_id = fields.Many2one(
        comodel_name="spp.program",
        ondelete="restrict",
        help="Empty: for all programs that have no chain of their own.",
    )

    def _scope_fields(self):
        return [*super()._scope_fields(), "program_id"]

    def _fits(self, record):
        if not super()._fits(record):
            return False
        if not self.program_id:
            return True
        program = (
            record if record._name == "spp.program" else "program_id" in record._fields and record.program_id
        )
        return bool(program) and program.sudo() == self.program_id

    def _rank(self):
        return (bool(self.program_id), *super()._rank())
