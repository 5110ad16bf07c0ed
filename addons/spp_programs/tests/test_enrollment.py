"""Who is enrolled, who is not, and who is told what is missing."""

from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged

from .common import AS_OF, ProgramsCase


@tagged("post_install", "-at_install")
class TestEnrollment(ProgramsCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.program = cls.make_program()
        cls.old = cls.make_person("Old", "1950-01-01")
        cls.young = cls.make_person("Young", "2000-01-01")
        cls.unknown = cls.make_person("Unknown")
        cls.members = cls.add(cls.program, cls.old + cls.young + cls.unknown)

    def enroll(self, as_of=AS_OF):
        run_id = self.program.with_user(self.officer).action_enroll(as_of)
        return self.env["spp.run"].browse(run_id)

    def test_outcome_decides_the_state(self):
        run = self.enroll()
        self.assertEqual(self.members.mapped("state"), ["enrolled", "ineligible", "candidate"])
        self.assertEqual(self.members.mapped("outcome"), ["eligible", "not_eligible", "undetermined"])
        self.assertEqual(run.state, "done")
        self.assertEqual(run.counts, {"Eligible": 1, "Not eligible": 1, "Undetermined": 1})
        self.assertEqual(str(run.as_of), AS_OF)
        self.assertEqual(str(self.members[0].enrolled_on), AS_OF)
        self.assertFalse(self.members[1].enrolled_on)

    def test_everybody_is_told_why(self):
        self.assertEqual(self.members[0].reason, "Not evaluated yet.")
        self.enroll()
        for member in self.members:
            self.assertTrue(member.with_user(self.users["program_viewer"]).reason, member.partner_id.name)
        self.assertIn("60", self.members[1].reason)
        self.assertIn("not known", self.members[2].reason)

    def test_why_shows_the_decision_as_kept_and_as_it_would_be_today(self):
        self.enroll()
        member = self.members[1].with_user(self.users["program_viewer"])
        then = member.reason
        self.young.birthdate = "1950-01-01"
        dialog = member.action_why()
        trial = member.env[dialog["res_model"]].with_context(**dialog["context"]).create({})
        self.assertEqual((trial.decided, str(trial.decided_on)), (then, AS_OF))
        self.assertEqual((member.outcome, trial.outcome), ("not_eligible", "eligible"))

    def test_why_without_a_published_rule_says_so(self):
        self.program.rule_id.sudo().action_retire()
        with self.assertRaisesRegex(UserError, "no published rule"):
            self.members[0].action_why()

    def test_missing_data_is_completed_and_the_person_enrolled(self):
        self.enroll()
        self.unknown.birthdate = "1940-05-05"
        self.enroll()
        self.assertEqual(self.members[2].state, "enrolled")

    def test_ineligible_people_are_looked_at_again(self):
        self.enroll()
        self.assertEqual(self.members[1].state, "ineligible")
        self.enroll("2070-01-01")
        self.assertEqual(self.members[1].state, "enrolled")

    def test_data_that_vanished_makes_a_candidate_again(self):
        self.enroll()
        self.young.birthdate = False
        self.enroll()
        self.assertEqual((self.members[1].state, self.members[1].outcome), ("candidate", "undetermined"))

    def test_deceased_people_are_not_enrolled(self):
        self.old.registrant_status = "deceased"
        self.enroll()
        self.assertEqual(self.members[0].state, "ineligible")
        self.assertIn("deceased", self.members[0].reason)

    def test_enrolled_members_are_not_evaluated_again(self):
        self.enroll()
        self.old.birthdate = "2020-01-01"
        self.enroll()
        self.assertEqual(self.members[0].state, "enrolled")

    def test_a_second_enrollment_changes_nothing(self):
        self.enroll()
        before = [(m.state, m.outcome, m.state_date) for m in self.members]
        self.enroll()
        self.assertEqual([(m.state, m.outcome, m.state_date) for m in self.members], before)

    def test_import_brings_in_registrants_of_the_target_once(self):
        household = self.env["res.partner"].create({"name": "House", "is_registrant": True, "is_group": True})
        gone = self.make_person("Gone", "1940-01-01", registrant_status="deceased")
        contact = self.env["res.partner"].create({"name": "A supplier"})
        new = self.make_person("New", "1940-01-01")
        program = self.program.with_user(self.officer)
        first = self.env["spp.run"].browse(program.action_import_candidates())
        self.assertGreaterEqual(first.counts["Candidates added"], 1)
        partners = self.program.membership_ids.partner_id
        self.assertIn(new, partners)
        self.assertFalse((household + gone + contact) & partners)
        second = self.env["spp.run"].browse(program.action_import_candidates())
        self.assertEqual(second.counts["Candidates added"], 0)

    def test_importer_adds_from_sql(self):
        from odoo.tools import SQL

        new = self.make_person("New", "1940-01-01")
        household = self.env["res.partner"].create({"name": "House", "is_registrant": True, "is_group": True})
        ids = SQL("SELECT unnest(%s)", [new.id, household.id, self.old.id])
        self.assertEqual(self.program._add_candidates(ids), 1)
        self.assertEqual(self.program._add_candidates(ids), 0)

    def test_officer_of_an_area_brings_in_and_enrolls_that_area_only(self):
        north, south = self.env["spp.area"].create(
            [{"name": "N", "code": "T-N"}, {"name": "S", "code": "T-S"}]
        )
        here = self.make_person("Here", "1940-01-01", area_id=north.id)
        there = self.make_person("There", "1940-01-01", area_id=south.id)
        program = self.make_program("AREA")
        self.officer.spp_area_ids = north
        program.with_user(self.officer).action_import_candidates()
        self.assertIn(here, program.membership_ids.partner_id)
        self.assertNotIn(there, program.membership_ids.partner_id)
        member = self.env["spp.program.membership"].create({"program_id": program.id, "partner_id": there.id})
        program.with_user(self.officer).action_enroll(AS_OF)
        self.assertEqual(member.state, "candidate")

    def test_needs_the_role_and_an_active_program(self):
        for role in ("program_viewer", "finance_officer", "approver", "payment_releaser", "admin"):
            with self.assertRaises(AccessError):
                self.program.with_user(self.users[role]).action_enroll(AS_OF)
            with self.assertRaises(AccessError):
                self.program.with_user(self.users[role]).action_import_candidates()
        self.program.with_user(self.manager).action_suspend()
        with self.assertRaises(UserError):
            self.enroll()

    def test_wrong_kind_of_registrant_is_refused(self):
        household = self.env["res.partner"].create({"name": "House", "is_registrant": True, "is_group": True})
        with self.assertRaises(UserError):
            self.add(self.program, household)
