"""Rows that an import writes in bulk cannot be told from rows that the ORM made: every column of both is compared."""

from unittest.mock import patch

from odoo.tests import TransactionCase, tagged

from odoo.addons.spp_base.tests.common import LikeTheOrm
from odoo.addons.spp_registry.tools import bulk_rows

from .common import MisMixin

LINES = {
    "spp.identity.document": {"value": "ANOTHER"},
    "spp.phone.number": {},
    "spp.payment.account": {},
    "spp.group.membership": {},
}


@tagged("post_install", "-at_install")
class TestBulkRows(LikeTheOrm, MisMixin, TransactionCase):
    def test_where_a_registrant_comes_from(self):
        self.do_import()
        known = self.env["spp.registrant.source"].search([("source", "=", self.source._code())], limit=1)
        self.assertTrue(known)
        self.assert_like_the_orm(known, external_id="individual:another")

    def test_registrants_and_what_belongs_to_them(self):
        before = self.env["res.partner"].search([], order="id desc", limit=1).id
        with patch.object(bulk_rows, "create", wraps=bulk_rows.create) as made:
            self.do_import()
        self.assertEqual(
            {call.args[0]._name for call in made.call_args_list},
            {"res.partner", *LINES},
            "if the ORM made them, this test would compare its rows with themselves",
        )
        person, other = self.registrant("individual", 8), self.registrant("individual", 1152)
        for partner in (person, other, self.registrant("group", 7)):
            self.assertGreater(partner.id, before)
            self.assertEqual(partner.commercial_partner_id, partner)
            self.assert_like_the_orm(partner, commercial_partner_id=other.id)
        for name, differing in LINES.items():
            link = "individual_id" if name == "spp.group.membership" else "partner_id"
            line = self.env[name].search([(link, "=", person.id)], limit=1)
            self.assertTrue(line, name)
            if name == "spp.group.membership":
                differing = {"individual_id": other.id}
                self.assertEqual(sorted(line.role_ids.mapped("name")), ["Head", "Principal recipient"])
            self.assert_like_the_orm(line, **differing)

    def test_the_orm_makes_the_rows_where_an_addon_would_do_more(self):
        """A stored computed column, or a create(), of an addon that does not know of rows made in bulk."""
        model = self.env["spp.phone.number"]
        self.assertTrue(all(bulk_rows.fits(self.env[name]) for name in bulk_rows.KNOWN))
        with patch.dict(
            bulk_rows.KNOWN, {"spp.phone.number": bulk_rows.Columns(given=("partner_id", "number"))}
        ):
            self.assertFalse(bulk_rows.fits(model), "a stored computed column that nobody told us of")
        with patch.object(bulk_rows, "OWN", ("odoo.models", "odoo.orm.")):
            self.assertFalse(bulk_rows.fits(self.env["res.partner"]), "a create() that nobody told us of")
        with patch.object(bulk_rows, "fits", return_value=False), patch.object(bulk_rows, "create") as made:
            run = self.do_import()
        self.assertEqual((run.counts["Created"], made.call_count), (289, 0))

    def test_records_that_wait(self):
        self.do_import()
        held = self.env["spp.mis.held"].search([("source_id", "=", self.source.id)], limit=1)
        self.assertTrue(held)
        self.assert_like_the_orm(held, external_id="individual:another")
