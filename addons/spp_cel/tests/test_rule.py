"""Writing, checking, publishing and explaining a rule."""

import datetime

from psycopg2 import IntegrityError

from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import Form, tagged
from odoo.tools import mute_logger

from .common import AS_OF, RuleCase

CHILD = "group.members.filter(m, m.age < 5).size() >= 1"
PENSION = "individual.age >= variables.retirement_age"


@tagged("post_install", "-at_install")
class TestRule(RuleCase):
    def test_a_mistake_is_refused_when_saved_with_its_place(self):
        with self.assertRaises(ValidationError) as caught:
            self.rule("group.members.filter(m, m.agee < 5).size() >= 1")
        self.assertIn(
            "Line 1, column 27: “m” has no field “agee”. Did you mean “age”?", str(caught.exception)
        )
        self.assertIn("\n" + " " * 26 + "^", str(caught.exception))

    def test_a_mistake_shows_while_typing(self):
        rule = self.as_manager["spp.rule"].new({"target": "group", "expression": "group.members.size() >"})
        self.assertIn("ends too early", rule.problem)
        rule.expression = "group.members.size() > 1"
        self.assertFalse(rule.problem)

    def test_a_rule_is_written_in_the_form(self):
        form = Form(self.as_manager["spp.rule"])
        form.name = "Typed"
        form.expression = "group.members.size() > 1"
        self.assertEqual(form.save().draft_version_id.number, 1)

    def test_published_versions_never_change(self):
        rule = self.rule(CHILD)
        version = rule.draft_version_id
        self.assertTrue(rule.action_publish())
        self.assertEqual((rule.state, rule.published_version_id), ("published", version))
        self.assertEqual(version.published_by_id, self.manager)
        for vals in (
            {"expression": "true"},
            {"state": "draft"},
            {"number": 7},
            {"variables_snapshot": {}},
            {"rule_id": self.rule("true").id},
            {"published_at": False},
        ):
            with self.assertRaises(UserError):
                version.write(vals)
        with self.assertRaises(UserError):
            version.unlink()
        with self.assertRaises(UserError):
            rule.unlink()
        with self.assertRaises(UserError):
            rule.target = "individual"
        with self.assertRaises(UserError):
            self.as_manager["spp.rule.version"].create(
                {"rule_id": rule.id, "expression": "true", "state": "published"}
            )
        with self.assertRaises(UserError):
            version.action_publish()

    def test_a_change_starts_a_new_draft_and_publishing_retires_the_former(self):
        rule = self.rule(CHILD)
        rule.action_publish()
        first = rule.published_version_id
        rule.expression = CHILD
        self.assertEqual(len(rule.version_ids), 1)
        rule.expression = "group.members.size() >= 3"
        second = rule.draft_version_id
        self.assertEqual((second.number, rule.published_version_id, first.expression), (2, first, CHILD))
        rule.expression = "group.members.size() >= 4"
        self.assertEqual((rule.draft_version_id, second.expression), (second, "group.members.size() >= 4"))
        rule.action_publish("Nobody is that large yet")
        self.assertEqual((first.state, rule.published_version_id), ("retired", second))
        rule.action_retire()
        self.assertEqual((rule.state, second.state), ("retired", "retired"))
        entries = self.env["spp.audit.entry"].search(
            [("res_model", "=", "spp.rule.version"), ("res_id", "in", (first | second).ids)]
        )
        self.assertEqual(
            sorted(entries.mapped("action")), ["Rule published", "Rule published", "Rule retired"]
        )

    def test_the_database_allows_one_published_version(self):
        rule = self.rule(CHILD)
        rule.action_publish()
        rule.expression = "true"
        self.env.flush_all()
        with self.assertRaises(IntegrityError), mute_logger("odoo.sql_db"), self.env.cr.savepoint():
            self.env.cr.execute(
                "UPDATE spp_rule_version SET state = 'published' WHERE rule_id = %s", [rule.id]
            )

    def test_copying_a_rule_copies_its_condition_as_a_draft(self):
        rule = self.rule(CHILD)
        rule.action_publish()
        copy = rule.copy()
        self.assertEqual((copy.expression, copy.state, copy.published_version_id.id), (CHILD, "draft", False))

    def test_publishing_keeps_the_values_of_variables(self):
        variable = self.as_manager["spp.cel.variable"].create({"name": "pension_age", "value": "60"})
        rule = self.rule("individual.age >= variables.pension_age", target="individual")
        old_enough = self.individuals.filtered(lambda person: person.birthdate == datetime.date(1964, 2, 29))
        rule.action_publish()
        version = rule.published_version_id
        self.assertEqual(version.variables_snapshot, {"pension_age": {"type": "int", "value": 60}})
        variable.value = "65"
        self.assertEqual(self.outcomes(version, old_enough[:1])[old_enough[0].id][0], "eligible")
        self.assertEqual(version.why(old_enough[0].id, AS_OF)["outcome"], "eligible")
        variable.unlink()
        self.assertIn("at least 60 (pension age)", version.why(old_enough[0].id, AS_OF)["why"]["words"])
        rule.with_context(active_test=False).invalidate_recordset()
        self.assertIn("no variable “pension_age”", rule.problem)

    def test_a_draft_whose_variable_is_gone_says_so(self):
        rule = self.rule(PENSION, target="individual")
        self.env["spp.cel.variable"].search([]).unlink()
        with self.assertRaisesRegex(UserError, "cannot be used.*no variable “retirement_age”"):
            rule.action_publish()
        self.assertIn("There is no variable “retirement_age”", rule.problem)

    def test_a_published_rule_whose_variable_is_gone_goes_on(self):
        rule = self.rule(PENSION, target="individual")
        rule.action_publish()
        version = rule.published_version_id
        before = self.outcomes(version, self.individuals)
        self.env["spp.cel.variable"].search([]).unlink()
        self.assertEqual(self.outcomes(version, self.individuals), before)
        rule.invalidate_recordset()
        self.assertFalse(rule.published_problem)

    def test_variables_have_names_and_values_that_fit(self):
        variable = self.as_manager["spp.cel.variable"]
        good = [
            ("a", "int", "7", 7),
            ("b", "double", "7", 7.0),
            ("c", "string", "x y", "x y"),
            ("d", "bool", "True", True),
        ]
        for name, kind, value, expected in good:
            made = variable.create({"name": name, "value_type": kind, "value": value})
            self.assertEqual(made._constant().value, expected)
        bad = [
            ("e", "int", "7.5"),
            ("e", "int", str(2**60)),
            ("e", "double", "nan"),
            ("e", "double", "1e99"),
            ("e", "double", "much"),
            ("e", "bool", "perhaps"),
            ("E", "int", "7"),
            ("a b", "int", "7"),
            ("in", "int", "7"),
        ]
        for name, kind, value in bad:
            with self.assertRaises(ValidationError, msg=(name, kind, value)), self.env.cr.savepoint():
                variable.create({"name": name, "value_type": kind, "value": value})
        with self.assertRaises(IntegrityError), mute_logger("odoo.sql_db"), self.env.cr.savepoint():
            variable.create({"name": "a", "value": "1"})

    def test_publishing_compares_both_evaluations(self):
        rule = self.rule("individual.age >= 60", target="individual")
        self.patch(type(self.env["spp.cel.schema"]), "_records", self.forgetful_records())
        with self.assertRaisesRegex(UserError, "differ for PERSON"):
            rule.action_publish()
        self.assertEqual(rule.state, "draft")

    def forgetful_records(self):
        original = type(self.env["spp.cel.schema"])._records

        def records(schema, target, partners):
            found = original(schema, target, partners)
            for record in found.values():
                record["birthdate"] = None
            return found

        return records

    def test_check_does_not_run_forever(self):
        rule = self.rule(CHILD)
        version = rule.draft_version_id
        self.patch(
            type(version),
            "_run_settings",
            lambda self, cr: cr.execute("SET LOCAL statement_timeout = 1"),
        )
        slow = self.population(self.groups)
        slow = type(slow)("SELECT id FROM (%s) AS p, pg_sleep(0.1)", slow)
        with self.assertRaisesRegex(UserError, "took too long"), mute_logger("odoo.sql_db"):
            version._counts(slow, AS_OF)

    def test_try_on_one_person(self):
        version = self.rule(CHILD).draft_version_id
        for group in self.groups:
            outcome = self.outcomes(version, group)[group.id][0]
            answer = version.why(group.id, AS_OF)
            self.assertEqual(answer["outcome"], outcome)
            self.assertEqual(bool(answer["missing"]), outcome == "undetermined")
            trial = self.as_manager["spp.rule.trial"].create(
                {"version_id": version.id, "partner_id": group.id, "as_of": AS_OF}
            )
            self.assertEqual(trial.outcome, outcome)
            self.assertIn("Members with age under 5", trial.why["why"]["words"])

    def test_explanation_from_stored_facts(self):
        rule = self.rule(CHILD)
        rule.action_publish()
        facts = {"group.members.filter(m, m.age < 5).size()": {"certain": 0, "possible": 0, "of": 3}}
        self.assertEqual(
            rule.published_version_id._explain(facts, "not_eligible", AS_OF),
            "Not eligible on 2024-02-29. Members with age under 5: 0; at least 1 is needed.",
        )

    def test_try_needs_access_to_the_person(self):
        version = self.rule(CHILD).draft_version_id
        area = self.env["spp.area"].create({"name": "Elsewhere", "code": "ELSEWHERE"})
        other = self.env["spp.area"].create({"name": "Here", "code": "HERE"})
        self.groups[0].area_id = area
        self.manager.spp_area_ids = other
        with self.assertRaises(AccessError):
            version.why(self.groups[0].id, AS_OF)

    def test_members_elsewhere_are_counted_without_their_names_and_values(self):
        version = self.rule("group.members.all(m, m.age < 100)").draft_version_id
        here = self.env["spp.area"].create({"name": "Here", "code": "HERE"})
        self.groups[0].area_id = here
        named = version.why(self.groups[0].id, AS_OF)["why"]
        self.assertIn("PERSON", str(named))
        self.manager.spp_area_ids = here
        withheld = version.why(self.groups[0].id, AS_OF)["why"]
        self.assertEqual(withheld["state"], named["state"])
        self.assertNotIn("PERSON", str(withheld))
        self.assertEqual({tuple(item["shown"]) for item in withheld["items"]}, {()})

    def test_a_rule_about_groups_is_not_asked_about_a_person(self):
        with self.assertRaisesRegex(UserError, "about one group"):
            self.rule(CHILD).why(self.individuals[0].id)

    def test_what_would_change_an_outcome_is_shown_only_when_switched_on(self):
        rule = self.rule("group.members.filter(m, m.age < 5).size() > 30")
        answer = rule.why(self.groups[0].id, AS_OF)
        self.assertFalse(answer["changes_shown"])
        self.assertNotIn("changes", answer)
        self.env["ir.config_parameter"].set_param("spp_cel.show_change", "True")
        rule = self.rule("group.members.filter(m, m.age < 5).size() > 3")
        answer = rule.why(self.groups[8].id, AS_OF)
        self.assertTrue(answer["changes_shown"])
        self.assertEqual(len(answer["changes"]), 1)
        self.assertIn("more members with age under 5", answer["changes"][0])

    def test_bounds_of_the_registry(self):
        with self.assertRaises(IntegrityError), mute_logger("odoo.sql_db"), self.env.cr.savepoint():
            self.groups[0].income = 1e20
            self.env.flush_all()
