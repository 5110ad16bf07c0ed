"""What a finance officer works through: batches with what became of their payments, and who is without an end."""

from datetime import timedelta

from freezegun import freeze_time

from odoo import fields
from odoo.exceptions import AccessError
from odoo.tests import tagged

from .common import CLOSED, DISBURSE, PayerCase

READERS = ("auditor", "program_manager", "finance_officer", "approver", "payment_releaser")


@tagged("post_install", "-at_install")
class TestReconciliation(PayerCase):
    def row(self, cycle):
        self.env.invalidate_all()
        return self.env["spp.payment.reconciliation"].with_user(self.finance).search(
            [("cycle_id", "=", cycle.id)]
        )  # fmt: skip

    def test_each_payment_is_counted_where_it_is_with_amounts(self):
        refused = self.make_people(1)
        self.give_account(refused, CLOSED)
        cycle = self.approved_cycle(self.make_payees(3) | refused)
        self.prepare(cycle)
        row = self.row(cycle)
        self.assertEqual((row.issued, row.issued_amount, row.sent, row.needed), (4, 400.0, 0, 0))
        self.send(cycle)
        row = self.row(cycle)
        self.assertEqual((row.sent, row.accepted, row.accepted_amount, row.paid), (4, 4, 400.0, 0))
        self.ask()
        row = self.row(cycle)
        self.assertEqual((row.paid, row.paid_amount, row.rejected, row.rejected_amount), (3, 300.0, 1, 100.0))
        self.assertEqual((row.accepted, row.unknown, row.needed), (0, 0, 1))
        self.assertEqual(row.issued_amount, row.paid_amount + row.rejected_amount)

    def test_unknown_needs_a_person_and_comes_first(self):
        quiet = self.prepared(2)
        self.send(quiet)
        loud = self.prepared(2, code="LOUD")
        self.fault("drop_before", DISBURSE)
        self.send(loud)
        rows = self.env["spp.payment.reconciliation"].search([("cycle_id", "in", (quiet | loud).ids)])
        self.assertEqual(rows.mapped("cycle_id"), loud | quiet)
        self.assertEqual((rows[0].unknown, rows[0].unknown_amount, rows[0].needed), (2, 200.0, 2))
        opened = rows[0].action_open()
        self.assertEqual(self.env["spp.payment"].search(opened["domain"]), loud.payment_ids)

    def test_a_rejected_payment_needs_nobody_once_it_is_issued_again(self):
        people = self.make_people(1)
        self.give_account(people, CLOSED)
        cycle = self.approved_cycle(people)
        self.prepare(cycle)
        self.send(cycle)
        self.ask()
        self.assertEqual(self.row(cycle).needed, 1)
        cycle.payment_ids.account_id.action_end()
        self.give_account(people, "12345678")
        cycle.payment_ids.with_user(self.manager).action_reissue("Another account")
        self.assertEqual(self.row(cycle).mapped("needed"), [0, 0])

    def test_who_may_read(self):
        for role, user in self.users.items():
            rows = self.env["spp.payment.reconciliation"].with_user(user)
            if role in READERS:
                rows.search([])
                rows.read_group([], ["paid_amount"], ["cycle_id"])
            else:
                with self.subTest(role=role), self.assertRaises(AccessError):
                    rows.search([])
            if role not in ("auditor", "finance_officer"):
                with self.subTest(role=role), self.assertRaises(AccessError):
                    self.env["spp.payment.aging"].with_user(user).search([])

    def test_other_companies_are_not_shown(self):
        cycle = self.prepared(1)
        self.send(cycle)
        other = self.env["res.company"].create({"name": "Other"})
        self.finance.write({"company_ids": [(6, 0, other.ids)], "company_id": other.id})
        self.assertFalse(self.row(cycle))
        self.assertFalse(self.env["spp.payment.aging"].with_user(self.finance).search([]))

    def test_a_file_of_its_payments_is_kept_with_each_batch_where_that_is_set(self):
        self.payment_manager.attach_file = True
        cycle = self.prepared(2)
        self.send(cycle)
        file = cycle.payment_batch_ids.file_ids
        self.assertEqual((file.kind, file.payment_count, file.total_amount), ("payments", 2, 200.0))
        self.ask()
        self.assertEqual(len(cycle.payment_batch_ids.file_ids), 1)

    def test_a_file_that_a_dead_worker_left_is_made_at_the_next_look(self):
        cycle = self.prepared(2)
        self.send(cycle)
        self.assertFalse(cycle.payment_batch_ids.file_ids)
        self.payment_manager.attach_file = True
        self.ask()
        self.assertEqual(cycle.payment_batch_ids.file_ids.payment_count, 2)


@tagged("post_install", "-at_install")
class TestAging(PayerCase):
    at_once = {"listed_after": 0, "settle_after": None}

    def rows(self, cycle):
        self.env.invalidate_all()
        return self.env["spp.payment.aging"].with_user(self.finance).search([("cycle_id", "=", cycle.id)])

    def test_by_age_with_amounts(self):
        self.payment_manager.batch_size = 2
        cycle = self.prepared(3)
        self.send(cycle)
        for days, age in (
            (0, "0"),
            (1, "0"),
            (2, "2"),
            (7, "2"),
            (8, "8"),
            (30, "8"),
            (31, "31"),
            (400, "31"),
        ):
            with freeze_time(fields.Datetime.now() + timedelta(days=days, minutes=1)):
                rows = self.rows(cycle)
                self.assertEqual(rows.mapped("age"), [age, age], days)
                self.assertEqual((sum(rows.mapped("count")), sum(rows.mapped("amount"))), (3, 300.0))
                found = [len(self.env["spp.payment"].search(row.action_open()["domain"])) for row in rows]
                self.assertEqual(found, rows.mapped("count"))
        self.assertEqual(rows.mapped("manager_id"), self.payment_manager)

    def test_what_has_an_end_is_not_listed(self):
        cycle = self.prepared(2)
        self.assertFalse(self.rows(cycle), "not sent")
        self.send(cycle)
        self.assertEqual(self.rows(cycle).state, "accepted")
        self.control("set", settle_after=0)
        self.ask()
        self.assertFalse(self.rows(cycle))
