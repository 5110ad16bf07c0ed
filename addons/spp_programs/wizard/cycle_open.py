"""Open a cycle of a program for a period."""

from dateutil.relativedelta import relativedelta

from odoo import api, fields, models


class CycleOpen(models.TransientModel):
    _name = "spp.cycle.open"
    _description = "New cycle"

    program_id = fields.Many2one(comodel_name="spp.program", required=True, readonly=True)
    start = fields.Date(required=True, compute="_compute_start", store=True, readonly=False)
    end = fields.Date(required=True, compute="_compute_end", store=True, readonly=False)
    as_of = fields.Date(
        string="As of",
        required=True,
        compute="_compute_as_of",
        store=True,
        readonly=False,
        help="The date on which the rule looks at people: their ages, and who lives in which household.",
    )

    currency_id = fields.Many2one(comodel_name="res.currency", related="program_id.currency_id")
    budget = fields.Monetary(
        compute="_compute_budget",
        store=True,
        readonly=False,
        help="What the cycle may come to. Above it, submission needs a reason. 0: no limit.",
    )

    @api.depends("program_id")
    def _compute_start(self):
        """The next period of the calendar; without one, the day after the last cycle, else the first of this month."""
        for wizard in self:
            period = wizard.program_id._next_period()
            last = self.env["spp.cycle"].search(
                [("program_id", "=", wizard.program_id.id), ("state", "!=", "cancelled")],
                order="end desc",
                limit=1,
            )
            today = fields.Date.context_today(wizard)
            first = last.end + relativedelta(days=1) if last else today.replace(day=1)
            wizard.start = period[0] if period else first

    @api.depends("start")
    def _compute_end(self):
        for wizard in self:
            period = wizard.program_id._next_period()
            if period and period[0] == wizard.start:
                wizard.end = period[1]
            else:
                wizard.end = wizard.start and wizard.start + relativedelta(months=1, days=-1)

    @api.depends("program_id")
    def _compute_budget(self):
        for wizard in self:
            wizard.budget = wizard.program_id.cycle_budget

    @api.depends("start")
    def _compute_as_of(self):
        for wizard in self:
            wizard.as_of = wizard.start

    def action_open(self):
        self.ensure_one()
        cycle_id = self.program_id.action_new_cycle(self.start, self.end, self.as_of, str(self.budget))
        return {
            "type": "ir.actions.act_window",
            "res_model": "spp.cycle",
            "res_id": cycle_id,
            "views": [(False, "form")],
        }
