"""The G2P Bridge's dialect: declared and sent without a doubt, and every recorded answer read. No database needed."""

import json
import unittest
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

from ..wire import bridge
from ..wire.answers import Verdict
from ..wire.bridge import Declaration, Disbursement, Proof
from ..wire.messages import MessageError, Party

RECORDED = (Path(__file__).parent / "samples" / "bridge-1.0.2.txt").read_text()
NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
TODAY = NOW.date()
PARTY = Party("openspp-test")
DECLARED = Declaration("SPP-TEST", "2026-11", "Monthly", 2, Decimal("250.00"), "USD", date(2026, 11, 24))
ITEMS = [
    Disbursement("PAY-1", "id:1001@nid", "Amina Diallo", Decimal("150.50"), "Cycle 2026-11"),
    Disbursement("PAY-2", "id:1002@nid", "Ben Okoye", Decimal("99.50"), "Cycle 2026-11"),
]


def recorded(operation):
    """[(HTTP status, body)] of all recorded exchanges of an operation, in order."""
    found = []
    for part in RECORDED.split("=== POST /")[1:]:
        title, _newline, body = part.partition("\n")
        name, status = title.split(" -> HTTP ")
        if name == operation:
            found.append((int(status), body.split("\n########")[0].strip()))
    return found


def answer(message, status="succ", **header):
    return json.dumps({"header": {"status": status, **header}, "message": message})


def records(*recon, errors=()):
    return answer(
        [
            {
                "disbursement_id": "D1",
                "disbursement_recon_records": {
                    "disbursement_recon_payloads": list(recon),
                    "disbursement_error_recon_payloads": list(errors),
                },
            }
        ]
    )


class TestRequests(unittest.TestCase):
    def test_an_envelope_declares_what_will_be_sent(self):
        request = bridge.declare(PARTY, "m-1", DECLARED, NOW, TODAY)
        self.assertEqual(request["header"]["action"], "create_disbursement_envelope")
        self.assertEqual(
            request["message"],
            {
                "benefit_program_mnemonic": "SPP-TEST",
                "disbursement_frequency": "Monthly",
                "cycle_code_mnemonic": "2026-11",
                "number_of_beneficiaries": 2,
                "number_of_disbursements": 2,
                "total_disbursement_amount": 250,
                "disbursement_currency_code": "USD",
                "disbursement_schedule_date": "2026-11-24",
            },
        )

    def test_what_the_bridge_would_refuse_does_not_leave(self):
        for change in (
            {"total": Decimal("250.50")},
            {"total": Decimal(0)},
            {"count": 0},
            {"frequency": "Sometimes"},
            {"currency": "usd"},
            {"program": ""},
            {"cycle": "x" * 100},
            {"schedule": date(2026, 11, 20)},
        ):
            with self.assertRaises(MessageError, msg=change):
                bridge.declare(PARTY, "m-1", DECLARED._replace(**change), NOW, TODAY)

    def test_disbursements_of_one_envelope(self):
        request = bridge.disburse(PARTY, "m-1", "1795", ITEMS, NOW)
        self.assertEqual(request["header"]["total_count"], 2)
        self.assertEqual(
            request["message"][0],
            {
                "disbursement_envelope_id": "1795",
                "beneficiary_id": "id:1001@nid",
                "beneficiary_name": "Amina Diallo",
                "disbursement_amount": 150.5,
                "narrative": "Cycle 2026-11",
                "mis_reference_number": "PAY-1",
            },
        )
        self.assertIn('"disbursement_amount": 99.5', json.dumps(request))

    def test_a_batch_total_with_a_fraction_is_refused(self):
        """The bridge cuts it off and then waits for ever."""
        with self.assertRaisesRegex(MessageError, "whole"):
            bridge.disburse(PARTY, "m-1", "1795", ITEMS[:1], NOW)

    def test_disbursements_that_may_not_leave(self):
        good = ITEMS[0]._replace(amount=Decimal(100))
        bridge.disburse(PARTY, "m-1", "1795", [good], NOW)
        for items, envelope in (
            ([], "1795"),
            ([good, good], "1795"),
            ([good], ""),
            ([good], False),
            ([good._replace(amount=Decimal(0))], "1795"),
            ([good._replace(amount=Decimal("NaN"))], "1795"),
            ([good._replace(amount=Decimal(10) ** 15)], "1795"),
            ([good._replace(beneficiary_id="")], "1795"),
            ([good._replace(beneficiary_name="")], "1795"),
            ([good._replace(narrative="")], "1795"),
            ([good._replace(reference="x" * 100)], "1795"),
        ):
            with self.assertRaises(MessageError, msg=(items, envelope)):
                bridge.disburse(PARTY, "m-1", envelope, items, NOW)

    def test_questions_and_cancellations(self):
        self.assertEqual(bridge.ask_envelope(PARTY, "m", "1795", NOW)["message"], "1795")
        self.assertEqual(bridge.ask(PARTY, "m", ["1", "2"], NOW)["message"], ["1", "2"])
        self.assertEqual(bridge.cancel(PARTY, "m", ["1"], NOW)["message"], [{"disbursement_id": "1"}])
        cancelled = bridge.cancel_envelope(PARTY, "m", "1795", NOW)
        self.assertEqual(cancelled["message"], {"disbursement_envelope_id": "1795"})
        amended = bridge.amend(PARTY, "m", "1795", DECLARED._replace(count=1), NOW, TODAY)["message"]
        self.assertEqual(
            (amended["disbursement_envelope_id"], amended["number_of_disbursements"]), ("1795", 1)
        )
        for ids in ([], ["x"] * 501, [""]):
            with self.assertRaises(MessageError):
                bridge.ask(PARTY, "m", ids, NOW)


