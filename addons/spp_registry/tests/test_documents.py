"""Identity documents: their patterns, and two people who claim the same number."""

from odoo.exceptions import UserError, ValidationError

from .common import RegistryCase


class TestDocuments(RegistryCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ana, cls.ben = cls.person("Cruz", "Ana"), cls.person("Cruz", "Ben")
        cls.national_id = cls.env.ref("spp_registry.identity_type_national_id")

    def test_first_claim_is_valid_the_second_disputed(self):
        first, second = self.document(self.ana, "A-1"), self.document(self.ben, " A-1 ")
        self.assertEqual((first.state, second.state), ("valid", "disputed"))
        self.assertEqual(self.document(self.ben, "A-1", "ration_card").state, "valid")

    def test_second_claim_within_one_save(self):
        vals = {"type_id": self.national_id.id, "value": "A-1"}
        documents = self.env["spp.identity.document"].create(
            [{**vals, "partner_id": person.id} for person in (self.ana, self.ben)]
        )
        self.assertEqual(documents.mapped("state"), ["valid", "disputed"])

    def test_whatever_state_is_asked_for_the_second_is_disputed(self):
        self.document(self.ana, "A-1")
        document = self.env["spp.identity.document"].create(
            {"partner_id": self.ben.id, "type_id": self.national_id.id, "value": "A-1", "state": "valid"}
        )
        self.assertEqual(document.state, "disputed")
        with self.assertRaisesRegex(UserError, "Use Withdraw or Accept"):
            document.state = "valid"

    def test_accept_only_after_the_other_was_withdrawn(self):
        first, second = self.document(self.ana, "A-1"), self.document(self.ben, "A-1")
        self.assertEqual((first.held_by_id.id, second.held_by_id), (False, self.ana))
        with self.assertRaisesRegex(UserError, "National ID A-1 is held by CRUZ, ANA"):
            second.action_accept()
        first.action_withdraw()
        second.action_accept()
        self.assertEqual((first.state, second.state), ("withdrawn", "valid"))
        with self.assertRaisesRegex(UserError, "is held by CRUZ, BEN"):
            first.action_accept()

    def test_decisions_leave_a_trail_without_the_number(self):
        document = self.document(self.ana, "A-1")
        document.action_withdraw()
        document.action_accept()
        entries = self.env["spp.audit.entry"].search([("partner_id", "=", self.ana.id)])
        self.assertEqual(
            entries.mapped("action"),
            ["Identity document accepted", "Identity document withdrawn", "Identity Document created"],
        )
        self.assertNotIn("A-1", str(entries.read()))

    def test_a_changed_number_is_a_new_claim(self):
        self.document(self.ana, "A-1")
        second = self.document(self.ben, "A-2")
        second.value = "A-1"
        self.assertEqual(second.state, "disputed")
        second.value = "A-2"
        self.assertEqual(second.state, "valid")

    def test_pattern_covers_the_whole_number_and_says_what_is_expected(self):
        self.national_id.write({"pattern": "[0-9]{8}", "pattern_hint": "8 digits"})
        self.assertEqual(self.document(self.ana, "  12345678 ").value, "12345678")
        for value in ("1234567", "123456789", "12345678x"):
            with self.assertRaisesRegex(ValidationError, f"CRUZ, ANA: “{value}” .* National ID. .*8 digits"):
                self.document(self.ana, value)
        with self.assertRaisesRegex(ValidationError, "CRUZ, ANA: enter the number"):
            self.document(self.ana, "   ")

    def test_unreadable_pattern_is_refused(self):
        with self.assertRaisesRegex(ValidationError, "National ID: the pattern cannot be read"):
            self.national_id.pattern = "[0-9"

    def test_documents_belong_to_registrants(self):
        with self.assertRaisesRegex(ValidationError, "Shop is not a registrant"):
            self.document(self.env["res.partner"].create({"name": "Shop"}), "A-1")
