"""A run whose whole work is one job: one transaction, done once, however often its worker dies.

Three things are committed apart, each of which may be the last one before a kill -9:

- the run and its job, by the request, together;
- progress, on the run's own cursor, while the work is done;
- the work, together with queue_job's note that the job is done.

That the run is over is written after the work was committed. Where the worker dies in between, the job is done and
holds the result, from which the reaper ends the run. Where it dies before, nothing of the work is left; queue_job
gives the job to the next worker, and the reaper sees to it that there is a job at all.
"""

import json
import logging

import psycopg2

from odoo import _, api, fields, models
from odoo.exceptions import UserError

from odoo.addons.queue_job.exception import RetryableJobError

from ..tools.own_cursor import on_own_cursor
from .spp_bulk_mixin import BeingChanged

_logger = logging.getLogger(__name__)

MOST_DEATHS = 3
WAITING = ("wait_dependencies", "pending", "enqueued")
PARTS = 10
BUSY_SECONDS = 10


class Run(models.Model):
    _inherit = "spp.run"

    action = fields.Char(readonly=True, help="The action that is done, without its prefix.")
    # It may name people whom who reads the run may not see, or the numbers of documents of a list.
    arguments = fields.Json(readonly=True, groups=fields.NO_ACCESS)
    job_uuid = fields.Char(readonly=True)
    is_at_work = fields.Boolean(compute="_compute_is_at_work")
    rate = fields.Float(string="Rows per second", digits=(16, 0), compute="_compute_rate")
    time_left = fields.Char(compute="_compute_rate")
    next_step = fields.Char(string="What to do next", compute="_compute_next_step")

    def init(self):
        result = super().init()
        # Pressed twice at once, it is queued once.
        self.env.cr.execute("""
            CREATE UNIQUE INDEX IF NOT EXISTS spp_run_at_work_unique ON spp_run (res_model, res_id, kind)
                WHERE job_uuid IS NOT NULL AND state IN ('queued', 'running')
        """)
        return result

    @api.depends("state")
    def _compute_is_at_work(self):
        for run in self:
            run.is_at_work = run.state in ("queued", "running")

    @api.depends("state", "done_count", "total", "started_at", "heard_at")
    def _compute_rate(self):
        for run in self:
            until = run.ended_at or run.heard_at
            seconds = (until - run.started_at).total_seconds() if until and run.started_at else 0
            run.rate = run.done_count / max(seconds, 1) if run.done_count else 0
            left = (run.total - run.done_count) / run.rate if run.rate and run.state == "running" else 0
            run.time_left = _in_words(left) if left > 0 else False

    @api.depends("state", "message", "can_retry", "failed_count")
    def _compute_next_step(self):
        for run in self:
            run.next_step = run._what_next()

    def _what_next(self):
        if self.state == "queued":
            return _("It begins as soon as a worker is free. You may leave this page.")
        if self.state == "running":
            return _("It goes on by itself, also if you leave this page.")
        if self.state == "failed" and self.can_retry:
            return _("Nothing of it was done. Mend the cause and retry.") if self.action else ""
        if self.state == "done" and self.can_retry:
            return _("Some rows failed: mend what they say, then retry only these.")
        return ""

    # ------------------------------------------------------------------ asking

    @api.model
    def _at_work(self, origins, kind=None):
        """{id of the origin: its run that is queued or at work in a job}"""
        domain = [
            ("res_model", "=", origins._name),
            ("res_id", "in", origins.ids),
            ("state", "in", ["queued", "running"]),
            ("job_uuid", "!=", False),
        ]
        # sudo: that somebody is at work is no secret to who sees the record
        runs = self.sudo().search(domain + ([("kind", "=", kind)] if kind else []))
        return {run.res_id: run.sudo(False) for run in runs}

    def _how_far(self):
        if self.state == "queued":
            return _("waits for a free worker.")
        parts = [f"{self.progress:.0f} %"] if self.total else []
        parts += [part for part in (self.stage, self.time_left) if part]
        return _("is at work (%s).", ", ".join(parts)) if parts else _("is at work.")

    def _open(self):
        return {
            "type": "ir.actions.act_window",
            "name": self.sudo().name,
            "res_model": self._name,
            "res_id": self.id,
            "views": [(False, "form")],
        }

    def _shown(self, message):
        """The id of this run; for a button that asked for it, a message and the opened run."""
        if not self.env.context.get("open_run"):
            return self.id
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {
                "title": self.sudo().name,
                "message": message,
                "type": "info",
                "sticky": False,
                "next": self._open(),
            },
        }

    # ------------------------------------------------------------------ the job

    @api.model
    def _queue_job(self, kind, name, origin, action, arguments, as_of=None):
        """Make a run and the job that works on it.

        :raise UserError: if somebody did so in this very moment
        """
        run = self._queue(kind, name, origin, as_of=as_of)
        try:
            with self.env.cr.savepoint(flush=False):
                run._enqueue(action, arguments)
        except psycopg2.errors.UniqueViolation:
            raise BeingChanged(
                _("%s: somebody else started this a moment ago. See the runs of this record.", name)
            ) from None
        return run

    def _enqueue(self, action, arguments):
        self.sudo().write({"action": action, "arguments": arguments, "job_uuid": "-"})  # sudo: as in _queue
        self.flush_recordset()
        job = self.with_delay(
            description=self.sudo().name, identity_key=self._job_identity(), max_retries=0
        )._job_work()
        self.sudo().job_uuid = job.uuid

    def _job_identity(self):
        run = self.sudo()
        return f"{run.res_model}:{run.res_id}:{run.action}:{run.id}"

    def _job_work(self):
        """Job: the whole of a bulk action in this transaction, as the user who pressed the button.

        :return: what queue_job keeps as the job's result: how the run ended, as JSON
        """
        self.ensure_one()
        run = self.sudo()  # sudo: no role writes runs
        if run.state not in ("queued", "running"):
            return ""
        result = {}
        try:
            with run._alive():
                run._begin()
                try:
                    with self.env.cr.savepoint():
                        origin = self.env[run.res_model].browse(run.res_id)
                        origin.check_access_rule("read")
                        do = getattr(origin, f"_do_{run.action}")
                        do(self.with_context(job_result=result), *(run.arguments or []))
                except BeingChanged as error:
                    raise RetryableJobError(str(error), seconds=BUSY_SECONDS, ignore_retry=True) from error
                if not result:
                    raise RuntimeError(f"_do_{run.action} of {run.res_model} did not finish its run")
        except UserError:
            return ""  # nothing is left of the work, and the run says why
        if not result:  # cancelled; nothing is left of the work
            return ""
        if run._is_committed():
            self.env.cr.postcommit.add(lambda: run._end_after_commit(result))
        else:  # a test, whose run nobody else can see
            run._end(result)
        return json.dumps(result)

    def _begin(self):
        """Another try begins: from the start, unless too many workers died at it."""
        with on_own_cursor(self) as run:
            deaths = run.deaths
            run.write(
                {"started_at": fields.Datetime.now(), "done_count": 0, "stage": False, "message": False}
            )
        if deaths >= MOST_DEATHS:
            raise UserError(
                _(
                    "%s workers died at this, and nothing of it was done. Have the server's memory and log looked at, "
                    "then retry.",
                    deaths,
                )
            )

    def _progress(self, done, total=None, stage=None):
        if self.env.context.get("run_at_once"):  # nobody could see it before it is over
            return None
        return super()._progress(done, total=total, stage=stage)

    def _well_done(self, result):
        kept = self.env.context.get("job_result")
        if kept is None:
            return super()._well_done(result)
        kept.update(result)

    def _end_after_commit(self, result):
        """The work is committed. What goes wrong here must not look as if it were not: the reaper repairs it."""
        try:
            with self.env.registry.cursor() as cr:
                run = self.with_env(self.env(cr=cr, su=True))
                run.write({**result, "in_worker": False, "ended_at": fields.Datetime.now()})
        except psycopg2.Error as error:
            _logger.warning("Run %s is done, which could not be written yet (%s)", self.id, error.pgcode)

    def _is_committed(self):
        """Whether others can see this run."""
        with self.env.registry.cursor() as cr:
            cr.execute("SELECT 1 FROM spp_run WHERE id = %s", [self.id])
            return bool(cr.rowcount)

    def _parts(self, low, high):
        """The ids from `low` to `high` in parts, [(first, last)]: several in a job, so that progress shows; else one.

        The number of parts does not depend on how many ids there are, so neither does that of the statements.
        """
        if low is None:
            return []
        parts = PARTS if self.env.context.get("job_result") is not None else 1
        step = max(1, -(-(high - low + 1) // parts))
        return [(first, min(first + step - 1, high)) for first in range(low, high + 1, step)]

    # ------------------------------------------------------------------ the reaper

    def _reapable(self):
        return super()._reapable() | self.search(
            [("state", "=", "queued"), ("job_uuid", "!=", False)]
        ).filtered(lambda run: run._job().state not in WAITING)

    def _reap(self):
        """A run of a job has a job that waits or works, or is over."""
        if not self.job_uuid:
            return super()._reap()
        job = self._job()
        ended = {"in_worker": False, "ended_at": fields.Datetime.now()}
        if self.state not in ("queued", "running"):
            return
        if job.state == "done" and job.result:
            self.write({**json.loads(job.result), **ended})
        elif job.state == "started" or job.state in WAITING:  # queue_job gives it to the next worker
            if self.in_worker:
                again = _("The worker died; another one begins again from the start.")
                self.write(
                    {"state": "queued", "in_worker": False, "deaths": self.deaths + 1, "message": again}
                )
        elif self.deaths < MOST_DEATHS:
            self.write({"state": "queued", "in_worker": False, "deaths": self.deaths + 1})
            self._as_who_pressed()._enqueue(self.action, self.arguments)
        else:
            self._fail(
                _(
                    "Its job was lost %s times, and nothing of it was done. Retry once the cause is mended.",
                    self.deaths,
                )
            )

    def _job(self):
        # sudo: jobs are for managers of jobs
        return self.env["queue.job"].sudo().search([("uuid", "=", self.job_uuid)], limit=1)

    def _as_who_pressed(self):
        run = self.with_env(self.env(user=self.user_id.id, su=False))
        return run.with_context(allowed_company_ids=(self.company_id or self.user_id.company_id).ids)


def _in_words(seconds):
    """How long that is, as people say it."""
    if seconds < 90:
        return _("about %s seconds left", max(1, round(seconds)))
    if seconds < 90 * 60:
        return _("about %s minutes left", round(seconds / 60))
    return _("about %s hours left", round(seconds / 3600))
