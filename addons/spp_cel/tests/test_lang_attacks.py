"""Text made to hang or to break: everything ends in an error or in a value, within fixed budgets.

What is counted is work, never time: characters that reach the grammar, tokens, nodes, Python calls,
depth of the stack, evaluation steps, length of the statement, rows that the database reads. The
same text takes the same work on every machine, so that a text which takes too much is found anywhere.
SPP_RULE_EXAMPLES=5000 in the environment fuzzes further.
"""

import json
import os
import sys
from collections import Counter

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from lark.lexer import BasicLexer

from odoo.tests import BaseCase, tagged
from odoo.tools import SQL

from ..lang import RuleError, compile_rule, compile_value, interpret, ir, parser, prescan, sql
from ..lang.check import MAX_NODES
from .common import RuleCase
from .lang_registry import AS_OF, SCHEMA, VARIABLES, born, household

# A few times what the heaviest text takes (145 thousand calls, 122 deep, 29 thousand characters of SQL).
MOST_CALLS = 400_000
MOST_DEPTH = 250
MOST_SQL = sql.MAX_SQL
MEMBERS = 30
RULES = [
    "group.members.filter(m, m.age < 5).size() >= 1",
    "group.members.exists(m, m.is_head && m.gender == 'female') && group.income < 100.0",
    "group.members.all(m, m.age < 18 || m.age >= variables.retirement_age)",
    "group.members.filter(m, m.age < 5).size() * 2 >= group.members.size()",
    "has(group.kind) && !(group.kind in ['a', 'it\\'s', variables.region]) || group.vulnerability_score > 3",
    "-group.income + 2.5 * group.vulnerability_score <= variables.poverty_line // per month",
]

