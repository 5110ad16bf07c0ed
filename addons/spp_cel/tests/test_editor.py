"""What the rule editor is told while somebody types: over XML-RPC, as each role."""

import xmlrpc.client

from lxml import html

from odoo import fields
from odoo.tests import HttpCase, new_test_user, tagged

from odoo.addons.spp_base.tests.common import CheapPasswords

from ..lang.reference import FUNCTIONS
from .common import AS_OF, make_registry
from .test_access import ROLES

CHILD = "group.members.filter(m, m.age < 5).size() >= 1"
METHODS = {
    "editor_vocabulary": ("group",),
    "editor_check": ("true", "group"),
    "editor_count": ("true", "group"),
    "editor_count_amount": ("1", "group"),
}


@tagged("post_install", "-at_install")
class TestEditor(CheapPasswords, HttpCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.groups, cls.individuals = make_registry(cls.env)
        cls.users = {
            role: new_test_user(cls.env, f"cel_{role}", f"spp_base.group_{role}", password=f"cel_{role}_key")
            for role in ROLES
        }
        cls.users["outsider"] = new_test_user(
            cls.env, "cel_outsider", "base.group_user", password="cel_outsider_key"
        )

    def call(self, method, *args, role="program_viewer"):
        user = self.users[role]
        return self.xmlrpc_object.execute_kw(
            self.env.cr.dbname, user.id, f"cel_{role}_key", "spp.rule", method, list(args)
        )

    def refused(self, method, *args, role="program_viewer"):
        with self.assertRaises(xmlrpc.client.Fault) as caught:
            self.call(method, *args, role=role)
        return caught.exception.faultString

    def test_who_reads_rules_may_ask_and_nobody_else(self):
        for method, arguments in METHODS.items():
            for role in ROLES:
                self.call(method, *arguments, role=role)
            self.refused(method, *arguments, role="outsider")

    def test_asking_writes_nothing(self):
        count = lambda: [self.env[model].search_count([]) for model in ("spp.rule", "spp.rule.version")]  # noqa: E731
        before = count()
        for method, arguments in METHODS.items():
            self.call(method, *arguments, role="program_manager")
        self.assertEqual(count(), before)

    def test_the_help_lists_every_name_and_function_and_its_examples_are_rules(self):
        for target in ("group", "individual"):
            rule = self.env["spp.rule"].create({"name": "Help", "target": target})
            text = html.fromstring(rule.reference).text_content()
            for entries in self.call("editor_vocabulary", target)["scopes"].values():
                for entry in entries:
                    self.assertIn(f".{entry['name']}", text)
            for function in FUNCTIONS:
                self.assertIn(function.signature, text)
                self.assertIn(function.example, text)
        form = html.fromstring(self.env.ref("spp_cel.view_spp_rule_form").arch)
        examples = form.xpath("//page//td/code/text()")
        self.assertGreater(len(examples), 4)
        for example in examples:
            target = "group" if "group." in example else "individual"
            self.assertFalse(self.call("editor_check", str(example), target), example)

    def test_the_vocabulary_has_the_names_of_the_registry_with_their_types(self):
        self.env["spp.cel.variable"].create(
            {"name": "poverty_line", "value_type": "double", "value": "99.5", "description": "By decree 7"}
        )
        words = self.call("editor_vocabulary", "group")
        self.assertEqual([root["name"] for root in words["roots"]], ["group", "variables"])
        scopes = {
            scope: {entry["name"]: entry for entry in entries} for scope, entries in words["scopes"].items()
        }
        self.assertEqual(scopes["group"]["income"], {"name": "income", "type": "double", "help": ""})
        members = scopes["group"]["members"]
        self.assertEqual(members["type"], "list")
        schema = self.env["spp.cel.schema"]._schema()
        items = schema.item_type(schema.record_types["group"].collection("members"))
        self.assertEqual(
            set(scopes[members["scope"]]),
            {known.name for known in (*items.fields, *items.collections)}
            | {"is_child", "is_elderly", "is_working_age"},
        )
        self.assertEqual(
            scopes["variables"]["poverty_line"],
            {"name": "poverty_line", "type": "double", "value": "99.5", "help": "By decree 7"},
        )
        self.assertEqual(words["types"]["double"], "a decimal number")
        individual = self.call("editor_vocabulary", "individual")
        self.assertIn("age", [entry["name"] for entry in individual["scopes"]["individual"]])
        self.assertNotIn("group", individual["scopes"])
        self.assertEqual(scopes[members["scope"]]["events"]["type"], "list")
        self.assertIn("kind", scopes[scopes[members["scope"]]["events"]["scope"]])

    def test_the_examples_of_all_functions_are_right_in_this_registry(self):
        for function in FUNCTIONS:
            self.assertIs(self.call("editor_check", function.example, function.target), False, function)

    def test_a_mistake_comes_with_its_place_and_a_suggestion(self):
        self.assertIs(self.call("editor_check", CHILD, "group"), False)
        self.assertEqual(
            self.call("editor_check", "true &&\n  group.incom > 3.0", "group"),
            {
                "message": "“group” has no field “incom”.",
                "line": 2,
                "column": 9,
                "suggestion": "income",
            },
        )

    def test_half_typed_text_is_answered_letter_by_letter(self):
        for length in range(len(CHILD)):
            problem = self.call("editor_check", CHILD[:length], "group")
            self.assertTrue(problem["message"], CHILD[:length])
            self.assertIs(self.call("editor_count", CHILD[:length], "group"), False)
        for text in ("'", "((((", "(" * 5000, "é", "group.income == '\n", "1" * 1999, False, "-" * 1999):
            self.assertTrue(self.call("editor_check", text, "group")["message"], text)

    def test_only_individuals_and_groups_and_dates_are_understood(self):
        self.assertIn("cannot be about", self.refused("editor_vocabulary", "res.users"))
        self.assertIn("cannot be about", self.refused("editor_check", "true", "household"))
        self.assertIn("cannot be about", self.refused("editor_count", "true", "household"))
        self.assertIn("not a date", self.refused("editor_count", "true", "group", "yesterday"))

    def test_numbers_and_names_of_everybody_the_user_may_see(self):
        rule = self.env["spp.rule"].create({"name": "Same", "target": "group", "expression": CHILD})
        population = self.env["spp.cel.schema"]._population("group")
        self.env.cr.execute(rule.draft_version_id._outcome_query(population, AS_OF))
        expected = {"eligible": [], "not_eligible": [], "undetermined": []}
        for partner_id, outcome, _facts in self.env.cr.fetchall():
            expected[outcome].append(partner_id)
        answer = self.call("editor_count", CHILD, "group", fields.Date.to_string(AS_OF))
        for outcome, ids in expected.items():
            self.assertEqual(answer[outcome], len(ids))
            self.assertEqual([some["id"] for some in answer["examples"][outcome]], sorted(ids)[:5])
            self.assertTrue(ids, outcome)
        for some in answer["examples"]["eligible"]:
            self.assertEqual(some["name"], self.env["res.partner"].browse(some["id"]).display_name)

    def test_what_an_amount_comes_to(self):
        text = "get(group.income, 1.0 / 0.0) - 100.0"
        schema = self.env["spp.cel.schema"]
        rule = schema._compile_amount(text, "group", {}, {})
        records = schema._records("group", self.env["res.partner"].search([("is_group", "=", True)]))
        values = [rule.value(record, AS_OF) for record in records.values()]
        known = [value for value in values if value is not None]
        self.assertTrue(0 < len(known) < len(values), "some can be computed, and some cannot")
        answer = self.call("editor_count_amount", text, "group", fields.Date.to_string(AS_OF))
        self.assertEqual(
            answer,
            {
                "total_people": len(values),
                "computed": len(known),
                "not_computable": len(values) - len(known),
                "not_above_zero": len([value for value in known if value <= 0]),
                "least": str(min(known)),
                "greatest": str(max(known)),
                "total": str(sum(known)),
            },
        )
        self.assertIs(self.call("editor_count_amount", "100 +", "group"), False)
        self.assertIs(self.call("editor_count_amount", "true", "group"), False)
        self.assertIn("cannot be about", self.refused("editor_count_amount", "1", "household"))
        nested = "group.members.count(m, m.age > group.members.avg(n, n.age))"
        self.assertIn("inside another", self.call("editor_count_amount", nested, "group")["failed"])

    def test_an_officer_counts_the_people_of_the_own_areas_only(self):
        area = self.env["spp.area"].create({"name": "North", "code": "cel-north"})
        self.groups[:3].area_id = area
        self.groups[:3].member_ids.individual_id.area_id = area
        officer = self.users["enrollment_officer"]
        officer.spp_area_ids = area
        answer = self.call("editor_count", "true", "group", role="enrollment_officer")
        self.assertEqual((answer["eligible"], answer["not_eligible"], answer["undetermined"]), (3, 0, 0))
        self.assertEqual([some["id"] for some in answer["examples"]["eligible"]], self.groups[:3].ids)

    def test_what_is_hidden_of_a_member_cannot_be_asked_for(self):
        area = self.env["spp.area"].create({"name": "North", "code": "cel-north"})
        group, member = self.groups[0], self.groups[0].member_ids.individual_id[:1]
        group.area_id = area
        officer = self.users["enrollment_officer"]
        officer.spp_area_ids = area
        self.assertNotEqual(member.area_id, area)
        answer = self.call("editor_count", "group.members.size() > 0", "group", role="enrollment_officer")
        self.assertEqual((answer["eligible"], answer["not_eligible"], answer["undetermined"]), (0, 0, 0))

    def test_numbers_that_are_probably_not_meant_come_with_a_warning(self):
        self.assertIn("Everybody", self.call("editor_count", "true", "group")["warning"])
        self.assertIn("Nobody", self.call("editor_count", "false", "group")["warning"])
        self.assertIs(
            self.call("editor_count", "group.members.size() > 1", "group", "2024-02-29")["warning"], False
        )

    def test_a_condition_without_sql_says_why_there_are_no_numbers(self):
        answer = self.call("editor_count", "group.kind.matches('^house')", "group")
        self.assertEqual(list(answer), ["failed"])
        self.assertIn("matches", answer["failed"])

    def test_counting_that_takes_long_is_given_up_quietly(self):
        schema = self.registry["spp.cel.schema"]
        population = schema._population

        def slow(self, target):
            query = population(self, target)
            return type(query)("SELECT id FROM (%s) AS everybody, pg_sleep(2)", query)

        self.patch(schema, "_population", slow)
        self.env["ir.config_parameter"].set_param("spp_cel.editor_timeout", "1")
        with self.assertNoLogs("odoo.sql_db", "ERROR"):
            answer = self.call("editor_count", "true", "group")
        self.assertEqual(answer, {"too_long": True})
        with self.assertNoLogs("odoo.sql_db", "ERROR"):
            answer = self.call("editor_count_amount", "1", "group")
        self.assertEqual(answer, {"too_long": True})
        self.assertIs(self.call("editor_check", "true", "group"), False)
