"""A payment goes only to whom and where it was approved to go.

What a cycle's approval covers is frozen with each beneficiary: the payee, and a fingerprint of the account. Where a
payment would go elsewhere, because payee or account were changed since, the payment alone is held, and no other. It
goes on once somebody who had no part in the change has looked at it: by taking the current account, by letting the
payment go, or by issuing it again with what was done about it.
"""

from odoo import _, api, fields, models
from odoo.exceptions import AccessError
from odoo.tools import SQL

from ..tools.account import account_print


class Payment(models.Model):
    _inherit = "spp.payment"

    confirmed_destination = fields.Char(
        readonly=True,
        groups=fields.NO_ACCESS,
        help="Fingerprint of the payee and account that were confirmed although another one was approved.",
    )
    confirmed_by = fields.Many2one(
        comodel_name="res.users",
        string="Payee and account confirmed by",
        readonly=True,
        index="btree_not_null",
        ondelete="restrict",
        help="Who let it go to another payee or account than the cycle was approved with.",
    )
    approved_destination = fields.Char(
        string="Approved for",
        compute="_compute_approved_destination",
        compute_sudo=True,
        help="Payee and account as the cycle was approved, where the payment would go elsewhere now.",
    )

    current_destination = fields.Char(
        string="In the registry now",
        compute="_compute_current_destination",
        compute_sudo=True,
        help="Payee and account that the registry has for it, where a payment that was not sent has others.",
    )

    def _compute_approved_destination(self):
        # What is on its way, or was, is shown as well: it says why somebody had to confirm it.
        self.env.cr.execute(
            SQL(
                """
                SELECT p.id, was.name, b.situation ->> 'masked'
                  FROM (%s) elsewhere
                  JOIN spp_payment p ON p.id = elsewhere.payment_id
                  JOIN spp_entitlement e ON e.id = p.entitlement_id
                  JOIN spp_cycle_beneficiary b ON b.id = e.beneficiary_id
             LEFT JOIN res_partner was ON was.id = (b.situation ->> 'payee')::integer
                """,
                self._elsewhere_sql(SQL("p.id = ANY(%s)", self._origin.ids)),
            )
        )
        found = {row[0]: row[1:] for row in self.env.cr.fetchall()}
        for payment in self:
            names = found.get(payment._origin.id)
            payment.approved_destination = bool(names) and _in_words(*names)

    def _compute_current_destination(self):
        self.env.flush_all()
        self.env.cr.execute(
            SQL(
                """
                SELECT due.id, payee.name, account.number_masked
                  FROM (SELECT p.*, c.as_of FROM spp_payment p JOIN spp_cycle c ON c.id = p.cycle_id
                         WHERE p.state = 'held' AND p.id = ANY(%s)) due
                       %s
                 WHERE (due.payee_id, due.account_id, due.account_number)
                       IS DISTINCT FROM (payee.id, account.id, account.number)
                """,
                self._origin.ids,
                self._destination_joins(today_first=True),
            )
        )
        found = {payment_id: names for payment_id, *names in self.env.cr.fetchall()}
        for payment in self:
            names = found.get(payment._origin.id)
            payment.current_destination = bool(names) and _in_words(*names)

    # ------------------------------------------------------------------ actions

    def action_let_go(self, reason):
        """As before; besides, it confirms the payee and account that a payment has, where others were approved.

        Not for who changed them.
        """
        self._check_role("program_manager", "finance_officer")
        reason = self._given(reason)
        self._lock()
        self._check_state("held")
        self._confirm_destination(reason)
        return super().action_let_go(reason)

    def action_use_current_account(self):
        """As before; by it somebody who did not change the account confirms it."""
        result = super().action_use_current_account()
        self._confirm_destination()
        self.action_recheck()
        return result

    def action_reissue(self, dealt_with):
        """As before; who issues a payment again confirms where it goes, unless they changed that themselves."""
        made = super().action_reissue(dealt_with)
        payments = self.browse(made)
        changed_by = payments._destination_changed_by()
        mine = payments.filtered(lambda payment: self.env.uid in changed_by[payment.id])
        (payments - mine)._confirm_destination(dealt_with)
        for cycle in payments.cycle_id:
            self._recheck_holds(cycle)
        return made

    # ------------------------------------------------------------------ business

    @api.model
    def _elsewhere_sql(self, scope):
        """SQL: (payment_id, other_payee) for payments of `scope` that go to another payee or account than approved.

        :param scope: SQL about the row `p` of spp_payment
        """
        return SQL(
            """
            SELECT p.id AS payment_id, p.payee_id::text IS DISTINCT FROM b.situation ->> 'payee' AS other_payee
              FROM spp_payment p
              JOIN spp_entitlement e ON e.id = p.entitlement_id
              JOIN spp_cycle_beneficiary b ON b.id = e.beneficiary_id
             WHERE b.situation IS NOT NULL AND p.payee_id IS NOT NULL AND %(scope)s
               AND (p.payee_id::text IS DISTINCT FROM b.situation ->> 'payee'
                    OR (p.account_id IS NOT NULL AND b.situation ->> 'print' IS DISTINCT FROM %(account)s
                        AND NOT (%(without)s)))
            """,
            scope=scope,
            account=self._account_print(),
            without=self._needs_no_account(),
        )

    @api.model
    def _account_print(self):
        names = ("account_id", "account_kind", "account_provider_id", "account_number")
        return account_print(*(SQL.identifier("p", name) for name in names))

    @api.model
    def _destination_print(self):
        return SQL("concat_ws(':', p.payee_id, %s)", self._account_print())

    def _confirm_destination(self, reason=""):
        """Where these payments go elsewhere than approved, it is confirmed by the present user.

        :raise AccessError: for who changed it
        """
        self.env.flush_all()
        self.env.cr.execute(
            SQL(
                "SELECT payment_id FROM (%s) elsewhere",
                self._elsewhere_sql(
                    SQL(
                        "p.id = ANY(%s) AND p.confirmed_destination IS DISTINCT FROM %s",
                        self.ids,
                        self._destination_print(),
                    )
                ),
            )
        )
        elsewhere = self.browse([row[0] for row in self.env.cr.fetchall()])
        if not elsewhere:
            return
        changed_by = elsewhere._destination_changed_by()
        for payment in elsewhere:
            if self.env.uid in changed_by[payment.id]:
                raise AccessError(
                    _(
                        "You changed the payee or the account of %s: somebody else lets it go.",
                        payment.reference,
                    )
                )
        self.env.cr.execute(
            SQL(
                "UPDATE spp_payment p SET confirmed_destination = %s, confirmed_by = %s WHERE p.id = ANY(%s)",
                self._destination_print(),
                self.env.uid,
                elsewhere.ids,
            )
        )
        elsewhere.invalidate_recordset(["confirmed_destination", "confirmed_by"])
        for payment in elsewhere:
            self._log(
                payment,
                "Payee and account confirmed",
                old=payment.approved_destination,
                new=", ".join(filter(None, (payment.payee_name, payment.account_masked))),
                note=reason,
            )

    def _destination_changed_by(self):
        """{payment id: ids of everybody who ever entered or changed its account, or who is at the household's head}"""
        self.env.flush_all()
        self.env.cr.execute(
            SQL(
                """
                WITH p AS (SELECT id, account_id, partner_id, payee_id FROM spp_payment WHERE id = ANY(%(ids)s)),
                touched AS (
                    SELECT p.id, 'spp.payment.account' AS model, a.id AS res_id, a.create_uid, a.write_uid
                      FROM p JOIN spp_payment_account a ON a.id = p.account_id
                     UNION ALL
                    SELECT p.id, 'spp.group.membership', m.id, m.create_uid, m.write_uid
                      FROM p JOIN spp_group_membership m ON m.group_id = p.partner_id
                                 AND (m.is_head OR m.individual_id = p.payee_id))
                SELECT id, create_uid FROM touched
                 UNION
                SELECT id, write_uid FROM touched
                 UNION
                SELECT t.id, x.user_id FROM touched t
                  JOIN spp_audit_entry x ON x.res_model = t.model AND x.res_id = t.res_id
                """,
                ids=self.ids,
            )
        )
        found = {payment_id: set() for payment_id in self.ids}
        for payment_id, user_id in self.env.cr.fetchall():
            found[payment_id].add(user_id)
        return found

    @api.model
    def _hold_queries(self):
        """Payee or account are not those that were approved, and nobody has confirmed them."""
        return super()._hold_queries() + [
            SQL(
                "SELECT payment_id, CASE WHEN other_payee THEN %s ELSE %s END FROM (%s) elsewhere",
                _("The cycle was approved with another payee: who did not change it looks, and lets it go."),
                _(
                    "The cycle was approved with another account: who did not change it looks, and lets it go."
                ),
                self._elsewhere_sql(
                    SQL(
                        "p.state IN ('ready', 'held') AND p.confirmed_destination IS DISTINCT FROM %s",
                        self._destination_print(),
                    )
                ),
            )
        ]


def _in_words(payee, account):
    return ", ".join((payee or _("no payee"), account or _("no account")))
