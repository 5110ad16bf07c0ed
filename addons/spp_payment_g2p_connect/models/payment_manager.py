"""G2P Connect as a payment channel: what both dialects share, and dialect A.

This is where Odoo and the wire meet: orders become messages, readings become findings. What a finding leads to is
decided in spp_programs. What is particular to its asynchronous pair is in payment_manager_async.py; dialect B, with its
envelopes, in payment_manager_bridge.py.
"""

import json
from datetime import UTC, datetime
from uuid import uuid4

from odoo import _, api, fields, models
from odoo.exceptions import UserError, ValidationError

from odoo.addons.spp_base.http import AnswerLost, CallError, NotSent, Unreadable
from odoo.addons.spp_programs.models.payment_manager import MessageRefused

from ..wire import fa
from ..wire.answers import Finding, Verdict, read_disburse, read_status
from ..wire.messages import SHORT, Item, MessageError, Party, disburse_request, disbursement, status_request
from ..wire.words import masked_text

TEMPLATES = {
    "bank": "fa_bank",
    "iban": "fa_iban",
    "mobile_wallet": "fa_mobile_wallet",
    "email_wallet": "fa_email_wallet",
}
NEEDED = ("endpoint_id", "sender_id", "locale", *TEMPLATES.values())
# Dialects of the disburse API itself; the others have messages of their own.
DIRECT = ("sync", "async")
NEEDED_DIRECT = ("path_disburse", "path_status", "payer_fa", "action_disburse", "action_status")
# What an address is made with.
RELATIONS = {"identity_type_id"}
ADDRESSING = {"payee_by", "fa_document", "provider_default", *RELATIONS, *TEMPLATES.values()}
OUTCOMES = {Verdict.ANSWERED: "answered", Verdict.REFUSED: "refused", Verdict.UNCLEAR: "unclear"}


