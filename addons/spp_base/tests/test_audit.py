"""The trail can be written and read, and never changed."""

import psycopg2

from odoo.tests.common import TransactionCase, new_test_user, tagged
from odoo.tools import mute_logger


@tagged("post_install", "-at_install")
class TestAudit(TransactionCase):
    def setUp(self):
        super().setUp()
        self.person = self.env["res.partner"].create({"name": "Ada"})
        self.entry = self.env["spp.audit.entry"]._log(
            "Status changed", self.person, old={"status": "active"}, new={"status": "deceased"}, note="Seen"
        )

    def test_entry_says_who_did_what(self):
        self.assertRecordValues(
            self.entry,
            [
                {
                    "user_id": self.env.uid,
                    "action": "Status changed",
                    "res_model": "res.partner",
                    "res_id": self.person.id,
                    "res_name": "Ada",
                    "partner_id": self.person.id,
                    "old": {"status": "active"},
                    "new": {"status": "deceased"},
                    "note": "Seen",
                }
            ],
        )
        self.assertIn("<td>status</td><td>active</td><td>deceased</td>", self.entry.changes)
        self.assertEqual(self.entry.action_open()["res_id"], self.person.id)

    def test_entry_of_a_run_and_without_a_record(self):
        run = self.env["spp.run"]._start("test", "Test", self.person)
        entry = self.env["spp.audit.entry"]._log("Imported", self.env["res.partner"], run=run)
        self.assertEqual((entry.run_id, entry.res_id), (run, 0))

    @mute_logger("odoo.sql_db")
    def refused(self, statement):
        self.env.flush_all()
        with self.assertRaises(psycopg2.errors.InsufficientPrivilege), self.cr.savepoint():
            self.cr.execute(statement)

    def test_database_refuses_changes(self):
        self.refused("UPDATE spp_audit_entry SET action = 'x'")
        self.refused("DELETE FROM spp_audit_entry")
        self.refused("TRUNCATE spp_audit_entry")
        self.env.invalidate_all()
        self.assertEqual(self.entry.action, "Status changed")

    @mute_logger("odoo.sql_db")
    def test_superuser_is_refused_too(self):
        for change in (lambda: self.entry.sudo().write({"action": "x"}), self.entry.sudo().unlink):
            with self.assertRaises(psycopg2.errors.InsufficientPrivilege), self.cr.savepoint():
                change()
                self.env.flush_all()

    @mute_logger("odoo.sql_db")
    def test_person_in_the_trail_cannot_be_deleted(self):
        # a ForeignKeyViolation, from PostgreSQL 18 on a RestrictViolation
        with self.assertRaises(psycopg2.IntegrityError), self.cr.savepoint():
            self.person.unlink()

    def test_migration_may_say_so(self):
        self.env.flush_all()
        with self.cr.savepoint():
            self.cr.execute("SET LOCAL spp.allow_rewrite = 'on'")
            self.cr.execute("UPDATE spp_audit_entry SET note = 'x' WHERE id = %s", [self.entry.id])
            self.assertEqual(self.cr.rowcount, 1)
            self.cr.execute("DELETE FROM spp_audit_entry WHERE id = %s", [self.entry.id])
            self.assertEqual(self.cr.rowcount, 1)
            self.cr.execute("SET LOCAL spp.allow_rewrite = ''")
        self.refused("TRUNCATE spp_audit_entry")

    def test_changes_of_settings_are_logged_with_old_and_new_value(self):
        endpoint = self.env["spp.endpoint"].create({"name": "Payer", "base_url": "https://a.example.org"})
        endpoint.write({"base_url": "https://b.example.org", "name": "Payer"})
        endpoint.secret = "hush"
        self.env.flush_all()
        trail = self.env["spp.audit.entry"].search(
            [("res_model", "=", "spp.endpoint"), ("res_id", "=", endpoint.id)], order="id"
        )
        self.assertEqual(
            trail.mapped("action"),
            ["Outside System created", "Outside System changed", "Endpoint's secret set"],
        )
        self.assertEqual(
            (trail[1].old, trail[1].new),
            ({"Base URL": "https://a.example.org"}, {"Base URL": "https://b.example.org"}),
        )
        self.assertEqual(trail[1].changes_text, "Base URL: https://a.example.org → https://b.example.org")
        self.assertNotIn("hush", str(trail.read()))
        endpoint.write({"name": "Payer"})
        self.assertEqual(
            len(trail.search([("res_model", "=", "spp.endpoint"), ("res_id", "=", endpoint.id)])), 3
        )

    def test_an_auditor_exports_the_trail(self):
        auditor = new_test_user(self.env, login="exports", groups="spp_base.group_auditor")
        rows = self.entry.with_user(auditor).export_data(
            ["at", "user_id", "action", "res_name", "changes_text"]
        )
        self.assertEqual(rows["datas"][0][2:], ["Status changed", "Ada", "status: active → deceased"])
