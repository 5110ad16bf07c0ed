"""The difference of a cycle to the one before: who changed and why, and what asks for a written reason."""

import psycopg2

from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from .payment_common import PaymentsCase

MAY, JUNE = ("2026-05-01", "2026-05-31"), ("2026-06-01", "2026-06-30")
# A small program changes by a large share whenever anything changes.
NO_LIMITS = {
    "difference_joined": 10000,
    "difference_left": 10000,
    "difference_total": 10000,
    "difference_accounts": 10000,
}


class DifferenceCase(PaymentsCase):
    @classmethod
    def make_cycle_of(cls, program, period, submit=False, approve=False):
        """A computed cycle that looks at people on its first day."""
        program = program.with_user(cls.manager)
        cycle = (
            cls.env["spp.cycle"].with_user(cls.manager).browse(program.action_new_cycle(*period, period[0]))
        )
        cycle.action_compute()
        if submit or approve:
            cycle.action_submit()
        if approve:
            cycle.with_user(cls.approver).action_approve()
        return cycle

    def changes(self, cycle, kind):
        """{registrant: difference} of a kind."""
        lines = self.env["spp.cycle.difference"].search([("cycle_id", "=", cycle.id), ("kind", "=", kind)])
        return {line.partner_id: line for line in lines}

    def totals(self, cycle):
        return {
            line.kind: (line.people, line.amount_before, line.amount_after)
            for line in cycle.difference_total_ids
        }


