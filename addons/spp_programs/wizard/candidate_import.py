"""Which registrants become candidates of a program: by area and filter, or by a list."""

import base64
import csv
import io
from ast import literal_eval

from odoo import _, fields, models
from odoo.exceptions import UserError


class CandidateImport(models.TransientModel):
    _name = "spp.candidate.import"
    _description = "Import candidates"

    program_id = fields.Many2one(comodel_name="spp.program", required=True)
    source = fields.Selection(
        selection=[("registry", "From the registry"), ("list", "By a list")],
        required=True,
        default="registry",
    )
    area_ids = fields.Many2many(
        comodel_name="spp.area", string="Areas", help="With the areas within them. Empty: everywhere."
    )
    domain = fields.Char(
        string="Filter",
        default="[]",
        help="Only registrants who match; the rule is asked later, at enrollment.",
    )
    registrant_model = fields.Char(default="res.partner", readonly=True)
    file = fields.Binary(
        string="CSV file",
        attachment=False,
        help="One registrant a row, in the first column: the id in this registry, or the number of a valid "
        "identity document. A first row with the word id or document says which of both.",
    )
    file_name = fields.Char()

    def action_import(self):
        self.ensure_one()
        if self.source == "list":
            run_id = self.program_id.action_import_list(self._rows())
        else:
            try:
                domain = literal_eval(self.domain or "[]")
            except (ValueError, SyntaxError):
                raise UserError(_("The filter cannot be read.")) from None
            run_id = self.program_id.action_import_candidates(domain, self.area_ids.ids)
        return {
            "type": "ir.actions.act_window",
            "res_model": "spp.run",
            "res_id": run_id,
            "views": [(False, "form")],
        }

    def _rows(self):
        """The first column of the file. Whole numbers are ids, unless the heading says "document"."""
        if not self.file:
            raise UserError(_("Choose the file with the list."))
        try:
            text = base64.b64decode(self.file).decode("utf-8-sig")
        except ValueError:
            raise UserError(_("The file is not a CSV file in UTF-8.")) from None
        first = text.splitlines()[0] if text.strip() else ""
        delimiter = max(",;\t", key=first.count)
        rows = [
            row[0].strip()
            for row in csv.reader(io.StringIO(text), delimiter=delimiter)
            if row and row[0].strip()
        ]
        heading = rows[0].lower() if rows else ""
        if heading in ("id", "document"):
            rows = rows[1:]
        if heading == "document":
            return rows
        return [int(row) if row.isdecimal() and len(row) < 10 else row for row in rows]
