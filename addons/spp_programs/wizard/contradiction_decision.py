"""Propose how a contradiction between the payer and the books is settled."""

from odoo import api, fields, models

from ..models.payment_contradiction import OUTCOMES


class ContradictionDecision(models.TransientModel):
    _name = "spp.contradiction.decision"
    _description = "Settle a contradiction"

    contradiction_id = fields.Many2one(comodel_name="spp.payment.contradiction", required=True, readonly=True)
    kind = fields.Selection(related="contradiction_id.kind")
    outcome_amount = fields.Selection(
        selection=lambda self: self._selection("amount"), string="How it was, where the amount differs"
    )
    outcome_late = fields.Selection(
        selection=lambda self: self._selection("late_paid"), string="How it was, where the payment had ended"
    )
    evidence = fields.Char(
        required=True, help="What shows it: a bank statement, the payer's letter, with number and date."
    )

    @api.model
    def _selection(self, kind):
        labels = dict(
            self.env["spp.payment.contradiction"]._fields["outcome"]._description_selection(self.env)
        )
        return [(outcome, labels[outcome]) for outcome in OUTCOMES[kind]]

    def action_propose(self):
        self.ensure_one()
        self.check_access_rights("write")
        self.check_access_rule("write")
        outcome = self.outcome_amount if self.kind == "amount" else self.outcome_late
        self.contradiction_id.action_propose(outcome, self.evidence)
        return {"type": "ir.actions.act_window_close"}
