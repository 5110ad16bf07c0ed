"""What the import board shows of a source: its last run, when it runs next, and what a person has to settle."""

from odoo import api, fields, models

from .spp_mis_source import FAILED


class MisSource(models.Model):
    _name = "spp.mis.source"
    _inherit = ["spp.mis.source"]

    last_run_name = fields.Char(related="last_run_id.name", string="Last Run's Name")
    last_run_ended_at = fields.Datetime(related="last_run_id.ended_at", string="Last Run Ended")
    last_run_progress = fields.Float(related="last_run_id.progress", string="Progress")
    last_run_summary = fields.Char(compute="_compute_last_run_summary", compute_sudo=True)
    waiting_count = fields.Integer(
        compute="_compute_held_by_cause", compute_sudo=True, string="Waiting Records"
    )
    refused_count = fields.Integer(
        compute="_compute_held_by_cause", compute_sudo=True, string="Failed Records"
    )

    @api.depends("last_run_id.counts")
    def _compute_last_run_summary(self):
        for source in self:
            run = source.last_run_id
            counts = run.counts or {}
            told = [label for label in run.count_labels or counts if counts[label]]
            source.last_run_summary = " · ".join(f"{label} {counts[label]}" for label in told)

    def _compute_held_by_cause(self):
        groups = self.env["spp.mis.held"]._read_group(
            [("source_id", "in", self.ids), ("state", "=", "waiting")],
            groupby=["source_id", "cause"],
            aggregates=["__count"],
        )
        counts = {(source.id, cause): number for source, cause, number in groups}
        for source in self:
            source.refused_count = counts.get((source.id, FAILED), 0)
            source.waiting_count = sum(counts.get((source.id, cause), 0) for cause in ("name", "person"))

    def action_open_refused(self):
        """Records that cannot be stored as they are."""
        context = {"search_default_waiting": 1, "search_default_refused": 1}
        return self._open("spp_mis_importer.action_spp_mis_held", context)

    def action_open_waiting(self):
        """Records that wait for a name or a person."""
        context = {"search_default_waiting": 1, "search_default_waits": 1}
        return self._open("spp_mis_importer.action_spp_mis_held", context)

    def action_open_open_mappings(self):
        """Names that have no meaning here yet."""
        return self._open("spp_mis_importer.action_spp_mis_mapping", {"search_default_open": 1})

    def action_open_last_run(self):
        """The last run, with what failed in it."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "res_model": "spp.run",
            "res_id": self.last_run_id.id,
            "views": [(False, "form")],
        }
