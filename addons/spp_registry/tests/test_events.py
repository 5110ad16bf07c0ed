"""Events: entered by officers, imported from files, recorded by other systems, each of them once."""

from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged

from .common import RegistryCase, RegistryHttpCase

COLUMNS = ["registrant_reference", "kind", "date", "value", "source", "external_id"]


@tagged("post_install", "-at_install")
class TestEvents(RegistryCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.officer = cls.user("events_officer", "enrollment_officer")
        cls.ana, cls.ben = cls.person("Cruz", "Ana", ref="REF-ANA"), cls.person("Cruz", "Ben")
        cls.document(cls.ben, "B-77")
        cls.event = cls.env["spp.event"].with_user(cls.officer)

    def row(self, **values):
        return {"document": "B-77", "kind": "health_visit", "date": "2026-05-02", **values}

    def test_kinds_are_a_vocabulary_of_the_country(self):
        with self.assertRaisesRegex(UserError, "no event kind “visiting”.*health_visit"):
            self.event.create({"partner_id": self.ana.id, "kind": "visiting"})
        kind = self.env["spp.event.kind"].create({"name": "Cash course", "code": "cash_course"})
        event = self.event.create({"partner_id": self.ana.id, "kind": "cash_course"})
        with self.assertRaisesRegex(UserError, "there are events of this kind"):
            kind.code = "course"
        with self.assertRaisesRegex(UserError, "there are events of this kind"):
            kind.unlink()
        kind.active = False
        self.assertEqual(event.kind, "cash_course")

    def test_a_file_names_people_by_document_or_reference(self):
        result = self.event.load(
            COLUMNS,
            [
                ["B-77", "Health visit", "2026-05-02", "", "clinic", "v-1"],
                ["REF-ANA", "school_attendance", "2026-05-31", "92", "school", "a-1"],
            ],
        )
        self.assertEqual(result["messages"], [])
        visit, attendance = self.event.browse(result["ids"])
        self.assertEqual((visit.partner_id, visit.kind), (self.ben, "health_visit"))
        self.assertEqual((attendance.partner_id, attendance.value), (self.ana, "92"))

    def test_the_same_file_again_changes_nothing_and_a_corrected_one_corrects(self):
        row = ["B-77", "health_visit", "2026-05-02", "1", "clinic", "v-1"]
        first = self.event.load(COLUMNS, [row])["ids"]
        self.assertEqual(self.event.load(COLUMNS, [row])["ids"], first)
        self.assertEqual(self.event.load(COLUMNS, [[*row[:3], "2", *row[4:]]])["ids"], first)
        self.assertEqual(self.event.browse(first).value, "2")

    def test_unknown_people_in_a_file_are_told_by_row(self):
        result = self.event.load(
            COLUMNS[:3], [["B-77", "health_visit", "2026-05-02"], ["X", "health_visit", "2026-05-02"]]
        )
        self.assertFalse(result["ids"])
        self.assertEqual([message["record"] for message in result["messages"]], [1])
        self.assertIn("reference X", result["messages"][0]["message"])

    def test_many_rows_in_a_constant_number_of_statements(self):
        def statements(count, key):
            rows = [self.row(value=str(number)) for number in range(count)]
            before = self.env.cr.sql_log_count
            self.assertEqual(self.event.record_events(rows, key)["recorded"], count)
            return self.env.cr.sql_log_count - before

        statements(1, "warm")
        self.assertEqual(statements(10, "ten"), statements(1000, "thousand"))

    def test_rows_that_fail_are_told_and_the_others_recorded(self):
        twin = self.person("Cruz", "Twin", ref="B-77")
        self.assertTrue(twin)
        rows = [
            {"registrant_id": self.ana.id, "kind": "health_visit", "date": "2026-05-02"},
            self.row(),
            self.row(document="unknown"),
            {"registrant_id": self.ana.id, "kind": "visiting", "date": "2026-05-02"},
            {"registrant_id": self.ana.id, "kind": "health_visit", "date": "02/05/2026"},
            {"registrant_id": self.ana.id, "kind": "health_visit", "date": "2026-05-02", "external_id": "e"},
            {"kind": "health_visit", "date": "2026-05-02"},
            {"registrant_id": 2**31 - 1, "kind": "health_visit", "date": "2026-05-02"},
            {"registrant_id": self.ana.id, "kind": "health_visit", "date": "2026-05-02", "colour": "red"},
        ]
        result = self.event.record_events(rows, "k")
        self.assertEqual(result["recorded"], 1)
        words = {failure["row"]: failure["reason"] for failure in result["failed"]}
        for row, expected in enumerate(
            ("Several registrants", "reference unknown", "no event kind", "not a date", "needs the name of the source",
             "Name the registrant", "no registrant", "no colour"), 1
        ):  # fmt: skip
            self.assertIn(expected, words[row])

    def test_a_repeated_call_records_nothing_twice(self):
        rows = [
            self.row(),
            self.row(source="clinic", external_id="v-9"),
            self.row(source="clinic", external_id="v-9"),
        ]
        self.assertEqual(self.event.record_events(rows, "k")["recorded"], 2)
        again = self.event.record_events(rows, "k")
        self.assertEqual((again["recorded"], again["updated"], again["unchanged"]), (0, 0, 2))
        rows[1:] = [self.row(source="clinic", external_id="v-9", value="3")]
        self.assertEqual(self.event.record_events(rows, "k")["updated"], 1)
        theirs = self.event.record_events(
            [{**self.row(source="clinic", external_id="v-9"), "document": "REF-ANA"}], "k2"
        )
        self.assertIn("another registrant", theirs["failed"][0]["reason"])
        self.assertEqual(self.env["spp.event"].search_count([("partner_id", "=", self.ben.id)]), 2)

    def test_rows_written_in_bulk_look_like_those_of_the_form(self):
        by_hand = self.event.create(
            {
                "partner_id": self.ben.id,
                "kind": "health_visit",
                "date": "2026-05-02",
                "source": "a",
                "external_id": "1",
            }
        )
        self.event.record_events([self.row(source="a", external_id="2")], "k")
        self.env.flush_all()
        self.env.cr.execute("SELECT * FROM spp_event WHERE partner_id = %s ORDER BY id", [self.ben.id])
        first, second = self.env.cr.dictfetchall()
        self.assertEqual(by_hand.id, first["id"])
        for name in ("id", "external_id"):
            self.assertNotEqual(first.pop(name), second.pop(name))
        self.assertEqual(first, second)

    def test_officers_record_people_of_their_areas_only(self):
        area = self.env["spp.area"].create({"name": "Here", "code": "EV-HERE"})
        self.officer.spp_area_ids = area
        self.ben.area_id = area
        result = self.event.record_events([self.row(), self.row(document="REF-ANA")], "k")
        self.assertEqual((result["recorded"], [failure["row"] for failure in result["failed"]]), (1, [1]))
        viewer = self.user("events_viewer", "program_viewer")
        with self.assertRaises(AccessError):
            self.event.with_user(viewer).record_events([self.row()], "k2")


class TestEventsOverXmlRpc(RegistryHttpCase):
    def test_a_clinic_reports_visits(self):
        officer = self.user("clinic", "enrollment_officer")
        ana = self.person("Cruz", "Ana")
        rows = [
            {"registrant_id": ana.id, "kind": "health_visit", "date": "2026-05-02"},
            {"kind": "health_visit"},
        ]
        first = self.ask(officer, "spp.event", "record_events", rows, "monday")
        self.assertEqual((first["recorded"], len(first["failed"])), (1, 1))
        again = self.ask(officer, "spp.event", "record_events", rows, "monday")
        self.assertEqual((again["recorded"], again["unchanged"]), (0, 1))
