"""Bulk steps take the same number of statements for 10 people as for 200."""

from unittest.mock import patch

from odoo.tests import tagged

from odoo.addons.spp_base.tools import statistics

from .common import AS_OF, ProgramsCase


@tagged("post_install", "-at_install")
class TestSetBased(ProgramsCase):
    def statements(self, action, *args):
        self.env.invalidate_all()
        # What the registry has cached of roles and rules depends on what ran before, and on how much fits.
        self.env.registry.clear_all_caches()
        before = self.env.cr.sql_log_count
        # A look at a table that many rows came into is one statement more, however many they are.
        with patch.object(statistics, "FEW", 10**9):
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
        self.assertLess(max(large.values()), 120, large)

    def test_forms_open_with_as_many_statements_for_many_as_for_few(self):
        few = self.make_people(10)
        counts = {}
        for code, people in (("WARM", few), ("SMALL", few), ("LARGE", few + self.make_people(190))):
            program = self.make_program(code, amount=1, fund="100000.00")
            self.add(program, people)
            program.with_user(self.officer).action_enroll(AS_OF)
            cycle = self.make_cycle(program, submit=True)
            run = self.env["spp.run"].search([], limit=1).with_user(self.manager)
            counts[code] = {
                record._name: self.statements(record.read, self.names_on_form(record))
                for record in (program, cycle, run)
            }
        for name, count in counts["SMALL"].items():
            self.assertAlmostEqual(counts["LARGE"][name], count, delta=2, msg=name)
        self.assertLess(max(counts["LARGE"].values()), 80, counts)

    def names_on_form(self, record):
        return list(record.get_view(view_type="form")["models"][record._name])

    def test_registering_many_takes_as_many_statements_as_registering_few(self):
        def register(count):
            values = [{"name": f"New {i}", "is_registrant": True} for i in range(count)]
            self.env["res.partner"].with_user(self.officer).create(values)

        register(20)
        few, many = self.statements(register, 20), self.statements(register, 400)
        self.assertEqual(many, few)
        self.assertLess(many, 45)

    def test_decisions_about_many(self):
        program = self.make_program("DECIDE")
        members = self.add(program, self.make_people(200))
        members[:10].action_exit("Left")
        few = self.statements(members[10:20].action_exit, "Left")
        many = self.statements(members[20:].action_exit, "Left")
        self.assertEqual(many, few)
        decisions = (
            self.env["spp.enrollment.decision"].with_user(self.officer).search([], limit=2, order="id desc")
        )
        self.assertEqual(decisions.mapped("member_count"), [180, 10])
        decisions.read()
        back = [self.statements(decision.action_take_back, "A mistake") for decision in reversed(decisions)]
        self.assertAlmostEqual(back[0], back[1], delta=1)
        found = [("id", "in", members[20:].ids)]
        self.assertLess(
            self.statements(program.with_user(self.officer).action_decide, "exit", found, "Left"), 42
        )

    def test_people_of_a_list(self):
        program = self.make_program("LIST").with_user(self.officer)
        people = self.make_people(200)
        program.action_import_list(people[:5].ids)
        few = self.statements(program.action_import_list, people[5:15].ids)
        many = self.statements(program.action_import_list, people[15:].ids)
        # a time that did not change within the second is not written again
        self.assertAlmostEqual(many, few, delta=2)
        self.assertEqual(program.member_count, 200)

    def test_decisions_rows_look_like_the_orms(self):
        program = self.make_program("LINES")
        members = self.add(program, self.make_people(2))
        members.action_exit("Left")
        decision = self.env["spp.enrollment.decision"].search([("program_id", "=", program.id)])
        self.env["spp.enrollment.decision.line"].with_user(self.officer).sudo().create(
            {
                "decision_id": decision.id,
                "membership_id": self.add(program, self.make_person("Third")).id,
                "partner_id": members[0].partner_id.id,
                "state": "candidate",
                "new_state": "exited",
            }
        )
        self.env.flush_all()
        self.env.cr.execute(
            "SELECT * FROM spp_enrollment_decision_line WHERE decision_id = %s ORDER BY id", [decision.id]
        )
        first, _second, by_orm = self.env.cr.dictfetchall()
        for column in first.keys() - {"id", "membership_id"}:
            self.assertEqual(first[column], by_orm[column], column)
