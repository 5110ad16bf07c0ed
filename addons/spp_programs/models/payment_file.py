"""The file or the list that a batch was issued with: made once, kept as it was, and the same for whoever fetches it."""

import base64
import hashlib

from odoo import _, api, fields, models
from odoo.exceptions import AccessError
from odoo.tools import SQL

from odoo.addons.spp_base.tools.append_only import make_append_only


class PaymentFile(models.Model):
    _name = "spp.payment.file"
    _description = "Payment file"
    _order = "id desc"

    batch_id = fields.Many2one(
        comodel_name="spp.payment.batch", required=True, readonly=True, ondelete="restrict"
    )
    manager_id = fields.Many2one(
        comodel_name="spp.payment.manager", required=True, readonly=True, index=True, ondelete="restrict"
    )
    company_id = fields.Many2one(comodel_name="res.company", related="manager_id.company_id")
    kind = fields.Selection(
        selection=[("payments", "Payments, with accounts"), ("signature_list", "List to sign")],
        required=True,
        readonly=True,
        help="A list to sign has names and amounts and no account.",
    )
    name = fields.Char(required=True, readonly=True)
    content = fields.Binary(
        attachment=False, required=True, readonly=True, groups="spp_base.group_finance_officer"
    )
    list_content = fields.Binary(
        string="List",
        compute="_compute_list_content",
        compute_sudo=True,
        help="The content of a list to sign.",
    )
    sha256 = fields.Char(
        string="SHA-256",
        required=True,
        readonly=True,
        help="Shows that a file is this one, to the last digit.",
    )
    payment_count = fields.Integer(string="Payments", readonly=True)
    total_amount = fields.Monetary(string="Total", readonly=True)
    currency_id = fields.Many2one(comodel_name="res.currency", related="batch_id.currency_id")
    made_by = fields.Many2one(comodel_name="res.users", required=True, readonly=True, ondelete="restrict")
    made_at = fields.Datetime(required=True, readonly=True)

    _sql_constraints = [("once", "UNIQUE(batch_id)", "The file of this batch was made before.")]

    def init(self):
        make_append_only(self.env.cr, self._table)

    @api.depends("content", "kind")
    def _compute_list_content(self):
        for file in self:
            file.list_content = file.content if file.kind == "signature_list" else False

    def action_download(self):
        """Fetch the file, always the same one; who did is in the audit trail.

        Roles: whoever reads payments for a list to sign, finance officer for a file with accounts.
        """
        self.ensure_one()
        self.check_access_rights("read")
        self.check_access_rule("read")
        if self.kind == "payments" and not self.env.user.has_group("spp_base.group_finance_officer"):
            raise AccessError(_("The file has account numbers: finance officers fetch it."))
        self.env["spp.audit.entry"]._log("Payment file fetched", self, new={"sha256": self.sha256})
        field = "content" if self.kind == "payments" else "list_content"
        return {
            "type": "ir.actions.act_url",
            "url": f"/web/content/{self._name}/{self.id}/{field}/{self.name}?download=1",
            "target": "self",
        }

    @api.model
    def _keep(self, batch, kind, name, content, payment_ids):
        """Insert the file. Not through create(): Odoo logs a failing statement with its values."""
        self.env.cr.execute(
            SQL(
                """
                INSERT INTO spp_payment_file
                    (batch_id, manager_id, kind, name, content, sha256, payment_count, total_amount, made_by, made_at,
                     create_uid, create_date, write_uid, write_date)
                SELECT %(batch)s, %(manager)s, %(kind)s, %(name)s, %(content)s, %(sha256)s, count(*), sum(amount),
                       %(uid)s, %(now)s, %(uid)s, %(now)s, %(uid)s, %(now)s
                  FROM spp_payment
                 WHERE id = ANY(%(payments)s)
                """,
                batch=batch.id,
                manager=batch.manager_id.id,
                kind=kind,
                name=name,
                content=base64.b64encode(content),
                sha256=hashlib.sha256(content).hexdigest(),
                payments=list(payment_ids),
                uid=batch.released_by.id,
                now=fields.Datetime.now(),
            ),
            log_exceptions=False,
        )
