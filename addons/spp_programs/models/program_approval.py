"""Money for a fund, and decisions of people about members, wait for approval where a chain says so."""

import uuid

from odoo import _, api, models
from odoo.exceptions import UserError

from odoo.addons.spp_approval.models.approval_mixin import GRANTED, beside, table

from ..tools.money import exact, shown

# decision about members: kind of chain
KINDS = {"enroll": "enrollment", "reinstate": "enrollment", "exit": "exit", "graduate": "exit"}


class Program(models.Model):
    _name = "spp.program"
    _inherit = ["spp.program", "spp.approval.mixin"]

    def _approval_figures(self, kind):
        return {**super()._approval_figures(kind), "program_code": self.code}

    def _fund_change(self, kind, amount_str, document, request_key, fiscal_year=None, corrects=None):
        """As before; where a chain is for it, the change waits, and 0 is answered until it is approved."""
        self.ensure_one()
        self._check_role("finance_officer")
        if not (document or "").strip() or not (request_key or "").strip():
            raise UserError(_("An entry of the fund needs a document and a request key."))
        amount = exact(amount_str, self.currency_id)
        corrects_id = corrects.id if corrects else False
        request = self._approval_ask(
            "fund",
            "_fund_change_approved",
            [kind, str(amount_str), document, request_key, fiscal_year or False, corrects_id],
            _(
                "Fund of %(program)s: %(amount)s",
                program=self.display_name,
                amount=shown(amount, self.currency_id),
            ),
            origin=request_key.strip(),
            reason=document,
            amount=amount,
            currency=self.currency_id,
        )
        if request.state in ("rejected", "withdrawn"):
            raise UserError(_("%s was refused. Ask for it with a new request key.", request.name))
        if request and request.state != "approved":
            return 0
        return super()._fund_change(kind, amount_str, document, request_key, fiscal_year, corrects)

    def _fund_change_approved(self, kind, amount_str, document, request_key, fiscal_year, corrects_id):
        corrects = self.env["spp.fund.entry"].browse(corrects_id) if corrects_id else None
        return self._fund_change(kind, amount_str, document, request_key, fiscal_year or None, corrects)

    def _approval_ask_members(self, kind, decision, reason, date, members):
        """Ask for the approval of a decision about members."""
        label = dict(self.env["spp.approval.chain"]._kinds())[kind]
        who = members.display_name if len(members) == 1 else _("%(count)s members of %(program)s",
                                                               count=len(members), program=self.display_name)  # fmt: skip
        return self._approval_ask(
            kind,
            "_approval_decide_members",
            [decision, reason, str(date), members.ids],
            f"{label}: {who}",
            origin=str(uuid.uuid4()),
            reason=reason,
            count=len(members),
            partner=members.partner_id if len(members) == 1 else None,
        )

    def _approval_decide_members(self, decision, reason, date, member_ids):
        return self.env["spp.program.membership"].browse(member_ids)._decide(decision, reason, date)

    def _approval_page(self, request):
        page = super()._approval_page(request)
        if request.kind == "fund":
            program = self.sudo()  # sudo: who may see the request is shown its figures
            money = program.currency_id
            free = [
                (_("Free in the fund before"), shown(program.fund_free, money)),
                (_("Free in the fund after"), shown(program.fund_free + request.amount, money)),
            ]
            return beside(page, table(free))
        if request.kind in KINDS.values():
            # sudo: of the members only those that the user may see are named
            ids = (request.sudo().payload or {"args": [[]]})["args"][-1]
            seen = self.env["spp.program.membership"].search([("id", "in", ids)], limit=50)
            names = [(member.partner_id.display_name, member.reason or "") for member in seen]
            if len(ids) > len(seen):
                names.append((_("And others"), len(ids) - len(seen)))
            return beside(page, table(names))
        return page


class EnrollmentDecision(models.Model):
    _inherit = "spp.enrollment.decision"

    @api.model
    def _take(self, program, decision, member_ids_sql, reason, date):
        """As before; where a chain is for it, the decision waits, and none is answered until it is approved."""
        kind = KINDS.get(decision)
        if (
            not kind
            or self.env.context.get("spp_approval_granted") is GRANTED
            or not self.env["spp.approval.chain"]._find(kind, program)
        ):
            return super()._take(program, decision, member_ids_sql, reason, date)
        self.env.flush_all()
        self.env.cr.execute(member_ids_sql)
        members = self.env["spp.program.membership"].browse(row[0] for row in self.env.cr.fetchall())
        program._approval_ask_members(kind, decision, reason, date, members)
        return self.browse()
