"""What a person decided about a member stays, whatever the rule says later."""

from odoo.exceptions import AccessError, UserError
from odoo.tests import Form, tagged

from odoo.addons.spp_base.tests.common import as_jobs

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

    def test_reinstated_members_are_enrolled_again(self):
        suspended, exited, graduated, duplicate = self.members
        suspended.action_suspend("Absent")
        exited.action_exit("Left")
        graduated.action_graduate("Found work")
        duplicate.action_mark_duplicate("Twice")
        self.members.action_reinstate("The list was wrong", "2026-06-10")
        self.assertEqual(set(self.members.mapped("state")), {"enrolled"})
        self.assertEqual(set(map(str, self.members.mapped("state_date"))), {"2026-06-10"})
        self.assertEqual(set(self.members.mapped("state_reason")), {"The list was wrong"})
        cycle = self.make_cycle(self.program)
        self.assertEqual(cycle.entitlement_count, 4)

    def test_who_was_never_enrolled_is_reinstated_as_a_candidate_and_the_rule_decides(self):
        young = self.add(self.program, self.make_person("Young", "2010-01-01"))
        young.action_exit("Not wanted")
        young.action_reinstate("Wanted after all")
        self.assertEqual(young.state, "candidate")
        self.program.with_user(self.officer).action_enroll(AS_OF)
        self.assertEqual(young.state, "ineligible")

    def test_only_who_left_is_reinstated(self):
        with self.assertRaisesRegex(UserError, "who is enrolled"):
            self.members.action_reinstate("All")

    def test_no_way_of_evaluating_undoes_a_decision(self):
        """Enrolling, looking again, the night's job, and a second import leave each decision alone."""
        for decision, state in (
            ("action_suspend", "suspended"),
            ("action_exit", "exited"),
            ("action_graduate", "graduated"),
            ("action_mark_duplicate", "duplicate"),
        ):
            with self.subTest(decision):
                member = self.add(self.program, self.make_person(f"Old {state}", "1940-01-01"))
                self.program.with_user(self.officer).action_enroll(AS_OF)
                getattr(member, decision)("Decided")
                # undetermined before, complete now: the one whom each evaluation would like to enroll
                member.sudo()._write_guarded({"outcome": "undetermined"})
                program = self.program.with_user(self.officer)
                program.action_enroll(AS_OF)
                program.action_look_again(AS_OF)
                with as_jobs(self.env):
                    program.sudo()._cron_look_again()
                program.action_import_candidates()
                program.action_import_list([member.partner_id.id])
                self.assertEqual((member.state, member.state_reason), (state, "Decided"))

    def test_enrolled_by_hand_without_having_been_a_candidate(self):
        young = self.make_person("Young", "2010-01-01")
        run = self.env["spp.run"].browse(
            self.program.with_user(self.officer).action_enroll_by_hand(
                [young.id], "Court order 12", "2026-06-01"
            )
        )
        self.assertEqual((run.state, run.counts), ("done", {"Enrolled by hand": 1}))
        member = self.program.membership_ids.filtered(lambda m: m.partner_id == young)
        self.assertEqual(
            (member.state, member.by_hand, str(member.enrolled_on)), ("enrolled", True, "2026-06-01")
        )
        # The reason of the enrollment is shown, also after other decisions.
        member.with_user(self.officer).action_suspend("Absent")
        member.with_user(self.officer).action_resume("Back")
        cycle = self.make_cycle(self.program)
        line = cycle.beneficiary_ids.filtered(lambda b: b.membership_id == member)
        self.assertEqual((line.outcome, line.facts), ("eligible", {"by_hand": "Court order 12"}))
        self.assertEqual(line.reason, "Enrolled by hand: Court order 12")

    def test_who_cannot_be_a_member_is_not_enrolled_by_hand(self):
        household = self.env["res.partner"].create({"name": "House", "is_registrant": True, "is_group": True})
        dead = self.make_person("Dead", "1940-01-01", registrant_status="deceased")
        for partner in household, dead:
            with self.assertRaisesRegex(UserError, partner.name):
                self.program.with_user(self.officer).action_enroll_by_hand([partner.id], "Order")

    def test_everybody_whom_a_search_finds(self):
        program = self.program.with_user(self.officer)
        self.members[0].action_exit("Left")
        run = self.env["spp.run"].browse(
            program.action_decide("suspend", [["state", "=", "enrolled"]], "Flood", "2026-06-03")
        )
        self.assertEqual((run.state, run.counts), ("done", {"Members decided about": 3}))
        self.assertEqual(self.members.mapped("state"), ["exited", "suspended", "suspended", "suspended"])
        with self.assertRaisesRegex(UserError, "Choose the members"):
            program.action_decide("suspend", [["state", "=", "enrolled"]], "Flood")
        with self.assertRaisesRegex(UserError, "decision is one of"):
            program.action_decide("delete", [], "Flood")

    def test_a_job_decides_about_a_lot(self):
        program = self.program.with_user(self.officer)
        with as_jobs(self.env):
            run = self.env["spp.run"].browse(program.action_decide("suspend", [], "Flood"))
            self.assertEqual(run.state, "queued")
            self.assertEqual(
                program.action_decide("suspend", [], "Flood"), run.id, "pressed twice, done once"
            )
            with self.assertRaisesRegex(UserError, "about something else"):
                program.action_decide("exit", [], "Left")
        self.env.invalidate_all()
        self.assertEqual((run.state, set(self.members.mapped("state"))), ("done", {"suspended"}))
        self.assertEqual(self.members.decision_id.user_id, self.officer)

    def test_an_officer_of_an_area_decides_about_that_area_only(self):
        north = self.env["spp.area"].create({"name": "N", "code": "D-N"})
        here = self.members[0]
        here.partner_id.sudo().area_id = north
        self.officer.spp_area_ids = north
        with self.assertRaises(AccessError):
            self.members.action_suspend("Flood")
        self.program.with_user(self.officer).action_decide("suspend", [], "Flood")
        self.assertEqual(
            self.members.sudo().mapped("state"), ["suspended", "enrolled", "enrolled", "enrolled"]
        )

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
        decision = self.env[bulk.res_model].browse(bulk.res_id)
        self.assertEqual((decision._name, bulk.new["members"]), ("spp.enrollment.decision", 2))
        self.assertEqual(decision.line_ids.membership_id, self.members[:2], "the way to each person")
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

    def test_from_the_list_everybody_whom_the_search_finds(self):
        wizard = Form(
            self.env["spp.member.decision"]
            .with_user(self.officer)
            .with_context(
                active_model="spp.program.membership",
                active_ids=self.members[:1].ids,
                active_domain=[["program_id", "=", self.program.id], ["state", "=", "enrolled"]],
                default_decision="graduate",
            )
        )
        self.assertEqual(wizard.member_count, 1)
        wizard.whom = "found"
        wizard.reason = "Found work"
        self.assertEqual(wizard.member_count, 4)
        wizard.save().action_decide()
        self.assertEqual(set(self.members.mapped("state")), {"graduated"})

    def test_from_the_program_by_hand(self):
        young = self.make_person("Young", "2010-01-01")
        wizard = Form(
            self.env["spp.member.decision"]
            .with_user(self.officer)
            .with_context(default_decision="enroll", default_program_id=self.program.id)
        )
        wizard.partner_ids.add(young)
        wizard.reason = "Court order"
        wizard.save().action_decide()
        self.assertIn(young, self.program.membership_ids.filtered("by_hand").partner_id)

    def test_only_who_enrolls_may_decide(self):
        for role in ("program_viewer", "auditor", "finance_officer", "approver", "payment_releaser", "admin"):
            with self.assertRaises(AccessError):
                self.members.with_user(self.users[role]).action_exit("No")
            with self.assertRaises(AccessError):
                self.program.with_user(self.users[role]).action_decide("exit", [], "No")
            with self.assertRaises(AccessError):
                self.program.with_user(self.users[role]).action_enroll_by_hand(
                    self.members.partner_id.ids, "No"
                )

    def test_nobody_is_deleted(self):
        for user in self.users.values():
            with self.assertRaises(AccessError):
                self.members[0].with_user(user).unlink()
