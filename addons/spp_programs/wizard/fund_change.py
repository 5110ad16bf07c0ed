"""Allocate money to a program's fund, or correct what was allocated."""

import uuid

from odoo import fields, models


class FundChange(models.TransientModel):
    _name = "spp.fund.change"
    _description = "Change of a program's fund"

    program_id = fields.Many2one(comodel_name="spp.program", required=True, readonly=True)
    currency_id = fields.Many2one(comodel_name="res.currency", related="program_id.currency_id")
    fund_free = fields.Monetary(string="Free now", related="program_id.fund_free")
    kind = fields.Selection(
        selection=[("allocation", "Allocation"), ("adjustment", "Adjustment")],
        required=True,
        default="allocation",
        help="An allocation gives money to the program. An adjustment corrects it, with a minus downwards, as far as "
        "the money is free.",
    )
    amount = fields.Char(required=True, help="A decimal number, like 1250.50.")
    document = fields.Char(required=True, help="The paper it rests on: a warrant, a letter.")
    request_key = fields.Char(
        required=True,
        readonly=True,
        default=lambda self: str(uuid.uuid4()),
        help="Keeps a second click from posting twice.",
    )

    def action_post(self):
        self.ensure_one()
        change = self.program_id.fund_allocate if self.kind == "allocation" else self.program_id.fund_adjust
        change(self.amount, self.document, self.request_key)
        return {"type": "ir.actions.act_window_close"}
