"""Say why a hand-out was recorded wrongly, or why it is right as it is."""

from odoo import fields, models


class HandoutCorrect(models.TransientModel):
    _name = "spp.handout.correct"
    _description = "Correct a hand-out"

    decision = fields.Selection(
        selection=[("propose", "Propose a correction"), ("refuse", "It is right as it is")],
        required=True,
        readonly=True,
    )
    handout_ids = fields.Many2many(
        comodel_name="spp.handout",
        string="Hand-outs",
        required=True,
        readonly=True,
        default=lambda self: (
            self.env.context.get("active_model") == "spp.handout" and self.env.context.get("active_ids")
        ),
    )
    reason = fields.Char(required=True, help="It is kept, and shown to whoever asks.")

    def action_decide(self):
        self.ensure_one()
        if self.decision == "propose":
            self.handout_ids.action_propose_correction(self.reason)
        else:
            self.handout_ids.action_refuse_correction(self.reason)
        return {"type": "ir.actions.act_window_close"}
