"""An approved cycle of people with accounts, for the tests of payments."""

from odoo.addons.queue_job.tests.common import trap_jobs

from .common import ProgramsCase


class PaymentsMixin:
    @classmethod
    def set_up_payments(cls):
        cls.releaser = cls.users["payment_releaser"]
        cls.second_finance = cls.finance.copy({"login": "prog_finance_2", "password": "prog_finance_2"})
        cls.bank = cls.env["res.bank"].create({"name": "Example Bank", "bic": "EXBKUS33"})
        cls.payment_manager = cls.env["spp.payment.manager"].create({"name": "Paper", "batch_size": 500})

    @classmethod
    def give_account(cls, person, number, **vals):
        account = cls.env["spp.payment.account"].create(
            {"partner_id": person.id, "kind": "bank", "provider_id": cls.bank.id, "number": number, **vals}
        )
        account.flush_recordset()  # as who entered it, and not as who looks next
        return account

    @classmethod
    def make_payees(cls, count, prefix="Payee"):
        people = cls.make_people(count, prefix=prefix)
        cls.env["spp.payment.account"].create(
            [
                {
                    "partner_id": person.id,
                    "kind": "bank",
                    "provider_id": cls.bank.id,
                    "number": f"{person.id:06d}{index:06d}",
                }
                for index, person in enumerate(people)
            ]
        )
        return people

    @classmethod
    def approved_cycle(cls, people, code="PAY", amount=100, **vals):
        vals.setdefault("payment_manager_id", cls.payment_manager.id)
        program = cls.make_program(code=code, amount=amount, fund="1000000.00", **vals)
        cls.add(program, people)
        program.with_user(cls.manager).action_enroll("2026-06-01")
        cycle = cls.make_cycle(program, submit=True)
        cycle.with_user(cls.approver).action_approve()
        return cycle.with_env(cls.env)

    @classmethod
    def prepare(cls, cycle):
        """Prepare the payments of the cycle and return the counts of the run."""
        run = cls.env["spp.run"].browse(cycle.with_user(cls.manager).action_prepare_payments())
        return run.counts

    def issue(self, cycle):
        """Release the payments of the cycle, whose manager makes files or lists, and run the jobs."""
        # Jobs work on cursors of their own, which must see the test's data.
        if not self.registry.in_test_mode():
            self.registry.enter_test_mode(self.cr)
            self.addCleanup(self.registry.leave_test_mode)
        with trap_jobs() as jobs:
            cycle.with_user(self.releaser).action_send_payments()
            jobs.perform_enqueued_jobs()
        self.env.invalidate_all()
        return cycle.payment_batch_ids.file_ids

    def summary(self, cycle):
        """{situation: amount} of the cycle; their sum is always what was committed for it."""
        self.env.invalidate_all()
        lines = {line.situation: line.amount for line in cycle.payment_summary_ids}
        committed = self.env["spp.fund.entry"].search(
            [("kind", "=", "commitment"), ("origin", "=", f"cycle:{cycle.id}")]
        )
        self.assertAlmostEqual(sum(lines.values()), committed.amount)
        for batch in cycle.payment_batch_ids:
            self.assertAlmostEqual(sum(batch.summary_ids.mapped("amount")), batch.total_amount)
        return lines


class PaymentsCase(PaymentsMixin, ProgramsCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.set_up_payments()
