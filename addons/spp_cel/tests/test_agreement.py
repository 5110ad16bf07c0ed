"""SQL and interpreter give the same answer, on the same facts, for everybody.

Expressions are generated over every form that the compiler has; the registry holds the edges
(tests/common.py). The interpreter itself is held to written answers in test_lang_interpret.py.
SPP_RULE_EXAMPLES=5000 in the environment looks further, at random.
"""

import datetime
import json
import os

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from odoo.tests import tagged

from ..lang import Constant, RuleError, Type, compile_rule
from .common import AS_OF, RuleCase

VARIABLES = {
    "whole": Constant(Type.INT, 5),
    "decimal": Constant(Type.DOUBLE, 99.99),
    "word": Constant(Type.STRING, "female"),
    "flag": Constant(Type.BOOL, False),
}
DATES = st.sampled_from(
    [AS_OF, datetime.date(2023, 2, 28), datetime.date(2024, 3, 1), datetime.date(2025, 6, 30)]
)
COMPARISON = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
YEARS = st.sampled_from(["0", "4", "5", "20", "59", "60", "variables.whole", "-1", "124", "3000", "4.5"])
AMOUNT = st.sampled_from(["0", "100", "99.99", "variables.decimal", "1.0e15", "-5.0", "3"])


AMOUNT_OF_DECIMALS = st.sampled_from(["0.0", "100.0", "variables.decimal"])
DAY = st.sampled_from(["date('2000-02-29')", "today()", "date('1960-01-01')"])
DATE_PARTS = [
    "{0}.birthdate.getFullYear()",
    "{0}.birthdate.getMonth()",
    "{0}.birthdate.getDate()",
    "{0}.birthdate.getDayOfMonth()",
    "{0}.birthdate.getDayOfWeek()",
    "{0}.birthdate.getDayOfYear()",
    "timestamp({0}.birthdate).getHours()",
    "years_between({0}.birthdate, today())",
    "months_between({0}.birthdate, date('2020-02-29'))",
    "days_between(date('2020-02-29'), {0}.birthdate)",
]


def over(record, extra=()):
    """Conditions on one record, as text."""
    decimal = st.sampled_from([f"{record}.income", f"{record}.vulnerability_score", *extra])
    decimal = decimal | st.builds("({} {} {})".format, decimal, st.sampled_from("+-*/"), decimal)
    decimal = (
        decimal
        | st.builds("round({}, {})".format, decimal, st.sampled_from("012"))
        | st.builds("get({}.income, {})".format, st.just(record), AMOUNT_OF_DECIMALS)
        | st.builds("({} > 50.0 ? {} : -{})".format, decimal, decimal, decimal)
        | st.sampled_from([f"{record}.income * 1.0e15 * 1.0e15 * {record}.income * 1.0e15 * 1.0e15 * 1.0e15"])
    )
    leaves = [
        st.builds("{} {} {}".format, decimal, COMPARISON, AMOUNT | decimal),
        st.builds("{} {} {}".format, AMOUNT, COMPARISON, decimal),
        st.builds("{} in [{}, {}]".format, decimal, AMOUNT, AMOUNT),
        st.sampled_from(
            ["true", "false", "variables.flag", f"{record}.income != null", f"has({record}.income)"]
        ),
    ]
    if record == "group":
        leaves.append(
            st.sampled_from(
                [
                    r"group.kind == 'test\'kind'",
                    "group.kind < 'z'",
                    "size(group.kind) == 9",
                    "group.kind.startsWith('te')",
                    "!group.kind.endsWith('kind')",
                    'group.kind.contains("\'") == true',
                    "group.kind + 'x' == 'test\\'kindx'",
                    "group.kind in [group.kind, 'a' + 'b']",
                    "(group.kind == 'a' ? 1 : 2) == 2",
                ]
            )
        )
    else:
        age = st.sampled_from([f"{record}.age", f"({record}.age * 2)", f"-{record}.age"])
        leaves += [
            st.builds("{} {} {}".format, age, COMPARISON, YEARS),
            st.builds("{} {} {}".format, YEARS, COMPARISON, age),
            st.builds("{} in [{}, {}]".format, age, YEARS, YEARS),
            st.sampled_from([f"{record}.gender == variables.word", f"{record}.gender in ['male', 'x']"]),
            st.sampled_from([f"has({record}.birthdate)", f"{record}.gender >= 'm'", f"{record}.age == null"]),
            st.builds("({} / ({} - 5) + 7 % ({} - 4)) {} {}".format, age, age, age, COMPARISON, YEARS),
            st.builds("{} {} {}".format, st.just(f"{record}.birthdate"), COMPARISON, DAY),
            st.builds(
                "{} {} {}".format,
                st.sampled_from(DATE_PARTS).map(lambda p: p.format(record)),
                COMPARISON,
                YEARS,
            ),
            st.builds("({} > 5) == ({} < 50)".format, age, age),
            st.builds("[{}, 3].exists(x, x {} {})".format, age, COMPARISON, YEARS),
            st.builds("[1, {}].filter(x, x > 1).size() == 1".format, age),
            st.builds("[{}, 4].all(x, x > 3 || x < 1)".format, age),
            st.builds("int({}.income) {} {}".format, st.just(record), COMPARISON, YEARS),
            st.builds("double({}) / {}.income {} {}".format, age, st.just(record), COMPARISON, AMOUNT),
            st.builds("string({}) == '5'".format, age),
        ]
    return st.one_of(leaves)


