"""Two people answer for a cycle, and the fund for its total."""

from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user, tagged

from .common import AS_OF, ProgramsCase


@tagged("post_install", "-at_install")
class TestCycleApproval(ProgramsCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.program = cls.make_program(fund="1000.00")
        cls.members = cls.add(cls.program, cls.make_people(3))
        cls.program.with_user(cls.officer).action_enroll(AS_OF)
        cls.both = new_test_user(
            cls.env, login="prog_both", groups="spp_base.group_program_manager,spp_base.group_approver"
        )

    def balance(self):
        program = self.program
        return (program.fund_allocated, program.fund_committed, program.fund_disbursed, program.fund_free)

    def test_second_person_approves(self):
        cycle = self.make_cycle(self.program, submit=True)
        self.assertEqual((cycle.state, cycle.submitted_by), ("submitted", self.manager))
        run = self.env["spp.run"].browse(cycle.with_user(self.approver).action_approve())
        self.assertEqual((run.state, run.counts), ("done", {"Entitlements approved": 3}))
        self.assertEqual((cycle.state, cycle.approved_by), ("approved", self.approver))
        self.assertEqual(set(cycle.entitlement_ids.mapped("state")), {"approved"})
        self.assertEqual(self.balance(), (1000, 300, 0, 700))
        entry = self.env["spp.fund.entry"].search([("origin", "=", f"cycle:{cycle.id}")])
        self.assertEqual((entry.kind, entry.amount, entry.user_id), ("commitment", 300, self.approver))

    def test_submitter_is_refused(self):
        cycle = self.make_cycle(self.program)
        cycle.with_user(self.both).action_submit()
        with self.assertRaisesRegex(AccessError, "somebody else"):
            cycle.with_user(self.both).action_approve()
        with self.assertRaisesRegex(AccessError, "somebody else"):
            cycle.with_user(self.both).sudo().action_approve()
        self.assertEqual(cycle.state, "submitted")

    def test_only_approvers_approve(self):
        cycle = self.make_cycle(self.program, submit=True)
        for role in self.users:
            if role != "approver":
                with self.assertRaises(AccessError):
                    cycle.with_user(self.users[role]).action_approve()
                with self.assertRaises(AccessError):
                    cycle.with_user(self.users[role]).action_reject("No")
        with self.assertRaises(AccessError):
            cycle.with_user(self.env.ref("base.user_root")).action_approve()

    def test_approving_twice_commits_once(self):
        cycle = self.make_cycle(self.program, submit=True)
        cycle.with_user(self.approver).action_approve()
        with self.assertRaises(UserError):
            cycle.with_user(self.approver).action_approve()
        self.assertEqual(self.balance(), (1000, 300, 0, 700))

    def test_all_or_nothing(self):
        program = self.make_program("POOR", amount=400, fund="1000.00")
        self.add(program, self.members.partner_id)
        program.with_user(self.officer).action_enroll(AS_OF)
        cycle = self.make_cycle(program, submit=True)
        with self.assertRaisesRegex(UserError, r"1,200\.00 .* needed, 1,000\.00 .* free"):
            cycle.with_user(self.approver).action_approve()
        self.assertEqual(cycle.state, "submitted")
        self.assertEqual(set(cycle.entitlement_ids.mapped("state")), {"draft"})
        self.assertEqual(program.fund_committed, 0)
        self.assertFalse(self.env["spp.fund.entry"].search([("origin", "=", f"cycle:{cycle.id}")]))

    def test_rejected_with_a_reason(self):
        cycle = self.make_cycle(self.program, submit=True)
        with self.assertRaises(UserError):
            cycle.with_user(self.approver).action_reject(" ")
        cycle.with_user(self.approver).action_reject("Totals look wrong")
        self.assertEqual((cycle.state, cycle.state_reason), ("draft", "Totals look wrong"))
        cycle.action_compute()
        cycle.action_submit()
        cycle.with_user(self.approver).action_approve()
        self.assertEqual(self.balance(), (1000, 300, 0, 700))

    def test_cancelled(self):
        cycle = self.make_cycle(self.program, submit=True)
        cycle.action_cancel("Not needed")
        self.assertEqual(
            (cycle.state, set(cycle.entitlement_ids.mapped("state"))), ("cancelled", {"cancelled"})
        )
        approved = self.make_cycle(self.program, submit=True)
        approved.with_user(self.approver).action_approve()
        with self.assertRaises(AccessError):
            approved.action_cancel("Not needed")
        approved.with_user(self.approver).action_cancel("Flood is over")
        self.assertEqual(set(approved.entitlement_ids.mapped("state")), {"cancelled"})
        self.assertEqual(self.balance(), (1000, 0, 0, 1000))

    def test_closing_frees_what_was_not_paid_once(self):
        cycle = self.make_cycle(self.program, submit=True)
        cycle.with_user(self.approver).action_approve()
        paid = cycle.entitlement_ids[0]
        paid.sudo()._set_state("paid")
        ledger = self.env["spp.fund.entry"].sudo()
        ledger._post(self.program, "disbursement", [("payment:1", "100")])
        cycle.action_close("expire")
        self.assertEqual(cycle.state, "closed")
        self.assertEqual(cycle.entitlement_ids.mapped("state"), ["paid", "expired", "expired"])
        self.assertEqual(self.balance(), (1000, 0, 100, 900))
        with self.assertRaises(UserError):
            cycle.action_close()
        self.assertEqual(self.balance(), (1000, 0, 100, 900))

    def test_every_step_is_in_the_trail(self):
        cycle = self.make_cycle(self.program, submit=True)
        cycle.with_user(self.approver).action_reject("Look again")
        cycle.action_submit()
        cycle.with_user(self.approver).action_approve()
        trail = self.env["spp.audit.entry"].search(
            [("res_model", "=", "spp.cycle"), ("res_id", "=", cycle.id)], order="id"
        )
        self.assertEqual(
            trail.mapped("action"),
            ["Cycle submitted", "Cycle sent back", "Cycle submitted", "Cycle approved"],
        )
        self.assertEqual(trail.mapped("user_id"), self.manager + self.approver)

    def test_goods_only_commit_nothing(self):
        program = self.make_program(
            "GOODS",
            benefit_ids=[(0, 0, {"name": "Flour", "kind": "goods", "quantity": 1, "product_name": "Flour"})],
        )
        self.add(program, self.members.partner_id)
        program.with_user(self.officer).action_enroll(AS_OF)
        cycle = self.make_cycle(program, submit=True)
        cycle.with_user(self.approver).action_approve()
        self.assertEqual((cycle.state, program.fund_committed), ("approved", 0))
        cycle.action_close("expire")
        self.assertEqual(set(cycle.entitlement_ids.mapped("state")), {"expired"})
