"""One statement for everybody: its number, its plan, its settings, and its cost."""

import time

from odoo.tests import tagged
from odoo.tools import SQL

from .common import AS_OF, RuleCase


@tagged("post_install", "-at_install")
class TestStatement(RuleCase):
    def plan(self, query):
        self.env.cr.execute(SQL("EXPLAIN %s", query))
        return "\n".join(row[0] for row in self.env.cr.fetchall())

    def test_one_statement_however_many_people(self):
        version = self.rule("group.members.filter(m, m.age < 5).size() >= 1").draft_version_id
        for partners in (self.groups[:1], self.groups):
            query = version._outcome_query(self.population(partners), AS_OF)
            before = self.env.cr.sql_log_count
            self.env.cr.execute(query)
            self.assertEqual(self.env.cr.sql_log_count - before, 1)
            self.assertEqual(self.env.cr.rowcount, len(partners))

    def test_no_query_per_person(self):
        everybody = SQL("SELECT id FROM res_partner WHERE is_group")
        for text in (
            "group.members.filter(m, m.age < 5).size() >= 2",
            "group.members.filter(m, m.age < 5).size() >= 1",
            "group.members.all(m, m.age < 5) || group.members.exists(m, m.income > group.income)",
            "group.members.filter(m, m.age < 5).size() * 2 >= group.members.size()",
        ):
            plan = self.plan(self.rule(text).draft_version_id._outcome_query(everybody, AS_OF))
            self.assertNotIn("SubPlan", plan, text)

    def test_lists_are_counted_for_everybody_where_most_are_asked_and_once(self):
        rule, constants = self.rule(
            "group.members.filter(m, m.age < 5).size() >= 2"
        ).draft_version_id._compile()
        everybody = self.env["spp.cel.schema"]._population("group")
        self.assertTrue(self.env["spp.cel.schema"]._is_most(rule, everybody))
        self.assertFalse(self.env["spp.cel.schema"]._is_most(rule, self.population(self.groups)))
        for most in (False, True):
            text, _params = rule.to_sql(everybody.code, everybody.params, AS_OF, constants, most=most)
            self.assertEqual("JOIN spp_population" in text, not most)
            self.assertEqual("LIMIT" in text, most)  # so that no process counts them all again

    def test_a_collection_is_read_once_whatever_is_counted(self):
        text = (
            "group.members.filter(m, m.age < 5).size() >= 2 && group.members.filter(m, m.age > 60).size() == 1"
            " && group.members.exists(m, m.is_head)"
        )
        query = self.rule(text).draft_version_id._outcome_query(self.population(self.groups), AS_OF)
        self.assertEqual(query.code.count("spp_group_membership"), 1)

    def test_matching_ids_use_exists(self):
        rule, constants = self.rule(
            "group.members.filter(m, m.age < 5).size() >= 1"
        ).draft_version_id._compile()
        eligible, _params = rule.ids_sql("eligible", "SELECT id FROM res_partner", [], AS_OF, constants)
        self.assertIn("WHERE EXISTS (", eligible)
        not_eligible, _params = rule.ids_sql(
            "not_eligible", "SELECT id FROM res_partner", [], AS_OF, constants
        )
        self.assertIn("WHERE NOT EXISTS (", not_eligible)
        self.assertNotIn("count(", eligible + not_eligible)

    def test_an_age_is_a_range_of_birthdates(self):
        rule, constants = self.rule("individual.age >= 60", target="individual").draft_version_id._compile()
        text, params = rule.ids_sql("eligible", "SELECT id FROM res_partner", [], AS_OF, constants)
        self.assertIn("r.birthdate <= CAST(%s AS date)", text)
        self.assertNotIn("age(", text)
        self.assertEqual(params, ["1964-02-29"])

    def test_values_are_parameters(self):
        version = self.rule("""group.kind == '\\'; DROP TABLE res_partner; --'""").draft_version_id
        query = version._outcome_query(self.population(self.groups), AS_OF)
        self.assertNotIn("DROP", query.code)
        self.assertIn("'; DROP TABLE res_partner; --", query.params)
        self.assertEqual(len(self.outcomes(version, self.groups)), len(self.groups))

    def test_settings_hold_for_the_transaction(self):
        self.env["ir.config_parameter"].set_param("spp_cel.statement_timeout", "90")
        self.env["spp.rule.version"]._run_settings(self.env.cr)
        self.env.cr.execute("SELECT current_setting('jit'), current_setting('statement_timeout')")
        self.assertEqual(self.env.cr.fetchone(), ("off", "90s"))

    def test_twenty_thousand_households(self):
        """Cost grows with the number, not with its square."""
        self.env.cr.execute("SELECT setseed(0.5)")
        self.env.cr.execute(
            """
            INSERT INTO res_partner (name, active, is_registrant, registrant_status, is_group, birthdate)
            SELECT 'SCALE ' || n, TRUE, TRUE, 'active', n %% 4 = 0,
                   CASE WHEN n %% 4 <> 0 AND random() < 0.98
                        THEN date '1950-01-01' + CAST(random() * 27000 AS integer) END
            FROM generate_series(1, %s) n
            RETURNING id
            """,
            [80_000],
        )
        ids = [row[0] for row in self.env.cr.fetchall()]
        # or the foreign keys are checked with plans made for a small table
        self.env.cr.execute("ANALYZE res_partner")
        self.env.cr.execute(
            "INSERT INTO spp_group_membership (group_id, individual_id)"
            " SELECT * FROM unnest(CAST(%s AS integer[]), CAST(%s AS integer[]))",
            [
                [ids[n - n % 4 + 3] for n in range(80_000) if n % 4 != 3],
                [ids[n] for n in range(80_000) if n % 4 != 3],
            ],
        )
        self.env.cr.execute("ANALYZE spp_group_membership")
        version = self.rule("group.members.filter(m, m.age < 5).size() >= 2").draft_version_id
        query = version._outcome_query(
            SQL("SELECT id FROM res_partner WHERE name LIKE %s AND is_group", "SCALE %"), AS_OF
        )
        start = time.monotonic()
        self.env.cr.execute(SQL("SELECT outcome, count(*) FROM (%s) AS answers GROUP BY outcome", query))
        found = dict(self.env.cr.fetchall())
        self.assertEqual(sum(found.values()), 20_000)
        self.assertEqual(set(found), {"eligible", "not_eligible", "undetermined"})
        self.assertLess(time.monotonic() - start, 5)
