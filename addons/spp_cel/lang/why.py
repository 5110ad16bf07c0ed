"""Why, why not: a rule as a tree of parts for one record, each with what it was and what it saw.

Unlike explain.py, which makes sentences from stored facts, this looks at the record itself, and so can
name each member that was counted, was not, or is in doubt. It knows conditions, values and lists; a
kind of node it has never heard of is shown as its CEL text, with its value and its parts.
"""

from dataclasses import asdict, dataclass, field

from . import explain, interpret, ir
from .schema import Type

SHOWN_ITEMS = 20  # of each state
_STATES = {True: "true", False: "false", None: "missing"}


@dataclass
class Item:
    """One record of a list, such as a member: its name, its state, and the values looked at."""

    name: str
    state: str
    shown: list


@dataclass
class Part:
    """One part of a rule.

    `state` is true, false or missing for a condition, value or missing for anything else. `because`
    says which fields are not known where the state is missing. `decides` tells whether the part
    made the outcome. `variable` is the computed variable that the part is, as it is written; what it
    stands for is its only child. `items` are those of the lists counted here, at most SHOWN_ITEMS of each state;
    `more` says how many were left out, by state.
    """

    text: str
    words: str
    state: str
    value: str
    decides: bool
    variable: str = ""
    because: list = field(default_factory=list)
    children: list = field(default_factory=list)
    items: list = field(default_factory=list)
    more: dict = field(default_factory=dict)

    def as_dict(self):
        """The tree as plain data."""
        return asdict(self)


def why(node, source):
    """The tree of a rule's node for the record in `source` (interpret.Records)."""
    return _part(node, source, decides=True)


def _part(node, source, decides):
    part = Part(
        ir.text(node, named=True), _words(node, source), _state(node, source), _shown(node, source), decides
    )
    if part.state == "missing":
        part.because = list(dict.fromkeys(explain.missing_in(node, source)))
    if node.origin:
        part.variable = node.origin.removeprefix("!")
        part.because = explain.missing(node, source) if part.state == "missing" else []
        part.children = [_part(node.bare, source, decides)]
    elif isinstance(node, ir.And | ir.Or):
        part.because = explain.missing(node, source) if part.state == "missing" else []
        answer = interpret.value(node, source)
        part.children = [
            _part(item, source, decides and interpret.value(item, source) is answer) for item in node.items
        ]
    elif hasattr(node, "collection"):
        part.items, part.more = _items(node, source)
    else:
        _add_operands(part, node, source)
    return part


def _add_operands(part, node, source):
    """The parts that a condition or calculation is made of, where its own words do not say it all."""
    operands = [_converted(child) for child in ir.children(node) if not ir.is_constant(child)]
    if len(operands) == 1 and not operands[0].origin:
        (only,) = operands
        if not isinstance(only, ir.FieldOf):
            inner = _part(only, source, part.decides)
            part.children, part.items, part.more = inner.children, inner.items, inner.more
    else:
        part.children = [_part(operand, source, part.decides) for operand in operands]


def _converted(node):
    """What a conversion such as double(…) converts: both are the same value to a reader."""
    while isinstance(node, ir.Apply) and node.function.words == "{0}" and not node.origin:
        (node,) = node.operands
    return node


def _state(node, source):
    answer = interpret.value(node, source)
    return _STATES[answer] if node.type is Type.BOOL or answer is None else "value"


def _shown(node, source):
    if isinstance(node, ir.And | ir.Or) and not node.origin:
        return ""  # its parts have values
    if isinstance(node, ir.Compare) and ir.is_constant(node.left):
        return explain.show(node.right, source)
    if isinstance(node, ir.Compare | ir.In | ir.Not | ir.Has):
        return explain.show(ir.children(node)[0], source)
    return explain.show(node, source)


def _words(node, source):
    if node.origin and node.type is Type.BOOL:
        negated = node.origin.startswith("!")
        shown = explain.show(ir.negate(node) if negated else node, source)
        return f"{explain.subject(node)}: {shown}; {'no' if negated else 'yes'} is needed."
    match node:
        case ir.And():
            return "All of these:"
        case ir.Or():
            return "At least one of these:"
    if node.type is Type.BOOL:
        return explain.sentence(node, source)
    return f"{explain.subject(node)}: {explain.show(node, source)}"


def _items(node, source):
    """What is known of each item of a list, those that satisfy its condition first."""
    found = {"true": [], "false": [], "missing": [], "value": []}
    predicate = getattr(node, "predicate", None)
    for number, (item, inside) in enumerate(source.items(node), start=1):
        state = "value" if predicate is None else _STATES[interpret.value(predicate, inside)]
        shown = [] if item.get("withheld") else _looked_at(node, inside)
        found[state].append(Item(name_of(item, node.collection, number), state, shown))
    more = {state: len(items) - SHOWN_ITEMS for state, items in found.items() if len(items) > SHOWN_ITEMS}
    return [item for items in found.values() for item in items[:SHOWN_ITEMS]], more


def name_of(item, collection, number):
    """What an item is called: its name, or its place in the list."""
    return item.get("display_name") or f"{collection.item_type} {number}"


def _looked_at(node, inside):
    """The values of an item that its list's condition reads, as "age: 4"."""
    fields = [
        part
        for part in ir.walk(node)
        if isinstance(part, ir.FieldOf) and part.record == node.variable and part.record in inside.rows
    ]
    return list(dict.fromkeys(f"{explain.phrase(part)}: {explain.show(part, inside)}" for part in fields))
