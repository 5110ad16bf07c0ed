"""What can be configured, what holds payments for want of an address, and the connection test."""

from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import tagged

from .common import STATUS, PayerCase


@tagged("post_install", "-at_install")
class TestPaymentManager(PayerCase):
    def test_templates_are_checked(self):
        for template in ("account:{number}@{branch}", "account:@x", "account: {number}", "{number"):
            with self.subTest(template=template), self.assertRaises(ValidationError):
                self.payment_manager.fa_bank = template

    def test_incomplete_manager_sends_nothing(self):
        cycle = self.prepared()
        self.payment_manager.payer_fa = False
        with self.assertRaisesRegex(UserError, "Paid from"):
            cycle.with_user(self.releaser).action_send_payments()
        self.assertEqual(self.states(cycle), ["ready", "ready"])

    def test_a_session_is_no_way_to_log_in(self):
        with self.assertRaises(ValidationError):
            self.payment_manager.endpoint_id = self.env["spp.endpoint"].create(
                {"name": "Other", "base_url": "http://127.0.0.1:1", "auth_type": "session"}
            )


@tagged("post_install", "-at_install")
class TestAddresses(PayerCase):
    def test_a_missing_part_holds_the_payment_until_it_is_there(self):
        other = self.env["res.bank"].create({"name": "Village bank"})
        person = self.make_people(1)
        self.give_account(person, "300400", provider_id=other.id)
        cycle = self.approved_cycle(self.make_payees(1) | person)
        self.prepare(cycle)
        held = cycle.payment_ids.filtered(lambda payment: payment.partner_id == person)
        self.assertEqual(
            (held.state, held.state_reason), ("held", "The identifier code (BIC) of the bank is missing.")
        )
        self.send(cycle)
        self.assertEqual(list(self.received().values()), [1])
        other.bic = "VILLXX22"
        held.with_user(self.manager).action_recheck()
        self.send(cycle)
        self.assertEqual(self.payer()["payments"][1]["payee_fa"], "account:300400@VILLXX22")

    def test_every_kind_of_account(self):
        wallet = self.env["res.bank"].create({"name": "Wallet"})
        self.payment_manager.provider_default = "walletco"
        accounts = {
            "iban": ("GB33BUKB20201555555555", self.bank, "iban:GB33BUKB20201555555555@EXBKUS33"),
            "mobile_wallet": ("+254712345678", wallet, "mobile:+254712345678@walletco"),
            "email_wallet": ("amina@example.org", wallet, "email:amina@example.org@walletco"),
        }
        people = self.make_people(3)
        for person, (kind, (number, provider, _address)) in zip(people, accounts.items(), strict=True):
            self.give_account(person, number, kind=kind, provider_id=provider.id)
        cycle = self.approved_cycle(people)
        self.prepare(cycle)
        self.send(cycle)
        got = {payment["payee_fa"] for payment in self.payer()["payments"]}
        self.assertEqual(got, {address for _number, _provider, address in accounts.values()})

    def test_a_number_that_would_read_as_another_address_is_held(self):
        person = self.make_people(1)
        self.give_account(person, "12@other:34")
        cycle = self.approved_cycle(person)
        self.prepare(cycle)
        self.assertEqual(cycle.payment_ids.state, "held")
        self.assertIn("characters", cycle.payment_ids.state_reason)


@tagged("post_install", "-at_install")
class TestConnection(PayerCase):
    def test_reachable(self):
        answer = self.payment_manager.with_user(self.manager).action_test_connection()
        self.assertEqual(answer["params"]["type"], "success")
        exchange = self.env["spp.payment.exchange"].search([("manager_id", "=", self.payment_manager.id)])
        self.assertEqual((exchange.kind, exchange.outcome), ("test", "answered"))

    def test_what_is_wrong_in_plain_words(self):
        for fault, words in (
            ({"fault": "html"}, "web page"),
            ({"fault": "error", "status": 401}, "credentials"),
            ({"fault": "error", "status": 500}, "error of its own"),
            ({"fault": "drop_before"}, "closed the connection"),
            ({"fault": "refuse_all", "code": "rjct.action.not_supported"}, "action"),
        ):
            with self.subTest(fault=fault):
                self.fault(path=STATUS, **fault)
                with self.assertRaisesRegex(UserError, words):
                    self.payment_manager.with_user(self.manager).action_test_connection()
        self.endpoint.base_url = "http://127.0.0.1:9"
        with self.assertRaisesRegex(UserError, "refused the connection"):
            self.payment_manager.with_user(self.manager).action_test_connection()

    def test_who(self):
        for role in ("auditor", "payment_releaser", "program_viewer", "approver", "finance_officer"):
            with self.subTest(role=role), self.assertRaises(AccessError):
                self.payment_manager.with_user(self.users[role]).action_test_connection()
