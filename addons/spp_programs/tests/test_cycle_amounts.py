"""What somebody is due: fixed sums, formulas, caps, conditions, instalments; and amounts that cannot be computed."""

from psycopg2 import IntegrityError

from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import tagged
from odoo.tools import mute_logger

from .common import AS_OF, ProgramsCase

PER_CHILD = "100 + 20 * group.members.filter(m, m.age < 18).size()"


@tagged("post_install", "-at_install")
class TestCycleAmounts(ProgramsCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.anybody = cls.make_rule("Any household", "group", "true")
        cls.household = cls.make_household("Family", "1980-01-01", "2015-01-01", "2020-01-01")
        cls.single = cls.make_household("Single", "1970-01-01")

    @classmethod
    def make_household(cls, name, *birthdates):
        household = cls.env["res.partner"].create({"name": name, "is_registrant": True, "is_group": True})
        for number, birthdate in enumerate(birthdates):
            person = cls.make_person(f"{name} {number}", birthdate)
            cls.env["spp.group.membership"].create(
                {"group_id": household.id, "individual_id": person.id, "is_head": not number}
            )
        return household

    def program(self, *benefits, code="FORM", households=None, fund=None, **vals):
        lines = [
            (0, 0, {"name": f"Benefit {number}", "kind": "money", "amount_kind": "formula", **benefit})
            for number, benefit in enumerate(benefits)
        ]
        program = self.make_program(
            code, target="group", rule_id=self.anybody.id, benefit_ids=lines, fund=fund, **vals
        )
        self.add(program, self.household | self.single if households is None else households)
        program.with_user(self.officer).action_enroll(AS_OF)
        return program

    def amounts(self, cycle):
        return {one.partner_id.name: one.amount for one in cycle.sudo().entitlement_ids}

    def problem(self, cycle, household):
        return cycle.sudo().beneficiary_ids.filtered(lambda one: one.partner_id == household).amount_problem

    def test_a_formula_gives_each_household_its_own_amount(self):
        cycle = self.make_cycle(self.program({"formula": PER_CHILD}))
        self.assertEqual(self.amounts(cycle), {"Family": 140, "Single": 100})
        self.assertEqual(cycle.total_amount, 240)
        reason = cycle.entitlement_ids.filtered(lambda one: one.partner_id == self.household).amount_reason
        self.assertEqual(reason, "Benefit 0: Members with age under 18: 2. The formula gives 140.")

    def test_household_size_counts_people_not_roles(self):
        roles = self.env["spp.membership.role"].search([], limit=3)
        self.assertGreaterEqual(len(roles), 2)
        members = self.env["spp.group.membership"].search([("group_id", "=", self.single.id)])
        members.role_ids = [(6, 0, roles.ids)]
        # the same person lived here before: another row, ended
        members.copy({"start": "2020-01-01", "ended": "2021-01-01", "is_head": False})
        cycle = self.make_cycle(self.program({"formula": "50 * group.members.size()"}))
        self.assertEqual(self.amounts(cycle), {"Family": 150, "Single": 50})

    def test_only_a_declared_cap_limits_and_says_so(self):
        cycle = self.make_cycle(self.program({"formula": PER_CHILD, "cap": 130}))
        self.assertEqual(self.amounts(cycle), {"Family": 130, "Single": 100})
        capped = cycle.entitlement_ids.filtered("capped")
        self.assertEqual(capped.partner_id, self.household)
        self.assertIn("limited to 130", capped.amount_reason)

    def test_rounded_once_half_up(self):
        # rounded to cents first, 0.4951 would become 0.50
        currency = self.env["res.currency"].create({"name": "ZZZ", "symbol": "Z", "rounding": 0.5})
        program = self.program(
            {"formula": "10.0 + 0.2 * 1.2499"}, {"formula": "0.25"}, currency_id=currency.id
        )
        cycle = self.make_cycle(program)
        amounts = cycle.entitlement_ids.filtered(lambda one: one.partner_id == self.single).mapped("amount")
        self.assertEqual(amounts, [10.0, 0.5])

    def test_a_condition_says_who_gets_a_benefit(self):
        program = self.program(
            {"amount_kind": "fixed", "amount": 30, "condition": "group.members.exists(m, m.age < 18)"},
            {"amount_kind": "fixed", "amount": 5},
        )
        cycle = self.make_cycle(program)
        self.assertEqual(sorted(cycle.entitlement_ids.mapped("amount")), [5, 5, 30])
        self.assertFalse(cycle.amount_problem_count)
        single = cycle.beneficiary_ids.filtered(lambda one: one.partner_id == self.single)
        self.assertIn("Its condition is not met.", single.amount_reason)
        cycle.action_submit()

    def test_a_list_inside_of_a_list_is_computed_one_by_one_and_replayed(self):
        older = "group.members.count(m, m.age > group.members.avg(n, n.age))"
        program = self.program({"formula": f"10 * {older}", "condition": f"{older} > 0"})
        cycle = self.make_cycle(program)
        self.assertEqual(self.amounts(cycle), {"Family": 10.0 * self.older_than_average(self.household)})
        self.assertEqual({answer["same"] for answer in cycle.beneficiary_ids.replay()}, {True})
        cycle.action_submit()

    def older_than_average(self, household):
        ages = household.with_context(as_of=AS_OF).member_ids.individual_id.mapped("age")
        return len([age for age in ages if age > sum(ages) / len(ages)])

    def test_goods_with_a_condition(self):
        program = self.program(
            {"amount_kind": "fixed", "kind": "goods", "quantity": 2, "product_name": "Flour",
             "condition": "group.members.size() > 1"}
        )  # fmt: skip
        cycle = self.make_cycle(program)
        self.assertEqual(cycle.entitlement_ids.partner_id, self.household)
        self.assertEqual(cycle.entitlement_ids.quantity, 2)

    def test_an_undecided_condition_is_never_silent(self):
        unknown = self.make_household("Unknown", "1980-01-01", False)
        program = self.program(
            {"amount_kind": "fixed", "amount": 30, "condition": "group.members.exists(m, m.age < 18)"},
            households=unknown | self.household,
        )
        cycle = self.make_cycle(program)
        self.assertEqual(self.amounts(cycle), {"Family": 30})
        self.assertIn("cannot be decided", self.problem(cycle, unknown))
        with self.assertRaisesRegex(UserError, "1 beneficiaries .* cannot be decided"):
            cycle.action_submit()

    def test_amounts_that_are_none_must_be_mended(self):
        unknown = self.make_household("Unknown", False)
        for formula, words in (
            ("100 * group.members.filter(m, m.age < 18).size()", "cannot be computed"),
            ("100 / (group.members.size() - 1)", "cannot be computed"),
            ("50 - 60 * group.members.size()", "below zero: -10.00"),
            ("0 * group.members.size()", "is zero"),
            ("0.001 * double(group.members.size())", "is zero"),
        ):
            program = self.program({"formula": formula}, code=f"P{abs(hash(formula))}", households=unknown)
            cycle = self.make_cycle(program)
            self.assertEqual(cycle.amount_problem_count, 1, formula)
            self.assertIn(words, self.problem(cycle, unknown))
            self.assertFalse(cycle.entitlement_ids)
            with self.assertRaises(UserError):
                cycle.action_submit()

    def test_mended_data_computed_again_can_be_submitted(self):
        unknown = self.make_household("Unknown", False)
        cycle = self.make_cycle(self.program({"formula": PER_CHILD}, households=unknown))
        with self.assertRaises(UserError):
            cycle.action_submit()
        self.env["spp.group.membership"].search(
            [("group_id", "=", unknown.id)]
        ).individual_id.birthdate = "2015-01-01"
        cycle.action_compute()
        self.assertEqual(self.amounts(cycle), {"Unknown": 120})
        cycle.action_submit()

    def test_excluded_with_a_reason_that_the_approver_sees(self):
        unknown = self.make_household("Unknown", False)
        program = self.program(
            {"formula": PER_CHILD}, {"amount_kind": "fixed", "amount": 7}, households=unknown | self.single
        )
        cycle = self.make_cycle(program)
        self.assertEqual(cycle.total_amount, 114)
        chosen = cycle.beneficiary_ids.filtered("amount_problem")
        for user in (self.officer, self.approver, self.finance):
            with self.assertRaises(AccessError):
                chosen.with_user(user).action_exclude("No papers")
        with self.assertRaisesRegex(UserError, "reason"):
            chosen.with_user(self.manager).action_exclude(" ")
        with self.assertRaisesRegex(UserError, "Single"):
            (cycle.beneficiary_ids - chosen).with_user(self.manager).action_exclude("No papers")
        self.assertIs(chosen.with_user(self.manager).action_exclude("No papers"), True)
        self.assertEqual((cycle.total_amount, cycle.excluded_count, cycle.set_aside_count), (107, 1, 1))
        self.assertIn("No papers", chosen.reason)
        # it stays when the cycle is computed again
        cycle.action_compute()
        kept = cycle.beneficiary_ids.filtered("exclusion_reason")
        self.assertEqual((kept.partner_id, kept.outcome), (unknown, "excluded"))
        self.assertEqual((cycle.beneficiary_count, cycle.total_amount), (2, 107))
        cycle.action_submit()
        with self.assertRaises(UserError):
            kept.with_user(self.manager).action_include()
        self.assertEqual(
            cycle.with_user(self.approver).beneficiary_ids.filtered("exclusion_reason").exclusion_reason,
            "No papers",
        )

    def test_an_exclusion_taken_back_asks_for_a_new_computation(self):
        unknown = self.make_household("Unknown", False)
        cycle = self.make_cycle(self.program({"formula": PER_CHILD}, households=unknown | self.single))
        chosen = cycle.beneficiary_ids.filtered("amount_problem").with_user(self.manager)
        chosen.action_exclude("No papers")
        chosen.action_include()
        with self.assertRaisesRegex(UserError, "Compute"):
            cycle.action_submit()
        cycle.action_compute()
        self.assertEqual(cycle.amount_problem_count, 1)

    def test_a_wrong_formula_is_not_saved(self):
        program = self.make_program("BAD", target="group", rule_id=self.anybody.id, activate=False)
        for vals, words in (
            ({"formula": "20 * group.member.size()"}, "Did you mean “members”"),
            ({"formula": "group.members.size() > 1"}, "An amount is a number"),
            ({"formula": "20 *"}, "Line 1"),
            ({"formula": "individual.age * 2"}, "individual"),
            ({"formula": "10", "condition": "group.members.size()"}, "condition"),
            ({"formula": "10", "condition": "group.nobody > 1"}, "nobody"),
        ):
            with self.assertRaisesRegex(ValidationError, words):
                self.env["spp.program.benefit"].with_user(self.manager).create(
                    {"program_id": program.id, "name": "Wrong", "amount_kind": "formula", **vals}
                )

    def test_figures_that_the_currency_cannot_hold_are_refused(self):
        program = self.program({"formula": "1"})
        for vals in ({"amount": 10.005}, {"cap": 0.005}):
            with self.assertRaisesRegex(UserError, "cannot be held"):
                program.benefit_ids.with_user(self.manager).write(vals)
            with self.assertRaisesRegex(UserError, "cannot be held"):
                self.env["spp.program.benefit"].with_user(self.manager).create(
                    {"program_id": program.id, "name": "B", "amount_kind": "formula", "formula": "1", **vals}
                )

    def test_a_program_may_give_its_variables_other_values(self):
        self.env["spp.cel.variable"].create({"name": "per_child", "value_type": "int", "value": "20"})
        program = self.program({"formula": "variables.per_child * group.members.size()"})
        cycle = self.make_cycle(program)
        self.assertEqual(self.amounts(cycle), {"Family": 60, "Single": 20})
        self.env["spp.program.variable"].with_user(self.manager).create(
            {
                "program_id": program.id,
                "variable_id": self.env["spp.cel.variable"].search([("name", "=", "per_child")]).id,
                "value": "30",
            }
        )
        cycle.action_compute()
        self.assertEqual(self.amounts(cycle), {"Family": 90, "Single": 30})
        self.assertEqual(cycle.terms["variables"]["per_child"], {"type": "int", "value": 30})

    def test_submission_freezes_the_terms(self):
        variable = self.env["spp.cel.variable"].create(
            {"name": "per_child", "value_type": "int", "value": "20"}
        )
        program = self.program({"formula": "variables.per_child * group.members.size()"}, fund="1000")
        cycle = self.make_cycle(program)
        variable.value = "25"
        with self.assertRaisesRegex(UserError, "have changed since"):
            cycle.action_submit()
        cycle.action_compute()
        cycle.action_submit()
        terms, reasons = cycle.terms, cycle.entitlement_ids.mapped("amount_reason")
        variable.value = "99"
        program.with_user(self.manager).benefit_ids.write({"formula": "1", "name": "Other"})
        self.household.is_registrant = True
        cycle.with_user(self.approver).action_approve()
        self.assertEqual((cycle.terms, cycle.entitlement_ids.mapped("amount_reason")), (terms, reasons))
        self.assertEqual(self.amounts(cycle), {"Family": 75, "Single": 25})

    @mute_logger("odoo.sql_db")
    def test_the_database_takes_no_amount_that_is_none(self):
        cycle = self.make_cycle(self.program({"formula": PER_CHILD}))
        for amount in ("NaN", "Infinity", "0", "-1"):
            with self.assertRaises(IntegrityError), self.env.cr.savepoint():
                self.env.cr.execute(
                    "UPDATE spp_entitlement SET amount = %s WHERE id = %s",
                    [amount, cycle.entitlement_ids[0].id],
                )

    def test_a_total_above_the_budget_needs_a_reason(self):
        program = self.program({"formula": PER_CHILD}, cycle_budget=200, fund="1000")
        cycle = self.make_cycle(program)
        self.assertEqual((cycle.budget, cycle.over_budget), (200, 40))
        with self.assertRaisesRegex(UserError, r"240\.00 .* exceeds its budget of 200\.00"):
            cycle.action_submit()
        cycle.budget_reason = "Flood: ministerial order 12"
        cycle.action_submit()
        seen = cycle.with_user(self.approver)
        self.assertEqual((seen.over_budget, seen.budget_reason), (40, "Flood: ministerial order 12"))
        for vals in ({"budget": 500}, {"budget_reason": "Other"}):
            with self.assertRaises(UserError):
                cycle.write(vals)

    def test_statements_do_not_grow_with_people(self):
        def statements(households, code):
            program = self.program(
                {"formula": PER_CHILD, "cap": 130, "most_instalments": 3},
                {"amount_kind": "fixed", "amount": 1, "condition": "group.members.size() > 1"},
                code=code,
                households=households,
            )
            cycle = self.make_cycle(program, compute=False)
            self.env.flush_all()
            before = self.env.cr.sql_log_count
            cycle.action_compute()
            return self.env.cr.sql_log_count - before

        statements(self.single, "WARM")
        few = statements(self.household | self.single, "FEW")
        households = self.env["res.partner"].browse()
        for number in range(30):
            households |= self.make_household(f"More {number}", "1980-01-01", "2015-01-01")
        self.assertAlmostEqual(statements(households, "MANY"), few, delta=2)
