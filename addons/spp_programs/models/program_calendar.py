"""When a program's cycles are: its calendar, the next period, and their opening, by hand or by itself."""

import logging

from odoo import _, api, fields, models
from odoo.exceptions import UserError

from ..tools.calendar import first_period_after

_logger = logging.getLogger(__name__)


class Program(models.Model):
    _inherit = "spp.program"

    calendar = fields.Selection(
        selection=[
            ("weekly", "Every week"),
            ("fortnightly", "Every two weeks"),
            ("monthly", "Every month"),
            ("bimonthly", "Every two months"),
            ("quarterly", "Every three months"),
            ("half_yearly", "Every six months"),
            ("yearly", "Every year"),
            ("by_hand", "No calendar: periods are chosen by hand"),
        ],
        required=True,
        default="by_hand",
        help="How long the program's periods are. A cycle for any other period can be opened by hand as well.",
    )
    calendar_start = fields.Date(
        string="Calendar begins",
        help="The first day of the first period. Later ones are counted from it: a calendar from 31 January has periods "
        "from 28 February and from 31 March.",
    )
    open_by_itself = fields.Boolean(
        string="Open cycles by themselves",
        help="On the first day of each period its cycle is opened as a draft. Nothing is computed or submitted.",
    )
    cycle_budget = fields.Monetary(
        string="Budget of a cycle", help="What a cycle may come to, as proposed for new cycles. 0: none."
    )
    next_start = fields.Date(string="Next period", compute="_compute_next_period")
    next_end = fields.Date(compute="_compute_next_period")

    _sql_constraints = [
        (
            "calendar_begins",
            "CHECK(calendar = 'by_hand' OR calendar_start IS NOT NULL)",
            "A calendar needs the first day of its first period.",
        ),
        (
            "cycle_budget_positive",
            "CHECK(COALESCE(cycle_budget, 0) >= 0)",
            "A budget is an amount above zero.",
        ),
    ]

    @api.depends("calendar", "calendar_start", "cycle_ids.end", "cycle_ids.state")
    def _compute_next_period(self):
        for program in self:
            program.next_start, program.next_end = program._next_period() or (False, False)

    def _next_period(self):
        """First and last day of the calendar's first period after all cycles; None without a calendar."""
        if self.calendar == "by_hand" or not self.calendar_start:
            return None
        ends = self.sudo().cycle_ids.filtered(lambda cycle: cycle.state != "cancelled").mapped("end")
        return first_period_after(self.calendar, self.calendar_start, max(ends, default=None))

    def _what_next(self):
        said = super()._what_next()
        if said == _("Open a cycle for the next period.") and self.next_start:
            return _(
                "Open the cycle of the next period, %(start)s to %(end)s.",
                start=self.next_start,
                end=self.next_end,
            )
        return said

    def action_open_next_cycle(self, budget_str=None):
        """Open a cycle for the next period of the calendar. Role: program manager.

        :param budget_str: what it may come to as a decimal string; the program's budget of a cycle when not given
        :return: id of the cycle (spp.cycle)
        """
        self.ensure_one()
        self._check_role("program_manager")
        period = self._next_period()
        if not period:
            raise UserError(
                _("%s has no calendar: open a cycle for a period of your choice.", self.display_name)
            )
        return self.action_new_cycle(*period, budget_str=budget_str)

    @api.model
    def _cron_open_cycles(self):
        """Open the cycles whose period has begun, of programs that want it. One that cannot does not stop the others."""
        today = fields.Date.context_today(self)
        for program in self.search([("state", "=", "active"), ("open_by_itself", "=", True)]):
            try:
                with self.env.cr.savepoint():
                    program._open_due_cycles(today)
            except UserError as error:
                _logger.warning("No cycle was opened for program %s: %s", program.id, error)

    def _open_due_cycles(self, today):
        """Open the cycle of the period that `today` is in, and of those before it that have none."""
        self._lock()
        while (period := self._next_period()) and period[0] <= today:
            self._open_cycle(*period)
