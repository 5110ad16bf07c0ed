"""Cycles are approved by chains; without one, by one approver."""

from decimal import Decimal

from odoo import _, fields, models
from odoo.exceptions import UserError
from odoo.tools import SQL, format_amount

from odoo.addons.spp_approval.models.approval_mixin import beside, table


class Cycle(models.Model):
    _name = "spp.cycle"
    _inherit = ["spp.cycle", "spp.approval.mixin"]

    # ------------------------------------------------------------------ actions

    def _do_submit(self, run):
        result = super()._do_submit(run)
        self._approval_submit("cycle")
        return result

    def action_approve(self, comment="", on_behalf_of=False):
        """Agree to a submitted cycle; with the last one asked, it is approved.

        Then the total is committed to the fund and every entitlement becomes due, or nothing happens at all. For who
        is asked by the program's chain, without one an approver; never for who submitted or computed it.

        :param comment: kept with the decision
        :param on_behalf_of: id of the user whose deputy decides; found when not given
        :return: id of the run (spp.run)
        """
        self.ensure_one()
        self.env["spp.approval.request"]._check_decider()
        self._check_state("submitted")
        request = self._approval_waiting("cycle")
        request._check_may_decide(on_behalf_of)
        self.program_id._check_active()
        arguments = [(comment or "").strip(), on_behalf_of]
        return self._bulk(
            "approve", _("Approve: %s", self.display_name), arguments, rows=self.entitlement_count
        )

    def _do_approve(self, run, comment="", on_behalf_of=False):
        self._lock()
        self._check_state("submitted")
        self.program_id._check_active()
        run._progress(0, total=self.entitlement_count, stage=_("Entitlements"))
        self._approval_waiting("cycle")._decide("approved", comment, on_behalf_of)
        due = self.entitlement_count if self.state == "approved" else 0
        run._finish({_("Entitlements approved"): due})

    def _approval_lock(self, request):
        if request.kind == "cycle":
            self._lock()
        return super()._approval_lock(request)

    def _approval_approve(self, request, comment, on_behalf_of):
        if request.kind != "cycle":
            return super()._approval_approve(request, comment, on_behalf_of)
        return self.action_approve(comment, on_behalf_of)

    def action_reject(self, reason, on_behalf_of=False):
        """Refuse a submitted cycle: it is a draft again. For who is asked for its approval.

        :param reason: why, in plain words
        """
        self.env["spp.approval.request"]._check_decider()
        for cycle in self:
            cycle._check_state("submitted")
            cycle._approval_waiting("cycle").action_reject(reason, on_behalf_of)
        return True

    def action_send_back(self, reason, on_behalf_of=False):
        """Give a submitted cycle back to be put right and submitted again. For who is asked for its approval."""
        self.env["spp.approval.request"]._check_decider()
        for cycle in self:
            cycle._check_state("submitted")
            cycle._approval_waiting("cycle").action_send_back(reason, on_behalf_of)
        return True

    def action_view_approval(self):
        """Open what an approver sees of this cycle."""
        self.ensure_one()
        request = self._approval_request("cycle")
        if not request:
            raise UserError(_("%s was not submitted yet.", self.display_name))
        return {
            "type": "ir.actions.act_window",
            "name": _("Approval"),
            "res_model": request._name,
            "res_id": request.id,
            "views": [(False, "form")],
        }

    # ------------------------------------------------------------------ what the approval is about

    def _approval_figures(self, kind):
        before = self.previous_id
        return {
            **super()._approval_figures(kind),
            "amount": self._exact_total(),
            "currency": self.currency_id,
            "count": self.people,
            "amount_before": before._exact_total() if before else None,
            "count_before": self.previous_people if before else None,
            "program_code": self.program_id.code,
        }

    def _approval_fingerprint(self, kind):
        """Of every entitlement: who, to whom it is paid, how much. Its state is not part of it, so that withdrawing
        somebody changes nothing; all else is frozen with the cycle anyway, and this would show it."""
        self.env.flush_all()
        self.env.cr.execute(
            SQL(
                """
                SELECT encode(sha256(convert_to(COALESCE(string_agg(
                           concat_ws(':', e.id, e.partner_id, b.situation ->> 'payee', e.benefit_id, e.kind,
                                     e.amount, e.currency_id, e.quantity, e.unit, e.product_name),
                           ';' ORDER BY e.id), ''), 'UTF8')), 'hex')
                  FROM spp_entitlement e
                  JOIN spp_cycle_beneficiary b ON b.id = e.beneficiary_id
                 WHERE e.cycle_id = %s
                """,
                self.id,
            )
        )
        return self.env.cr.fetchone()[0]

    def _approval_prepared_by(self, kind):
        """Who computed the draft as it was submitted."""
        run = self.env["spp.run"].sudo().search(
            [("kind", "=", "cycle_compute"), ("res_model", "=", self._name), ("res_id", "=", self.id),
             ("state", "=", "done")], order="id desc", limit=1)  # fmt: skip
        return super()._approval_prepared_by(kind) | run.user_id

    def _approval_granted(self, request):
        result = super()._approval_granted(request)
        if request.kind != "cycle":
            return result
        self._lock()
        self.program_id._check_active()
        self._commit_fund()
        self._move_entitlements(("draft",), "approved")
        self._set_state("approved", approved_by=self.env.uid, approved_at=fields.Datetime.now())
        return result

    def _approval_refused(self, request, reason):
        result = super()._approval_refused(request, reason)
        if request.kind == "cycle" and self.state == "submitted":
            self._lock()
            self._set_state("draft", state_reason=reason, submitted_by=False, submitted_at=False)
        return result

    def _set_state(self, state, **vals):
        if state == "cancelled":
            for cycle in self.filtered(lambda cycle: cycle.state == "submitted"):
                request = cycle._approval_request("cycle")
                if request.state == "waiting":
                    request._lock()
                    cycle_reason = vals.get("state_reason") or ""
                    request._trail("withdrawn", cycle_reason)
                    request._set_state("withdrawn", decided_at=fields.Datetime.now())
                    request._forget_reminders()
        return super()._set_state(state, **vals)

    def _what_next(self):
        if self.state == "submitted" and self.sudo().approval_waits_for:
            return _("Waits for approval, not by %(who)s. %(what)s", who=self.submitted_by.sudo().name,
                     what=self.approval_waits_for)  # fmt: skip
        return super()._what_next()

    # ------------------------------------------------------------------ what an approver sees

    def _exact_total(self):
        self.env.cr.execute(
            SQL("SELECT COALESCE(sum(amount), 0)::text FROM spp_entitlement WHERE cycle_id = %s", self.id)
        )
        return Decimal(self.env.cr.fetchone()[0])

    def _goods_due(self):
        """A row for each kind of goods; what gives goods extends it."""
        return []

    def _failed_rows(self):
        run = self.env["spp.run"].sudo().search(
            [("kind", "=", "cycle_compute"), ("res_model", "=", self._name), ("res_id", "=", self.id)],
            order="id desc", limit=1)  # fmt: skip
        return self.env["spp.run.failure"].sudo().search_count([("run_id", "=", run.id)]) if run else 0

    def _approval_exceptions(self, money):
        """Rows for what people decided about this cycle: its budget, and whom they took out."""
        rows = []
        if self.parent_id:
            rows.append((_("Supplements %s", self.parent_id.display_name), self.supplementary_reason))
        if self.over_budget:
            rows += [
                (_("Above the budget"), money(self.over_budget)),
                (_("Reason to exceed it"), self.budget_reason),
            ]
        excluded = self.env["spp.cycle.beneficiary"]._read_group(
            [("cycle_id", "=", self.id), ("exclusion_reason", "!=", False)], ["exclusion_reason"], ["__count"]
        )
        rows += [(_("Excluded by a person"), f"{count}: {reason}") for reason, count in excluded]
        if self.withdrawn_amount:
            rows.append((_("Withdrawn since it was submitted"), money(self.withdrawn_amount)))
        return rows

    def _approval_page(self, request):
        """Totals, the difference to the cycle before, what is undecided or failed, and the fund."""
        page = super()._approval_page(request)
        if request.kind != "cycle":
            return page
        cycle = self.sudo()  # sudo: who may see the request is shown its figures

        def money(amount):
            return format_amount(self.env, amount, cycle.currency_id)

        outcomes = [
            (_("Members considered"), cycle.beneficiary_count),
            (_("Eligible"), cycle.eligible_count),
            (_("Not eligible"), cycle.not_eligible_count),
            (_("Undetermined: data are missing"), cycle.undetermined_count),
            (_("Not compliant"), cycle.not_compliant_count),
            (_("Excluded"), cycle.excluded_count),
            (_("Rows that failed"), cycle._failed_rows()),
        ]
        rows = [
            (_("Entitlements"), cycle.entitlement_count),
            (_("Total"), money(cycle.total_amount)),
            *cycle._goods_due(),
        ]
        rows += cycle._approval_exceptions(money)
        if cycle.previous_id:
            rows.append((_("Total of %s", cycle.previous_id.display_name), money(cycle.previous_total)))
            kinds = dict(cycle.difference_total_ids._fields["kind"]._description_selection(self.env))
            rows += [
                (
                    _("Difference: %s", kinds[line.kind]),
                    _("%(people)s people, %(money)s", people=line.people, money=money(line.amount_change)),
                )
                for line in cycle.difference_total_ids
            ]
            rows.append((_("Difference in money"), money(cycle.total_amount - cycle.previous_total)))
        else:
            rows.append((_("Cycle before"), _("None: this is the first.")))
        if cycle.difference_question:
            rows += [
                (_("Beyond the limits"), cycle.difference_question),
                (_("Reason for the difference"), cycle.difference_reason),
            ]
        if cycle.state in ("draft", "submitted"):
            rows += [
                (_("Free in the fund before"), money(cycle.fund_free)),
                (_("Free in the fund after"), money(cycle.fund_after)),
            ]
        return beside(page + table(outcomes), table(rows))
