"""What a person decided about a member stays, whatever the rule says later."""

from odoo.exceptions import AccessError, UserError
from odoo.tests import Form, tagged

from .common import AS_OF, ProgramsCase


@tagged("post_install", "-at_install")
class TestDecisions(ProgramsCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.program = cls.make_program()
        cls.members = cls.add(cls.program, cls.make_people(4))
        cls.program.with_user(cls.officer).action_enroll(AS_OF)

    def test_no_evaluation_undoes_a_decision(self):
        suspended, exited, graduated, duplicate = self.members
        suspended.action_suspend("Moved for the season", "2026-06-02")
        exited.action_exit("Asked to leave")
        graduated.action_graduate("Found work")
        duplicate.action_mark_duplicate("Same person as no. 7")
        self.program.with_user(self.manager).action_enroll(AS_OF)
        self.assertEqual(self.members.mapped("state"), ["suspended", "exited", "graduated", "duplicate"])
        self.assertEqual(suspended.reason, "Moved for the season")
        self.assertEqual(str(suspended.state_date), "2026-06-02")
        cycle = self.make_cycle(self.program)
        self.assertEqual(cycle.beneficiary_count, 0)

    def test_enrolled_by_hand_stays_and_is_eligible_by_hand(self):
        member = self.add(self.program, self.make_person("Young", "2010-01-01"))
        self.program.with_user(self.officer).action_enroll(AS_OF)
        self.assertEqual(member.state, "ineligible")
        self.assertIs(member.action_enroll_by_hand("Court order 12"), True)
        self.assertEqual((member.state, member.by_hand), ("enrolled", True))
        self.assertIn("Court order 12", member.reason)
        cycle = self.make_cycle(self.program)
        line = cycle.beneficiary_ids.filtered(lambda b: b.membership_id == member)
        self.assertEqual((line.outcome, line.facts), ("eligible", {"by_hand": "Court order 12"}))
        self.assertIn("Court order 12", line.reason)
        self.assertIn(member.partner_id, cycle.entitlement_ids.partner_id)

    def test_suspended_and_resumed(self):
        member = self.members[0]
        member.action_suspend("Absent")
        member.action_resume("Back")
        self.assertEqual(member.state, "enrolled")

    def test_a_reason_is_needed(self):
        for reason in ("", "   ", None, False):
            with self.assertRaises(UserError):
                self.members.action_exit(reason)
        self.assertEqual(set(self.members.mapped("state")), {"enrolled"})

    def test_all_or_none(self):
        self.members[0].action_exit("Left")
        with self.assertRaises(UserError):
            self.members.action_suspend("All of them")
        self.assertEqual(self.members[1].state, "enrolled")

    def test_each_decision_is_in_the_trail(self):
        self.members[:2].action_suspend("Flood")
        self.members[2].action_exit("Left")
        entries = self.env["spp.audit.entry"].search(
            [("action", "in", ["Member suspended", "Member exited"]), ("user_id", "=", self.officer.id)]
        )
        self.assertEqual(len(entries), 2)
        bulk = entries.filtered(lambda e: e.action == "Member suspended")
        self.assertEqual((bulk.res_model, bulk.res_id), ("spp.program", self.program.id))
        self.assertEqual(bulk.new["memberships"], self.members[:2].ids)
        single = entries - bulk
        self.assertEqual((single.res_model, single.res_id), ("spp.program.membership", self.members[2].id))
        self.assertEqual((single.user_id, single.note), (self.officer, "Left"))

    def test_from_the_list(self):
        wizard = Form(
            self.env["spp.member.decision"]
            .with_user(self.officer)
            .with_context(
                active_model="spp.program.membership", active_ids=self.members.ids, default_decision="suspend"
            )
        )
        wizard.reason = "Flood"
        wizard.save().action_decide()
        self.assertEqual(set(self.members.mapped("state")), {"suspended"})

    def test_only_who_enrolls_may_decide(self):
        for role in ("program_viewer", "auditor", "finance_officer", "approver", "payment_releaser", "admin"):
            with self.assertRaises(AccessError):
                self.members.with_user(self.users[role]).action_exit("No")

    def test_nobody_is_deleted(self):
        for user in self.users.values():
            with self.assertRaises(AccessError):
                self.members[0].with_user(user).unlink()
