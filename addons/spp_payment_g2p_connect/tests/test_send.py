"""Payments are sent once and paid once, and each refusal is told on the payment it concerns."""

import logging
from contextlib import suppress
from unittest.mock import patch

from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged

from odoo.addons.queue_job.exception import RetryableJobError
from odoo.addons.queue_job.tests.common import trap_jobs
from odoo.addons.spp_base.tools import advisory
from odoo.addons.spp_programs.models import payment_asking

from ..models import payment_manager
from .common import CLOSED, DISBURSE, STATUS, PayerCase


@tagged("post_install", "-at_install")
class TestSend(PayerCase):
    def test_sent_accepted_paid(self):
        cycle = self.prepared(3)
        self.send(cycle)
        self.assertEqual(self.states(cycle), ["accepted"] * 3)
        self.assertEqual(cycle.state, "disbursing")
        self.assertEqual(cycle.payment_batch_ids.state, "sent")
        self.assertEqual(cycle.payment_batch_ids.released_by, self.releaser)
        self.assertEqual(set(cycle.entitlement_ids.mapped("state")), {"approved"})
        self.ask()
        self.assertEqual(self.states(cycle), ["paid"] * 3)
        self.assertEqual(cycle.payment_batch_ids.state, "done")
        self.assertEqual(set(cycle.entitlement_ids.mapped("state")), {"paid"})
        self.assertEqual(set(self.received().values()), {1})
        program = cycle.program_id
        self.assertEqual((program.fund_committed, program.fund_disbursed), (0.0, 300.0))
        kinds = cycle.payment_batch_ids.exchange_ids.mapped("kind")
        self.assertEqual(sorted(kinds), ["disburse", "status"])
        self.ask()  # nothing is due any more
        self.assertEqual(len(cycle.payment_batch_ids.exchange_ids), 2)

    def test_what_the_payer_got(self):
        cycle = self.prepared(1, amount=150.5)
        self.send(cycle)
        payment, got = cycle.payment_ids, self.payer()["payments"][0]
        self.assertEqual(got["reference_id"], payment.reference)
        self.assertEqual(got["payee_fa"], f"account:{payment.account_number}@EXBKUS33")
        self.assertEqual((got["amount"], got["currency_code"]), ("150.50", cycle.currency_id.name))
        self.assertEqual(got["transaction_id"], payment.batch_id.name)
        exchange = payment.batch_id.exchange_ids
        self.assertEqual(exchange.message_id, payment.claim_token)
        self.assertIn(payment.account_number, exchange.request)
        self.assertNotIn(payment.account_number, exchange.request_masked)
        self.assertNotIn(payment.account_number, exchange.answer_masked)
        self.assertIn(payment.reference, exchange.answer_masked)

    def test_sent_again_it_sends_nothing(self):
        cycle = self.prepared()
        self.send(cycle)
        batch = cycle.payment_batch_ids
        self.assertEqual(batch._job_send(), "There is nothing to send.")
        with self.assertRaises(UserError):
            self.send(cycle)
        self.assertEqual(set(self.received().values()), {1})

    def test_one_job_per_batch(self):
        self.payment_manager.batch_size = 2
        cycle = self.prepared(5)
        with trap_jobs() as jobs:
            cycle.with_user(self.releaser).action_send_payments()
            cycle.with_user(self.releaser).action_send_payments()
            jobs.assert_jobs_count(3)
            self.run_jobs(jobs)
        self.assertEqual(self.states(cycle), ["accepted"] * 5)
        self.assertEqual(len({got["transaction_id"] for got in self.payer()["payments"]}), 3)

    def test_nothing_is_sent_that_nobody_released(self):
        cycle = self.prepared()
        self.assertEqual(cycle.payment_batch_ids._job_send(), "There is nothing to send.")
        self.assertEqual(self.states(cycle), ["ready", "ready"])
        self.assertFalse(self.received())

    def test_who_may_release(self):
        cycle = self.prepared()
        for role in ("program_manager", "finance_officer", "approver", "admin", "auditor", "program_viewer"):
            with self.subTest(role=role), self.assertRaises(AccessError):
                cycle.with_user(self.users[role]).action_send_payments()
        group = self.env.ref("spp_base.group_payment_releaser")
        for user in (self.manager, self.approver):
            user.groups_id |= group
            with self.subTest(user=user.login), self.assertRaises(AccessError):
                cycle.with_user(user).action_send_payments()
        self.assertEqual(self.states(cycle), ["ready", "ready"])

    def test_a_suspended_program_sends_nothing(self):
        cycle = self.prepared()
        with trap_jobs() as jobs:
            cycle.with_user(self.releaser).action_send_payments()
            cycle.program_id.with_user(self.manager).action_suspend()
            self.run_jobs(jobs)
        self.assertEqual(self.states(cycle), ["ready", "ready"])
        self.assertFalse(self.received())

    def test_what_came_to_hold_a_payment_meanwhile(self):
        cycle = self.prepared()
        first = cycle.payment_ids[0]
        with trap_jobs() as jobs:
            cycle.with_user(self.releaser).action_send_payments()
            first.account_id.action_end()
            self.run_jobs(jobs)
        self.assertEqual(self.states(cycle), ["accepted", "held"])
        self.assertEqual(first.state, "held")
        self.assertNotIn(first.reference, self.received())

    def test_the_payer_refuses_one_payee(self):
        people = self.make_payees(1)
        refused = self.make_people(1)
        self.give_account(refused, CLOSED)
        cycle = self.approved_cycle(people | refused)
        self.prepare(cycle)
        self.send(cycle)
        self.ask()
        self.assertEqual(self.states(cycle), ["paid", "rejected"])
        payment = cycle.payment_ids.filtered(lambda payment: payment.state == "rejected")
        self.assertEqual((payment.partner_id, payment.reason_code), (refused, "rjct.payee_fa.invalid"))
        self.assertIn("account is wrong, closed or unknown", payment.state_reason)
        self.assertEqual(payment.entitlement_id.state, "approved")
        # A person enters another account and pays again: a new payment, a new reference.
        refused.payment_account_ids.action_end()
        self.give_account(refused, "55443322", is_primary=True)
        new = self.env["spp.payment"].browse(
            payment.with_user(self.manager).action_reissue("The account was corrected")
        )
        self.assertEqual(new.account_number, "55443322")
        self.send(cycle)
        self.ask()
        self.assertEqual((new.state, payment.state), ("paid", "rejected"))
        self.assertEqual(
            self.payer()["paid"], dict.fromkeys((cycle.payment_ids - payment).mapped("reference"), 1)
        )

    def test_statements_do_not_grow_with_payments(self):
        counts = []
        for code, size in (("WARM", 1), ("FEW", 2), ("MANY", 40)):
            cycle = self.prepared(size, code=code)
            # What the registry has cached of roles and rules depends on what ran before, and on how much fits.
            self.env.registry.clear_all_caches()
            before = self.cr.sql_log_count
            self.send(cycle)
            self.ask()
            counts.append(self.cr.sql_log_count - before)
            self.assertEqual(self.states(cycle), ["paid"] * size)
        self.assertAlmostEqual(counts[1], counts[2], delta=3)  # caches warm up by a statement or two

    def test_status_is_asked_in_chunks(self):
        cycle = self.prepared(5)
        self.send(cycle)
        with patch.object(payment_asking, "STATUS_CHUNK", 4):
            self.ask()
        self.assertEqual(self.states(cycle), ["paid"] * 5)
        asked = cycle.payment_batch_ids.exchange_ids.filtered(lambda exchange: exchange.kind == "status")
        self.assertEqual(sorted(asked.mapped("payment_count")), [1, 4])

    def test_no_log_line_has_a_payee_in_it(self):
        people = self.make_payees(2, prefix="Zephyrine")
        cycle = self.approved_cycle(people)
        records = []
        handler = logging.Handler()
        handler.emit = lambda record: records.append(record.getMessage())
        root = logging.getLogger()
        root.addHandler(handler)
        self.addCleanup(root.removeHandler, handler)
        self.prepare(cycle)
        self.fault("drop_after")
        self.fault("html", path=STATUS)
        self.send(cycle)
        self.ask()
        self.ask()
        self.assertEqual(self.states(cycle), ["paid", "paid"])
        logged = "\n".join(records)
        for payment in cycle.payment_ids:
            self.assertNotIn(payment.account_number, logged)
            self.assertNotIn(payment.payee_name, logged)


