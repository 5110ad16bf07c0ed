"""A payer that says it paid another amount than it was told: two people settle it, and it is never sent again."""

from odoo.exceptions import AccessError
from odoo.tests import HttpCase, tagged

from odoo.addons.spp_base.tests.common import CheapPasswords

from .test_callbacks import AsyncPayerMixin


@tagged("post_install", "-at_install")
class TestPaidWithAnotherAmount(AsyncPayerMixin, CheapPasswords, HttpCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.set_up_payer()

    def setUp(self):
        super().setUp()
        self.cycle = self.prepared(3)
        self.send(self.cycle)
        self.program = self.cycle.program_id
        self.free = self.program.fund_free
        self.payment, self.other, self.third = self.cycle.payment_ids.sorted("id")
        self.report(self.payment, amount="99.00")

    def report(self, *payments, message_id="m-1", **entry):
        message = self.told(self.cycle, message_id=message_id, **entry)
        references = [payment.reference for payment in payments]
        entries = message["message"]["disbursements_status"]
        message["message"]["disbursements_status"] = [
            entry for entry in entries if entry["reference_id"] in references
        ]
        message["header"]["total_count"] = len(references)
        self.assertEqual(self.post(message)[0], 200)
        self.env.invalidate_all()

    def settle(self, outcome):
        contradiction = self.payment.contradiction_ids
        contradiction.with_user(self.finance).action_propose(outcome, "The payer's statement 12")
        with self.assertRaises(AccessError):
            contradiction.with_user(self.finance).action_confirm()
        contradiction.with_user(self.second_finance).action_confirm()
        self.env.invalidate_all()

    def test_it_is_listed_for_two_people_and_stops_nothing_else(self):
        contradiction = self.payment.contradiction_ids
        self.assertEqual(
            (contradiction.kind, contradiction.amount, contradiction.reported_amount, contradiction.state),
            ("amount", 100.0, 99.0, "open"),
        )
        self.assertEqual((self.payment.state, self.program.fund_disbursed), ("unknown", 0))
        self.report(self.other, self.third, message_id="m-2", amount="100.00")
        self.assertEqual(self.cycle.payment_ids.sorted("id").mapped("state"), ["unknown", "paid", "paid"])
        self.assertEqual(self.program.fund_disbursed, 200)
        self.assertEqual(self.received()[self.payment.reference], 1)

    def test_said_again_it_is_still_one(self):
        self.report(self.payment, message_id="m-2", amount="99.00")
        self.assertEqual(len(self.payment.contradiction_ids), 1)

    def test_settled_as_reported_the_fund_gets_the_difference_back(self):
        self.settle("paid_as_reported")
        self.assertEqual(self.payment.state, "paid")
        self.assertEqual(self.program.fund_free, self.free + 1)
        self.assertEqual(self.summary(self.cycle)["paid"], 100.0)

    def test_settled_as_not_paid_it_can_be_issued_again(self):
        self.settle("not_paid")
        self.assertEqual((self.payment.state, self.program.fund_free), ("rejected", self.free))
        (again,) = self.payment.with_user(self.manager).action_reissue("The payer took its report back")
        self.assertEqual(self.payment.browse(again).state, "ready")
