"""SQL: one statement that answers a rule for everybody.

SQL's NULL models what is missing exactly: AND, OR and NOT absorb it as CEL's &&, || and ! absorb an
error, everything else keeps it. Yes/no nodes are compiled to a condition that IS TRUE when the node
is true (`true`); that a node is false is the truth of its negation (`false`). So no condition needs
a negation around it, birthdate ranges stay usable by an index, and counting stays simple:

- a count is a pair: items for which the condition is true, and items for which it is not false;
- all counts over a collection come from one grouped LEFT JOIN, shared by the whole rule;
- where only the matching ids are wanted, "at least one" is EXISTS and "none" is NOT EXISTS, which
  the planner can turn into semi and anti joins.

There is no correlated scalar subquery over a table. Every value is a bound parameter with an explicit
cast; what depends on no record is computed beforehand. Arithmetic whose result might not fit is computed
behind a fence (`_held`) and is NULL where it does not. The population is not materialized: reading it
twice is cheap, and only so can PostgreSQL use several processes.
"""

import re

from . import functions, interpret, ir, ranges
from .dates import latest_birthdate
from .schema import Type

POPULATION = "spp_population"
MAX_SQL = 50_000

_CASTS = {
    Type.INT: "bigint",
    Type.DOUBLE: "double precision",
    Type.STRING: "text",
    Type.BOOL: "boolean",
    Type.DATE: "date",
    Type.TIMESTAMP: "timestamp",
    Type.DURATION: "bigint",  # microseconds
}
_PAIRS_PER_CALL = 40  # a function takes at most 100 arguments


class NotCompiled(Exception):
    """The rule has no SQL: it is answered by the interpreter, one record after the other. Says why."""


class Sql:
    """A piece of SQL with its parameters: `Sql("%s < %s", piece, value)` nests pieces, binds values."""

    def __init__(self, code, *arguments):
        texts, self.params = [], []
        for argument in arguments:
            nested = isinstance(argument, Sql)
            texts.append(argument.text if nested else "%s")
            self.params.extend(argument.params if nested else (argument,))
        self.text = code % tuple(texts) if arguments else code
        if len(self.text) > MAX_SQL:  # a choice is written twice, and one inside of it four times
            raise NotCompiled("Its statement would be too long.")

    @classmethod
    def raw(cls, text, params):
        piece = cls(text)
        piece.params = list(params)
        return piece

    @classmethod
    def join(cls, separator, pieces):
        pieces = list(pieces)
        return cls(separator.join(["%s"] * len(pieces)), *pieces)


def outcomes(node, schema, target, population, as_of, constants, most=False):
    """SELECT (id, outcome, facts) for every id of `population`, a Sql that yields a column `id`.

    With `most`, the population is most of all records there are: lists are then counted for everybody,
    which costs less than to look up first whose list each item is in.
    """
    compiler = _Compiler(schema, target, as_of, constants, most, exists=False)
    outcome = Sql(
        "CASE WHEN %s THEN 'eligible' WHEN %s THEN 'not_eligible' ELSE 'undetermined' END",
        compiler.true(node),
        compiler.false(node),
    )
    facts = compiler.facts(node)
    return Sql(
        f"WITH {POPULATION} AS NOT MATERIALIZED (%s) SELECT r.id, %s AS outcome, %s AS facts %s",
        population,
        outcome,
        facts,
        compiler.source(),
    )


def values(node, schema, target, population, as_of, constants, digits, most=False):
    """SELECT (id, value) for every id of `population`; the value of a number, rounded. `most`: see outcomes."""
    compiler = _Compiler(schema, target, as_of, constants, most, exists=False)
    value = Sql("round(CAST(%s AS numeric), %s)", compiler.value(node), digits)
    return Sql(
        f"WITH {POPULATION} AS NOT MATERIALIZED (%s) SELECT r.id, %s AS value %s",
        population,
        value,
        compiler.source(),
    )


