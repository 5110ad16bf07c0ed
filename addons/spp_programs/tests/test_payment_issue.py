"""Payments by file and on paper: made once, the same for whoever fetches it, and nothing paid by being sent."""

import base64
import hashlib
import io

import openpyxl
import psycopg2

from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from ..tools import paper, sheet
from .payment_common import PaymentsCase


@tagged("post_install", "-at_install")
class TestPaymentFile(PaymentsCase):
    def issued(self, file_format="csv", count=3, **vals):
        self.payment_manager.write({"provider": "file", "file_format": file_format})
        cycle = self.approved_cycle(self.make_payees(count), **vals)
        self.prepare(cycle)
        return cycle, self.issue(cycle)

    def content(self, file):
        return base64.b64decode(file.with_user(self.finance).content)

    def test_a_csv_with_everything_the_payer_needs(self):
        cycle, file = self.issued()
        rows = sheet.read("x.csv", self.content(file))
        self.assertEqual({row["reference"] for row in rows}, set(cycle.payment_ids.mapped("reference")))
        payment = cycle.payment_ids[0]
        (row,) = [row for row in rows if row["reference"] == payment.reference]
        self.assertEqual(
            (row["amount"], row["currency"], row["account_number"], row["bank"], row["payee_name"]),
            ("100.00", "USD", payment.account_number, "EXBKUS33", payment.payee_name),
        )
        self.assertEqual((file.payment_count, file.total_amount, file.made_by), (3, 300.0, self.releaser))

    def test_sending_pays_nobody(self):
        cycle, _file = self.issued()
        self.assertEqual(set(cycle.payment_ids.mapped("state")), {"accepted"})
        self.assertEqual(self.summary(cycle), {"in_progress": 300.0})
        self.assertEqual(cycle.program_id.fund_disbursed, 0)
        self.assertTrue(all(cycle.payment_ids.mapped("sent_at")))

    def test_excel_keeps_every_digit(self):
        self.payment_manager.write({"provider": "file", "file_format": "xlsx"})
        (person,) = self.make_people(1, prefix="Long number")
        self.give_account(person, "001234567890123456")
        cycle = self.approved_cycle(person)
        self.prepare(cycle)
        file = self.issue(cycle)
        sheet_ = openpyxl.load_workbook(io.BytesIO(self.content(file))).active
        self.assertEqual(sheet_.cell(2, 6).value, "001234567890123456")

    def test_a_pdf_with_a_code_for_each_payment(self):
        _cycle, file = self.issued("pdf", count=9)
        content = self.content(file)
        self.assertTrue(content.startswith(b"%PDF"))
        self.assertEqual(content.count(b"/Type /Page\n"), 2)

    def test_a_long_name_keeps_to_its_column(self):
        from reportlab.pdfbase.pdfmetrics import stringWidth

        for name in ("Ana Cruz", "Ñuñez Pérez, José María de los Ángeles y Santísima Trinidad", "M" * 200):
            text, size = paper.fitting(name, 10, 190)
            self.assertLessEqual(stringWidth(text, paper._font(), size), 190)
            self.assertTrue(name.startswith(text.rstrip("…")))
        self.assertEqual(paper.fitting("Ana Cruz", 10, 190), ("Ana Cruz", 10))

    def test_names_are_no_formulas(self):
        self.payment_manager.write({"provider": "file", "file_format": "csv"})
        people = self.make_payees(1, prefix="=cmd")
        cycle = self.approved_cycle(people)
        self.prepare(cycle)
        (row,) = sheet.read("x.csv", self.content(self.issue(cycle)))
        self.assertTrue(row["payee_name"].startswith("'="))

    def test_it_is_made_once_and_stays_as_it_is(self):
        cycle, file = self.issued()
        self.assertEqual(hashlib.sha256(self.content(file)).hexdigest(), file.sha256)
        cycle.payment_batch_ids._job_send()
        self.assertEqual(cycle.payment_batch_ids.file_ids, file)
        with self.assertRaises(UserError):
            self.issue(cycle)
        for statement in (
            "UPDATE spp_payment_file SET name = 'x' WHERE id = %s",
            "DELETE FROM spp_payment_file WHERE id = %s",
        ):
            with self.assertRaises(psycopg2.Error), mute_logger("odoo.sql_db"), self.cr.savepoint():
                self.cr.execute(statement, [file.id])

    def test_account_numbers_are_for_finance_officers(self):
        _cycle, file = self.issued()
        self.assertIn("content", file.with_user(self.finance).action_download()["url"])
        for role in ("auditor", "program_manager", "approver", "payment_releaser"):
            with self.subTest(role=role):
                with self.assertRaises(AccessError):
                    file.with_user(self.users[role]).read(["content"])
                with self.assertRaises(AccessError):
                    file.with_user(self.users[role]).action_download()
                self.assertFalse(file.with_user(self.users[role]).list_content)
        for role in ("program_viewer", "enrollment_officer", "admin"):
            with self.subTest(role=role), self.assertRaises(AccessError):
                file.with_user(self.users[role]).read(["name"])
        self.assertTrue(
            self.env["spp.audit.entry"].search(
                [("action", "=", "Payment file fetched"), ("user_id", "=", self.finance.id)]
            )
        )

    def test_a_payer_without_answers_is_not_asked(self):
        self.issued()
        with self.assertRaisesRegex(UserError, "cannot be asked"):
            self.payment_manager.with_user(self.finance).action_ask_status()
        jobs = self.env["queue.job"].search_count([])
        self.env["spp.payment.manager"]._cron_payment_status()
        self.assertEqual(self.env["queue.job"].search_count([]), jobs)


