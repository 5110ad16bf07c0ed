"""What sources say, in all its shapes, becomes plain records; what cannot be used is told by field and value."""

import json
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from odoo.tests.common import BaseCase

from ..wire.dates import parse_day, parse_moment
from ..wire.records import BadRecord, parse, parse_page

DATA = Path(__file__).parent / "data"


def sample(name):
    return json.loads((DATA / f"{name}.json").read_text())


class TestDates(BaseCase):
    def test_moments_come_out_in_utc(self):
        moment = datetime(2026, 11, 21, 1, 18, 6, tzinfo=UTC)
        for told in (
            "2026-11-21T01:18:06+00:00",
            "2026-11-21T01:18:06Z",
            "2026-11-21T09:18:06+08:00",
            "2026-11-20T21:18:06-04:00",
            "2026-11-21 01:18:06",
        ):
            self.assertEqual(parse_moment(told), moment, told)
        self.assertEqual(parse_moment("2026-11-21T01:18:06.936380+00:00"), moment.replace(microsecond=936380))

    def test_naive_moments_are_meant_in_the_zone_of_the_user(self):
        manila = ZoneInfo("Asia/Manila")
        self.assertEqual(
            parse_moment("2026-11-21 09:18:06", manila), datetime(2026, 11, 21, 1, 18, 6, tzinfo=UTC)
        )
        self.assertEqual(
            parse_moment("2026-11-21T01:18:06Z", manila), datetime(2026, 11, 21, 1, 18, 6, tzinfo=UTC)
        )

    def test_days(self):
        day = date(2026, 11, 21)
        for told in ("2026-11-21", " 2026-11-21 ", "2026-11-21 01:12:18", "2026-11-22T01:00:00+08:00", day):
            self.assertEqual(parse_day(told), day, told)

    def test_empty(self):
        for told in (None, False, ""):
            self.assertIsNone(parse_day(told))
            self.assertIsNone(parse_moment(told))

    def test_what_cannot_be_read(self):
        for told in (
            "1989-02-31",
            "31/02/1989",
            "No Birthdate!",
            "0000-00-00",
            19890228,
            [],
            "2026-11-21T99:00:00",
        ):
            with self.assertRaises(ValueError, msg=told):
                parse_day(told)
        with self.assertRaises(ValueError):
            parse_moment("0001-01-01T00:00:00+14:00")  # out of range in UTC