@tagged("post_install", "-at_install")
class TestDifferenceOfPeople(DifferenceCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.people = cls.make_payees(6)
        cls.program = cls.make_program("DIFF", fund="100000.00", **NO_LIMITS)
        cls.members = cls.add(cls.program, cls.people)
        cls.program.with_user(cls.officer).action_enroll("2026-05-01")

    def member(self, person):
        return self.members.filtered(lambda member: member.partner_id == person)

    def test_the_first_cycle_is_compared_with_nothing(self):
        cycle = self.make_cycle_of(self.program, MAY)
        self.assertFalse(cycle.previous_id)
        self.assertFalse(cycle.difference_ids)
        self.assertFalse(cycle.difference_question)

    def test_nothing_changed(self):
        may = self.make_cycle_of(self.program, MAY, submit=True)
        june = self.make_cycle_of(self.program, JUNE)
        self.assertEqual(june.previous_id, may)
        self.assertEqual(self.totals(june), {"unchanged": (6, 600, 600)})
        self.assertEqual((june.previous_people, june.people), (6, 6))
        self.assertFalse(june.difference_ids)

    def test_who_joined_and_why(self):
        young, hurried, resumed, new = self.people[:4]
        young.birthdate = "1966-05-20"  # 60 during May
        self.member(resumed).action_suspend("Not found at home")
        may = self.make_cycle_of(self.program, MAY, submit=True)
        self.assertEqual(may.people, 4)
        self.member(resumed).action_resume("Found")
        by_hand = self.make_person("By hand", "2000-01-01")
        self.add(self.program, by_hand).action_enroll_by_hand("Flood victim")
        late = self.make_person("Late", "1950-01-01")
        self.add(self.program, late)
        self.program.with_user(self.officer).action_enroll("2026-06-01")
        june = self.make_cycle_of(self.program, JUNE)
        joined = self.changes(june, "joined")
        self.assertEqual(
            {person: line.cause for person, line in joined.items()},
            {young: "eligible", resumed: "resumed", by_hand: "by_hand", late: "enrolled"},
        )
        self.assertEqual(joined[young].cause_text, "Became eligible. Age: 60, before 59.")
        self.assertEqual(joined[resumed].cause_text, "Resumed: Found.")
        self.assertEqual(joined[by_hand].cause_text, "Enrolled by hand: Flood victim.")
        self.assertEqual(joined[late].cause_text, "Newly enrolled: 2026-06-01.")
        self.assertEqual(self.totals(june), {"joined": (4, 0, 400), "unchanged": (4, 400, 400)})
        self.assertEqual((joined[late].amount_before, joined[late].amount_change), (0, 100))
        self.assertNotIn(new, joined)
        self.assertNotIn(hurried, joined)

    def test_who_left_and_why(self):
        dead, moved, young, unknown, suspended = self.people[:5]
        self.make_cycle_of(self.program, MAY, submit=True)
        dead.registrant_status = "deceased"
        self.member(moved).action_exit("Moved abroad")
        young.birthdate = "1990-01-01"
        unknown.birthdate = False
        self.member(suspended).action_suspend("Not found at home")
        june = self.make_cycle_of(self.program, JUNE)
        left = self.changes(june, "left")
        self.assertEqual(
            {person: line.cause for person, line in left.items()},
            {
                dead: "died",
                moved: "exited",
                young: "not_eligible",
                unknown: "undetermined",
                suspended: "suspended",
            },
        )
        self.assertEqual(left[dead].cause_text, "Died.")
        self.assertEqual(left[moved].cause_text, "Exited: Moved abroad.")
        self.assertEqual(left[young].cause_text, "No longer eligible. Age: 36, before 76.")
        self.assertEqual(left[unknown].cause_text, "Undetermined. Age: not known, before 76.")
        self.assertEqual(left[suspended].cause_text, "Suspended: Not found at home.")
        self.assertEqual(self.totals(june), {"left": (5, 500, 0), "unchanged": (1, 100, 100)})
        self.assertEqual((june.previous_people, june.people, june.previous_total), (6, 1, 600))

    def test_amounts_and_goods(self):
        may = self.make_cycle_of(self.program, MAY, submit=True)
        benefit = self.program.with_user(self.manager).benefit_ids
        benefit.amount = 120
        june = self.make_cycle_of(self.program, JUNE)
        self.assertEqual(self.totals(june), {"amount_up": (6, 600, 720)})
        line = self.changes(june, "amount_up")[self.people[0]]
        self.assertEqual((line.amount_before, line.amount_after, line.amount_change), (100, 120, 20))
        self.assertEqual(line.cause_text, "The benefit changed. Grant: 120.00, before 100.00.")
        benefit.amount = 80
        self.program.with_user(self.manager).benefit_ids = [
            (0, 0, {"name": "Flour", "kind": "goods", "quantity": 2, "product_name": "Flour, 10 kg"})
        ]
        june.action_compute()
        self.assertEqual(self.totals(june), {"amount_down": (6, 600, 480), "goods": (6, 600, 480)})
        self.assertEqual(
            self.changes(june, "goods")[self.people[0]].mapped("goods_after"), ["2 × Flour, 10 kg"]
        )
        self.assertEqual(may.total_amount, 600)

    def test_accounts_as_the_payment_had_them(self):
        other, renumbered, ended, first = self.people[:4]
        self.env["spp.payment.account"].search([("partner_id", "=", first.id)]).action_end()
        may = self.make_cycle_of(self.program, MAY, approve=True)
        # Between computation and payment the account changed: what was paid to counts.
        account = self.env["spp.payment.account"].search([("partner_id", "=", self.people[5].id)])
        account.number = "5555000011112222"
        may.action_prepare_payments()
        self.give_account(other, "7777000099998888").action_make_primary()
        self.env["spp.payment.account"].search(
            [("partner_id", "=", renumbered.id)]
        ).number = "1111222233334444"
        self.env["spp.payment.account"].search([("partner_id", "=", ended.id)]).action_end()
        self.give_account(first, "9999888877776666")
        june = self.make_cycle_of(self.program, JUNE)
        lines = self.changes(june, "account")
        self.assertEqual(
            {person: line.cause for person, line in lines.items()},
            {other: "other_account", renumbered: "number", ended: "no_account", first: "first_account"},
        )
        old = may.payment_ids.filtered(lambda payment: payment.partner_id == other).account_masked
        self.assertEqual((lines[other].account_before, lines[other].account_after), (old, "••••8888"))
        self.assertEqual((lines[first].account_before, lines[first].account_after), (False, "••••6666"))
        self.assertEqual((lines[ended].account_after), False)

    def test_cancelled_cycles_are_passed_over(self):
        may = self.make_cycle_of(self.program, MAY, submit=True)
        wrong = self.make_cycle_of(self.program, JUNE)
        wrong.action_cancel("Wrong month")
        june = self.make_cycle_of(self.program, JUNE)
        self.assertEqual(june.previous_id, may)
        self.assertEqual(june.number, 3)

    def test_submission_compares_with_the_cycle_before_as_it_is_then(self):
        may = self.make_cycle_of(self.program, MAY)
        june = self.make_cycle_of(self.program, JUNE)
        self.assertEqual(june.previous_id, may)
        may.action_cancel("Not held")
        june.action_submit()
        self.assertFalse(june.previous_id)
        self.assertFalse(june.difference_total_ids)


@tagged("post_install", "-at_install")
class TestDifferenceOfHouseholds(DifferenceCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        rule = cls.make_rule("Family", "group", "group.members.size() >= 1")
        cls.houses = cls.env["res.partner"].create(
            [{"name": f"House {i}", "is_registrant": True, "is_group": True} for i in range(4)]
        )
        cls.mothers = cls.make_payees(4, prefix="Mother")
        cls.children = cls.make_people(4, birthdate="2020-01-01", prefix="Child")
        cls.places = cls.env["spp.group.membership"].create(
            [
                {"group_id": house.id, "individual_id": mother.id, "is_head": True}
                for house, mother in zip(cls.houses, cls.mothers, strict=True)
            ]
            + [
                {"group_id": house.id, "individual_id": child.id}
                for house, child in zip(cls.houses, cls.children, strict=True)
            ]
        )
        cls.program = cls.make_program(
            "HOUSE", fund="100000.00", target="group", rule_id=rule.id, **NO_LIMITS
        )
        cls.add(cls.program, cls.houses)
        cls.program.with_user(cls.officer).action_enroll("2026-05-01")

    def test_who_came_and_went_and_who_heads(self):
        grown, headed, both, _same = self.houses
        self.make_cycle_of(self.program, MAY, submit=True)
        new = self.make_people(1, prefix="Baby", birthdate="2026-05-10")
        self.env["spp.group.membership"].create({"group_id": grown.id, "individual_id": new.id})
        self.places.filtered(lambda p: p.individual_id == self.children[1]).action_make_head()
        self.places.filtered(lambda p: p.individual_id == self.children[2]).action_make_head()
        self.places.filtered(lambda p: p.individual_id == self.mothers[2]).ended = "2026-05-20"
        june = self.make_cycle_of(self.program, JUNE)
        lines = self.changes(june, "household")
        self.assertEqual(
            {house: line.cause for house, line in lines.items()},
            {grown: "members", headed: "head", both: "head_and_members"},
        )
        self.assertEqual(lines[grown].cause_text, "Members came or went. Came: Baby 0.")
        self.assertEqual(lines[headed].cause_text, "The head changed. Head: Child 1, before Mother 1.")
        self.assertEqual(
            lines[both].cause_text,
            "Head and members changed. Went: Mother 2. Head: Child 2, before Mother 2.",
        )
        accounts = self.changes(june, "account")
        self.assertEqual({line.cause for line in accounts.values()}, {"no_account"})
        self.assertEqual(set(accounts), {headed, both})
        self.assertEqual(self.totals(june)["unchanged"], (1, 100, 100))

    def test_amounts_by_formula_say_which_facts_moved_them(self):
        benefit = self.program.with_user(self.manager).benefit_ids
        benefit.write(
            {"amount_kind": "formula", "formula": "100 + 20 * group.members.filter(m, m.age < 18).size()"}
        )
        self.make_cycle_of(self.program, MAY, submit=True)
        new = self.make_people(1, prefix="Baby", birthdate="2026-05-10")
        self.env["spp.group.membership"].create({"group_id": self.houses[0].id, "individual_id": new.id})
        june = self.make_cycle_of(self.program, JUNE)
        (line,) = self.changes(june, "amount_up").values()
        self.assertEqual((line.partner_id, line.cause, line.amount_change), (self.houses[0], "facts", 20))
        self.assertEqual(
            line.cause_text,
            "The facts changed. Grant: 140.00, before 120.00. Members with age under 18: 2, before 1.",
        )
        benefit.formula = "200 + 20 * group.members.filter(m, m.age < 18).size()"
        june.action_compute()
        lines = self.changes(june, "amount_up")
        self.assertEqual(lines[self.houses[0]].cause, "terms_and_facts")
        self.assertEqual(lines[self.houses[1]].cause, "terms")
        self.assertEqual(
            lines[self.houses[1]].cause_text,
            "The benefit changed. Grant: 220.00, before 120.00. Its formula is another one.",
        )

    def test_a_benefit_with_a_condition(self):
        self.houses.income = 50
        benefit = self.program.with_user(self.manager).benefit_ids
        benefit.condition = "group.income < 100.0"
        self.make_cycle_of(self.program, MAY, submit=True)
        self.houses[0].income = 150
        june = self.make_cycle_of(self.program, JUNE, submit=True)
        (line,) = self.changes(june, "left").values()
        self.assertEqual((line.partner_id, line.cause), (self.houses[0], "nothing_due"))
        self.assertEqual(
            line.cause_text,
            "No benefit is due any more. Grant: nothing, before 100.00. Income: 150, before 50.",
        )
        self.houses[0].income = 50
        july = self.make_cycle_of(self.program, ("2026-07-01", "2026-07-31"))
        (line,) = self.changes(july, "joined").values()
        self.assertEqual(
            line.cause_text, "A benefit is due now. Grant: 100.00, before nothing. Income: 50, before 150."
        )

    def test_compliance_and_withdrawal(self):
        keeps = self.make_rule("Few", "group", "group.members.size() < 3")
        self.program.with_user(self.manager).write({"kind": "cct", "compliance_rule_id": keeps.id})
        may = self.make_cycle_of(self.program, MAY, submit=True)
        dead, full = self.houses[:2]
        gone = may.beneficiary_ids.filtered(lambda one: one.partner_id == dead)
        withdrawal = gone.with_user(self.officer).action_withdraw("left", "Moved abroad")
        self.env["spp.cycle.withdrawal"].browse(withdrawal).with_user(self.manager).action_confirm()
        member = self.env["spp.program.membership"].search(
            [("program_id", "=", self.program.id), ("partner_id", "=", dead.id)]
        )
        member.with_user(self.officer).action_exit("Moved abroad")
        more = self.make_people(1, prefix="Uncle")
        place = self.env["spp.group.membership"].create({"group_id": full.id, "individual_id": more.id})
        june = self.make_cycle_of(self.program, JUNE, submit=True)
        left = self.changes(june, "left")
        self.assertEqual(left[dead].cause_text, "Withdrawn from the previous cycle: Moved abroad.")
        self.assertEqual(left[full].cause_text, "Not compliant. Members: 3, before 2.")
        self.assertEqual(june.previous_people - june.people, 2)
        place.ended = "2026-06-20"
        july = self.make_cycle_of(self.program, ("2026-07-01", "2026-07-31"))
        self.assertEqual(
            self.changes(july, "joined")[full].cause_text, "Compliant again. Members: 2, before 3."
        )

    def test_members_whom_one_may_not_see_have_no_names(self):
        here, elsewhere = self.env["spp.area"].create(
            [{"name": "A", "code": "D-A"}, {"name": "B", "code": "D-B"}]
        )
        self.houses[0].area_id = here
        self.make_cycle_of(self.program, MAY, submit=True)
        hidden = self.make_person("Hidden", "2026-05-10", area_id=elsewhere.id)
        self.env["spp.group.membership"].create({"group_id": self.houses[0].id, "individual_id": hidden.id})
        june = self.make_cycle_of(self.program, JUNE)
        viewer = self.users["program_viewer"]
        viewer.spp_area_ids = here
        line = self.env["spp.cycle.difference"].with_user(viewer).search([("cycle_id", "=", june.id)])
        self.assertEqual(line.cause_text, "Members came or went. Came: 1 whom you may not see.")
        viewer.spp_area_ids = elsewhere
        self.assertFalse(
            self.env["spp.cycle.difference"].with_user(viewer).search([("cycle_id", "=", june.id)])
        )


@tagged("post_install", "-at_install")
class TestDifferenceReason(DifferenceCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.people = cls.make_payees(10)
        cls.program = cls.make_program("REASON", fund="100000.00", difference_accounts=1)
        cls.members = cls.add(cls.program, cls.people)
        cls.program.with_user(cls.officer).action_enroll("2026-05-01")
        cls.may = cls.make_cycle_of(cls.program, MAY, submit=True)

    def test_at_the_limit_no_reason_is_asked(self):
        self.members[0].action_exit("Left")
        june = self.make_cycle_of(self.program, JUNE)
        self.assertFalse(june.difference_question)
        june.action_submit()

    def test_beyond_it_submission_needs_a_reason(self):
        self.members[:2].action_exit("Left")
        june = self.make_cycle_of(self.program, JUNE)
        self.assertEqual(
            june.difference_question,
            "2 people left (20.0 %; the limit is 10 %); the total changed by -20.0 % (the limit is 10 %).",
        )
        self.assertIn("reason", june.next_step)
        for reason in (False, "  "):
            june.difference_reason = reason
            with self.assertRaisesRegex(UserError, "differs much"):
                june.action_submit()
        for role in ("approver", "finance_officer", "enrollment_officer", "admin"):
            with self.assertRaises(AccessError):
                june.with_user(self.users[role]).difference_reason = "Mine"
        june.difference_reason = "Two emigrated"
        june.action_submit()
        self.assertEqual(june.with_user(self.approver).difference_reason, "Two emigrated")
        entry = self.env["spp.audit.entry"].search(
            [("res_model", "=", "spp.cycle"), ("res_id", "=", june.id), ("action", "ilike", "difference")]
        )
        self.assertEqual((entry.note, entry.new["asked"]), ("Two emigrated", june.difference_question))
        with self.assertRaises(UserError):
            june.difference_reason = "Another"

    def test_a_reason_is_for_the_difference_it_was_given_for(self):
        self.members[:2].action_exit("Left")
        june = self.make_cycle_of(self.program, JUNE)
        june.difference_reason = "Two emigrated"
        june.action_compute()
        self.assertEqual(june.difference_reason, "Two emigrated")
        self.members[2].action_exit("Left")
        june.action_compute()
        self.assertFalse(june.difference_reason)

    def test_accounts_and_newcomers(self):
        for person in self.people[:2]:
            self.give_account(person, f"77770000{person.id:08d}").action_make_primary()
        self.add(self.program, self.make_people(2, prefix="New"))
        self.program.with_user(self.officer).action_enroll("2026-06-01")
        june = self.make_cycle_of(self.program, JUNE)
        for part in (
            "2 people joined (20.0 %",
            "the total changed by 20.0 %",
            "2 accounts changed (the limit is 1)",
        ):
            self.assertIn(part, june.difference_question)
        # A limit that was raised asks no more once it is computed again.
        self.program.with_user(self.manager).write(NO_LIMITS)
        june.action_compute()
        self.assertFalse(june.difference_question)

    def test_nothing_of_it_can_be_written(self):
        self.members[0].action_exit("Left")
        june = self.make_cycle_of(self.program, JUNE)
        for name, value in (("difference_question", False), ("previous_id", False), ("people", 5)):
            with self.assertRaises(UserError):
                june.write({name: value})
        june.action_submit()
        self.env.flush_all()
        for table in ("spp_cycle_difference", "spp_cycle_difference_total"):
            for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET amount_before = 7"):
                with (
                    self.assertRaises(psycopg2.IntegrityError),
                    mute_logger("odoo.sql_db"),
                    self.env.cr.savepoint(),
                ):
                    self.env.cr.execute(f"{statement} WHERE cycle_id = %s", [june.id])

    def test_the_lines_of_a_kind_open(self):
        self.members[0].action_exit("Left")
        june = self.make_cycle_of(self.program, JUNE)
        total = june.difference_total_ids.filtered(lambda line: line.kind == "left")
        action = total.with_user(self.users["program_viewer"]).action_open()
        found = self.env[action["res_model"]].search(action["domain"])
        self.assertEqual(found.partner_id, self.people[0])
        with self.assertRaisesRegex(UserError, "not considered"):
            found.action_why()


@tagged("post_install", "-at_install")
class TestChangesByComputingAgain(DifferenceCase):
    def test_what_the_latest_computation_changed(self):
        people = self.make_people(4)
        program = self.make_program("AGAIN")
        members = self.add(program, people)
        program.with_user(self.officer).action_enroll("2026-06-01")
        cycle = self.make_cycle_of(program, JUNE)
        self.assertEqual((cycle.recomputed_outcomes, cycle.recomputed_amounts), (0, 0))
        people[0].birthdate = "2010-01-01"
        members[1].action_exit("Left")
        cycle.action_compute()
        self.assertEqual((cycle.recomputed_outcomes, cycle.recomputed_amounts), (2, 2))
        changes = self.env["spp.cycle.change"].search([("cycle_id", "=", cycle.id)])
        self.assertEqual(
            {
                change.partner_id: (
                    change.outcome_before,
                    change.outcome_after,
                    change.amount_before,
                    change.amount_after,
                )
                for change in changes
            },
            {people[0]: ("eligible", "not_eligible", 100, 0), people[1]: ("eligible", False, 100, 0)},
        )
        program.with_user(self.manager).benefit_ids.amount = 120
        cycle.action_compute()
        self.assertEqual((cycle.recomputed_outcomes, cycle.recomputed_amounts), (0, 2))
        cycle.action_compute()
        self.assertFalse(self.env["spp.cycle.change"].search([("cycle_id", "=", cycle.id)]))
