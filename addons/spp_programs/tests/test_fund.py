"""The fund of a program: a ledger nobody can change, and a balance nobody can overspend."""

from datetime import date

import psycopg2

from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from .common import ProgramsCase


@tagged("post_install", "-at_install")
class TestFund(ProgramsCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.program = cls.make_program()
        cls.fund = cls.program.with_user(cls.finance)
        cls.ledger = cls.env["spp.fund.entry"].sudo()

    def balance(self):
        program = self.program
        return (program.fund_allocated, program.fund_committed, program.fund_disbursed, program.fund_free)

    def test_allocation(self):
        entry = self.env["spp.fund.entry"].browse(self.fund.fund_allocate("1234.50", "Warrant 7", "key-1"))
        self.assertEqual(
            (entry.kind, entry.amount, entry.document, entry.user_id),
            ("allocation", 1234.5, "Warrant 7", self.finance),
        )
        self.assertEqual(len(entry.fiscal_year), 4)
        self.assertEqual(self.balance(), (1234.5, 0, 0, 1234.5))

    def test_a_repeated_request_posts_nothing(self):
        first = self.fund.fund_allocate("100", "Warrant 7", "key-1")
        self.assertEqual(self.fund.fund_allocate("100.00", "Warrant 7", "key-1"), first)
        self.assertEqual(self.balance()[0], 100)
        with self.assertRaisesRegex(UserError, "used before"):
            self.fund.fund_allocate("200", "Warrant 7", "key-1")
        other = self.make_program("OTHER").with_user(self.finance)
        self.assertNotEqual(other.fund_allocate("100", "Warrant 8", "key-1"), first)

    def test_what_is_no_amount_is_refused(self):
        for amount in ("", "abc", "0", "-5", "1,000", "NaN", "Infinity", "1e400", "10.001", None, False):
            with self.assertRaises(UserError, msg=str(amount)):
                self.fund.fund_allocate(amount, "Warrant 7", f"key-{amount}")
        with self.assertRaises(UserError):
            self.fund.fund_allocate("10", "", "key")
        with self.assertRaises(UserError):
            self.fund.fund_allocate("10", "Warrant", "")
        self.assertEqual(self.balance()[0], 0)

    def test_adjustment_takes_back_only_what_is_free(self):
        self.fund.fund_allocate("100", "Warrant 7", "key-1")
        self.ledger._post(self.program, "commitment", [("test:1", "60")])
        with self.assertRaisesRegex(UserError, r"50\.00 .* needed, 40\.00 .* free"):
            self.fund.fund_adjust("-50", "Letter 1", "key-2")
        self.fund.fund_adjust("-40", "Letter 1", "key-2")
        self.assertEqual(self.balance(), (60, 60, 0, 0))

    def test_kinds_move_the_balance(self):
        self.fund.fund_allocate("1000", "Warrant 7", "key-1")
        for kind, amount, expected in (
            ("commitment", "300", (1000, 300, 0, 700)),
            ("disbursement", "100", (1000, 200, 100, 700)),
            ("return", "40", (1000, 240, 60, 700)),
            ("release", "240", (1000, 0, 60, 940)),
        ):
            self.assertEqual(self.ledger._post(self.program, kind, [(f"test:{kind}", amount)]), 1)
            self.assertEqual(self.balance(), expected, kind)

    def test_many_rows_at_once_and_once_only(self):
        self.fund.fund_allocate("1000", "Warrant 7", "key-1")
        rows = [(f"test:{i}", "0.10") for i in range(100)]
        self.assertEqual(self.ledger._post(self.program, "commitment", rows), 100)
        self.assertEqual(self.ledger._post(self.program, "commitment", rows), 0)
        self.assertEqual(self.balance(), (1000, 10, 0, 990))

    def test_no_more_released_than_committed(self):
        self.fund.fund_allocate("1000", "Warrant 7", "key-1")
        with self.assertRaisesRegex(UserError, "more than there is"):
            self.ledger._post(self.program, "release", [("test:1", "1")])
        self.assertFalse(self.ledger.search([("origin", "=", "test:1")]))

    @mute_logger("odoo.sql_db")
    def test_the_database_refuses_overspending(self):
        self.fund.fund_allocate("100", "Warrant 7", "key-1")
        self.env.flush_all()
        for statement in (
            "UPDATE spp_fund_balance SET committed = 100.01 WHERE program_id = %s",
            "UPDATE spp_fund_balance SET disbursed = 60, committed = 41 WHERE program_id = %s",
            "UPDATE spp_fund_balance SET committed = -1 WHERE program_id = %s",
            "INSERT INTO spp_fund_balance (program_id, allocated, committed, disbursed) VALUES (%s, 5, 0, 0)",
        ):
            with self.assertRaises(psycopg2.IntegrityError), self.env.cr.savepoint():
                self.env.cr.execute(statement, [self.program.id])

    @mute_logger("odoo.sql_db")
    def test_the_ledger_is_append_only(self):
        entry = self.env["spp.fund.entry"].browse(self.fund.fund_allocate("100", "Warrant 7", "key-1"))
        self.env.flush_all()
        for statement in (
            "UPDATE spp_fund_entry SET amount = 1 WHERE id = %s",
            "DELETE FROM spp_fund_entry WHERE id = %s",
        ):
            with self.assertRaises(psycopg2.Error), self.env.cr.savepoint():
                self.env.cr.execute(statement, [entry.id])
        with self.assertRaises(psycopg2.IntegrityError), self.env.cr.savepoint():
            self.env.cr.execute(
                """
                INSERT INTO spp_fund_entry (program_id, kind, amount, currency_id, origin, fiscal_year, user_id, at)
                SELECT program_id, kind, amount, currency_id, origin, fiscal_year, user_id, at
                  FROM spp_fund_entry WHERE id = %s
                """,
                [entry.id],
            )

    def test_only_finance_officers_change_it(self):
        for role, user in self.users.items():
            if role != "finance_officer":
                with self.assertRaises(AccessError):
                    self.program.with_user(user).fund_allocate("10", "Warrant", "key")
                with self.assertRaises(AccessError):
                    self.program.with_user(user).fund_adjust("10", "Warrant", "key")
        for user in self.users.values():
            with self.assertRaises(AccessError):
                self.env["spp.fund.entry"].with_user(user).create(
                    {
                        "program_id": self.program.id,
                        "kind": "allocation",
                        "amount": 5,
                        "origin": "x",
                        "currency_id": self.program.currency_id.id,
                        "fiscal_year": "2026",
                        "user_id": user.id,
                        "at": "2026-01-01 00:00:00",
                    }
                )

    def years(self):
        self.program.invalidate_recordset()
        return {
            year.fiscal_year: (year.allocated, year.committed, year.disbursed, year.free)
            for year in self.program.fund_year_ids
        }

    def test_a_mistyped_allocation_is_put_right_by_the_difference(self):
        typed = self.fund.fund_allocate("10000", "Warrant 7", "key-1", "2026")
        adjustment = self.env["spp.fund.entry"].browse(
            self.fund.fund_correct(typed, "1000", "Warrant 7, read again", "key-2")
        )
        self.assertEqual(
            (adjustment.kind, adjustment.amount, adjustment.corrects_id.id, adjustment.fiscal_year),
            ("adjustment", -9000, typed, "2026"),
        )
        self.assertEqual(self.balance()[0], 1000)
        self.assertEqual(self.fund.fund_correct(typed, "1000", "Warrant 7", "key-2"), adjustment.id)
        with self.assertRaisesRegex(UserError, "stands at 1,000.00"):
            self.fund.fund_correct(typed, "1000", "Warrant 7", "key-3")
        with self.assertRaisesRegex(UserError, "used before"):
            self.fund.fund_correct(self.fund.fund_allocate("5", "W", "key-9"), "4", "W", "key-2")
        self.fund.fund_correct(typed, "1100", "Warrant 7, once more", "key-4")
        self.assertEqual(self.balance()[0], 1105)
        with self.assertRaises(UserError):
            self.fund.fund_correct(adjustment.id, "1", "Letter", "key-5")

    def test_what_is_promised_is_not_corrected_away(self):
        typed = self.fund.fund_allocate("100", "Warrant 7", "key-1")
        self.ledger._post(self.program, "commitment", [("test:1", "60")])
        with self.assertRaisesRegex(UserError, "does not suffice"):
            self.fund.fund_correct(typed, "50", "Warrant 7", "key-2")

    def test_figures_by_fiscal_year_add_up_to_the_balance(self):
        self.fund.fund_allocate("1000", "Warrant 7", "key-1", "2025")
        self.fund.fund_allocate("500", "Warrant 8", "key-2", "2026")
        self.ledger._post(self.program, "commitment", [("test:1", "300")], fiscal_year="2025")
        self.ledger._post(self.program, "disbursement", [("test:1", "100")], fiscal_year="2025")
        self.ledger._post(self.program, "commitment", [("test:2", "600")], fiscal_year="2026")
        self.assertEqual(self.years(), {"2025": (1000, 200, 100, 700), "2026": (500, 600, 0, -100)})
        self.assertEqual(tuple(map(sum, zip(*self.years().values(), strict=True))), self.balance())
        for wrong in ("26", "year", "20 6"):
            with self.assertRaises(UserError):
                self.fund.fund_allocate("1", "Warrant", f"key-{wrong}", wrong)

    def test_the_fiscal_year_begins_where_the_company_says(self):
        company = self.env.company
        self.assertEqual(company._spp_fiscal_year(date(2026, 6, 30)), "2026")
        company.spp_fiscal_year_month = "7"
        self.assertEqual(company._spp_fiscal_year(date(2026, 6, 30)), "2025")
        self.assertEqual(company._spp_fiscal_year(date(2026, 7, 1)), "2026")

    def test_from_the_program_form(self):
        wizard = (
            self.env["spp.fund.change"]
            .with_user(self.finance)
            .create({"program_id": self.program.id, "amount": "500.00", "document": "Warrant 9"})
        )
        wizard.action_post()
        wizard.action_post()
        self.assertEqual(self.balance()[0], 500)
        allocation = self.program.with_user(self.finance).fund_entry_ids
        wizard.create(
            {
                "program_id": self.program.id,
                "kind": "correction",
                "entry_id": allocation.id,
                "amount": "50",
                "document": "Warrant 9, read again",
            }
        ).action_post()
        self.assertEqual(self.balance()[0], 50)
