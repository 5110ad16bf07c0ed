"""The payer is asked at the manager's interval, the less often the older a payment is, and never for the last time."""

from datetime import timedelta
from unittest.mock import patch

from freezegun import freeze_time
from psycopg2 import IntegrityError

from odoo import fields
from odoo.tests import tagged
from odoo.tools import mute_logger

from odoo.addons.queue_job.tests.common import trap_jobs
from odoo.addons.spp_programs.models import payment_asking, payment_manager

from ..wire import bridge, messages
from .common import STATUS, PayerCase


@tagged("post_install", "-at_install")
class TestAsking(PayerCase):
    at_once = {"listed_after": 0, "settle_after": None}

    def asked(self, cycle):
        """How often the payer was asked."""
        return len(cycle.payment_batch_ids.exchange_ids.filtered(lambda exchange: exchange.kind == "status"))

    def after(self, **time):
        return freeze_time(fields.Datetime.now() + timedelta(**time))

    def test_asked_at_the_managers_interval(self):
        self.payment_manager.status_interval = 30
        cycle = self.prepared(2)
        self.send(cycle)
        self.ask()
        self.assertEqual(self.asked(cycle), 1, "at once the first time")
        for minutes, times in ((10, 1), (31, 2), (50, 2), (62, 3)):
            with self.after(minutes=minutes):
                self.ask()
            self.assertEqual(self.asked(cycle), times, f"after {minutes} minutes")
        self.payment_manager.status_interval = 0
        self.env["spp.payment.manager"]._cron_payment_status()  # no other cron is to be changed for it
        with self.after(minutes=75):
            self.ask()
        self.assertEqual(self.asked(cycle), 4, "a new interval counts at once")

    def test_the_older_the_less_often_and_once_a_day_for_ever(self):
        self.payment_manager.status_interval = 5
        cycle = self.prepared(1)
        self.send(cycle)
        for time, times in (
            ({"hours": 10}, 1),
            ({"hours": 10, "minutes": 50}, 1),  # a tenth of its age has not passed
            ({"hours": 11, "minutes": 10}, 2),
            ({"days": 100}, 3),
            ({"days": 100, "hours": 23}, 3),
            ({"days": 101, "minutes": 1}, 4),
            ({"days": 1000}, 5),
        ):
            with self.after(**time):
                self.ask()
            self.assertEqual(self.asked(cycle), times, time)
        self.control("set", settle_after=0)
        with self.after(days=1002):
            self.ask()
        self.assertEqual(self.states(cycle), ["paid"])

    def test_ask_now_asks_whatever_the_interval(self):
        self.payment_manager.status_interval = 1440
        cycle = self.prepared(2)
        self.send(cycle)
        self.ask()
        self.ask()
        self.assertEqual(self.asked(cycle), 1)
        with trap_jobs() as jobs:
            self.payment_manager.with_user(self.finance).action_ask_status()
            self.run_jobs(jobs)
        self.assertEqual(self.asked(cycle), 2)

    def test_a_job_asks_a_bounded_number_and_the_next_goes_on(self):
        self.payment_manager.batch_size = 3
        cycle = self.prepared(8)
        self.send(cycle)
        self.control("set", settle_after=0)
        sizes = []
        due_chunks = type(self.payment_manager)._due_chunks

        def counted(manager, *args):
            chunks = due_chunks(manager, *args)
            sizes.append(sum(map(len, chunks)))
            return chunks

        with (
            patch.object(payment_asking, "MOST_AT_ONCE", 4),
            patch.object(payment_asking, "STATUS_CHUNK", 2),
            patch.object(type(self.payment_manager), "_due_chunks", counted),
        ):
            self.ask()
        self.assertEqual(sizes, [4, 4, 0])
        self.assertEqual(self.states(cycle), ["paid"] * 8)

    def test_a_round_asks_about_each_payment_once_though_each_is_due_again_at_once(self):
        cycle = self.prepared(5)
        self.send(cycle)
        with patch.object(payment_asking, "MOST_AT_ONCE", 2):
            self.ask()
        self.assertEqual(self.asked(cycle), 3)

    def test_a_job_stops_when_its_time_is_over_and_the_next_goes_on(self):
        cycle = self.prepared(4)
        self.send(cycle)
        self.control("set", settle_after=0)
        with patch.object(payment_asking, "STATUS_CHUNK", 2), patch.object(payment_asking, "JOB_SECONDS", 0):
            with trap_jobs() as jobs:
                self.payment_manager._enqueue_status()
                jobs.perform_enqueued_jobs()
                self.assertEqual(len(jobs.enqueued_jobs), 1, "the next part")
                self.assertEqual(self.states(cycle), ["accepted"] * 4)
        self.ask()
        self.assertEqual(self.states(cycle), ["paid"] * 4)

    def test_a_payer_that_is_down_for_a_day_loses_nothing(self):
        cycle = self.prepared(3)
        self.send(cycle)
        self.control("set", settle_after=0)
        url, self.endpoint.base_url = self.endpoint.base_url, "http://127.0.0.1:9"
        for hours in range(0, 24, 3):
            with self.after(hours=hours):
                self.ask()
        self.assertEqual(self.states(cycle), ["accepted"] * 3)
        self.assertIn("refused the connection", self.payment_manager.status_message)
        self.endpoint.base_url = url
        with self.after(hours=24):
            self.ask()
        self.assertEqual(self.states(cycle), ["paid"] * 3)
        self.assertEqual(set(self.received().values()), {1})

    def test_one_reference_that_the_payer_stumbles_over_does_not_stop_the_others(self):
        cycle = self.prepared(4)
        self.send(cycle)
        self.control("set", settle_after=0)
        self.fault("error", STATUS, times=1, status=500)
        self.ask()
        self.assertEqual(self.states(cycle), ["paid"] * 4, "asked again in halves")

    def test_two_questions_at_once_are_one(self):
        cycle = self.prepared(1)
        self.send(cycle)
        key = payment_asking.advisory.key("spp.payment.manager.status", self.payment_manager.id)
        with self.another_connection() as other, other.cursor() as cr:
            cr.execute("SELECT pg_advisory_lock(%s)", [key])
            self.ask()
            self.assertEqual(self.asked(cycle), 0)

    def test_interval_is_in_bounds(self):
        for minutes in (-1, 1441):
            with self.assertRaises(IntegrityError), mute_logger("odoo.sql_db"), self.env.cr.savepoint():
                self.payment_manager.status_interval = minutes
                self.payment_manager.flush_recordset()

    def test_chunks_are_what_a_message_may_hold(self):
        self.assertLessEqual(payment_manager.STATUS_CHUNK, messages.STATUS_LIMIT)
        self.assertLessEqual(payment_manager.STATUS_CHUNK, bridge.STATUS_LIMIT)
