"""A SPAR mapper this system keeps in step with, and what an id and an account look like there."""

from collections import namedtuple
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from odoo import SUPERUSER_ID, _, api, fields, models
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tools import SQL, split_every

from odoo.addons.spp_base.http import CallError

from ..drain import Drain
from ..wire import DIALECTS, TemplateError, Verdict, check_template, fill, mask

IDS_PER_JOB = 1000
IDS_PER_CALL = 100  # a mapper looks ids up one by one, and answers only when it has them all
RECORDED_AT_ONCE = 1000
ID_NAMES = {"value"}
FA_NAMES = {"number", "bic", "provider"}
FA_FIELDS = {
    "bank": "fa_bank",
    "iban": "fa_iban",
    "mobile_wallet": "fa_mobile_wallet",
    "email_wallet": "fa_email_wallet",
}
MAKES_STRINGS = {"identity_type_id", "id_template", "provider_default", "active", *FA_FIELDS.values()}

Wanted = namedtuple("Wanted", "spar_id account_id fa reason")


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
        selection=[("1.1", "G2P Connect envelope (SPAR 1.x)")],
        required=True,
        default="1.1",
        help="The two generations of SPAR do not understand each other's messages.",
    )
    path_prefix = fields.Char(
        required=True,
        default="/sync",
        help="The synchronous paths: <prefix>/link, /update, /unlink, /resolve.",
    )
    sender_id = fields.Char(
        string="Sender ID", required=True, default="spp-registry", help="The name SPAR knows this system by."
    )
    receiver_id = fields.Char(string="Receiver ID", required=True, default="spar")
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
    waiting_count = fields.Integer(string="Waiting", compute="_compute_counts")
    attention_count = fields.Integer(string="Need a person", compute="_compute_counts")

    _sql_constraints = [
        ("settle_seconds_positive", "CHECK (settle_seconds > 0)", "The wait must be longer than 0 seconds."),
        (
            "one_per_company",
            "EXCLUDE USING btree (company_id WITH =) WHERE (active)",
            "A company has one active SPAR mapper: an account can be kept in step with one only.",
        ),
    ]

    def _compute_counts(self):
        for mapper in self:
            counts = mapper.status()
            mapper.waiting_count = counts["pending"] + counts["sending"] + counts["retry"]
            mapper.attention_count = counts["conflict"] + counts["failed"]

    @api.constrains("id_template", *FA_FIELDS.values())
    def _check_templates(self):
        for mapper in self:
            checks = [("id_template", ID_NAMES, "value")]
            checks += [(name, FA_NAMES, "number") for name in FA_FIELDS.values()]
            for name, known, needed in checks:
                try:
                    check_template(mapper[name], known, [needed])
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
        dialect = DIALECTS[self.dialect]
        now = self._timestamp()
        question = dialect.question(str(uuid4()), now, f"test:{uuid4()}@connection")
        body = dialect.message(
            "resolve",
            [question],
            message_id=str(uuid4()),
            transaction_id=str(uuid4()),
            timestamp=now,
            sender_id=self.sender_id,
            receiver_id=self.receiver_id,
        )
        try:
            with self.endpoint_id._client() as client:
                answer = client.request("POST", dialect.path(self.path_prefix, "resolve"), json=body)
        except CallError as error:
            raise UserError(error.reason) from None
        outcome = dialect.read_answer("resolve", [question], answer.status, answer.text).of(
            question["reference_id"]
        )
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
        waiting = self.env["spp.spar.change"].sudo()  # a count, for callers who may not read the outbox
        waiting = waiting.search([("mapper_id", "in", self.ids), ("state", "in", ("pending", "retry"))])
        now = fields.Datetime.now()
        # Not those whose answer was lost: before they are asked for, the mapper gets its time.
        waiting.filtered(lambda change: not change.lost_at and change.next_try_at > now).next_try_at = now
        self._enqueue_drain()
        return len(waiting)

    def action_catch_up(self):
        """Compare every registrant with what was queued, and queue what is missing."""
        self._check_may_run()
        self._enqueue_catch_up()
        return True

    def status(self):
        """Counts of changes by state, registrants without a SPAR id, and why the endpoint is paused ("")."""
        self.check_access_rights("read")
        self.check_access_rule("read")
        changes = self.env["spp.spar.change"].sudo()  # counts only, for callers who may not read the outbox
        changes._record_edited()
        counts = dict.fromkeys(dict(changes._fields["state"].selection), 0)
        domain = [("mapper_id", "in", self.ids)]
        counts.update({state: count for state, count in changes._read_group(domain, ["state"], ["__count"])})
        accounts = self.env["spp.payment.account"].sudo()
        counts["no_id"] = accounts.search_count([("spar_state", "=", "no_id")])
        counts["paused"] = next((m.endpoint_pause_reason or "" for m in self if m.endpoint_paused), "")
        return counts

    # Queuing

    def _record(self, partner_ids):
        """Queue the changes of these registrants: what SPAR should hold, against what was queued last."""
        self.ensure_one()
        held = self._held(partner_ids)
        wanted = self._wanted(partner_ids)
        gone = [
            (last["partner_id"], last["spar_id"], last["account_id"], "unset", "", "")
            for last in held
            if last["op"] == "set"
            and getattr(wanted.get(last["partner_id"]), "spar_id", "") != last["spar_id"]
        ]
        last_of = {(last["partner_id"], last["spar_id"]): last for last in held if last["op"] == "set"}
        come = [
            (partner_id, want.spar_id, want.account_id, "set", want.fa, want.reason)
            for partner_id, want in wanted.items()
            if not _same(want, last_of.get((partner_id, want.spar_id)))
        ]
        removals = self._queue(gone)
        after = {change.partner_id.id: change.id for change in removals}
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
                SELECT DISTINCT ON (partner_id, spar_id)
                       partner_id, spar_id, account_id, op, target_fa, state, reason
                  FROM spp_spar_change
                 WHERE mapper_id = %s AND partner_id = ANY(%s)
                 ORDER BY partner_id, spar_id, seq DESC
                """,
                self.id,
                list(partner_ids),
            )
        )
        return self.env.cr.dictfetchall()

    def _wanted(self, partner_ids):
        """{registrant: Wanted} for those who have a document and a primary account, in one query."""
        for name in ("res.partner", "res.bank", "spp.payment.account", "spp.identity.document"):
            self.env[name].flush_model()
        self.env.cr.execute(
            SQL(
                """
                SELECT partner.id, document.value, account.id, account.kind, account.number, bank.bic
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
        for partner_id, value, account_id, kind, number, bic in self.env.cr.fetchall():
            try:
                spar_id = fill(self.id_template, {"value": value})
            except TemplateError:
                continue  # as good as no document; the work list shows the account
            fa, reason = self._fa(kind, number, bic)
            wanted[partner_id] = Wanted(spar_id, account_id, fa, reason)
        return wanted

    def _fa(self, kind, number, bic):
        """(account string, "") or ("", why there is none)."""
        values = {"number": number, "bic": bic, "provider": bic or self.provider_default}
        labels = {
            "number": _("account number"),
            "bic": _("provider's code (BIC)"),
            "provider": _("provider's code (BIC)"),
        }
        at_sign = ["number"] if kind == "email_wallet" else []
        try:
            return fill(self[FA_FIELDS[kind]], values, labels, at_sign), ""
        except TemplateError as error:
            return "", str(error)

    def _queue(self, rows, after=None):
        """One change per row (registrant, SPAR id, account, op, account string, why it cannot be sent)."""
        dialect = DIALECTS[self.dialect]
        now = fields.Datetime.now()
        seqs = self.env["spp.spar.counter"]._take(self, [row[1] for row in rows]) if rows else []
        vals_list = []
        for seq, (partner_id, spar_id, account_id, op, fa, reason) in zip(seqs, rows, strict=True):
            reference_id = str(uuid4())
            vals_list.append(
                {
                    "mapper_id": self.id,
                    "spar_id": spar_id,
                    "seq": seq,
                    "partner_id": partner_id,
                    "account_id": account_id,
                    "op": op,
                    "after_id": (after or {}).get(partner_id),
                    "target_fa": fa,
                    "target_masked": mask(fa),
                    "reference_id": reference_id,
                    "transaction_id": str(uuid4()),
                    "payload": dialect.item(reference_id, self._timestamp(), spar_id, fa),
                    "state": "failed" if reason else "pending",
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
                if drain.stopped:
                    break
        if len(spar_ids) == IDS_PER_JOB or busy:
            mapper._enqueue_drain(eta=10 if busy else None)
        return _("%s IDs were due", len(spar_ids))

    def _due_spar_ids(self, limit):
        """Ids with something to do now, oldest first: all their unfinished changes have waited long enough,
        and what they must come after is concluded."""
        self.env["spp.spar.change"].flush_model()
        self.env.cr.execute(
            SQL(
                """
                SELECT change.spar_id
                  FROM spp_spar_change change
                  LEFT JOIN spp_spar_change before ON before.id = change.after_id
                 WHERE change.mapper_id = %s AND change.next_try_at IS NOT NULL
                 GROUP BY change.spar_id
                HAVING COALESCE(
                           max(change.next_try_at) FILTER (WHERE change.state <> 'done'), max(change.next_try_at)
                       ) <= %s
                   AND bool_and(before.id IS NULL OR before.state IN ('done', 'superseded'))
                 ORDER BY min(change.id)
                 LIMIT %s
                """,
                self.id,
                fields.Datetime.now(),
                limit,
            )
        )
        return [row[0] for row in self.env.cr.fetchall()]

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

    # Small things

    def _settle_time(self):
        return timedelta(seconds=self.settle_seconds)

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
