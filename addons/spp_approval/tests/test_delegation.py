"""A deputy decides for somebody, from one day to another; the trail says for whom."""

from datetime import timedelta

from odoo import fields
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import tagged
from odoo.tools import mute_logger

from .common import ApprovalCase


@tagged("post_install", "-at_install")
class TestDelegation(ApprovalCase):
    def delegate(self, user, deputy, start=0, days=5):
        first = fields.Date.today() + timedelta(days=start)
        return (
            self.env["spp.approval.delegation"]
            .with_user(user)
            .create(
                {
                    "deputy_id": deputy.id,
                    "start": first,
                    "end": first + timedelta(days=days),
                    "reason": "Leave",
                }
            )
        )

    def test_a_deputy_acts_for_somebody(self):
        self.make_chain({"user_ids": [(6, 0, self.first.ids)]})
        request = self.submit()
        delegation = self.delegate(self.first, self.finance)
        self.assertTrue(request.with_user(self.finance).to_decide)
        request.with_user(self.finance).action_approve("As agreed")
        decision = request.decision_ids[0]
        self.assertRecordValues(
            decision,
            [
                {
                    "user_id": self.finance.id,
                    "on_behalf_id": self.first.id,
                    "delegation_id": delegation.id,
                    "comment": "As agreed",
                }
            ],
        )
        self.assertEqual(request.state, "approved")

    def test_only_in_its_time(self):
        self.make_chain({"user_ids": [(6, 0, self.first.ids)]})
        request = self.submit()
        self.delegate(self.first, self.finance, start=1)
        self.assertFalse(request.with_user(self.finance).to_decide)
        now = self.delegate(self.first, self.finance)
        request.invalidate_recordset()
        self.assertTrue(request.with_user(self.finance).to_decide)
        now.with_user(self.first).action_end()
        request.invalidate_recordset()
        self.assertEqual(now.state, "over")
        with self.assertRaises(AccessError):
            request.with_user(self.finance).action_approve()

    def test_an_administrator_may_end_it_and_not_give_it(self):
        delegation = self.delegate(self.first, self.finance)
        with self.assertRaises(AccessError):
            delegation.with_user(self.second).action_end()
        delegation.with_user(self.admin).action_end()
        for user in (self.admin, self.second):
            with self.assertRaises(AccessError):
                self.env["spp.approval.delegation"].with_user(user).create(
                    {
                        "user_id": self.first.id,
                        "deputy_id": self.finance.id,
                        "end": "2999-01-01",
                        "reason": "Because",
                    }
                )

    def test_a_deputy_of_a_deputy_decides_nothing(self):
        self.make_chain({"user_ids": [(6, 0, self.first.ids)]})
        request = self.submit()
        self.delegate(self.first, self.finance)
        self.delegate(self.finance, self.second)
        with self.assertRaises(AccessError):
            request.with_user(self.second).action_approve()

    def test_who_gives_it_must_be_asked_oneself_and_be_there(self):
        self.make_chain({"user_ids": [(6, 0, self.first.ids)]})
        request = self.submit()
        self.delegate(self.first, self.finance)
        self.first.active = False
        with self.assertRaises(AccessError):
            request.with_user(self.finance).action_approve()

    def test_who_decides_nothing_is_no_deputy(self):
        with self.assertRaisesRegex(ValidationError, "cannot be a deputy"):
            self.delegate(self.first, self.admin)

    @mute_logger("odoo.sql_db")
    def test_it_is_fixed_once_given(self):
        delegation = self.delegate(self.first, self.finance)
        for change in (lambda: delegation.write({"end": "2999-01-01"}), delegation.unlink):
            with self.assertRaises(UserError):
                change()
            with self.assertRaises(UserError):
                delegation.sudo().write({"deputy_id": self.second.id})
        with self.assertRaisesRegex(UserError, "today or later"):
            self.delegate(self.first, self.finance, start=-1)
        with self.assertRaises(ValidationError):
            self.env["spp.approval.delegation"].with_user(self.first).create(
                {"deputy_id": self.finance.id, "end": "2999-01-01", "reason": " "}
            )

    def test_it_is_in_the_audit_trail(self):
        delegation = self.delegate(self.first, self.finance)
        delegation.action_end()
        trail = self.env["spp.audit.entry"].search(
            [("res_model", "=", delegation._name), ("res_id", "=", delegation.id)], order="id"
        )
        self.assertEqual(
            trail.mapped("action"), ["Delegation of approvals created", "Delegation of approvals ended"]
        )
        self.assertEqual(trail[0].new["Reason"], "Leave")
