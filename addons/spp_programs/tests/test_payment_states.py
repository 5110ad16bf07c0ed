"""From ready to paid and back: what may follow what, and what it does to the fund and the entitlement."""

from datetime import datetime

import psycopg2

from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from ..models.payment import TRANSITIONS
from .payment_common import PaymentsCase


@tagged("post_install", "-at_install")
class TestPaymentStates(PaymentsCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cycle = cls.approved_cycle(cls.make_payees(2))
        cls.prepare(cls.cycle)
        cls.payment, cls.other = cls.cycle.payment_ids
        cls.program = cls.cycle.program_id

    def go(self, *states, payment=None):
        for state in states:
            (payment or self.payment)._set_state(state)

    def fund(self):
        self.program.invalidate_recordset()
        return self.program.fund_committed, self.program.fund_disbursed

    def test_every_step_that_is_not_in_the_table_is_refused(self):
        for old, news in TRANSITIONS.items():
            for new in set(TRANSITIONS) - set(news) - {old}:
                with self.subTest(old=old, new=new), self.cr.savepoint() as savepoint:
                    self.cr.execute("ALTER TABLE spp_payment DISABLE TRIGGER spp_payment_fixed")
                    self.cr.execute("UPDATE spp_payment SET state = %s WHERE id = %s", [old, self.payment.id])
                    self.payment.invalidate_recordset()
                    with self.assertRaises(UserError):
                        self.payment._set_state(new)
                    savepoint.rollback()

    def test_paid_posts_to_the_fund_once(self):
        self.assertEqual(self.fund(), (200.0, 0.0))
        self.go("sending", "paid")
        self.assertEqual(self.fund(), (100.0, 100.0))
        self.assertEqual(self.payment.entitlement_id.state, "paid")
        self.env["spp.payment"]._apply([(self.payment.id, "paid")])
        self.env["spp.payment"]._apply([(self.payment.id, "accepted")])
        self.env["spp.payment"]._apply([(self.payment.id, "rejected")])
        self.assertEqual((self.payment.state, self.fund()), ("paid", (100.0, 100.0)))
        entries = self.env["spp.fund.entry"].search([("origin", "=", f"payment:{self.payment.reference}")])
        self.assertEqual(entries.mapped("kind"), ["disbursement"])

    def test_times_and_reasons(self):
        at = datetime(2026, 7, 1, 8, 30)
        self.go("sending")
        self.assertTrue(self.payment.sent_at)
        self.payment._set_state("accepted", at=at)
        self.assertEqual(self.payment.accepted_at, at)
        self.payment._set_state("rejected", "The account is closed.", "rjct.payee_fa.invalid", at)
        self.assertEqual(
            (self.payment.state_reason, self.payment.reason_code, self.payment.settled_at),
            ("The account is closed.", "rjct.payee_fa.invalid", at),
        )

    def test_all_or_none(self):
        self.go("sending", "paid")
        with self.assertRaises(UserError), self.cr.savepoint():
            (self.payment | self.other)._set_state("sending")
        self.assertEqual(self.other.state, "ready")

    def test_returned_goes_back_into_the_commitment_and_can_be_paid_again(self):
        self.go("sending", "paid", "returned")
        self.assertEqual(self.fund(), (200.0, 0.0))
        self.assertEqual(self.payment.entitlement_id.state, "approved")
        self.assertEqual(self.prepare(self.cycle)["Prepared"], 0)  # not by itself
        new = self.env["spp.payment"].browse(
            self.payment.with_user(self.manager).action_reissue("The account was corrected")
        )
        self.assertEqual((new.reissue_of_id, new.state), (self.payment, "ready"))
        self.assertNotEqual(new.reference, self.payment.reference)
        self.assertTrue(new.batch_id)
        self.go("sending", "paid", payment=new)
        self.assertEqual(self.fund(), (100.0, 100.0))
        with self.assertRaises(UserError):
            self.payment.with_user(self.manager).action_reissue("The account was corrected")

    def test_rejected_stays_due_until_a_person_acts(self):
        self.go("sending", "rejected")
        self.assertEqual(self.fund(), (200.0, 0.0))
        self.assertEqual(self.prepare(self.cycle)["Prepared"], 0)
        with self.assertRaises(AccessError):
            self.payment.with_user(self.finance).action_reissue("The account was corrected")
        new = self.env["spp.payment"].browse(
            self.payment.with_user(self.manager).action_reissue("The account was corrected")
        )
        with self.assertRaises(UserError), self.cr.savepoint():
            self.payment.with_user(self.manager).action_reissue("The account was corrected")
        self.go("sending", "rejected", payment=new)
        # The newest may be issued anew, the one before may not.
        with self.assertRaises(UserError), self.cr.savepoint():
            self.payment.with_user(self.manager).action_reissue("The account was corrected")
        self.assertTrue(new.with_user(self.manager).action_reissue("The account was corrected"))

    def test_nobody_writes_a_payment(self):
        for values in (
            {"state": "paid"},
            {"amount": 5},
            {"reference": "x"},
            {"account_number": "1"},
            {"alert": "x"},
        ):
            for user in (*self.users.values(), self.env.ref("base.user_root")):
                with self.subTest(values=values, user=user.login), self.assertRaises(UserError):
                    self.payment.with_user(user).write(values)
            with self.assertRaises(UserError):
                self.payment.sudo().write(values)
        with self.assertRaises(UserError):
            self.env["spp.payment"].with_user(self.manager).create(
                {"entitlement_id": self.payment.entitlement_id.id}
            )
        with self.assertRaises(AccessError):
            self.payment.with_user(self.manager).unlink()

    def test_the_database_keeps_what_a_payment_is_about(self):
        self.go("sending")
        for statement in (
            "UPDATE spp_payment SET amount = 1 WHERE id = %s",
            "UPDATE spp_payment SET reference = 'x' WHERE id = %s",
            "UPDATE spp_payment SET account_number = '1' WHERE id = %s",
            "UPDATE spp_payment SET batch_id = NULL WHERE id = %s",
            "DELETE FROM spp_payment WHERE id = %s",
        ):
            with (
                self.subTest(statement=statement),
                self.assertRaises(psycopg2.errors.CheckViolation),
                mute_logger("odoo.sql_db"),
                self.cr.savepoint(),
            ):
                self.cr.execute(statement, [self.payment.id])

    def test_the_summary_makes_the_approved_total(self):
        def summary():
            self.env.invalidate_all()
            return {line.situation: (line.count, line.amount) for line in self.cycle.payment_summary_ids}

        self.assertEqual(summary(), {"ready": (2, 200.0)})
        self.go("sending", "unknown")
        self.assertEqual(summary(), {"unknown": (1, 100.0), "ready": (1, 100.0)})
        self.go("paid")
        self.other.with_user(self.manager).action_cancel("Not now")
        self.assertEqual(summary(), {"paid": (1, 100.0), "not_issued": (1, 100.0)})
        for lines in (self.cycle.payment_summary_ids,):
            self.assertEqual(sum(lines.mapped("amount")), self.cycle.total_amount)

    def test_a_cycle_does_not_close_over_a_payment_on_its_way(self):
        self.go("sending", "unknown")
        with self.assertRaises(UserError):
            self.cycle.with_user(self.manager).action_close("expire")
        self.go("rejected")
        self.cycle.with_user(self.manager).action_close("expire")
        self.assertEqual(self.other.state, "cancelled")
        self.assertEqual(set(self.cycle.entitlement_ids.mapped("state")), {"expired"})
        self.assertEqual(self.fund(), (0.0, 0.0))
        with self.assertRaises(UserError):
            self.payment.with_user(self.manager).action_reissue("The account was corrected")


@tagged("post_install", "-at_install")
class TestPaymentSettledByHand(PaymentsCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cycle = cls.approved_cycle(cls.make_payees(1))
        cls.prepare(cls.cycle)
        cls.payment = cls.cycle.payment_ids
        cls.payment._set_state("sending")
        cls.payment._set_state("unknown", "No answer")

    def settle(self, outcome, evidence="Letter 12 of 3 July", user=None):
        return self.payment.with_user(user or self.finance).action_settle(outcome, evidence)

    def test_paid_counts_once_a_second_person_confirms(self):
        self.settle("paid")
        self.assertEqual(self.payment.state, "unknown")
        with self.assertRaises(AccessError):
            self.payment.with_user(self.finance).action_confirm_settlement()
        self.payment.with_user(self.second_finance).action_confirm_settlement()
        self.assertEqual((self.payment.state, self.payment.entitlement_id.state), ("paid", "paid"))
        self.assertIn("Letter 12", self.payment.state_reason)
        actions = (
            self.env["spp.audit.entry"]
            .search([("res_model", "=", "spp.payment"), ("res_id", "=", self.payment.id)])
            .mapped("action")
        )
        self.assertEqual(set(actions), {"Settlement by hand proposed", "Settlement by hand confirmed"})

    def test_never_received_can_be_paid_again(self):
        self.settle("never_received")
        self.payment.with_user(self.second_finance).action_confirm_settlement()
        self.assertEqual((self.payment.state, self.payment.reason_code), ("rejected", "never_received"))
        self.assertTrue(self.payment.with_user(self.manager).action_reissue("The account was corrected"))

    def test_what_two_people_confirmed_is_not_withdrawn_by_one(self):
        self.settle("paid")
        self.payment.with_user(self.second_finance).action_confirm_settlement()
        with self.assertRaises(UserError):
            self.payment.with_user(self.finance).action_withdraw_settlement()
        self.assertEqual(self.payment.settle_outcome, "paid")

    def test_a_proposal_ends_with_the_state_it_was_about(self):
        self.settle("never_received")
        self.payment._set_state("accepted")
        self.payment._set_state("unknown")
        with self.assertRaises(UserError):
            self.payment.with_user(self.second_finance).action_confirm_settlement()

    def test_a_cancelled_new_issue_leaves_the_payment_to_be_issued_again(self):
        self.settle("never_received")
        self.payment.with_user(self.second_finance).action_confirm_settlement()
        (again,) = self.payment.with_user(self.manager).action_reissue("The account was corrected")
        self.env["spp.payment"].browse(again).with_user(self.manager).action_cancel("Wrong account")
        self.assertTrue(self.payment.with_user(self.manager).action_reissue("The account was corrected"))

    def test_what_comes_back_after_the_cycle_was_closed_is_free_again(self):
        self.payment._set_state("paid")
        cycle, program = self.payment.cycle_id, self.payment.program_id
        (cycle.payment_ids - self.payment)._set_state("cancelled")
        cycle.with_user(self.manager).action_close("expire")
        free = program.fund_free
        self.payment._set_state("returned")
        program.invalidate_recordset()
        self.assertEqual(self.payment.entitlement_id.state, "expired")
        self.assertEqual(program.fund_free, free + self.payment.amount)
        self.assertEqual(program.fund_committed, 0)

    def test_the_way_payments_take_is_not_changed_while_they_are_under_way(self):
        manager = self.payment.batch_id.manager_id.with_user(self.manager)
        with self.assertRaisesRegex(UserError, "on their way"):
            manager.write({"provider": False})
        manager.write({"provider": manager.provider, "batch_size": 50})

    def test_came_back(self):
        self.payment._set_state("paid")
        self.settle("returned")
        self.assertEqual(self.payment.state, "paid")
        self.payment.with_user(self.second_finance).action_confirm_settlement()
        self.assertEqual((self.payment.state, self.payment.entitlement_id.state), ("returned", "approved"))

    def test_refused(self):
        for outcome, evidence in (("paid", ""), ("paid", "  "), ("lost", "x"), ("returned", "x")):
            with self.subTest(outcome=outcome), self.assertRaises(UserError):
                self.settle(outcome, evidence)
        for role in ("program_manager", "approver", "payment_releaser", "admin", "auditor"):
            with self.subTest(role=role), self.assertRaises(AccessError):
                self.settle("paid", user=self.users[role])
        with self.assertRaises(UserError):
            self.payment.with_user(self.second_finance).action_confirm_settlement()

    def test_the_payers_answer_in_between_wins(self):
        self.settle("never_received")
        self.payment._set_state("paid")
        with self.assertRaises(UserError):
            self.payment.with_user(self.second_finance).action_confirm_settlement()
        self.payment.with_user(self.finance).action_withdraw_settlement()
        self.assertFalse(self.payment.settle_outcome)

    def test_from_the_form(self):
        wizard = (
            self.env["spp.payment.decision"].with_user(self.finance).with_context(active_ids=self.payment.ids)
        )
        wizard.create({"decision": "paid", "words": "Statement 4"}).action_decide()
        self.assertEqual(self.payment.settle_evidence, "Statement 4")
