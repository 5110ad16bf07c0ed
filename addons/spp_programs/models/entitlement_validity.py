"""Until when an entitlement can be paid: counted from the day its cycle was approved; then it expires, once.

What is on its way to the payer on the last day is waited for. What comes back after it expires as well.
"""

import logging

from odoo import _, api, fields, models
from odoo.exceptions import UserError
from odoo.tools import SQL

_logger = logging.getLogger(__name__)


class Entitlement(models.Model):
    _inherit = "spp.entitlement"

    @api.model
    def _cron_expire(self):
        """Let everything expire whose last day is over; cycle by cycle, those that somebody works on the next day."""
        today = fields.Date.context_today(self)
        self.flush_model(["valid_until", "state"])
        self.env.cr.execute(
            SQL(
                "SELECT DISTINCT cycle_id FROM spp_entitlement WHERE state = 'approved' AND valid_until < %s",
                today,
            )
        )
        for cycle in self.env["spp.cycle"].browse(sorted(row[0] for row in self.env.cr.fetchall())):
            try:
                with self.env.cr.savepoint():
                    cycle._expire(today)
            except UserError as error:
                _logger.warning("Nothing expired in cycle %s: %s", cycle.id, error)


class Cycle(models.Model):
    _inherit = "spp.cycle"

    def _set_state(self, state, **vals):
        result = super()._set_state(state, **vals)
        if state == "approved":
            for cycle in self:
                cycle._start_validity()
        return result

    def _start_validity(self):
        """The days for which an entitlement is valid begin with the approval."""
        terms = [benefit for benefit in self.terms["benefits"] if benefit["valid_days"]]
        if not terms:
            return
        self.env.flush_all()
        today = fields.Date.context_today(self)
        self.env.cr.execute(
            SQL(
                """
                UPDATE spp_entitlement e
                   SET valid_from = %(today)s, valid_until = %(today)s::date + term.days - 1
                  FROM unnest(%(benefits)s::int[], %(days)s::int[]) AS term(benefit_id, days)
                 WHERE e.cycle_id = %(cycle)s AND e.benefit_id = term.benefit_id AND e.state = 'approved'
                """,
                today=today,
                cycle=self.id,
                benefits=[benefit["id"] for benefit in terms],
                days=[benefit["valid_days"] for benefit in terms],
            )
        )
        self.env.invalidate_all()

    def _expire(self, today):
        """Let what was valid until before `today` and is not being paid expire; its money is free again."""
        self._lock()
        count = self._release("expired", _("Its validity has ended."), SQL("e.valid_until < %s", today))
        if count:
            self.env["spp.audit.entry"]._log("Entitlements expired", self, new={"entitlements": count})
        return count
