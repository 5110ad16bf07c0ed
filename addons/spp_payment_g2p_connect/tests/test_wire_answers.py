"""Every answer shape of a payer is read, and what is not certain stays unknown. No database needed."""

import json
import re
import unittest
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from ..wire.answers import Verdict, read_disburse, read_status
from ..wire.words import hide_numbers, masked_text, plain

SAMPLES = Path(__file__).parent / "samples"
EXPECTED = {"PAY-000123": (Decimal("150.50"), "USD"), "PAY-000124": (Decimal("75.00"), "USD")}


def sample(name):
    return (SAMPLES / name).read_text()


def recorded(title):
    """The body of one exchange recorded from a running server (gctb.txt)."""
    part = sample("gctb.txt").split(f"=== {title}: ", 1)[1].split("\n\n=== ", 1)[0]
    return part.split("\n", 1)[1]


def answer(*items, status="rcvd", code=None, **header):
    return json.dumps(
        {
            "header": {"status": status, "status_reason_code": code, **header},
            "message": {"transaction_id": "t", "disbursements_status": list(items)},
        }
    )


def item(reference="PAY-000123", status="succ", **values):
    return {"reference_id": reference, "status": status, **values}


class TestWhatProvesNothing(unittest.TestCase):
    def test_no_such_reference_in_a_status_answer_leaves_the_payment_unknown(self):
        for code in (
            "rjct.reference_id.invalid",
            "rjct.srch_transaction_id.not_found",
            "rjct_srch_reference_id.not_found",
        ):
            with self.subTest(code=code):
                text = answer(item(status="rjct", status_reason_code=code), status="succ")
                self.assertEqual(read_status(200, text, EXPECTED).findings["PAY-000123"].state, "unknown")

    def test_a_payment_refused_for_its_own_sake_is_rejected(self):
        text = answer(item(status="rjct", status_reason_code="rjct.payee_fa.invalid"), status="succ")
        self.assertEqual(read_status(200, text, EXPECTED).findings["PAY-000123"].state, "rejected")

    def test_an_error_inside_http_200_is_a_refusal_only_if_its_code_says_so(self):
        for code, verdict in {
            "err.request.timeout": Verdict.UNCLEAR,
            "err.service.unavailable": Verdict.UNCLEAR,
            "G2P-REQ-100": Verdict.UNCLEAR,
            "": Verdict.UNCLEAR,
            "err.signature.invalid": Verdict.REFUSED,
            "G2P-REQ-102": Verdict.REFUSED,
        }.items():
            with self.subTest(code=code):
                text = json.dumps({"errors": [{"code": code, "message": "no"}]})
                self.assertEqual(read_disburse(200, text, EXPECTED).verdict, verdict)


