"""A deputy: who decides for somebody, from when to when, and why."""

from odoo import _, api, fields, models
from odoo.exceptions import AccessError, UserError, ValidationError

OWN_METHOD = object()  # an object cannot come in over RPC


class ApprovalDelegation(models.Model):
    _name = "spp.approval.delegation"
    _inherit = ["spp.audited.mixin"]
    _description = "Delegation of approvals"
    _order = "start desc, id desc"

    _audited_fields = ("user_id", "deputy_id", "start", "end", "reason")

    user_id = fields.Many2one(
        comodel_name="res.users",
        string="For",
        required=True,
        readonly=True,
        default=lambda self: self.env.user,
        index=True,
        ondelete="restrict",
        help="Whose approvals these are. Nobody gives away those of somebody else.",
    )
    deputy_id = fields.Many2one(
        comodel_name="res.users",
        required=True,
        index=True,
        ondelete="restrict",
        domain="[('share', '=', False), ('id', '!=', uid)]",
        help="Decides what the other would be asked, and never what the other submitted or may not decide.",
    )
    start = fields.Date(string="From", required=True, default=fields.Date.today)
    end = fields.Date(string="To", required=True, help="The last day, included.")
    reason = fields.Char(required=True)
    may_end = fields.Boolean(compute="_compute_may_end", help="You gave it, or are an administrator.")
    ended_at = fields.Datetime(readonly=True, help="When it was ended before its last day.")
    state = fields.Selection(
        selection=[("coming", "Coming"), ("current", "Current"), ("over", "Over")], compute="_compute_state"
    )

    _sql_constraints = [
        ("somebody_else", "CHECK(user_id <> deputy_id)", "A deputy is somebody else."),
        ("period_order", 'CHECK(start <= "end")', "A delegation ends on its first day or later."),
    ]

    @api.depends("start", "end", "ended_at")
    def _compute_state(self):
        today = fields.Date.today()
        for delegation in self:
            if not delegation.start or not delegation.end:
                delegation.state = "coming"
            elif delegation.ended_at or delegation.end < today:
                delegation.state = "over"
            else:
                delegation.state = "coming" if delegation.start > today else "current"

    @api.depends_context("uid")
    @api.depends("user_id", "state")
    def _compute_may_end(self):
        admin = self.env.user.has_group("spp_base.group_admin")
        for delegation in self:
            mine = admin or delegation.user_id == self.env.user
            delegation.may_end = bool(delegation.id) and delegation.state != "over" and mine

    @api.depends("user_id", "deputy_id")
    def _compute_display_name(self):
        for delegation in self:
            delegation.display_name = _(
                "%(deputy)s for %(person)s",
                deputy=delegation.deputy_id.name or "",
                person=delegation.user_id.name or "",
            )

    @api.constrains("deputy_id", "user_id")
    def _check_deputy(self):
        level = self.env["spp.approval.level"]
        for delegation in self.sudo():
            if not level._decides(delegation.deputy_id):
                raise ValidationError(
                    _("%s has no role that decides, and cannot be a deputy.", delegation.deputy_id.name)
                )

    @api.constrains("reason")
    def _check_reason(self):
        for delegation in self:
            if not delegation.reason.strip():
                raise ValidationError(_("Give a reason: it is kept, and shown to whoever asks."))

    @api.model_create_multi
    def create(self, vals_list):
        today = fields.Date.today()
        for vals in vals_list:
            if vals.get("user_id", self.env.uid) != self.env.uid:
                raise AccessError(_("You give away your own approvals only."))
            if (fields.Date.to_date(vals.get("start")) or today) < today:
                raise UserError(_("A delegation begins today or later."))
        mine = [{**vals, "user_id": self.env.uid, "ended_at": False} for vals in vals_list]
        return super().create(mine)

    def write(self, vals):
        if self.env.context.get("spp_approval_from") is not OWN_METHOD:
            raise UserError(_("A delegation does not change. End it, and make a new one."))
        return super().write(vals)

    @api.ondelete(at_uninstall=False)
    def _unlink_never(self):
        raise UserError(_("A delegation is kept: decisions rest on it. End it instead."))

    def action_end(self):
        """From now on the deputy decides nothing more. For who gave the delegation, and for administrators."""
        for delegation in self:
            if delegation.user_id != self.env.user and not self.env.user.has_group("spp_base.group_admin"):
                raise AccessError(_("Only %s or an administrator ends this.", delegation.user_id.name))
            if delegation.state == "over":
                raise UserError(_("%s is over already.", delegation.display_name))
            # sudo: who may end it was checked; nobody has the right to write it.
            delegation.sudo()._end()
            self.env["spp.audit.entry"]._log(_("Delegation of approvals ended"), delegation)
        return True

    def _end(self):
        self.with_context(spp_approval_from=OWN_METHOD).write({"ended_at": fields.Datetime.now()})
