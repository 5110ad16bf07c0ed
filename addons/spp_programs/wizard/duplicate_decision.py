"""A person's decision about suspected duplicates: the same, or two; what would follow is said before."""

from odoo import _, api, fields, models
from odoo.exceptions import UserError


class DuplicateDecision(models.TransientModel):
    _name = "spp.duplicate.decision"
    _description = "Decision about suspected duplicates"

    case_ids = fields.Many2many(
        comodel_name="spp.duplicate.case",
        string="Suspected duplicates",
        required=True,
        default=lambda self: self._default_cases(),
    )
    case_count = fields.Integer(string="Cases chosen", compute="_compute_case_count")
    verdict = fields.Selection(
        selection=[("same", "The same"), ("different", "Two different ones"), ("open", "Ask again")],
        string="They are",
        required=True,
        default="different",
    )
    pair_ids = fields.Many2many(comodel_name="res.partner", compute="_compute_pair_ids")
    set_aside_id = fields.Many2one(
        comodel_name="res.partner",
        string="Set aside",
        domain="[('id', 'in', pair_ids)]",
        help="The other one is kept. Nothing is deleted.",
    )
    consequences = fields.Text(string="What follows", compute="_compute_consequences")
    reason = fields.Char(required=True, help="Kept with the case, and shown to whoever asks why.")

    def _default_cases(self):
        chosen = self.env.context.get("active_model") == "spp.duplicate.case"
        return self.env.context.get("active_ids") if chosen else False

    @api.depends("case_ids")
    def _compute_case_count(self):
        for wizard in self:
            wizard.case_count = len(wizard.case_ids)

    @api.depends("case_ids")
    def _compute_pair_ids(self):
        for wizard in self:
            wizard.pair_ids = wizard.case_ids.partner_id + wizard.case_ids.other_id

    @api.depends("case_ids", "verdict", "set_aside_id")
    def _compute_consequences(self):
        for wizard in self:
            case = wizard.case_ids._origin
            if wizard.verdict == "different":
                wizard.consequences = _("Nothing changes; they are not brought up again.")
            elif wizard.verdict == "open":
                wizard.consequences = _(
                    "They are asked about again. What followed from the first decision stays."
                )
            elif len(case) != 1:
                wizard.consequences = _("Who is the same is decided one case at a time.")
            elif not wizard.set_aside_id:
                wizard.consequences = _("Choose who is set aside; then it is said here what follows.")
            else:
                wizard.consequences = "\n".join(case.consequences(wizard.set_aside_id.id))

    def action_decide(self):
        self.ensure_one()
        if self.verdict == "different":
            self.case_ids.action_different(self.reason)
        elif self.verdict == "open":
            self.case_ids.action_reopen(self.reason)
        elif len(self.case_ids) != 1:
            raise UserError(_("Who is the same is decided one case at a time."))
        else:
            self.case_ids.action_same(self.set_aside_id.id, self.reason)
        return {"type": "ir.actions.act_window_close"}
