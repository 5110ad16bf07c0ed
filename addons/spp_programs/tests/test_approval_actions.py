"""Funds, members and payments: where a chain is for it, an action waits and is done once approved."""

from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged

from .common import AS_OF, ProgramsCase
from .payment_common import PaymentsCase


@tagged("post_install", "-at_install")
class TestApprovalActions(ProgramsCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.program = cls.make_program()
        cls.members = cls.add(cls.program, cls.make_people(3))

    def make_chain(self, kind):
        approvers = self.env.ref("spp_base.group_approver").id
        return self.env["spp.approval.chain"].create(
            {"name": kind, "kind": kind, "level_ids": [(0, 0, {"name": "One", "group_id": approvers})]}
        )

    def request(self, kind):
        return self.env["spp.approval.request"].search([("kind", "=", kind)], limit=1)

    def test_money_for_a_fund_waits(self):
        self.make_chain("fund")
        fund = self.program.with_user(self.finance)
        self.assertEqual(fund.fund_allocate("500.00", "Warrant 1", "key"), 0)
        self.assertEqual(fund.fund_allocate("500.00", "Warrant 1", "key"), 0)
        self.assertEqual(self.program.fund_allocated, 0)
        request = self.request("fund").with_user(self.approver)
        self.assertEqual((request.amount, request.search_count([("kind", "=", "fund")])), (500, 1))
        for text in ("500.00", "0.00", "Warrant 1"):
            self.assertIn(text, request.page)
        with self.assertRaises(AccessError):
            request.with_user(self.finance).action_approve()
        request.action_approve()
        self.assertEqual(self.program.fund_allocated, 500)
        entry = self.env["spp.fund.entry"].search([("program_id", "=", self.program.id)])
        self.assertEqual(entry.user_id, self.finance)
        self.assertEqual(fund.fund_allocate("500.00", "Warrant 1", "key"), entry.id)

    def test_refused_money_is_asked_for_anew(self):
        self.make_chain("fund")
        fund = self.program.with_user(self.finance)
        fund.fund_allocate("500.00", "Warrant 1", "key")
        self.request("fund").with_user(self.approver).action_reject("No such warrant")
        with self.assertRaisesRegex(UserError, "new request key"):
            fund.fund_allocate("500.00", "Warrant 1", "key")
        self.assertEqual(fund.fund_allocate("400.00", "Warrant 2", "key-2"), 0)

    def test_what_cannot_be_is_refused_before_anybody_is_asked(self):
        self.make_chain("fund")
        for amount, document, key in (("abc", "Warrant", "k"), ("5", "", "k"), ("5", "Warrant", "")):
            with self.assertRaises(UserError):
                self.program.with_user(self.finance).fund_allocate(amount, document, key)
        self.assertFalse(self.request("fund"))

    def test_enrollment_by_hand_and_exits_wait(self):
        self.make_chain("enrollment")
        self.make_chain("exit")
        members = self.members.with_user(self.officer)
        self.assertIs(members[:2].action_enroll_by_hand("Known to the committee", AS_OF), True)
        self.assertEqual(set(members.mapped("state")), {"candidate"})
        request = self.request("enrollment").with_user(self.approver)
        self.assertIn("Person 1", request.page)
        request.action_approve()
        self.assertEqual(members.mapped("state"), ["enrolled", "enrolled", "candidate"])
        self.assertEqual(str(members[0].enrolled_on), AS_OF)
        members[0].action_suspend("Absent")  # no chain is for it
        self.assertEqual(members[0].state, "suspended")
        members[1].action_exit("Moved away")
        self.assertEqual(members[1].state, "enrolled")
        request = self.request("exit")
        self.assertEqual(request.partner_id, members[1].partner_id)
        request.with_user(self.approver).action_reject("She did not")
        self.assertEqual(members[1].state, "enrolled")

    def test_what_was_sent_back_is_submitted_again(self):
        self.make_chain("exit")
        self.members[0].with_user(self.officer).action_exit("Moved away")
        request = self.request("exit")
        request.with_user(self.approver).action_send_back("Where to?")
        with self.assertRaises(AccessError):
            request.with_user(self.approver).action_resubmit("To Ubu")
        request.with_user(self.officer).action_resubmit("To Ubu")
        self.assertEqual((request.state, request.round), ("waiting", 2))
        request.with_user(self.approver).action_approve()
        self.assertEqual(self.members[0].state, "exited")

    def test_an_action_that_makes_no_sense_any_more_is_not_done(self):
        self.make_chain("exit")
        self.members[0].with_user(self.officer).action_exit("Moved away")
        self.env["spp.approval.chain"].search([("kind", "=", "exit")]).active = False
        self.members[0].with_user(self.officer).action_exit("Died")
        with self.assertRaisesRegex(UserError, "is exited"):
            self.request("exit").with_user(self.approver).action_approve()


@tagged("post_install", "-at_install")
class TestApprovalOfPayments(PaymentsCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cycle = cls.approved_cycle(cls.make_payees(1))
        cls.prepare(cls.cycle)
        cls.payment = cls.cycle.payment_ids
        cls.payment._set_state("sending")
        approvers = cls.env.ref("spp_base.group_approver").id
        for kind in ("reissue", "settle_unknown"):
            cls.env["spp.approval.chain"].create(
                {"name": kind, "kind": kind, "level_ids": [(0, 0, {"name": "One", "group_id": approvers})]}
            )

    def request(self, kind):
        return self.env["spp.approval.request"].search([("kind", "=", kind)], limit=1)

    def test_a_payment_issued_again_waits(self):
        self.payment._set_state("rejected", "Account closed")
        self.assertEqual(self.payment.with_user(self.manager).action_reissue("New account"), [])
        self.assertEqual(len(self.cycle.payment_ids), 1)
        request = self.request("reissue")
        self.assertEqual((request.amount, request.count), (100, 1))
        request.with_user(self.approver).action_approve()
        self.cycle.invalidate_recordset()
        new = self.cycle.payment_ids - self.payment
        self.assertEqual(
            (new.reissue_of_id, new.create_uid, new.dealt_with), (self.payment, self.manager, "New account")
        )

    def test_settling_an_unknown_waits_and_neither_of_the_two_approves(self):
        both = self.second_finance
        both.groups_id |= self.env.ref("spp_base.group_approver")
        self.finance.groups_id |= self.env.ref("spp_base.group_approver")
        self.payment._set_state("unknown", "No answer")
        self.payment.with_user(self.finance).action_settle("paid", "Letter 12")
        self.payment.with_user(both).action_confirm_settlement()
        self.assertEqual(self.payment.state, "unknown")
        request = self.request("settle_unknown")
        for user in (self.finance, both):
            with self.assertRaises(AccessError):
                request.with_user(user).action_approve()
        request.with_user(self.approver).action_approve()
        self.assertEqual(self.payment.state, "paid")
