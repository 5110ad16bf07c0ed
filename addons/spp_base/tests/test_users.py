"""The SP-MIS Administrator keeps users and their roles, and gets no further that way."""

from xmlrpc.client import Fault

from odoo.tests.common import tagged
from odoo.tools import mute_logger

from .common import RoleCase


@tagged("post_install", "-at_install")
class TestUsers(RoleCase):
    def setUp(self):
        super().setUp()
        self.clerk = self.users["internal"]
        self.finance = self.env.ref("spp_base.group_finance_officer")
        self.viewer = self.env.ref("spp_base.group_program_viewer")

    def refused(self, role, method, *args):
        with mute_logger("odoo.addons.base.models.ir_model", "odoo.http"):
            self.assertFalse(self.allowed(role, "res.users", method, *args), (role, method, args))

    def test_admin_makes_a_user_with_a_role(self):
        new_id = self.rpc(
            "admin",
            "res.users",
            "create",
            {
                "name": "Amina",
                "login": "amina",
                "password": "a long password",
                "spp_role_ids": [(6, 0, [self.finance.id])],
            },
        )
        user = self.env["res.users"].browse(new_id)
        self.assertEqual(user.spp_role_ids, self.finance)
        self.assertTrue(user.has_group("base.group_user"))
        self.assertEqual(self.xmlrpc_common.login(self.env.cr.dbname, "amina", "a long password"), new_id)
        entry = self.env["spp.audit.entry"].search([("action", "=", "Roles changed")], limit=1)
        self.assertEqual((entry.user_id, entry.res_id), (self.users["admin"], new_id))
        self.assertEqual(entry.res_name, "Amina")
        self.assertEqual((entry.old, entry.new), (False, ["Finance Officer"]))

    def test_rights_of_a_new_user_come_with_roles_only(self):
        for number, roles in enumerate(([], [(6, 0, self.viewer.ids)])):
            values = {"name": "New", "login": f"new-{number}", "spp_role_ids": roles}
            user = self.env["res.users"].browse(self.rpc("admin", "res.users", "create", values))
            self.assertTrue(user.has_group("base.group_user"))
            self.assertFalse(user.has_group("base.group_allow_export"))
            self.assertFalse(user.has_group("base.group_partner_manager"))
        user.spp_role_ids = self.finance
        self.assertTrue(user.has_group("base.group_allow_export"))

    def test_admin_changes_and_archives_a_user(self):
        self.rpc("admin", "res.users", "write", self.clerk.ids, {"spp_role_ids": [(4, self.finance.id)]})
        self.assertEqual(self.clerk.spp_role_ids, self.finance)
        self.rpc("admin", "res.users", "write", self.clerk.ids, {"spp_role_ids": [(6, 0, self.viewer.ids)]})
        self.assertEqual(self.clerk.spp_role_ids, self.viewer)
        self.rpc("admin", "res.users", "write", self.clerk.ids, {"name": "Clerk", "active": False})
        self.assertEqual((self.clerk.name, self.clerk.active), ("Clerk", False))

    def test_a_change_of_anything_else_leaves_rights_as_they_are(self):
        finance = self.users["finance_officer"]
        before = finance.groups_id
        self.rpc("admin", "res.users", "write", finance.ids, {"name": "Fina", "tz": "Africa/Nairobi"})
        finance.write({"signature": "F."})
        self.env.invalidate_all()
        self.assertEqual((finance.groups_id, finance.name), (before, "Fina"))

    def test_admin_gives_no_power_over_the_system(self):
        system = self.env.ref("base.group_system")
        groups_before = self.clerk.groups_id
        for values in (
            {"groups_id": [(4, system.id)]},
            {f"in_group_{system.id}": True},
            {"partner_id": self.env.ref("base.partner_admin").id},
            {"child_ids": [(0, 0, {"name": "x"})]},
            {"action_id": 1},
        ):
            self.refused("admin", "write", self.clerk.ids, values)
            self.refused("admin", "create", {"name": "x", "login": "x", **values})
        self.rpc("admin", "res.users", "write", self.clerk.ids, {"spp_role_ids": [(4, system.id)]})
        self.env.invalidate_all()
        self.assertEqual(self.clerk.groups_id, groups_before)

    def test_admin_cannot_touch_those_with_more_power(self):
        for user in (
            self.users["system"],
            self.env.ref("base.user_admin"),
            self.env.ref("base.user_root"),
            self.env.ref("base.public_user"),
            self.env.ref("base.default_user", raise_if_not_found=False),
        ):
            if not user:  # 19.0 has no default user
                continue
            self.refused("admin", "write", user.ids, {"password": "mine now"})
            self.refused("admin", "write", (self.clerk + user).ids, {"spp_role_ids": [(4, self.finance.id)]})

    def test_admin_cannot_change_own_roles(self):
        own = self.users["admin"].ids
        self.refused("admin", "write", own, {"spp_role_ids": [(4, self.finance.id)]})
        self.rpc("admin", "res.users", "write", own, {"tz": "Asia/Manila", "signature": "Me"})
        self.rpc("admin", "res.users", "write", own, {"name": "Me"})

    def test_admin_stays_within_own_companies(self):
        other = self.env["res.company"].create({"name": "Other"})
        self.refused("admin", "write", self.clerk.ids, {"company_ids": [(4, other.id)]})
        self.refused(
            "admin", "write", self.clerk.ids, {"company_id": other.id, "company_ids": [(6, 0, other.ids)]}
        )
        self.refused("admin", "create", {"name": "x", "login": "x", "company_ids": [(6, 0, other.ids)]})

    def test_other_roles_keep_no_users(self):
        for role in self.users.keys() - {"admin", "system"}:
            self.refused(role, "write", self.users["admin"].ids, {"name": "x", "lang": "en_US"})
            self.refused(role, "write", self.users[role].ids, {"spp_role_ids": [(4, self.finance.id)]})
            self.refused(role, "create", {"name": "x", "login": "x"})
            self.refused(role, "unlink", self.users["admin"].ids)

    def test_roles_given_in_odoo_settings_are_logged_too(self):
        box = f"in_group_{self.finance.id}"  # of the form in 17.0; 19.0's writes the groups
        has_boxes = box in self.rpc("system", "res.users", "fields_get", [box])
        values = {box: True} if has_boxes else {"groups_id": [(4, self.finance.id)]}
        self.rpc("system", "res.users", "write", self.clerk.ids, values)
        self.assertEqual(self.clerk.spp_role_ids, self.finance)
        entry = self.env["spp.audit.entry"].search([("action", "=", "Roles changed")], limit=1)
        self.assertEqual((entry.user_id, entry.res_id), (self.users["system"], self.clerk.id))

    def test_forms_open(self):
        for role, view in (("admin", "spp_base.view_res_users_form"), ("system", "base.view_users_form")):
            view_id = self.env.ref(view).id
            try:
                arch = self.rpc(role, "res.users", "get_views", [(view_id, "form")])["views"]["form"]["arch"]
            except Fault as fault:
                self.fail(fault.faultString)
            self.assertIn("spp_role_ids", arch)