def amounts(node, schema, target, population, as_of, constants, most=False):
    """SELECT (id, value, facts) for every id of `population`; the value of a number, exact and not rounded.

    `most`: see outcomes.
    """
    compiler = _Compiler(schema, target, as_of, constants, most, exists=False)
    value = Sql("CAST(%s AS numeric)", compiler.value(node))
    facts = compiler.facts(node)
    return Sql(
        f"WITH {POPULATION} AS NOT MATERIALIZED (%s) SELECT r.id, %s AS value, %s AS facts %s",
        population,
        value,
        facts,
        compiler.source(),
    )


def matching(node, schema, target, population, as_of, constants, most=False):
    """SELECT the ids of `population` for which `node` is true. `most`: see outcomes."""
    compiler = _Compiler(schema, target, as_of, constants, most, exists=True)
    condition = compiler.true(node)
    return Sql(
        f"WITH {POPULATION} AS NOT MATERIALIZED (%s) SELECT r.id %s WHERE %s",
        population,
        compiler.source(),
        condition,
    )


def records(record_type, population):
    """SELECT the plain values of records, as the interpreter takes them."""
    row = _Row(record_type.table, "r")
    columns = row.columns(record_type)
    return Sql(
        f"SELECT r.id, {columns} FROM {record_type.table} r {row.joins()} WHERE r.id IN (%s)", population
    )


def items(schema, collection, population):
    """SELECT the items of a collection: `owner_id`, the `live_columns`, and the items' values."""
    item_type = schema.item_type(collection)
    row = _Row(item_type.table, "r")
    live = "".join(f", link.{name}" for name in collection.live_columns)
    return Sql(
        f"SELECT link.{collection.owner} AS owner_id, r.id{live}, {row.columns(item_type)}"
        f" FROM {collection.table} link JOIN {item_type.table} r ON r.id = link.{collection.item} {row.joins()}"
        f" WHERE link.{collection.owner} IN (%s) ORDER BY link.id",
        population,
    )


class _Row:
    """One row in the FROM clause, and the joins that its fields ask for."""

    def __init__(self, table, alias):
        self.table = table
        self.alias = alias
        self.used = False
        self._joins = {}

    def column(self, field):
        self.used = True
        names = {"r": self.alias, "link": "link", "j": f"{self.alias}_{field.name}"}
        if field.join:
            self._joins[field.name] = field.join.format(**names)
        return field.sql.format(**names)

    def columns(self, record_type):
        title = record_type.title.format(r=self.alias)
        stored = [known for known in record_type.fields if not known.age_of]
        return ", ".join(
            [f"{title} AS display_name", *(f"{self.column(known)} AS {known.name}" for known in stored)]
        )

    def joins(self):
        return " ".join(self._joins.values())


class _Members:
    """The grouped join over one collection: its row, and one pair of columns for each condition."""

    def __init__(self, collection, row, owner):
        self.collection = collection
        self.row = row
        self.owner = owner  # the target's row as seen from inside
        self.pairs = []  # (key, certain, possible)
        self.totals = []  # (node, operand, condition under which it counts, condition under which it is missing)
        self.used = set()  # names of the numbers that are asked for


