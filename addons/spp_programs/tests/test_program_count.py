"""The numbers of members on a program's form: right whatever happened to the members, and read at no cost."""

from odoo.tests import tagged

from .common import AS_OF, ProgramsCase

NAMES = ("member_count", "candidate_count", "undetermined_count", "enrolled_count", "ineligible_count")


@tagged("post_install", "-at_install")
class TestProgramCount(ProgramsCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.program = cls.make_program()
        old, young = cls.make_people(5), cls.make_people(3, "2000-01-01", "Young")
        cls.people = old | young | cls.make_people(2, False, "Undated")
        cls.members = cls.add(cls.program, cls.people)

    def numbers(self, user=None):
        program = self.program.with_user(user or self.manager)
        program.invalidate_recordset()
        return tuple(program[name] for name in NAMES)

    def test_after_each_step(self):
        self.assertEqual(self.numbers(), (10, 10, 0, 0, 0))
        self.program.action_enroll(AS_OF)
        self.assertEqual(self.numbers(), (10, 2, 2, 5, 3))
        enrolled = self.members.filtered(lambda member: member.state == "enrolled")
        enrolled[:2].with_user(self.officer).action_exit("Moved away")
        self.assertEqual(self.numbers(), (10, 2, 2, 3, 3))
        self.make_people(4, prefix="More")
        self.program.with_user(self.officer).action_import_candidates()
        self.assertEqual(self.numbers()[:2], (14, 6))
        self.env.cr.execute("DELETE FROM spp_program_membership WHERE id = %s", [enrolled[-1].id])
        self.assertEqual(self.numbers(), (13, 6, 2, 2, 3))

    def test_no_member_is_read_for_them(self):
        self.program.action_enroll(AS_OF)
        self.env.cr.execute("ALTER TABLE spp_program_membership RENAME TO out_of_reach")
        self.assertEqual(self.numbers(), (10, 2, 2, 5, 3))

    def test_put_together_every_night_they_stay_the_same(self):
        self.program.action_enroll(AS_OF)
        before = self.numbers()
        for _night in range(2):
            self.env["spp.program.count"]._put_together()
            self.assertEqual(self.numbers(), before)
        rows = self.env["spp.program.count"].search([("program_id", "=", self.program.id)])
        self.assertEqual(len(rows), 3, "one for each state and outcome")

    def test_members_who_were_there_before_are_counted(self):
        self.program.action_enroll(AS_OF)
        before = self.numbers()
        for what in ("insert", "update", "delete"):
            self.env.cr.execute(f"DROP TRIGGER spp_program_count_{what} ON spp_program_membership")
        self.env.cr.execute("DELETE FROM spp_program_count")
        self.assertEqual(self.numbers()[0], 0)
        for _update in range(2):
            self.env["spp.program.count"].init()
            self.assertEqual(self.numbers(), before)

    def test_who_has_an_area_sees_the_numbers_of_that_area(self):
        area = self.env["spp.area"].create({"name": "North", "code": "NORTH"})
        self.people[:4].area_id = area
        self.officer.spp_area_ids = area
        self.assertEqual(self.numbers(self.officer), (4, 4, 0, 0, 0))

    def test_a_program_that_is_deleted_takes_them_along(self):
        draft = self.make_program("DRAFT", activate=False)
        self.env.cr.execute(
            "INSERT INTO spp_program_membership (program_id, partner_id, state) VALUES (%s, %s, 'candidate')",
            [draft.id, self.people[0].id],
        )
        self.env.cr.execute(
            """
            WITH members AS (DELETE FROM spp_program_membership WHERE program_id = %(id)s),
                benefits AS (DELETE FROM spp_program_benefit WHERE program_id = %(id)s),
                balance AS (DELETE FROM spp_fund_balance WHERE program_id = %(id)s)
            DELETE FROM spp_program WHERE id = %(id)s
            """,
            {"id": draft.id},
        )
        self.assertFalse(self.env["spp.program.count"].search([("program_id", "=", draft.id)]))
