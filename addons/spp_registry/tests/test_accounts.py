"""Payment accounts: entering, masking, checking, and the one primary account."""

from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import Form

from ..models.spp_payment_account import mask_number
from .common import RegistryCase

IBAN = "GB33 BUKB 2020 1555 5555 55"


class TestAccounts(RegistryCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.officer = cls.user("officer", "enrollment_officer")
        cls.finance = cls.user("finance", "finance_officer")
        cls.ana = cls.person("Cruz", "Ana", env=cls.env(user=cls.officer))

    def test_masks(self):
        for number, masked in (
            ("0011223344", "••••3344"),
            ("12345", "••••45"),
            ("1", "••••"),
            ("ana@example.org", "••••@example.org"),
        ):
            self.assertEqual(mask_number(number), masked)

    def test_officer_enters_a_number_and_sees_it_masked(self):
        account = self.account(self.ana, "0011223344", env=self.env(user=self.officer))
        self.assertEqual(account.number_masked, "••••3344")
        self.assertFalse(account.number_entry)
        self.assertEqual(account.display_name, "Bank account ••••3344")
        with self.assertRaises(AccessError):
            account.invalidate_recordset()
            account.read(["number"])
        self.assertNotIn("number", account.read()[0])

    def test_finance_reads_the_number_and_changes_nothing(self):
        account = self.account(self.ana, "0011223344").with_user(self.finance)
        self.assertEqual(account.number, "0011223344")
        for vals in ({"number": "1"}, {"number_entry": "1"}, {"state": "ended"}):
            with self.assertRaises(AccessError):
                account.write(vals)
        with self.assertRaises(AccessError):
            self.account(self.ana, "2", env=self.env(user=self.finance))

    def test_officer_replaces_number_and_kind_together(self):
        account = self.account(self.ana, "0011223344", env=self.env(user=self.officer))
        account.write({"kind": "iban", "number_entry": IBAN})
        self.assertEqual(account.sudo().number, "GB33BUKB20201555555555")
        entry = self.env["spp.audit.entry"].search(
            [("partner_id", "=", self.ana.id), ("action", "=", "Payment account changed")]
        )
        self.assertEqual((entry.old["number"], entry.new["number"]), ("••••3344", "••••5555"))

    def test_trail_shows_that_a_number_changed_behind_the_same_mask(self):
        account = self.account(self.ana, "0011223344")
        account.number_entry = "0011223344"
        self.assertFalse(
            self.env["spp.audit.entry"].search(
                [("partner_id", "=", self.ana.id), ("action", "=", "Payment account changed")]
            )
        )
        account.number_entry = "9911223344"
        entry = self.env["spp.audit.entry"].search(
            [("partner_id", "=", self.ana.id), ("action", "=", "Payment account changed")]
        )
        self.assertEqual(entry.action, "Payment account changed")
        self.assertNotIn("9911223344", str(entry.read()))

    def test_numbers_are_checked_and_the_message_does_not_repeat_them(self):
        for kind, number, words in (
            ("iban", "GB33BUKB20201555555556", "not a valid IBAN"),
            ("mobile_wallet", "0712345678", "with \\+ and country code"),
            ("email_wallet", "ana.example.org", "not an e-mail address"),
            ("bank", "   ", "enter the account number"),
            ("bank", False, "enter the account number"),
        ):
            with (
                self.subTest(kind),
                self.assertRaisesRegex(ValidationError, f"^CRUZ, ANA: .*{words}") as error,
            ):
                self.account(self.ana, number, kind)
            if number and number.strip():
                self.assertNotIn(number, str(error.exception))

    def test_numbers_are_stored_without_what_people_write_between(self):
        for kind, written, stored in (
            ("iban", IBAN.lower(), "GB33BUKB20201555555555"),
            ("mobile_wallet", "+254 (712) 345-678", "+254712345678"),
            ("email_wallet", " ana@example.org ", "ana@example.org"),
            ("bank", " 00-11 22 ", "00-11 22"),
        ):
            self.assertEqual(self.account(self.ana, written, kind).sudo().number, stored)

    def test_first_account_is_primary_by_itself(self):
        first, second = self.account(self.ana, "1111111"), self.account(self.ana, "2222222")
        self.assertTrue(first.is_primary)
        self.assertFalse(second.is_primary)

    def test_primary_account_can_be_swapped_in_one_save(self):
        first, second = self.account(self.ana, "1111111"), self.account(self.ana, "2222222")
        swap = [(1, second.id, {"is_primary": True}), (1, first.id, {"is_primary": False})]
        self.ana.write({"payment_account_ids": swap})
        self.env.cr.flush()
        first.action_make_primary()
        self.env.cr.flush()
        self.assertEqual((first.is_primary, second.is_primary), (True, False))

    def test_two_primary_accounts_are_refused_naming_the_person(self):
        self.account(self.ana, "1111111")
        self.account(self.ana, "2222222").is_primary = True
        with self.assertRaisesRegex(ValidationError, "^CRUZ, ANA: Only one account can be the primary one"):
            self.env.cr.flush()

    def test_an_ended_account_is_not_primary(self):
        account = self.account(self.ana, "1111111")
        account.action_end()
        self.assertFalse(account.is_primary)
        with self.assertRaisesRegex(UserError, "has ended"):
            account.action_make_primary()
        self.assertTrue(self.account(self.ana, "2222222").is_primary)

    def test_an_account_stays_with_its_person(self):
        account = self.account(self.ana, "1111111")
        with self.assertRaisesRegex(UserError, "cannot pass to somebody else"):
            account.partner_id = self.person("Cruz", "Ben")

    def test_officer_works_on_the_persons_form(self):
        person = self.ana.with_user(self.officer)
        with Form(person, "spp_registry.view_res_partner_form_individual") as form:
            with form.payment_account_ids.new() as line:
                line.kind = "mobile_wallet"
                line.number_entry = "+254712345678"
        account = person.payment_account_ids
        self.assertEqual(account.number_masked, "••••5678")
        self.assertTrue(account.is_primary)
