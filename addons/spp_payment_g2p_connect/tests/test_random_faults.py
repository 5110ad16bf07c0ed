"""Payments under random faults of payer, network and workers, all dialects: the payer's ledger and ours agree to the
cent, nobody is paid twice, nobody is forgotten, and every *unknown* is explained.

Each run has a seed, which it prints when it fails. SPP_RANDOM_PAYMENTS and SPP_RANDOM_SEED make it longer or another.
"""

import os
import random
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from unittest.mock import patch

from freezegun import freeze_time

from odoo import fields
from odoo.exceptions import UserError
from odoo.tests import HttpCase, TransactionCase, tagged

from odoo.addons.queue_job.exception import RetryableJobError
from odoo.addons.queue_job.tests.common import trap_jobs
from odoo.addons.spp_base.tests.common import CheapPasswords

from .common import CLOSED, STATUS, PayerMixin
from .test_callbacks import AsyncPayerMixin

PAYMENTS = int(os.environ.get("SPP_RANDOM_PAYMENTS", "40"))
SEED = int(os.environ.get("SPP_RANDOM_SEED", "20261121"))
ROUNDS = 12  # with faults; those after it have none
FAULTS = (
    {"fault": "drop_before"}, {"fault": "drop_after"}, {"fault": "error", "status": 500},
    {"fault": "error_after", "status": 500}, {"fault": "html"}, {"fault": "refuse_all"},
    {"fault": "delay", "seconds": 1}, {"fault": "delay_after", "seconds": 1},
)  # fmt: skip
KILLS = (None, None, "before the post", "after the post", "before it is concluded")


class Killed(BaseException):
    """The worker is gone: nothing of it runs any further."""


