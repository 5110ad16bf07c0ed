"""Publishing a rule waits for approval where a chain says so."""

from odoo.exceptions import AccessError
from odoo.tests import tagged

from .common import ApprovalCase


@tagged("post_install", "-at_install")
class TestRuleVersion(ApprovalCase):
    def setUp(self):
        super().setUp()
        rule = self.env["spp.rule"].create({"name": "Old age", "target": "individual"})
        self.version = (
            self.env["spp.rule.version"]
            .create({"rule_id": rule.id, "expression": "individual.age >= 60"})
            .with_user(self.submitter)
        )

    def test_without_a_chain_it_is_published_at_once(self):
        self.version.action_publish("Tested")
        self.assertEqual(self.version.state, "published")

    def test_with_a_chain_it_is_published_once_approved(self):
        self.make_chain(self.role("approver"), kind="rule_version")
        self.version.action_publish("Tested")
        self.assertEqual(self.version.state, "draft")
        request = self.version._approval_request("rule_version")
        self.assertIn("individual.age &gt;= 60", request.page)
        with self.assertRaises(AccessError):
            request.with_user(self.submitter).action_approve()
        request.with_user(self.first).action_approve()
        self.assertEqual((self.version.state, self.version.published_by_id), ("published", self.submitter))

    def test_a_changed_draft_is_submitted_again(self):
        self.make_chain(self.role("approver"), kind="rule_version")
        self.version.action_publish("Tested")
        request = self.version._approval_request("rule_version")
        self.version.expression = "individual.age >= 1"
        self.assertEqual(request.state, "void")
        self.version.action_publish("Tested")
        self.assertEqual((request.state, request.round, self.version.state), ("waiting", 2, "draft"))
