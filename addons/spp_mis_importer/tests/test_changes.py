"""What changes at the source changes here; what is here only, stays."""

from odoo.tests import TransactionCase, tagged

from .common import MisMixin


@tagged("post_install", "-at_install")
class TestChanges(MisMixin, TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.do_import()
        cls.flora = cls.registrant("individual", 8)
        cls.household = cls.registrant("group", 7)

    def setUp(self):
        super().setUp()
        self.control("reset")

    def again(self, created=0, updated=1):
        run = self.do_import()
        self.assertEqual(run.state, "done", run.message)
        self.assertEqual((run.counts["Created"], run.counts["Updated"]), (created, updated), run.counts)
        return run

    def member(self, number, household=None):
        person = self.registrant("individual", number)
        return (household or self.household).member_ids.filtered(lambda one: one.individual_id == person)

    def test_fields(self):
        self.at_source(
            "res.partner", 8, {"given_name": "Florinda", "name": "ABADA, FLORINDA", "birthdate": "1973-06-16"}
        )
        self.again()
        self.assertEqual((self.flora.name, self.flora.given_name), ("ABADA, FLORINDA", "Florinda"))
        self.assertEqual(str(self.flora.birthdate), "1973-06-16")

    def test_empty_at_the_source_blanks_nothing(self):
        self.at_source("res.partner", 8, {"birthdate": None, "address": None, "gender": None})
        self.again(updated=0)
        self.assertEqual((str(self.flora.birthdate), self.flora.gender), ("1973-06-15", "female"))
        self.assertEqual(self.flora.street, "1 Main Road")

    def test_children_change_without_the_stamp_of_their_person(self):
        self.at_source("g2p.reg.id", 2, {"value": "NID-NEW", "expiry_date": "2035-01-01"})
        self.at_source("g2p.phone.number", 2, {"disabled": "2026-11-20T10:00:00"})
        self.again()
        document = self.flora.document_ids.filtered(lambda one: one.type_id.name == "National ID")
        self.assertEqual((document.value, str(document.expiry_date)), ("NID-NEW", "2035-01-01"))
        self.assertEqual(str(self.flora.phone_number_ids.ended), "2026-11-20")

    def test_another_account_is_added_and_the_primary_one_stays(self):
        self.at_source("res.partner.bank", None, {"partner_id": 8, "bank_id": 2, "acc_number": "ACC NEW"})
        self.again()
        accounts = self.flora.payment_account_ids
        self.assertEqual(sorted(accounts.mapped("number")), ["ACC NEW", "ACC00000001"])
        self.assertEqual(accounts.filtered("is_primary").number, "ACC00000001")

    def test_what_was_added_here_stays(self):
        self.env["spp.phone.number"].create({"partner_id": self.flora.id, "number": "+15550001"})
        passport = self.env.ref("spp_registry.identity_type_passport")
        self.env["spp.identity.document"].create(
            {"partner_id": self.flora.id, "type_id": passport.id, "value": "LOCAL"}
        )
        self.at_source("res.partner", 8, {"email": "flora@example.org"})
        self.again()
        self.assertEqual(len(self.flora.phone_number_ids), 2)
        self.assertIn("LOCAL", self.flora.document_ids.mapped("value"))

    def test_deleted_at_the_source_is_reported_and_kept(self):
        self.at_source("res.partner", 1152, None)
        run = self.again(updated=0)
        self.assertEqual(run.counts["No longer at the source"], 1)
        self.assertTrue(self.registrant("individual", 1152).active)

    def test_new_person_joins_a_household(self):
        self.at_source(
            "res.partner", None, {"name": "ABADA, NEW", "is_group": False, "birthdate": "2026-11-01"}
        )
        number = 1153  # the source counts on
        self.at_source("g2p.group.membership", None, {"group": 7, "individual": number, "kind": []})
        self.again(created=1, updated=1)
        self.assertEqual(len(self.member(number)), 1)

    def test_membership_ends_and_is_taken_up_again(self):
        self.at_source("g2p.group.membership", 2, {"ended_date": "2026-11-25T08:00:00"})
        self.again()
        self.assertEqual(str(self.member(9).ended), "2026-11-25")
        self.at_source(
            "g2p.group.membership",
            None,
            {"group": 7, "individual": 9, "kind": [], "start_date": "2026-11-28T00:00:00"},
        )
        self.again()
        self.assertEqual(sorted(str(one.ended) for one in self.member(9)), ["2026-11-25", "False"])
        self.again(updated=0)

    def test_another_head(self):
        self.at_source("g2p.group.membership", 1, {"kind": []})
        self.at_source("g2p.group.membership", 2, {"kind": [1]})
        self.again()
        self.assertEqual(self.household.head_id, self.registrant("individual", 9))
        self.assertNotIn("Head", self.member(8).role_ids.mapped("name"))

    def test_head_chosen_here_stays_where_the_source_names_none(self):
        household = self.registrant("group", 1013)
        chosen = household.member_ids[0]
        chosen.action_make_head()
        self.at_source("res.partner", 1013, {"email": "none@example.org"})
        self.again()
        self.assertEqual(household.head_id, chosen.individual_id)

    def test_two_heads_are_held_and_the_others_go_on(self):
        self.at_source("g2p.group.membership", 2, {"kind": [1]})
        self.at_source("res.partner", 13, {"email": "other@example.org"})
        run = self.again()
        self.assertEqual(run.counts["Failed"], 2)
        self.assertIn("only one head", self.held("group:7").reason)
        self.assertEqual(self.held("group:7").partner_id, self.household)
        self.assertEqual(self.registrant("group", 13).email, "other@example.org")
        self.assertEqual(self.household.head_id, self.flora)

    def test_a_record_that_breaks_a_rule_is_alone_in_failing(self):
        self.at_source("res.partner", 8, {"birthdate": "2999-01-01"})
        self.at_source("res.partner", 9, {"email": "bea@example.org"})
        self.again()
        self.assertIn("lies in the future", self.held("individual:8").reason)
        self.assertEqual(self.registrant("individual", 9).email, "bea@example.org")
        self.assertEqual(str(self.flora.birthdate), "1973-06-15")
        self.control("reset")
        self.again(updated=0)  # Bea's e-mail stays: what is empty blanks nothing
        self.assertEqual(self.held("individual:8").state, "stored")

    def test_a_new_record_that_breaks_a_rule_is_alone_in_failing(self):
        self.at_source("res.partner", 9, {"birthdate": "2999-01-01"})
        other = self.new_source(name="From the beginning")
        run = self.do_import(other)
        self.assertEqual((run.counts["Created"], run.counts["Failed"], run.counts["Held"]), (288, 2, 2))
        self.assertFalse(self.registrant("individual", 9, other))
        self.assertEqual(self.registrant("individual", 8, other).name, "ABADA, FLORA")

    def test_reasons_do_not_repeat_numbers_of_documents(self):
        national_id = self.env.ref("spp_registry.identity_type_national_id")
        national_id.pattern = "NID-[0-9]+"
        self.at_source("g2p.reg.id", 2, {"value": "SECRET-9"})
        run = self.again(updated=0)
        self.assertNotIn("SECRET", " ".join(run.failure_ids.mapped("reason")))
        self.assertIn("National ID", self.held("individual:8").reason)
