"""A payment that a person holds is not sent; one that is given up was never sent; what was sent stays."""

from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged
from odoo.tools import SQL

from .payment_common import PaymentsCase


@tagged("post_install", "-at_install")
class TestPaymentHold(PaymentsCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.payment_manager.provider = "file"
        cls.cycle = cls.approved_cycle(cls.make_payees(3))
        cls.prepare(cls.cycle)
        cls.payment = cls.cycle.payment_ids[0]

    def test_held_until_somebody_lets_it_go(self):
        self.payment.with_user(self.finance).action_hold("The payee is said to have died")
        self.assertEqual(
            (self.payment.state, self.payment.state_reason, self.payment.hold_by, self.payment.batch_id.id),
            ("held", "The payee is said to have died", self.finance, False),
        )
        self.cycle.with_user(self.manager).action_recheck_payments()
        self.issue(self.cycle)
        self.assertEqual(self.payment.state, "held")
        self.assertEqual(self.summary(self.cycle), {"held": 100.0, "in_progress": 200.0})
        self.payment.with_user(self.manager).action_let_go("She is alive: letter 4")
        self.assertEqual((self.payment.state, self.payment.hold_reason), ("ready", False))
        self.assertTrue(self.payment.batch_id)
        actions = self.env["spp.audit.entry"].search(
            [("res_model", "=", "spp.payment"), ("res_id", "=", self.payment.id)]
        )
        self.assertEqual(set(actions.mapped("action")), {"Payment held", "Payment let go"})

    def test_who_and_when(self):
        for role in ("auditor", "approver", "payment_releaser"):
            with self.subTest(role=role), self.assertRaises(AccessError):
                self.payment.with_user(self.users[role]).action_hold("Because")
        with self.assertRaises(UserError):
            self.payment.with_user(self.finance).action_hold(" ")
        self.issue(self.cycle)
        for call in (
            self.payment.with_user(self.finance).action_hold,
            self.payment.with_user(self.manager).action_cancel,
        ):
            with self.assertRaises(UserError):
                call("Too late")

    def test_many_in_one_statement(self):
        payments = self.env["spp.payment"]
        of_cycle = SQL("p.cycle_id = %s", self.cycle.id)
        payments._hold_unsent(of_cycle, "Flood")
        self.assertEqual(set(self.cycle.payment_ids.mapped("state")), {"held"})
        self.assertEqual(payments._cancel_unsent(of_cycle, "Flood"), set(self.cycle.payment_ids.ids))
        self.assertEqual(self.summary(self.cycle), {"not_issued": 300.0})

    def test_what_was_sent_is_not_cancelled(self):
        self.payment.with_user(self.manager).action_hold("Later")
        self.issue(self.cycle)
        cancelled = self.env["spp.payment"]._cancel_unsent(SQL("p.cycle_id = %s", self.cycle.id), "Over")
        self.assertEqual(cancelled, set(self.payment.ids))

    def test_a_cancelled_new_issue_leaves_the_money_rejected(self):
        self.issue(self.cycle)
        self.payment._set_state("rejected", "No such account")
        (again,) = self.payment.with_user(self.manager).action_reissue("New account")
        self.env["spp.payment"].browse(again).with_user(self.manager).action_cancel("Wrong again")
        self.assertEqual(self.summary(self.cycle), {"rejected": 100.0, "in_progress": 200.0})

    def test_issued_again_only_once_the_reason_was_dealt_with(self):
        self.issue(self.cycle)
        self.payment._set_state("rejected", "No such account")
        with self.assertRaises(UserError):
            self.payment.with_user(self.manager).action_reissue("")
        (again,) = self.payment.with_user(self.manager).action_reissue("New account entered")
        again = self.env["spp.payment"].browse(again)
        self.assertEqual((again.dealt_with, again.state), ("New account entered", "ready"))
        self.manager.groups_id |= self.env.ref("spp_base.group_payment_releaser")
        with self.assertRaises(AccessError):
            self.cycle.with_user(self.manager).action_send_payments()
