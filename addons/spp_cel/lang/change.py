"""The smallest change of one record that would flip a rule's outcome.

For each part of the rule the search knows the cheapest few ways to make it true, or false: at a condition,
edits of one value to the nearest one that does, or of the list that is counted; at && and ||, those of the
parts, put together or chosen from. What is proposed has been applied to the record and evaluated, so it is
right even where conditions depend on each other; where they do so in a way that no way survives, nothing
is proposed. Nor is it once the effort is spent that is allowed for one search.

The fewest edits come first, then the smallest. Whole numbers move in steps of 1, decimal ones of 0.01. What
is unknown may become known, never the other way round. No date or age is edited inside a list: members
and events come and go instead.
"""

import copy
import datetime
import itertools
from dataclasses import dataclass

from . import explain, interpret, ir
from .dates import NEVER, latest_birthdate
from .schema import Type

_WAYS = 24  # kept for each part
_ITEMS = 10  # at most so many are added to, taken from, or edited in a list
_FARTHEST = 2**47  # steps
_EFFORT = 1_000_000  # parts evaluated, about; after that nothing more is found
MAX_STEPS = 3 * _EFFORT  # and exactly: lists inside of lists take more than was estimated
_BLANK = {Type.BOOL: False, Type.INT: 0, Type.DOUBLE: 0.0, Type.STRING: "", Type.DATE: datetime.date.min}


@dataclass(frozen=True)
class Edit:
    """One edit in words, and what it does: `row` (the record, or an item of its lists) gets `values`.

    With `joins`, the row is added to that list of the record; with `leaves`, it is taken from it.
    """

    words: str
    row: dict
    values: dict
    size: float = 0.0
    joins: str = ""
    leaves: str = ""

    @property
    def touches(self):
        return id(self.row), *self.values


@dataclass(frozen=True)
class Way:
    """Edits that go together."""

    edits: tuple = ()

    @property
    def sentences(self):
        """What would have to be different, each thing once."""
        return tuple(dict.fromkeys(edit.words for edit in self.edits))

    @property
    def cost(self):
        return len(self.sentences), sum(edit.size for edit in self.edits)

    def applied(self, record):
        """A copy of the record with the edits made."""
        copies = {id(record): dict(record)} | {id(edit.row): dict(edit.row) for edit in self.edits}
        for edit in self.edits:
            copies[id(edit.row)].update(edit.values)
        gone = {id(edit.row) for edit in self.edits if edit.leaves}
        changed = copies[id(record)]
        for name, held in changed.items():
            if isinstance(held, list):
                changed[name] = [copies.get(id(item), item) for item in held if id(item) not in gone]
        for edit in self.edits:
            if edit.joins:
                changed[edit.joins].append(copies[id(edit.row)])
        return changed


def smallest(node, schema, target, source):
    """The cheapest Way to flip the outcome for the record in `source`, or None.

    A rule that is true is to become false; one that is false or undetermined, true.
    """
    wanted = interpret.value(node, source) is not True
    search = _Search(schema, target)
    ways = search.ways(node, source, target, wanted)
    if isinstance(node, ir.And | ir.Or):
        # One edit may do for several conditions at once: the rule is also tried as if it were one condition.
        ways = _cheapest([*ways, *search.edits(node, source, target, wanted)])
    for way in ways:
        if _after(node, source, target, way) is wanted:
            return way
    return None


def _after(node, source, name, way):
    """The value of a node when the record called `name` has changed."""
    return interpret.value(node, _with(source, name, way.applied(source.rows[name])))


def _with(source, name, row):
    """The source with another record in the place of one."""
    changed = copy.copy(source)
    changed.rows = {**source.rows, name: row}
    return changed


def _cheapest(ways):
    unique = {}
    for way in ways:
        unique.setdefault(way.sentences, way)
    return sorted(unique.values(), key=lambda way: way.cost)[:_WAYS]


def _together(one, other):
    """The ways to do both. Where both edit one value, or add to one list, either may do for both."""
    first, second = ({edit.touches for edit in way.edits} for way in (one, other))
    yield Way((*one.edits, *(edit for edit in other.edits if edit.touches not in first)))
    if first & second:
        yield Way((*(edit for edit in one.edits if edit.touches not in second), *other.edits))
    if {edit.joins for edit in one.edits} & {edit.joins for edit in other.edits} - {""}:
        yield from (one, other)


