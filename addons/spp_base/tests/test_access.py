"""What each role may do with endpoints, runs and the trail, asked over XML-RPC."""

from odoo.tests.common import tagged
from odoo.tools import mute_logger

from .common import ROLES, RoleCase

READERS = {
    "spp.endpoint": {"admin", "auditor", "program_manager"},
    "spp.run": set(ROLES),
    "spp.run.failure": set(ROLES) - {"program_viewer", "approver"},
    "spp.audit.entry": {"admin", "auditor"},
}
WRITERS = {"spp.endpoint": {"admin"}}


@tagged("post_install", "-at_install")
class TestAccess(RoleCase):
    @mute_logger("odoo.addons.base.models.ir_model", "odoo.http")
    def test_roles(self):
        run = self.env["spp.run"]._start("test", "Test", self.env.company)
        failure = run._add_failures([{"name": "Ada", "reason": "No head"}])
        entry = self.env["spp.audit.entry"]._log("Tested", self.env.company)
        endpoint = self.env["spp.endpoint"].create({"name": "E", "base_url": "https://e.example.org"})
        self.env.flush_all()
        for record in (run, failure, entry, endpoint):
            model = record._name
            group_by = "user_id" if model == "spp.audit.entry" else "create_uid"
            for role in self.users:
                reads = role in READERS[model]
                for method, args in (
                    ("read", (record.ids, ["display_name"])),
                    ("search", ([],)),
                    ("search_count", ([],)),
                    ("search_read", ([], ["display_name"])),
                    ("read_group", ([], ["id:count"], [group_by])),
                    ("name_search", ()),
                ):
                    self.assertEqual(self.allowed(role, model, method, *args), reads, (role, model, method))
                writes = role in WRITERS.get(model, ())
                for method, args in (
                    ("write", (record.ids, {"active": True} if model == "spp.endpoint" else {})),
                    ("copy", record.ids),
                    ("unlink", (record.ids,)),
                ):
                    if not writes:
                        self.assertFalse(self.allowed(role, model, method, *args), (role, model, method))
                for operation in ("create", "write", "unlink"):
                    self.assertEqual(self.may(role, model, operation), writes)

    def test_every_role_is_an_internal_user_and_a_viewer(self):
        for role in ROLES:
            user = self.users[role]
            self.assertTrue(user.has_group("base.group_user"))
            self.assertTrue(user.has_group("spp_base.group_program_viewer"))
            # Odoo's "Access Rights" may rewrite every access rule, and so read everything.
            self.assertFalse(user.has_group("base.group_erp_manager") or user.has_group("base.group_system"))
            self.assertTrue(self.env.ref(f"spp_base.group_{role}").comment)

    @mute_logger("odoo.addons.base.models.ir_model", "odoo.http")
    def test_admin_cannot_open_doors(self):
        for model in ("ir.model.access", "ir.rule", "ir.model.fields", "res.groups", "ir.actions.server"):
            for operation in ("create", "write", "unlink"):
                self.assertFalse(self.may("admin", model, operation), model)

    def test_menus(self):
        root = self.env.ref("spp_base.menu_root")
        for name in ("registry", "programs", "payments", "integrations", "configuration"):
            self.assertEqual(self.env.ref(f"spp_base.menu_{name}").parent_id, root)
        menu = self.env["ir.ui.menu"]
        self.assertNotIn(root.id, menu.with_user(self.users["internal"])._visible_menu_ids())
        visible = menu.with_user(self.users["program_viewer"])._visible_menu_ids()
        self.assertIn(root.id, visible)
        self.assertIn(self.env.ref("spp_base.menu_spp_run").id, visible)
        self.assertNotIn(self.env.ref("spp_base.menu_spp_audit_entry").id, visible)