class TestDisburseAnswers(unittest.TestCase):
    def test_published_example(self):
        reading = read_disburse(200, sample("sync_disburse_response.json"), EXPECTED)
        self.assertEqual(reading.verdict, Verdict.ANSWERED)
        paid, refused = reading.findings["PAY-000123"], reading.findings["PAY-000124"]
        self.assertEqual((paid.state, paid.at), ("paid", datetime(2026, 11, 21, 9, 4)))
        self.assertEqual((refused.state, refused.code), ("rejected", "rjct.payee_fa.invalid"))
        self.assertIn("account closed", refused.reason)

    def test_omitted_payment_has_no_finding(self):
        reading = read_disburse(200, answer(item(status="rcvd")), EXPECTED)
        self.assertEqual(list(reading.findings), ["PAY-000123"])

    def test_refusal_inside_http_200(self):
        reading = read_disburse(200, answer(status="rjct", code="rjct.total_count.limit_exceeded"), EXPECTED)
        self.assertEqual(reading.verdict, Verdict.REFUSED)
        self.assertIn("too many payments", reading.reason)
        reading = read_disburse(200, '{"header": {"status": "rjct"}, "message": null}', EXPECTED)
        self.assertEqual(reading.verdict, Verdict.REFUSED)
        self.assertTrue(reading.reason)

    def test_header_refuses_but_a_payment_was_taken(self):
        reading = read_disburse(200, answer(item(status="rcvd"), status="rjct", code="rjct.x"), EXPECTED)
        self.assertEqual(reading.verdict, Verdict.ANSWERED)
        self.assertEqual(reading.findings["PAY-000123"].state, "accepted")

    def test_every_payment_refused_for_its_own_reason(self):
        body = answer(item(status="rjct"), item("PAY-000124", "rjct"), status="rjct")
        reading = read_disburse(200, body, EXPECTED)
        self.assertEqual(reading.verdict, Verdict.ANSWERED)
        self.assertEqual({each.state for each in reading.findings.values()}, {"rejected"})

    def test_seen_before_is_never_a_refusal(self):
        body = answer(item(status="rjct", status_reason_code="rjct.reference_id.duplicate"))
        self.assertEqual(read_disburse(200, body, EXPECTED).findings["PAY-000123"].state, "unknown")
        body = answer(status="rjct", code="rjct.message_id.duplicate")
        self.assertEqual(read_disburse(200, body, EXPECTED).verdict, Verdict.UNCLEAR)

    def test_acknowledgements(self):
        self.assertEqual(read_disburse(200, sample("ack.json"), EXPECTED).verdict, Verdict.UNCLEAR)
        refused = read_disburse(200, sample("ack_err.json"), EXPECTED)
        self.assertEqual((refused.verdict, refused.code), (Verdict.REFUSED, "err.signature.invalid"))

    def test_http_errors(self):
        error = sample("http_error.json")
        for status, body, verdict in (
            (401, error, Verdict.REFUSED),
            (403, error, Verdict.REFUSED),
            (400, '{"errors": [{"code": "G2P-REQ-102", "message": "Field required"}]}', Verdict.REFUSED),
            (404, '{"detail": "Not Found"}', Verdict.REFUSED),
            (400, "<html>Bad request</html>", Verdict.UNCLEAR),
            (400, "{}", Verdict.UNCLEAR),
            (408, error, Verdict.UNCLEAR),
            (409, error, Verdict.UNCLEAR),
            (500, error, Verdict.UNCLEAR),
            (503, "Service Unavailable", Verdict.UNCLEAR),
            (502, answer(status="rjct"), Verdict.UNCLEAR),
            (308, "", Verdict.REFUSED),
            (302, "", Verdict.UNCLEAR),
            (204, "", Verdict.UNCLEAR),
            (200, "<!DOCTYPE html><html></html>", Verdict.UNCLEAR),
            (200, "[1, 2]", Verdict.UNCLEAR),
            (200, "null", Verdict.UNCLEAR),
            (200, "{}", Verdict.UNCLEAR),
            (200, "[" * 100_000, Verdict.UNCLEAR),
        ):
            with self.subTest(status=status, body=body[:30]):
                reading = read_disburse(status, body, EXPECTED)
                self.assertEqual(reading.verdict, verdict)
                self.assertTrue(reading.reason)

    def test_form_of_a_field_never_breaks_the_rest(self):
        body = answer(
            None,
            7,
            item(reference=None),
            item(reference=["x"]),
            item("STRANGER"),
            item(status=None),
            item("PAY-000124", "SUCC", timestamp="yesterday", status_reason_message=4),
        )
        reading = read_disburse(200, body, EXPECTED)
        self.assertEqual(reading.findings["PAY-000123"].state, "unknown")
        self.assertEqual(reading.findings["PAY-000124"].state, "paid")
        self.assertIsNone(reading.findings["PAY-000124"].at)
        self.assertEqual(reading.strangers, 3)
        for message in (None, [], "x", {"disbursements_status": None}, {"disbursements_status": "x"}):
            with self.subTest(message=message):
                body = json.dumps({"header": None, "message": message})
                self.assertEqual(read_disburse(200, body, EXPECTED).verdict, Verdict.UNCLEAR)

    def test_one_object_for_a_list(self):
        body = json.dumps({"header": {"status": "succ"}, "message": {"disbursements_status": item()}})
        self.assertEqual(read_disburse(200, body, EXPECTED).findings["PAY-000123"].state, "paid")

    def test_another_amount_or_currency_goes_to_a_person(self):
        for values in ({"amount": "15.05"}, {"amount": "much"}, {"amount": [1]}, {"currency_code": "EUR"}):
            with self.subTest(values=values):
                found = read_disburse(200, answer(item(**values)), EXPECTED).findings["PAY-000123"]
                self.assertEqual(found.state, "unknown")
                self.assertTrue(found.alert)
        for values in ({"amount": 150.5}, {"amount": "150.5"}, {"amount": None}, {"currency_code": "usd"}):
            with self.subTest(values=values):
                found = read_disburse(200, answer(item(**values)), EXPECTED).findings["PAY-000123"]
                self.assertEqual((found.state, found.alert), ("paid", ""))


