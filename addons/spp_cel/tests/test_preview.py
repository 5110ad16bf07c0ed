"""Why, for one person: few statements, whatever the rule reads."""

from odoo.tests import tagged

from ..models.spp_cel_variable import COMPUTED
from .common import AS_OF, RuleCase


@tagged("post_install", "-at_install")
class TestPreview(RuleCase):
    def assert_few_statements(self, version, partners):
        version.why(partners[1].id, AS_OF)  # the rule itself, and the user's rights, are known by now
        self.env.flush_all()
        before = self.env.cr.sql_log_count
        version.why(partners[0].id, AS_OF)
        self.assertLessEqual(self.env.cr.sql_log_count - before, 3, version.expression)

    def test_each_rule_of_a_logic_pack_takes_at_most_three_statements(self):
        packs = self.as_manager["spp.logic.pack"].search([])
        for pack in packs:
            pack.action_install()
        rules = self.as_manager["spp.rule"].search([("pack_key", "!=", False)])
        self.assertEqual(set(rules.mapped("target")), {"individual", "group"})
        for rule in rules:
            people = self.groups if rule.target == "group" else self.individuals
            with self.subTest(rule.pack_key):
                self.assert_few_statements(rule.draft_version_id, people)

    def test_rules_with_every_computed_variable_take_at_most_three_statements(self):
        variables = self.as_manager["spp.cel.variable"].search([("kind", "!=", "constant")])
        for variable in variables:
            target = COMPUTED[variable.kind]
            text = f"{target}.{variable.name} == {target}.{variable.name}"
            people = self.groups if target == "group" else self.individuals
            with self.subTest(variable.name):
                self.assert_few_statements(self.rule(text, target=target).draft_version_id, people)

    def test_a_list_in_a_list_takes_no_more(self):
        version = self.rule(
            "group.members.exists(a, group.members.exists(b, b.age > a.age))"
        ).draft_version_id
        self.assert_few_statements(version, self.groups)
