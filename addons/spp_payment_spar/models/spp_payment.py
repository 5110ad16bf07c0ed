"""A payment waits until SPAR has confirmed the account that it goes to."""

from odoo import _, api, models
from odoo.tools import SQL


class Payment(models.Model):
    _inherit = "spp.payment"

    @api.model
    def _hold_queries(self):
        """Where the payment's company has an active SPAR mapper: hold what SPAR has not confirmed."""
        self.env["spp.spar.change"]._record_edited()  # what this very transaction has edited counts too
        company = SQL("p.company_id")
        accounts = self.env["spp.payment.account"]
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
                                        WHEN 'failed' THEN concat_ws(' ', %(failed)s, known.refusal)
                                        ELSE %(former)s END
                  FROM (SELECT p.id AS payment_id, %(state)s AS state, %(refusal)s AS refusal
                          FROM spp_payment p
                          JOIN spp_payment_account account ON account.id = p.account_id
                          JOIN spp_spar_mapper used ON used.company_id = p.company_id AND used.active
                         WHERE p.state IN ('ready', 'held') AND NOT %(handed_out)s
                       ) known
                 WHERE known.state <> 'done'
                """,
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
            )
        ]

    @api.model
    def _job_recheck_after_spar(self, cycle_id):
        """Look again at what holds a cycle's payments. Safe to run twice."""
        # sudo: a job of the system, whoever's edit or drain enqueued it; a cycle is looked at whole.
        payments = self.sudo()
        payments._recheck_holds(payments.env["spp.cycle"].browse(cycle_id))
