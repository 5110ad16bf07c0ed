"""What waits for approval, was approved or was refused; round after round.

A request is about one record (a cycle, a draft of a rule), or about an action on it that is done once it is approved
(an allocation to a fund, the exit of members). Who is asked is fixed when it is submitted: a chain that changes
meanwhile holds from the next round on.
"""

import json
from decimal import Decimal

from markupsafe import Markup

from odoo import _, api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.tools import SQL

from odoo.addons.spp_base.tools.roles import HELD

from .approval_decision import VERDICTS

# state: states it may be reached from
TRANSITIONS = {
    "waiting": ("rejected", "sent_back", "withdrawn", "void"),
    "approved": ("waiting",),
    "rejected": ("waiting",),
    "sent_back": ("waiting",),
    "withdrawn": ("waiting", "sent_back"),
    "void": ("waiting", "approved"),
}


class ApprovalRequest(models.Model):
    _name = "spp.approval.request"
    _inherit = ["spp.guarded.mixin", "mail.thread", "mail.activity.mixin"]
    _description = "Approval request"
    _order = "submitted_at desc, id desc"

    name = fields.Char(string="About", required=True, readonly=True)
    kind = fields.Selection(
        selection=lambda self: self.env["spp.approval.chain"]._kinds(),
        string="Kind of action",
        required=True,
        readonly=True,
    )
    res_model = fields.Char(string="Model", required=True, readonly=True)
    res_id = fields.Many2oneReference(
        string="Record ID", model_field="res_model", required=True, readonly=True
    )
    company_id = fields.Many2one(comodel_name="res.company", readonly=True, ondelete="restrict")
    partner_id = fields.Many2one(
        comodel_name="res.partner",
        string="Registrant",
        readonly=True,
        index="btree_not_null",
        ondelete="restrict",
        help="The person it is about, where there is one.",
    )
    chain_id = fields.Many2one(comodel_name="spp.approval.chain", readonly=True, ondelete="restrict")
    approver_may_release = fields.Boolean(readonly=True)
    state = fields.Selection(
        selection=[
            ("waiting", "Waiting"),
            ("approved", "Approved"),
            ("rejected", "Rejected"),
            ("sent_back", "Sent back"),
            ("withdrawn", "Withdrawn"),
            ("void", "Void"),
        ],
        required=True,
        readonly=True,
        default="waiting",
        index=True,
    )
    round = fields.Integer(required=True, readonly=True, default=1)
    amount = fields.Monetary(readonly=True)
    currency_id = fields.Many2one(comodel_name="res.currency", readonly=True, ondelete="restrict")
    count = fields.Integer(string="People", readonly=True)
    figures = fields.Json(readonly=True)
    summary = fields.Text(string="What is asked", readonly=True)
    reason = fields.Char(string="Reason given", readonly=True)
    # What is done once approved; may hold an account number, so only the model itself reads it.
    payload = fields.Json(readonly=True, groups=fields.NO_ACCESS)
    origin = fields.Char(readonly=True, groups=fields.NO_ACCESS)
    is_action = fields.Boolean(
        compute="_compute_is_action",
        compute_sudo=True,
        help="It is about something that is done once approved.",
    )
    fingerprint = fields.Char(readonly=True)
    submitted_by = fields.Many2one(
        comodel_name="res.users", required=True, readonly=True, index=True, ondelete="restrict"
    )
    submitted_at = fields.Datetime(required=True, readonly=True)
    decided_at = fields.Datetime(readonly=True)
    reminded_at = fields.Datetime(readonly=True)
    remind_days = fields.Integer(readonly=True, default=2)
    barred_ids = fields.Many2many(
        comodel_name="res.users",
        relation="spp_approval_request_barred_rel",
        column1="request_id",
        column2="user_id",
        string="May not decide",
        readonly=True,
        help="Who submitted or prepared it.",
    )
    levels = fields.Json(readonly=True)
    position = fields.Integer(readonly=True, default=0)
    level_name = fields.Char(string="Level", readonly=True)
    group_id = fields.Many2one(
        comodel_name="res.groups", string="Asked role", readonly=True, ondelete="restrict"
    )
    decider_ids = fields.Many2many(
        comodel_name="res.users",
        relation="spp_approval_request_decider_rel",
        column1="request_id",
        column2="user_id",
        string="Asked persons",
        readonly=True,
    )
    needed = fields.Integer(string="Must agree", readonly=True, default=1)
    agreed = fields.Integer(compute="_compute_agreed", help="How many of the present level have agreed.")
    decision_count = fields.Integer(readonly=True, default=0)
    decision_ids = fields.One2many(
        comodel_name="spp.approval.decision", inverse_name="request_id", string="Decisions", readonly=True
    )
    to_decide = fields.Boolean(
        string="Mine to decide", compute="_compute_to_decide", search="_search_to_decide"
    )
    waits_for = fields.Char(compute="_compute_waits_for")
    refusal = fields.Char(
        compute="_compute_refusal", help="Why you do not decide about it, where you had a part in it."
    )
    page = fields.Html(compute="_compute_page", sanitize=False, help="What an approver looks at.")

    # What the client may not set: everything, because nobody has the right to create or write.
    _guarded_fields = frozenset(
        {"state", "round", "payload", "origin", "levels", "position", "group_id", "decider_ids", "needed",
         "barred_ids", "submitted_by", "fingerprint", "approver_may_release", "decision_count"}
    )  # fmt: skip

    def init(self):
        # One matter a record and kind; an action that waits has a row of its own.
        self.env.cr.execute("""
            CREATE UNIQUE INDEX IF NOT EXISTS spp_approval_request_record_unique
                ON spp_approval_request (res_model, res_id, kind) WHERE origin IS NULL
        """)
        self.env.cr.execute("""
            CREATE UNIQUE INDEX IF NOT EXISTS spp_approval_request_origin_unique
                ON spp_approval_request (origin) WHERE origin IS NOT NULL
        """)

    # ------------------------------------------------------------------ computed

    def _compute_is_action(self):
        for request in self:
            request.is_action = bool(request.origin)

    @api.depends("decision_ids", "position", "round")
    def _compute_agreed(self):
        for request in self:
            request.agreed = len(request._agreements())

    @api.depends_context("uid")
    def _compute_to_decide(self):
        mine = {row[0] for row in self._asked(self.env.uid, self.ids)}
        for request in self:
            request.to_decide = request.id in mine

    def _search_to_decide(self, operator, value):
        wanted = operator in ("=", "in") and value not in (False, [False]) or operator == "!=" and not value
        ids = [row[0] for row in self._asked(self.env.uid)]
        return [("id", "in" if wanted else "not in", ids)]

    @api.depends("state", "level_name", "needed", "agreed", "submitted_by")
    def _compute_waits_for(self):
        for request in self:
            if request.state != "waiting":
                request.waits_for = ""
                continue
            who = (
                ", ".join(request.sudo().decider_ids.mapped("name"))
                or request.sudo().group_id.name
                or request.level_name
            )
            request.waits_for = _(
                "%(level)s: %(agreed)s of %(needed)s have agreed. Asked: %(who)s.",
                level=request.level_name,
                agreed=request.agreed,
                needed=request.needed,
                who=who,
            )

    @api.depends_context("uid")
    @api.depends("state", "decision_ids", "barred_ids", "submitted_by")
    def _compute_refusal(self):
        for request in self:
            request.refusal = request.state == "waiting" and request._own_part()

    def _compute_page(self):
        for request in self:
            record = request._record()
            request.page = record._approval_page(request) if record is not None else Markup()

    # ------------------------------------------------------------------ actions

    def action_approve(self, comment="", on_behalf_of=False):
        """Agree to what is asked. The last one of the last level lets it happen.

        :param comment: kept with the decision
        :param on_behalf_of: id of the user for whom a deputy decides; found when not given
        """
        self._check_decider()
        for request in self:
            result = request._approve(comment, on_behalf_of)
        return result if len(self) == 1 and isinstance(result, dict) else True

    def action_reject(self, reason, on_behalf_of=False):
        """Refuse what is asked, with the reason. It does not happen."""
        self._check_decider()
        for request in self:
            request._decide("rejected", self._given_reason(reason), on_behalf_of)
        return True

    def action_send_back(self, reason, on_behalf_of=False):
        """Give it back to who submitted it, to be put right and submitted again as a new round."""
        self._check_decider()
        for request in self:
            request._decide("sent_back", self._given_reason(reason), on_behalf_of)
        return True

    def action_withdraw(self, reason):
        """Take back what one submitted oneself."""
        for request in self:
            request._check_visible()
            if request.submitted_by != self.env.user:
                raise AccessError(_("%s was submitted by somebody else.", request.name))
            record = request._record()
            if record is not None:
                record._approval_lock(request)
            request._lock()
            request._end("withdrawn", self._given_reason(reason))
        return True

    def action_resubmit(self, comment):
        """Submit an action that was sent back once more, as a new round. For who submitted it."""
        for request in self:
            request._check_visible()
            request._lock()
            if request.submitted_by != self.env.user:
                raise AccessError(_("%s was submitted by somebody else.", request.name))
            if request.state != "sent_back" or not request.is_action:
                raise UserError(_("%s is not submitted again here, but where it was made.", request.name))
            request._submit({"reason": self._given_reason(comment)})
        return True

    def action_open_record(self):
        """Open the record that is decided about."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "res_model": self.res_model,
            "res_id": self.res_id,
            "views": [(False, "form")],
        }

    @api.model
    def count_to_decide(self):
        """How many requests wait for the user's decision."""
        return self.search_count([("to_decide", "=", True)])

    # ------------------------------------------------------------------ who decides

    @api.model
    def _asked(self, user_id=None, request_ids=None):
        """[(request id, user id, id of whom they decide for)]: everybody who may decide what waits, now.

        The one definition of it: for the inbox, for reminders, and for the decision itself.
        """
        self.env.flush_all()
        groups = self.env["spp.approval.level"]._deciding_groups().ids
        self.env.cr.execute(
            SQL(
                """
                WITH held AS MATERIALIZED %(held)s,
                person AS (
                    SELECT u.id FROM res_users u
                     WHERE u.active AND EXISTS (
                        SELECT FROM held g WHERE g.uid = u.id AND g.gid = ANY(%(groups)s))
                ), capacity AS (
                    SELECT id AS user_id, id AS principal_id FROM person
                     UNION
                    SELECT d.deputy_id, d.user_id
                      FROM spp_approval_delegation d
                      JOIN person deputy ON deputy.id = d.deputy_id
                      JOIN person principal ON principal.id = d.user_id
                     WHERE d.ended_at IS NULL AND %(today)s BETWEEN d.start AND d."end"
                )
                SELECT r.id, c.user_id, c.principal_id
                  FROM spp_approval_request r
                  JOIN capacity c ON (
                        r.group_id IS NOT NULL AND EXISTS (
                            SELECT FROM held g WHERE g.uid = c.principal_id AND g.gid = r.group_id))
                    OR EXISTS (
                        SELECT FROM spp_approval_request_decider_rel p
                         WHERE p.request_id = r.id AND p.user_id = c.principal_id)
                 WHERE r.state = 'waiting'
                   AND (%(user)s IS NULL OR c.user_id = %(user)s)
                   AND (%(requests)s IS NULL OR r.id = ANY(%(requests)s))
                   AND r.submitted_by NOT IN (c.user_id, c.principal_id)
                   AND NOT EXISTS (
                        SELECT FROM spp_approval_request_barred_rel b
                         WHERE b.request_id = r.id AND b.user_id IN (c.user_id, c.principal_id))
                   AND NOT EXISTS (
                        SELECT FROM spp_approval_decision d
                         WHERE d.request_id = r.id AND d.round = r.round AND d.decision = ANY(%(verdicts)s)
                           AND (d.user_id IN (c.user_id, c.principal_id)
                                OR d.on_behalf_id IN (c.user_id, c.principal_id)))
                 ORDER BY r.id, c.user_id, c.user_id <> c.principal_id, c.principal_id
                """,
                held=HELD,
                groups=groups,
                today=fields.Date.today(),
                user=user_id,
                requests=request_ids,
                verdicts=list(VERDICTS),
            )
        )
        return self.env.cr.fetchall()

    def _principal(self, on_behalf_of=False):
        """For whom the present user decides: themselves, or who made them their deputy. Refuses everybody else."""
        capacities = [row[2] for row in self._asked(self.env.uid, self.ids)]
        if on_behalf_of and on_behalf_of in capacities:
            return on_behalf_of
        if capacities and not on_behalf_of:
            return capacities[0]
        raise AccessError(self._why_not())

    def _why_not(self):
        """Why the present user may not decide, in words."""
        why = self._own_part() or _("You are not asked for a decision about %s.", self.name)
        return f"{why} {self.waits_for}"

    def _own_part(self):
        """What the present user did already and therefore does not decide about, in words; False if nothing."""
        user = self.env.user
        decided = self.sudo().decision_ids.filtered(
            lambda decision: decision.round == self.round and decision.decision in VERDICTS
        )
        if user == self.submitted_by:
            return _("You submitted %s: somebody else approves it.", self.name)
        if user in self.sudo().barred_ids:
            return _("You prepared %s: somebody else approves it.", self.name)
        if user in decided.user_id | decided.on_behalf_id:
            return _(
                "You have decided about %s in this round already: somebody else is asked now.", self.name
            )
        return False

    # ------------------------------------------------------------------ business

    def _record(self):
        """The record that is decided about; None if there is none any more."""
        if self.res_model not in self.env:
            return None
        return self.env[self.res_model].browse(self.res_id).exists() or None

    @api.model
    def _check_decider(self):
        """Refuse whom no chain can ask: viewers and auditors change nothing, administrators decide nothing."""
        if not self.env["spp.approval.level"]._decides(self.env.user):
            raise AccessError(_("Your roles decide nothing. Who is asked, a chain of approval says."))

    def _check_visible(self):
        self.check_access_rights("read")
        self.check_access_rule("read")

    def _set_state(self, state, **vals):
        """The one way a request's state changes. The caller has locked the row."""
        if self.state not in TRANSITIONS[state]:
            self._refuse_state()
        self._write_guarded({**vals, "state": state})

    def _refuse_state(self):
        labels = dict(self._fields["state"]._description_selection(self.env))
        raise UserError(
            _(
                "%(name)s is %(state)s: nothing is to be decided.",
                name=self.name,
                state=labels[self.state].lower(),
            )
        )

    def _submit(self, vals):
        """Begin a round. Called on a locked or new request, by who submits."""
        new_round = self.state != "waiting" or self.decision_count
        if new_round:
            self._set_state("waiting", round=self.round + 1, **vals)
        elif vals:
            self._write_guarded(vals)
        self._ask_level(0)
        self._trail("submitted", self.reason or "")

    def _ask_level(self, position):
        level = self.levels[position]
        self._write_guarded(
            {
                "position": position,
                "level_name": level["name"],
                "group_id": level["group_id"],
                "decider_ids": [fields.Command.set(level["user_ids"])],
                "needed": level["needed"],
                "reminded_at": False,
            }
        )

    def _agreements(self):
        return self.sudo().decision_ids.filtered(
            lambda decision: (
                decision.round == self.round
                and decision.position == self.position
                and decision.decision == "approved"
            )
        )

    def _approve(self, comment, on_behalf_of):
        """Approve in the way of the record: where a lot follows, a job does it."""
        self._check_may_decide(on_behalf_of)
        record = self._record()
        if record is None:
            raise UserError(_("What %s is about no longer exists.", self.name))
        return record._approval_approve(self, (comment or "").strip(), on_behalf_of)

    def _check_may_decide(self, on_behalf_of=False):
        """Refuse at once what would be refused anyway."""
        self._check_visible()
        if self.state == "waiting":
            self._principal(on_behalf_of)
        else:
            self._refuse_state()

    def _decide(self, decision, comment, on_behalf_of=False):
        """Take the present user's decision. Locks the request: of two at the same instant, one is told to wait."""
        self.ensure_one()
        self._check_visible()
        record = self._record()
        if record is None:
            raise UserError(_("What %s is about no longer exists.", self.name))
        record._approval_lock(self)
        self._lock()
        if self.state != "waiting":
            self._refuse_state()
        principal = self._principal(on_behalf_of)
        if decision == "approved":
            self._check_unchanged(record)
        self._trail(decision, comment, principal)
        self._forget_reminders()
        if decision != "approved":
            self._set_state(decision, decided_at=fields.Datetime.now())
            record._approval_refused(self, comment)
        elif len(self._agreements()) >= self.needed:
            if self.position + 1 < len(self.levels):
                self._ask_level(self.position + 1)
            else:
                self._set_state("approved", decided_at=fields.Datetime.now())
                record._approval_granted(self)

    def _end(self, state, reason):
        """End a round without a decision: withdrawn, or void."""
        self._trail(state, reason)
        self._set_state(state, decided_at=fields.Datetime.now())
        self._forget_reminders()
        record = self._record()
        if record is not None:
            record._approval_refused(self, reason)

    def _check_unchanged(self, record):
        if record._approval_fingerprint_of(self) != self.fingerprint:
            raise UserError(
                _(
                    "%s has changed since it was submitted. Send it back, so that it is submitted as it is now.",
                    self.name,
                )
            )

    def _trail(self, decision, comment="", principal=False):
        principal = principal if principal != self.env.uid else False
        delegation = self.env["spp.approval.delegation"]
        if principal:
            today = fields.Date.today()
            # sudo: the deputy need not be able to read it.
            delegation = delegation.sudo().search(
                [("user_id", "=", principal), ("deputy_id", "=", self.env.uid), ("ended_at", "=", False),
                 ("start", "<=", today), ("end", ">=", today)], limit=1)  # fmt: skip
        self.flush_recordset()  # the trigger looks at the row
        # sudo: everybody who decides leaves a trail, nobody writes one by hand.
        made = self.env["spp.approval.decision"].sudo().create(
            {
                "request_id": self.id,
                "res_model": self.res_model,
                "res_id": self.res_id,
                "name": self.name,
                "round": self.round,
                "decision": decision,
                "user_id": self.env.uid,
                "on_behalf_id": principal,
                "delegation_id": delegation.id,
                "position": self.position,
                "level_name": self.level_name if decision in VERDICTS else False,
                "comment": (comment or "").strip() or False,
                "fingerprint": self.fingerprint,
                "amount": self.amount,
                "currency_id": self.currency_id.id,
                "at": fields.Datetime.now(),
            }
        )  # fmt: skip
        self.invalidate_recordset(["decision_count", "decision_ids", "agreed"])
        return made

    # ------------------------------------------------------------------ reminders

    @api.model
    def _cron_remind(self):
        """Remind who may decide what has waited: one reminder a person, request and interval."""
        self.env.flush_all()
        self.env.cr.execute(
            """
            UPDATE spp_approval_request SET reminded_at = %(now)s
             WHERE state = 'waiting' AND remind_days > 0
               AND COALESCE(reminded_at, submitted_at) <= %(now)s - make_interval(days => remind_days)
            RETURNING id
            """,
            {"now": fields.Datetime.now()},
        )
        due = [row[0] for row in self.env.cr.fetchall()]
        self.env.invalidate_all()
        if not due:
            return 0
        requests = self.browse(due)
        requests._forget_reminders()
        names = {request.id: request for request in requests}
        todo = self.env.ref("mail.mail_activity_data_todo")
        model = self.env["ir.model"]._get_id(self._name)
        people = {}
        for request_id, user_id, _principal in self._asked(request_ids=due):
            people.setdefault(user_id, set()).add(request_id)
        activities = []
        for user_id, request_ids in people.items():
            # What the person may not see is not named to them.
            seen = self.with_user(user_id).search([("id", "in", list(request_ids))])
            activities += [
                {
                    "res_model_id": model,
                    "res_id": request.id,
                    "user_id": user_id,
                    "activity_type_id": todo.id,
                    "summary": _("Waits for your decision: %s", names[request.id].name),
                    "date_deadline": fields.Date.today(),
                }
                for request in seen
            ]
        self.env["mail.activity"].with_context(mail_activity_quick_update=True).create(activities)
        return len(activities)

    def _forget_reminders(self):
        # sudo: the reminders of everybody who was asked end with the decision.
        self.env["mail.activity"].sudo().search(
            [("res_model", "=", self._name), ("res_id", "in", self.ids)]
        ).unlink()


def plain_figures(figures):
    """Figures as they are kept: numbers that JSON knows."""
    return {
        name: str(value) if isinstance(value, Decimal) else value
        for name, value in figures.items()
        if not isinstance(value, models.BaseModel)
    }


def canonical(value):
    return json.dumps(value, sort_keys=True, default=str)
