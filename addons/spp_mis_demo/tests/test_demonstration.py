"""What an administrator gets who creates the demonstration, and that the rest of the database does not notice."""

from datetime import date

from odoo.exceptions import AccessError, UserError
from odoo.tests import BaseCase, tagged

from ..tools import households, story
from .common import AS_OF, DemoCase


@tagged("post_install", "-at_install")
class TestDemonstration(DemoCase):
    @classmethod
    def before_creation(cls):
        cls.shared = cls.env["res.partner"].create(
            {"is_registrant": True, "name": "Somebody of the country", "birthdate": "1950-01-01"}
        )

    def test_six_programs_are_active_with_rule_benefits_calendar_fund_and_chain(self):
        self.assertEqual(
            list(self.programs),
            ["child_grant", "pension", "cash_transfer", "education", "relief", "farm_inputs"],
        )
        for code, program in self.programs.items():
            with self.subTest(code):
                self.assertEqual((program.state, program.company_id), ("active", self.company))
                self.assertTrue(program.rule_id.published_version_id)
                self.assertTrue(program.benefit_ids)
                self.assertEqual(bool(program.fund_free), code != "farm_inputs")
                chain = self.env["spp.approval.chain"]._find("cycle", program)
                self.assertEqual(chain.program_id, program)
                self.assertEqual(bool(program.next_start), program.calendar != "by_hand")
        self.assertEqual(str(self.programs["child_grant"].next_start), "2026-09-01")
        self.assertEqual(set(self.programs["farm_inputs"].benefit_ids.mapped("kind")), {"goods"})

    def test_twelve_people_have_a_story_on_their_form(self):
        self.assertEqual(len(self.personas), 12)
        told = story.personas(date(2026, 11, 21))
        for key, person in self.personas.items():
            self.assertIn(told[key]["is"], person.comment)
            self.assertIn(told[key]["is"], (self.households[key] or person).comment)

    def test_as_many_people_as_wanted_are_generated(self):
        people = self.env["res.partner"].search_count(
            [("company_id", "=", self.company.id), ("is_group", "=", False), ("ref", "=like", "DEMO-%")]
        )
        self.assertEqual(people, self.people)

    def test_they_are_candidates_and_nobody_of_the_country_is(self):
        members = self.env["spp.program.membership"].search(
            [("program_id", "in", [program.id for program in self.programs.values()])]
        )
        self.assertEqual(members.partner_id.company_id, self.company)
        self.assertNotIn(self.shared, members.partner_id)
        self.assertIn(self.personas["bakari"], members.partner_id)

    def test_the_same_once_more_changes_nothing_and_answers_the_same(self):
        self.assertEqual(self.create_demonstration(), self.answer)
        with self.assertRaisesRegex(UserError, "There is a demonstration already"):
            self.env["spp.mis.demo"].with_user(self.users["admin"]).create_demonstration("2026-01-01", 5)

    def test_only_administrators_create_it(self):
        for role, user in self.users.items():
            if role != "admin":
                with self.assertRaises(AccessError):
                    self.env["spp.mis.demo"].with_user(user).create_demonstration(AS_OF, self.people)

    def test_what_it_was_created_with_cannot_change(self):
        demo = self.env["spp.mis.demo"].search([])
        with self.assertRaisesRegex(UserError, "created already"):
            demo.with_user(self.users["admin"]).write({"people": 3})
        with self.assertRaisesRegex(UserError, "created already"):
            demo.with_user(self.users["admin"]).action_create()
        with self.assertRaisesRegex(UserError, "only be changed by the action"):
            demo.with_user(self.users["admin"]).write({"company_id": self.env.company.id})

    def test_a_country_that_approves_its_rules_is_asked_first(self):
        level = {"name": "Board", "group_id": self.env.ref("spp_base.group_approver").id}
        self.env["spp.approval.chain"].create(
            {"name": "Rules", "kind": "rule_version", "level_ids": [(0, 0, level)]}
        )
        with self.assertRaisesRegex(UserError, r"Publishing a rule needs approval here \(Rules\)"):
            self.env["spp.mis.demo"].search([])._refuse_chain()

    def test_a_login_that_is_none_is_told(self):
        with self.assertRaisesRegex(UserError, "no user with the login nobody"):
            self.env["spp.mis.demo"].with_user(self.users["admin"]).create_demonstration(
                AS_OF, self.people, ["nobody"]
            )

    def test_who_is_not_let_in_does_not_see_it(self):
        stranger = self.users["auditor"].copy({"login": "demo_stranger"})
        stranger.write({"company_ids": [(6, 0, self.env.company.ids)]})
        stranger = stranger.with_user(stranger).with_context(allowed_company_ids=self.env.company.ids)
        self.assertFalse(stranger.env["spp.program"].search([("company_id", "=", self.company.id)]))
        self.assertFalse(stranger.env["res.partner"].search([("id", "=", self.personas["amina"].id)]))


@tagged("post_install", "-at_install")
class TestMadeUpHouseholds(BaseCase):
    """The same households every time, on every machine."""

    def test_a_household_is_the_same_whatever_is_made_around_it(self):
        many = list(households.households(400, date(2026, 11, 21)))
        few = list(households.households(40, date(2026, 11, 21)))
        self.assertEqual(many[: len(few) - 1], few[:-1])
        self.assertEqual(sum(len(household.members) for household in many), 400)

    def test_they_are_these(self):
        first, second = list(households.households(10, date(2026, 11, 21)))[:2]
        self.assertEqual(
            (first.members[0].family, str(first.members[0].born), first.income),
            ("Katizo", "1973-03-08", 360.37),
        )
        self.assertEqual(
            (second.members[0].family, str(second.members[0].born), second.income),
            ("Faniro", "1992-09-16", 313.56),
        )

    def test_what_is_usual_comes_to_about_two_thousand_households(self):
        self.assertAlmostEqual(len(list(households.households(8000, date(2026, 11, 21)))), 2000, delta=60)
