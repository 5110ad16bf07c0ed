"""Ten rules for a million people: compiled, written by hand, and row by row in cel-python.

    ./spp bench eligibility                  # 1,000,000 individuals in 250,000 groups; about six minutes
    ./spp bench eligibility --size 100000

For each rule, the one statement that the product runs for everybody (outcome of every id) is measured
beside SQL that a good engineer would write for the same question on the same tables. Both are run in
turn, several times each, and the best counts; both must find the same number of eligible and of not
eligible. Rows of the table:

- each rule against its SQL by hand: at most 2 times as long, in the median at most 1.5;
- each rule against cel-python's interpreter on a sample of records, their fetching and conversion
  included, scaled up to all of them: at most an 80th;
- each rule's cost for one record among all, against that among 10,000 individuals: at most 1.5 times.

The 10,000 stay beside the many in tables of the same names and indexes in a schema of their own. So both sizes are
measured in turn, under the same load; what takes a few milliseconds is run many times for each run of the large one.

Only ratios are judged: seconds are those of the machine at hand.
"""

import datetime
import re
import statistics
import time
from contextlib import closing
from dataclasses import dataclass

import celpy
from celpy.celtypes import BoolType, DoubleType, IntType, ListType, MapType, StringType

from odoo.sql_db import db_connect
from odoo.tools import SQL

SIZE = 1_000_000
FEW = 10_000
SAMPLE = 1_000
TIMES = 3
TIMES_FEW = 10  # for each of these
FEW_SCHEMA = "few"
AS_OF = datetime.date(2026, 11, 21)
TABLES = ("res_partner", "spp_group_membership")
MEDIAN_LIMIT, LIMIT, CEL_LIMIT, GROWTH_LIMIT = 1.5, 2.0, 1 / 80, 1.5
EVERYBODY = {
    "individual": "is_registrant AND active AND is_group IS NOT TRUE",
    "group": "is_registrant AND active AND is_group",
}


@dataclass(frozen=True)
class Case:
    """A rule; SQL for its outcome: when eligible, when not, and the counts over its members that they use."""

    name: str
    expression: str
    eligible: str
    not_eligible: str
    counts: str = ""
    cel_python: str = ""  # the expression, where cel-python writes it differently

    @property
    def target(self):
        return "group" if "group." in self.expression else "individual"

    @property
    def by_hand(self):
        """How many are eligible, and how many are not, as one would write it."""
        joined = ""
        if self.counts:
            joined = f"""
                LEFT JOIN (SELECT m.group_id, {self.counts}
                             FROM spp_group_membership m JOIN res_partner p ON p.id = m.individual_id
                            WHERE (m.start IS NULL OR m.start <= '{AS_OF}')
                              AND (m.ended IS NULL OR m.ended > '{AS_OF}')
                         GROUP BY m.group_id) c ON c.group_id = r.id"""
        return f"""
            SELECT count(*) FILTER (WHERE {self.eligible}), count(*) FILTER (WHERE {self.not_eligible})
              FROM res_partner r {joined}
             WHERE {EVERYBODY[self.target]}"""


def younger(years):
    return f"p.birthdate > '{AS_OF.replace(year=AS_OF.year - years)}'"


def older(years, row="p"):
    return f"{row}.birthdate <= '{AS_OF.replace(year=AS_OF.year - years)}'"


