"""Dates hang on the as-of date: whichever it is, the same comes out for the twelve."""

from datetime import date

from odoo.tests import BaseCase, tagged

from ..tools import story
from .common import DemoCase

NOT_DENIED = {  # what no rule denies; the rest is not eligible
    ("amina", "child_grant"): "eligible",
    ("amina", "cash_transfer"): "eligible",
    ("amina", "relief"): "eligible",
    ("bakari", "pension"): "eligible",
    ("chiara", "education"): "eligible",
    ("dina", "child_grant"): "eligible",
    ("dina", "relief"): "undetermined",
    ("elias", "child_grant"): "eligible",
    ("elias", "pension"): "undetermined",
    ("elias", "cash_transfer"): "eligible",
    ("elias", "relief"): "undetermined",
    ("gibril", "cash_transfer"): "eligible",
    ("hawa", "pension"): "eligible",
    ("hawa", "cash_transfer"): "undetermined",
    ("hawa", "relief"): "eligible",
    ("imani", "farm_inputs"): "eligible",
    ("lamin", "cash_transfer"): "undetermined",
    ("bakary", "pension"): "eligible",  # until somebody decides that he is Bakari
}


@tagged("post_install", "-at_install")
class TestOnALeapDay(DemoCase):
    people = 0
    as_of = "2024-02-29"

    def test_the_same_comes_out(self):
        found = {}
        for code, program in self.programs.items():
            self.as_role("enrollment_officer", program).action_enroll(self.as_of)
            whose = self.households if program.target == "group" else self.personas
            for key in self.personas:
                member = self.env["spp.program.membership"].search(
                    [("program_id", "=", program.id), ("partner_id", "in", whose[key].ids)]
                )
                if member.outcome not in (False, "not_eligible"):
                    found[key, code] = member.outcome
        self.assertEqual(found, NOT_DENIED)

    def test_born_on_29_february_is_a_year_older_on_1_march(self):
        dina, rule = self.personas["dina"], self.programs["child_grant"].rule_id
        self.assertEqual(dina.birthdate, date(2024, 2, 29))
        household = self.households["dina"].id
        outcomes = {
            day: rule.why(household, day)["outcome"] for day in ("2025-03-01", "2029-02-28", "2029-03-01")
        }
        self.assertEqual(
            outcomes,
            {"2025-03-01": "eligible", "2029-02-28": "eligible", "2029-03-01": "not_eligible"},
        )


@tagged("post_install", "-at_install")
class TestDays(BaseCase):
    def test_days_are_counted_back(self):
        leap = date(2024, 2, 29)
        for text, day in {
            "60y": date(1964, 2, 29),
            "1y": date(2023, 2, 28),
            "60y -1d": date(1964, 3, 1),
            "40d": date(2024, 1, 20),
            "leap day": leap,
        }.items():
            self.assertEqual(story.day(text, leap), day, text)
        self.assertEqual(story.day("leap day", date(2023, 5, 1)), date(2020, 2, 29))
        for wrong in ("", "60", "3 weeks"):
            with self.assertRaises(ValueError):
                story.day(wrong, leap)
