"""Allocate money to a program's fund, or correct what was allocated."""

import uuid

from odoo import api, fields, models


class FundChange(models.TransientModel):
    _name = "spp.fund.change"
    _description = "Change of a program's fund"

    program_id = fields.Many2one(comodel_name="spp.program", required=True, readonly=True)
    currency_id = fields.Many2one(comodel_name="res.currency", related="program_id.currency_id")
    fund_free = fields.Monetary(string="Free now", related="program_id.fund_free")
    kind = fields.Selection(
        selection=[
            ("allocation", "Allocation"),
            ("correction", "Correction of a mistyped allocation"),
            ("adjustment", "Other adjustment"),
        ],
        required=True,
        default="allocation",
        help="An allocation gives money to the program. A correction says what an allocation should have been; the "
        "difference is posted. Any other adjustment adds to the fund or, with a minus, takes from it. Downwards both "
        "work as far as the money is free.",
    )
    entry_id = fields.Many2one(
        comodel_name="spp.fund.entry",
        string="Allocation",
        domain="[('program_id', '=', program_id), ('kind', '=', 'allocation')]",
        help="The allocation that was mistyped.",
    )
    amount = fields.Char(
        required=True, help="A decimal number, like 1250.50. For a correction: what it should have been."
    )
    fiscal_year = fields.Char(
        compute="_compute_fiscal_year", store=True, readonly=False, size=4, help="The year whose money it is."
    )
    document = fields.Char(required=True, help="The paper it rests on: a warrant, a letter.")
    request_key = fields.Char(
        required=True,
        readonly=True,
        default=lambda self: str(uuid.uuid4()),
        help="Keeps a second click from posting twice.",
    )

    @api.depends("program_id", "entry_id")
    def _compute_fiscal_year(self):
        today = fields.Date.context_today(self)
        for change in self:
            change.fiscal_year = change.entry_id.fiscal_year or change.program_id.company_id._spp_fiscal_year(
                today
            )

    def action_post(self):
        self.ensure_one()
        program, words = self.program_id, (self.amount, self.document, self.request_key)
        if self.kind == "correction":
            program.fund_correct(self.entry_id.id, *words)
        elif self.kind == "allocation":
            program.fund_allocate(*words, self.fiscal_year)
        else:
            program.fund_adjust(*words, self.fiscal_year)
        return {"type": "ir.actions.act_window_close"}
