"""Another MIS that people, households and accounts are imported from.

An import is a chain of jobs: each reads one page at the source and stores it, and enqueues the next page in the same
transaction, with where to go on as its argument. A killed worker's page is run again, and finds stored what was
stored. People come first, then groups with their memberships; a held record is tried again by the same chain.
"""

from contextlib import contextmanager, suppress
from datetime import timedelta

from odoo import _, api, fields, models
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tools import SQL

from odoo.addons.queue_job.exception import RetryableJobError
from odoo.addons.spp_base.http.client import AnswerLost, CallError, NotSent
from odoo.addons.spp_base.tools import advisory

from .. import wire
from ..store import Store
from ..wire.records import Page
from ..wire.rest import REGISTRY_PATH
from ..wire.session import LOGIN_PATH, LOGOUT_PATH
from .spp_mis_held import WORKERS

OPERATORS = (*WORKERS, "admin")  # who runs imports
SCHEDULERS = ("program_manager", "admin")
IMPORT = ("individual", "group")
RETRY = ("held_individual", "held_group", "held_membership")
ATTEMPTS = 4  # to read a page in the middle of an import
PAUSE = timedelta(seconds=30)  # before the second attempt; the third waits twice as long, and so on
UNFINISHED = ("wait_dependencies", "pending", "enqueued", "started")


