"""Who may see and do what over XML-RPC: outbox and mapper, for every role."""

from xmlrpc.client import Fault

from odoo.tests import HttpCase, tagged
from odoo.tools import mute_logger

from odoo.addons.spp_base.tests.common import CheapPasswords

from .common import SparMixin

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
SEE_CHANGES = {"auditor", "enrollment_officer", "program_manager", "finance_officer", "admin"}
SEE_IDS = {"auditor", "enrollment_officer", "program_manager"}
NUMBER = "account:1000000001@FB01"


@tagged("post_install", "-at_install")
class TestAccess(SparMixin, CheapPasswords, HttpCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.uids = {}
        for role in ROLES:
            user = cls.env["res.users"].create(
                {
                    "name": role,
                    "login": f"spar_{role}",
                    "password": f"spar_{role}",
                    "groups_id": [(6, 0, [cls.env.ref(f"spp_base.group_{role}").id])],
                }
            )
            cls.uids[role] = user.id

    def setUp(self):
        super().setUp()
        self.registrant = self.person("A1")
        self.drain()
        self.env.cr.flush()

    def call(self, role, model, method, *args, **kwargs):
        return self.xmlrpc_object.execute_kw(
            self.env.cr.dbname, self.uids[role], f"spar_{role}", model, method, args, kwargs
        )

    @mute_logger(
        "odoo.http", "odoo.models", "odoo.addons.base.models.ir_model", "odoo.addons.base.models.ir_rule"
    )
    def refused(self, role, model, method, *args, **kwargs):
        try:
            answer = self.call(role, model, method, *args, **kwargs)
        except Fault:
            return True
        return not answer

    def test_who_reads_the_outbox(self):
        for role in ROLES:
            domain = [("partner_id", "=", self.registrant.id)]
            if role in SEE_CHANGES:
                (row,) = self.call(role, "spp.spar.change", "search_read", domain, ["state", "target_masked"])
                self.assertEqual((row["state"], row["target_masked"]), ("done", "account:••••0001@FB01"))
            else:
                for method in ("search_count", "search_read"):
                    self.assertTrue(self.refused(role, "spp.spar.change", method, domain), (role, method))
                self.assertTrue(
                    self.refused(role, "spp.spar.change", "read_group", domain, ["state"], ["state"])
                )
                self.assertTrue(self.refused(role, "spp.spar.change", "name_search", "Asha"))

    def test_whole_numbers_only_for_finance(self):
        for role in SEE_CHANGES:
            for field in ("target_fa", "payload", "observed_fa", "expected_previous", "last_answer"):
                hidden = self.refused(role, "spp.spar.change", "search_read", [], [field])
                self.assertEqual(hidden, role != "finance_officer", (role, field))
            if role == "finance_officer":
                continue
            for domain in ([("target_fa", "=", NUMBER)], [("target_fa", "like", "account:1%")]):
                for method in ("search_count", "search", "search_read"):
                    self.assertTrue(self.refused(role, "spp.spar.change", method, domain), (role, domain))
                self.assertTrue(
                    self.refused(role, "spp.spar.change", "read_group", domain, ["state"], ["state"])
                )
            self.assertTrue(self.refused(role, "spp.spar.change", "search", [], order="target_fa"), role)
            self.assertTrue(
                self.refused(role, "spp.spar.change", "read_group", [], ["id"], ["target_fa"]), role
            )
            self.assertTrue(self.refused(role, "spp.spar.change", "export_data", [1], ["target_fa"]), role)
            everything = self.call(role, "spp.spar.change", "search_read", [])
            self.assertNotIn("1000000001", str(everything), role)

    def test_ids_only_for_those_who_read_documents(self):
        for role in SEE_CHANGES:
            hidden = self.refused(role, "spp.spar.change", "search_read", [], ["spar_id"])
            self.assertEqual(hidden, role not in SEE_IDS, role)
            domain = [("spar_id", "=", "token:A1@nationalId")]
            self.assertEqual(
                self.refused(role, "spp.spar.change", "search_count", domain), role not in SEE_IDS
            )

    def test_nobody_writes_the_outbox(self):
        change = self.queued(self.registrant)
        vals = {"state": "done"}
        for role in ROLES:
            self.assertTrue(self.refused(role, "spp.spar.change", "write", [change.id], vals), role)
            self.assertTrue(self.refused(role, "spp.spar.change", "unlink", [change.id]), role)
            self.assertTrue(self.refused(role, "spp.spar.change", "create", {"state": "done"}), role)
            self.assertTrue(self.refused(role, "spp.spar.counter", "search_read", []), role)

    def test_mapper_is_read_by_all_and_kept_by_the_administrator(self):
        for role in ROLES:
            (row,) = self.call(role, "spp.spar.mapper", "read", [self.mapper.id], ["name"])
            self.assertEqual(row["name"], "SPAR")
            kept = not self.refused(
                role, "spp.spar.mapper", "write", [self.mapper.id], {"receiver_id": "spar"}
            )
            self.assertEqual(kept, role == "admin", role)
            status = self.call(role, "spp.spar.mapper", "status", [self.mapper.id])
            self.assertEqual((status["done"], status["paused"]), (1, ""))

    def test_who_sends_and_who_tests(self):
        self.account(self.registrant, "2000000002")
        self.env.cr.flush()
        for role in ROLES:
            try:
                with mute_logger("odoo.http"):
                    waiting = self.call(role, "spp.spar.mapper", "action_drain", [self.mapper.id])
            except Fault:
                waiting = None
            self.assertEqual(waiting, 1 if role in ("enrollment_officer", "admin") else None, role)
            tested = not self.refused(role, "spp.spar.mapper", "action_test_connection", [self.mapper.id])
            self.assertEqual(tested, role == "admin", role)

    def test_account_edited_over_xml_rpc_is_queued_and_shown(self):
        account = self.primary(self.registrant)
        self.call(
            "enrollment_officer", "spp.payment.account", "write", [account.id], {"number_entry": "2000000002"}
        )
        self.env.invalidate_all()
        self.assertEqual(self.queued(self.registrant).mapped("state"), ["done", "pending"])
        self.drain()
        (row,) = self.call("enrollment_officer", "spp.payment.account", "read", [account.id], ["spar_state"])
        self.assertEqual(row["spar_state"], "done")
        self.assertEqual(self.spar()[0], {"token:A1@nationalId": "account:2000000002@FB01"})

    def test_areas_limit_the_outbox(self):
        area = self.env["spp.area"].create({"name": "Elsewhere", "code": "SPAR_ELSEWHERE"})
        self.env["res.users"].search([("login", "=", "spar_auditor")]).spp_area_ids = area
        self.env.cr.flush()
        self.assertFalse(self.call("auditor", "spp.spar.change", "search_count", []))
        self.registrant.area_id = area
        self.env.cr.flush()
        self.assertEqual(self.call("auditor", "spp.spar.change", "search_count", []), 1)

    def test_connection_faults_are_told_in_plain_words(self):
        for fault, words in {
            "html": "not one of a SPAR mapper",
            "refuse_all": "signature",
            "drop_after": "",
        }.items():
            self.fault(fault)
            with mute_logger("odoo.http"), self.assertRaises(Fault) as caught:
                self.call("admin", "spp.spar.mapper", "action_test_connection", [self.mapper.id])
            self.assertIn(words, caught.exception.faultString)
            self.assertNotIn("Traceback", caught.exception.faultString)