class _Search:
    """Finds ways to make a node true or false by changing the record called `name` in the source."""

    def __init__(self, schema, target):
        self.schema = schema
        self.target = target
        self.effort = 0

    def ways(self, node, source, name, wanted):
        """The cheapest ways, the cheapest first; none where it cannot be."""
        if interpret.value(node, source) is wanted:
            return [Way()]
        if not isinstance(node, ir.And | ir.Or):
            return _cheapest(self.edits(node, source, name, wanted))
        each = [self.ways(item, source, name, wanted) for item in node.items]
        if isinstance(node, ir.And) is not wanted:
            return _cheapest(itertools.chain.from_iterable(each))
        joined = [Way()]
        for ways in each:
            joined = _cheapest(both for one in joined for way in ways for both in _together(one, way))
        return joined

    def edits(self, leaf, source, name, wanted):
        """Ways that make a condition so: one value that it reads at a time, or one list."""

        longest = max((len(held) for held in source.rows[name].values() if isinstance(held, list)), default=0)
        effort = sum(1 for _part in ir.walk(leaf)) * (longest + 1)

        def works(*edits):
            self.effort += effort
            if self.effort > _EFFORT:
                return False
            return _after(leaf, source, name, Way(edits)) is wanted

        for part in dict.fromkeys(ir.walk(leaf)):
            if isinstance(part, ir.FieldOf) and part.record == name:
                yield from self._of_value(leaf, part, source, works)
            elif isinstance(part, ir.Count) and part.record == name:
                yield from self._of_list(part, source, works)
            elif hasattr(part, "collection") and part.record == name:
                fields = [inner for inner in ir.walk(part) if isinstance(inner, ir.FieldOf)]
                for _item, inside in itertools.islice(source.items(part), _ITEMS):
                    for inner in fields:
                        if inner.record == part.variable:
                            yield from self._of_value(leaf, inner, inside, works)

    # -- one value -----------------------------------------------------------------------------

    def _of_value(self, leaf, part, source, works):
        now, row = source.field(part), source.rows[part.record]
        in_list = part.record != self.target
        settled = in_list and (part.field.age_of or part.type is Type.DATE)
        if now is not None and (settled or row.get("withheld")):  # a withheld value is not to be told
            return

        def edit(new, words=""):
            values = _stored(part.field, new, source.as_of)
            size = 0.0 if now is None or new is None else _distance(now, new)
            return None if values is None else Edit(words, row, values, size)

        def fits(new):
            changed = edit(new)
            return changed is not None and works(changed)

        fixed = [node for node in ir.walk(leaf) if isinstance(node, ir.Literal | ir.Variable | ir.Today)]
        constants = [interpret.value(node, source) for node in fixed]
        owner = row.get("display_name") if in_list else None
        for new, bound in _candidates(leaf, part, now, constants, fits):
            yield Way((edit(new, _value_words(part.field, owner, now, new, bound)),))

    # -- a list that is counted ----------------------------------------------------------------

    def _of_list(self, count, source, works):
        for edits in self._list_edits(count, source):
            if works(*edits):
                yield Way(edits)

    def _list_edits(self, count, source):
        """Sets of edits that change how many are counted, the small ones first."""
        found = {True: [], False: [], None: []}
        for item, inside in source.items(count):
            answer = True if count.predicate is None else interpret.value(count.predicate, inside)
            found[answer].append((item, inside))
        unknown = found[None][:_ITEMS]
        learnt_true = [self._item(count, inside, True) for _item, inside in unknown]
        learnt_false = [self._item(count, inside, False) for _item, inside in unknown]
        for number in range(1, len(unknown) + 1):
            yield _flat(learnt_true[:number])
            yield _flat(learnt_false[:number])
            yield _flat([*learnt_true[:number], *learnt_false[number:]])
        for number in range(1, _ITEMS + 1):
            more = (
                self._newcomers(count, source, number),
                [self._item(count, inside, True) for _item, inside in found[False][:number]],
            )
            fewer = (
                self._leavers(count, found[True], number),
                [self._item(count, inside, False) for _item, inside in found[True][:number]],
            )
            for learnt, changes in ((learnt_true, more), (learnt_false, fewer)):
                for ways in changes:
                    if len(ways) == number:
                        yield _flat(ways)
                        yield _flat([*learnt, *ways])

    def _item(self, count, inside, wanted):
        """The cheapest way to let an item be counted for certain, or certainly not; None if there is none."""
        if count.predicate is None:
            return None
        return next(iter(self.ways(count.predicate, inside, count.variable, wanted)), None)

    def _newcomers(self, count, source, number):
        """Ways to add so many items that are counted."""
        item_type = self.schema.item_type(count.collection)
        blank = {known.name: None if known.nullable else _BLANK[known.type] for known in item_type.fields}
        blank.update(dict.fromkeys(count.collection.live_columns))
        holder = {**source.rows[count.record], count.collection.name: [blank]}
        for _item, inside in _with(source, count.record, holder).items(count):
            way = Way() if count.predicate is None else self._item(count, inside, True)
            if way:
                row = way.applied(blank)
                words, name = _number_words(count, number, "more"), count.collection.name
                return [Way((Edit(words, dict(row), {}, 1.0, joins=name),)) for _ in range(number)]
        return []

    def _leavers(self, count, items, number):
        words = _number_words(count, number, "fewer")
        name = count.collection.name
        return [Way((Edit(words, item, {}, 1.0, leaves=name),)) for item, _inside in items[:number]]


