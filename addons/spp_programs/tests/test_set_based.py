"""Bulk steps take the same number of statements for 10 people as for 200."""

from odoo.tests import tagged

from .common import AS_OF, ProgramsCase


@tagged("post_install", "-at_install")
class TestSetBased(ProgramsCase):
    def statements(self, action, *args):
        self.env.invalidate_all()
        before = self.env.cr.sql_log_count
        action(*args)
        self.env.flush_all()
        return self.env.cr.sql_log_count - before

    def life(self, code, people):
        """Number of statements of each bulk step of a program with these people."""
        program = self.make_program(code, amount=1, fund="100000.00")
        as_officer, as_manager = program.with_user(self.officer), program.with_user(self.manager)
        counts = {"import": self.statements(as_officer.action_import_candidates)}
        counts["enroll"] = self.statements(as_officer.action_enroll, AS_OF)
        cycle = (
            self.env["spp.cycle"]
            .with_user(self.manager)
            .browse(as_manager.action_new_cycle("2026-06-01", "2026-06-30", AS_OF))
        )
        counts["compute"] = self.statements(cycle.action_compute)
        counts["again"] = self.statements(cycle.action_compute)
        counts["submit"] = self.statements(cycle.action_submit)
        counts["approve"] = self.statements(cycle.with_user(self.approver).action_approve)
        self.assertEqual(cycle.entitlement_count, program.enrolled_count)
        self.assertGreaterEqual(cycle.entitlement_count, len(people))
        counts["close"] = self.statements(cycle.action_close, "expire")
        return counts

    def test_statements_do_not_grow_with_people(self):
        few = self.make_people(10)
        self.life("WARM", few)
        small = self.life("SMALL", few)
        large = self.life("LARGE", few + self.make_people(190, prefix="More"))
        for step, count in small.items():
            # one more or less: a time that did not change within the second is not written again
            self.assertAlmostEqual(large[step], count, delta=2, msg=step)
        self.assertLess(max(large.values()), 60, large)

    def test_decisions_about_many(self):
        program = self.make_program("DECIDE")
        members = self.add(program, self.make_people(200))
        members[:10].action_exit("Left")
        few = self.statements(members[10:20].action_exit, "Left")
        many = self.statements(members[20:].action_exit, "Left")
        self.assertLessEqual(many, few + 2)
