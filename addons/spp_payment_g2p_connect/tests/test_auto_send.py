"""What was held when a releaser sent the cycle's payments is sent in that releaser's name once it is free."""

from odoo.tests import tagged

from odoo.addons.queue_job.tests.common import trap_jobs

from .common import CLOSED, PayerCase


@tagged("post_install", "-at_install")
class TestAutoSend(PayerCase):
    @classmethod
    def set_up_payer(cls):
        result = super().set_up_payer()
        cls.payment_manager.auto_send = True
        return result

    def setUp(self):
        super().setUp()
        self.cycle = self.approved_cycle(self.make_payees(2))
        self.prepare(self.cycle)
        self.held = self.cycle.payment_ids[0]
        self.held.with_user(self.manager).action_hold("Look first")
        self.send(self.cycle)
        self.assertEqual(self.states(self.cycle), ["accepted", "held"])

    def let_go(self):
        self.held.with_user(self.manager).action_let_go("In order")

    def cron(self):
        with trap_jobs() as jobs:
            self.env.ref("spp_programs.cron_payment_send_freed").ir_actions_server_id.run()
            self.run_jobs(jobs)

    def test_what_is_freed_is_sent_in_the_name_of_who_sent_the_others(self):
        self.cron()
        self.assertEqual(self.states(self.cycle), ["accepted", "held"], "still held")
        self.let_go()
        self.cron()
        self.assertEqual(self.states(self.cycle), ["accepted", "accepted"])
        self.assertEqual(self.held.batch_id.released_by, self.releaser)
        entries = self.env["spp.audit.entry"].search([("action", "=", "Payments released")])
        self.assertEqual(set(entries.user_id.ids), {self.releaser.id})
        self.assertEqual(set(self.received().values()), {1})

    def test_a_hold_that_ends_by_itself_is_noticed(self):
        self.let_go()
        self.held.payee_id.active = False
        self.cron()
        self.assertEqual(self.states(self.cycle), ["accepted", "held"])
        self.held.payee_id.active = True
        self.cron()
        self.assertEqual(self.states(self.cycle), ["accepted", "accepted"])

    def test_not_unless_it_is_switched_on(self):
        self.payment_manager.auto_send = False
        self.let_go()
        self.cron()
        self.assertEqual(self.states(self.cycle), ["accepted", "ready"])
        changes = self.env["spp.audit.entry"].search([("action", "=", "Payment manager changed")])
        self.assertTrue(changes, "switching it leaves a trail")

    def test_every_guard_holds_and_the_refusal_is_on_the_batch(self):
        self.let_go()
        self.releaser.groups_id -= self.env.ref("spp_base.group_payment_releaser")
        self.cron()
        self.assertEqual(self.states(self.cycle), ["accepted", "ready"])
        self.assertIn("Not sent without a person", self.held.batch_id.message)
        self.assertFalse(self.held.batch_id.released_by)

    def test_a_releaser_who_left_sends_nothing(self):
        self.let_go()
        self.releaser.active = False
        self.cron()
        self.assertEqual(self.states(self.cycle), ["accepted", "ready"])
        self.assertIn("no user any more", self.held.batch_id.message)

    def test_what_the_payer_refused_as_a_whole_waits_for_a_person(self):
        self.let_go()
        self.fault("refuse_all")
        self.cron()
        self.assertEqual(self.states(self.cycle), ["accepted", "ready"])
        self.cron()
        self.assertEqual(self.states(self.cycle), ["accepted", "ready"])
        self.assertTrue(self.held.batch_id.message)
        self.assertNotIn(self.held.reference, self.received())

    def test_what_was_issued_after_the_release_waits_for_a_person(self):
        people = self.make_people(1)
        self.give_account(people, CLOSED)
        cycle = self.approved_cycle(people, code="OTHER")
        self.prepare(cycle)
        self.send(cycle)
        self.ask()
        self.assertEqual(self.states(cycle), ["rejected"])
        self.env.cr.execute("UPDATE spp_payment_batch SET released_at = released_at - interval '1 hour'")
        cycle.payment_ids.account_id.action_end()
        self.give_account(people, "12345678")
        cycle.payment_ids.with_user(self.manager).action_reissue("Another account")
        self.cron()
        self.assertEqual(self.states(cycle), ["ready", "rejected"])
