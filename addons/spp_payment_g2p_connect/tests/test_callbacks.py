"""A payer of the asynchronous pair tells us what became of payments. Only it, only once, and in whatever order."""

import datetime
import json
import time
import urllib.request
from contextlib import nullcontext
from unittest.mock import patch

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import HttpCase, tagged

from odoo.addons.queue_job.tests.common import trap_jobs
from odoo.addons.spp_base.http import signature
from odoo.addons.spp_base.tests.common import CheapPasswords

from sandbox import door
from sandbox.payer import NAME

from .common import CLOSED, PayerMixin

TOKEN = "2fUq0qX3vW5mJ8rT1nB6yL9d"


def make_key(days=30):
    """(private key, certificate), both PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "payer")])
    now = datetime.datetime.utcnow()
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=60))
        .not_valid_after(now + datetime.timedelta(days=days)).sign(key, hashes.SHA256())
    )  # fmt: skip
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private.decode(), certificate.public_bytes(serialization.Encoding.PEM).decode()


class AsyncPayerMixin(PayerMixin):
    path = "/disburse"
    at_once = {"listed_after": 0, "settle_after": 0, "callback_after": None, "callback_token": [TOKEN]}

    @classmethod
    def set_up_payer(cls):
        result = super().set_up_payer()
        cls.payment_manager.write({"dialect": "async", "receiver_id": NAME})
        cls.endpoint.callback_token = TOKEN
        return result

    def open_door(self):
        """A test of Odoo 19.0 lets in nobody but itself, unless it says so."""
        allow = getattr(self, "allow_requests", None)
        return allow(all_requests=True) if allow else nullcontext()

    def delivered(self, **settings):
        """Let the payer post what waits, run the jobs that this enqueues, and return the callbacks."""
        with trap_jobs() as jobs:
            with self.open_door():
                # Whatever the clock of the test says: threads of the payer go by another.
                self.control("set", callback_after=-(10**8), **settings)
                for _round in range(1200):
                    callbacks = self.payer()["callbacks"]
                    if all(callback["done"] or callback["due"] is None for callback in callbacks):
                        break
                    time.sleep(0.05)
                else:
                    waiting = [callback["answers"][:200] for callback in callbacks if not callback["done"]]
                    self.fail(f"the payer could not deliver: {waiting}")
            self.run_jobs(jobs)
        self.control("set", callback_after=None)
        return callbacks

    def post(self, body, token=TOKEN, path="on-disburse", manager=None, signed=None):
        """Post a message to us as somebody would; (HTTP status, answer)."""
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if signed:
            headers["Signature"] = signed
        url = f"/spp/g2p_connect/{(manager or self.payment_manager).id}/{path}"
        with trap_jobs() as jobs:
            answer = self.url_open(url, data=body, headers=headers)
            self.run_jobs(jobs)
        return answer.status_code, answer.json()

    def told(self, cycle, status="succ", message_id="m-1", header=None, **entry):
        """A message of the payer's about the payments of a cycle."""
        entries = [
            {"reference_id": reference, "timestamp": "2026-11-21T09:04:00+00:00", "status": status, **entry}
            for reference in cycle.payment_ids.mapped("reference")
        ]
        return {
            "signature": "",
            "header": {
                "version": "1.0.0", "message_id": message_id, "message_ts": "2026-11-21T09:05:00+00:00",
                "action": "on-disburse", "status": "succ", "total_count": len(entries), "sender_id": NAME,
                "receiver_id": "spp.example.org", **(header or {}),
            },
            "message": {
                "transaction_id": cycle.payment_batch_ids[:1].name, "disbursements_status": entries,
            },
        }  # fmt: skip

    def kept(self):
        self.env.invalidate_all()
        return self.env["spp.payment.exchange"].search(
            [("manager_id", "=", self.payment_manager.id), ("kind", "in", ["on_disburse", "on_status"])]
        )


