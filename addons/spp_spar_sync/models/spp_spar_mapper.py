"""A SPAR mapper this system keeps in step with, and what an id and an account look like there."""

import hashlib
from collections import namedtuple
from datetime import UTC, datetime
from uuid import uuid4

from odoo import SUPERUSER_ID, _, api, fields, models
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tools import SQL, split_every

from odoo.addons.spp_base.http import CallError

from ..drain import Drain
from ..wire import DIALECTS, Recipe, TemplateError, Verdict, check_template, fill
from .spp_spar_change import OPEN_STATES, STATES

IDS_PER_JOB = 1000
IDS_PER_CALL = 100  # a mapper looks ids up one by one, and answers only when it has them all
RECORDED_AT_ONCE = 1000
ID_NAMES = {"value"}
FA_FIELDS = {
    "bank": "fa_bank",
    "iban": "fa_iban",
    "mobile_wallet": "fa_mobile_wallet",
    "email_wallet": "fa_email_wallet",
}
STRATEGY_FIELDS = {kind: f"strategy_{kind}" for kind in FA_FIELDS}
# What a new SPAR 2.x comes with. A bank account by the strategy that a G2P Bridge can read.
STRATEGIES_2 = {"bank": 5, "iban": 5, "mobile_wallet": 4, "email_wallet": 3}
MAKES_STRINGS = {
    "dialect", "identity_type_id", "id_template", "provider_default", "branch", "active", *FA_FIELDS.values(),
    *STRATEGY_FIELDS.values(),
}  # fmt: skip

Wanted = namedtuple("Wanted", "spar_id account_id fa reason strategy_id print", defaults=("", "", 0, ""))


