"""CEL's own conformance suites, read from the shared test data where that is present.

Each test that our language can express must answer as CEL does. What it refuses is outside the
language so far; the number that ran is checked, so that the suites cannot fall silent.
"""

import json
import os
import pathlib
import re
import unittest

from odoo.tests import BaseCase

from ..lang import RuleError, compile_rule
from .lang_registry import AS_OF, SCHEMA

SUITES = pathlib.Path(os.environ.get("SPP_TESTDATA", ".")) / "cel-spec"
NAMES = (
    "basic", "comparisons", "logic", "integer_math", "fp_math", "string", "lists", "macros", "fields",
    "conversions", "timestamps", "parse",
)  # fmt: skip
#: What answers otherwise than the suites, and why.
OTHERWISE = {
    "a number that is not finite is missing here: nothing that is paid or compared may be infinite": {
        "not_eq_double_nan",
        "not_ne_double_nan",
        "ne_double_nan",
    },
}

#: What is refused, by what the message says, and why it is outside of the language: lang/README.md.
REFUSED = (
    "The rule is empty",  # the suite expects a map, bytes, a type or an unsigned number
    "Building an object|cannot be read from this|no function “(dyn|type|uint)”",
    "write a plain number",  # unsigned, or in bytes
    "single quotes|without a letter before it|invisible control character|does not stand for a character",
    "too large, or too close to zero|This whole number|This decimal number",
    "This is not a (moment in time|length of time)",
    "Two conditions have no order|Lists are compared|A list cannot stand here|cannot be compared with",
    "“null” can only be compared with a field|Only a list that is written out|The list has no item",
    "A condition is expected here|cannot be used with|nested too deeply|has no meaning here|is not expected here",
)

_TOKEN = re.compile(
    r"""\s+|\#[^\n]*|(?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|(?P<word>[^\s{}:\[\],"'#]+)|(?P<sign>[{}:\[\],])"""
)


def read_textproto(text):
    """A message as a list of (field, value), where a value is a str or such a list."""
    tokens = [(m.lastgroup, m[0]) for m in _TOKEN.finditer(text) if m.lastgroup]
    position = 0

    def message():
        nonlocal position
        fields = []
        while position < len(tokens) and tokens[position][1] != "}":
            name = tokens[position][1]
            position += 1
            fields.append((name, value()))
        return fields

    def value():
        nonlocal position
        if tokens[position][1] == ":":
            position += 1
        if tokens[position][1] == "{":
            position += 1
            inner = message()
            position += 1
            return inner
        if tokens[position][1] == "[":  # an extension name or a list: only skipped over
            while tokens[position][1] != "]":
                position += 1
            position += 1
            return value() if tokens[position][1] == "{" else ""
        if tokens[position][0] == "string":
            parts = []
            while position < len(tokens) and tokens[position][0] == "string":
                parts.append(_unquote(tokens[position][1]))
                position += 1
            return "".join(parts)
        position += 1
        return tokens[position - 1][1]

    return message()


_ESCAPE = re.compile(
    rb"\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|[xX]([0-9a-fA-F]{2})|([0-7]{3})|(.))", re.DOTALL
)


def _unquote(token):
    """A quoted text of the format, whose numeric escapes are bytes of UTF-8."""

    def character(match):
        short, long, hexadecimal, octal, plain = match.groups()
        if short or long:
            return chr(int(short or long, 16)).encode(errors="replace")
        if hexadecimal or octal:
            return bytes([int(hexadecimal, 16) if hexadecimal else int(octal, 8)])
        return {
            b"a": b"\a",
            b"b": b"\b",
            b"f": b"\f",
            b"n": b"\n",
            b"r": b"\r",
            b"t": b"\t",
            b"v": b"\v",
        }.get(plain, plain)

    return _ESCAPE.sub(character, token[1:-1].encode()).decode(errors="replace")


def expected_condition(expression, value):
    """The test as a yes/no rule, or None where the value has no counterpart."""
    kind, literal = value[0]
    if kind == "bool_value":
        return expression if literal == "true" else f"!({expression})"
    if kind == "int64_value":
        return f"({expression}) == {literal}"
    if kind == "double_value" and re.fullmatch(r"[-+.0-9eE]+", literal):
        return f"({expression}) == {float(literal)!r}"
    if kind == "string_value":
        return f"({expression}) == {json.dumps(literal, ensure_ascii=False)}"
    if kind == "list_value":
        items = [_literal(dict(item)) for _values, item in literal]
        return f"({expression}) == [{', '.join(items)}]" if None not in items else None
    return None


def _literal(value):
    """A scalar of an expected list, as CEL writes it."""
    ((kind, literal),) = value.items()
    if kind == "string_value":
        return json.dumps(literal, ensure_ascii=False)
    if kind == "double_value":
        return repr(float(literal))
    return literal if kind in ("int64_value", "bool_value") else None


@unittest.skipUnless(SUITES.is_dir(), "the conformance suites of CEL are not on this machine")
class TestLangConformance(BaseCase):
    def test_agrees_with_the_suites_within_the_language(self):
        ran, refused, wrong = 0, [], []
        for suite in NAMES:
            for name, test in self._tests(suite):
                fields = dict(test)
                if "expr" not in fields or {"bindings", "container", "disable_check"} & set(fields):
                    continue
                if "value" in fields:
                    text, outcome = expected_condition(fields["expr"], fields["value"]), "eligible"
                elif "eval_error" in fields:
                    text, outcome = fields["expr"], "undetermined"
                else:
                    text, outcome = fields["expr"], "eligible"  # by default, true
                try:
                    rule = compile_rule(text or "", SCHEMA, "individual")
                except RuleError as error:
                    refused.append((suite, name, error.message))
                    continue
                ran += 1
                answer = rule.evaluate({}, AS_OF).outcome
                if answer != outcome:
                    wrong.append((suite, name, text, answer))
        outside = re.compile("|".join(REFUSED))
        self.assertEqual([entry for entry in refused if not outside.search(entry[2])], [])
        explained = {name for names in OTHERWISE.values() for name in names}
        self.assertEqual([entry for entry in wrong if entry[1] not in explained], [])
        self.assertEqual({name for _suite, name, *_ in wrong}, explained)
        self.assertLessEqual(len(wrong), ran // 100, "at most 1 % may answer otherwise")
        self.assertGreaterEqual(ran, 380, f"{ran} ran, {len(refused)} are outside")

    def _tests(self, suite):
        for field, section in read_textproto((SUITES / f"{suite}.textproto").read_text()):
            if field == "section":
                for inner, test in section:
                    if inner == "test":
                        yield dict(test).get("name"), test
