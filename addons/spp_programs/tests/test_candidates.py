"""Candidates come from the registry by area and filter, or by a list; a row that names nobody is told."""

import base64

from odoo.exceptions import UserError
from odoo.tests import Form, tagged

from .common import ProgramsCase


@tagged("post_install", "-at_install")
class TestCandidates(ProgramsCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.program = cls.make_program()
        areas = cls.env["spp.area"]
        cls.region, cls.other = areas.create(
            [{"name": "Region", "code": "C-R"}, {"name": "Other", "code": "C-O"}]
        )
        cls.village = areas.create({"name": "Village", "code": "C-V", "parent_id": cls.region.id})
        cls.ana = cls.make_person("Ana", "1950-01-01", area_id=cls.village.id, gender="female")
        cls.ben = cls.make_person("Ben", "1950-01-01", area_id=cls.region.id, gender="male")
        cls.eva = cls.make_person("Eva", "1950-01-01", area_id=cls.other.id, gender="female")
        cls.card, cls.passport = cls.env["spp.identity.type"].create(
            [{"name": "Card", "code": "c_card"}, {"name": "Passport", "code": "c_pass"}]
        )
        cls.claim(cls.ana, cls.card, "ID-0001")

    @classmethod
    def claim(cls, partner, identity_type, value):
        return cls.env["spp.identity.document"].create(
            {"partner_id": partner.id, "type_id": identity_type.id, "value": value}
        )

    def run_of(self, method, *args, user=None):
        run_id = getattr(self.program.with_user(user or self.officer), method)(*args)
        return self.env["spp.run"].browse(run_id)

    @property
    def people(self):
        return self.program.membership_ids.partner_id

    def test_of_an_area_and_the_areas_within_it(self):
        run = self.run_of("action_import_candidates", [], [self.region.id])
        self.assertEqual(run.counts, {"Candidates added": 2})
        self.assertEqual(self.people, self.ana + self.ben)

    def test_by_a_filter_whatever_the_rule_says(self):
        young = self.make_person("Young", "2020-01-01", area_id=self.region.id, gender="female")
        self.run_of("action_import_candidates", [["gender", "=", "female"]], [self.region.id])
        self.assertEqual(self.people, self.ana + young)

    def test_by_a_list_of_ids_and_documents(self):
        run = self.run_of("action_import_list", [self.ben.id, "ID-0001", " ID-0001 "])
        self.assertEqual(self.people, self.ana + self.ben)
        self.assertEqual(run.counts["Candidates added"], 2)
        self.assertFalse(run.failure_ids)
        again = self.run_of("action_import_list", [self.ben.id, self.eva.id])
        self.assertEqual((again.counts["Candidates added"], again.counts["Members already"]), (1, 1))

    def test_each_row_that_names_nobody_says_why(self):
        household = self.env["res.partner"].create({"name": "House", "is_registrant": True, "is_group": True})
        dead = self.make_person("Dead", "1940-01-01", registrant_status="deceased")
        contact = self.env["res.partner"].create({"name": "A supplier"})
        company = self.env["res.company"].create({"name": "Elsewhere"})
        theirs = self.make_person("Theirs", "1940-01-01", company_id=company.id)
        self.env.user.company_ids += company
        self.claim(self.ben, self.card, "TWICE")
        self.claim(self.eva, self.passport, "TWICE")
        rows = [2**40, "NOBODY-77", "TWICE", household.id, dead.id, contact.id, "", theirs.id, self.ana.id]
        run = self.run_of("action_import_list", rows, user=self.officer)
        self.assertEqual(run.state, "done")
        self.assertEqual(self.people, self.ana)
        told = {failure.name: failure.reason for failure in run.failure_ids}
        self.assertEqual(len(told), 8)
        for row, words in {
            "Row 1": "Nobody in the registry",
            "Row 2": "Nobody in the registry",
            "Row 3": "Several registrants",
            "Row 4": "not of the kind",
            "Row 5": "disabled, deceased",
            "Row 6": "Nobody in the registry",
            "Row 7": "Nobody in the registry",
            "Row 8": "Nobody in the registry",  # of a company that the officer does not see
        }.items():
            self.assertIn(words, told[row], row)
        self.assertNotIn("NOBODY-77", str(run.failure_ids.read()), "no document is written out")

    def test_an_officer_of_an_area_brings_in_that_area_only(self):
        self.officer.spp_area_ids = self.other
        run = self.run_of("action_import_list", [self.eva.id, self.ben.id, "ID-0001"])
        self.assertEqual(self.people, self.eva)
        self.assertEqual(len(run.failure_ids), 2)

    def test_an_empty_list_is_refused(self):
        with self.assertRaisesRegex(UserError, "empty"):
            self.run_of("action_import_list", [])

    def test_with_the_dialog_by_area(self):
        dialog = Form(
            self.env["spp.candidate.import"]
            .with_user(self.officer)
            .with_context(default_program_id=self.program.id)
        )
        dialog.area_ids.add(self.village)
        dialog.domain = '[("gender", "=", "female")]'
        opened = dialog.save().action_import()
        self.assertEqual(opened["res_model"], "spp.run")
        self.assertEqual(self.people, self.ana)

    def import_file(self, text):
        dialog = (
            self.env["spp.candidate.import"]
            .with_user(self.officer)
            .create(
                {"program_id": self.program.id, "source": "list", "file": base64.b64encode(text.encode())}
            )
        )
        return self.env["spp.run"].browse(dialog.action_import()["res_id"])

    def test_with_the_dialog_by_a_file(self):
        run = self.import_file(f"\ufeffid;name\r\n{self.ben.id};Ben\r\nID-0001;Ana\r\nX-9;Nobody\r\n\r\n")
        self.assertEqual(self.people, self.ana + self.ben)
        self.assertEqual(run.failure_ids.mapped("name"), ["Row 3"])

    def test_short_numbers_of_documents_say_so_in_the_heading(self):
        self.claim(self.eva, self.card, "12345")
        self.import_file("document\n12345\n")
        self.assertEqual(self.people, self.eva)

    def test_odoos_own_import_takes_documents(self):
        members = self.env["spp.program.membership"].with_user(self.officer)
        result = members.load(["program_id/.id", "document_number"], [[str(self.program.id), "ID-0001"]])
        self.assertFalse(result["messages"])
        self.assertEqual(self.people, self.ana)
        result = members.load(["program_id/.id", "document_number"], [[str(self.program.id), "ID-9999"]])
        self.assertIn("Nobody whom you may see", result["messages"][0]["message"])
