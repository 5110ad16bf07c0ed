"""Plain sentences: which conditions made the outcome, with the values they saw.

Works on stored facts alone, so that it says what was true when the rule was evaluated, not now.
"""

from . import interpret, ir
from .schema import Type

_WORDS = {"<": "under", "<=": "at most", ">": "over", ">=": "at least", "==": "exactly", "!=": "other than"}
_UNKNOWN = "not known"
#: The one fact of a record whose lists were too long to answer; its value is the number of steps.
GIVEN_UP = "given up after steps"


def explain(node, facts):
    """One sentence for each condition that decided, in the order of the rule."""
    if GIVEN_UP in facts:
        return [f"The lists are too long for this rule: no answer after {facts[GIVEN_UP]} steps."]
    source = interpret.Facts(facts)
    return list(
        dict.fromkeys(sentence(leaf, source) for leaf in interpret.deciding(node, source, whole=True))
    )


def changed(node, target, before, after):
    """Which facts turned an answer or moved an amount, with the value that each has now and had before.

    Nothing where the two were not made by this rule, or an answer is the same.
    """
    parts = ir.facts(node, target)
    if not (parts.keys() <= before.keys() and parts.keys() <= after.keys()):
        return []
    then, now = interpret.Facts(before), interpret.Facts(after)
    leaves = [node]
    if node.type is Type.BOOL:
        decided = [leaf for source in (then, now) for leaf in interpret.deciding(node, source)]
        leaves = [leaf for leaf in decided if interpret.value(leaf, then) is not interpret.value(leaf, now)]
    moved = {
        key: part
        for leaf in leaves
        for key, part in ir.facts(leaf, target).items()
        if before[key] != after[key] and not isinstance(part, ir.Today)
    }
    return [f"{subject(part)}: {show(part, now)}, before {show(part, then)}." for part in moved.values()]


def seen(node, target, facts):
    """What a rule or an amount looked at, each with the value it had: "Members: 3"."""
    source = interpret.Facts(facts)
    looked_at = ir.facts(node, target).values()
    return [f"{subject(part)}: {show(part, source)}" for part in looked_at if not isinstance(part, ir.Today)]


def missing(node, source):
    """What was not known and left the rule undetermined, such as "birthdate of SANTOS, Ana"."""
    found = {}
    for leaf in interpret.deciding(node, source):
        if interpret.value(leaf, source) is None:
            found.update(dict.fromkeys(missing_in(leaf, source)))
    return list(found)


def unknowns(node, target):
    """{fact: what is not known where that fact is missing}: "birthdate", "birthdate of members".

    For lists of many people, made by SQL from stored facts; `missing` says it exactly for one.
    """
    found = {}
    for key, part in ir.facts(node, target).items():
        if isinstance(part, ir.FieldOf):
            found[key] = lower((part.field.age_of or part.field).words)
        elif isinstance(part, ir.Count | ir.Total):
            reasons = _reasons(part)
            found[key] = f"{reasons} of {part.collection.words}" if reasons else phrase(part)
    return found


def missing_in(leaf, source):
    """What was not known of the values that a condition or value was made from."""
    for part in _outside_counts(leaf, source):
        if isinstance(part, ir.Unknown):
            yield part.words
        if isinstance(part, ir.FieldOf) and source.field(part) is None:
            yield _named(part, source)
        if isinstance(part, ir.Count | ir.Total):
            for _item, inside in source.items(part):
                for node in ir.children(part):
                    if interpret.value(node, inside) is None:
                        yield from missing(node, inside)
        if _cannot_be_computed(part, source):
            yield f"a value for {phrase(part)}, which cannot be computed"


def _cannot_be_computed(part, source):
    """Is it missing though all that it is made from is known: a division by zero, the mean of nobody?"""
    if isinstance(part, ir.Apply):
        operands = [interpret.value(operand, source) for operand in part.operands]
        return None not in operands and interpret.value(part, source) is None
    if isinstance(part, ir.Total):
        inside = [child for _item, row in source.items(part) for child in _values_in(part, row)]
        return None not in inside and interpret.value(part, source) is None
    return False


