"""Documents and phones that were changed or taken away, here or at the source."""

from odoo import fields
from odoo.tests import TransactionCase, tagged

from .common import MisMixin


@tagged("post_install", "-at_install")
class TestLines(MisMixin, TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.control("reset")
        cls.do_import()
        cls.flora = cls.registrant("individual", 8)
        cls.national = cls.flora.document_ids.filtered(lambda one: one.type_id.name == "National ID")
        cls.number = cls.national.value

    def setUp(self):
        super().setUp()
        self.control("reset")
        with self.source._reader() as reader:
            record = next(one for one in reader.whole("individual", [8]).records)
            self.assertEqual(len(record.documents), 2)
            rows = reader.call("g2p.reg.id", "search_read", [[["partner_id", "=", 8]], ["value"]])
        self.there = next(row["id"] for row in rows if row["value"] == self.number)

    def again(self):
        run = self.do_import()
        self.assertEqual((run.state, run.counts["Failed"]), ("done", 1), run.message)
        return run

    def conflict(self):
        return self.env["spp.mis.conflict"].search([("source_id", "=", self.source.id)])

    def number_changes(self, number="NID-THAT"):
        self.at_source("g2p.reg.id", self.there, {"value": number})

    # Documents

    def test_a_number_that_changed_there_changes_here(self):
        self.number_changes()
        self.again()
        self.assertEqual((self.national.value, self.national.state), ("NID-THAT", "valid"))
        self.assertEqual(len(self.flora.document_ids), 2)

    def test_a_number_that_changed_here_stays(self):
        self.national.value = "NID-HERE"
        self.at_source("res.partner", 8, {"email": "there@example.org"})
        self.again()
        self.assertEqual(self.flora.email, "there@example.org")
        self.assertEqual(self.national.value, "NID-HERE")
        self.assertEqual(len(self.flora.document_ids), 2)
        self.assertFalse(self.conflict())

    def test_a_number_that_changed_in_both_places_is_for_a_person(self):
        self.national.value = "NID-HERE"
        self.number_changes()
        self.again()
        conflict = self.conflict()
        self.assertRecordValues(
            conflict,
            [{"field_label": "National ID", "ours": "NID-HERE", "theirs": "NID-THAT", "state": "open"}],
        )
        self.assertEqual(self.national.value, "NID-HERE")
        self.again()
        self.assertEqual(len(self.conflict()), 1)
        conflict.action_take_theirs()
        self.assertEqual((self.national.value, self.national.state), ("NID-THAT", "valid"))
        self.assertFalse(conflict.value)
        self.assertEqual((conflict.ours, conflict.theirs), ("••••HERE", "••••THAT"), "no number stays")

    def test_policies(self):
        for policy, number, state in (("source", "NID-THAT", "theirs"), ("ours", "NID-HERE", "ours")):
            with self.subTest(policy):
                self.source.conflict_policy = policy
                self.national.value = "NID-HERE"
                self.number_changes("NID-ELSEWHERE" if policy == "ours" else number)
                self.again()
                self.assertEqual((self.national.value, self.conflict().state), (number, state))
                self.assertEqual(self.conflict().ours, "••••HERE")
                self.control("reset")
                self.national.value = self.number
                self.again()

    def test_a_conflict_ends_when_both_say_the_same(self):
        self.national.value = "NID-HERE"
        self.number_changes()
        self.again()
        self.national.value = "NID-THAT"
        self.at_source("res.partner", 8, {"email": "there@example.org"})
        self.again()
        self.assertEqual(self.conflict().state, "same")

    def test_a_document_that_is_gone_there_is_withdrawn_here_and_claims_its_number_no_more(self):
        self.at_source("g2p.reg.id", self.there, None)
        self.again()
        self.assertEqual((self.national.state, self.national.value), ("withdrawn", self.number))
        other = self.env["spp.identity.document"].create(
            {
                "partner_id": self.registrant("individual", 9).id,
                "type_id": self.national.type_id.id,
                "value": self.number,
            }
        )
        self.assertEqual(other.state, "valid")
        other.action_withdraw()
        self.control("reset")  # it is there again
        self.again()
        self.assertEqual(self.national.state, "valid")

    def test_a_document_that_was_withdrawn_here_stays_so(self):
        self.national.action_withdraw()
        self.at_source("res.partner", 8, {"email": "there@example.org"})
        self.again()
        self.assertEqual(self.national.state, "withdrawn")
        self.assertEqual(len(self.flora.document_ids), 2)

    def test_a_document_added_here_is_never_taken_away(self):
        passport = self.env.ref("spp_registry.identity_type_passport")
        mine = self.env["spp.identity.document"].create(
            {"partner_id": self.flora.id, "type_id": passport.id, "value": "LOCAL"}
        )
        self.at_source("g2p.reg.id", self.there, None)
        self.again()
        self.assertEqual(mine.state, "valid")

    def test_no_documents_at_all_may_be_a_lost_right_and_takes_nothing_away(self):
        with self.source._reader() as reader:
            rows = reader.call("g2p.reg.id", "search_read", [[["partner_id", "=", 8]], ["value"]])
        for row in rows:
            self.at_source("g2p.reg.id", row["id"], None)
        self.again()
        self.assertEqual(set(self.flora.document_ids.mapped("state")), {"valid"})
        self.source.empty_overwrites = True
        self.at_source("res.partner", 8, {"birth_place": "Elsewhere"})
        self.again()
        self.assertEqual(set(self.flora.document_ids.mapped("state")), {"withdrawn"})

    # Phones

    def phones(self):
        return {one.number: bool(one.ended) for one in self.flora.phone_number_ids}

    def phone(self, number):
        self.at_source("g2p.phone.number", None, {"partner_id": 8, "phone_no": number})
        with self.source._reader() as reader:
            rows = reader.call("g2p.phone.number", "search_read", [[["phone_no", "=", number]], ["phone_no"]])
        return rows[0]["id"]

    def test_a_phone_that_is_gone_there_is_no_longer_in_use_here(self):
        first, second = self.phone("+639175550001"), self.phone("+639175550002")
        self.again()
        before = self.phones()
        self.at_source("g2p.phone.number", first, None)
        self.again()
        self.assertEqual(self.phones(), {**before, "+639175550001": True})
        ended = self.flora.phone_number_ids.filtered("ended")
        self.assertEqual(ended.ended, fields.Date.context_today(ended))
        self.at_source("g2p.phone.number", second, {"phone_no": "+639175550003"})
        self.again()
        self.assertEqual(
            self.phones(),
            {**before, "+639175550001": True, "+639175550002": True, "+639175550003": False},
        )
        self.phone("+639175550001")  # it is there again
        self.again()
        self.assertFalse(self.phones()["+639175550001"])

    def test_a_phone_that_changed_here_does_not_come_back(self):
        self.phone("+639175550001")
        self.again()
        mine = self.flora.phone_number_ids.filtered(lambda one: one.number == "+639175550001")
        mine.number = "+639175550009"
        self.at_source("res.partner", 8, {"email": "there@example.org"})
        self.again()
        self.assertIn("+639175550009", self.phones())
        self.assertNotIn("+639175550001", self.phones())
        mine.unlink()
        self.at_source("res.partner", 8, {"email": "other@example.org"})
        self.again()
        self.assertNotIn("+639175550001", self.phones())

    def test_a_phone_changed_in_both_places_leaves_both(self):
        there = self.phone("+639175550001")
        self.again()
        self.flora.phone_number_ids.filtered(
            lambda one: one.number == "+639175550001"
        ).number = "+639175550009"
        self.at_source("g2p.phone.number", there, {"phone_no": "+639175550002"})
        self.again()
        self.assertEqual(
            {
                number
                for number, ended in self.phones().items()
                if not ended and number.startswith("+63917555000")
            },
            {"+639175550002", "+639175550009"},
        )
