"""Decide about a request with a comment or, to refuse it, a reason."""

from odoo import api, fields, models


class ApprovalComment(models.TransientModel):
    _name = "spp.approval.comment"
    _description = "Comment on a decision"

    request_id = fields.Many2one(comodel_name="spp.approval.request", required=True, readonly=True)
    decision = fields.Selection(
        selection=[
            ("approve", "Approve"),
            ("send_back", "Send back"),
            ("reject", "Reject"),
            ("withdraw", "Withdraw"),
            ("resubmit", "Submit again"),
        ],
        required=True,
        readonly=True,
    )
    on_behalf_id = fields.Many2one(
        comodel_name="res.users",
        string="For",
        domain="[('id', 'in', principal_ids)]",
        help="The person whose deputy you are; empty when you decide for yourself.",
    )
    principal_ids = fields.Many2many(comodel_name="res.users", compute="_compute_principal_ids")
    comment = fields.Char(help="Kept with the decision. To refuse something, a reason is needed.")

    @api.depends("request_id")
    def _compute_principal_ids(self):
        for wizard in self:
            rows = wizard.request_id._asked(self.env.uid, wizard.request_id.ids)
            wizard.principal_ids = [row[2] for row in rows if row[2] != self.env.uid]

    @api.model
    def default_get(self, names):
        values = super().default_get(names)
        request = self.env["spp.approval.request"].browse(values.get("request_id"))
        if request and values.get("decision") in ("approve", "reject", "send_back"):
            capacities = [row[2] for row in request._asked(self.env.uid, request.ids)]
            if capacities and self.env.uid not in capacities:
                values["on_behalf_id"] = capacities[0]
        return values

    def action_decide(self):
        self.ensure_one()
        request = self.request_id.with_context(open_run=True)
        decide = getattr(request, f"action_{self.decision}")
        if self.decision in ("approve", "reject", "send_back"):
            result = decide(self.comment or "", self.on_behalf_id.id)
        else:
            result = decide(self.comment or "")
        return result if isinstance(result, dict) else {"type": "ir.actions.act_window_close"}
