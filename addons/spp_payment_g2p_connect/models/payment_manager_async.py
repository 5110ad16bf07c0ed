"""Dialect A, the asynchronous pair: requests are acknowledged, and what became of them comes as messages to us.

Such a message is let in only from the payer (spp.endpoint), kept under its number before anything is concluded, and
concluded by a job. The same number again changes nothing; what comes late or in another order moves a payment forward
or not at all, as everything that is said of payments; what it says of payments that it was never sent is ignored.
The payer is asked as well, at the manager's interval: a callback that never comes leaves nothing open for ever.
"""

import json
from datetime import UTC, datetime
from uuid import uuid4

from odoo import _, api, fields, models

from ..wire import callbacks
from ..wire.answers import Finding, Verdict, read_ack, read_disburse, read_status, read_status_ack
from ..wire.callbacks import ON_DISBURSE, ON_STATUS, CallbackError

PREFIX = "/spp/g2p_connect"
DEFAULT_PATHS = {
    "sync": ("/disburse/sync/disburse", "/disburse/sync/txn/status"),
    "async": ("/disburse", "/disburse/txn/status"),
}
KINDS = {ON_DISBURSE: "on_disburse", ON_STATUS: "on_status"}


class PaymentManager(models.Model):
    _inherit = "spp.payment.manager"

    dialect = fields.Selection(
        selection_add=[("async", "G2P Connect disburse 1.0, results come as calls to us"), ("bridge",)],
        ondelete={"async": "set default"},
    )
    path_disburse = fields.Char(compute="_compute_paths", store=True, readonly=False)
    path_status = fields.Char(compute="_compute_paths", store=True, readonly=False)
    callback_url = fields.Char(
        string="Address for its calls",
        compute="_compute_callback_url",
        help="Sent to the payer with each message. It must be able to reach this address, over https.",
    )

    @api.depends("dialect")
    def _compute_paths(self):
        for manager in self:
            manager.path_disburse, manager.path_status = DEFAULT_PATHS.get(
                manager.dialect, DEFAULT_PATHS["sync"]
            )

    def _compute_callback_url(self):
        for manager in self:
            manager.callback_url = (
                manager._origin.id and f"{manager.get_base_url()}{PREFIX}/{manager._origin.id}"
            )

    # ------------------------------------------------------------------ sending and asking

    def _party(self):
        party = super()._party()
        return party._replace(sender_uri=self.callback_url) if self.dialect == "async" else party

    def _readers(self):
        return (read_ack, read_status_ack) if self.dialect == "async" else super()._readers()

    # ------------------------------------------------------------------ being called

    @api.model
    def _receive(self, manager_id, operation, body, authorization, signature):
        """A message to the address of a manager, from whoever.

        :param operation: ON_DISBURSE or ON_STATUS
        :param body: bytes
        :return: (HTTP status, answer as JSON values)
        """
        # sudo: nobody is logged in; who may speak is checked by token and signature.
        manager = self.sudo().search(
            [("id", "=", manager_id), ("provider", "=", "g2p_connect"), ("dialect", "=", "async")]
        )
        if not manager or not manager.endpoint_id._may_call(authorization, signature, body):
            return 401, callbacks.http_error("err.request.unauthorized", "The caller is not known here.")
        correlation, now = str(uuid4()), datetime.now(UTC)
        try:
            callback = callbacks.parse(body)
            manager._check_callback(callback)
            answer = callbacks.ack(correlation, now)
            manager._take(callback, operation, body.decode(), json.dumps(answer))
        except CallbackError as error:
            return 200, callbacks.ack(correlation, now, error)
        return 200, answer

    def _check_callback(self, callback):
        if self.receiver_id and callback.sender_id != self.receiver_id:
            raise CallbackError("err.sender_id.invalid", "The sender is not the payer of this address.")
        if callback.receiver_id and callback.receiver_id != self.sender_id:
            raise CallbackError("err.receiver_id.invalid", "The message is for somebody else.")

    def _take(self, callback, operation, text, answer):
        """Keep a callback under its number, and let a job conclude from it; once."""
        kind = KINDS[operation]
        exchanges = self.env["spp.payment.exchange"]
        payments = self._spoken_of(callback, kind)
        strangers = len(callback.references) - len(payments)
        kept = exchanges._keep(
            {
                "kind": kind,
                "manager_id": self.id,
                "batch_id": payments.batch_id.id if len(payments.batch_id) == 1 else None,
                "message_id": callback.message_id,
                "payment_count": len(payments),
                "outcome": "received",
                "request": text.replace("\0", "\N{REPLACEMENT CHARACTER}"),
                "answer": answer,
                "reason": _("It also lists %s payments that it was not sent.", strangers)
                if strangers
                else None,
            }
        )
        if kept:
            exchange = exchanges.browse(kept)
            exchange.with_delay(
                description=_("Take over what %s reports", self.name),
                identity_key=f"spp_payment_callback:{kept}",
            )._job_conclude()
            return
        before = exchanges.search(
            [("manager_id", "=", self.id), ("message_id", "=", callback.message_id), ("kind", "in", list(KINDS.values()))]
        )  # fmt: skip
        if before.request != text or before.kind != kind:
            raise CallbackError("err.request.bad", "Another message came with this message_id before.")

    def _spoken_of(self, callback, kind):
        """The payments that a callback speaks of and that were sent to this payer."""
        domain = [
            ("batch_id.manager_id", "=", self.id),
            ("reference", "in", list(callback.references)),
            ("claim_token", "!=", False),
        ]
        if kind == "on_disburse":
            domain.append(("batch_id.name", "=", callback.transaction_id))
        return self.env["spp.payment"].search(domain, order="id")


