"""A compiled rule for everybody, against the SQL that somebody would write by hand for it."""

import datetime
import time

from odoo.tools import SQL

SIZE = 100_000  # people; a fifth as many households
AS_OF = datetime.date(2026, 11, 21)
BY_HAND = {
    "group.members.filter(m, m.age < 5).size() >= 1": """
        SELECT count(*) FILTER (WHERE young > 0)
          FROM (SELECT g.id,
                       count(*) FILTER (WHERE p.birthdate > date '2026-11-21' - interval '5 years') AS young,
                       count(*) FILTER (WHERE p.id IS NOT NULL AND p.birthdate IS NULL) AS unknown
                  FROM res_partner g
             LEFT JOIN spp_group_membership m ON m.group_id = g.id
                       AND (m.start IS NULL OR m.start <= '2026-11-21')
                       AND (m.ended IS NULL OR m.ended > '2026-11-21')
             LEFT JOIN res_partner p ON p.id = m.individual_id
                 WHERE g.is_registrant AND g.is_group
              GROUP BY g.id) households
    """,
    "individual.age >= variables.retirement_age": """
        SELECT count(*) FROM res_partner
         WHERE is_registrant AND NOT is_group AND birthdate <= date '2026-11-21' - interval '60 years'
    """,
}


def run(env, size):
    """Yield (rule, seconds of the compiled query, seconds of the one by hand, limit of the ratio)."""
    _people(env, size)
    for expression, by_hand in BY_HAND.items():
        target = expression.split(".")[0]
        rule = env["spp.rule"].create({"name": expression, "target": target, "expression": expression})
        rule.action_publish()
        population = SQL(
            "SELECT id FROM res_partner WHERE is_registrant AND is_group = %s", target == "group"
        )
        outcome = rule.published_version_id._outcome_query(population, AS_OF)
        ours = SQL("SELECT count(*) FROM (%s) o WHERE outcome = 'eligible'", outcome)
        found, seconds = _best(env, ours)
        expected, base = _best(env, SQL(by_hand))
        assert found == expected, f"{expression}: {found} eligible, by hand {expected}"
        # Ours also gathers the facts of each person's outcome; beside the bare comparison of a date that shows most.
        yield expression, seconds, base, 2.5 if target == "group" else 4.0
    env.cr.rollback()


def _best(env, query, times=3):
    spent = []
    for _time in range(times):
        started = time.perf_counter()
        env.cr.execute(query)
        spent.append(time.perf_counter() - started)
    return env.cr.fetchone()[0], min(spent)


def _people(env, size):
    """Households of four, and as many people alone as households; one birthdate in fifty unknown."""
    env.cr.execute(
        SQL(
            """
            INSERT INTO res_partner (name, is_registrant, is_group, birthdate, registrant_status, active, type)
            SELECT 'p' || n, true, mod(n, 5) = 0,
                   CASE WHEN mod(n, 50) <> 7 THEN date '2026-11-21' - mod(n::bigint * 7919, 32000)::int END, 'active', true, 'contact'
              FROM generate_series(1, %s) n
            """,
            size,
        )
    )
    env.cr.execute(
        """
        INSERT INTO spp_group_membership (group_id, individual_id)
        SELECT g.id, p.id FROM (SELECT id, row_number() OVER (ORDER BY id) n FROM res_partner
                                 WHERE is_registrant AND is_group) g
          JOIN (SELECT id, (row_number() OVER (ORDER BY id) - 1) / 4 + 1 AS n FROM res_partner
                 WHERE is_registrant AND NOT is_group) p ON p.n = g.n
        """
    )
    env.cr.execute("ANALYZE res_partner")
    env.cr.execute("ANALYZE spp_group_membership")
