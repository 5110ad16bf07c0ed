"""Accounts shared by many or changed a short while ago are flagged, until somebody else clears them."""

from psycopg2 import Error

from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from .common import SparCase


@tagged("post_install", "-at_install")
class TestFlags(SparCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.mapper.write({"shared_most": 2, "changed_days": 7})
        cls.officer, cls.viewer = cls.users_of("enrollment_officer", "program_viewer")

    def flags(self, *people):
        self.env.invalidate_all()
        return [bool(self.primary(person).flag) for person in people]

    def test_shared_by_more_than_the_setting_allows(self):
        first, second = self.person("A1", "5550001"), self.person("A2", "5550001")
        self.assertEqual(self.flags(first, second), [False, False])
        third = self.person("A3", "5550001")
        other = self.person("A4", None)
        self.account(other, "5550001", kind="bank", provider_id=self.bank.copy().id)
        self.assertEqual(self.flags(first, second, third, other), [True, True, True, False])
        flagged = self.env["spp.payment.account"].search([("flag", "!=", False)])
        self.assertEqual(flagged.partner_id, first | second | third)
        self.assertNotIn(self.primary(other), flagged)
        self.assertIn(self.primary(other), flagged.search([("flag", "=", False)]))
        self.primary(third).action_end()
        self.assertEqual(self.flags(first, second), [False, False])
        self.mapper.shared_most = 0
        self.assertEqual(self.flags(first), [False])

    def test_changed_a_short_while_ago(self):
        person = self.person("A1")
        self.drain()
        self.assertEqual(self.flags(person), [False], "the first account is no change")
        self.account(person, "2000000002")
        self.assertEqual(self.flags(person), [True])
        self.assertIn("7 days", self.primary(person).flag)
        self.env.cr.execute("UPDATE spp_spar_change SET create_date = create_date - interval '8 days'")
        self.assertEqual(self.flags(person), [False])
        self.primary(person).number_entry = "3000000003"
        self.assertEqual(self.flags(person), [True], "also where the number is replaced")
        self.mapper.changed_days = 0
        self.assertEqual(self.flags(person), [False])

    def test_a_typing_mistake_that_never_left_is_no_change(self):
        person = self.person("A1")
        self.env.cr.flush()
        self.primary(person).number_entry = "2000000002"
        self.assertEqual(self.flags(person), [False])

    def test_another_id_or_another_way_of_writing_is_no_change(self):
        person = self.person("A1")
        self.drain()
        person.document_ids.write({"value": "A2"})
        self.mapper.fa_bank = "acc:{number}@{bic}"
        self.mapper._job_catch_up()
        self.assertEqual(self.flags(person), [False])

    def test_cleared_by_somebody_else_with_a_reason_until_the_next_change(self):
        person = self.person("A1")
        self.drain()
        account = self.account(person.with_user(self.officer), "2000000002")
        self.env.cr.flush()
        account = account.sudo(False).with_user(self.officer)
        with self.assertRaisesRegex(UserError, "somebody else"):
            account.action_clear_flag("It is hers")
        second = self.officer.copy({"login": "spar_second"})
        with self.assertRaises(UserError):
            account.with_user(second).action_clear_flag(" ")
        with self.assertRaises(AccessError):
            account.with_user(self.viewer).action_clear_flag("It is hers")
        action = account.with_user(second).action_open_clearance()
        wizard = self.env["spp.spar.clear"].with_user(second).with_context(**action["context"])
        wizard.create({"reason": "Bank letter of Monday"}).action_clear()
        self.assertEqual(self.flags(person), [False])
        (clearance,) = account.clearance_ids
        self.assertEqual((clearance.create_uid, clearance.reason), (second, "Bank letter of Monday"))
        with self.assertRaises(UserError):
            account.with_user(second).action_clear_flag("Again")
        self.drain()
        self.env.cr.execute("UPDATE spp_spar_change SET create_date = create_date - interval '1 hour'")
        self.env.cr.execute("SET LOCAL spp.allow_rewrite = 'on'")
        self.env.cr.execute("UPDATE spp_spar_clearance SET create_date = create_date - interval '1 hour'")
        account.with_user(self.officer).number_entry = "3000000003"
        self.assertEqual(self.flags(person), [True])

    def test_cleared_for_so_many_and_not_for_more(self):
        people = [self.person(f"A{number}", "5550001") for number in range(3)]
        self.env.cr.flush()
        self.primary(people[0]).with_user(self.officer).action_clear_flag("Three sisters")
        self.assertEqual(self.flags(*people), [False, True, True])
        self.person("A9", "5550001")
        self.assertEqual(self.flags(people[0]), [True])

    def test_the_trail_of_clearances_stays(self):
        person = self.person("A1", "5550001")
        self.person("A2", "5550001")
        self.person("A3", "5550001")
        self.env.cr.flush()
        self.primary(person).with_user(self.officer).action_clear_flag("Sisters")
        clearance = self.primary(person).clearance_ids
        for user in (self.officer, self.viewer):
            with self.assertRaises(AccessError):
                clearance.with_user(user).write({"reason": "Other"})
        with self.assertRaises(Error), mute_logger("odoo.sql_db"), self.env.cr.savepoint():
            clearance.sudo().reason = "Other"
            self.env.flush_all()