class PaymentExchange(models.Model):
    _inherit = "spp.payment.exchange"

    kind = fields.Selection(
        selection_add=[("on_disburse", "Result reported to us"), ("on_status", "Status reported to us")],
        ondelete={"on_disburse": "cascade", "on_status": "cascade"},
    )

    def init(self):
        result = super().init()
        self.env.cr.execute(
            """
            CREATE UNIQUE INDEX IF NOT EXISTS spp_payment_exchange_callback_unique
                ON spp_payment_exchange (manager_id, message_id) WHERE kind IN ('on_disburse', 'on_status')
            """
        )
        return result

    def _job_conclude(self):
        """Take over what a callback says. Run again, it changes nothing more."""
        self.ensure_one()
        # sudo: the payer said it, nobody who is logged in.
        exchange = self.sudo()
        manager = exchange.manager_id
        callback = callbacks.parse(exchange.request.encode())
        payments = manager._spoken_of(callback, exchange.kind)
        expected = {order.reference: (order.amount, order.currency) for order in payments._orders()}
        read = read_disburse if exchange.kind == "on_disburse" else read_status
        reading = read(200, exchange.request, expected)
        if reading.verdict is Verdict.ANSWERED:
            payments._conclude(reading.findings)
            return _("%s payments told of.", len(reading.findings))
        if exchange.kind == "on_disburse" and reading.verdict is Verdict.REFUSED:
            return exchange._refused_as_a_whole(callback, reading)
        return reading.reason

    def _refused_as_a_whole(self, callback, reading):
        """The payer acknowledged a message and refuses it now. Its answer does not name the message, and the batch may
        have been sent in another one since: what it took is unknown until it is asked."""
        payments = self.env["spp.payment"].search(
            [
                ("batch_id.manager_id", "=", self.manager_id.id),
                ("batch_id.name", "=", callback.transaction_id or "-"),
                ("state", "in", ["accepted", "unknown"]),
            ]
        )
        reason = _("The payer refused the whole message after it had acknowledged it. %s", reading.reason)
        finding = Finding("unknown", reason, reading.code, alert=reason)
        payments._conclude({payment.reference: finding for payment in payments})
        return reason
