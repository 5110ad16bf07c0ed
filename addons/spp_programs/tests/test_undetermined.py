"""The undetermined are a work list with what is missing, and leave it by themselves once the data is there."""

from odoo.exceptions import AccessError
from odoo.tests import tagged

from odoo.addons.spp_base.tests.common import as_jobs

from .common import AS_OF, ProgramsCase


@tagged("post_install", "-at_install")
class TestUndetermined(ProgramsCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.poor_old = cls.make_rule(
            "Poor and old", "individual", "individual.age >= 60 && individual.income < 100.0"
        )
        cls.program = cls.make_program(rule_id=cls.poor_old.id)
        cls.complete = cls.make_person("Complete", "1950-01-01", income=10)
        cls.no_income = cls.make_person("No income", "1950-01-01")
        cls.nothing = cls.make_person("Nothing")
        cls.members = cls.add(cls.program, cls.complete + cls.no_income + cls.nothing)
        cls.program.with_user(cls.officer).action_enroll(AS_OF)

    def missing(self):
        groups = self.env["spp.program.membership"]._read_group(
            [("program_id", "=", self.program.id), ("outcome", "=", "undetermined")], ["missing"], ["__count"]
        )
        return dict(groups)

    def night(self):
        """What the cron enqueues, done; the programs it was about."""
        last = self.env["spp.run"].search([], limit=1).id
        with as_jobs(self.env):
            self.env.ref("spp_programs.cron_program_look_again").ir_actions_server_id.run()
        self.env.invalidate_all()
        runs = self.env["spp.run"].search([("id", ">", last)])
        self.assertEqual(set(runs.mapped("state")) - {"done"}, set(), runs.mapped("message"))
        return self.env["spp.program"].browse(runs.mapped("res_id"))

    def test_grouped_by_what_is_missing_in_plain_words(self):
        birthdate = self.members[2].missing.split(", ")[0]
        self.assertIn("birth", birthdate.lower())
        self.assertEqual(self.members[0].missing, False)
        self.assertIn("income", self.members[1].missing)
        self.assertNotIn("birth", self.members[1].missing)
        self.assertEqual(sum(self.missing().values()), 2)
        self.assertEqual(len(self.missing()), 2)
        found = self.env["spp.program.membership"].search(
            [("program_id", "=", self.program.id), ("missing", "ilike", "birth")]
        )
        self.assertEqual(found, self.members[2])

    def test_members_of_a_household_about_whom_something_is_missing(self):
        rule = self.make_rule("Child", "group", "group.members.filter(m, m.age < 5).size() >= 1")
        program = self.make_program("KIDS", target="group", rule_id=rule.id)
        house = self.env["res.partner"].create({"name": "House", "is_registrant": True, "is_group": True})
        self.env["spp.group.membership"].create({"group_id": house.id, "individual_id": self.nothing.id})
        member = self.add(program, house)
        program.with_user(self.officer).action_enroll(AS_OF)
        self.assertRegex(member.missing.lower(), "birth.* of .*members")

    def test_they_leave_the_list_at_night_once_the_data_is_there(self):
        self.no_income.income = 5000
        self.nothing.write({"birthdate": "1940-01-01", "income": 0})
        self.assertEqual(self.night(), self.program)
        self.assertEqual(self.members.mapped("state"), ["enrolled", "ineligible", "enrolled"])
        self.assertFalse(any(self.members.mapped("missing")))
        self.assertFalse(self.night(), "nothing is due any more")

    def test_the_night_touches_the_undetermined_only(self):
        young = self.make_person("Young", "2010-01-01", income=0)
        new, ineligible = self.add(self.program, self.make_person("New", "1940-01-01", income=0) + young)
        self.program.with_user(self.officer).action_enroll(AS_OF)
        new.sudo()._write_guarded({"state": "candidate", "outcome": False})
        young.birthdate = "1940-01-01"
        self.night()
        self.assertEqual((new.state, ineligible.state), ("candidate", "ineligible"))

    def test_one_evaluation_for_each_active_program(self):
        other = self.make_program("OTHER", rule_id=self.poor_old.id)
        self.add(other, self.nothing)
        other.with_user(self.officer).action_enroll(AS_OF)
        closed = self.make_program("CLOSED", rule_id=self.poor_old.id)
        self.add(closed, self.nothing)
        closed.with_user(self.officer).action_enroll(AS_OF)
        closed.with_user(self.manager).action_suspend()
        self.assertEqual(self.night().sorted(), (self.program + other).sorted())

    def test_with_the_button(self):
        self.no_income.income = 1
        run = self.env["spp.run"].browse(self.program.with_user(self.officer).action_look_again(AS_OF))
        self.assertEqual(run.counts, {"Eligible": 1, "Not eligible": 0, "Undetermined": 1})
        with self.assertRaises(AccessError):
            self.program.with_user(self.users["program_viewer"]).action_look_again()

    def test_an_officer_of_an_area_looks_at_that_area_only(self):
        self.officer.spp_area_ids = self.env["spp.area"].create({"name": "N", "code": "U-N"})
        self.no_income.income = 1
        self.program.with_user(self.officer).action_look_again(AS_OF)
        self.assertEqual(self.members[1].sudo().state, "candidate")

    def test_the_list_leads_to_the_registrant(self):
        opened = self.members[2].action_open_registrant()
        self.assertEqual((opened["res_model"], opened["res_id"]), ("res.partner", self.nothing.id))
