"""A beneficiary's request for another account is kept with its evidence, and counts once a second person confirmed it."""

import base64

from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import tagged

from .common import ApprovalCase


@tagged("post_install", "-at_install")
class TestAccountRequest(ApprovalCase):
    def setUp(self):
        super().setUp()
        self.officer = self.make_user("officer", "enrollment_officer")
        self.accounts = self.env["spp.payment.account"].with_user(self.officer)
        self.old = self.accounts.create({"partner_id": self.payee.id, "number_entry": "11112222"})

    def ask(self, key="k-1", evidence="Came with her bank card", **more):
        values = {"kind": "bank", "number": "33334444"}
        made = self.accounts.request_change(self.payee.id, values, evidence, key, **more)
        return self.env["spp.approval.request"].browse(made)

    def new(self):
        return self.accounts.search([("partner_id", "=", self.payee.id), ("id", "!=", self.old.id)])

    def test_without_any_chain_an_approver_confirms_it(self):
        request = self.ask()
        new = self.new()
        self.assertEqual((new.state, new.is_primary, self.old.is_primary), ("waiting", False, True))
        self.assertEqual((request.reason, request.partner_id), ("Came with her bank card", self.payee))
        self.assertIn("••••2222", request.summary)
        request.with_user(self.first).action_approve()
        self.assertEqual((new.state, new.is_primary, self.old.is_primary), ("active", True, False))

    def test_a_chain_says_who_is_asked(self):
        self.make_chain(self.role("finance_officer"), kind="account_change")
        request = self.ask()
        with self.assertRaises(AccessError):
            request.with_user(self.first).action_approve()
        request.with_user(self.finance).action_approve()
        self.assertTrue(self.new().is_primary)

    def test_refused_it_never_counts(self):
        self.ask().with_user(self.first).action_reject("The card is not hers")
        self.assertEqual((self.new().state, self.old.is_primary), ("ended", True))

    def test_who_recorded_it_does_not_confirm_it(self):
        self.officer.spp_role_ids |= self.env.ref("spp_base.group_approver")
        with self.assertRaises(AccessError):
            self.ask().with_user(self.officer).action_approve()

    def test_what_waits_cannot_be_changed_or_made_active(self):
        self.ask()
        for vals in (
            {"state": "active"},
            {"number_entry": "99998888"},
            {"is_primary": True},
            {"state": "ended"},
        ):
            with self.assertRaisesRegex(UserError, "waits for approval"):
                self.new().write(vals)

    def test_evidence_is_needed_and_a_scan_goes_along(self):
        with self.assertRaises(UserError):
            self.ask(evidence=" ")
        scan = base64.b64encode(b"scan").decode()
        request = self.ask(file=scan, filename="card.png")
        seen = request.with_user(self.first).evidence_ids
        self.assertEqual((seen.name, base64.b64decode(seen.datas)), ("card.png", b"scan"))

    def test_sent_twice_it_is_recorded_once(self):
        self.assertEqual(self.ask(), self.ask())
        self.assertEqual(len(self.new()), 1)
        self.assertNotEqual(self.ask("k-2"), self.ask())

    def test_numbers_are_checked_and_other_fields_refused(self):
        with self.assertRaises(ValidationError):
            self.accounts.request_change(self.payee.id, {"kind": "iban", "number": "DE00"}, "Card", "k")
        for wrong in ({"is_primary": True}, {"state": "active"}, {"partner_id": 1}):
            with self.assertRaises(UserError):
                self.accounts.request_change(
                    self.payee.id, {"kind": "bank", "number": "1", **wrong}, "Card", "k"
                )

    def test_only_officers_record_it(self):
        for user in (self.first, self.finance, self.admin):
            with self.assertRaises(AccessError):
                self.accounts.with_user(user).request_change(
                    self.payee.id, {"kind": "bank", "number": "1"}, "Card", "k"
                )

    def test_the_form_keeps_no_number(self):
        wizard = self.env["spp.account.request"].with_user(self.officer)
        wizard = wizard.create({"partner_id": self.payee.id, "number": "33334444", "evidence": "Card"})
        action = wizard.action_record()
        self.assertEqual(action["res_model"], "spp.approval.request")
        self.assertEqual(wizard.number, "-")
        self.assertEqual(self.new().sudo().number, "33334444")
        self.assertNotIn("33334444", str(self.env["spp.approval.request"].browse(action["res_id"]).read()))
