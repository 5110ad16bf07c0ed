"""Preparing: one payment per approved money entitlement, to the right person and account, or held with the reason."""

import psycopg2

from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from .payment_common import PaymentsCase


@tagged("post_install", "-at_install")
class TestPaymentPrepare(PaymentsCase):
    def test_one_payment_per_entitlement(self):
        people = self.make_payees(3)
        cycle = self.approved_cycle(people)
        self.assertEqual(self.prepare(cycle), {"Prepared": 3, "Held": 0, "Batches": 1})
        payments = cycle.payment_ids
        self.assertEqual(payments.partner_id, people)
        self.assertEqual(payments.payee_id, people)
        self.assertEqual(payments.entitlement_id, cycle.entitlement_ids)
        self.assertEqual(set(payments.mapped("amount")), {100.0})
        self.assertEqual(len(set(payments.mapped("reference"))), 3)
        for payment in payments:
            self.assertRegex(payment.reference, r"^PAY-1-P\d{7,}$")
            self.assertEqual(payment.account_number, payment.account_id.number)
            self.assertEqual(payment.account_masked, payment.account_id.number_masked)
        batch = payments.batch_id
        self.assertEqual((batch.state, batch.payment_count, batch.total_amount), ("draft", 3, 300.0))

    def test_again_adds_only_what_is_missing(self):
        cycle = self.approved_cycle(self.make_payees(3))
        self.prepare(cycle)
        before = cycle.payment_ids
        self.assertEqual(self.prepare(cycle), {"Prepared": 0, "Held": 0, "Batches": 0})
        self.assertEqual(cycle.payment_ids, before)
        before[0].with_user(self.manager).action_cancel("Wrong day")
        self.assertEqual(self.prepare(cycle), {"Prepared": 1, "Held": 0, "Batches": 1})
        self.assertEqual(len(cycle.payment_ids), 4)

    def test_the_database_refuses_a_second_live_payment(self):
        cycle = self.approved_cycle(self.make_payees(1))
        self.prepare(cycle)
        payment = cycle.payment_ids
        with (
            self.assertRaises(psycopg2.errors.UniqueViolation),
            mute_logger("odoo.sql_db"),
            self.cr.savepoint(),
        ):
            self.cr.execute(
                """
                INSERT INTO spp_payment (reference, entitlement_id, cycle_id, program_id, company_id, partner_id, amount,
                                         currency_id, state)
                SELECT 'another', entitlement_id, cycle_id, program_id, company_id, partner_id, amount, currency_id,
                       'unknown' FROM spp_payment WHERE id = %s
                """,
                [payment.id],
            )

    def test_only_approved_cycles_and_program_managers(self):
        people = self.make_payees(1)
        cycle = self.approved_cycle(people)
        for role in ("program_viewer", "finance_officer", "approver", "payment_releaser", "admin", "auditor"):
            with self.subTest(role=role), self.assertRaises(AccessError):
                cycle.with_user(self.users[role]).action_prepare_payments()
        program = self.make_program(code="DRAFT", fund="1000.00", payment_manager_id=self.payment_manager.id)
        self.add(program, people)
        program.with_user(self.manager).action_enroll("2026-06-01")
        with self.assertRaises(UserError):
            self.make_cycle(program, submit=True).action_prepare_payments()

    def test_goods_are_not_paid(self):
        cycle = self.approved_cycle(
            self.make_payees(1),
            benefit_ids=[
                (0, 0, {"name": "Grant", "kind": "money", "amount": 10}),
                (
                    0,
                    0,
                    {"name": "Maize", "kind": "goods", "quantity": 2, "product_name": "Maize, bag of 10 kg"},
                ),
            ],
        )
        self.assertEqual(self.prepare(cycle)["Prepared"], 1)

    def test_batches_have_the_managers_size(self):
        self.payment_manager.batch_size = 2
        cycle = self.approved_cycle(self.make_payees(5))
        self.assertEqual(self.prepare(cycle)["Batches"], 3)
        self.assertEqual(sorted(cycle.payment_batch_ids.mapped("payment_count")), [1, 2, 2])
        self.assertEqual(sum(cycle.payment_batch_ids.mapped("total_amount")), 500.0)

    def test_a_household_is_paid_through_its_head_of_then(self):
        then, now = self.make_payees(2)
        household = self.env["res.partner"].create(
            {"name": "Household", "is_registrant": True, "is_group": True}
        )
        self.env["spp.group.membership"].create(
            {"group_id": household.id, "individual_id": then.id, "is_head": True, "ended": "2026-06-15"}
        )
        self.env["spp.group.membership"].create(
            {"group_id": household.id, "individual_id": now.id, "is_head": True, "start": "2026-06-15"}
        )
        rule = self.make_rule("Any household", "group", "group.members.size() >= 1")
        cycle = self.approved_cycle(household, target="group", rule_id=rule.id)
        self.prepare(cycle)
        self.assertEqual(cycle.payment_ids.partner_id, household)
        self.assertEqual(cycle.payment_ids.payee_id, then)

    def test_a_household_without_head_waits_for_one(self):
        person = self.make_payees(1)
        household = self.env["res.partner"].create(
            {"name": "Household", "is_registrant": True, "is_group": True}
        )
        membership = self.env["spp.group.membership"].create(
            {"group_id": household.id, "individual_id": person.id}
        )
        rule = self.make_rule("Any household", "group", "group.members.size() >= 1")
        cycle = self.approved_cycle(household, target="group", rule_id=rule.id)
        self.prepare(cycle)
        self.assertEqual(cycle.payment_ids.state, "held")
        self.assertIn("no head", cycle.payment_ids.state_reason)
        membership.is_head = True
        membership.flush_recordset()
        cycle.with_user(self.manager).action_recheck_payments()
        self.assertIn("approved with another payee", cycle.payment_ids.state_reason)
        cycle.payment_ids.with_user(self.manager).action_let_go("She is the head")
        self.assertEqual((cycle.payment_ids.state, cycle.payment_ids.payee_id), ("ready", person))


