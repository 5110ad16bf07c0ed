"""Results read back: looked at first, each row judged, applied once, and contradictions settled by two people."""

import base64

import psycopg2

from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from ..tools import sheet
from .payment_common import PaymentsCase


class ResultsCase(PaymentsCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.payment_manager.provider = "file"
        cls.cycle = cls.approved_cycle(cls.make_payees(4))
        cls.prepare(cls.cycle)
        cls.program = cls.cycle.program_id

    def setUp(self):
        super().setUp()
        self.issue(self.cycle)
        self.payments = self.cycle.payment_ids.sorted("id")
        self.payer = self.payment_manager.with_user(self.finance)

    def row(self, payment, outcome="paid", amount="100.00", **more):
        return {"reference": payment.reference, "outcome": outcome, "amount": amount, **more}

    def apply(self, *rows, key="key"):
        answer = self.payer.import_results(list(rows), key)
        self.env.invalidate_all()
        return answer

    def problems(self, answer):
        return [error["problem"] for error in answer["errors"]]


@tagged("post_install", "-at_install")
class TestPaymentResults(ResultsCase):
    def test_paid_and_rejected(self):
        first, second = self.payments[:2]
        answer = self.apply(
            self.row(first, currency="usd", date="2026-06-30"),
            self.row(second, "rejected", "", reason="The account is closed"),
        )
        self.assertEqual((answer["rows"], answer["applied"], answer["errors"]), (2, 2, []))
        self.assertEqual(
            (first.state, str(first.settled_at), second.state, second.state_reason),
            ("paid", "2026-06-30 00:00:00", "rejected", "The account is closed"),
        )
        self.assertEqual(self.summary(self.cycle), {"paid": 100.0, "rejected": 100.0, "in_progress": 200.0})
        self.assertEqual(self.program.fund_disbursed, 100)
        self.apply(self.row(first, "returned", date="2026-07-02"), key="bank")
        self.assertEqual(
            self.summary(self.cycle), {"returned": 100.0, "rejected": 100.0, "in_progress": 200.0}
        )

    def test_each_row_that_is_wrong_says_why_and_stops_none(self):
        first, second, third, fourth = self.payments
        answer = self.apply(
            self.row(first),
            {"reference": "X-1", "outcome": "paid", "amount": "100"},
            self.row(second, "lost"),
            self.row(third, amount="hundred"),
            self.row(first),
            self.row(fourth, currency="EUR"),
            self.row(second, "returned", date="2026-06-30"),
        )
        self.assertEqual(
            self.problems(answer),
            ["unknown_reference", "bad_outcome", "bad_amount", "duplicate", "wrong_currency", "duplicate"],
        )
        self.assertEqual([error["row"] for error in answer["errors"]], [2, 3, 4, 5, 6, 7])
        self.assertEqual(self.payments.mapped("state"), ["paid", "accepted", "accepted", "accepted"])
        answer = self.apply(
            self.row(second, "returned"),
            self.row(first, "rejected", ""),
            self.row(third, date="30.6.2026"),
            self.row(fourth, date="2999-01-01"),
            key="two",
        )
        self.assertEqual(self.problems(answer), ["state", "state", "bad_date", "bad_date"])
        self.assertEqual(
            self.problems(self.apply(self.row(first, "returned", "90"), key="three")), ["amount_differs"]
        )

    def test_a_repeated_call_answers_with_the_same_errors(self):
        rows = [{"reference": "X-1", "outcome": "paid", "amount": "100"}, self.row(self.payments[0])]
        answer = self.apply(*rows)
        self.assertEqual(self.problems(answer), ["unknown_reference"])
        self.env.invalidate_all()
        self.assertEqual(self.apply(*rows), answer)

    def test_no_row_is_applied_twice(self):
        first = self.payments[0]
        answer = self.apply(self.row(first))
        self.env.invalidate_all()  # as in a call of its own
        self.assertEqual(self.apply(self.row(first)), answer)
        with self.assertRaisesRegex(UserError, "used before"):
            self.apply(self.row(first, amount="99"))
        again = self.apply(self.row(first), key="another key")
        self.assertEqual((again["applied"], again["already"]), (0, 1))
        self.assertEqual(self.program.fund_disbursed, 100)
        self.apply(self.row(first, "returned"), key="back")
        once_more = self.apply(self.row(first), key="the first file once more")
        self.assertEqual(self.problems(once_more), ["state"])
        with (
            self.assertRaises(psycopg2.errors.UniqueViolation),
            mute_logger("odoo.sql_db"),
            self.cr.savepoint(),
        ):
            self.cr.execute(
                "UPDATE spp_payment_result_row SET verdict = 'applied' WHERE result_id = %s",
                [once_more["result"]],
            )

    def test_a_preview_changes_nothing(self):
        rows = [self.row(self.payments[0]), self.row(self.payments[1], amount="90")]
        preview = self.payer.preview_results(rows, "key")
        self.assertEqual((preview["state"], preview["applied"], preview["contradictions"]), ("read", 1, 1))
        self.assertEqual(set(self.payments.mapped("state")), {"accepted"})
        answer = self.payer.import_results(rows, "key")
        self.assertEqual((answer["result"], answer["state"]), (preview["result"], "applied"))
        self.assertEqual(self.payments[0].state, "paid")

    def test_from_a_file(self):
        header = ("Reference", "Outcome", "Amount", "Account number")
        rows = [
            (self.payments[0].reference, "paid", "100.00", "0011"),
            (self.payments[1].reference, "rejected", "", ""),
        ]
        for name, content in (
            ("results.csv", sheet.write_csv(header, rows)),
            ("results.xlsx", sheet.write_xlsx(header, rows, self.payments[0].create_date)),
        ):
            with self.subTest(name=name), self.cr.savepoint() as savepoint:
                result = self.read_file(name, content)
                self.assertEqual((result.fine_count, result.problem_count, result.state), (2, 0, "read"))
                self.assertEqual(self.read_file(name, content), result)
                result.with_user(self.finance).action_apply()
                self.assertEqual(self.payments.mapped("state"), ["paid", "rejected", "accepted", "accepted"])
                with self.assertRaises(UserError):
                    result.with_user(self.finance).action_apply()
                savepoint.rollback()
                self.env.invalidate_all()

    def test_a_discarded_file_can_be_read_again(self):
        content = sheet.write_csv(("reference", "outcome"), [(self.payments[0].reference, "rejected")])
        result = self.read_file("results.csv", content)
        result.action_discard()
        self.assertNotEqual(self.read_file("results.csv", content), result)

    def test_files_that_are_none(self):
        for name, content in (
            ("x.csv", b"reference,outcome\n"),
            ("x.csv", b"\x00\x01\x02"),
            ("x.csv", b"reference,amount\nA,1\n"),
            ("x.csv", b"reference,reference\nA,1\n"),
            ("x.xlsx", b"PK not really"),
        ):
            with self.subTest(content=content), self.assertRaises(UserError):
                self.read_file(name, content)

    def read_file(self, name, content):
        wizard = (
            self.env["spp.payment.result.read"]
            .with_user(self.finance)
            .create(
                {"manager_id": self.payment_manager.id, "file": base64.b64encode(content), "file_name": name}
            )
        )
        return self.env["spp.payment.result"].with_user(self.finance).browse(wizard.action_read()["res_id"])

    def test_who_may(self):
        rows = [self.row(self.payments[0])]
        for role in ("program_manager", "payment_releaser", "approver", "auditor", "admin"):
            with self.subTest(role=role), self.assertRaises(AccessError):
                self.payment_manager.with_user(self.users[role]).import_results(rows, "key")
        self.releaser.groups_id |= self.env.ref("spp_base.group_finance_officer")
        answer = self.payment_manager.with_user(self.releaser).import_results(rows, "key")
        self.assertEqual(self.problems(answer), ["own_release"])
        self.finance.spp_area_ids = self.env["spp.area"].create({"name": "Here", "code": "HERE"})
        with self.assertRaises(AccessError):
            self.payer.import_results(rows, "area")

    def test_references_of_another_payer_are_unknown(self):
        other = self.env["spp.payment.manager"].create({"name": "Other", "provider": "file"})
        answer = other.with_user(self.finance).import_results([self.row(self.payments[0])], "key")
        self.assertEqual(self.problems(answer), ["unknown_reference"])

    def test_what_was_handed_out_needs_what_shows_it(self):
        self.cr.execute(
            "UPDATE spp_payment_manager SET provider = 'manual' WHERE id = %s", self.payment_manager.ids
        )
        self.env.invalidate_all()
        first, second = self.payments[:2]
        answer = self.apply(
            self.row(first), self.row(second, evidence="Line 2", collected_by="Her son", date="2026-06-20")
        )
        self.assertEqual(self.problems(answer), ["no_evidence"])
        self.assertEqual(
            (second.state, second.hand_evidence, second.handed_to, second.handed_by, str(second.handed_on)),
            ("paid", "Line 2", "Her son", self.finance, "2026-06-20"),
        )

    def test_ten_times_the_rows_take_the_same_statements(self):
        counts = []
        for number, size in enumerate((1, 1, 2)):  # the first also fills caches
            before = self.cr.sql_log_count
            self.apply(
                *[self.row(payment) for payment in self.payments[number : number + size]], key=str(number)
            )
            counts.append(self.cr.sql_log_count - before)
        self.assertEqual(counts[1], counts[2])


@tagged("post_install", "-at_install")
class TestPaymentContradictions(ResultsCase):
    def contradiction(self):
        return self.env["spp.payment.contradiction"].search([])

    def settle(self, outcome, contradiction=None):
        contradiction = contradiction or self.contradiction()
        contradiction.with_user(self.finance).action_propose(outcome, "Statement 12")
        with self.assertRaises(AccessError):
            contradiction.with_user(self.finance).action_confirm()
        contradiction.with_user(self.second_finance).action_confirm()
        self.env.invalidate_all()

    def test_another_amount_stops_nothing_else(self):
        first, second = self.payments[:2]
        answer = self.apply(self.row(first, amount="90.00"), self.row(second))
        self.assertEqual((answer["applied"], answer["contradictions"], answer["errors"]), (1, 1, []))
        self.assertEqual((first.state, second.state), ("accepted", "paid"))
        contradiction = self.contradiction()
        self.assertEqual(
            (contradiction.kind, contradiction.amount, contradiction.reported_amount, contradiction.state),
            ("amount", 100.0, 90.0, "open"),
        )
        self.apply(self.row(first, amount="90.00"), key="once more")
        self.assertEqual(len(self.contradiction()), 1)

    def test_settled_as_reported_books_the_difference(self):
        free = self.program.fund_free
        self.apply(self.row(self.payments[0], amount="90.00"))
        self.settle("paid_as_reported")
        self.assertEqual(self.payments[0].state, "paid")
        self.assertEqual(self.program.fund_free, free + 10)
        self.assertEqual(self.contradiction().state, "settled")
        self.summary(self.cycle)

    def test_settled_in_full_and_not_at_all(self):
        first, second = self.payments[:2]
        self.apply(self.row(first, amount="90"), self.row(second, amount="110"))
        one, two = self.contradiction().sorted("payment_id")
        if one.payment_id != first:
            one, two = two, one
        self.settle("paid_in_full", one)
        self.settle("not_paid", two)
        self.assertEqual((first.state, second.state), ("paid", "rejected"))

    def rejected_and_issued_again(self):
        first = self.payments[0]
        self.apply(self.row(first, "rejected", ""), key="rejected")
        (again,) = first.with_user(self.manager).action_reissue("New account")
        return first, self.env["spp.payment"].browse(again)

    def test_paid_after_it_was_issued_again(self):
        first, again = self.rejected_and_issued_again()
        answer = self.apply(self.row(first), self.row(self.payments[1]), key="late")
        self.assertEqual((answer["applied"], answer["contradictions"]), (1, 1))
        self.assertEqual((first.state, again.state), ("rejected", "held"))  # nothing more is sent meanwhile
        self.assertIn("two people", again.state_reason)
        self.settle("paid")
        self.assertEqual(
            (first.state, again.state, first.entitlement_id.state), ("paid", "cancelled", "paid")
        )
        self.assertEqual(self.program.fund_disbursed, 200)
        self.assertEqual(self.summary(self.cycle), {"paid": 200.0, "in_progress": 200.0})

    def test_the_report_was_wrong(self):
        first, again = self.rejected_and_issued_again()
        self.apply(self.row(first), key="late")
        self.settle("not_paid")
        self.assertEqual((first.state, again.state), ("rejected", "ready"))

    def test_both_were_paid(self):
        first, again = self.rejected_and_issued_again()
        self.issue(self.cycle)
        self.apply(self.row(again), key="again")
        self.apply(self.row(first), key="late")
        free = self.program.fund_free
        contradiction = self.contradiction()
        contradiction.with_user(self.finance).action_propose("paid", "Statement 12")
        with self.assertRaisesRegex(UserError, "on its way or paid"):
            contradiction.with_user(self.second_finance).action_confirm()
        self.settle("paid_twice")
        self.assertEqual((first.state, again.state), ("rejected", "paid"))
        self.assertEqual(self.program.fund_free, free - 100)
        self.assertEqual(self.summary(self.cycle), {"paid": 100.0, "in_progress": 300.0})

    def test_what_is_contradicted_is_not_issued_again(self):
        first = self.payments[0]
        self.apply(self.row(first, "rejected", ""), key="rejected")
        self.apply(self.row(first), key="late")
        with self.assertRaisesRegex(UserError, "two people"):
            first.with_user(self.manager).action_reissue("New account")

    def test_the_payers_answer_contradicts_as_well(self):
        first, again = self.rejected_and_issued_again()
        finding = type("Finding", (), {"state": "paid", "reason": "", "code": "", "at": None, "alert": ""})()
        first._conclude({first.reference: finding})
        self.assertEqual((self.contradiction().kind, again.state), ("late_paid", "held"))

    def test_who_may(self):
        self.apply(self.row(self.payments[0], amount="90"))
        contradiction = self.contradiction()
        for role in ("auditor", "program_manager", "approver", "payment_releaser"):
            with self.subTest(role=role):
                self.assertEqual(contradiction.with_user(self.users[role]).reported_amount, 90)
                with self.assertRaises(AccessError):
                    contradiction.with_user(self.users[role]).action_propose("not_paid", "Letter")
        for outcome, evidence in (("paid", "Letter"), ("paid_in_full", " "), ("nothing", "Letter")):
            with self.assertRaises(UserError):
                contradiction.with_user(self.finance).action_propose(outcome, evidence)
        with self.assertRaises(UserError):
            contradiction.with_user(self.finance).write({"state": "settled"})
        with self.assertRaises(UserError):
            contradiction.with_user(self.second_finance).action_confirm()

    def test_from_the_form(self):
        self.apply(self.row(self.payments[0], amount="90"))
        wizard = self.env["spp.contradiction.decision"].with_user(self.finance)
        wizard.create(
            {
                "contradiction_id": self.contradiction().id,
                "outcome_amount": "paid_in_full",
                "evidence": "Statement 1",
            }
        ).action_propose()
        self.assertEqual(
            (self.contradiction().state, self.contradiction().outcome), ("proposed", "paid_in_full")
        )
