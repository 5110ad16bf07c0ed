"""A bulk action done by a job: all of it or nothing, once, whatever dies on the way."""

from contextlib import contextmanager
from unittest.mock import patch

from odoo import api
from odoo.exceptions import UserError
from odoo.tests.common import TransactionCase, tagged

from odoo.addons.queue_job.exception import RetryableJobError

from ..models.spp_bulk_mixin import BeingChanged


@tagged("post_install", "-at_install")
class TestRunJobs(TransactionCase):
    """On committed runs, as jobs have them; the action sets the street of the company's partner."""

    def setUp(self):
        super().setUp()
        self.uid_ = self.env.ref("base.user_admin").id
        self.addCleanup(self._clean)
        with self.own() as env:
            self.run_id = self._queue(env).id
        self.work = lambda run: run._finish({"Streets": 1})
        action = patch.object(
            self.registry["res.company"],
            "_do_test",
            lambda company, run, *arguments: self._do(company, run, *arguments),
            create=True,
        )
        action.start()
        self.addCleanup(action.stop)

    def _queue(self, env):
        return env["spp.run"]._queue_job("test", "Test", env.company, "test", ["Main street"])

    def _do(self, company, run, street):
        company.sudo().partner_id.street2 = street
        run._progress(5, total=10, stage="Streets")
        self.work(run)

    def _clean(self):
        with self.own() as env:
            env.company.sudo().partner_id.street2 = False
            env["spp.run"].sudo().search([("kind", "=", "test")]).unlink()
            env["queue.job"].sudo().search([("model_name", "=", "spp.run")]).unlink()

    @contextmanager
    def own(self):
        """A transaction of its own, as another worker has it; committed."""
        with self.env.registry.cursor() as cr:
            yield api.Environment(cr, self.uid_, {})

    def perform(self, job_is_stored=True):
        """What queue_job does: the work and its note about it in one transaction."""
        with self.own() as env:
            run = env["spp.run"].browse(self.run_id)
            result = run._job_work()
            if job_is_stored:
                run._job().write({"state": "done", "result": result})

    def reap(self):
        with self.own() as env:
            env["spp.run"].sudo()._cron_run_reaper()

    def set_job(self, **values):
        with self.own() as env:
            env["spp.run"].sudo().browse(self.run_id)._job().write(values)

    def seen(self, *names):
        with self.own() as env:
            run = env["spp.run"].browse(self.run_id)
            return tuple(run[name] for name in names)

    def street(self):
        with self.own() as env:
            return env.company.partner_id.street2 or ""

    def test_done_once_it_is_committed(self):
        seen = []

        def work(run):
            seen.append(self.seen("state", "progress", "stage", "in_worker"))
            run._finish({"Streets": 1}, "Well done")
            seen.append(self.seen("state"))

        self.work = work
        self.perform()
        self.assertEqual(seen, [("running", 50, "Streets", True), ("running",)])
        self.assertEqual(
            self.seen("state", "counts", "message", "in_worker"),
            ("done", {"Streets": 1}, "Well done", False),
        )
        self.assertEqual(self.street(), "Main street")

    def test_job_is_who_pressed(self):
        with self.own() as env:
            job = env["spp.run"].sudo().browse(self.run_id)._job()
            self.assertEqual(job.user_id.id, self.uid_)
            self.assertIn(f"res.company:{env.company.id}:test", job.identity_key)
            self.assertFalse(job.records.env.su)

    def test_pressed_again_it_is_not_queued_again(self):
        with self.assertRaisesRegex(UserError, "a moment ago"), self.own() as env, env.cr.savepoint():
            self._queue(env)
        self.perform()
        with self.own() as env:
            self._queue(env).sudo().unlink()

    def test_refused_meanwhile_nothing_is_left_and_the_run_says_why(self):
        def work(run):
            raise UserError("The program is suspended.")  # pylint: disable=translation-required

        self.work = work
        self.perform()
        self.assertEqual(self.seen("state", "message"), ("failed", "The program is suspended."))
        self.assertEqual(self.street(), "")

    def test_cancelled_meanwhile_nothing_is_left(self):
        def work(run):
            with self.own() as env:
                env["spp.run"].browse(self.run_id).action_cancel()
            run._progress(6)
            self.fail("It worked on.")

        self.work = work
        self.perform()
        self.assertEqual(self.seen("state"), ("cancelled",))
        self.assertEqual(self.street(), "")
        self.perform()
        self.assertEqual(self.street(), "")

    def test_busy_record_is_tried_again_later(self):
        def work(run):
            raise BeingChanged("Somebody is at it.")

        self.work = work
        with self.assertRaises(RetryableJobError), self.own() as env:
            env["spp.run"].browse(self.run_id)._job_work()
        self.assertEqual(self.seen("state", "deaths"), ("queued", 0))

    def test_worker_that_died_after_the_commit_has_done_it(self):
        with patch.object(self.registry["spp.run"], "_end_after_commit", lambda run, result: None):
            self.perform()
        self.assertEqual(self.seen("state"), ("running",))
        self.reap()
        self.assertEqual(self.seen("state", "counts"), ("done", {"Streets": 1}))

    def die(self):
        """A worker is killed at work: its transaction and its lock are gone, and it said no good-bye."""
        with self.own() as env:
            env["spp.run"].sudo().browse(self.run_id)._record({"state": "running", "in_worker": True}, True)

    def test_worker_that_died_before_the_commit_is_followed_by_another(self):
        self.die()
        self.set_job(state="started")
        self.reap()
        state, deaths, message = self.seen("state", "deaths", "message")
        self.assertEqual((state, deaths), ("queued", 1))
        self.assertIn("another one begins", message)
        self.perform()
        self.assertEqual(self.seen("state", "deaths", "message"), ("done", 1, ""))
        self.assertEqual(self.street(), "Main street")

    def test_it_ends_where_every_worker_dies(self):
        for _time in range(3):
            self.die()
        self.perform()
        state, message = self.seen("state", "message")
        self.assertEqual(state, "failed")
        self.assertIn("3 workers died", message)
        self.assertEqual(self.street(), "")

    def test_run_whose_job_was_lost_gets_another(self):
        with self.own() as env:
            lost = env["spp.run"].sudo().browse(self.run_id)._job()
            lost_uuid = lost.uuid
            lost.unlink()
        self.reap()
        with self.own() as env:
            job = env["spp.run"].sudo().browse(self.run_id)._job()
            self.assertNotEqual(job.uuid, lost_uuid)
            self.assertEqual(job.user_id.id, self.uid_)
            self.assertEqual(job.records.env.context["allowed_company_ids"], env.company.ids)
        self.perform()
        self.assertEqual(self.seen("state"), ("done",))

    def test_queued_run_is_left_in_peace(self):
        self.reap()
        self.assertEqual(self.seen("state", "deaths"), ("queued", 0))

    def test_parts_do_not_depend_on_the_number_of_ids(self):
        run = self.env["spp.run"].browse(self.run_id).with_context(job_result={})
        for high in (100, 1_000_000):
            parts = run._parts(1, high)
            self.assertEqual(len(parts), 10)
            self.assertEqual((parts[0][0], parts[-1][1]), (1, high))
            self.assertTrue(
                all(first == last + 1 for (_a, last), (first, _b) in zip(parts, parts[1:], strict=False))
            )
        self.assertEqual(run._parts(7, 9), [(7, 7), (8, 8), (9, 9)])
        self.assertEqual(run._parts(None, None), [])
        self.assertEqual(run.with_context(job_result=None)._parts(1, 9), [(1, 9)])
