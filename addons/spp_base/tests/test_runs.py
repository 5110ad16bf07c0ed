"""A run shows how far it is, keeps what failed, and does not outlive its worker."""

import subprocess
import sys
from contextlib import contextmanager
from datetime import timedelta
from unittest.mock import patch

import psycopg2

from odoo import SUPERUSER_ID, api, fields
from odoo.exceptions import AccessError, UserError
from odoo.sql_db import connection_info_for
from odoo.tests.common import TransactionCase, new_test_user, tagged
from odoo.tools import mute_logger

from odoo.addons.queue_job.exception import RetryableJobError

from ..models.spp_endpoint import Endpoint
from ..models.spp_run import Cancelled
from ..tools import advisory
from .common import CheapPasswords


@tagged("post_install", "-at_install")
class TestRun(CheapPasswords, TransactionCase):
    """Within one transaction."""

    def setUp(self):
        super().setUp()
        self.origin = self.env["res.partner"].create({"name": "Origin"})
        self.run_ = self.env["spp.run"]._start("test", "Test", self.origin, as_of="2026-01-31", total=4)

    def test_start_progress_finish(self):
        run = self.run_
        self.assertRecordValues(
            run,
            [
                {
                    "state": "running",
                    "res_name": "Origin",
                    "user_id": self.env.uid,
                    "company_id": self.env.company.id,
                    "as_of": fields.Date.to_date("2026-01-31"),
                    "progress": 0,
                }
            ],
        )
        self.assertTrue(run.started_at)
        run._progress(1)
        self.assertEqual(run.progress, 25)
        run._progress(2, total=8)
        self.assertEqual((run.progress, run.done_count, run.total), (25, 2, 8))
        run._finish({"Enrolled": 3, "<b>": 1}, "Well done")
        self.assertEqual((run.state, run.progress, run.message), ("done", 100, "Well done"))
        self.assertEqual(run.counts, {"Enrolled": 3, "<b>": 1})
        self.assertIn('<td>Enrolled</td><td class="text-end">3</td>', run.counts_table)
        self.assertIn("&lt;b&gt;", run.counts_table)
        self.assertTrue(run.ended_at)

    def test_failed_rows(self):
        self.run_._add_failures(
            [
                {"res_model": "res.partner", "res_id": self.origin.id, "name": "Ada", "reason": "No head"},
                {"name": "Row 7", "external_id": "7", "reason": "No date: 31.02.2026"},
            ]
        )
        self.assertEqual(self.run_.failed_count, 2)
        first, second = self.run_.failure_ids
        self.assertEqual(first.partner_id, self.origin)
        self.assertFalse(second.partner_id)
        self.assertEqual(first.action_open()["res_id"], self.origin.id)

    def test_retry_is_offered_where_the_origin_can(self):
        self.run_._add_failures([{"name": "Ada", "reason": "No head"}])
        self.run_._finish({})
        self.assertFalse(self.run_.can_retry)
        with self.assertRaises(UserError):
            self.run_.action_retry()
        asked = []
        with patch.object(
            self.registry["res.partner"],
            "_run_retry",
            lambda origin, run: asked.append((origin, run)),
            create=True,
        ):
            self.env.invalidate_all()
            self.assertTrue(self.run_.can_retry)
            self.assertIs(self.run_.action_retry(), True)
            self.assertEqual(asked, [(self.origin, self.run_)])
            self.run_.failure_ids.resolved = True
            self.assertFalse(self.run_.can_retry)

    def test_retry_runs_as_the_caller_who_can_read_the_origin(self):
        viewer = new_test_user(self.env, "run_viewer", groups="spp_base.group_program_viewer")
        asked = []
        self.run_._fail("No power")
        other = self.env["spp.endpoint"].create({"name": "E", "base_url": "https://e.example.org"})
        hidden = self.env["spp.run"]._start("test", "Hidden", other)
        hidden._fail("No power")
        with (
            patch.object(
                self.registry["res.partner"],
                "_run_retry",
                lambda origin, run: asked.append(origin.env),
                create=True,
            ),
            patch.object(Endpoint, "_run_retry", lambda origin, run: asked.append(origin.env), create=True),
        ):
            self.env.invalidate_all()
            self.run_.with_user(viewer).action_retry()
            self.assertEqual([(env.uid, env.su) for env in asked], [(viewer.id, False)])
            with self.assertRaises(AccessError):
                hidden.with_user(viewer).action_retry()
        self.assertEqual(len(asked), 1)

    def test_finish_meets_deferred_constraints_first(self):
        self.env.cr.execute("CREATE TEMP TABLE spp_t (a int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
        self.env.cr.execute("INSERT INTO spp_t VALUES (1), (1)")
        with self.assertRaisesRegex(Exception, "spp_t_a_key"), self.cr.savepoint():
            self.run_._finish({})

    def test_cancel(self):
        viewer = new_test_user(self.env, "run_viewer", groups="spp_base.group_program_viewer")
        with self.assertRaises(AccessError):
            self.run_.with_user(viewer).action_cancel()
        self.run_.action_cancel()
        self.assertEqual(self.run_.state, "cancelled")
        with self.assertRaises(Cancelled):
            self.run_._progress(2)
        with self.assertRaises(UserError):
            self.run_.action_cancel()

    def test_runs_of_other_companies_are_hidden(self):
        other = self.env["res.company"].create({"name": "Other"})
        run = self.env["spp.run"].with_company(other)._start("test", "Other", other)
        run._add_failures([{"name": "Ada", "reason": "No head"}])
        auditor = new_test_user(self.env, "run_auditor", groups="spp_base.group_auditor")
        runs = self.env["spp.run"].with_user(auditor).search([("id", "in", (run + self.run_).ids)])
        self.assertEqual(runs, self.run_)
        self.assertFalse(self.env["spp.run.failure"].with_user(auditor).search([("run_id", "=", run.id)]))


@tagged("post_install", "-at_install")
class TestRunInAJob(TransactionCase):
    """Runs that were committed before the work began, as those of jobs are."""

    def setUp(self):
        super().setUp()
        with self.env.registry.cursor() as cr:
            env = api.Environment(cr, SUPERUSER_ID, {})
            self.run_id = env["spp.run"]._queue("test", "Test", env.company, total=10).id
        self.addCleanup(self._delete_run)

    def _delete_run(self):
        with self.env.registry.cursor() as cr:
            cr.execute("DELETE FROM spp_run WHERE id = %s", [self.run_id])

    @contextmanager
    def worker(self):
        """The run in a transaction of its own, rolled back unless committed."""
        with self.env.registry.cursor() as cr:
            yield api.Environment(cr, SUPERUSER_ID, {})["spp.run"].browse(self.run_id)
            cr.rollback()

    def seen(self, *names):
        """What others see now."""
        with self.worker() as run:
            return tuple(run[name] for name in names)

    def reap(self):
        with self.worker() as run:
            run._cron_run_reaper()

    def test_others_see_the_progress_and_the_end(self):
        with self.worker() as run:
            self.assertEqual(run.state, "queued")
            with run._alive():
                self.assertEqual(self.seen("state", "progress"), ("running", 0))
                run._progress(3)
                self.assertEqual(self.seen("progress"), (30,))
                self.reap()
                self.assertEqual(self.seen("state"), ("running",), "its worker is alive")
                run._finish({"Imported": 10})
        self.assertEqual(self.seen("state", "counts", "in_worker"), ("done", {"Imported": 10}, False))
        self.assertTrue(all(self.seen("started_at", "ended_at")))

    def test_one_worker_at_a_time(self):
        with self.worker() as run, self.worker() as second, run._alive():
            with self.assertRaises(RetryableJobError), second._alive():
                self.fail("two workers are at one run")
        with self.worker() as run, run._alive():
            pass

    def test_error_ends_the_run_with_a_plain_reason(self):
        reason = "The bank says no."
        with self.worker() as run:
            with self.assertRaises(AccessError), run._alive():
                raise AccessError(reason)
        self.assertEqual(self.seen("state", "message"), ("failed", reason))

    def test_unforeseen_error_tells_no_values(self):
        with self.worker() as run:
            with self.assertRaises(KeyError), run._alive():
                raise KeyError("DE89 3704 0044 0532 0130 00")
        state, message = self.seen("state", "message")
        self.assertEqual(state, "failed")
        self.assertIn("KeyError", message)
        self.assertNotIn("DE89", message)

    @mute_logger("odoo.sql_db")
    def test_broken_transaction_ends_the_run_too(self):
        with self.worker() as run:
            with self.assertRaises(psycopg2.errors.DivisionByZero), run._alive():
                run.env.cr.execute("SELECT 1 / 0")
        self.assertEqual(self.seen("state", "in_worker"), ("failed", False))

    def test_error_that_is_retried_leaves_it_queued(self):
        with self.worker() as run:
            with self.assertRaises(RetryableJobError), run._alive():
                raise RetryableJobError("later")
        self.assertEqual(self.seen("state", "in_worker"), ("queued", False))

    def test_cancelled_run_is_left_by_its_worker(self):
        with self.worker() as run:
            with run._alive():
                with self.worker() as other:
                    other.action_cancel()
                    other.env.cr.commit()
                run._progress(4)
                self.fail("It worked on.")
        self.assertEqual(self.seen("state"), ("cancelled",))

    def test_run_of_a_dead_worker_ends(self):
        """The worker is another process, killed without a chance to say good-bye."""
        _name, parameters = connection_info_for(self.env.cr.dbname)
        key = advisory.key("spp.run", self.run_id)
        code = (
            f"import psycopg2, time; c = psycopg2.connect(**{parameters!r}).cursor();"
            f"c.execute('select pg_advisory_lock(%s)', [{key}]); print('held', flush=True); time.sleep(60)"
        )
        with self.worker() as run:
            run._record({"state": "running", "in_worker": True})
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
            process.stdout.readline()
            self.assertTrue(advisory.is_held(self.env.cr, key))
            self.reap()
            self.assertEqual(self.seen("state"), ("running",))
            process.kill()
            process.wait()
        # The server notices the closed connection a moment later.
        for _attempt in range(100):
            if not advisory.is_held(self.env.cr, key):
                break
            self.env.cr.execute("SELECT pg_sleep(0.02)")
        self.reap()
        state, message = self.seen("state", "message")
        self.assertEqual(state, "failed")
        self.assertIn("worker died", message)

    def test_run_between_two_jobs_is_given_a_day(self):
        with self.worker() as run:
            with run._alive():
                run._progress(1)
            self.reap()
            self.assertEqual(self.seen("state"), ("running",))
        with self.worker() as run:
            run.heard_at = fields.Datetime.now() - timedelta(hours=25)
            run.env.cr.commit()
        self.reap()
        self.assertEqual(self.seen("state"), ("failed",))


@tagged("post_install", "-at_install")
class TestAdvisoryLock(TransactionCase):
    def test_key_never_changes(self):
        # Workers of two releases must mean the same lock.
        self.assertEqual(advisory.key("spp.run", 1), 6491747085278198144)

    def test_held_once_and_let_go(self):
        for key in (advisory.key("test", number) for number in range(8)):
            self.assertFalse(advisory.is_held(self.env.cr, key))
            with advisory.held(self.env.cr.dbname, key):
                self.assertTrue(advisory.is_held(self.env.cr, key))
                with self.assertRaises(advisory.Busy), advisory.held(self.env.cr.dbname, key):
                    self.fail("held twice")
            self.assertFalse(advisory.is_held(self.env.cr, key))
