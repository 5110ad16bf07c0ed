"""Rows that the bulk steps write cannot be told from rows that the ORM made: every column of both is compared."""

from odoo.tests import tagged

from odoo.addons.spp_base.tests.common import LikeTheOrm

from .common import AS_OF
from .test_difference import JUNE, MAY, NO_LIMITS, DifferenceCase


@tagged("post_install", "-at_install")
class TestBulkRows(LikeTheOrm, DifferenceCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.people = cls.make_payees(3)
        cls.program = cls.make_program(
            "ROWS", fund="100000.00", payment_manager_id=cls.payment_manager.id, **NO_LIMITS
        )
        cls.members = cls.add(cls.program, cls.people[:2])
        cls.other = cls.make_person("Other", "1950-01-01")

    def test_candidates(self):
        program = self.make_program("CAND")
        program.with_user(self.officer).action_import_candidates()
        member = program.membership_ids.filtered(lambda member: member.partner_id == self.people[0])
        self.assert_like_the_orm(member, partner_id=self.make_person("Later").id)

    def test_evaluated_members(self):
        self.program.with_user(self.officer).action_enroll(AS_OF)
        member = self.members[0]
        self.assertEqual(member.state, "enrolled")
        self.assert_like_the_orm(member, partner_id=self.other.id)

    def test_outcomes_and_what_is_due(self):
        self.program.with_user(self.officer).action_enroll(AS_OF)
        self.program.with_user(self.manager).benefit_ids = [
            (0, 0, {"name": "Flour", "kind": "goods", "quantity": 2, "product_name": "Flour, 10 kg"})
        ]
        self.members[1].action_suspend("Not yet")
        cycle = self.make_cycle(self.program).with_env(self.env)
        self.assert_like_the_orm(
            cycle.beneficiary_ids, membership_id=self.members[1].id, partner_id=self.people[1].id
        )
        for entitlement in cycle.entitlement_ids:
            self.assert_like_the_orm(
                entitlement, reference=f"{entitlement.reference}x", partner_id=self.people[1].id
            )

    def test_the_difference_and_what_computing_again_changed(self):
        self.program.with_user(self.officer).action_enroll(AS_OF)
        self.make_cycle_of(self.program, MAY, submit=True)
        june = self.make_cycle_of(self.program, JUNE)
        self.members[0].action_exit("Left")
        june.action_compute()
        june = june.with_env(self.env)
        self.assert_like_the_orm(june.difference_ids, partner_id=self.other.id)
        self.assert_like_the_orm(june.difference_total_ids[0], kind="goods")
        change = self.env["spp.cycle.change"].search([("cycle_id", "=", june.id)])
        self.assert_like_the_orm(change, partner_id=self.other.id)

    def test_money(self):
        self.program.with_user(self.officer).action_enroll(AS_OF)
        cycle = self.make_cycle(self.program, submit=True)
        cycle.with_user(self.approver).action_approve()
        cycle.action_prepare_payments()
        cycle = cycle.with_env(self.env)
        for entry in self.env["spp.fund.entry"].search([("program_id", "=", self.program.id)]):
            self.assert_like_the_orm(entry, origin=f"{entry.origin}x")
        payment = cycle.payment_ids[0]
        self.assertEqual(payment.state, "ready")
        # a second one of the entitlement is let in only where it is over
        self.assert_like_the_orm(payment, reference=f"{payment.reference}x", state="cancelled")
        self.assert_like_the_orm(cycle.payment_batch_ids, name="Another")
