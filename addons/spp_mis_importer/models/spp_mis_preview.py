"""What an import would change, field by field for some records and in numbers for all. Nothing of it is written.

Everything is read and compared by checksum, which gives the numbers. The first records that are new or have changed
are stored as an import would store them, what changes is noted, and all of it is rolled back.
"""

from collections import Counter
from contextlib import suppress
from datetime import timedelta

from odoo import _, fields, models
from odoo.exceptions import UserError

from odoo.addons.spp_base.http.client import CallError

from .. import wire
from ..store import Store
from ..wire.records import Page
from .spp_mis_held import WORKERS

KEPT_DAYS = 7
SAMPLE = 100  # people, and as many groups, that are shown field by field
PREVIEW = "preview"


class MisPreview(models.Model):
    _name = "spp.mis.preview"
    _description = "Preview of an Import"
    _order = "id desc"
    _rec_name = "source_id"

    source_id = fields.Many2one(
        comodel_name="spp.mis.source", required=True, readonly=True, index=True, ondelete="cascade"
    )
    run_id = fields.Many2one(comodel_name="spp.run", required=True, readonly=True, ondelete="cascade")
    state = fields.Selection(related="run_id.state")
    message = fields.Char(related="run_id.message")
    counts = fields.Html(related="run_id.counts_table", string="In Numbers")
    line_ids = fields.One2many(
        comodel_name="spp.mis.preview.line", inverse_name="preview_id", string="Field by Field", readonly=True
    )

    def _purge(self, source):
        """Delete old previews of a source: they say things of people."""
        days = min(source.payload_days, KEPT_DAYS)
        old = fields.Datetime.now() - timedelta(days=days)
        self.search([("source_id", "=", source.id), ("create_date", "<", old)]).unlink()


class MisPreviewLine(models.Model):
    _name = "spp.mis.preview.line"
    _description = "Line of a Preview"
    _order = "id"
    _rec_name = "name"

    preview_id = fields.Many2one(
        comodel_name="spp.mis.preview", required=True, readonly=True, index=True, ondelete="cascade"
    )
    record_kind = fields.Selection(
        selection=[("individual", "Person"), ("group", "Group"), ("membership", "Membership")], readonly=True
    )
    external_id = fields.Char(string="ID at the Source", readonly=True)
    name = fields.Char(readonly=True)
    partner_id = fields.Many2one(
        comodel_name="res.partner",
        string="Registrant",
        readonly=True,
        index="btree_not_null",
        ondelete="cascade",
    )
    what = fields.Selection(
        selection=[("create", "New"), ("update", "Changes"), ("trouble", "Would be held")], readonly=True
    )
    label = fields.Char(string="Field", readonly=True)
    before = fields.Char(string="Now", readonly=True)
    after = fields.Char(string="Then", readonly=True)


class _NothingStays(Exception):
    """Ends the block in which a preview stores what it then rolls back."""


class MisSource(models.Model):
    _name = "spp.mis.source"
    _inherit = ["spp.mis.source"]

    preview_ids = fields.One2many(comodel_name="spp.mis.preview", inverse_name="source_id", string="Previews")

    def action_preview(self):
        """Find out, in the background, what a complete import would change; nothing is changed.

        :return: id of the preview (spp.mis.preview); of the one that is at work already, if there is one
        """
        self.ensure_one()
        self._check_operator(*WORKERS)
        run = self._start("mis_preview", _("Preview: %s", self.name), PREVIEW)
        Preview = self.env["spp.mis.preview"].sudo()  # sudo: made by the action, edited by nobody
        preview = Preview.search([("run_id", "=", run.id)])
        if run.kind != "mis_preview":
            raise UserError(_("An import of %s is at work. Look again when it has ended.", self.name))
        return (preview or Preview.create({"source_id": self.id, "run_id": run.id})).id

    def action_open_preview(self):
        """Preview, and open it."""
        preview_id = self.action_preview()
        return {
            "type": "ir.actions.act_window",
            "res_model": "spp.mis.preview",
            "res_id": preview_id,
            "views": [(False, "form")],
        }

    def _enqueue(self, run, stage, *args, **kwargs):
        if stage != PREVIEW:
            return super()._enqueue(run, stage, *args, **kwargs)
        self.with_delay(description=run.name, identity_key=self._identity(run))._job_preview(run)

    def _job_preview(self, run):
        """Job: fill the preview of this run."""
        # sudo: as for an import
        source, run = self.sudo(), run.sudo()
        with run._alive(), source._alone():
            preview = source.env["spp.mis.preview"].search([("run_id", "=", run.id)])
            try:
                counts, lines = source._preview()
            except (CallError, wire.SourceError) as error:
                run._fail(error.reason)
                return
            source.env["spp.mis.preview.line"].create([{**line, "preview_id": preview.id} for line in lines])
            run._finish(
                {
                    _("Read"): counts["read"],
                    _("Would be created"): counts["create"],
                    _("Would change"): counts["update"],
                    _("Unchanged"): counts["same"],
                    _("Cannot be read"): counts["bad"],
                }
            )

    def _preview(self):
        """(counts of everything, lines of what would change in the first records that are new or changed)"""
        counts, lines, seen = Counter(), [], set()
        with suppress(_NothingStays), self.env.cr.savepoint(), self._reader() as reader:
            for read in (reader.individuals, reader.groups):
                left, after = SAMPLE, 0
                while after is not None:
                    page = read(after=after, limit=self.page_size)
                    after = page.after
                    left -= self._preview_page(page, left, counts, lines, seen)
            raise _NothingStays()
        # Of who was made and rolled back, nothing is left to point to.
        there = set(
            self.env["res.partner"].browse({line["partner_id"] for line in lines} - {False}).exists().ids
        )
        for line in lines:
            line["partner_id"] = line["partner_id"] in there and line["partner_id"]
        return counts, lines

    def _preview_page(self, page, left, counts, lines, seen):
        """Count a page, and store up to `left` of its records; returns how many it stored."""
        store = Store(self, log=lines)
        known = store._known([record.external_id for record in page.records])
        sample = []
        for record in page.records:
            before = known.get(record.external_id)
            what = "create" if not before else "same" if before.checksum == record.checksum() else "update"
            counts[what] += 1
            if what != "same" and len(sample) < left:
                sample.append(record)
        shown = counts["bad"]
        counts["read"] += len(page.records) + len(page.bad)
        counts["bad"] += len(page.bad)
        seen.update(record.external_id for record in page.records)
        first = len(lines)
        tally = store.save(Page(records=sample, bad=page.bad[: max(SAMPLE - shown, 0)]))
        for line in lines[first:]:
            line["what"] = "update" if line["partner_id"] else "create"
        lines += [
            {
                "record_kind": trouble["record_kind"],
                "external_id": trouble["external_id"],
                "name": trouble["name"],
                "partner_id": trouble["partner_id"],
                "what": "trouble",
                "after": trouble["reason"],
            }
            for trouble in tally.troubles
            if trouble["waits_for"] not in seen
        ]
        return len(sample)
