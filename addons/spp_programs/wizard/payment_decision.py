"""What a person decides about payments and must give words for: hold, cancel, hand out, issue again, settle by hand."""

from odoo import fields, models


class PaymentDecision(models.TransientModel):
    _name = "spp.payment.decision"
    _description = "Decision about payments"

    payment_ids = fields.Many2many(
        comodel_name="spp.payment",
        string="Payments",
        required=True,
        default=lambda self: self.env.context.get("active_ids"),
    )
    decision = fields.Selection(
        selection=[
            ("hold", "Hold: do not send for now"),
            ("let_go", "Let go: nothing speaks against it any more"),
            ("cancel", "Cancel: do not send"),
            ("reissue", "Pay again"),
            ("handed_out", "It was handed out"),
            ("not_handed_out", "It was not collected"),
            ("paid", "It was paid"),
            ("never_received", "The payee never received it"),
            ("returned", "It was paid and came back"),
        ],
        required=True,
        help="A settlement by hand counts once a second finance officer has confirmed it.",
    )
    words = fields.Char(
        string="Reason or evidence",
        required=True,
        help="Why, or what shows it: the payer's letter or a bank statement, with number and date.",
    )
    on = fields.Date(string="Handed out on", default=fields.Date.context_today)
    collected_by = fields.Char(help="Who signed, where it was not the payee.")

    def action_decide(self):
        self.ensure_one()
        payments = self.payment_ids
        if self.decision == "handed_out":
            payments.action_hand_out(self.words, self.on, self.collected_by)
        elif self.decision in ("paid", "never_received", "returned"):
            payments.action_settle(self.decision, self.words)
        else:
            decide = {
                "hold": payments.action_hold,
                "let_go": payments.action_let_go,
                "cancel": payments.action_cancel,
                "reissue": payments.action_reissue,
                "not_handed_out": payments.action_not_handed_out,
            }[self.decision]
            decide(self.words)
        return {"type": "ir.actions.act_window_close"}
