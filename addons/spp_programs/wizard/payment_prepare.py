"""Prepare the payments of some of a cycle's entitlements, chosen by a domain."""

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools import SQL

from ..tools.domain import checked


class PaymentPrepare(models.TransientModel):
    _name = "spp.payment.prepare"
    _description = "Prepare payments"

    cycle_id = fields.Many2one(comodel_name="spp.cycle", required=True, readonly=True)
    domain = fields.Char(
        string="Of these entitlements",
        default=lambda self: self._of_the_cycle(),
        help="Conditions on the entitlement, or on the registrant: area, gender, age. Without any, all of the cycle.",
    )
    due_count = fields.Integer(
        string="Still to be prepared",
        compute="_compute_due_count",
        help="Approved entitlements of money that fit and have no payment.",
    )
    problem = fields.Char(compute="_compute_due_count")

    @api.model
    def _of_the_cycle(self):
        # So that the number that the domain's own widget shows is that of this cycle.
        cycle_id = self.env.context.get("default_cycle_id")
        return str([("cycle_id", "=", cycle_id)] if cycle_id else [])

    @api.depends("cycle_id", "domain")
    def _compute_due_count(self):
        for wizard in self:
            wizard.due_count, wizard.problem = 0, False
            try:
                due = wizard.cycle_id._due_query(checked(self.env["spp.entitlement"], wizard.domain or "[]"))
            except UserError as error:
                wizard.problem = str(error)
                continue
            self.env.cr.execute(SQL("SELECT count(*) FROM (%s) due", due))
            wizard.due_count = self.env.cr.fetchone()[0]

    def action_prepare(self):
        self.ensure_one()
        prepared = self.cycle_id.action_prepare_payments(self.domain)
        return prepared if isinstance(prepared, dict) else {"type": "ir.actions.act_window_close"}
