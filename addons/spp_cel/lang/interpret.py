"""The interpreter: one rule, one record, in plain Python. It must agree with sql.py on every record.

A value that is missing is None, and None passes through every operator as CEL's error does: && and
|| absorb it where the other side decides, everything else keeps it. A count knows two numbers:
how many items certainly satisfy the condition, and how many possibly do (those for which the
condition is missing included). A comparison with a count is decided when all numbers between agree.
"""

import datetime
import math
from dataclasses import dataclass

from . import functions, ir
from .dates import age
from .schema import Type

_ORDER = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
}


#: Nodes that are evaluated for one record at most. Lists inside each other take the square of their length.
MAX_STEPS = 1_000_000


class TooManySteps(Exception):
    """The lists of a record are too long for a rule: the answer was given up."""


class Budget:
    """What is left of the steps for one record."""

    def __init__(self, steps=None):
        self.steps = self.left = steps or MAX_STEPS

    def spend(self):
        self.left -= 1
        if self.left < 0:
            raise TooManySteps(f"The lists are too long for this rule: no answer after {self.steps} steps.")


@dataclass(frozen=True)
class Tally:
    """What is known about a count: `certain` <= true number <= `possible` <= `of`, all items."""

    certain: int
    possible: int
    of: int


class Records:
    """Values taken from records: dicts of the schema's fields (dates as dates, None where unknown).

    The items of a collection are a list of such dicts under the collection's name, with its
    `live_columns`; those not live at the as-of date are left out here.
    """

    def __init__(self, target, record, as_of, constants, budget=None):
        self.rows = {target: record}
        self.as_of = as_of
        self.constants = constants
        self.budget = budget or Budget()

    def variable(self, node):
        return self.constants[node.name].value

    def field(self, node):
        row = self.rows[node.record]
        if node.field.age_of:
            birthdate = row.get(node.field.age_of.name)
            return None if birthdate is None else age(birthdate, self.as_of)
        value = row.get(node.field.name)
        return float(value) if node.type is Type.DOUBLE and value is not None else value

    def items(self, node):
        """(item, values seen from inside the item) for each live item of a count's collection."""
        for item in self.rows[node.record][node.collection.name]:
            if node.collection.live(item, self.as_of):
                inside = Records(node.variable, item, self.as_of, self.constants, self.budget)
                inside.rows = {**self.rows, node.variable: item}
                yield item, inside

    def tally(self, node):
        answers = [
            True if node.predicate is None else value(node.predicate, inside)
            for _item, inside in self.items(node)
        ]
        certain = answers.count(True)
        return Tally(certain, certain + answers.count(None), len(answers))

    def total(self, node):
        """The value of an ir.Total."""
        found = []
        for _item, inside in self.items(node):
            counts = True if node.predicate is None else value(node.predicate, inside)
            if counts is not False:
                found.append(value(node.operand, inside) if counts else None)
        if None in found:
            return None
        if node.kind in ("min", "max"):
            return (min if node.kind == "min" else max)(found, default=None)
        if node.operand.type is Type.INT:
            total = functions.whole(sum(found))
        else:
            total = functions.decimal(float(sum(map(functions.exact, found))))
        if node.kind == "sum" or total is None:
            return total
        return functions.decimal(float(total) / len(found)) if found else None

    def today(self, node):
        return self.as_of


class Facts:
    """Values taken from the facts stored with an outcome; no registry needed.

    `constants` and `as_of`, where they are given, stand in for what the facts say of variables and of today: they were
    kept apart from the facts, and a fact that was tampered with must not pass.
    """

    def __init__(self, facts, as_of=None, constants=None):
        self.facts = facts
        self.as_of = as_of
        self.constants = constants or {}
        self.budget = Budget()

    def variable(self, node):
        if node.name in self.constants:
            return self.constants[node.name].value
        return self.field(node)

    def field(self, node):
        return _read(node.type, self.facts.get(ir.text(node)))

    total = field

    def today(self, node):
        return self.as_of or self.field(node)

    def tally(self, node):
        return Tally(**self.facts[ir.text(node)])