@tagged("post_install", "-at_install")
class TestPaymentHolds(PaymentsCase):
    def test_without_account_held_until_there_is_one(self):
        person, other = self.make_people(1), self.make_payees(1)
        cycle = self.approved_cycle(person | other)
        self.assertEqual(self.prepare(cycle), {"Prepared": 2, "Held": 1, "Batches": 1})
        held = cycle.payment_ids.filtered(lambda payment: payment.state == "held")
        self.assertEqual(held.partner_id, person)
        self.assertIn("no active primary account", held.state_reason)
        self.assertFalse(held.batch_id)
        first_batch = cycle.payment_batch_ids
        self.give_account(person, "77001122")
        cycle.with_user(self.finance).action_recheck_payments()
        self.assertIn("approved with another account", held.state_reason)
        held.with_user(self.finance).action_let_go("The bank confirmed it")
        self.assertEqual((held.state, held.account_number), ("ready", "77001122"))
        self.assertFalse(held.state_reason)
        self.assertEqual(held.batch_id, cycle.payment_batch_ids - first_batch)
        self.assertEqual(first_batch.payment_count, 1)

    def test_an_account_that_ended_is_never_paid(self):
        person = self.make_payees(1)
        cycle = self.approved_cycle(person)
        self.prepare(cycle)
        payment, batch = cycle.payment_ids, cycle.payment_batch_ids
        person.payment_account_ids.action_end()
        new = self.give_account(person, "99887766", is_primary=True)
        self.env["spp.payment"]._recheck_holds(cycle)
        self.assertEqual(payment.state, "held")
        self.assertIn("ended or changed", payment.state_reason)
        self.assertNotEqual(payment.account_id, new)
        self.assertFalse(batch.exists())  # emptied before it was ever sent
        payment.with_user(self.manager).action_use_current_account()
        self.assertEqual(
            (payment.state, payment.account_id, payment.account_number), ("ready", new, "99887766")
        )

    def test_the_dead_are_not_paid(self):
        person = self.make_payees(1)
        cycle = self.approved_cycle(person)
        self.prepare(cycle)
        person.registrant_status = "deceased"
        self.env["spp.payment"]._recheck_holds(cycle)
        self.assertIn("deceased", cycle.payment_ids.state_reason)

    def test_no_manager_or_another_currency(self):
        cycle = self.approved_cycle(self.make_payees(1), payment_manager_id=False)
        self.prepare(cycle)
        self.assertIn("no payment manager", cycle.payment_ids.state_reason)
        cycle.program_id.payment_manager_id = self.payment_manager
        self.payment_manager.currency_id = (
            self.env["res.currency"]
            .with_context(active_test=False)
            .search([("id", "!=", cycle.currency_id.id)], limit=1)
        )
        self.env["spp.payment"]._recheck_holds(cycle)
        self.assertIn("currency", cycle.payment_ids.state_reason)
        self.payment_manager.currency_id = False
        self.env["spp.payment"]._recheck_holds(cycle)
        self.assertEqual(cycle.payment_ids.state, "ready")

    def test_another_manager_gets_batches_of_its_own(self):
        cycle = self.approved_cycle(self.make_payees(2))
        self.prepare(cycle)
        left = cycle.payment_batch_ids
        other = self.payment_manager.copy({"name": "Other"})
        cycle.program_id.payment_manager_id = other
        self.env["spp.payment"]._recheck_holds(cycle)
        self.assertFalse(left.exists())
        self.assertEqual(cycle.payment_ids.batch_id.manager_id, other)

    def test_a_manager_without_provider_sends_nothing(self):
        cycle = self.approved_cycle(self.make_payees(1))
        self.prepare(cycle)
        with self.assertRaisesRegex(UserError, "no provider"):
            cycle.with_user(self.releaser).action_send_payments()
        self.assertEqual((cycle.state, cycle.payment_ids.state), ("approved", "ready"))


@tagged("post_install", "-at_install")
class TestPaymentBulk(PaymentsCase):
    def test_statements_do_not_grow_with_payments(self):
        counts = []
        for code, size in (("FEW", 3), ("MANY", 60)):
            cycle = self.approved_cycle(self.make_payees(size, prefix=code), code=code)
            self.prepare(self.approved_cycle(self.make_payees(1, prefix=f"{code} warm"), code=f"{code}0"))
            self.env.flush_all()
            before = self.cr.sql_log_count
            self.prepare(cycle)
            prepared = self.cr.sql_log_count - before
            payments = cycle.payment_ids
            self.env["spp.payment"]._apply([(each.id, "sending") for each in payments])
            before = self.cr.sql_log_count
            self.env["spp.payment"]._apply([(each.id, "paid") for each in payments])
            counts.append((prepared, self.cr.sql_log_count - before))
            self.assertEqual(set(payments.entitlement_id.mapped("state")), {"paid"})
        self.assertEqual(counts[0], counts[1])
