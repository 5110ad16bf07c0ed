"""A person's decision about one or many members of a program, with its reason and date."""

from odoo import fields, models


class MemberDecision(models.TransientModel):
    _name = "spp.member.decision"
    _description = "Decision about members"

    decision = fields.Selection(
        selection=[
            ("enroll", "Enroll by hand"),
            ("suspend", "Suspend"),
            ("resume", "Resume"),
            ("exit", "Exit"),
            ("graduate", "Graduate"),
            ("duplicate", "Mark as duplicate"),
        ],
        required=True,
        default="exit",
    )
    membership_ids = fields.Many2many(
        comodel_name="spp.program.membership",
        string="Members",
        required=True,
        default=lambda self: self._default_memberships(),
    )
    member_count = fields.Integer(string="Members chosen", compute="_compute_member_count")
    reason = fields.Char(required=True, help="Kept with the member, and shown to whoever asks why.")
    date = fields.Date(required=True, default=fields.Date.context_today)

    def _default_memberships(self):
        chosen = self.env.context.get("active_model") == "spp.program.membership"
        return self.env.context.get("active_ids") if chosen else False

    def _compute_member_count(self):
        for wizard in self:
            wizard.member_count = len(wizard.membership_ids)

    def action_decide(self):
        self.ensure_one()
        self.membership_ids._decide(self.decision, self.reason, self.date)
        return {"type": "ir.actions.act_window_close"}
