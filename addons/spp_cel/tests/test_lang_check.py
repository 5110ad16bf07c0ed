"""Names and types: what a rule may not say, and what the message proposes instead."""

from odoo.tests import BaseCase

from ..lang import RuleError, compile_rule
from .lang_registry import SCHEMA, VARIABLES


class TestLangCheck(BaseCase):
    def refuse(self, text, target, column, words, suggestion=""):
        with self.assertRaises(RuleError) as caught:
            compile_rule(text, SCHEMA, target, VARIABLES)
        error = caught.exception
        self.assertEqual((error.line, error.column), (1, column), error)
        self.assertIn(words, error.message)
        self.assertEqual(error.suggestion, suggestion)

    def test_unknown_names_come_with_a_proposal(self):
        self.refuse("individual.agee > 3", "individual", 12, "no field “agee”", "age")
        self.refuse("individual.brithdate > 3", "individual", 12, "no field “brithdate”", "birthdate")
        self.refuse("individual.xyz > 3", "individual", 12, "no field “xyz”")
        self.refuse("individul.age > 3", "individual", 1, "“individul” is not known", "individual")
        self.refuse("age > 3", "individual", 1, "needs its record", "individual.age")
        self.refuse("retirement_age > 3", "individual", 1, "is a variable", "variables.retirement_age")
        self.refuse("variables.retirment_age > 3", "individual", 11, "no variable", "retirement_age")
        self.refuse("group.membres.size() > 3", "group", 7, "no field “membres”", "members")
        self.refuse("group.members.exists(m, m.agee > 3)", "group", 27, "“m” has no field “agee”", "age")
        self.refuse("group.members.filtr(m, true).size() > 3", "group", 15, "no function “filtr”", "filter")
        self.refuse("has(individual.incme)", "individual", 16, "no field “incme”", "income")

    def test_a_rule_is_about_one_kind_of_record(self):
        self.refuse("group.income > 3.0", "individual", 1, "about one individual", "individual")
        self.refuse("individual.age > 3", "group", 1, "about one group", "group")
        self.refuse("individual.members.size() > 3", "individual", 12, "no field “members”")

    def test_types_must_fit(self):
        self.refuse("individual.age", "individual", 12, "A condition is expected")
        self.refuse("individual.age == '3'", "individual", 1, "whole number cannot be compared with a text")
        self.refuse("individual.gender > 3", "individual", 1, "text cannot be compared with a whole number")
        self.refuse("individual.age > true", "individual", 1, "cannot be compared with yes or no")
        self.refuse("individual.age && true", "individual", 12, "A condition is expected")
        self.refuse("!individual.gender", "individual", 13, "A condition is expected")
        self.refuse("individual.age in [1, 'a']", "individual", 23, "cannot be compared")
        self.refuse("individual.gender + 1 == 'b'", "individual", 1, "cannot be used with a text and")
        self.refuse("individual.income + 1 > 2.0", "individual", 1, "write 12.0")
        self.refuse("size(individual.age) > 1", "individual", 17, "counts a list or a text")
        self.refuse("individual > 3", "individual", 1, "which field")
        self.refuse("true < false", "individual", 1, "have no order")
        self.refuse("true && (false || 3)", "individual", 19, "A condition is expected")
        self.refuse("variables > 3", "individual", 1, "which variable")

    def test_lists_are_used_with_their_functions(self):
        self.refuse("group.members", "group", 7, "is a list")
        self.refuse("group.members > 3", "group", 7, "is a list")
        self.refuse("group.members.filter(m, m.age > 3)", "group", 15, "is a list")
        self.refuse("group.members.filter(m, m.age).size() > 1", "group", 27, "A condition is expected")
        self.refuse("group.members.filter(m.age > 3).size() > 1", "group", 15, "is used like this")
        self.refuse("group.members.filter('m', true).size() > 1", "group", 22, "A name for each item")
        self.refuse("group.members.filter(group, true).size() > 1", "group", 22, "already has a meaning")
        self.refuse("group.income.filter(m, true).size() > 1", "group", 14, "needs a list before it")
        self.refuse("group.members.exists(m, true) && m.age > 3", "group", 34, "“m” is not known")
        self.refuse("has(group)", "group", 5, "asks about a field")
        self.refuse("group.has(group.income)", "group", 7, "written differently")

    def test_what_is_not_supported_is_said(self):
        self.refuse("group.members.map(m, m.age) == [1]", "group", 15, "A list cannot stand here")
        self.refuse("group.members.sum() > 1", "group", 15, "used over records")
        self.refuse("[1, 2].sum() > 1", "group", 8, "used over records")
        self.refuse("group.members.map(m, m.gender).sum() > 1", "group", 32, "cannot be used with a text")
        self.refuse("group.members.exists(m, m.gender) || unknown(1)", "group", 27, "A condition is expected")
        self.refuse("group.income > 1.0 || unknown('')", "group", 31, "reason is written out")
        self.refuse("today() > today() || timestamp(today()).getHours('x') > 1", "group", 41, "time zone")
        self.refuse("individual.age / 2.0 > 1.0", "individual", 1, "write 12.0")
        self.refuse("individual.age > 1 ? 1 : 'a'", "individual", 1, "of one kind")
        self.refuse("individual.birthdate > 3", "individual", 1, "a date cannot be compared".capitalize())
        self.refuse("[1, 2][2] > 3", "individual", 8, "has no item 2")
        self.refuse("{'a': 1}.a > 3", "individual", 1, "not supported")
        self.refuse("individual.gender in individual.gender", "individual", 33, "A list such as")
        self.refuse("null == null", "individual", 1, "“null” can only")
        self.refuse("individual.income > null", "individual", 1, "“null” can only")
        self.refuse("round(individual.income, 11) > 1.0", "individual", 1, "from 0 to 10")
        self.refuse("individual.gender.matches('(')", "individual", 19, "pattern cannot be read")
        self.refuse("today() > date('2026-02-30')", "individual", 16, "is not a date")
        self.refuse("duration('1 day') > duration('1h')", "individual", 10, "length of time")
        self.refuse("individual.gender * 2 == 'aa'", "individual", 1, "cannot be used with a text")

    def test_numbers_too_large_to_compare_exactly(self):
        self.refuse("individual.income > 9007199254740993", "individual", 1, "too large to compare")
        compile_rule("individual.income * 12.0 - 5.0 * individual.income > 1.0", SCHEMA, "individual")

    def test_computed_variables_stand_for_their_text(self):
        computed = {
            ("group", "children"): "group.members.filter(m, m.is_child).size()",
            ("individual", "is_child"): "individual.age < 18",
            ("group", "a"): "group.b + 1",
            ("group", "b"): "group.a + 1",
            ("group", "wrong"): "group.incme",
        }
        rule = compile_rule("group.children >= 2", SCHEMA, "group", VARIABLES, computed)
        written = compile_rule("group.members.filter(m, m.age < 18).size() >= 2", SCHEMA, "group")
        self.assertEqual(rule.node, written.node)
        self.assertEqual(rule.node.left.origin, "group.children")
        for text, words, suggestion in (
            ("group.a > 1", "These variables need each other: a → b → a", ""),
            ("group.wrong > 1.0", "In the variable “wrong”: “group” has no field “incme”", "income"),
            ("group.childen > 1", "no field “childen”", "children"),
            ("group.members.exists(m, m.is_chid)", "no field “is_chid”", "is_child"),
        ):
            with self.assertRaises(RuleError) as caught:
                compile_rule(text, SCHEMA, "group", VARIABLES, computed)
            self.assertIn(words, caught.exception.message)
            self.assertEqual(caught.exception.suggestion, suggestion)
            self.assertEqual(caught.exception.variable, "wrong" if "wrong" in text else "")

    def test_computed_variables_that_grow_without_end_are_refused(self):
        computed = {
            ("group", f"v{number}"): f"group.v{number + 1} + group.v{number + 1}" for number in range(40)
        }
        computed["group", "v40"] = "group.income"
        with self.assertRaisesRegex(RuleError, "too many|too large"):
            compile_rule("group.v0 > 1.0", SCHEMA, "group", VARIABLES, computed)

    def test_the_three_examples_of_the_design_that_need_no_computed_variable(self):
        compile_rule("group.members.filter(m, m.age < 5).size() >= 1", SCHEMA, "group")
        compile_rule("individual.age >= variables.retirement_age", SCHEMA, "individual", VARIABLES)
        compile_rule("group.vulnerability_score > 3 && group.income < 100.0", SCHEMA, "group")
