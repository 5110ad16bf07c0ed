"""Between complete imports only what changed is read; who is gone is known after a complete import only."""

from odoo.tests import TransactionCase, tagged

from .common import MisMixin


@tagged("post_install", "-at_install")
class TestIncrement(MisMixin, TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.do_import()
        cls.source.overlap = 0

    def setUp(self):
        super().setUp()
        self.control("reset")

    def changes(self):
        run = self.do_import(is_full=False)
        self.assertEqual(run.state, "done", run.message)
        return run

    def member(self, number, group=7):
        person, household = self.registrant("individual", number), self.registrant("group", group)
        return household.member_ids.filtered(lambda one: one.individual_id == person)

    def settle(self):
        """One import of changes, so that the newest stamp is that of a change of today."""
        self.at_source("res.partner", 13, {"email": "first@example.org"})
        self.changes()

    def test_only_what_changed_is_read(self):
        self.settle()
        self.at_source("res.partner", 8, {"email": "flora@example.org"})
        run = self.changes()
        self.assertEqual(self.registrant("individual", 8).email, "flora@example.org")
        self.assertLessEqual(run.counts["Read"], 2, "the one that changed, and the one at the stamp itself")
        self.assertEqual(run.counts["Updated"], 1)
        self.assertNotIn("No longer at the source", run.counts)
        self.assertIn("Changes", run.name)

    def test_the_stamp_is_the_sources_and_in_utc(self):
        self.settle()
        with self.source._reader() as reader:
            newest = reader.newest()
        self.assertEqual(self.source.watermark, newest.replace(tzinfo=None, microsecond=0))

    def test_the_stamp_is_taken_before_anything_is_read(self):
        """What changes behind the reader's back while it reads comes with the next import."""
        self.settle()
        before = self.source.watermark
        self.source.action_import_all()
        self.work(2)
        self.at_source("res.partner", 8, {"email": "meanwhile@example.org"})  # its page has been read
        self.work()
        self.assertEqual(self.source.watermark, before)
        self.changes()
        self.assertEqual(self.registrant("individual", 8).email, "meanwhile@example.org")

    def test_an_import_without_changes_is_a_success(self):
        self.settle()
        self.source.write({"watermark": "2999-01-01 00:00:00", "last_success_at": False})
        run = self.changes()
        self.assertEqual((run.counts["Read"], run.counts["Failed"]), (0, 0))
        self.assertTrue(self.source.last_success_at)

    def test_clocks_that_differ_do_not_matter(self):
        """Stamps are compared with stamps of the same clock, however wrong that is."""
        self.source.watermark = False
        self.at_source("res.partner", 8, {"email": "flora@example.org"})
        self.do_import()
        told = self.source.watermark
        self.source.flush_recordset()
        self.assertTrue(told)
        self.at_source("res.partner", 9, {"email": "bea@example.org"})
        run = self.changes()
        self.assertEqual(self.registrant("individual", 9).email, "bea@example.org")
        self.assertLessEqual(run.counts["Read"], 2)

    def test_overlap(self):
        self.settle()
        self.source.watermark = "2999-01-01 00:00:00"
        self.assertEqual(self.changes().counts["Read"], 0)
        self.source.overlap = 60 * 24 * 366 * 1000
        self.source.watermark = "2999-01-01 00:00:00"
        self.assertEqual(self.changes().counts["Read"], 290)

    def test_children_that_do_not_move_their_person(self):
        self.settle()
        self.at_source("g2p.reg.id", 2, {"value": "NID-NEW"})
        self.at_source("g2p.phone.number", None, {"partner_id": 9, "phone_no": "+639170009999"})
        self.at_source("res.partner.bank", None, {"partner_id": 12, "bank_id": 2, "acc_number": "ACC NEW"})
        self.changes()
        self.assertIn("NID-NEW", self.registrant("individual", 8).document_ids.mapped("value"))
        self.assertIn("+639170009999", self.registrant("individual", 9).phone_number_ids.mapped("number"))
        self.assertIn("ACC NEW", self.registrant("individual", 12).payment_account_ids.mapped("number"))

    def test_memberships(self):
        self.settle()
        self.at_source("g2p.group.membership", 2, {"ended_date": "2026-11-25T08:00:00"})
        self.changes()
        self.assertEqual(str(self.member(9).ended), "2026-11-25")

    def test_complete_again_when_it_is_due(self):
        self.settle()
        self.assertNotIn("No longer at the source", self.changes().counts)
        self.source.last_full_at = "2020-01-01"
        self.assertEqual(self.changes().counts["Read"], 290)

    def test_failed_import_moves_no_stamp(self):
        self.settle()
        before = self.source.watermark
        self.at_source("res.partner", 8, {"email": "flora@example.org"})
        self.control("faults", fault="html", path="/web/dataset/call_kw/g2p.reg.id/search_read", times=None)
        self.assertEqual(self.do_import(is_full=False).state, "failed")
        self.assertEqual(self.source.watermark, before)

    def test_member_gone_at_the_source_ends_after_a_complete_import(self):
        self.settle()
        self.at_source("g2p.group.membership", 2, None)
        self.changes()
        self.assertFalse(self.member(9).ended, "a part of the registry proves nothing")
        run = self.do_import()
        self.assertEqual(run.counts["Memberships ended"], 1)
        self.assertTrue(self.member(9).ended)
        self.assertEqual(self.do_import().counts["Memberships ended"], 0)

    def test_member_who_comes_back_does_not_end(self):
        self.settle()
        row = {"group": 7, "individual": 9, "kind": [2]}
        self.at_source("g2p.group.membership", 2, None)
        self.changes()
        self.at_source("g2p.group.membership", None, row)
        self.do_import()
        self.assertEqual(self.member(9).mapped("ended"), [False])

    def test_member_added_here_stays(self):
        here = self.env["res.partner"].create({"name": "Here Only", "is_registrant": True})
        household = self.registrant("group", 7)
        self.env["spp.group.membership"].create({"group_id": household.id, "individual_id": here.id})
        self.at_source("g2p.group.membership", 2, None)
        self.do_import()
        self.assertFalse(here.membership_ids.ended)

    def test_place_that_was_ended_here_is_not_taken_up_again(self):
        self.member(9).ended = "2026-11-22"
        self.at_source("res.partner", 7, {"email": "other@example.org"})
        self.do_import()
        self.assertEqual(len(self.member(9)), 1)
        self.assertEqual(str(self.member(9).ended), "2026-11-22")

    def test_role_that_the_source_takes_back(self):
        local = self.env["spp.membership.role"].create({"name": "Interpreter", "code": "interpreter"})
        self.member(9).role_ids += local
        self.at_source("g2p.group.membership", 2, {"kind": []})
        self.do_import()
        self.assertEqual(self.member(9).role_ids, local)

    def test_who_is_gone_is_listed_and_stays_registered(self):
        self.at_source("res.partner", 13, None)
        group = self.registrant("group", 13)
        run = self.do_import()
        self.assertEqual(run.counts["No longer at the source"], 1)
        self.assertTrue(group.active)
        self.assertTrue(all(group.member_ids.mapped("ended")))
        self.assertEqual(self.source.absent_count, 1)
        listed = self.env["spp.registrant.source"].search(self.source.action_open_absent()["domain"])
        self.assertEqual(listed.partner_id, group)
        self.control("reset")
        self.do_import()
        self.assertEqual(self.source.absent_count, 0)

    def test_an_empty_source_ends_nothing(self):
        self.control("faults", fault="refuse_all", path="/api/v1/registry/*", times=None)
        self.source.dialect = "rest"
        run = self.do_import()
        self.assertEqual((run.state, run.counts["Memberships ended"]), ("done", 0))
        self.assertIn("no membership was ended", run.message)
        self.assertFalse(any(self.registrant("group", 7).member_ids.mapped("ended")))