@tagged("post_install", "-at_install")
class TestPaymentByHand(PaymentsCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.payment_manager.provider = "manual"

    def issued(self, count=2):
        cycle = self.approved_cycle(self.make_people(count, prefix="Collector"))  # nobody has an account
        self.prepare(cycle)
        return cycle, self.issue(cycle)

    def test_a_list_to_sign_without_accounts(self):
        cycle, file = self.issued()
        self.assertEqual((file.kind, file.payment_count), ("signature_list", 2))
        for role in ("auditor", "payment_releaser"):
            self.assertTrue(
                base64.b64decode(file.with_user(self.users[role]).list_content).startswith(b"%PDF")
            )
            self.assertIn("list_content", file.with_user(self.users[role]).action_download()["url"])
        self.assertEqual(set(cycle.payment_ids.mapped("state")), {"accepted"})

    def test_each_is_paid_when_its_hand_out_is_recorded(self):
        cycle, _file = self.issued()
        first, second = cycle.payment_ids
        first.with_user(self.finance).action_hand_out(
            "Signed list, line 1", "2026-06-20", "Her son, by proxy"
        )
        self.assertEqual(
            (first.state, first.handed_by, str(first.handed_on), first.handed_to, first.hand_evidence),
            ("paid", self.finance, "2026-06-20", "Her son, by proxy", "Signed list, line 1"),
        )
        self.assertEqual(second.state, "accepted")
        self.assertEqual(self.summary(cycle), {"in_progress": 100.0, "paid": 100.0})
        second.with_user(self.finance).action_not_handed_out("Did not come")
        self.assertEqual(self.summary(cycle), {"rejected": 100.0, "paid": 100.0})
        with self.assertRaises(UserError):
            first.with_user(self.finance).action_hand_out("Signed list, line 1")

    def test_who_may_record_it(self):
        cycle, _file = self.issued()
        payment = cycle.payment_ids[0]
        for role in ("program_manager", "payment_releaser", "approver", "auditor"):
            with self.subTest(role=role), self.assertRaises(AccessError):
                payment.with_user(self.users[role]).action_hand_out("Line 1")
        self.releaser.groups_id |= self.env.ref("spp_base.group_finance_officer")
        with self.assertRaisesRegex(AccessError, "somebody else records"):
            payment.with_user(self.releaser).action_hand_out("Line 1")
        for wrong in ("", " "):
            with self.assertRaises(UserError):
                payment.with_user(self.finance).action_hand_out(wrong)
        with self.assertRaisesRegex(UserError, "future"):
            payment.with_user(self.finance).action_hand_out("Line 1", "2999-01-01")

    def test_only_what_is_handed_out(self):
        self.payment_manager.provider = "file"
        cycle = self.approved_cycle(self.make_payees(1))
        self.prepare(cycle)
        self.issue(cycle)
        with self.assertRaisesRegex(UserError, "is not handed out"):
            cycle.payment_ids.with_user(self.finance).action_hand_out("Line 1")

    def test_from_the_form(self):
        cycle, _file = self.issued(1)
        self.env["spp.payment.decision"].with_user(self.finance).with_context(
            active_ids=cycle.payment_ids.ids
        ).create({"decision": "handed_out", "words": "Line 1"}).action_decide()
        self.assertEqual(cycle.payment_ids.state, "paid")


@tagged("post_install", "-at_install")
class TestPaymentRoutes(PaymentsCase):
    def route(self, name, domain, **vals):
        return self.env["spp.payment.route"].create(
            {"manager_id": self.payment_manager.id, "name": name, "domain": domain, **vals}
        )

    def test_the_first_route_that_fits_and_the_rest(self):
        people = self.make_payees(5)
        people[:3].gender = "female"
        people[0].income = 5
        self.route("Poor", "[('partner_id.income', '<', 10), ('partner_id.income', '>', 0)]", sequence=1)
        self.route("Women", "[('partner_id.gender', '=', 'female')]", sequence=2, batch_size=1)
        cycle = self.approved_cycle(people)
        self.assertEqual(self.prepare(cycle)["Batches"], 4)
        self.assertEqual(
            sorted((batch.tag or "", batch.payment_count) for batch in cycle.payment_batch_ids),
            [("", 2), ("Poor", 1), ("Women", 1), ("Women", 1)],
        )
        self.assertEqual(cycle.payment_ids.filtered(lambda p: p.batch_id.tag == "Poor").partner_id, people[0])

    def test_without_a_route_nobody_is_forgotten(self):
        cycle = self.approved_cycle(self.make_payees(2))
        self.assertEqual(self.prepare(cycle)["Batches"], 1)
        self.assertFalse(cycle.payment_batch_ids.tag)

    def test_domains_are_checked_when_they_are_saved(self):
        for domain in (
            "[('nothing', '=', 1)]",
            "[('partner_id.nothing', '=', 1)]",
            "[('payment_ids.account_number', '=', '1')]",
            "[('state', '==', 'x')]",
            "['&', ('state', '=', 'x')]",
            "[('state', '=', user.id)]",
            "__import__('os')",
            "[('state', '=', ('a',))]",
            "[('state', '=')]",
            "5",
        ):
            with self.subTest(domain=domain), self.assertRaises(UserError):
                self.route("Wrong", domain)

    def test_those_of_a_domain_are_prepared(self):
        people = self.make_payees(4)
        people[:2].gender = "female"
        cycle = self.approved_cycle(people)
        women = [("partner_id.gender", "=", "female")]
        wizards = self.env["spp.payment.prepare"].with_user(self.manager)
        opened = wizards.with_context(default_cycle_id=cycle.id).create({})
        self.assertEqual((opened.due_count, opened.problem), (4, False))
        wizard = (
            self.env["spp.payment.prepare"]
            .with_user(self.manager)
            .create({"cycle_id": cycle.id, "domain": str(women)})
        )
        self.assertEqual((wizard.due_count, wizard.problem), (2, False))
        wizard.action_prepare()
        self.assertEqual(cycle.payment_ids.partner_id, people[:2])
        wizard.invalidate_recordset()
        self.assertEqual(wizard.due_count, 0)
        wizard.domain = "[('nothing', '=', 1)]"
        self.assertIn("nothing", wizard.problem)
        with self.assertRaises(UserError):
            cycle.with_user(self.manager).action_prepare_payments([["payment_ids.reference", "=", "x"]])
        self.assertEqual(self.prepare(cycle)["Prepared"], 2)

    def test_an_area_limits_what_a_domain_reaches(self):
        area = self.env["spp.area"].create({"name": "Here", "code": "HERE"})
        people = self.make_payees(3)
        people[0].area_id = area
        cycle = self.approved_cycle(people)
        self.manager.spp_area_ids = area
        cycle.with_user(self.manager).action_prepare_payments([["amount", ">", 0]])
        self.assertEqual(cycle.payment_ids.partner_id, people[0])
