"""A decision about many is taken back as long as nothing was built on it, and never in part."""

from odoo.exceptions import AccessError, UserError
from odoo.tests import Form, tagged

from .common import AS_OF, ProgramsCase


@tagged("post_install", "-at_install")
class TestTakeBack(ProgramsCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.program = cls.make_program()
        cls.members = cls.add(cls.program, cls.make_people(3))
        cls.program.with_user(cls.officer).action_enroll(AS_OF)

    def decide(self, action, *args, members=None):
        getattr(members or self.members, action)(*args)
        return self.env["spp.enrollment.decision"].with_user(self.officer).search([], limit=1)

    def columns(self):
        self.env.flush_all()
        self.env.cr.execute(
            "SELECT * FROM spp_program_membership WHERE id = ANY(%s) ORDER BY id", [self.members.ids]
        )
        rows = self.env.cr.dictfetchall()
        return [{k: v for k, v in row.items() if k not in ("write_uid", "write_date")} for row in rows]

    def test_everybody_is_again_what_they_were(self):
        for action in ("action_suspend", "action_exit", "action_graduate", "action_mark_duplicate"):
            with self.subTest(action):
                before = self.columns()
                decision = self.decide(action, "The wrong list")
                self.assertNotEqual(self.columns(), before)
                run_id = decision.action_take_back("It was the list of another district")
                run = self.env["spp.run"].browse(run_id)
                self.assertEqual((run.state, run.counts), ("done", {"Members as they were before": 3}))
                self.assertEqual(self.columns(), before)
                self.assertEqual(decision.state, "taken_back")

    def test_enrolled_by_hand_is_taken_back_too(self):
        young = self.add(self.program, self.make_people(2, "2010-01-01", "Young"))
        decision = self.decide("action_enroll_by_hand", "Order 3", members=young)
        decision.action_take_back("Order 3 was withdrawn")
        self.assertEqual(set(young.mapped("state")), {"candidate"})
        self.assertFalse(any(young.mapped("by_hand")))
        self.program.with_user(self.officer).action_enroll(AS_OF)
        self.assertEqual(set(young.mapped("state")), {"ineligible"}, "the rule is asked about them again")

    def test_refused_once_a_member_changed_and_says_who(self):
        decision = self.decide("action_suspend", "Flood")
        self.members[1].action_resume("Back home")
        with self.assertRaisesRegex(UserError, "Person 1"):
            decision.action_take_back("No flood")
        self.assertEqual(self.members.mapped("state"), ["suspended", "enrolled", "suspended"], "not in part")

    def test_refused_where_a_member_came_to_the_same_state_by_another_decision(self):
        decision = self.decide("action_suspend", "Flood")
        self.members[1].action_resume("Back home")
        self.members[1].action_suspend("Flood")
        with self.assertRaisesRegex(UserError, "Person 1"):
            decision.action_take_back("No flood")

    def test_decisions_are_taken_back_one_after_the_other(self):
        first = self.decide("action_suspend", "Flood")
        second = self.decide("action_exit", "Left")
        with self.assertRaises(UserError):
            first.action_take_back("No flood")
        second.action_take_back("Nobody left")
        self.assertEqual(set(self.members.mapped("state")), {"suspended"})
        first.action_take_back("No flood")
        self.assertEqual(set(self.members.mapped("state")), {"enrolled"})
        with self.assertRaisesRegex(UserError, "taken back already"):
            first.action_take_back("Again")

    def test_refused_once_a_cycle_rests_on_it(self):
        young = self.add(self.program, self.make_person("Young", "2010-01-01"))
        decision = self.decide("action_enroll_by_hand", "Order 3", members=young)
        cycle = self.make_cycle(self.program, submit=True)
        with self.assertRaisesRegex(UserError, "Young") as refused:
            decision.action_take_back("Order 3 was withdrawn")
        self.assertIn(cycle.display_name, str(refused.exception))

    def test_refused_once_a_cycle_left_members_out_because_of_it(self):
        decision = self.decide("action_exit", "Left", members=self.members[0])
        self.make_cycle(self.program, submit=True)
        with self.assertRaisesRegex(UserError, "Person 0"):
            decision.action_take_back("Still here")

    def test_a_draft_is_no_obstacle_and_cannot_be_submitted_before_it_is_computed_again(self):
        young = self.add(self.program, self.make_person("Young", "2010-01-01"))
        decision = self.decide("action_enroll_by_hand", "Order 3", members=young)
        cycle = self.make_cycle(self.program)
        decision.action_take_back("Order 3 was withdrawn")
        with self.assertRaisesRegex(UserError, "no longer enrolled"):
            cycle.action_submit()

    def test_needs_a_reason_and_the_role(self):
        decision = self.decide("action_exit", "Left")
        with self.assertRaises(UserError):
            decision.action_take_back("  ")
        for role in ("program_viewer", "auditor", "finance_officer", "approver", "payment_releaser", "admin"):
            with self.assertRaises(AccessError):
                decision.with_user(self.users[role]).action_take_back("No")

    def test_an_officer_of_an_area_takes_back_nothing_about_others(self):
        decision = self.decide("action_exit", "Left")
        north = self.env["spp.area"].create({"name": "N", "code": "TB-N"})
        self.members[0].partner_id.sudo().area_id = north
        self.officer.spp_area_ids = north
        self.env.invalidate_all()  # what was read before the officer was limited
        lines = self.env["spp.enrollment.decision.line"].with_user(self.officer)
        self.assertEqual(
            lines.search([("decision_id", "=", decision.id)]).membership_id.sudo(), self.members[0].sudo()
        )
        with self.assertRaisesRegex(AccessError, "whom you may not see"):
            decision.action_take_back("Not so")

    def test_it_is_in_the_trail(self):
        decision = self.decide("action_exit", "Left")
        decision.action_take_back("Not so")
        entry = self.env["spp.audit.entry"].search([("action", "=", "Decision about members taken back")])
        self.assertEqual((entry.res_model, entry.res_id), (decision._name, decision.id))
        self.assertEqual((entry.user_id, entry.note), (self.officer, "Not so"))

    def test_with_the_button(self):
        decision = self.decide("action_exit", "Left")
        wizard = Form(
            self.env["spp.decision.take.back"]
            .with_user(self.officer)
            .with_context(default_decision_id=decision.id)
        )
        wizard.reason = "Not so"
        wizard.save().action_take_back()
        self.assertEqual(set(self.members.mapped("state")), {"enrolled"})
