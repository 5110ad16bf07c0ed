"""Taking one beneficiary out of a submitted or approved cycle, by two people."""

from psycopg2 import IntegrityError

from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user, tagged
from odoo.tools import mute_logger

from .payment_common import PaymentsCase


@tagged("post_install", "-at_install")
class TestWithdrawal(PaymentsCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.people = cls.make_payees(3)
        cls.cycle = cls.approved_cycle(cls.people)
        cls.program = cls.cycle.program_id
        cls.beneficiary = cls.cycle.beneficiary_ids[0]
        cls.second = new_test_user(cls.env, login="prog_manager_2", groups="spp_base.group_program_manager")

    def propose(self, beneficiary=None, user=None, cause="died", reason="Civil registry, entry 5"):
        one = (beneficiary or self.beneficiary).with_user(user or self.officer)
        return self.env["spp.cycle.withdrawal"].browse(one.action_withdraw(cause, reason))

    def fund(self):
        self.program.invalidate_recordset()
        return self.program.fund_committed, self.program.fund_free

    def test_two_people_release_that_amount_and_nothing_else(self):
        committed, free = self.fund()
        frozen = self.cycle.total_amount, self.beneficiary.outcome, self.beneficiary.facts
        withdrawal = self.propose()
        self.assertEqual(
            (withdrawal.state, withdrawal.amount, self.cycle.withdrawn_amount), ("proposed", 100, 0)
        )
        self.assertEqual(self.fund(), (committed, free))
        self.assertIs(withdrawal.with_user(self.approver).action_confirm(), True)
        self.assertEqual(self.fund(), (committed - 100, free + 100))
        self.assertEqual(self.beneficiary.entitlement_ids.mapped("state"), ["cancelled"])
        self.assertEqual(
            set((self.cycle.entitlement_ids - self.beneficiary.entitlement_ids).mapped("state")), {"approved"}
        )
        self.assertEqual((self.cycle.total_amount, self.beneficiary.outcome, self.beneficiary.facts), frozen)
        self.assertEqual((withdrawal.amount, self.cycle.withdrawn_amount), (100, 100))
        self.assertEqual((withdrawal.proposed_by, withdrawal.decided_by), (self.officer, self.approver))
        with self.assertRaisesRegex(UserError, "already"):
            withdrawal.with_user(self.approver).action_confirm()
        self.assertEqual(self.fund(), (committed - 100, free + 100))

    def test_nobody_confirms_their_own(self):
        withdrawal = self.propose(user=self.manager)
        with self.assertRaisesRegex(AccessError, "somebody else"):
            withdrawal.with_user(self.manager).action_confirm()
        with self.assertRaises(AccessError):
            withdrawal.with_user(self.officer).action_confirm()
        withdrawal.with_user(self.second).action_confirm()
        self.assertEqual(withdrawal.state, "confirmed")

    def test_roles_reasons_and_fixed_fields(self):
        for role in ("program_viewer", "auditor", "approver", "payment_releaser", "admin"):
            with self.assertRaises(AccessError):
                self.propose(user=self.users[role])
        with self.assertRaisesRegex(UserError, "reason"):
            self.propose(reason=" ")
        withdrawal = self.propose()
        for vals in ({"state": "confirmed"}, {"proposed_by": self.approver.id}, {"reason": "Other"}):
            with self.assertRaises(UserError):  # or an AccessError, which is one
                withdrawal.with_user(self.manager).write(vals)
        with self.assertRaises(UserError):
            self.env["spp.cycle.withdrawal"].with_user(self.manager).create(
                {"beneficiary_id": self.beneficiary.id, "cause": "died", "reason": "x", "state": "confirmed"}
            )

    @mute_logger("odoo.sql_db")
    def test_the_database_guarantees_two_people_and_one_live_withdrawal(self):
        withdrawal = self.propose()
        self.env.flush_all()
        for statement in (
            "UPDATE spp_cycle_withdrawal SET state = 'confirmed', decided_by = proposed_by WHERE id = %s",
            "UPDATE spp_cycle_withdrawal SET state = 'confirmed' WHERE id = %s",
            """
            INSERT INTO spp_cycle_withdrawal (beneficiary_id, cause, reason, state, proposed_by, proposed_at)
            SELECT beneficiary_id, cause, reason, state, proposed_by, proposed_at FROM spp_cycle_withdrawal WHERE id = %s
            """,
        ):
            with self.assertRaises(IntegrityError), self.env.cr.savepoint():
                self.env.cr.execute(statement, [withdrawal.id])
        with self.assertRaisesRegex(UserError, "already"):
            self.propose(user=self.manager)

    def test_its_payment_waits_and_is_then_cancelled(self):
        self.prepare(self.cycle)
        payment = self.beneficiary.entitlement_ids.payment_ids
        withdrawal = self.propose()
        self.assertEqual(payment.state, "held")
        self.assertIn("withdrawal was proposed", payment.state_reason)
        withdrawal.with_user(self.approver).action_confirm()
        self.assertEqual(payment.state, "cancelled")
        self.assertEqual(set((self.cycle.payment_ids - payment).mapped("state")), {"ready"})

    def test_a_payment_that_is_prepared_after_the_proposal_waits_too(self):
        withdrawal = self.propose()
        self.prepare(self.cycle)
        payment = self.beneficiary.entitlement_ids.payment_ids
        self.assertEqual(payment.state, "held")
        self.assertEqual(set((self.cycle.payment_ids - payment).mapped("state")), {"ready"})
        withdrawal.with_user(self.approver).action_refuse("She is alive")
        self.assertEqual(payment.state, "ready")

    def test_a_refused_proposal_lets_the_payment_go(self):
        self.prepare(self.cycle)
        payment = self.beneficiary.entitlement_ids.payment_ids
        withdrawal = self.propose()
        with self.assertRaises(UserError):
            withdrawal.with_user(self.approver).action_refuse("")
        withdrawal.with_user(self.approver).action_refuse("She is alive")
        self.assertEqual((withdrawal.state, payment.state), ("refused", "ready"))
        self.assertEqual(self.propose(user=self.manager).state, "proposed")

    def test_refused_once_the_payment_may_have_left(self):
        self.prepare(self.cycle)
        payment = self.beneficiary.entitlement_ids.payment_ids
        withdrawal = self.propose()
        withdrawal._let_payments_go()
        for state in ("sending", "unknown", "accepted", "paid"):
            payment._set_state(state)
            with self.assertRaisesRegex(UserError, "may have left"):
                withdrawal.with_user(self.approver).action_confirm()
        with self.assertRaisesRegex(UserError, "may have left"):
            withdrawal.with_user(self.approver).action_refuse("No")
            self.propose(user=self.manager)

    def test_before_approval_only_the_rest_is_committed(self):
        program = self.make_program("SUB", fund="1000")
        self.add(program, self.people)
        program.with_user(self.officer).action_enroll("2026-06-01")
        cycle = self.make_cycle(program, submit=True)
        self.propose(cycle.beneficiary_ids[0]).with_user(self.approver).action_confirm()
        self.assertEqual((cycle.total_amount, cycle.withdrawn_amount, cycle.fund_after), (300, 100, 800))
        cycle.with_user(self.approver).action_approve()
        self.assertEqual((program.fund_committed, program.fund_free), (200, 800))

    def test_a_cycle_sent_back_keeps_who_was_withdrawn_out(self):
        program = self.make_program("BACK", fund="1000")
        self.add(program, self.people)
        program.with_user(self.officer).action_enroll("2026-06-01")
        cycle = self.make_cycle(program, submit=True)
        gone, maybe = cycle.beneficiary_ids[:2]
        self.propose(gone, cause="left", reason="Moved abroad").with_user(self.approver).action_confirm()
        proposed = self.propose(maybe)
        cycle.with_user(self.approver).action_reject("Look again")
        self.assertEqual(proposed.state, "refused")
        cycle.action_compute()
        self.assertEqual((cycle.total_amount, cycle.withdrawn_amount), (200, 0))
        kept = cycle.beneficiary_ids.filtered("exclusion_reason")
        self.assertIn("Moved abroad", kept.reason)
        with self.assertRaisesRegex(UserError, "two people"):
            kept.with_user(self.manager).action_include()
        cycle.action_submit()
        cycle.with_user(self.approver).action_approve()
        self.assertEqual(program.fund_committed, 200)

    def test_many_are_proposed_by_one_run_and_confirmed_together(self):
        few, many = self.make_payees(5), self.make_payees(60)
        counts = []
        for start, people in (("2026-09-01", self.make_payees(5)), ("2026-10-01", few), ("2026-11-01", many)):
            cycle = self.approved_cycle(people, code=f"C{start[5:7]}")
            self.prepare(cycle)
            as_officer = cycle.with_user(self.officer)
            gone = [("partner_id", "in", people[1:].ids)]
            steps = [self.statements(as_officer.action_propose_withdrawals, "left", "Flood", gone)]
            proposed = self.env["spp.cycle.withdrawal"].browse(cycle.withdrawal_ids.ids)
            self.assertEqual(proposed.partner_id, people[1:])
            self.assertEqual(set(cycle.payment_ids.mapped("state")), {"held", "ready"})
            steps.append(self.statements(proposed.with_user(self.approver).action_confirm))
            self.assertEqual(set(proposed.mapped("amount")), {100})
            self.assertEqual(cycle.program_id.fund_committed, 100)
            counts.append(steps)
        for few_steps, many_steps in zip(*counts[1:], strict=True):
            self.assertLess(abs(many_steps - few_steps), 12, counts)
        run = self.env["spp.run"].search([("kind", "=", "cycle_propose_withdrawals")], limit=1)
        self.assertEqual((run.res_id, run.counts["Proposed to be withdrawn"]), (cycle.id, 59))
        again = self.env["spp.run"].browse(as_officer.action_propose_withdrawals("died", "Storm"))
        self.assertEqual((again.counts["Proposed to be withdrawn"], len(again.failure_ids)), (1, 59))
        self.assertIn("already", again.failure_ids[0].reason)

    def statements(self, action, *arguments):
        self.env.flush_all()
        self.env.invalidate_all()
        self.env.registry.clear_all_caches()
        before = self.env.cr.sql_log_count
        action(*arguments)
        self.env.flush_all()
        return self.env.cr.sql_log_count - before

    def test_a_draft_has_nothing_to_withdraw(self):
        cycle = self.make_cycle(self.program, "2026-08-01", "2026-08-31")
        with self.assertRaisesRegex(UserError, "draft"):
            self.propose(cycle.beneficiary_ids[0])
