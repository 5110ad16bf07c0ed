"""Who sees and does what with payments, over XML-RPC."""

from xmlrpc.client import Fault

from odoo.tests import HttpCase, tagged

from odoo.addons.spp_base.tests.common import CheapPasswords

from .common import ProgramsMixin
from .payment_common import PaymentsMixin

READERS = {"auditor", "program_manager", "finance_officer", "approver", "payment_releaser"}
NUMBER = "4455667788"


@tagged("post_install", "-at_install")
class TestPaymentAccess(ProgramsMixin, PaymentsMixin, CheapPasswords, HttpCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.set_up_programs()
        cls.set_up_payments()
        person = cls.make_people(1)
        cls.give_account(person, NUMBER)
        cls.cycle = cls.approved_cycle(person)
        cls.prepare(cls.cycle)
        cls.payment = cls.cycle.payment_ids
        cls.env["spp.payment.exchange"]._keep(
            {
                "batch_id": cls.payment.batch_id.id,
                "manager_id": cls.payment_manager.id,
                "kind": "disburse",
                "message_id": "m-1",
                "outcome": "answered",
                "request": NUMBER,
            }
        )

    def call(self, role, model, method, *args, **kwargs):
        user = self.users[role]
        return self.xmlrpc_object.execute_kw(
            self.env.cr.dbname, user.id, user.login, model, method, list(args), kwargs
        )

    def refused(self, *args, **kwargs):
        with self.assertRaises(Fault):
            self.call(*args, **kwargs)

    def test_who_reads_payments(self):
        for role in self.users:
            for model, record in (
                ("spp.payment", self.payment),
                ("spp.payment.batch", self.payment.batch_id),
            ):
                with self.subTest(role=role, model=model):
                    if role in READERS:
                        self.assertEqual(self.call(role, model, "search_count", [("id", "=", record.id)]), 1)
                        self.assertTrue(self.call(role, model, "name_search", self.payment.reference[:5]))
                    else:
                        self.refused(role, model, "search_count", [])
                        self.refused(role, model, "search_read", [])
                        self.refused(role, model, "read_group", [], ["state"], ["state"])
                        self.refused(role, model, "name_search", "")

    def test_only_finance_reads_account_numbers(self):
        for role in READERS:
            with self.subTest(role=role):
                if role == "finance_officer":
                    read = self.call(role, "spp.payment", "read", self.payment.ids, ["account_number"])
                    self.assertEqual(read[0]["account_number"], NUMBER)
                    continue
                self.refused(role, "spp.payment", "read", self.payment.ids, ["account_number"])
                self.refused(role, "spp.payment", "search", [("account_number", "=", NUMBER)])
                self.refused(role, "spp.payment", "search", [], order="account_number")
                self.refused(role, "spp.payment", "read_group", [], ["account_number"], ["account_number"])
                self.refused(role, "spp.payment", "export_data", self.payment.ids, ["account_number"])
                everything = self.call(role, "spp.payment", "read", self.payment.ids)
                self.assertNotIn(NUMBER, str(everything))
                self.assertEqual(self.call(role, "spp.payment", "name_search", NUMBER), [])

    def test_messages(self):
        whole = self.call("finance_officer", "spp.payment.exchange", "search_read", [], ["request"])
        self.assertEqual(whole[0]["request"], NUMBER)
        masked = self.call("auditor", "spp.payment.exchange", "search_read", [])
        self.assertNotIn(NUMBER, str(masked))
        self.refused("auditor", "spp.payment.exchange", "search", [("request", "like", NUMBER)])
        for role in set(self.users) - {"auditor", "finance_officer"}:
            with self.subTest(role=role):
                self.refused(role, "spp.payment.exchange", "search_count", [])
                if role in READERS:
                    self.refused(role, "spp.payment", "read", self.payment.ids, ["exchange_ids"])

    def test_everybody_reads_the_totals(self):
        for role in self.users:
            with self.subTest(role=role):
                lines = self.call(
                    role,
                    "spp.payment.summary",
                    "search_read",
                    [("cycle_id", "=", self.cycle.id)],
                    ["count", "amount"],
                )
                self.assertEqual([(line["count"], line["amount"]) for line in lines], [(1, 100.0)])
                count = self.call(role, "spp.cycle", "read", [self.cycle.id], ["payment_count"])
                self.assertEqual(count[0]["payment_count"], 1)

    def test_nobody_writes(self):
        for role in self.users:
            with self.subTest(role=role):
                self.refused(role, "spp.payment", "write", self.payment.ids, {"state": "paid"})
                self.refused(role, "spp.payment", "unlink", self.payment.ids)
                self.refused(role, "spp.payment", "copy", self.payment.ids)
                self.refused(role, "spp.payment", "create", {"reference": "x"})
                self.refused(role, "spp.payment", "_set_state", self.payment.ids, "paid")
                self.refused(
                    role, "spp.payment.batch", "write", self.payment.batch_id.ids, {"released_by": 1}
                )
                self.refused(role, "spp.payment.batch", "_job_send", self.payment.batch_id.ids)

    def test_managers_are_configured_by_program_managers(self):
        for role in self.users:
            with self.subTest(role=role):
                self.assertTrue(self.call(role, "spp.payment.manager", "search_count", []))
                if role != "program_manager":
                    self.refused(
                        role, "spp.payment.manager", "write", self.payment_manager.ids, {"batch_size": 3}
                    )
        self.call(
            "program_manager", "spp.payment.manager", "write", self.payment_manager.ids, {"batch_size": 3}
        )

    def test_actions_answer_plain_values(self):
        run = self.call("program_manager", "spp.cycle", "action_prepare_payments", [self.cycle.id])
        self.assertIsInstance(run, int)
        self.assertIs(
            self.call("finance_officer", "spp.cycle", "action_recheck_payments", [self.cycle.id]), True
        )
        self.assertIs(
            self.call("program_manager", "spp.payment", "action_cancel", self.payment.ids, "No"), True
        )
        for role in set(self.users) - {"payment_releaser"}:
            with self.subTest(role=role):
                self.refused(role, "spp.cycle", "action_send_payments", [self.cycle.id])

    def test_one_area_sees_its_own(self):
        area = self.env["spp.area"].create({"name": "Elsewhere", "code": "ELSE"})
        self.users["finance_officer"].spp_area_ids = area
        self.assertEqual(self.call("finance_officer", "spp.payment", "search_count", []), 0)
        self.assertEqual(self.call("finance_officer", "spp.payment.exchange", "search_count", []), 0)
        self.refused("finance_officer", "spp.payment", "read", self.payment.ids, ["reference"])

    def test_another_company_sees_nothing(self):
        company = self.env["res.company"].create({"name": "Other ministry"})
        self.users["auditor"].write({"company_ids": [(6, 0, company.ids)], "company_id": company.id})
        for model in (
            "spp.payment",
            "spp.payment.batch",
            "spp.payment.exchange",
            "spp.payment.manager",
            "spp.payment.summary",
        ):
            with self.subTest(model=model):
                self.assertEqual(self.call("auditor", model, "search_count", []), 0)
