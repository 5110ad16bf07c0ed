"""Records that a beneficiary asks to be paid to another account."""

from uuid import uuid4

from odoo import fields, models


class AccountRequest(models.TransientModel):
    _name = "spp.account.request"
    _description = "A beneficiary asks for another account"

    partner_id = fields.Many2one(
        comodel_name="res.partner", string="Registrant", required=True, readonly=True
    )
    key = fields.Char(required=True, readonly=True, default=lambda self: str(uuid4()))
    kind = fields.Selection(
        selection=lambda self: (
            self.env["spp.payment.account"]._fields["kind"]._description_selection(self.env)
        ),
        required=True,
        default="bank",
    )
    provider_id = fields.Many2one(
        comodel_name="res.bank", help="The bank or wallet company that holds the account."
    )
    number = fields.Char(required=True)
    holder = fields.Char(help="The name the provider knows the account by, where it is not the person's.")
    evidence = fields.Text(
        required=True, help="How the beneficiary asked, and what was seen. Who confirms it relies on that."
    )
    file = fields.Binary(string="Scan", attachment=False)
    filename = fields.Char()

    def action_record(self):
        """Record it, and open the request that now waits for somebody else."""
        self.ensure_one()
        values = {
            "kind": self.kind,
            "number": self.number,
            "provider_id": self.provider_id.id,
            "holder": self.holder,
        }
        request = self.env["spp.payment.account"].request_change(
            self.partner_id.id, values, self.evidence, self.key, self.file, self.filename or ""
        )
        self.write({"number": "-", "file": False})  # it is kept where accounts are, and nowhere else
        return {
            "type": "ir.actions.act_window",
            "res_model": "spp.approval.request",
            "res_id": request,
            "views": [(False, "form")],
        }
