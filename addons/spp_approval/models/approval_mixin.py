"""What a model inherits to have things approved. See readme/USAGE.md for an example.

A record itself is approved (a cycle): call ``_approval_submit(kind)`` when it is submitted, and say in
``_approval_granted`` and ``_approval_refused`` what follows. Or an action is (money for a fund): begin its method
with ``_approval_ask(kind, method, args, …)``; while a chain exists for it, the action waits, and is done by the same
method, as who asked for it, once it is approved.
"""

import hashlib
from decimal import Decimal

from markupsafe import Markup

from odoo import _, api, fields, models
from odoo.exceptions import UserError
from odoo.tools import format_amount, format_datetime

from .approval_request import canonical, plain_figures

# An object cannot come in over RPC: only this module says that an action was approved.
GRANTED = object()
READERS = (
    "spp_base.group_auditor,spp_base.group_enrollment_officer,spp_base.group_program_manager,"
    "spp_base.group_finance_officer,spp_base.group_approver,spp_base.group_payment_releaser,spp_base.group_admin"
)


class ApprovalMixin(models.AbstractModel):
    _name = "spp.approval.mixin"
    _description = "Can be approved"

    # What is approved: a change of one of these afterwards voids the approval, unless it only takes something away.
    _approval_fields = ()

    approval_request_ids = fields.One2many(
        comodel_name="spp.approval.request",
        inverse_name="res_id",
        string="Approvals",
        domain=lambda self: [("res_model", "=", self._name)],
        groups=READERS,
    )
    approval_decision_ids = fields.One2many(
        comodel_name="spp.approval.decision",
        inverse_name="res_id",
        string="Decisions",
        domain=lambda self: [("res_model", "=", self._name)],
        groups=READERS,
    )
    approval_waits_for = fields.Char(
        string="Waits for", compute="_compute_approval_waits_for", compute_sudo=True, help="Who is asked now."
    )

    approval_to_decide = fields.Boolean(
        string="Mine to decide", compute="_compute_approval_to_decide", help="You are asked for a decision."
    )

    @api.depends_context("uid")
    def _compute_approval_to_decide(self):
        requests = self.env["spp.approval.request"].sudo()  # sudo: only what one is asked oneself
        waiting = requests.search(
            [("res_model", "=", self._name), ("res_id", "in", self.ids), ("state", "=", "waiting")]
        )
        mine = {row[0] for row in requests._asked(self.env.uid, waiting.ids)} if waiting else ()
        asked = {request.res_id for request in waiting if request.id in mine}
        for record in self:
            record.approval_to_decide = record.id in asked

    def _compute_approval_waits_for(self):
        waiting = self.env["spp.approval.request"].search(
            [("res_model", "=", self._name), ("res_id", "in", self.ids), ("state", "=", "waiting")]
        )
        for record in self:
            mine = waiting.filtered(lambda request, record=record: request.res_id == record.id)
            record.approval_waits_for = " ".join(mine.mapped("waits_for"))

    def write(self, vals):
        changed = set(self._approval_fields).intersection(vals)
        if not changed:
            return super().write(vals)
        result = super().write(vals)
        for record in self:
            record._approval_void_if_changed()
        return result

    # ------------------------------------------------------------------ what a model says

    def _approval_figures(self, kind):
        """What chains look at, and what is shown: any of amount (Decimal), currency (record), count,
        amount_before, count_before, program_code, partner (record), summary (text)."""
        return {}

    def _approval_fingerprint(self, kind):
        """A text that changes whenever a payee is added or changed, or an amount raised."""
        # sudo: the same text, whoever asks.
        record = self.sudo()
        return canonical(
            {
                name: record[name].ids if record._fields[name].relational else record[name]
                for name in self._approval_fields
            }
        )

    def _approval_only_removes(self, request):
        """Whether what has changed since the request was submitted takes something away, and adds nothing."""
        return False

    def _approval_prepared_by(self, kind):
        """Users who prepared what is submitted, besides who submits it. None of them approves."""
        return self.env["res.users"]

    def _approval_lock(self, request):
        """Lock what a decision will change, before the request is locked: whoever decides takes locks in this order."""

    def _approval_approve(self, request, comment, on_behalf_of):
        """Take an approval; a model whose last approval is a lot of work has a job do this."""
        return request._decide("approved", comment, on_behalf_of)

    def _approval_granted(self, request):
        """What follows the last approval: for an action that waited, the action itself, as who asked for it."""
        action = request.sudo().payload  # sudo: only here is it read
        if action:
            asked = self.with_user(request.submitted_by).with_context(spp_approval_granted=GRANTED)
            getattr(asked.browse(action["ids"]), action["method"])(*action["args"])

    def _approval_refused(self, request, reason):
        """What follows when the request was rejected, sent back, withdrawn or became void."""

    def _approval_page(self, request):
        """What an approver looks at, as Markup. The figures of the request; a model adds its own."""
        rows = [(_("What"), request.name), (_("Asked by"), request.submitted_by.sudo().name)]
        rows.append((_("When"), format_datetime(self.env, request.submitted_at)))
        if request.currency_id:
            rows.append((_("Amount"), format_amount(self.env, request.amount, request.currency_id)))
        if request.count:
            rows.append((_("People"), request.count))
        if request.summary:
            rows.append((_("In detail"), request.summary))
        if request.reason:
            rows.append((_("Reason given"), request.reason))
        return table(rows)

    # ------------------------------------------------------------------ asking

    def _approval_submit(self, kind, reason=""):
        """Ask for the approval of this record: its first round, or a new one."""
        self.ensure_one()
        request = self._approval_request(kind)
        if request:
            request._lock()
            if request.state == "approved":
                raise UserError(_("%s is approved already.", request.name))
            if request.state == "waiting":
                raise UserError(_("%s waits for approval already.", request.name))
        return self._approval_open(kind, self.display_name, request, reason=reason)

    def _approval_ask(self, kind, method, args, name, origin, reason="", ids=None, **figures):
        """Let an action wait where a chain asks for its approval.

        :param kind: of the chain
        :param method: name of the method of this model that is called with `args` once approved, on the records
            `ids` (this one when not given), as the user who asks now
        :param origin: says which action it is: asked again with the same, it is the same request
        :param figures: as `_approval_figures`; besides, `barred` users do not decide about it
        :return: the request, or none where the action may go on
        """
        self.ensure_one()
        requests = self.env["spp.approval.request"]
        if self.env.context.get("spp_approval_granted") is GRANTED:
            return requests
        chain = self.env["spp.approval.chain"]._find(kind, self)
        if not chain:
            return requests
        origin = f"{self._name}:{self.id}:{kind}:{origin}"
        # sudo: the same action asked for twice is one request, whoever may see it.
        known = requests.sudo().search([("origin", "=", origin)]).with_env(self.env)
        payload = {"method": method, "args": args, "ids": ids or self.ids}
        if known:
            if canonical(known.sudo().payload) != canonical(payload):
                raise UserError(_("%s was asked for before, with other values.", known.name))
            return known
        return self._approval_open(
            kind, name, requests, chain=chain, payload=payload, origin=origin, figures=figures, reason=reason
        )

    def _approval_open(
        self, kind, name, request, chain=None, payload=None, origin=None, figures=None, reason=""
    ):
        # sudo: who submits need not be able to read the record as its approvers do, nor to write requests.
        figures = {"kind": kind, **self.sudo()._approval_figures(kind), **(figures or {})}
        chain = self.env["spp.approval.chain"]._find(kind, self) if chain is None else chain
        levels = chain._levels_for(figures) or [self._approval_default_level()]
        currency, partner = figures.get("currency"), figures.get("partner")
        company = "company_id" in self._fields and self.sudo().company_id[:1]
        prepared = self.sudo()._approval_prepared_by(kind) | (
            figures.pop("barred", None) or self.env["res.users"]
        )
        vals = {
            "name": name,
            "company_id": company.id if company else False,
            "partner_id": partner.id if partner else False,
            "chain_id": chain.id,
            "approver_may_release": chain.approver_may_release,
            "remind_days": chain.remind_days if chain else 2,
            "amount": figures.get("amount") or 0,
            "currency_id": currency.id if currency else False,
            "count": figures.get("count") or 0,
            "summary": figures.get("summary") or False,
            "figures": plain_figures(figures),
            "reason": (reason or "").strip() or False,
            "submitted_by": self.env.uid,
            "submitted_at": fields.Datetime.now(),
            "decided_at": False,
            "levels": levels,
            "barred_ids": [fields.Command.set((prepared | self.env.user).ids)],
        }
        if not request:
            made = {
                "kind": kind,
                "res_model": self._name,
                "res_id": self.id,
                "payload": payload,
                "origin": origin,
            }
            # No followers and no chatter: the trail is its own.
            quiet = request.with_context(tracking_disable=True)
            request = quiet._create_guarded([{**vals, **made}]).with_env(self.env)
            vals = {}
        vals["fingerprint"] = self._approval_fingerprint_of(request)
        request._submit(vals)
        return request

    def _approval_default_level(self):
        """Who is asked where no chain, or no level of it, says so: one approver."""
        group = self.env.ref("spp_base.group_approver").sudo()
        return {"id": False, "name": group.name, "group_id": group.id, "user_ids": [], "needed": 1}

    # ------------------------------------------------------------------ looking back

    def _approval_request(self, kind):
        """The request about this record itself, if there ever was one."""
        self.ensure_one()
        # sudo: the approval counts, whoever looks.
        return (
            self.env["spp.approval.request"]
            .sudo()
            .search(
                [
                    ("res_model", "=", self._name),
                    ("res_id", "=", self.id),
                    ("kind", "=", kind),
                    ("origin", "=", False),
                ]
            )
            .with_env(self.env)
        )

    def _approval_waiting(self, kind):
        """The request about this record that waits, or an error that says what there is."""
        request = self._approval_request(kind)
        if not request or request.state != "waiting":
            raise UserError(_("%s does not wait for approval.", self.display_name))
        return request

    def _approval_fingerprint_of(self, request):
        text = self._approval_fingerprint(request.kind)
        payload = request.sudo().payload  # sudo: its hash says nothing of it
        return hashlib.sha256((text + canonical(payload)).encode()).hexdigest()

    def _approval_check(self, kind):
        """Refuse to go on with what was changed after its approval; what rests on an approval calls it."""
        request = self._approval_request(kind)
        if not request:
            return
        if request.state != "approved" or self._approval_differs(request):
            raise UserError(
                _("%s is not what was approved: it has changed since. It needs approval again.", request.name)
            )

    def _approval_differs(self, request):
        return self._approval_fingerprint_of(
            request
        ) != request.fingerprint and not self._approval_only_removes(request)

    def _approval_void_if_changed(self):
        """After a change: approvals of something else hold no more."""
        # sudo: they are void, whoever sees them.
        requests = self.env["spp.approval.request"].sudo().search(
            [("res_model", "=", self._name), ("res_id", "=", self.id), ("origin", "=", False),
             ("state", "in", ["waiting", "approved"])]
        )  # fmt: skip
        for request in requests:
            request._lock()
            if self._approval_differs(request):
                request.with_env(self.env)._end("void", _("Changed after it was submitted."))

    def _approval_decided_by(self, kind):
        """Everybody who approved this record in its last round, and for whom they did."""
        request = self._approval_request(kind).sudo()  # sudo: as above
        agreed = request.decision_ids.filtered(
            lambda decision: decision.decision == "approved" and decision.round == request.round
        )
        return agreed.user_id | agreed.on_behalf_id


def beside(left, right):
    """Markup of two parts, next to each other where there is room."""
    return Markup("<div class='row'><div class='col-lg-6'>%s</div><div class='col-lg-6'>%s</div></div>") % (
        left,
        right,
    )


def table(rows):
    """Markup of (label, value) rows."""
    line = Markup("<tr><th class='w-50 pe-4'>%s</th><td>%s</td></tr>")
    return Markup("<table class='table table-sm'>%s</table>") % Markup("").join(
        line % (label, text if not isinstance(text, Decimal) else str(text)) for label, text in rows
    )
