"""Goods are handed out once, to whom they are due, with a date and evidence; what was wrong is corrected by two people."""

import base64

import psycopg2

from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user, tagged
from odoo.tools import mute_logger

from odoo.addons.spp_base.tests.common import as_jobs

from .common import AS_OF, ProgramsCase

FLOUR = {
    "name": "Flour",
    "kind": "goods",
    "quantity": 2,
    "unit": "bags of 10 kg",
    "product_name": "Maize flour",
}


@tagged("post_install", "-at_install")
class TestHandout(ProgramsCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.today = fields.Date.today()
        cls.people = cls.make_people(4)
        cls.second = new_test_user(
            cls.env, login="second", password="second-second", groups="spp_base.group_enrollment_officer"
        )

    def goods_cycle(self, code="GOODS", people=None, benefits=(FLOUR,), **vals):
        program = self.make_program(
            code,
            fund="10000.00",
            kind="in_kind",
            benefit_ids=[(0, 0, dict(each)) for each in benefits],
            **vals,
        )
        self.add(program, people or self.people)
        program.with_user(self.officer).action_enroll(AS_OF)
        return self.approved(program)

    def approved(self, program, **vals):
        cycle = self.make_cycle(program, submit=True, **vals)
        cycle.with_user(self.approver).action_approve()
        return cycle

    def due(self, cycle, person=None):
        lines = cycle.entitlement_ids.filtered(lambda one: one.kind == "goods")
        if person:
            lines = lines.filtered(lambda one: one.partner_id == person)
        return lines.with_user(self.officer)

    def run_of(self, run_id):
        return self.env["spp.run"].browse(run_id)

    def test_one_by_one_by_the_person_or_somebody_else(self):
        cycle = self.goods_cycle()
        mine, other = self.due(cycle, self.people[0]), self.due(cycle, self.people[1])
        mine.action_hand_out("List 1, line 1")
        other.action_hand_out("List 1, line 2", str(self.today), "Her son, card 12")
        self.assertEqual((mine | other).mapped("state"), ["handed_out", "handed_out"])
        self.assertEqual(other.handout_ids.collected_by, "Her son, card 12")
        self.assertFalse(mine.handout_ids.collected_by)
        self.assertEqual(mine.handout_ids.recorded_by, self.officer)
        self.assertEqual(cycle.state, "disbursing")
        with self.assertRaisesRegex(UserError, "handed out"):
            mine.action_hand_out("List 1, line 1")

    def test_everybody_in_one_run_shown_in_the_cycles_totals(self):
        money = {"name": "Cash", "kind": "money", "amount": 10}
        cycle = self.goods_cycle(benefits=(FLOUR, money))
        self.assertEqual(cycle.total_amount, 40)
        self.due(cycle, self.people[0]).action_hand_out("List 1")
        line = cycle.goods_summary_ids
        self.assertEqual((line.product_name, line.unit, line.people), ("Maize flour", "bags of 10 kg", 4))
        self.assertEqual((line.due, line.handed_out, line.to_collect), (8, 2, 6))
        self.assertEqual(cycle.goods_to_collect_count, 3)
        self.assertIn("3 entitlements of goods", cycle.next_step)
        run = self.run_of(cycle.with_user(self.officer).action_hand_out("Lists 1 to 3"))
        self.assertEqual((run.state, run.counts["Handed out"]), ("done", 3))
        self.env.invalidate_all()
        self.assertEqual((line.handed_out, line.to_collect), (8, 0))
        # money is not touched by goods, nor goods by money
        self.assertEqual(cycle.program_id.fund_committed, 40)
        self.assertEqual(sum(cycle.payment_summary_ids.mapped("amount")), 40)
        self.assertEqual(sum(cycle.payment_summary_ids.mapped("count")), 4)

    def test_only_those_of_a_domain_and_of_the_users_area(self):
        north, south = self.env["spp.area"].create(
            [{"name": "North", "code": "N1"}, {"name": "South", "code": "S1"}]
        )
        self.people[:2].area_id = north
        self.people[2:].area_id = south
        cycle = self.goods_cycle()
        limited = new_test_user(
            self.env, login="north", password="north-north", groups="spp_base.group_enrollment_officer"
        )
        limited.spp_area_ids = north
        run = self.run_of(cycle.with_user(limited).action_hand_out("List N"))
        self.assertEqual(run.counts["Handed out"], 2)
        domain = [("partner_id", "=", self.people[2].id)]
        cycle.with_user(self.officer).action_hand_out("List S", None, "", domain)
        self.assertEqual(self.due(cycle, self.people[3]).state, "approved")
        self.assertEqual(cycle.goods_to_collect_count, 1)

    def test_by_the_list_that_came_back(self):
        cycle = self.goods_cycle()
        first, second, third, fourth = self.due(cycle).sorted("id")
        day = str(self.today)
        rows = [
            {"reference": first.reference, "date": day, "evidence": "Line 1"},
            {"reference": second.reference, "date": day, "collected_by": "Neighbour"},
            {"reference": second.reference, "date": day},
            {"reference": third.reference, "date": "2999-01-01"},
            {"reference": "NOTHING", "date": day},
        ]
        run = self.run_of(cycle.with_user(self.officer).action_hand_out_list(rows, "List 7"))
        self.assertEqual(run.counts["Handed out"], 2)
        self.assertEqual(len(run.failure_ids), 3)
        self.assertEqual(second.handout_ids.collected_by, "Neighbour")
        self.assertEqual((first.handout_ids.evidence, second.handout_ids.evidence), ("Line 1", "List 7"))
        self.assertEqual((third | fourth).mapped("state"), ["approved", "approved"])
        # the same list again, as after a lost answer or with Retry, hands nothing out twice
        again = self.run_of(run.with_user(self.officer).action_retry())
        self.assertEqual((again.counts["Handed out"], again.counts["Recorded before"]), (0, 2))
        self.assertEqual(len(cycle.handout_ids), 2)
        # but somebody else collecting what was collected is a contradiction that is told
        clash = [{"reference": first.reference, "date": day, "collected_by": "A stranger"}]
        run = self.run_of(cycle.with_user(self.officer).action_hand_out_list(clash, "List 8"))
        self.assertIn("recorded as handed out before", run.failure_ids.reason)

    def test_the_database_hands_out_once(self):
        cycle = self.goods_cycle()
        line = self.due(cycle, self.people[0])
        line.action_hand_out("List 1")
        with self.assertRaises(psycopg2.errors.UniqueViolation), mute_logger("odoo.sql_db"):
            self.env.cr.execute(
                """
                INSERT INTO spp_handout (entitlement_id, cycle_id, program_id, partner_id, handed_out_on, evidence,
                                         recorded_by, recorded_at, state)
                SELECT entitlement_id, cycle_id, program_id, partner_id, handed_out_on, evidence, recorded_by,
                       recorded_at, 'in_force' FROM spp_handout WHERE entitlement_id = %s
                """,
                [line.id],
            )

    def test_what_was_wrong_is_corrected_by_a_second_person(self):
        cycle = self.goods_cycle()
        line = self.due(cycle, self.people[0])
        line.action_hand_out("List 1")
        handout = line.handout_ids
        with self.assertRaises(UserError):
            handout.action_propose_correction(" ")
        handout.action_propose_correction("Another household's line")
        self.assertEqual((handout.state, line.state), ("doubted", "handed_out"))
        with self.assertRaisesRegex(AccessError, "somebody else"):
            handout.action_confirm_correction()
        handout.with_user(self.second).action_confirm_correction()
        self.assertEqual((handout.state, line.state), ("taken_back", "approved"))
        line.action_hand_out("List 2")
        self.assertEqual(line.handout_ids.mapped("state"), ["in_force", "taken_back"])
        live = line.handout_ids[0]
        live.action_propose_correction("A doubt")
        live.with_user(self.second).action_refuse_correction("She showed her card")
        self.assertEqual((live.state, line.state), ("in_force", "handed_out"))
        trail = self.env["spp.audit.entry"].search([("res_model", "=", "spp.handout")])
        self.assertEqual(len(trail), 4)
        self.assertEqual(trail.partner_id, self.people[0])

    def test_a_correction_after_closing_leaves_it_to_a_supplementary_cycle(self):
        cycle = self.goods_cycle()
        cycle.with_user(self.officer).action_hand_out("Lists 1 to 3")
        cycle.action_close()
        self.assertEqual(cycle.state, "closed")
        line = self.due(cycle, self.people[0])
        line.handout_ids.action_propose_correction("Another household's line")
        line.handout_ids.with_user(self.second).action_confirm_correction()
        self.assertEqual(line.state, "expired")
        more = cycle.browse(cycle.action_open_supplementary("Somebody was left out"))
        more.action_compute()
        self.assertEqual(more.entitlement_ids.partner_id, self.people[0])

    def test_closing_asks_about_what_nobody_collected(self):
        cycle = self.goods_cycle()
        self.due(cycle, self.people[0]).action_hand_out("List 1")
        (question,) = cycle.close_questions()
        self.assertEqual((question["situation"], question["count"]), ("goods", 3))
        with self.assertRaises(UserError):
            cycle.action_close()
        cycle.action_close({"goods": "expire"})
        self.assertEqual(sorted(self.due(cycle).mapped("state")), ["expired"] * 3 + ["handed_out"])
        self.assertEqual(cycle.goods_summary_ids.ended, 6)
        with self.assertRaises(UserError):
            cycle.with_user(self.officer).action_hand_out("List 2")

    def test_instalments_of_goods_are_counted_and_end(self):
        cycle = self.goods_cycle(benefits=({**FLOUR, "most_instalments": 1},))
        program = cycle.program_id
        self.due(cycle, self.people[0]).action_hand_out("List 1")
        states = {member.partner_id: member.state for member in program.membership_ids}
        self.assertEqual(states[self.people[0]], "graduated")
        self.assertEqual(states[self.people[1]], "enrolled")
        cycle.action_close("expire")
        july = self.make_cycle(program, start="2026-07-01", end="2026-07-31")
        self.assertEqual(july.entitlement_ids.partner_id, self.people[1:])

    def test_who_submitted_or_approved_hands_nothing_out(self):
        self.manager.spp_role_ids |= self.env.ref("spp_base.group_enrollment_officer")
        self.approver.spp_role_ids |= self.env.ref("spp_base.group_finance_officer")
        cycle = self.goods_cycle()
        for user in (self.manager, self.approver):
            with self.assertRaisesRegex(UserError, "somebody else"):
                cycle.with_user(user).action_hand_out("List 1")
        for role in ("program_viewer", "auditor", "payment_releaser", "admin"):
            with self.assertRaises(AccessError):
                cycle.with_user(self.users[role]).action_hand_out("List 1")
            with self.assertRaises(AccessError):
                self.due(cycle).with_user(self.users[role]).action_hand_out("List 1")

    def test_no_way_around_the_actions(self):
        cycle = self.goods_cycle()
        line = self.due(cycle, self.people[0])
        line.action_hand_out("List 1")
        for user in (self.officer, self.manager, self.finance):
            with self.assertRaises(UserError):
                line.handout_ids.with_user(user).write({"state": "taken_back"})
            with self.assertRaises(UserError):
                line.with_user(user).write({"state": "approved"})
            with self.assertRaises(UserError):
                self.env["spp.handout"].with_user(user).create({"entitlement_id": line.id})

    def test_not_before_its_approval_nor_in_the_future_nor_without_evidence(self):
        cycle = self.goods_cycle().with_user(self.officer)
        for day in ("2000-01-01", "2999-01-01"):
            with self.assertRaisesRegex(UserError, "was approved on"):
                cycle.action_hand_out("List 1", day)
        with self.assertRaises(UserError):
            cycle.action_hand_out("  ")

    def test_whoever_is_to_be_withdrawn_waits(self):
        cycle = self.goods_cycle()
        gone = cycle.beneficiary_ids.filtered(lambda one: one.partner_id == self.people[0])
        gone.with_user(self.officer).action_withdraw("died", "Told by the village head")
        run = self.run_of(cycle.with_user(self.officer).action_hand_out("Lists 1 to 3"))
        self.assertEqual((run.counts["Handed out"], len(run.failure_ids)), (3, 1))
        self.assertIn("withdraw", run.failure_ids.reason)
        self.assertEqual(run.failure_ids.partner_id, self.people[0])
        other = cycle.beneficiary_ids.filtered(lambda one: one.partner_id == self.people[1])
        with self.assertRaisesRegex(UserError, "handed out"):
            other.with_user(self.officer).action_withdraw("left", "Moved away")

    def test_a_list_that_comes_back_after_the_last_day(self):
        cycle = self.goods_cycle(benefits=({**FLOUR, "valid_days": 1},))
        late = fields.Date.add(self.today, days=1)
        cycle._expire(late)
        line = self.due(cycle, self.people[0])
        self.assertEqual(line.state, "expired")
        rows = [{"reference": line.reference, "date": str(self.today)}]
        run = self.run_of(cycle.with_user(self.officer).action_hand_out_list(rows, "List 1"))
        self.assertEqual((run.counts["Handed out"], line.state), (1, "handed_out"))

    def test_a_cycle_of_which_goods_were_handed_out_is_not_cancelled(self):
        cycle = self.goods_cycle()
        line = self.due(cycle, self.people[0])
        line.action_hand_out("List 1")
        with self.assertRaises(UserError):
            cycle.with_user(self.approver).action_cancel("Wrong month")

    def test_the_list_to_sign(self):
        north = self.env["spp.area"].create({"name": "North", "code": "N2"})
        self.people[:3].area_id = north
        cycle = self.goods_cycle().with_user(self.officer)
        made = cycle.action_collection_list([("partner_id.area_id", "=", north.id)])
        self.assertEqual(made["lines"], 3)
        self.assertTrue(base64.b64decode(made["content"]).startswith(b"%PDF"))
        cycle.action_hand_out("All")
        with self.assertRaisesRegex(UserError, "Nothing"):
            cycle.action_collection_list()

    def test_the_dialog(self):
        cycle = self.goods_cycle()
        north = self.env["spp.area"].create({"name": "North", "code": "N3"})
        self.people[0].area_id = north
        dialogs = self.env["spp.handout.new"].with_user(self.officer)
        dialog = dialogs.create({"cycle_id": cycle.id, "area_ids": north.ids, "evidence": "List 1"})
        self.assertEqual(dialog.due_count, 1)
        self.assertIn("/printed/", dialog.action_print()["url"])
        dialog.action_record()
        self.assertEqual(self.due(cycle, self.people[0]).state, "handed_out")
        lines = self.due(cycle, self.people[1]) | self.due(cycle, self.people[2])
        context = {"active_model": "spp.entitlement", "active_ids": lines.ids}
        dialog = dialogs.with_context(**context).create({"evidence": "List 2", "collected_by": "Their aunt"})
        self.assertEqual((dialog.cycle_id, dialog.due_count), (cycle, 2))
        dialog.action_record()
        self.assertEqual(set(lines.handout_ids.mapped("collected_by")), {"Their aunt"})
        last = self.due(cycle, self.people[3])
        table = f"reference;date\n{last.reference};{self.today}\nWRONG;{self.today}\n"
        dialog = dialogs.create(
            {
                "cycle_id": cycle.id,
                "whom": "list",
                "evidence": "List 3",
                "file": base64.b64encode(table.encode()),
                "file_name": "back.csv",
            }
        )
        opened = dialog.action_record()
        self.assertEqual(self.run_of(opened["res_id"]).failed_count, 1)
        self.assertEqual(last.state, "handed_out")

    def test_by_a_job_and_with_as_many_statements_for_many(self):
        few = self.goods_cycle("FEW", self.make_people(10, prefix="Few"))
        many = self.goods_cycle("MANY", self.make_people(150, prefix="Many"))
        self.goods_cycle("WARM").with_user(self.officer).action_hand_out("Lists")
        counts = []
        for cycle in (few, many):
            self.env.flush_all()
            self.env.invalidate_all()
            before = self.env.cr.sql_log_count
            cycle.with_user(self.officer).action_hand_out("Lists")
            self.env.flush_all()
            counts.append(self.env.cr.sql_log_count - before)
        self.assertAlmostEqual(counts[0], counts[1], delta=2)
        later = self.goods_cycle("LATER")
        with as_jobs(self.env):
            run = self.run_of(later.with_user(self.officer).action_hand_out("Lists"))
            self.assertEqual(run.state, "queued")
        self.assertEqual((run.state, run.counts["Handed out"]), ("done", 4))

    def test_rows_look_like_the_orms(self):
        cycle = self.goods_cycle()
        self.due(cycle, self.people[0]).action_hand_out("List 1")
        by_sql = cycle.handout_ids
        by_orm = by_sql.with_user(self.officer)._create_guarded(
            [
                {
                    "entitlement_id": self.due(cycle, self.people[1]).id,
                    "cycle_id": cycle.id,
                    "program_id": cycle.program_id.id,
                    "partner_id": self.people[1].id,
                    "handed_out_on": self.today,
                    "evidence": "List 1",
                    "recorded_by": self.officer.id,
                    "recorded_at": by_sql.recorded_at,
                }
            ]
        )
        self.env.flush_all()
        self.env.cr.execute(
            "SELECT * FROM spp_handout WHERE id = ANY(%s) ORDER BY id", [(by_sql | by_orm).ids]
        )
        one, other = self.env.cr.dictfetchall()
        for column in one.keys() - {"id", "entitlement_id", "partner_id"}:
            self.assertEqual(one[column], other[column], column)
