"""A complete import reads numbers and stamps first, and whole only what moved; where nothing did, nothing is written."""

import re
from unittest.mock import patch

from odoo.sql_db import Cursor
from odoo.tests import TransactionCase, tagged

from ..wire import JsonRpcReader
from .common import MisMixin

# What every run notes of itself, whatever it finds.
OF_RUNS = re.compile(r"queue_job|spp_run|spp_mis_source|spp_audit_entry|spp_base_sequence")
WRITES = re.compile(r"\s*(INSERT INTO|UPDATE|DELETE FROM)\s+\"?(\w+)", re.IGNORECASE)


@tagged("post_install", "-at_install")
class TestStamps(MisMixin, TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.at_source("res.partner", 1116, None)  # what cannot be stored is tried each time
        cls.source.overlap = 1
        cls.do_import()

    def setUp(self):
        super().setUp()
        self.control("reset")
        self.at_source("res.partner", 1116, None)
        self.whole = []
        rows = JsonRpcReader._rows

        def read(reader, kind, domain, **kwargs):
            told = rows(reader, kind, domain, **kwargs)
            self.whole += [row["id"] for row in told]
            return told

        self.patch(JsonRpcReader, "_rows", read)

    def complete(self):
        self.whole.clear()
        run = self.do_import()
        self.assertEqual(run.state, "done", run.message)
        return run

    def at_rest(self):
        """What moved a moment ago counts as moved until its stamps are a while old."""
        self.patch(JsonRpcReader, "_bound", lambda reader: "2999-01-01 00:00:00")
        self.complete()

    def test_where_nothing_changed_nothing_is_read_whole_and_nothing_written(self):
        self.at_rest()
        written, execute = [], Cursor.execute

        def spy(cursor, query, *args, **kwargs):
            if found := WRITES.match(getattr(query, "code", query)):
                written.append(found[2])
            return execute(cursor, query, *args, **kwargs)

        with patch.object(Cursor, "execute", spy):
            run = self.complete()
        self.assertEqual(self.whole, [])
        self.assertEqual((run.counts["Read"], run.counts["Unchanged"]), (289, 289))
        self.assertIn("spp_run", written, "statements are looked at")
        self.assertEqual({table for table in written if not OF_RUNS.match(table)}, set())

    def test_what_belongs_to_a_person_moves_that_person(self):
        self.at_rest()
        self.at_source("g2p.reg.id", 2, {"value": "NID-NEW"})
        self.at_source("g2p.phone.number", None, {"partner_id": 9, "phone_no": "+639170009999"})
        run = self.complete()
        self.assertEqual(sorted(self.whole), [8, 9])
        self.assertEqual((run.counts["Updated"], run.counts["Unchanged"]), (2, 287))
        self.assertIn("NID-NEW", self.registrant("individual", 8).document_ids.mapped("value"))

    def test_what_was_taken_away_moves_too(self):
        self.at_rest()
        self.at_source("g2p.reg.id", 2, None)
        self.complete()
        self.assertEqual(self.whole, [8])

    def test_a_name_changed_in_a_list_of_the_source_moves_everybody(self):
        self.at_rest()
        self.at_source("res.bank", 2, {"name": "Renamed Rural Bank"})
        self.complete()
        self.assertEqual(len(self.whole), 289)
        self.complete()
        self.assertEqual(self.whole, [])

    def test_a_stamp_of_this_moment_does_not_tell(self):
        """The same second may bring another change, and an open transaction what it stamped before."""
        self.at_source("res.partner", 8, {"email": "flora@example.org"})
        self.complete()
        self.complete()
        self.assertEqual(self.whole, [8])

    def test_a_source_without_a_clock_is_read_whole(self):
        self.at_rest()
        self.patch(JsonRpcReader, "_bound", lambda reader: "")
        self.complete()
        self.assertEqual(len(self.whole), 289)

    def test_a_source_that_is_changed_without_stamps(self):
        self.at_rest()
        self.source.trust_stamps = False
        self.complete()
        self.assertEqual(len(self.whole), 289)

    def test_more_changes_than_are_stored_together(self):
        self.at_rest()
        self.source.page_size = 2
        for number in (8, 9, 10, 11, 12):
            self.at_source("res.partner", number, {"email": f"mail{number}@example.org"})
        run = self.complete()
        self.assertEqual((run.counts["Updated"], run.counts["Read"]), (5, 289))
        self.assertEqual(self.registrant("individual", 12).email, "mail12@example.org")

    def test_who_is_gone_and_who_comes_back(self):
        self.at_rest()
        self.at_source("res.partner", 13, None)
        self.assertEqual(self.complete().counts["No longer at the source"], 1)
        self.assertEqual(self.source.absent_count, 1)
        self.assertEqual(self.complete().counts["No longer at the source"], 1)
        self.control("reset")
        self.at_source("res.partner", 1116, None)
        self.assertEqual(self.complete().counts["No longer at the source"], 0)
        self.assertEqual(self.source.absent_count, 0)

    def test_what_waits_is_read_again_even_if_it_did_not_move(self):
        self.at_rest()
        self.at_source("res.partner", 8, {"birthdate": "2999-01-01"})
        self.complete()
        self.assertEqual(self.held("individual:8").state, "waiting")
        self.complete()
        self.assertEqual(self.whole, [8])
        self.assertEqual(self.held("individual:8").attempts, 2)
