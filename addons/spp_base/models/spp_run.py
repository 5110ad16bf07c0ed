"""One bulk action: how far it is, what it did, which rows failed and why.

Within one request::

    run = self.env["spp.run"]._start("enroll", _("Enroll"), self, as_of=date, total=n)
    …set-based work…
    run._add_failures([{"res_model": …, "res_id": …, "name": …, "reason": …}])
    run._finish({_("Enrolled"): 40, _("Undetermined"): 2})

In a job, so that others watch it: the request makes the run with :meth:`_queue` and enqueues
the job (with ``run`` as its argument); the job works inside :meth:`_alive`::

    with run._alive():
        for number, page in enumerate(pages, 1):
            …
            run._progress(number, total)
        run._finish(counts)

A bulk action whose work is one transaction is best left to ``spp.bulk.mixin``, which does this and the job.

State and progress of a run that was committed before are written on a cursor of their own:
others see them at once, and they survive a rollback. A run started within this transaction
is written in it. Failed rows are part of the work and share its fate.
"""

from contextlib import contextmanager
from datetime import timedelta

import psycopg2
from markupsafe import Markup

from odoo import _, api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.service.model import PG_CONCURRENCY_ERRORS_TO_RETRY

from odoo.addons.queue_job.exception import RetryableJobError

from ..tools import advisory
from ..tools.own_cursor import on_own_cursor

SILENT_FOR = timedelta(days=1)


class Cancelled(Exception):
    """Somebody cancelled the run while it was worked on. :meth:`Run._alive` ends the work quietly then."""


