"""Conditional transfers: the compliance rule is asked in each cycle about those who are eligible."""

from psycopg2 import IntegrityError

from odoo.exceptions import UserError, ValidationError
from odoo.tests import tagged
from odoo.tools import mute_logger

from .common import AS_OF, ProgramsCase


@tagged("post_install", "-at_install")
class TestCompliance(ProgramsCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.visits = cls.make_rule(
            "Health visits",
            "individual",
            "individual.events.exists(e, e.kind == 'health_visit' && e.value == 'done')",
        )
        cls.people = cls.make_people(4)
        cls.went, cls.missed, cls.unclear, cls.young = cls.people
        cls.young.birthdate = "2010-01-01"
        for person, value in ((cls.went, "done"), (cls.unclear, False)):
            cls.env["spp.event"].create(
                {"partner_id": person.id, "kind": "health_visit", "date": "2026-05-20", "value": value}
            )
        cls.program = cls.make_program("CCT", kind="cct", compliance_rule_id=cls.visits.id, fund="1000.00")
        cls.add(cls.program, cls.people)
        cls.program.with_user(cls.officer).action_enroll(AS_OF)

    def outcomes(self, cycle):
        return {one.partner_id: one.outcome for one in cycle.sudo().beneficiary_ids}

    def reason(self, cycle, person):
        return cycle.sudo().beneficiary_ids.filtered(lambda one: one.partner_id == person).reason

    def test_three_answers_each_with_its_reason(self):
        cycle = self.make_cycle(self.program)
        self.assertEqual(
            self.outcomes(cycle),
            {self.went: "eligible", self.missed: "not_compliant", self.unclear: "undetermined"},
        )
        self.assertEqual(
            (cycle.eligible_count, cycle.not_compliant_count, cycle.undetermined_count), (1, 1, 1)
        )
        self.assertEqual(cycle.entitlement_ids.partner_id, self.went)
        self.assertRegex(
            self.reason(cycle, self.went), "^Compliant on 2026-06-01.*Eligible on 2026-06-01.*Age: 76"
        )
        self.assertRegex(self.reason(cycle, self.missed), "^Not compliant on .*Eligible on")
        self.assertRegex(self.reason(cycle, self.unclear), "^Compliance undetermined on .* not known")
        self.assertEqual(cycle.compliance_version_id, self.visits.published_version_id)
        action = cycle.beneficiary_ids[0].action_why_compliance()
        self.assertEqual(action["context"]["default_version_id"], self.visits.published_version_id.id)

    def test_who_keeps_the_conditions_later_is_paid_later(self):
        self.make_cycle(self.program)
        self.env["spp.event"].create(
            {"partner_id": self.missed.id, "kind": "health_visit", "date": "2026-06-20", "value": "done"}
        )
        cycle = self.program.with_user(self.manager)._open_cycle("2026-07-01", "2026-07-31")
        cycle.action_compute()
        self.assertEqual(self.outcomes(cycle)[self.missed], "eligible")

    def test_enrolled_by_hand_must_keep_the_conditions(self):
        member = self.program.membership_ids.filtered(lambda one: one.partner_id == self.young)
        member.with_user(self.officer).action_enroll_by_hand("Orphan")
        cycle = self.make_cycle(self.program)
        self.assertEqual(self.outcomes(cycle)[self.young], "not_compliant")
        self.assertIn("Enrolled by hand: Orphan", self.reason(cycle, self.young))

    def test_frozen_with_the_cycle(self):
        cycle = self.make_cycle(self.program, submit=True)
        before = self.outcomes(cycle), cycle.beneficiary_ids.mapped("reason")
        self.env["spp.event"].search([("partner_id", "in", self.people.ids)]).unlink()
        self.env["spp.rule.version"].create(
            {"rule_id": self.visits.id, "expression": "individual.age > 1000"}
        ).action_publish("Other conditions")
        cycle.with_user(self.approver).action_approve()
        self.assertEqual((self.outcomes(cycle), cycle.beneficiary_ids.mapped("reason")), before)
        self.assertEqual(cycle.entitlement_ids.partner_id, self.went)

    def test_a_rule_that_is_answered_one_by_one(self):
        rule = self.make_rule(
            "Every visit done, and one of them this year",
            "individual",
            "individual.events.all(e, individual.events.exists(f, f.value == 'done' && f.date >= e.date))",
        )
        self.assertTrue(rule.not_compiled)
        self.program.compliance_rule_id = rule
        self.assertEqual(
            self.outcomes(self.make_cycle(self.program)),
            {self.went: "eligible", self.missed: "eligible", self.unclear: "undetermined"},
        )

    def test_a_conditional_program_needs_its_rule_and_others_have_none(self):
        program = self.make_program("NORULE", kind="cct", activate=False)
        with self.assertRaisesRegex(UserError, "compliance rule"):
            program.action_activate()
        with self.assertRaises(ValidationError):
            program.compliance_rule_id = self.make_rule("Group", "group", "true")
        with mute_logger("odoo.sql_db"), self.assertRaises(IntegrityError), self.env.cr.savepoint():
            self.program.kind = "uct"
            self.program.flush_recordset()

    def test_several_programs_at_once_over_shared_people(self):
        other = self.make_program("OTHER", amount=30)
        self.add(other, self.people)
        other.with_user(self.officer).action_enroll(AS_OF)
        first, second = self.make_cycle(self.program), self.make_cycle(other)
        self.assertEqual(first.entitlement_ids.partner_id, self.went)
        self.assertEqual(set(second.entitlement_ids.partner_id), {self.went, self.missed, self.unclear})
        # each is asked about its own members only, whatever the other says (no leak across cycles)
        first.action_compute()
        self.assertEqual(set(second.beneficiary_ids.mapped("outcome")), {"eligible"})
