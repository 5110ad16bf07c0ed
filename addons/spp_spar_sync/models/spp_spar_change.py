"""The ordered outbox to SPAR: one row is one thing SPAR must learn about one id.

A row is written in the transaction of the edit that caused it, with everything that identifies it on the
wire. It is sent later, by a drain (see `drain`), strictly in the order of `seq` within its SPAR id. Only the
newest row of an id is ever sent: what an older one, not yet sent, wanted is no longer wanted.
"""

from odoo import _, api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.tools import SQL

STATES = [
    ("pending", "Waiting"),
    ("sending", "Being sent"),
    ("retry", "Will be tried again"),
    ("conflict", "Conflict"),
    ("failed", "Refused"),
    ("superseded", "Superseded"),
    ("done", "Confirmed"),
]
OPEN_STATES = ("pending", "sending", "retry")
FINANCE = "spp_base.group_finance_officer"
# The id holds a document's value: for those who may read documents.
DOCUMENTS = "spp_base.group_enrollment_officer,spp_base.group_program_manager,spp_base.group_auditor"


class SparChange(models.Model):
    _name = "spp.spar.change"
    _description = "SPAR Change"
    _order = "id desc"

    mapper_id = fields.Many2one(
        comodel_name="spp.spar.mapper", required=True, readonly=True, ondelete="restrict"
    )
    company_id = fields.Many2one(related="mapper_id.company_id", store=True, readonly=True)
    spar_id = fields.Char(string="SPAR ID", required=True, readonly=True, groups=DOCUMENTS)
    seq = fields.Integer(string="Number", required=True, readonly=True, help="Order within the SPAR ID.")
    partner_id = fields.Many2one(
        comodel_name="res.partner",
        string="Registrant",
        required=True,
        readonly=True,
        index=True,
        ondelete="restrict",
    )
    account_id = fields.Many2one(comodel_name="spp.payment.account", readonly=True, ondelete="set null")
    op = fields.Selection(
        selection=[("set", "Set the account"), ("unset", "Remove the account")],
        string="Change",
        required=True,
        readonly=True,
    )
    after_id = fields.Many2one(
        comodel_name="spp.spar.change",
        string="Only after",
        readonly=True,
        ondelete="set null",
        help="Where a document was corrected, the new ID is linked only after the old one was unlinked.",
    )
    target_fa = fields.Char(string="Account sent", readonly=True, groups=FINANCE)
    target_masked = fields.Char(string="We hold", readonly=True)
    account_print = fields.Char(
        readonly=True, groups=FINANCE, help="Tells whether two changes are about the same account."
    )
    expected_previous = fields.Char(
        string="Expected before",
        readonly=True,
        groups=FINANCE,
        help="What SPAR should hold before this change. Anything else there is a conflict.",
    )
    observed_fa = fields.Char(string="Account seen at SPAR", readonly=True, groups=FINANCE)
    observed_masked = fields.Char(string="SPAR holds", readonly=True)
    observed_at = fields.Datetime(string="Seen at", readonly=True)
    reference_id = fields.Char(required=True, readonly=True)
    transaction_id = fields.Char(required=True, readonly=True)
    payload = fields.Json(readonly=True, groups=FINANCE, help="The request, fixed before it is first sent.")
    state = fields.Selection(
        selection=STATES,
        required=True,
        default="pending",
        readonly=True,
        index=True,
    )
    reason = fields.Char(readonly=True)
    last_code = fields.Char(string="SPAR's code", readonly=True)
    last_answer = fields.Text(string="SPAR's answer", readonly=True, groups=FINANCE)
    attempts = fields.Integer(readonly=True)
    next_try_at = fields.Datetime(
        string="Next try",
        readonly=True,
        help="When it is due. A confirmed change has one too if an older request, whose answer was lost, "
        "may still arrive at SPAR: it is then looked at once more.",
    )
    sent_at = fields.Datetime(string="Last sent", readonly=True)
    lost_at = fields.Datetime(
        string="Answer lost",
        readonly=True,
        help="A request was sent and its answer never read: SPAR may act on it later still.",
    )
    done_at = fields.Datetime(string="Confirmed at", readonly=True)
    decision = fields.Selection(
        selection=[("ours", "Ours wins"), ("theirs", "Keep theirs"), ("skipped", "Skipped")], readonly=True
    )
    decision_reason = fields.Char(readonly=True)
    decided_by = fields.Many2one(comodel_name="res.users", string="Decided by", readonly=True)
    decided_at = fields.Datetime(readonly=True)

    _sql_constraints = [
        ("seq_uniq", "unique (mapper_id, spar_id, seq)", "This number is taken for this SPAR ID."),
    ]

    def init(self):
        self.env.cr.execute(
            """
            DROP INDEX IF EXISTS spp_spar_change_due_idx;
            CREATE INDEX IF NOT EXISTS spp_spar_change_next_idx
                ON spp_spar_change (mapper_id, next_try_at, id) WHERE next_try_at IS NOT NULL;
            CREATE INDEX IF NOT EXISTS spp_spar_change_newest_idx
                ON spp_spar_change (account_id, id DESC);
            DROP INDEX IF EXISTS spp_spar_change_after_idx;
            CREATE INDEX IF NOT EXISTS spp_spar_change_waiting_idx
                ON spp_spar_change (after_id) WHERE state = 'pending' AND next_try_at IS NULL AND after_id IS NOT NULL;
            """
        )

    @api.depends("partner_id", "seq")
    def _compute_display_name(self):
        for change in self:
            change.display_name = f"{change.partner_id.display_name} #{change.id or ''}"

    @api.model
    def _search(self, domain, *args, **kwargs):
        self._record_edited()
        return super()._search(domain, *args, **kwargs)

    # Actions

    def action_retry(self):
        """Try again now what was refused, was skipped or is waiting for its next try."""
        self._check_may_settle()
        self._lock_ids()
        for change in self.sudo():  # rows are written by the system only; the caller's right was checked
            if change.state not in ("retry", "failed") and change.decision != "skipped":
                raise UserError(
                    _("Only a change that was refused, skipped or waits for its next try can be tried again.")
                )
            if change.op == "set" and not change.target_fa:
                raise UserError(_("Correct the account first: %s", change.reason))
            change._check_newest()
            change.write(
                {
                    "state": "retry",
                    "next_try_at": fields.Datetime.now(),
                    "attempts": 0,
                    "decision": change.decision if change.decision != "skipped" else False,
                }
            )
        self.sudo()._states_changed()
        self.mapper_id._enqueue_drain()
        return True

    def action_resolve_conflict(self, choice, reason):
        """Settle a conflict: "ours" overwrites what SPAR holds, "theirs" leaves it. The reason is kept."""
        self._check_may_settle()
        if choice not in ("ours", "theirs"):
            raise UserError(_("Choose either ours or theirs."))
        reason = self._given_reason(reason)
        self._lock_ids()
        for change in self.sudo():  # as in action_retry
            if change.state != "conflict":
                raise UserError(_("Only a conflict can be settled."))
            change._check_newest()
            decided = {
                "decision": choice,
                "decision_reason": reason,
                "decided_by": self.env.uid,
                "decided_at": fields.Datetime.now(),
            }
            if choice == "ours":
                # What the person saw is what may be overwritten; if SPAR changes again, so does the question.
                decided["expected_previous"] = change.observed_fa
                decided.update(state="retry", next_try_at=fields.Datetime.now(), attempts=0)
                decided["reason"] = _("Decided: ours wins. %s", reason)
            else:
                decided.update(state="superseded")
                decided["reason"] = _("Decided: what SPAR holds is kept. %s", reason)
            change.write(decided)
            self.env["spp.audit.entry"]._log(
                "SPAR conflict settled",
                change,
                old={"spar": change.observed_masked, "ours": change.target_masked},
                new={"decision": choice},
                note=reason,
            )
        self.sudo()._release_followers()
        self.sudo()._states_changed()
        self.mapper_id._enqueue_drain()
        return True

    def action_skip(self, reason):
        """Do not send these changes, and go on with what waits behind them. The reason is kept.

        SPAR keeps what it holds, and payments to the account stay held; `action_retry` takes it back.
        """
        self._check_may_settle()
        reason = self._given_reason(reason)
        self._lock_ids()
        for change in self.sudo():  # as in action_retry
            if change.state not in ("pending", "retry", "failed"):
                raise UserError(_("Only a change that waits or was refused can be skipped."))
            change._check_newest()
            change.write(
                {
                    "state": "superseded",
                    "next_try_at": False,
                    "decision": "skipped",
                    "decision_reason": reason,
                    "decided_by": self.env.uid,
                    "decided_at": fields.Datetime.now(),
                    "reason": _("Skipped: %s", reason),
                }
            )
            self.env["spp.audit.entry"]._log(
                "SPAR change skipped", change, new={"ours": change.target_masked}, note=reason
            )
        self.sudo()._release_followers()
        self.sudo()._states_changed()
        self.mapper_id._enqueue_drain()
        return True

    def action_open_settlement(self):
        """Ask for the decision about a conflict."""
        self.ensure_one()
        self._check_may_settle()
        return {
            "type": "ir.actions.act_window",
            "name": _("Settle the conflict"),
            "res_model": "spp.spar.settlement",
            "view_mode": "form",
            "target": "new",
            "context": {"default_change_id": self.id},
        }

    def action_open_skip(self):
        """Ask for the reason why changes are skipped."""
        self._check_may_settle()
        return {
            "type": "ir.actions.act_window",
            "name": _("Skip without sending"),
            "res_model": "spp.spar.skip",
            "view_mode": "form",
            "target": "new",
            "context": {"default_change_ids": self.ids},
        }

    # Business methods

    @api.model
    def _record(self, partners):
        """Note that accounts or documents of `partners` were edited.

        What SPAR must learn of it is worked out once for the whole transaction, before it commits: an account
        that is made the primary one in the place of another, in two writes, is one change and not two.
        """
        precommit = self.env.cr.precommit
        edited = precommit.data.setdefault("spp_spar_edited", set())
        if partners and not edited:
            precommit.add(self._record_edited)
        edited.update(partners.ids)

    @api.model
    def _record_edited(self):
        """Queue the changes of all who were edited so far: before the commit, or before somebody looks."""
        partner_ids = self.env.cr.precommit.data.pop("spp_spar_edited", None)
        if partner_ids:
            # Whoever may edit an account or a document causes the change; the outbox belongs to the system.
            for mapper in self.env["spp.spar.mapper"].sudo().search([("active", "=", True)]):
                mapper._record(sorted(partner_ids))
            self.env.flush_all()

    def _states_changed(self):
        """Hook: these changes are new, or reached another state."""

    def _release_followers(self):
        """What waited for one of these may go, if it is concluded. Returns whether there was any."""
        return self._release(SQL("before.id = ANY(%s)", self.ids))

    @api.model
    def _release(self, scope):
        """What waited for changes of `scope` may go, if these are concluded.

        :param scope: SQL about the row `before` of spp_spar_change
        :return: whether there was any
        """
        self.env.flush_all()
        self.env.cr.execute(
            SQL(
                """
                UPDATE spp_spar_change follower SET next_try_at = %s, reason = NULL
                  FROM spp_spar_change before
                 WHERE follower.after_id = before.id AND %s
                   AND before.state IN ('done', 'superseded')
                   AND follower.state = 'pending' AND follower.next_try_at IS NULL
                """,
                fields.Datetime.now(),
                scope,
            )
        )
        released = bool(self.env.cr.rowcount)
        self.invalidate_model()
        return released

    def _words(self):
        """Why a drain closes a change, by what it found."""
        return {
            "superseded": _("A younger change took its place."),
            "other": _("SPAR holds another account, which came through another channel."),
            "gone": _("SPAR no longer holds an account for this ID; it was removed through another channel."),
        }

    def _lock_ids(self):
        """Refuse while a drain is working on one of these: it would write over what is decided here."""
        changes = self.sudo()
        changes.invalidate_recordset()
        for change in changes.sorted("spar_id"):
            self.env.cr.execute(
                SQL(
                    "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, %s))",
                    change.spar_id,
                    change.mapper_id.id,
                )
            )
            if not self.env.cr.fetchone()[0]:
                raise UserError(
                    _("%s is being sent at this moment. Try again in a minute.", change.display_name)
                )

    @api.model
    def _given_reason(self, reason):
        reason = (reason or "").strip()
        if not reason:
            raise UserError(_("Give the reason of the decision."))
        return reason

    def _check_may_settle(self):
        if not self.env.user.has_group("spp_base.group_enrollment_officer"):
            raise AccessError(_("Only an Enrollment Officer decides about account changes."))
        self.check_access_rights("read")
        self.check_access_rule("read")

    def _check_newest(self):
        if self.search_count(
            [("mapper_id", "=", self.mapper_id.id), ("spar_id", "=", self.spar_id), ("seq", ">", self.seq)],
            limit=1,
        ):
            raise UserError(_("A younger change for the same SPAR ID has taken the place of this one."))