class PaymentManager(models.Model):
    _inherit = "spp.payment.manager"

    provider = fields.Selection(
        selection_add=[("g2p_connect", "G2P Connect")], ondelete={"g2p_connect": "set default"}
    )
    dialect = fields.Selection(
        selection=[("sync", "G2P Connect disburse 1.0, answered in the same call")],
        required=True,
        default="sync",
    )
    endpoint_id = fields.Many2one(
        comodel_name="spp.endpoint",
        ondelete="restrict",
        help="Where the payer is, how we log in there, and how long we wait.",
    )
    path_disburse = fields.Char(string="Payment path")
    path_status = fields.Char(string="Status path")
    sender_id = fields.Char(string="Sender ID", help="The name that the payer knows this system by.")
    receiver_id = fields.Char(string="Receiver ID", help="The payer's own name, where it wants to read it.")
    payer_fa = fields.Char(
        string="Paid from",
        groups="spp_base.group_program_manager,spp_base.group_finance_officer",
        help="Financial address of the account that the money is taken from: account:0011223344@treasury-bank",
    )
    action_disburse = fields.Char(string="Payment action", default="disburse")
    action_status = fields.Char(
        string="Status action",
        default="status",
        help="Servers differ in the names they expect here; most take any.",
    )
    locale = fields.Char(
        default="eng", help="ISO 639-3 code of the language of the texts, like eng, fra or swa."
    )
    fa_bank = fields.Char(
        string="Bank account",
        default="account:{number}@{bic}",
        help="How an account is written for this payer. {number} is the account's number, {bic} the identifier code of "
        "its bank, {provider} the same or else the default below. A payment with a missing part is held.",
    )
    fa_iban = fields.Char(string="IBAN", default="iban:{number}@{bic}")
    fa_mobile_wallet = fields.Char(string="Mobile wallet", default="mobile:{number}@{provider}")
    fa_email_wallet = fields.Char(string="E-mail wallet", default="email:{number}@{provider}")
    payee_by = fields.Selection(
        selection=[("account", "Their payment account"), ("document", "The number of a document")],
        string="Payees are known by",
        required=True,
        default="account",
        help="By a document's number where the payer finds the account by itself, in a mapper such as SPAR.",
    )
    identity_type_id = fields.Many2one(
        comodel_name="spp.identity.type", string="Document type", ondelete="restrict"
    )
    fa_document = fields.Char(
        string="Document number",
        default="token:{number}@nationalId",
        help="How a payee's id is written for this payer; {number} is the number of the document.",
    )
    provider_default = fields.Char(
        string="Default provider",
        help="Stands for {provider} where an account's provider has no identifier code.",
    )

    # ------------------------------------------------------------------ constraints

    @api.constrains("provider", "payee_by", "identity_type_id", "fa_document", *TEMPLATES.values())
    def _check_templates(self):
        for manager in self.filtered(lambda manager: manager.provider == "g2p_connect"):
            if manager.payee_by == "document" and not manager.identity_type_id:
                raise ValidationError(_("Choose the type of the document that payees are known by."))
            for name in (*TEMPLATES.values(), "fa_document"):
                try:
                    if set(fa.placeholders(manager[name])) - {"number"} and name == "fa_document":
                        raise fa.AddressError(_("A document's template knows the placeholder {number} only."))
                except fa.AddressError as error:
                    raise ValidationError(
                        _("%(field)s: %(error)s", field=self._fields[name].string, error=error)
                    ) from None

    @api.constrains("provider", "endpoint_id")
    def _check_authentication(self):
        for manager in self.filtered(lambda manager: manager.provider == "g2p_connect"):
            # sudo: who configures a manager need not read endpoints.
            if manager.endpoint_id.sudo().auth_type == "session":
                raise ValidationError(
                    _("A G2P Connect payer is not logged in to with a session; choose another way.")
                )

    # ------------------------------------------------------------------ actions

    def _route_fields(self):
        return super()._route_fields() | {
            "dialect", "endpoint_id", "path_disburse", "path_status", "sender_id", "receiver_id", "payer_fa",
            *ADDRESSING,
        }  # fmt: skip

    def write(self, vals):
        # An address is made from the template of its day: what was not sent yet takes the new one.
        again = self.filtered(
            lambda manager: (
                any(manager[name] != vals[name] for name in ADDRESSING & vals.keys() - RELATIONS)
                or RELATIONS & vals.keys()
            )
        )
        result = super().write(vals)
        if again:
            self.env["spp.payment"]._forget_addresses(again.ids)
        return result

    def action_test_connection(self):
        """Ask the payer about a payment that cannot exist, and say in plain words what came of it.

        Role: program manager.

        :raise UserError: when the payer cannot be asked, with the reason
        """
        self.ensure_one()
        self.check_access_rights("write")
        self.check_access_rule("write")
        manager = self.sudo()  # sudo: the endpoint's credentials are used, not shown.
        manager._check_can_send()
        try:
            manager._test()
        except CallError as error:
            raise UserError(error.reason) from None
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {
                "type": "success",
                "title": _("The payer answers"),
                "message": _(
                    "It was asked about a payment that does not exist, and understood the question."
                ),
            },
        }

    # ------------------------------------------------------------------ hooks of spp_programs

    def _check_can_send(self):
        if self.provider != "g2p_connect":
            return super()._check_can_send()
        manager = self.sudo()  # sudo: who releases payments does not read every field of their manager.
        missing = [self._fields[name].string for name in manager._needed() if not manager[name]]
        if missing:
            raise UserError(
                _("%(name)s is not complete: %(missing)s.", name=self.name, missing=", ".join(missing))
            )

    def _needed(self):
        """Names of the fields that must be set before anything is sent."""
        return NEEDED + (NEEDED_DIRECT if self.dialect in DIRECT else ())

    def _send_batch(self, batch, payments, message_id):
        if self.provider != "g2p_connect" or self.dialect not in DIRECT:
            return super()._send_batch(batch, payments, message_id)
        now = datetime.now(UTC)
        findings, disbursements, expected = {}, [], {}
        addresses, payer_fa, locale = payments._addresses(), self.payer_fa, self.locale
        for order in payments._orders():
            try:
                item = self._item(order, payer_fa, addresses[order.id])
                disbursements.append(disbursement(item, locale, now))
                expected[order.reference] = (order.amount, order.currency)
            except MessageError as error:
                findings[order.reference] = Finding("rejected", _("Not sent: %s", error), "not_sent")
        if not disbursements:
            return findings
        try:
            request = disburse_request(
                self._party(), self.action_disburse, message_id, batch.name, disbursements, now
            )
        except MessageError as error:
            raise MessageRefused(_("Not sent: %s", error)) from None
        reading = self._call("disburse", self.path_disburse, request, expected, self._readers()[0], batch)
        if reading.verdict is Verdict.REFUSED:
            raise MessageRefused(reading.reason, reading.code)
        if reading.verdict is Verdict.UNCLEAR:
            raise AnswerLost(reading.reason)
        return {**findings, **reading.findings}

    def _ask_status(self, payments):
        if self.provider != "g2p_connect" or self.dialect not in DIRECT:
            return super()._ask_status(payments)
        expected = {order.reference: (order.amount, order.currency) for order in payments._orders()}
        batch = payments.browse(payments.ids[:1]).batch_id  # they are of one batch
        return self._ask("status", list(expected), expected, batch)

    def _masked(self, text):
        return masked_text(text) if self.provider == "g2p_connect" else super()._masked(text)

    # ------------------------------------------------------------------ the wire

    def _templates(self):
        return {kind: self[name] for kind, name in TEMPLATES.items()}

    def _readers(self):
        """What reads the answer to a message of payments, and to a question about them."""
        return read_disburse, read_status

    def _party(self):
        return Party(self.sender_id, self.receiver_id or "", self.locale)

    @staticmethod
    def _item(order, payer_fa, address):
        """The payment of an order as the wire wants it, to the address that was fixed when it was prepared."""
        return Item(
            reference=order.reference,
            amount=order.amount,
            currency=order.currency,
            payer_fa=payer_fa,
            payee_fa=address,
            payer_name=order.program,
            payee_name=order.payee_name,
            note=order.cycle[:SHORT],
            purpose=order.program[:SHORT],
        )

    def _test(self):
        """Ask about what cannot exist; raise CallError when the payer cannot be asked."""
        self._ask("test", [f"connection-test-{uuid4()}"], {})

    def _ask(self, kind, references, expected, batch=None):
        """Ask what became of `references`; return the findings, raise CallError when nothing was told."""
        try:
            request = status_request(
                self._party(), self.action_status, str(uuid4()), references, datetime.now(UTC)
            )
        except MessageError as error:
            raise CallError(_("Not asked: %s", error)) from None
        reading = self._call(kind, self.path_status, request, expected, self._readers()[1], batch)
        if reading.verdict is not Verdict.ANSWERED:
            raise CallError(reading.reason)
        return reading.findings

    def _call(self, kind, path, request, expected, read, batch):
        """POST a message and read the answer; both are kept before anybody acts on the reading.

        :raise CallError: without an answer
        """
        exchange = {
            "kind": kind,
            "batch_id": batch.id if batch else None,
            "message_id": request["header"]["message_id"],
            "payment_count": len(expected),
            "request": json.dumps(request, ensure_ascii=False),
        }
        try:
            answer = self._post(path, request)
        except CallError as error:
            outcome = {NotSent: "not_sent", Unreadable: "unclear"}.get(type(error), "lost")
            self._record_exchange(**exchange, outcome=outcome, reason=error.reason)
            raise
        exchange.update(answer=answer.text, http_status=answer.status)
        try:
            reading = read(answer.status, answer.text, expected)
        except Exception:
            # A fault of the reader must not lose the evidence: the payments are unknown, the answer is kept.
            self._record_exchange(**exchange, outcome="unclear", reason=_("The answer could not be read."))
            raise
        reason = reading.reason
        if reading.strangers:
            reason = f"{reason} " + _(
                "It also lists %s payments that were not asked about.", reading.strangers
            )
        self._record_exchange(**exchange, outcome=OUTCOMES[reading.verdict], reason=reason.strip())
        return reading

    def _post(self, path, request):
        try:
            with self.endpoint_id._client() as client:
                return client.request("POST", path, json=request)
        except UserError as error:  # the endpoint is paused
            raise NotSent(str(error.args[0])) from None
