"""What lets programs of a million people share one registry: their work leaves people's rows alone, is read through
indexes, and is done for all of the records chosen or for none."""

import logging
from unittest.mock import call, patch

from odoo.exceptions import UserError
from odoo.tests import tagged
from odoo.tools import SQL
from odoo.tools.safe_eval import safe_eval

from odoo.addons.spp_base.tools import statistics

from .payment_common import PaymentsCase

# The tables that have rows for each person, cycle after cycle.
LARGE = (
    "spp.program.membership",
    "spp.enrollment.decision.line",
    "spp.cycle.beneficiary",
    "spp.entitlement",
    "spp.handout",
    "spp.payment",
    "spp.cycle.difference",
    "spp.cycle.change",
    "spp.event",
    "spp.group.membership",
    "spp.identity.document",
    "spp.payment.account",
    "spp.phone.number",
    "spp.duplicate.case",
)
# The ways from one record to its large lists: (model, columns that begin one of its indexes)
WAYS = (
    ("spp.program.membership", ("program_id", "state")),
    ("spp.program.membership", ("partner_id",)),
    ("spp.cycle.beneficiary", ("cycle_id",)),
    ("spp.cycle.beneficiary", ("membership_id",)),
    ("spp.cycle.beneficiary", ("partner_id",)),
    ("spp.entitlement", ("cycle_id",)),
    ("spp.entitlement", ("partner_id",)),
    ("spp.entitlement", ("beneficiary_id",)),
    ("spp.handout", ("entitlement_id",)),
    ("spp.handout", ("cycle_id",)),
    ("spp.handout", ("partner_id",)),
    ("spp.payment", ("entitlement_id",)),
    ("spp.payment", ("batch_id",)),
    ("spp.payment", ("cycle_id",)),
    ("spp.payment", ("partner_id",)),
    ("spp.cycle.difference", ("cycle_id",)),
    ("spp.cycle.change", ("cycle_id",)),
    ("spp.enrollment.decision.line", ("decision_id",)),
    ("spp.group.membership", ("group_id",)),
    ("spp.group.membership", ("individual_id",)),
)


class Listener(logging.Handler):
    """Everything that our addons log, down to what is for developers only."""

    def __init__(self):
        super().__init__(logging.DEBUG)
        self.lines = []

    def emit(self, record):
        if record.name.startswith("odoo.addons.spp_"):
            self.lines.append(record.getMessage())

    def __enter__(self):
        self.logger = logging.getLogger("odoo.addons")
        self.level = self.logger.level
        self.logger.setLevel(logging.DEBUG)
        self.logger.addHandler(self)
        return self

    def __exit__(self, *_error):
        self.logger.removeHandler(self)
        self.logger.setLevel(self.level)


