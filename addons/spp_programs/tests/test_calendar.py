"""Periods of a program's calendar, and cycles opened from it, by hand and by themselves."""

from datetime import date

from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from ..tools.calendar import first_period_after, period
from .common import AS_OF, ProgramsCase


@tagged("post_install", "-at_install")
class TestCalendar(ProgramsCase):
    def program(self, calendar="monthly", start="2026-01-31", code="CAL", **vals):
        return self.make_program(code, calendar=calendar, calendar_start=start, **vals).with_user(
            self.manager
        )

    def test_month_ends_are_right(self):
        first = date(2026, 1, 31)
        starts = [period("monthly", first, number)[0] for number in range(4)]
        self.assertEqual(starts, [date(2026, 1, 31), date(2026, 2, 28), date(2026, 3, 31), date(2026, 4, 30)])
        self.assertEqual(period("monthly", date(2024, 1, 31), 1)[0], date(2024, 2, 29))
        self.assertEqual(period("yearly", date(2024, 2, 29), 1), (date(2025, 2, 28), date(2026, 2, 27)))
        self.assertEqual(period("yearly", date(2024, 2, 29), 4)[0], date(2028, 2, 29))

    def test_every_calendar_covers_every_day_once(self):
        for calendar in (
            "weekly",
            "fortnightly",
            "monthly",
            "bimonthly",
            "quarterly",
            "half_yearly",
            "yearly",
        ):
            first = date(2023, 8, 31)
            end = None
            for number in range(60):
                begins, ends = period(calendar, first, number)
                self.assertLessEqual(begins, ends)
                if end:
                    self.assertEqual((begins - end).days, 1, calendar)
                    self.assertEqual(first_period_after(calendar, first, end), (begins, ends))
                end = ends

    def test_opened_one_after_the_other(self):
        program = self.program()
        cycles = self.env["spp.cycle"].browse([program.action_open_next_cycle() for _number in range(3)])
        self.assertEqual(
            [(cycle.start, cycle.end) for cycle in cycles],
            [
                (date(2026, 1, 31), date(2026, 2, 27)),
                (date(2026, 2, 28), date(2026, 3, 30)),
                (date(2026, 3, 31), date(2026, 4, 29)),
            ],
        )
        self.assertEqual((program.next_start, program.next_end), (date(2026, 4, 30), date(2026, 5, 30)))

    def test_a_cancelled_period_is_free_again_and_a_hand_made_one_is_passed(self):
        program = self.program()
        first = self.env["spp.cycle"].browse(program.action_open_next_cycle()).with_user(self.manager)
        first.action_cancel("Too early")
        self.assertEqual(program.next_start, date(2026, 1, 31))
        program.action_new_cycle("2026-02-10", "2026-03-05")
        self.assertEqual(program.next_start, date(2026, 3, 31))

    def test_by_hand_there_is_no_next_period(self):
        program = self.make_program("HAND").with_user(self.manager)
        self.assertFalse(program.next_start)
        with self.assertRaisesRegex(UserError, "no calendar"):
            program.action_open_next_cycle()
        with self.assertRaises(AccessError):
            self.program().with_user(self.officer).action_open_next_cycle()

    def test_a_budget_comes_from_the_program_or_is_given(self):
        program = self.program(cycle_budget=500)
        cycles = self.env["spp.cycle"].browse(
            [program.action_open_next_cycle(), program.action_open_next_cycle("750.50")]
        )
        self.assertEqual(cycles.mapped("budget"), [500, 750.5])
        for wrong in ("-1", "many", "1.001"):
            with self.assertRaises(UserError):
                program.action_open_next_cycle(wrong)

    def test_cycles_open_by_themselves_once(self):
        today = date(2026, 3, 30)
        program = self.program(open_by_itself=True)
        sudo = program.sudo()
        sudo._open_due_cycles(today)
        sudo._open_due_cycles(today)
        self.assertEqual(program.cycle_ids.mapped("start"), [date(2026, 1, 31), date(2026, 2, 28)])
        self.assertEqual(set(program.cycle_ids.mapped("state")), {"draft"})
        sudo._open_due_cycles(date(2026, 3, 31))
        self.assertEqual(len(program.cycle_ids), 3)

    def test_one_program_that_cannot_does_not_stop_the_others(self):
        broken = self.program(open_by_itself=True, code="AAA", start="2020-01-01", calendar="yearly")
        fine = self.program(open_by_itself=True, code="BBB", start="2020-01-01", calendar="yearly")
        closed = self.program(open_by_itself=True, code="CCC", start="2020-01-01", calendar="yearly")
        closed.action_suspend()
        original = type(broken)._open_due_cycles

        def open_due(program, today):
            if program.id == broken.id:
                raise UserError(program.display_name)
            return original(program, today)

        self.patch(self.registry["spp.program"], "_open_due_cycles", open_due)
        with mute_logger("odoo.addons.spp_programs.models.program_calendar"):
            self.env.ref("spp_programs.cron_open_cycles").ir_actions_server_id.run()
        self.assertFalse(broken.cycle_ids)
        self.assertFalse(closed.cycle_ids)
        self.assertGreaterEqual(len(fine.cycle_ids), 6)

    def test_nobody_gets_more_instalments_by_two_drafts(self):
        program = self.make_program("INST", fund="10000")
        program.benefit_ids.most_instalments = 1
        self.add(program, self.make_people(2))
        program.with_user(self.officer).action_enroll(AS_OF)
        first = self.make_cycle(program, "2026-06-01", "2026-06-30", compute=False)
        second = self.make_cycle(program, "2026-07-01", "2026-07-31", compute=False)
        second.action_compute()
        first.action_compute()
        self.assertEqual((first.entitlement_count, second.entitlement_count), (0, 2))
        self.assertIn("All 1 instalments", first.beneficiary_ids[0].amount_reason)
        # computed at the same moment, neither saw the other: the second to be submitted is refused
        self.env.cr.execute(
            """
            INSERT INTO spp_entitlement (reference, cycle_id, period_id, program_id, beneficiary_id, partner_id,
                                         benefit_id, kind, amount, currency_id, state, instalment)
            SELECT e.reference || 'x', b.cycle_id, b.cycle_id, e.program_id, b.id, b.partner_id, e.benefit_id, e.kind,
                   e.amount, e.currency_id, 'draft', 1
              FROM spp_entitlement e
              JOIN spp_cycle_beneficiary b ON b.partner_id = e.partner_id AND b.cycle_id = %s
             WHERE e.cycle_id = %s
            """,
            [first.id, second.id],
        )
        first._write_guarded({"entitlement_count": 2})
        self.env.invalidate_all()
        with self.assertRaisesRegex(UserError, "more instalments"):
            second.action_submit()
