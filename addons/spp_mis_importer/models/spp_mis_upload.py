"""CSV files or an Excel workbook as a source: uploaded, looked at, imported like any other, and forgotten."""

import base64
from contextlib import contextmanager

from odoo import _, fields, models
from odoo.exceptions import UserError

from .. import wire
from ..wire.files import COLUMNS
from .spp_mis_held import WORKERS
from .spp_mis_source import SCHEDULERS

FILES = ("workbook", *COLUMNS)


class MisSource(models.Model):
    _name = "spp.mis.source"
    _inherit = ["spp.mis.source"]

    dialect = fields.Selection(selection_add=[("file", "Files: CSV or Excel")], ondelete={"file": "cascade"})
    # In the row, not as attachments: these have readers of their own.
    workbook_file = fields.Binary(attachment=False, groups=fields.NO_ACCESS, copy=False)
    people_file = fields.Binary(attachment=False, groups=fields.NO_ACCESS, copy=False)
    groups_file = fields.Binary(attachment=False, groups=fields.NO_ACCESS, copy=False)
    memberships_file = fields.Binary(attachment=False, groups=fields.NO_ACCESS, copy=False)
    upload_names = fields.Char(string="Uploaded Files", readonly=True, copy=False)
    upload_is_whole = fields.Boolean(
        string="The Whole Registry", readonly=True, copy=False, help="Who is not in the files has left."
    )

    def action_upload(self):
        """Open the form that takes the files."""
        self.ensure_one()
        self._check_operator(*WORKERS)
        return {
            "type": "ir.actions.act_window",
            "name": _("Upload: %s", self.name),
            "res_model": "spp.mis.upload",
            "views": [(False, "form")],
            "target": "new",
            "context": {"default_source_id": self.id},
        }

    def upload(self, files, is_whole=False):
        """Take files in place of those of before; they are imported by `action_import`, and then forgotten.

        Roles: enrollment officer, program manager.

        :param files: {"workbook": [name, content in base64]}, or any of "people", "groups", "memberships" likewise
        :param is_whole: the files hold the whole registry: places of who is not in them end
        :return: {"people": number of rows, "groups": …, "memberships": …}, as far as there are such files
        :raise UserError: with what is wrong with a file as a whole
        """
        self.ensure_one()
        self._check_operator(*WORKERS)
        if self.dialect != "file":
            raise UserError(_("%s is not a source of files.", self.name))
        if unknown := set(files) - set(FILES):
            raise UserError(_("There is no such file: %s.", ", ".join(sorted(unknown))))
        if self.last_run_id.sudo().state in ("queued", "running"):
            raise UserError(_("The files of before are being read. Upload these when that has ended."))
        try:
            content = {kind: (name, base64.b64decode(data)) for kind, (name, data) in files.items()}
            counts = wire.FileReader(content).counts()
        except wire.SourceError as error:
            raise UserError(error.reason) from None
        except ValueError as error:
            raise UserError(_("The content of a file is not base64.")) from error
        self.sudo().write(  # sudo: who runs imports need not configure the source
            {
                **{f"{kind}_file": kind in files and files[kind][1] for kind in FILES},
                "upload_names": ", ".join(
                    files[kind][0].replace(",", " ") for kind in FILES if kind in files
                ),
                "upload_is_whole": is_whole,
            }
        )
        return counts

    def action_import(self):
        self._check_operator()
        return super(MisSource, self._with_files()).action_import()

    def action_import_all(self):
        self._check_operator()
        return super(MisSource, self._with_files()).action_import_all()

    def action_preview(self):
        self._check_operator(*WORKERS)
        return super(MisSource, self._with_files()).action_preview()

    def action_resume(self):
        self._check_operator(*SCHEDULERS)
        if any(source.dialect == "file" for source in self):
            raise UserError(_("Files are imported when they are uploaded; there is no schedule for them."))
        return super().action_resume()

    def action_test_connection(self):
        self.ensure_one()
        self._check_operator()
        if self.dialect != "file":
            return super().action_test_connection()
        # sudo: nobody reads the files; only numbers are told
        with self._with_files().sudo()._reader() as reader:
            counts = reader.counts()
        told = ", ".join(f"{name} {number}" for name, number in counts.items())
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {
                **counts,
                "title": _("%s can be read", self.upload_names),
                "message": _("Rows: %s.", told),
                "type": "success",
                "sticky": False,
            },
        }

    def _with_files(self):
        if any(source.dialect == "file" and not source.upload_names for source in self):
            raise UserError(_("Upload files first."))
        return self

    @contextmanager
    def _reader(self):
        if self.dialect != "file":
            with super()._reader() as reader:
                yield reader
            return
        names = (self.upload_names or "").split(", ")
        files = {}
        for kind in FILES:
            if data := self.with_context(bin_size=False)[f"{kind}_file"]:
                files[kind] = (names.pop(0) if names else kind, base64.b64decode(data))
        yield wire.FileReader(files, self.upload_is_whole)

    def _conclude(self, run, stage, counts, scope):
        result = super()._conclude(run, stage, counts, scope)
        if self.dialect == "file" and scope:
            self._forget_files()
        return result

    def _forget_files(self):
        self.write({**{f"{kind}_file": False for kind in FILES}, "upload_names": False})