class TestStatusAnswers(unittest.TestCase):
    def test_object_and_list_forms_say_the_same(self):
        readings = [
            read_status(200, sample(name), EXPECTED)
            for name in (
                "sync_txn_status_response.json",
                "sync_txn_status_response_list_form.json",
                "txn_on_status.json",
                "on_disburse.json",
            )
        ]
        for reading in readings:
            self.assertEqual(reading, readings[0])
        self.assertEqual(readings[0].findings["PAY-000124"].state, "rejected")

    def test_recorded_answers_of_gctb(self):
        first, second = "1767489f-9d13-4220-a041-111e9f969df8", "ad397d57-b32a-42ea-b31e-eef8c1af0467"
        expected = {
            first: (Decimal("150.5"), "USD"),
            second: (Decimal("75"), "USD"),
            "vanished": (Decimal("1"), "USD"),
        }
        fresh = read_status(200, recorded("status by refs, fresh"), expected)
        self.assertEqual(
            {ref: each.state for ref, each in fresh.findings.items()}, {first: "accepted", second: "accepted"}
        )
        settled = read_status(200, recorded("status by refs, settled"), expected)
        self.assertEqual(settled.findings[first].state, "paid")
        self.assertEqual(settled.findings[first].at, datetime(2026, 11, 21, 1, 16, 53))
        self.assertEqual(settled.findings[second].state, "rejected")
        twice = read_status(200, recorded("status after duplicate"), expected)
        self.assertEqual(twice.findings[first].state, "paid")
        self.assertIn("2 times", twice.findings[first].alert)
        error = read_status(500, recorded("status by transaction"), expected)
        self.assertEqual((error.verdict, error.findings), (Verdict.UNCLEAR, {}))

    def test_two_entries_for_one_reference(self):
        def state_of(*statuses):
            body = answer(*(item(status=status) for status in statuses))
            return read_status(200, body, EXPECTED).findings["PAY-000123"]

        self.assertEqual(state_of("succ", "rcvd").state, "paid")
        self.assertEqual(state_of("rcvd", "succ").state, "paid")
        self.assertEqual(state_of("rjct", "rcvd").state, "accepted")
        self.assertEqual(state_of("rjct", "rjct").state, "rejected")
        self.assertEqual(state_of("rjct", "what").state, "unknown")
        self.assertIn("paid 2 times", state_of("succ", "rjct", "succ").alert)

    def test_an_answer_that_tells_nothing(self):
        for status, body in (
            (401, ""),
            (500, "{}"),
            (200, "<html>"),
            (200, answer(status="rjct", code="rjct.x")),
        ):
            with self.subTest(status=status, body=body):
                reading = read_status(status, body, EXPECTED)
                self.assertEqual((reading.verdict, reading.findings), (Verdict.UNCLEAR, {}))
                self.assertTrue(reading.reason)
        empty = read_status(200, answer(status="succ"), EXPECTED)
        self.assertEqual((empty.verdict, empty.findings), (Verdict.ANSWERED, {}))

    def test_failed_attempt_of_gctb_is_not_final(self):
        found = read_status(200, answer(item(status="fail")), EXPECTED).findings["PAY-000123"]
        self.assertEqual(found.state, "accepted")
        self.assertTrue(found.reason)


class TestWords(unittest.TestCase):
    def test_numbers_are_hidden_from_text_that_others_read(self):
        for text, number in (
            ("no such account 0011223344", "0011223344"),
            ("ACC90000666 is closed", "ACC90000666"),
            ("GB29 NWBK 6016 1331 9268 19", "6016 1331 9268"),
            ("wallet +254 700 123 456 unknown", "700 123"),
            ("mail amina.d@example.org bounced", "amina"),
        ):
            with self.subTest(text=text):
                self.assertNotIn(number, hide_numbers(text))
        self.assertEqual(
            hide_numbers("5 people had no account (code 12)"), "5 people had no account (code 12)"
        )

    def test_every_reason_has_words(self):
        self.assertIn("closed", plain("rjct.payee_fa.invalid", None))
        self.assertIn("out of ink", plain("rjct.new.code", "out of ink"))
        self.assertIn("rjct.new.code", plain("rjct.new.code", None))
        self.assertEqual(plain(None, None), "")

    def test_masked_message_holds_no_account(self):
        masked = masked_text(sample("disburse_request.json"))
        self.assertNotIn("12345678", masked)
        self.assertNotIn("0011223344", masked)
        self.assertIn("account:••••5678@exbkus33", masked)
        self.assertIn("150.50", masked)
        self.assertIn("PAY-000123", masked)
        self.assertIn("hidden", masked_text("account 12345678"))
        self.assertFalse(re.search("12345678", masked_text("account 12345678")))
