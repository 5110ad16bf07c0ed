"""Third stage: names and types. Turns the syntax tree into typed IR, or says what is wrong and where.

Nothing is guessed: a name the schema does not know, a type that does not fit or a form that is not
supported is an error.
"""

from . import ir, ranges, syntax
from .errors import RuleError, closest
from .schema import Type

MAX_NODES = 300

_ARITHMETIC = ("+", "-", "*")
_KNOWN_FUNCTIONS = ("has", "size", "filter", "exists", "all")
_LATER_FUNCTIONS = frozenset(
    "map exists_one sum min max avg count round today int double string bool timestamp duration matches "
    "startsWith endsWith contains getFullYear getMonth getDate type dyn".split()
)


def check(tree, schema, target, variables):
    """The typed rule. `variables` maps names to schema.Constant."""
    node = _Checker(schema, target, variables).yes_no(tree)
    if sum(1 for _part in ir.walk(node)) > MAX_NODES:
        raise RuleError(f"The rule is too large: at most {MAX_NODES} parts.")
    return node


class _Items:
    """A collection, maybe filtered: what stands before `.size()`, `.exists(…)`, `.all(…)`."""

    def __init__(self, record, collection, variable="", predicate=None):
        self.record = record
        self.collection = collection
        self.variable = variable
        self.predicate = predicate

    def count(self, predicate=None):
        """How many satisfy the filters so far, and `predicate`."""
        parts = [part for part in (self.predicate, predicate) if part is not None]
        joined = _junction(ir.And, parts) if parts else None
        return ir.Count(self.record, self.collection, self.variable if parts else "", joined)


