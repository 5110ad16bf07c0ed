"""Dialect B: payments go into an envelope of OpenG2P's G2P Bridge (models/payment_envelope.py, wire/bridge.py)."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from odoo import _, fields, models
from odoo.tools import SQL

from odoo.addons.spp_base.http import AnswerLost, CallError, NotSent
from odoo.addons.spp_base.tools import advisory
from odoo.addons.spp_programs.models.payment import PROVED_NOT_RECEIVED
from odoo.addons.spp_programs.models.payment_manager import MessageRefused, NotNow
from odoo.addons.spp_programs.tools.own_transaction import in_own_transaction

from ..wire import bridge
from ..wire.answers import Finding, Verdict
from ..wire.bridge import Proof
from ..wire.messages import SHORT, MessageError

# The bridge waits for a lock up to this long (five times 15 s) and may still act after we gave up.
SERVERS_WORST_CASE = timedelta(seconds=75)


class PaymentManager(models.Model):
    _inherit = "spp.payment.manager"

    dialect = fields.Selection(
        selection_add=[("bridge", "G2P Bridge: an envelope for each cycle")],
        ondelete={"bridge": "set default"},
    )
    bridge_program = fields.Char(
        string="Program code at the bridge",
        help="Agreed with the operator of the bridge, who sets it up there.",
    )
    bridge_frequency = fields.Selection(
        selection=[(name, name) for name in bridge.FREQUENCIES],
        string="Frequency",
        default="Monthly",
        help="What is declared to the bridge; it has no effect on when we pay.",
    )
    schedule_days = fields.Integer(
        string="Days until payment",
        default=1,
        help="The bridge pays so many days after the release. Until then what an envelope declares can be corrected, "
        "for example when a payment was held at the last moment.",
    )

    watch_days = fields.Integer(
        string="Days to watch for returns",
        default=90,
        help="For so many days after the day of payment the bridge is asked whether the bank sent anything back.",
    )

    _sql_constraints = [
        ("schedule_days_range", "CHECK(schedule_days BETWEEN 0 AND 365)", "Days until payment: 0 to 365."),
    ]

    def _needed(self):
        needed = super()._needed()
        return needed + (("bridge_program", "bridge_frequency") if self.dialect == "bridge" else ())

    def _route_fields(self):
        return super()._route_fields() | {"bridge_program"}

    def _is_bridge(self):
        return self.provider == "g2p_connect" and self.dialect == "bridge"

    def _test(self):
        if self.dialect != "bridge":
            return super()._test()
        request = bridge.ask(self._party(), str(uuid4()), [f"connection-test-{uuid4()}"], datetime.now(UTC))
        reading = self._call_bridge("test", request, (), bridge.read_status, expected_ids=())
        if reading.verdict is not Verdict.ANSWERED:
            raise CallError(reading.reason)
        return None

    # ------------------------------------------------------------------ sending

    def _send_batch(self, batch, payments, message_id):
        if not self._is_bridge():
            return super()._send_batch(batch, payments, message_id)
        envelope = self.env["spp.payment.envelope"]._of_batch(batch)
        try:
            with advisory.held(self.env.cr.dbname, envelope._lock_key()):
                envelope.invalidate_recordset()
                if envelope.state == "draft":
                    envelope._declare()
                return self._send_into(envelope, batch, payments, message_id)
        except advisory.Busy:
            reason = _("Another batch of this envelope is being sent; this one follows.")
            raise NotNow(reason, seconds=5) from None

    def _send_into(self, envelope, batch, payments, message_id):
        if self.env["spp.payment.batch"].search_count(
            [("envelope_id", "=", envelope.id), ("awaits_proof", "=", True)], limit=1
        ):
            reason = _(
                "An earlier batch of this envelope has no answer: the bridge's counter must tell first."
            )
            raise NotNow(reason, seconds=60)
        addresses = payments._addresses()
        try:
            request = bridge.disburse(
                self._party(),
                message_id,
                envelope.bridge_id,
                [self._into_envelope(order, addresses[order.id]) for order in payments._orders()],
                datetime.now(UTC),
            )
        except MessageError as error:
            raise MessageRefused(_("Not sent: %s", error)) from None
        # Before a byte leaves: what the counter is measured against if no answer comes.
        known = envelope.known_received
        in_own_transaction(
            batch, lambda batch: batch._write_guarded({"received_before": known, "awaits_proof": True})
        )
        expected = set(payments.mapped("reference"))
        try:
            reading = self._call_bridge("disburse", request, expected, bridge.read_disburse, batch)
        except NotSent:
            in_own_transaction(batch, lambda batch: batch._write_guarded({"awaits_proof": False}))
            raise
        if reading.verdict is Verdict.UNCLEAR:
            raise AnswerLost(reading.reason)
        if reading.verdict is Verdict.REFUSED:
            in_own_transaction(batch, lambda batch: batch._write_guarded({"awaits_proof": False}))
            single = " ".join(f"{reference}: {each.reason}" for reference, each in reading.findings.items())
            raise MessageRefused(f"{reading.reason} {single}".strip(), reading.code)
        missing = expected - reading.ids.keys()
        if missing:
            raise AnswerLost(_("The bridge's answer leaves out %s of the payments.", len(missing)))
        ids = {payment.id: reading.ids[payment.reference] for payment in payments}
        in_own_transaction(batch, lambda batch: batch._taken(ids))
        return reading.findings

    def _into_envelope(self, order, address):
        return bridge.Disbursement(
            reference=order.reference,
            beneficiary_id=address or "",
            beneficiary_name=order.payee_name,
            amount=order.amount,
            narrative=f"{order.program} {order.cycle}"[:SHORT],
        )

    # ------------------------------------------------------------------ asking

    def _ask_status(self, payments):
        if not self._is_bridge():
            return super()._ask_status(payments)
        batch = payments.batch_id
        lost = payments.filtered(lambda payment: payment.state == "unknown" and not payment.bridge_id)
        if lost and not batch.ids_lost:
            return self._what_became_of(batch, lost)
        if batch.ids_lost:
            return self._settled_with_envelope(batch, payments)
        by_id = {payment.bridge_id: payment.reference for payment in payments if payment.bridge_id}
        if not by_id:
            return {}
        try:
            request = bridge.ask(self._party(), str(uuid4()), sorted(by_id), datetime.now(UTC))
        except MessageError as error:
            raise CallError(_("Not asked: %s", error)) from None
        reading = self._call_bridge(
            "status", request, by_id, bridge.read_status, batch, expected_ids=by_id.keys()
        )
        if reading.verdict is not Verdict.ANSWERED:
            raise CallError(reading.reason)
        return {by_id[bridge_id]: finding for bridge_id, finding in reading.findings.items()}

    def _what_became_of(self, batch, lost):
        """Findings for the payments of a batch whose answer was lost, as far as something is proved.

        Holding both locks, no sender of ours is alive and none can begin.
        """
        try:
            with (
                advisory.held(self.env.cr.dbname, batch._lock_key()),
                advisory.held(self.env.cr.dbname, batch.envelope_id._lock_key()),
            ):
                batch.invalidate_recordset()
                if not batch.awaits_proof:
                    # That it may be sent is committed before a byte leaves.
                    return self._send_again(batch, lost, _("Sending was interrupted before anything left."))
                answered = self._answer_kept(batch, lost)
                return self._proved_by_counter(batch, lost) if answered is None else answered
        except advisory.Busy:
            return {}

    def _answer_kept(self, batch, lost):
        """The answer may have come, and been kept, before the worker died: then nothing is lost."""
        exchange = self.env["spp.payment.exchange"].search(
            [
                ("batch_id", "=", batch.id),
                ("message_id", "in", lost.mapped("claim_token")),
                ("answer", "!=", False),
            ],
            limit=1,
        )
        if not exchange:
            return None
        reading = bridge.read_disburse(exchange.http_status, exchange.answer, set(lost.mapped("reference")))
        if reading.verdict is Verdict.REFUSED:
            return self._send_again(batch, lost, reading.reason)
        if len(reading.ids) < len(lost):
            return None
        ids = {payment.id: reading.ids[payment.reference] for payment in lost}
        in_own_transaction(batch, lambda batch: batch._taken(ids))
        return reading.findings

    def _proved_by_counter(self, batch, lost):
        """The envelope's counter proves that the batch was received; that it was not, only once the whole deadline
        and the bridge's own worst case have passed."""
        deadline = timedelta(seconds=self.endpoint_id.total_timeout) + SERVERS_WORST_CASE
        is_over = fields.Datetime.now() - max(lost.mapped("sent_at")) > deadline
        received = batch.envelope_id._ask().received
        proof = bridge.what_became_of(batch.received_before, received, len(lost))
        if proof is Proof.RECEIVED:
            in_own_transaction(batch, lambda batch: batch._taken({}, count=len(lost)))
            reason = _("The bridge's counter shows that it has the payment; its number there was lost.")
            return {payment.reference: Finding("accepted", reason, "proved_received") for payment in lost}
        if proof is Proof.NOT_RECEIVED and is_over:
            reason = _("The bridge's counter shows that it never received the payment.")
            return self._send_again(batch, lost, reason)
        return {}

    def _send_again(self, batch, lost, reason):
        """Nothing was received: the payments are ready again, and the release they had still stands."""
        in_own_transaction(batch, lambda batch: batch._write_guarded({"awaits_proof": False}))
        batch._enqueue()
        return {payment.reference: Finding("ready", reason, PROVED_NOT_RECEIVED) for payment in lost}

    def _settled_with_envelope(self, batch, payments):
        envelope = batch.envelope_id
        envelope._ask()
        envelope.invalidate_recordset()
        if not envelope._all_paid():
            return {}
        reason = _("The bank has paid all payments of the envelope.")
        return {
            payment.reference: Finding("paid", reason, "envelope_paid", amount_told=False)
            for payment in payments
        }

    def _ask_about_due(self, begun, everything=False):
        """Beside the payments that have no end: envelopes, what they declare, and what came back after payment."""
        result = super()._ask_about_due(begun, everything)
        if not self._is_bridge():
            return result
        for envelope in self.env["spp.payment.envelope"]._watched(self, due=not everything):
            try:
                envelope._amend_if_needed()
                envelope._ask()
                self._look_for_returns(envelope)
            except CallError:
                break
        return result

    def _also_due(self):
        return super()._also_due() | self.env["spp.payment.envelope"]._watched(due=True).manager_id

    def _look_for_returns(self, envelope):
        """The bank may send money back days after it paid: the envelope's counter says that it did, the payments'
        records which."""
        payments = self.env["spp.payment"]
        inside = [("batch_id.envelope_id", "=", envelope.id)]
        if envelope.reversed <= payments.search_count([*inside, ("state", "=", "returned")]):
            return
        paid = payments.search([*inside, ("state", "=", "paid"), ("bridge_id", "!=", False)], order="id")
        for start in range(0, len(paid), bridge.STATUS_LIMIT):
            chunk = paid[start : start + bridge.STATUS_LIMIT]
            for batch in chunk.batch_id:
                some = chunk.filtered(lambda payment, batch=batch: payment.batch_id == batch)
                findings = self._ask_status(some)
                in_own_transaction(some, lambda some, findings=findings: some._conclude_status(findings))

    # ------------------------------------------------------------------ the wire

    def _call_bridge(self, kind, request, expected, read, batch=None, expected_ids=None):
        """POST to the operation that the request names; see `_call()`.

        :param expected_ids: what the reader of a status answer expects, where that is not our references
        """

        def reader(status, text, expected):
            if read in (bridge.read_declare, bridge.read_envelope):
                return read(status, text)
            return read(status, text, expected if expected_ids is None else expected_ids)

        return self._call(kind, "/" + request["header"]["action"], request, expected, reader, batch)


class PaymentBatch(models.Model):
    _inherit = "spp.payment.batch"

    def _taken(self, ids, count=None):
        """The bridge has the batch's payments.

        :param ids: {payment id: the bridge's number}; empty when the numbers were lost
        :param count: how many, where the numbers were lost
        """
        self._write_guarded({"awaits_proof": False, "ids_lost": not ids})
        if ids:
            self.env.cr.execute(
                SQL(
                    """
                    UPDATE spp_payment p SET bridge_id = given.bridge_id
                      FROM unnest(%s::int[], %s::text[]) AS given(id, bridge_id)
                     WHERE p.id = given.id
                    """,
                    list(ids),
                    list(ids.values()),
                )
            )
        self.env.cr.execute(
            SQL(
                "UPDATE spp_payment_envelope SET known_received = COALESCE(known_received, 0) + %s WHERE id = %s",
                count if count is not None else len(ids),
                self.envelope_id.id,
            )
        )
        self.env.invalidate_all()
