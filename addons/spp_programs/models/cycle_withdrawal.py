"""Taking one beneficiary out of a submitted or approved cycle: they died, left, or were enrolled by mistake.

One person proposes it with a reason, another confirms it. That releases what this beneficiary was due in this cycle
and nothing else, and it is refused once their payment may have left. The outcome that was frozen stays as it was.
"""

from odoo import _, api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.tools import SQL

from ..tools.domain import checked


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
        precompute=True,
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
        precompute=True,
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
        beneficiaries._check_may_be_withdrawn()
        withdrawals = super().create(vals_list)
        withdrawals._keep_amounts()
        withdrawals._hold_payments()
        withdrawals._log_each("Withdrawal proposed", [{"cause": one.cause} for one in withdrawals])
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
        self._lock_open()
        for withdrawal in self:
            if withdrawal.proposed_by.id == self.env.uid:
                raise AccessError(
                    _("You proposed to withdraw %s: somebody else confirms it.", withdrawal.display_name)
                )
        self.beneficiary_id._check_may_be_withdrawn(proposed=False)
        self._keep_amounts()
        for (cycle, words), some in self.grouped(lambda one: (one.cycle_id, one._words())).items():
            scope = SQL("e.beneficiary_id = ANY(%s)", some.beneficiary_id.ids)
            cycle._move_entitlements(("draft",), "cancelled", words, scope)
            cycle._release("cancelled", words, scope)
        self._decide("confirmed")
        return True

    def action_refuse(self, reason):
        """Leave the beneficiaries in the cycle. Roles: program manager, approver; who proposed it takes it back so.

        :param reason: why, in plain words
        """
        self._check_role("program_manager", "approver", "enrollment_officer")
        reason = self._given_reason(reason)
        self._lock_open()
        if self.proposed_by - self.env.user:
            self._check_role("program_manager", "approver")
        self._decide("refused", refusal_reason=reason)
        self._let_payments_go()
        return True

    # ------------------------------------------------------------------ business

    def _lock_open(self):
        self.cycle_id._lock()
        self._lock()
        for withdrawal in self:
            if withdrawal.state != "proposed":
                raise UserError(_("The withdrawal of %s was decided already.", withdrawal.display_name))

    def _keep_amounts(self):
        """What the beneficiaries are due in the cycle at this moment, for the record."""
        self.env.flush_all()
        self.env.cr.execute(
            SQL(
                """
                UPDATE spp_cycle_withdrawal w SET amount = due.amount
                  FROM (SELECT beneficiary_id, sum(amount) FILTER (WHERE state IN ('draft', 'approved')) AS amount
                          FROM spp_entitlement WHERE beneficiary_id = ANY(%s) GROUP BY beneficiary_id) due
                 WHERE w.id = ANY(%s) AND due.beneficiary_id = w.beneficiary_id
                """,
                self.beneficiary_id.ids,
                self.ids,
            )
        )
        self.invalidate_recordset(["amount"])

    def _decide(self, state, **vals):
        self._write_guarded(
            {**vals, "state": state, "decided_by": self.env.uid, "decided_at": fields.Datetime.now()}
        )
        confirmed = state == "confirmed"
        self._log_each(
            f"Withdrawal {state}",
            [{"state": state, "amount": one.amount if confirmed else None} for one in self],
            {"state": "proposed"},
            vals.get("refusal_reason"),
        )

    def _log_each(self, action, new, old=None, note=None):
        """An entry for each, all of them in one statement."""
        trail = self.env["spp.audit.entry"]
        # sudo: everybody leaves a trail, nobody writes one by hand
        trail.sudo().create(
            [
                trail._values(action, withdrawal, old=old, new=values, note=note or withdrawal.reason)
                for withdrawal, values in zip(self, new, strict=True)
            ]
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

    def _check_may_be_withdrawn(self, proposed=True):
        """The cycle was submitted and runs, the beneficiary is due something, and nothing of it may have left.

        :param proposed: and nobody proposed to withdraw them yet
        """
        for cycle in self.cycle_id:
            cycle._check_state("submitted", "approved", "disbursing")
        for beneficiary_id, problem in self._withdrawal_problems(proposed).items():
            raise UserError(self._withdrawal_words(problem, self.browse(beneficiary_id).display_name))

    def _withdrawal_problems(self, proposed=True):
        """{id: problem} of those who cannot be withdrawn, in one statement."""
        self.env.flush_all()
        # As superuser, as it were: what a beneficiary is due counts as a whole.
        self.env.cr.execute(
            SQL(
                """
                SELECT id, problem
                  FROM (SELECT b.id, CASE
                               WHEN %(proposed)s AND EXISTS (
                                    SELECT FROM spp_cycle_withdrawal w
                                     WHERE w.beneficiary_id = b.id AND w.state <> 'refused') THEN 'live'
                               WHEN NOT EXISTS (
                                    SELECT FROM spp_entitlement e
                                     WHERE e.beneficiary_id = b.id AND e.state NOT IN ('cancelled', 'expired'))
                               THEN 'nothing'
                               WHEN EXISTS (
                                    SELECT FROM spp_entitlement e WHERE e.beneficiary_id = b.id AND %(left)s)
                               THEN 'left' END AS problem
                          FROM spp_cycle_beneficiary b
                         WHERE b.id = ANY(%(ids)s)) judged
                 WHERE problem IS NOT NULL
                 ORDER BY id
                """,
                proposed=proposed,
                left=self.env["spp.entitlement"]._may_have_left(),
                ids=self.ids,
            )
        )
        return dict(self.env.cr.fetchall())

    @api.model
    def _withdrawal_words(self, problem, name):
        return {
            "live": _("%s is being withdrawn or was withdrawn already.", name),
            "nothing": _("%s is due nothing: there is nothing to withdraw.", name),
            "left": _(
                "What %s is due was handed out, or its payment may have left already: it cannot be withdrawn any more.",
                name,
            ),
        }[problem]


class Entitlement(models.Model):
    _inherit = "spp.entitlement"

    @api.model
    def _may_have_left(self):
        """SQL about the row `e` of spp_entitlement: somebody may have got it. What pays overrides it."""
        return SQL("e.state IN ('paid', 'handed_out')")


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

    def action_propose_withdrawals(self, cause, reason, domain=None):
        """Propose to withdraw beneficiaries of this cycle; another person confirms each. One run, however many.

        Who cannot be withdrawn is a failed row of the run. Roles: enrollment officer, program manager.

        :param cause: "died", "left" or "mistake"
        :param reason: what is known, and from whom
        :param domain: which of the beneficiaries (spp.cycle.beneficiary), as far as they may be seen
        :return: id of the run (spp.run)
        """
        self.ensure_one()
        self._check_role("enrollment_officer", "program_manager")
        self._check_state("submitted", "approved", "disbursing")
        if cause not in self._causes():
            raise UserError(_("There is no such cause; there are: %s.", ", ".join(self._causes())))
        domain = checked(self.env["spp.cycle.beneficiary"], domain or [])
        wanted = [("cycle_id", "=", self.id), ("outcome", "=", "eligible"), *domain]
        return self._bulk(
            "propose_withdrawals",
            _("Propose to withdraw: %s", self.display_name),
            [cause, self._given_reason(reason), domain],
            rows=self._rows("spp.cycle.beneficiary", wanted),
        )

    def _do_propose_withdrawals(self, run, cause, reason, domain):
        self._lock()
        self._check_state("submitted", "approved", "disbursing")
        # The record rules apply: an officer of one area proposes for that area's people only.
        chosen = self.env["spp.cycle.beneficiary"].search(
            [("cycle_id", "=", self.id), ("outcome", "=", "eligible"), *domain]
        )
        run._progress(0, total=len(chosen))
        problems = chosen._withdrawal_problems()
        fine = chosen.filtered(lambda one: one.id not in problems)
        self.env["spp.cycle.withdrawal"].create(
            [{"beneficiary_id": one.id, "cause": cause, "reason": reason} for one in fine]
        )
        run._add_failures(
            [
                {
                    "res_model": one._name,
                    "res_id": one.id,
                    "name": one.display_name,
                    "partner_id": one.partner_id.id,
                    "reason": chosen._withdrawal_words(problems[one.id], one.display_name),
                }
                for one in chosen - fine
            ]
        )
        run._finish({_("Proposed to be withdrawn"): len(fine), _("Cannot be withdrawn"): len(problems)})

    def _causes(self):
        return dict(self.env["spp.cycle.withdrawal"]._fields["cause"].selection)

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
            withdrawals.filtered(lambda one: one.state == "proposed")._decide(
                "refused", refusal_reason=_("The cycle was sent back: %s", reason)
            )
            self.env.flush_all()
            self.env.cr.execute(
                SQL(
                    """
                    WITH gone AS (
                        SELECT w.beneficiary_id, w.reason, w.decided_by FROM spp_cycle_withdrawal w
                          JOIN spp_cycle_beneficiary b ON b.id = w.beneficiary_id AND b.outcome = 'eligible'
                         WHERE w.cycle_id = %(cycle)s AND w.state = 'confirmed'
                    ), nothing AS (
                        DELETE FROM spp_entitlement e USING gone WHERE e.beneficiary_id = gone.beneficiary_id
                    )
                    UPDATE spp_cycle_beneficiary b
                       SET outcome = 'excluded', exclusion_reason = %(words)s || gone.reason,
                           excluded_by = gone.decided_by, write_uid = %(uid)s, write_date = %(now)s
                      FROM gone WHERE b.id = gone.beneficiary_id
                    """,
                    cycle=cycle.id,
                    words=_("Withdrawn: %s", ""),
                    uid=self.env.uid,
                    now=self.env.cr.now(),
                )
            )
            self.env.invalidate_all()
            if withdrawals:
                cycle._write_guarded(cycle._count())

    @api.depends("withdrawn_amount")
    def _compute_fund_after(self):
        result = super()._compute_fund_after()
        for cycle in self:
            if cycle.state in ("draft", "submitted"):
                cycle.fund_after += cycle.withdrawn_amount
        return result
