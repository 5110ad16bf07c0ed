"""What each role may do over XML-RPC, with every model of this addon."""

import xmlrpc.client

from odoo.tests import HttpCase, tagged
from odoo.tools import mute_logger

from odoo.addons.spp_base.tests.common import CheapPasswords

from .common import AS_OF, ROLES, ProgramsMixin

MODELS = (
    "spp.program",
    "spp.program.benefit",
    "spp.program.count",
    "spp.program.membership",
    "spp.enrollment.decision",
    "spp.enrollment.decision.line",
    "spp.duplicate.case",
    "spp.fund.entry",
    "spp.fund.balance",
    "spp.cycle",
    "spp.cycle.beneficiary",
    "spp.entitlement",
    "spp.cycle.difference",
    "spp.cycle.difference.total",
    "spp.cycle.change",
)
EVERY_ROLE = frozenset(ROLES)
LEDGER_READERS = {"auditor", "program_manager", "finance_officer", "approver"}
# (model, operation): roles that may; read is EVERY_ROLE and anything else nobody, unless said here
MAY = {
    ("spp.fund.entry", "read"): LEDGER_READERS,
    ("spp.program.count", "read"): {"auditor"},
    ("spp.program", "write"): {"program_manager"},
    ("spp.program", "create"): {"program_manager"},
    ("spp.program", "unlink"): {"program_manager"},
    ("spp.program.benefit", "write"): {"program_manager"},
    ("spp.program.benefit", "create"): {"program_manager"},
    ("spp.program.benefit", "unlink"): {"program_manager"},
    ("spp.program.membership", "create"): {"program_manager", "enrollment_officer"},
    ("spp.cycle", "write"): {"program_manager"},
    ("spp.cycle", "create"): {"program_manager"},
}


