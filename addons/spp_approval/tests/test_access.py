"""What each role may do with approvals, asked over XML-RPC."""

from odoo.tests import tagged
from odoo.tools import mute_logger

from odoo.addons.spp_base.tests.common import ROLES, RoleCase

READERS = set(ROLES) - {"program_viewer"}
DECIDING = READERS - {"auditor", "admin"}


@tagged("post_install", "-at_install")
class TestAccess(RoleCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.chain = cls.env["spp.approval.chain"].create(
            {
                "name": "Rules",
                "kind": "rule_version",
                "level_ids": [
                    (0, 0, {"name": "Anybody", "group_id": cls.env.ref("spp_base.group_approver").id})
                ],
            }
        )
        rule = cls.env["spp.rule"].create({"name": "Old age", "target": "individual"})
        cls.version = cls.env["spp.rule.version"].create(
            {"rule_id": rule.id, "expression": "individual.age >= 60"}
        )

    @mute_logger("odoo.addons.base.models.ir_model", "odoo.addons.base.models.ir_rule", "odoo.http")
    def test_a_request_over_xmlrpc(self):
        self.assertIs(
            self.rpc("program_manager", "spp.rule.version", "action_publish", self.version.ids, "Tested"),
            True,
        )
        for role in self.users:
            asked = [("res_model", "=", "spp.rule.version"), ("to_decide", "=", True)]
            if role in READERS:
                found = self.rpc(role, "spp.approval.request", "search", asked)
                self.assertEqual(bool(found), role == "approver", role)
            self.assertEqual(self.rpc(role, "res.users", "count_approvals"), int(role == "approver"), role)
        request = self.version._approval_request("rule_version")
        for role in self.users:
            for method in ("action_approve", "action_reject", "action_send_back"):
                if role != "approver":
                    arguments = () if method == "action_approve" else ("No",)
                    self.assertFalse(
                        self.allowed(role, "spp.approval.request", method, request.ids, *arguments),
                        (role, method),
                    )
        page = self.rpc("approver", "spp.approval.request", "read", request.ids, ["page", "waits_for"])[0]
        self.assertIn("individual.age &gt;= 60", page["page"])
        self.assertIs(self.rpc("approver", "spp.approval.request", "action_approve", request.ids), True)
        self.env.invalidate_all()
        self.assertEqual(self.version.state, "published")

    @mute_logger("odoo.addons.base.models.ir_model", "odoo.addons.base.models.ir_rule", "odoo.http")
    def test_rights(self):
        writers = {"spp.approval.chain": {"admin"}, "spp.approval.level": {"admin"}}
        for role in self.users:
            for model in (
                "spp.approval.chain",
                "spp.approval.level",
                "spp.approval.request",
                "spp.approval.decision",
                "spp.approval.delegation",
            ):
                self.assertEqual(self.may(role, model, "read"), role in READERS, (role, model))
                for operation in ("write", "unlink", "create"):
                    wanted = role in writers.get(model, ())
                    if (model, operation) == ("spp.approval.delegation", "create"):
                        wanted = role in DECIDING
                    self.assertEqual(self.may(role, model, operation), wanted, (role, model, operation))
                for method, arguments in (
                    ("search", ([],)),
                    ("search_count", ([],)),
                    ("name_search", ()),
                    ("read_group", ([], ["id:count"], [])),
                ):
                    self.assertEqual(
                        self.allowed(role, model, method, *arguments), role in READERS, (role, model, method)
                    )

    @mute_logger("odoo.addons.base.models.ir_model", "odoo.addons.base.models.ir_rule", "odoo.http")
    def test_requests_about_people_follow_areas(self):
        area, elsewhere = self.env["spp.area"].create(
            [{"name": "North", "code": "N"}, {"name": "South", "code": "S"}]
        )
        self.chain.kind = "account_change"
        for name, where in (("here", area), ("there", elsewhere)):
            person = self.env["res.partner"].create(
                {"name": name, "is_registrant": True, "area_id": where.id}
            )
            self.env["spp.payment.account"].with_user(self.users["enrollment_officer"]).create(
                {"partner_id": person.id, "number_entry": "12345678"}
            )
        mine = [("kind", "=", "account_change")]
        self.assertEqual(self.rpc("approver", "spp.approval.request", "search_count", mine), 2)
        self.users["approver"].spp_area_ids = area
        self.env.flush_all()
        self.assertEqual(self.rpc("approver", "spp.approval.request", "search_count", mine), 1)
        self.assertEqual(self.rpc("approver", "res.users", "count_approvals"), 1)
        self.assertEqual(len(self.rpc("approver", "spp.approval.request", "name_search", "Account")), 1)
        decisions = [("kind", "=", "account_change")]
        self.assertEqual(self.rpc("approver", "spp.approval.decision", "search_count", decisions), 1)
        for request in self.env["spp.approval.request"].search(mine):
            if request.partner_id.name == "there":
                self.assertFalse(
                    self.allowed("approver", "spp.approval.request", "action_approve", request.ids)
                )

    @mute_logger("odoo.addons.base.models.ir_model", "odoo.addons.base.models.ir_rule", "odoo.http")
    def test_other_companies_are_not_seen(self):
        company = self.env["res.company"].create({"name": "Elsewhere"})
        self.chain.company_id = company
        self.env.flush_all()
        self.assertFalse(self.rpc("admin", "spp.approval.chain", "search", [("id", "=", self.chain.id)]))
