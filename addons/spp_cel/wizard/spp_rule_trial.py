"""Dialog: one rule, one registrant, one date; the answer and why."""

from odoo import api, fields, models

from ..models.spp_rule_version import typed


class SppRuleTrial(models.TransientModel):
    _name = "spp.rule.trial"
    _description = "Try a Rule"

    version_id = fields.Many2one(
        comodel_name="spp.rule.version", required=True, readonly=True, ondelete="cascade"
    )
    target = fields.Selection(related="version_id.target")
    expression = fields.Text(related="version_id.expression")
    partner_id = fields.Many2one(comodel_name="res.partner", string="Registrant")
    as_of = fields.Date(
        string="As of",
        required=True,
        default=fields.Date.context_today,
        help="The date at which ages and memberships are taken.",
    )
    outcome = fields.Selection(
        selection=[
            ("eligible", "Eligible"),
            ("not_eligible", "Not eligible"),
            ("undetermined", "Undetermined"),
        ],
        compute="_compute_outcome",
    )
    why = fields.Json(compute="_compute_outcome", help="The answer part by part.")
    own_values = fields.Json(readonly=True, help="The program's own values of variables, with their types.")
    decided = fields.Text(
        readonly=True, help="What was decided about this registrant before, and why; kept with the decision."
    )
    decided_on = fields.Date(readonly=True)

    @api.depends("partner_id", "as_of")
    def _compute_outcome(self):
        for trial in self:
            trial.outcome = trial.why = False
            if trial.partner_id and trial.as_of:
                values = {name: typed(kept) for name, kept in (trial.own_values or {}).items()}
                trial.why = trial.version_id._why(trial.partner_id.id, trial.as_of, values)
                trial.outcome = trial.why["outcome"]
