"""A payment waits until SPAR has confirmed the account that it goes to."""

from datetime import timedelta

from odoo import _, api, fields, models
from odoo.tools import SQL


class Payment(models.Model):
    _inherit = "spp.payment"

    @api.model
    def _hold_queries(self):
        """Where the payment's company has an active SPAR mapper: hold what SPAR has not confirmed."""
        self.env["spp.spar.change"]._record_edited()  # what this very transaction has edited counts too
        company = SQL("p.company_id")
        accounts = self.env["spp.payment.account"]
        now = fields.Datetime.now()
        seen = accounts._newest_spar_change_sql(SQL("account"), SQL("change.observed_at"), company)
        state = accounts._spar_state_sql(SQL("account"), company)
        refusal = accounts._newest_spar_change_sql(SQL("account"), SQL("change.reason"), company)
        return super()._hold_queries() + [
            SQL(
                """
                SELECT known.payment_id,
                       CASE known.state WHEN 'no_id' THEN %(no_id)s
                                        WHEN 'pending' THEN %(pending)s
                                        WHEN 'conflict' THEN %(conflict)s
                                        WHEN 'other' THEN %(other)s
                                        WHEN 'skipped' THEN %(skipped)s
                                        WHEN 'done' THEN concat_ws(' ', %(asking)s, known.refusal)
                                        WHEN 'failed' THEN concat_ws(' ', %(failed)s, known.refusal)
                                        ELSE %(former)s END
                  FROM (SELECT p.id AS payment_id, %(state)s AS state, %(refusal)s AS refusal,
                               %(stale)s AS is_stale
                          FROM spp_payment p
                          JOIN spp_payment_account account ON account.id = p.account_id
                          JOIN spp_spar_mapper used ON used.company_id = p.company_id AND used.active
                         WHERE p.state IN ('ready', 'held') AND NOT %(handed_out)s
                       ) known
                 WHERE known.state <> 'done' OR known.is_stale
                """,
                stale=SQL(
                    "used.fresh_hours > 0 AND COALESCE(%s < %s::timestamp - make_interval(hours => used.fresh_hours), TRUE)",
                    seen,
                    now,
                ),
                asking=_("SPAR is asked about the account before it is paid."),
                handed_out=self._is_handed_out(),
                state=state,
                refusal=refusal,
                no_id=_("The payee has no SPAR ID: the document that makes it is missing."),
                pending=_("SPAR has not confirmed the account yet."),
                conflict=_("SPAR holds another account than the registry; an Enrollment Officer decides."),
                other=_("SPAR keeps another account than the registry: enter that one."),
                skipped=_("SPAR was not told of the account: an Enrollment Officer skipped it."),
                failed=_("SPAR did not take the account."),
                former=_("SPAR was told to pay the payee to another account."),
            ),
            SQL(
                """
                SELECT known.payment_id, known.flag
                  FROM (SELECT p.id AS payment_id, %(flag)s AS flag
                          FROM spp_payment p
                          JOIN spp_payment_account account ON account.id = p.account_id
                         WHERE p.state IN ('ready', 'held') AND NOT %(handed_out)s) known
                 WHERE known.flag IS NOT NULL
                """,
                flag=accounts._flag_sql(SQL("account"), company),
                handed_out=self._is_handed_out(),
            ),
        ]

    @api.model
    def _recheck(self, scope):
        """SPAR is asked about those accounts that it confirmed too long ago; they are held until it has answered."""
        result = super()._recheck(scope)
        # sudo: whose mapper it is is not for the caller to see
        mappers = self.env["spp.spar.mapper"].sudo()
        for mapper in mappers.search([("active", "=", True), ("fresh_hours", ">", 0)]):
            mapper._look_again(
                SQL(
                    """
                    (change.observed_at IS NULL OR change.observed_at < %s) AND change.account_id IN (
                        SELECT p.account_id FROM spp_payment p
                         WHERE p.state = 'held' AND p.company_id = %s AND NOT %s AND %s)
                    """,
                    fields.Datetime.now() - timedelta(hours=mapper.fresh_hours),
                    mapper.company_id.id,
                    self._is_handed_out(),
                    scope,
                )
            )
        return result

    def action_ask_spar(self):
        """Look once more at what SPAR holds for the payees of these payments, and at what holds the payments.

        Roles: program manager, finance officer.
        """
        self._check_role("program_manager", "finance_officer")
        accounts = self.sudo().account_id  # sudo: who asks need not see accounts; nothing of them is shown
        for mapper in self.env["spp.spar.mapper"].sudo().search([("active", "=", True)]):
            mapper._look_again(SQL("change.account_id = ANY(%s)", accounts.ids))
        for cycle in self.cycle_id:
            self._job_recheck_after_spar(cycle.id)
        return True

    def spar_now(self):
        """What SPAR holds for the payee now; see `spar_now` of registrants."""
        self.env["spp.payment.account"].check_access_rights("read")
        self.ensure_one()
        self.check_access_rights("read")
        self.check_access_rule("read")
        return self.payee_id.spar_now() if self.payee_id else {"state": "off"}

    @api.model
    def _job_recheck_after_spar(self, cycle_id):
        """Look again at what holds a cycle's payments. Safe to run twice."""
        # sudo: a job of the system, whoever's edit or drain enqueued it; a cycle is looked at whole.
        payments = self.sudo()
        payments._recheck_holds(payments.env["spp.cycle"].browse(cycle_id))