class _Checker:
    def __init__(self, schema, target, variables):
        self.schema = schema
        self.target = target
        self.variables = variables
        # name as written → (name in the IR, record type)
        self.scope = {target: (target, schema.record_types[target])}

    # -- what may stand where ------------------------------------------------------------------

    def yes_no(self, tree):
        node = self.value(tree)
        if node.type is not Type.BOOL:
            raise RuleError(f"A condition is expected here, but this is {node.type.words}.", tree.position)
        return node

    def value(self, tree):
        """A node with one of the scalar types."""
        node = self.any(tree)
        if isinstance(node, _Items):
            raise RuleError(
                f"“{node.collection.name}” is a list; use it with .size(), .exists(…) or .all(…).",
                tree.position,
            )
        if node.type is Type.DATE:
            raise RuleError("A date can only be used inside has(…) so far.", tree.position)
        return node

    def any(self, tree):
        match tree:
            case syntax.Constant(kind="null"):
                raise RuleError(
                    "“null” can only be compared with a field: individual.income == null.", tree.position
                )
            case syntax.Constant():
                return ir.Literal(Type(tree.kind), tree.value)
            case syntax.Name():
                return self._name(tree)
            case syntax.Select():
                return self._select(tree)
            case syntax.Call():
                return self._call(tree)
            case syntax.Items():
                raise RuleError("A list can only stand to the right of “in”.", tree.position)
        return self._operator(tree)

    # -- names ---------------------------------------------------------------------------------

    def _name(self, tree):
        if tree.name in self.scope:
            raise RuleError(f"Say which field of “{tree.name}” is meant: {tree.name}.….", tree.position)
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
        if record_type.field(tree.name) or record_type.collection(tree.name):
            return RuleError(f"“{tree.name}” needs its record.", tree.position, f"{self.target}.{tree.name}")
        if tree.name in self.variables:
            return RuleError(f"“{tree.name}” is a variable.", tree.position, f"variables.{tree.name}")
        names = (*self.scope, "variables")
        return RuleError(f"“{tree.name}” is not known.", tree.position, closest(tree.name, names))

    def _select(self, tree):
        if not isinstance(tree.operand, syntax.Name):
            raise RuleError(f"“.{tree.field}” cannot be read from this.", tree.position)
        root = tree.operand.name
        if root in self.scope:
            return self._field(tree, *self.scope[root])
        if root == "variables":
            return self._variable(tree)
        raise self._unknown_name(tree.operand)

    def _field(self, tree, record, record_type):
        if found := record_type.field(tree.field):
            return ir.FieldOf(record, found)
        if found := record_type.collection(tree.field):
            return _Items(record, found)
        names = [known.name for known in (*record_type.fields, *record_type.collections)]
        raise RuleError(
            f"“{tree.operand.name}” has no field “{tree.field}”.", tree.position, closest(tree.field, names)
        )

    def _variable(self, tree):
        if tree.field in self.variables:
            return ir.Variable(self.variables[tree.field].type, tree.field)
        suggestion = closest(tree.field, self.variables)
        raise RuleError(f"There is no variable “{tree.field}”.", tree.position, suggestion)

    # -- functions and macros ------------------------------------------------------------------

    def _call(self, tree):
        handler = {
            ("has", False): self._has,
            ("size", False): self._size,
            ("size", True): self._size,
            ("filter", True): self._filter,
            ("exists", True): self._exists,
            ("all", True): self._all,
        }.get((tree.function, tree.operand is not None))
        if handler:
            return handler(tree)
        if tree.function in _KNOWN_FUNCTIONS:
            usage = (
                f"{tree.function}(…)" if tree.operand is not None else f"group.members.{tree.function}(m, …)"
            )
            raise RuleError(f"“{tree.function}” is written differently: {usage}.", tree.position)
        if tree.function in _LATER_FUNCTIONS:
            raise RuleError(f"The function “{tree.function}” is not supported yet.", tree.position)
        suggestion = closest(tree.function, _KNOWN_FUNCTIONS)
        raise RuleError(f"There is no function “{tree.function}”.", tree.position, suggestion)

    def _arguments(self, tree, number, usage):
        if len(tree.arguments) != number:
            raise RuleError(f"“{tree.function}” is used like this: {usage}.", tree.position)
        return tree.arguments

    def _has(self, tree):
        (operand,) = self._arguments(tree, 1, "has(individual.income)")
        node = self.any(operand) if isinstance(operand, syntax.Select) else None
        if not isinstance(node, ir.FieldOf):
            raise RuleError("“has” asks about a field: has(individual.income).", operand.position)
        return self._known(node)

    @staticmethod
    def _known(node):
        return ir.Has(node) if node.field.nullable else ir.Literal(Type.BOOL, True)

    def _size(self, tree):
        if tree.operand is None:
            (operand,) = self._arguments(tree, 1, "size(group.members)")
        else:
            self._arguments(tree, 0, "group.members.size()")
            operand = tree.operand
        node = self.any(operand)
        if isinstance(node, _Items):
            return node.count()
        if node.type is Type.STRING:
            return ir.Length(node)
        raise RuleError(f"“size” counts a list or a text, but this is {node.type.words}.", operand.position)

    def _filter(self, tree):
        items, predicate, variable = self._macro(tree)
        kept = items.count(predicate)
        return _Items(items.record, items.collection, variable, kept.predicate)

    def _exists(self, tree):
        items, predicate, variable = self._macro(tree)
        items.variable = variable
        return ir.Compare(">=", items.count(predicate), ir.Literal(Type.INT, 1))

    def _all(self, tree):
        items, predicate, variable = self._macro(tree)
        items.variable = variable
        return ir.Compare("==", items.count(ir.negate(predicate)), ir.Literal(Type.INT, 0))

    def _macro(self, tree):
        """The list, the condition, and what the condition calls each item, of `list.macro(m, condition)`."""
        usage = f"group.members.{tree.function}(m, m.age < 5)"
        items = self.any(tree.operand)
        if not isinstance(items, _Items):
            raise RuleError(f"“{tree.function}” needs a list before it: {usage}.", tree.position)
        name, condition = self._arguments(tree, 2, usage)
        if not isinstance(name, syntax.Name):
            raise RuleError(f"A name for each item is expected here: {usage}.", name.position)
        if name.name in (*self.schema.record_types, "variables"):
            raise RuleError(
                f"“{name.name}” already has a meaning; use another name, such as m.", name.position
            )
        if len(self.scope) > 1:
            raise RuleError("A list inside a list is not supported yet.", tree.position)
        variable = items.variable or name.name
        self.scope[name.name] = (variable, self.schema.item_type(items.collection))
        predicate = self.yes_no(condition)
        del self.scope[name.name]
        return items, predicate, variable

    # -- operators -----------------------------------------------------------------------------

    def _operator(self, tree):
        if tree.operator in ("&&", "||"):
            kind = ir.And if tree.operator == "&&" else ir.Or
            return _junction(kind, [self.yes_no(operand) for operand in tree.operands])
        if tree.operator == "!":
            return ir.negate(self.yes_no(tree.operands[0]))
        if tree.operator == "-" and len(tree.operands) == 1:
            return self._fitting(ir.Negative(self._number(tree.operands[0])), tree)
        if tree.operator in _ARITHMETIC:
            return self._arithmetic(tree)
        if tree.operator == "in":
            return self._in(tree)
        if tree.operator in ir.INVERSE:
            return self._comparison(tree)
        raise RuleError(f"“{tree.operator}” is not supported yet.", tree.position)

    def _number(self, tree):
        node = self.value(tree)
        if not node.type.numeric:
            raise RuleError(f"A number is expected here, but this is {node.type.words}.", tree.position)
        return node

    def _arithmetic(self, tree):
        left, right = map(self._number, tree.operands)
        if left.type is not right.type:
            raise RuleError(
                f"“{tree.operator}” needs two whole numbers or two decimal numbers; "
                "write 12.0 where a decimal number is meant.",
                tree.position,
            )
        return self._fitting(ir.Arithmetic(tree.operator, left, right), tree)

    @staticmethod
    def _fitting(node, tree):
        if not ranges.fits(node):
            raise RuleError("The result of this could be too large or too small for a number.", tree.position)
        return node

    def _comparison(self, tree):
        if any(isinstance(operand, syntax.Constant) and operand.kind == "null" for operand in tree.operands):
            return self._null_comparison(tree)
        left, right = map(self.value, tree.operands)
        if Type.BOOL in (left.type, right.type):
            return self._bool_comparison(tree, left, right)
        self._comparable(left, right, tree)
        return ir.Compare(tree.operator, left, right)

    def _null_comparison(self, tree):
        """`field == null` asks whether the field is unknown."""
        fields = [
            self.any(operand)
            for operand in tree.operands
            if not (isinstance(operand, syntax.Constant) and operand.kind == "null")
        ]
        if len(fields) != 1 or not isinstance(fields[0], ir.FieldOf) or tree.operator not in ("==", "!="):
            raise RuleError(
                "“null” can only be compared with a field: individual.income == null.", tree.position
            )
        known = self._known(fields[0])
        return known if tree.operator == "!=" else ir.negate(known)

    def _bool_comparison(self, tree, left, right):
        if left.type is not right.type:
            raise RuleError(
                f"{left.type.words} cannot be compared with {right.type.words}.".capitalize(), tree.position
            )
        if isinstance(left, ir.Literal):
            left, right = right, left
        if not isinstance(right, ir.Literal) or tree.operator not in ("==", "!="):
            raise RuleError("Two conditions cannot be compared; join them with && and ||.", tree.position)
        return left if right.value == (tree.operator == "==") else ir.negate(left)

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
        if not isinstance(items, syntax.Items):
            raise RuleError("A list such as ['a', 'b'] is expected to the right of “in”.", items.position)
        if not items.items:
            raise RuleError("The list is empty, so nothing can be in it.", items.position)
        left = self.value(operand)
        if left.type is Type.BOOL:
            raise RuleError("“in” looks for a number or a text.", operand.position)
        choices = [self.value(item) for item in items.items]
        for number, (choice, item) in enumerate(zip(choices, items.items, strict=True)):
            if not isinstance(choice, ir.Literal | ir.Variable):
                raise RuleError("A list holds fixed values and variables only.", item.position)
            for other in (left, *choices[:number]):
                self._comparable(other, choice, item)
        return ir.In(left, tuple(choices))


def _junction(kind, items):
    """One And (or Or) of all items, nested ones of the same kind taken apart."""
    flat = []
    for item in items:
        flat.extend(item.items if isinstance(item, kind) else (item,))
    return flat[0] if len(flat) == 1 else kind(tuple(flat))
