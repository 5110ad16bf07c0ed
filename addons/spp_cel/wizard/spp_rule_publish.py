"""Dialog: whom a draft reaches in the whole registry, and the reason if that is remarkable."""

from odoo import api, fields, models


class SppRulePublish(models.TransientModel):
    _name = "spp.rule.publish"
    _description = "Publish a Rule"

    version_id = fields.Many2one(
        comodel_name="spp.rule.version", required=True, readonly=True, ondelete="cascade"
    )
    expression = fields.Text(related="version_id.expression")
    reach = fields.Text(readonly=True)
    eligible = fields.Integer(readonly=True)
    not_eligible = fields.Integer(string="Not eligible", readonly=True)
    undetermined = fields.Integer(readonly=True)
    remarkable = fields.Boolean(readonly=True)
    reason = fields.Text(
        help="Why this is right: it is kept with the version, under your name, and in the audit trail."
    )

    @api.model_create_multi
    def create(self, vals_list):
        """The counts are those of this moment; `action_publish` counts again."""
        dialogs = super().create(
            [{"version_id": vals.get("version_id"), "reason": vals.get("reason")} for vals in vals_list]
        )
        for dialog in dialogs:
            dialog.version_id.check_access_rights("write")
            dialog.version_id.check_access_rule("write")
            reach = dialog.version_id._reach(fields.Date.context_today(dialog))
            reach["reach"] = reach.pop("text")
            dialog.write(reach)
        return dialogs

    def action_publish(self):
        self.ensure_one()
        self.version_id.action_publish(self.reason or "")
        return {"type": "ir.actions.act_window_close"}