class TestRecordedAnswers(unittest.TestCase):
    def test_envelopes(self):
        readings = [bridge.read_declare(*each) for each in recorded("create_disbursement_envelope")]
        self.assertEqual(
            [(each.verdict.value, each.envelope_id, each.code) for each in readings],
            [
                ("answered", "1795224031312", ""),
                ("answered", "1795224032337", ""),
                ("refused", "", "INVALID_PROGRAM_MNEMONIC"),
                ("refused", "", "INVALID_DISBURSEMENT_SCHEDULE_DATE"),
                ("refused", "", "G2P-REQ-102"),
                ("answered", "1795224032434", ""),
            ],
        )
        self.assertIn("program's code", readings[2].reason)

    def test_disbursements(self):
        expected = {f"PAY-{n}" for n in range(1, 100)}
        readings = [bridge.read_disburse(*each, expected) for each in recorded("create_disbursements")]
        first = readings[0]
        self.assertEqual(first.verdict, Verdict.ANSWERED)
        self.assertEqual(first.ids, {"PAY-1": "1795224031708313", "PAY-2": "1795224031708447"})
        self.assertEqual({each.state for each in first.findings.values()}, {"accepted"})
        self.assertEqual(
            [(each.verdict.value, each.code) for each in readings[1:]],
            [
                ("refused", "TOTAL_DISBURSEMENT_AMOUNT_EXCEEDS_DECLARED"),
                ("refused", "NO_OF_DISBUESEMENTS_EXCEEDS_DECLARED"),
                ("refused", "INVALID_DISBURSEMENT_PAYLOAD"),
                ("refused", "MULTIPLE_ENVELOPES_FOUND"),
                ("refused", "DISBURSEMENT_ENVELOPE_NOT_FOUND"),
                ("unclear", "G2P-REQ-100"),
                ("refused", "G2P-REQ-102"),
                ("answered", ""),
                ("answered", ""),
            ],
        )
        self.assertFalse(readings[1].findings, "null ids of a refused message are no payments")
        at_fault = readings[3].findings["PAY-4"]
        self.assertEqual((at_fault.state, at_fault.code), ("rejected", "INVALID_DISBURSEMENT_AMOUNT"))
        self.assertIn("text of the payment", at_fault.reason)

    def test_counters_of_an_envelope(self):
        known, unknown = (
            bridge.read_envelope(*each) for each in recorded("get_disbursement_envelope_status")
        )
        counters = known.counters
        self.assertEqual((counters.received, counters.received_total, counters.reconciled), (2, 250, 0))
        self.assertEqual(
            (counters.funds_available, counters.funds_blocked), ("PENDING_CHECK", "PENDING_CHECK")
        )
        self.assertEqual(
            (unknown.verdict, unknown.code), (Verdict.UNCLEAR, "DISBURSEMENT_ENVELOPE_NOT_FOUND")
        )

    def test_no_record_proves_nothing(self):
        ids = {"1795224031708313", "1795224031708447", "does-not-exist"}
        ((status, text),) = recorded("get_disbursement_status")
        reading = bridge.read_status(status, text, ids)
        self.assertEqual((reading.verdict, reading.findings, reading.strangers), (Verdict.ANSWERED, {}, 0))

    def test_cancellations(self):
        verdicts = [bridge.read_declare(*each).verdict for each in recorded("cancel_disbursement_envelope")]
        self.assertEqual(verdicts, [Verdict.ANSWERED, Verdict.REFUSED])


