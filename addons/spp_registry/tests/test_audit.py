"""What people change of registrants, households, documents and accounts is in the audit trail; numbers are masked."""

from odoo.tests import TransactionCase, tagged


@tagged("post_install", "-at_install")
class TestAudit(TransactionCase):
    def setUp(self):
        super().setUp()
        self.person, self.house = self.env["res.partner"].create(
            [
                {"name": "Ada", "is_registrant": True, "birthdate": "1950-01-01"},
                {"name": "House", "is_registrant": True, "is_group": True},
            ]
        )

    def trail(self, record):
        return self.env["spp.audit.entry"].search(
            [("res_model", "=", record._name), ("res_id", "=", record.id)], order="id"
        )

    def test_what_rules_look_at(self):
        self.person.write({"birthdate": "1960-01-01", "birth_place": "Ubu"})
        self.person.write({"birthdate": "1960-01-01"})
        entry = self.trail(self.person)
        self.assertEqual(len(entry), 1)
        self.assertEqual(
            (entry.old, entry.new), ({"Date of birth": "1950-01-01"}, {"Date of birth": "1960-01-01"})
        )
        self.assertEqual(entry.partner_id, self.person)

    def test_ordinary_contacts_are_not_watched(self):
        contact = self.env["res.partner"].create({"name": "Shop"})
        contact.name = "Store"
        self.assertFalse(self.trail(contact))

    def test_households(self):
        membership = self.env["spp.group.membership"].create(
            {"group_id": self.house.id, "individual_id": self.person.id}
        )
        membership.action_end()
        trail = self.trail(self.house)
        self.assertEqual(trail.mapped("action"), ["Group Membership created", "Group Membership changed"])
        self.assertIn("Ada", trail[0].note)

    def test_accounts_and_documents_are_masked(self):
        account = self.env["spp.payment.account"].create(
            {"partner_id": self.person.id, "number_entry": "12345678"}
        )
        kind = self.env["spp.identity.type"].create({"name": "Card", "code": "card"})
        document = self.env["spp.identity.document"].create(
            {"partner_id": self.person.id, "type_id": kind.id, "value": "SECRET-1"}
        )
        document.value = "SECRET-2"
        entries = self.trail(account) + self.trail(document)
        self.assertEqual(len(self.trail(account)), 1)
        self.assertEqual(len(self.trail(document)), 2)
        self.assertIn("••••5678", str(entries[0].new))
        for secret in ("12345678", "SECRET"):
            self.assertNotIn(secret, str(entries.read(["old", "new", "note", "res_name"])))
        self.assertEqual(entries.partner_id, self.person)
