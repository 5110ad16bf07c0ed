"""Programs at a million people: from the registry to the difference between two cycles.

    ./spp bench programs                   # 10,000 and 100,000 individuals, a quarter as many households
    ./spp bench programs --size 1000000    # 1,000,000 as well: about ten times as long

At each size, a program for individuals and one for households go through their year: candidates, enrollment, a
cycle opened, computed, submitted and approved, a second one computed and compared with the first. Every action is
pressed as its role presses it and done by its job, as a large one always is. Beside each, in the same run, the bare
statements that do the same work on the same tables, with their indexes, constraints and triggers, for a program of
their own: the same rows stored (with the facts that were looked at, and to whom and which account is paid), the same
question about two cycles answered, and the table analyzed that much was added to, as PostgreSQL wants it before the
next statement. Rows of the table:

- each stage at the largest size against the bare statements: at most twice as long;
- each stage's cost for one record at the largest size, against that at the smallest: at most 1.5 times; and what of
  that the bare statements do not have (their tables and indexes outgrow the memory, too): the same limit;
- each stage's number of SQL statements at the largest size, against that at the smallest: the same;
- what the peak memory of the process grows by from the smallest to the largest size: less than 200 MB.

Only ratios are judged: seconds are those of the machine at hand.
"""

import datetime
import resource
import time
from contextlib import closing

from odoo.sql_db import db_connect
from odoo.tools import SQL

from odoo.addons.queue_job.job import Job
from odoo.addons.spp_registry.tools import bulk_rows

from benchmarks import _plain

SIZE = 100_000
SIZES = (10_000, 100_000, 1_000_000)
AS_OF = datetime.date(2026, 11, 1)
LIMIT, GROWTH_LIMIT, MEMORY_LIMIT, FORM_SECONDS = 2.0, 1.5, 200, 1.0
RULES = {
    "individual": ("individual.age >= 18", f"p.birthdate <= date '{AS_OF.replace(year=AS_OF.year - 18)}'"),
    "group": ("group.vulnerability_score >= 2.0", "p.vulnerability_score >= 2"),
}
PERSON = ("name", "family_name", "birthdate", "gender", "income", "vulnerability_score")
PEOPLE = """
    SELECT 'PERSON ' || n, 'PERSON', CASE WHEN random() >= 0.02 THEN date '2026-11-01' - CAST(31000 * random() ^ 1.7 AS integer) END,
           CASE WHEN random() < 0.51 THEN 'female' ELSE 'male' END,
           CASE WHEN random() >= 0.3 THEN round(CAST(300 * random() AS numeric), 2) END,
           round(CAST(5 * random() AS numeric), 1)
      FROM generate_series(1, %s) n
"""
HOUSEHOLD = ("name", "income", "vulnerability_score")
HOUSEHOLDS = """
    SELECT 'HOUSEHOLD ' || n, CASE WHEN random() >= 0.1 THEN round(CAST(600 * random() AS numeric), 2) END,
           CASE WHEN random() >= 0.05 THEN round(CAST(5 * random() AS numeric), 1) END
      FROM generate_series(1, %s) n
"""


def run(env, size):
    """Yield (name, ours, what it is measured against, limit of the ratio)."""
    env["ir.config_parameter"].set_param("spp_base.rows_at_once", "0")
    sizes = [known for known in SIZES if known < size] + [size]
    measured, memory, there = {}, {}, 0
    for people in sizes:
        measured[people] = dict(_Year(env, people, people - there).measure())
        memory[people] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        there = people
    small, large = measured[sizes[0]], measured[sizes[-1]]
    for stage, (seconds, _statements, bare, _rows) in large.items():
        if bare:
            yield f"{stage}, bare SQL", seconds, bare, LIMIT
        else:
            yield f"{stage}, seconds", seconds, FORM_SECONDS, 1.0
    for stage, (seconds, _statements, bare, rows) in large.items():
        if bare and len(sizes) > 1:
            few_seconds, _statements, few_bare, few_rows = small[stage]
            yield f"{stage}, growth", seconds / rows * 1e6, few_seconds / few_rows * 1e6, GROWTH_LIMIT
            yield f"{stage}, growth beyond bare SQL's", seconds / bare, few_seconds / few_bare, GROWTH_LIMIT
    for stage, (_seconds, statements, _bare, _rows) in large.items():
        yield f"{stage}, statements", statements, small[stage][1], 1.0
    yield "peak memory, MB more", max(memory[sizes[-1]] - memory[sizes[0]], 0.1), MEMORY_LIMIT, 1.0


