"""What people enter about where somebody is paid waits for approval where a chain says so."""

from odoo.exceptions import AccessError
from odoo.tests import tagged

from .common import ApprovalCase


@tagged("post_install", "-at_install")
class TestPaymentAccount(ApprovalCase):
    def setUp(self):
        super().setUp()
        self.officer = self.make_user("officer", "enrollment_officer")
        self.accounts = self.env["spp.payment.account"].with_user(self.officer)
        self.old = self.accounts.create({"partner_id": self.payee.id, "number_entry": "11112222"})
        self.make_chain(self.role("approver"), kind="account_change")

    def request(self):
        return self.env["spp.approval.request"].search([("kind", "=", "account_change")], limit=1)

    def test_a_new_account_is_paid_to_once_approved(self):
        new = self.accounts.create(
            {"partner_id": self.payee.id, "number_entry": "33334444", "is_primary": True}
        )
        self.assertEqual((new.state, new.is_primary, self.old.is_primary), ("waiting", False, True))
        self.assertIn("Approver", new.approval_waits_for)
        self.request().with_user(self.first).action_approve()
        self.assertEqual((new.state, new.is_primary, self.old.is_primary), ("active", True, False))

    def test_a_refused_account_is_never_paid_to(self):
        new = self.accounts.create({"partner_id": self.payee.id, "number_entry": "33334444"})
        self.request().with_user(self.first).action_reject("Not his")
        self.assertEqual(new.state, "ended")

    def test_a_change_is_made_once_approved_and_its_number_shown_to_nobody(self):
        self.old.write({"number_entry": "99998888"})
        self.assertEqual(self.old.sudo().number, "11112222")
        request = self.request()
        for user in (self.first, self.officer, self.finance, self.admin):
            seen = str(request.with_user(user).read())
            self.assertNotIn("99998888", seen)
            self.assertIn("••••8888", seen)
        with self.assertRaises(AccessError):
            request.with_user(self.finance).read(["payload"])
        request.with_user(self.first).action_approve()
        self.assertEqual(self.old.sudo().number, "99998888")
        entry = self.env["spp.audit.entry"].search(
            [("res_model", "=", "spp.payment.account"), ("res_id", "=", self.old.id)], limit=1
        )
        self.assertEqual((entry.user_id, entry.new["number"]), (self.officer, "••••8888"))

    def test_ending_and_making_primary_wait_too(self):
        self.old.action_end()
        self.assertEqual(self.old.state, "active")
        self.request().with_user(self.first).action_approve()
        self.assertEqual(self.old.state, "ended")
