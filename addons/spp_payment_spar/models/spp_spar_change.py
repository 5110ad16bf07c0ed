"""What becomes of an account at SPAR holds its payments, or frees them."""

from odoo import _, models
from odoo.tools import SQL

RECHECK_AFTER = 10  # seconds: a drain concludes many changes in a moment, and a cycle is looked at whole


class SparChange(models.Model):
    _inherit = "spp.spar.change"

    def _states_changed(self):
        """Look again at the waiting payments to these people, in one job per cycle.

        A job, because it is stored together with the change: a worker that dies in between forgets neither.
        """
        payments = self.env["spp.payment"].sudo()  # whose payments these are is not for the caller to see
        self.env.flush_all()
        self.env.cr.execute(
            SQL(
                """
                SELECT DISTINCT cycle_id FROM spp_payment
                 WHERE payee_id IN (SELECT partner_id FROM spp_spar_change WHERE id = ANY(%s))
                   AND state IN ('ready', 'held')
                """,
                self.ids,
            )
        )
        for (cycle_id,) in self.env.cr.fetchall():
            payments.with_delay(
                eta=RECHECK_AFTER,
                identity_key=f"spar-recheck-{cycle_id}",
                description=_("Recheck payments held for SPAR"),
            )._job_recheck_after_spar(cycle_id)
        return super()._states_changed()