def joined(leaf, max_leaves=4):
    return st.recursive(
        leaf,
        lambda inner: (
            st.builds("({} {} {})".format, inner, st.sampled_from(["&&", "||"]), inner)
            | st.builds("!({})".format, inner)
        ),
        max_leaves=max_leaves,
    )


ITEM = joined(over("m", extra=["group.income"]) | st.just("m.is_head"))
ITEMS = st.builds("group.members.filter(m, {})".format, ITEM) | st.just("group.members")
COUNT = st.builds("{}.size()".format, ITEMS) | st.builds("{}.count(m, {})".format, ITEMS, ITEM)
OF_MEMBERS = st.sampled_from(
    ["m.income", "get(m.income, 0.0)", "m.income * 2.0", "double(m.age)", "m.income + group.income"]
)
TOTAL = st.builds("{}.{}(m, {})".format, ITEMS, st.sampled_from(["sum", "min", "max", "avg"]), OF_MEMBERS)
WHOLE = st.builds("{}.{}(m, {})".format, ITEMS, st.sampled_from(["sum", "min", "max"]), st.just("m.age"))
GROUP = joined(
    over("group")
    | st.builds(
        "{} {} {}".format, COUNT, COMPARISON, st.sampled_from(["0", "1", "2", "3", "1.5", "variables.whole"])
    )
    | st.builds("{} {} {}".format, st.sampled_from(["0", "1", "2", "group.income"]), COMPARISON, COUNT)
    | st.builds("{} {} {}".format, COUNT, COMPARISON, COUNT)
    | st.builds("{} * 2 - {} {} 1".format, COUNT, COUNT, COMPARISON)
    | st.builds("{} in [0, 1, 2.0]".format, COUNT)
    | st.builds("{} {} {}".format, TOTAL, COMPARISON, AMOUNT | TOTAL)
    | st.builds("{} {} {}".format, WHOLE, COMPARISON, YEARS)
    | st.builds("{}.avg(m, m.age) {} 20.5".format, ITEMS, COMPARISON)
    | st.builds("{}.{}(m, m.birthdate) < {}".format, ITEMS, st.sampled_from(["min", "max"]), DAY)
    | st.builds("{}.{}(m, m.gender) == 'female'".format, ITEMS, st.sampled_from(["min", "max"]))
    | st.builds("double({}) / double({}) {} 0.5".format, COUNT, COUNT, COMPARISON)
    | st.builds("{}.exists_one(m, {})".format, ITEMS, ITEM)
    | st.builds("{}.map(m, {}).{}() {} {}".format, ITEMS, OF_MEMBERS,
                st.sampled_from(["sum", "min", "max", "avg"]), COMPARISON, AMOUNT)
    | st.builds("{}.map(m, {}, m.age).filter(v, v {} {}).size() {} 1".format, ITEMS, ITEM, COMPARISON, YEARS,
                COMPARISON)
    | st.builds("{}.map(m, m.age).{}(v, v {} {})".format, ITEMS,
                st.sampled_from(["exists", "all", "exists_one"]), COMPARISON, YEARS)
    | st.builds("{} in {}.map(m, m.income)".format, AMOUNT_OF_DECIMALS, ITEMS)
    | st.builds("{}.exists(m, m.is_head) ? {} : unknown('no head')".format, ITEMS, over("group"))
    | st.builds("({} ? 1 : unknown('none')) {} 1".format, over("group"), COMPARISON)
    | st.builds("{}.{}(m, {})".format, ITEMS, st.sampled_from(["exists", "all"]), ITEM)
)  # fmt: skip
EVENTS = "individual.events"
INDIVIDUAL = joined(
    over("individual")
    | st.builds("{}.size() {} 1".format, st.just(EVENTS), COMPARISON)
    | st.sampled_from(
        [
            EVENTS + ".exists(e, e.kind == 'visit' && e.date >= date('2024-01-01'))",
            EVENTS + ".count(e, e.value == '1') == 1",
            EVENTS + ".exists(e, int(e.value) >= 1)",
            EVENTS + ".sum(e, int(e.value)) > 0",
            EVENTS + ".max(e, e.date) < today()",
            EVENTS + ".all(e, days_between(e.date, today()) < 100)",
            "'visit' in ['visit', individual.gender]",
        ]
    )
)

