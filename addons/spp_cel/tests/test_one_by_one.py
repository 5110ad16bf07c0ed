"""A rule that the database cannot answer is answered one by one, and says so."""

from decimal import Decimal
from unittest.mock import patch

from odoo.tests import tagged
from odoo.tools import SQL

from ..lang import compile_value
from ..models import cel_answers
from .common import AS_OF, RuleCase

PATTERN = "individual.gender.matches('^f.*e$')"
OLDER = "10 * group.members.count(m, m.age > group.members.avg(n, n.age))"
NESTED = "group.members.exists(m, m.age > group.members.avg(n, n.age))"


@tagged("post_install", "-at_install")
class TestOneByOne(RuleCase):
    def test_the_rule_says_why(self):
        self.assertIn("matches", self.rule(PATTERN, target="individual").not_compiled)
        self.assertIn("inside another", self.rule(NESTED).not_compiled)
        self.assertFalse(self.rule("group.members.size() > 1").not_compiled)

    def test_answers_are_those_of_the_interpreter(self):
        for text, target, people in (
            (PATTERN, "individual", self.individuals),
            (NESTED, "group", self.groups),
        ):
            version = self.rule(text, target=target).draft_version_id
            rule, constants = version._compile()
            records = self.env["spp.cel.schema"]._records(target, people)
            expected = {id_: rule.evaluate(record, AS_OF, constants) for id_, record in records.items()}
            with patch.object(cel_answers, "_PAGE", 7):
                found = self.outcomes(version, people)
            self.assertEqual(
                found, {id_: (answer.outcome, answer.facts) for id_, answer in expected.items()}, text
            )
            self.assertGreaterEqual(len({outcome for outcome, _facts in found.values()}), 2)

    def test_statements_grow_with_pages_not_with_people(self):
        version = self.rule(PATTERN, target="individual").draft_version_id
        few = self.statements(version, self.individuals[:2])
        self.assertEqual(self.statements(version, self.individuals), few)

    def statements(self, version, people):
        version._outcome_query(self.population(people), AS_OF)
        before = self.env.cr.sql_log_count
        version._outcome_query(self.population(people), AS_OF)
        return self.env.cr.sql_log_count - before

    def test_amounts_with_a_list_inside_a_list(self):
        schema = self.env["spp.cel.schema"]
        rule = schema._compile_amount(OLDER, "group", {}, {})
        self.assertIn("inside another", rule.not_compiled)
        records = schema._records("group", self.groups)
        with patch.object(cel_answers, "_PAGE", 7):
            query = schema._amount_query(rule, {}, self.population(self.groups), AS_OF)
        self.env.cr.execute(SQL("SELECT id, value, facts FROM (%s) AS amounts", query))
        found = {id_: (value, facts) for id_, value, facts in self.env.cr.fetchall()}
        self.assertEqual(found, {id_: rule.amount(record, AS_OF) for id_, record in records.items()})
        self.assertGreaterEqual(len({value for value, _facts in found.values()}), 3)
        for value, facts in found.values():
            self.assertEqual(rule.value_again(facts), value, "what was kept gives the same amount again")
        # and what the database can compute is the same there
        plain = schema._compile_amount("10 * group.members.size()", "group", {}, {})
        query = schema._amount_query(plain, {}, self.population(self.groups), AS_OF)
        self.env.cr.execute(SQL("SELECT id, value, facts FROM (%s) AS amounts", query))
        for id_, value, facts in self.env.cr.fetchall():
            self.assertEqual((value, facts), plain.amount(records[id_], AS_OF))

    def test_two_rules_in_one_transaction_do_not_mix(self):
        women = self.rule(PATTERN, target="individual").draft_version_id
        men = self.rule("individual.gender.matches('^male$')", target="individual").draft_version_id
        self.assertNotEqual(self.outcomes(women, self.individuals), self.outcomes(men, self.individuals))
        counts = men._counts(self.population(self.individuals), AS_OF)
        answers = [outcome for outcome, _facts in self.outcomes(men, self.individuals).values()]
        self.assertEqual(counts, {name: answers.count(name) for name in counts})

    def test_it_is_published_like_any_other(self):
        rule = self.rule(PATTERN, target="individual")
        rule.action_publish()
        self.assertEqual(rule.state, "published")


@tagged("post_install", "-at_install")
class TestAmounts(RuleCase):
    """A number for everybody: the same in SQL and in Python, rounded half away from zero."""

    def test_amounts_agree(self):
        schema = self.env["spp.cel.schema"]
        records = schema._records("group", self.groups)
        population = ("SELECT unnest(CAST(%s AS integer[])) AS id", [self.groups.ids])
        for text in (
            "100 + 20 * group.members.count(m, m.age < 5)",
            "get(group.income, 0.0) / 3.0",
            "group.members.sum(m, get(m.income, 0.0)) * 0.015",
            "group.income / 0.0",
            "2.675",
            "-100.005",
            "group.members.size() > 3 ? 100.0 : 50.0 * double(group.members.size())",
        ):
            rule = compile_value(text, schema._schema(), "group")
            for digits in (0, 2):
                sql, params = rule.values_sql(*population, AS_OF, digits=digits)
                query = SQL(sql, *params)
                self.env.cr.execute(SQL("SELECT id, CAST(value AS text) FROM (%s) AS amounts", query))
                found = dict(self.env.cr.fetchall())
                expected = {id_: rule.value(record, AS_OF, digits=digits) for id_, record in records.items()}
                self.assertEqual(
                    found,
                    {id_: None if amount is None else f"{amount:f}" for id_, amount in expected.items()},
                    text,
                )
        self.assertEqual(compile_value("2.675", schema._schema(), "group").value({}, AS_OF), Decimal("2.68"))