@tagged("post_install", "-at_install")
class TestAccess(ProgramsMixin, CheapPasswords, HttpCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.set_up_programs()
        cls.program = cls.make_program(fund="1000.00")
        cls.person = cls.make_person("Someone", "1950-01-01")
        cls.member = cls.add(cls.program, cls.person)
        cls.program.with_user(cls.officer).action_enroll(AS_OF)
        cls.cycle = cls.make_cycle(cls.program, submit=True)
        cls.env.flush_all()

    def call(self, role, model, method, *args, **kwargs):
        uid = self.users[role].id
        with mute_logger("odoo.http", "odoo.addons.base.models.ir_model", "odoo.addons.base.models.ir_rule"):
            return self.xmlrpc_object.execute_kw(
                self.env.cr.dbname, uid, f"prog_{role}", model, method, list(args), kwargs
            )

    def refused(self, role, model, method, *args, **kwargs):
        with self.assertRaises(xmlrpc.client.Fault, msg=f"{role} {model}.{method}") as caught:
            self.call(role, model, method, *args, **kwargs)
        return caught.exception.faultString

    def test_rights_of_every_role_on_every_model(self):
        for role in ROLES:
            for model in MODELS:
                for operation in ("read", "write", "create", "unlink"):
                    allowed = role in MAY.get((model, operation), EVERY_ROLE if operation == "read" else ())
                    answer = self.call(role, model, "check_access_rights", operation, raise_exception=False)
                    self.assertEqual(answer, allowed, (role, model, operation))

    def test_every_way_to_read(self):
        for role in ROLES:
            for model in MODELS:
                reads = [
                    ("search_read", [[]], {"limit": 1}),
                    ("search_count", [[]], {}),
                    ("read_group", [[], ["__count"], ["create_uid"]], {}),
                    ("name_search", [""], {"limit": 1}),
                ]
                for method, args, kwargs in reads:
                    if role in MAY.get((model, "read"), EVERY_ROLE):
                        self.call(role, model, method, *args, **kwargs)
                    else:
                        self.refused(role, model, method, *args, **kwargs)

    def test_people_of_other_areas_do_not_show(self):
        here, elsewhere = self.env["spp.area"].create(
            [{"name": "A", "code": "T-A"}, {"name": "B", "code": "T-B"}]
        )
        self.person.area_id = elsewhere
        for role in ROLES:
            self.users[role].spp_area_ids = here
        self.env.flush_all()
        for role in ROLES:
            for model in ("spp.program.membership", "spp.cycle.beneficiary", "spp.entitlement"):
                domain = [("program_id", "=", self.program.id)]
                self.assertEqual(self.call(role, model, "search_count", domain), 0, (role, model))
                self.assertEqual(self.call(role, model, "search_read", domain), [])
                groups = self.call(role, model, "read_group", domain, ["__count"], ["partner_id"])
                self.assertEqual(groups, [])
                self.assertEqual(self.call(role, model, "name_search", "Someone"), [])
        self.refused("enrollment_officer", "spp.program.membership", "action_exit", self.member.ids, "No")

    def test_states_cannot_be_written(self):
        manager = "program_manager"
        context = {"default_state": "approved", "force": True, "allow_state": True}
        for model, record, values in (
            ("spp.program", self.program, {"state": "closed"}),
            ("spp.cycle", self.cycle, {"state": "approved"}),
            ("spp.cycle", self.cycle, {"submitted_by": self.approver.id}),
            ("spp.cycle", self.cycle, {"total_amount": 1.0}),
        ):
            self.refused(manager, model, "write", record.ids, values, context=context)
        for role in ROLES:
            self.refused(role, "spp.entitlement", "write", self.cycle.entitlement_ids.ids, {"amount": 999.0})
            self.refused(role, "spp.program.membership", "write", self.member.ids, {"state": "exited"})
            self.refused(role, "spp.cycle", "_set_state", self.cycle.ids, "approved")
            self.refused(role, "spp.cycle", "_write_guarded", self.cycle.ids, {"state": "approved"})
            self.refused(role, "spp.entitlement", "_set_state", self.cycle.entitlement_ids.ids, "paid")
        self.assertEqual(self.cycle.state, "submitted")

    def test_a_whole_life_with_plain_answers(self):
        program_id = self.call(
            "program_manager",
            "spp.program",
            "create",
            {
                "name": "Pension",
                "code": "RPC",
                "target": "individual",
                "rule_id": self.old_age.id,
                "benefit_ids": [(0, 0, {"name": "Pension", "kind": "money", "amount": 50})],
            },
        )
        self.assertIs(self.call("program_manager", "spp.program", "action_activate", [program_id]), True)
        entry_id = self.call(
            "finance_officer", "spp.program", "fund_allocate", [program_id], "500.00", "W1", "k1"
        )
        self.assertIsInstance(entry_id, int)
        member_id = self.call(
            "enrollment_officer",
            "spp.program.membership",
            "create",
            {"program_id": program_id, "partner_id": self.person.id},
        )
        run_id = self.call("enrollment_officer", "spp.program", "action_enroll", [program_id], AS_OF)
        run = self.call("enrollment_officer", "spp.run", "read", [run_id], ["state", "counts"])[0]
        self.assertEqual((run["state"], run["counts"]["Eligible"]), ("done", 1))
        self.assertIsInstance(
            self.call("enrollment_officer", "spp.program", "action_import_candidates", [program_id]), int
        )
        cycle_id = self.call(
            "program_manager",
            "spp.program",
            "action_new_cycle",
            [program_id],
            "2026-06-01",
            "2026-06-30",
            AS_OF,
        )
        self.assertIsInstance(self.call("program_manager", "spp.cycle", "action_compute", [cycle_id]), int)
        self.assertIsInstance(self.call("program_manager", "spp.cycle", "action_submit", [cycle_id]), int)
        fault = self.refused("program_manager", "spp.cycle", "action_approve", [cycle_id])
        self.assertIn("Approver", fault)
        self.assertIsInstance(self.call("approver", "spp.cycle", "action_approve", [cycle_id]), int)
        line = self.call(
            "program_viewer",
            "spp.entitlement",
            "search_read",
            [("cycle_id", "=", cycle_id)],
            ["amount", "state", "reason"],
        )[0]
        self.assertEqual((line["amount"], line["state"]), (50.0, "approved"))
        self.assertTrue(line["reason"])
        member = self.call(
            "program_viewer", "spp.program.membership", "read", [member_id], ["state", "reason"]
        )[0]
        self.assertEqual(member["state"], "enrolled")
        self.assertIsInstance(
            self.call("program_manager", "spp.cycle", "action_close", [cycle_id], "expire"), int
        )
        self.assertIs(
            self.call(
                "enrollment_officer", "spp.program.membership", "action_exit", [member_id], "Moved away"
            ),
            True,
        )

    def test_a_submission_without_the_reason_for_its_difference_is_refused(self):
        self.add(self.program, self.make_people(3, prefix="New"))
        self.program.with_user(self.officer).action_enroll(AS_OF)
        cycle = self.make_cycle(self.program, "2026-07-01", "2026-07-31")
        self.env.flush_all()
        fault = self.refused("program_manager", "spp.cycle", "action_submit", cycle.ids)
        self.assertIn("Give the reason for the difference", fault)
        question = self.call("program_manager", "spp.cycle", "read", cycle.ids, ["difference_question"])
        self.assertIn(question[0]["difference_question"], fault)
        self.call("program_manager", "spp.cycle", "write", cycle.ids, {"difference_reason": "A new village"})
        self.assertIsInstance(self.call("program_manager", "spp.cycle", "action_submit", cycle.ids), int)

    def test_who_has_no_role_sees_nothing(self):
        from odoo.tests import new_test_user

        new_test_user(self.env, login="prog_nobody", password="prog_nobody", groups="base.group_user")
        self.env.flush_all()
        self.users = {**self.users, "nobody": self.env["res.users"].search([("login", "=", "prog_nobody")])}
        for model in MODELS:
            self.refused("nobody", model, "search_read", [], limit=1)
            self.refused("nobody", model, "search_count", [])
        self.refused("nobody", "spp.program", "action_activate", self.program.ids)
        self.refused("nobody", "spp.program", "fund_allocate", self.program.ids, "5", "W", "k")
