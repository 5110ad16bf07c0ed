"""Nobody is paid to an account that SPAR has not confirmed; what it confirms is freed without a hand."""

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
        self.assertEqual(payment.state, "ready")

    def test_without_an_active_mapper_nothing_is_held(self):
        self.mapper.active = False
        (payment,) = self.payments_of(self.old(None))
        self.assertEqual(payment.state, "ready")