EXAMPLES = settings(
    max_examples=int(os.environ.get("SPP_RULE_EXAMPLES", 100)),
    derandomize="SPP_RULE_EXAMPLES" not in os.environ,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@tagged("post_install", "-at_install")
class TestAgreement(RuleCase):
    def compare(self, text, target, partners, as_of):
        schema = self.env["spp.cel.schema"]
        try:
            rule = compile_rule(text, schema._schema(), target, VARIABLES)
        except RuleError as error:  # a product of three decimals and the like
            self.assertIn("too l", error.message, text)
            return
        records = schema._records(target, partners)
        answers = {id_: rule.evaluate(record, as_of, VARIABLES) for id_, record in records.items()}
        population = ("SELECT unnest(CAST(%s AS integer[])) AS id", [partners.ids])
        for most in (False, True):
            self.env.cr.execute(*rule.to_sql(*population, as_of, VARIABLES, most=most))
            self.assertEqual(
                {row[0]: (row[1], row[2]) for row in self.env.cr.fetchall()},
                {id_: (answer.outcome, answer.facts) for id_, answer in answers.items()},
                text,
            )
        for outcome in ("eligible", "not_eligible"):
            for most in (False, True):
                self.env.cr.execute(*rule.ids_sql(outcome, *population, as_of, VARIABLES, most=most))
                self.assertEqual(
                    sorted(row[0] for row in self.env.cr.fetchall()),
                    sorted(id_ for id_, answer in answers.items() if answer.outcome == outcome),
                    f"{outcome}: {text}",
                )
        for answer in answers.values():
            self.assertTrue(rule.explain(answer.facts), text)
            # The facts alone give the same answer, also after they were stored.
            kept = json.loads(json.dumps(answer.facts))
            self.assertEqual(rule.again(kept), answer.outcome, text)
            self.assertEqual(rule.again(kept, as_of, VARIABLES), answer.outcome, text)
            self.assertEqual(bool(answer.missing), answer.outcome == "undetermined", text)

    def test_rules_about_groups(self):
        @EXAMPLES
        @given(text=GROUP, as_of=DATES)
        def check(text, as_of):
            self.compare(text, "group", self.groups, as_of)

        check()

    def test_rules_about_individuals(self):
        @EXAMPLES
        @given(text=INDIVIDUAL, as_of=DATES)
        def check(text, as_of):
            self.compare(text, "individual", self.individuals, as_of)

        check()

    def test_texts_are_read_as_whole_numbers_alike(self):
        texts = [
            "0", "7", "+7", "-7", "007", "7.0", "7e1", " 7", "7 ", "7\n", "", "-", "+-7", "1_0", "0x7", "seven", "٧", "½",
            "9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809",
            "0" * 19 + "7", "0" * 20 + "7", "9" * 20, "9" * 40,
        ]  # fmt: skip
        people = self.env["res.partner"].create([{"is_registrant": True, "name": "Read"} for _text in texts])
        self.env["spp.event"].create(
            [
                {"partner_id": person.id, "kind": "training", "date": "2020-01-01", "value": text}
                for person, text in zip(people, texts, strict=True)
            ]
        )
        for rule in ("exists(e, int(e.value) > 5)", "all(e, int(e.value) < 0)", "max(e, int(e.value)) == 7"):
            self.compare(f"individual.events.{rule}", "individual", people, AS_OF)

    def test_every_outcome_occurs_in_the_fixture(self):
        for text in (
            "group.members.filter(m, m.age < 5).size() >= 1",
            "group.members.exists(m, m.income > 100.0)",
            "group.vulnerability_score > 3 && group.income < 100.0",
        ):
            found = self.outcomes(self.rule(text).draft_version_id, self.groups)
            self.assertEqual(
                {"eligible", "not_eligible", "undetermined"}, {outcome for outcome, _ in found.values()}
            )
