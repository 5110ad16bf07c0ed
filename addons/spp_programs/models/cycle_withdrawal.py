"""Taking one beneficiary out of a submitted or approved cycle: they died, left, or were enrolled by mistake.

One person proposes it with a reason, another confirms it. That releases what this beneficiary was due in this cycle
and nothing else, and it is refused once their payment may have left. The outcome that was frozen stays as it was.
"""

from odoo import _, api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.tools import SQL


class CycleWithdrawal(models.Model):
    _name = "spp.cycle.withdrawal"
    _inherit = ["spp.guarded.mixin"]
    _description = "Withdrawal from a cycle"
    _order = "id desc"
    _rec_names_search = ["partner_id"]

    beneficiary_id = fields.Many2one(
        comodel_name="spp.cycle.beneficiary",
        required=True,
        index=True,
        # A draft that is computed again keeps who was withdrawn; a refused proposal goes with its outcome.
        ondelete="cascade",
    )
    cycle_id = fields.Many2one(
        comodel_name="spp.cycle",
        related="beneficiary_id.cycle_id",
        store=True,
        index=True,
        ondelete="restrict",
    )
    program_id = fields.Many2one(comodel_name="spp.program", related="cycle_id.program_id")
    company_id = fields.Many2one(comodel_name="res.company", related="cycle_id.program_id.company_id")
    partner_id = fields.Many2one(
        comodel_name="res.partner",
        string="Registrant",
        related="beneficiary_id.partner_id",
        store=True,
        index=True,
        ondelete="restrict",
    )
    cause = fields.Selection(
        selection=[("died", "Died"), ("left", "Left"), ("mistake", "Enrolled by mistake")], required=True
    )
    reason = fields.Char(
        required=True, help="What is known, and from whom; it is kept, and shown to whoever asks."
    )
    state = fields.Selection(
        selection=[("proposed", "Proposed"), ("confirmed", "Confirmed"), ("refused", "Refused")],
        required=True,
        readonly=True,
        default="proposed",
    )
    currency_id = fields.Many2one(comodel_name="res.currency", related="cycle_id.program_id.currency_id")
    amount = fields.Monetary(
        readonly=True,
        help="What the beneficiary is due in the cycle; of a confirmed withdrawal, what was released.",
    )
    proposed_by = fields.Many2one(
        comodel_name="res.users",
        string="Proposed by",
        required=True,
        readonly=True,
        ondelete="restrict",
        default=lambda self: self.env.uid,
    )
    proposed_at = fields.Datetime(
        string="Proposed at", required=True, readonly=True, default=lambda self: fields.Datetime.now()
    )
    decided_by = fields.Many2one(
        comodel_name="res.users", string="Decided by", readonly=True, ondelete="restrict"
    )
    decided_at = fields.Datetime(string="Decided at", readonly=True)
    refusal_reason = fields.Char(string="Refused because", readonly=True)
    may_confirm = fields.Boolean(compute="_compute_may_confirm", help="Whether somebody else proposed it.")

    _guarded_fields = frozenset(
        {
            "state",
            "amount",
            "proposed_by",
            "proposed_at",
            "decided_by",
            "decided_at",
            "refusal_reason",
            "cycle_id",
            "partner_id",
        }
    )

    _sql_constraints = [
        (
            "two_people",
            "CHECK((state = 'proposed') = (decided_by IS NULL)"
            " AND (state <> 'confirmed' OR decided_by <> proposed_by))",
            "A withdrawal is proposed by one person and confirmed by another.",
        ),
    ]

    def init(self):
        self.env.cr.execute("""
            CREATE UNIQUE INDEX IF NOT EXISTS spp_cycle_withdrawal_live_unique
                ON spp_cycle_withdrawal (beneficiary_id) WHERE state <> 'refused'
        """)

    @api.depends("partner_id", "cycle_id")
    def _compute_display_name(self):
        for withdrawal in self:
            withdrawal.display_name = (
                f"{withdrawal.partner_id.display_name} ({withdrawal.cycle_id.display_name})"
            )

    @api.depends_context("uid")
    @api.depends("proposed_by")
    def _compute_may_confirm(self):
        for withdrawal in self:
            withdrawal.may_confirm = withdrawal.proposed_by.id != self.env.uid

    @api.model_create_multi
    def create(self, vals_list):
        beneficiaries = self.env["spp.cycle.beneficiary"].browse(
            [vals.get("beneficiary_id") for vals in vals_list]
        )
        beneficiaries.check_access_rule("read")
        beneficiaries.cycle_id._lock()
        for vals in vals_list:
            self._given_reason(vals.get("reason"))
        for beneficiary in beneficiaries:
            if beneficiary.sudo().withdrawal_ids.filtered(lambda one: one.state != "refused"):
                raise UserError(
                    _("%s is being withdrawn or was withdrawn already.", beneficiary.display_name)
                )
            beneficiary._check_may_be_withdrawn()
        withdrawals = super().create(vals_list)
        for withdrawal in withdrawals:
            withdrawal._write_guarded({"amount": withdrawal.beneficiary_id._amount_due()})
            withdrawal._hold_payments()
            self.env["spp.audit.entry"]._log(
                "Withdrawal proposed", withdrawal, new={"cause": withdrawal.cause}, note=withdrawal.reason
            )
        return withdrawals

    def write(self, vals):  # pylint: disable=method-required-super  # refused altogether
        raise UserError(
            _("A withdrawal is confirmed or refused; refuse it and propose another to change it.")
        )

    # ------------------------------------------------------------------ actions

    def action_confirm(self):
        """Withdraw the beneficiaries: what they are due is cancelled and its money free again.

        Roles: program manager, approver; not who proposed it. Refused once a payment may have left.
        """
        self._check_role("program_manager", "approver")
        for withdrawal in self:
            withdrawal._lock_open()
            if withdrawal.proposed_by.id == self.env.uid:
                raise AccessError(
                    _("You proposed to withdraw %s: somebody else confirms it.", withdrawal.display_name)
                )
            withdrawal.beneficiary_id._check_may_be_withdrawn()
            amount = withdrawal.beneficiary_id._withdraw(withdrawal._words())
            withdrawal._decide("confirmed", amount=amount)
        return True

    def action_refuse(self, reason):
        """Leave the beneficiaries in the cycle. Roles: program manager, approver; who proposed it takes it back so.

        :param reason: why, in plain words
        """
        self._check_role("program_manager", "approver", "enrollment_officer")
        for withdrawal in self:
            withdrawal._lock_open()
            if withdrawal.proposed_by.id != self.env.uid:
                withdrawal._check_role("program_manager", "approver")
            withdrawal._decide("refused", refusal_reason=self._given_reason(reason))
            withdrawal._let_payments_go()
        return True

    # ------------------------------------------------------------------ business

    def _lock_open(self):
        self.cycle_id._lock()
        self._lock()
        if self.state != "proposed":
            raise UserError(_("The withdrawal of %s was decided already.", self.display_name))

    def _decide(self, state, **vals):
        self._write_guarded(
            {**vals, "state": state, "decided_by": self.env.uid, "decided_at": fields.Datetime.now()}
        )
        self.env["spp.audit.entry"]._log(
            f"Withdrawal {state}",
            self,
            old={"state": "proposed"},
            new={"state": state, "amount": vals.get("amount")},
            note=vals.get("refusal_reason") or self.reason,
        )

    def _hold_payments(self):
        """Until it is decided, nothing is sent. What pays overrides it."""

    def _let_payments_go(self):
        """The proposal was refused: what it held goes on."""

    def _words(self):
        return _("Withdrawn: %(cause)s. %(reason)s", cause=self._cause_label().lower(), reason=self.reason)

    def _cause_label(self):
        return dict(self._fields["cause"]._description_selection(self.env))[self.cause]


