"""Issuing a payment again, and settling one by hand, wait for approval where a chain says so."""

import uuid

from odoo import _, models
from odoo.exceptions import AccessError, UserError

from odoo.addons.spp_approval.models.approval_mixin import GRANTED


class Payment(models.Model):
    _inherit = "spp.payment"

    def action_reissue(self, dealt_with):
        """As before; where a chain is for it, the payments wait, and nothing is answered for them until then."""
        self._check_role("program_manager")
        dealt_with = self._given(dealt_with)
        self._check_state("rejected", "returned")
        self._check_no_contradiction()
        at_once = self._approval_at_once("reissue", "action_reissue", dealt_with)
        return super(Payment, at_once).action_reissue(dealt_with) if at_once else []

    def action_confirm_settlement(self):
        """As before; where a chain is for it, what a second person confirms also waits for approval."""
        self._check_role("finance_officer")
        for payment in self:
            if not payment.settle_outcome:
                raise UserError(_("%s: nothing was recorded that could be confirmed.", payment.reference))
            if payment.settle_by == self.env.user:
                raise AccessError(
                    _("You recorded how %s ended: somebody else confirms it.", payment.reference)
                )
        at_once = self._approval_at_once("settle_unknown", "action_confirm_settlement")
        return super(Payment, at_once).action_confirm_settlement() if at_once else True

    def _approval_at_once(self, kind, method, *arguments):
        """Those of the payments that no chain is for; about the others, their cycles ask for approval."""
        if self.env.context.get("spp_approval_granted") is GRANTED:
            return self
        at_once = self.browse()
        for cycle, payments in self.grouped("cycle_id").items():
            if not cycle._approval_ask_payments(kind, method, payments, *arguments):
                at_once |= payments
        return at_once


class Cycle(models.Model):
    _inherit = "spp.cycle"

    def _do_prepare_payments(self, run, domain=None):
        self._approval_check("cycle")  # what is due is what was approved
        return super()._do_prepare_payments(run, domain)

    def action_send_payments(self):
        """As before; refused when what is due is not what was approved."""
        self._check_role("payment_releaser")
        for cycle in self:
            cycle._approval_check("cycle")
        return super().action_send_payments()

    def _barred_from_release(self):
        """Who approved does not release, in whosever name, unless the chain says so."""
        request = self._approval_request("cycle")
        if not request:
            return super()._barred_from_release()
        barred = self.submitted_by
        if not request.approver_may_release:
            barred |= self.approved_by | self._approval_decided_by("cycle")
        return barred

    def _approval_ask_payments(self, kind, method, payments, *arguments):
        chains = self.env["spp.approval.chain"]
        if not chains._find(kind, self):
            return self.env["spp.approval.request"]
        return self._approval_ask(
            kind,
            "_approval_do_payments",
            [method, payments.ids, *arguments],
            f"{dict(chains._kinds())[kind]}: {', '.join(payments[:5].mapped('reference'))}",
            origin=str(uuid.uuid4()),
            amount=sum(payments.mapped("amount")),
            count=len(payments),
            currency=self.currency_id,
            barred=payments.sudo().settle_by if kind == "settle_unknown" else None,
            reason=" ".join(arguments),
            summary=_("%s payments", len(payments)),
        )

    def _approval_do_payments(self, method, payment_ids, *arguments):
        return getattr(self.env["spp.payment"].browse(payment_ids), method)(*arguments)
