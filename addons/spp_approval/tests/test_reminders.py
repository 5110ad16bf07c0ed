"""Who may decide is reminded, once per request and interval."""

from datetime import timedelta

from odoo import fields
from odoo.tests import tagged

from .common import ApprovalCase


@tagged("post_install", "-at_install")
class TestReminders(ApprovalCase):
    def reminders(self, request):
        return self.env["mail.activity"].search(
            [("res_model", "=", "spp.approval.request"), ("res_id", "=", request.id)]
        )

    def age(self, request, days):
        past = fields.Datetime.now() - timedelta(days=days, minutes=1)
        self.env.flush_all()
        self.env.cr.execute(
            "UPDATE spp_approval_request SET submitted_at = %s, reminded_at = CASE WHEN reminded_at IS NULL"
            " THEN NULL ELSE %s END WHERE id = %s",
            [past, past, request.id],
        )
        self.env.invalidate_all()

    def remind(self):
        self.env.ref("spp_approval.cron_approval_reminders").ir_actions_server_id.run()

    def test_reminded_once_an_interval_until_decided(self):
        self.make_chain({"user_ids": [(6, 0, (self.first + self.second).ids)]}, remind_days=3)
        request = self.submit()
        self.remind()
        self.assertFalse(self.reminders(request))
        self.age(request, 3)
        self.remind()
        self.assertEqual(self.reminders(request).user_id, self.first + self.second)
        self.remind()
        self.assertEqual(len(self.reminders(request)), 2)
        self.age(request, 3)
        self.remind()
        self.assertEqual(len(self.reminders(request)), 2)  # in place of the former
        request.with_user(self.first).action_approve()
        self.assertFalse(self.reminders(request))

    def test_never_where_the_chain_says_so(self):
        self.make_chain({"user_ids": [(6, 0, self.first.ids)]}, remind_days=0)
        request = self.submit()
        self.age(request, 100)
        self.remind()
        self.assertFalse(self.reminders(request))

    def test_deputies_are_reminded_and_the_submitter_is_not(self):
        self.make_chain({"user_ids": [(6, 0, self.first.ids)]})
        self.env["spp.approval.delegation"].with_user(self.first).create(
            {"deputy_id": self.finance.id, "end": "2999-01-01", "reason": "Leave"}
        )
        request = self.submit()
        self.age(request, 2)
        self.remind()
        self.assertEqual(self.reminders(request).user_id, self.first + self.finance)