@tagged("post_install", "-at_install")
class TestAtScale(PaymentsCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.people = cls.make_payees(3)

    def versions(self, table, ids):
        """Which version of each row the database has: any write makes another."""
        self.env.flush_all()
        self.env.cr.execute(
            SQL("SELECT id, ctid::text FROM %s WHERE id = ANY(%s)", SQL.identifier(table), ids)
        )
        return dict(self.env.cr.fetchall())

    def test_a_cycle_from_candidates_to_payments_writes_nothing_on_people(self):
        before = self.versions("res_partner", self.people.ids)
        cycle = self.approved_cycle(self.people)
        self.prepare(cycle)
        self.assertEqual(cycle.payment_count, 3)
        self.assertEqual(self.versions("res_partner", self.people.ids), before)

    def test_members_and_entitlements_whose_state_changed_are_looked_at_anew(self):
        with patch.object(statistics, "refresh", wraps=statistics.refresh) as refresh:
            self.approved_cycle(self.make_payees(3), code="LOOK")
        for table in ("spp_program_membership", "spp_entitlement"):
            self.assertIn(call(self.env.cr, table, 3), refresh.call_args_list)

    def test_enrolling_and_computing_have_memory_for_a_million_people(self):
        for before, then in (("4MB", "64MB"), ("200MB", "200MB")):
            self.env.cr.execute(SQL("SET LOCAL work_mem = %s", before))
            self.approved_cycle(self.people, code=f"AFTER{before}")
            self.env.cr.execute("SELECT current_setting('work_mem')")
            self.assertEqual(self.env.cr.fetchone(), (then,))

    def test_what_is_logged_does_not_grow_with_people_and_names_none(self):
        lines = {}
        for code, people in (("FEW", self.people), ("MANY", self.make_payees(40, prefix="Logged"))):
            with Listener() as listener:
                cycle = self.approved_cycle(people, code=code)
                self.prepare(cycle)
                cycle.with_user(self.manager).action_close("cancel")
            lines[code] = listener.lines
        self.assertEqual(len(lines["MANY"]), len(lines["FEW"]))
        for line in lines["MANY"]:
            self.assertLess(len(line), 300, "a list of people or ids")
            self.assertNotIn("Logged", line)

    def test_the_runs_of_a_cycle_are_found_by_an_index_and_read_without_their_jobs(self):
        cycle = self.approved_cycle(self.people)
        action = self.env.ref("spp_programs.action_spp_run_of_cycle")
        domain = [("res_model", "=", "spp.cycle"), ("res_id", "=", cycle.id)]
        self.assertEqual(safe_eval(action.domain, {"active_id": cycle.id}), domain)
        runs = self.env["spp.run"].with_user(self.manager)
        runs.search(domain)
        self.env.invalidate_all()
        names = list(runs.get_view(view_type="form")["models"]["spp.run"])
        statements = []
        execute = type(self.env.cr).execute

        def listening(cursor, query, *args, **kwargs):
            statements.append(str(getattr(query, "code", query)))
            return execute(cursor, query, *args, **kwargs)

        with patch.object(type(self.env.cr), "execute", listening):
            self.assertGreaterEqual(len(runs.search(domain).read(names)), 3)
        self.assertTrue(statements)
        self.assertFalse([text for text in statements if "queue_job" in text])
        self.env.cr.execute("SET LOCAL enable_seqscan = off")
        query = self.env["spp.run"]._search(domain)
        self.env.cr.execute(SQL("EXPLAIN %s", query.select()))
        self.assertIn("spp_run_res_idx", "".join(row[0] for row in self.env.cr.fetchall()))

    def test_large_tables_have_no_chatter(self):
        for name in LARGE:
            self.assertNotIn("message_ids", self.env[name]._fields, name)

    def test_large_lists_are_in_the_order_of_their_own_columns(self):
        for name in LARGE:
            model = self.env[name]
            for term in model._order.split(","):
                field = model._fields[term.split()[0]]
                self.assertTrue(field.store and not field.relational, f"{name} is sorted by {term}")

    def test_large_tables_are_reached_through_an_index(self):
        self.env.cr.execute(
            """
            SELECT c.relname, array_agg(a.attname::text ORDER BY k.place)
              FROM pg_index i
              JOIN pg_class c ON c.oid = i.indrelid
        CROSS JOIN LATERAL unnest(i.indkey::int[]) WITH ORDINALITY k (attribute, place)
              JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attribute
             WHERE i.indpred IS NULL OR pg_get_expr(i.indpred, i.indrelid) LIKE '%IS NOT NULL%'
          GROUP BY c.relname, i.indexrelid
            """
        )
        indexes = {}
        for table, columns in self.env.cr.fetchall():
            indexes.setdefault(table, []).append(tuple(columns))
        for model, way in WAYS:
            found = indexes.get(self.env[model]._table, [])
            self.assertTrue(
                any(columns[: len(way)] == way for columns in found), f"{model} by {way}: {found}"
            )

    def test_nothing_is_deleted_of_a_mixed_selection(self):
        cycle = self.approved_cycle(self.people)
        used, unused = cycle.program_id, self.make_program("UNUSED")
        with self.assertRaises(UserError):
            (unused | used).with_user(self.manager).unlink()
        self.assertTrue((unused | used).exists() == unused | used)
        draft = self.make_cycle(used, "2026-07-01", "2026-07-31").with_env(self.env)
        for lines in (draft.entitlement_ids | cycle.entitlement_ids, cycle.beneficiary_ids):
            with self.assertRaises(Exception), self.env.cr.savepoint():  # noqa: B017 - whoever refuses it
                lines.with_user(self.manager).unlink()
            self.assertEqual(lines.exists(), lines)

    def test_actions_on_many_are_about_all_of_them_or_refused(self):
        one, two = self.make_program("ONE", activate=False), self.make_program("TWO", activate=False)
        both = (one | two).with_user(self.manager)
        both.action_activate()
        self.assertEqual(both.mapped("state"), ["active", "active"])
        both.action_suspend()
        self.assertEqual(both.mapped("state"), ["suspended", "suspended"])
        both.action_activate()
        for program in both:
            self.add(program, self.people)
            program.with_user(self.officer).action_enroll("2026-06-01")
        cycles = self.make_cycle(one) | self.make_cycle(two)
        for action in ("action_compute", "action_submit", "action_approve", "action_prepare_payments"):
            with self.assertRaisesRegex(ValueError, "singleton"):
                getattr(cycles, action)()
        for cycle in cycles:
            cycle.action_submit()
        cycles.with_user(self.approver).action_reject("Look again")
        self.assertEqual(cycles.mapped("state"), ["draft", "draft"])

    def test_who_was_not_eligible_and_is_again_is_due(self):
        """A draft computed once more, and a cycle that was given up, leave nobody out."""
        person = self.people[0]
        program = self.make_program("AGAIN", fund="1000.00")
        self.add(program, self.people)
        program.with_user(self.officer).action_enroll("2026-06-01")
        given_up = self.make_cycle(program, submit=True)
        given_up.action_cancel("Wrong list")
        person.birthdate = "2010-01-01"
        cycle = self.make_cycle(program)
        self.assertNotIn(person, cycle.entitlement_ids.partner_id)
        person.birthdate = "1950-01-01"
        cycle.action_compute()
        self.assertIn(person, cycle.entitlement_ids.partner_id)
        cycle.action_submit()
        cycle.with_user(self.approver).action_approve()
        self.assertEqual(set(cycle.entitlement_ids.mapped("state")), {"approved"})
        self.assertEqual(len(cycle.entitlement_ids), 3)