@tagged("post_install", "-at_install")
class TestAsyncPair(AsyncPayerMixin, CheapPasswords, HttpCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.set_up_payer()

    def sent(self, count=2):
        cycle = self.prepared(count)
        self.send(cycle)
        self.assertEqual(self.states(cycle), ["accepted"] * count)
        return cycle

    # What works

    def test_acknowledged_then_reported_and_paid(self):
        cycle = self.sent(3)
        callbacks = self.delivered()
        self.assertEqual([callback["path"] for callback in callbacks], ["on-disburse", "on-disburse"])
        for callback in callbacks:
            ((status, text),) = json.loads(callback["answers"])
            self.assertEqual((status, json.loads(text)["message"]["ack_status"]), (200, "ACK"))
        self.assertEqual(self.states(cycle), ["paid"] * 3)
        self.assertEqual(cycle.program_id.fund_disbursed, 300.0)
        self.assertEqual(set(self.received().values()), {1})
        self.assertEqual(self.kept().mapped("batch_id"), cycle.payment_batch_ids)
        self.assertNotIn(cycle.payment_ids[0].account_number, self.kept()[0].request_masked)

    def test_asked_it_reports_too(self):
        cycle = self.sent()
        self.ask()
        self.assertEqual(self.states(cycle), ["accepted"] * 2, "an acknowledged question tells nothing yet")
        callbacks = self.delivered()
        self.assertEqual(callbacks[-1]["path"], "disburse/txn/on-status")
        self.assertEqual(self.states(cycle), ["paid"] * 2)

    def test_a_refused_payee(self):
        people = self.make_people(1)
        self.give_account(people, CLOSED)
        cycle = self.approved_cycle(people)
        self.prepare(cycle)
        self.send(cycle)
        self.delivered()
        self.assertEqual(
            (cycle.payment_ids.state, cycle.payment_ids.reason_code), ("rejected", "rjct.payee_fa.invalid")
        )

    def test_an_error_acknowledgement_refuses_the_message(self):
        cycle = self.prepared(2)
        self.fault("refuse_all", code="err.sender_id.invalid")
        self.send(cycle)
        self.assertEqual(self.states(cycle), ["ready", "ready"])
        self.assertIn("sender id", cycle.payment_batch_ids.message)

    def test_a_lost_acknowledgement_is_cleared_by_asking(self):
        cycle = self.prepared(2)
        self.fault("drop_after")
        self.send(cycle)
        self.assertEqual(self.states(cycle), ["unknown"] * 2)
        self.ask()
        self.delivered()
        self.assertEqual(self.states(cycle), ["paid"] * 2)
        self.assertEqual(set(self.received().values()), {1})

    def test_a_report_that_comes_before_the_acknowledgement(self):
        cycle = self.prepared(2)
        concluded = type(self.env["spp.payment.batch"])._conclude_send

        def after_the_report(batch, *args):
            self.env["spp.payment.exchange"].flush_model()
            batch.env["spp.payment"].browse(args[0])._conclude(self.findings(cycle))
            return concluded(batch, *args)

        with patch.object(type(self.env["spp.payment.batch"]), "_conclude_send", after_the_report):
            self.send(cycle)
        self.assertEqual(self.states(cycle), ["paid"] * 2, "accepted does not undo it")

    def findings(self, cycle):
        from ..wire.answers import Finding

        return {reference: Finding("paid") for reference in cycle.payment_ids.mapped("reference")}

    def test_connection_test_and_default_paths(self):
        self.assertEqual((self.payment_manager.path_disburse, self.payment_manager.path_status), ("/disburse", "/disburse/txn/status"))  # fmt: skip
        self.assertTrue(
            self.payment_manager.callback_url.endswith(f"/spp/g2p_connect/{self.payment_manager.id}")
        )
        self.payment_manager.with_user(self.manager).action_test_connection()

    # Duplicates, order

    def test_duplicates_change_nothing(self):
        cycle = self.sent()
        callbacks = self.delivered(callbacks_twice=1)
        self.assertEqual([len(json.loads(callback["answers"])) for callback in callbacks], [2, 2])
        self.assertEqual(self.states(cycle), ["paid"] * 2)
        self.assertEqual(len(self.kept()), 2, "each number once")
        self.assertEqual(cycle.program_id.fund_disbursed, 200.0)
        for callback in callbacks:
            status, answer = self.post(callback["body"].encode(), path=callback["path"])
            self.assertEqual((status, answer["message"]["ack_status"]), (200, "ACK"))
        self.assertEqual(len(self.kept()), 2)
        self.assertEqual(cycle.program_id.fund_disbursed, 200.0)

    def test_reordered_a_late_received_does_not_undo_paid(self):
        cycle = self.sent()
        self.ask()
        callbacks = self.delivered(callbacks_reversed=1)
        self.assertEqual(len(callbacks), 3)
        self.assertEqual(self.kept().sorted("id").mapped("kind"), ["on_status", "on_disburse", "on_disburse"])
        self.assertEqual(self.states(cycle), ["paid"] * 2)

    def test_a_late_refusal_does_not_undo_paid_and_a_late_paid_goes_to_two_people(self):
        cycle = self.sent()
        self.post(self.told(cycle))
        self.post(self.told(cycle, "rjct", "m-2", status_reason_code="rjct.payee_fa.invalid"))
        self.assertEqual(self.states(cycle), ["paid"] * 2)
        other = self.prepared(1, code="LATE")
        self.send(other)
        self.post(self.told(other, "rjct", "m-3", status_reason_code="rjct.payee_fa.invalid"))
        self.post(self.told(other, "succ", "m-4"))
        self.assertEqual(self.states(other), ["rejected"])
        self.assertEqual(other.payment_ids.contradiction_ids.kind, "late_paid")

    def test_the_same_number_with_another_text_is_refused(self):
        cycle = self.sent()
        self.post(self.told(cycle, "pdng"))
        status, answer = self.post(self.told(cycle, "succ"))
        self.assertEqual((status, answer["message"]["ack_status"]), (200, "ERR"))
        self.assertEqual(self.states(cycle), ["accepted"] * 2)
        self.assertEqual(len(self.kept()), 1)

    def test_kept_before_anything_is_concluded(self):
        cycle = self.sent()
        body = json.dumps(self.told(cycle)).encode()
        with trap_jobs() as jobs:
            self.url_open(
                f"/spp/g2p_connect/{self.payment_manager.id}/on-disburse",
                data=body,
                headers={"Authorization": f"Bearer {TOKEN}"},
            )
            self.assertEqual(len(self.kept()), 1)
            self.assertEqual(self.states(cycle), ["accepted"] * 2)
            self.run_jobs(jobs)
        self.assertEqual(self.states(cycle), ["paid"] * 2)
        self.kept()._job_conclude()
        self.assertEqual(cycle.program_id.fund_disbursed, 200.0, "run again, it changes nothing more")

    # Forged

    def refused(self, cycle, *args, **options):
        status, answer = self.post(*args, **options)
        self.assertEqual(status, 401, answer)
        self.assertFalse(self.kept())
        self.assertEqual(set(self.states(cycle)), {"accepted"})

    def test_forged_messages_change_nothing(self):
        cycle = self.sent()
        message = self.told(cycle)
        other = self.payment_manager.copy({"name": "Other"})
        for options in (
            {"token": None},
            {"token": ""},
            {"token": TOKEN[:-1]},
            {"token": TOKEN + "x"},
            {"token": "\u00e9"},
            {"manager": self.env["spp.payment.manager"].browse(99999999)},
        ):
            with self.subTest(options=options):
                self.refused(cycle, message, **options)
        # The right token, at the address of another manager: not that one's payments.
        self.assertEqual(self.post(message, manager=other)[0], 200)
        self.assertEqual(self.states(cycle), ["accepted"] * 2)

    def test_without_token_and_certificate_nobody_is_let_in(self):
        cycle = self.sent()
        self.endpoint.action_forget_callback_token()
        for token in (TOKEN, None):
            self.refused(cycle, self.told(cycle), token=token)

    def test_a_paused_endpoint_or_another_dialect_lets_nobody_in(self):
        cycle = self.sent()
        self.endpoint.paused = True
        self.refused(cycle, self.told(cycle))
        self.endpoint.paused = False
        self.env.cr.execute("UPDATE spp_payment_manager SET dialect = 'sync'")
        self.env.invalidate_all()
        self.refused(cycle, self.told(cycle))

    def test_signed_messages(self):
        key, certificate = make_key()
        self.endpoint.action_forget_callback_token()
        self.endpoint.callback_certificate = certificate
        cycle = self.sent()
        self.refused(cycle, self.told(cycle), token=None)
        message = self.told(cycle, status_reason_message="Zo\u00eb")
        stranger, _certificate = make_key()
        body = json.dumps(message).encode()
        wrong = (
            door.sign(body, stranger),
            door.sign(body + b" ", key),
            door.sign(json.dumps(self.told(cycle, "pdng")).encode(), key),
            door.sign(body, key).replace("..", ".eyJ9."),
            "a.b",
            "eyJhbGciOiJub25lIn0..",
        )
        for signed in wrong:
            with self.subTest(signed=signed[:20]):
                self.refused(cycle, body, token=None, signed=signed)
        self.assertEqual(self.post(body, token=None, signed=door.sign(body, key))[0], 200)
        self.assertEqual(self.states(cycle), ["paid"] * 2)

    def test_signatures_over_either_form_of_the_message(self):
        key, certificate = make_key()
        message = {"header": {"b": "Zo\u00eb", "a": 1}, "message": {}}
        body = json.dumps(message, indent=1).encode()
        now = datetime.datetime.utcnow()
        for form in (signature.SORTED, signature.AS_SENT):
            signature.verify(body, door.sign(signature.canonical(message, form), key), certificate, now)
        with self.assertRaises(signature.SignatureError):
            signature.verify(body, door.sign(b"{}", key), certificate, now)
        with self.assertRaises(signature.SignatureError):
            signature.verify(body, door.sign(body, key), certificate, now + datetime.timedelta(days=31))

    def test_with_both_set_a_call_needs_both(self):
        key, certificate = make_key()
        self.endpoint.callback_certificate = certificate
        cycle = self.sent()
        body = json.dumps(self.told(cycle)).encode()
        self.refused(cycle, body)
        self.refused(cycle, body, token=None, signed=door.sign(body, key))
        self.control("set", callback_key=[key])
        self.delivered()
        self.assertEqual(self.states(cycle), ["paid"] * 2)

    # Unknown and misshapen

    def test_what_it_says_of_payments_it_was_never_sent_changes_nothing(self):
        ready = self.prepared(2)
        self.post(self.told(ready))
        self.assertEqual(self.states(ready), ["ready", "ready"])
        self.assertIn("not sent", self.kept().reason)
        sent = self.prepared(1, code="SENT")
        self.send(sent)
        elsewhere = self.told(sent, message_id="m-2")
        elsewhere["message"]["transaction_id"] = "another batch"
        self.post(elsewhere)
        unheard = self.told(sent, message_id="m-3")
        unheard["message"]["disbursements_status"][0]["reference_id"] = "NOBODY"
        self.post(unheard)
        self.assertEqual(self.states(sent), ["accepted"])

    def test_for_somebody_else_or_by_somebody_else(self):
        cycle = self.sent()
        for header, code in (
            ({"sender_id": "another"}, "err.sender_id.invalid"),
            ({"receiver_id": "another"}, "err.receiver_id.invalid"),
            ({"message_id": ""}, "err.request.bad"),
            ({"message_id": "x" * 100}, "err.request.bad"),
            ({"status": ""}, "err.request.bad"),
        ):
            status, answer = self.post(self.told(cycle, header=header))
            self.assertEqual((status, answer["message"]["error"]["code"]), (200, code))
        for body in (b"{", b"[]", b"\xff\xfe", b"null", b'{"header": 1}', b"[" * 10000):
            with self.subTest(body=body[:10]):
                self.assertEqual(self.post(body)[1]["message"]["ack_status"], "ERR")
        self.assertFalse(self.kept())
        self.assertEqual(self.states(cycle), ["accepted"] * 2)
        self.assertEqual(self.post(self.told(cycle), path="on-search")[0], 404)

    def test_another_amount_goes_to_two_people_and_none_is_marked(self):
        cycle = self.sent()
        self.post(self.told(cycle, amount="99.00"))
        self.assertEqual(self.states(cycle), ["unknown"] * 2)
        self.assertEqual(set(cycle.payment_ids.contradiction_ids.mapped("reported_amount")), {99.0})
        other = self.prepared(2, code="MARK")
        self.send(other)
        self.post(self.told(other, message_id="m-2"))
        self.assertEqual(set(other.payment_ids.mapped("amount_assumed")), {True})
        row = self.env["spp.payment.reconciliation"].search([("cycle_id", "=", other.id)])
        self.assertEqual((row.paid_amount, row.assumed_amount), (200.0, 200.0))

    def test_a_message_refused_after_its_acknowledgement_is_unknown_until_asked(self):
        cycle = self.sent()
        message = self.told(
            cycle, header={"status": "rjct", "status_reason_code": "rjct.total_count.invalid"}
        )
        message["message"]["disbursements_status"] = []
        self.post(message)
        self.assertEqual(self.states(cycle), ["unknown"] * 2)
        self.assertIn("refused the whole message", cycle.payment_ids[0].alert)

    # Who sets it up

    def test_the_token_is_set_by_administrators_and_never_read(self):
        admin = self.users["admin"]
        endpoint = self.endpoint.with_user(admin)
        endpoint.callback_token = "another-token-of-good-length"
        self.assertTrue(endpoint.has_callback_token)
        self.assertFalse(endpoint.read(["callback_token"])[0]["callback_token"])
        with self.assertRaises(UserError):
            endpoint.callback_token = "short"
        with self.assertRaises(ValidationError):
            endpoint.callback_certificate = "-----BEGIN CERTIFICATE-----"
        with self.assertRaises(AccessError):
            self.endpoint.with_user(self.manager).callback_token = TOKEN
        actions = self.env["spp.audit.entry"].search([("res_model", "=", "spp.endpoint")]).mapped("action")
        self.assertIn("Token of calls set", actions)

    def test_the_payer_is_told_where_to_report(self):
        self.sent(1)
        exchange = self.env["spp.payment.exchange"].search([("kind", "=", "disburse")], limit=1)
        header = json.loads(exchange.request)["header"]
        self.assertEqual(header["sender_uri"], self.payment_manager.callback_url)
        with self.open_door(), self.assertRaises(urllib.request.HTTPError) as caught:
            urllib.request.urlopen(f"{header['sender_uri']}/on-disburse", b"{}")
        self.assertEqual(caught.exception.code, 401)
