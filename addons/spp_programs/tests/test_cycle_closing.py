"""Closing asks what becomes of everything unpaid; cancelling is refused once money may have left; validity ends."""

from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged

from .payment_common import PaymentsCase


@tagged("post_install", "-at_install")
class TestCycleClosing(PaymentsCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.people = cls.make_payees(6)
        cls.cycle = cls.approved_cycle(cls.people).with_user(cls.manager)
        cls.program = cls.cycle.program_id
        cls.prepare(cls.cycle)
        cls.payments = cls.cycle.sudo().payment_ids.sorted("id")

    def go(self, payment, *states):
        for state in states:
            payment._set_state(state)

    def fund(self):
        self.program.invalidate_recordset()
        return self.program.fund_committed, self.program.fund_disbursed

    def scatter(self):
        """One payment in each situation; the last entitlement without one."""
        self.go(self.payments[0], "sending", "paid")
        self.go(self.payments[1], "sending", "rejected")
        self.go(self.payments[2], "sending", "paid", "returned")
        self.payments[3]._set_state("held", "By hand")
        self.payments[4]._set_state("cancelled", "Wrong")

    def test_everything_unpaid_is_listed_once(self):
        self.scatter()
        questions = self.cycle.close_questions()
        self.assertEqual(
            {one["situation"]: (one["count"], one["amount"]) for one in questions},
            {name: (1, "100.00") for name in ("not_issued", "held", "ready", "rejected", "returned")},
        )
        self.assertEqual(questions[0]["answers"], ["wait", "expire", "cancel"])

    def test_without_an_answer_it_stays_open(self):
        self.scatter()
        for answer in (None, {}, "wait", {"held": "expire"}, "paid"):
            with self.assertRaisesRegex(UserError, "is not closed"):
                self.cycle.action_close(answer)
        self.assertEqual(self.cycle.state, "approved")
        self.assertEqual(self.fund(), (500, 100))

    def test_each_situation_has_its_own_answer(self):
        self.scatter()
        expire = dict.fromkeys(("not_issued", "ready", "rejected"), "expire")
        self.cycle.action_close({**expire, "held": "cancel", "returned": "cancel"})
        states = [payment.entitlement_id.state for payment in self.payments]
        self.assertEqual(states, ["paid", "expired", "cancelled", "cancelled", "expired", "expired"])
        self.assertEqual(
            self.payments.mapped("state"),
            ["paid", "rejected", "returned", "cancelled", "cancelled", "cancelled"],
        )
        self.assertEqual((self.cycle.state, self.fund()), ("closed", (0, 100)))

    def test_what_may_be_on_its_way_is_waited_for(self):
        self.go(self.payments[0], "sending", "unknown")
        self.go(self.payments[1], "sending", "accepted")
        self.assertEqual(
            {one["situation"]: one["answers"] for one in self.cycle.close_questions()}["unknown"], ["wait"]
        )
        for answer in ("expire", "cancel", {"unknown": "expire", "in_progress": "cancel", "ready": "expire"}):
            with self.assertRaisesRegex(UserError, "must come to an end first"):
                self.cycle.action_close(answer)
        self.assertEqual(set(self.payments[2:].mapped("state")), {"ready"})

    def test_the_dialog_asks_and_closes(self):
        self.scatter()
        action = self.cycle.with_context(ask_about_unpaid=True).action_close()
        wizard = self.env["spp.cycle.close"].with_user(self.manager).browse(action["res_id"])
        self.assertEqual(sum(wizard.line_ids.mapped("count")), 5)
        with self.assertRaisesRegex(UserError, "stays open"):
            wizard.action_close()
        wizard.line_ids.answer = "expire"
        wizard.action_close()
        self.assertEqual(self.cycle.state, "closed")

    def test_only_a_program_manager_closes(self):
        for user in (self.approver, self.officer, self.finance):
            with self.assertRaises(AccessError):
                self.cycle.with_user(user).action_close("expire")

    def test_cancelling_is_refused_once_money_may_have_left(self):
        cancel = self.cycle.with_user(self.approver).action_cancel
        for states in (("sending",), ("unknown",), ("accepted",), ("paid",), ("returned",)):
            self.go(self.payments[0], *states)
            with self.assertRaisesRegex(UserError, "may have left"):
                cancel("Flood is over")
        self.assertEqual(self.cycle.state, "approved")

    def test_cancelling_unsent_payments_takes_few_statements(self):
        self.env.flush_all()
        before = self.env.cr.sql_log_count
        self.cycle.with_user(self.approver).action_cancel("Flood is over")
        self.assertLess(self.env.cr.sql_log_count - before, 60)
        self.assertEqual(set(self.payments.mapped("state")), {"cancelled"})
        self.assertEqual(self.fund(), (0, 0))

    def test_validity_begins_with_approval_and_ends_once(self):
        program = self.make_program("VALID", fund="1000", payment_manager_id=self.payment_manager.id)
        program.benefit_ids.valid_days = 30
        self.add(program, self.people[:3])
        program.with_user(self.officer).action_enroll("2026-06-01")
        cycle = self.make_cycle(program, submit=True)
        self.assertFalse(any(cycle.entitlement_ids.mapped("valid_until")))
        cycle.with_user(self.approver).action_approve()
        first = cycle.sudo().entitlement_ids[0]
        self.assertEqual((first.valid_until - first.valid_from).days, 29)
        self.prepare(cycle)
        payments = cycle.sudo().payment_ids.sorted("id")
        self.go(payments[0], "sending", "paid")
        self.go(payments[1], "sending", "unknown")
        expire = self.env.ref("spp_programs.cron_expire_entitlements").ir_actions_server_id.run
        expire()
        self.assertNotIn("expired", cycle.sudo().entitlement_ids.mapped("state"))
        self.env.cr.execute(
            "UPDATE spp_entitlement SET valid_until = '2020-01-01' WHERE cycle_id = %s", [cycle.id]
        )
        self.env.invalidate_all()
        expire()
        expire()
        # paid stays paid and disbursed (its money never comes back); what may be paid still is waited for
        states = {payment: payment.entitlement_id.state for payment in payments}
        self.assertEqual(list(states.values()), ["paid", "approved", "expired"])
        self.assertEqual(payments[2].state, "cancelled")
        program.invalidate_recordset()
        self.assertEqual((program.fund_committed, program.fund_disbursed, program.fund_free), (100, 100, 800))
        self.go(payments[1], "rejected")
        expire()
        expire()
        program.invalidate_recordset()
        self.assertEqual((program.fund_committed, program.fund_disbursed, program.fund_free), (0, 100, 900))