UNKNOWN = "count(*) FILTER (WHERE p.birthdate IS NULL) AS unknown"
CASES = [
    Case(
        "social pension",
        "individual.age >= variables.retirement_age",
        older(60, "r"),
        f"NOT {older(60, 'r')}",
    ),
    Case(
        "poor and vulnerable",
        "group.income < 100.0 && group.vulnerability_score >= 3.0",
        "r.income < 100 AND r.vulnerability_score >= 3",
        "r.income >= 100 OR r.vulnerability_score < 3",
    ),
    Case(
        "a child under five",
        "group.members.filter(m, m.age < 5).size() >= 1",
        "young > 0",
        "COALESCE(young, 0) = 0 AND COALESCE(unknown, 0) = 0",
        f"count(*) FILTER (WHERE {younger(5)}) AS young, {UNKNOWN}",
    ),
    Case(
        "headed by a woman",
        "group.members.exists(m, m.is_head && m.gender == 'female')",
        "women > 0",
        "COALESCE(women, 0) = 0 AND COALESCE(unknown, 0) = 0",
        "count(*) FILTER (WHERE m.is_head AND p.gender = 'female') AS women,"
        " count(*) FILTER (WHERE m.is_head AND p.gender IS NULL) AS unknown",
    ),
    Case(
        "nobody of working age",
        "group.members.all(m, m.age < 18 || m.age >= 60)",
        "COALESCE(workers, 0) = 0 AND COALESCE(unknown, 0) = 0",
        "workers > 0",
        f"count(*) FILTER (WHERE {older(18)} AND NOT {older(60)}) AS workers, {UNKNOWN}",
    ),
    Case(
        "little income for each member",
        "group.members.size() > 0 && group.income / double(group.members.size()) < 30.0",
        "r.income / n < 30",
        "c.group_id IS NULL OR r.income / n >= 30",
        "count(*) AS n",
    ),
    Case(
        "large, with children and an elder",
        "group.members.size() >= 5 && group.members.filter(m, m.age < 18).size() >= 2"
        " && group.members.exists(m, m.age >= 60)",
        "n >= 5 AND young >= 2 AND old >= 1",
        "c.group_id IS NULL OR n < 5 OR young + unknown < 2 OR old + unknown < 1",
        f"count(*) AS n, count(*) FILTER (WHERE {younger(18)}) AS young,"
        f" count(*) FILTER (WHERE {older(60)}) AS old, {UNKNOWN}",
    ),
    Case(
        "more dependants than workers",
        "group.members.filter(m, m.age < 15).size() + group.members.filter(m, m.age >= 65).size()"
        " > group.members.filter(m, m.age >= 15 && m.age < 65).size()",
        "unknown = 0 AND young + old > workers",
        "c.group_id IS NULL OR (unknown = 0 AND young + old <= workers)",
        f"count(*) FILTER (WHERE {younger(15)}) AS young, count(*) FILTER (WHERE {older(65)}) AS old,"
        f" count(*) FILTER (WHERE {older(15)} AND NOT {older(65)}) AS workers, {UNKNOWN}",
    ),
    Case(
        "members who earn little together",
        "group.members.filter(m, has(m.income)).sum(m, m.income) < 200.0",
        "COALESCE(earned, 0) < 200",
        "earned >= 200",
        "sum(CAST(p.income AS numeric)) AS earned",
        "group.members.filter(m, has(m.income)).map(m, m.income).reduce(r, i, 0.0, r + i) < 200.0",
    ),
    Case(
        "a poor infant, or somebody disabled",
        "group.income < 100.0 && group.members.exists(m, m.age < 2)"
        " || group.members.exists(m, m.registrant_status == 'disabled')",
        "(r.income < 100 AND infants > 0) OR disabled > 0",
        "(r.income >= 100 OR COALESCE(infants + unknown, 0) = 0) AND COALESCE(disabled, 0) = 0",
        f"count(*) FILTER (WHERE {younger(2)}) AS infants, {UNKNOWN},"
        " count(*) FILTER (WHERE p.registrant_status = 'disabled') AS disabled",
    ),
]


def run(env, size):
    """Yield (name, seconds of ours, seconds of what it is measured against, limit of the ratio)."""
    env["spp.rule.version"]._run_settings(env.cr)
    versions = {case: _version(env, case) for case in CASES}
    few = min(FEW, size)
    _load(env, few)
    _keep_few(env)
    if size > few:
        _load(env, size - few)
    measured = {case: _fastest(env, versions[case], case) for case in CASES}
    for case, (ours, by_hand, _few) in measured.items():
        yield f"{case.name}, by hand", ours, by_hand, LIMIT
    ratios = {case: ours / by_hand for case, (ours, by_hand, _few) in measured.items()}
    middle = statistics.median(ratios.values())
    yield "median of the ten, by hand", middle, 1.0, MEDIAN_LIMIT
    for case, (ours, _by_hand, _few) in measured.items():
        yield f"{case.name}, cel-python", ours, _row_by_row(env, versions[case], case), CEL_LIMIT
    for case, (ours, _by_hand, at_few) in measured.items():
        yield f"{case.name}, growth", ours / size * 1e6, at_few / few * 1e6, GROWTH_LIMIT


