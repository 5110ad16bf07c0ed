"""A registry in CSV files or an Excel workbook, imported like any other source; rows that are wrong are told."""

import base64
import io

import xlsxwriter

from odoo.exceptions import UserError
from odoo.tests import TransactionCase, tagged

from ..wire.errors import SourceError
from ..wire.files import COLUMNS, FileReader, read_workbook
from ..wizard.spp_mis_upload import template
from .common import MisMixin

PEOPLE = """id,name,family_name,given_name,gender,birthdate,birthdate_exact,birth_place,email,address,registration_date,\
phone,phone_2,document_type,document_number,document_expiry,bank,bic,account
P-1,"ABADA, ANA",Abada,Ana,Female,1980-02-29,yes,North,ana@example.org,"1 Road
Village",2024-01-02,+639170000801,+639170000802,Passport,FILE-1,2031-01-01,File Bank,FILEPHM1,ACC-F-1
P-2,"ABADA, BEN",Abada,Ben,Male,2020-05-05,no,,,,,,,,,,,,
P-3,"CRUZ, COLA",Cruz,Cola,Female,05/06/1999,,,,,,,,,,,,,
P-4,"DIAZ, DAN",Diaz,Dan,Male,,,,,,,,,,,,,,
"""
GROUPS = """id;name;kind;document_type;document_number
H-1;Abada household;Family;Ration Card;FILE-RC-1
"""
MEMBERSHIPS = """group,person,roles,start,ended
H-1,P-1,Head;Principal recipient,2024-01-02,
H-1,P-2,,2024-01-02,
H-1,P-4,,2023-01-01,2024-06-30
H-9,P-1,,,
"""


def given(**texts):
    return {kind: [f"{kind}.csv", base64.b64encode(text.encode()).decode()] for kind, text in texts.items()}


def workbook(**sheets):
    target = io.BytesIO()
    with xlsxwriter.Workbook(target, {"in_memory": True}) as book:
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for y, row in enumerate(rows):
                for x, cell in enumerate(row):
                    if hasattr(cell, "isoformat"):
                        sheet.write_datetime(y, x, cell, day)
                    elif cell is not None:
                        sheet.write(y, x, cell)
    return target.getvalue()


