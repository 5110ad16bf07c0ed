"""Registrants that are created together are made in one statement, and are what the ORM makes one by one."""

from odoo.exceptions import AccessError, ValidationError
from odoo.tests import TransactionCase, new_test_user, tagged

from ..models.res_partner import MANY
from .common import RegistryMixin


@tagged("post_install", "-at_install")
class TestRegisteringMany(RegistryMixin, TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.north = cls.env["spp.area"].create({"name": "North", "code": "RM1"})
        cls.user = new_test_user(cls.env, "registers_many", groups="spp_base.group_enrollment_officer")

    def people(self, **vals):
        return [
            {"family_name": f"Body {i}", "given_name": " Some ", "is_registrant": True, **vals}
            for i in range(MANY)
        ]

    def columns(self, partners):
        partners.env.flush_all()  # as the user, who is in the rows
        self.env.cr.execute("SELECT * FROM res_partner WHERE id = ANY(%s) ORDER BY id", [partners.ids])
        return self.env.cr.dictfetchall()

    def test_every_column_is_as_if_they_had_come_one_by_one(self):
        self.user.spp_area_ids = self.north
        partners = self.env["res.partner"].with_user(self.user)
        for vals in (
            {"birthdate": "1990-05-01", "gender": "female", "income": 12.5},
            {"income": 0, "birthdate": False, "registrant_status": "disabled", "status_reason": "Away"},
            {"name": " Plain ", "is_group": True, "registration_date": "2020-02-02"},
        ):
            rows = self.people(**vals)
            together = partners.create(rows)
            alone = partners.browse()
            for row in rows:
                alone |= partners.create([row])
            self.assertEqual(len(together), MANY)
            for one, other in zip(self.columns(together), self.columns(alone), strict=True):
                self.assertEqual(one["commercial_partner_id"], one["id"])
                for column in one.keys() - {"id", "commercial_partner_id"}:
                    self.assertEqual(one[column], other[column], column)
            self.assertEqual(together.area_id, self.north)

    def test_the_answer_is_in_the_order_of_what_was_given(self):
        together = self.env["res.partner"].with_user(self.user).create(self.people())
        self.assertEqual(together.mapped("name"), [f"BODY {i}, SOME" for i in range(MANY)])
        self.assertEqual(together.env.uid, self.user.id)

    def test_what_waits_for_the_commit_is_still_done(self):
        done = []
        self.env.cr.precommit.add(lambda: done.append("it"))
        self.env["res.partner"].with_user(self.user).create(self.people())
        self.env.cr.precommit.run()
        self.assertEqual(done, ["it"])

    def test_what_the_orm_refuses_is_refused(self):
        partners = self.env["res.partner"].with_user(self.user)
        for wrong, error in (
            ({"gender": "unheard of"}, ValueError),
            ({"birthdate": "2999-01-01"}, ValidationError),
            ({"given_name": "", "family_name": ""}, ValidationError),
        ):
            with self.assertRaises(error):
                partners.create([*self.people(), {**self.people()[0], **wrong}])
        viewer = new_test_user(self.env, "sees_many", groups="spp_base.group_program_viewer")
        with self.assertRaises(AccessError):
            partners.with_user(viewer).create(self.people())
        south = self.env["spp.area"].create({"name": "South", "code": "RM2"})
        self.user.spp_area_ids = self.north
        with self.assertRaises(AccessError):
            partners.create(self.people(area_id=south.id))
