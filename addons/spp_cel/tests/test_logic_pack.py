"""Logic packs: rules with their variables and test cases, installed from a file."""

import base64
import textwrap

from psycopg2 import IntegrityError

from odoo.exceptions import UserError, ValidationError
from odoo.tests import Form, tagged
from odoo.tools import mute_logger

from ..tools import logic_pack
from .common import RuleCase

SHIPPED = {
    "cash_transfer",
    "child_benefit",
    "disability",
    "education",
    "emergency",
    "farm_inputs",
    "social_pension",
}
OWN = """
code: own
name: Own pack
description: Whoever is old enough.
basis: Decree 7.
constants:
  own_age:
    type: int
    value: 70
    description: From when.
computed:
  own_size:
    for: group
    expression: group.members.size()
    description: How many.
rules:
  old:
    name: Old enough
    target: individual
    expression: individual.age >= variables.own_age
    description: By age.
  large:
    name: Large
    target: group
    expression: group.own_size >= 5
    description: By size.
tests:
  - name: seventy
    rule: old
    as_of: 2026-01-01
    record: {birthdate: 1956-01-01}
    expect: eligible
  - name: small
    rule: large
    as_of: 2026-01-01
    record: {members: [{}, {gender: female}]}
    expect: not_eligible
"""


@tagged("post_install", "-at_install")
class TestLogicPack(RuleCase):
    def pack(self, content=OWN, name="own.yaml"):
        upload = base64.b64encode(textwrap.dedent(content).encode())
        return self.as_manager["spp.logic.pack"].create({"upload": upload, "file_name": name})

    def shipped(self):
        return self.as_manager["spp.logic.pack"].search([("shipped", "=", True)])

    def made(self, pack):
        return self.env["spp.rule"].search([("pack_key", "=like", f"{pack.code}.%")])

    def test_every_shipped_pack_passes_its_tests_and_installs_as_drafts(self):
        self.assertEqual(set(self.shipped().mapped("code")), SHIPPED)
        for pack in self.shipped():
            pack.action_run_tests()
            self.assertFalse(pack.test_failures, (pack.code, pack.test_results))
            self.assertTrue(pack.tested_at)
            pack.action_install()
            self.assertEqual(pack.state, "installed", pack.code)
            rules = self.made(pack)
            self.assertEqual(set(rules.mapped("state")), {"draft"})
            self.assertFalse(any(rules.mapped("problem")))
            for rule in rules:
                rule.with_env(self.as_manager).action_publish("The pack is new here")

    def test_installing_twice_makes_nothing_twice(self):
        pack = self.pack()
        self.assertEqual(pack.state, "available")
        self.assertIn("will be made, as a draft", pack.preview)
        action = pack.action_install()
        rules = self.env["spp.rule"].search(action["domain"])
        self.assertEqual(sorted(rules.mapped("name")), ["Large", "Old enough"])
        self.assertEqual((pack.state, pack.rule_count), ("installed", 2))
        variables = self.env["spp.cel.variable"].search_count([])
        pack.action_install()
        self.assertEqual(self.made(pack), rules)
        self.assertEqual(self.env["spp.cel.variable"].search_count([]), variables)
        self.assertEqual(
            self.env["spp.audit.entry"].search_count([("action", "=", "Logic pack installed")]), 1
        )

    def test_only_what_is_missing_is_made_again(self):
        pack = self.pack()
        pack.action_install()
        old, large = self.made(pack).sorted("name", reverse=True)
        old.expression = "individual.age >= 99"
        large.unlink()
        self.assertEqual(pack.state, "partial")
        pack.action_install()
        self.assertEqual((pack.state, old.expression), ("installed", "individual.age >= 99"))

    def test_a_value_that_was_set_here_stays(self):
        self.env["spp.cel.variable"].create({"name": "own_age", "value": "65"})
        pack = self.pack()
        self.assertIn("is there already and stays 65", pack.preview)
        pack.action_install()
        self.assertEqual(self.env["spp.cel.variable"].search([("name", "=", "own_age")]).value, "65")

    def test_a_variable_with_another_meaning_is_reported_and_nothing_is_made(self):
        other = [
            {"name": "own_size", "kind": "computed_group", "expression": "group.members.size() + 1"},
            {"name": "own_size", "kind": "computed_individual", "expression": "individual.age"},
            {"name": "own_size", "value": "3"},
            {"name": "own_age", "value_type": "string", "value": "old"},
        ]
        pack = self.pack()
        for vals in other:
            variable = self.env["spp.cel.variable"].create(vals)
            pack.invalidate_recordset()
            self.assertIn("another meaning", pack.preview)
            with self.assertRaisesRegex(UserError, f"(?s)not installed.*{vals['name']}.*another meaning"):
                pack.action_install()
            self.assertFalse(self.made(pack))
            variable.unlink()

    def test_a_failing_test_case_prevents_the_installation(self):
        pack = self.pack(OWN.replace("expect: eligible", "expect: undetermined"))
        with self.assertRaisesRegex(UserError, "test cases fail: seventy"), self.env.cr.savepoint():
            pack.action_install()
        self.assertFalse(self.made(pack))
        pack.action_run_tests()
        self.assertEqual(pack.test_failures, 1)
        self.assertIn("✗ Eligible", pack.test_report)
        self.assertIn("✓ Not eligible", pack.test_report)

    def test_the_pack_is_tested_with_its_own_values(self):
        self.env["spp.cel.variable"].create({"name": "own_age", "value": "99"})
        pack = self.pack()
        pack.action_run_tests()
        self.assertFalse(pack.test_failures)

    def test_a_file_is_uploaded_in_a_form(self):
        form = Form(self.as_manager["spp.logic.pack"])
        form.upload = base64.b64encode(OWN.encode())
        pack = form.save()
        self.assertEqual((pack.code, pack.name, pack.shipped), ("own", "Own pack", False))
        with Form(pack) as form:
            form.upload = base64.b64encode(OWN.replace("Own pack", "Better pack").encode())
        self.assertEqual(pack.name, "Better pack")
        with self.assertRaises(IntegrityError), mute_logger("odoo.sql_db"), self.env.cr.savepoint():
            self.pack()
        pack.unlink()

    def test_a_rule_that_cannot_be_compiled_is_named(self):
        pack = self.pack(OWN.replace("individual.age >=", "individual.agee >="))
        for action in (pack.action_run_tests, pack.action_install):
            with self.assertRaisesRegex(UserError, r"own.yaml: rules.old.expression: Line 1.*“age”"):
                action()

    def test_a_mistake_in_the_file_is_told_with_file_and_key(self):
        for wrong, message in (
            (OWN.replace("basis: Decree 7.", ""), "own.yaml: “basis” is missing"),
            (OWN.replace("basis:", "bassis:"), "own.yaml: bassis: there is no such key"),
            (OWN.replace("code: own", "code: Own One"), "own.yaml: code: small letters"),
            (OWN.replace("type: int", "type: money"), "constants.own_age.type: one of int, double"),
            (OWN.replace("value: 70", "value: old"), "constants.own_age.value: must be a whole number"),
            (OWN.replace("for: group", "for: household"), "computed.own_size.for: one of individual, group"),
            (OWN.replace("  old:\n", "  Old One:\n"), "rules.Old One: small letters"),
            (
                OWN.replace("expression: group.own_size >= 5", "expression: 5"),
                "rules.large.expression: a text",
            ),
            (OWN.replace("rule: old", "rule: young"), r"tests\[1\].rule: one of large, old"),
            (OWN.replace("as_of: 2026-01-01", "as_of: soon", 1), r"tests\[1\].as_of: a date"),
            (OWN.replace("expect: eligible", "expect: yes"), r"tests\[1\].expect: one of eligible"),
            (OWN.replace("rule: large", "rule: old"), "tests: the rule “large” has no test case"),
            (OWN + "tests: []\n", "“tests” stands here twice"),
            (OWN + "x: [\n", "own.yaml: line "),
            (OWN + "x: &a [1]\ny: *a\n", "references"),
            (OWN + "x: !!python/object/apply:os.getcwd []\n", "own.yaml: line "),
            (OWN + "1: 2\n", "is not a name"),
            ("- a\n- b\n", "own.yaml: these keys are expected"),
            ("", "Choose a file"),
            ("x: " + "[" * 5000, "own.yaml"),
            (OWN + "#" + "x" * 70000, "at most 64 kB"),
            (OWN + "\x00", "own.yaml"),
        ):
            with self.assertRaisesRegex(ValidationError, message, msg=wrong[-200:]), self.env.cr.savepoint():
                self.pack(wrong)
        for upload in (b"no base64!", base64.b64encode(b"\xff\xfe")):
            with self.assertRaisesRegex(ValidationError, "no text file"), self.env.cr.savepoint():
                self.as_manager["spp.logic.pack"].create({"upload": upload, "file_name": "own.yaml"})

    def test_a_mistake_in_a_test_record_is_told_with_its_place(self):
        for wrong, message in (
            (OWN.replace("{birthdate:", "{birthday:"), r"tests\[1\].record.birthday: there is no such field"),
            (OWN.replace("1956-01-01", "old"), r"tests\[1\].record.birthdate: a date"),
            (OWN.replace("gender: female", "gender: 1"), r"tests\[2\].record.members\[2\].gender: a text"),
            (OWN.replace("gender: female", "start: 1"), r"tests\[2\].record.members\[2\].start: a date"),
            (OWN.replace("gender: female", "is_head: null"), r"members\[2\].is_head: yes or no"),
            (OWN.replace("[{}, {gender: female}]", "3"), r"tests\[2\].record.members: a list"),
        ):
            pack = self.pack(wrong)
            with self.assertRaisesRegex(UserError, message):
                pack.action_run_tests()
            pack.unlink()

    def test_an_update_brings_new_contents_of_shipped_packs_only(self):
        pack = self.env["spp.logic.pack"].search([("code", "=", "child_benefit")])
        content = pack.content
        pack.sudo().write({"content": content.replace("name: Child benefit\n", "name: Former name\n")})
        self.assertEqual(pack.name, "Former name")
        own = self.pack()
        self.env["spp.logic.pack"].sudo()._load_shipped()
        self.assertEqual((pack.name, pack.content, own.content), ("Child benefit", content, OWN))

    def test_shipped_variables_mean_the_same_as_those_of_the_packs(self):
        for pack in self.shipped():
            self.assertNotIn("another meaning", pack.preview)
            proposed = logic_pack.read(pack.content)
            for item in (*proposed.constants, *proposed.computed):
                variable = self.env["spp.cel.variable"].search([("name", "=", item.name)])
                self.assertIn(variable and variable._means(item), (variable, (True, False)), item.name)

    def test_an_assessed_disability_is_read_from_the_registry(self):
        pack = self.shipped().filtered(lambda pack: pack.code == "disability")
        pack.action_install()
        version = self.made(pack).sorted("name")[0].draft_version_id
        severe, moderate, later, unknown, expired, other = self.individuals[:6]
        self.env["spp.event"].create(
            [
                {"partner_id": person.id, "kind": kind, "date": date, "value": value}
                for person, kind, date, value in (
                    (severe, "disability_assessment", "2023-05-01", "severe"),
                    (moderate, "disability_assessment", "2023-05-01", "moderate"),
                    (later, "disability_assessment", "2024-03-01", "total"),
                    (unknown, "disability_assessment", "2023-05-01", False),
                    (expired, "disability_assessment", "2019-02-28", "severe"),
                    (other, "health_visit", "2023-05-01", "severe"),
                )
            ]
        )
        expected = [
            "eligible",
            "not_eligible",
            "not_eligible",
            "undetermined",
            "not_eligible",
            "not_eligible",
        ]
        compiled = self.outcomes(version, self.individuals[:6])
        self.assertEqual([compiled[person.id][0] for person in self.individuals[:6]], expected)
        for person in self.individuals[:6]:
            self.assertEqual(self.interpreted(version, person), compiled[person.id])
