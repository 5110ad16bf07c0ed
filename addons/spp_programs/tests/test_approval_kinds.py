"""Every kind of action that a chain can be for: it waits, is reminded of, sent back, submitted again, decided by a
deputy, and only then done."""

from datetime import timedelta

from odoo import fields
from odoo.exceptions import AccessError
from odoo.tests import new_test_user, tagged

from .common import AS_OF
from .payment_common import PaymentsCase


@tagged("post_install", "-at_install")
class TestEveryKindOfApproval(PaymentsCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.deputy = new_test_user(cls.env, login="kinds_deputy", groups="spp_base.group_approver")
        cls.people = cls.make_payees(4)
        cls.program = cls.make_program(code="KINDS", fund="1000.00")
        cls.members = cls.add(cls.program, cls.people)
        paid = cls.approved_cycle(cls.people[:2], code="KINDSPAY")
        cls.prepare(paid)
        cls.payment, cls.unknown = paid.payment_ids
        (cls.payment | cls.unknown)._set_state("sending")
        cls.payment._set_state("rejected", "No such account")
        cls.unknown._set_state("unknown", "No answer")
        today = fields.Date.today()
        cls.env["spp.approval.delegation"].with_user(cls.approver).create(
            {"deputy_id": cls.deputy.id, "start": today, "end": today + timedelta(days=3), "reason": "Leave"}
        )

    # Each begins an action of its kind, and gives (who submitted it, whether it is done, how a record is submitted again)

    def begin_enrollment(self):
        members = self.members[:2].with_user(self.officer)
        members.action_enroll_by_hand("Known to the committee", AS_OF)
        return self.officer, lambda: set(members.mapped("state")) == {"enrolled"}, None

    def begin_exit(self):
        member = self.members[2].with_user(self.officer)
        member.action_exit("Moved away")
        return self.officer, lambda: member.state == "exited", None

    def begin_cycle(self):
        program = self.make_program(code="KINDSCYC", fund="1000.00")
        self.add(program, self.people)
        program.with_user(self.manager).action_enroll(AS_OF)
        cycle = self.make_cycle(program, submit=True)
        return self.manager, lambda: cycle.state == "approved", cycle.action_submit

    def begin_fund(self):
        fund = self.program.with_user(self.finance)
        self.assertEqual(fund.fund_allocate("500.00", "Warrant 2", "kinds"), 0)
        return self.finance, lambda: self.program.fund_allocated == 1500, None

    def begin_rule_version(self):
        rule = (
            self.env["spp.rule"].with_user(self.manager).create({"name": "Seventy", "target": "individual"})
        )
        version = self.env["spp.rule.version"].with_user(self.manager)
        version = version.create({"rule_id": rule.id, "expression": "individual.age >= 70"})
        version.action_publish("The law of May")
        return (
            self.manager,
            lambda: version.state == "published",
            lambda: version.action_publish("The law of June"),
        )

    def begin_account_change(self):
        accounts = self.env["spp.payment.account"].with_user(self.officer)
        account = accounts.create({"partner_id": self.people[3].id, "number_entry": "77665544"})
        return self.officer, lambda: account.state == "active", None

    def begin_reissue(self):
        self.assertEqual(self.payment.with_user(self.manager).action_reissue("New account"), [])
        return self.manager, lambda: bool(self.payment.reissue_ids), None

    def begin_settle_unknown(self):
        self.unknown.with_user(self.finance).action_settle("paid", "Letter 12")
        self.unknown.with_user(self.second_finance).action_confirm_settlement()
        return self.second_finance, lambda: self.unknown.state == "paid", None

    # ------------------------------------------------------------------

    def make_chain(self, kind):
        self.env["spp.approval.chain"].create(
            {
                "name": f"Chain of {kind}",
                "kind": kind,
                "remind_days": 1,
                "level_ids": [(0, 0, {"name": "One", "user_ids": [(6, 0, self.approver.ids)]})],
            }
        )

    def reminded(self, request):
        """Who is reminded of a request that has waited for two days."""
        self.env.flush_all()
        past = fields.Datetime.now() - timedelta(days=2)
        self.env.cr.execute(
            "UPDATE spp_approval_request SET submitted_at = %s WHERE id = %s", [past, request.id]
        )
        self.env.invalidate_all()
        self.env.ref("spp_approval.cron_approval_reminders").ir_actions_server_id.run()
        about = [("res_model", "=", request._name), ("res_id", "=", request.id)]
        return self.env["mail.activity"].search(about).user_id

    def test_each_kind_has_a_test_here(self):
        kinds = [kind for kind, _label in self.env["spp.approval.chain"]._kinds()]
        tested = [name.removeprefix("begin_") for name in dir(self) if name.startswith("begin_")]
        self.assertEqual(sorted(kinds), sorted(tested))

    def test_each_kind_waits_and_is_done_once_approved(self):
        for kind, label in self.env["spp.approval.chain"]._kinds():
            with self.subTest(label):
                self.make_chain(kind)
                submitter, done, again = getattr(self, f"begin_{kind}")()
                request = self.env["spp.approval.request"].search([("kind", "=", kind)], limit=1)
                self.assertEqual((request.state, request.submitted_by, done()), ("waiting", submitter, False))
                self.assertEqual(self.reminded(request), self.approver | self.deputy)

                request.with_user(self.approver).action_send_back("Which document is it?")
                self.env.invalidate_all()
                self.assertEqual((request.state, done()), ("sent_back", False))
                if again:
                    again()
                else:
                    request.with_user(submitter).action_resubmit("Document 7")
                self.env.invalidate_all()
                self.assertEqual((request.state, request.round, done()), ("waiting", 2, False))

                submitter.groups_id |= self.env.ref("spp_base.group_approver")
                with self.assertRaises(AccessError):
                    request.with_user(submitter).action_approve()
                request.with_user(self.deputy).action_approve("As agreed")
                self.env.invalidate_all()
                self.assertEqual((request.state, done()), ("approved", True))
                last = request.decision_ids.filtered(lambda decision: decision.decision == "approved")
                self.assertEqual((last.user_id, last.on_behalf_id), (self.deputy, self.approver))
                decisions = [decision.decision for decision in request.decision_ids.sorted("id")]
                self.assertEqual(decisions, ["submitted", "sent_back", "submitted", "approved"])
