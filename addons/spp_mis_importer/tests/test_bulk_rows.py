"""Rows that an import writes in bulk cannot be told from rows that the ORM made: every column of both is compared."""

from contextlib import closing
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

    def test_what_nobody_gave_is_as_the_orm_leaves_it(self):
        """The same values to both: a twin made of what a row holds would hide a default that only one of them sets."""
        person = self.env["res.partner"].create({"name": "Some Body", "is_registrant": True})
        passport = self.env.ref("spp_registry.identity_type_passport")
        household = self.env["res.partner"].create({"name": "H", "is_registrant": True, "is_group": True})
        for name, values in (
            ("res.partner", {"name": "ANA", "is_registrant": True}),
            ("spp.identity.document", {"partner_id": person.id, "type_id": passport.id, "value": "P"}),
            ("spp.phone.number", {"partner_id": person.id, "number": "+254712345678"}),
            ("spp.payment.account", {"partner_id": person.id, "number": "1"}),
            ("spp.group.membership", {"group_id": household.id, "individual_id": person.id}),
        ):
            model = self.env[name]
            others, rows = self.second(name, values), []
            for make in (model.create, lambda vals_list, m=model: bulk_rows.create(m, vals_list)):
                with closing(self.env.cr.savepoint()):
                    # The first account of a person is the primary one; the second tells more.
                    made = make([values, *others])
                    self.env.flush_all()
                    rows.append([self._row(record) for record in made])
                self.env.invalidate_all(flush=False)
            for ours, theirs in zip(*rows, strict=True):
                differing = {"id", "commercial_partner_id"} if name == "res.partner" else {"id"}
                for column in ours.keys() - differing:
                    self.assertEqual(ours[column], theirs[column], f"{name}.{column}")

    def second(self, name, values):
        if name == "spp.group.membership":
            other = self.env["res.partner"].create({"name": "Other", "is_registrant": True})
            return [{**values, "individual_id": other.id}]
        return [values]

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
