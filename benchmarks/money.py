"""Submit, approve, prepare payments, read results, reconcile: each against bare SQL on the same tables.

    ./spp bench money                   # 10,000 and 100,000 entitlements
    ./spp bench money --size 1000000    # 1,000,000 as well: about ten times as long

For each size there are two cycles of the same people. One is taken from draft to paid by the product's own
methods, with everything that they check, log and lock; the other by the shortest SQL that leaves the same rows:
the same inserts, updates and ledger entries, written by hand for this one case, on the same tables with the same
indexes and triggers. To submit a cycle is, for both, to see that all of its people are still enrolled, to compare it
once more with the cycle before, whose payments may have changed meanwhile, and to make the fingerprint of who is paid
how much, which every approval rests on: reading, mostly, of all that is approved. Approval makes that fingerprint
again. Sizes up to 100,000 are measured several times, and the best counts. Rows of the table:

- each step against its bare SQL: at most twice as long;
- each step's cost for one entitlement at each size against that at the smallest: at most 1.5 times.

Only ratios are judged: seconds are those of the machine at hand.
"""

import datetime
import time
from contextlib import closing

from odoo.sql_db import db_connect
from odoo.tools import SQL

from benchmarks import _plain

SIZE = 100_000
SIZES = (10_000, 100_000, 1_000_000)
TIMES = {10_000: 5, 100_000: 2}
FILE = 100_000  # rows in one results file
LIMIT, GROWTH_LIMIT = 2.0, 1.5
AS_OF = datetime.date(2026, 11, 21)
STEPS = ("submit", "approve", "prepare payments", "read and apply results", "where the money is")


def run(env, size):
    """Yield (name, seconds of ours, seconds of bare SQL, limit of the ratio)."""
    place = Place(env)
    sizes = [each for each in SIZES if each <= size] or [size]
    measured = {}
    for each in sizes:
        place.people(each)
        place.cycle(
            each
        )  # so that the first ones measured, too, are compared with a cycle of the same people
        for _time in range(TIMES.get(each, 1)):
            for side, way in (("ours", Ours), ("bare", Bare)):
                cycle = place.cycle(each)
                for step, seconds in way(place, cycle).measure():
                    best = measured.setdefault((each, step), {})
                    best[side] = min(seconds, best.get(side, seconds))
    for each in sizes:
        for step in STEPS:
            spent = measured[each, step]
            yield f"{step}, {each:,}", spent["ours"], spent["bare"], LIMIT
    for each in sizes[1:]:
        for step in STEPS:
            # per million entitlements
            yield (
                f"{step}, {each:,}, growth",
                measured[each, step]["ours"] / each * 1e6,
                measured[sizes[0], step]["ours"] / sizes[0] * 1e6,
                GROWTH_LIMIT,
            )