ATTACKS = {
    # research on cel-python 0.5.0: each of these took seconds, gigabytes or the stack
    "escaped backslashes, never closed": "'" + "\\\\" * 18,
    "many more of them": "group.kind == '" + "\\\\" * 900,
    "a duration that backtracks": "duration('" + "a" * 28 + "!') > duration('1s')",
    "lists in lists in lists": "group.members.all(a, " * 3 + "true" + ")" * 3,
    "seven lists deep": "".join(f"group.members.all({x}, " for x in "abcdefg") + "a.age > 1" + ")" * 7,
    "maps of maps": "[0,1,2,3,4,5,6,7,8,9]" + ".map(x, [0,1,2,3,4,5,6,7,8,9].map(y, y))" * 6 + ".size() > 1",
    "text that doubles": "['aaaaaaaaaa']" + ".map(s, s + s)" * 29 + ".size() > 1",
    "reduce that doubles": "[1,2,3,4,5].reduce(r, i, 'a', r + r) == 'a'",
    "brackets": "(" * 60 + "true" + ")" * 60,
    "brackets within the limit": "(" * 24 + "true" + ")" * 24,
    "brackets, never closed": "(" * 1900,
    "square brackets": "[" * 60 + "1" + "]" * 60 + " == 1",
    "curly brackets": "{1:" * 60 + "1" + "}" * 60 + " == 1",
    "a chain of and": "true&&" * 330 + "true",
    "a chain of or": "has(group.kind)||" * 110 + "false",
    "a chain of plus": "1+" * 950 + "1 > 1",
    "a chain of minus": "group.income-" * 140 + "1.0 > 1.0",
    "a chain of comparisons": "1<" * 900 + "1",
    "a chain of not": "!" * 1900 + "true",
    "a chain of signs": "- " * 900 + "1 > 0",
    "a chain of choices": "true ? " * 130 + "true" + " : false" * 130,
    "choices of choices": "(" * 20 + "has(group.kind)" + " ? has(group.kind) : has(group.income))" * 20,
    "a choice of choices of choices": "(" * 20 + "group.income > 1.0" + " ? group.income : 2.0) > 1.0" * 20,
    "years of years": "years_between(" * 12
    + "date('2000-01-01')"
    + ", today()) > group.members.size() ? today() : date('2000-01-01')" * 11
    + ", today()) > 1",
    "a remainder of a remainder": "(" * 20
    + "group.members.size()"
    + " * 9223372036854775807) % 7" * 20
    + " > 1",
    "text of text": "(" * 20 + "group.kind" + " + group.kind)" * 20 + ".endsWith(group.kind)",
    "a total inside of totals": "group.members.sum(a, " * 3 + "1" + ")" * 3 + " > 1",
    "lists inside each other": "group.members.exists(a, group.members.exists(b, b.age > a.age))",
    "many totals": " || ".join(f"group.members.sum(m, m.age * {n}) > 1" for n in range(40)),
    "a chain of dots": "group" + ".income" * 270,
    "a chain of calls": "group.members" + ".filter(m, m.age < 5)" * 90 + ".size() > 1",
    "a chain of indices": "group.members" + "[0]" * 600 + " == 1",
    "a long list": "group.income in [" + "1," * 900 + "1]",
    "a list at the limit": "group.income in [" + ",".join(map(str, range(200))) + "]",
    "many counts": " || ".join(f"group.members.exists(m, m.age == {n})" for n in range(45)),
    "a pattern that backtracks": "group.kind.matches('(a+)+$')",
    "Python's insides": "''.__class__ == 1",
    "Python's import": "__import__('os').system('true') == 1",
    "cel-python's insides": "base_activation == 1",
    "Python's words": "lambda == 1 && group.members.exists(class, class.age > 1)",
    "SQL in a text": "group.kind == '\\'; DROP TABLE res_partner; --'",
    "placeholders in a text": "group.kind == '%s %(a)s %% {r} {}'",
    "SQL in a name": 'group.members.exists(m"; DROP TABLE res_partner; --, true)',
    # what people type
    "nothing": "",
    "white space": " \t\n\r\n ",
    "a comment only": "// group.income",
    "no text": "''",
    "a lone quote": "'",
    "a lone backslash": "\\",
    "a text over two lines": "group.kind == 'a\nb'",
    "three quotes": "group.kind == '''a",
    "bytes": "b'a' == b'a'",
    "accents": "group.revenu_mensuel_é < 5.0",
    "other scripts": "ομάδα.μέλη.size() > 1",
    "letters that look alike": "grоup.income < 5.0",
    "full-width digits": "group.income < ５.0",
    "right to left": "group.income \u202e< 5.0",
    "no-break space": "group.income\u00a0< 5.0",
    "a null character": "group.kind == '\x00'",
    "half a pair": "group.kind == '\ud800'",
    "half a pair, escaped": "group.kind == '\\ud800'",
    "beyond unicode": "group.kind == '\\U00110000'",
    "an emoji": "group.kind == '👩‍👩‍👧'",
    "division by zero": "1 / 0 == 1",
    "division by zero, decimal": "group.income / 0.0 > 1.0",
    "remainder by zero": "group.members.size() % 0 == 1",
    "a huge whole number": "group.members.size() > " + "9" * 1900,
    "a huge hexadecimal number": "group.members.size() > 0x" + "f" * 1900,
    "the largest whole number": "group.members.size() > 9223372036854775807",
    "the smallest whole number": "group.members.size() < -9223372036854775808",
    "the largest whole number, as an age": "group.members.exists(m, m.age > 9223372036854775807)",
    "the smallest whole number, as an age": "group.members.exists(m, m.age <= -9223372036854775808)",
    "the largest whole number, in a list": "group.members.size() in [9223372036854775807, 1]",
    "a sum that does not fit": "9223372036854775807 + 1 > 0",
    "a product that does not fit": "group.members.size() * 9223372036854775807 > 0",
    "a huge decimal number": "group.income < 1" + "0" * 1900 + ".0",
    "a huge exponent": "group.income < 1e999999999",
    "a tiny exponent": "group.income > 1e-999999999",
    "a denormal number": "group.income > 5e-324 || group.income == 1e-320",
    "the largest decimal number": "group.income < 1.7976931348623157e308 && group.income > -1.0e308",
    "not a number": "group.income > nan || group.income < inf",
    "a date out of range": "timestamp('10000-01-01T00:00:00Z') > timestamp('0000-01-01T00:00:00Z')",
    "no such date": "timestamp('2023-02-29T25:61:61Z') == timestamp('2023-02-29')",
    "a duration out of range": "duration('999999999999999999h') > duration('1s')",
    "an age before everything": "group.members.all(m, m.age < 1000000 && m.age > -1000000)",
}


