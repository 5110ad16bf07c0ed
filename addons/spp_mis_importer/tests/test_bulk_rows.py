"""Rows that an import writes in bulk cannot be told from rows that the ORM made: every column of both is compared."""

from odoo.tests import TransactionCase, tagged

from odoo.addons.spp_base.tests.common import LikeTheOrm

from .common import MisMixin


@tagged("post_install", "-at_install")
class TestBulkRows(LikeTheOrm, MisMixin, TransactionCase):
    def test_where_a_registrant_comes_from(self):
        self.do_import()
        known = self.env["spp.registrant.source"].search([("source", "=", self.source._code())], limit=1)
        self.assertTrue(known)
        self.assert_like_the_orm(known, external_id="individual:another")

    def test_records_that_wait(self):
        self.do_import()
        held = self.env["spp.mis.held"].search([("source_id", "=", self.source.id)], limit=1)
        self.assertTrue(held)
        self.assert_like_the_orm(held, external_id="individual:another")