def _values_in(part, row):
    """The condition of a total for one item, and its value where it counts."""
    counts = part.predicate is None or interpret.value(part.predicate, row)
    return [counts, interpret.value(part.operand, row)] if counts else [counts]


def _named(part, source):
    row = source.rows[part.record]
    known = part.field.age_of or part.field
    return f"{lower(known.words)} of {row.get('display_name') or part.record}"


def _outside_counts(node, source):
    """The parts of a node that were looked at, without those inside of lists."""
    yield node
    children = () if isinstance(node, ir.Count | ir.Total) else ir.children(node)
    if isinstance(node, ir.If):
        condition = interpret.value(node.condition, source)
        chosen = () if condition is None else (node.then if condition else node.otherwise,)
        children = (node.condition, *chosen)
    for child in children:
        yield from _outside_counts(child, source)


def sentence(leaf, source):
    """A condition that decided, as a sentence."""
    if leaf.origin:
        return _of_variable(leaf, source)
    match leaf:
        case ir.Unknown():
            return f"{subject(leaf)}."
        case ir.Literal():
            return "The rule says yes." if leaf.value else "The rule says no."
        case ir.Has():
            return f"{subject(leaf.operand)}: {show(leaf.operand, source)}; it must be known."
        case ir.Not(operand=ir.Has() as has):
            return f"{subject(has.operand)}: {show(has.operand, source)}; it must not be known."
        case ir.Not():
            return f"{subject(leaf.operand)}: {show(leaf.operand, source)}; no is needed."
        case ir.In():
            choices = ", ".join(show(choice, source) for choice in leaf.choices)
            need = f"none of {choices} is allowed" if leaf.negated else f"one of {choices} is needed"
            return f"{subject(leaf.operand)}: {show(leaf.operand, source)}; {need}."
        case ir.Compare():
            return _comparison(leaf, source)
    return f"{subject(leaf)}: {show(leaf, source)}; yes is needed."


def _of_variable(leaf, source):
    """The sentence of a condition that has a name, and after it what it rests on."""
    negated = leaf.origin.startswith("!")
    shown = show(ir.negate(leaf) if negated else leaf, source)
    inside = interpret.deciding(leaf.bare, source, whole=True)
    reasons = dict.fromkeys(sentence(part, source).rstrip(".") for part in inside)
    need = "no" if negated else "yes"
    return f"{subject(leaf)}: {shown}; {need} is needed ({'; '.join(reasons)})."


def _comparison(leaf, source):
    if ir.is_constant(leaf.left) and not ir.is_constant(leaf.right):
        leaf = ir.Compare(ir.MIRROR[leaf.operator], leaf.right, leaf.left)
    seen = f"{subject(leaf.left)}: {show(leaf.left, source)}{_made_of(leaf.left, source)}"
    if isinstance(leaf.left, ir.Count) and ir.is_constant(leaf.right):
        limit = (leaf.operator, interpret.value(leaf.right, source))
        if limit in (("==", 0), ("<=", 0), ("<", 1)):
            return f"{seen}; none is allowed."
        if limit in (("!=", 0), (">", 0)):
            return f"{seen}; at least 1 is needed."
    return f"{seen}; {_words(leaf)}{_reference(leaf.right, source)} is needed."


def _made_of(node, source):
    """What a computed variable was computed from, in brackets."""
    if not node.origin or isinstance(node, ir.Count | ir.Total | ir.FieldOf):
        return ""
    parts = dict.fromkeys(_sources(node))
    known = "; ".join(f"{phrase(part)}: {show(part, source)}" for part in parts)
    return f" ({known})" if known else ""