class TestRecords(BaseCase):
    def bad(self, kind, **row):
        with self.assertRaises(BadRecord) as caught:
            parse(kind, {"id": 1, "name": "Ada", **row})
        return str(caught.exception)

    def test_absent_keys_are_empty(self):
        person = parse("individual", {"id": 5, "name": "ABADA, ZOË"})
        self.assertEqual((person.documents, person.accounts, person.gender), ((), (), None))
        self.assertIsNone(parse("group", {"id": 5, "name": "Abada household"}).memberships)

    def test_keys_of_both_registry_apis(self):
        document = {"id": 1, "id_type_as_str": "Passport", "value": "P1"}
        phone = {"phone_no": "+639170000001", "disabled": "2026-11-21 01:12:18"}
        person = parse(
            "individual", {"id": 5, "name": "Zoë", "reg_ids": [document], "phone_number_ids": [phone]}
        )
        self.assertEqual((person.documents[0].type, person.documents[0].value), ("Passport", "P1"))
        self.assertEqual(str(person.phones[0].ended), "2026-11-21")

    def test_children_that_say_nothing_are_left_out(self):
        person = parse(
            "individual",
            {
                "id": 5,
                "name": "Zoë",
                "ids": [{"id_type": "Passport", "value": None}],
                "phone_numbers": [{"phone_no": " "}],
                "bank_ids": [{"bank_name": "First", "acc_number": False}],
            },
        )
        self.assertEqual((person.documents, person.phones, person.accounts), ((), (), ()))

    def test_account_without_a_bank(self):
        person = parse(
            "individual", {"id": 5, "name": "Z", "bank_ids": [{"bank_name": None, "acc_number": "A1"}]}
        )
        self.assertEqual((person.accounts[0].number, person.accounts[0].bank), ("A1", None))

    def test_reasons_name_field_and_value(self):
        self.assertEqual(
            self.bad("individual", birthdate="1989-02-31"),
            "birthdate: “1989-02-31” cannot be read, it is not a date",
        )
        self.assertEqual(
            self.bad("individual", ids=[{"id_type": "Passport", "value": "P1", "expiry_date": "soon"}]),
            "ids, 1, expiry_date: “soon” cannot be read, it is not a date",
        )
        self.assertEqual(self.bad("individual", name=None), "name: it is empty")
        self.assertEqual(self.bad("individual", email=["a"]), "email: it is not a text")
        self.assertEqual(self.bad("individual", write_date="yesterday")[:10], "write_date")
        self.assertIn("birthdate", self.bad("individual", birthdate="x", registration_date="y"))
        self.assertIn("registration_date", self.bad("individual", birthdate="x", registration_date="y"))

    def test_reasons_keep_numbers_to_themselves(self):
        reason = self.bad("individual", bank_ids=[{"acc_number": "ACC1\x00"}])
        self.assertEqual(reason, "bank_ids, 1, acc_number: it holds a character that cannot be stored")

    def test_characters_that_no_database_takes(self):
        self.assertIn("cannot be stored", self.bad("individual", name="A\x00"))
        self.assertIn("characters that are none", self.bad("individual", name="\ud800"))

    def test_one_bad_row_does_not_stop_the_others(self):
        page = parse_page(
            "individual", [{"id": 1, "name": "A"}, {"id": 2}, "x", None, {"id": 3, "name": "C"}]
        )
        self.assertEqual([record.id for record in page.records], [1, 3])
        self.assertEqual(
            [bad.external_id for bad in page.bad], ["individual:2", "individual:?", "individual:?"]
        )

    def test_checksum_is_of_what_is_said(self):
        row = {"id": 5, "name": "Z", "birthdate": "1990-01-01", "write_date": "2026-11-21 01:12:18"}
        checksum = parse("individual", row).checksum()
        self.assertEqual(
            parse("individual", {**row, "write_date": "2026-11-22 09:00:00"}).checksum(), checksum
        )
        self.assertEqual(parse("individual", {**row, "create_date": "x", "age": "36"}).checksum(), checksum)
        self.assertNotEqual(parse("individual", {**row, "birthdate": "1990-01-02"}).checksum(), checksum)
        documents = [{"id_type": "A", "value": "1"}, {"id_type": "B", "value": "2"}]
        one, other = ({**row, "ids": ids} for ids in (documents, documents[::-1]))
        self.assertEqual(parse("individual", one).checksum(), parse("individual", other).checksum())

    def test_a_record_is_read_again_from_its_dump(self):
        for row in sample("v15_group_manila_tz")["body"]:
            group = parse("group", row)
            self.assertEqual(parse("group", json.loads(json.dumps(group.dump()))), group)
        person = parse("individual", row["members"][0]["individual"])
        self.assertEqual(parse("individual", person.dump()), person)

    def test_recorded_group_in_another_time_zone(self):
        (utc,) = (parse("group", row) for row in sample("v15_group_manila_tz")["body"])
        self.assertEqual(utc.changed_at, datetime(2026, 11, 21, 1, 18, 6, 936380, tzinfo=UTC))
        (naive,) = (parse("group", row, ZoneInfo("Asia/Manila")) for row in sample("naive_manila")["body"])
        self.assertEqual(naive.changed_at, utc.changed_at.replace(microsecond=0))
        self.assertEqual(naive.checksum(), utc.checksum())
        self.assertEqual(len(utc.memberships), 5)
        self.assertEqual(utc.memberships[0].roles, ("Head", "Principal recipient"))
        self.assertEqual(utc.memberships[0].individual, 8)
