"""Replay: past decisions and amounts computed again from what was frozen give the same answer, or are found."""

import json
import xmlrpc.client

from odoo.exceptions import AccessError, UserError
from odoo.tests import HttpCase, tagged

from odoo.addons.spp_base.tests.common import CheapPasswords

from .common import ROLES, ProgramsMixin
from .test_difference import JUNE, MAY, NO_LIMITS, DifferenceCase

PER_CHILD = "variables.replay_base + 20.5 * double(group.members.filter(m, m.age < 18).size())"


@tagged("post_install", "-at_install")
class TestReplay(DifferenceCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.base = cls.env["spp.cel.variable"].create(
            {"name": "replay_base", "value_type": "double", "value": "100.25"}
        )
        cls.poor = cls.make_rule(
            "Poor or with a child",
            "group",
            "group.members.exists(m, m.age < 5) || group.income < 100.0 && group.members.sum(m, m.income) < 50.5",
        )
        cls.keeps = cls.make_rule(
            "Visits", "group", "group.members.all(m, m.age >= 5 || m.income == null || m.income < 40.0)"
        )
        cls.houses = cls.env["res.partner"].create(
            [
                {"name": f"House {number}", "is_registrant": True, "is_group": True, "income": 10 * number}
                for number in range(8)
            ]
        )
        for number, house in enumerate(cls.houses):
            people = cls.env["res.partner"].create(
                [
                    {
                        "name": f"Member {number}.{index}",
                        "is_registrant": True,
                        "birthdate": False
                        if number == 3 and index
                        else f"{1975 + 20 * index + number}-03-01",
                        "income": 7.3 * index if number != 5 else False,
                    }
                    for index in range(3)
                ]
            )
            cls.env["spp.group.membership"].create(
                [
                    {"group_id": house.id, "individual_id": person.id, "is_head": not index}
                    for index, person in enumerate(people)
                ]
            )
        cls.program = cls.make_program(
            "REPLAY",
            fund="100000.00",
            target="group",
            kind="cct",
            rule_id=cls.poor.id,
            compliance_rule_id=cls.keeps.id,
            benefit_ids=[
                (
                    0,
                    0,
                    {"name": "Child grant", "kind": "money", "amount_kind": "formula", "formula": PER_CHILD},
                ),
                (
                    0,
                    0,
                    {
                        "name": "Capped",
                        "kind": "money",
                        "amount_kind": "formula",
                        "formula": "double(group.members.size()) * 3.0 + 0.005",
                        "cap": 9,
                    },
                ),
                (
                    0,
                    0,
                    {"name": "Fixed", "kind": "money", "amount": 12.5, "condition": "group.income > 20.0"},
                ),
                (
                    0,
                    0,
                    {
                        "name": "Flour",
                        "kind": "goods",
                        "quantity": 1.5,
                        "product_name": "Flour",
                        "most_instalments": 1,
                    },
                ),
            ],
            **NO_LIMITS,
        )
        members = cls.add(cls.program, cls.houses)
        cls.program.with_user(cls.officer).action_enroll("2026-06-01")
        stay_out = members.filtered(lambda member: member.state != "enrolled")
        cls.by_hand = stay_out[:1]
        cls.by_hand.action_enroll_by_hand("A flood")
        cls.members = members
        cls.earlier = cls.make_cycle_of(cls.program, MAY)
        cls.cycle = cls.make_cycle_of(cls.program, JUNE)
        cls.cycle.beneficiary_ids.filtered("amount_problem").action_exclude("Birthdates are not to be had")
        cls.cycle.difference_reason = "The first instalment of flour was given"
        cls.env.flush_all()

    def turn_the_registry_upside_down(self):
        people = self.env["res.partner"].search([("is_registrant", "=", True), ("name", "=like", "Member %")])
        people.write({"birthdate": "1931-01-01", "income": 99999, "registrant_status": "deceased"})
        self.houses.write({"income": 0})
        self.env["spp.group.membership"].search([("group_id", "in", self.houses.ids)]).write(
            {"ended": "2026-05-01"}
        )
        self.base.value = "1.0"
        benefits = self.program.with_user(self.manager).benefit_ids
        benefits.filtered(lambda benefit: benefit.name == "Child grant").formula = "7.0"
        benefits.filtered(lambda benefit: benefit.name == "Fixed").write({"amount": 1, "condition": False})
        for rule in (self.poor, self.keeps):
            version = self.env["spp.rule.version"].create(
                {"rule_id": rule.id, "expression": "group.income > 5000.0"}
            )
            version.action_publish("Wild")
        self.env.flush_all()

    def tamper(self, statement, *params):
        """Change what is frozen as only somebody with the database's keys can."""
        self.env.flush_all()
        self.env.cr.execute("SET LOCAL spp.allow_rewrite = 'on'")
        self.env.cr.execute(statement, params)
        self.env.cr.execute("SET LOCAL spp.allow_rewrite = 'off'")
        self.env.invalidate_all()

    def due(self, name):
        """An entitlement of the benefit."""
        return self.cycle.sudo().entitlement_ids.filtered(lambda one: one.benefit_id.name == name)[0]

    def found(self):
        return self.cycle.replay()["different"]

    def test_the_fixture_has_all_kinds_of_answers(self):
        outcomes = set(self.cycle.beneficiary_ids.mapped("outcome"))
        self.assertLessEqual({"eligible"}, outcomes)
        self.assertTrue(self.cycle.entitlement_ids.filtered("capped"))
        self.assertTrue(self.by_hand)
        self.assertTrue(self.cycle.beneficiary_ids.filtered("amount_facts"))
        self.assertIn("undetermined", self.members.mapped("outcome"))

    def test_the_registry_edited_wildly_changes_nothing(self):
        count = self.cycle.beneficiary_count
        self.assertGreater(count, 4)
        self.cycle.action_submit()
        expected = {"replayed": count, "same": count, "different": [], "next": 0}
        self.assertEqual(self.cycle.replay(), expected)
        self.turn_the_registry_upside_down()
        self.assertEqual(self.cycle.replay(), expected)
        enrollment = self.program.with_user(self.manager).replay_enrollment()
        self.assertEqual((enrollment["replayed"], enrollment["same"]), (8, 8))

    def test_page_after_page(self):
        count = self.cycle.beneficiary_count
        after, replayed = 0, 0
        while True:
            page = self.cycle.replay(after, 2)
            replayed += page["replayed"]
            if not page["next"]:
                break
            after = page["next"]
        self.assertEqual(replayed, count)
        self.assertEqual(sum(page["replayed"] for page in self.cycle._replay_pages()), count)
        for limit in (0, -1, 10001):
            with self.assertRaises(UserError):
                self.cycle.replay(0, limit)

    def test_a_tampered_outcome_is_found(self):
        self.cycle.action_submit()
        line = self.cycle.beneficiary_ids.filtered(lambda one: one.outcome == "eligible")[0]
        self.tamper("UPDATE spp_cycle_beneficiary SET outcome = 'not_eligible' WHERE id = %s", line.id)
        (answer,) = self.found()
        self.assertEqual((answer["beneficiary"], answer["registrant"]), (line.id, line.partner_id.id))
        self.assertIn(
            {"what": "outcome", "then": "not_eligible", "now": "eligible", "same": False}, answer["compared"]
        )

    def test_a_tampered_fact_is_found(self):
        self.cycle.action_submit()
        line = self.due("Child grant").beneficiary_id.filtered(lambda one: "by_hand" not in one.facts)
        line = (
            line
            or self.cycle.sudo().beneficiary_ids.filtered(
                lambda one: one.outcome == "eligible" and "by_hand" not in one.facts
            )[0]
        )
        facts = {
            key: {"certain": 0, "possible": 0, "of": 3} if isinstance(value, dict) else 1e6
            for key, value in line.facts.items()
        }
        self.tamper("UPDATE spp_cycle_beneficiary SET facts = %s WHERE id = %s", json.dumps(facts), line.id)
        (answer,) = self.found()
        self.assertEqual(answer["compared"][0]["now"], "not_eligible")
        self.tamper("UPDATE spp_cycle_beneficiary SET facts = '{}' WHERE id = %s", line.id)
        (answer,) = self.found()
        self.assertIn("not kept", answer["problems"][0])
        self.tamper("UPDATE spp_cycle_beneficiary SET facts = NULL WHERE id = %s", line.id)
        (answer,) = self.found()
        self.assertFalse(answer["same"])

    def test_tampered_amounts_are_found(self):
        self.cycle.action_submit()
        for name in ("Child grant", "Capped", "Fixed"):
            due = self.due(name)
            self.tamper("UPDATE spp_entitlement SET amount = amount + 0.01 WHERE id = %s", due.id)
            (answer,) = self.found()
            (wrong,) = [line for line in answer["compared"] if not line["same"]]
            self.assertEqual(wrong["what"], str(due.benefit_id.id), name)
            self.tamper("UPDATE spp_entitlement SET amount = amount - 0.01 WHERE id = %s", due.id)
            self.assertFalse(self.found())
        flour = self.earlier.sudo().entitlement_ids.filtered(lambda one: one.benefit_id.name == "Flour")[0]
        self.tamper("UPDATE spp_entitlement SET quantity = 15 WHERE id = %s", flour.id)
        (answer,) = self.earlier.replay()["different"]
        self.assertIn(
            {"what": str(flour.benefit_id.id), "then": "15", "now": "1.5", "same": False}, answer["compared"]
        )

    def test_tampered_terms_are_found(self):
        self.cycle.action_submit()
        self.tamper(
            "UPDATE spp_cycle SET terms = jsonb_set(terms, '{variables,replay_base,value}', '99.0') WHERE id = %s",
            self.cycle.id,
        )
        # the formula's facts say what the variable was; what was kept with the cycle is what counts
        self.assertEqual(
            len(self.found()),
            len(self.cycle.sudo().entitlement_ids.filtered(lambda one: one.benefit_id.name == "Child grant")),
        )

    def test_a_tampered_enrollment_is_found(self):
        member = self.members.filtered(lambda one: one.outcome == "eligible")[0]
        self.tamper("UPDATE spp_program_membership SET outcome = 'not_eligible' WHERE id = %s", member.id)
        (answer,) = self.program.with_user(self.manager).replay_enrollment()["different"]
        self.assertEqual(answer["membership"], member.id)

    def test_one_person_with_one_click(self):
        viewer = self.users["program_viewer"]
        line = self.due("Child grant").beneficiary_id
        action = line.with_user(viewer).action_replay()
        dialog = self.env[action["res_model"]].with_user(viewer).browse(action["res_id"])
        self.assertTrue(dialog.same)
        self.assertEqual(str(dialog.as_of), JUNE[0])
        shown = {part.what: (part.then, part.now) for part in dialog.line_ids}
        self.assertEqual(shown["Outcome"], ("Eligible", "Eligible"))
        self.assertEqual(shown["Child grant"][0], shown["Child grant"][1])
        self.assertIn(PER_CHILD, dialog.texts)
        self.assertIn("replay_base = 100.25", dialog.values_used)
        self.assertIn("Members", dialog.seen)
        self.assertFalse(dialog.problems)
        member = self.members.filtered(lambda one: one.outcome == "eligible")[0].with_user(viewer)
        action = member.action_replay()
        self.assertTrue(self.env["spp.replay"].browse(action["res_id"]).same)
        with self.assertRaises(UserError):
            self.add(self.program, self.houses[0].copy({"name": "New"})).action_replay()

    def test_who_may_replay(self):
        for role in ROLES:
            cycle = self.cycle.with_user(self.users[role])
            if role in ("auditor", "program_manager", "approver", "finance_officer"):
                self.assertEqual(cycle.replay()["different"], [])
            else:
                with self.assertRaises(AccessError):
                    cycle.replay()
        area = self.env["spp.area"].create({"name": "N", "code": "R-N"})
        self.users["auditor"].spp_area_ids = area
        self.assertEqual(self.cycle.with_user(self.users["auditor"]).replay()["replayed"], 0)
        with self.assertRaises(AccessError):
            self.cycle.beneficiary_ids[:1].with_user(self.users["auditor"]).replay()


@tagged("post_install", "-at_install")
class TestReplayOverXmlrpc(ProgramsMixin, CheapPasswords, HttpCase):
    def test_plain_values(self):
        self.set_up_programs()
        program = self.make_program(fund="1000.00")
        member = self.add(program, self.make_people(2))[0]
        program.with_user(self.officer).action_enroll("2026-06-01")
        cycle = self.make_cycle(program, submit=True)
        self.env.flush_all()

        def call(role, model, method, *arguments):
            return self.xmlrpc_object.execute_kw(
                self.env.cr.dbname, self.users[role].id, f"prog_{role}", model, method, arguments
            )

        self.assertEqual(
            call("auditor", "spp.cycle", "replay", [cycle.id]),
            {"replayed": 2, "same": 2, "different": [], "next": 0},
        )
        self.assertEqual(call("auditor", "spp.program", "replay_enrollment", [program.id])["same"], 2)
        (answer,) = call("program_viewer", "spp.program.membership", "replay", [member.id])
        self.assertTrue(answer["same"])
        (answer,) = call("program_viewer", "spp.cycle.beneficiary", "replay", cycle.beneficiary_ids[:1].ids)
        benefit = str(program.benefit_ids.id)
        self.assertEqual(
            answer["compared"],
            [
                {"what": "outcome", "then": "eligible", "now": "eligible", "same": True},
                {"what": benefit, "then": "100", "now": "100", "same": True},
            ],
        )
        with self.assertRaises(xmlrpc.client.Fault):
            call("program_viewer", "spp.cycle", "replay", [cycle.id])
