"""A chain says who is asked, in which order, above which amount and under which condition."""

from odoo.exceptions import AccessError, ValidationError
from odoo.tests import tagged

from .common import ApprovalCase


@tagged("post_install", "-at_install")
class TestChains(ApprovalCase):
    def test_without_a_chain_one_approver_is_asked(self):
        request = self.submit()
        self.assertIn("Approver: 0 of 1", request.waits_for)
        self.assertTrue(request.with_user(self.first).to_decide)
        self.assertFalse(request.with_user(self.finance).to_decide)
        request.with_user(self.first).action_approve("Looks right")
        self.assertEqual((request.state, self.order.state), ("approved", "approved"))
        self.assertEqual(self.trail(request), [(1, "submitted", self.submitter), (1, "approved", self.first)])

    def test_levels_are_asked_in_order_each_by_role_or_person(self):
        self.make_chain(self.role("finance_officer"), {"user_ids": [(6, 0, self.second.ids)]})
        request = self.submit()
        with self.assertRaisesRegex(AccessError, "not asked .* Level 1: 0 of 1"):
            request.with_user(self.second).action_approve()
        request.with_user(self.finance).action_approve()
        self.assertEqual((request.state, request.level_name), ("waiting", "Level 2"))
        with self.assertRaisesRegex(AccessError, "not asked"):
            request.with_user(self.first).action_approve()  # the role alone does not suffice
        request.with_user(self.second).action_approve()
        self.assertEqual(request.state, "approved")

    def test_as_many_must_agree_as_the_level_says(self):
        self.make_chain({**self.role("approver"), "needed": 2})
        request = self.submit()
        request.with_user(self.first).action_approve()
        self.assertEqual((request.state, request.agreed, self.order.state), ("waiting", 1, "submitted"))
        request.with_user(self.second).action_approve()
        self.assertEqual((request.state, self.order.state), ("approved", "approved"))

    def test_a_level_applies_above_an_amount(self):
        self.make_chain(self.role("approver"), {**self.role("finance_officer"), "amount_above": 1000})
        request = self.submit(1000)
        self.assertEqual(len(request.levels), 1)
        self.assertEqual(len(self.submit(1000.01).levels), 2)

    def test_a_level_applies_under_a_condition_and_when_it_cannot_be_decided(self):
        self.make_chain(
            self.role("approver"),
            {**self.role("finance_officer"), "condition": "request.amount > 500"},
            {**self.role("payment_releaser"), "condition": "request.amount > request.amount_before * 1.1"},
        )
        names = [level["name"] for level in self.submit(400).levels]
        self.assertEqual(names, ["Level 1", "Level 3"])  # nothing is known of an order before
        names = [level["name"] for level in self.submit(600).levels]
        self.assertEqual(names, ["Level 1", "Level 2", "Level 3"])

    def test_if_no_level_applies_an_approver_is_asked(self):
        self.make_chain({**self.role("finance_officer"), "amount_above": 1000})
        self.assertIn("Approver: 0 of 1", self.submit(10).waits_for)

    def test_conditions_are_checked_when_saved(self):
        for condition in ("request.amout > 5", "individual.age > 5", "request.amount >", "request.amount"):
            with self.assertRaises(ValidationError, msg=condition):
                self.make_chain({**self.role("approver"), "condition": condition})

    def test_who_decides_nothing_is_not_asked(self):
        viewer = self.make_user("viewer", "program_viewer")
        for who in (
            self.role("admin"),
            self.role("auditor"),
            {"user_ids": [(6, 0, viewer.ids)]},
            {"user_ids": [(6, 0, self.admin.ids)]},
            {},
            {**self.role("approver"), "user_ids": [(6, 0, self.first.ids)]},
            {"user_ids": [(6, 0, self.first.ids)], "needed": 2},
        ):
            with self.assertRaises(ValidationError, msg=str(who)):
                self.make_chain(who)
        with self.assertRaisesRegex(ValidationError, "at least one level"):
            self.make_chain()

    def test_no_two_chains_are_for_the_same(self):
        chain = self.make_chain(self.role("approver"))
        with self.assertRaisesRegex(ValidationError, "Chain of order"):
            self.make_chain(self.role("approver"))
        chain.active = False
        self.make_chain(self.role("approver"))

    def test_what_waits_keeps_its_levels_when_the_chain_changes(self):
        chain = self.make_chain(self.role("approver"), self.role("finance_officer"))
        request = self.submit()
        chain.level_ids[1].unlink()
        chain.level_ids.write({"group_id": self.env.ref("spp_base.group_payment_releaser").id})
        request.with_user(self.first).action_approve()
        self.assertEqual((request.state, request.level_name), ("waiting", "Level 2"))
        request.with_user(self.finance).action_approve()
        self.assertEqual(request.state, "approved")

    def test_changes_of_chains_are_in_the_audit_trail(self):
        chain = self.make_chain(self.role("approver"))
        chain.approver_may_release = True
        chain.level_ids.needed = 2
        trail = self.env["spp.audit.entry"].search(
            [("res_model", "=", "spp.approval.chain"), ("res_id", "=", chain.id)], order="id desc", limit=2
        )
        self.assertEqual(trail.mapped("action"), ["Approval level changed", "Approval chain changed"])
        self.assertEqual((trail[0].old, trail[0].new), ({"Must agree": 1}, {"Must agree": 2}))

    def test_an_action_waits_only_where_a_chain_is_for_it(self):
        order = self.env["spp.example.order"].create({"name": "Order"})
        self.assertTrue(order.action_cancel("Not needed"))
        self.make_chain(self.role("approver"), kind="order_cancel")
        self.env["ir.model.access"].create(
            {
                "name": "Orders",
                "model_id": self.env["ir.model"]._get_id("spp.example.order"),
                "group_id": self.env.ref("base.group_user").id,
                "perm_read": True,
                "perm_write": True,
            }
        )
        other = order.copy({"state": "draft"}).with_user(self.submitter)
        self.assertFalse(other.action_cancel("Not needed"))
        self.assertFalse(other.action_cancel("Not needed"))
        request = self.env["spp.approval.request"].search([("kind", "=", "order_cancel")])
        self.assertEqual((len(request), request.name, other.state), (1, "Cancel Order", "draft"))
        request.with_user(self.first).action_approve()
        self.assertEqual(other.state, "cancelled")
