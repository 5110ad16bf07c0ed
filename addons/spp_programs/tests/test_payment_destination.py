"""A payee or an account that is changed after the approval: that payment waits until somebody else has looked."""

from xmlrpc.client import Fault

from odoo.exceptions import AccessError
from odoo.tests import HttpCase, tagged

from odoo.addons.spp_base.tests.common import CheapPasswords

from .common import ProgramsMixin
from .payment_common import PaymentsMixin

NEW = "5500110022"


@tagged("post_install", "-at_install")
class TestPaymentDestination(ProgramsMixin, PaymentsMixin, CheapPasswords, HttpCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.set_up_programs()
        cls.set_up_payments()
        cls.people = cls.make_payees(3)
        cls.person = cls.people[0]
        cls.old = cls.person.payment_account_ids
        cls.cycle = cls.approved_cycle(cls.people)
        # One person with both roles: what keeps them apart is what they did.
        cls.officer.groups_id |= cls.env.ref("spp_base.group_program_manager")

    def call(self, role, method, payments, *arguments):
        user = self.users[role]
        return self.xmlrpc_object.execute_kw(
            self.env.cr.dbname, user.id, user.login, "spp.payment", method, [payments.ids, *arguments]
        )

    def change_account(self, number=NEW):
        self.old.with_user(self.officer).write({"number_entry": number})
        self.old.flush_recordset()

    def enter_account(self, number=NEW):
        accounts = self.env["spp.payment.account"].with_user(self.officer)
        account = accounts.create(
            {"partner_id": self.person.id, "provider_id": self.bank.id, "number_entry": number}
        )
        account.action_make_primary()
        accounts.env.flush_all()
        return account

    def prepared(self):
        self.prepare(self.cycle)
        return self.cycle.payment_ids.filtered(lambda payment: payment.partner_id == self.person)

    def recheck(self):
        self.cycle.with_user(self.finance).action_recheck_payments()

    def states(self):
        return sorted(self.cycle.payment_ids.mapped("state"))

    def test_changed_before_preparation_it_alone_is_held_and_the_approval_stands(self):
        masked = self.old.number_masked
        self.change_account()
        payment = self.prepared()
        self.assertEqual(self.states(), ["held", "ready", "ready"])
        self.assertIn("approved with another account", payment.state_reason)
        self.assertEqual(payment.approved_destination, f"{self.person.name}, {masked}")
        self.assertEqual(self.cycle.state, "approved")
        self.assertEqual(self.cycle._approval_request("cycle").state, "approved")
        self.recheck()
        self.assertEqual(payment.state, "held", "looking again clears nothing")

    def test_who_changed_it_does_not_clear_it_over_xmlrpc_either(self):
        self.change_account()
        payment = self.prepared()
        for method, arguments in (("action_let_go", ["It is hers"]), ("action_use_current_account", [])):
            with self.subTest(method), self.assertRaises(Fault) as refused:
                self.call("enrollment_officer", method, payment, *arguments)
            self.assertIn("somebody else lets it go", refused.exception.faultString)
            self.assertIn(payment.reference, refused.exception.faultString)
        for role in ("approver", "payment_releaser", "auditor", "admin"):
            with self.subTest(role), self.assertRaises(Fault):
                self.call(role, "action_let_go", payment, "It is hers")
        with self.assertRaises(Fault):
            self.call("finance_officer", "action_let_go", payment, " ")
        self.assertIs(self.call("finance_officer", "action_let_go", payment, "She showed the book"), True)
        self.env.invalidate_all()
        self.assertEqual((payment.state, payment.confirmed_by), ("ready", self.finance))
        self.assertEqual(payment.account_number, NEW)
        entry = self.env["spp.audit.entry"].search(
            [("action", "=", "Payee and account confirmed"), ("res_id", "=", payment.id)]
        )
        self.assertEqual((entry.user_id, entry.note), (self.finance, "She showed the book"))
        self.assertIn("••••0022", entry.new)
        self.assertNotIn(NEW, str(entry.read()))

    def test_changed_after_preparation(self):
        payment = self.prepared()
        self.assertEqual(self.states(), ["ready"] * 3)
        self.change_account()
        self.recheck()
        self.assertIn("ended or changed", payment.state_reason)
        with self.assertRaises(AccessError):
            payment.with_user(self.officer).action_use_current_account()
        payment.with_user(self.manager).action_use_current_account()
        self.assertEqual((payment.state, payment.account_number), ("ready", NEW))
        self.change_account("5500110033")
        self.recheck()
        self.assertEqual(payment.state, "held", "what was confirmed was another account")

    def test_another_account_becomes_the_primary_one(self):
        payment = self.prepared()
        account = self.enter_account()
        self.recheck()
        self.assertEqual((payment.state, payment.account_id), ("held", self.old))
        payment.with_user(self.manager).action_use_current_account()
        self.assertEqual((payment.state, payment.account_id), ("ready", account))

    def test_nothing_is_sent_between_the_change_and_the_look(self):
        payment = self.prepared()
        self.change_account()
        self.payment_manager.provider = "file"
        self.issue(self.cycle)
        self.assertEqual(self.states(), ["accepted", "accepted", "held"])
        self.assertFalse(payment.batch_id)

    def test_changed_back_it_is_free_again(self):
        number = self.old.number
        self.change_account()
        payment = self.prepared()
        self.assertEqual(payment.state, "held")
        self.change_account(number)
        payment.with_user(self.manager).action_use_current_account()
        self.assertEqual((payment.state, payment.confirmed_by.id), ("ready", False))
        self.assertFalse(payment.approved_destination)

    def test_a_first_account_that_is_entered_after_the_approval(self):
        person = self.make_people(1, prefix="Without account")
        cycle = self.approved_cycle(person, code="FIRST")
        self.prepare(cycle)
        self.person = person
        self.enter_account()
        cycle.with_user(self.manager).action_recheck_payments()
        payment = cycle.payment_ids
        self.assertIn("approved with another account", payment.state_reason)
        self.assertEqual(payment.approved_destination, f"{person.name}, no account")
        payment.with_user(self.manager).action_let_go("The bank confirmed it")
        self.assertEqual((payment.state, payment.account_number), ("ready", NEW))

    def test_another_head_of_the_household(self):
        household = self.env["res.partner"].create({"name": "House", "is_registrant": True, "is_group": True})
        first, second = self.env["spp.group.membership"].create(
            [
                {"group_id": household.id, "individual_id": person.id, "is_head": person == self.person}
                for person in self.people[:2]
            ]
        )
        rule = self.make_rule("Any household", "group", "group.members.size() >= 1")
        cycle = self.approved_cycle(household, code="HEAD", target="group", rule_id=rule.id)
        (first | second).with_user(self.officer)[1].action_make_head()
        self.prepare(cycle)
        payment = cycle.payment_ids
        self.assertEqual((payment.state, payment.payee_id), ("held", self.people[1]))
        self.assertIn("approved with another payee", payment.state_reason)
        self.assertIn(self.person.name, payment.approved_destination)
        with self.assertRaises(AccessError):
            payment.with_user(self.officer).action_let_go("It is me who knows")
        payment.with_user(self.manager).action_let_go("Both came")
        self.assertEqual(payment.state, "ready")

    def test_money_that_is_handed_out_needs_the_payee_and_no_account(self):
        self.payment_manager.provider = "manual"
        self.change_account()
        self.assertEqual(self.prepared().state, "ready")

    def test_who_confirmed_a_payee_does_not_release_it(self):
        self.change_account()
        payment = self.prepared()
        payment.with_user(self.finance).action_let_go("The bank confirmed it")
        self.payment_manager.provider = "file"
        self.finance.groups_id |= self.env.ref("spp_base.group_payment_releaser")
        with self.assertRaisesRegex(AccessError, "confirmed payees"):
            self.cycle.with_user(self.finance).action_send_payments()
        self.issue(self.cycle)
        self.assertEqual(self.states(), ["accepted"] * 3)

    def test_who_approved_and_let_it_go_elsewhere_is_listed(self):
        self.change_account()
        payment = self.prepared()
        self.approver.groups_id |= self.env.ref("spp_base.group_finance_officer")
        payment.with_user(self.approver).action_let_go("The bank confirmed it")
        self.env.flush_all()
        (line,) = self.env["spp.separation.trail"].search(
            [("cycle_id", "=", self.cycle.id), ("user_id", "=", self.approver.id)]
        )
        self.assertEqual((line.prepared, line.approved, line.parts), (True, True, 2))

    def test_issued_again_to_a_new_account_by_who_did_not_enter_it(self):
        payment = self.prepared()
        payment._apply([(payment.id, "sending")])
        payment._set_state("rejected", "No such account")
        self.enter_account()
        (own,) = payment.with_user(self.officer).action_reissue("New account entered")
        own = payment.browse(own)
        self.assertEqual((own.state, own.account_number), ("held", NEW))
        own.with_user(self.manager).action_cancel("Issued by who entered the account")
        (again,) = payment.with_user(self.manager).action_reissue("New account entered")
        self.assertEqual(
            (payment.browse(again).state, payment.browse(again).confirmed_by), ("ready", self.manager)
        )

    def test_nobody_reads_the_fingerprint_of_an_account(self):
        payment = self.prepared()
        for role in self.users:
            with self.subTest(role), self.assertRaises(Fault):
                self.call(role, "read", payment, ["confirmed_destination"])
