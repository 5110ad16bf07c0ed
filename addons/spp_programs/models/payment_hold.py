"""Payments that a person keeps from being sent, one or many, and payments given up before they were sent.

The set-based methods are what withdrawing a beneficiary, closing and cancelling a cycle use.
"""

from odoo import api, fields, models
from odoo.tools import SQL


class Payment(models.Model):
    _inherit = "spp.payment"

    hold_reason = fields.Char(
        string="Held by hand because",
        readonly=True,
        help="The payment is held until somebody lets it go, whatever else is in order.",
    )
    hold_by = fields.Many2one(comodel_name="res.users", string="Held by", readonly=True, ondelete="restrict")
    hold_at = fields.Datetime(string="Held since", readonly=True)

    # ------------------------------------------------------------------ actions

    def action_hold(self, reason):
        """Keep payments from being sent until somebody lets them go. Roles: program manager, finance officer.

        :param reason: why, in plain words: "The payee is said to have died"
        """
        self._check_role("program_manager", "finance_officer")
        reason = self._given(reason)
        self._lock()
        self._check_state("ready", "held")
        self._hold_unsent(SQL("p.id = ANY(%s)", self.ids), reason)
        for payment in self:
            self._log(payment, "Payment held", note=reason)
        return True

    def action_let_go(self, reason):
        """End what a person holds; what else holds the payment stays. Roles: program manager, finance officer.

        :param reason: what has been found out
        """
        self._check_role("program_manager", "finance_officer")
        reason = self._given(reason)
        self._lock()
        self._check_state("held")
        held = self.filtered("hold_reason")
        held._write_guarded({"hold_reason": False, "hold_by": False, "hold_at": False})
        for payment in held:
            self._log(payment, "Payment let go", note=reason)
        for cycle in self.cycle_id:
            self._recheck_holds(cycle)
        return True

    def action_cancel(self, reason):
        """Give up payments that were not sent. The entitlement stays due. Role: program manager.

        :param reason: why, in plain words
        """
        self._check_role("program_manager")
        reason = self._given(reason)
        self._lock()
        self._check_state("ready", "held")
        self._cancel_unsent(SQL("p.id = ANY(%s)", self.ids), reason)
        for payment in self:
            self._log(payment, "Payment cancelled", note=reason)
        return True

    # ------------------------------------------------------------------ set-based

    @api.model
    def _hold_unsent(self, scope, reason):
        """Hold, until a person lets them go, the payments of `scope` that were not sent. The caller checks the user.

        :param scope: SQL about the row `p` of spp_payment
        """
        self.env.flush_all()
        self.env.cr.execute(
            SQL(
                """
                UPDATE spp_payment p SET hold_reason = %s, hold_by = %s, hold_at = %s
                 WHERE p.state IN ('ready', 'held') AND %s
                """,
                reason,
                self.env.uid,
                fields.Datetime.now(),
                scope,
            )
        )
        self.env.invalidate_all()
        self._recheck(scope)

    @api.model
    def _cancel_unsent(self, scope, reason):
        """Cancel the payments of `scope` that were not sent; those that were are left alone. The caller checks the user.

        :param scope: SQL about the row `p` of spp_payment
        :return: ids of the payments that are cancelled
        """
        return self._apply(
            SQL(
                """
                SELECT p.id, 'cancelled', %s, '', NULL::timestamp, ''
                  FROM spp_payment p
                 WHERE p.state IN ('ready', 'held') AND %s
                """,
                reason,
                scope,
            )
        )

    @api.model
    def _hold_queries(self):
        return super()._hold_queries() + [
            SQL(
                "SELECT p.id, p.hold_reason FROM spp_payment p WHERE p.state IN ('ready', 'held') AND p.hold_reason <> ''"
            )
        ]
