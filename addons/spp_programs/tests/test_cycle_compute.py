"""Outcomes and entitlements of a cycle; a draft may be computed again."""

from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import tagged

from .common import AS_OF, ProgramsCase


@tagged("post_install", "-at_install")
class TestCycleCompute(ProgramsCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.program = cls.make_program()
        cls.people = cls.make_people(3)
        cls.members = cls.add(cls.program, cls.people)
        cls.program.with_user(cls.officer).action_enroll(AS_OF)

    def test_eligible_members_are_due_each_benefit(self):
        self.program.with_user(self.manager).benefit_ids = [
            (0, 0, {"name": "Flour", "kind": "goods", "quantity": 2, "product_name": "Flour, 10 kg"}),
        ]
        cycle = self.make_cycle(self.program)
        self.assertEqual((cycle.beneficiary_count, cycle.eligible_count, cycle.entitlement_count), (3, 3, 6))
        self.assertEqual(cycle.total_amount, 300)
        money = cycle.entitlement_ids.filtered(lambda e: e.kind == "money")
        goods = cycle.entitlement_ids - money
        self.assertEqual(set(money.mapped("amount")), {100})
        self.assertEqual(set(goods.mapped("amount")), {0})
        self.assertEqual(set(goods.mapped("quantity")), {2})
        self.assertEqual(set(goods.mapped("product_name")), {"Flour, 10 kg"})
        self.assertEqual(cycle.entitlement_ids.partner_id, self.people)
        self.assertEqual(len(set(cycle.entitlement_ids.mapped("reference"))), 6)
        self.assertTrue(money[0].reference.startswith("OLD-1-"))
        self.assertEqual(cycle.rule_version_id, self.old_age.published_version_id)

    def test_the_rule_is_asked_again_at_the_cycles_date(self):
        self.people[0].birthdate = "2010-01-01"
        self.people[1].birthdate = False
        cycle = self.make_cycle(self.program)
        self.assertEqual(
            (cycle.eligible_count, cycle.not_eligible_count, cycle.undetermined_count), (1, 1, 1)
        )
        self.assertEqual(cycle.entitlement_ids.partner_id, self.people[2])
        self.assertTrue(all(cycle.beneficiary_ids.mapped("reason")))

    def test_the_dead_are_excluded(self):
        self.people[0].registrant_status = "deceased"
        cycle = self.make_cycle(self.program)
        self.assertEqual((cycle.excluded_count, cycle.eligible_count), (1, 2))
        line = cycle.beneficiary_ids.filtered(lambda b: b.outcome == "excluded")
        self.assertIn("deceased", line.reason)

    def test_computing_again_replaces_this_draft_only(self):
        other = self.make_cycle(self.program, "2026-05-01", "2026-05-31")
        cycle = self.make_cycle(self.program)
        before = other.entitlement_ids.ids, other.beneficiary_ids.ids
        self.people[0].birthdate = "2010-01-01"
        run_id = cycle.action_compute()
        self.assertEqual(self.env["spp.run"].browse(run_id).counts["Entitlements"], 2)
        self.assertEqual((cycle.beneficiary_count, cycle.entitlement_count, cycle.total_amount), (3, 2, 200))
        self.assertEqual(len(cycle.entitlement_ids), 2)
        self.assertEqual((other.entitlement_ids.ids, other.beneficiary_ids.ids), before)
        # eligible again: paid again (W21)
        self.people[0].birthdate = "1950-01-01"
        cycle.action_compute()
        self.assertEqual(cycle.entitlement_count, 3)

    def test_an_archived_benefit_is_not_due(self):
        self.program.with_user(self.manager).benefit_ids.active = False
        cycle = self.make_cycle(self.program)
        self.assertEqual((cycle.eligible_count, cycle.entitlement_count), (3, 0))
        with self.assertRaises(UserError):
            cycle.action_submit()

    def test_a_cycle_that_changed_is_computed_before_it_is_submitted(self):
        cycle = self.make_cycle(self.program, compute=False)
        with self.assertRaisesRegex(UserError, "Compute"):
            cycle.action_submit()
        cycle.action_compute()
        cycle.as_of = "2026-06-15"
        with self.assertRaisesRegex(UserError, "Compute"):
            cycle.action_submit()
        cycle.action_compute()
        self.program.benefit_ids.with_user(self.manager).amount = 120
        with self.assertRaisesRegex(UserError, "Compute"):
            cycle.action_submit()
        cycle.action_compute()
        self.assertEqual(cycle.total_amount, 360)
        self.members[0].action_exit("Left")
        with self.assertRaisesRegex(UserError, "no longer enrolled"):
            cycle.action_submit()
        cycle.action_compute()
        cycle.action_submit()

    def test_who_was_enrolled_since_is_not_left_out(self):
        cycle = self.make_cycle(self.program)
        late = self.make_person("Late", "1950-01-01")
        member = self.add(self.program, late)
        self.program.with_user(self.officer).action_enroll(AS_OF)
        self.assertEqual(member.state, "enrolled")
        with self.assertRaisesRegex(UserError, "would leave out who was enrolled since it was computed .1."):
            cycle.action_submit()
        cycle.action_compute()
        cycle.action_submit()
        self.assertIn(late, cycle.entitlement_ids.partner_id)

    def test_numbers_and_periods(self):
        first = self.make_cycle(self.program, compute=False)
        with self.assertRaises(ValidationError):
            self.make_cycle(self.program, "2026-06-30", "2026-07-31", compute=False)
        first.action_cancel("Wrong month")
        second = self.make_cycle(self.program, "2026-06-30", "2026-07-31", compute=False)
        self.assertEqual((first.number, second.number), (1, 2))
        self.assertEqual(second.name, "2026-06-30 – 2026-07-31")
        with self.assertRaises(UserError):
            second.write({"number": 7})

    def test_a_cycle_of_an_inactive_program_is_refused(self):
        self.program.with_user(self.manager).action_suspend()
        with self.assertRaises(UserError):
            self.make_cycle(self.program)

    def test_only_the_manager_computes(self):
        cycle = self.make_cycle(self.program)
        for role in ("enrollment_officer", "finance_officer", "approver", "payment_releaser", "admin"):
            with self.assertRaises(AccessError):
                cycle.with_user(self.users[role]).action_compute()
            with self.assertRaises(AccessError):
                self.program.with_user(self.users[role]).action_new_cycle("2026-08-01", "2026-08-31")

    def test_people_hidden_from_the_manager_are_in_the_cycle(self):
        area = self.env["spp.area"].create({"name": "N", "code": "T-N"})
        self.manager.spp_area_ids = area
        cycle = self.make_cycle(self.program)
        self.assertEqual(cycle.entitlement_count, 3)
        self.assertFalse(
            self.env["spp.entitlement"].with_user(self.manager).search([("cycle_id", "=", cycle.id)])
        )
