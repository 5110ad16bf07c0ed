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
from ..wire.records import Listed, Page
from ..wire.rest import REGISTRY_PATH
from ..wire.session import LOGIN_PATH, LOGOUT_PATH
from .spp_mis_held import WORKERS

OPERATORS = (*WORKERS, "admin")  # who runs imports
SCHEDULERS = ("program_manager", "admin")
IMPORT = ("individual", "group")
RETRY = ("held_individual", "held_group", "held_membership")
FAILED = "refused"  # why a record is held: it cannot be stored as it is
STAMPS = 5  # of so many pages' records are read together
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
        check_company=True,
        ondelete="restrict",
        domain="[('auth_type', '=', 'session')]",
        help="Address, database, login and password, kept with the other outside systems. "
        "Its authentication is “login once, then a session cookie”.",
    )
    dialect = fields.Selection(
        selection=[
            ("jsonrpc", "Odoo JSON-RPC (OpenG2P)"),
            ("suite", "Odoo JSON-RPC (another SPP)"),
            ("rest", "Registry API on a session (OpenG2P 15.0)"),
        ],
        required=True,
        default="jsonrpc",
        help="JSON-RPC reads all fields page by page and needs no module at the source. At another SPP the login needs "
        "the roles Auditor and Finance Officer, for documents and whole account numbers. The registry API sends the "
        "whole registry in one answer, without bank codes and without the dates of memberships.",
    )
    login_path = fields.Char(required=True, default=LOGIN_PATH)
    logout_path = fields.Char(required=True, default=LOGOUT_PATH)
    registry_path = fields.Char(required=True, default=REGISTRY_PATH)
    page_size = fields.Integer(
        required=True,
        default=1000,
        help="Records stored together; over JSON-RPC also read together, each page in a transaction of its own.",
    )
    trust_stamps = fields.Boolean(
        string="Trust Its Stamps",
        default=True,
        help="Over JSON-RPC, a complete import then reads whole only the records that are new, or that have another "
        "stamp than before, themselves or in something that belongs to them. Turn it off for a source that is also "
        "changed without stamps, by SQL: then it reads all records whole.",
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
        "A gender or an area that is not known always waits for a person.",
    )
    empty_overwrites = fields.Boolean(
        help="What the source once said and now leaves empty is emptied here, too. Otherwise the last value stays.",
    )
    conflict_policy = fields.Selection(
        selection=[
            ("source", "The source wins"),
            ("ours", "What is here wins"),
            ("ask", "A person decides"),
        ],
        string="Changed Here and There",
        required=True,
        default="ask",
        help="A value that was edited here and that the source changes, too. All are listed under Conflicts. Until a "
        "person decides, what is here stays.",
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
    full_interval = fields.Integer(
        string="Complete Every (hours)",
        required=True,
        default=24,
        help="In between only what changed is read. A complete import also finds who is no longer there.",
    )
    overlap = fields.Integer(
        string="Overlap (minutes)",
        required=True,
        default=15,
        help="Changes are read from this long before the newest stamp of the import before: a long transaction at the "
        "source may become visible later than it is stamped.",
    )
    payload_days = fields.Integer(
        string="Forget After (days)",
        required=True,
        default=90,
        help="What the source said of a held record, and previews, are deleted then.",
    )
    watermark = fields.Datetime(
        string="Read Up To",
        readonly=True,
        copy=False,
        help="The newest stamp of the source, by its own clock, in UTC.",
    )
    last_full_at = fields.Datetime(string="Last Full Reconcile", readonly=True, copy=False)
    names_settled = fields.Boolean(
        readonly=True, copy=False, help="Names have got a meaning; what waited for them is tried again soon."
    )
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
    conflict_count = fields.Integer(
        compute="_compute_waiting", compute_sudo=True, string="Conflicts to Decide"
    )
    absent_count = fields.Integer(
        compute="_compute_registrant_count", compute_sudo=True, string="No Longer There"
    )
    held_count = fields.Integer(compute="_compute_waiting", compute_sudo=True, string="Held Records")
    registrant_count = fields.Integer(
        compute="_compute_registrant_count", compute_sudo=True, string="Registrants"
    )

    _sql_constraints = [
        ("interval_positive", "CHECK (interval > 0)", "The interval is a number of minutes above zero."),
        (
            "full_interval_positive",
            "CHECK (full_interval > 0)",
            "The interval is a number of hours above zero.",
        ),
        ("overlap_not_negative", "CHECK (overlap >= 0)", "The overlap cannot be negative."),
        ("payload_days_positive", "CHECK (payload_days > 0)", "Keep what is held for a day at least."),
        ("page_size_range", "CHECK (page_size BETWEEN 1 AND 5000)", "A page holds 1 to 5000 records."),
    ]

    def _compute_waiting(self):
        for count, model, domain in (
            ("held_count", "spp.mis.held", [("state", "=", "waiting")]),
            ("open_mapping_count", "spp.mis.mapping", [("is_open", "=", True)]),
            ("conflict_count", "spp.mis.conflict", [("state", "=", "open")]),
        ):
            groups = self.env[model]._read_group(
                [("source_id", "in", self.ids), *domain], groupby=["source_id"], aggregates=["__count"]
            )
            counts = {source.id: number for source, number in groups}
            for source in self:
                source[count] = counts.get(source._origin.id, 0)

    def _compute_registrant_count(self):
        of_these = [("source", "in", [source._code() for source in self])]
        for count, more in (("registrant_count", []), ("absent_count", [("absent_since", "!=", False)])):
            counts = dict(
                self.env["spp.registrant.source"]._read_group(
                    of_these + more, groupby=["source"], aggregates=["__count"]
                )
            )
            for source in self:
                source[count] = counts.get(source._code(), 0)

    @api.constrains("endpoint_id", "dialect")
    def _check_endpoint(self):
        for source in self:
            if source.dialect == "file":
                continue
            if not source.endpoint_id:
                raise ValidationError(_("%s: name the system to import from.", source.name))
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
        """Import what changed, or everything where a complete import is due, in the background.

        :return: id of the run (spp.run); of the one that is at work already, if there is one
        """
        self.ensure_one()
        self._check_operator()
        return self._start_import().id

    def action_import_all(self):
        """Import everything, in the background; who is no longer at the source is found out, too.

        :return: id of the run (spp.run); of the one that is at work already, if there is one
        """
        self.ensure_one()
        self._check_operator()
        return self._start_import(is_full=True).id

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

    def action_open_conflicts(self):
        return self._open("spp_mis_importer.action_spp_mis_conflict", {"search_default_open": 1})

    def action_open_absent(self):
        action = self.env["ir.actions.act_window"]._for_xml_id("spp_mis_importer.action_spp_mis_absent")
        absent = [("source", "in", [source._code() for source in self]), ("absent_since", "!=", False)]
        return {**action, "domain": absent}

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
            source._start_import()
        for source in self.search([("names_settled", "=", True)]):
            source._retry_settled()

    @api.model
    def _cron_mis_purge(self):
        """Forget what the sources said of records that nobody settled, and old previews."""
        for source in self.with_context(active_test=False).search([("payload_days", ">", 0)]):
            self.env["spp.mis.held"]._purge(source)
            self.env["spp.mis.preview"]._purge(source)

    def _names_settled(self):
        """Names have got a meaning: try what waited for them."""
        sources = self.sudo()  # sudo: who settles a name need not configure the source
        sources.names_settled = True
        for source in sources:
            source._retry_settled()

    def _retry_settled(self):
        """Try what waited for names that have a meaning now; later, if an import is at work."""
        if self.last_run_id.state in ("queued", "running") and self._has_job(self.last_run_id):
            return
        waiting = [("source_id", "=", self.id), ("state", "=", "waiting"), ("cause", "=", "name")]
        held = self.env["spp.mis.held"].search(waiting)
        self.names_settled = False
        if held:
            self._start("mis_retry", _("Held records: %s", self.name), RETRY[0], held_ids=held.ids)

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

    def _start_import(self, is_full=False):
        source = self.sudo()  # sudo: stamps, of no interest to a person
        since = None
        if not is_full and source.watermark and source.last_full_at:
            if source.last_full_at + timedelta(hours=source.full_interval) > fields.Datetime.now():
                since = source.watermark - timedelta(minutes=source.overlap)
        scope = {"since": since and fields.Datetime.to_string(since)}
        name = _("Changes: %s", self.name) if since else _("Import: %s", self.name)
        return self._start("mis_import", name, IMPORT[0], scope=scope)

    def _start(self, kind, name, stage, held_ids=None, scope=None):
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
        self._enqueue(run, stage, 0, {}, held_ids, scope=scope)
        return run

    def _has_job(self, run):
        domain = [("identity_key", "=", self._identity(run)), ("state", "in", UNFINISHED)]
        return bool(
            self.env["queue.job"].sudo().search_count(domain, limit=1)
        )  # sudo: jobs are for managers of jobs

    def _identity(self, run):
        return f"spp_mis_importer:{self.id}:{run.id}"

    def _enqueue(self, run, stage, after, counts, held_ids=None, attempt=1, scope=None):
        self.with_delay(
            description=_("%(run)s, %(stage)s above %(after)s", run=run.name, stage=stage, after=after),
            identity_key=self._identity(run),
            eta=PAUSE * (attempt - 1) if attempt > 1 else None,
        )._job_page(run, stage, after, counts, held_ids, attempt, scope)

    def _job_page(self, run, stage, after, counts, held_ids=None, attempt=1, scope=None):
        """Job: store one page and enqueue the next.

        :param stage: one of IMPORT or RETRY
        :param after: number of the last record (at the source, or held here) of the page before
        :param counts: what the pages before did
        :param scope: {"since": moment in UTC, or None to read everything; "newest": the source's newest stamp when
            the import began, "complete": whether everybody is read}
        """
        scope = scope or {}
        # sudo: an import writes to people of all areas and compares account numbers; starting it was the user's right
        source, run = self.sudo(), run.sudo()
        with run._alive(), source._alone():
            try:
                page, scope = source._read_page(run, stage, after, held_ids, scope)
            except (CallError, wire.SourceError, UserError) as error:
                reason = getattr(error, "reason", None) or str(error)
                is_begun = (stage, after) != (IMPORT[0], 0)
                if (
                    is_begun
                    and attempt < ATTEMPTS
                    and isinstance(error, NotSent | AnswerLost | wire.SourceDown)
                ):
                    self._enqueue(run, stage, after, counts, held_ids, attempt + 1, scope)
                else:
                    run._fail(reason)
                return
            counts = source._store_page(run, stage, page, counts)
            run._progress(counts["read"])
            following = source._following(stage, page)
            if following:
                self._enqueue(run, *following, counts, held_ids, scope=scope)
            else:
                run._finish(*source._conclude(run, stage, counts, scope))

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
                readers = {"jsonrpc": wire.JsonRpcReader, "suite": wire.SuiteReader}
                settled = timedelta(minutes=max(self.overlap, 1))
                reader = readers[self.dialect](client, login, settled=settled)
            reader.login()
            try:
                yield reader
            finally:
                with suppress(CallError):  # the session ends by itself, too
                    reader.logout()

    def _read_page(self, run, stage, after, held_ids, scope):
        """(page, scope) of what is read; the first page of an import finds out what the scope is."""
        if stage in RETRY:
            return self._read_held(stage.removeprefix("held_"), after, held_ids), scope
        since = fields.Datetime.to_datetime(scope.get("since"))
        with self._reader() as reader:
            if (stage, after) == (IMPORT[0], 0):
                # Before anything is read: what changes while we read is newer, and comes next time.
                newest = reader.newest()
                scope = {
                    **scope,
                    "newest": newest and newest.strftime("%Y-%m-%d %H:%M:%S"),
                    "complete": not since if reader.reads_all is None else reader.reads_all,
                }
                found = reader.count()
                if scope["complete"] and found.individuals is not None and found.groups is not None:
                    run._progress(0, total=found.individuals + found.groups)
                scope["by_stamps"] = bool(
                    scope["complete"] and self.trust_stamps and self._has_stamps(reader)
                )
            if scope.get("by_stamps"):
                return self._read_moved(reader, stage, after), scope
            read = reader.individuals if stage == "individual" else reader.groups
            return read(after=after, limit=self.page_size, since=since), scope

    def _has_stamps(self, reader):
        """Whether there are stamps to compare with those of the source."""
        stamped = [("source", "=", self._code()), ("stamps", "!=", False)]
        return hasattr(reader, "stamps") and self.env["spp.registrant.source"].search_count(stamped, limit=1)

    def _read_moved(self, reader, kind, after):
        """A page of a complete reading: all are listed, and those whose stamps moved are read whole."""
        prints, following = reader.stamps(kind, after=after, limit=self.page_size * STAMPS)
        moved = Store(self).moved(kind, prints)
        if len(moved) > self.page_size:  # more than are stored together: the page ends earlier
            following = moved[self.page_size - 1]
            moved = moved[: self.page_size]
            prints = {number: told for number, told in prints.items() if number <= following}
        page = reader.whole(kind, moved) if moved else Page()
        page.after = following
        page.unmoved = [f"{kind}:{number}" for number in prints.keys() - set(moved)]
        page.listed = Listed(list(prints), after, following)
        return page

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
        store.hold(tally.troubles, run)
        if stage in IMPORT:
            store.note_listed(stage, page.listed, run)
        troubles = {trouble["external_id"]: trouble["cause"] for trouble in tally.troubles}
        failed = sum(cause == FAILED for cause in troubles.values())
        added = {
            "read": len(page.records) + len(page.bad) + len(page.unmoved),
            "created": tally.created,
            "updated": tally.updated,
            "unchanged": tally.unchanged,
            "held": len(troubles) - failed,
            "failed": failed,
        }
        return {key: counts.get(key, 0) + value for key, value in added.items()}

    def _conclude(self, run, stage, counts, scope):
        """After the last page: candidates of the programs, who is gone; returns the counts as people read them, and
        a message."""
        labelled = {
            _("Read"): counts["read"],
            _("Created"): counts["created"],
            _("Updated"): counts["updated"],
            _("Unchanged"): counts["unchanged"],
            _("Held"): counts["held"],
            _("Failed"): counts["failed"],
        }
        message = ""
        imported = SQL("SELECT partner_id FROM spp_registrant_source WHERE source = %s", self._code())
        programs = self.program_ids.filtered(lambda program: program.state != "closed")
        added = sum(program._add_candidates(imported) for program in programs)
        mapped = self.mapping_ids.filtered(lambda one: one.program_id and one.program_id.state != "closed")
        added += sum(one.program_id._add_candidates(one._in_program()) for one in mapped)
        if programs or mapped:
            labelled[_("Candidates added")] = added
        if stage in IMPORT:
            self.last_success_at = fields.Datetime.now()
            if scope.get("newest"):
                self.watermark = scope["newest"]
            if scope.get("complete", True):
                self.last_full_at = run.create_date
                gone, ended, message = self._part(run)
                labelled[_("No longer at the source")] = gone
                labelled[_("Memberships ended")] = ended
        self.env["spp.audit.entry"]._log("Import from another MIS", self, new=labelled, run=run, note=message)
        return labelled, message

    def _part(self, run):
        """After everybody was read: note who was not there, and end the places that are gone at the source.

        :return: how many registrants are gone, how many places were ended, and why none were
        """
        code, today = self._code(), fields.Date.context_today(self)
        Known = self.env["spp.registrant.source"]
        unlisted = [("source", "=", code), ("unlisted_by_id", "=", run.id)]
        gone, known = Known.search_count(unlisted), Known.search_count([("source", "=", code)])
        if gone > known / 2:
            return (
                gone,
                0,
                _("More than half of the registrants are no longer there: no membership was ended."),
            )
        Known.search(unlisted + [("absent_since", "=", False)]).write({"absent_since": today})
        Known.flush_model()
        self.env["spp.group.membership"].flush_model()
        self.env.cr.execute(
            SQL(
                """
                SELECT place.id
                  FROM spp_registrant_source AS household
                 CROSS JOIN LATERAL jsonb_array_elements_text(
                       CASE WHEN household.absent_since IS NULL THEN household.said -> 'gone'
                            ELSE (SELECT jsonb_agg(number) FROM jsonb_object_keys(household.said -> 'm') number)
                        END) AS gone (number)
                  JOIN spp_registrant_source AS person
                    ON person.source = household.source AND person.external_id = 'individual:' || gone.number
                  JOIN spp_group_membership AS place
                    ON place.group_id = household.partner_id AND place.individual_id = person.partner_id
                   AND place.ended IS NULL
                 WHERE household.source = %s AND household.said IS NOT NULL
                """,
                code,
            )
        )
        places = self.env["spp.group.membership"].browse(place_id for (place_id,) in self.env.cr.fetchall())
        for day, those in places.grouped(lambda place: max(place.start or today, today)).items():
            those.write({"ended": day})
        dealt_with = SQL("source = %s AND said -> 'gone' <> '[]'", code)
        self.env.cr.execute(SQL("SELECT FROM spp_registrant_source WHERE %s LIMIT 1", dealt_with))
        if self.env.cr.rowcount:
            self.env.cr.execute(
                SQL("UPDATE spp_registrant_source SET said = said - 'gone' WHERE %s", dealt_with)
            )
        Known.invalidate_model()
        return gone, len(places), ""


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