class TestSettlement(unittest.TestCase):
    def finding(self, *recon, errors=()):
        return bridge.read_status(200, records(*recon, errors=errors), {"D1"}).findings.get("D1")

    def test_a_bank_record_is_payment(self):
        paid = self.finding({"reversal_found": False, "remittance_value_date": "2026-11-21T00:00:00"})
        self.assertEqual((paid.state, paid.at, paid.alert), ("paid", datetime(2026, 11, 21), ""))

    def test_a_reversal_is_a_return_with_its_reason(self):
        back = self.finding(
            {
                "reversal_found": True,
                "reversal_reason": "closed 0011223344",
                "reversal_value_date": "2026-11-25",
            }
        )
        self.assertEqual((back.state, back.at), ("returned", datetime(2026, 11, 25)))
        self.assertEqual(back.reason, "closed ••••3344")

    def test_an_error_record_asks_for_a_person(self):
        lost = self.finding(errors=[{"error_reason": "INVALID_REVERSAL"}])
        self.assertEqual((lost.state, bool(lost.alert)), ("unknown", True))
        twice = self.finding({"reversal_found": False}, errors=[{"error_reason": "DUPLICATE_DISBURSEMENT"}])
        self.assertEqual(twice.state, "paid")
        self.assertIn("twice", twice.alert)

    def test_strange_answers_prove_nothing(self):
        for text in (
            "",
            "<html>",
            "[]",
            "{}",
            answer(None),
            answer([]),
            answer([None, 5, {"disbursement_id": None}]),
            answer([{"disbursement_id": "D1", "disbursement_recon_records": None}]),
            answer(None, status="rjct", status_reason_message=None),
            json.dumps({"errors": [{"code": "G2P-REQ-100"}]}),
        ):
            self.assertFalse(bridge.read_status(200, text, {"D1"}).findings, text)
            self.assertIn(
                bridge.read_disburse(200, text, {"P"}).verdict, (Verdict.UNCLEAR, Verdict.REFUSED), text
            )
            self.assertFalse(bridge.read_declare(200, text).envelope_id, text)
            self.assertIsNone(bridge.read_envelope(200, text).counters.received, text)


class TestLostAnswer(unittest.TestCase):
    def test_the_counter_decides(self):
        for before, after, proof in (
            (0, 0, Proof.NOT_RECEIVED),
            (500, 500, Proof.NOT_RECEIVED),
            (500, 700, Proof.RECEIVED),
            (500, 900, Proof.UNCLEAR),
            (500, 400, Proof.UNCLEAR),
            (500, None, Proof.UNCLEAR),
        ):
            self.assertEqual(bridge.what_became_of(before, after, 200), proof)
