"""An approved cycle of people with accounts, for the tests of payments."""

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
        return cls.env["spp.payment.account"].create(
            {"partner_id": person.id, "kind": "bank", "provider_id": cls.bank.id, "number": number, **vals}
        )

    @classmethod
    def make_payees(cls, count, prefix="Payee"):
        people = cls.make_people(count, prefix=prefix)
        for index, person in enumerate(people):
            cls.give_account(person, f"{person.id:06d}{index:06d}")
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


class PaymentsCase(PaymentsMixin, ProgramsCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.set_up_payments()