class CycleBeneficiary(models.Model):
    _inherit = "spp.cycle.beneficiary"

    withdrawal_ids = fields.One2many(
        comodel_name="spp.cycle.withdrawal", inverse_name="beneficiary_id", string="Withdrawals"
    )
    entitlement_ids = fields.One2many(
        comodel_name="spp.entitlement", inverse_name="beneficiary_id", string="Entitlements"
    )

    def action_withdraw(self, cause, reason):
        """Propose to withdraw these beneficiaries from their cycle; another person confirms it.

        Roles: enrollment officer, program manager.

        :param cause: "died", "left" or "mistake"
        :param reason: what is known, and from whom
        :return: ids of the withdrawals (spp.cycle.withdrawal)
        """
        self.env["spp.cycle.withdrawal"]._check_role("enrollment_officer", "program_manager")
        self.check_access_rights("read")
        self.check_access_rule("read")
        return (
            self.env["spp.cycle.withdrawal"]
            .create([{"beneficiary_id": one.id, "cause": cause, "reason": reason} for one in self])
            .ids
        )

    def action_include(self):
        withdrawn = self.filtered(lambda one: "confirmed" in one.sudo().withdrawal_ids.mapped("state"))
        if withdrawn:
            raise UserError(
                _("%s was withdrawn from this cycle by two people: that stays.", withdrawn[0].display_name)
            )
        return super().action_include()

    def _check_may_be_withdrawn(self):
        """The cycle was submitted and runs, the beneficiary is due something, and nothing of it may have left."""
        for beneficiary in self:
            beneficiary.cycle_id._check_state("submitted", "approved", "disbursing")
            # sudo: what a beneficiary is due counts as a whole
            due = beneficiary.sudo().entitlement_ids.filtered(
                lambda one: one.state in ("draft", "approved", "paid")
            )
            if not due:
                raise UserError(
                    _("%s is due nothing: there is nothing to withdraw.", beneficiary.display_name)
                )
            left = due.filtered(lambda one: one.state == "paid") | due._being_paid()
            if left:
                raise UserError(
                    _(
                        "The payment of %s may have left already: it cannot be withdrawn any more.",
                        beneficiary.display_name,
                    )
                )

    def _withdraw(self, reason):
        """Cancel what this beneficiary is due; the caller has locked the cycle. The amount, for the record."""
        self.ensure_one()
        cycle = self.cycle_id
        scope = SQL("e.beneficiary_id = %s", self.id)
        amount = self._amount_due()
        cycle._move_entitlements(("draft",), "cancelled", reason, scope)
        cycle._release("cancelled", reason, scope)
        return amount

    def _amount_due(self):
        # sudo: what a beneficiary is due counts as a whole
        due = self.sudo().entitlement_ids.filtered(lambda one: one.state in ("draft", "approved"))
        return sum(due.mapped("amount"))


