"""What a household change does to programs, drafts, what is due and payments: said first, and nothing silently."""

from odoo.exceptions import UserError
from odoo.tests import tagged

from .payment_common import PaymentsCase

DAY = "2026-06-15"  # after the cycle's as-of date


@tagged("post_install", "-at_install")
class TestHouseholdChangesInPrograms(PaymentsCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ana, cls.ben, cls.cora = cls.make_payees(3, prefix="Payee")
        cls.household = cls.make_household("Household A", cls.ana, cls.ben, cls.cora)
        cls.any_household = cls.make_rule("Any household", "group", "group.members.size() >= 1")

    @classmethod
    def make_household(cls, name, *members):
        household = cls.env["res.partner"].create({"name": name, "is_registrant": True, "is_group": True})
        cls.env["spp.group.membership"].create(
            [
                {"group_id": household.id, "individual_id": member.id, "is_head": index == 0}
                for index, member in enumerate(members)
            ]
        )
        return household

    def approved(self, households, code="HH", prepare=True):
        cycle = self.approved_cycle(households, code=code, target="group", rule_id=self.any_household.id)
        if prepare:
            self.prepare(cycle)
        return cycle

    def change(self, kind, key="k", **values):
        changes = self.env["spp.household.change"].with_user(self.officer)
        values = {"date": DAY, "reason": "Told by the family", **values}
        shown = changes.preview(kind, values)
        return changes.browse(changes.carry_out(kind, values, key, shown["fingerprint"]))

    def said(self, change):
        return " ".join(step["text"] for step in change.steps)

    def membership(self, program, registrant):
        return self.env["spp.program.membership"].search(
            [("program_id", "=", program.id), ("partner_id", "=", registrant.id)]
        )

    def split_off_ben(self, **values):
        return self.change(
            "split", household_id=self.household.id, member_ids=[self.ben.id], new_head_id=self.ben.id,
            household_name="Household B", **values,
        )  # fmt: skip

    def test_after_a_split_the_new_household_is_a_candidate_and_the_old_one_stays(self):
        cycle = self.approved(self.household)
        change = self.split_off_ben()
        new = change.other_household_id
        self.assertEqual(self.membership(cycle.program_id, new).state, "candidate")
        self.assertEqual(self.membership(cycle.program_id, self.household).state, "enrolled")
        said = self.said(change)
        self.assertIn("Household B becomes a candidate of Program HH", said)
        self.assertIn("stays in its programs", said)
        self.assertIn("is due $\xa0100.00 in HH/1", said)
        self.assertEqual(cycle.payment_ids.state, "ready")  # the head did not change

    def test_people_are_not_paid_for_twice_in_one_period(self):
        cycle = self.approved(self.household)
        change = self.split_off_ben()
        new = change.other_household_id
        program = cycle.program_id.with_user(self.manager)
        self.membership(program, new).with_user(self.officer).action_enroll_by_hand("A household of its own")
        later = self.env["spp.cycle"].browse(
            program.action_new_cycle("2026-07-01", "2026-07-31", "2026-06-20")
        )
        # The same period, looked at after the split: what a supplementary cycle is.
        self.env.cr.execute(
            "UPDATE spp_cycle SET start = '2026-06-01', \"end\" = '2026-06-30' WHERE id = %s", [later.id]
        )
        self.env.invalidate_all()
        later.with_user(self.manager).action_compute()
        later.with_user(self.manager).difference_reason = "For those who came later"
        later.with_user(self.manager).action_submit()
        later.with_user(self.approver).action_approve()
        self.prepare(later)
        held = later.payment_ids.filtered(lambda payment: payment.partner_id == new)
        self.assertEqual(held.state, "held")
        self.assertIn("paid for with the household they came from", held.state_reason)

    def test_a_merged_household_leaves_its_programs_and_the_other_one_is_looked_at(self):
        other = self.make_household("Household B", *self.make_payees(1, prefix="Other"))
        cycle = self.approved(other)
        change = self.change("merge", household_id=self.household.id, other_household_id=other.id)
        program = cycle.program_id
        self.assertEqual(self.membership(program, other).state, "exited")
        self.assertIn("Merge", self.membership(program, other).state_reason)
        self.assertEqual(self.membership(program, self.household).state, "candidate")
        said = self.said(change)
        self.assertIn("Household B leaves the program Program HH", said)
        self.assertIn("the withdrawal is proposed", said)
        self.assertEqual(cycle.withdrawal_ids.cause, "left")
        self.assertEqual(cycle.payment_ids.state, "held")

    def test_who_died_leaves_programs_and_is_sent_nothing(self):
        person = self.make_payees(1, prefix="Old")
        cycle = self.approved_cycle(person, code="OLD")
        self.prepare(cycle)
        change = self.change("death", person_id=person.id)
        self.assertEqual(self.membership(cycle.program_id, person).state, "exited")
        self.assertEqual(cycle.payment_ids.state, "held")
        self.assertIn("the withdrawal is proposed", self.said(change))
        self.assertEqual(cycle.entitlement_ids.state, "approved")  # frozen: two people withdraw it
        withdrawal = cycle.withdrawal_ids
        self.assertEqual(
            (withdrawal.partner_id, withdrawal.cause, withdrawal.proposed_by), (person, "died", self.officer)
        )
        withdrawal.with_user(self.manager).action_confirm()
        self.assertEqual((cycle.entitlement_ids.state, cycle.payment_ids.state), ("cancelled", "cancelled"))

    def test_when_the_head_changes_the_payee_follows_once_somebody_has_looked(self):
        cycle = self.approved(self.household)
        self.assertEqual(cycle.payment_ids.payee_id, self.ana)
        change = self.change("head", household_id=self.household.id, new_head_id=self.ben.id)
        payment = cycle.payment_ids
        self.assertEqual((payment.state, payment.payee_id), ("held", self.ben))
        self.assertEqual(payment.account_id, self.ben.payment_account_ids)
        self.assertIn("1 payments of HH/1", self.said(change))
        self.assertIn(self.ben.payment_account_ids.number_masked, self.said(change))
        payment.with_user(self.manager).action_let_go("Seen")
        self.assertEqual((payment.state, payment.payee_id), ("ready", self.ben))

    def test_the_head_died_and_payments_wait_for_the_next_one(self):
        cycle = self.approved(self.household)
        self.change("death", person_id=self.ana.id, new_head_id=self.cora.id)
        self.assertEqual((cycle.payment_ids.state, cycle.payment_ids.payee_id), ("held", self.cora))

    def test_what_is_prepared_after_the_head_changed_waits_too(self):
        cycle = self.approved(self.household, prepare=False)
        self.change("head", household_id=self.household.id, new_head_id=self.ben.id)
        self.prepare(cycle)
        payment = cycle.payment_ids
        self.assertEqual(payment.state, "held")
        self.assertIn("head is somebody else", payment.state_reason)
        payment.with_user(self.manager).action_use_current_account()
        self.assertEqual((payment.state, payment.payee_id), ("ready", self.ben))

    def test_drafts_are_computed_again_and_what_is_with_the_payer_is_told(self):
        program = self.make_program(code="DRF", target="group", rule_id=self.any_household.id)
        self.add(program, self.household)
        program.with_user(self.manager).action_enroll("2026-06-01")
        draft = self.make_cycle(program)
        cycle = self.approved(self.household)
        cycle.payment_ids._apply([(cycle.payment_ids.id, "sending")])
        change = self.change("merge", household_id=self.make_household("Household C", self.cora).id,
                             other_household_id=self.household.id)  # fmt: skip
        self.assertFalse(draft.computed_at)
        with self.assertRaisesRegex(UserError, "Compute it first"):
            draft.with_user(self.manager).action_submit()
        self.assertEqual(cycle.payment_ids.state, "sending")
        self.assertIn("with the payer already", self.said(change))
        self.assertIn("cannot be withdrawn", self.said(change))
        self.assertFalse(cycle.withdrawal_ids)

    def test_closed_programs_and_other_peoples_payments_are_left_alone(self):
        neighbour = self.make_household("Household N", *self.make_payees(1, prefix="Neighbour"))
        cycle = self.approved(self.household | neighbour)
        self.change("head", household_id=self.household.id, new_head_id=self.ben.id)
        untouched = cycle.payment_ids.filtered(lambda payment: payment.partner_id == neighbour)
        self.assertEqual(untouched.state, "ready")