@tagged("post_install", "-at_install")
class TestNothingWasTaken(PayerCase):
    """Failed before a byte left, or refused as a whole: ready again, with the same references."""

    def test_connection_refused(self):
        cycle = self.prepared()
        references = set(cycle.payment_ids.mapped("reference"))
        self.endpoint.base_url = "http://127.0.0.1:9"
        with suppress(RetryableJobError):  # not assertRaises: that one rolls back what the job has committed
            self.send(cycle)
            self.fail("The job is to be tried again.")
        self.assertEqual(self.states(cycle), ["ready", "ready"])
        batch = cycle.payment_batch_ids
        self.assertIn("refused the connection", batch.message)
        self.assertTrue(batch.released_by)
        self.assertEqual(batch.exchange_ids.outcome, "not_sent")
        self.endpoint.base_url = self.sandbox.payer
        batch._job_send()  # what queue_job does next
        self.assertEqual(self.states(cycle), ["accepted", "accepted"])
        self.assertEqual(self.received(), dict.fromkeys(references, 1))

    def test_paused_endpoint(self):
        cycle = self.prepared()
        self.endpoint.write({"paused": True, "pause_reason": "Wrong password"})
        with suppress(RetryableJobError):  # not assertRaises: that one rolls back what the job has committed
            self.send(cycle)
            self.fail("The job is to be tried again.")
        self.assertEqual(self.states(cycle), ["ready", "ready"])
        self.assertIn("Wrong password", cycle.payment_batch_ids.message)

    def test_whole_message_refused(self):
        cycle = self.prepared()
        self.fault("refuse_all", code="rjct.total_count.limit_exceeded")
        self.send(cycle)
        self.assertEqual(self.states(cycle), ["ready", "ready"])
        batch = cycle.payment_batch_ids
        self.assertIn("too many payments", batch.message)
        self.assertIn("too many payments", cycle.payment_ids[0].state_reason)
        self.assertEqual(batch.exchange_ids.outcome, "refused")
        self.assertEqual(batch._job_send(), "There is nothing to send.")  # a person decides
        self.assertFalse(self.received())
        self.send(cycle)
        self.assertEqual(self.states(cycle), ["accepted", "accepted"])
        self.assertFalse(batch.message)

    def test_http_400(self):
        cycle = self.prepared()
        self.payment_manager.path_disburse = "/wrong"
        self.send(cycle)
        self.assertEqual(self.states(cycle), ["ready", "ready"])
        self.assertIn("nothing at this address", cycle.payment_batch_ids.message)

    def test_checked_before_it_leaves(self):
        cycle = self.prepared()
        wrong = cycle.payment_ids[0]
        self.env.cr.execute("UPDATE spp_payment SET payee_name = %s WHERE id = %s", ["x", wrong.id])
        self.payment_manager.locale = "en"
        self.send(cycle)
        self.assertEqual(self.states(cycle), ["ready", "ready"])
        self.assertIn("locale", cycle.payment_batch_ids.message)
        self.assertFalse(self.received())


