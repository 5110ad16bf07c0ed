"""Faults by which such systems have lost money, each tried here. `docs/faults.md` lists them all with their tests."""

from odoo.exceptions import UserError
from odoo.tests import tagged

from .common import AS_OF
from .payment_common import PaymentsCase


@tagged("post_install", "-at_install")
class TestKnownFaults(PaymentsCase):
    def test_money_that_was_paid_is_not_there_to_be_spent_again(self):
        people = self.make_payees(2)
        program = self.make_program(code="SPENT", fund="200.00", payment_manager_id=self.payment_manager.id)
        self.add(program, people)
        program.with_user(self.manager).action_enroll(AS_OF)
        first = self.make_cycle(program, submit=True)
        first.with_user(self.approver).action_approve()
        self.prepare(first)
        payments = first.with_env(self.env).payment_ids
        payments._set_state("sending")
        payments._set_state("paid")
        self.env["spp.entitlement"]._cron_expire()
        first.with_user(self.manager).action_close("expire")
        self.env.invalidate_all()
        self.assertEqual((program.fund_disbursed, program.fund_free), (200, 0))
        second = self.make_cycle(program, start="2026-07-01", end="2026-07-31", submit=True)
        with self.assertRaises(UserError):
            second.with_user(self.approver).action_approve()
        self.assertEqual((second.state, program.fund_committed), ("submitted", 0))

    def test_too_little_money_approves_nobody_and_says_so(self):
        program = self.make_program(code="SHORT", fund="250.00")
        self.add(program, self.make_people(3))
        program.with_user(self.manager).action_enroll(AS_OF)
        cycle = self.make_cycle(program, submit=True)
        with self.assertRaises(UserError):
            cycle.with_user(self.approver).action_approve()
        self.env.invalidate_all()
        self.assertEqual(set(cycle.entitlement_ids.mapped("state")), {"draft"})
        approved = [("action", "=", "Cycle approved"), ("res_id", "=", cycle.id)]
        self.assertFalse(
            self.env["spp.audit.entry"].search_count([*approved, ("res_model", "=", "spp.cycle")])
        )

    def test_nothing_of_a_draft_is_approved(self):
        program = self.make_program(code="DRAFT", fund="1000.00")
        self.add(program, self.make_people(1))
        program.with_user(self.manager).action_enroll(AS_OF)
        cycle = self.make_cycle(program)
        for user in (self.approver, self.manager):
            with self.assertRaises(UserError):
                cycle.with_user(user).action_approve()
            with self.assertRaises(UserError):
                cycle.entitlement_ids.with_user(user).write({"state": "approved"})
        with self.assertRaises(UserError):
            self.prepare(cycle)
        self.assertEqual((cycle.entitlement_ids.state, program.fund_committed), ("draft", 0))

    def test_references_differ_in_every_batch_and_cycle_of_a_process(self):
        self.payment_manager.batch_size = 2
        payments = self.env["spp.payment"]
        for code in ("REFA", "REFB"):
            cycle = self.approved_cycle(self.make_payees(3), code=code)
            self.prepare(cycle)
            payments |= cycle.payment_ids
        self.assertEqual(len(set(payments.mapped("reference"))), 6)
        self.assertEqual(len(set(payments.batch_id.mapped("name"))), 4)

    def test_an_approval_is_in_the_ledger_at_once_and_nothing_is_left_to_be_posted(self):
        cycle = self.approved_cycle(self.make_payees(2), code="BOOKED")
        (entry,) = self.env["spp.fund.entry"].search([("origin", "=", f"cycle:{cycle.id}")])
        self.assertEqual((entry.kind, entry.amount, entry.document), ("commitment", 200, cycle.display_name))
        self.assertNotIn("state", entry._fields)
        balance = self.env["spp.fund.balance"].search([("program_id", "=", cycle.program_id.id)])
        self.assertEqual(balance.committed, 200)

    def test_a_list_of_nobody_is_nobody_and_not_everybody(self):
        program = self.make_program(code="NOBODY")
        self.add(program, self.make_people(2))
        members = program.membership_ids
        with self.assertRaises(UserError):
            program.with_user(self.manager).action_decide("enroll", [("id", "in", [])], "Nobody", AS_OF)
        with self.assertRaises(UserError):
            members.browse().with_user(self.officer).action_enroll_by_hand("Nobody", AS_OF)
        self.assertEqual(set(members.mapped("state")), {"candidate"})
        cycle = self.approved_cycle(self.make_payees(2), code="NONE")
        cycle.with_user(self.manager).action_prepare_payments([("id", "in", [])])
        self.assertFalse(cycle.payment_ids)
        self.env["spp.payment"].with_user(self.manager).action_cancel("Nobody")
