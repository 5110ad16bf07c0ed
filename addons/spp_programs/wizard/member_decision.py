"""A person's decision about one or many members of a program, with its reason and date."""

from odoo import _, api, fields, models
from odoo.exceptions import UserError

MEMBERS = "spp.program.membership"


class MemberDecision(models.TransientModel):
    _name = "spp.member.decision"
    _description = "Decision about members"

    decision = fields.Selection(
        selection=[
            ("enroll", "Enroll by hand"),
            ("suspend", "Suspend"),
            ("resume", "Resume"),
            ("reinstate", "Reinstate"),
            ("exit", "Exit"),
            ("graduate", "Graduate"),
            ("duplicate", "Mark as duplicate"),
        ],
        required=True,
        default="exit",
    )
    # As JSON: of 20,000 members chosen in a list no row each is written.
    chosen = fields.Json(default=lambda self: self._default_chosen())
    found = fields.Json(default=lambda self: self._default_found())
    whom = fields.Selection(
        selection=[("chosen", "The members chosen"), ("found", "All members that the search finds")],
        required=True,
        default="chosen",
        help="A list chooses 20,000 members at most; what the search finds has no limit.",
    )
    program_id = fields.Many2one(
        comodel_name="spp.program", help="Enroll registrants of this program's kind."
    )
    target_is_group = fields.Boolean(compute="_compute_target_is_group")
    partner_ids = fields.Many2many(
        comodel_name="res.partner",
        string="Registrants",
        domain="[('is_registrant', '=', True), ('is_group', '=', target_is_group)]",
        help="They need not be candidates.",
    )
    member_count = fields.Integer(string="Members decided about", compute="_compute_member_count")
    reason = fields.Char(required=True, help="Kept with the member, and shown to whoever asks why.")
    date = fields.Date(required=True, default=fields.Date.context_today)

    def _default_chosen(self):
        return (
            self.env.context.get("active_ids") if self.env.context.get("active_model") == MEMBERS else False
        )

    def _default_found(self):
        return (
            self.env.context.get("active_domain")
            if self.env.context.get("active_model") == MEMBERS
            else False
        )

    @api.depends("program_id")
    def _compute_target_is_group(self):
        for wizard in self:
            wizard.target_is_group = wizard.program_id.target == "group"

    @api.depends("whom", "chosen", "found", "partner_ids")
    def _compute_member_count(self):
        for wizard in self:
            if wizard.program_id:
                wizard.member_count = len(wizard.partner_ids)
            elif wizard.whom == "found":
                wizard.member_count = self.env[MEMBERS].search_count(wizard.found or [])
            else:
                wizard.member_count = len(wizard.chosen or [])

    def action_decide(self):
        self.ensure_one()
        result = None
        if self.program_id:
            program = self.program_id.with_context(open_run=True)
            result = program.action_enroll_by_hand(self.partner_ids.ids, self.reason, self.date)
        elif self.whom == "found" and not self.found:
            raise UserError(
                _("Narrow the search down first: this would be about everybody of every program.")
            )
        elif self.whom == "chosen" and len(self.chosen or ()) == 1:
            self.env[MEMBERS].browse(self.chosen)._decide(self.decision, self.reason, self.date)
            result = True
        else:
            domain = self.found if self.whom == "found" else [("id", "in", self.chosen or [])]
            for (program,) in self.env[MEMBERS]._read_group(domain, ["program_id"]):
                program = program.with_context(open_run=True)
                result = program.action_decide(self.decision, domain, self.reason, self.date)
            if not result:
                raise UserError(_("Choose the members whom the decision is about."))
        return self.env["spp.bulk.mixin"]._close_dialog(result)
