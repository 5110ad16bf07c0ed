"""Reads a logic pack from YAML: constants, computed variables, rules, and the test cases that hold them.

Plain Python. The form of a file is in readme/CONFIGURE.md; the shipped ones are in packs/.
"""

import datetime
import re
from dataclasses import dataclass

import yaml

from ..lang import Constant, RuleError, Type, compile_rule

MAX_BYTES = 64 * 1024
OUTCOMES = ("eligible", "not_eligible", "undetermined")
TARGETS = ("individual", "group")

_CODE = re.compile(r"[a-z][a-z0-9_]{0,59}\Z")
_TYPES = ("int", "double", "string", "bool")
_OF_TYPE = {
    Type.INT: int,
    Type.DOUBLE: (int, float),
    Type.STRING: str,
    Type.BOOL: bool,
    Type.DATE: datetime.date,
}


class PackError(ValueError):
    """A pack was refused; the message names the file and the key."""


@dataclass(frozen=True)
class ConstantOfPack:
    name: str
    constant: Constant
    description: str


@dataclass(frozen=True)
class ComputedOfPack:
    name: str
    target: str
    expression: str
    description: str


@dataclass(frozen=True)
class RuleOfPack:
    key: str
    name: str
    target: str
    expression: str
    description: str


@dataclass(frozen=True)
class Case:
    """One test: what a rule must say about a record on a date."""

    name: str
    rule: str
    as_of: datetime.date
    record: dict
    expect: str


@dataclass(frozen=True)
class Pack:
    file_name: str
    code: str
    name: str
    description: str
    basis: str
    constants: tuple
    computed: tuple
    rules: tuple
    cases: tuple

    def run(self, schema, constants, computed):
        """[(case, outcome, sentences)] of all test cases; PackError if an expression is refused.

        The pack's own definitions come before the given ones, so that its cases say the same everywhere.
        """
        constants, computed = self.definitions(constants, computed)
        rules = {}
        for rule in self.rules:
            try:
                rules[rule.key] = compile_rule(rule.expression, schema, rule.target, constants, computed)
            except RuleError as error:
                place = error.pointer(rule.expression)
                raise PackError(
                    f"{self.file_name}: rules.{rule.key}.expression: {error}\n\n{place}"
                ) from None
        answers = []
        for number, case in enumerate(self.cases, 1):
            rule = rules[case.rule]
            where = f"{self.file_name}: tests[{number}].record"
            record = _record(case.record, schema, schema.record_types[rule.target], where)
            result = rule.evaluate(record, case.as_of, constants)
            answers.append((case, result.outcome, rule.explain(result.facts)))
        return answers

    def definitions(self, constants, computed):
        """The definitions that the pack's rules use where the given ones are there already."""
        own_constants = {known.name: known.constant for known in self.constants}
        own_computed = {(known.target, known.name): known.expression for known in self.computed}
        return {**constants, **own_constants}, {**computed, **own_computed}


# What a form shows before a file is chosen.
EMPTY = Pack("", "", "", "", "", (), (), (), ())


def read(text, file_name="logic pack"):
    """The Pack in a YAML text, or PackError."""
    return _Reader(file_name).pack(_load(text, file_name))


class _Loader(yaml.SafeLoader):
    """Plain values only, and no key twice: YAML would silently take the last one."""

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key_node, _value in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise yaml.constructor.ConstructorError(
                    None, None, f"“{key}” is not a name", key_node.start_mark
                )
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"“{key}” stands here twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


def _load(text, file_name):
    if len(text.encode()) > MAX_BYTES:
        raise PackError(f"{file_name}: a logic pack has at most {MAX_BYTES // 1024} kB.")
    try:
        # Aliases let a short text stand for an endless one.
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, _Loader)):
            raise PackError(f"{file_name}: references (*name) are not allowed.")
        return yaml.load(text, _Loader)  # noqa: S506  # a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise PackError(f"{file_name}: {place}{error.problem}.") from None
    except (yaml.YAMLError, ValueError) as error:
        if isinstance(error, PackError):
            raise
        raise PackError(f"{file_name}: this is no YAML: {error}") from None
    except RecursionError:
        raise PackError(f"{file_name}: this is nested too deeply.") from None