class RandomFaults(PayerMixin):
    amount = 10.37
    status_path = STATUS

    @classmethod
    def set_up_payer(cls):
        result = super().set_up_payer()
        cls.endpoint.write({"total_timeout": 0.5, "connect_timeout": 0.5})
        cls.payment_manager.batch_size = max(5, PAYMENTS // 12)
        return result

    def test_the_books_agree_with_the_payers(self):
        self.random = random.Random(SEED)
        cycle = self.cycle_with_closed_accounts()
        with self.subTest(seed=SEED, payments=PAYMENTS):
            self.clock = fields.Datetime.now()
            for number in range(ROUNDS * 3):
                self.clock += timedelta(minutes=self.random.choice((1, 5, 30)))
                with freeze_time(self.clock, tick=True):
                    self.one_round(cycle, with_faults=number < ROUNDS)
                if number > ROUNDS and not self.open(cycle):
                    break
            # The payer is in this process, and lives at the same time.
            with freeze_time(self.clock + timedelta(minutes=1), tick=True):
                self.clear_faults()
                self.explained(cycle)
            self.settled_by_two_people_and_paid_again(cycle)
            with freeze_time(self.clock + timedelta(minutes=1), tick=True):
                self.agree(cycle)

    def cycle_with_closed_accounts(self):
        people = self.make_payees(PAYMENTS - 2)
        closed = self.make_people(2, prefix="Closed")
        for index, person in enumerate(closed):
            self.give_account(person, CLOSED if index == 0 else f"99{person.id:06d}")
        cycle = self.approved_cycle(people | closed, amount=self.amount)
        self.prepare(cycle)
        return cycle

    # One round: somebody sends, jobs run and die, the payer is asked

    def one_round(self, cycle, with_faults):
        self.clear_faults()
        if with_faults:
            for path, times in (
                (self.path, self.random.randint(0, 3)),
                (self.status_path, self.random.randint(0, 1)),
            ):
                for _time in range(times):
                    self.fault(path=path, **self.random.choice(FAULTS))
        with trap_jobs():  # they are run below, as a runner would
            with suppress(UserError):
                cycle.with_user(self.releaser).action_send_payments()
            self.env.invalidate_all()
            batches = cycle.payment_batch_ids.filtered("released_by").sorted("id")
            # Those with something to send or left behind, and one whose job is run once too often.
            at_work = batches.filtered(lambda batch: batch.state in ("draft", "sending"))
            at_work |= batches[-1:]
            for batch in self.random.sample(list(at_work), len(at_work)):
                self.dying(self.random.choice(KILLS) if with_faults else None, batch._job_send)
            self.payment_manager._job_ask_status()
            self.tell(with_faults)
        self.env.invalidate_all()

    def dying(self, when, job):
        manager, batch = type(self.payment_manager), type(self.env["spp.payment.batch"])
        post = manager._post

        def before(manager, *args):
            raise Killed

        def after(manager, *args):
            post(manager, *args)
            raise Killed

        patches = {
            "before the post": (manager, "_post", before),
            "after the post": (manager, "_post", after),
            "before it is concluded": (batch, "_conclude_send", before),
        }
        with suppress(Killed, RetryableJobError):
            if when is None:
                job()
            else:
                with patch.object(*patches[when]):
                    job()

    def tell(self, with_faults):
        """What the payer tells by itself."""

    def open(self, cycle):
        return cycle.payment_ids.filtered(lambda payment: payment.state in ("ready", "sending", "accepted"))

    # What must be true in the end

    def explained(self, cycle):
        """Only what the payer never heard of is still unknown, and each says why."""
        self.assertFalse(self.open(cycle), self.states(cycle))
        received = self.received()
        for payment in cycle.payment_ids.filtered(lambda payment: payment.state == "unknown"):
            self.assertTrue(payment.state_reason, payment.reference)
            self.assertNotIn(payment.reference, received)

    def settled_by_two_people_and_paid_again(self, cycle):
        unknown = cycle.payment_ids.filtered(lambda payment: payment.state == "unknown")
        if unknown:
            unknown.with_user(self.finance).action_settle("never_received", "The payer's letter no. 7")
            unknown.with_user(self.second_finance).action_confirm_settlement()
            unknown.with_user(self.manager).action_reissue("The payer never had it")
        for _round in range(8):
            self.clock += timedelta(minutes=30)
            with freeze_time(self.clock, tick=True):
                self.one_round(cycle, with_faults=False)
            if not self.open(cycle) and "unknown" not in self.states(cycle):
                break

    def agree(self, cycle):
        self.assertLessEqual(set(self.states(cycle)), {"paid", "rejected"})
        payer, ours = self.payer(), cycle.payment_ids
        paid = ours.filtered(lambda payment: payment.state == "paid")
        self.assertLessEqual(set(self.received().values()), {1}, "nobody is paid twice")
        self.assertEqual(self.paid_there(payer), set(paid.mapped("reference")))
        # Each is paid once, but for the payee whose account is closed there.
        refused = self.refused_there(cycle)
        self.assertEqual(len(paid), PAYMENTS - len(refused))
        self.assertEqual(len(paid.entitlement_id), len(paid))
        self.assertEqual(cycle.entitlement_ids - paid.entitlement_id, refused)
        due = Decimal(str(self.amount)) * len(paid)
        program = cycle.program_id
        program.invalidate_recordset()
        self.assertEqual(Decimal(f"{program.fund_disbursed:.2f}"), due)
        self.assertEqual(self.total_there(payer), due)
        self.assertAlmostEqual(sum(self.summary(cycle).values()), cycle.total_amount)

    def paid_there(self, payer):
        return set(payer["paid"])

    def total_there(self, payer):
        return sum(Decimal(each["amount"]) for each in payer["payments"] if each["status"] == "succ")

    def refused_there(self, cycle):
        closed = cycle.payment_ids.filtered(lambda payment: payment.account_number == CLOSED)
        return closed.entitlement_id


@tagged("post_install", "-at_install")
class TestRandomFaultsSync(RandomFaults, CheapPasswords, TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.set_up_payer()


@tagged("post_install", "-at_install")
class TestRandomFaultsBridge(RandomFaults, CheapPasswords, TransactionCase):
    server = "bridge"
    at_once = {"settle_after": 0, "reverse_after": 0}
    path = "/create_disbursements"
    status_path = "/get_disbursement_*"
    amount = 10

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.set_up_payer()
        cls.payment_manager.write({"dialect": "bridge", "bridge_program": "SPP-TEST"})

    def paid_there(self, payer):
        return set(payer["paid"])

    def total_there(self, payer):
        return sum(
            Decimal(str(each["amount"])) for each in payer["payments"] if each["reference"] in payer["paid"]
        )

    def refused_there(self, cycle):
        return cycle.entitlement_ids.browse()  # a bridge does not say


@tagged("post_install", "-at_install")
class TestRandomFaultsAsync(RandomFaults, AsyncPayerMixin, CheapPasswords, HttpCase):
    path = "/disburse"
    status_path = "/disburse/txn/status"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.set_up_payer()

    def tell(self, with_faults):
        if with_faults and self.random.random() < 0.3:
            return  # nothing comes for a while
        self.delivered(
            callbacks_twice=self.random.randint(0, 1) if with_faults else 0,
            callbacks_reversed=self.random.randint(0, 1) if with_faults else 0,
        )
