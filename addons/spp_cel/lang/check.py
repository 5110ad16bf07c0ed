"""Third stage: what was written, held against the schema and the types; the typed IR comes out.

Everything that a rule may say is decided here, so that the later stages meet no surprise. Names and types
are looked up once, a computed variable is put in place of its name (as IR, never as text), and what reads
better in another form gets it: `exists` and `all` become comparisons of a count, a macro over a list that
was written out becomes its cases.
"""

import itertools
from dataclasses import dataclass, replace

from . import functions, interpret, ir, ranges, syntax
from .errors import RuleError, closest
from .parser import parse
from .schema import DOUBLE_LEAST, DOUBLE_MOST, Type

MAX_NODES = 600
MAX_EXPANSIONS = 60  # of computed variables, those inside of others included
MAX_MACROS = 2  # one inside the other

_MACROS = ("filter", "exists", "all", "exists_one", "count", "sum", "min", "max", "avg", "map")
_READ = {  # functions whose text is read while the rule is checked
    "date": (Type.DATE, functions.read_date, "'2026-01-31'"),
    "timestamp": (Type.TIMESTAMP, functions.read_timestamp, "'2026-01-31T08:00:00Z'"),
    "duration": (Type.DURATION, functions.read_duration, "'36h'"),
}
_TOTALS = ("sum", "min", "max", "avg")
_OTHERS = ("has", "size", "get", "today", "unknown", *_MACROS, *_READ)
_ONE, _ZERO = ir.Literal(Type.INT, 1), ir.Literal(Type.INT, 0)


def check(tree, schema, target, variables, computed):
    """The typed condition. `variables` maps names to schema.Constant, `computed` (type, name) to a text."""
    checker = _Checker(schema, target, variables, computed)
    return _limited(checker.yes_no(tree))


def check_value(tree, schema, target, variables, computed):
    """As `check`, for a text that yields a value of any scalar type."""
    checker = _Checker(schema, target, variables, computed)
    return _limited(checker.value(tree))


def _limited(node):
    """The node, if it is not too large. Parts can occur many times, so nobody walks further than that."""
    if sum(1 for _part in itertools.islice(ir.walk(node), MAX_NODES + 1)) > MAX_NODES:
        raise RuleError(f"The rule is too large: at most {MAX_NODES} parts, with those of its variables.")
    return node


@dataclass(frozen=True)
class _Record:
    """What a name in scope stands for: a record, called `name` in the IR."""

    name: str
    record_type: object
    type_name: str  # without the fields that come from a collection's link


@dataclass(frozen=True)
class _Items:
    """A collection, maybe filtered."""

    record: str
    collection: object
    variable: str = ""
    predicate: object = None

    def count(self, predicate=None):
        """How many satisfy the filters so far, and `predicate`."""
        joined = _all_of([part for part in (self.predicate, predicate) if part is not None])
        return ir.Count(self.record, self.collection, self.variable if joined else "", joined)


@dataclass(frozen=True)
class _Values:
    """`items.map(m, operand)`: one value for each item. What is asked of it is asked of the items."""

    items: _Items
    operand: object


@dataclass(frozen=True)
class _List:
    """A list that was written out: its items, and for each the condition under which it is in (or None)."""

    items: tuple
    conditions: tuple = ()

    @classmethod
    def of(cls, items):
        return cls(tuple(items), (None,) * len(items))

    @property
    def plain(self):
        return not any(self.conditions)

    def whole(self, node):
        """`node`, missing where one of the items is: a list is made before anything is done with it."""
        items = [item for item in self.items if not isinstance(item, ir.Literal)]
        if not items:
            return node
        known = _all_of(
            [
                _any_of([item, ir.negate(item)]) if item.type is Type.BOOL else ir.Compare("==", item, item)
                for item in items
            ]
        )
        if node.type is Type.INT:
            return _limited(ir.If(known, node, _ZERO))
        return _limited(ir.If(known, node, ir.Literal(Type.BOOL, False)))


class _Circle(RuleError):
    """Computed variables that need each other: in the text of none of them alone."""


