"""The typed form of a rule, on which everything after the checks works.

Built by check.py only, so each node is well typed. Negation is pushed down to the leaves while
building (`negate`), so `Not` appears only above a yes/no leaf; `exists` and `all` have become
comparisons of a `Count`. `text` writes a node back as CEL: it is the key of a fact.
"""

import json
from dataclasses import dataclass, field, replace

from .functions import Function
from .schema import Collection, Field, Type

INVERSE = {"<": ">=", ">=": "<", ">": "<=", "<=": ">", "==": "!=", "!=": "=="}
MIRROR = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "==": "==", "!=": "!="}


@dataclass(frozen=True)
class Node:
    """`origin` is the computed variable in whose place the node stands, as it is written: group.children,
    or !m.is_child for its opposite. It is there for explanations, and makes no other difference.
    """

    origin: str = field(default="", compare=False, kw_only=True)

    @property
    def bare(self):
        """What the computed variable stands for, spelled out."""
        return replace(self, origin="")


@dataclass(frozen=True)
class Literal(Node):
    type: Type
    value: object


@dataclass(frozen=True)
class Variable(Node):
    """`variables.name`."""

    type: Type
    name: str


@dataclass(frozen=True)
class FieldOf(Node):
    """A field of the record called `record`: the target, or a macro's variable."""

    record: str
    field: Field

    @property
    def type(self):
        return self.field.type


@dataclass(frozen=True)
class Unknown(Node):
    """`unknown('why')`: no value, with the reason."""

    type: Type
    words: str


@dataclass(frozen=True)
class Has(Node):
    """Whether a field is known."""

    operand: FieldOf
    type = Type.BOOL


@dataclass(frozen=True)
class Not(Node):
    """Negation of a yes/no leaf: Has, FieldOf or Variable."""

    operand: object
    type = Type.BOOL


@dataclass(frozen=True)
class And(Node):
    items: tuple
    type = Type.BOOL


@dataclass(frozen=True)
class Or(Node):
    items: tuple
    type = Type.BOOL


@dataclass(frozen=True)
class Compare(Node):
    operator: str
    left: object
    right: object
    type = Type.BOOL


@dataclass(frozen=True)
class In(Node):
    """`operand in [choices]`, the choices being literals and variables of the operand's kind."""

    operand: object
    choices: tuple
    negated: bool = False
    type = Type.BOOL


@dataclass(frozen=True)
class Apply(Node):
    """A function or an operator of functions.py."""

    function: Function
    operands: tuple

    @property
    def type(self):
        return self.function.type


@dataclass(frozen=True)
class If(Node):
    """`condition ? then : otherwise`; both have the same type."""

    condition: object
    then: object
    otherwise: object

    @property
    def type(self):
        return self.then.type


@dataclass(frozen=True)
class Today(Node):
    """The as-of date."""

    type = Type.DATE


@dataclass(frozen=True)
class Count(Node):
    """How many records of a collection of the target satisfy `predicate` (None: all of them count).

    Inside the predicate the record is called `variable`.
    """

    record: str
    collection: Collection
    variable: str = ""
    predicate: object = None
    type = Type.INT


@dataclass(frozen=True)
class Total(Node):
    """`sum`, `min`, `max` or `avg` of a value over the records of a collection that satisfy `predicate`.

    Missing where the condition or the value of any of them is; `min`, `max` and `avg` also of no record.
    """

    kind: str
    record: str
    collection: Collection
    variable: str
    predicate: object
    operand: object

    @property
    def type(self):
        return Type.DOUBLE if self.kind == "avg" else self.operand.type


def negate(node):
    """The opposite of a yes/no node. Missing stays missing."""
    opposite = _negated(node)
    if node.origin:
        negated = node.origin.startswith("!")
        opposite = replace(opposite, origin=node.origin[1:] if negated else f"!{node.origin}")
    return opposite


def _negated(node):
    match node:
        case Unknown():
            return node
        case If():
            return If(node.condition, negate(node.then), negate(node.otherwise))
        case Literal():
            return Literal(Type.BOOL, not node.value)
        case Not():
            return node.operand
        case And():
            return Or(tuple(map(negate, node.items)))
        case Or():
            return And(tuple(map(negate, node.items)))
        case Compare():
            return Compare(INVERSE[node.operator], node.left, node.right)
        case In():
            return In(node.operand, node.choices, not node.negated)
    return Not(node)


