"""When a payer is asked what became of payments: at the manager's interval, and the less often the older they are.

The cron runs every minute and finds what is due; a job asks, in bounded chunks and for a bounded time, and hands the
rest to the next job. A payment without an end is asked about for ever, however long that takes.
"""

import time
from datetime import UTC, datetime, timedelta

from odoo import _, api, fields, models
from odoo.exceptions import AccessError
from odoo.tools import SQL

from odoo.addons.queue_job.exception import RetryableJobError
from odoo.addons.spp_base.http import CallError, NotSent
from odoo.addons.spp_base.tools import advisory

from ..tools.own_transaction import in_own_transaction, seeing_now
from .payment_manager import STATUS_CHUNK

MAX_REFUSED = 10  # questions without an answer after which a job leaves the payer alone until the next
MOST_AT_ONCE = 5000  # payments that one job asks about
JOB_SECONDS = 300  # after which a job begins no further question
LONGEST_WAIT = timedelta(days=1)  # between two questions about a payment, however old it is


def exact_now():
    """Now, UTC, to the microsecond: two jobs of one second must not take each other's questions for their own."""
    return datetime.now(UTC).replace(tzinfo=None)


class PaymentManager(models.Model):
    _inherit = "spp.payment.manager"

    status_interval = fields.Integer(
        string="Minutes between questions",
        required=True,
        default=5,
        help="How often the payer is asked what became of a payment. The older the payment, the less often: after a "
        "tenth of its age, at least once a day. 0: every minute, whatever its age.",
    )
    status_at = fields.Datetime(string="Last asked", readonly=True, copy=False)
    status_message = fields.Char(
        string="Last answer",
        readonly=True,
        copy=False,
        help="What came of asking the payer for the last time.",
    )

    _sql_constraints = [
        (
            "status_interval_range",
            "CHECK(status_interval BETWEEN 0 AND 1440)",
            "The payer is asked at least once a day: 0 to 1440 minutes.",
        ),
    ]

    # ------------------------------------------------------------------ actions

    def action_ask_status(self):
        """Ask the payer now what became of all accepted and unknown payments, due or not.

        Role: finance officer.
        """
        if not self.env.user.has_group("spp_base.group_finance_officer"):
            raise AccessError(_("Asking the payer is done by a finance officer."))
        self.check_access_rights("read")
        self.check_access_rule("read")
        self._enqueue_status(everything=True)
        return True

    # ------------------------------------------------------------------ what is due

    @api.model
    def _cron_payment_status(self):
        """Find what is due and enqueue it: batches that lost their job, managers with payments to ask about, or left
        behind by a sender."""
        # sudo: what was released is sent, whoever looks
        self.env["spp.payment.batch"].sudo()._send_left()
        self.env.flush_all()
        self.env.cr.execute(
            SQL(
                """
                SELECT m.id
                  FROM spp_payment_manager m
                 WHERE EXISTS (SELECT FROM spp_payment_batch b
                                WHERE b.manager_id = m.id AND b.state IN ('sending', 'sent', 'draft')
                                  AND EXISTS (SELECT FROM spp_payment p
                                               WHERE p.batch_id = b.id
                                                 AND (p.state = 'sending'
                                                      OR p.state IN ('accepted', 'unknown') AND %s)))
                 ORDER BY m.id
                """,
                self._is_due(),
            )
        )
        due = self.browse(manager_id for (manager_id,) in self.env.cr.fetchall())
        (due | self._also_due())._enqueue_status()

    def _also_due(self):
        """Managers to be asked although none of their payments is due. Channels add theirs."""
        return self.browse()

    @api.model
    def _is_due(self):
        """SQL about a payment `p` of the manager `m`: it is time to ask about it again."""
        return self._waited_enough(SQL("p.asked_at"), SQL("COALESCE(p.sent_at, p.create_date)"))

    @api.model
    def _waited_enough(self, asked_at, since):
        """SQL: what is asked about since the time `since`, and was for the last time at `asked_at`, is due again."""
        return SQL(
            """
            (%(asked)s IS NULL OR m.status_interval = 0 OR %(asked)s <= %(now)s - greatest(m.status_interval * interval '1 minute',
                                                                  least((%(now)s - %(since)s) / 10, %(longest)s)))
            """,
            asked=asked_at,
            since=since,
            now=SQL("%s::timestamp", exact_now()),
            longest=LONGEST_WAIT,
        )

    def _due_chunks(self, begun, everything):
        """Ids of what to ask about, each chunk of one batch, the longest unasked first; at most MOST_AT_ONCE in all.

        :param begun: what was asked about since then (datetime) was asked about by this round
        :param everything: also what is not due yet
        """
        self.env.flush_all()
        self.env.cr.execute(
            SQL(
                """
                SELECT array_agg(id ORDER BY id)
                  FROM (SELECT next.*, (row_number() OVER (PARTITION BY batch_id ORDER BY id) - 1) / %(chunk)s AS part
                          FROM (SELECT p.id, p.batch_id, p.asked_at
                                  FROM spp_payment p
                                  JOIN spp_payment_batch b ON b.id = p.batch_id
                                  JOIN spp_payment_manager m ON m.id = b.manager_id
                                 WHERE m.id = %(manager)s AND b.state <> 'done' AND p.state IN ('accepted', 'unknown')
                                   AND (p.asked_at IS NULL OR p.asked_at < %(begun)s)
                                   AND (%(everything)s OR %(due)s)
                                 ORDER BY p.asked_at NULLS FIRST, p.batch_id, p.id
                                 LIMIT %(most)s) next) numbered
                 GROUP BY batch_id, part
                 ORDER BY min(asked_at) NULLS FIRST, batch_id, part
                """,
                chunk=STATUS_CHUNK,
                manager=self.id,
                begun=begun,
                everything=everything,
                due=self._is_due(),
                most=MOST_AT_ONCE,
            )
        )
        return [payment_ids for (payment_ids,) in self.env.cr.fetchall()]

    # ------------------------------------------------------------------ asking

    def _enqueue_status(self, everything=False, begun=None, part=1):
        """Enqueue a round of questions to each manager, or the next part of one.

        :param everything: also about what is not due yet
        :param begun: when the round began, ISO 8601: what was asked about since then is not asked about again
        """
        begun = begun or exact_now().isoformat()
        kind = f":{begun}" if everything else ""
        for manager in self:
            manager.with_delay(
                description=_("Ask what became of the payments of %s", manager.name),
                identity_key=f"spp_payment_status:{manager.id}{kind}{f':{part}' if part > 1 else ''}",
            )._job_ask_status(everything, begun, part)

    def _job_ask_status(self, everything=False, begun=None, part=1):
        """Ask about what is due, in chunks; each chunk is concluded before the next."""
        self.ensure_one()
        manager = self.with_context(tz=self.env.user.tz or "UTC")  # else it is looked up for each chunk
        lock = advisory.key(f"{self._name}.status", self.id)
        begun = datetime.fromisoformat(begun) if begun else exact_now()
        try:
            # sudo: the payments of a manager are followed whole, whoever asked for it.
            with advisory.held(self.env.cr.dbname, lock), seeing_now(manager.sudo()) as manager:
                message, is_more = manager._ask_about_due(begun, everything)
        except advisory.Busy:
            message = _("Another worker is asking this payer.")
            if everything:  # somebody waits for it
                raise RetryableJobError(message, seconds=10, ignore_retry=True) from None
            return message
        if is_more:
            self.sudo()._enqueue_status(everything, begun.isoformat(), part + 1)
        return message

    def _ask_about_due(self, begun, everything=False):
        """Return what came of it, in words, and whether there is more to ask about at once."""
        sending = [("manager_id", "=", self.id), ("state", "=", "sending")]
        self.env["spp.payment.batch"].search(sending)._recover()
        end = time.monotonic() + JOB_SECONDS
        due = self._due_chunks(begun, everything)[::-1]
        is_full = sum(map(len, due)) >= MOST_AT_ONCE
        asked, told, refused, message = 0, 0, 0, ""
        while due and refused < MAX_REFUSED and time.monotonic() < end:
            payment_ids = due.pop()
            payments = self.env["spp.payment"].browse(payment_ids)
            try:
                findings = self._ask_status(payments)
            except NotSent as error:
                message = error.reason
                break
            except CallError as error:
                # One reference may be what the payer stumbles over: the others must not wait for it for ever.
                message = error.reason
                refused += 1
                half = len(payment_ids) // 2
                due += [payment_ids[half:], payment_ids[:half]] if half else []
                in_own_transaction(payments, lambda payments: payments._asked())
                continue
            in_own_transaction(
                payments, lambda payments, findings=findings: payments._conclude_status(findings)
            )
            asked += len(payment_ids)
            told += len(findings)
        is_more = not message and bool(due or is_full)
        message = message or _("%(asked)s payments asked about, %(told)s told of.", asked=asked, told=told)
        told = {"status_at": fields.Datetime.now(), "status_message": message}
        in_own_transaction(self, lambda manager: manager.write(told))
        return message, is_more