@tagged("post_install", "-at_install")
class TestUnknown(PayerCase):
    """It may have been acted on: unknown, never sent again, the payer is asked."""

    def lost(self, fault, **more):
        cycle = self.prepared()
        self.fault(fault, **more)
        self.send(cycle)
        self.assertEqual(self.states(cycle), ["unknown", "unknown"])
        self.assertTrue(all(cycle.payment_ids.mapped("state_reason")))
        self.assertEqual(set(cycle.entitlement_ids.mapped("state")), {"approved"})
        self.assertEqual(cycle.payment_batch_ids._job_send(), "There is nothing to send.")
        return cycle

    def test_answer_dropped_after_acting(self):
        cycle = self.lost("drop_after")
        with self.assertRaises(UserError):
            self.send(cycle)
        self.ask()
        self.assertEqual(self.states(cycle), ["paid", "paid"])
        self.assertEqual(set(self.received().values()), {1})
        self.assertEqual(cycle.program_id.fund_disbursed, 200.0)

    def test_slow_answer(self):
        self.endpoint.total_timeout = 0.3
        cycle = self.lost("delay_after", seconds=1.5)
        self.endpoint.total_timeout = 5
        self.ask()
        self.assertEqual(self.states(cycle), ["paid", "paid"])
        self.assertEqual(set(self.received().values()), {1})

    def test_dropped_before_acting_stays_unknown(self):
        cycle = self.lost("drop_before")
        self.ask()
        self.ask()
        # The payer does not list them, which proves nothing.
        self.assertEqual(self.states(cycle), ["unknown", "unknown"])
        self.assertTrue(cycle.payment_ids[0].asked_at)
        self.assertFalse(self.received())
        # Two people settle it with evidence; then it can be paid by a new payment.
        payments = cycle.payment_ids
        payments.with_user(self.finance).action_settle("never_received", "Letter of the payer, no. 7")
        payments.with_user(self.second_finance).action_confirm_settlement()
        payments.with_user(self.manager).action_reissue("The account was corrected")
        self.send(cycle)
        self.ask()
        self.assertEqual(self.states(cycle), ["paid", "paid", "rejected", "rejected"])

    def test_html_for_an_answer(self):
        cycle = self.lost("html")
        self.assertIn("web page", cycle.payment_ids[0].state_reason)
        self.assertEqual(cycle.payment_batch_ids.exchange_ids.outcome, "unclear")
        self.assertIn("hidden", cycle.payment_batch_ids.exchange_ids.answer_masked)

    def test_http_500(self):
        for status in (500, 503):
            with self.subTest(status=status), self.cr.savepoint() as savepoint:
                self.lost("error", status=status)
                savepoint.rollback()
                self.env.invalidate_all()

    def test_payer_down_for_status(self):
        cycle = self.lost("drop_after")
        self.fault("error", path=STATUS, status=503, times=None)
        self.ask()
        self.assertEqual(self.states(cycle), ["unknown", "unknown"])
        self.assertIn("503", self.payment_manager.status_message)
        self.clear_faults()
        self.ask()
        self.assertEqual(self.states(cycle), ["paid", "paid"])

    def test_one_question_the_payer_stumbles_over_does_not_stop_the_others(self):
        cycle = self.lost("drop_after")
        self.fault("error", path=STATUS, status=500)  # the first question, about both
        self.ask()
        self.assertEqual(self.states(cycle), ["paid", "paid"])

    def test_left_out_of_a_later_answer(self):
        """The payer forgets an item without a trace; what it acknowledged once stays accepted."""
        cycle = self.prepared()
        self.control("set", listed_after=3600)
        self.send(cycle)
        self.ask()
        self.assertEqual(self.states(cycle), ["accepted", "accepted"])

    def test_taken_twice_by_the_payer_is_flagged(self):
        cycle = self.prepared()
        self.fault("duplicate")
        self.send(cycle)
        self.ask()
        self.assertEqual(self.states(cycle), ["paid", "paid"])
        self.assertEqual(cycle.program_id.fund_disbursed, 200.0)
        for payment in cycle.payment_ids:
            self.assertIn("paid 2 times", payment.alert)

    def test_late_received_does_not_undo_paid(self):
        cycle = self.prepared()
        self.send(cycle)
        self.ask()
        payments = cycle.payment_ids
        accepted = [(payment.id, "accepted") for payment in payments]
        self.assertFalse(self.env["spp.payment"]._apply(accepted))
        self.assertEqual(self.states(cycle), ["paid", "paid"])


