"""Dialog: one rule, one registrant, one date; the answer and why."""

from odoo import api, fields, models


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
    explanation = fields.Text(compute="_compute_outcome")
    missing = fields.Text(compute="_compute_outcome", string="Not known")

    @api.depends("partner_id", "as_of")
    def _compute_outcome(self):
        for trial in self:
            trial.outcome = trial.explanation = trial.missing = False
            if trial.partner_id and trial.as_of:
                answer = trial.version_id._outcome_of(trial.partner_id, trial.as_of)
                trial.outcome = answer["outcome"]
                trial.explanation = "\n".join(answer["explanation"])
                trial.missing = "\n".join(answer["missing"])
