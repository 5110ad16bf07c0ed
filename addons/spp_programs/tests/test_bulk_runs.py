"""What is a lot of work is done by a job, with the same outcome; what is pressed twice is done once."""

from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged

from odoo.addons.queue_job.tests.common import trap_jobs
from odoo.addons.spp_base.tests.common import as_jobs

from .common import AS_OF, ProgramsCase


@tagged("post_install", "-at_install")
class TestBulkRuns(ProgramsCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.people = cls.make_people(12) + cls.make_person("Young", "2000-01-01") + cls.make_person("Unknown")
        cls.listed = cls.make_person("Listed", "2001-01-01")
        cls.program = cls.make_program(fund="100000.00")

    def run_of(self, run_id):
        self.assertIsInstance(run_id, int)
        return self.env["spp.run"].browse(run_id)

    def life(self, program, around):
        """All bulk actions on a program, each inside of `around()`; what came out."""
        runs = []

        def act(records, action, *arguments):
            with around():
                runs.append(self.run_of(getattr(records, action)(*arguments)))
            self.env.invalidate_all()

        act(program.with_user(self.officer), "action_import_candidates")
        act(program.with_user(self.officer), "action_import_list", [self.listed.id, "No such document"])
        self.assertEqual(len(runs[-1].failure_ids), 1)
        act(program.with_user(self.officer), "action_enroll", AS_OF)
        act(program.with_user(self.officer), "action_enroll_by_hand", self.listed.ids, "Order 3")
        chosen = [("partner_id", "in", self.people[:3].ids)]
        act(program.with_user(self.officer), "action_decide", "suspend", chosen, "Flood")
        decision = program.decision_ids.sorted("id")[-1]
        act(decision.with_user(self.officer), "action_take_back", "No flood")
        given_up = self.make_cycle(program, submit=True)
        act(given_up, "action_cancel", "Wrong month")
        cycle = self.make_cycle(program, compute=False)
        act(cycle, "action_compute")
        act(cycle, "action_compute")
        act(cycle, "action_submit")
        act(cycle.with_user(self.approver), "action_approve")
        act(cycle, "action_prepare_payments")
        act(cycle, "action_close", "cancel")
        self.assertEqual(runs[0].mapped("user_id"), self.officer)
        members = program.membership_ids.sorted(lambda row: row.partner_id.id)
        return {
            "runs": [(run.kind, run.state, run.counts, str(run.as_of)) for run in runs],
            "decisions": [(d.kind, d.state, d.member_count) for d in program.decision_ids.sorted("id")],
            "given up": [
                (e.partner_id, e.state)
                for e in given_up.entitlement_ids.sorted(lambda row: row.partner_id.id)
            ],
            "fund": [program.fund_committed, program.fund_free],
            "members": [(m.partner_id, m.state, m.outcome, m.facts, m.write_uid) for m in members],
            "cycle": [cycle.state, cycle.total_amount, cycle.entitlement_count],
            "entitlements": [
                (e.partner_id, e.state, e.amount)
                for e in cycle.entitlement_ids.sorted(lambda row: row.partner_id.id)
            ],
            "payments": [
                (p.partner_id, p.state, p.amount, p.create_uid)
                for p in cycle.sudo().payment_ids.sorted(lambda row: row.partner_id.id)
            ],
        }

    def test_a_job_ends_in_the_same_state_as_the_request(self):
        other = self.make_program("OTHER", fund="100000.00")
        at_once = self.life(self.program, lambda: trap_jobs())
        by_jobs = self.life(other, lambda: as_jobs(self.env))
        self.assertEqual({run[1] for run in at_once["runs"]}, {"done"})
        self.assertGreaterEqual(len(at_once["entitlements"]), 12)
        for part, value in at_once.items():
            self.assertEqual(by_jobs[part], value, part)

    def test_little_is_done_at_once_and_a_lot_by_a_job(self):
        program = self.program.with_user(self.officer)
        with trap_jobs() as jobs:
            self.assertEqual(self.run_of(program.action_import_candidates()).state, "done")
            jobs.assert_jobs_count(0)
            self.env["ir.config_parameter"].set_param("spp_base.rows_at_once", "5")
            run = self.run_of(program.action_enroll(AS_OF))
            self.assertEqual(run.state, "queued")
            jobs.assert_jobs_count(1, only=run._job_work)
            self.assertEqual(set(program.membership_ids.mapped("state")), {"candidate"})
        jobs.perform_enqueued_jobs()
        self.assertEqual(run.state, "done")
        self.assertIn("enrolled", program.membership_ids.mapped("state"))

    def test_pressed_twice_it_is_done_once(self):
        program = self.program.with_user(self.officer)
        program.action_import_candidates()
        with as_jobs(self.env) as jobs:
            first = program.action_enroll(AS_OF)
            self.assertEqual(program.with_user(self.manager).action_enroll(AS_OF), first)
            again = program.with_context(open_run=True).action_enroll(AS_OF)
            self.assertEqual(again["params"]["next"]["res_id"], first)
            self.assertIn("at work already", again["params"]["message"])
            jobs.assert_jobs_count(1)
            self.assertEqual(program.at_work_run_id.id, first)
            self.assertIn("waits for a free worker", program.at_work)
        self.env.invalidate_all()
        self.assertFalse(program.at_work_run_id)
        self.assertNotEqual(program.action_enroll(AS_OF), first)

    def test_program_suspended_meanwhile_ends_the_run_with_that_reason(self):
        program = self.program.with_user(self.officer)
        program.action_import_candidates()
        with as_jobs(self.env):
            run = self.run_of(program.action_enroll(AS_OF))
            program.with_user(self.manager).action_suspend()
        self.assertEqual(run.state, "failed")
        self.assertIn("is suspended", run.message)
        self.assertEqual(set(program.membership_ids.mapped("state")), {"candidate"})

    def test_cycle_submitted_meanwhile_is_not_computed_again(self):
        program = self.program.with_user(self.officer)
        program.action_import_candidates()
        program.action_enroll(AS_OF)
        cycle = self.make_cycle(program)
        with as_jobs(self.env):
            run = self.run_of(cycle.action_compute())
            self.env["ir.config_parameter"].set_param("spp_base.rows_at_once", "10000")
            cycle.action_submit()
        self.assertEqual(run.state, "failed")
        self.assertIn("is submitted", run.message)
        self.assertTrue(cycle.entitlement_ids)

    def test_failed_run_is_retried_as_whoever_asks_and_may(self):
        program = self.program.with_user(self.officer)
        program.action_import_candidates()
        with as_jobs(self.env):
            run = self.run_of(program.action_enroll(AS_OF))
            program.with_user(self.manager).action_suspend()
        with self.assertRaisesRegex(UserError, "suspended"):
            run.with_user(self.officer).action_retry()
        program.with_user(self.manager).action_activate()
        with self.assertRaises(UserError):
            run.with_user(self.finance).action_retry()
        again = self.run_of(run.with_user(self.manager).action_retry())
        self.assertEqual((again.state, again.user_id, str(again.as_of)), ("done", self.manager, AS_OF))

    def test_a_list_whose_rows_failed_is_retried_and_only_they_are_new(self):
        program = self.program.with_user(self.officer)
        run = self.run_of(program.action_import_list([self.people[0].id, "LATER-1"]))
        self.assertEqual(run.counts["Candidates added"], 1)
        self.assertTrue(run.can_retry)
        kind = self.env["spp.identity.type"].create({"name": "Card", "code": "later_card"})
        self.people[1].document_ids = [(0, 0, {"type_id": kind.id, "value": "LATER-1"})]
        again = self.run_of(run.with_user(self.officer).action_retry())
        self.assertEqual((again.counts["Candidates added"], len(again.failure_ids)), (1, 0))
        self.assertEqual(program.membership_ids.partner_id, self.people[:2])

    def test_what_a_run_was_asked_is_read_by_nobody(self):
        run = self.run_of(self.program.with_user(self.officer).action_import_list(["SECRET-1"]))
        for role in ("admin", "auditor", "enrollment_officer"):
            with self.assertRaises(AccessError):
                run.with_user(self.users[role]).read(["arguments"])

    def test_each_bulk_action_is_looked_at_again_when_its_turn_comes(self):
        program = self.program.with_user(self.officer)
        program.action_import_candidates()
        program.action_enroll(AS_OF)
        decision = self.env["spp.enrollment.decision"].with_user(self.officer)
        program.action_decide("suspend", [("partner_id", "=", self.people[0].id)], "Flood")
        decision = decision.search([("program_id", "=", program.id)])
        cycle = self.make_cycle(program, submit=True)
        with as_jobs(self.env):
            back = self.run_of(decision.action_take_back("No flood"))
            cancel = self.run_of(cycle.action_cancel("Wrong month"))
            self.env["ir.config_parameter"].set_param("spp_base.rows_at_once", "10000")
            decision.line_ids.membership_id.action_resume("Back home")
            cycle.with_user(self.approver).action_approve()
        self.assertEqual((back.state, cancel.state), ("failed", "failed"))
        self.assertIn("changed since", back.message)
        self.assertIn("Approver", cancel.message, "the manager may not cancel what was approved meanwhile")
        self.assertEqual((decision.state, cycle.state), ("in_force", "approved"))

    def test_refused_at_once_what_makes_no_sense(self):
        self.program.with_user(self.manager).action_suspend()
        with trap_jobs() as jobs:
            self.env["ir.config_parameter"].set_param("spp_base.rows_at_once", "0")
            with self.assertRaisesRegex(UserError, "suspended"):
                self.program.with_user(self.officer).action_import_candidates()
            jobs.assert_jobs_count(0)

    def test_the_setting_must_be_a_number(self):
        self.env["ir.config_parameter"].set_param("spp_base.rows_at_once", "many")
        with self.assertRaisesRegex(UserError, "whole number"):
            self.program.with_user(self.officer).action_import_candidates()
