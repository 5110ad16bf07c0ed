"""PostgreSQL knows how large the tables are before many rows are worked on: its plans fit them."""

from odoo.tests import TransactionCase

from odoo.addons.spp_base.tools import statistics


class TestStatistics(TransactionCase):
    def setUp(self):
        super().setUp()
        self.cr.execute("CREATE TABLE spp_seen AS SELECT generate_series(1, 2000) AS id")

    def known(self):
        self.cr.execute("SELECT reltuples FROM pg_class WHERE oid = 'spp_seen'::regclass")
        return self.cr.fetchone()[0]

    def test_a_table_that_nobody_has_looked_at_is_looked_at_before_many_rows(self):
        statistics.refresh_unknown(self.cr, {"spp_seen"}, 2000)
        self.assertEqual(self.known(), 2000)

    def test_few_rows_are_not_worth_a_look(self):
        statistics.refresh_unknown(self.cr, {"spp_seen"}, statistics.MANY - 1)
        self.assertEqual(self.known(), -1)

    def test_a_hundred_rows_of_a_new_cycle_are_worth_a_look(self):
        statistics.refresh(self.cr, "spp_seen", statistics.FEW)
        self.assertEqual(self.known(), -1)
        statistics.refresh(self.cr, "spp_seen", statistics.FEW, many=statistics.FEW)
        self.assertEqual(self.known(), 2000)

    def test_a_table_that_is_known_is_not_looked_at_again(self):
        statistics.refresh(self.cr, "spp_seen", 2000)
        self.cr.execute("INSERT INTO spp_seen SELECT generate_series(1, 1000)")
        statistics.refresh_unknown(self.cr, {"spp_seen"}, 3000)
        self.assertEqual(self.known(), 2000)
        statistics.refresh_unknown(self.cr, {"spp_seen"}, 5000)
        self.assertEqual(self.known(), 3000)
