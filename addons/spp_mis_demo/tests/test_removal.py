"""Uninstalling leaves nothing of the demonstration, in any table, and takes nothing else."""

from odoo.exceptions import UserError
from odoo.tests import tagged
from odoo.tools import SQL

from ..hooks import uninstall_hook
from .common import DemoCase


def rows_by_table(cr):
    """{table: number of rows} of the whole database."""
    cr.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    tables = [table for (table,) in cr.fetchall()]
    counts = {}
    for table in tables:
        cr.execute(SQL("SELECT count(*) FROM %s", SQL.identifier(table)))
        counts[table] = cr.fetchone()[0]
    return counts


@tagged("post_install", "-at_install")
class TestRemoval(DemoCase):
    @classmethod
    def before_creation(cls):
        cls.env.flush_all()
        cls.counts = rows_by_table(cls.env.cr)
        cls.env.cr.execute("SELECT module, name FROM ir_model_data")
        cls.names = set(cls.env.cr.fetchall())

    def test_nothing_is_left(self):
        program = self.programs["relief"]
        self.as_role("program_manager", program).action_enroll(str(program.calendar_start or "2026-11-21"))
        uninstall_hook(self.env)
        left = rows_by_table(self.env.cr)
        left.pop("spp_mis_demo", None)
        self.assertEqual({name: left[name] for name in left if left[name] != self.counts[name]}, {})
        self.env.cr.execute("SELECT module, name FROM ir_model_data")
        self.assertEqual(set(self.env.cr.fetchall()), self.names)
        self.assertEqual(self.users["auditor"].company_ids, self.env.ref("base.main_company"))

    def test_who_takes_part_elsewhere_is_not_deleted(self):
        elsewhere = self.env["spp.program"].create(
            {"name": "Elsewhere", "code": "ELSE", "target": "individual"}
        )
        self.env["spp.program.membership"].create(
            {"program_id": elsewhere.id, "partner_id": self.personas["amina"].id}
        )
        with self.assertRaisesRegex(UserError, "1 members of programs of other companies"):
            uninstall_hook(self.env)
