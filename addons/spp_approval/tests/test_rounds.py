"""Rejected, sent back, submitted again: each round is decided afresh; a change afterwards voids an approval."""

from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged

from .common import ApprovalCase


@tagged("post_install", "-at_install")
class TestRounds(ApprovalCase):
    def test_refusing_needs_a_reason(self):
        request = self.submit().with_user(self.first)
        for refuse in (request.action_reject, request.action_send_back):
            with self.assertRaisesRegex(UserError, "reason"):
                refuse("  ")

    def test_sent_back_and_submitted_again_is_a_new_round(self):
        self.make_chain({**self.role("approver"), "needed": 2})
        request = self.submit()
        request.with_user(self.first).action_approve()
        request.with_user(self.second).action_send_back("The payee is somebody else")
        self.assertEqual((request.state, self.order.state), ("sent_back", "draft"))
        self.order.with_user(self.submitter).sudo().action_submit()
        self.assertEqual((request.state, request.round, request.agreed), ("waiting", 2, 0))
        request.with_user(self.first).action_approve()  # again: the first round counts no more
        request.with_user(self.second).action_approve()
        self.assertEqual((request.state, self.order.state), ("approved", "approved"))
        self.assertEqual(
            [(number, what) for number, what, _who in self.trail(request)],
            [
                (1, "submitted"),
                (1, "approved"),
                (1, "sent_back"),
                (2, "submitted"),
                (2, "approved"),
                (2, "approved"),
            ],
        )

    def test_rejected(self):
        request = self.submit()
        request.with_user(self.first).action_reject("Not this year")
        self.assertEqual((request.state, self.order.state), ("rejected", "draft"))
        with self.assertRaisesRegex(UserError, "is rejected"):
            request.with_user(self.second).action_approve()

    def test_withdrawn_by_who_submitted(self):
        request = self.submit()
        with self.assertRaises(AccessError):
            request.with_user(self.first).action_withdraw("Mine now")
        request.with_user(self.submitter).action_withdraw("Too early")
        self.assertEqual((request.state, self.order.state), ("withdrawn", "draft"))

    def test_what_changed_under_way_is_void_and_not_approved(self):
        request = self.submit()
        self.order.amount = 200
        self.assertEqual((request.state, self.order.state), ("void", "draft"))
        with self.assertRaisesRegex(UserError, "is void"):
            request.with_user(self.first).action_approve()

    def test_an_increase_or_another_payee_afterwards_voids_the_approval(self):
        other = self.payee.copy({"name": "Other"})
        for change in ({"amount": 100.01}, {"payee_id": other.id}):
            request = self.submit()
            request.with_user(self.first).action_approve()
            self.order.write(change)
            self.assertEqual(request.state, "void", change)
            self.assertEqual(self.trail(request)[-1][1], "void")
            with self.assertRaisesRegex(UserError, "needs approval again"):
                self.order.action_pay()

    def test_what_only_takes_away_voids_nothing(self):
        request = self.submit()
        request.with_user(self.first).action_approve()
        self.order.amount = 60
        self.assertEqual(request.state, "approved")
        self.order.action_pay()
        self.assertEqual(self.order.state, "paid")

    def test_a_change_behind_the_models_back_is_found_when_it_matters(self):
        request = self.submit()
        self.env.flush_all()
        self.env.cr.execute("UPDATE spp_example_order SET amount = 999 WHERE id = %s", [self.order.id])
        self.env.invalidate_all()
        with self.assertRaisesRegex(UserError, "has changed since"):
            request.with_user(self.first).action_approve()
        self.order.amount = 100
        request.with_user(self.first).action_approve()
        self.env.flush_all()
        self.env.cr.execute("UPDATE spp_example_order SET amount = 999 WHERE id = %s", [self.order.id])
        self.env.invalidate_all()
        with self.assertRaisesRegex(UserError, "needs approval again"):
            self.order.action_pay()

    def test_what_is_approved_is_not_submitted_again(self):
        request = self.submit()
        with self.assertRaisesRegex(UserError, "waits for approval already"):
            self.order.action_submit()
        request.with_user(self.first).action_approve()
        with self.assertRaisesRegex(UserError, "approved already"):
            self.order.action_submit()
