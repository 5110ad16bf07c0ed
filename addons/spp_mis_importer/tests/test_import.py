"""A whole registry arrives, and arrives once."""

from datetime import date

from odoo.tests import TransactionCase, tagged

from ..store import Store
from .common import MisMixin

COUNTED = (
    "res.partner",
    "spp.identity.document",
    "spp.phone.number",
    "spp.payment.account",
    "spp.group.membership",
    "spp.registrant.source",
    "spp.mis.mapping",
    "spp.mis.held",
    "spp.program.membership",
)


@tagged("post_install", "-at_install")
class TestImport(MisMixin, TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.programs = cls.env["spp.program"].create(
            [
                {"name": "Child grant", "code": "MIS-CHILD", "target": "group"},
                {"name": "Pension", "code": "MIS-PENSION", "target": "individual"},
            ]
        )
        cls.source.program_ids = cls.programs
        cls.first = cls.do_import()

    def counts(self):
        self.env.flush_all()
        return {model: self.env[model].with_context(active_test=False).search_count([]) for model in COUNTED}

    def stamps(self, model):
        self.env.flush_all()
        self.env.cr.execute(f'SELECT id, write_date, xmin FROM "{self.env[model]._table}" ORDER BY id')
        return self.env.cr.fetchall()

    def imported(self):
        return self.env["spp.registrant.source"].search([("source", "=", self.source._code())]).partner_id

    def test_run_says_what_it_did(self):
        self.assertEqual((self.first.state, self.first.failed_count), ("done", 2))
        self.assertEqual(
            self.first.counts,
            {
                "Read": 290,
                "Created": 289,
                "Updated": 0,
                "Unchanged": 0,
                "Held": 1,
                "Failed": 1,
                "Candidates added": 288,
                "No longer at the source": 0,
                "Memberships ended": 0,
            },
        )
        self.assertEqual(self.source.last_run_id, self.first)
        self.assertTrue(self.source.last_success_at)
        self.assertEqual((self.source.registrant_count, self.source.held_count), (289, 2))

    def test_everybody_is_a_registrant_and_active(self):
        people = self.imported()
        self.assertEqual((len(people), len(people.filtered("is_group"))), (289, 71))
        self.assertTrue(all(people.mapped("is_registrant")) and all(people.mapped("active")))

    def test_person(self):
        person = self.registrant("individual", 8)
        self.assertRecordValues(
            person,
            [
                {
                    "name": "ABADA, FLORA",
                    "family_name": "Abada",
                    "given_name": "Flora",
                    "additional_name": False,
                    "gender": "female",
                    "birth_place": "Oriental",
                    "street": "1 Main Road",
                    "street2": "Village 1",
                    "birthdate_exact": True,
                    "registrant_status": "active",
                }
            ],
        )
        self.assertEqual(str(person.birthdate), "1973-06-15")
        self.assertEqual(str(person.registration_date), "2024-07-02")
        self.assertEqual(
            sorted(
                (document.type_id.name, document.value, document.state) for document in person.document_ids
            ),
            [("National ID", "NID-000001", "valid"), ("Social Security No.", "SSN-00001", "valid")],
        )
        self.assertEqual(str(person.document_ids.filtered("expiry_date").expiry_date), "2031-01-01")
        self.assertEqual(person.phone_number_ids.mapped("number"), ["+639170000001"])
        account = person.payment_account_ids
        self.assertEqual((account.number, account.is_primary, account.kind), ("ACC00000001", True, "bank"))
        self.assertEqual(
            (account.provider_id.name, account.provider_id.bic), ("Coastal Savings Bank", "COSBPHM1XXX")
        )

    def test_household(self):
        household = self.registrant("group", 7)
        self.assertEqual((household.name, household.group_kind_id.name), ("Abada household 01", "Family"))
        self.assertEqual(household.email, "hh1@example.org")
        members = {
            member.individual_id.name: (member.is_head, sorted(member.role_ids.mapped("name")))
            for member in household.member_ids
        }
        self.assertEqual(len(members), 5)
        self.assertEqual(members["ABADA, FLORA"], (True, ["Head", "Principal recipient"]))
        self.assertEqual(members["ABADA, BEA REYES"], (False, ["Alternative recipient"]))
        self.assertEqual(household.head_id.name, "ABADA, FLORA")
        self.assertEqual({str(start) for start in household.member_ids.mapped("start")}, {"2026-11-21"})

    def test_names_of_the_source_mean_what_has_that_name_here(self):
        meanings = {(one.kind, one.name): one.meaning for one in self.source.mapping_ids}
        self.assertEqual(meanings["id_type", "Ration Card"], "Ration card")
        self.assertEqual(meanings["gender", "Male"], "Male")
        self.assertEqual(meanings["role", "Head"], "Head")
        ration_card = self.env.ref("spp_registry.identity_type_ration_card")
        self.assertEqual(self.registrant("group", 7).document_ids.type_id, ration_card)
        created = self.env["spp.identity.type"].search([("name", "=", "Barangay Certificate")])
        self.assertEqual(created.code, "barangay_certificate")

    def test_person_in_two_groups(self):
        memberships = self.env["spp.group.membership"].search([("individual_id", "in", self.imported().ids)])
        self.assertEqual(len(memberships), 214)
        twice = [person for person in memberships.individual_id if len(person.membership_ids) == 2]
        self.assertEqual(len(twice), 1)

    def test_person_without_a_group(self):
        person = self.registrant("individual", 1152)
        self.assertTrue(person.is_registrant)
        self.assertFalse(person.membership_ids)

    def test_account_without_a_bank_name(self):
        accounts = self.imported().payment_account_ids
        self.assertEqual(len(accounts), 110)
        self.assertEqual(len(accounts.filtered(lambda account: not account.provider_id)), 1)
        self.assertTrue(all(accounts.mapped("is_primary")))

    def test_unparsable_date_is_held_with_its_value_and_the_rest_goes_on(self):
        held = self.held("individual:1116")
        self.assertEqual((held.state, held.name), ("waiting", "QUIZON, DANTE"))
        self.assertEqual(held.reason, "birthdate: “1989-02-31” cannot be read, it is not a date")
        self.assertFalse(self.registrant("individual", 1116))
        place = self.env["spp.mis.held"].search([("record_kind", "=", "membership")])
        self.assertIn("QUIZON, DANTE in", place.name)
        self.assertEqual(
            sorted(self.first.failure_ids.mapped("external_id")), sorted((held + place).mapped("external_id"))
        )
        self.assertEqual(set(self.first.failure_ids.mapped("res_model")), {"spp.mis.held"})

    def test_disabled_at_the_source_is_disabled_here_and_no_candidate(self):
        disabled = self.imported().filtered(lambda partner: partner.registrant_status == "disabled")
        self.assertEqual(len(disabled), 1)
        self.assertTrue(disabled.status_date)
        self.assertNotIn(disabled, self.programs.membership_ids.partner_id)

    def test_all_become_candidates_of_the_programs(self):
        grant, pension = (program.membership_ids for program in self.programs)
        self.assertEqual((len(grant), len(pension)), (71, 217))
        self.assertEqual(set((grant + pension).mapped("state")), {"candidate"})

    def test_second_import_changes_nothing(self):
        counts, stamps = self.counts(), {model: self.stamps(model) for model in COUNTED[:5]}
        second = self.do_import()
        self.assertEqual(self.counts(), counts)
        for model, before in stamps.items():
            self.assertEqual(self.stamps(model), before, model)
        self.assertEqual(second.state, "done")
        self.assertEqual(
            second.counts,
            {
                "Read": 290,
                "Created": 0,
                "Updated": 0,
                "Unchanged": 289,
                "Held": 0,
                "Failed": 1,
                "Candidates added": 0,
                "No longer at the source": 0,
                "Memberships ended": 0,
            },
        )
        self.assertEqual(self.held("individual:1116").attempts, 2)

    def test_unchanged_records_cost_no_statements_of_their_own(self):
        self._statements(1)
        small, large = self._statements(20), self._statements(200)
        self.assertEqual(small, large)
        self.assertLess(large, 10)

    def _statements(self, size):
        """Statements for a page of so many unchanged people."""
        with self.source._reader() as reader:
            page = reader.individuals(after=0, limit=size)
        page.bad = []
        self.env.flush_all()
        self.env.invalidate_all()
        before = self.env.cr.sql_log_count
        tally = Store(self.source).save(page)
        self.assertEqual(tally.unchanged, len(page.records))
        return self.env.cr.sql_log_count - before

    def test_rest_dialect_brings_the_same(self):
        other = self.new_source(name="Same over REST", dialect="rest", program_ids=False)
        run = self.do_import(other)
        self.assertEqual((run.counts["Created"], run.counts["Held"], run.counts["Failed"]), (289, 1, 1))
        for kind in ("individual", "group"):
            for number in (7, 8, 13, 19, 1005, 1006, 1041, 1152):
                ours, theirs = self.registrant(kind, number), self.registrant(kind, number, other)
                self.assertEqual(bool(ours), bool(theirs), (kind, number))
                if ours:
                    self.assertEqual(self._shown(ours), self._shown(theirs))

    def test_programs_there_are_facts_here(self):
        """The registry API tells in which programs somebody is, and what was noted of them for it."""
        other = self.new_source(name="With programs", dialect="rest", program_ids=False)
        self.do_import(other)
        facts = self.env["spp.event"].search([("source", "=", other._code())])
        self.assertEqual(set(facts.mapped("kind")), {"program_elsewhere", "program_information"})
        household = self.registrant("group", 7, other)
        mine = facts.filtered(lambda fact: fact.partner_id == household)
        self.assertEqual(
            sorted(mine.mapped("value")), ["1: draft", "household_size: 1", "income: 1200.5", "roof: tin"]
        )
        self.assertEqual(set(mine.mapped("date")), {date(2024, 8, 1)})
        # The number says little; once a person has said which program it is, candidates follow.
        mapping = other.mapping_ids.filtered(lambda one: one.kind == "program")
        self.assertEqual((mapping.mapped("name"), mapping[:1].is_open), (["1"], True))
        mapping.program_id = self.programs[0]
        before = len(facts)
        run = self.do_import(other)
        self.assertEqual(run.counts["Candidates added"], len(facts.partner_id.filtered("is_group")))
        self.assertEqual(self.env["spp.event"].search_count([("source", "=", other._code())]), before)

    def _shown(self, partner):
        """What both dialects can tell of a registrant."""
        names = ("name", "family_name", "given_name", "gender", "birthdate", "birth_place", "email", "street",
                 "street2", "registration_date", "is_group")  # fmt: skip
        return (
            [partner[name] for name in names],
            partner.group_kind_id.name,
            sorted((one.type_id.name, one.value, str(one.expiry_date)) for one in partner.document_ids),
            sorted((one.number, str(one.ended)) for one in partner.phone_number_ids),
            sorted((one.number, one.provider_id.name) for one in partner.payment_account_ids),
            sorted(
                (one.individual_id.name, one.is_head, sorted(one.role_ids.mapped("name")))
                for one in partner.member_ids
            ),
        )
