"""Boundary cases: the few records of a population on which two evaluations of a rule would differ first.

For a comparison of a field with a constant, the records just below, at and just above it; for a
count compared with a constant, those that have one less, as many, and one more; for other
comparisons, those whose sides are equal; for `in`, one of each kind. Further, records that lack a
field which the rule reads, and records whose collections are empty.
"""

from . import ir, sql
from .dates import latest_birthdate
from .interpret import Records, value
from .schema import Type

EACH = 3  # records of each kind
MOST_KINDS = 60


def cases(rule, population, as_of, constants, each=EACH):
    """(sql, params) that selects the ids of boundary cases, `each` of every kind.

    `population` is a Sql with a column `id`. Of a rule with very many comparisons, some are looked at.
    """
    queries = list(_Finder(rule, population, as_of, constants, each).queries())
    found = list({(query.text, str(query.params)): query for query in queries}.values())
    branches = [
        sql.Sql("SELECT p.id FROM (%s) AS p WHERE FALSE", population),
        *found[:: 1 + len(found) // MOST_KINDS],
    ]
    text = " UNION ".join(f"({branch.text})" for branch in branches)
    return f"SELECT id FROM ({text}) AS cases", [value for branch in branches for value in branch.params]


class _Finder:
    def __init__(self, rule, population, as_of, constants, each):
        self.rule = rule
        self.schema = rule.schema
        self.target = rule.schema.record_types[rule.target]
        self.population = population
        self.as_of = as_of
        self.constants = constants
        self.each = each
        # macro variable → collection of the target
        self.collections = {
            part.variable: part.collection
            for part in ir.walk(rule.node)
            if hasattr(part, "collection") and part.collection in self.target.collections
        }

    def queries(self):
        for part in ir.walk(self.rule.node):
            if isinstance(part, ir.FieldOf) and part.field.nullable:
                yield from self._of_field(part, "%s IS NULL", [], "")
            elif isinstance(part, ir.Compare):
                yield from self._comparison(part)
            elif isinstance(part, ir.In) and self._about_target(part):
                yield from map(self._matching, (part, ir.negate(part)))
        for collection in dict.fromkeys(self.collections.values()):
            yield self._empty(collection)

    def _comparison(self, node):
        left, right = node.left, node.right
        if ir.is_constant(left):
            left, right = right, left
        if isinstance(left, ir.FieldOf) and ir.is_constant(right):
            for written, bound in self._bounds(left, self._constant(right)):
                for operator, order in (("<", "DESC"), ("=", ""), (">", "ASC")):
                    yield from self._of_field(left, f"%s {operator} {written}", [bound], order)
        elif self._about_target(node):
            numbers = [right]
            if isinstance(left, ir.Count) and ir.is_constant(right) and right.type is Type.INT:
                number = self._constant(right)
                numbers = [ir.Literal(Type.INT, near) for near in (number - 1, number, number + 1)]
            for number in numbers:
                yield self._matching(ir.Compare("==", left, number))

    def _bounds(self, node, constant):
        """(as written in SQL, value) of each bound of the stored field."""
        if not node.field.age_of:
            yield "%s", constant
        elif node.type is Type.INT and isinstance(constant, int):
            for years in (constant, constant + 1):  # age > 5 begins on the sixth birthday
                yield "CAST(%s AS date)", latest_birthdate(years, self.as_of)

    def _of_field(self, node, condition, params, order):
        """Records of the target, or owners of items, whose field satisfies a condition."""
        field = node.field.age_of or node.field
        names = {"r": "r", "link": "link", "j": "j"}
        column, join = field.sql.format(**names), field.join.format(**names)
        condition = sql.Sql(condition.replace("%s", column, 1), *params)
        ordered = f" ORDER BY {column} {order}" if order else ""
        if node.record == self.rule.target:
            yield sql.Sql(
                f"SELECT r.id FROM {self.target.table} r {join} WHERE r.id IN (%s) AND %s{ordered} LIMIT %s",
                self.population,
                condition,
                self.each,
            )
        elif node.record in self.collections:
            collection = self.collections[node.record]
            table = self.schema.record_types[collection.item_type].table
            yield sql.Sql(
                f"SELECT link.{collection.owner} AS id FROM {collection.table} link"
                f" JOIN {table} r ON r.id = link.{collection.item} {join}"
                f" WHERE link.{collection.owner} IN (%s) AND %s AND %s{ordered} LIMIT %s",
                self.population,
                self._live(collection),
                condition,
                self.each,
            )

    def _matching(self, node):
        found = sql.matching(node, self.schema, self.rule.target, self.population, self.as_of, self.constants)
        return sql.Sql("%s LIMIT %s", found, self.each)

    def _empty(self, collection):
        return sql.Sql(
            f"SELECT p.id FROM (%s) AS p WHERE NOT EXISTS (SELECT FROM {collection.table} link"
            f" WHERE link.{collection.owner} = p.id AND %s) LIMIT %s",
            self.population,
            self._live(collection),
            self.each,
        )

    def _constant(self, node):
        return value(node, Records("", {}, self.as_of, self.constants))

    def _live(self, collection):
        return sql.Sql.raw(*collection.live_sql("link", self.as_of))

    def _about_target(self, node):
        """Whether no field in it belongs to an item outside of its macro."""
        free, bound = set(), set()
        for part in ir.walk(node):
            if isinstance(part, ir.FieldOf):
                free.add(part.record)
            elif hasattr(part, "variable") and hasattr(part, "collection"):
                bound.add(part.variable)
        return free - bound <= {self.rule.target}