class Place:
    """A program with a fund and people who have accounts."""

    def __init__(self, env):
        self.env = env = env(context={**env.context, "tracking_disable": True, "no_reset_password": True})
        env["ir.config_parameter"].set_param("spp_base.rows_at_once", str(10**9))
        self.users = {
            role: env["res.users"].create(
                {
                    "name": role,
                    "login": f"bench_{role}",
                    "spp_role_ids": [(4, env.ref(f"spp_base.group_{role}").id)],
                }
            )
            for role in ("program_manager", "approver", "finance_officer", "payment_releaser")
        }
        rule = env["spp.rule"].create({"name": "Everybody", "target": "individual"})
        version = env["spp.rule.version"].create({"rule_id": rule.id, "expression": "individual.age >= 0"})
        version.action_publish("For the benchmark")
        self.manager = env["spp.payment.manager"].create(
            {"name": "By file", "provider": "file", "batch_size": 10_000}
        )
        self.program = env["spp.program"].create(
            {
                "name": "Benchmark",
                "code": "BENCH",
                "target": "individual",
                "rule_id": rule.id,
                "payment_manager_id": self.manager.id,
                "benefit_ids": [(0, 0, {"name": "Grant", "kind": "money", "amount": 45.5})],
            }
        )
        self.program.with_user(self.users["program_manager"]).action_activate()
        self.program.with_user(self.users["finance_officer"]).fund_allocate(
            "100000000000", "Budget", "budget"
        )
        self.bank = env["res.bank"].create({"name": "Bank", "bic": "EXBKUS33"})
        self.have = 0
        self.month = datetime.date(2026, 1, 1)
        env.cr.commit()

    def people(self, size):
        """Have `size` people with an account, who are enrolled."""
        number = size - self.have
        cr = self.env.cr
        cr.execute("SELECT COALESCE(max(id), 0) FROM res_partner")
        (last,) = cr.fetchone()
        values = {"last": last, "number": number, "bank": self.bank.id, "program": self.program.id}
        cr.execute(
            """
            INSERT INTO res_partner (id, name, complete_name, active, type, is_registrant, is_group, birthdate,
                                     registrant_status)
            SELECT %(last)s + n, 'PERSON ' || n, 'PERSON ' || n, TRUE, 'contact', TRUE, FALSE, date '1980-01-01', 'active'
              FROM generate_series(1, %(number)s) n
            """,
            values,
        )
        cr.execute("SELECT setval('res_partner_id_seq', (SELECT max(id) FROM res_partner))")
        cr.execute(
            """
            INSERT INTO spp_payment_account (partner_id, kind, provider_id, number, number_masked, is_primary, state)
            SELECT %(last)s + n, 'bank', %(bank)s, lpad(n::text, 10, '0'), '••••' || right(lpad(n::text, 10, '0'), 4),
                   TRUE, 'active'
              FROM generate_series(1, %(number)s) n
            """,
            values,
        )
        cr.execute(
            """
            INSERT INTO spp_program_membership (program_id, partner_id, state, by_hand)
            SELECT %(program)s, %(last)s + n, 'enrolled', FALSE FROM generate_series(1, %(number)s) n
            """,
            values,
        )
        self.have = size
        cr.commit()
        self.vacuum("res_partner", "spp_payment_account", "spp_program_membership")

    def cycle(self, size):
        """A computed draft in which everybody is due something."""
        env = self.env
        start, self.month = self.month, (self.month + datetime.timedelta(days=32)).replace(day=1)
        end = self.month - datetime.timedelta(days=1)
        program = self.program.with_user(self.users["program_manager"])
        cycle = env["spp.cycle"].browse(program.action_new_cycle(start, end, AS_OF))
        cycle.with_user(self.users["program_manager"]).action_compute()
        assert cycle.entitlement_count == size, cycle.read(
            [
                "beneficiary_count",
                "eligible_count",
                "not_eligible_count",
                "undetermined_count",
                "excluded_count",
                "not_compliant_count",
                "entitlement_count",
            ]
        )
        # Everybody is new: where a difference asks for a reason, it has one.
        cycle.difference_reason = "The first cycle of these people"
        env.flush_all()
        env.cr.commit()
        self.vacuum("spp_cycle_beneficiary", "spp_entitlement", "spp_payment", "spp_fund_entry")
        return cycle

    def vacuum(self, *tables):
        """As autovacuum does between one day's step and the next's."""
        with closing(db_connect(self.env.cr.dbname).cursor()) as cr:
            cr._cnx.autocommit = True
            for table in tables:
                cr.execute(SQL("VACUUM (ANALYZE) %s", SQL.identifier(table)))
            cr.execute("CHECKPOINT")


class Way:
    def __init__(self, place, cycle):
        self.place, self.cycle, self.cr = place, cycle, place.env.cr

    def measure(self):
        """Yield (step, seconds), each step committed."""
        yield "submit", self.timed(self.submit)
        yield "approve", self.timed(self.approve)
        self.place.vacuum("spp_entitlement")
        yield "prepare payments", self.timed(self.prepare)
        self.place.vacuum("spp_payment")
        self.issue()
        self.place.vacuum("spp_payment")
        self.cr.execute("SELECT reference FROM spp_payment WHERE cycle_id = %s ORDER BY id", [self.cycle.id])
        references = [reference for (reference,) in self.cr.fetchall()]
        files = [references[at : at + FILE] for at in range(0, len(references), FILE)]
        yield "read and apply results", sum(self.timed(self.results, file) for file in files)
        self.place.vacuum("spp_payment", "spp_entitlement", "spp_fund_entry")
        yield "where the money is", min(self.timed(self.partition) for _time in range(3))

    def timed(self, step, *arguments):
        started = time.perf_counter()
        step(*arguments)
        self.place.env.flush_all()
        self.cr.commit()
        return time.perf_counter() - started

    def issue(self):
        """Let the payments be with the payer. Making the files is not measured here."""
        self.cr.execute(
            """
            UPDATE spp_payment SET state = 'accepted', sent_at = now() AT TIME ZONE 'utc' WHERE cycle_id = %s;
            UPDATE spp_payment_batch SET state = 'sent', released_by = %s WHERE cycle_id = %s
            """,
            [self.cycle.id, self.place.users["payment_releaser"].id, self.cycle.id],
        )
        self.place.env.invalidate_all()
        self.cr.commit()


