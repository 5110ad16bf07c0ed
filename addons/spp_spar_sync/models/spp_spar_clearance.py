"""Who looked into a flagged account, and why it may be paid to. One row a decision; nobody changes one."""

from odoo import fields, models

from odoo.addons.spp_base.tools.append_only import make_append_only


class SparClearance(models.Model):
    _name = "spp.spar.clearance"
    _description = "Clearance of a Flagged Account"
    _order = "id desc"
    _rec_name = "reason"

    account_id = fields.Many2one(
        comodel_name="spp.payment.account", required=True, readonly=True, index=True, ondelete="restrict"
    )
    partner_id = fields.Many2one(
        comodel_name="res.partner", string="Registrant", required=True, readonly=True, ondelete="restrict"
    )
    flag = fields.Char(string="What was flagged", required=True, readonly=True)
    reason = fields.Char(required=True, readonly=True)
    others = fields.Integer(
        string="Others with this account", readonly=True, help="More of them than now are flagged again."
    )

    def init(self):
        make_append_only(self.env.cr, self._table)
