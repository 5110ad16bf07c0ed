"""What a person decides about beneficiaries of a cycle and must give words for: withdraw them, or exclude them."""

from odoo import _, api, fields, models
from odoo.exceptions import UserError


class BeneficiaryDecision(models.TransientModel):
    _name = "spp.beneficiary.decision"
    _description = "Decision about beneficiaries of a cycle"

    decision = fields.Selection(
        selection=[("withdraw", "Propose to withdraw"), ("exclude", "Exclude")], required=True, readonly=True
    )
    beneficiary_ids = fields.Many2many(
        comodel_name="spp.cycle.beneficiary",
        string="Beneficiaries",
        required=True,
        default=lambda self: self._default_beneficiaries(),
    )
    beneficiary_count = fields.Integer(string="Beneficiaries chosen", compute="_compute_beneficiary_count")
    cause = fields.Selection(
        selection=lambda self: self.env["spp.cycle.withdrawal"]._fields["cause"].selection,
        help="Why they are taken out of a cycle that was submitted already.",
    )
    reason = fields.Char(
        required=True, help="What is known, and from whom; it is kept, and shown to whoever asks."
    )

    def _default_beneficiaries(self):
        chosen = self.env.context.get("active_model") == "spp.cycle.beneficiary"
        return self.env.context.get("active_ids") if chosen else False

    @api.depends("beneficiary_ids")
    def _compute_beneficiary_count(self):
        for wizard in self:
            wizard.beneficiary_count = len(wizard.beneficiary_ids)

    def action_decide(self):
        self.ensure_one()
        if self.decision == "withdraw":
            return self._withdraw()
        else:
            self.beneficiary_ids.action_exclude(self.reason)
        return {"type": "ir.actions.act_window_close"}

    def _withdraw(self):
        """One run for the cycle; it is opened where it is not over, or somebody cannot be withdrawn."""
        cycle = self.beneficiary_ids.cycle_id
        if len(cycle) != 1:
            raise UserError(_("These are of several cycles. Choose those of one."))
        run = cycle.with_context(open_run=True).action_propose_withdrawals(
            self.cause, self.reason, [("id", "in", self.beneficiary_ids.ids)]
        )
        if isinstance(run, int) and self.env["spp.run"].browse(run).failed_count:
            return self.env["spp.run"].browse(run)._open()
        return cycle._close_dialog(run)
