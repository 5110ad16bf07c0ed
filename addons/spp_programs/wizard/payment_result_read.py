"""Read a file of payment results; what each row would do is shown before anything is applied."""

import base64

from odoo import fields, models


class PaymentResultRead(models.TransientModel):
    _name = "spp.payment.result.read"
    _description = "Read payment results"

    manager_id = fields.Many2one(
        comodel_name="spp.payment.manager",
        required=True,
        domain="[('provider', '!=', 'none')]",
        help="The results are those of payments that were issued through it.",
    )
    file = fields.Binary(required=True, attachment=False)
    file_name = fields.Char(required=True)

    def action_read(self):
        """Read the file, a long one in a job, and show what each row would do. Nothing is applied yet."""
        self.ensure_one()
        result = self.manager_id._read_file(self.file_name, base64.b64decode(self.file))
        return {
            "type": "ir.actions.act_window",
            "res_model": "spp.payment.result",
            "res_id": result.id,
            "views": [(False, "form")],
        }