class _Reader:
    """Checks every key, so that a mistyped one is not silently ignored."""

    def __init__(self, file_name):
        self.file_name = file_name

    def error(self, where, problem):
        raise PackError(
            f"{self.file_name}: {where}: {problem}." if where else f"{self.file_name}: {problem}."
        )

    def pack(self, data):
        self.keys(data, "", required=("code", "name", "description", "basis", "rules", "tests"),
                  optional=("constants", "computed"))  # fmt: skip
        rules = self.named(data["rules"], "rules", self.rule)
        if not rules:
            self.error("rules", "a pack has at least one rule")
        pack = Pack(
            file_name=self.file_name,
            code=self.code(data["code"], "code"),
            name=self.text(data["name"], "name"),
            description=self.text(data["description"], "description"),
            basis=self.text(data["basis"], "basis"),
            constants=self.named(data.get("constants") or {}, "constants", self.constant),
            computed=self.named(data.get("computed") or {}, "computed", self.computed),
            rules=rules,
            cases=self.cases(data["tests"], {rule.key for rule in rules}),
        )
        twice = {known.name for known in pack.constants}.intersection(known.name for known in pack.computed)
        if twice:
            self.error(f"computed.{min(twice)}", "a constant has this name already")
        return pack

    def constant(self, name, data, where):
        self.keys(data, where, required=("type", "value", "description"))
        kind = Type(self.one_of(data["type"], f"{where}.type", _TYPES))
        value = data["value"]
        if kind is Type.DOUBLE and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        constant = Constant(kind, value)
        if constant.problem():
            self.error(f"{where}.value", constant.problem())
        return ConstantOfPack(name, constant, self.text(data["description"], f"{where}.description"))

    def computed(self, name, data, where):
        self.keys(data, where, required=("for", "expression", "description"))
        return ComputedOfPack(
            name,
            self.one_of(data["for"], f"{where}.for", TARGETS),
            self.text(data["expression"], f"{where}.expression"),
            self.text(data["description"], f"{where}.description"),
        )

    def rule(self, key, data, where):
        self.keys(data, where, required=("name", "target", "expression", "description"))
        return RuleOfPack(
            key,
            self.text(data["name"], f"{where}.name"),
            self.one_of(data["target"], f"{where}.target", TARGETS),
            self.text(data["expression"], f"{where}.expression"),
            self.text(data["description"], f"{where}.description"),
        )

    def cases(self, data, rules):
        if not isinstance(data, list) or not data:
            self.error("tests", "a list of test cases is expected")
        cases = []
        for number, case in enumerate(data, 1):
            where = f"tests[{number}]"
            self.keys(case, where, required=("name", "rule", "as_of", "record", "expect"))
            if not _is_date(case["as_of"]):
                self.error(f"{where}.as_of", "a date such as 2026-01-31 is expected")
            if not isinstance(case["record"], dict):
                self.error(f"{where}.record", "the fields of one record are expected")
            cases.append(
                Case(
                    name=self.text(case["name"], f"{where}.name"),
                    rule=self.one_of(case["rule"], f"{where}.rule", sorted(rules)),
                    as_of=case["as_of"],
                    record=case["record"],
                    expect=self.one_of(case["expect"], f"{where}.expect", OUTCOMES),
                )
            )
        untested = rules.difference(case.rule for case in cases)
        if untested:
            self.error("tests", f"the rule “{min(untested)}” has no test case")
        return tuple(cases)

    def named(self, data, where, read_one):
        if not isinstance(data, dict):
            self.error(where, "names with their definitions are expected")
        return tuple(
            read_one(self.code(name, f"{where}.{name}"), definition, f"{where}.{name}")
            for name, definition in data.items()
        )

    def keys(self, data, where, required, optional=()):
        if not isinstance(data, dict):
            self.error(where, f"these keys are expected: {', '.join((*required, *optional))}")
        unknown = sorted(set(data).difference(required, optional))
        if unknown:
            place = f"{where}.{unknown[0]}" if where else unknown[0]
            self.error(place, f"there is no such key; there are {', '.join((*required, *optional))}")
        missing = [key for key in required if key not in data]
        if missing:
            self.error(where, f"“{missing[0]}” is missing")

    def text(self, value, where):
        if not isinstance(value, str) or not value.strip():
            self.error(where, "a text is expected")
        return value.strip()

    def code(self, value, where):
        if not isinstance(value, str) or not _CODE.match(value):
            self.error(where, "small letters, digits and _ are expected")
        return value

    def one_of(self, value, where, choices):
        if value not in choices:
            self.error(where, f"one of {', '.join(choices)} is expected")
        return value


def _is_date(value):
    return isinstance(value, datetime.date) and not isinstance(value, datetime.datetime)


def _record(data, schema, record_type, where, collection=None):
    """A record of a test case as the interpreter takes it: what is not given is not known."""
    stored = {known.name: known for known in record_type.fields if not known.age_of}
    stored.update({known.age_of.name: known.age_of for known in record_type.fields if known.age_of})
    collections = {} if collection else {known.name: known for known in record_type.collections}
    live = collection.live_columns if collection else ()
    known_names = {"display_name", *stored, *collections, *live}
    record = {"display_name": record_type.name, **dict.fromkeys((*stored, *live))}
    record.update({name: False for name, known in stored.items() if not known.nullable})
    record.update({name: [] for name in collections})
    for name, value in data.items():
        if name not in known_names:
            raise PackError(
                f"{where}.{name}: there is no such field; there are {', '.join(sorted(known_names))}."
            )
        if name in collections:
            record[name] = _items(value, schema, collections[name], f"{where}.{name}")
        else:
            _check_value(value, stored.get(name), name in live, f"{where}.{name}")
            record[name] = value
    return record


def _items(data, schema, collection, where):
    if not isinstance(data, list) or not all(isinstance(item, dict) for item in data):
        raise PackError(f"{where}: a list of records is expected.")
    item_type = schema.item_type(collection)
    return [
        _record(item, schema, item_type, f"{where}[{number}]", collection)
        for number, item in enumerate(data, 1)
    ]


def _check_value(value, known, live, where):
    """Refuse a value that the registry could not hold; null is what is not known."""
    if value is None:
        fits = known is None or known.nullable
    elif known:
        fits = isinstance(value, _OF_TYPE[known.type]) and isinstance(value, bool) == (
            known.type is Type.BOOL
        )
        fits = fits and (known.type is not Type.DATE or _is_date(value))
    else:
        fits = _is_date(value) if live else isinstance(value, str)
    if not fits:
        expected = known.type.words if known else "a date" if live else "a text"
        raise PackError(f"{where}: {expected} is expected.")