def _sources(node):
    """The nearest parts with a name of their own below a node."""
    for child in ir.children(node):
        if child.origin or isinstance(child, ir.Count | ir.Total | ir.FieldOf | ir.Variable):
            yield child
        else:
            yield from _sources(child)


def _words(node):
    """The operator in words, with the space after it; a text simply is what it is compared with."""
    plain = node.operator == "==" and node.left.type is Type.STRING
    return "" if plain else f"{_WORDS[node.operator]} "


def _reference(node, source):
    """A value something is compared with, and where it comes from."""
    shown = show(node, source)
    return shown if isinstance(node, ir.Literal) else f"{shown} ({phrase(node)})"


def show(node, source):
    """A value in words."""
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
    return " or ".join(dict.fromkeys(lower(known.words) for known in inside if known.nullable))


def _plain(value):
    if value is None:
        return _UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.15g}"
    return str(value)


def subject(node):
    """The same at the beginning of a sentence."""
    words = phrase(node)
    return words[:1].upper() + words[1:]


def phrase(node):
    """What a value is called; a computed variable by its name."""
    if node.origin:
        return node.origin.rpartition(".")[2].replace("_", " ")
    match node:
        case ir.Unknown():
            return node.words
        case ir.FieldOf():
            return lower(node.field.words)
        case ir.Variable():
            return node.name.replace("_", " ")
        case ir.Count(predicate=None):
            return node.collection.words
        case ir.Count():
            return f"{node.collection.words} with {_condition(node.predicate)}"
        case ir.Literal():
            return _plain(node.value)
        case ir.Apply():
            return _applied(node)
        case ir.If():
            return f"{phrase(node.then)} if {_condition(node.condition)}, else {phrase(node.otherwise)}"
        case ir.Today():
            return "today"
        case ir.Total():
            name = {"sum": "sum", "min": "least", "max": "greatest", "avg": "mean"}[node.kind]
            who = node.collection.words
            if node.predicate is not None:
                who += f" with {_condition(node.predicate)}"
            return f"{name} of {phrase(node.operand)} of {who}"
    return ir.text(node)


def _applied(node):
    function = node.function
    parts = [phrase(operand) for operand in node.operands]
    if function.words:
        return function.words.format(*parts)
    if function.form == "prefix":
        return f"minus {parts[0]}"
    if function.form == "operator":
        sign = {"*": "×", "-": "−", "/": "÷", "%": "modulo"}.get(function.name, function.name)
        grouped = [
            f"({part})" if isinstance(operand, ir.Apply) and operand.function.form == "operator" else part
            for part, operand in zip(parts, node.operands, strict=True)
        ]
        return f"{grouped[0]} {sign} {grouped[1]}"
    name = function.name.removeprefix("get")
    return f"{name} of {', '.join(parts)}"


def _condition(node):
    """What is asked of the items that are counted, as it follows "members with"."""
    if node.origin:
        return f"{phrase(node)}: {'no' if node.origin.startswith('!') else 'yes'}"
    match node:
        case ir.And():
            return " and ".join(map(_condition, node.items))
        case ir.Or():
            return " or ".join(map(_condition, node.items))
        case ir.Has():
            return f"known {phrase(node.operand)}"
        case ir.Not(operand=ir.Has() as has):
            return f"unknown {phrase(has.operand)}"
        case ir.Not():
            return f"{phrase(node.operand)}: no"
        case ir.In():
            choices = ", ".join(map(phrase, node.choices))
            return f"{phrase(node.operand)} {'none' if node.negated else 'one'} of {choices}"
        case ir.Compare(operator="!=") if node.left == node.right:
            return f"unknown {phrase(node.left)}"  # nothing known differs from itself
        case ir.Compare():
            return f"{phrase(node.left)} {_words(node)}{phrase(node.right)}"
        case ir.Literal():
            return _plain(node.value)
    return f"{phrase(node)}: yes"


def lower(words):
    """A label inside of a sentence."""
    return words[:1].lower() + words[1:]
