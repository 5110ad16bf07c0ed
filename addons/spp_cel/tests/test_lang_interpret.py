"""What a rule answers for one record, on which facts, and in which words."""

import datetime

from odoo.tests import BaseCase

from ..lang import Constant, Type, compile_rule
from .lang_registry import AS_OF, SCHEMA, VARIABLES, born, household

YES, NO, UNCLEAR = "eligible", "not_eligible", "undetermined"


class TestLangInterpret(BaseCase):
    def result(self, text, record, as_of=AS_OF):
        target = "group" if "members" in record else "individual"
        return compile_rule(text, SCHEMA, target, VARIABLES).evaluate(record, as_of, VARIABLES)

    def check(self, text, record, outcome, as_of=AS_OF):
        self.assertEqual(self.result(text, record, as_of).outcome, outcome, text)

    def test_missing_is_absorbed_only_where_the_other_side_decides(self):
        unknown = "individual.income > 1.0"
        person = born(30)
        for text, outcome in (
            (unknown, UNCLEAR),
            (f"!({unknown})", UNCLEAR),
            (f"{unknown} && true", UNCLEAR),
            (f"true && {unknown}", UNCLEAR),
            (f"{unknown} && false", NO),
            (f"false && {unknown}", NO),
            (f"{unknown} || false", UNCLEAR),
            (f"{unknown} || true", YES),
            (f"true || {unknown}", YES),
            (f"!({unknown} && false)", YES),
            (f"({unknown} || {unknown}) || individual.age == 30", YES),
            ("individual.income == individual.income", UNCLEAR),
            ("individual.income + 1.0 > 0.0", UNCLEAR),
            ("individual.gender in ['male']", UNCLEAR),
            ("size(individual.gender) > 0", UNCLEAR),
            ("has(individual.income)", NO),
            ("!has(individual.income)", YES),
            ("individual.income == null", YES),
            ("null != individual.income", NO),
            ("has(individual.birthdate) && has(individual.age)", YES),
        ):
            self.check(text, person, outcome)

    def test_whole_and_decimal_numbers_compare_by_value(self):
        person = born(30, income=99.5)
        self.check("individual.income > 99", person, YES)
        self.check("100 > individual.income", person, YES)
        self.check("individual.age == 30.0", person, YES)
        self.check("individual.age < 30.5", person, YES)
        self.check("individual.age in [29.5, 30.0]", person, YES)
        self.check("individual.income * 2.0 - 1.0 == 198", person, YES)
        self.check("individual.age * 2 - 60 == -0", person, YES)
        self.check("-individual.age == -30", person, YES)

    def test_texts(self):
        person = born(30, gender="female")
        self.check("individual.gender == 'female'", person, YES)
        self.check("individual.gender in ['male', 'female']", person, YES)
        self.check("!(individual.gender in ['male', variables.region])", person, YES)
        self.check("individual.gender < 'male'", person, YES)
        self.check("size(individual.gender) == 6", person, YES)

    def test_age_at_the_as_of_date(self):
        for birthdate, as_of, years in (
            ((2000, 6, 30), (2025, 6, 29), 24),
            ((2000, 6, 30), (2025, 6, 30), 25),
            ((2004, 2, 29), (2025, 2, 28), 20),
            ((2004, 2, 29), (2025, 3, 1), 21),
            ((2004, 2, 29), (2024, 2, 29), 20),
            ((2003, 2, 28), (2024, 2, 29), 21),
            ((2003, 3, 1), (2024, 2, 29), 20),
            ((2025, 6, 30), (2025, 6, 30), 0),
        ):
            person = {"birthdate": datetime.date(*birthdate)}
            as_of = datetime.date(*as_of)
            self.check(f"individual.age == {years}", person, YES, as_of)
            self.assertEqual(self.result("individual.age >= 0", person, as_of).facts["individual.age"], years)
        unborn = {"birthdate": datetime.date(2025, 7, 1)}
        self.check("individual.age < 5", unborn, UNCLEAR)
        self.check("individual.age >= -5", unborn, UNCLEAR)

    def test_counts_are_decided_when_every_possible_number_agrees(self):
        family = household(born(3), born(None), born(40))
        count = "group.members.filter(m, m.age < 5).size()"  # 1 for certain, at most 2
        for comparison, outcome in (
            (">= 1", YES),
            (">= 2", UNCLEAR),
            (">= 3", NO),
            ("> 0", YES),
            ("> 1", UNCLEAR),
            ("> 2", NO),
            ("< 1", NO),
            ("< 2", UNCLEAR),
            ("< 3", YES),
            ("<= 0", NO),
            ("<= 2", YES),
            ("== 0", NO),
            ("== 1", UNCLEAR),
            ("== 1.5", NO),
            ("== 3", NO),
            ("!= 0", YES),
            ("!= 2", UNCLEAR),
            ("!= 1.5", YES),
            (">= 0.5", YES),
            ("< group.members.size()", YES),
            ("* 2 >= 2", UNCLEAR),
            ("in [1, 2]", UNCLEAR),
        ):
            self.check(f"{count} {comparison}", family, outcome)
        self.check(f"1 <= {count}", family, YES)
        self.check(f"{count} >= group.vulnerability_score", family, UNCLEAR)
        self.check(f"{count} == {count}", family, UNCLEAR)

    def test_exists_and_all(self):
        young, unknown, old = born(3), born(None), born(70)
        for members, exists, every in (
            ([], NO, YES),
            ([young], YES, YES),
            ([old], NO, NO),
            ([unknown], UNCLEAR, UNCLEAR),
            ([unknown, young], YES, UNCLEAR),
            ([unknown, old], UNCLEAR, NO),
            ([unknown, unknown, young], YES, UNCLEAR),
        ):
            self.check("group.members.exists(m, m.age < 5)", household(*members), exists)
            self.check("group.members.all(m, m.age < 5)", household(*members), every)

    def test_filters_after_filters(self):
        family = household(born(3, gender="female"), born(4, gender="male"), born(None, gender="male"))
        text = "group.members.filter(m, m.age < 5).filter(n, n.gender == 'female')"
        self.check(f"{text}.size() == 1", family, YES)
        self.check("group.members.filter(m, m.gender == 'female').all(n, n.age < 5)", family, YES)
        self.check("group.members.filter(m, m.gender == 'male').exists(m, m.age > 5)", family, UNCLEAR)

    def test_only_live_members_count(self):
        day = datetime.timedelta(days=1)
        family = household(
            born(30),
            born(30, ended=AS_OF),
            born(30, ended=AS_OF + day),
            born(30, start=AS_OF),
            born(30, start=AS_OF + day),
        )
        self.assertEqual(self.result("group.members.size() == 3", family).outcome, YES)
        self.check("group.members.size() == 0", household(), YES)

    def test_members_and_their_group(self):
        family = household(born(30, income=50.0, is_head=True), income=40.0)
        self.check("group.members.exists(m, m.is_head && m.income > group.income)", family, YES)
        self.check("group.members.exists(m, m.is_head == false)", family, NO)
        self.check("group.members.all(m, has(m.is_head))", family, YES)

    def test_variables_are_checked_where_they_enter(self):
        rule = compile_rule("individual.age >= variables.retirement_age", SCHEMA, "individual", VARIABLES)
        self.assertEqual(rule.variables, ["retirement_age"])
        for wrong in (
            {},
            {"retirement_age": Constant(Type.STRING, "60")},
            {"retirement_age": Constant(Type.INT, 2**60)},
        ):
            with self.assertRaises(ValueError):
                rule.evaluate(born(70), AS_OF, wrong)
        self.assertEqual(
            rule.evaluate(born(61), AS_OF, {"retirement_age": Constant(Type.INT, 62)}).outcome, NO
        )

    def test_facts_are_what_the_rule_looked_at(self):
        result = self.result(
            "group.members.filter(m, m.age < 5 && m.income < group.income).size() >= 1 || variables.pilot == false",
            household(born(None, income=1.0), income=5.5),
        )
        self.assertEqual(
            result.facts,
            {
                "group.members.filter(m, (m.age < 5) && (m.income < group.income)).size()": {
                    "certain": 0,
                    "possible": 1,
                    "of": 1,
                },
                "group.income": 5.5,
                "variables.pilot": True,
            },
        )

    def test_missing_names_the_data_and_the_person(self):
        family = household(
            born(None, display_name="ABADA, ANA"),
            born(2, display_name="ABADA, LEO"),
            display_name="ABADA household",
        )
        result = self.result("group.members.filter(m, m.age < 5).size() >= 2 && group.income < 10.0", family)
        self.assertEqual(result.missing, ["birthdate of ABADA, ANA", "income of ABADA household"])
        result = self.result("group.members.filter(m, m.age < 5).size() >= 1", family)
        self.assertEqual(result.missing, [])

    def test_explanations(self):
        def explain(text, record):
            target = "group" if "members" in record else "individual"
            rule = compile_rule(text, SCHEMA, target, VARIABLES)
            return rule.explain(rule.evaluate(record, AS_OF, VARIABLES).facts)

        under_five = "group.members.filter(m, m.age < 5).size()"
        for text, record, sentences in (
            (
                f"{under_five} >= 1",
                household(born(20)),
                ["Members with age under 5: 0; at least 1 is needed."],
            ),
            (
                f"{under_five} >= 1",
                household(born(20), born(None)),
                [
                    "Members with age under 5: 0 for certain, at most 1 (birthdate of 1 not known); "
                    "at least 1 is needed."
                ],
            ),
            (
                "individual.age >= variables.retirement_age",
                born(58),
                ["Age: 58; at least 60 (retirement age) is needed."],
            ),
            (
                "group.vulnerability_score > 3 && group.income < 100.0",
                household(income=120.5, vulnerability_score=4.0),
                ["Income: 120.5; under 100 is needed."],
            ),
            (
                "group.vulnerability_score > 3 && group.income < 100.0",
                household(income=20.0, vulnerability_score=4.0),
                ["Vulnerability score: 4; over 3 is needed.", "Income: 20; under 100 is needed."],
            ),
            (
                "group.members.all(m, m.age >= 18)",
                household(born(3)),
                ["Members with age under 18: 1; none is allowed."],
            ),
            (
                "individual.gender in ['female', 'other'] || has(individual.income)",
                born(3, gender="male"),
                ["Gender: male; one of female, other is needed.", "Income: not known; it must be known."],
            ),
            ("individual.gender == 'female'", born(3), ["Gender: not known; female is needed."]),
            ("true", born(3), ["The rule says yes."]),
        ):
            self.assertEqual(explain(text, record), sentences)
