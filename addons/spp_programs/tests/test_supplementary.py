"""A supplementary cycle of the same period: for those who were left out, and nobody twice."""

from psycopg2 import IntegrityError

from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import tagged
from odoo.tools import mute_logger

from .common import AS_OF, ProgramsCase


@tagged("post_install", "-at_install")
class TestSupplementary(ProgramsCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.program = cls.make_program(fund="10000")
        cls.people = cls.make_people(2)
        cls.add(cls.program, cls.people)
        cls.unclear = cls.make_person("No birthdate")
        cls.forgotten = cls.make_person("Forgotten", "1940-01-01")
        cls.member = cls.add(cls.program, cls.unclear)
        cls.program.with_user(cls.officer).action_enroll(AS_OF)
        cls.cycle = cls.make_cycle(cls.program, submit=True)

    def approve(self, cycle=None):
        (cycle or self.cycle).with_user(self.approver).action_approve()

    def left_out(self):
        """Determined too late, and left out by an error."""
        self.unclear.birthdate = "1945-01-01"
        self.add(self.program, self.forgotten)
        self.program.with_user(self.officer).action_enroll("2026-07-15")

    def supplement(self, **vals):
        cycle_id = self.cycle.action_open_supplementary("Birth certificates came late", **vals)
        return self.env["spp.cycle"].with_user(self.manager).browse(cycle_id)

    def test_only_those_who_were_left_out(self):
        self.approve()
        self.left_out()
        cycle = self.supplement(budget_str="500.00")
        self.assertEqual(
            (cycle.start, cycle.end, cycle.as_of), (self.cycle.start, self.cycle.end, self.cycle.as_of)
        )
        self.assertEqual((cycle.parent_id, cycle.number, cycle.budget), (self.cycle, 2, 500))
        self.assertIn("supplementary", cycle.display_name)
        cycle.action_compute()
        self.assertEqual(set(cycle.entitlement_ids.partner_id), {self.unclear, self.forgotten})
        self.assertEqual(cycle.beneficiary_count, 2)
        cycle.action_submit()
        self.assertEqual(cycle.with_user(self.approver).supplementary_reason, "Birth certificates came late")
        self.approve(cycle)
        self.assertEqual(self.program.fund_committed, 400)
        # and nobody is left for a further one
        more = self.supplement()
        more.action_compute()
        self.assertFalse(more.beneficiary_count)
        self.assertEqual(more.parent_id, self.cycle)

    def test_only_the_members_chosen(self):
        self.approve()
        self.left_out()
        cycle = self.supplement(membership_ids=self.member.ids)
        cycle.action_compute()
        self.assertEqual(cycle.entitlement_ids.partner_id, self.unclear)

    def test_who_was_withdrawn_stays_out(self):
        self.approve()
        withdrawal = self.env["spp.cycle.withdrawal"].browse(
            self.cycle.beneficiary_ids[0].with_user(self.officer).action_withdraw("mistake", "Not resident")
        )
        withdrawal.with_user(self.approver).action_confirm()
        self.left_out()
        cycle = self.supplement()
        cycle.action_compute()
        self.assertEqual(set(cycle.entitlement_ids.partner_id), {self.unclear, self.forgotten})

    def test_the_period_is_the_parents_and_no_other_overlaps(self):
        self.approve()
        with self.assertRaisesRegex(ValidationError, "overlaps"), self.env.cr.savepoint():
            self.program.with_user(self.manager).action_new_cycle("2026-06-15", "2026-07-15")
        cycle = self.supplement()
        for vals in ({"end": "2026-07-15"}, {"start": "2026-06-02"}):
            with self.assertRaisesRegex(ValidationError, "same period"), self.env.cr.savepoint():
                cycle.write(vals)
        for vals in ({"parent_id": False}, {"supplementary_reason": "Other"}):
            with self.assertRaises(UserError):
                cycle.write(vals)
        with self.assertRaisesRegex(ValidationError, "overlaps"), self.env.cr.savepoint():
            self.program.with_user(self.manager).action_new_cycle("2026-06-30", "2026-07-30")
        self.assertTrue(self.program.with_user(self.manager).action_new_cycle("2026-07-01", "2026-07-31"))

    def test_not_before_the_parent_is_approved_nor_by_others(self):
        with self.assertRaises(UserError):
            self.supplement()
        self.approve()
        with self.assertRaises(AccessError):
            self.cycle.with_user(self.officer).action_open_supplementary("Late")
        with self.assertRaisesRegex(UserError, "reason"), self.env.cr.savepoint():
            self.cycle.action_open_supplementary(" ")
        other = self.make_program("OTHER")
        stranger = self.add(other, self.forgotten)
        with self.assertRaisesRegex(ValidationError, "not all members"), self.env.cr.savepoint():
            self.supplement(membership_ids=stranger.ids)

    @mute_logger("odoo.sql_db")
    def test_the_database_gives_nobody_a_benefit_twice_in_a_period(self):
        self.approve()
        self.left_out()
        cycle = self.supplement()
        cycle.action_compute()
        paid = self.cycle.sudo().entitlement_ids[0]
        with self.assertRaisesRegex(IntegrityError, "spp_entitlement_period_unique"), self.env.cr.savepoint():
            self.env.cr.execute(
                """
                INSERT INTO spp_entitlement (reference, cycle_id, period_id, program_id, beneficiary_id, partner_id,
                                             benefit_id, kind, amount, currency_id, state)
                SELECT reference || 'x', %s, period_id, program_id, beneficiary_id, partner_id, benefit_id, kind, amount,
                       currency_id, 'draft' FROM spp_entitlement WHERE id = %s
                """,
                [cycle.id, paid.id],
            )

    def test_two_drafts_are_not_about_the_same_people(self):
        self.approve()
        self.left_out()
        first, second = self.supplement(), self.supplement()
        first.action_compute()
        second.action_compute()
        self.assertEqual((first.entitlement_count, second.entitlement_count), (2, 0))
        first.action_cancel("One is enough")
        second.action_compute()
        self.assertEqual(second.entitlement_count, 2)

    def test_it_is_not_compared_with_the_cycle_it_supplements(self):
        self.approve()
        self.left_out()
        cycle = self.supplement()
        self.assertFalse(cycle._previous())
        cycle.action_compute()
        later = self.make_cycle(self.program, "2026-07-01", "2026-07-31", compute=False)
        self.assertEqual(later._previous(), self.cycle)