class _Compiler:
    def __init__(self, schema, target, as_of, constants, most, exists):
        self.schema = schema
        self.target = target
        self.as_of = as_of
        self.constants = constants
        self.most = most
        self.exists = exists
        self.record_type = schema.record_types[target]
        self.row = _Row(self.record_type.table, "r")
        self.rows = {target: self.row}
        self.members = {}  # by collection name
        self.inside = False  # of a collection: its columns are not to be had there

    # -- yes/no --------------------------------------------------------------------------------

    def false(self, node):
        return self.true(ir.negate(node))

    def true(self, node):
        """A condition that is TRUE exactly when the node is true (else FALSE or NULL)."""
        if node.type is Type.BOOL and not isinstance(node, ir.Literal) and ir.is_constant(node):
            return self._bound(Type.BOOL, self._constant(node))
        match node:
            case ir.If():
                return Sql(
                    "CASE WHEN %s THEN %s WHEN %s THEN %s END",
                    self.true(node.condition), self.true(node.then),
                    self.false(node.condition), self.true(node.otherwise),
                )  # fmt: skip
            case ir.And() | ir.Or():
                sign = " AND " if isinstance(node, ir.And) else " OR "
                return Sql("(%s)", Sql.join(sign, map(self.true, node.items)))
            case ir.Not(operand=ir.Has() as has):
                return Sql("%s IS NULL", self._stored(has.operand))
            case ir.Not():
                return Sql("NOT %s", self.value(node.operand))
            case ir.Has():
                return Sql("%s IS NOT NULL", self._stored(node.operand))
            case ir.In():
                return self._in(node)
            case ir.Compare():
                return self._compare(node)
        return self.value(node)

    def _in(self, node):
        decimal = Type.DOUBLE in {part.type for part in (node.operand, *node.choices)}
        kind = Type.DOUBLE if decimal else node.operand.type
        test = "<> ALL" if node.negated else "= ANY"
        if not all(map(ir.is_constant, node.choices)):
            choices = [self._as(kind, choice) for choice in node.choices]
            known = Sql.join(" AND ", [Sql("%s IS NOT NULL", choice) for choice in choices])
            listed = Sql(f"CAST(ARRAY[%s] AS {_CASTS[kind]}[])", Sql.join(", ", choices))
            return Sql(f"CASE WHEN %s THEN %s {test} (%s) END", known, self._as(kind, node.operand), listed)
        values = [self._constant(choice) for choice in node.choices]
        if None in values:
            return self._bound(Type.BOOL, None)
        values = list(map(float, values)) if decimal else [self._plain(value) for value in values]
        return Sql(f"%s {test} (CAST(%s AS {_CASTS[kind]}[]))", self._as(kind, node.operand), values)

    def _compare(self, node):
        if isinstance(node.right, ir.Count) and not isinstance(node.left, ir.Count):
            node = ir.Compare(ir.MIRROR[node.operator], node.right, node.left)
        if isinstance(node.left, ir.Count):
            return self._compare_count(node)
        if _is_age(node.right) and ir.is_constant(node.left):
            node = ir.Compare(ir.MIRROR[node.operator], node.right, node.left)
        if _is_age(node.left) and ir.is_constant(node.right) and node.right.type is Type.INT:
            years = self._constant(node.right)
            if years is None:
                return self._bound(Type.BOOL, None)
            return self._compare_age(node.left, node.operator, years)
        kind = node.left.type if node.left.type is node.right.type else Type.DOUBLE
        collate = ' COLLATE "C"' if kind is Type.STRING else ""
        operator = "<>" if node.operator == "!=" else node.operator.replace("==", "=")
        return Sql(f"%s{collate} {operator} %s", self._as(kind, node.left), self._as(kind, node.right))

    def _compare_age(self, node, operator, years):
        """An age compared with a number is a range of birthdates."""
        birthdate = self._birthdate(node)
        born = Sql("%s <= CAST(%s AS date)", birthdate, self.as_of)

        def at_least(years):
            return Sql("%s <= CAST(%s AS date)", birthdate, latest_birthdate(years, self.as_of))

        def under(years):
            if years <= 0:
                return Sql("(%s AND %s > CAST(%s AS date))", born, birthdate, self.as_of)
            return Sql("(%s AND %s > CAST(%s AS date))", born, birthdate, latest_birthdate(years, self.as_of))

        match operator:
            case ">=":
                return at_least(years)
            case ">":
                return at_least(years + 1)
            case "<":
                return under(years)
            case "<=":
                return under(years + 1)
            case "==":
                return Sql("(%s AND %s)", at_least(years), under(years + 1))
        return Sql("(%s OR %s)", under(years), at_least(years + 1))

    # -- counts --------------------------------------------------------------------------------

    def _compare_count(self, node):
        """True when it holds for every number from certain to possible."""
        count, operator, other = node.left, node.operator, node.right
        if not isinstance(other, ir.Count) and ir.is_constant(other) and other.type is Type.INT:
            number = self._constant(other)
            if number is None:
                return self._bound(Type.BOOL, None)
            return self._compare_count_with(count, operator, number)
        low, high = self._pair(count)
        if isinstance(other, ir.Count):
            from_, to = self._pair(other)
        else:
            known = self.value(other)
            low, high = (self._cast(other.type, side) for side in (low, high))
            from_ = to = known
        match operator:
            case ">=" | ">":
                return Sql(f"%s {operator} %s", low, to)
            case "<" | "<=":
                return Sql(f"%s {operator} %s", high, from_)
            case "==":
                return Sql("(%s = %s AND %s = %s)", low, to, high, from_)
        apart = Sql("%s < %s OR %s > %s", high, from_, low, to)
        if other.type is Type.DOUBLE:
            return Sql("(%s OR %s <> floor(%s))", apart, known, known)
        return Sql("(%s)", apart)

    def _compare_count_with(self, count, operator, number):
        match operator:
            case ">=":
                return self._at_least(count, number)
            case ">":
                return self._at_least(count, number + 1)
            case "<":
                return self._at_most(count, number - 1)
            case "<=":
                return self._at_most(count, number)
            case "==":
                return Sql("(%s AND %s)", self._at_least(count, number), self._at_most(count, number))
        return Sql("(%s OR %s)", self._at_least(count, number + 1), self._at_most(count, number - 1))

    def _at_least(self, count, number):
        if number <= 0:
            return Sql("TRUE")
        if number > ranges.COUNT_MOST:
            return Sql("FALSE")
        if number == 1 and self.exists:
            return self._exists(count, self.true)
        return Sql("%s >= %s", *self._pair(count, ["certain"]), self._bound(Type.INT, number))

    def _at_most(self, count, number):
        if number < 0:
            return Sql("FALSE")
        if number == 0 and self.exists:
            return Sql("NOT %s", self._exists(count, lambda p: Sql("(%s) IS NOT TRUE", self.false(p))))
        return Sql("%s <= %s", *self._pair(count, ["possible"]), self._bound(Type.INT, number))

    def _exists(self, count, condition):
        members = _Members(count.collection, self._item_row(count.collection), self.row)
        inside = Sql("TRUE") if count.predicate is None else self._inside(count, members, condition)
        return Sql(
            f"EXISTS (SELECT 1 FROM %s WHERE link.{count.collection.owner} = r.id AND %s AND %s)",
            self._linked(members),
            self._live(count.collection),
            inside,
        )

    def _pair(self, count, sides=("certain", "possible")):
        """The columns (certain, possible) of a count, or only one of the two."""
        members = self._joined(count)
        if count.predicate is None:
            everyone = self._number(members, "n")
            return tuple(everyone for _side in sides)
        key = ir.text(count)
        numbers = [number for number, pair in enumerate(members.pairs) if pair[0] == key]
        if not numbers:
            certain = self._inside(count, members, self.true)
            possible = Sql("(%s) IS NOT TRUE", self._inside(count, members, self.false))
            members.pairs.append((key, certain, possible))
            numbers = [len(members.pairs) - 1]
        return tuple(self._number(members, f"{side}{numbers[0]}") for side in sides)

    @staticmethod
    def _number(members, column):
        members.used.add(column)
        return Sql(f"COALESCE({members.collection.name}_.{column}, 0)")

    def _inside(self, count, members, condition, node=None):
        """A predicate (or another node) compiled where its item is a row of the collection."""
        if self.inside:
            raise NotCompiled("A list is used inside another one.")
        outer, self.inside = self.rows, True
        self.rows = {self.target: members.owner, count.variable: members.row}
        compiled = condition(count.predicate if node is None else node)
        self.rows, self.inside = outer, False
        return compiled

    def _total(self, node):
        """The column of a sum, minimum, maximum or mean; NULL where it is missing."""
        members = self._joined(node)
        key = ir.text(node)
        numbers = [number for number, total in enumerate(members.totals) if ir.text(total[0]) == key]
        if not numbers:
            is_added = node.kind in ("sum", "avg") and node.operand.type is Type.DOUBLE
            operand = self._inside(node, members, self._addend if is_added else self.value, node.operand)
            stored = self._inside(node, members, self._stored, node.operand)
            if node.predicate is None:
                counts, missing = Sql("TRUE"), Sql("(%s) IS NULL", stored)
            else:
                counts = self._inside(node, members, self.true)
                possible = Sql("(%s) IS NOT TRUE", self._inside(node, members, self.false))
                missing = Sql("(%s AND ((%s) IS NOT TRUE OR (%s) IS NULL))", possible, counts, stored)
            members.totals.append((node, operand, counts, missing))
            numbers = [len(members.totals) - 1]
        name = f"{members.collection.name}_"
        column, number = f"{name}.total{numbers[0]}", f"{name}.number{numbers[0]}"
        if node.kind == "sum":
            column = f"COALESCE({column}, 0)"
        known = f"COALESCE({name}.missing{numbers[0]}, 0) = 0"
        if node.kind in ("min", "max"):
            return Sql(f"CASE WHEN {known} THEN {column} END")
        if node.operand.type is Type.INT:
            held = (
                f"CASE WHEN {known} AND {column} BETWEEN {functions.INT64[0]} AND {functions.INT64[-1]} THEN "
            )
            if node.kind == "sum":
                return Sql(f"{held} CAST({column} AS bigint) END")
            mean = f"CAST(CAST({column} AS bigint) AS double precision) / NULLIF({number}, 0)"
            return Sql(f"{held} {mean} END")
        least, most = (
            f"CAST('{bound!r}' AS numeric)" for bound in (functions.DECIMAL_LEAST, functions.DECIMAL_MOST)
        )
        held = f"CASE WHEN {known} AND ({column} = 0 OR abs({column}) BETWEEN {least} AND {most}) THEN "
        total = f"CAST({column} AS double precision)"
        return Sql(f"{held} {total if node.kind == 'sum' else f'{total} / NULLIF({number}, 0)'} END")

    def _addend(self, node):
        """A decimal number as numeric, rounded as `functions.exact` does, to be added without loss."""
        if isinstance(node, ir.FieldOf) and node.field.places is not None:
            stored = self._stored(node)
            most = f"1e{15 - node.field.places}"  # below it the number has no more than 15 digits
            return Sql(
                f"CASE WHEN abs(%s) < {most} THEN %s ELSE CAST(%s AS numeric) END",
                stored, stored, self.value(node),
            )  # fmt: skip
        return Sql("CAST(%s AS numeric)", self.value(node))

    def _stored(self, node):
        """Something that is NULL where the node is missing, as cheap as can be had."""
        if isinstance(node, ir.FieldOf) and not node.field.age_of:
            return Sql(self.rows[node.record].column(node.field))
        return self.value(node)

    def _joined(self, node):
        if self.inside:
            raise NotCompiled("A list is used inside another one.")
        collection = node.collection
        if collection.name not in self.members:
            owner = _Row(self.record_type.table, "owner")
            self.members[collection.name] = _Members(collection, self._item_row(collection), owner)
        return self.members[collection.name]

    def _item_row(self, collection):
        return _Row(self.schema.record_types[collection.item_type].table, "m")

    def _linked(self, members):
        collection, row = members.collection, members.row
        if not row.used:  # only counted: that the item exists is the link's foreign key
            return Sql(f"{collection.table} link")
        return Sql(
            f"{collection.table} link JOIN {row.table} m ON m.id = link.{collection.item} {row.joins()}"
        )

    def _live(self, collection):
        return Sql.raw(*collection.live_sql("link", self.as_of))

    def _grouped(self, members):
        """The LEFT JOIN that counts. Conditions are columns first: an aggregate over columns of an
            outer query only would belong to that query. Where nobody asks for the number of all items,
            those that no condition wants are left out before grouping.

        A LIMIT that nothing reaches, where everybody is counted: without it PostgreSQL may read the population in
        several processes and let each of them count everybody."""
        collection, owner = members.collection, members.owner
        columns = [Sql(f"link.{collection.owner} AS id")]
        totals = ["count(*) AS n"]
        wanted = []
        for number, (_key, certain, possible) in enumerate(members.pairs):
            for name, condition in ((f"certain{number}", certain), (f"possible{number}", possible)):
                if name in members.used:
                    columns.append(Sql(f"%s AS {name}", condition))
                    totals.append(f"count(*) FILTER (WHERE {name}) AS {name}")
                    wanted.append(condition)
        for number, (node, operand, counts, missing) in enumerate(members.totals):
            columns.append(Sql(f"CASE WHEN %s THEN %s END AS total{number}", counts, operand))
            columns.append(Sql(f"%s AS missing{number}", missing))
            totals.append(f"{_aggregate(node, f'total{number}')} AS total{number}")
            totals.append(f"count(total{number}) AS number{number}")
            totals.append(f"count(*) FILTER (WHERE missing{number}) AS missing{number}")
            wanted += [counts, missing]
        kept = Sql("TRUE") if "n" in members.used else Sql("(%s)", Sql.join(" OR ", wanted))
        holder = f"link.{collection.owner}"
        asked = "" if self.most else f" JOIN {POPULATION} ON {POPULATION}.id = {holder}"
        outer = f" JOIN {owner.table} owner ON owner.id = {holder} {owner.joins()}" if owner.used else ""
        once = f" LIMIT {functions.INT64[-1]}" if self.most else ""
        return Sql(
            f"LEFT JOIN (SELECT id, {', '.join(totals)} FROM (SELECT %s FROM %s{asked}{outer}"
            f" WHERE %s AND %s) items GROUP BY id{once}) {collection.name}_ ON {collection.name}_.id = r.id",
            Sql.join(", ", columns),
            self._linked(members),
            self._live(collection),
            kept,
        )

    # -- values --------------------------------------------------------------------------------

    def value(self, node):
        """The value of a node, NULL where it is missing."""
        if ir.is_constant(node):
            return self._bound(node.type, self._constant(node))
        match node:
            case ir.FieldOf() if node.field.age_of:
                return self._age(node)
            case ir.FieldOf():
                return self._cast(node.type, Sql(self.rows[node.record].column(node.field)))
            case ir.Apply():
                return self._apply(node)
            case ir.If():
                return Sql(
                    "CASE WHEN %s THEN %s WHEN %s THEN %s END",
                    self.true(node.condition), self.value(node.then),
                    self.false(node.condition), self.value(node.otherwise),
                )  # fmt: skip
            case ir.Total():
                return self._total(node)
            case ir.Count():
                certain, possible = self._pair(node)
                return Sql("CASE WHEN %s = %s THEN %s END", certain, possible, certain)
        return Sql("CASE WHEN %s THEN TRUE WHEN %s THEN FALSE END", self.true(node), self.false(node))

    def _apply(self, node):
        function = node.function
        if function.sql is None:
            raise NotCompiled(f"“{function.name}” has no counterpart in the database.")
        operands = [self.value(operand) for operand in node.operands]
        compiled = _filled(function.sql, operands)
        if function.form not in ("operator", "prefix") or not function.type.numeric or ranges.fits(node):
            return compiled
        return self._held(node, operands)

    @staticmethod
    def _held(node, operands):
        """Arithmetic that may not fit: NULL then. OFFSET 0 keeps it from being computed twice."""
        if node.type is Type.INT:
            operands = [Sql("CAST(%s AS numeric)", operand) for operand in operands]
            code = "div({0}, NULLIF({1}, 0))" if node.function.name == "/" else node.function.sql
            inside = f"v BETWEEN {functions.INT64[0]} AND {functions.INT64[-1]}"
            result = "CAST(v AS bigint)"
        else:
            code = node.function.sql
            inside = f"v = 0 OR abs(v) BETWEEN {functions.DECIMAL_LEAST!r} AND {functions.DECIMAL_MOST!r}"
            result = "v"
        return Sql(
            f"(SELECT CASE WHEN {inside} THEN {result} END FROM (SELECT %s AS v OFFSET 0) held)",
            _filled(code, operands),
        )

    def _age(self, node):
        birthdate = self._birthdate(node)
        as_of = Sql("CAST(%s AS timestamp)", self.as_of)
        return Sql(
            "CASE WHEN %s <= %s THEN CAST(extract(year FROM age(%s, CAST(%s AS timestamp))) AS bigint) END",
            birthdate,
            as_of,
            as_of,
            birthdate,
        )

    def _birthdate(self, node):
        return Sql(self.rows[node.record].column(node.field.age_of))

    def _as(self, kind, node):
        compiled = self.value(node)
        return compiled if node.type is kind else self._cast(kind, compiled)

    @staticmethod
    def _cast(kind, compiled):
        return Sql(f"CAST(%s AS {_CASTS[kind]})", compiled) if kind in _CASTS else compiled

    def _bound(self, kind, number):
        return self._cast(kind, Sql("%s", self._plain(number)))

    @staticmethod
    def _plain(value):
        return value.isoformat() if hasattr(value, "isoformat") else value

    def _constant(self, node):
        """The value of a node that depends on no record."""
        return interpret.value(node, interpret.Records("", {}, self.as_of, self.constants))

    # -- the whole -----------------------------------------------------------------------------

    def facts(self, node):
        """A jsonb object with everything the rule looks at."""
        pairs = [
            Sql("CAST(%s AS text), %s", key, self._fact(part))
            for key, part in ir.facts(node, self.target).items()
        ]
        calls = [
            Sql("jsonb_build_object(%s)", Sql.join(", ", pairs[start : start + _PAIRS_PER_CALL]))
            for start in range(0, max(len(pairs), 1), _PAIRS_PER_CALL)
        ]
        return Sql.join(" || ", calls)

    def _fact(self, part):
        if not isinstance(part, ir.Count):
            return self.value(part)
        certain, possible = self._pair(part)
        everyone = self._number(self._joined(part), "n")
        return Sql("jsonb_build_object('certain', %s, 'possible', %s, 'of', %s)", certain, possible, everyone)

    def source(self):
        """FROM, once everything else is compiled and the joins are known."""
        joins = [self._grouped(members) for members in self.members.values()]
        if not self.row.used:
            return Sql(f"FROM {POPULATION} r %s", Sql.join(" ", joins) if joins else Sql(""))
        return Sql(
            f"FROM {POPULATION} JOIN {self.row.table} r ON r.id = {POPULATION}.id {self.row.joins()} %s",
            Sql.join(" ", joins),
        )


def _filled(code, operands):
    """A definition of functions.py with its operands in place."""
    order = [int(number) for number in re.findall(r"\{(\d)\}", code)]
    return Sql(re.sub(r"\{\d\}", "%s", code), *(operands[number] for number in order))


def _aggregate(node, column):
    """One total of a group. Decimal numbers are added exactly: the order of the rows must not matter."""
    if node.kind in ("min", "max"):
        collate = ' COLLATE "C"' if node.operand.type is Type.STRING else ""
        return f"{node.kind}({column}{collate})"
    kind = "numeric" if node.operand.type is Type.DOUBLE else "bigint"
    return f"sum(CAST({column} AS {kind}))"


def _is_age(node):
    return isinstance(node, ir.FieldOf) and bool(node.field.age_of)
