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

    @api.depends("program_id")
    def _compute_start(self):
        """The day after the last cycle, else the first of this month."""
        for wizard in self:
            last = self.env["spp.cycle"].search(
                [("program_id", "=", wizard.program_id.id), ("state", "!=", "cancelled")],
                order="end desc",
                limit=1,
            )
            today = fields.Date.context_today(wizard)
            wizard.start = last.end + relativedelta(days=1) if last else today.replace(day=1)

    @api.depends("start")
    def _compute_end(self):
        for wizard in self:
            wizard.end = wizard.start and wizard.start + relativedelta(months=1, days=-1)

    @api.depends("start")
    def _compute_as_of(self):
        for wizard in self:
            wizard.as_of = wizard.start

    def action_open(self):
        self.ensure_one()
        cycle_id = self.program_id.action_new_cycle(self.start, self.end, self.as_of)
        return {
            "type": "ir.actions.act_window",
            "res_model": "spp.cycle",
            "res_id": cycle_id,
            "views": [(False, "form")],
        }