def _read(kind, known):
    """A value as it was before it was stored as JSON."""
    if known is None:
        return None
    match kind:
        case Type.DATE:
            return datetime.date.fromisoformat(known)
        case Type.TIMESTAMP:
            return datetime.datetime.fromisoformat(known)
        case Type.DOUBLE:
            return float(known)
    return known


def value(node, source):
    """The value of a node: bool, int, float or str, or None where it is missing."""
    source.budget.spend()
    match node:
        case ir.Literal():
            return node.value
        case ir.Variable():
            return source.variable(node)
        case ir.FieldOf():
            return source.field(node)
        case ir.Unknown():
            return None
        case ir.Has():
            return value(node.operand, source) is not None
        case ir.And():
            return _absorb(False, (value(item, source) for item in node.items))
        case ir.Or():
            return _absorb(True, (value(item, source) for item in node.items))
        case ir.Compare():
            return _compare(node, source)
        case ir.In():
            found = _lift(lambda operand, *choices: operand in choices, (node.operand, *node.choices), source)
            return found if found is None else found is not node.negated
        case ir.Apply():
            return _lift(node.function.python, node.operands, source)
        case ir.If():
            condition = value(node.condition, source)
            return None if condition is None else value(node.then if condition else node.otherwise, source)
        case ir.Today():
            return source.today(node)
        case ir.Total():
            return source.total(node)
        case ir.Not():
            return _lift(lambda operand: not operand, (node.operand,), source)
    tally = source.tally(node)
    return tally.certain if tally.certain == tally.possible else None


def _absorb(deciding, answers):
    answers = list(answers)
    if deciding in answers:
        return deciding
    return None if None in answers else not deciding


def _lift(function, operands, source):
    values = [value(operand, source) for operand in operands]
    return None if None in values else function(*values)


def _compare(node, source):
    left, right = _bounds(node.left, source), _bounds(node.right, source)
    if left is None or right is None:
        return None
    (low, high), (from_, to) = left, right
    holds = _ORDER[node.operator]
    if node.operator in ("==", "!="):
        if high < from_ or low > to or _never_whole(node, left, right):
            return node.operator == "!="
        return node.operator == "==" if low == high and from_ == to else None
    answers = {holds(a, b) for a in (low, high) for b in (from_, to)}
    return answers.pop() if len(answers) == 1 else None


def _never_whole(node, left, right):
    """A count compared with a number that is not whole: equal for no possible value."""
    for side, other, bounds in ((node.left, node.right, right), (node.right, node.left, left)):
        if isinstance(side, ir.Count) and other.type is Type.DOUBLE and bounds[0] != math.floor(bounds[0]):
            return True
    return False


def _bounds(node, source):
    """(lowest, highest) possible value, or None where nothing is known."""
    if isinstance(node, ir.Count):
        tally = source.tally(node)
        return tally.certain, tally.possible
    known = value(node, source)
    return None if known is None else (known, known)


def deciding(node, source, whole=False):
    """The leaves that make the rule true, false or undetermined, in the order of the text.

    With `whole`, a computed variable is one leaf.
    """
    if whole and node.origin:
        yield node
    elif isinstance(node, ir.And | ir.Or):
        answer = value(node, source)
        for item in node.items:
            if value(item, source) is answer:
                yield from deciding(item, source, whole)
    elif isinstance(node, ir.If) and node.type is Type.BOOL:
        condition = value(node.condition, source)
        chosen = node.condition if condition is None else node.then if condition else node.otherwise
        if isinstance(chosen, ir.Literal):  # then the condition alone says it
            chosen = node.condition if condition else ir.negate(node.condition)
        yield from deciding(chosen, source, whole)
    else:
        yield node
