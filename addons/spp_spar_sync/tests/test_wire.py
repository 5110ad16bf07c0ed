"""What SPAR 1.1 really answered (samples/spar11.txt, recorded) is read as the retry table says."""

import json
import re
from pathlib import Path

from odoo.tests import BaseCase, tagged

from odoo.addons.spp_spar_sync.wire import (
    DIALECTS,
    Step,
    TemplateError,
    Verdict,
    check_template,
    fill,
    next_step,
)

EXCHANGE = re.compile(
    r"^### 1\.1 (\S+) [^\n]*\nPOST \S+/(sync|async)/(\w+)\n.*?\n\n(\{.*?\})\n\n<- HTTP (\d+)\n(\{.*?\})\n",
    re.M | re.S,
)


@tagged("post_install", "-at_install")
class TestRecordedAnswers(BaseCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.dialect = DIALECTS["1.1"]
        text = (Path(__file__).parent / "samples" / "spar11.txt").read_text()
        cls.exchanges = {}
        for number, mode, operation, request, status, answer in EXCHANGE.findall(text):
            if mode == "sync":
                cls.exchanges[number] = (operation, json.loads(request), int(status), answer)

    def outcomes(self, number):
        operation, request, status, answer = self.exchanges[number]
        items = request["message"][f"{operation}_request"]
        reading = self.dialect.read_answer(operation, items, status, answer)
        return [reading.of(item["reference_id"]) for item in items]

    def verdict(self, number):
        (outcome,) = self.outcomes(number)
        return outcome.verdict

    def test_every_recorded_exchange_is_read(self):
        self.assertEqual(len(self.exchanges), 25)

    def test_done(self):
        for number in ("01", "08", "09", "13", "20", "25"):
            self.assertEqual(self.verdict(number), Verdict.DONE, number)

    def test_already_linked_and_not_linked_are_questions_not_errors(self):
        for number in ("02", "03", "10", "12", "14"):
            (outcome,) = self.outcomes(number)
            self.assertEqual((outcome.verdict, outcome.lost), (Verdict.ASK, False), number)

    def test_resolve_finds(self):
        (outcome,) = self.outcomes("04")
        self.assertTrue(outcome.found)
        self.assertEqual(outcome.fa, "account:1000000001@main.fb01.bank_acc")

    def test_a_miss_is_a_success_that_echoes_the_account_asked_for(self):
        for number in ("06", "07", "18"):
            (outcome,) = self.outcomes(number)
            self.assertEqual((outcome.verdict, outcome.found, outcome.fa), (Verdict.DONE, False, ""), number)

    def test_wrong_data_is_permanent_for_that_item(self):
        first, second = self.outcomes("15")
        self.assertEqual((first.verdict, first.code), (Verdict.PERMANENT, "rjct.id.invalid"))
        self.assertEqual((second.verdict, second.code), (Verdict.PERMANENT, "rjct.fa.invalid"))

    def test_wrong_message_is_permanent(self):
        for number in ("16", "19"):
            self.assertEqual(self.verdict(number), Verdict.PERMANENT, number)

    def test_fault_of_the_server_leaves_the_outcome_unknown(self):
        for number in ("17", "22"):
            outcome = self.outcomes(number)[0]
            self.assertEqual(
                (outcome.verdict, outcome.lost, outcome.code), (Verdict.ASK, True, "G2P-REQ-100")
            )

    def test_refused_signature_stops_the_endpoint(self):
        for number in ("21", "23", "24"):
            self.assertEqual(self.verdict(number), Verdict.STOP, number)

    def test_message_is_the_recorded_one(self):
        _operation, recorded, _status, _answer = self.exchanges["08"]
        (asked,) = recorded["message"]["update_request"]
        item = self.dialect.item(asked["reference_id"], asked["timestamp"], asked["id"], asked["fa"])
        header = recorded["header"]
        built = self.dialect.message(
            "update",
            [item],
            message_id=header["message_id"],
            transaction_id=recorded["message"]["transaction_id"],
            timestamp=header["message_ts"],
            sender_id=header["sender_id"],
            receiver_id=header["receiver_id"],
        )
        self.assertEqual(json.dumps(built), json.dumps(recorded))


@tagged("post_install", "-at_install")
class TestRetryTable(BaseCase):
    def outcome(self, operation="link", status=200, body=None, text=None):
        item = {"reference_id": "r", "id": "token:a@nationalId"}
        text = json.dumps(body) if text is None else text
        return DIALECTS["1.1"].read_answer(operation, [item], status, text).of("r")

    def envelope(self, code, operation="link"):
        return self.outcome(
            operation, body={"header": {"status": "rjct", "status_reason_code": code}, "message": {}}
        )

    def item(self, operation, status, code=None, words="", **more):
        answer = {
            "reference_id": "r",
            "status": status,
            "status_reason_code": code,
            "status_reason_message": words,
        }
        body = {"header": {"status": "succ"}, "message": {f"{operation}_response": [{**answer, **more}]}}
        return self.outcome(operation, body=body)

    def test_http_status(self):
        for status, verdict in {
            301: Verdict.STOP,
            400: Verdict.PERMANENT,
            401: Verdict.STOP,
            403: Verdict.STOP,
            404: Verdict.STOP,
            405: Verdict.STOP,
            429: Verdict.ASK,
            500: Verdict.ASK,
            502: Verdict.ASK,
            503: Verdict.ASK,
            504: Verdict.ASK,
        }.items():
            self.assertEqual(self.outcome(status=status, text="").verdict, verdict, status)
            self.assertEqual(self.outcome(status=status, text="").lost, status >= 500, status)

    def test_what_is_no_answer_of_a_mapper_leaves_the_outcome_unknown(self):
        for text in ("<html>Log in</html>", "", "null", "[]", "3", '{"header": 1}', '{"message": {}}'):
            outcome = self.outcome(text=text)
            self.assertEqual((outcome.verdict, outcome.lost), (Verdict.ASK, True), text)
        for message in (None, [], {"link_response": None}, {"link_response": [1, {"reference_id": []}]}, {}):
            outcome = self.outcome(body={"header": {"status": "succ"}, "message": message})
            self.assertEqual((outcome.verdict, outcome.lost), (Verdict.ASK, True), message)

    def test_envelope_codes(self):
        for code, verdict in {
            "rjct.jwt.invalid": Verdict.STOP,
            "rjct.action.invalid": Verdict.PERMANENT,
            "rjct.action.not_supported": Verdict.PERMANENT,
            "rjct.version.invalid": Verdict.PERMANENT,
            "rjct.total_count.invalid": Verdict.PERMANENT,
            "rjct.total_count.limit_exceeded": Verdict.PERMANENT,
            "rjct.something.new": Verdict.RETRY,
        }.items():
            self.assertEqual(self.envelope(code).verdict, verdict, code)
        self.assertTrue(self.envelope("rjct.something.new").limited)

    def test_items_are_read_even_if_the_envelope_says_that_all_failed(self):
        answer = {"reference_id": "r", "status": "rjct", "status_reason_code": "rjct.fa.invalid"}
        header = {"status": "rjct", "status_reason_code": "rjct.errors.too_many"}
        outcome = self.outcome(body={"header": header, "message": {"link_response": [answer]}})
        self.assertEqual(outcome.verdict, Verdict.PERMANENT)

    def test_mappers_before_1_0_say_id_invalid_for_both(self):
        words = "Duplicate ID exists. Use 'update' instead."
        self.assertEqual(self.item("link", "rjct", "rjct.id.invalid", words).verdict, Verdict.ASK)
        words = "ID doesn't exist. Use 'link' instead."
        self.assertEqual(self.item("update", "rjct", "rjct.id.invalid", words).verdict, Verdict.ASK)
        self.assertEqual(
            self.item("update", "rjct", "rjct.id.invalid", "ID is null").verdict, Verdict.PERMANENT
        )

    def test_item_codes(self):
        for code in ("fa", "name", "mobile_number", "beneficiary_name", "timestamp"):
            outcome = self.item("update", "rjct", f"rjct.{code}.invalid")
            self.assertEqual(outcome.verdict, Verdict.PERMANENT, code)
        self.assertEqual(self.item("link", "rcvd").verdict, Verdict.ASK)
        self.assertEqual(self.item("link", "pdng").verdict, Verdict.ASK)
        self.assertEqual(self.item("link", "rjct", "rjct.unknown.retry").verdict, Verdict.RETRY)
        for code in ("rjct.other.error", "rjct.new", None):
            outcome = self.item("link", "rjct", code)
            self.assertEqual((outcome.verdict, outcome.limited), (Verdict.RETRY, True))

    def test_answer_about_another_id_is_not_believed(self):
        outcome = self.item("resolve", "succ", id="token:A@nationalId", fa="account:1@b")
        self.assertEqual((outcome.verdict, outcome.found), (Verdict.ASK, False))
        outcome = self.item("resolve", "succ", id="token:a@nationalId", fa="account:1@b")
        self.assertEqual((outcome.verdict, outcome.found, outcome.fa), (Verdict.DONE, True, "account:1@b"))

    def test_no_reason_quotes_an_id_or_an_account(self):
        outcome = self.item("link", "rjct", "rjct.other.error", "token:a@nationalId account:1@b")
        self.assertNotIn("@", outcome.reason)


@tagged("post_install", "-at_install")
class TestTemplates(BaseCase):
    def test_filled(self):
        self.assertEqual(fill("token:{value}@nationalId", {"value": " 91-_d "}), "token:91-_d@nationalId")
        self.assertEqual(fill("m:{a}@{b}", {"a": "+25078", "b": "momo"}), "m:+25078@momo")
        self.assertEqual(
            fill("email:{n}@{b}", {"n": "a.b@c.org", "b": "p"}, at_sign=["n"]), "email:a.b@c.org@p"
        )

    def test_what_would_be_ambiguous_is_refused_without_quoting_it(self):
        for value in ("", None, "12 34", "12@34", "12:34", "é12", "12\n3", "12{0}", 'a"b'):
            with self.assertRaises(TemplateError) as caught:
                fill("account:{number}@{bic}", {"number": value, "bic": "FB01"}, {"number": "account number"})
            self.assertIn("account number", str(caught.exception))
            self.assertNotIn("12", str(caught.exception))
        with self.assertRaises(TemplateError):
            fill("email:{n}@p", {"n": "a@b@c"}, at_sign=["n"])

    def test_templates_are_checked(self):
        check_template("token:{value}@nationalId", {"value", "type"}, ["value"])
        for wrong in (
            "token",
            "{value",
            "{value}{value}",
            "{value.x}",
            "{value!r}",
            "{value:>9}",
            "{0}",
            "{other}",
            "a {value}",
        ):
            with self.assertRaises(TemplateError, msg=wrong):
                check_template(wrong, {"value", "type"}, ["value"])


@tagged("post_install", "-at_install")
class TestConverge(BaseCase):
    def test_next_step(self):
        for target, current, expected, step in [
            ("b", "b", {"a"}, Step.NOTHING),
            ("", "", {"a"}, Step.NOTHING),
            ("b", "", {""}, Step.LINK),
            ("b", "a", {"a"}, Step.UPDATE),
            ("", "a", {"a"}, Step.UNLINK),
            ("b", "c", {"a"}, Step.CONFLICT),
            ("b", "", {"a"}, Step.CONFLICT),
            ("", "c", {"a"}, Step.CONFLICT),
            ("b", "z", {"a", "z"}, Step.UPDATE),
        ]:
            self.assertEqual(next_step(target, current, expected), step, (target, current, expected))