def _flat(ways):
    """The edits of several ways; none if one of them cannot be."""
    return () if None in ways else tuple(edit for way in ways for edit in way.edits)


def _number_words(count, number, comparative):
    words = explain.phrase(count.bare)
    if number == 1 and count.collection.words.endswith("s"):
        words = count.collection.words[:-1] + words[len(count.collection.words) :]
    return f"{'One' if number == 1 else number} {comparative} {words}"


def _stored(field, new, as_of):
    """The columns of a record that give the field a value; None where it cannot have it."""
    if field.age_of is None:
        return {field.name: new}
    born = latest_birthdate(new, as_of) if new >= 0 else NEVER
    return None if born == NEVER else {field.age_of.name: datetime.date.fromisoformat(born)}


def _distance(now, new):
    """How large an edit is, so that edits of different fields can be compared: relative to the value."""
    if isinstance(new, bool | str):
        return 1.0
    if isinstance(new, datetime.date):
        return abs((new - now).days) / 365
    return abs(new - now) / max(abs(now), 1)


def _candidates(leaf, part, now, constants, fits):
    """(value, bound in words) of the nearest values that fit."""
    has = leaf.operand if isinstance(leaf, ir.Not) else leaf
    if now is None and isinstance(has, ir.Has) and has.operand == part:
        yield _BLANK[part.type], ""
    elif part.type is Type.BOOL:
        yield from ((new, "yes" if new else "no") for new in (True, False) if fits(new))
    elif part.type is Type.STRING:
        yield from _texts(leaf, now, constants, fits)
    elif part.type in _GRIDS:
        yield from _numbers(part.type, now, constants, fits)


def _texts(leaf, now, constants, fits):
    texts = [text for text in dict.fromkeys(constants) if isinstance(text, str)]
    yield from ((text, f"“{text}”") for text in texts if fits(text))
    equality = isinstance(leaf, ir.In) or (isinstance(leaf, ir.Compare) and leaf.operator in ("==", "!="))
    other = "".join(texts) + "-"  # differs from each of them
    if equality and fits(other):
        yield other, f"other than {' or '.join(f'“{text}”' for text in texts)}"


def _numbers(kind, now, constants, fits):
    """The nearest number (or date) on either side that fits, on the grid of its type."""
    read, write, show = _GRIDS[kind]

    def on_grid(step):
        try:
            return fits(write(step))
        except (OverflowError, ValueError):  # no such date
            return False

    same_kind = [
        value
        for value in constants
        if isinstance(value, datetime.date) == (kind is Type.DATE) and not isinstance(value, bool | str)
    ]
    origin = read(now) if now is not None else read(same_kind[0]) if same_kind else 0
    near = {step + more for step in map(read, same_kind) for more in (-1, 0, 1)} | {origin}
    found = {step for step in near if on_grid(step)}
    if not found or now is not None:
        found |= {step for way in (1, -1) if (step := _nearest(origin, way, on_grid)) is not None}
    for side in (True, False):
        of_side = [step for step in found if (step >= origin) is side]
        if of_side:
            step = min(of_side, key=lambda step: abs(step - origin))
            lower, higher = on_grid(step - 1), on_grid(step + 1)
            less, more = (" or earlier", " or later") if kind is Type.DATE else (" or less", " or more")
            beyond = "" if lower is higher else less if lower else more
            yield write(step), show(write(step)) + beyond


def _nearest(origin, way, on_grid):
    """The first step from `origin` in a direction that fits, if what fits does so from there on."""
    least, most = 0, 1
    while not on_grid(origin + way * most):
        least, most = most, most * 2
        if most > _FARTHEST:
            return None
    while most - least > 1:
        middle = (least + most) // 2
        least, most = (least, middle) if on_grid(origin + way * middle) else (middle, most)
    return origin + way * most


def _decimal(value):
    return f"{value:.2f}" if value % 1 else f"{value:.0f}"


# how a number becomes a step of its grid, a step the number, and the number words
_GRIDS = {
    Type.INT: (lambda value: int(value // 1), int, str),
    Type.DOUBLE: (lambda value: int(value * 100 // 1), lambda step: step / 100, _decimal),
    Type.DATE: (lambda value: value.toordinal(), datetime.date.fromordinal, str),
}


def _value_words(field, owner, now, new, bound):
    known = field.age_of or field
    whose = f" of {owner}" if owner else ""
    if now is None:
        required = f"the {explain.lower(field.words)} be {bound}" if field.age_of else f"be {bound}"
        return (
            f"The {explain.lower(known.words)}{whose} must become known{f', and {required}' if bound else ''}"
        )
    label = f"{field.words[:1].upper()}{field.words[1:]}{whose}"
    if isinstance(new, int | float) and not isinstance(new, bool):
        return f"{label} {'lower' if new < now else 'higher'} by {_decimal(abs(new - now))} ({bound})"
    return f"{label}: {bound}"
