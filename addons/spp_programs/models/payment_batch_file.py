"""A payment file kept with each batch that is sent as a message: for who reconciles with the bank on paper, or by hand.

It is made after the batch was sent, of the payments that were; a worker that dies before leaves it to the next look.
"""

from odoo import fields, models
from odoo.tools import SQL

from ..tools.own_transaction import in_own_transaction

MOST_FILES = 100  # made by one job


class PaymentManager(models.Model):
    _inherit = "spp.payment.manager"

    attach_file = fields.Boolean(
        string="Keep a payment file",
        help="A file of its payments, with account numbers, is kept with each batch that was sent; finance officers "
        "fetch it there.",
    )

    def _attach_files(self):
        """Make the files that batches of this manager lack."""
        if not self.attach_file or self._issues():
            return
        self.env.flush_all()
        self.env.cr.execute(
            SQL(
                """
                SELECT b.id FROM spp_payment_batch b
                 WHERE b.manager_id = %s AND b.state IN ('sent', 'done')
                   AND EXISTS (SELECT FROM spp_payment p WHERE p.batch_id = b.id AND p.claim_token IS NOT NULL)
                   AND NOT EXISTS (SELECT FROM spp_payment_file f WHERE f.batch_id = b.id)
                 ORDER BY b.id LIMIT %s
                """,
                self.id,
                MOST_FILES,
            )
        )
        for (batch_id,) in self.env.cr.fetchall():
            self.env["spp.payment.batch"].browse(batch_id)._attach_file()

    def _ask_about_due(self, begun, everything=False):
        self._attach_files()
        return super()._ask_about_due(begun, everything)


class PaymentBatch(models.Model):
    _inherit = "spp.payment.batch"

    def _send_what_is_ready(self):
        result = super()._send_what_is_ready()
        if self.manager_id.attach_file and not self.manager_id._issues():
            self._attach_file()
        return result

    def _attach_file(self):
        in_own_transaction(self, lambda batch: batch._make_missing_file())

    def _make_missing_file(self):
        # One at a time: the sender and a look at what is missing may meet.
        self.env.cr.execute(SQL("SELECT id FROM spp_payment_batch WHERE id = %s FOR NO KEY UPDATE", self.id))
        sent = self.payment_ids.filtered(
            lambda payment: (
                payment.claim_token and payment.state not in ("ready", "held", "cancelled", "sending")
            )
        )
        if sent and not self.file_ids:
            self.manager_id._make_file(self, sent)
