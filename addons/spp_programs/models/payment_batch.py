"""Payments that are sent together, in one message.

A batch is released by a person and sent by a job. The job claims the payments and commits the claim, sends, keeps
message and answer, then concludes: each step in a transaction of its own, so that a worker that dies at any
point leaves the truth behind: what it claimed is `sending`, and once its lock is gone, `unknown`. The cursor of the
job itself is never committed here.
"""

from uuid import uuid4

from odoo import _, api, fields, models
from odoo.tools import SQL

from odoo.addons.queue_job.exception import RetryableJobError
from odoo.addons.spp_base.http import CallError, NotSent
from odoo.addons.spp_base.tools import advisory

from ..tools.own_transaction import in_own_transaction, seeing_now
from .payment_manager import MessageRefused, NotNow


class PaymentBatch(models.Model):
    _name = "spp.payment.batch"
    _inherit = ["spp.guarded.mixin"]
    _description = "Payment batch"
    _order = "id desc"

    _guarded_fields = frozenset(
        {
            "name",
            "program_id",
            "cycle_id",
            "company_id",
            "manager_id",
            "currency_id",
            "state",
            "payment_count",
            "total_amount",
            "released_by",
            "released_at",
            "message",
        }
    )

    name = fields.Char(required=True, readonly=True)
    program_id = fields.Many2one(
        comodel_name="spp.program", required=True, readonly=True, index=True, ondelete="restrict"
    )
    cycle_id = fields.Many2one(
        comodel_name="spp.cycle", required=True, readonly=True, index=True, ondelete="restrict"
    )
    company_id = fields.Many2one(
        comodel_name="res.company", required=True, readonly=True, ondelete="restrict"
    )
    manager_id = fields.Many2one(
        comodel_name="spp.payment.manager", required=True, readonly=True, index=True, ondelete="restrict"
    )
    currency_id = fields.Many2one(
        comodel_name="res.currency", required=True, readonly=True, ondelete="restrict"
    )
    state = fields.Selection(
        selection=[("draft", "To be sent"), ("sending", "Sending"), ("sent", "Sent"), ("done", "Done")],
        required=True,
        readonly=True,
        help="Sent: some of its payments have no end yet. Done: every payment has one.",
    )
    message = fields.Char(
        string="What happened", readonly=True, help="Why the last attempt to send did not succeed."
    )
    released_by = fields.Many2one(comodel_name="res.users", readonly=True, ondelete="restrict")
    released_at = fields.Datetime(readonly=True)
    payment_ids = fields.One2many(
        comodel_name="spp.payment", inverse_name="batch_id", string="Payments", readonly=True
    )
    exchange_ids = fields.One2many(
        comodel_name="spp.payment.exchange",
        inverse_name="batch_id",
        string="Messages",
        readonly=True,
        groups="spp_base.group_auditor,spp_base.group_finance_officer",
    )
    payment_count = fields.Integer(string="Number of payments", readonly=True)
    total_amount = fields.Monetary(string="Total", readonly=True)

    _sql_constraints = [("name_unique", "UNIQUE(name)", "A batch's name is unique.")]

    # ------------------------------------------------------------------ sending

    def _release(self):
        """Let the batches be sent, by a job each. The caller has checked the user."""
        self._write_guarded(
            {"released_by": self.env.uid, "released_at": fields.Datetime.now(), "message": False}
        )
        self._enqueue()

    def _enqueue(self):
        for batch in self:
            batch.with_delay(
                description=_("Send the payment batch %s", batch.name),
                identity_key=f"spp_payment_send:{batch.id}",
                max_retries=0,  # a payer may be down for days
            )._job_send()

    def _job_send(self):
        """Send what is ready in a released batch. Run a second time, it finds nothing ready and sends nothing."""
        self.ensure_one()
        batch = self.with_context(tz=self.env.user.tz or "UTC")  # else it is looked up for each hold
        try:
            # sudo: who releases payments cannot read the account numbers that are sent.
            with advisory.held(self.env.cr.dbname, self._lock_key()), seeing_now(batch) as batch:
                return batch._send_what_is_ready()
        except advisory.Busy:
            return _("Another worker is sending this batch.")

    def _send_what_is_ready(self):
        self.manager_id._check_can_send()
        payment_ids, message_id = in_own_transaction(self, lambda batch: batch._claim())
        if not payment_ids:
            return _("There is nothing to send.")
        payments = self.env["spp.payment"].browse(payment_ids)
        try:
            findings = self.manager_id._send_batch(self, payments, message_id)
        except NotSent as error:
            reason = error.reason
            in_own_transaction(self, lambda batch: batch._give_back(payment_ids, reason, still_released=True))
            if isinstance(error, NotNow):
                raise RetryableJobError(reason, seconds=error.seconds, ignore_retry=True) from None
            raise RetryableJobError(reason) from None
        except MessageRefused as error:
            reason, code = error.reason, error.code
            in_own_transaction(self, lambda batch: batch._give_back(payment_ids, reason, code))
            return reason
        except CallError as error:
            reason = error.reason
            in_own_transaction(self, lambda batch: batch._conclude_send(payment_ids, {}, reason))
            return reason
        left_out = _("The payer's answer leaves this payment out.")
        in_own_transaction(self, lambda batch: batch._conclude_send(payment_ids, findings, left_out))
        return _("%s payments sent.", len(payment_ids))

    def _claim(self):
        """Make what may be sent ours: state sending. Return the ids and the number of the message to come."""
        self._leave_unknown()
        nothing = [], ""
        program = self.program_id
        may_be_sent = (
            self.released_by
            and self.cycle_id.state == "disbursing"
            and program.state == "active"
            and program.payment_manager_id == self.manager_id
        )
        if not may_be_sent:
            return nothing
        payments = self.env["spp.payment"]
        message_id = str(uuid4())
        # What was ready when somebody released it may be held by now.
        scope = SQL(
            "p.batch_id = %s AND EXISTS (SELECT FROM spp_entitlement e WHERE e.id = p.entitlement_id AND e.state = 'approved')",
            self.id,
        )
        payments._fill_destination(scope)
        payments._apply(payments._judged(scope, free="sending"), claim_token=message_id)
        self.env.cr.execute(
            SQL(
                "SELECT id FROM spp_payment WHERE batch_id = %s AND state = 'sending' AND claim_token = %s ORDER BY id",
                self.id,
                message_id,
            )
        )
        claimed = [payment_id for (payment_id,) in self.env.cr.fetchall()]
        return (claimed, message_id) if claimed else nothing

    def _give_back(self, payment_ids, reason, code="", still_released=False):
        """Nothing of the message was taken: its payments are ready again, with the same references."""
        self.env["spp.payment"]._apply([(payment_id, "ready", reason, code) for payment_id in payment_ids])
        released = {} if still_released else {"released_by": False, "released_at": False}
        self._write_guarded({"message": reason, **released})

    def _conclude_send(self, payment_ids, findings, otherwise):
        """Give each sent payment the state its finding says; without one it is unknown, for the reason `otherwise`."""
        self.env["spp.payment"].browse(payment_ids)._conclude(findings, otherwise)
        if not findings:
            self._write_guarded({"message": otherwise})

    # ------------------------------------------------------------------ senders that died

    @api.model
    def _send_left(self):
        """Enqueue what was released and is ready, and is sent by no job: it was lost with its worker, or with the
        database. Its release still stands."""
        self.env.flush_all()
        self.env.cr.execute(
            SQL(
                """
                SELECT b.id
                  FROM spp_payment_batch b
                  JOIN spp_cycle c ON c.id = b.cycle_id AND c.state = 'disbursing'
                  JOIN spp_program g ON g.id = b.program_id AND g.state = 'active' AND g.payment_manager_id = b.manager_id
                 WHERE b.state = 'draft' AND b.released_by IS NOT NULL
                   AND NOT EXISTS (SELECT FROM queue_job j
                                    WHERE j.identity_key = 'spp_payment_send:' || b.id
                                      AND j.state IN ('wait_dependencies', 'pending', 'enqueued', 'started'))
                   AND EXISTS (SELECT FROM spp_payment p
                                 JOIN spp_entitlement e ON e.id = p.entitlement_id AND e.state = 'approved'
                                WHERE p.batch_id = b.id AND p.state = 'ready')
                 ORDER BY b.id
                """
            )
        )
        self.browse(batch_id for (batch_id,) in self.env.cr.fetchall())._enqueue()

    def _recover(self):
        """Make unknown what is `sending` without a living sender. Holding its lock, no sender can begin meanwhile."""
        for batch in self:
            try:
                with advisory.held(self.env.cr.dbname, batch._lock_key()):
                    in_own_transaction(batch, lambda batch: batch._leave_unknown())
            except advisory.Busy:
                continue

    def _leave_unknown(self):
        """The lock of this batch is ours: whoever claimed what is still `sending` is gone."""
        reason = _("Sending was interrupted: the payer may have the payment or not.")
        self.env["spp.payment"]._apply(
            SQL(
                """
                SELECT id, 'unknown', %s, 'interrupted', NULL::timestamp, '' FROM spp_payment
                 WHERE batch_id = %s AND state = 'sending'
                """,
                reason,
                self.id,
            )
        )

    # ------------------------------------------------------------------ helpers

    def _lock_key(self):
        return advisory.key(self._name, self.id)

    def _refresh(self):
        """State, number and total follow the payments: one statement for all the batches."""
        if not self:
            return
        self.env.cr.execute(
            SQL(
                """
                UPDATE spp_payment_batch b
                   SET state = now.state, payment_count = now.count, total_amount = now.total
                  FROM (SELECT b.id, count(p.id) AS count, COALESCE(sum(p.amount), 0) AS total,
                               CASE WHEN bool_or(p.state = 'sending') THEN 'sending'
                                    WHEN bool_or(p.state = 'ready') THEN 'draft'
                                    WHEN bool_or(p.state IN ('accepted', 'unknown')) THEN 'sent'
                                    ELSE 'done' END AS state
                          FROM spp_payment_batch b
                     LEFT JOIN spp_payment p ON p.batch_id = b.id
                         WHERE b.id = ANY(%s)
                         GROUP BY b.id) now
                 WHERE b.id = now.id
                   AND (now.count = 0 OR (b.state, b.payment_count, b.total_amount)
                                         IS DISTINCT FROM (now.state, now.count, now.total))
             RETURNING b.id, b.payment_count
                """,
                self.ids,
            )
        )
        emptied = [batch_id for batch_id, count in self.env.cr.fetchall() if not count]
        if emptied:
            # What was emptied before it was ever sent leaves nothing behind.
            self.env.cr.execute(
                SQL(
                    """
                    DELETE FROM spp_payment_batch b
                     WHERE b.id = ANY(%s) AND b.released_by IS NULL
                       AND NOT EXISTS (SELECT FROM spp_payment WHERE batch_id = b.id)
                       AND NOT EXISTS (SELECT FROM spp_payment_exchange WHERE batch_id = b.id)
                    """,
                    emptied,
                )
            )
        self.env.invalidate_all()
