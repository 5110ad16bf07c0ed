"""What a person decides about payments and must give words for: cancel them, or settle them by hand."""

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
            ("cancel", "Cancel: do not send"),
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

    def action_decide(self):
        self.ensure_one()
        if self.decision == "cancel":
            self.payment_ids.action_cancel(self.words)
        else:
            self.payment_ids.action_settle(self.decision, self.words)
        return {"type": "ir.actions.act_window_close"}