def _version(env, case):
    rule = env["spp.rule"].create({"name": case.name, "target": case.target, "expression": case.expression})
    return rule.draft_version_id


def _fastest(env, version, case):
    """Seconds of ours, of the SQL by hand, and of ours for the few, in turn; the first two count the same."""
    population = env["spp.cel.schema"]._population(case.target)
    outcomes = version._outcome_query(population, AS_OF)
    ours = SQL(
        "SELECT count(*) FILTER (WHERE outcome = 'eligible'), count(*) FILTER (WHERE outcome = 'not_eligible')"
        " FROM (%s) AS outcomes",
        outcomes,
    )
    spent = {"ours": [], "by hand": [], "few": []}
    for _time in range(TIMES):
        found = {}
        for side, query in (("ours", ours), ("by hand", SQL(case.by_hand)), *[("few", ours)] * TIMES_FEW):
            env.cr.execute(f"SET LOCAL search_path TO {FEW_SCHEMA + ', ' if side == 'few' else ''}public")
            started = time.perf_counter()
            env.cr.execute(query)
            spent[side].append(time.perf_counter() - started)
            found[side] = env.cr.fetchone()
        env.cr.execute("SET LOCAL search_path TO public")
        assert found["ours"] == found["by hand"], f"{case.name}: {found}"
    return tuple(map(min, spent.values()))


# -- row by row --------------------------------------------------------------------------------


def _row_by_row(env, version, case):
    """Seconds that cel-python would take for everybody, from a sample; its answers must be ours."""
    env.cr.execute(SQL("SELECT count(*) FROM res_partner WHERE %s", SQL(EVERYBODY[case.target])))
    (everybody,) = env.cr.fetchone()
    sample = SQL(
        "SELECT id FROM res_partner WHERE %s ORDER BY hashint4(id) LIMIT %s",
        SQL(EVERYBODY[case.target]),
        SAMPLE,
    )
    env.cr.execute(SQL("SELECT id, outcome FROM (%s) AS outcomes", version._outcome_query(sample, AS_OF)))
    expected = dict(env.cr.fetchall())
    partners = env["res.partner"].browse(expected)
    rule, constants = version._compile()
    environment = celpy.Environment(runner_class=celpy.InterpretedRunner)
    program = environment.program(environment.compile(case.cel_python or case.expression))
    variables = MapType({StringType(name): _cel(constants[name].value) for name in rule.variables})
    names = set(re.findall(r"\.([a-z_]+)", case.expression))
    started = time.perf_counter()
    answers = {}
    for id_, record in env["spp.cel.schema"]._records(case.target, partners).items():
        context = {case.target: _converted(record, names), "variables": variables}
        try:
            answers[id_] = {True: "eligible", False: "not_eligible"}[bool(program.evaluate(context))]
        except celpy.CELEvalError:
            answers[id_] = "undetermined"
    spent = time.perf_counter() - started
    # CEL leaves undetermined some of what we can decide: two certain children are two or more
    for id_, answer in answers.items():
        assert answer in (expected[id_], "undetermined"), f"{case.name}: {id_} {answer} {expected[id_]}"
    assert "eligible" in answers.values() or "eligible" not in expected.values(), case.name
    return spent * everybody / len(answers)


def _converted(record, names):
    """A record as cel-python takes it: only the fields that the rule reads, without those unknown."""
    values = {name: record[name] for name in names if record.get(name) is not None}
    if "age" in names and record.get("birthdate"):
        born = record["birthdate"]
        values["age"] = AS_OF.year - born.year - ((AS_OF.month, AS_OF.day) < (born.month, born.day))
    if "members" in names:
        live = (item for item in record["members"] if item["ended"] is None or item["ended"] > AS_OF)
        values["members"] = ListType([_converted(item, names - {"members"}) for item in live])
    return MapType({StringType(name): _cel(value) for name, value in values.items()})


