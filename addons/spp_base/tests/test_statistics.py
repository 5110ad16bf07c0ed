"""PostgreSQL knows how large the tables are before many rows are worked on: its plans fit them."""

import threading
from contextlib import closing

from odoo.sql_db import db_connect
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


class TestSomebodyElseLooks(TransactionCase):
    """Autovacuum makes way when it is waited for; another run keeps its lock to its end."""

    def setUp(self):
        super().setUp()
        self.run_sql("CREATE TABLE spp_looked_at AS SELECT generate_series(1, 2000) AS id")
        self.addCleanup(self.run_sql, "DROP TABLE spp_looked_at")
        self.other, self.own = (db_connect(self.cr.dbname).cursor() for _each in range(2))
        for cursor in (self.other, self.own):
            self.addCleanup(cursor.close)
        self.other.execute("LOCK TABLE spp_looked_at IN SHARE UPDATE EXCLUSIVE MODE")

    def run_sql(self, statement):
        with closing(db_connect(self.cr.dbname).cursor()) as cr:
            cr._cnx.autocommit = True
            cr.execute(statement)

    def look(self):
        """What is known after a look."""
        statistics.refresh(self.own, "spp_looked_at", 2000)
        self.own.execute(
            "SELECT reltuples, current_setting('lock_timeout') FROM pg_class WHERE relname = 'spp_looked_at'"
        )
        return self.own.fetchone()

    def test_a_look_waits_until_the_other_has_ended(self):
        threading.Timer(0.3, self.other.rollback).start()
        self.assertEqual(self.look(), (2000, "0"))

    def test_work_goes_on_without_a_look_where_the_other_does_not_end(self):
        self.assertEqual(self.look(), (-1, "0"))
