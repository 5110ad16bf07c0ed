"""Read a file of payment results; what each row would do is shown before anything is applied."""

import base64
import hashlib

from odoo import _, fields, models
from odoo.exceptions import UserError

from ..models.payment_result import COLUMNS
from ..tools import sheet


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
        """Read the file and show what each row would do. Nothing is applied yet."""
        self.ensure_one()
        content = base64.b64decode(self.file)
        try:
            rows = sheet.read(self.file_name, content)
        except sheet.Unreadable as error:
            raise UserError(str(error)) from None
        missing = [column for column in ("reference", "outcome") if column not in rows[0]]
        if missing:
            raise UserError(
                _(
                    "The file has no column %(missing)s. It may have: %(columns)s.",
                    missing=", ".join(missing),
                    columns=", ".join(COLUMNS),
                )
            )
        key = f"file:{hashlib.sha256(content).hexdigest()}"
        result = self.manager_id._read_results(rows, key, name=self.file_name)
        return {
            "type": "ir.actions.act_window",
            "res_model": "spp.payment.result",
            "res_id": result.id,
            "views": [(False, "form")],
        }
