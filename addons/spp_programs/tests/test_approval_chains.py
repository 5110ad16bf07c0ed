"""Cycles under chains: several levels, several people; who approved does not release, unless the chain says so."""

from unittest.mock import patch

from psycopg2.errors import UniqueViolation

from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user, tagged
from odoo.tools import mute_logger

from .common import AS_OF, ProgramsCase


@tagged("post_install", "-at_install")
class TestApprovalChains(ProgramsCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.program = cls.make_program(fund="1000.00")
        cls.members = cls.add(cls.program, cls.make_people(3))
        cls.program.with_user(cls.officer).action_enroll(AS_OF)
        cls.second = new_test_user(cls.env, login="prog_second", groups="spp_base.group_approver")
        cls.both = new_test_user(
            cls.env, login="prog_sends", groups="spp_base.group_approver,spp_base.group_payment_releaser"
        )

    def make_chain(self, *levels, **vals):
        return self.env["spp.approval.chain"].create(
            {
                "name": "Chain",
                "kind": "cycle",
                "program_id": self.program.id,
                "level_ids": [
                    (0, 0, {"name": f"Level {number}", "sequence": number, **level})
                    for number, level in enumerate(levels, 1)
                ],
                **vals,
            }
        )

    def role(self, name):
        return {"group_id": self.env.ref(f"spp_base.group_{name}").id}

    def test_chains_of_two_programs_stand_while_the_addon_below_is_updated_alone(self):
        other = self.make_program(code="OTHER")
        chain = self.make_chain(self.role("approver"))
        self.make_chain(self.role("approver"), program_id=other.id)
        # As spp_approval has it before this addon is loaded.
        with patch.object(type(chain), "_scope_fields", lambda chain: ["kind", "company_id"]):
            chain.init()
        chain.init()
        with self.assertRaises(UniqueViolation), mute_logger("odoo.sql_db"), self.cr.savepoint():
            self.cr.execute(
                "UPDATE spp_approval_chain SET program_id = %s WHERE id = %s", [other.id, chain.id]
            )

    def test_every_level_agrees_before_the_fund_is_committed(self):
        self.make_chain(self.role("finance_officer"), {"user_ids": [(6, 0, self.second.ids)]})
        cycle = self.make_cycle(self.program, submit=True)
        with self.assertRaises(AccessError):
            cycle.with_user(self.approver).action_approve()
        cycle.with_user(self.finance).action_approve("The money is there")
        self.assertEqual((cycle.state, self.program.fund_committed), ("submitted", 0))
        with self.assertRaises(AccessError):
            cycle.with_user(self.finance).action_approve()
        self.assertIn("Level 2", cycle.next_step)
        cycle.with_user(self.second).action_approve()
        self.assertEqual((cycle.state, cycle.approved_by), ("approved", self.second))
        self.assertEqual(self.program.fund_committed, 300)

    def test_a_programs_chain_is_taken_before_the_general_one(self):
        self.make_chain(self.role("finance_officer"), program_id=False)
        self.make_chain({"user_ids": [(6, 0, self.second.ids)]})
        cycle = self.make_cycle(self.program, submit=True)
        self.assertIn(self.second.name, cycle.approval_waits_for)
        other = self.make_program("OTHER", fund="1000.00")
        self.add(other, self.members.partner_id)
        other.with_user(self.officer).action_enroll(AS_OF)
        self.assertIn("Finance Officer", self.make_cycle(other, submit=True).approval_waits_for)

    def test_a_level_for_more_money_than_last_time(self):
        self.make_chain(
            self.role("approver"),
            {**self.role("finance_officer"), "condition": "request.amount > request.amount_before"},
        )
        cycle = self.make_cycle(self.program, submit=True)
        self.assertEqual(len(cycle.approval_request_ids.levels), 2)  # nothing to compare with: asked
        cycle.with_user(self.approver).action_approve()
        cycle.with_user(self.finance).action_approve()
        cycle = self.make_cycle(self.program, "2026-07-01", "2026-07-31", submit=True)
        self.assertEqual(len(cycle.approval_request_ids.levels), 1)

    def test_who_computed_it_does_not_approve_it(self):
        helper = new_test_user(
            self.env, login="prog_helper", groups="spp_base.group_program_manager,spp_base.group_approver"
        )
        cycle = self.make_cycle(self.program)
        cycle.with_user(helper).action_compute()
        cycle.action_submit()
        with self.assertRaisesRegex(AccessError, "You prepared"):
            cycle.with_user(helper).action_approve()

    def test_rounds_are_in_the_trail_with_a_fingerprint(self):
        cycle = self.make_cycle(self.program, submit=True)
        cycle.with_user(self.approver).action_send_back("Look at Person 2")
        self.assertEqual((cycle.state, cycle.state_reason), ("draft", "Look at Person 2"))
        cycle.action_compute()
        cycle.action_submit()
        cycle.with_user(self.approver).action_approve()
        trail = cycle.approval_decision_ids.sorted("id")
        self.assertEqual(
            [(row.round, row.decision) for row in trail],
            [(1, "submitted"), (1, "sent_back"), (2, "submitted"), (2, "approved")],
        )
        self.assertEqual(trail[-1].fingerprint, trail[-2].fingerprint)
        self.assertEqual(trail[-1].amount, 300)

    def test_cancelling_ends_the_request(self):
        cycle = self.make_cycle(self.program, submit=True)
        cycle.action_cancel("Not needed")
        self.assertEqual(cycle.approval_request_ids.state, "withdrawn")
        self.assertFalse(cycle.approval_waits_for)

    def approved(self, user, **vals):
        if vals:
            self.make_chain(self.role("approver"), **vals)
        cycle = self.make_cycle(self.program, submit=True)
        cycle.with_user(user).action_approve()
        cycle.action_prepare_payments()
        return cycle

    def test_who_approved_does_not_release_in_whosever_name(self):
        self.env["spp.approval.delegation"].with_user(self.both).create(
            {"deputy_id": self.second.id, "end": "2999-01-01", "reason": "Leave"}
        )
        self.make_chain({"user_ids": [(6, 0, self.both.ids)]})
        cycle = self.approved(self.second)
        self.assertEqual(cycle.approval_decision_ids[:1].on_behalf_id, self.both)
        with self.assertRaisesRegex(AccessError, "somebody else sends"):
            cycle.with_user(self.both).action_send_payments()

    def test_unless_the_chain_says_so(self):
        cycle = self.approved(self.both, approver_may_release=True)
        with self.assertRaisesRegex(
            UserError, "is ready to be sent"
        ):  # past the guard: nobody has an account
            cycle.with_user(self.both).action_send_payments()
        cycle = self.make_cycle(self.program, "2026-07-01", "2026-07-31", submit=True)
        sends = new_test_user(
            self.env, login="prog_m", groups="spp_base.group_program_manager,spp_base.group_payment_releaser"
        )
        with self.assertRaises(UserError):
            cycle.with_user(sends).action_send_payments()

    def test_payments_are_of_what_was_approved(self):
        cycle = self.make_cycle(self.program, submit=True)
        cycle.with_user(self.approver).action_approve()
        self.env.flush_all()
        with self.env.cr.savepoint():
            self.env.cr.execute("SET LOCAL spp.allow_rewrite = 'on'")
            self.env.cr.execute(
                "UPDATE spp_entitlement SET amount = 999 WHERE id = %s", [cycle.entitlement_ids[0].id]
            )
            self.env.cr.execute("SET LOCAL spp.allow_rewrite = ''")
        self.env.invalidate_all()
        with self.assertRaisesRegex(UserError, "not what was approved"):
            cycle.action_prepare_payments()

    def test_taking_somebody_out_voids_nothing(self):
        cycle = self.make_cycle(self.program, submit=True)
        cycle.with_user(self.approver).action_approve()
        cycle.entitlement_ids[0].sudo()._set_state("cancelled", "Withdrawn")
        cycle.action_prepare_payments()
        self.assertEqual(cycle.approval_request_ids.state, "approved")
        self.assertEqual(cycle.payment_count, 2)

    def test_the_approvers_page(self):
        first = self.make_cycle(self.program, submit=True)
        first.with_user(self.approver).action_approve()
        self.env["spp.program.benefit"].search([("program_id", "=", self.program.id)]).amount = 150
        cycle = self.make_cycle(self.program, "2026-07-01", "2026-07-31")
        cycle.difference_reason = "The grant was raised"
        cycle.action_submit()
        action = cycle.with_user(self.approver).action_view_approval()
        request = self.env[action["res_model"]].with_user(self.approver).browse(action["res_id"])
        page = str(request.page).replace("\xa0", " ")
        for text in (
            "450.00",
            "300.00",
            "150.00",
            "Undetermined",
            "Rows that failed",
            "raised",
            "700.00",
            "250.00",
        ):
            self.assertIn(text, page)
        request.action_approve()
        self.assertEqual(cycle.state, "approved")
