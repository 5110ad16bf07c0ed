"""What SPAR 2.1 really answered (samples/spar21.txt, recorded) is read as the retry table says."""

import json
import re
from pathlib import Path

from odoo.tests import BaseCase, tagged

from odoo.addons.spp_spar_sync.wire import DIALECTS, Recipe, TemplateError, Verdict

EXCHANGE = re.compile(
    r"^### 2\.1 (\S+) ([^\n]*)\nPOST \S+/mapper/(\w+)\n.*?\n\n(\{.*?)\n\n<- HTTP (\d+)\n(\{.*?\})\n",
    re.M | re.S,
)
BANK = {"number": "1000000001", "bic": "FB01", "provider": "FB01", "name": "First Bank"}
WALLET = {"number": "+250780000001", "bic": "MM", "provider": "MM", "name": "MoMo"}


@tagged("post_install", "-at_install")
class TestRecordedAnswers(BaseCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.dialect = DIALECTS["2.x"]
        text = (Path(__file__).parent / "samples" / "spar21.txt").read_text()
        cls.exchanges = {}
        for number, _title, operation, request, status, answer in EXCHANGE.findall(text):
            try:
                request = json.loads(request)
            except ValueError:
                request = None  # it was sent to see what comes of it
            cls.exchanges[number] = (operation, request, int(status), answer)

    def outcomes(self, number):
        operation, request, status, answer = self.exchanges[number]
        items = [{"reference_id": "r", "id": "x"}]
        if request and "request_header" in request:
            items = request["request_body"]["request_payload"].get(f"{operation}_request") or items
        reading = self.dialect.read_answer(operation, items, status, answer)
        return [reading.of(item["reference_id"]) for item in items]

    def verdict(self, number):
        return {outcome.verdict for outcome in self.outcomes(number)}

    def test_every_recorded_exchange_is_read(self):
        self.assertEqual(len(self.exchanges), 42)

    def test_done(self):
        for number in ("01", "10", "12", "15", "25", "36", "39"):
            self.assertEqual(self.verdict(number), {Verdict.DONE}, number)

    def test_already_linked_and_not_linked_are_questions_not_errors(self):
        for number in ("02", "03", "13", "14", "16"):
            (outcome,) = self.outcomes(number)
            self.assertEqual((outcome.verdict, outcome.lost), (Verdict.ASK, False), number)

    def test_resolve_finds_accounts_of_every_kind(self):
        for number, masked in {
            "04": "BANK ••••0001 FB01",
            "11": "MOBILE_WALLET •••• MM",
            "26": "EMAIL_WALLET ••••o.tz PX",
            "40": "BANK •••• FB01",
        }.items():
            (outcome,) = self.outcomes(number)
            self.assertTrue(outcome.found, number)
            self.assertEqual(self.dialect.mask(outcome.fa), masked)

    def test_a_miss_is_a_success(self):
        for number in ("07", "19", "38"):
            for outcome in self.outcomes(number):
                self.assertEqual((outcome.verdict, outcome.found), (Verdict.DONE, False), number)

    def test_wrong_data_is_permanent_for_that_item(self):
        verdicts = [outcome.verdict for outcome in self.outcomes("17")]
        self.assertEqual(verdicts[0], Verdict.DONE)
        self.assertEqual(verdicts[1], Verdict.PERMANENT)

    def test_wrong_message_is_permanent(self):
        for number in ("21", "22", "23", "24", "33", "34", "35", "41"):
            self.assertEqual(self.verdict(number), {Verdict.PERMANENT}, number)

    def test_unknown_strategy_looks_like_a_fault_and_is_given_up_after_some_tries(self):
        for number in ("18", "20", "27"):
            for outcome in self.outcomes(number):
                self.assertEqual((outcome.verdict, outcome.limited), (Verdict.RETRY, True), number)
                self.assertIn("strategy", outcome.reason)

    def test_refused_signature_stops_the_endpoint_by_its_words_alone(self):
        for number in ("28", "29", "30", "32"):
            self.assertEqual(self.verdict(number), {Verdict.STOP}, number)
        self.assertEqual(self.outcomes("24")[0].code, self.outcomes("28")[0].code)

    def test_malformed_signature_cannot_be_told_from_a_fault(self):
        (outcome,) = self.outcomes("31")
        self.assertEqual((outcome.verdict, outcome.lost, outcome.code), (Verdict.ASK, True, "G2P-REQ-100"))

    def test_message_is_the_recorded_one(self):
        for number in ("13", "25"):
            operation, recorded, _status, _answer = self.exchanges[number]
            payload = recorded["request_body"]["request_payload"]
            (asked,) = payload[f"{operation}_request"]
            fa = json.dumps(asked["fa"])
            item = self.dialect.item(asked["reference_id"], asked["timestamp"], asked["id"], fa, 2)
            header = recorded["request_header"]
            built = self.dialect.message(
                operation,
                [item],
                message_id=header["request_id"],
                transaction_id=payload["transaction_id"],
                timestamp=header["request_timestamp"],
                sender_id=header["sender_app_mnemonic"],
                receiver_id="not in this generation",
                sender_url=header["sender_app_url"],
            )
            self.assertEqual(built, recorded)


@tagged("post_install", "-at_install")
class TestTypedAccounts(BaseCase):
    def account(self, kind, values, strategy_id=2):
        text = DIALECTS["2.x"].account(kind, values, Recipe("", strategy_id, "001"))
        return json.loads(text)

    def test_each_kind_is_the_object_spar_takes(self):
        bank = {
            "strategy_id": 2, "fa_type": "BANK", "bank_name": "First Bank", "bank_code": "FB01",
            "branch_name": "001", "branch_code": "001", "account_number": "1000000001",
        }  # fmt: skip
        self.assertEqual(self.account("bank", BANK), bank)
        iban = {**BANK, "number": "DE89370400440532013000"}
        self.assertEqual(self.account("iban", iban), {**bank, "account_number": iban["number"]})
        self.assertEqual(
            self.account("mobile_wallet", WALLET, 4),
            {
                "strategy_id": 4, "fa_type": "MOBILE_WALLET", "mobile_number": "+250780000001",
                "wallet_provider_name": "MoMo", "wallet_provider_code": "MM",
            },
        )  # fmt: skip
        self.assertEqual(
            self.account("email_wallet", {**WALLET, "number": "jo.e@mail.co.tz"}, 3),
            {
                "strategy_id": 3, "fa_type": "EMAIL_WALLET", "email_address": "jo.e@mail.co.tz",
                "wallet_provider_name": "MoMo", "wallet_provider_code": "MM",
            },
        )  # fmt: skip

    def test_what_the_mapper_could_not_take_apart_again_is_refused_without_quoting_it(self):
        for name, value in [
            ("number", "12.fa_type:X"), ("number", "12 34"), ("number", ""), ("bic", None), ("bic", "é1"),
            ("name", "Bank: Mali"), ("name", "{0}"),
        ]:  # fmt: skip
            with self.assertRaises(TemplateError, msg=(name, value)) as caught:
                self.account("bank", {**BANK, name: value})
            self.assertNotIn("12", str(caught.exception))
        self.assertEqual(
            self.account("bank", {**BANK, "name": " Crédit  Rural "})["bank_name"], "Crédit Rural"
        )

    def test_the_same_place_is_the_same_account(self):
        dialect = DIALECTS["2.x"]
        ours = dialect.account("bank", BANK, Recipe("", 5, "001"))

        def theirs(**changed):
            return json.dumps({**json.loads(ours), **changed})

        self.assertTrue(dialect.same(ours, theirs(bank_name="FIRST BANK", strategy_id=2, branch_name=None)))
        self.assertTrue(
            dialect.same(ours, theirs(fa_type="BANK_ACCOUNT", mobile_number="", email_address=""))
        )
        for changed in (
            {"account_number": "1000000002"}, {"bank_code": "FB02"}, {"branch_code": "002"}, {"fa_type": "EMAIL_WALLET"},
        ):  # fmt: skip
            self.assertFalse(dialect.same(ours, theirs(**changed)), changed)
        # what 2.x gives when the strategies disagree; what a 1.x mapper was told; nothing
        for other in ('{"strategy_id":2}', "account:1000000001@FB01", "", "[]"):
            self.assertFalse(dialect.same(ours, other), other)
            self.assertFalse(dialect.same(other, ours), other)
            self.assertTrue(dialect.same(other, other))
        self.assertFalse(dialect.same('{"strategy_id":2}', '{"strategy_id":3}'))

    def test_what_cannot_be_read_is_shown_as_such_and_never_whole(self):
        mask = DIALECTS["2.x"].mask
        self.assertEqual(
            [mask(fa) for fa in ("", '{"strategy_id":2}', "account:1000000001@FB01")], ["", "••••", "••••"]
        )
