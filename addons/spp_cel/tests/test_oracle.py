"""A third opinion: wherever Google's CEL gives a value, the interpreter gives the same one.

Generated rules in standard CEL, over records made up here; no database. The SQL is held to the interpreter in
test_agreement.py. Two things are ours and left out: `==` between a whole and a decimal number is refused where
it could be inexact, and a decimal number divided by zero is missing here, while CEL knows infinity.
"""

import datetime
import unittest

from hypothesis import given
from hypothesis import strategies as st

from odoo.tests import BaseCase

from ..lang import RuleError, compile_rule
from ..lang.dates import age
from .lang_registry import AS_OF, SCHEMA, VARIABLES, household
from .test_agreement import COMPARISON, EXAMPLES, joined

try:
    from cel_expr_python import cel
except ImportError:  # no wheel for this machine
    cel = None

NUMBER = st.sampled_from(["0", "1", "4", "5", "18", "60", "-7", "9223372036854775807"])
DECIMAL = st.sampled_from(["0.0", "99.99", "100.0", "-5.0", "variables.poverty_line"])
TEXT = st.sampled_from(["'female'", "'male'", "''", "'fém'", "variables.region"])


def about(record):
    """Conditions on one record, in standard CEL."""
    whole = st.just(f"{record}.age") | NUMBER
    whole = whole | st.builds("({} {} {})".format, whole, st.sampled_from("+-*/%"), whole)
    whole = whole | st.builds("({} > 17 ? {} : {})".format, whole, whole, whole)
    decimal = st.just(f"{record}.income") | DECIMAL
    decimal = decimal | st.builds("({} {} {})".format, decimal, st.sampled_from("+-*"), decimal)
    decimal = decimal | st.builds("double({})".format, st.just(f"{record}.age"))
    text = st.just(f"{record}.gender") | TEXT | st.builds("({} + {})".format, TEXT, TEXT)
    return st.one_of(
        st.builds("{} {} {}".format, whole, COMPARISON, whole),
        st.builds("{} {} {}".format, decimal, COMPARISON, decimal),
        st.builds("{} {} {}".format, text, COMPARISON, text),
        st.builds("{} in [{}, {}]".format, whole, NUMBER, NUMBER),
        st.builds("{}.{}({})".format, text, st.sampled_from(["startsWith", "endsWith", "contains"]), text),
        st.builds("{}.matches('{}')".format, text, st.sampled_from(["^f", "m.l", "é", "a*"])),
        st.builds("size({}) {} {}".format, text, COMPARISON, NUMBER),
        st.builds("int({}) {} {}".format, decimal, COMPARISON, whole),
        st.builds("[{}, 3].{}(x, x {} {})".format, whole, st.sampled_from(["exists", "all", "exists_one"]),
                  COMPARISON, whole),
        st.builds("[1, {}].filter(x, x > 1).size() == {}".format, whole, NUMBER),
        st.builds("[{}, 2].map(x, x * 2)[0] == {}".format, whole, whole),
        st.builds("({} > 5) == ({} < 50)".format, whole, whole),
        st.sampled_from([f"has({record}.income)", f"!has({record}.gender)", "true", "false",
                         "timestamp('2024-02-29T23:30:00Z').getDayOfYear() == 59",
                         "timestamp('2024-02-29T23:30:00Z').getHours('Asia/Kathmandu') == 5",
                         "timestamp('2024-02-29T23:30:00Z').getDate('-23:59') == 28",
                         "timestamp('2024-02-29T00:00:00Z') + duration('24h') > timestamp('2024-02-29T12:00:00Z')"]),
    )  # fmt: skip


ITEM = joined(about("m") | st.just("m.is_head"))
ITEMS = st.builds("group.members.filter(m, {})".format, ITEM) | st.just("group.members")
GROUP = joined(
    st.builds("{}.{}(m, {})".format, ITEMS, st.sampled_from(["exists", "all", "exists_one"]), ITEM)
    | st.builds("{}.size() {} {}".format, ITEMS, COMPARISON, NUMBER)
    | st.builds("{}.map(m, m.age).{}(v, v {} {})".format, ITEMS,
                st.sampled_from(["exists", "all", "exists_one"]), COMPARISON, NUMBER)
    | st.builds("{}.map(m, {}, m.income).filter(v, v {} {}).size() == {}".format, ITEMS, ITEM, COMPARISON,
                DECIMAL, NUMBER)
    | st.builds("{} in {}.map(m, m.gender)".format, TEXT, ITEMS)
    | st.builds("size({}) {} size({})".format, ITEMS, COMPARISON, ITEMS)
)  # fmt: skip
PERSON = st.fixed_dictionaries(
    {
        "birthdate": st.none() | st.dates(datetime.date(1920, 1, 1), datetime.date(2026, 1, 1)),
        "gender": st.sampled_from([None, "female", "male", "fém"]),
        "income": st.sampled_from([None, 0.0, 99.99, 100.0, -5.0, 1e15, 1e-15]),
        "is_head": st.booleans(),
    }
)


@unittest.skipUnless(cel, "Google's CEL (cel-expr-python) is not installed")
class TestOracle(BaseCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        record = cel.Type.Map(cel.Type.STRING, cel.Type.DYN)
        names = {"individual": record, "group": record, "variables": record}
        cls.env_of_cel = cel.NewEnv(variables=names)
        cls.constants = {name: constant.value for name, constant in VARIABLES.items()}

    def google(self, text, target, record):
        """True, False, or None for an error."""
        program = self.env_of_cel.compile(text, disable_check=True)
        answer = program.eval(data={target: record, "variables": self.constants}).value()
        return answer if isinstance(answer, bool) else None

    def compare(self, text, target, record):
        try:
            rule = compile_rule(text, SCHEMA, target, VARIABLES)
        except RuleError as error:
            self.assertRegex(error.message, "too large|too l", text)
            return
        expected = self.google(text, target, _as_cel(record))
        answer = rule.evaluate(record, AS_OF, VARIABLES).outcome
        ours = {"eligible": True, "not_eligible": False, "undetermined": None}[answer]
        if expected is not None:
            self.assertIs(ours, expected, (text, record))
        elif target == "individual":  # counts are the one place where we know more than an error
            self.assertIsNone(ours, (text, record))

    def test_individuals(self):
        @EXAMPLES
        @given(text=joined(about("individual")), record=PERSON)
        def check(text, record):
            self.compare(text, "individual", record)

        check()

    def test_groups(self):
        @EXAMPLES
        @given(text=GROUP, people=st.lists(PERSON, max_size=4))
        def check(text, people):
            self.compare(
                text, "group", household(*({**person, "start": None, "ended": None} for person in people))
            )

        check()


def _as_cel(record):
    """The record as CEL sees it: what is not known is not there."""
    seen = {}
    for name, value in record.items():
        if isinstance(value, list):
            seen[name] = [_as_cel(item) for item in value]
        elif name == "birthdate":
            years = value and age(value, AS_OF)
            if years is not None:
                seen["age"] = years
        elif value is not None:
            seen[name] = value
    return seen