def children(node):
    match node:
        case And() | Or():
            return node.items
        case Compare():
            return (node.left, node.right)
        case Apply():
            return node.operands
        case If():
            return (node.condition, node.then, node.otherwise)
        case In():
            return (node.operand, *node.choices)
        case Has() | Not():
            return (node.operand,)
        case Total():
            return (node.operand,) if node.predicate is None else (node.predicate, node.operand)
        case Count(predicate=predicate) if predicate is not None:
            return (predicate,)
    return ()


def walk(node):
    """The node and everything below it, in the order of the text."""
    yield node
    for child in children(node):
        yield from walk(child)


def is_constant(node):
    """Whether the value depends on no record."""
    return not any(isinstance(part, FieldOf | Count | Total) for part in walk(node))


def facts(node, target):
    """What a rule looks at: fields of the target, variables, counts and totals, each once.

    A count inside of another one is no fact: it has another value for each item of the outer one.
    """
    found = {}
    waiting = [(node, False)]
    while waiting:
        part, inside = waiting.pop()
        listed = isinstance(part, Count | Total)
        if (
            (listed and not inside)
            or isinstance(part, Variable | Today)
            or (isinstance(part, FieldOf) and part.record == target)
        ):
            found.setdefault(text(part), part)
        waiting.extend((child, inside or listed) for child in reversed(children(part)))
    return found


def text(node, named=False):
    """The node as CEL, computed variables spelled out; if `named`, by their names."""
    if named and node.origin:
        return node.origin

    def inner(part):
        return text(part, named)

    def grouped(part):
        return _grouped(part, named)

    match node:
        case Literal():
            return _literal(node)
        case Today():
            return "today()"
        case Apply():
            return _applied(node, inner, grouped)
        case If():
            return " ".join([grouped(node.condition), "?", grouped(node.then), ":", grouped(node.otherwise)])
        case Variable():
            return f"variables.{node.name}"
        case FieldOf():
            return f"{node.record}.{node.field.name}"
        case Unknown():
            return f"unknown({json.dumps(node.words, ensure_ascii=False)})"
        case Has():
            return f"has({inner(node.operand)})"
        case Not():
            return f"!{inner(node.operand)}"
        case And() | Or():
            sign = " && " if isinstance(node, And) else " || "
            return sign.join(grouped(item) for item in node.items)
        case Compare():
            return f"{grouped(node.left)} {node.operator} {grouped(node.right)}"
        case In():
            found = f"{grouped(node.operand)} in [{', '.join(map(inner, node.choices))}]"
            return f"!({found})" if node.negated else found
    return _counted(node, inner)


def _literal(node):
    match node:
        case Literal(Type.STRING, value):
            return json.dumps(value, ensure_ascii=False)
        case Literal(Type.DATE | Type.TIMESTAMP | Type.DURATION as kind, value):
            return f"{kind.value}({json.dumps(shown(kind, value))})"
    return json.dumps(node.value)


def _counted(node, inner):
    items = f"{node.record}.{node.collection.name}"
    if node.predicate is not None:
        items += f".filter({node.variable}, {inner(node.predicate)})"
    if isinstance(node, Total):
        return f"{items}.{node.kind}({node.variable}, {inner(node.operand)})"
    return f"{items}.size()"


def _applied(node, inner, grouped):
    name, operands = node.function.name, node.operands
    match node.function.form:
        case "operator":
            return f"{grouped(operands[0])} {name} {grouped(operands[1])}"
        case "prefix":
            return f"{name}({inner(operands[0])})"
        case "method":
            return f"{grouped(operands[0])}.{name}({', '.join(map(inner, operands[1:]))})"
    return f"{name}({', '.join(map(inner, operands))})"


def _grouped(node, named=False):
    simple = not isinstance(node, And | Or | Compare | In | If | Apply)
    if isinstance(node, Apply):
        simple = node.function.form not in ("operator", "prefix")
    if named and node.origin:
        simple = True
    return text(node, named) if simple else f"({text(node, named)})"


def shown(kind, value):
    """A date, moment or length of time as its literal says it."""
    if kind is Type.DURATION:
        return f"{value / 1_000_000:f}".rstrip("0").rstrip(".") + "s"
    return value.isoformat() + ("Z" if kind is Type.TIMESTAMP else "")