class Ours(Way):
    def as_user(self, role):
        return self.cycle.with_user(self.place.users[role])

    def submit(self):
        self.as_user("program_manager").action_submit()

    def approve(self):
        self.as_user("approver").action_approve()

    def prepare(self):
        self.as_user("program_manager").action_prepare_payments()

    def results(self, references):
        rows = [{"reference": reference, "outcome": "paid", "amount": "45.50"} for reference in references]
        manager = self.place.manager.with_user(self.place.users["finance_officer"])
        answer = manager.import_results(rows, references[0])
        assert answer["applied"] == len(references), {**answer, "errors": answer["errors"][:3]}

    def partition(self):
        (line,) = self.cycle.payment_summary_ids
        assert (line.situation, line.count) == ("paid", self.cycle.entitlement_count)
        self.place.env.invalidate_all()


class Bare(Way):
    """Values are constants of this benchmark: no rights, no locks, nothing looked at twice."""

    def execute(self, statement, **values):
        self.cr.execute(
            statement,
            {
                **values,
                "cycle": self.cycle.id,
                "program": self.place.program.id,
                "currency": self.place.program.currency_id.id,
                "uid": self.place.users["program_manager"].id,
                "manager": self.place.manager.id,
                "company": self.place.program.company_id.id,
                "prefix": f"BENCH-{self.cycle.number}-",
                "as_of": AS_OF,
            },
        )

    def submit(self):
        manager = self.place.users["program_manager"]
        for statement in _plain.submission(self.cycle.id, self.cycle.previous_id.id, manager.id):
            self.cr.execute(statement)

    def approve(self):
        self.cr.execute(_plain.fingerprint(self.cycle.id))
        self.execute(
            """
            WITH total AS (SELECT sum(amount) AS amount FROM spp_entitlement
                            WHERE cycle_id = %(cycle)s AND state = 'draft'),
                 entry AS (INSERT INTO spp_fund_entry (program_id, kind, amount, currency_id, origin, fiscal_year,
                                                       user_id, at)
                           SELECT %(program)s, 'commitment', amount, %(currency)s, 'cycle:' || %(cycle)s, '2026', %(uid)s,
                                  now() FROM total)
            UPDATE spp_fund_balance SET committed = committed + total.amount FROM total WHERE program_id = %(program)s;
            UPDATE spp_entitlement SET state = 'approved', write_uid = %(uid)s, write_date = now()
             WHERE cycle_id = %(cycle)s AND state = 'draft';
            UPDATE spp_cycle SET state = 'approved', approved_by = %(uid)s, approved_at = now() WHERE id = %(cycle)s
            """
        )

    def prepare(self):
        self.execute(
            """
            WITH due AS (
                SELECT e.*, (row_number() OVER (ORDER BY e.id) - 1) / 10000 AS part, nextval('spp_payment_id_seq') AS pid
                  FROM spp_entitlement e
                 WHERE e.cycle_id = %(cycle)s AND e.kind = 'money' AND e.state = 'approved'
                   AND NOT EXISTS (SELECT FROM spp_payment p WHERE p.entitlement_id = e.id)
            ), batch AS (
                INSERT INTO spp_payment_batch (name, program_id, cycle_id, company_id, manager_id, currency_id, state,
                                               payment_count, total_amount)
                SELECT %(prefix)s || 'B' || part, %(program)s, %(cycle)s, %(company)s, %(manager)s, %(currency)s, 'draft',
                       count(*), sum(amount) FROM due GROUP BY part
                RETURNING id, name
            )
            INSERT INTO spp_payment
                (id, reference, entitlement_id, cycle_id, program_id, company_id, partner_id, amount, currency_id, payee_id,
                 payee_name, account_id, account_kind, account_provider_id, account_number, account_masked, batch_id, state,
                 state_reason, create_uid, create_date, write_uid, write_date)
            SELECT due.pid, %(prefix)s || 'P' || lpad(due.pid::text, 7, '0'), due.id, %(cycle)s, %(program)s, %(company)s,
                   due.partner_id, due.amount, due.currency_id, person.id, person.name, a.id, a.kind, a.provider_id,
                   a.number, a.number_masked, CASE WHEN a.id IS NOT NULL THEN batch.id END,
                   CASE WHEN a.id IS NOT NULL AND person.active AND person.registrant_status = 'active' THEN 'ready'
                        ELSE 'held' END,
                   CASE WHEN a.id IS NULL THEN 'no account' END, %(uid)s, now(), %(uid)s, now()
              FROM due
              JOIN res_partner person ON person.id = due.partner_id
              JOIN batch ON batch.name = %(prefix)s || 'B' || due.part
         LEFT JOIN spp_payment_account a ON a.partner_id = person.id AND a.is_primary AND a.state = 'active'
            """
        )

    def results(self, references):
        self.execute(
            """
            WITH file AS (
                INSERT INTO spp_payment_result (name, manager_id, request_key, fingerprint, state)
                VALUES ('bare', %(manager)s, %(key)s, 'x', 'applied') RETURNING id)
            INSERT INTO spp_payment_result_row (result_id, number, reference, outcome_text, amount_text, currency, date_text,
                                                amount, verdict, payment_id, create_uid, create_date, write_uid, write_date)
            SELECT file.id, given.number, given.reference, 'paid', given.amount, '', '', given.amount::numeric, 'applied',
                   p.id, %(uid)s, now(), %(uid)s, now()
              FROM unnest(%(references)s, %(amounts)s) WITH ORDINALITY AS given(reference, amount, number)
              JOIN spp_payment p ON p.reference = given.reference AND p.state = 'accepted'
                                AND p.amount = given.amount::numeric, file;
            UPDATE spp_payment p SET state = 'paid', settled_at = now(), write_uid = %(uid)s, write_date = now()
              FROM spp_payment_result_row r JOIN spp_payment_result f ON f.id = r.result_id
             WHERE f.request_key = %(key)s AND r.payment_id = p.id AND p.state = 'accepted';
            INSERT INTO spp_fund_entry (program_id, kind, amount, currency_id, origin, document, fiscal_year, user_id, at,
                                        create_uid, create_date, write_uid, write_date)
            SELECT %(program)s, 'disbursement', p.amount, %(currency)s, 'payment:' || p.reference, 'batch', '2026', %(uid)s,
                   now(), %(uid)s, now(), %(uid)s, now()
              FROM spp_payment_result_row r JOIN spp_payment_result f ON f.id = r.result_id
              JOIN spp_payment p ON p.id = r.payment_id WHERE f.request_key = %(key)s;
            UPDATE spp_fund_balance SET committed = committed - t.amount, disbursed = disbursed + t.amount
              FROM (SELECT sum(r.amount) AS amount FROM spp_payment_result_row r
                      JOIN spp_payment_result f ON f.id = r.result_id WHERE f.request_key = %(key)s) t
             WHERE program_id = %(program)s;
            UPDATE spp_entitlement e SET state = 'paid', write_uid = %(uid)s, write_date = now()
              FROM spp_payment_result_row r JOIN spp_payment_result f ON f.id = r.result_id
              JOIN spp_payment p ON p.id = r.payment_id
             WHERE f.request_key = %(key)s AND e.id = p.entitlement_id AND e.state = 'approved'
            """,
            key=references[0],
            references=references,
            amounts=["45.50"] * len(references),
        )

    def partition(self):
        self.execute(
            """
            SELECT CASE WHEN e.state IN ('cancelled', 'expired') THEN 'ended' ELSE COALESCE(p.state, 'not_issued') END,
                   count(*), sum(e.amount)
              FROM spp_entitlement e
         LEFT JOIN LATERAL (SELECT state FROM spp_payment WHERE entitlement_id = e.id AND state <> 'cancelled'
                             ORDER BY id DESC LIMIT 1) p ON TRUE
             WHERE e.cycle_id = %(cycle)s AND e.kind = 'money' GROUP BY 1
            """
        )
