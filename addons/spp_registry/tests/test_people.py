"""A registrar enters people: names, dates, status; what is refused, and why."""

from datetime import date, timedelta

from odoo import fields
from odoo.exceptions import UserError, ValidationError
from odoo.tests import Form

from ..models.res_partner import age_at, compose_name
from .common import RegistryCase


class TestPeople(RegistryCase):
    def test_name_is_composed_when_not_given(self):
        self.assertEqual(
            self.person("Abada", "Danilo", additional_name="Santos").name, "ABADA, DANILO SANTOS"
        )
        self.assertEqual(self.person("Abada", "Danilo", name="Lolo Danilo").name, "Lolo Danilo")
        self.assertEqual(compose_name("", "Danilo ", None), "DANILO")

    def test_composed_name_follows_its_parts_a_given_one_stays(self):
        composed = self.person("Abada", "Danilo")
        given = self.person("Abada", "Danilo", name="Lolo Danilo")
        (composed | given).write({"family_name": "Reyes"})
        self.assertEqual(composed.name, "REYES, DANILO")
        self.assertEqual(given.name, "Lolo Danilo")

    def test_a_registrant_needs_a_name(self):
        with self.assertRaisesRegex(ValidationError, "Give the registrant a name"):
            self.env["res.partner"].create({"is_registrant": True})

    def test_birthdate_in_the_future_is_refused_by_name(self):
        tomorrow = fields.Date.today() + timedelta(days=2)
        with self.assertRaisesRegex(ValidationError, "ABADA, DANILO: the date of birth"):
            self.person("Abada", "Danilo", birthdate=tomorrow)

    def test_age_is_calendar_age_at_the_date_asked_for(self):
        person = self.person("Abada", birthdate="2004-02-29")
        self.assertEqual(person.with_context(as_of="2025-02-28").age, 20)
        self.assertEqual(person.with_context(as_of="2025-03-01").age, 21)
        self.assertIsNone(age_at(False, date(2025, 1, 1)))

    def test_nobody_is_deleted(self):
        person = self.person("Abada", "Danilo")
        with self.assertRaisesRegex(UserError, "ABADA, DANILO cannot be deleted"):
            person.unlink()
        person.action_archive()
        self.assertFalse(person.active)

    def test_a_registrant_stays_one(self):
        with self.assertRaisesRegex(UserError, "cannot turn into an ordinary contact"):
            self.person("Abada").write({"is_registrant": False})

    def test_status_carries_a_date_and_a_trail(self):
        person = self.person("Abada")
        person.registrant_status = "deceased"
        self.assertEqual(person.registrant_status, "deceased")
        self.assertEqual(person.status_date, fields.Date.context_today(person))
        entry = self.env["spp.audit.entry"].search([("partner_id", "=", person.id)])
        self.assertEqual((entry.old, entry.new), ({"status": "active"}, {"status": "deceased"}))

    def test_no_chatter_on_people(self):
        person = self.person("Abada", email="abada@example.org")
        person.write({"email": "other@example.org", "name": "Other"})
        self.env.flush_all()
        self.env.cr.flush()
        self.assertFalse(person.message_ids)
        self.assertFalse(person.message_follower_ids)

    def test_ordinary_contacts_are_left_alone(self):
        contact = self.env["res.partner"].create({"name": "Stationery Ltd"})
        self.assertFalse(contact.is_registrant or contact.registration_date or contact.area_id)
        contact.unlink()

    def test_form_of_a_person_composes_the_name(self):
        view = "spp_registry.view_res_partner_form_individual"
        context = {"default_is_registrant": True, "default_is_group": False}
        with Form(self.env["res.partner"].with_context(**context), view) as form:
            form.family_name = "Abada"
            form.given_name = "Danilo"
            form.gender = "male"
        self.assertEqual(form.record.name, "ABADA, DANILO")
        self.assertTrue(form.record.is_registrant)

    def test_links_open_the_registrants_form(self):
        person, contact = self.person("Abada"), self.env["res.partner"].create({"name": "Stationery Ltd"})
        form = self.env.ref("spp_registry.view_res_partner_form_individual")
        self.assertEqual(person.get_formview_id(), form.id)
        self.assertNotEqual(contact.get_formview_id(), form.id)