class SparMapper(models.Model):
    _name = "spp.spar.mapper"
    _description = "SPAR Mapper"
    _order = "name"

    name = fields.Char(required=True)
    active = fields.Boolean(default=True, help="Archive it to stop queuing changes; what is queued stays.")
    company_id = fields.Many2one(
        comodel_name="res.company", required=True, default=lambda self: self.env.company
    )
    endpoint_id = fields.Many2one(
        comodel_name="spp.endpoint",
        required=True,
        ondelete="restrict",
        help="Where the mapper is, and how this system logs in there.",
    )
    endpoint_paused = fields.Boolean(related="endpoint_id.paused")
    endpoint_pause_reason = fields.Char(related="endpoint_id.pause_reason")
    dialect = fields.Selection(
        selection=[("1.1", "SPAR 1.x (G2P Connect envelope)"), ("2.x", "SPAR 2.x (typed accounts)")],
        required=True,
        default="1.1",
        help="The two generations of SPAR do not understand each other's messages.",
    )
    path_prefix = fields.Char(
        string="Path",
        required=True,
        compute="_compute_of_dialect",
        store=True,
        readonly=False,
        precompute=True,
        help="Where link, update, unlink and resolve are, behind the endpoint's address: /sync in SPAR 1.x, /mapper in "
        "2.x. Where the operation is not at the end, write {operation} in its place.",
    )
    sender_id = fields.Char(
        string="Sender ID",
        required=True,
        default="spp-registry",
        help="The name SPAR knows this system by. Our certificate is registered there under it: PARTNER_SPP_REGISTRY "
        "for spp-registry.",
    )
    sender_url = fields.Char(
        string="Sender URL", help="This system's address, told along in each message. SPAR does not call it."
    )
    receiver_id = fields.Char(string="Receiver ID", required=True, default="spar")
    signature_form = fields.Selection(related="endpoint_id.signature_form")
    signing_key_id = fields.Many2one(related="endpoint_id.signing_key_id")
    certificate_file = fields.Binary(
        related="endpoint_id.signing_key_id.certificate_file", string="Certificate"
    )
    certificate_name = fields.Char(related="endpoint_id.signing_key_id.certificate_name")
    signature_hint = fields.Char(compute="_compute_signature_hint")
    identity_type_id = fields.Many2one(
        comodel_name="spp.identity.type",
        string="Document",
        required=True,
        ondelete="restrict",
        help="The document whose value makes a registrant's SPAR ID. Who has none is listed as such.",
    )
    id_template = fields.Char(
        string="ID string",
        required=True,
        default="token:{value}@nationalId",
        help="{value} is the document's value. Every channel must write the same string for one person.",
    )
    fa_bank = fields.Char(
        string="Bank account",
        required=True,
        default="account:{number}@{bic}",
        help="{number}, {bic} and {provider} may be used. {provider} is the provider's code (BIC), or the "
        "default below where it has none.",
    )
    fa_iban = fields.Char(string="IBAN", required=True, default="iban:{number}@{bic}")
    fa_mobile_wallet = fields.Char(
        string="Mobile wallet", required=True, default="mobile:{number}@{provider}"
    )
    fa_email_wallet = fields.Char(string="E-mail wallet", required=True, default="email:{number}@{provider}")
    strategy_bank = fields.Integer(
        string="Strategy: bank account",
        compute="_compute_of_dialect",
        store=True,
        readonly=False,
        precompute=True,
        help="The number, in SPAR's own configuration, of the strategy that makes the string of such an account. "
        "SPAR 2.x needs it: 2 in a new installation, or 5 where a G2P Bridge reads the strings. 1.x is told it where "
        "it is not 0.",
    )
    strategy_iban = fields.Integer(
        string="Strategy: IBAN", compute="_compute_of_dialect", store=True, readonly=False, precompute=True
    )
    strategy_mobile_wallet = fields.Integer(
        string="Strategy: mobile wallet",
        compute="_compute_of_dialect",
        store=True,
        readonly=False,
        precompute=True,
    )
    strategy_email_wallet = fields.Integer(
        string="Strategy: e-mail wallet",
        compute="_compute_of_dialect",
        store=True,
        readonly=False,
        precompute=True,
    )
    branch = fields.Char(
        required=True,
        default="XXX",
        help="SPAR 2.x wants the branch of a bank account; the registry has none. XXX is the head office in a BIC.",
    )
    provider_default = fields.Char(
        string="Default provider", help="Stands for {provider} where an account's provider has no code."
    )
    settle_seconds = fields.Integer(
        string="Wait after a lost answer (s)",
        required=True,
        default=60,
        help="The longest time the mapper may take to carry out a request. After an answer is lost, nothing is "
        "written for that ID until it is over; after a fault the first retry waits as long.",
    )
    ask_seconds = fields.Integer(
        string="Answer within (s)",
        required=True,
        default=3,
        help="How long a person who opens a registrant waits for SPAR at most.",
    )
    sample_size = fields.Integer(
        string="Daily check",
        default=100,
        help="So many confirmed accounts, drawn by lot, are looked up at SPAR each day. 0: none.",
    )
    fresh_hours = fields.Integer(
        string="Ask again after (h)",
        required=True,
        default=24,
        help="What SPAR confirmed longer ago is asked for again before it is paid to. 0: once confirmed is enough.",
    )
    shared_most = fields.Integer(
        string="People per account",
        default=5,
        help="An account that more people share is flagged. 0: any number may.",
    )
    changed_days = fields.Integer(
        string="Days after a change",
        default=7,
        help="For so long an account is flagged that took the place of another one at SPAR. 0: not at all.",
    )
    sampled_at = fields.Datetime(string="Last check", readonly=True, copy=False)
    sampled_count = fields.Integer(string="Looked up", readonly=True, copy=False)
    sampled_differ = fields.Integer(
        string="Differed",
        readonly=True,
        copy=False,
        help="So many were not what SPAR had confirmed. They are looked at again, and are conflicts then.",
    )
    sampled_problem = fields.Char(string="Check not made", readonly=True, copy=False)
    waiting_count = fields.Integer(string="Waiting", compute="_compute_counts", compute_sudo=True)
    oldest_waiting_at = fields.Datetime(string="Oldest waiting", compute="_compute_counts", compute_sudo=True)
    retry_count = fields.Integer(
        string="Tried and waiting",
        compute="_compute_counts",
        compute_sudo=True,
        help="Changes that were tried at least once and wait for their next try.",
    )
    conflict_count = fields.Integer(string="Conflicts", compute="_compute_counts", compute_sudo=True)
    failed_count = fields.Integer(string="Refused", compute="_compute_counts", compute_sudo=True)
    attention_count = fields.Integer(string="Need a person", compute="_compute_counts", compute_sudo=True)

    _sql_constraints = [
        ("settle_seconds_positive", "CHECK (settle_seconds > 0)", "The wait must be longer than 0 seconds."),
        ("ask_seconds_positive", "CHECK (ask_seconds > 0)", "An answer takes more than 0 seconds."),
        (
            "sample_size_not_negative",
            "CHECK (sample_size >= 0)",
            "The daily check looks up 0 accounts or more.",
        ),
        (
            "one_per_company",
            "EXCLUDE USING btree (company_id WITH =) WHERE (active)",
            "A company has one active SPAR mapper: an account can be kept in step with one only.",
        ),
    ]

    @api.depends("dialect")
    def _compute_of_dialect(self):
        for mapper in self:
            dialect = DIALECTS[mapper.dialect or "1.1"]
            mapper.path_prefix = dialect.default_path
            for kind, name in STRATEGY_FIELDS.items():
                mapper[name] = STRATEGIES_2[kind] if dialect.needs_strategy else 0

    @api.depends("dialect", "endpoint_id.signature_form", "sender_id")
    def _compute_signature_hint(self):
        for mapper in self:
            wanted = "sorted" if mapper.dialect == "2.x" else "as_sent"
            form = mapper.endpoint_id.signature_form
            if not form:
                mapper.signature_hint = _(
                    "Messages are not signed. SPAR asks for signatures; see the endpoint."
                )
            elif form != wanted:
                mapper.signature_hint = _(
                    "The endpoint signs the other generation's form of the messages: SPAR will refuse accented names."
                )
            else:
                partner = "PARTNER_" + (mapper.sender_id or "").upper().replace("-", "_")
                mapper.signature_hint = _("SPAR must have our certificate under %s.", partner)

    def _compute_counts(self):
        changes = self.env["spp.spar.change"]
        changes._record_edited()
        counts = {
            (mapper.id, state): (count, oldest)
            for mapper, state, count, oldest in changes._read_group(
                [("mapper_id", "in", self.ids)],
                ["mapper_id", "state"],
                ["__count", "create_date:min"],
            )
        }
        for mapper in self:
            of = {state: counts.get((mapper.id, state), (0, False)) for state in dict(STATES)}
            waiting = [of[state] for state in OPEN_STATES]
            mapper.waiting_count = sum(count for count, _oldest in waiting)
            mapper.oldest_waiting_at = min((oldest for _count, oldest in waiting if oldest), default=False)
            mapper.retry_count = of["retry"][0]
            mapper.conflict_count = of["conflict"][0]
            mapper.failed_count = of["failed"][0]
            mapper.attention_count = mapper.conflict_count + mapper.failed_count

    @api.constrains("id_template", "dialect", *FA_FIELDS.values(), *STRATEGY_FIELDS.values())
    def _check_templates(self):
        for mapper in self:
            dialect = DIALECTS[mapper.dialect]
            checks = [
                ("id_template", lambda mapper=mapper: check_template(mapper.id_template, ID_NAMES, ["value"]))
            ]
            checks += [
                (
                    STRATEGY_FIELDS[kind] if dialect.needs_strategy else FA_FIELDS[kind],
                    lambda dialect=dialect, mapper=mapper, kind=kind: dialect.check_recipe(
                        mapper._recipe(kind)
                    ),
                )
                for kind in FA_FIELDS
            ]
            for name, check in checks:
                try:
                    check()
                except TemplateError as error:
                    raise ValidationError(
                        _("%(field)s: %(error)s", field=self._fields[name].string, error=error)
                    ) from None

    @api.model_create_multi
    def create(self, vals_list):
        mappers = super().create(vals_list)
        mappers._enqueue_catch_up()
        return mappers

    def write(self, vals):
        result = super().write(vals)
        if MAKES_STRINGS.intersection(vals):
            self._enqueue_catch_up()
        return result

    # Actions

    def action_test_connection(self):
        """Resolve an id that cannot exist and say in plain words what came of it."""
        self.ensure_one()
        self.check_access_rights("write")
        try:
            (outcome,) = self._ask([f"test:{uuid4()}@connection"]).values()
        except CallError as error:
            raise UserError(error.reason) from None
        if outcome.verdict is not Verdict.DONE or outcome.found:
            raise UserError(" ".join(filter(None, [outcome.reason, outcome.code and f"({outcome.code})"])))
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {
                "type": "success",
                "title": _("SPAR answers"),
                "message": _("The mapper was asked for an ID that does not exist, and said so."),
            },
        }

    def action_drain(self):
        """Send what waits, now and not at its next try. Returns how many changes are waiting."""
        self._check_may_run()
        changes = self.env["spp.spar.change"].sudo()  # a count, for callers who may not read the outbox
        changes._record_edited()
        self.env.flush_all()
        now = fields.Datetime.now()
        # Not those whose answer was lost: before they are asked for, the mapper gets its time.
        self.env.cr.execute(
            SQL(
                """
                UPDATE spp_spar_change SET next_try_at = %s
                 WHERE mapper_id = ANY(%s) AND state IN ('pending', 'retry') AND lost_at IS NULL AND next_try_at > %s
                """,
                now,
                self.ids,
                now,
            )
        )
        changes.invalidate_model(["next_try_at"])
        self._enqueue_drain()
        return changes.search_count([("mapper_id", "in", self.ids), ("state", "in", ("pending", "retry"))])

    def action_catch_up(self):
        """Compare every registrant with what was queued, and queue what is missing."""
        self._check_may_run()
        self._enqueue_catch_up()
        return True

    def action_pause(self, reason):
        """Send nothing from now on, until somebody resumes. Everything stays queued, in order."""
        self._check_may_run()
        reason = (reason or "").strip()
        if not reason:
            raise UserError(_("Give the reason: it is shown to whoever asks why nothing is sent."))
        for mapper in self.sudo():  # the endpoint is the administrator's; who sends may stop and go on
            mapper.endpoint_id._pause(_("%(user)s: %(reason)s", user=self.env.user.name, reason=reason))
            self.env["spp.audit.entry"]._log("SPAR paused", mapper, note=reason)
        return True

    def action_open_pause(self):
        """Ask why nothing shall be sent."""
        self.ensure_one()
        self._check_may_run()
        return {
            "type": "ir.actions.act_window",
            "name": _("Pause"),
            "res_model": "spp.spar.pause",
            "view_mode": "form",
            "target": "new",
            "context": {"default_mapper_id": self.id},
        }

    def action_resume(self):
        """Send again, in order, from where it stopped."""
        self._check_may_run()
        for mapper in self.sudo():  # as in action_pause
            mapper.endpoint_id.action_resume()
            self.env["spp.audit.entry"]._log("SPAR resumed", mapper)
            mapper._enqueue_drain()
        return True

    def action_check_sample(self):
        """Look up some confirmed accounts at SPAR now, drawn by lot, as the daily check does."""
        self._check_may_run()
        self._enqueue_sample()
        return True

    def status(self):
        """Counts of changes by state, registrants without a SPAR id (`no_id`), since when the oldest change waits
        (`oldest`, "" if none does), and why the endpoint is paused (`paused`, "" if it is not)."""
        self.check_access_rights("read")
        self.check_access_rule("read")
        changes = self.env["spp.spar.change"].sudo()  # counts only, for callers who may not read the outbox
        changes._record_edited()
        counts = dict.fromkeys(dict(changes._fields["state"].selection), 0)
        domain = [("mapper_id", "in", self.ids)]
        counts.update({state: count for state, count in changes._read_group(domain, ["state"], ["__count"])})
        accounts = self.env["spp.payment.account"].sudo()
        counts["no_id"] = accounts.search_count([("spar_state", "=", "no_id")])
        mappers = self.sudo()
        oldest = min((m.oldest_waiting_at for m in mappers if m.oldest_waiting_at), default=None)
        counts["oldest"] = fields.Datetime.to_string(oldest) if oldest else ""
        counts["paused"] = next((m.endpoint_pause_reason or "" for m in self if m.endpoint_paused), "")
        return counts

    # Queuing

    def _record(self, partner_ids):
        """Queue the changes of these registrants: what SPAR should hold, against what was queued last."""
        self.ensure_one()
        held = self._held(partner_ids)
        wanted = self._wanted(partner_ids)
        gone = [
            (last["partner_id"], "unset", Wanted(last["spar_id"], last["account_id"]))
            for last in held
            if last["op"] == "set"
            and getattr(wanted.get(last["partner_id"]), "spar_id", "") != last["spar_id"]
        ]
        last_of = {(last["partner_id"], last["spar_id"]): last for last in held if last["op"] == "set"}
        come = [
            (partner_id, "set", want)
            for partner_id, want in wanted.items()
            if not _same(want, last_of.get((partner_id, want.spar_id)))
        ]
        removals = self._queue(gone)
        after = {change.partner_id.id: change.id for change in removals}
        # What takes the place of a change that still waits for another ID waits for it as well.
        after |= {
            partner_id: last_of[partner_id, want.spar_id]["waits_for"]
            for partner_id, _op, want in come
            if partner_id not in after and last_of.get((partner_id, want.spar_id), {}).get("waits_for")
        }
        changes = removals | self._queue(come, after)
        if changes:
            changes._states_changed()
            self._enqueue_drain()

    def _held(self, partner_ids):
        """The newest change of each (registrant, SPAR id)."""
        changes = self.env["spp.spar.change"]
        changes.flush_model()
        self.env.cr.execute(
            SQL(
                """
                SELECT DISTINCT ON (change.partner_id, change.spar_id)
                       change.partner_id, change.spar_id, change.account_id, change.op, change.target_fa,
                       change.state, change.reason, before.id AS waits_for
                  FROM spp_spar_change change
             LEFT JOIN spp_spar_change before
                    ON before.id = change.after_id AND before.state NOT IN ('done', 'superseded')
                 WHERE change.mapper_id = %s AND change.partner_id = ANY(%s)
                 ORDER BY change.partner_id, change.spar_id, change.seq DESC
                """,
                self.id,
                list(partner_ids),
            )
        )
        return self.env.cr.dictfetchall()

    def _wanted(self, partner_ids):
        """{registrant: Wanted} for those who have a document and a primary account, in one query."""
        recipes = {kind: self._recipe(kind) for kind in FA_FIELDS}
        for name in ("res.partner", "res.bank", "spp.payment.account", "spp.identity.document"):
            self.env[name].flush_model()
        self.env.cr.execute(
            SQL(
                """
                SELECT partner.id, document.value, account.id, account.kind, account.number, bank.bic, bank.name
                  FROM res_partner partner
                  JOIN spp_payment_account account
                    ON account.partner_id = partner.id AND account.is_primary AND account.state = 'active'
                  LEFT JOIN res_bank bank ON bank.id = account.provider_id
                  JOIN LATERAL (
                       SELECT value FROM spp_identity_document
                        WHERE partner_id = partner.id AND type_id = %s AND state = 'valid'
                        ORDER BY id LIMIT 1
                       ) document ON TRUE
                 WHERE partner.id = ANY(%s) AND (partner.company_id IS NULL OR partner.company_id = %s)
                """,
                self.identity_type_id.id,
                list(partner_ids),
                self.company_id.id,
            )
        )
        wanted = {}
        for partner_id, value, account_id, kind, number, bic, name in self.env.cr.fetchall():
            try:
                spar_id = fill(self.id_template, {"value": value})
            except TemplateError:
                continue  # as good as no document; the work list shows the account
            fa, reason = self._fa(kind, number, bic, name, recipes[kind])
            account = hashlib.sha256(f"{kind}|{bic}|{number}".encode()).hexdigest()
            wanted[partner_id] = Wanted(spar_id, account_id, fa, reason, recipes[kind].strategy_id, account)
        return wanted

    def _spar_id(self, partner):
        """The SPAR ID of a registrant, "" without the document that makes it."""
        self.env["spp.identity.document"].flush_model()
        document = self.env["spp.identity.document"].search(
            [
                ("partner_id", "=", partner.id),
                ("type_id", "=", self.identity_type_id.id),
                ("state", "=", "valid"),
            ],
            order="id",
            limit=1,
        )
        try:
            return fill(self.id_template, {"value": document.value})
        except TemplateError:
            return ""

    def _recipe(self, kind):
        return Recipe(self[FA_FIELDS[kind]], self[STRATEGY_FIELDS[kind]], self.branch)

    def _fa(self, kind, number, bic, name, recipe):
        """(account as the dialect writes it, "") or ("", why there is none)."""
        values = {"number": number, "bic": bic, "provider": bic or self.provider_default, "name": name}
        labels = {
            "number": _("account number"),
            "bic": _("provider's code (BIC)"),
            "provider": _("provider's code (BIC)"),
            "name": _("provider's name"),
        }
        try:
            return DIALECTS[self.dialect].account(kind, values, recipe, labels), ""
        except TemplateError as error:
            return "", str(error)

    def _queue(self, rows, after=None):
        """One change per row (registrant, op, Wanted); `after` has the change that a registrant's must wait for."""
        dialect = DIALECTS[self.dialect]
        now = fields.Datetime.now()
        seqs = self.env["spp.spar.counter"]._take(self, [row[2].spar_id for row in rows]) if rows else []
        vals_list = []
        for seq, (partner_id, op, want) in zip(seqs, rows, strict=True):
            reference_id = str(uuid4())
            waits_for = (after or {}).get(partner_id)
            item = dialect.item(reference_id, self._timestamp(), want.spar_id, want.fa, want.strategy_id)
            reason = want.reason or (waits_for and _("Waits until the former ID is unlinked."))
            vals_list.append(
                {
                    "mapper_id": self.id,
                    "spar_id": want.spar_id,
                    "seq": seq,
                    "partner_id": partner_id,
                    "account_id": want.account_id,
                    "account_print": want.print,
                    "op": op,
                    "after_id": waits_for,
                    "target_fa": want.fa,
                    "target_masked": dialect.mask(want.fa),
                    "reference_id": reference_id,
                    "transaction_id": str(uuid4()),
                    "payload": item,
                    "state": "failed" if want.reason else "pending",
                    "reason": reason,
                    "next_try_at": False if reason else now,
                }
            )
        return self.env["spp.spar.change"].create(vals_list)

    # Sending

    def _enqueue_drain(self, eta=None):
        for mapper in self.sudo().filtered(lambda each: each.active and not each.endpoint_id.paused):
            mapper.with_delay(
                identity_key=f"spar-drain-{mapper.id}",
                description=_("Send account changes to %s", mapper.name),
                eta=eta,
            )._job_drain()

    def _enqueue_catch_up(self):
        for mapper in self.filtered("active"):
            mapper.with_delay(
                identity_key=f"spar-catch-up-{mapper.id}",
                description=_("Queue account changes for %s", mapper.name),
            )._job_catch_up()

    def _job_drain(self):
        """Carry out what is due. Safe to run twice, and beside another one."""
        # The outbox is the system's, whoever's edit woke this job; its keeper sees all areas and companies.
        mapper = self.sudo()
        mapper.ensure_one()
        if mapper.endpoint_id.paused:
            return _("The endpoint is paused: %s", mapper.endpoint_id.pause_reason)
        with mapper.endpoint_id._client() as client, self.env.registry.cursor() as own_cursor:
            own = mapper.with_env(api.Environment(own_cursor, SUPERUSER_ID, {}))
            spar_ids = own._due_spar_ids(IDS_PER_JOB)
            drain = Drain(own, client)
            busy = set()
            for chunk in split_every(IDS_PER_CALL, spar_ids, list):
                busy |= drain.run(chunk)
                if drain.stopped or drain.silent:
                    break
        if not drain.stopped and (len(spar_ids) == IDS_PER_JOB or busy or drain.silent or drain.released):
            # Where SPAR does not answer, one call in a while shows whether it does again.
            wait = mapper.settle_seconds if drain.silent else 10 if busy else None
            mapper._enqueue_drain(eta=wait)
        return _("%s IDs were due", len(spar_ids))

    def _due_spar_ids(self, limit):
        """Ids with something to do now, what has waited longest first. All their unfinished changes have waited long
        enough, and what they must come after is concluded.

        What is not due is not in the index that is read, so a pass costs what it does, and not what waits behind.
        """
        # A change may have been written while the one it waits for was being concluded, by who did not see it.
        self.env["spp.spar.change"]._release(SQL("before.mapper_id = %s", self.id))
        self.env.cr.execute(
            SQL(
                """
                SELECT due.spar_id
                  FROM (SELECT change.spar_id, change.next_try_at, change.id
                          FROM spp_spar_change change
                         WHERE change.mapper_id = %(mapper)s AND change.next_try_at <= %(now)s
                           AND (SELECT count(*) FROM spp_spar_change other
                                 WHERE other.mapper_id = change.mapper_id AND other.spar_id = change.spar_id
                                   AND other.state <> 'done' AND other.next_try_at > %(now)s) = 0
                           AND (change.after_id IS NULL OR (SELECT before.state FROM spp_spar_change before
                                 WHERE before.id = change.after_id) IN ('done', 'superseded'))
                         ORDER BY change.next_try_at, change.id
                         LIMIT %(limit)s) due
                 GROUP BY due.spar_id
                 ORDER BY min(due.next_try_at), min(due.id)
                """,
                mapper=self.id,
                now=fields.Datetime.now(),
                limit=limit,
            )
        )
        return [row[0] for row in self.env.cr.fetchall()]

    # Asking

    def _header(self):
        """What every message says of who speaks to whom."""
        return {
            "sender_id": self.sender_id,
            "receiver_id": self.receiver_id,
            "sender_url": self.sender_url or "",
        }

    @classmethod
    def _message(cls, dialect, header, operation, items, transaction_id):
        """The whole body of a call."""
        ids = {"message_id": str(uuid4()), "transaction_id": transaction_id, "timestamp": cls._timestamp()}
        return dialect.message(operation, items, **ids, **header)

    def _ask(self, spar_ids, seconds=None):
        """What SPAR holds now: {SPAR ID: Outcome}, written down nowhere.

        :param seconds: how long a call may take at most; the endpoint's own limit when not given
        :raise CallError: where there is no answer; UserError where the endpoint is paused
        """
        dialect = DIALECTS[self.dialect]
        outcomes = {}
        with self.sudo().endpoint_id._client() as client:  # whoever may ask need not read endpoints
            client.total_timeout = min(client.total_timeout, seconds or client.total_timeout)
            for chunk in split_every(IDS_PER_CALL, spar_ids, list):
                questions = {
                    spar_id: dialect.question(str(uuid4()), self._timestamp(), spar_id) for spar_id in chunk
                }
                items = list(questions.values())
                body = self._message(dialect, self._header(), "resolve", items, str(uuid4()))
                answer = client.request("POST", dialect.path(self.path_prefix, "resolve"), json=body)
                reading = dialect.read_answer("resolve", items, answer.status, answer.text)
                outcomes.update({spar_id: reading.of(q["reference_id"]) for spar_id, q in questions.items()})
        return outcomes

    def _look_again(self, scope):
        """Let a drain look once more at what was confirmed; what has changed meanwhile is a conflict then.

        :param scope: SQL about the row `change` of spp_spar_change
        :return: how many changes that is
        """
        self.env.flush_all()
        self.env.cr.execute(
            SQL(
                """
                UPDATE spp_spar_change change SET next_try_at = %s
                 WHERE change.mapper_id = ANY(%s) AND change.state = 'done' AND (%s)
                   AND (change.next_try_at IS NULL OR change.next_try_at > %s)
                   AND NOT EXISTS (SELECT FROM spp_spar_change younger
                                    WHERE younger.mapper_id = change.mapper_id AND younger.spar_id = change.spar_id
                                      AND younger.seq > change.seq)
                """,
                fields.Datetime.now(),
                self.ids,
                scope,
                fields.Datetime.now(),
            )
        )
        found = self.env.cr.rowcount
        self.env["spp.spar.change"].invalidate_model(["next_try_at"])
        if found:
            self._enqueue_drain()
        return found

    def _enqueue_sample(self):
        for mapper in self.sudo().filtered(lambda each: each.active and each.sample_size):
            mapper.with_delay(
                identity_key=f"spar-sample-{mapper.id}",
                description=_("Compare some accounts with %s", mapper.name),
            )._job_sample()

    def _job_sample(self):
        """Look up confirmed accounts, drawn by lot. Only reads; what differs is given to a drain."""
        mapper = self.sudo()  # as in _job_drain
        mapper.ensure_one()
        mapper.env["spp.spar.change"].flush_model()
        mapper.env.cr.execute(
            SQL(
                """
                SELECT id, spar_id, target_fa FROM spp_spar_change
                 WHERE mapper_id = %s AND state = 'done' AND op = 'set' AND next_try_at IS NULL
                   AND NOT EXISTS (SELECT FROM spp_spar_change younger
                                    WHERE younger.mapper_id = spp_spar_change.mapper_id
                                      AND younger.spar_id = spp_spar_change.spar_id
                                      AND younger.seq > spp_spar_change.seq)
                 ORDER BY random() LIMIT %s
                """,
                mapper.id,
                mapper.sample_size,
            )
        )
        drawn = mapper.env.cr.fetchall()
        try:
            answers = mapper._ask([spar_id for _id, spar_id, _fa in drawn])
        except CallError as error:
            mapper.write({"sampled_at": fields.Datetime.now(), "sampled_problem": error.reason})
            return error.reason
        except UserError as error:
            mapper.write({"sampled_at": fields.Datetime.now(), "sampled_problem": str(error)})
            return str(error)
        same = DIALECTS[mapper.dialect].same
        read = [
            (change_id, same(fa or "", answers[spar_id].fa))
            for change_id, spar_id, fa in drawn
            if answers[spar_id].verdict is Verdict.DONE
        ]
        differ = [change_id for change_id, is_same in read if not is_same]
        problem = (
            "" if len(read) == len(drawn) else _("%s answers could not be read.", len(drawn) - len(read))
        )
        mapper.write(
            {
                "sampled_at": fields.Datetime.now(),
                "sampled_count": len(read),
                "sampled_differ": len(differ),
                "sampled_problem": problem,
            }
        )
        mapper._look_again(SQL("change.id = ANY(%s)", differ))
        return _("%(read)s accounts looked up, %(differ)s differ", read=len(read), differ=len(differ))

    # Catching up

    def _job_catch_up(self, after_id=0):
        """Queue what is missing, in ranges of registrants: each range is a job of its own."""
        self.ensure_one()
        mapper = self.sudo()  # as in _job_drain
        mapper.env["spp.payment.account"].flush_model()
        mapper.env.cr.execute(
            SQL(
                """
                SELECT DISTINCT partner_id FROM (
                    SELECT partner_id FROM spp_payment_account WHERE partner_id > %s
                    UNION ALL
                    SELECT partner_id FROM spp_spar_change WHERE mapper_id = %s AND partner_id > %s
                ) AS registrant
                ORDER BY partner_id LIMIT %s
                """,
                after_id,
                mapper.id,
                after_id,
                RECORDED_AT_ONCE,
            )
        )
        partner_ids = [row[0] for row in mapper.env.cr.fetchall()]
        if partner_ids and mapper.active:
            mapper._record(partner_ids)
        if len(partner_ids) == RECORDED_AT_ONCE:
            mapper.with_delay()._job_catch_up(after_id=partner_ids[-1])

    @api.model
    def _cron_drain(self):
        """Only finds due work and enqueues it."""
        for mapper in self.search([("active", "=", True)]):
            if mapper._due_spar_ids(1):
                mapper._enqueue_drain()

    @api.model
    def _cron_catch_up(self):
        self.search([("active", "=", True)])._enqueue_catch_up()

    @api.model
    def _cron_sample(self):
        self.search([("active", "=", True)])._enqueue_sample()

    # Small things

    @staticmethod
    def _timestamp():
        return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def _check_may_run(self):
        user = self.env.user
        if not (
            self.env.su
            or user.has_group("spp_base.group_enrollment_officer")
            or user.has_group("spp_base.group_admin")
        ):
            raise AccessError(_("Only an Enrollment Officer or an administrator sends account changes."))
        self.check_access_rights("read")
        self.check_access_rule("read")


def _same(want, last):
    """Whether the newest change of that SPAR id already asks for this."""
    return (
        last is not None
        and last["account_id"] == want.account_id
        and (last["target_fa"] or "") == want.fa
        and (bool(want.fa) or last["reason"] == want.reason)
    )