class Run(models.Model):
    _name = "spp.run"
    _description = "Run"
    _order = "id desc"

    name = fields.Char(required=True, readonly=True)
    kind = fields.Char(required=True, readonly=True, index=True, help="Which action this is a run of.")
    state = fields.Selection(
        selection=[
            ("queued", "Queued"),
            ("running", "Running"),
            ("done", "Done"),
            ("failed", "Failed"),
            ("cancelled", "Cancelled"),
        ],
        required=True,
        readonly=True,
        default="queued",
        index=True,
    )
    res_model = fields.Char(string="Origin Model", readonly=True)
    res_id = fields.Many2oneReference(string="Origin ID", model_field="res_model", readonly=True)
    res_name = fields.Char(string="Origin", readonly=True)
    user_id = fields.Many2one(
        comodel_name="res.users", string="Started by", readonly=True, default=lambda self: self.env.uid
    )
    company_id = fields.Many2one(comodel_name="res.company", readonly=True)
    as_of = fields.Date(string="As of", readonly=True, help="The date that ages and memberships are seen at.")
    started_at = fields.Datetime(string="Started", readonly=True)
    ended_at = fields.Datetime(string="Ended", readonly=True)
    heard_at = fields.Datetime(string="Last Heard of", readonly=True)
    in_worker = fields.Boolean(readonly=True, help="A worker holds the lock of this run.")
    deaths = fields.Integer(readonly=True, help="How many workers died at it.")
    stage = fields.Char(readonly=True, help="What it is doing now.")
    total = fields.Integer(readonly=True)
    done_count = fields.Integer(string="Done", readonly=True)
    progress = fields.Float(compute="_compute_progress")
    counts = fields.Json(readonly=True, help="What it did: label → number.")
    count_labels = fields.Json(readonly=True, help="The labels in order, which jsonb does not keep.")
    counts_table = fields.Html(string="Result", compute="_compute_counts_table")
    message = fields.Char(readonly=True)
    failure_ids = fields.One2many(comodel_name="spp.run.failure", inverse_name="run_id", readonly=True)
    failed_count = fields.Integer(string="Failed", compute="_compute_failed_count", compute_sudo=True)
    can_retry = fields.Boolean(compute="_compute_can_retry", compute_sudo=True)

    def init(self):
        self.env.cr.execute("CREATE INDEX IF NOT EXISTS spp_run_res_idx ON spp_run (res_model, res_id)")

    @api.depends("state", "total", "done_count")
    def _compute_progress(self):
        for run in self:
            if run.state == "done":
                run.progress = 100
            else:
                run.progress = min(100, 100 * run.done_count / run.total) if run.total else 0

    @api.depends("counts", "count_labels")
    def _compute_counts_table(self):
        row = Markup("<tr><td>%s</td><td class='text-end'>%s</td></tr>")
        for run in self:
            counts = run.counts or {}
            rows = Markup("").join(row % (label, counts[label]) for label in run.count_labels or counts)
            run.counts_table = rows and Markup("<table class='table table-sm'>%s</table>") % rows

    @api.depends("failure_ids")
    def _compute_failed_count(self):
        groups = self.env["spp.run.failure"]._read_group(
            [("run_id", "in", self.ids)], groupby=["run_id"], aggregates=["__count"]
        )
        counts = {run.id: count for run, count in groups}
        for run in self:
            run.failed_count = counts.get(run._origin.id, 0)

    @api.depends("state", "failure_ids.resolved")
    def _compute_can_retry(self):
        Failure = self.env["spp.run.failure"]
        for run in self:
            run.can_retry = hasattr(run.env.get(run.res_model), "_run_retry") and (
                run.state == "failed"
                or run.state == "done"
                and bool(Failure.search_count([("run_id", "=", run.id), ("resolved", "=", False)], limit=1))
            )

    def action_retry(self):
        """Try again what failed. The origin's ``_run_retry(run)`` knows how, and checks who may."""
        self.ensure_one()
        if not self.can_retry:
            raise UserError(_("There is nothing to try again in this run."))
        origin = self.env[self.res_model].browse(self.res_id)
        origin.check_access_rights("read")
        origin.check_access_rule("read")
        return origin._run_retry(self) or True

    def action_cancel(self):
        """Stop the run: a worker leaves it at its next step; what it finished until then stays."""
        for run in self:
            if run.user_id != self.env.user and not self.env.user.has_group("spp_base.group_admin"):
                raise AccessError(_("Only who started a run, or an administrator, may cancel it."))
            if run.state not in ("queued", "running"):
                raise UserError(_("This run has ended already."))
            # sudo: the check is the one above; no role writes runs directly
            run.sudo().write({"state": "cancelled", "ended_at": fields.Datetime.now()})
        return True

    def action_open_origin(self):
        """Open the record that the run belongs to."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "res_model": self.res_model,
            "res_id": self.res_id,
            "views": [(False, "form")],
        }

    @api.model
    def _queue(self, kind, name, origin, as_of=None, total=0):
        """Make a run that a job will work on."""
        company = "company_id" in origin._fields and origin.company_id or self.env.company
        # sudo: runs are records of what happened; every role's actions make them, none edits them
        return (
            self.sudo()
            .create(
                {
                    "kind": kind,
                    "name": name,
                    "res_model": origin._name,
                    "res_id": origin.id,
                    "res_name": origin.sudo().display_name,
                    "user_id": self.env.uid,
                    "company_id": company.id,
                    "as_of": as_of,
                    "total": total,
                    "heard_at": fields.Datetime.now(),
                }
            )
            .sudo(False)
        )

    @api.model
    def _start(self, kind, name, origin, as_of=None, total=0):
        """Make a run that works now, in this transaction."""
        run = self._queue(kind, name, origin, as_of=as_of, total=total)
        run.sudo().write({"state": "running", "started_at": fields.Datetime.now()})
        return run

    @contextmanager
    def _alive(self):
        """Work on the run: it shows as running as long as this worker lives, and not longer.

        An error inside ends the run as failed, with its message, and is raised on; one after
        which the job is tried again leaves it queued. Where somebody cancelled the run, the block
        ends at the next :meth:`_progress`: let nothing follow it.

        :raise RetryableJobError: if another worker is at it
        """
        self.ensure_one()
        try:
            with advisory.held(self.env.cr.dbname, self._lock_key()):
                self._record({"state": "running", "in_worker": True}, started=True)
                try:
                    yield self
                    self._record({"in_worker": False}, unless_cancelled=False)
                except Cancelled:
                    return
                except Exception as error:  # pylint: disable=broad-except  # raised on
                    if _will_be_retried(error):
                        self._record({"state": "queued", "in_worker": False})
                    else:
                        self._fail(_plain(error))
                    raise
        except advisory.Busy as error:
            raise RetryableJobError(_("Another worker is at this run."), seconds=60) from error

    def _progress(self, done, total=None, stage=None):
        """Tell others how far it is, and at what."""
        told = {"total": total, "stage": stage}
        self._record(
            {"done_count": done, **{name: value for name, value in told.items() if value is not None}}
        )

    def _finish(self, counts, message=""):
        """End the run well.

        :param counts: what it did, label → number, as people shall read it
        """
        # What could still fail when the work is committed fails now, before it is called done.
        self.env.flush_all()
        self.env.cr.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
        self._well_done({"state": "done", "counts": counts, "count_labels": list(counts), "message": message})

    def _well_done(self, result):
        self._end(result)

    def _fail(self, reason):
        """End the run badly, with a reason that a person understands."""
        self._end({"state": "failed", "message": reason})

    def _add_failures(self, failures):
        """List rows that did not work.

        :param failures: dicts of ``res_model, res_id, name, reason`` and, where there is one,
            ``external_id`` and ``partner_id`` (taken from the record if that is a partner)
        """
        self.ensure_one()
        # sudo: as for the run itself
        return (
            self.env["spp.run.failure"]
            .sudo()
            .create(
                [
                    {
                        "run_id": self.id,
                        "partner_id": failure.get("res_id")
                        if failure.get("res_model") == "res.partner"
                        else False,
                        **failure,
                    }
                    for failure in failures
                ]
            )
        )

    def _end(self, values):
        self._record({**values, "in_worker": False, "ended_at": fields.Datetime.now()})

    def _record(self, values, started=False, unless_cancelled=True):
        """Write on the run's own cursor.

        :raise Cancelled: if somebody cancelled the run
        """
        with on_own_cursor(self) as run:
            if run.state == "cancelled" and unless_cancelled:
                raise Cancelled()
            now = fields.Datetime.now()
            if started:
                # Whoever holds the lock and finds this set comes after somebody who did not say good-bye.
                values = {**values, "deaths": run.deaths + run.in_worker}
                if not run.started_at:
                    values["started_at"] = now
            run.write({**values, "heard_at": now})

    def _lock_key(self):
        return advisory.key(self._name, self.id)

    @api.model
    def _cron_run_reaper(self):
        """Look after the runs that nobody works on any more."""
        for run in self._reapable():
            try:
                # Holding the lock, no worker can begin or end meanwhile.
                with advisory.held(self.env.cr.dbname, run._lock_key()), on_own_cursor(run) as current:
                    current._reap()
            except advisory.Busy:
                continue

    def _reapable(self):
        return self.search([("state", "=", "running")])

    def _reap(self):
        """Nobody is at work on this run now. End it as failed where nobody will be.

        That is certain where a worker said it holds the lock, and the lock is free. A run between two jobs is given
        a day.
        """
        if self.state != "running":
            return
        if self.in_worker:
            self._fail(_("The worker died before the end. What was finished is kept; try again."))
        elif self.heard_at < fields.Datetime.now() - SILENT_FOR:
            self._fail(_("Nothing was heard of this run for a day."))


def _will_be_retried(error):
    return isinstance(error, RetryableJobError) or (
        isinstance(error, psycopg2.OperationalError) and error.pgcode in PG_CONCURRENCY_ERRORS_TO_RETRY
    )


def _plain(error):
    """What a person is told. The text of an unforeseen error may hold values of the statement."""
    if isinstance(error, UserError) and error.args:
        return str(error.args[0])
    return getattr(error, "reason", None) or _(
        "Stopped by an error that was not foreseen (%s); the log of the job says more.", type(error).__name__
    )