class MisSource(models.Model):
    _name = "spp.mis.source"
    _description = "Source MIS"
    _order = "name, id"
    _check_company_auto = True

    name = fields.Char(required=True)
    active = fields.Boolean(default=True)
    company_id = fields.Many2one(
        comodel_name="res.company", required=True, default=lambda self: self.env.company
    )
    endpoint_id = fields.Many2one(
        comodel_name="spp.endpoint",
        string="System",
        required=True,
        check_company=True,
        ondelete="restrict",
        domain="[('auth_type', '=', 'session')]",
        help="Address, database, login and password, kept with the other outside systems. "
        "Its authentication is “login once, then a session cookie”.",
    )
    dialect = fields.Selection(
        selection=[("jsonrpc", "Odoo JSON-RPC"), ("rest", "Registry API on a session (OpenG2P 15.0)")],
        required=True,
        default="jsonrpc",
        help="JSON-RPC reads all fields page by page and needs no module at the source. The registry API sends the "
        "whole registry in one answer, without bank codes and without the dates of memberships.",
    )
    login_path = fields.Char(required=True, default=LOGIN_PATH)
    logout_path = fields.Char(required=True, default=LOGOUT_PATH)
    registry_path = fields.Char(required=True, default=REGISTRY_PATH)
    page_size = fields.Integer(
        required=True,
        default=500,
        help="Records stored together; over JSON-RPC also read together, each page in a transaction of its own.",
    )
    unknown_catalogue = fields.Selection(
        selection=[
            ("create", "Create it here"),
            ("hold", "Hold the record until a person decides"),
        ],
        string="Unknown Names",
        required=True,
        default="create",
        help="What to do with a document type, kind of group, role or bank that is not known here by that name. "
        "A gender that is not known always waits for a person.",
    )
    program_ids = fields.Many2many(
        comodel_name="spp.program",
        check_company=True,
        help="Whoever is imported becomes a candidate of these programs, people or groups as the program targets.",
    )
    state = fields.Selection(
        selection=[("paused", "Only by hand"), ("active", "On schedule")],
        string="Schedule",
        required=True,
        default="paused",
        copy=False,
    )
    interval = fields.Integer(string="Every (minutes)", required=True, default=60)
    next_run_at = fields.Datetime(string="Next Import", copy=False)
    last_run_id = fields.Many2one(comodel_name="spp.run", readonly=True, copy=False)
    last_run_state = fields.Selection(related="last_run_id.state", string="Last Result")
    last_run_message = fields.Char(related="last_run_id.message", string="Last Message")
    last_run_counts = fields.Html(related="last_run_id.counts_table", string="Last Counts")
    last_success_at = fields.Datetime(
        string="Last Complete Import", readonly=True, copy=False, help="When one was last read to its end."
    )
    mapping_ids = fields.One2many(
        comodel_name="spp.mis.mapping", inverse_name="source_id", string="Names at the Source"
    )
    open_mapping_count = fields.Integer(compute="_compute_waiting", compute_sudo=True, string="Open Names")
    held_count = fields.Integer(compute="_compute_waiting", compute_sudo=True, string="Held Records")
    registrant_count = fields.Integer(
        compute="_compute_registrant_count", compute_sudo=True, string="Registrants"
    )

    _sql_constraints = [
        ("interval_positive", "CHECK (interval > 0)", "The interval is a number of minutes above zero."),
        ("page_size_range", "CHECK (page_size BETWEEN 1 AND 5000)", "A page holds 1 to 5000 records."),
    ]

    def _compute_waiting(self):
        for count, model, domain in (
            ("held_count", "spp.mis.held", [("state", "=", "waiting")]),
            ("open_mapping_count", "spp.mis.mapping", [("is_open", "=", True)]),
        ):
            groups = self.env[model]._read_group(
                [("source_id", "in", self.ids), *domain], groupby=["source_id"], aggregates=["__count"]
            )
            counts = {source.id: number for source, number in groups}
            for source in self:
                source[count] = counts.get(source._origin.id, 0)

    def _compute_registrant_count(self):
        groups = self.env["spp.registrant.source"]._read_group(
            [("source", "in", [source._code() for source in self])],
            groupby=["source"],
            aggregates=["__count"],
        )
        counts = dict(groups)
        for source in self:
            source.registrant_count = counts.get(source._code(), 0)

    @api.constrains("endpoint_id")
    def _check_endpoint(self):
        for source in self:
            if source.endpoint_id.sudo().auth_type != "session":  # sudo: a condition, nothing is shown
                raise ValidationError(
                    _("%s: the system must be one that we log in to once, with a session.", source.name)
                )

    def action_test_connection(self):
        """Log in, read one record, and say what was found.

        :return: a notification for the web client; its `params` hold the counts, the source's time zone and how many
            seconds its clock is ahead of ours, as far as the source tells them
        :raise UserError: with what is wrong, in plain words
        """
        self.ensure_one()
        self._check_operator()
        try:
            with self.sudo()._reader() as reader:  # sudo: an operator does not read the endpoint
                found, welcome = reader.probe(), reader.welcome
        except (CallError, wire.SourceError) as error:
            raise UserError(error.reason) from None
        told = {
            "people": found.individuals,
            "groups": found.groups,
            "time_zone": welcome.time_zone,
            "server_version": welcome.server_version,
            "clock_ahead": welcome.clock_ahead,
        }
        told = {key: value for key, value in told.items() if value is not None}
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {
                **told,
                "title": _("%s answers", self.name),
                "message": _found_in_words(found, welcome),
                "type": "success",
                "sticky": False,
            },
        }

    def action_import(self):
        """Import everything now, in the background.

        :return: id of the run (spp.run); of the one that is at work already, if there is one
        """
        self.ensure_one()
        self._check_operator()
        return self._start("mis_import", _("Import: %s", self.name), IMPORT[0]).id

    def action_retry_held(self):
        """Try again to store all records that are held.

        :return: id of the run (spp.run); of the one that is at work already, if there is one
        """
        self.ensure_one()
        return self._start_retry()

    def action_resume(self):
        """Import on schedule, beginning as soon as possible."""
        self._check_operator(*SCHEDULERS)
        # sudo: who runs imports need not configure the source
        self.sudo().write({"state": "active", "next_run_at": fields.Datetime.now()})
        return True

    def action_pause(self):
        """Import no longer by itself. An import at work goes on to its end."""
        self._check_operator(*SCHEDULERS)
        self.sudo().write({"state": "paused", "next_run_at": False})  # sudo: as above
        return True

    def action_open_held(self):
        return self._open("spp_mis_importer.action_spp_mis_held", {"search_default_waiting": 1})

    def action_open_mappings(self):
        return self._open("spp_mis_importer.action_spp_mis_mapping", {})

    def action_open_runs(self):
        action = self.env["ir.actions.act_window"]._for_xml_id("spp_base.action_spp_run")
        return {
            **action,
            "domain": [("res_model", "=", self._name), ("res_id", "in", self.ids)],
            "context": {},
        }

    def _open(self, xml_id, context):
        action = self.env["ir.actions.act_window"]._for_xml_id(xml_id)
        return {**action, "domain": [("source_id", "in", self.ids)], "context": context}

    @api.model
    def _cron_mis_import(self):
        """Enqueue the imports that are due."""
        now = fields.Datetime.now()
        for source in self.search([("state", "=", "active"), ("next_run_at", "<=", now)]):
            source.next_run_at = now + timedelta(minutes=source.interval)
            source._start("mis_import", _("Import: %s", source.name), IMPORT[0])

    def _check_operator(self, *roles):
        roles = roles or OPERATORS
        if not self.env.su and not any(self.env.user.has_group(f"spp_base.group_{role}") for role in roles):
            raise AccessError(_("You do not have the role that this needs."))
        self.check_access_rights("read")
        self.check_access_rule("read")

    def _code(self):
        """What spp.registrant.source calls this source."""
        return f"mis:{self._origin.id}"

    def _start_retry(self, held=None):
        """Enqueue another try for these held records, or for all of them."""
        self._check_operator(*WORKERS)
        if held is not None:
            held.check_access_rights("read")
            held.check_access_rule("read")
        name = _("Held records: %s", self.name)
        return self._start("mis_retry", name, RETRY[0], held_ids=None if held is None else held.ids).id

    def _run_retry(self, run):
        """What spp.run calls to try again what failed in `run`."""
        failures = run.sudo().failure_ids  # sudo: ids only; who may retry is checked below
        if run.state == "failed" and run.kind == "mis_import":
            return self.action_import()  # brings what is left, and what was held
        held = self.env["spp.mis.held"].sudo().browse(failures.filtered("res_id").mapped("res_id")).exists()
        return self._start_retry(held.filtered(lambda held: held.state == "waiting").sudo(False))

    def _start(self, kind, name, stage, held_ids=None):
        """Make a run and enqueue its first page; or return the run that is at work."""
        self.env.flush_all()
        # Two that start at once: the second waits, is run again by Odoo, and then finds the run of the first.
        self.env.cr.execute(SQL("SELECT id FROM spp_mis_source WHERE id = %s FOR NO KEY UPDATE", self.id))
        last = self.sudo().last_run_id  # sudo: of another user
        if last.state in ("queued", "running"):
            if self._has_job(last):
                return last.sudo(False)
            last._fail(_("It stopped before its end. What was stored is kept."))
        run = self.env["spp.run"]._queue(kind, name, self)
        self.sudo().last_run_id = run  # sudo: who runs imports need not configure the source
        self._enqueue(run, stage, 0, {}, held_ids)
        return run

    def _has_job(self, run):
        domain = [("identity_key", "=", self._identity(run)), ("state", "in", UNFINISHED)]
        return bool(
            self.env["queue.job"].sudo().search_count(domain, limit=1)
        )  # sudo: jobs are for managers of jobs

    def _identity(self, run):
        return f"spp_mis_importer:{self.id}:{run.id}"

    def _enqueue(self, run, stage, after, counts, held_ids=None, attempt=1):
        self.with_delay(
            description=_("%(run)s, %(stage)s above %(after)s", run=run.name, stage=stage, after=after),
            identity_key=self._identity(run),
            eta=PAUSE * (attempt - 1) if attempt > 1 else None,
        )._job_page(run, stage, after, counts, held_ids, attempt)

    def _job_page(self, run, stage, after, counts, held_ids=None, attempt=1):
        """Job: store one page and enqueue the next.

        :param stage: one of IMPORT or RETRY
        :param after: number of the last record (at the source, or held here) of the page before
        :param counts: what the pages before did
        """
        # sudo: an import writes to people of all areas and compares account numbers; starting it was the user's right
        source, run = self.sudo(), run.sudo()
        with run._alive(), source._alone():
            try:
                page = source._read_page(run, stage, after, held_ids)
            except (CallError, wire.SourceError, UserError) as error:
                reason = getattr(error, "reason", None) or str(error)
                is_begun = (stage, after) != (IMPORT[0], 0)
                if (
                    is_begun
                    and attempt < ATTEMPTS
                    and isinstance(error, NotSent | AnswerLost | wire.SourceDown)
                ):
                    self._enqueue(run, stage, after, counts, held_ids, attempt + 1)
                else:
                    run._fail(reason)
                return
            counts = source._store_page(run, stage, page, counts)
            run._progress(counts["read"])
            following = source._following(stage, page)
            if following:
                self._enqueue(run, *following, counts, held_ids)
            else:
                run._finish(source._conclude(run, stage, counts))

    def _following(self, stage, page):
        """(stage, after) of the page to come, or None."""
        if page.after is not None:
            return stage, page.after
        stages = IMPORT if stage in IMPORT else RETRY
        position = stages.index(stage) + 1
        return (stages[position], 0) if position < len(stages) else None

    @contextmanager
    def _alone(self):
        """Nobody else, in any process, imports from this source during the block."""
        try:
            with advisory.held(self.env.cr.dbname, advisory.key(self._name, self.id)):
                yield
        except advisory.Busy as error:
            raise RetryableJobError(_("Another import of this source is at work."), seconds=30) from error

    @contextmanager
    def _reader(self):
        """A reader that is logged in at the source for the length of the block."""
        endpoint = self.endpoint_id
        login = wire.Login(
            database=endpoint.database or "",
            login=endpoint.login or "",
            password=endpoint._get_secret() or "",
            login_path=self.login_path,
            logout_path=self.logout_path,
        )
        with endpoint._client() as client:
            if self.dialect == "rest":
                reader = wire.RestReader(client, login, self.registry_path)
            else:
                reader = wire.JsonRpcReader(client, login)
            reader.login()
            try:
                yield reader
            finally:
                with suppress(CallError):  # the session ends by itself, too
                    reader.logout()

    def _read_page(self, run, stage, after, held_ids):
        if stage in RETRY:
            return self._read_held(stage.removeprefix("held_"), after, held_ids)
        with self._reader() as reader:
            if (stage, after) == (IMPORT[0], 0):
                found = reader.count()
                if found.individuals is not None and found.groups is not None:
                    run._progress(0, total=found.individuals + found.groups)
            read = reader.individuals if stage == "individual" else reader.groups
            return read(after=after, limit=self.page_size)

    def _read_held(self, kind, after, held_ids):
        """A page of held records, as the source told them."""
        domain = [("source_id", "=", self.id), ("record_kind", "=", kind), ("state", "=", "waiting")]
        domain += [("id", ">", after)] + ([("id", "in", held_ids)] if held_ids is not None else [])
        held = self.env["spp.mis.held"].search(domain, limit=self.page_size, order="id")
        page = Page(after=held[-1:].id if len(held) == self.page_size else None)
        for record in held:
            try:
                page.records.append(wire.parse(kind, record.payload))
            except wire.BadRecord as error:
                page.bad.append(
                    wire.Bad(kind, record.external_id, record.name, str(error), record.payload or {})
                )
        return page

    def _store_page(self, run, stage, page, counts):
        """Store a page; returns the counts with what it did added."""
        store = Store(self)
        tally = store.save_memberships(page) if stage == "held_membership" else store.save(page)
        held = store.hold(tally.troubles, run)
        added = {
            "read": len(page.records) + len(page.bad),
            "created": tally.created,
            "updated": tally.updated,
            "unchanged": tally.unchanged,
            "held": held,
        }
        return {key: counts.get(key, 0) + value for key, value in added.items()}

    def _conclude(self, run, stage, counts):
        """After the last page: candidates of the programs; returns the counts as people read them."""
        labelled = {
            _("Read"): counts["read"],
            _("Created"): counts["created"],
            _("Updated"): counts["updated"],
            _("Unchanged"): counts["unchanged"],
            _("Held"): counts["held"],
        }
        imported = SQL("SELECT partner_id FROM spp_registrant_source WHERE source = %s", self._code())
        programs = self.program_ids.filtered(lambda program: program.state != "closed")
        if programs:
            labelled[_("Candidates added")] = sum(program._add_candidates(imported) for program in programs)
        if stage in IMPORT:
            absent = [("source", "=", self._code()), ("last_seen", "<", run.create_date)]
            labelled[_("No longer at the source")] = self.env["spp.registrant.source"].search_count(absent)
            self.last_success_at = fields.Datetime.now()
        return labelled


def _found_in_words(found, welcome):
    if found.individuals is None or found.groups is None:
        told = [_("We are let in. This source does not tell how many people and groups it has.")]
    else:
        told = [
            _(
                "It has %(people)s people and %(groups)s groups.",
                people=found.individuals,
                groups=found.groups,
            )
        ]
    told.append(_("Its time zone for our login is %s.", welcome.time_zone))
    if welcome.clock_ahead is not None:
        if abs(welcome.clock_ahead) <= 2:
            told.append(_("Its clock and ours agree."))
        elif welcome.clock_ahead > 0:
            told.append(_("Its clock is %s seconds ahead of ours.", welcome.clock_ahead))
        else:
            told.append(_("Its clock is %s seconds behind ours.", -welcome.clock_ahead))
    return " ".join(told)
