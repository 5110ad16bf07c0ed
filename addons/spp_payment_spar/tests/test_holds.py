"""Nobody is paid to an account that SPAR has not confirmed; what it confirms is freed without a hand."""

from odoo.exceptions import UserError
from odoo.tests import TransactionCase, tagged

from odoo.addons.spp_base.tests.common import CheapPasswords
from odoo.addons.spp_programs.tests.common import ProgramsMixin
from odoo.addons.spp_spar_sync.tests.common import SparMixin


@tagged("post_install", "-at_install")
class TestHolds(SparMixin, ProgramsMixin, CheapPasswords, TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.set_up_programs()

    def setUp(self):
        super().setUp()
        self.releaser = self.env["res.users"].create(
            {
                "name": "Releaser",
                "login": "spar_releaser",
                "groups_id": [(6, 0, [self.env.ref("spp_base.group_payment_releaser").id])],
            }
        )
        self.program = self.make_program("SPAR", fund="10000")
        self.program.payment_manager_id = self.env["spp.payment.manager"].create(
            {"name": "By hand", "company_id": self.env.company.id, "currency_id": self.program.currency_id.id}
        )

    def payments_of(self, *people):
        """Payments of a new cycle that pays each of `people`, in their order."""
        self.add(self.program, people)
        self.program.with_user(self.officer).action_enroll()
        cycle = self.make_cycle(self.program, submit=True)
        cycle.with_user(self.approver).action_approve()
        cycle.with_user(self.manager).action_prepare_payments()
        payments = self.env["spp.payment"].search([("cycle_id", "=", cycle.id)])
        by_person = {payment.partner_id: payment for payment in payments}
        return [by_person[person] for person in people]

    def old(self, *args, **kwargs):
        return self.person(*args, birthdate="1950-01-01", **kwargs)

    def recheck(self):
        """Run the recheck jobs that were enqueued."""
        self.env.cr.flush()
        jobs = self.env["queue.job"].search(
            [("method_name", "=", "_job_recheck_after_spar"), ("state", "=", "pending")]
        )
        for job in jobs:
            self.env["spp.payment"]._job_recheck_after_spar(*job.args)
        jobs.unlink()
        self.env.invalidate_all()
        return len(jobs)

    def test_held_until_spar_has_confirmed_the_account(self):
        (payment,) = self.payments_of(self.old("A1"))
        self.assertEqual(
            (payment.state, payment.state_reason), ("held", "SPAR has not confirmed the account yet.")
        )
        self.drain()
        self.assertEqual(self.recheck(), 1)
        self.assertEqual((payment.state, bool(payment.batch_id)), ("ready", True))

    def test_confirmed_account_is_ready_at_once(self):
        person = self.old("A1")
        self.drain()
        (payment,) = self.payments_of(person)
        self.assertEqual(payment.state, "ready")

    def test_every_reason_is_told(self):
        without_id, refused, other, fine = (
            self.old(None),
            self.old("A2", number=None),
            self.old("A3"),
            self.old("A4"),
        )
        self.account(refused, "1000000001", provider_id=False)
        self.control("set", id="token:A3@nationalId", fa="account:9@X")
        self.drain()
        payments = self.payments_of(without_id, refused, other, fine)
        self.assertEqual([payment.state for payment in payments], ["held", "held", "held", "ready"])
        for payment, words in zip(
            payments, ("no SPAR ID", "(BIC) is missing", "Enrollment Officer"), strict=False
        ):
            self.assertIn(words, payment.state_reason)
        self.queued(other).with_user(self.officer).action_resolve_conflict("theirs", "She asked for it")
        self.recheck()
        self.assertIn("keeps another account", payments[2].state_reason)

    def test_edit_of_a_confirmed_account_holds_a_ready_payment(self):
        person = self.old("A1")
        self.drain()
        (payment,) = self.payments_of(person)
        self.account(person, "2000000002")
        self.assertEqual(self.recheck(), 1)
        self.assertEqual(payment.state, "held")
        self.assertIn("another account", payment.state_reason)
        self.drain()
        payment.with_user(self.manager).action_use_current_account()
        self.recheck()
        self.assertEqual(payment.state, "held")
        self.assertEqual(payment.state_reason, "The account was changed within the last 7 days.")
        self.primary(person).with_user(self.officer).action_clear_flag("The bank confirmed it")
        self.recheck()
        self.assertEqual(payment.state, "ready")

    # SPAR is asked again before it is paid to

    def stale(self):
        """Everything was confirmed two days ago."""
        self.env.cr.flush()
        self.env.cr.execute("UPDATE spp_spar_change SET observed_at = observed_at - interval '2 days'")
        self.env.invalidate_all()

    def test_confirmed_long_ago_is_asked_for_in_bulk_before_the_cycle_is_paid(self):
        people = [self.old(f"B{number}", number=f"10000{number:05}") for number in range(12)]
        self.drain()
        self.stale()
        self.control("set", id="token:B1@nationalId", fa="account:9@X")
        self.control("set", id="token:B2@nationalId", fa=None)
        payments = self.payments_of(*people)
        self.assertEqual({payment.state for payment in payments}, {"held"})
        self.assertEqual(
            {payment.state_reason for payment in payments},
            {"SPAR is asked about the account before it is paid."},
        )
        self.drain()
        self.assertEqual(self.recheck(), 1, "one job for the whole cycle")
        self.assertEqual([payment.state for payment in payments], ["ready", "held", "held"] + ["ready"] * 9)
        self.assertIn("another account", payments[1].state_reason)
        self.assertEqual(self.queued(people[2]).state, "conflict")
        self.assertFalse(self.spar()[1][12:], "asking writes nothing")
        # the officer settles it; SPAR is right, or we are
        self.queued(people[2]).with_user(self.officer).action_resolve_conflict("ours", "Bank card seen")
        self.drain()
        self.recheck()
        self.assertEqual(payments[2].state, "ready")

    def test_spar_that_cannot_be_reached_is_told_and_asked_again(self):
        person = self.old("A1")
        self.drain()
        self.stale()
        (payment,) = self.payments_of(person)
        self.endpoint.base_url = "http://127.0.0.1:9"
        self.drain()
        payment.with_user(self.manager).action_recheck()
        self.assertIn("refused the connection", payment.state_reason)
        self.assertEqual(payment.state, "held")
        self.endpoint.base_url = self.sandbox.spar
        payment.with_user(self.manager).action_ask_spar()
        self.drain()
        self.recheck()
        self.assertEqual(payment.state, "ready")

    def test_release_asks_again_as_well(self):
        person = self.old("A1")
        self.drain()
        (payment,) = self.payments_of(person)
        self.assertEqual(payment.state, "ready")
        self.stale()
        with self.assertRaisesRegex(UserError, "ready to be sent"):
            payment.cycle_id.with_user(self.releaser).action_send_payments()

    def test_once_confirmed_is_enough_where_the_setting_says_so(self):
        person = self.old("A1")
        self.drain()
        self.stale()
        self.mapper.fresh_hours = 0
        (payment,) = self.payments_of(person)
        self.assertEqual(payment.state, "ready")

    def test_what_many_share_is_held_until_somebody_else_clears_it(self):
        self.mapper.shared_most = 2
        people = [self.old(f"S{number}", number="7770001112") for number in range(3)]
        fine = self.old("F1", number="8880001112")
        self.drain()
        payments = self.payments_of(*people, fine)
        self.assertEqual([payment.state for payment in payments], ["held"] * 3 + ["ready"])
        self.assertEqual(payments[0].state_reason, "The account is also that of 2 others or more.")
        self.primary(people[0]).with_user(self.officer).action_clear_flag("Three sisters")
        self.recheck()
        self.assertEqual([payment.state for payment in payments], ["ready", "held", "held", "ready"])

    def test_the_payment_shows_what_spar_holds_now(self):
        person = self.old("A1")
        self.drain()
        (payment,) = self.payments_of(person)
        for user in (self.manager, self.finance, self.releaser):
            now = payment.with_user(user).spar_now()
            self.assertEqual((now["state"], now["account"]), ("same", "account:••••0001@FB01"))

    def test_without_an_active_mapper_nothing_is_held(self):
        self.mapper.active = False
        (payment,) = self.payments_of(self.old(None))
        self.assertEqual(payment.state, "ready")
