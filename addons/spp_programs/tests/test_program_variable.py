"""A program's own values of rule variables, from enrollment to the explanation of a cycle that is over."""

from psycopg2 import IntegrityError

from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import Form, tagged
from odoo.tools import mute_logger

from .common import AS_OF, ProgramsCase


@tagged("post_install", "-at_install")
class TestProgramVariable(ProgramsCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.age = cls.env["spp.cel.variable"].create({"name": "pension_age", "value": "60"})
        cls.by_variable = cls.make_rule("By age", "individual", "individual.age >= variables.pension_age")
        cls.program = cls.make_program("OWN", rule_id=cls.by_variable.id, fund="10000")
        cls.younger = cls.make_person("Sixty-two", "1964-01-01")
        cls.older = cls.make_person("Seventy", "1956-01-01")

    def set_value(self, value, program=None):
        program = (program or self.program).with_user(self.manager)
        own = program.variable_value_ids
        if own:
            own.value = value
        else:
            own.create({"program_id": program.id, "variable_id": self.age.id, "value": value})
        return program.variable_value_ids

    def enrolled(self, program=None):
        program = program or self.program
        members = self.add(program, self.younger | self.older)
        program.with_user(self.officer).action_enroll(AS_OF)
        return members.filtered(lambda member: member.state == "enrolled").partner_id

    def test_the_general_value_holds_without_one_of_its_own(self):
        self.assertEqual(self.enrolled(), self.younger | self.older)

    def test_the_programs_own_value_decides_at_enrollment(self):
        self.set_value("65")
        self.assertEqual(self.enrolled(), self.older)
        left_out = self.program.membership_ids.filtered(lambda member: member.partner_id == self.younger)
        self.assertIn("at least 65 (pension age)", left_out.reason)
        other = self.make_program("GENERAL", rule_id=self.by_variable.id)
        self.assertEqual(self.enrolled(other), self.younger | self.older)

    def test_a_cycle_keeps_the_values_it_was_computed_with(self):
        self.enrolled()
        self.set_value("65")
        cycle = self.make_cycle(self.program)
        self.assertEqual((cycle.eligible_count, cycle.values_used), (1, "pension_age = 65"))
        self.set_value("80")
        self.assertFalse(cycle.computed_at, "a draft must be computed again")
        with self.assertRaisesRegex(UserError, "Compute it first"):
            cycle.action_submit()
        cycle.action_compute()
        self.assertEqual((cycle.eligible_count, cycle.values_used), (0, "pension_age = 80"))
        self.set_value("65")
        cycle.action_compute()
        cycle.action_submit()
        self.set_value("80")
        self.by_variable.expression = "individual.age >= 1"
        self.by_variable.action_publish("Two people are all there are")
        self.assertEqual((cycle.eligible_count, cycle.values_used), (1, "pension_age = 65"))
        reasons = {row.partner_id: row.reason for row in cycle.beneficiary_ids}
        self.assertIn("at least 65 (pension age)", reasons[self.younger])
        with self.assertRaises(UserError):
            cycle.with_user(self.manager).write({"variable_values": {}})

    def test_why_is_answered_with_the_values_of_the_program(self):
        self.set_value("65")
        self.enrolled()
        member = self.program.membership_ids.filtered(lambda member: member.partner_id == self.younger)
        action = member.with_user(self.officer).action_why()
        trial = (
            self.env["spp.rule.trial"].with_user(self.officer).with_context(**action["context"]).create({})
        )
        self.assertEqual(trial.outcome, "not_eligible")
        self.assertEqual(trial.version_id.why(self.younger.id, AS_OF)["outcome"], "eligible")

    def test_every_change_is_in_the_trail(self):
        own = self.set_value("65")
        self.set_value("66")
        own.unlink()
        entries = self.env["spp.audit.entry"].search(
            [("action", "=", "Program's values changed"), ("res_id", "=", self.program.id)], order="id"
        )
        self.assertEqual(
            [(entry.old or {}, entry.new or {}, entry.user_id) for entry in entries],
            [
                ({}, {"pension_age": "65"}, self.manager),
                ({"pension_age": "65"}, {"pension_age": "66"}, self.manager),
                ({"pension_age": "66"}, {}, self.manager),
            ],
        )

    def test_only_a_program_manager_sets_values(self):
        own = self.set_value("65")
        for role, user in self.users.items():
            if role == "program_manager":
                continue
            self.assertEqual(own.with_user(user).read(["value", "general_value"])[0]["value"], "65")
            with self.assertRaises(AccessError):
                own.with_user(user).value = "1"
            with self.assertRaises(AccessError):
                own.with_user(user).unlink()
            with self.assertRaises(AccessError):
                own.with_user(user).create(
                    {"program_id": self.program.id, "variable_id": self.age.id, "value": "1"}
                )

    def test_a_closed_program_keeps_its_values(self):
        own = self.set_value("65")
        self.program.action_close()
        with self.assertRaisesRegex(UserError, "closed"):
            own.value = "66"
        with self.assertRaisesRegex(UserError, "closed"):
            own.unlink()

    def test_values_fit_their_variable(self):
        computed = self.env["spp.cel.variable"].create(
            {"name": "my_own", "kind": "computed_individual", "expression": "individual.age + 1"}
        )
        for variable, value, message in (
            (self.age, "much", "must be a whole number"),
            (computed, "1", "is computed"),
        ):
            with self.assertRaisesRegex(ValidationError, message), self.env.cr.savepoint():
                self.env["spp.program.variable"].create(
                    {"program_id": self.program.id, "variable_id": variable.id, "value": value}
                )
        own = self.set_value("65")
        with self.assertRaises(IntegrityError), mute_logger("odoo.sql_db"), self.env.cr.savepoint():
            own.create({"program_id": self.program.id, "variable_id": self.age.id, "value": "1"})
        with self.assertRaises(UserError):
            own.variable_id = computed

    def test_a_variable_that_a_program_sets_keeps_its_name_and_type(self):
        own = self.set_value("65")
        for change in (
            lambda: self.age.unlink(),
            lambda: self.age.write({"name": "other"}),
            lambda: self.age.write({"value_type": "double"}),
        ):
            with self.assertRaisesRegex(UserError, "Program OWN"), self.env.cr.savepoint():
                change()
        self.age.value = "61"
        self.assertEqual((own.general_value, own.value), ("61", "65"))
        own.unlink()
        self.age.name = "other"

    def test_a_rule_published_with_another_type_says_so(self):
        self.age.write({"value_type": "double", "value": "60.5"})
        self.set_value("62.5")
        with self.assertRaisesRegex(UserError, "Publish the rule again"):
            self.enrolled()

    def test_the_form_shows_the_general_value_beside(self):
        with Form(self.program.with_user(self.manager)) as form, form.variable_value_ids.new() as line:
            line.variable_id = self.age
            self.assertEqual((line.general_value, line.used), ("60", True))
            line.value = "65"
        self.assertEqual(self.program.variable_value_ids.value, "65")
        copy = self.program.copy()
        self.assertEqual(copy.variable_value_ids.value, "65")
