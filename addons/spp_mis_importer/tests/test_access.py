"""What each role may do with an import, asked over XML-RPC."""

import base64
from xmlrpc.client import Fault

from odoo.tests.common import tagged
from odoo.tools import mute_logger

from odoo.addons.spp_base.tests.common import ROLES, RoleCase

from .common import MisMixin

READERS = {
    "spp.mis.source": {"admin", "program_manager", "enrollment_officer", "auditor"},
    "spp.mis.mapping": {"admin", "program_manager", "enrollment_officer", "auditor"},
    "spp.mis.held": {"program_manager", "enrollment_officer", "auditor"},
    "spp.mis.conflict": {"program_manager", "enrollment_officer", "auditor"},
    "spp.mis.preview": {"program_manager", "enrollment_officer", "auditor"},
    "spp.mis.preview.line": {"program_manager", "enrollment_officer", "auditor"},
}
WRITERS = {
    "spp.mis.source": {"admin"},
    "spp.mis.mapping": {"admin", "program_manager", "enrollment_officer"},
    "spp.mis.held": set(),
    "spp.mis.conflict": set(),
    "spp.mis.preview": set(),
    "spp.mis.preview.line": set(),
}
LINKS = {"spp.mis.source": "id", "spp.mis.preview.line": "preview_id.source_id"}
OPERATORS = {"admin", "program_manager", "enrollment_officer"}


