"""A compiled rule: what the rest of the system uses of this package."""

import datetime
from dataclasses import dataclass, field

from . import boundary, change, explain, functions, interpret, ir, sql, why
from .schema import Constant, Schema, Type

_OUTCOMES = {True: "eligible", False: "not_eligible", None: "undetermined"}
_SAMPLES = {Type.INT: 1, Type.DOUBLE: 1.0, Type.STRING: "x", Type.BOOL: True}


@dataclass(frozen=True)
class Result:
    """The answer for one record: outcome, the facts it rests on, and what was missing."""

    outcome: str
    facts: dict = field(hash=False)
    missing: list = field(hash=False)

    @property
    def given_up(self):
        """Whether the record's lists were too long for an answer."""
        return explain.GIVEN_UP in self.facts


@dataclass(frozen=True)
class Rule:
    """A checked rule. Nothing in it depends on a date or a record; values of variables come later."""

    text: str
    schema: Schema
    target: str
    node: object

    @property
    def variables(self):
        """Names of the variables that the rule reads, in the order of the text."""
        return [
            part.name for part in ir.facts(self.node, self.target).values() if isinstance(part, ir.Variable)
        ]

    @property
    def reads_lists(self):
        """Whether it looks at the items of a collection."""
        return any(isinstance(part, ir.Count | ir.Total) for part in ir.walk(self.node))

    def to_sql(self, population_sql, population_params, as_of, variables=None, most=False):
        """(sql, params) that selects id, outcome and facts (jsonb) for every id of the population.

        `population_sql` selects a column `id`. The outcome is eligible, not_eligible or
        undetermined. `variables` maps names to Constant. `most` says that the population is most of all
        records there are: the answer is the same, and costs less then.
        """
        return self._sql(sql.outcomes, self.node, population_sql, population_params, as_of, variables, most)

    @property
    def not_compiled(self):
        """Why the rule has no SQL, in words, or an empty string."""
        sample = {
            part.name: Constant(part.type, _SAMPLES[part.type])
            for part in ir.walk(self.node)
            if isinstance(part, ir.Variable)
        }
        write = self.amounts_sql if self.node.type.numeric else self.to_sql
        try:
            write("SELECT 1 AS id", [], datetime.date(2000, 1, 1), sample)
        except sql.NotCompiled as reason:
            return str(reason)
        return ""

    def values_sql(self, population_sql, population_params, as_of, variables=None, digits=2, most=False):
        """(sql, params) that selects id and value (numeric, rounded; NULL where missing), for a number.

        Decimal numbers are rounded half away from zero, as `value` does.
        """
        population = sql.Sql.raw(population_sql, population_params)
        constants = self._constants(variables)
        built = sql.values(self.node, self.schema, self.target, population, as_of, constants, digits, most)
        return built.text, built.params

    def amounts_sql(self, population_sql, population_params, as_of, variables=None, most=False):
        """(sql, params) that selects id, value (numeric, not rounded; NULL where missing) and facts, for a number."""
        return self._sql(sql.amounts, self.node, population_sql, population_params, as_of, variables, most)

    def value(self, record, as_of, variables=None, digits=2):
        """The value for one record as a Decimal, rounded; None where it is missing."""
        source = interpret.Records(self.target, record, as_of, self._constants(variables))
        try:
            found = interpret.value(self.node, source)
        except interpret.TooManySteps:
            return None
        return None if found is None else functions.amount(found, digits)

    def amount(self, record, as_of, variables=None):
        """(value, facts) for one record, as `amounts_sql` selects them; the value is None where it is missing."""
        source = interpret.Records(self.target, record, as_of, self._constants(variables))
        try:
            found = interpret.value(self.node, source)
            facts = {key: self._fact(part, source) for key, part in ir.facts(self.node, self.target).items()}
            return None if found is None else functions.exact(found), facts
        except interpret.TooManySteps:
            return None, {explain.GIVEN_UP: interpret.MAX_STEPS}

    def ids_sql(self, outcome, population_sql, population_params, as_of, variables=None, most=False):
        """(sql, params) that selects the ids with the outcome eligible or not_eligible.

        Cheaper than to_sql where the facts are not wanted: existence tests become semi joins.
        """
        node = {"eligible": self.node, "not_eligible": ir.negate(self.node)}[outcome]
        return self._sql(sql.matching, node, population_sql, population_params, as_of, variables, most)

    def boundary_sql(self, population_sql, population_params, as_of, variables=None):
        """(sql, params) that selects the ids of a few boundary cases (see boundary.py), each once."""
        population = sql.Sql.raw(population_sql, population_params)
        return boundary.cases(self, population, as_of, self._constants(variables))

    def _sql(self, build, node, population_sql, population_params, as_of, variables, most):
        population = sql.Sql.raw(population_sql, population_params)
        constants = self._constants(variables)
        built = build(node, self.schema, self.target, population, as_of, constants, most)
        return built.text, built.params

    def evaluate(self, record, as_of, variables=None):
        """The answer for one record (see interpret.Records for its form)."""
        source = interpret.Records(self.target, record, as_of, self._constants(variables))
        try:
            outcome = _OUTCOMES[interpret.value(self.node, source)]
            facts = {key: self._fact(part, source) for key, part in ir.facts(self.node, self.target).items()}
            return Result(outcome, facts, explain.missing(self.node, source))
        except interpret.TooManySteps as error:
            return Result("undetermined", {explain.GIVEN_UP: interpret.MAX_STEPS}, [str(error)])

    def again(self, facts, as_of=None, variables=None):
        """The outcome, from nothing but stored facts; KeyError where they are not those of this rule.

        `variables` and `as_of` replace what the facts say of them.
        """
        return _OUTCOMES[self._from(facts, as_of, variables)]

    def value_again(self, facts, as_of=None, variables=None):
        """The value of a number from stored facts, exact as PostgreSQL's numeric; None where it is missing."""
        found = self._from(facts, as_of, variables)
        return None if found is None else functions.exact(found)

    def _from(self, facts, as_of, variables):
        if explain.GIVEN_UP in facts:
            return None
        absent = ir.facts(self.node, self.target).keys() - facts.keys()
        if absent:
            raise KeyError(", ".join(sorted(absent)))
        return interpret.value(self.node, interpret.Facts(facts, as_of, variables))

    @staticmethod
    def _fact(part, source):
        if isinstance(part, ir.Count):
            return vars(source.tally(part))
        known = interpret.value(part, source)
        return known.isoformat() if hasattr(known, "isoformat") else known

    def explain(self, facts):
        """Sentences that say which conditions decided, from the facts of `evaluate` or `to_sql`."""
        return explain.explain(self.node, facts)

    def answers(self, facts):
        """Whether the facts are those that this rule looks at."""
        return ir.facts(self.node, self.target).keys() <= facts.keys()

    def changed(self, before, after):
        """Sentences that say which facts turned the answer, from the facts of two evaluations."""
        return explain.changed(self.node, self.target, before, after)

    def seen(self, facts):
        """What was looked at, from the facts of `evaluate`, `to_sql` or `amounts_sql`: ["Members: 3"]."""
        return explain.seen(self.node, self.target, facts)

    @property
    def unknowns(self):
        """{fact: words} for what can be missing; see explain.unknowns."""
        return explain.unknowns(self.node, self.target)

    def why(self, record, as_of, variables=None):
        """The rule as a tree for one record: why.Part. TooManySteps where its lists are too long."""
        return why.why(self.node, interpret.Records(self.target, record, as_of, self._constants(variables)))

    def change(self, record, as_of, variables=None):
        """The smallest change of a record that would flip the outcome: change.Way, or None."""
        budget = interpret.Budget(change.MAX_STEPS)
        source = interpret.Records(self.target, record, as_of, self._constants(variables), budget)
        try:
            return change.smallest(self.node, self.schema, self.target, source)
        except interpret.TooManySteps:
            return None

    def _constants(self, variables):
        """The constants that the rule reads, checked: they go into the statement."""
        expected = {part.name: part.type for part in ir.walk(self.node) if isinstance(part, ir.Variable)}
        constants = {}
        for name, kind in expected.items():
            constant = (variables or {}).get(name)
            if constant is None:
                raise ValueError(f"The variable “{name}” has no value.")
            problem = constant.problem() if constant.type is kind else f"must be {kind.words}"
            if problem:
                raise ValueError(f"The variable “{name}” {problem}.")
            constants[name] = constant
        return constants
