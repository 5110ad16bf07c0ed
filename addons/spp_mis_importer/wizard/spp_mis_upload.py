"""The form that takes files of a registry, and hands out the template to fill in."""

import base64
import io

import xlsxwriter

from odoo import _, api, fields, models
from odoo.exceptions import UserError

from ..models.spp_mis_upload import FILES
from ..wire.files import COLUMNS, MANY, REPEATED

TEMPLATE_NAME = "registry.xlsx"


class MisUpload(models.TransientModel):
    _name = "spp.mis.upload"
    _description = "Upload of Registry Files"

    source_id = fields.Many2one(comodel_name="spp.mis.source", required=True, readonly=True)
    workbook = fields.Binary(string="Excel Workbook", attachment=False)
    workbook_name = fields.Char()
    people = fields.Binary(attachment=False)
    people_name = fields.Char()
    groups = fields.Binary(attachment=False)
    groups_name = fields.Char()
    memberships = fields.Binary(attachment=False)
    memberships_name = fields.Char()
    is_whole = fields.Boolean(
        string="The whole registry",
        help="Tick it if everybody is in these files. Whoever was imported before and is not in them counts as gone, "
        "and their places in groups end. Leave it unticked to add or update some.",
    )
    template = fields.Binary(compute="_compute_template")
    template_name = fields.Char(compute="_compute_template")

    def _compute_template(self):
        content = base64.b64encode(template())
        for upload in self:
            upload.template, upload.template_name = content, TEMPLATE_NAME

    def action_import(self):
        """Take the files and import them."""
        self._upload().action_import()
        return {"type": "ir.actions.act_window_close"}

    def action_preview(self):
        """Take the files and show what they would change."""
        return self._upload().action_open_preview()

    def _upload(self):
        self.ensure_one()
        upload = self.with_context(bin_size=False)
        files = {
            kind: [self[f"{kind}_name"] or kind, upload[kind].decode()] for kind in FILES if upload[kind]
        }
        if not files:
            raise UserError(_("Choose a workbook, or the files of people, groups and memberships."))
        source = self.source_id
        source.upload(files, self.is_whole)
        self.unlink()  # the form's own copy
        return source

    @api.model
    def download_template(self):
        """The workbook to fill in: {"name": file name, "content": base64}."""
        return {"name": TEMPLATE_NAME, "content": base64.b64encode(template()).decode()}


def template():
    """An Excel workbook with a sheet for each kind, and one that says what the columns mean."""
    target = io.BytesIO()
    with xlsxwriter.Workbook(target, {"in_memory": True}) as book:
        bold, text = book.add_format({"bold": True}), book.add_format({"num_format": "@"})
        day, wrapped = book.add_format({"num_format": "yyyy-mm-dd"}), book.add_format({"text_wrap": True})
        for sheet_name, columns in COLUMNS.items():
            sheet = book.add_worksheet(sheet_name)
            sheet.freeze_panes(1, 0)
            for place, (column, (kind, _help)) in enumerate(columns.items()):
                sheet.set_column(place, place, max(14, len(column) + 2), day if kind == "date" else text)
                sheet.write_string(0, place, column, bold)
        notes = book.add_worksheet("notes")
        notes.set_column(0, 1, 20)
        notes.set_column(2, 2, 80, wrapped)
        for place, title in enumerate(("sheet", "column", "what to write")):
            notes.write_string(0, place, title, bold)
        row = 1
        for sheet_name, columns in COLUMNS.items():
            for column, (kind, told) in columns.items():
                if kind == "date":
                    told += ". A date cell, or 2026-01-31"
                for place, value in enumerate((sheet_name, column, told)):
                    notes.write_string(row, place, value)
                row += 1
        notes.write_string(
            row + 1, 0, f"A second to ninth {', '.join(REPEATED)}: add columns ending in _2 to _{MANY}."
        )
    return target.getvalue()