@tagged("post_install", "-at_install")
class TestAccess(MisMixin, RoleCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.at_source("res.partner", 8, {"birthdate": "never"})
        cls.do_import()
        cls.registrant("individual", 9).birth_place = "Here"
        cls.at_source("res.partner", 9, {"birth_place": "There"})
        cls.do_import()
        cls.source.action_preview()
        cls.work()
        cls.env.flush_all()

    @mute_logger("odoo.addons.base.models.ir_model", "odoo.http")
    def test_roles(self):
        for model, readers in READERS.items():
            record = self.env[model].search([(LINKS.get(model, "source_id"), "=", self.source.id)])[:1]
            self.assertTrue(record, model)
            for role in self.users:
                for method, args in (
                    ("read", (record.ids, ["display_name"])),
                    ("search", ([],)),
                    ("search_count", ([],)),
                    ("search_read", ([], ["display_name"])),
                    ("read_group", ([], ["id:count"], ["create_uid"])),
                    ("name_search", ()),
                ):
                    may = role in readers
                    self.assertEqual(self.allowed(role, model, method, *args), may, (role, model, method))
                writes = role in WRITERS[model]
                self.assertEqual(self.may(role, model, "write"), writes, (role, model))
                for operation in ("create", "unlink"):
                    self.assertEqual(
                        self.may(role, model, operation),
                        role == "admin" and model in ("spp.mis.source", "spp.mis.mapping"),
                        (role, model, operation),
                    )

    @mute_logger("odoo.addons.base.models.ir_model", "odoo.http")
    def test_actions(self):
        source = self.source.ids
        for role in self.users:
            for method, may in (
                ("action_test_connection", role in OPERATORS),
                ("action_import", role in OPERATORS),
                ("action_import_all", role in OPERATORS),
                ("action_retry_held", role in OPERATORS - {"admin"}),
                ("action_pause", role in {"admin", "program_manager"}),
                ("action_resume", role in {"admin", "program_manager"}),
            ):
                self.assertEqual(self.allowed(role, "spp.mis.source", method, source), may, (role, method))

    @mute_logger("odoo.addons.base.models.ir_model", "odoo.http")
    def test_conflicts_previews_and_files(self):
        conflict = self.env["spp.mis.conflict"].search([("source_id", "=", self.source.id)])
        files = self.env["spp.mis.source"].create({"name": "Files", "dialect": "file"})
        self.env.flush_all()
        given = {"people": ["people.csv", base64.b64encode(b"id,name\n1,Ana\n").decode()]}
        for role in self.users:
            may = role in OPERATORS - {"admin"}
            for model, method, args in (
                ("spp.mis.conflict", "action_keep_ours", (conflict.ids,)),
                ("spp.mis.source", "action_preview", (self.source.ids,)),
                ("spp.mis.source", "upload", (files.ids, given)),
            ):
                self.assertEqual(self.allowed(role, model, method, *args), may, (role, method))
            for model, field in (
                ("spp.mis.source", "people_file"),
                ("spp.mis.conflict", "value"),
                ("spp.registrant.source", "said"),
            ):
                self.assertFalse(self.allowed(role, model, "search_read", [], [field]), (role, field))
        self.assertEqual(conflict.state, "ours")

    @mute_logger("odoo.http")
    def test_retry_of_what_failed_in_a_run(self):
        run = self.env["spp.run"].search([("kind", "=", "mis_import")], order="id desc", limit=1)
        self.assertFalse(self.allowed("program_viewer", "spp.run", "action_retry", run.ids))
        self.assertFalse(self.allowed("admin", "spp.run", "action_retry", run.ids))
        again = self.rpc("enrollment_officer", "spp.run", "action_retry", run.ids)
        self.assertEqual(self.env["spp.run"].browse(again).kind, "mis_retry")

    def test_answers_are_plain_values(self):
        told = self.rpc("enrollment_officer", "spp.mis.source", "action_test_connection", self.source.ids)
        self.assertEqual((told["params"]["people"], told["params"]["groups"]), (219, 71))
        run = self.rpc("enrollment_officer", "spp.mis.source", "action_import", self.source.ids)
        self.assertIsInstance(run, int)
        self.assertTrue(self.rpc("program_manager", "spp.mis.source", "action_pause", self.source.ids))

    @mute_logger("odoo.addons.base.models.ir_model", "odoo.addons.base.models.ir_rule", "odoo.http")
    def test_nobody_reads_what_a_held_record_holds(self):
        held = self.held("individual:8")
        for role in ROLES:
            for method, args in (
                ("read", (held.ids, ["payload"])),
                ("search_read", ([], ["payload"])),
                ("search", ([("payload", "ilike", "ACC0")],)),
                ("search_count", ([("payload", "ilike", "ACC0")],)),
            ):
                self.assertFalse(self.allowed(role, "spp.mis.held", method, *args), (role, method))
        (told,) = self.rpc("enrollment_officer", "spp.mis.held", "read", held.ids)
        self.assertNotIn("ACC00000001", str(told))
        self.assertNotIn("NID-000001", str(told))

    @mute_logger("odoo.addons.base.models.ir_model", "odoo.http")
    def test_nobody_reads_the_password(self):
        for role in self.users:
            for method, args in (
                ("read", (self.endpoint.ids, ["secret"])),
                ("search_read", ([], ["secret"])),
                ("export_data", (self.endpoint.ids, ["secret"])),
            ):
                try:
                    told = str(self.rpc(role, "spp.endpoint", method, *args))
                except Fault:
                    continue
                self.assertNotIn("mis_secret", told, (role, method))

    def test_officer_of_an_area_sees_held_records_of_registrants_there_only(self):
        area = self.env["spp.area"].create({"name": "North", "code": "N"})
        self.users["enrollment_officer"].spp_area_ids = area
        self.env.flush_all()
        self.assertEqual(self.rpc("enrollment_officer", "spp.mis.held", "search_count", []), 0)
        self.held("individual:8").partner_id = self.registrant("individual", 9)
        self.registrant("individual", 9).area_id = area
        self.env.flush_all()
        self.assertEqual(
            self.rpc("enrollment_officer", "spp.mis.held", "search", []), self.held("individual:8").ids
        )

    def test_other_companies_see_nothing(self):
        company = self.env["res.company"].create({"name": "Other ministry"})
        self.source.company_id = company
        self.env.flush_all()
        for model in READERS:
            self.assertEqual(self.rpc("enrollment_officer", model, "search_count", []), 0, model)
