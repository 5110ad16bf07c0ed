"""Each role begins where its work waits."""

from odoo.tests import tagged
from odoo.tools.safe_eval import safe_eval

from .payment_common import PaymentsCase


@tagged("post_install", "-at_install")
class TestFirstScreen(PaymentsCase):
    def first(self, user):
        menus = self.env["ir.ui.menu"].with_user(user).load_web_menus(False)
        root = menus[self.env.ref("spp_base.menu_root").id]
        action = self.env[root["actionModel"]].with_user(user).browse(root["actionID"])
        return action.run()

    def test_each_role_begins_where_its_work_waits(self):
        expected = {
            "approver": "spp_approval.action_spp_approval_inbox",
            "payment_releaser": "spp_programs.action_spp_cycle_to_send",
            "finance_officer": "spp_programs.action_spp_payment_attention",
            "program_manager": "spp_programs.action_spp_program",
            "enrollment_officer": "spp_registry.action_res_partner_individual",
            "auditor": "spp_base.action_spp_audit_entry",
            "program_viewer": "spp_programs.action_spp_program",
            "admin": "spp_programs.action_spp_program",
        }
        for role, xmlid in expected.items():
            self.assertEqual(self.first(self.users[role])["id"], self.env.ref(xmlid).id, role)

    def test_of_several_roles_what_waits_longest_in_the_chain_comes_first(self):
        self.manager.spp_role_ids |= self.env.ref("spp_base.group_approver")
        inbox = self.env.ref("spp_approval.action_spp_approval_inbox")
        self.assertEqual(self.first(self.manager)["id"], inbox.id)

    def test_a_releaser_is_shown_the_cycles_with_payments_to_send_and_no_others(self):
        cycle = self.approved_cycle(self.make_payees(2))
        other = self.approved_cycle(self.make_payees(2), code="OTHER")
        self.prepare(cycle)
        action = self.first(self.releaser)
        found = self.env["spp.cycle"].with_user(self.releaser).search(safe_eval(action["domain"]))
        self.assertIn(cycle, found)
        self.assertNotIn(other, found)
        self.payment_manager.provider = "file"
        cycle.with_user(self.releaser).action_send_payments()
        found = self.env["spp.cycle"].with_user(self.releaser).search(safe_eval(action["domain"]))
        self.assertNotIn(cycle, found)
