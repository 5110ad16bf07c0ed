"""A field of an addon, a rule that reads it, and the addon's uninstallation."""

from odoo import models
from odoo.exceptions import UserError
from odoo.tests import TransactionCase, tagged

from ..lang import Field, Type
from .common import AS_OF, RuleCase

ADDON = "spp_test_land"
TEXT = "group.land_area < 2.0 || group.members.size() > 8"


@tagged("post_install", "-at_install")
class TestFieldGone(RuleCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()

        class Schema(models.AbstractModel):
            """What an addon with a field of its own brings, as the registry would load it."""

            _name = _inherit = "spp.cel.schema"
            _module = ADDON
            _register = False

            def _group_fields(self):
                area = Field("land_area", Type.DOUBLE, "{r}.vulnerability_score", "Land", places=2)
                return [*super()._group_fields(), area]

        cls.extension = Schema
        cls.addon = cls.env["ir.module.module"].create(
            {"name": ADDON, "shortdesc": "Land", "state": "installed"}
        )

    def install(self):
        loaded = self.registry["spp.cel.schema"]
        self.before = loaded.__bases__
        loaded.__bases__ = (self.extension, *self.before)
        self.registry.clear_cache()
        self.addCleanup(self.uninstall)

    def uninstall(self):
        self.registry["spp.cel.schema"].__bases__ = self.before
        self.registry.clear_cache()
        self.env.invalidate_all()

    def test_an_addon_that_a_published_rule_needs_is_not_uninstalled(self):
        self.install()
        rule = self.rule(TEXT)
        rule.action_publish(reason="As decided")
        with self.assertRaisesRegex(UserError, "(?s)cannot be uninstalled.*Test rule, version 1.*land_area"):
            self.addon.button_uninstall()
        self.assertEqual(self.addon.state, "installed")
        self.assertTrue(self.outcomes(rule.published_version_id, self.groups))
        rule.expression = "group.members.size() > 8"
        with self.assertRaisesRegex(UserError, "cannot be uninstalled"):
            self.addon.button_uninstall()  # the draft does not need it; the published version does
        rule.action_publish(reason="As decided")
        self.addon.button_uninstall()
        self.assertEqual(self.addon.state, "to remove")

    def test_a_retired_rule_and_a_draft_do_not_keep_an_addon(self):
        self.install()
        retired = self.rule(TEXT)
        retired.action_publish(reason="As decided")
        retired.action_retire()
        self.rule(TEXT)
        self.addon.button_uninstall()
        self.assertEqual(self.addon.state, "to remove")

    def test_a_rule_whose_field_is_gone_all_the_same_names_it(self):
        """The addon was taken from the disk, or a new version of it has the field no more."""
        self.install()
        published, draft = self.rule(TEXT), self.rule(TEXT)
        published.action_publish(reason="As decided")
        version = published.published_version_id
        facts = self.outcomes(version, self.groups[0])[self.groups[0].id][1]
        self.uninstall()
        gone = "“group” has no field “land_area”"
        self.assertIn(gone, published.published_problem)
        self.assertIn(gone, draft.problem)
        self.assertFalse(draft.published_problem)
        for ask in (
            lambda: version._outcome_query(self.population(self.groups), AS_OF),
            lambda: version.why(self.groups[0].id, AS_OF),
            lambda: draft.action_publish(),
        ):
            with self.assertRaisesRegex(UserError, f"The rule “Test rule” cannot be used.*{gone}"):
                ask()
        reason = version._explain(facts, "eligible", AS_OF)
        self.assertIn("Eligible on 2024-02-29. The rule can no longer be read.", reason)
        self.assertIn(gone, reason)


@tagged("post_install", "-at_install")
class TestUninstall(TransactionCase):
    def test_addons_that_no_rule_needs_go_as_before(self):
        self.env["spp.rule.version"]._check_uninstall(["some_addon"])
