"""What was released is sent in the end, however long the payer is away and whatever becomes of the job."""

from contextlib import suppress
from datetime import timedelta

from freezegun import freeze_time

from odoo import fields
from odoo.tests import tagged

from odoo.addons.queue_job.exception import RetryableJobError
from odoo.addons.queue_job.tests.common import trap_jobs

from .common import PayerCase


@tagged("post_install", "-at_install")
class TestSendingOn(PayerCase):
    def released(self, count=2):
        """A cycle that was released, and whose job was lost."""
        cycle = self.prepared(count)
        with trap_jobs():
            cycle.with_user(self.releaser).action_send_payments()
        return cycle

    def test_a_payer_that_is_down_for_a_day_gets_each_payment_once(self):
        cycle = self.prepared(3)
        with trap_jobs() as jobs:
            cycle.with_user(self.releaser).action_send_payments()
            self.assertEqual(jobs.enqueued_jobs[0].max_retries, 0, "tried again for ever")
        references = set(cycle.payment_ids.mapped("reference"))
        url, self.endpoint.base_url = self.endpoint.base_url, "http://127.0.0.1:9"
        now = fields.Datetime.now()
        for hours in range(0, 24, 4):
            with freeze_time(now + timedelta(hours=hours)), suppress(RetryableJobError):
                cycle.payment_batch_ids._job_send()
                self.fail("The job is to be tried again.")
            self.assertEqual(self.states(cycle), ["ready"] * 3)
        self.endpoint.base_url = url
        with freeze_time(now + timedelta(days=1)):
            cycle.payment_batch_ids._job_send()
        self.assertEqual(self.states(cycle), ["accepted"] * 3)
        self.assertEqual(self.received(), dict.fromkeys(references, 1))

    def test_the_cron_sends_what_lost_its_job(self):
        cycle = self.released()
        self.ask()
        self.assertEqual(self.states(cycle), ["accepted"] * 2)
        self.assertEqual(cycle.payment_batch_ids.released_by, self.releaser)
        self.assertEqual(set(self.received().values()), {1})

    def test_what_has_a_job_gets_no_other(self):
        cycle = self.prepared()
        cycle.with_user(self.releaser).action_send_payments()  # its job waits in the queue
        self.ask()
        self.assertEqual(self.states(cycle), ["ready"] * 2)

    def test_what_nobody_released_is_left_alone(self):
        cycle = self.prepared()
        self.ask()
        self.assertEqual(self.states(cycle), ["ready"] * 2)

    def test_what_the_payer_refused_as_a_whole_waits_for_a_person(self):
        cycle = self.prepared()
        self.fault("refuse_all")
        self.send(cycle)
        self.ask()
        self.assertEqual(self.states(cycle), ["ready"] * 2)
        self.assertFalse(self.received())

    def test_a_suspended_program_sends_nothing(self):
        cycle = self.released()
        cycle.program_id.with_user(self.manager).action_suspend()
        self.ask()
        self.assertEqual(self.states(cycle), ["ready"] * 2)

    def test_an_error_after_the_payer_has_acted_pays_once(self):
        cycle = self.prepared(3)
        self.fault("error_after", status=500)
        self.send(cycle)
        self.assertEqual(self.states(cycle), ["unknown"] * 3)
        self.ask()
        self.assertEqual(self.states(cycle), ["paid"] * 3)
        self.assertEqual(set(self.received().values()), {1})
