"""Text that cannot be read: refused at once, with the place, whatever it holds."""

import time

from odoo.tests import BaseCase

from ..lang import RuleError, compile_rule
from .lang_registry import SCHEMA, VARIABLES


class TestLangSyntax(BaseCase):
    def refuse(self, text, line, column, words):
        with self.assertRaises(RuleError) as caught:
            compile_rule(text, SCHEMA, "group", VARIABLES)
        error = caught.exception
        self.assertEqual((error.line, error.column), (line, column), error)
        self.assertIn(words, error.message)
        return error

    def test_half_typed_text_says_where_it_stops(self):
        self.refuse("", 1, 1, "empty")
        self.refuse("group.income <", 1, 15, "ends too early")
        self.refuse("group.income < 5.0 &&", 1, 22, "ends too early")
        self.refuse("(group.income < 5.0", 1, 1, "never closed")
        self.refuse("group.income < 5.0)", 1, 19, "closes nothing")
        self.refuse("(group.income < 5.0]", 1, 20, "“)” is expected")
        self.refuse("group.income << 5.0", 1, 15, "“<” is not expected")
        self.refuse("group.income = 5.0", 1, 14, "no meaning")
        self.refuse("group.members.filter(m m.age)", 1, 24, "“m” is not expected")

    def test_the_line_counts(self):
        self.refuse("group.income < 5.0\n  && group.incme > 1.0", 2, 12, "incme")
        self.refuse("group.income < 5.0\r\n  &&& true", 2, 5, "no meaning")

    def test_the_pointer_shows_the_place(self):
        error = self.refuse("true &&\ngroup.incme > 1.0", 2, 7, "incme")
        self.assertEqual(error.pointer("true &&\ngroup.incme > 1.0"), "group.incme > 1.0\n      ^")

    def test_texts_in_quotes(self):
        self.refuse("group.kind == 'a", 1, 15, "never closed")
        self.refuse("group.kind == 'a\nb'", 1, 15, "never closed")
        self.refuse("group.kind == '\\q'", 1, 16, "escape")
        self.refuse("group.kind == '\\u0000'", 1, 16, "does not stand for a character")
        self.refuse("group.kind == '\\ud800'", 1, 16, "does not stand for a character")
        self.refuse("group.kind == r'a'", 1, 15, "without a letter")
        self.refuse("group.kind == '''a'''", 1, 15, "between single quotes")
        rule = compile_rule("group.kind == 'it\\'s \\u00e9 \\\\' // it's a note", SCHEMA, "group")
        self.assertEqual(rule.node.right.value, "it's é \\")

    def test_characters_that_do_not_belong(self):
        self.refuse("group.inc\u00f4me < 5.0", 1, 10, "“ô” cannot be used")
        self.refuse("group.income\x00 < 5.0", 1, 13, "control character")
        self.refuse("group.income\u200b < 5.0", 1, 13, "control character")
        self.refuse("group.kind == 'a\x07'", 1, 17, "control character")

    def test_limits(self):
        self.refuse("true" + " " * 2000, 1, 1, "too long")
        self.refuse("group.kind == '" + "a" * 201 + "'", 1, 15, "too long")
        self.refuse("(" * 25 + "true" + ")" * 25, 1, 25, "nested too deeply")
        self.refuse("!" * 30 + "true", 1, 26, "nested too deeply")
        self.refuse("group.income in [" + ", ".join(["1"] * 201) + "]", 1, 616, "too long")
        self.refuse("||".join(["1<2"] * 300), 1, 1, "too large")
        compile_rule("(" * 20 + "true" + ")" * 20, SCHEMA, "group")
        compile_rule(" || ".join(["group.income > 1.0"] * 90), SCHEMA, "group")

    def test_numbers_that_do_not_fit(self):
        self.refuse("group.members.size() > 9223372036854775808", 1, 24, "too large")
        self.refuse("group.income > 1e999", 1, 16, "too large")
        self.refuse("group.members.size() > 5u", 1, 24, "plain number")

    def test_attacks_end_at_once(self):
        attacks = [
            "'" + "\\\\" * 18,
            "group.kind == '" + "\\\\" * 90,
            "r'" + "\\" * 37 + "'",
            'group.kind == "' + "\\\\" * 60 + "' && '",
            "duration('" + "a" * 28 + "!')",
            "[" * 1900,
            "a" + ".a" * 990,
            "-" * 1999 + "1",
            "1" + "+1" * 990,
            "1<2||" * 200 + "true",
            "{" * 1000 + "}" * 1000,
            "['aaaaaaaaaa']" + ".map(s, s + s)" * 24,
            "group.members.all(a, " * 20 + "true" + ")" * 20,
            "''.__class__ == ''",
            "__import__('os')",
            "group.kind == ''; DROP TABLE res_partner; --",
            "(true == true) == true" + " == true" * 200,
        ]
        start = time.process_time()
        for attack in attacks:
            with self.assertRaises(RuleError, msg=attack[:40]):
                compile_rule(attack, SCHEMA, "group", VARIABLES)
        self.assertLess(time.process_time() - start, 2)