class _Checker:
    def __init__(self, schema, target, variables, computed):
        self.schema = schema
        self.target = target
        self.variables = variables
        self.computed = computed
        # name as written → _Record, or the node that it stands for
        self.scope = {target: _Record(target, schema.record_types[target], target)}
        self.macros = 0
        self.expanding = []
        self.expansions = 0

    # -- what may stand where ------------------------------------------------------------------

    def yes_no(self, tree):
        node = self.value(tree)
        if node.type is not Type.BOOL:
            raise RuleError(f"A condition is expected here, but this is {node.type.words}.", tree.position)
        return node

    def value(self, tree):
        """A node with one of the scalar types."""
        return self._scalar(self.any(tree), tree)

    @staticmethod
    def _scalar(node, tree):
        if isinstance(node, _Items):
            raise RuleError(
                f"“{node.collection.name}” is a list; use it with .size(), .exists(…) or .all(…).",
                tree.position,
            )
        if isinstance(node, _List | _Values):
            raise RuleError("A list cannot stand here.", tree.position)
        return node

    def any(self, tree):
        match tree:
            case syntax.Constant(kind="null"):
                raise RuleError(
                    "“null” can only be compared with a field: individual.income == null.", tree.position
                )
            case syntax.Constant():
                return self._literal(tree)
            case syntax.Name():
                return self._name(tree)
            case syntax.Select():
                return self._select(tree)
            case syntax.Call():
                return self._call(tree)
            case syntax.Items():
                return _List.of([self.value(item) for item in tree.items])
        return self._operator(tree)

    @staticmethod
    def _literal(tree):
        value = tree.value
        if tree.kind == "double" and value and not DOUBLE_LEAST <= abs(value) <= DOUBLE_MOST:
            raise RuleError("This decimal number is too large, or too close to zero.", tree.position)
        return ir.Literal(Type(tree.kind), value)

    # -- names ---------------------------------------------------------------------------------

    def _name(self, tree):
        meaning = self.scope.get(tree.name)
        if isinstance(meaning, _Record):
            raise RuleError(f"Say which field of “{tree.name}” is meant: {tree.name}.….", tree.position)
        if meaning is not None:
            return meaning
        if tree.name == "variables":
            raise RuleError("Say which variable is meant: variables.….", tree.position)
        raise self._unknown_name(tree)

    def _unknown_name(self, tree):
        if tree.name in self.schema.record_types:
            return RuleError(
                f"This rule is about one {self.target}: there is no “{tree.name}” here.",
                tree.position,
                self.target,
            )
        record_type = self.schema.record_types[self.target]
        own = (self.target, tree.name) in self.computed
        if own or record_type.field(tree.name) or record_type.collection(tree.name):
            return RuleError(f"“{tree.name}” needs its record.", tree.position, f"{self.target}.{tree.name}")
        if tree.name in self.variables:
            return RuleError(f"“{tree.name}” is a variable.", tree.position, f"variables.{tree.name}")
        names = (*self.scope, "variables")
        return RuleError(f"“{tree.name}” is not known.", tree.position, closest(tree.name, names))

    def _select(self, tree):
        if not isinstance(tree.operand, syntax.Name):
            raise RuleError(f"“.{tree.field}” cannot be read from this.", tree.position)
        root = tree.operand.name
        meaning = self.scope.get(root)
        if isinstance(meaning, _Record):
            return self._field(tree, meaning)
        if meaning is not None:
            raise RuleError(f"“{root}” is {meaning.type.words}; it has no fields.", tree.position)
        if root == "variables":
            return self._variable(tree)
        raise self._unknown_name(tree.operand)

    def _field(self, tree, record):
        record_type = record.record_type
        if found := record_type.field(tree.field):
            return ir.FieldOf(record.name, found)
        if found := record_type.collection(tree.field):
            if record.name != self.target:
                raise RuleError(
                    f"“{tree.field}” can only be read of the {self.target} itself.", tree.position
                )
            return _Items(record.name, found)
        if (record.type_name, tree.field) in self.computed:
            return self._expanded(tree, record)
        names = [known.name for known in (*record_type.fields, *record_type.collections)]
        names += [name for kind, name in self.computed if kind == record.type_name]
        raise RuleError(
            f"“{tree.operand.name}” has no field “{tree.field}”.", tree.position, closest(tree.field, names)
        )

    def _variable(self, tree):
        if tree.field in self.variables:
            return ir.Variable(self.variables[tree.field].type, tree.field)
        suggestion = closest(tree.field, self.variables)
        raise RuleError(f"There is no variable “{tree.field}”.", tree.position, suggestion)

    def _expanded(self, tree, record):
        """A computed variable: its own text, checked where it stands for the record it is about."""
        key = (record.type_name, tree.field)
        if key in self.expanding:
            names = " → ".join(name for _kind, name in (*self.expanding[self.expanding.index(key) :], key))
            raise _Circle(f"These variables need each other: {names}.", tree.position)
        self.expansions += 1
        if self.expansions > MAX_EXPANSIONS:
            raise RuleError("The computed variables of this rule are too many.", tree.position)
        scope, self.scope = self.scope, {record.type_name: record}
        self.expanding.append(key)
        try:
            node = _limited(self.value(parse(self.computed[key])))
            return replace(node, origin=f"{record.name}.{tree.field}")
        except _Circle:
            raise
        except RuleError as error:
            if len(self.expanding) > 1:
                raise
            message = f"In the variable “{tree.field}”: {error.message}"
            raise RuleError(message, tree.position, error.suggestion, variable=tree.field) from None
        finally:
            self.expanding.pop()
            self.scope = scope

    # -- functions and macros ------------------------------------------------------------------

    def _call(self, tree):
        name, is_method = tree.function, tree.operand is not None
        handler = {
            ("has", False): self._has,
            ("get", False): self._get,
            ("size", False): self._size,
            ("size", True): self._size,
            ("today", False): self._today,
            ("unknown", False): self._unknown,
        }.get((name, is_method))
        if handler:
            return handler(tree)
        if name in _READ and not is_method and self._is_read(tree):
            return self._read(tree)
        if name in _TOTALS and is_method and not tree.arguments:
            return self._total_of_values(tree)
        if name in _MACROS and is_method:
            return self._macro(tree)
        if name in functions.BY_NAME and any(
            known.form == ("method" if is_method else "call") for known in functions.BY_NAME[name]
        ):
            operands = ([tree.operand] if is_method else []) + list(tree.arguments)
            return self._applied(tree, [self.value(operand) for operand in operands])
        if name in (*_OTHERS, *functions.BY_NAME):
            wrong = f"group.members.{name}(m, …)" if name in _MACROS else f"{name}(…)"
            usage = wrong if is_method or name in _MACROS else f"a.{name}(…)"
            raise RuleError(f"“{name}” is written differently: {usage}.", tree.position)
        names = [*_OTHERS, *(known for known in functions.BY_NAME if known[0].isalpha())]
        raise RuleError(f"There is no function “{name}”.", tree.position, closest(name, names))

    def _applied(self, tree, operands):
        """The overload of a function, or of an operator, for these operands."""
        name = tree.function if isinstance(tree, syntax.Call) else tree.operator
        found = functions.find(name, [operand.type for operand in operands])
        if found:
            node = ir.Apply(found, tuple(operands))
            self._check_literals(node, tree)
            return node
        kinds = " and ".join(operand.type.words for operand in operands) or "nothing"
        if name in "+-*/%" and {operand.type for operand in operands} == {Type.INT, Type.DOUBLE}:
            raise RuleError(
                f"“{name}” needs two whole numbers or two decimal numbers; "
                "write 12.0 or double(…) where a decimal number is meant.",
                tree.position,
            )
        raise RuleError(f"“{name}” cannot be used with {kinds}.", tree.position)

    @staticmethod
    def _check_literals(node, tree):
        """What a function needs written out: a pattern, a number of digits."""
        name, last = node.function.name, node.operands[-1]
        if name == "matches":
            if not isinstance(last, ir.Literal) or len(last.value) > 100:
                raise RuleError("A pattern is a text of at most 100 characters: 'A.*'.", tree.position)
            try:
                functions.re2.compile(last.value)
            except functions.re2.error:
                raise RuleError("This pattern cannot be read.", tree.position) from None
        zone = node.function.operands == (Type.TIMESTAMP, Type.STRING)
        if zone and not (isinstance(last, ir.Literal) and functions.zone(last.value)):
            raise RuleError(
                "A time zone is written out: 'Africa/Nairobi', or '+03:00' for a fixed distance from UTC.",
                tree.position,
            )
        if name == "round" and not (isinstance(last, ir.Literal) and 0 <= last.value <= 10):
            raise RuleError("The number of digits is written out, from 0 to 10: round(x, 2).", tree.position)

    def _arguments(self, tree, number, usage):
        if len(tree.arguments) != number:
            raise RuleError(f"“{tree.function}” is used like this: {usage}.", tree.position)
        return tree.arguments

    def _today(self, tree):
        self._arguments(tree, 0, "today()")
        return ir.Today()

    def _unknown(self, tree):
        usage = "a condition ? a value : unknown('why it is not known')"
        (argument,) = self._arguments(tree, 1, usage)
        written = isinstance(argument, syntax.Constant) and argument.kind == "string"
        if not written or not argument.value.strip():
            raise RuleError(f"The reason is written out: {usage}.", argument.position)
        return ir.Unknown(Type.BOOL, argument.value)

    @staticmethod
    def _is_read(tree):
        """Whether the argument is written out; a moment may also be given in seconds, by a function."""
        if len(tree.arguments) != 1 or not isinstance(tree.arguments[0], syntax.Constant):
            return False
        return (tree.function, tree.arguments[0].kind) != ("timestamp", "int")

    def _read(self, tree):
        kind, read, example = _READ[tree.function]
        argument = tree.arguments[0]
        value = read(argument.value) if argument.kind == "string" else None
        if value is None:
            raise RuleError(f"This is not {kind.words}: write {tree.function}({example}).", argument.position)
        return ir.Literal(kind, value)

    def _known_or(self, tree, usage):
        node = self.any(tree) if isinstance(tree, syntax.Select) else None
        if node is None or isinstance(node, _Items | _List | _Values | ir.Variable):
            raise RuleError(f"“{usage.partition('(')[0]}” asks about a field: {usage}.", tree.position)
        return node

    def _has(self, tree):
        (operand,) = self._arguments(tree, 1, "has(individual.income)")
        return self._known(self._known_or(operand, "has(individual.income)"))

    def _get(self, tree):
        usage = "get(individual.income, 0.0)"
        field, default = self._arguments(tree, 2, usage)
        node, otherwise = self._known_or(field, usage), self.value(default)
        self._same_type(node, otherwise, tree)
        return ir.If(self._known(node), node, otherwise)

    @staticmethod
    def _known(node):
        if isinstance(node, ir.FieldOf) and not node.field.nullable:
            return ir.Literal(Type.BOOL, True)
        return ir.Has(node)

    def _size(self, tree):
        if tree.operand is None:
            (operand,) = self._arguments(tree, 1, "size(group.members)")
        else:
            self._arguments(tree, 0, "group.members.size()")
            operand = tree.operand
        node = self.any(operand)
        if isinstance(node, _Items):
            return node.count()
        if isinstance(node, _Values):
            return node.items.count()
        if isinstance(node, _List):
            return node.whole(self._number_of(node))
        if node.type is Type.STRING:
            return ir.Apply(functions.find("size", [Type.STRING]), (node,))
        raise RuleError(f"“size” counts a list or a text, but this is {node.type.words}.", operand.position)

    @staticmethod
    def _number_of(items):
        """How many items a written list has."""
        if items.plain:
            return ir.Literal(Type.INT, len(items.items))
        add = functions.find("+", [Type.INT, Type.INT])
        total = _ZERO
        for condition in items.conditions:
            one = _ONE if condition is None else ir.If(condition, _ONE, _ZERO)
            total = one if total is _ZERO else ir.Apply(add, (total, one))
        return total

    def _macro(self, tree):
        usage = f"group.members.{tree.function}(m, m.age < 5)"
        if tree.function in (*_TOTALS, "map"):
            usage = f"group.members.{tree.function}(m, m.income)"
        if tree.function == "map" and len(tree.arguments) == 3:
            return self._filtered_map(tree)
        items = self.any(tree.operand)
        if not isinstance(items, _Items | _List | _Values):
            raise RuleError(f"“{tree.function}” needs a list before it: {usage}.", tree.position)
        name, body = self._arguments(tree, 2, usage)
        if not isinstance(name, syntax.Name):
            raise RuleError(f"A name for each item is expected here: {usage}.", name.position)
        if name.name in (*self.schema.record_types, "variables"):
            raise RuleError(
                f"“{name.name}” already has a meaning; use another name, such as m.", name.position
            )
        if self.macros >= MAX_MACROS:
            raise RuleError(f"Lists stand inside each other at most {MAX_MACROS} deep.", tree.position)
        self.macros += 1
        handler = {_List: self._over_list, _Items: self._over_records, _Values: self._over_values}[
            type(items)
        ]
        node = handler(tree, items, name.name, body)
        self.macros -= 1
        return node

    def _inside(self, name, meaning, check, tree):
        """`tree` checked where `name` has a meaning of its own."""
        outer = self.scope
        self.scope = {**outer, name: meaning}
        try:
            return check(tree)
        finally:
            self.scope = outer

    def _over_records(self, tree, items, name, body):
        variable = items.variable or self._free(name)
        item = _Record(variable, self.schema.item_type(items.collection), items.collection.item_type)
        items = _Items(items.record, items.collection, variable, items.predicate)
        if tree.function == "map":
            return _Values(items, self._inside(name, item, self.value, body))
        if tree.function in _TOTALS:
            return self._total(tree, items, self._inside(name, item, self.value, body))
        return self._asked(tree.function, items, self._inside(name, item, self.yes_no, body))

    def _over_values(self, tree, values, name, body):
        """A macro over mapped records: the name stands for the value of each."""
        items = values.items
        # what the records are called is taken, though it cannot be written here
        hidden = {f"({items.variable})": _Record(items.variable, None, "")}
        outer, self.scope = self.scope, {**self.scope, **hidden}
        try:
            if tree.function == "map":
                return _Values(items, _limited(self._inside(name, values.operand, self.value, body)))
            if tree.function in _TOTALS:
                operand = self._inside(name, values.operand, self.value, body)
                return self._total(tree, items, _limited(operand))
            predicate = _limited(self._inside(name, values.operand, self.yes_no, body))
        finally:
            self.scope = outer
        asked = self._asked(tree.function, items, predicate)
        return _Values(asked, values.operand) if isinstance(asked, _Items) else asked

    def _filtered_map(self, tree):
        """`map(m, condition, value)` is `filter(m, condition).map(m, value)`."""
        name, condition, value = tree.arguments
        kept = syntax.Call("filter", tree.operand, (name, condition), tree.position)
        return self._macro(syntax.Call("map", kept, (name, value), tree.position))

    def _total_of_values(self, tree):
        values = self.any(tree.operand)
        if not isinstance(values, _Values):
            usage = f"group.members.{tree.function}(m, m.income)"
            raise RuleError(f"“{tree.function}” is used over records: {usage}.", tree.position)
        return self._total(tree, values.items, values.operand)

    @staticmethod
    def _asked(kind, items, predicate):
        """What a macro with a condition asks of records."""
        match kind:
            case "filter":
                return replace(items, predicate=items.count(predicate).predicate)
            case "count":
                return items.count(predicate)
            case "exists":
                return ir.Compare(">=", items.count(predicate), _ONE)
            case "exists_one":
                return ir.Compare("==", items.count(predicate), _ONE)
        return ir.Compare("==", items.count(ir.negate(predicate)), _ZERO)

    def _free(self, name):
        """The name, or another where an outer macro already calls its item so."""
        taken = {meaning.name for meaning in self.scope.values() if isinstance(meaning, _Record)}
        while name in taken:
            name += "_"
        return name

    def _total(self, tree, items, operand):
        allowed = (Type.INT, Type.DOUBLE)
        if tree.function in ("min", "max"):
            allowed += (Type.DATE, Type.STRING)
        if operand.type not in allowed:
            raise RuleError(f"“{tree.function}” cannot be used with {operand.type.words}.", tree.position)
        return ir.Total(
            tree.function, items.record, items.collection, items.variable, items.predicate, operand
        )

    def _over_list(self, tree, items, name, body):
        """A macro over a list that was written out: one case for each item."""
        kind = tree.function
        check = self.value if kind in ("map", *_TOTALS) else self.yes_no
        cases = [_limited(self._inside(name, item, check, body)) for item in items.items]
        if kind == "map":
            if not items.plain:
                raise RuleError("“map” of a filtered list is not supported.", tree.position)
            return _List.of(cases)
        if check is self.value:
            raise RuleError(f"“{kind}” is used over records: group.members.{kind}(m, …).", tree.position)
        conditions = [
            case if condition is None else _all_of([condition, case])
            for condition, case in zip(items.conditions, cases, strict=True)
        ]
        if kind == "filter":
            return _List(*_kept(items.items, conditions))
        kept = _List(items.items, tuple(conditions))
        if kind in ("count", "exists_one"):
            number = self._number_of(kept) if kept.items else _ZERO
            return items.whole(number if kind == "count" else ir.Compare("==", number, _ONE))
        if kind == "exists":
            return items.whole(_any_of(conditions) or ir.Literal(Type.BOOL, False))
        if not items.plain:
            cases = [
                case if condition is None else _any_of([ir.negate(condition), case])
                for condition, case in zip(items.conditions, cases, strict=True)
            ]
        return items.whole(_all_of(cases) or ir.Literal(Type.BOOL, True))

    # -- operators -----------------------------------------------------------------------------

    def _operator(self, tree):
        if tree.operator in ("&&", "||"):
            kind = ir.And if tree.operator == "&&" else ir.Or
            return _junction(kind, [self.yes_no(operand) for operand in tree.operands])
        if tree.operator == "!":
            return ir.negate(self.yes_no(tree.operands[0]))
        if tree.operator == "?:":
            return self._choice(tree)
        if tree.operator == "[]":
            return self._item(tree)
        if tree.operator == "in":
            return self._in(tree)
        if tree.operator in ir.INVERSE:
            return self._comparison(tree)
        operands = [self.any(operand) for operand in tree.operands]
        if tree.operator == "+" and all(isinstance(operand, _List) for operand in operands):
            left, right = operands
            return _List(left.items + right.items, left.conditions + right.conditions)
        # what an operand is was asked once: twice would double with each level of the text
        return self._applied(tree, list(map(self._scalar, operands, tree.operands)))

    def _choice(self, tree):
        condition, then, otherwise = tree.operands
        condition, then, otherwise = self.yes_no(condition), self.value(then), self.value(otherwise)
        if isinstance(then, ir.Unknown):  # of the kind that the other side has
            then = replace(then, type=otherwise.type)
        elif isinstance(otherwise, ir.Unknown):
            otherwise = replace(otherwise, type=then.type)
        self._same_type(then, otherwise, tree)
        return ir.If(condition, then, otherwise)

    @staticmethod
    def _same_type(left, right, tree):
        if left.type is not right.type:
            words = f"{left.type.words} and {right.type.words}"
            raise RuleError(f"Both cases must be of one kind, but these are {words}.", tree.position)

    def _item(self, tree):
        items, index = self.any(tree.operands[0]), tree.operands[1]
        if not isinstance(items, _List) or not items.plain:
            raise RuleError("Only a list that is written out is read with [ ].", tree.position)
        number = self.value(index)
        if not (isinstance(number, ir.Literal) and number.type is Type.INT):
            raise RuleError("The number of an item is written out: ['a', 'b'][0].", index.position)
        if not 0 <= number.value < len(items.items):
            raise RuleError(f"The list has no item {number.value}; the first one is 0.", index.position)
        return items.items[number.value]

    def _comparison(self, tree):
        if any(isinstance(operand, syntax.Constant) and operand.kind == "null" for operand in tree.operands):
            return self._null_comparison(tree)
        left, right = map(self.any, tree.operands)
        if isinstance(left, _List) and isinstance(right, _List):
            return self._list_comparison(tree, left, right)
        left, right = map(self.value, tree.operands)
        return self._compared(tree.operator, left, right, tree)

    def _compared(self, operator, left, right, tree):
        if Type.BOOL in (left.type, right.type):
            return self._bool_comparison(operator, left, right, tree)
        self._comparable(left, right, tree)
        return ir.Compare(operator, left, right)

    def _null_comparison(self, tree):
        """`field == null` asks whether the field is unknown."""
        usage = "“null” can only be compared with a field: individual.income == null."
        fields = [
            operand
            for operand in tree.operands
            if not (isinstance(operand, syntax.Constant) and operand.kind == "null")
        ]
        if len(fields) != 1 or tree.operator not in ("==", "!="):
            raise RuleError(usage, tree.position)
        node = self.any(fields[0]) if isinstance(fields[0], syntax.Select) else None
        if node is None or isinstance(node, _Items | _List | _Values | ir.Variable):
            raise RuleError(usage, tree.position)
        known = self._known(node)
        return known if tree.operator == "!=" else ir.negate(known)

    def _bool_comparison(self, operator, left, right, tree):
        if left.type is not right.type:
            raise RuleError(
                f"{left.type.words} cannot be compared with {right.type.words}.".capitalize(), tree.position
            )
        if operator not in ("==", "!="):
            raise RuleError("Two conditions have no order; compare them with == or !=.", tree.position)
        if isinstance(left, ir.Literal):
            left, right = right, left
        if isinstance(right, ir.Literal):
            return left if right.value == (operator == "==") else ir.negate(left)
        both = _all_of([left, right])
        neither = _all_of([ir.negate(left), ir.negate(right)])
        same = _any_of([both, neither])
        return same if operator == "==" else ir.negate(same)

    def _list_comparison(self, tree, left, right):
        if tree.operator not in ("==", "!=") or not (left.plain and right.plain):
            raise RuleError("Lists are compared with == or !=.", tree.position)
        if len(left.items) != len(right.items):
            same = ir.Literal(Type.BOOL, False)
        else:
            same = _all_of(
                [self._compared("==", a, b, tree) for a, b in zip(left.items, right.items, strict=True)]
            ) or ir.Literal(Type.BOOL, True)
        same = left.whole(right.whole(same))
        return same if tree.operator == "==" else ir.negate(same)

    def _comparable(self, left, right, tree):
        if left.type is right.type:
            return
        if not (left.type.numeric and right.type.numeric):
            raise RuleError(
                f"{left.type.words} cannot be compared with {right.type.words}.".capitalize(), tree.position
            )
        whole = left if left.type is Type.INT else right
        if not ranges.exact_as_double(whole):
            raise RuleError(
                "This whole number may be too large to compare with a decimal number.", tree.position
            )

    def _in(self, tree):
        operand, items = tree.operands
        choices = self.any(items) if not isinstance(items, syntax.Constant) else None
        if isinstance(choices, _Values):
            same = self._compared("==", choices.operand, self.value(operand), tree)
            return ir.Compare(">=", choices.items.count(_limited(same)), _ONE)
        if not isinstance(choices, _List) or not choices.plain:
            raise RuleError("A list such as ['a', 'b'] is expected to the right of “in”.", items.position)
        left = self.value(operand)
        if left.type is Type.BOOL:
            raise RuleError("“in” looks for a number, a text or a date.", operand.position)
        if not choices.items:
            return _List.of([left]).whole(ir.Literal(Type.BOOL, False))
        written = items.items if isinstance(items, syntax.Items) else [items] * len(choices.items)
        for number, (choice, item) in enumerate(zip(choices.items, written, strict=True)):
            for other in (left, *choices.items[:number]):
                self._comparable(other, choice, item)
        return ir.In(left, choices.items)


def _kept(items, conditions):
    """(items, conditions) of a filtered list, as far as it is settled who is in."""
    kept = []
    for item, condition in zip(items, conditions, strict=True):
        plain = ir.Literal | ir.Apply | ir.Compare | ir.In | ir.And | ir.Or | ir.Not
        written = all(isinstance(part, plain) for part in ir.walk(condition))
        answer = interpret.value(condition, interpret.Records("", {}, None, {})) if written else None
        if answer is not False or not isinstance(item, ir.Literal):
            kept.append((item, None if answer else condition))
    return tuple(zip(*kept, strict=True)) or ((), ())


def _junction(kind, items):
    """One And (or Or) of all items, nested ones of the same kind taken apart."""
    flat = []
    for item in items:
        whole = item.origin or not isinstance(item, kind)  # a computed variable stays one part
        flat.extend((item,) if whole else item.items)
    return flat[0] if len(flat) == 1 else kind(tuple(flat))


def _all_of(items):
    return _junction(ir.And, items) if items else None


def _any_of(items):
    return _junction(ir.Or, items) if items else None
