"""After submission nothing can change who is due what: not the ORM, not a client, not SQL."""

import psycopg2

from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from .common import AS_OF, ProgramsCase


@tagged("post_install", "-at_install")
class TestFrozen(ProgramsCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.program = cls.make_program(fund="1000.00")
        cls.add(cls.program, cls.make_people(2))
        cls.program.with_user(cls.officer).action_enroll(AS_OF)
        cls.cycle = cls.make_cycle(cls.program, submit=True)
        cls.entitlement = cls.cycle.entitlement_ids[0]
        cls.beneficiary = cls.cycle.beneficiary_ids[0]

    def refused(self, statement, params):
        with self.assertRaises(psycopg2.IntegrityError), self.env.cr.savepoint():
            self.env.cr.execute(statement, params)

    @mute_logger("odoo.sql_db")
    def test_by_sql(self):
        other = self.make_person("Other")
        statements = [
            ("UPDATE spp_entitlement SET amount = 999999 WHERE id = %s", [self.entitlement.id]),
            ("UPDATE spp_entitlement SET partner_id = %s WHERE id = %s", [other.id, self.entitlement.id]),
            ("DELETE FROM spp_entitlement WHERE id = %s", [self.entitlement.id]),
            (
                "UPDATE spp_cycle_beneficiary SET outcome = 'not_eligible' WHERE id = %s",
                [self.beneficiary.id],
            ),
            ("UPDATE spp_cycle_beneficiary SET facts = '{}' WHERE id = %s", [self.beneficiary.id]),
            ("DELETE FROM spp_cycle_beneficiary WHERE id = %s", [self.beneficiary.id]),
            (
                """
                INSERT INTO spp_entitlement
                    (reference, cycle_id, period_id, program_id, beneficiary_id, partner_id, benefit_id, kind, amount,
                     currency_id, state)
                SELECT reference || 'x', cycle_id, period_id, program_id, beneficiary_id, %s, benefit_id, kind, amount,
                       currency_id, state
                  FROM spp_entitlement WHERE id = %s
                """,
                [other.id, self.entitlement.id],
            ),
        ]
        self.env.flush_all()
        for statement, params in statements:
            self.refused(statement, params)
        self.cycle.with_user(self.approver).action_approve()
        self.env.flush_all()
        for statement, params in statements:
            self.refused(statement, params)

    @mute_logger("odoo.sql_db")
    def test_a_draft_cannot_take_in_frozen_rows(self):
        draft = self.make_cycle(self.program, "2026-07-01", "2026-07-31")
        self.env.flush_all()
        self.refused(
            "UPDATE spp_entitlement SET cycle_id = %s WHERE id = %s", [draft.id, self.entitlement.id]
        )
        self.refused(
            "UPDATE spp_entitlement SET cycle_id = %s WHERE id = %s",
            [self.cycle.id, draft.entitlement_ids[0].id],
        )

    def test_by_the_orm(self):
        for values in ({"amount": 5}, {"state": "paid"}, {"partner_id": self.make_person("Other").id}):
            with self.assertRaises(UserError):
                self.entitlement.sudo().write(values)
            for user in self.users.values():
                with self.assertRaises(UserError):
                    self.entitlement.with_user(user).write(values)
        with self.assertRaises(UserError):
            self.program.with_user(self.manager).write(
                {
                    "cycle_ids": [
                        (1, self.cycle.id, {"entitlement_ids": [(1, self.entitlement.id, {"amount": 5})]})
                    ]
                }
            )
        for user in self.users.values():
            with self.assertRaises(AccessError):
                self.entitlement.with_user(user).unlink()

    def test_the_cycles_own_settings(self):
        for values in (
            {"as_of": "2026-06-02"},
            {"start": "2026-06-02"},
            {"state": "approved"},
            {"submitted_by": False},
            {"total_amount": 1},
            {"approved_by": self.approver.id},
        ):
            with self.assertRaises(UserError):
                self.cycle.write(values)
        with self.assertRaises(UserError):
            self.cycle.action_compute()

    def test_a_context_key_opens_nothing(self):
        cycle = (
            self.env["spp.cycle"]
            .with_user(self.manager)
            .with_context(default_state="approved")
            .create(
                {
                    "program_id": self.program.id,
                    "start": "2026-09-01",
                    "end": "2026-09-30",
                    "as_of": "2026-09-01",
                }
            )
        )
        self.assertEqual(cycle.state, "draft")
        member = (
            self.env["spp.program.membership"]
            .with_user(self.officer)
            .with_context(default_state="enrolled", default_by_hand=True)
            .create({"program_id": self.program.id, "partner_id": self.make_person("New").id})
        )
        self.assertEqual((member.state, member.by_hand), ("candidate", False))

    def test_registry_edits_change_nothing(self):
        before = self.cycle.total_amount, self.cycle.beneficiary_ids.mapped("reason")
        self.cycle.sudo().beneficiary_ids.partner_id.birthdate = "2020-01-01"
        self.program.with_user(self.manager).benefit_ids.amount = 1
        self.cycle.with_user(self.approver).action_approve()
        self.assertEqual((self.cycle.total_amount, self.cycle.beneficiary_ids.mapped("reason")), before)
        self.assertEqual(self.program.fund_committed, 200)
