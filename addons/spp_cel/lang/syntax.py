"""The syntax tree: what was written, without types. Built by parser.py, read by check.py."""

from dataclasses import dataclass

from .errors import Position


@dataclass(frozen=True)
class Constant:
    """A literal; `kind` is int, double, string, bool or null."""

    kind: str
    value: object
    position: Position


@dataclass(frozen=True)
class Name:
    """A bare name, such as `group` or a macro's variable."""

    name: str
    position: Position


@dataclass(frozen=True)
class Select:
    """`operand.field`; the position is that of the field."""

    operand: object
    field: str
    position: Position


@dataclass(frozen=True)
class Call:
    """`function(arguments)`, or `operand.function(arguments)`; the position is that of the function."""

    function: str
    operand: object
    arguments: tuple
    position: Position


@dataclass(frozen=True)
class Operator:
    """An operator as written (`&&`, `!`, `-`, `<=`, `in`…). Chains of `&&` and of `||` are one node."""

    operator: str
    operands: tuple
    position: Position


@dataclass(frozen=True)
class Items:
    """A list literal."""

    items: tuple
    position: Position