class TooMuch(Exception):
    """The work has passed its budget: a test ends there, instead of never."""


class Work:
    """Counts the calls of Python functions, how deep they are nested, and those that matter most."""

    COUNTED = {
        BasicLexer.next_token.__code__: "tokens",
        parser._Walker.walk.__code__: "syntax",
        interpret.value.__code__: "steps",
    }

    def __init__(self):
        self.calls = self.depth = self.deepest = 0
        self.of = Counter()

    def __enter__(self):
        self._former = sys.getprofile()
        sys.setprofile(self._event)
        return self

    def __exit__(self, *_error):
        sys.setprofile(self._former)

    def _event(self, frame, event, _argument):
        if event == "call":
            self.calls += 1
            if self.calls > MOST_CALLS:
                raise TooMuch
            self.depth += 1
            self.deepest = max(self.deepest, self.depth)
            counted = self.COUNTED.get(frame.f_code)
            if counted:
                self.of[counted] += 1
        elif event == "return":
            self.depth -= 1


RECORD = household(
    *[born(n * 3 if n % 7 else None, gender="female", income=n * 10.0) for n in range(MEMBERS)], kind="x"
)


class AttackCase(BaseCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        parser._grammar()  # read once for all rules

    def run_text(self, text, record=RECORD):
        """What becomes of a text: the rule or None, and the work it took; anything but RuleError passes."""
        rule = None
        with Work() as work:
            try:
                rule = compile_rule(text, SCHEMA, "group", VARIABLES)
            except RuleError as error:
                refusal = error
        if rule is None:
            self.assertTrue(refusal.message)
            lines = text.replace("\r\n", "\n").split("\n")
            self.assertIn(refusal.line, range(1, len(lines) + 1), text)
            self.assertIn(refusal.column, range(1, len(lines[refusal.line - 1]) + 2), text)
            refusal.pointer(text)
        else:
            with work:
                result = rule.evaluate(record, AS_OF, VARIABLES)
                sentences = rule.explain(result.facts)
                statements = []
                if not rule.not_compiled:
                    statements.append(rule.to_sql("SELECT 1 AS id", [], AS_OF, VARIABLES))
                for outcome in () if rule.not_compiled else ("eligible", "not_eligible"):
                    statements.append(rule.ids_sql(outcome, "SELECT 1 AS id", [], AS_OF, VARIABLES))
            self.assertIn(result.outcome, ("eligible", "not_eligible", "undetermined"))
            self.assertTrue(sentences, text)
            nodes = sum(1 for _node in ir.walk(rule.node))
            self.assertLessEqual(nodes, MAX_NODES, text)
            # once for the outcome, for its facts, for what is missing, and for the sentences
            self.assertLessEqual(work.of["steps"], 10 * MAX_NODES * (MEMBERS + 1), text)
            for statement, _params in statements:
                self.assertLessEqual(len(statement), MOST_SQL, text)
        self.assertLessEqual(work.of["tokens"], prescan.MAX_TEXT + 1, text)
        self.assertLessEqual(work.of["syntax"], prescan.MAX_TEXT + 1, text)
        self.assertLessEqual(work.calls, MOST_CALLS, text)
        self.assertLessEqual(work.deepest, MOST_DEPTH, text)
        return rule, work


@tagged("post_install", "-at_install")
class TestAttacks(AttackCase):
    def test_every_attack_ends_within_the_budgets(self):
        for name, text in ATTACKS.items():
            with self.subTest(name):
                self.run_text(text)

    def test_the_budgets_leave_room(self):
        """They are no obstacle to rules that people write, and near to the heaviest that are accepted."""
        for text in RULES:
            rule, work = self.run_text(text)
            self.assertTrue(rule)
            self.assertLess(work.calls, MOST_CALLS / 20)
            self.assertLess(work.deepest, MOST_DEPTH / 2)

    def test_no_text_of_a_rule_reaches_the_expression_that_backtracks(self):
        """cel-python's expression for texts is given neither a backslash nor a quote that is not closed."""
        for text in (*ATTACKS.values(), *RULES):
            try:
                scanned = prescan.scan(text.replace("\r\n", "\n")).text
            except RuleError:
                continue
            self.assertLessEqual(len(scanned), prescan.MAX_TEXT)
            for start in scanned.split("'")[1::2]:
                self.assertEqual(start, "x" * len(start), text)
            self.assertNotIn('\\"', scanned)

    def test_work_grows_with_the_text_not_with_its_square(self):
        pieces = ("true && ", "has(group.kind) || ", "group.members.exists(m, m.age < 5) && ")
        for piece in pieces:
            few, many = 10, 40
            _rule, less = self.run_text(piece * few + "true")
            _rule, more = self.run_text(piece * many + "true")
            self.assertLess(more.calls, 1.5 * many / few * less.calls, piece)

    def test_work_grows_with_the_members_not_with_their_square(self):
        text = RULES[2]
        calls = []
        for number in (10, 1000):
            rule, _work = self.run_text(text)
            record = household(*[born(n % 90) for n in range(number)])
            with Work() as work:
                rule.evaluate(record, AS_OF, VARIABLES)
            calls.append(work.of["steps"])
        self.assertLess(calls[1], 1.5 * 100 * calls[0])

    def test_lists_inside_of_lists_end_within_the_budget_of_steps(self):
        """They take the square of the members: a record with too many is undetermined, and says why."""
        rule, _work = self.run_text("group.members.exists(a, group.members.exists(b, b.age > a.age + 90))")
        self.patch(interpret, "MAX_STEPS", 20_000)
        for members, given_up in ((30, False), (300, True)):
            record = household(*[born(n % 80) for n in range(members)])
            with Work() as work:
                result = rule.evaluate(record, AS_OF, VARIABLES)
            self.assertLessEqual(work.of["steps"], interpret.MAX_STEPS + 1)
            self.assertIs(result.given_up, given_up)
        self.assertEqual(result.outcome, "undetermined")
        self.assertEqual(
            result.missing, ["The lists are too long for this rule: no answer after 20000 steps."]
        )
        self.assertEqual(rule.explain(result.facts), result.missing)
        with self.assertRaises(interpret.TooManySteps):
            rule.why(record, AS_OF, VARIABLES)
        total = compile_value(
            "group.members.sum(a, group.members.count(b, b.age > a.age))", SCHEMA, "group", VARIABLES
        )
        self.assertIsNone(total.value(record, AS_OF, VARIABLES))

    def test_a_list_in_a_list_of_thousands_ends(self):
        rule = compile_rule(
            "group.members.exists(a, group.members.exists(b, b.age > a.age + 90))", SCHEMA, "group"
        )
        record = household(*[born(n % 80) for n in range(3000)])
        self.assertTrue(rule.evaluate(record, AS_OF).given_up)
        self.assertIsNone(rule.change(record, AS_OF))

    def test_maps_of_maps_over_members_stay_small(self):
        for step in (".map(s, s + s)", ".map(s, s > 5 ? s : s * 2)", ".map(s, true, s + 1)"):
            self.run_text("group.members.map(m, m.age)" + step * 22 + ".sum() > 1")

    def test_half_typed_rules_are_refused_or_read(self):
        """Every beginning of a rule, as the editor sees it while somebody types."""
        for rule in RULES:
            for end in range(len(rule)):
                self.run_text(rule[:end])


WORDS = st.sampled_from(
    "group individual members m n variables retirement_age income age kind gender is_head has size filter exists"
    " all map exists_one sum min max in true false null && || ! == != < <= > >= + - * / % ( ) [ ] { } , . ? :"
    " 0 1 5 18 0.5 1e9 9223372036854775807 -1 0x1F 7u 'a' \"b\" '\\'' ' \" \\ // \n \t é _ __ m.age group.income"
    " group.members (m, today timestamp('2024-01-01T00:00:00Z') duration('1h') ;".split(" ")
)
SOUP = st.lists(WORDS, max_size=120).flatmap(
    lambda words: st.sampled_from(["", " "]).map(lambda space: space.join(words))
)
UNICODE = st.text(max_size=300) | st.text(st.characters(max_codepoint=127), max_size=2100)


@st.composite
def mutated(draw):
    """A good rule after a few accidents: cut, doubled, put together with another, a word put in."""
    text = draw(st.sampled_from(RULES))
    for _accident in range(draw(st.integers(1, 4))):
        start, end = sorted(draw(st.tuples(*[st.integers(0, len(text))] * 2)))
        piece, other = text[start:end], draw(st.sampled_from(RULES))
        kind = draw(
            st.sampled_from(["cut", "double", "repeat", "word", "replace", "join", "wrap", "character"])
        )
        text = {
            "cut": text[:start] + text[end:],
            "double": text[:end] + piece + text[end:],
            "repeat": text[:end] + piece * 20 + text[end:],
            "word": text[:start] + draw(WORDS) + text[start:],
            "replace": text[:start] + draw(WORDS) + text[end:],
            "join": f"{text} {draw(st.sampled_from(['&&', '||', '==', '+', '?', ':']))} {other}",
            "wrap": f"{draw(st.sampled_from(['!', '-', 'has', 'size', '']))}({text})",
            "character": text[:start] + draw(st.characters()) + text[start:],
        }[kind]
    return text


FUZZ = settings(
    max_examples=int(os.environ.get("SPP_RULE_EXAMPLES", 150)),
    derandomize="SPP_RULE_EXAMPLES" not in os.environ,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@tagged("post_install", "-at_install")
class TestFuzz(AttackCase):
    def test_anything(self):
        @FUZZ
        @given(text=SOUP | mutated() | UNICODE)
        @example(text="'" + "\\\\" * 900)
        def check(text):
            self.run_text(text)

        check()


@tagged("post_install", "-at_install")
class TestAttacksOnTheDatabase(RuleCase):
    """Whatever is accepted also runs as SQL, with the interpreter's answer, and reads few rows."""

    def both_ways(self, text, groups):
        schema = self.env["spp.cel.schema"]
        try:
            rule = compile_rule(text, schema._schema(), "group", VARIABLES)
        except RuleError:
            return None
        if rule.not_compiled:
            return None
        population = self.population(groups)
        statement = rule.to_sql(population.code, population.params, AS_OF, VARIABLES)
        self.env.cr.execute(*statement)
        compiled = {row[0]: (row[1], row[2]) for row in self.env.cr.fetchall()}
        for partner_id, record in schema._records("group", groups).items():
            result = rule.evaluate(record, AS_OF, VARIABLES)
            self.assertEqual(compiled[partner_id], (result.outcome, result.facts), text)
        for outcome in ("eligible", "not_eligible"):
            self.env.cr.execute(*rule.ids_sql(outcome, population.code, population.params, AS_OF, VARIABLES))
            expected = sorted(id_ for id_, (answer, _facts) in compiled.items() if answer == outcome)
            self.assertEqual(sorted(row[0] for row in self.env.cr.fetchall()), expected, text)
        return SQL(statement[0], *statement[1])

    def rows_read(self, query):
        """Rows that the scans of a plan yielded or threw away."""
        self.env.cr.execute(SQL("EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) %s", query))
        (plans,) = self.env.cr.fetchone()
        total, waiting = 0, [plans[0]["Plan"] if isinstance(plans, list) else json.loads(plans)[0]["Plan"]]
        while waiting:
            plan = waiting.pop()
            waiting.extend(plan.get("Plans", ()))
            if "Scan" in plan["Node Type"]:
                read = plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)
                total += read * plan["Actual Loops"]
        return total

    def test_every_attack_that_is_accepted_agrees_and_reads_each_row_a_few_times(self):
        self.env.cr.execute(
            "SELECT (SELECT count(*) FROM res_partner) + (SELECT count(*) FROM spp_group_membership)"
        )
        (rows,) = self.env.cr.fetchone()
        accepted = []
        for name, text in (*ATTACKS.items(), *((rule, rule) for rule in RULES)):
            with self.subTest(name), self.env.cr.savepoint():
                query = self.both_ways(text, self.groups)
                if query:
                    accepted.append(name)
                    self.assertLessEqual(self.rows_read(query), 4 * rows)
        self.assertIn("many counts", accepted)
        self.assertIn("the largest whole number", accepted)

    def test_mutated_rules_agree(self):
        @FUZZ
        @given(text=mutated())
        def check(text):
            self.both_ways(text, self.groups)

        check()