@tagged("post_install", "-at_install")
class TestFiles(MisMixin, TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.files = cls.env["spp.mis.source"].create({"name": "Files", "dialect": "file"})

    def upload(self, is_whole=False, **texts):
        self.files.upload(given(**texts), is_whole)
        run = self.do_import(self.files, is_full=False)
        self.assertEqual(run.state, "done", run.message)
        return run

    def person(self, number, kind="individual"):
        return self.registrant(kind, number, self.files)

    def test_csv(self):
        counts = self.files.upload(given(people=PEOPLE, groups=GROUPS, memberships=MEMBERSHIPS))
        self.assertEqual(counts, {"people": 4, "groups": 1, "memberships": 4})
        run = self.do_import(self.files, is_full=False)
        self.assertEqual((run.counts["Created"], run.counts["Failed"]), (4, 2), run.message)
        ana = self.person("P-1")
        self.assertRecordValues(
            ana,
            [
                {
                    "name": "ABADA, ANA",
                    "family_name": "Abada",
                    "given_name": "Ana",
                    "gender": "female",
                    "birthdate_exact": True,
                    "birth_place": "North",
                    "email": "ana@example.org",
                    "street": "1 Road",
                    "street2": "Village",
                }
            ],
        )
        self.assertEqual((str(ana.birthdate), str(ana.registration_date)), ("1980-02-29", "2024-01-02"))
        self.assertEqual(len(ana.phone_number_ids), 2)
        self.assertEqual(
            (ana.document_ids.type_id.name, ana.document_ids.value, str(ana.document_ids.expiry_date)),
            ("Passport", "FILE-1", "2031-01-01"),
        )
        account = ana.payment_account_ids
        self.assertEqual((account.number, account.provider_id.bic), ("ACC-F-1", "FILEPHM1"))
        self.assertFalse(self.person("P-2").birthdate_exact)
        household = self.person("H-1", "group")
        self.assertEqual((household.head_id, household.group_kind_id.name), (ana, "Family"))
        self.assertEqual(
            sorted((one.individual_id.given_name, str(one.ended)) for one in household.member_ids),
            [("Ana", "False"), ("Ben", "False"), ("Dan", "2024-06-30")],
        )
        reasons = sorted(
            self.env["spp.mis.held"].search([("source_id", "=", self.files.id)]).mapped("reason")
        )
        self.assertEqual(
            reasons,
            [
                "row 5 of memberships: the group “H-9” is not among the groups",
                "row 5 of people: birthdate: “05/06/1999” cannot be read, it is not a date like 2026-01-31",
            ],
        )

    def test_the_same_files_again_change_nothing(self):
        self.upload(people=PEOPLE, groups=GROUPS, memberships=MEMBERSHIPS)
        run = self.upload(people=PEOPLE, groups=GROUPS, memberships=MEMBERSHIPS)
        self.assertEqual((run.counts["Created"], run.counts["Updated"], run.counts["Unchanged"]), (0, 0, 4))

    def test_who_is_missing_has_left_only_where_the_files_are_the_whole_registry(self):
        self.upload(people=PEOPLE, groups=GROUPS, memberships=MEMBERSHIPS)
        fewer = MEMBERSHIPS.replace("H-1,P-2,,2024-01-02,\n", "")
        self.upload(people=PEOPLE, groups=GROUPS, memberships=fewer)
        self.assertFalse(self.person("P-2").membership_ids.ended)
        self.upload(people=PEOPLE, groups=GROUPS, memberships=fewer, is_whole=True)
        self.assertTrue(self.person("P-2").membership_ids.ended)

    def test_workbook(self):
        import datetime

        data = workbook(
            people=[
                ["id", "name", "birthdate", "phone"],
                ["7", "ANA", datetime.datetime(1980, 2, 29), "+639170000811"],
                [8, "BEN", 29280, 639170000812],
            ],
            groups=[["id", "name"], ["H", "Household"]],
            memberships=[["group", "person"], ["H", "7"]],
        )
        self.files.upload({"workbook": ["all.xlsx", base64.b64encode(data).decode()]})
        run = self.do_import(self.files, is_full=False)
        self.assertEqual((run.counts["Created"], run.counts["Failed"]), (2, 1))
        self.assertEqual(str(self.person("7").birthdate), "1980-02-29")
        self.assertEqual(self.person("H", "group").member_ids.individual_id, self.person("7"))
        self.assertIn("make it a date cell", self.held("individual:8", self.files).reason)

    def test_files_are_forgotten_and_nobody_reads_them(self):
        self.files.upload(given(people=PEOPLE))
        self.assertEqual(self.files.action_test_connection()["params"]["people"], 4)
        self.do_import(self.files, is_full=False)
        self.env.cr.execute("SELECT people_file FROM spp_mis_source WHERE id = %s", [self.files.id])
        self.assertEqual(self.env.cr.fetchone(), (None,))
        with self.assertRaisesRegex(UserError, "Upload files first"):
            self.files.action_import()

    def test_form(self):
        upload = self.env["spp.mis.upload"].create(
            {
                "source_id": self.files.id,
                "people": base64.b64encode(PEOPLE.encode()),
                "people_name": "people.csv",
            }
        )
        self.assertEqual(base64.b64decode(upload.template)[:2], b"PK")
        upload.action_preview()
        self.work()
        preview = self.files.preview_ids
        self.assertEqual(preview.run_id.counts["Would be created"], 3)
        self.assertFalse(upload.exists())

    def test_template_has_every_column_and_can_be_uploaded(self):
        sheets = read_workbook("template.xlsx", template())
        for name, columns in COLUMNS.items():
            self.assertEqual(sheets[name][0][1], list(columns))
        notes = {(row[0], row[1]) for _number, row in sheets["notes"] if len(row) > 1}
        self.assertTrue({(name, column) for name, columns in COLUMNS.items() for column in columns} <= notes)
        self.assertEqual(FileReader({"workbook": ("t.xlsx", template())}).counts()["people"], 0)

    def test_files_that_are_wrong_as_a_whole(self):
        for words, files in (
            ("not in UTF-8 .row 2.", {"people": ("p.csv", "id,name\n1,Peña\n".encode("latin-1"))}),
            ("no column is called surname", {"people": ("p.csv", b"id,name,surname\n1,A,B\n")}),
            ("the column id is missing", {"people": ("p.csv", b"name\nAna\n")}),
            ("a column is there twice", {"people": ("p.csv", b"id,name,name\n1,A,B\n")}),
            ("more cells than there are columns", {"people": ("p.csv", b"id,name\n1,A,B\n")}),
            ("is empty", {"people": ("p.csv", b"\n")}),
            ("no Excel workbook", {"workbook": ("p.xls", b"\xd0\xcf\x11\xe0")}),
            ("cannot be read as an Excel", {"workbook": ("p.xlsx", b"PK\x03\x04nothing")}),
            ("no sheet named", {"workbook": ("p.xlsx", workbook(Sheet1=[["id"]]))}),
            ("Nothing has been uploaded", {}),
        ):
            with self.assertRaisesRegex(SourceError, words):
                FileReader(files)

    def test_rows_that_are_wrong(self):
        text = "id,name,birthdate,birthdate_exact\n1,Ana,,\n1,Ben,,\n,Cola,,\n4,,,\n5,Eva,20240101,\n6,Fe,,perhaps\n"
        page = FileReader({"people": ("p.csv", text.encode())}).individuals()
        self.assertFalse(page.records)
        self.assertEqual(
            [bad.reason.partition(": ")[0] for bad in page.bad], [f"row {n} of people" for n in range(2, 8)]
        )
        self.assertIn("used twice", page.bad[0].reason)
        self.assertIn("write yes or no", page.bad[-1].reason)

    def test_pages(self):
        text = "id,name\n" + "".join(f"{number},Person {number}\n" for number in range(1, 8))
        reader, after, found = FileReader({"people": ("p.csv", text.encode())}), 0, []
        while after is not None:
            page = reader.individuals(after=after, limit=3)
            found += [record.id for record in page.records]
            after = page.after
        self.assertEqual(found, [str(number) for number in range(1, 8)])
