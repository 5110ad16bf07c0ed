"""What each role may do with rules and variables, over XML-RPC."""

import xmlrpc.client

from odoo.tests import HttpCase, new_test_user, tagged

from odoo.addons.spp_base.tests.common import CheapPasswords

ROLES = (
    "program_viewer",
    "auditor",
    "enrollment_officer",
    "program_manager",
    "finance_officer",
    "approver",
    "payment_releaser",
    "admin",
)
MODELS = ("spp.rule", "spp.rule.version", "spp.cel.variable", "spp.logic.pack")


@tagged("post_install", "-at_install")
class TestAccess(CheapPasswords, HttpCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for role in ROLES:
            new_test_user(cls.env, f"cel_{role}", f"spp_base.group_{role}", password=f"cel_{role}_password")
        cls.outsider = new_test_user(
            cls.env, "cel_outsider", "base.group_user", password="cel_outsider_password"
        )
        cls.rule = cls.env["spp.rule"].create({"name": "Seen", "target": "group", "expression": "true"})
        cls.rule.action_publish("Seen by everybody")
        cls.draft = cls.env["spp.rule"].create({"name": "Draft", "target": "group", "expression": "true"})

    def call(self, role, model, method, *args, **kwargs):
        login = f"cel_{role}"
        uid = self.env["res.users"].search([("login", "=", login)]).id
        return self.xmlrpc_object.execute_kw(
            self.env.cr.dbname, uid, f"{login}_password", model, method, list(args), kwargs
        )

    def refused(self, role, model, method, *args, **kwargs):
        with self.assertRaises(xmlrpc.client.Fault, msg=(role, model, method)):
            self.call(role, model, method, *args, **kwargs)

    def test_every_role_reads(self):
        for role in ROLES:
            for model in MODELS:
                self.assertGreaterEqual(self.call(role, model, "search_count", []), 1)
                self.assertTrue(self.call(role, model, "name_search", ""))
            self.assertTrue(self.call(role, "spp.rule", "read_group", [], ["id"], ["state"]))

    def test_outsiders_see_nothing(self):
        for model in MODELS:
            self.refused("outsider", model, "search_count", [])
            self.refused("outsider", model, "name_search", "")
            self.refused("outsider", model, "read_group", [], ["id"], ["id"])

    def test_only_program_managers_write(self):
        values = {
            "spp.rule": {"name": "New", "target": "group", "expression": "true"},
            "spp.rule.version": {"rule_id": self.rule.id, "expression": "false"},
            "spp.cel.variable": {"name": "new_one", "value": "1"},
            "spp.logic.pack": {"content": "code: x"},
        }
        pack = self.env["spp.logic.pack"].search([], limit=1)
        for role in ROLES:
            if role == "program_manager":
                continue
            for model in MODELS:
                some = self.call(role, model, "search", [], limit=1)
                self.refused(role, model, "create", values[model])
                self.refused(role, model, "write", some, {"create_uid": 1})
                self.refused(role, model, "unlink", some)
            self.refused(role, "spp.rule", "action_retire", [self.rule.id])
            self.refused(role, "spp.rule", "action_publish", [self.draft.id], reason="As decided")
            self.refused(role, "spp.rule", "action_open_publish", [self.draft.id])
            self.refused(role, "spp.rule.publish", "create", {"version_id": self.draft.draft_version_id.id})
            self.refused(role, "spp.logic.pack", "action_install", pack.ids)
            self.refused(role, "spp.logic.pack", "action_run_tests", pack.ids)
            self.refused(role, "spp.rule.version", "action_retire", self.rule.published_version_id.ids)

    def test_a_program_manager_goes_all_the_way(self):
        call = lambda *args, **kwargs: self.call("program_manager", *args, **kwargs)  # noqa: E731
        rule = call(
            "spp.rule",
            "create",
            {"name": "Mine", "target": "group", "expression": "group.members.size() > 0"},
        )
        self.assertIs(call("spp.rule", "action_publish", [rule], reason="As decided"), True)
        (found,) = call("spp.rule", "read", [rule], ["state", "problem"])
        self.assertEqual(found["state"], "published")
        versions = call("spp.rule.version", "search", [("rule_id", "=", rule)])
        for vals in ({"expression": "true"}, {"state": "draft"}):
            self.refused("program_manager", "spp.rule.version", "write", versions, vals)
        self.refused("program_manager", "spp.rule", "unlink", [rule])
        self.assertIs(call("spp.rule", "action_retire", [rule]), True)

    def test_every_role_may_ask_why_and_some_what_would_change_it(self):
        group = self.env["res.partner"].create({"name": "Asked", "is_registrant": True, "is_group": True})
        for switch, shown in (("False", ()), ("True", ("program_manager", "auditor"))):
            self.env["ir.config_parameter"].set_param("spp_cel.show_change", switch)
            for role in ROLES:
                answer = self.call(role, "spp.rule", "why", [self.rule.id], group.id, "2024-02-29")
                self.assertEqual((answer["outcome"], answer["as_of"]), ("eligible", "2024-02-29"))
                self.assertEqual(answer["why"]["state"], "true")
                self.assertEqual("changes" in answer, role in shown, role)
        self.refused("outsider", "spp.rule", "why", [self.rule.id], group.id)
        self.refused("program_manager", "spp.rule", "why", [self.rule.id], self.env.user.partner_id.id)

    def test_whom_a_user_may_not_see_is_not_explained(self):
        areas = self.env["spp.area"].create([{"name": name, "code": name} for name in ("HERE", "ELSEWHERE")])
        user = self.env["res.users"].search([("login", "=", "cel_enrollment_officer")])
        user.spp_area_ids = areas[0]
        group = self.env["res.partner"].create(
            {"name": "Asked", "is_registrant": True, "is_group": True, "area_id": areas[1].id}
        )
        self.refused("enrollment_officer", "spp.rule", "why", [self.rule.id], group.id)
        group.area_id = areas[0]
        answer = self.call("enrollment_officer", "spp.rule", "why", [self.rule.id], group.id)
        self.assertEqual(answer["registrant"], "Asked")

    def test_a_program_manager_installs_a_pack(self):
        (pack,) = self.call("program_manager", "spp.logic.pack", "search", [("code", "=", "child_benefit")])
        self.assertIs(self.call("program_manager", "spp.logic.pack", "action_run_tests", [pack]), True)
        action = self.call("program_manager", "spp.logic.pack", "action_install", [pack])
        self.assertEqual(self.call("program_viewer", "spp.rule", "search_count", action["domain"]), 2)
        for vals in ({"content": "x"}, {"upload": "eA=="}):
            self.refused("program_manager", "spp.logic.pack", "write", [pack], vals)
        self.refused("program_manager", "spp.logic.pack", "unlink", [pack])
        self.call(
            "program_manager", "spp.logic.pack", "write", [pack], {"test_results": [], "shipped": False}
        )
        (found,) = self.call("program_viewer", "spp.logic.pack", "read", [pack], ["test_results", "shipped"])
        self.assertTrue(found["test_results"] and found["shipped"])

    def test_a_refused_expression_comes_back_as_a_clear_fault(self):
        with self.assertRaises(xmlrpc.client.Fault) as caught:
            self.call(
                "program_manager",
                "spp.rule",
                "create",
                {"name": "X", "target": "group", "expression": "group.incom > 1"},
            )
        self.assertIn("Line 1, column 7", caught.exception.faultString)