class Entitlement(models.Model):
    _inherit = "spp.entitlement"

    def _being_paid(self):
        """Those of which a payment may have left. What pays overrides it."""
        return self.browse()


class Cycle(models.Model):
    _inherit = "spp.cycle"

    withdrawal_ids = fields.One2many(
        comodel_name="spp.cycle.withdrawal", inverse_name="cycle_id", string="Withdrawals"
    )
    withdrawal_count = fields.Integer(compute="_compute_withdrawals", compute_sudo=True)
    proposed_withdrawal_count = fields.Integer(
        string="Withdrawals to decide", compute="_compute_withdrawals", compute_sudo=True
    )
    withdrawn_amount = fields.Monetary(
        string="Withdrawn",
        compute="_compute_withdrawals",
        compute_sudo=True,
        help="What people were due who were taken out of the cycle after it was submitted.",
    )

    @api.depends("withdrawal_ids.state", "withdrawal_ids.amount")
    def _compute_withdrawals(self):
        found = {}
        for cycle, state, count, amount in self.env["spp.cycle.withdrawal"]._read_group(
            # Who was withdrawn before the cycle was sent back is no part of its new total.
            [("cycle_id", "in", self.ids), ("beneficiary_id.exclusion_reason", "=", False)],
            ["cycle_id", "state"],
            ["__count", "amount:sum"],
        ):
            found.setdefault(cycle.id, {})[state] = (count, amount)
        for cycle in self:
            of_cycle = found.get(cycle.id, {})
            cycle.withdrawal_count = sum(count for count, _amount in of_cycle.values())
            cycle.proposed_withdrawal_count = of_cycle.get("proposed", (0, 0))[0]
            cycle.withdrawn_amount = of_cycle.get("confirmed", (0, 0))[1]

    def _set_state(self, state, **vals):
        result = super()._set_state(state, **vals)
        if state == "draft":
            self._keep_withdrawn_out(vals.get("state_reason") or "")
        return result

    def _keep_withdrawn_out(self, reason):
        """In the draft that it becomes, who was withdrawn is excluded; what was only proposed is refused."""
        self.env.flush_all()
        for cycle in self:
            # sudo: withdrawals and outcomes follow the decision; the role was checked
            withdrawals = cycle.sudo().withdrawal_ids
            for withdrawal in withdrawals.filtered(lambda one: one.state == "proposed"):
                withdrawal._decide("refused", refusal_reason=_("The cycle was sent back: %s", reason))
            for withdrawal in withdrawals.filtered(lambda one: one.state == "confirmed"):
                beneficiary = withdrawal.beneficiary_id
                if beneficiary.outcome == "eligible":
                    self.env.cr.execute(
                        SQL("DELETE FROM spp_entitlement WHERE beneficiary_id = %s", beneficiary.id)
                    )
                    beneficiary.write(
                        {
                            "outcome": "excluded",
                            "exclusion_reason": _("Withdrawn: %s", withdrawal.reason),
                            "excluded_by": withdrawal.decided_by.id,
                        }
                    )
            if withdrawals:
                self.env.flush_all()
                cycle._write_guarded(cycle._count())
                self.env.invalidate_all()

    @api.depends("withdrawn_amount")
    def _compute_fund_after(self):
        result = super()._compute_fund_after()
        for cycle in self:
            if cycle.state in ("draft", "submitted"):
                cycle.fund_after += cycle.withdrawn_amount
        return result
