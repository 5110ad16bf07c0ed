"""Registrants inserted in bulk cannot be told from those that the ORM made."""

from dataclasses import replace
from unittest.mock import patch

from odoo.exceptions import AccessError, UserError
from odoo.tests import TransactionCase, new_test_user, tagged
from odoo.tools import SQL

from odoo.addons.spp_base.tests.common import LikeTheOrm

from ..tools import bulk_rows
from .common import RegistryMixin

COLUMNS = ("name", "family_name", "birthdate", "income", "gender")
ROW = "SELECT 'SOME BODY', 'BODY', date '1990-05-01', 12.5, 'female'"


@tagged("post_install", "-at_install")
class TestBulk(LikeTheOrm, RegistryMixin, TransactionCase):
    def rows(self, partners):
        self.env.flush_all()
        self.env.cr.execute("SELECT * FROM res_partner WHERE id IN %s ORDER BY id", [tuple(partners.ids)])
        return self.env.cr.dictfetchall()

    def create_from(self, columns, query, env=None, **values):
        values = {"name": "-", "is_registrant": True, **values}
        return bulk_rows.create_from((env or self.env)["res.partner"], columns, query, values)

    def test_every_column_is_as_the_orm_has_it(self):
        for is_group in (False, True):
            vals = dict(zip(COLUMNS, ("SOME BODY", "BODY", "1990-05-01", 12.5, "female"), strict=True))
            vals = {name: vals[name] for name in (("name",) if is_group else COLUMNS)}
            one = self.env["res.partner"].create({"is_registrant": True, "is_group": is_group, **vals})
            query = SQL("SELECT 'SOME BODY'") if is_group else SQL(ROW)
            self.assertEqual(self.create_from(list(vals), query, is_group=is_group), 1)
            other = self.env["res.partner"].search([("name", "=", "SOME BODY")], order="id desc", limit=1)
            self.assertGreater(other.id, one.id)
            by_orm, in_bulk = self.rows(one + other)
            self.assertEqual(in_bulk["commercial_partner_id"], other.id)
            for column in by_orm.keys() - {"id", "commercial_partner_id"}:
                self.assertEqual(in_bulk[column], by_orm[column], column)
            self.assertFalse(other.message_ids)
            self.assertFalse(other.message_follower_ids)

    def test_the_template_is_gone(self):
        before = self.env["res.partner"].with_context(active_test=False).search_count([])
        self.create_from(["name"], SQL("SELECT 'A' || n FROM generate_series(1, 5) n"))
        self.assertEqual(self.env["res.partner"].with_context(active_test=False).search_count([]), before + 5)

    def test_a_computed_column_that_is_not_known_is_refused(self):
        known = bulk_rows.KNOWN["res.partner"]
        fewer = replace(known, same=known.same - {"partner_share"})
        with patch.dict(bulk_rows.KNOWN, {"res.partner": fewer}):
            with self.assertRaisesRegex(UserError, "another module"):
                self.create_from(COLUMNS, SQL(ROW))
        with self.assertRaisesRegex(UserError, "email_normalized"):  # only Python computes it
            self.create_from(["name", "email"], SQL("SELECT 'A', 'a@example.org'"))

    def test_events_are_as_the_orm_has_them(self):
        person = self.env["res.partner"].create({"is_registrant": True, "name": "Somebody"})
        event = {"partner_id": person.id, "kind": "school_attendance", "date": "2026-05-01", "value": "92"}
        self.assert_like_the_orm(bulk_rows.create(self.env["spp.event"], [event]))
        with self.assertRaisesRegex(UserError, "no event kind “other”"):
            bulk_rows.create(self.env["spp.event"], [{**event, "kind": "other"}])

    def test_who_may_not_create_registrants_may_not_so(self):
        viewer = new_test_user(self.env, "bulk_viewer", groups="spp_base.group_program_viewer")
        with self.assertRaises(AccessError):
            self.create_from(COLUMNS, SQL(ROW), env=self.env(user=viewer))
