"""Acknowledgements and callbacks of the asynchronous pair, and the answers to them. No database needed."""

import json
import unittest
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from ..wire.answers import Verdict, read_ack, read_disburse, read_status, read_status_ack
from ..wire.callbacks import CallbackError, ack, http_error, parse
from ..wire.messages import disburse_request, disbursement, status_request
from .test_wire_messages import ITEM, NOW, PARTY, TestPublishedSpecification

SAMPLES = Path(__file__).parent / "samples"
EXPECTED = {"PAY-000123": (Decimal("150.50"), "USD"), "PAY-000124": (Decimal("150.50"), "USD")}
ASYNC = PARTY._replace(sender_uri="https://spp.example.org/spp/g2p_connect/7")


def sample(name):
    return (SAMPLES / f"{name}.json").read_text()


class TestAcknowledgements(unittest.TestCase):
    def test_ack_and_nack_are_taken_and_only_err_refuses(self):
        for said, verdict in (
            ("ACK", Verdict.ANSWERED),
            ("NACK", Verdict.ANSWERED),
            ("ack", Verdict.ANSWERED),
        ):
            text = json.dumps({"message": {"ack_status": said, "correlation_id": "c"}})
            reading = read_ack(200, text, EXPECTED)
            self.assertIs(reading.verdict, verdict)
            self.assertEqual({finding.state for finding in reading.findings.values()}, {"accepted"})
            self.assertEqual(read_status_ack(200, text, EXPECTED).findings, {})
        self.assertEqual(read_ack(200, sample("ack"), EXPECTED).findings.keys(), EXPECTED.keys())
        refused = read_ack(200, sample("ack_err"), EXPECTED)
        self.assertIs(refused.verdict, Verdict.REFUSED)
        self.assertIn("signature", refused.reason)

    def test_what_is_no_acknowledgement_leaves_everything_open(self):
        for status, text in (
            (200, "{}"),
            (200, '{"message": {"ack_status": "MAYBE"}}'),
            (200, "<html>"),
            (500, json.dumps({"message": {"ack_status": "ACK"}})),
            (200, '{"message": {"ack_status": "ERR", "error": {"code": "err.service.unavailable"}}}'),
            (200, '{"message": {"ack_status": "ERR", "error": {"code": "err.request.timeout"}}}'),
            (503, "busy"),
        ):
            with self.subTest(text=text):
                self.assertIs(read_ack(status, text, EXPECTED).verdict, Verdict.UNCLEAR)
                self.assertFalse(read_status_ack(status, text, EXPECTED).findings)

    def test_refused_at_the_door(self):
        self.assertIs(read_ack(401, sample("http_error"), EXPECTED).verdict, Verdict.REFUSED)

    def test_a_server_that_answers_at_once_instead_is_believed(self):
        findings = read_ack(200, sample("sync_disburse_response"), EXPECTED).findings
        self.assertEqual(findings["PAY-000123"].state, read_disburse(200, sample("sync_disburse_response"), EXPECTED).findings["PAY-000123"].state)  # fmt: skip
        self.assertTrue(read_status_ack(200, sample("sync_txn_status_response"), EXPECTED).findings)


class TestCallbacks(unittest.TestCase):
    def test_samples(self):
        told = parse(sample("on_disburse").encode())
        self.assertIn("PAY-000123", told.references)
        self.assertTrue(told.message_id and told.transaction_id and told.sender_id)
        reading = read_disburse(200, sample("on_disburse"), EXPECTED)
        self.assertEqual(reading.findings["PAY-000123"].state, "paid")
        self.assertEqual(reading.findings["PAY-000124"].state, "rejected")
        told = parse(sample("txn_on_status").encode())
        self.assertTrue(told.references)
        self.assertTrue(read_status(200, sample("txn_on_status"), EXPECTED).findings)

    def test_a_settlement_says_whether_it_carries_an_amount(self):
        message = json.loads(sample("on_disburse"))
        entry = message["message"]["disbursements_status"][0]
        for amount, told in (("150.50", True), (None, False), ("", False)):
            entry["amount"] = amount
            finding = read_disburse(200, json.dumps(message), EXPECTED).findings["PAY-000123"]
            self.assertEqual((finding.state, finding.amount_told), ("paid", told))
        entry["amount"] = "149.50"
        finding = read_disburse(200, json.dumps(message), EXPECTED).findings["PAY-000123"]
        self.assertEqual((finding.state, finding.paid_amount), ("unknown", Decimal("149.50")))

    def test_misshapen(self):
        for body in (b"", b"[]", b"{}", b"\xff", b'{"header": {"message_id": "m"}}'):
            with self.subTest(body=body), self.assertRaises(CallbackError):
                parse(body)


class TestPublishedSpecificationOfTheAsyncPair(TestPublishedSpecification):
    def response_errors(self, path, answer, code="default"):
        reference = self.document["paths"][path]["post"]["responses"][code]["$ref"].rpartition("/")[2]
        content = self.document["components"]["responses"][reference]["content"]["application/json"]
        validator = self.validator({**content["schema"], "components": self.document["components"]})
        return [error.message for error in validator.iter_errors(answer)]

    def test_disburse(self):
        wires = [disbursement(ITEM, "eng", NOW)]
        message = disburse_request(ASYNC, "disburse", "m-1", "B-1", wires, NOW)
        self.assertEqual(message["header"]["sender_uri"], ASYNC.sender_uri)
        self.assertEqual(self.errors("/disburse", message), [])

    def test_status(self):
        message = status_request(ASYNC, "status", "m-2", ["PAY-1"], NOW)
        self.assertEqual(self.errors("/disburse/txn/status", message), [])

    def test_our_acknowledgements(self):
        now = datetime(2026, 11, 21, 9, tzinfo=UTC)
        for path in ("/on-disburse", "/disburse/txn/on-status"):
            self.assertEqual(self.response_errors(path, ack("c-1", now)), [])
            error = CallbackError("err.sender_id.invalid", "Not the payer.")
            self.assertEqual(self.response_errors(path, ack("c-1", now, error)), [])
            self.assertEqual(
                self.response_errors(path, http_error("err.request.unauthorized", "No."), "401"), []
            )

    def test_the_document_is_really_asked(self):
        self.assertTrue(self.response_errors("/on-disburse", {"message": {"ack_status": "MAYBE"}}))
