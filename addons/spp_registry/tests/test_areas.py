"""Users limited to areas and companies see only their own registrants, by every door."""

from odoo.exceptions import AccessError, ValidationError

from .common import RegistryCase


class TestAreas(RegistryCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        area = cls.env["spp.area"]
        cls.region = area.create({"name": "Western", "code": "T-W"})
        cls.busia = area.create({"name": "Busia", "code": "T-W-B", "parent_id": cls.region.id})
        cls.nambale = area.create({"name": "Nambale", "code": "T-W-B-N", "parent_id": cls.busia.id})
        cls.coast = area.create({"name": "Coast", "code": "T-C"})
        cls.officer = cls.user("officer", "enrollment_officer")
        cls.officer.spp_area_ids = cls.busia
        cls.near = cls.person("Near", area_id=cls.nambale.id)
        cls.far = cls.person("Far", area_id=cls.coast.id)
        cls.nowhere = cls.person("Nowhere")
        cls.everybody = cls.near | cls.far | cls.nowhere

    def seen(self, user):
        return self.env["res.partner"].with_user(user).search([("id", "in", self.everybody.ids)])

    def test_the_administrator_limits_others_and_not_themselves(self):
        admin = self.user("keeper", "admin")
        self.officer.with_user(admin).write({"spp_area_ids": [(6, 0, self.coast.ids)]})
        self.assertEqual(self.seen(self.officer), self.far)
        admin.spp_area_ids = self.busia
        with self.assertRaisesRegex(AccessError, "their own roles or limits"):
            admin.with_user(admin).write({"spp_area_ids": [(5, 0, 0)]})

    def test_failed_rows_of_a_run_follow_the_registrant(self):
        run = self.env["spp.run"]._start("test", "Test", self.near)
        run._add_failures(
            [
                {"res_model": "res.partner", "res_id": person.id, "name": person.name, "reason": "Test"}
                for person in (self.near, self.far)
            ]
            + [{"name": "Somebody", "reason": "Not found"}]
        )
        rows = self.env["spp.run.failure"].with_user(self.officer)
        self.assertEqual(rows.search([("run_id", "=", run.id)]).mapped("name"), [self.near.name])
        self.assertEqual(rows.search_count([("run_id", "=", run.id)]), 1)
        run.sudo().user_id = self.officer  # of one's own run, also rows that name nobody
        self.assertEqual(rows.search_count([("run_id", "=", run.id)]), 2)
        self.officer.spp_area_ids = False
        self.assertEqual(rows.search_count([("run_id", "=", run.id)]), 3)

    def test_names_and_codes(self):
        self.assertEqual(self.nambale.display_name, "Western / Busia / Nambale")
        self.region.name = "West"
        self.assertEqual(self.nambale.display_name, "West / Busia / Nambale")
        with self.assertRaisesRegex(ValidationError, "within itself"):
            self.region.parent_id = self.nambale

    def test_limited_officer_sees_the_area_and_what_lies_within(self):
        self.assertEqual(self.seen(self.officer), self.near)
        with self.assertRaises(AccessError):
            self.far.with_user(self.officer).read(["name"])

    def test_limits_can_change_at_any_time(self):
        self.assertEqual(self.seen(self.officer), self.near)
        self.officer.spp_area_ids = self.coast
        self.assertEqual(self.seen(self.officer), self.far)
        self.officer.spp_area_ids = False
        self.assertEqual(self.seen(self.officer), self.everybody)
        self.officer.spp_area_ids = self.coast
        self.busia.parent_id = self.coast
        self.assertEqual(self.seen(self.officer), self.near | self.far)

    def test_what_an_officer_limited_to_one_area_enters_is_there(self):
        self.assertEqual(self.person("New", env=self.env(user=self.officer)).area_id, self.busia)
        with self.assertRaises(AccessError):
            self.person("New", env=self.env(user=self.officer), area_id=self.coast.id)

    def test_nobody_is_sent_out_of_reach(self):
        with self.assertRaises(AccessError):
            self.near.with_user(self.officer).area_id = self.coast

    def test_everything_that_carries_a_registrant_is_limited(self):
        identity_type = self.env.ref("spp_registry.identity_type_national_id")
        for person in self.everybody:
            line = {"partner_id": person.id}
            self.env["spp.phone.number"].create({**line, "number": "+254712345678"})
            self.env["spp.event"].create({**line, "kind": "health_visit"})
            self.env["spp.identity.document"].create(
                {**line, "type_id": identity_type.id, "value": person.name}
            )
            self.env["spp.registrant.source"].create({**line, "source": "t:1", "external_id": person.name})
            self.account(person, "0011223344")
        for model in (
            "spp.phone.number",
            "spp.event",
            "spp.identity.document",
            "spp.registrant.source",
            "spp.payment.account",
        ):
            lines = self.env[model].with_user(self.officer).search([("partner_id", "in", self.everybody.ids)])
            self.assertEqual(lines.partner_id, self.near, model)

    def test_membership_needs_both_its_ends_in_reach(self):
        other = self.person("Neighbour", area_id=self.nambale.id)
        household = self.household("Near household", self.near, self.far, other, area_id=self.nambale.id)
        self.household("Far household", self.near, area_id=self.coast.id)
        self.env.invalidate_all()
        members = household.with_user(self.officer).member_ids
        self.assertEqual(members.individual_id, self.near | other)
        self.assertEqual(self.near.with_user(self.officer).membership_ids.group_id, household)

    def test_audit_trail_of_others_is_limited_too(self):
        auditor = self.user("auditor", "auditor")
        auditor.spp_area_ids = self.busia
        self.everybody.action_disable()
        entries = (
            self.env["spp.audit.entry"].with_user(auditor).search([("partner_id", "in", self.everybody.ids)])
        )
        self.assertEqual(entries.partner_id, self.near)

    def test_disputed_with_somebody_out_of_reach(self):
        self.document(self.far, "A-1")
        second = self.document(self.near, "A-1", env=self.env(user=self.officer))
        self.assertEqual(second.state, "disputed")
        with self.assertRaisesRegex(Exception, "held by a person whom you may not see"):
            second.action_accept()

    def test_company_of_the_registrant(self):
        company = self.env["res.company"].create({"name": "Another ministry"})
        viewer = self.user("viewer", "auditor")
        self.far.company_id = company
        self.account(self.far, "0011223344")
        self.account(self.near, "0011223344")
        self.assertEqual(self.seen(viewer), self.near | self.nowhere)
        accounts = (
            self.env["spp.payment.account"]
            .with_user(viewer)
            .search([("partner_id", "in", self.everybody.ids)])
        )
        self.assertEqual(accounts.partner_id, self.near)

    def test_users_and_ordinary_contacts_are_spared(self):
        contact = self.env["res.partner"].create({"name": "Stationery Ltd"})
        for user in (self.officer, self.user("clerk")):
            self.assertEqual(contact.with_user(user).name, "Stationery Ltd")
            self.assertTrue(user.with_user(user).partner_id.name)
            self.assertTrue(self.officer.partner_id.with_user(user).name)
