"""A number of instalments per person, after which they graduate or exit."""

from odoo.tests import tagged

from .common import AS_OF
from .payment_common import PaymentsCase


@tagged("post_install", "-at_install")
class TestInstalments(PaymentsCase):
    def start(self, code, count=3, **vals):
        program = self.make_program(code, fund="10000", payment_manager_id=self.payment_manager.id, **vals)
        program.benefit_ids.most_instalments = 2
        people = self.make_payees(count, prefix=code)
        members = self.add(program, people)
        program.with_user(self.officer).action_enroll(AS_OF)
        return program, members.sudo()

    def run_cycle(self, program, month, pay=True):
        cycle = self.make_cycle(program, f"2026-{month:02}-01", f"2026-{month:02}-28")
        cycle.difference_reason = "As planned"
        cycle.action_submit()
        cycle.with_user(self.approver).action_approve()
        if pay:
            cycle.sudo().entitlement_ids._set_state("paid")
        return cycle

    def test_graduates_with_the_last_one_paid(self):
        program, members = self.start("GRAD")
        first = self.run_cycle(program, 6)
        self.assertEqual(first.entitlement_ids.mapped("instalment"), [1, 1, 1])
        self.assertEqual(set(members.mapped("state")), {"enrolled"})
        second = self.run_cycle(program, 7, pay=False)
        self.assertEqual(second.entitlement_ids.mapped("instalment"), [2, 2, 2])
        self.assertEqual(set(members.mapped("state")), {"enrolled"})
        paid = second.sudo().entitlement_ids.filtered(lambda one: one.partner_id in members[:2].partner_id)
        paid._set_state("paid")
        self.assertEqual(members.mapped("state"), ["graduated", "graduated", "enrolled"])
        self.assertEqual(members[0].state_reason, "Got all instalments.")
        self.assertTrue(
            self.env["spp.audit.entry"].search_count(
                [
                    ("res_model", "=", "spp.program"),
                    ("res_id", "=", program.id),
                    ("action", "like", "last instalment"),
                ]
            )
        )

    def test_an_unpaid_instalment_is_given_again(self):
        program, members = self.start("AGAIN", count=1)
        self.run_cycle(program, 6)
        self.run_cycle(program, 7, pay=False).action_close("expire")
        third = self.run_cycle(program, 8)
        self.assertEqual(third.entitlement_ids.instalment, 2)
        self.assertEqual(members.state, "graduated")

    def test_exits_where_the_program_says_so(self):
        program, members = self.start("EXIT", count=1, after_last_instalment="exit")
        self.run_cycle(program, 6)
        self.run_cycle(program, 7)
        self.assertEqual(members.state, "exited")

    def test_what_a_person_decided_stays(self):
        program, members = self.start("KEEP")
        self.run_cycle(program, 6)
        cycle = self.run_cycle(program, 7, pay=False)
        members[0].with_user(self.officer).action_suspend("Under review")
        members[1].with_user(self.officer).action_mark_duplicate("Twice in the list")
        cycle.sudo().entitlement_ids._set_state("paid")
        self.assertEqual(members.mapped("state"), ["suspended", "duplicate", "graduated"])
        # who is resumed after the last one leaves when the cycle is closed
        members[0].with_user(self.officer).action_resume("All is well")
        cycle.action_close()
        self.assertEqual(members.mapped("state"), ["graduated", "duplicate", "graduated"])

    def test_a_benefit_without_limit_keeps_them(self):
        program, members = self.start("OPEN", count=1)
        self.env["spp.program.benefit"].with_user(self.manager).create(
            {"program_id": program.id, "name": "For ever", "amount": 5}
        )
        self.run_cycle(program, 6)
        self.run_cycle(program, 7)
        third = self.run_cycle(program, 8)
        self.assertEqual(third.entitlement_ids.mapped("amount"), [5])
        self.assertEqual(members.state, "enrolled")
