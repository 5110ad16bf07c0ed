"""Payments over the G2P Bridge arrive exactly once, whatever happens to answers and workers. Real HTTP."""

from datetime import timedelta
from unittest.mock import patch

from freezegun import freeze_time

from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.tests.common import tagged

from odoo.addons.queue_job.exception import RetryableJobError
from odoo.addons.queue_job.tests.common import trap_jobs

from .common import PayerCase

DECLARE = "/create_disbursement_envelope"


@tagged("post_install", "-at_install")
class TestBridge(PayerCase):
    server = "bridge"
    at_once = {"settle_after": 0, "reverse_after": 0}
    path = "/create_disbursements"

    @classmethod
    def set_up_payer(cls):
        result = super().set_up_payer()
        cls.payment_manager.write({"dialect": "bridge", "bridge_program": "SPP-TEST", "batch_size": 2})
        return result

    def later(self):
        """After the whole deadline of a call, and the bridge's own worst case."""
        return freeze_time(fields.Datetime.now() + timedelta(minutes=5))

    def send_and_fail(self, cycle, error):
        # Not assertRaises(): it would roll back what is committed in truth.
        try:
            self.send(cycle)
        except error:
            self.env.invalidate_all()
        else:
            self.fail(f"{error} was expected")

    def envelope(self, cycle):
        self.env.invalidate_all()
        return cycle.sudo().envelope_ids

    # What works

    def test_one_envelope_for_the_cycle_declares_what_is_sent(self):
        cycle = self.prepared(5)
        self.send(cycle)
        self.assertEqual(self.states(cycle), ["accepted"] * 5)
        (there,) = self.payer()["envelopes"]
        self.assertEqual((there["declared"], there["received"]), (5, 5))
        envelope = self.envelope(cycle)
        self.assertEqual((envelope.declared_count, envelope.known_received), (5, 5))
        self.assertEqual(envelope.bridge_id, there["id"])
        self.assertEqual(len(cycle.payment_batch_ids), 3)
        self.ask()
        self.assertEqual(self.states(cycle), ["paid"] * 5)
        self.assertEqual(self.envelope(cycle).state, "done")
        self.assertEqual(set(self.payer()["paid"].values()), {1})

    def test_a_payee_is_known_by_a_document(self):
        kind = self.env["spp.identity.type"].create({"name": "National ID", "code": "nid-bridge"})
        people = self.make_payees(2)
        self.payment_manager.write({"payee_by": "document", "identity_type_id": kind.id})
        self.env["spp.identity.document"].create(
            {"partner_id": people[0].id, "type_id": kind.id, "value": "1001"}
        )
        cycle = self.approved_cycle(people)
        self.prepare(cycle)
        ready, held = cycle.payment_ids.sorted("state", reverse=True)
        self.assertEqual((ready.state, ready.payee_address), ("ready", "token:1001@nationalId"))
        self.assertIn("National ID is missing", held.state_reason)
        self.send(cycle)
        (payment,) = self.payer()["payments"]
        self.assertEqual(payment["beneficiary"], "token:1001@nationalId")

    def test_a_payment_held_at_the_last_moment_does_not_keep_the_others_waiting(self):
        cycle = self.prepared(4)
        late = cycle.payment_ids.sorted("id")[-1]
        send = type(self.payment_manager)._send_into
        sent = []

        def then_somebody_dies(manager, envelope, batch, payments, message_id):
            result = send(manager, envelope, batch, payments, message_id)
            if not sent:
                late.sudo().partner_id.registrant_status = "deceased"
                self.env.flush_all()
            sent.append(batch)
            return result

        with patch.object(type(self.payment_manager), "_send_into", then_somebody_dies):
            self.send(cycle)
        self.assertEqual(self.states(cycle), ["accepted", "accepted", "accepted", "held"])
        self.ask()
        self.assertEqual(self.envelope(cycle).declared_count, 3)
        self.ask()
        self.assertEqual(self.states(cycle), ["held", "paid", "paid", "paid"])

    def test_money_that_comes_back_after_payment_is_returned(self):
        cycle = self.prepared(2)
        self.send(cycle)
        self.ask()
        self.assertEqual(self.states(cycle), ["paid", "paid"])
        beneficiary = self.payer()["payments"][0]["beneficiary"]
        self.control("set", reversed_beneficiaries=[beneficiary])
        self.ask()
        self.assertEqual(self.states(cycle), ["paid", "returned"])
        self.assertEqual(self.program_of(cycle).fund_disbursed, cycle.total_amount / 2)

    def program_of(self, cycle):
        cycle.program_id.invalidate_recordset()
        return cycle.program_id

    # What goes wrong

    def test_a_fraction_is_held_since_the_bridge_would_cut_it_off(self):
        cycle = self.prepared(1, amount=10.5)
        self.assertEqual(self.states(cycle), ["held"])
        self.assertIn("whole amounts", cycle.payment_ids.state_reason)

    def test_a_refused_envelope_sends_nothing(self):
        self.payment_manager.bridge_program = "OTHER"
        cycle = self.prepared(2)
        self.send(cycle)
        self.assertEqual(self.states(cycle), ["ready", "ready"])
        self.assertIn("program's code", cycle.payment_batch_ids.message)
        self.assertFalse(self.payer()["payments"])

    def test_an_envelope_whose_answer_was_lost_is_declared_again(self):
        cycle = self.prepared(2)
        self.fault("drop_after", DECLARE)
        self.send_and_fail(cycle, RetryableJobError)
        self.assertEqual(self.states(cycle), ["ready", "ready"])
        self.send(cycle)
        self.assertEqual(self.states(cycle), ["accepted", "accepted"])
        self.assertEqual([each["received"] for each in self.payer()["envelopes"]], [0, 2])

    def test_the_counter_proves_a_batch_received_and_it_is_paid_once(self):
        cycle = self.prepared(2)
        self.fault("drop_after")
        self.send(cycle)
        self.assertEqual(self.states(cycle), ["unknown", "unknown"])
        self.ask()
        self.assertEqual(self.states(cycle), ["accepted", "accepted"])
        self.assertTrue(cycle.payment_batch_ids.ids_lost)
        self.ask()
        self.assertEqual(self.states(cycle), ["paid", "paid"], "the whole envelope was paid, so these were")
        self.assertEqual(set(self.payer()["counts"].values()), {1})

    def test_the_counter_proves_a_batch_not_received_and_it_is_sent_again(self):
        cycle = self.prepared(2)
        self.fault("drop_before")
        self.send(cycle)
        self.assertEqual(self.states(cycle), ["unknown", "unknown"])
        self.ask()
        self.assertEqual(self.states(cycle), ["unknown", "unknown"], "the bridge may still act on it")
        with self.later():
            self.ask()
        self.assertEqual(self.states(cycle), ["accepted", "accepted"])
        self.assertEqual(set(self.payer()["counts"].values()), {1})

    def test_nothing_else_goes_into_an_envelope_while_a_batch_waits_for_its_proof(self):
        cycle = self.prepared(4)
        self.fault("drop_before")
        self.send_and_fail(cycle, RetryableJobError)
        self.assertEqual(self.states(cycle), ["ready", "ready", "unknown", "unknown"])
        with self.later(), trap_jobs() as jobs:
            self.payment_manager.with_user(self.finance).action_ask_status()
            self.run_jobs(jobs)
        self.assertEqual(self.states(cycle), ["accepted", "accepted", "ready", "ready"])

    def test_without_proof_nothing_is_sent_again(self):
        cycle = self.prepared(2)
        self.fault("drop_before")
        self.send(cycle)
        payment = cycle.payment_ids[0].sudo()
        with self.assertRaises(UserError):
            payment._set_state("ready", "because I say so")
        self.fault("error", "/get_disbursement_envelope_status", times=None, status=500)
        with self.later():
            self.ask()
        self.assertEqual(self.states(cycle), ["unknown", "unknown"])
        self.assertFalse(self.payer()["payments"])

    def test_a_worker_that_died_before_a_byte_left(self):
        cycle = self.prepared(2)
        with patch.object(type(self.payment_manager), "_send_into", side_effect=KeyboardInterrupt):
            self.send_and_fail(cycle, KeyboardInterrupt)
        self.assertEqual(self.states(cycle), ["sending", "sending"])
        self.ask()
        self.assertEqual(self.states(cycle), ["accepted", "accepted"])
        self.assertEqual(set(self.payer()["counts"].values()), {1})

    def test_a_worker_that_died_after_the_answer_was_kept(self):
        cycle = self.prepared(2)
        with patch.object(type(self.env["spp.payment.batch"]), "_taken", side_effect=KeyboardInterrupt):
            self.send_and_fail(cycle, KeyboardInterrupt)
        self.ask()
        self.assertEqual(self.states(cycle), ["accepted", "accepted"])
        self.assertTrue(all(cycle.payment_ids.mapped("bridge_id")))
        self.ask()
        self.assertEqual(self.states(cycle), ["paid", "paid"])
        self.assertEqual(set(self.payer()["counts"].values()), {1})

    def test_a_payer_that_does_not_know_somebody_says_nothing_for_ever(self):
        cycle = self.prepared(2)
        beneficiary = cycle.payment_ids[0].sudo().payee_address
        self.control("set", unresolved_beneficiaries=[beneficiary])
        self.send(cycle)
        self.ask()
        self.ask()
        self.assertEqual(self.states(cycle), ["accepted", "paid"])

    def test_an_envelope_that_is_never_paid_is_cancelled_and_its_payees_paid_again(self):
        self.control("set", settle_after=None)
        cycle = self.prepared(2)
        self.send(cycle)
        envelope = self.envelope(cycle)
        with self.assertRaises(AccessError):
            envelope.with_user(self.manager).action_cancel()
        envelope.with_user(self.finance).action_cancel()
        self.assertEqual(self.envelope(cycle).state, "cancelled")
        self.ask()
        payments = cycle.payment_ids
        self.assertEqual(self.states(cycle), ["unknown", "unknown"], "its word alone proves nothing")
        self.assertIn("was cancelled at the bridge", payments[0].state_reason)
        payments.with_user(self.finance).action_settle("never_received", "The operator's letter no. 7")
        payments.with_user(self.second_finance).action_confirm_settlement()
        payments.with_user(self.manager).action_reissue("The envelope was cancelled")
        self.control("set", settle_after=0)
        self.send(cycle)
        self.ask()
        self.assertEqual(self.states(cycle), ["paid", "paid", "rejected", "rejected"])
        self.assertEqual(self.envelope(cycle).mapped("state"), ["done", "cancelled"])
        self.assertEqual(len(self.payer()["paid"]), 2)

    def test_an_envelope_that_went_to_the_bank_is_not_cancelled(self):
        cycle = self.prepared(2)
        self.send(cycle)
        with self.assertRaisesRegex(UserError, "went to the bank"):
            self.envelope(cycle).with_user(self.finance).action_cancel()
        self.ask()
        self.assertEqual(self.states(cycle), ["paid", "paid"])

    def test_connection_test(self):
        self.payment_manager.with_user(self.manager).action_test_connection()
        self.fault("error", "/get_disbursement_status")
        with self.assertRaises(UserError):
            self.payment_manager.with_user(self.manager).action_test_connection()
