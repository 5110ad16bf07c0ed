"""Plain sentences: which conditions made the outcome, with the values they saw.

Works on stored facts alone, so that it says what was true when the rule was evaluated, not now.
"""

from . import interpret, ir
from .schema import Type

_WORDS = {"<": "under", "<=": "at most", ">": "over", ">=": "at least", "==": "exactly", "!=": "other than"}
_UNKNOWN = "not known"


def explain(node, facts):
    """One sentence for each condition that decided, in the order of the rule."""
    source = interpret.Facts(facts)
    return list(dict.fromkeys(_sentence(leaf, source) for leaf in interpret.deciding(node, source)))


def missing(node, source):
    """What was not known and left the rule undetermined, such as "birthdate of SANTOS, Ana"."""
    found = {}
    for leaf in interpret.deciding(node, source):
        if interpret.value(leaf, source) is None:
            found.update(dict.fromkeys(_missing_in(leaf, source)))
    return list(found)


def _missing_in(leaf, source):
    for part in _outside_counts(leaf):
        if isinstance(part, ir.FieldOf) and source.field(part) is None:
            yield _named(part, source)
        if isinstance(part, ir.Count) and part.predicate is not None:
            for _item, inside in source.items(part):
                if interpret.value(part.predicate, inside) is None:
                    yield from missing(part.predicate, inside)


def _named(part, source):
    row = source.rows[part.record]
    known = part.field.age_of or part.field
    return f"{_lower(known.words)} of {row.get('display_name') or part.record}"


def _outside_counts(node):
    yield node
    if not isinstance(node, ir.Count):
        for child in ir.children(node):
            yield from _outside_counts(child)


def _sentence(leaf, source):
    match leaf:
        case ir.Literal():
            return "The rule says yes." if leaf.value else "The rule says no."
        case ir.Has():
            return f"{_subject(leaf.operand)}: {_show(leaf.operand, source)}; it must be known."
        case ir.Not(operand=ir.Has() as has):
            return f"{_subject(has.operand)}: {_show(has.operand, source)}; it must not be known."
        case ir.Not():
            return f"{_subject(leaf.operand)}: {_show(leaf.operand, source)}; no is needed."
        case ir.In():
            choices = ", ".join(_show(choice, source) for choice in leaf.choices)
            need = f"none of {choices} is allowed" if leaf.negated else f"one of {choices} is needed"
            return f"{_subject(leaf.operand)}: {_show(leaf.operand, source)}; {need}."
        case ir.Compare():
            return _comparison(leaf, source)
    return f"{_subject(leaf)}: {_show(leaf, source)}; yes is needed."


def _comparison(leaf, source):
    if ir.is_constant(leaf.left) and not ir.is_constant(leaf.right):
        leaf = ir.Compare(ir.MIRROR[leaf.operator], leaf.right, leaf.left)
    seen = f"{_subject(leaf.left)}: {_show(leaf.left, source)}"
    if isinstance(leaf.left, ir.Count) and ir.is_constant(leaf.right):
        limit = (leaf.operator, interpret.value(leaf.right, source))
        if limit in (("==", 0), ("<=", 0), ("<", 1)):
            return f"{seen}; none is allowed."
        if limit in (("!=", 0), (">", 0)):
            return f"{seen}; at least 1 is needed."
    return f"{seen}; {_words(leaf)}{_reference(leaf.right, source)} is needed."


def _words(node):
    """The operator in words, with the space after it; a text simply is what it is compared with."""
    plain = node.operator == "==" and node.left.type is Type.STRING
    return "" if plain else f"{_WORDS[node.operator]} "


def _reference(node, source):
    """A value something is compared with, and where it comes from."""
    shown = _show(node, source)
    return shown if isinstance(node, ir.Literal) else f"{shown} ({_phrase(node)})"


def _show(node, source):
    if isinstance(node, ir.Count):
        return _show_count(node, source.tally(node))
    return _plain(interpret.value(node, source))


def _show_count(node, tally):
    if tally.certain == tally.possible:
        return str(tally.certain)
    unclear = tally.possible - tally.certain
    return f"{tally.certain} for certain, at most {tally.possible} ({_reasons(node)} of {unclear} not known)"


def _reasons(node):
    """The fields that can be what is missing inside a count."""
    inside = [part.field.age_of or part.field for part in ir.walk(node) if isinstance(part, ir.FieldOf)]
    return " or ".join(dict.fromkeys(_lower(known.words) for known in inside if known.nullable))


def _plain(value):
    if value is None:
        return _UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.15g}"
    return str(value)


def _subject(node):
    words = _phrase(node)
    return words[:1].upper() + words[1:]


def _phrase(node):
    """A value in words."""
    match node:
        case ir.FieldOf():
            return _lower(node.field.words)
        case ir.Variable():
            return node.name.replace("_", " ")
        case ir.Count(predicate=None):
            return node.collection.words
        case ir.Count():
            return f"{node.collection.words} with {_condition(node.predicate)}"
        case ir.Literal():
            return _plain(node.value)
        case ir.Arithmetic():
            sign = {"*": "×", "-": "−"}.get(node.operator, node.operator)
            return f"{_phrase(node.left)} {sign} {_phrase(node.right)}"
        case ir.Negative():
            return f"minus {_phrase(node.operand)}"
        case ir.Length():
            return f"length of {_phrase(node.operand)}"
    return ir.text(node)


def _condition(node):
    """What is asked of the items that are counted, as it follows "members with"."""
    match node:
        case ir.And():
            return " and ".join(map(_condition, node.items))
        case ir.Or():
            return " or ".join(map(_condition, node.items))
        case ir.Has():
            return f"known {_phrase(node.operand)}"
        case ir.Not(operand=ir.Has() as has):
            return f"unknown {_phrase(has.operand)}"
        case ir.Not():
            return f"{_phrase(node.operand)}: no"
        case ir.In():
            choices = ", ".join(map(_phrase, node.choices))
            return f"{_phrase(node.operand)} {'none' if node.negated else 'one'} of {choices}"
        case ir.Compare():
            return f"{_phrase(node.left)} {_words(node)}{_phrase(node.right)}"
        case ir.Literal():
            return _plain(node.value)
    return f"{_phrase(node)}: yes"


def _lower(words):
    return words[:1].lower() + words[1:]
