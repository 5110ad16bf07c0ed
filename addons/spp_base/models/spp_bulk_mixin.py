"""Bulk actions: a little is done at once, a lot is done by a job; either way it is a run.

A model that has bulk actions inherits the mixin. The public action checks who may and whether it makes sense, and
hands the work to :meth:`BulkMixin._bulk`; the work is the method ``_do_<action>``::

    def action_enroll(self, as_of=None):
        self._check_role("enrollment_officer")
        self._check_active()
        return self._bulk("enroll", _("Enroll: %s", self.name), [as_of], rows=self._rows(members, domain))

    def _do_enroll(self, run, as_of):
        self._lock()
        self._check_active()  # things may have changed since the button was pressed
        …set-based work…
        run._finish({_("Enrolled"): number})

``_do_<action>`` is one transaction: all of it or nothing. It raises a ``UserError`` where the work makes no sense
any more, and that is what the run then says. Arguments are what JSON can hold.
"""

from markupsafe import Markup

from odoo import _, api, fields, models
from odoo.exceptions import UserError

ROWS_AT_ONCE = 10_000


class BeingChanged(UserError):
    """Somebody else is at the record at this moment. A person is told; a job tries again by itself."""


class BulkMixin(models.AbstractModel):
    _name = "spp.bulk.mixin"
    _description = "Bulk actions that are runs"

    at_work_run_id = fields.Many2one(
        comodel_name="spp.run", string="At work", compute="_compute_at_work_run_id", compute_sudo=True
    )
    at_work = fields.Html(string="What is at work here", compute="_compute_at_work_run_id", compute_sudo=True)

    def _compute_at_work_run_id(self):
        runs = self.env["spp.run"]._at_work(self)
        for record in self:
            run = runs.get(record._origin.id, self.env["spp.run"])
            record.at_work_run_id = run
            record.at_work = bool(run) and Markup("<strong>%s</strong> %s") % (run.name, run._how_far())

    def action_open_run_at_work(self):
        """Open the run that is at work on this record."""
        self.ensure_one()
        run = self.at_work_run_id
        if not run:
            raise UserError(_("Nothing is at work on %s any more.", self.display_name))
        return run._open()

    def _run_retry(self, run):
        """Press the same button again, as whoever asks now. Called by the run's *Retry*."""
        self.ensure_one()
        if not run.sudo().action:  # sudo: the caller reads the origin, which is what counts
            raise UserError(_("Repeat this on %s itself.", self.display_name))
        return getattr(self, f"action_{run.sudo().action}")(*(run.sudo().arguments or []))

    def _bulk(self, action, name, arguments=(), rows=0, as_of=None):
        """Do ``_do_<action>(run, *arguments)`` now if it is about few rows, else have a job do it.

        Where the same action is at work on this record already, nothing is done twice: the answer is that run.
        Asked for with other arguments it is refused meanwhile.

        :param name: what the run is called, as people shall read it
        :param rows: about how many, at no cost (:meth:`_rows`)
        :return: id of the run; for a button with ``open_run`` in its context the action that opens a run which is
            not over
        """
        self.ensure_one()
        kind = f"{self._name.removeprefix('spp.').replace('.', '_')}_{action}"
        runs = self.env["spp.run"]
        run = runs._at_work(self, kind).get(self.id)
        if run:
            # sudo: what a run was asked to do, compared and shown to nobody
            if (run.sudo().arguments or []) != list(arguments):  # no arguments are kept as none
                raise BeingChanged(
                    _("%s is at work, about something else. Try again when it has ended.", run.sudo().name)
                )
            return run._shown(_("This is at work already, since somebody pressed it before."))
        if rows < self._rows_at_once():
            run = runs._start(kind, name, self, as_of=as_of)
            # sudo: no role writes runs
            run.sudo().write({"action": action, "arguments": list(arguments)})
            getattr(self, f"_do_{action}")(run.with_context(run_at_once=True), *arguments)
            return run.id
        run = runs._queue_job(kind, name, self, action, list(arguments), as_of=as_of)
        return run._shown(_("A worker does this: you may go on with other things."))

    @api.model
    def _close_dialog(self, result):
        """What a dialog answers after a bulk action asked for with ``open_run``: it closes, and a run that is not
        over is opened."""
        return result if isinstance(result, dict) else {"type": "ir.actions.act_window_close"}

    @api.model
    def _rows_at_once(self):
        """Fewer rows than this are done within the request: the system parameter spp_base.rows_at_once."""
        # sudo: a limit, not a secret; read by any role
        value = self.env["ir.config_parameter"].sudo().get_param("spp_base.rows_at_once", str(ROWS_AT_ONCE))
        if not value.isdecimal():
            raise UserError(_("The system parameter spp_base.rows_at_once must be a whole number."))
        return int(value)

    @api.model
    def _rows(self, model, domain):
        """How many records there are, counted no further than it matters."""
        # sudo: a number that decides how the work is done, shown to nobody
        return self.env[model].sudo().search_count(domain, limit=max(1, self._rows_at_once()))
