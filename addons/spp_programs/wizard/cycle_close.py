"""Close a cycle: what becomes of everything that was approved and not paid."""

from odoo import _, api, fields, models
from odoo.exceptions import UserError

from ..models.cycle_closing import SITUATIONS


class CycleClose(models.TransientModel):
    _name = "spp.cycle.close"
    _description = "Close a cycle"

    cycle_id = fields.Many2one(comodel_name="spp.cycle", required=True, readonly=True, ondelete="cascade")
    currency_id = fields.Many2one(comodel_name="res.currency", related="cycle_id.currency_id")
    line_ids = fields.One2many(comodel_name="spp.cycle.close.line", inverse_name="close_id", string="Unpaid")
    must_wait = fields.Boolean(compute="_compute_must_wait")
    waits = fields.Boolean(compute="_compute_must_wait")

    @api.model_create_multi
    def create(self, vals_list):
        wizards = super().create(vals_list)
        for wizard in wizards:
            wizard.line_ids = [
                (
                    0,
                    0,
                    {
                        "situation": question.situation,
                        "count": question.count,
                        "amount": question.amount,
                        "may_end": bool(question.answers),
                    },
                )
                for question in wizard.cycle_id._open()
            ]
        return wizards

    @api.depends("line_ids.answer", "line_ids.may_end")
    def _compute_must_wait(self):
        for wizard in self:
            wizard.must_wait = not all(wizard.line_ids.mapped("may_end"))
            wizard.waits = "wait" in wizard.line_ids.mapped("answer")

    def action_close(self):
        """Close the cycle with these answers; the model looks again at what is unpaid now."""
        self.ensure_one()
        if self.waits:
            raise UserError(_("Something is waited for, so the cycle stays open."))
        cycle = self.cycle_id.with_context(open_run=True)
        return cycle._close_dialog(
            cycle.action_close({line.situation: line.answer for line in self.line_ids})
        )


class CycleCloseLine(models.TransientModel):
    _name = "spp.cycle.close.line"
    _description = "What becomes of unpaid entitlements when a cycle is closed"
    _order = "id"

    close_id = fields.Many2one(comodel_name="spp.cycle.close", required=True, ondelete="cascade")
    situation = fields.Selection(
        selection=[(situation, label) for situation, label, _answers in SITUATIONS], readonly=True
    )
    count = fields.Integer(string="Entitlements", readonly=True)
    amount = fields.Monetary(readonly=True)
    currency_id = fields.Many2one(comodel_name="res.currency", related="close_id.currency_id")
    may_end = fields.Boolean(readonly=True)
    answer = fields.Selection(
        selection=[("wait", "Keep waiting"), ("expire", "Expires"), ("cancel", "Is cancelled")],
        string="What becomes of it",
        required=True,
        default="wait",
        help="With anything to wait for, the cycle stays open. What expires or is cancelled is not sent any more, and "
        "its money is free again.",
    )
