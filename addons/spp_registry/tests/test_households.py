"""Households, their members and their one head."""

from datetime import date

from odoo import fields
from odoo.exceptions import UserError, ValidationError
from odoo.tests import Form

from ..tools.membership import live_domain, live_sql
from .common import RegistryCase


class TestHouseholds(RegistryCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ana, cls.ben, cls.cora = (cls.person("Cruz", name) for name in ("Ana", "Ben", "Cora"))
        cls.cruz = cls.household("Cruz household", cls.ana, cls.ben, cls.cora)
        cls.of_ana, cls.of_ben, cls.of_cora = (
            cls.cruz.member_ids.filtered(lambda line, person=person: line.individual_id == person)
            for person in (cls.ana, cls.ben, cls.cora)
        )

    def save(self):
        """What happens when a request ends: deferred constraints are checked."""
        self.env.cr.flush()

    def test_head_and_members_show_on_the_household(self):
        self.assertEqual(self.cruz.head_id, self.ana)
        self.assertEqual(self.cruz.member_count, 3)
        self.assertEqual(self.ben.household_id, self.cruz)

    def test_heads_can_be_swapped_in_one_save_in_either_order(self):
        update = [(1, self.of_ben.id, {"is_head": True}), (1, self.of_ana.id, {"is_head": False})]
        self.cruz.write({"member_ids": update})
        self.save()
        self.assertEqual(self.cruz.head_id, self.ben)
        self.cruz.write(
            {"member_ids": [(1, line, {"is_head": not vals["is_head"]}) for _c, line, vals in update]}
        )
        self.save()
        self.assertEqual(self.cruz.head_id, self.ana)

    def test_heads_can_be_swapped_on_the_form(self):
        with Form(self.cruz, "spp_registry.view_res_partner_form_group") as form:
            lines = [line.individual_id for line in self.cruz.member_ids]
            with form.member_ids.edit(lines.index(self.ben)) as line:
                line.is_head = True
            with form.member_ids.edit(lines.index(self.ana)) as line:
                line.is_head = False
        self.save()
        self.assertEqual(self.cruz.head_id, self.ben)

    def test_two_heads_are_refused_naming_the_household(self):
        self.of_ben.is_head = True
        with self.assertRaisesRegex(ValidationError, "^Cruz household: There can be only one head"):
            self.save()

    def test_a_person_is_not_listed_twice(self):
        self.cruz.write({"member_ids": [(0, 0, {"individual_id": self.ben.id})]})
        with self.assertRaisesRegex(ValidationError, "^Cruz household: The same person is listed twice"):
            self.save()

    def test_who_left_can_come_back(self):
        self.of_ben.action_end()
        self.cruz.write({"member_ids": [(0, 0, {"individual_id": self.ben.id})]})
        self.save()
        self.assertEqual(self.cruz.member_count, 3)

    def test_make_head_takes_the_place_of_the_former(self):
        self.of_cora.action_make_head()
        self.save()
        self.assertEqual(self.cruz.head_id, self.cora)
        self.of_ben.action_end()
        with self.assertRaisesRegex(UserError, "has ended"):
            self.of_ben.action_make_head()

    def test_a_household_whose_head_left_has_none(self):
        self.of_ana.action_end()
        self.assertFalse(self.cruz.head_id)
        self.assertEqual(self.cruz.member_count, 2)

    def test_only_people_belong_and_only_to_groups(self):
        for group, member, words in (
            (self.cruz, self.cruz, "cannot be a member of itself"),
            (self.ana, self.ben, "CRUZ, ANA is not a registered household"),
            (self.cruz, self.household("Reyes household"), "Reyes household is not a registered individual"),
            (
                self.cruz,
                self.env["res.partner"].create({"name": "Shop"}),
                "Shop is not a registered individual",
            ),
        ):
            with self.subTest(words), self.assertRaisesRegex(ValidationError, words):
                self.env["spp.group.membership"].create({"group_id": group.id, "individual_id": member.id})

    def test_a_member_cannot_become_a_group_nor_a_household_a_person(self):
        with self.assertRaisesRegex(ValidationError, "CRUZ, ANA is a member of a group"):
            self.ana.is_group = True
        with self.assertRaisesRegex(ValidationError, "Cruz household has members"):
            self.cruz.is_group = False

    def test_membership_cannot_end_before_it_starts(self):
        with self.assertRaisesRegex(ValidationError, "CRUZ, BEN in Cruz household: it cannot end"):
            self.of_ben.write({"start": "2026-02-01", "ended": "2026-01-31"})

    def test_live_means_the_same_in_sql_and_in_a_domain(self):
        day = date(2026, 6, 1)
        self.of_ana.write({"start": day, "ended": False})
        self.of_ben.write({"start": False, "ended": day})
        self.of_cora.write({"start": date(2026, 6, 2), "ended": date(2026, 6, 3)})
        self.env.flush_all()
        for date_asked, expected in (
            (date(2026, 5, 31), self.of_ben),
            (day, self.of_ana),
            (date(2026, 6, 2), self.of_ana | self.of_cora),
        ):
            domain = [("group_id", "=", self.cruz.id), *live_domain(date_asked)]
            self.assertEqual(self.of_ana.search(domain), expected)
            query = self.of_ana._search([("group_id", "=", self.cruz.id)])
            query.add_where(live_sql("spp_group_membership", date_asked))
            self.assertEqual(set(query), set(expected.ids))

    def test_member_without_area_takes_that_of_the_household(self):
        area = self.env["spp.area"].create({"name": "Busia", "code": "T-BUS"})
        person = self.person("Oduya", "Joy")
        self.household("Oduya household", person, area_id=area.id)
        self.assertEqual(person.area_id, area)

    def test_everything_counts_at_the_date_asked_for(self):
        self.of_ana.write({"ended": "2026-01-01"})
        self.assertEqual(self.cruz.with_context(as_of="2025-12-31").head_id, self.ana)
        self.assertEqual(self.cruz.with_context(as_of=fields.Date.to_date("2026-01-01")).member_count, 2)
