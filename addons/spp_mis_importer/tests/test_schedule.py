"""One cron enqueues the sources that are due; it imports nothing itself."""

from datetime import timedelta

from odoo import fields
from odoo.tests import TransactionCase, tagged

from .common import MisMixin


@tagged("post_install", "-at_install")
class TestSchedule(MisMixin, TransactionCase):
    def cron(self):
        self.env.ref("spp_mis_importer.cron_mis_import").ir_actions_server_id.run()

    def test_due_sources_are_enqueued(self):
        self.env["spp.mis.source"].search([]).action_pause()
        other = self.new_source(name="Not due")
        self.source.interval = 30
        self.source.action_resume()
        self.assertEqual((self.source.state, bool(self.source.next_run_at)), ("active", True))
        self.cron()
        self.assertEqual(len(self.jobs()), 1)
        self.assertEqual(self.source.last_run_id.state, "queued")
        self.assertFalse(other.last_run_id)
        wait = self.source.next_run_at - fields.Datetime.now()
        self.assertTrue(timedelta(minutes=29) < wait <= timedelta(minutes=30))
        self.cron()
        self.assertEqual(len(self.jobs()), 1, "not due yet")

    def test_due_while_at_work_starts_no_second(self):
        self.source.action_resume()
        first = self.source.action_import()
        self.cron()
        self.assertEqual((self.source.last_run_id.id, len(self.jobs())), (first, 1))

    def test_paused(self):
        self.source.action_resume()
        self.source.action_pause()
        self.cron()
        self.assertFalse(self.jobs())
        self.assertFalse(self.source.next_run_at)