class _Year:
    """What happens in a year at one size; `measure` yields (stage, (seconds, statements, bare seconds, rows))."""

    def __init__(self, env, people, more):
        self.env, self.people, self.more = env, people, more
        self.cr = env.cr

    def measure(self):
        yield from self.registrants()
        for target, label in (("individual", "individuals"), ("group", "households")):
            for stage, figures in self.program(target):
                yield f"{label}: {stage}", figures

    # -- clocks

    def clock(self, work):
        self.env.invalidate_all()
        before, started = self.cr.sql_log_count, time.perf_counter()
        work()
        self.env.flush_all()
        return time.perf_counter() - started, self.cr.sql_log_count - before

    def bare(self, *statements):
        """Seconds of bare statements, committed."""
        started = time.perf_counter()
        for statement in statements:
            self.cr.execute(statement)
        self.cr.commit()
        return time.perf_counter() - started

    def pressed(self, user, records, action, *arguments):
        """Press a button and do its job; (seconds, statements)."""
        records = records.with_user(user)
        run = self.env["spp.run"].browse(getattr(records, action)(*arguments))
        self.cr.commit()
        job = Job.load(self.env, run.sudo().job_uuid)

        def work():
            job.perform()
            self.cr.commit()

        figures = self.clock(work)
        self.env.invalidate_all()
        assert run.sudo().state == "done", (action, run.sudo().message)
        return figures

    def vacuum(self, *tables):
        self.cr.commit()
        with closing(db_connect(self.cr.dbname).cursor()) as cr:
            cr._cnx.autocommit = True  # VACUUM runs outside of a transaction, as autovacuum does
            cr.execute(SQL("VACUUM ANALYZE %s", SQL(", ").join(map(SQL.identifier, tables))))

    # -- the registry

    def registrants(self):
        self.cr.execute("SELECT setseed(0.25)")
        for stage, columns, rows, number, is_group in (
            ("create individuals", PERSON, PEOPLE, self.more, False),
            ("create households", HOUSEHOLD, HOUSEHOLDS, self.more // 4, True),
        ):
            query = SQL(rows, number)
            with closing(self.cr.savepoint()):  # rolled back
                started = time.perf_counter()
                self.cr.execute(self._bare_registrants(columns, query, is_group))
                self.cr.execute("ANALYZE res_partner")
                bare = time.perf_counter() - started
            values = {"name": "-", "is_registrant": True, "is_group": is_group}
            figures = self.clock(
                lambda c=columns, q=query, v=values: bulk_rows.create_from(self.env["res.partner"], c, q, v)
            )
            yield stage, (*figures, bare, number)
        self.cr.execute(
            """
            INSERT INTO spp_group_membership (group_id, individual_id, is_head, start)
            SELECT h.id, p.id, row_number() OVER (PARTITION BY h.id ORDER BY p.id) = 1, date '2020-01-01'
              FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM res_partner
                     WHERE is_registrant AND NOT is_group
                       AND NOT EXISTS (SELECT FROM spp_group_membership WHERE individual_id = res_partner.id)) p
              JOIN (SELECT id, row_number() OVER (ORDER BY id) AS n FROM res_partner
                     WHERE is_registrant AND is_group
                       AND NOT EXISTS (SELECT FROM spp_group_membership WHERE group_id = res_partner.id)) h
                ON h.n = 1 + (p.n - 1) / 4
            """
        )
        self.vacuum("res_partner", "spp_group_membership")

    def _bare_registrants(self, columns, query, is_group):
        """The columns that a registrant needs at least, written in one statement."""
        return SQL(
            """
            INSERT INTO res_partner (%(names)s, complete_name, is_registrant, is_group, active, type,
                                     registrant_status, registration_date, partner_share, lang, tz,
                                     create_uid, create_date, write_uid, write_date)
            SELECT %(names)s, name, TRUE, %(is_group)s, TRUE, 'contact', 'active', current_date, TRUE, 'en_US', 'UTC',
                   1, now(), 1, now()
              FROM (%(query)s) AS given (%(names)s)
            """,
            names=SQL(", ").join(map(SQL.identifier, columns)),
            is_group=is_group,
            query=query,
        )

    # -- a program

    def program(self, target):
        env = self.env
        manager, approver = self._user("program_manager"), self._user("approver")
        finance = self._user("finance_officer")
        ours, other = (
            self._program(target, f"{target[:3]}-{self.people}-{kind}", manager) for kind in ("ours", "bare")
        )
        ours.with_user(finance).fund_allocate("900000000000.00", "Budget", "bench")
        rows = self.people if target == "individual" else self.people // 4
        version = ours._published_version().id

        figures = self.pressed(manager, ours, "action_import_candidates")
        bare = self.bare(self._bare_candidates(other), SQL("ANALYZE spp_program_membership"))
        yield "candidates", (*figures, bare, rows)
        self.vacuum("spp_program_membership")
        figures = self.pressed(manager, ours, "action_enroll", str(AS_OF))
        yield "enroll", (*figures, self.bare(self._bare_enroll(other, version)), rows)
        self.vacuum("spp_program_membership")

        opened = {}
        figures = self.clock(
            lambda: opened.update(first=self._open(ours, manager, "2026-11-01", "2026-11-30"))
        )
        yield "open cycle", (*figures, None, rows)
        first, first_bare = opened["first"], self._open(other, manager, "2026-11-01", "2026-11-30")
        figures = self.pressed(manager, first, "action_compute")
        bare = self.bare(*self._bare_compute(first_bare))
        yield "compute", (*figures, bare, first.beneficiary_count)
        figures = self.pressed(manager, first, "action_submit")
        bare = self.bare(*_plain.submission(first_bare.id, None, manager.id))
        yield "submit", (*figures, bare, first.entitlement_count)
        figures = self.pressed(approver, first, "action_approve")
        bare = self.bare(_plain.fingerprint(first_bare.id), self._bare_approve(first_bare))
        yield "approve", (*figures, bare, first.entitlement_count)
        self.vacuum("spp_entitlement", "spp_cycle_beneficiary")

        self._change(ours, other)
        second, second_bare = (
            self._open(program, manager, "2026-12-01", "2026-12-31") for program in (ours, other)
        )
        self.pressed(manager, second, "action_compute")
        self.bare(*self._bare_compute(second_bare))
        self.vacuum("spp_entitlement", "spp_cycle_beneficiary")
        figures = self.clock(second._compare_with_previous)
        self.cr.commit()
        yield (
            "difference",
            (
                *figures,
                self.bare(*_plain.difference(second_bare.id, first_bare.id)),
                second.beneficiary_count,
            ),
        )

        viewer = self._user("program_viewer")
        for name, record in (("program", ours), ("cycle", second)):
            figures = self.clock(lambda record=record: self._form(record.with_user(viewer)))
            yield f"open the {name}'s form", (*figures, None, rows)
        env.cr.commit()

    def _user(self, role):
        login = f"bench_{role}"
        users = self.env["res.users"]
        return users.search([("login", "=", login)]) or users.create(
            {
                "login": login,
                "name": login,
                "groups_id" if "groups_id" in users._fields else "group_ids": [
                    (4, self.env.ref(f"spp_base.group_{role}").id)
                ],
            }
        )

    def _program(self, target, code, manager):
        name = f"Benchmark {target}"
        rule = self.env["spp.rule"].search([("name", "=", name)])
        if not rule:
            expression, _by_hand = RULES[target]
            rule = self.env["spp.rule"].create({"name": name, "target": target, "expression": expression})
            rule.action_publish("A rule of the benchmark")
        benefit = {"name": "Cash", "kind": "money", "amount": 12.5}
        program = (
            self.env["spp.program"]
            .with_user(manager)
            .create(
                {
                    "name": code,
                    "code": code,
                    "target": target,
                    "rule_id": rule.id,
                    "benefit_ids": [(0, 0, benefit)],
                }
            )
        )
        program.action_activate()
        return program

    def _open(self, program, manager, start, end):
        program = program.with_user(manager)
        return self.env["spp.cycle"].browse(program.action_new_cycle(start, end, str(AS_OF)))

    def _change(self, *programs):
        """Every fiftieth enrolled member has left by the second cycle."""
        for program in programs:
            self.cr.execute(
                "UPDATE spp_program_membership SET state = 'exited', state_reason = 'Moved away'"
                " WHERE program_id = %s AND state = 'enrolled' AND id %% 50 = 0",
                [program.id],
            )
        self.vacuum("spp_program_membership")

    @staticmethod
    def _form(record):
        """What the web client reads when it opens a form."""
        model = record.env[record._name]
        view = model.get_views([(False, "form")])["models"][record._name]
        names = view if isinstance(view, dict) and "fields" not in view else view["fields"]
        record.web_read(
            {
                name: {}
                for name in names
                if name in record._fields and record._fields[name].type not in ("one2many", "many2many")
            }
        )

    # -- bare statements

    def _bare_candidates(self, program):
        return SQL(
            """
            INSERT INTO spp_program_membership
                (program_id, partner_id, state, by_hand, create_uid, create_date, write_uid, write_date)
            SELECT %s, id, 'candidate', FALSE, 1, now(), 1, now()
              FROM res_partner
             WHERE is_registrant AND active AND is_group = %s AND registrant_status = 'active'
            """,
            program.id,
            program.target == "group",
        )

    def _bare_enroll(self, program, version):
        return SQL(
            """
            UPDATE spp_program_membership m
               SET state = CASE WHEN %(is)s THEN 'enrolled' WHEN NOT (%(is)s) THEN 'ineligible' ELSE 'candidate' END,
                   outcome = CASE WHEN %(is)s THEN 'eligible' WHEN NOT (%(is)s) THEN 'not_eligible'
                                  ELSE 'undetermined' END,
                   state_date = %(as_of)s, enrolled_on = CASE WHEN %(is)s THEN %(as_of)s END,
                   facts = %(facts)s, evaluated_on = %(as_of)s, rule_version_id = %(version)s,
                   write_uid = 1, write_date = now()
              FROM res_partner p
             WHERE p.id = m.partner_id AND m.program_id = %(program)s
            """,
            **{"is": SQL(RULES[program.target][1])},
            facts=self._bare_facts(program),
            as_of=AS_OF,
            version=version,
            program=program.id,
        )

    def _bare_facts(self, program):
        name = "birthdate" if program.target == "individual" else "vulnerability_score"
        return SQL("jsonb_build_object(%s, p.%s)", name, SQL.identifier(name))

    def _bare_compute(self, cycle):
        return (
            self._bare_outcomes(cycle),
            SQL("ANALYZE spp_cycle_beneficiary"),
            self._bare_entitlements(cycle),
            SQL("ANALYZE spp_entitlement"),
        )

    def _bare_outcomes(self, cycle):
        """Outcomes, and who is paid to which account, as every computation keeps them."""
        return SQL(
            """
            INSERT INTO spp_cycle_beneficiary
                (cycle_id, membership_id, partner_id, outcome, facts, situation,
                 create_uid, create_date, write_uid, write_date)
            SELECT %(cycle)s, m.id, m.partner_id,
                   CASE WHEN %(is)s THEN 'eligible' WHEN NOT (%(is)s) THEN 'not_eligible' ELSE 'undetermined' END,
                   %(facts)s,
                   jsonb_strip_nulls(jsonb_build_object(
                       'payee', COALESCE(h.head, p.id), 'members', h.members, 'account', a.id,
                       'masked', a.number_masked,
                       'print', CASE WHEN a.id IS NOT NULL
                                     THEN md5(concat_ws('|', a.kind, a.provider_id, a.number)) END)),
                   1, now(), 1, now()
              FROM spp_program_membership m
              JOIN res_partner p ON p.id = m.partner_id
         LEFT JOIN (SELECT group_id, max(individual_id) FILTER (WHERE is_head) AS head,
                           jsonb_agg(individual_id) AS members
                      FROM spp_group_membership
                     WHERE %(households)s AND start <= %(as_of)s AND (ended IS NULL OR ended > %(as_of)s)
                     GROUP BY group_id) h ON h.group_id = p.id
         LEFT JOIN spp_payment_account a
                ON a.partner_id = COALESCE(h.head, p.id) AND a.is_primary AND a.state = 'active'
             WHERE m.program_id = %(program)s AND m.state = 'enrolled'
            """,
            **{"is": SQL(RULES[cycle.program_id.target][1])},
            cycle=cycle.id,
            program=cycle.program_id.id,
            facts=self._bare_facts(cycle.program_id),
            households=cycle.program_id.target == "group",
            as_of=AS_OF,
        )

    def _bare_entitlements(self, cycle):
        program = cycle.program_id
        return SQL(
            """
            INSERT INTO spp_entitlement
                (id, reference, cycle_id, period_id, program_id, beneficiary_id, partner_id, benefit_id, kind, amount, currency_id,
                 quantity, state, create_uid, create_date, write_uid, write_date)
            SELECT id, %(prefix)s || id, %(cycle)s, %(cycle)s, %(program)s, beneficiary_id, partner_id, %(benefit)s, 'money', 12.5,
                   %(currency)s, 0, 'draft', 1, now(), 1, now()
              FROM (SELECT nextval('spp_entitlement_id_seq') AS id, id AS beneficiary_id, partner_id
                      FROM spp_cycle_beneficiary WHERE cycle_id = %(cycle)s AND outcome = 'eligible') due
            """,
            prefix=f"{program.code}-{cycle.number}-",
            cycle=cycle.id,
            program=program.id,
            benefit=program.benefit_ids.id,
            currency=program.currency_id.id,
        )

    def _bare_approve(self, cycle):
        return SQL(
            "UPDATE spp_entitlement SET state = 'approved', write_uid = 1, write_date = now() WHERE cycle_id = %s",
            cycle.id,
        )