@tagged("post_install", "-at_install")
class TestSenderDies(PayerCase):
    def claimed(self):
        """A batch whose sender claimed its payments and died before it sent, or before the answer."""
        cycle = self.prepared()
        cycle.with_user(self.releaser).action_send_payments()
        self.assertEqual(len(cycle.payment_batch_ids._claim()[0]), 2)
        self.assertEqual(self.states(cycle), ["sending", "sending"])
        return cycle

    def test_a_dead_senders_payments_become_unknown(self):
        cycle = self.claimed()
        self.ask()
        self.assertEqual(self.states(cycle), ["unknown", "unknown"])
        self.assertIn("interrupted", cycle.payment_ids[0].state_reason)
        self.assertFalse(self.received())

    def test_the_job_run_again_sends_nothing(self):
        cycle = self.claimed()
        self.assertEqual(cycle.payment_batch_ids._job_send(), "There is nothing to send.")
        self.assertEqual(self.states(cycle), ["unknown", "unknown"])
        self.assertFalse(self.received())

    def test_a_living_senders_payments_are_left_alone(self):
        cycle = self.claimed()
        batch = cycle.payment_batch_ids
        with advisory.held(self.env.cr.dbname, batch._lock_key()):
            self.ask()
            self.assertEqual(self.states(cycle), ["sending", "sending"])
            self.assertEqual(batch._job_send(), "Another worker is sending this batch.")
        self.ask()
        self.assertEqual(self.states(cycle), ["unknown", "unknown"])

    def test_the_lock_is_held_while_the_payer_works(self):
        cycle = self.prepared()
        batch, seen = cycle.payment_batch_ids, []
        post = type(self.payment_manager)._post

        def watching(manager, path, request):
            with self.another_connection() as connection, connection.cursor() as cursor:
                cursor.execute("SELECT pg_try_advisory_lock(%s)", (batch._lock_key(),))
                seen.append((path, cursor.fetchone()[0], self.states(cycle)))
            return post(manager, path, request)

        self.patch(type(self.payment_manager), "_post", watching)
        self.send(cycle)
        self.assertEqual(seen, [(DISBURSE, False, ["sending", "sending"])])

    def test_a_reader_that_fails_loses_no_evidence(self):
        cycle = self.prepared()

        def failing(*args):
            raise ZeroDivisionError

        self.patch(payment_manager, "read_disburse", failing)
        with suppress(ZeroDivisionError):
            self.send(cycle)
            self.fail("The fault is to be seen.")
        self.assertEqual(self.states(cycle), ["sending", "sending"])
        self.assertIn("disbursements_status", cycle.payment_batch_ids.exchange_ids.answer)
        self.ask()
        self.assertEqual(self.states(cycle), ["paid", "paid"])
        self.assertEqual(set(self.received().values()), {1})
