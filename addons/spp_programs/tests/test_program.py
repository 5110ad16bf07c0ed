"""What a program needs to run, and what cannot change once it does."""

import psycopg2

from odoo.exceptions import AccessError, UserError
from odoo.tests import Form, tagged
from odoo.tools import mute_logger

from .common import AS_OF, ProgramsCase


@tagged("post_install", "-at_install")
class TestProgram(ProgramsCase):
    def test_life(self):
        program = self.make_program(activate=False)
        self.assertEqual(program.state, "draft")
        self.assertIs(program.action_activate(), True)
        self.assertIs(program.action_suspend(), True)
        self.assertIs(program.action_activate(), True)
        self.assertIs(program.action_close(), True)
        with self.assertRaises(UserError):
            program.action_activate()
        with self.assertRaises(UserError):
            program.with_user(self.finance).fund_allocate("10", "Warrant", "late")

    def test_what_is_missing_is_said(self):
        program = self.make_program(activate=False, rule_id=False, benefit_ids=[])
        with self.assertRaisesRegex(UserError, "rule"):
            program.action_activate()
        program.rule_id = self.old_age
        with self.assertRaisesRegex(UserError, "benefit"):
            program.action_activate()
        rule = self.env["spp.rule"].create({"name": "Unpublished", "target": "individual"})
        program.rule_id = rule
        with self.assertRaisesRegex(UserError, "Publish"):
            program.action_activate()

    def test_state_is_changed_by_its_actions_only(self):
        program = self.make_program(activate=False)
        with self.assertRaises(UserError):
            program.write({"state": "active"})
        with self.assertRaises(UserError):
            self.make_program("B", activate=False, state="active")
        for role in ("program_viewer", "enrollment_officer", "finance_officer", "approver", "admin"):
            with self.assertRaises(AccessError):
                program.with_user(self.users[role]).action_activate()

    def test_what_everything_rests_on_is_fixed_once_used(self):
        program = self.make_program(fund="10")
        for values in (
            {"code": "NEW"},
            {"target": "group"},
            {"currency_id": self.env.ref("base.EUR").id},
            {"company_id": self.env["res.company"].create({"name": "Other"}).id},
        ):
            with self.assertRaises(UserError):
                program.write(values)
        program.name = "Another name"

    def test_used_programs_are_not_deleted(self):
        self.make_program("FREE", activate=False).unlink()
        used = self.make_program("USED", activate=False, fund="10")
        with self.assertRaises(UserError):
            used.unlink()

    def test_closing_waits_for_cycles(self):
        program = self.make_program()
        cycle = self.make_cycle(program, compute=False)
        with self.assertRaisesRegex(UserError, "cycles first"):
            program.action_close()
        cycle.action_cancel("Not needed")
        program.action_close()

    def test_rule_is_about_the_target(self):
        rule = self.make_rule("Children", "group", "group.members.filter(m, m.age < 5).size() >= 1")
        with self.assertRaises(UserError):
            self.make_program(rule_id=rule.id)

    @mute_logger("odoo.sql_db")
    def test_codes_and_benefits_make_sense(self):
        self.make_program("ONE")
        for vals in ({"code": "ONE"}, {"code": "with blank"}, {"code": "a/b"}):
            with self.assertRaises(psycopg2.IntegrityError), self.env.cr.savepoint():
                self.make_program(**vals)
        for benefit in (
            {"name": "B", "kind": "money"},
            {"name": "B", "kind": "money", "amount": -1},
            {"name": "B", "kind": "goods"},
            {"name": "B", "kind": "goods", "quantity": 1},
        ):
            with self.assertRaises(psycopg2.IntegrityError), self.env.cr.savepoint():
                self.make_program("TWO", benefit_ids=[(0, 0, benefit)])

    def test_a_copy_starts_afresh(self):
        program = self.make_program(fund="10")
        copy = program.copy()
        self.assertEqual((copy.state, copy.code, copy.fund_allocated), ("draft", "OLD-copy", 0))
        self.assertEqual(len(copy.benefit_ids), 1)

    def test_form_and_next_step(self):
        form = Form(self.env["spp.program"].with_user(self.manager))
        form.name, form.code, form.target, form.rule_id = "Pension", "FORM-1", "individual", self.old_age
        with form.benefit_ids.new() as benefit:
            benefit.name, benefit.amount = "Pension", 50
        program = form.save()
        self.assertIn("activate", program.next_step)
        program.action_activate()
        self.assertIn("fund", program.next_step)
        program.with_user(self.finance).fund_allocate("1000", "Warrant", "1")
        self.assertIn("Import", program.next_step)
        self.add(program, self.make_person("Old", "1950-01-01"))
        program.invalidate_recordset()
        self.assertIn("Enroll", program.next_step)
        program.action_enroll(AS_OF)
        self.assertIn("cycle", program.next_step)
        wizard = Form(
            self.env["spp.cycle.open"].with_user(self.manager).with_context(default_program_id=program.id)
        )
        wizard.start = "2026-02-01"
        self.assertEqual(str(wizard.end), "2026-02-28")
        action = wizard.save().action_open()
        cycle = self.env["spp.cycle"].browse(action["res_id"])
        self.assertEqual(
            (str(cycle.start), str(cycle.end), str(cycle.as_of)), ("2026-02-01", "2026-02-28", "2026-02-01")
        )
        self.assertIn("Compute", program.next_step)

    def test_companies_are_apart(self):
        program = self.make_program()
        member = self.add(program, self.make_person("Old", "1950-01-01"))
        program.action_enroll(AS_OF)
        cycle = self.make_cycle(program)
        records = [program, program.benefit_ids, member, cycle, cycle.beneficiary_ids, cycle.entitlement_ids]
        company = self.env["res.company"].create({"name": "Other"})
        for user in self.users.values():
            user.write({"company_ids": [(6, 0, company.ids)], "company_id": company.id})
        self.env.invalidate_all()
        for record in records:
            model = record.with_user(self.manager)
            self.assertFalse(model.search([("id", "in", record.ids)]), record._name)
            with self.assertRaises(AccessError):
                model.read(["display_name"])
        with self.assertRaises(AccessError):
            program.with_user(self.finance).fund_allocate("10", "Warrant", "foreign")
        with self.assertRaises(AccessError):
            cycle.with_user(self.approver).action_approve()