def _cel(value):
    if isinstance(value, MapType | ListType):
        return value
    return {bool: BoolType, int: IntType, float: DoubleType, str: StringType}[type(value)](value)


# -- the registry ------------------------------------------------------------------------------


def _load(env, size):
    """Add `size` individuals and a quarter as many groups, in one statement each.

    Ages as in a young country, 2 % of birthdates, 30 % of incomes and 10 % of the groups' unknown;
    groups of four on average, some empty; 5 % of memberships ended. The same on every run.
    """
    env.cr.execute("SELECT setseed(0.25), COALESCE(max(id), 0) FROM res_partner")
    last = env.cr.fetchone()[1]
    env.cr.execute(
        """
        INSERT INTO res_partner (id, name, complete_name, active, type, is_registrant, is_group, birthdate, gender,
                                 income, vulnerability_score, registrant_status)
        SELECT %(last)s + n, 'PERSON ' || n, 'PERSON ' || n, TRUE, 'contact', TRUE, FALSE,
               CASE WHEN random() >= 0.02 THEN date %(as_of)s - CAST(31000 * random() ^ 1.7 AS integer) END,
               CASE WHEN random() < 0.51 THEN 'female' ELSE 'male' END,
               CASE WHEN random() >= 0.3 THEN round(CAST(300 * random() AS numeric), 2) END,
               round(CAST(5 * random() AS numeric), 1),
               CASE WHEN random() < 0.03 THEN 'disabled' ELSE 'active' END
          FROM generate_series(1, %(size)s) n
        """,
        {"last": last, "as_of": AS_OF, "size": size},
    )
    env.cr.execute(
        """
        INSERT INTO res_partner (id, name, complete_name, active, type, is_registrant, is_group, income,
                                 vulnerability_score, registrant_status)
        SELECT %(last)s + %(size)s + n, 'HOUSEHOLD ' || n, 'HOUSEHOLD ' || n, TRUE, 'contact', TRUE, TRUE,
               CASE WHEN random() >= 0.1 THEN round(CAST(600 * random() AS numeric), 2) END,
               round(CAST(5 * random() AS numeric), 1), 'active'
          FROM generate_series(1, %(size)s / 4) n
        """,
        {"last": last, "size": size},
    )
    env.cr.execute(
        """
        INSERT INTO spp_group_membership (group_id, individual_id, is_head, start, ended)
        SELECT %(last)s + %(size)s + household, %(last)s + n,
               row_number() OVER (PARTITION BY household ORDER BY n) = 1,
               date '2020-01-01', CASE WHEN random() < 0.05 THEN date '2025-06-30' END
          FROM (SELECT n, 1 + CAST(floor(random() * (%(size)s / 4)) AS integer) AS household
                  FROM generate_series(1, %(size)s) n) people
        """,
        {"last": last, "size": size},
    )
    env.cr.execute("SELECT setval('res_partner_id_seq', (SELECT max(id) FROM res_partner))")
    env.cr.commit()
    _vacuum(env, "public")


def _keep_few(env):
    """Copy what is there now, indexes included, to the schema of the few."""
    env.cr.execute(f"CREATE SCHEMA {FEW_SCHEMA}")
    for table in TABLES:
        env.cr.execute(f"CREATE TABLE {FEW_SCHEMA}.{table} (LIKE public.{table} INCLUDING ALL)")
        env.cr.execute(f"INSERT INTO {FEW_SCHEMA}.{table} SELECT * FROM public.{table}")
    env.cr.commit()
    _vacuum(env, FEW_SCHEMA)


def _vacuum(env, schema):
    with closing(db_connect(env.cr.dbname).cursor()) as cr:
        cr._cnx.autocommit = True  # VACUUM runs outside of a transaction, as autovacuum does
        for table in TABLES:
            cr.execute(f"VACUUM ANALYZE {schema}.{table}")
    env["spp.rule.version"]._run_settings(env.cr)
