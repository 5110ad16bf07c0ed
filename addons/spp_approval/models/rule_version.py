"""Publishing a rule waits for approval where a chain says so."""

from odoo import _, models


class RuleVersion(models.Model):
    _name = "spp.rule.version"
    _inherit = ["spp.rule.version", "spp.approval.mixin"]

    _approval_fields = ("expression",)

    def action_publish(self, reason=""):
        """As without approvals; where a chain is for it, the draft is submitted, and published once approved."""
        self.ensure_one()
        self.check_access_rights("write")
        self.check_access_rule("write")
        if self.state == "draft" and self._approval_publish_waits(reason):
            return True
        return super().action_publish(reason)

    def _approval_publish_waits(self, reason):
        """Whether the draft now waits for approval."""
        if not self.env["spp.approval.chain"]._find("rule_version", self):
            return False
        request = self._approval_request("rule_version")
        if request.state == "approved":
            return False
        self._ready()  # what cannot be published is not submitted
        self._approval_submit("rule_version", reason)
        return True

    def _approval_figures(self, kind):
        former = self.rule_id.published_version_id
        return {
            **super()._approval_figures(kind),
            "summary": _("From: %(old)s\nTo: %(new)s", old=former.expression or "–", new=self.expression),
        }

    def _approval_granted(self, request):
        result = super()._approval_granted(request)
        version = self.with_user(request.submitted_by)
        if request.kind == "rule_version":
            version.action_publish(request.reason or "")
        return result
