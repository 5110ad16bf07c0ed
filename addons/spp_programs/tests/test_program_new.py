"""The wizard that creates a program, from whom it is for to its form with what to do next."""

from odoo.exceptions import AccessError, UserError
from odoo.tests import Form, tagged

from .common import ProgramsCase


@tagged("post_install", "-at_install")
class TestProgramNew(ProgramsCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.people = cls.make_people(3) + cls.make_person("Young", "2015-01-01") + cls.make_person("Unknown")
        cls.wizards = cls.env["spp.program.new"].with_user(cls.manager)
        cls.wizards.action_start()
        cls.templates = cls.env["spp.program.new.template"].with_user(cls.manager)

    def fill(self, **values):
        """The first step, as typed."""
        form = Form(self.wizards)
        for name, value in {
            "name": "Old age pension",
            "kind": "uct",
            "target": "individual",
            **values,
        }.items():
            setattr(form, name, value)
        return form

    def created(self, form, **benefit):
        wizard = form.save()
        wizard.action_next()
        with Form(wizard) as form, form.benefit_ids.new() as line:
            for name, value in {"name": "Cash", "amount": 50, **benefit}.items():
                setattr(line, name, value)
        action = wizard.action_create_program()
        return self.env["spp.program"].with_user(self.manager).browse(action["res_id"])

    def test_with_a_rule_that_is_there(self):
        form = self.fill(rule_id=self.old_age)
        self.assertIn("eligible", form.matching)
        self.assertEqual(form.expression, "individual.age >= 60")
        self.assertFalse(form.is_draft)
        program = self.created(form)
        self.assertEqual(
            (program.state, program.rule_id, program.calendar), ("draft", self.old_age, "monthly")
        )
        self.assertTrue(program.calendar_start)
        self.assertEqual(program.benefit_ids.amount, 50)
        self.assertIn("activate the program", program.next_step)
        program.action_activate()

    def test_preview_counts_who_would_match(self):
        form = self.fill(rule_id=self.old_age)
        numbers = (
            self.env["spp.rule"].with_user(self.manager).editor_count("individual.age >= 60", "individual")
        )
        self.assertIn(f"<strong>{numbers['eligible']:,}</strong>", form.matching)
        self.assertIn(f"{numbers['undetermined']:,} undetermined", form.matching)

    def test_with_a_rule_of_a_logic_pack(self):
        template = self.templates.search([("pack_id.code", "=", "social_pension")], limit=1)
        form = self.fill(rule_from="template", target=template.target, template_id=template)
        self.assertIn("eligible", form.matching)
        self.assertTrue(form.is_draft)
        form.publish_reason = "The law says so"
        program = self.created(form)
        self.assertEqual(program.rule_id.state, "published")
        self.assertEqual(program.rule_id.pack_key, f"social_pension.{template.key}")
        again = self.fill(name="Another", rule_from="template", target=template.target, template_id=template)
        self.assertFalse(again.is_draft, "what was installed and published is used as it is")
        self.assertEqual(self.created(again).rule_id, program.rule_id)

    def test_every_rule_of_every_pack_shows_whom_it_reaches(self):
        templates = self.templates.search([])
        self.assertGreater(len(templates), 4)
        for template in templates:
            wizard = self.wizards.new(
                {"target": template.target, "rule_from": "template", "template_id": template.id}
            )
            self.assertIn("eligible", wizard.matching, template.name)

    def test_rule_left_for_later(self):
        form = self.fill(rule_from="later")
        self.assertFalse(form.matching)
        program = self.created(form)
        self.assertFalse(program.rule_id)
        self.assertIn("Choose an eligibility rule", program.next_step)

    def test_a_rule_must_be_chosen_or_left(self):
        wizard = self.wizards.create({"name": "X", "code": "X-1"})
        with self.assertRaisesRegex(UserError, "Choose the rule"):
            wizard.action_next()

    def test_formula_goods_and_conditions(self):
        compliance = self.make_rule("Kept", "individual", "individual.age >= 0")
        form = self.fill(kind="cct", target="individual", rule_id=self.old_age, compliance_rule_id=compliance)
        program = self.created(form, amount_kind="formula", formula="10 + individual.age", cap=90)
        self.assertEqual(program.compliance_rule_id, compliance)
        self.assertEqual((program.benefit_ids.formula, program.benefit_ids.cap), ("10 + individual.age", 90))
        self.assertEqual(program.calendar, "bimonthly")

    def test_proposals_follow_name_and_kind(self):
        form = self.fill(name="Crédit agricole")
        self.assertRegex(form.code, r"^CREDIT-AGRICOLE-\d\d$")
        taken = form.code
        self.make_program(code=taken, activate=False)
        self.assertEqual(self.fill(name="Credit Agricole").code, f"{taken}-2")
        for kind, target, calendar in (
            ("emergency", "group", "by_hand"),
            ("agricultural", "individual", "yearly"),
        ):
            form = Form(self.wizards)
            form.kind = kind
            self.assertEqual((form.target, form.calendar), (target, calendar))

    def test_back_keeps_what_was_typed(self):
        wizard = self.fill(rule_id=self.old_age).save()
        wizard.action_next()
        wizard.action_back()
        self.assertEqual((wizard.step, wizard.name, wizard.rule_id), ("who", "Old age pension", self.old_age))

    def test_for_program_managers_only(self):
        for role in ("enrollment_officer", "finance_officer", "admin"):
            with self.assertRaises(AccessError):
                self.wizards.with_user(self.users[role]).create({"name": "X", "code": "X"})
