"""What a payer says against the books: another amount than was due, or *paid* of a payment that had ended.

Two people settle each. Until then the payment stays as it is, and nothing else of its entitlement is sent.
"""

from odoo import _, api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.tools import SQL

from ..tools.money import exact

# kind: outcomes that two people may settle on
OUTCOMES = {
    "amount": ("paid_in_full", "paid_as_reported", "not_paid"),
    "late_paid": ("not_paid", "paid", "paid_twice"),
}


class PaymentContradiction(models.Model):
    _name = "spp.payment.contradiction"
    _description = "Contradiction about a payment"
    _inherit = ["spp.guarded.mixin"]
    _order = "id desc"
    _rec_name = "payment_id"

    payment_id = fields.Many2one(
        comodel_name="spp.payment", required=True, readonly=True, index=True, ondelete="restrict"
    )
    entitlement_id = fields.Many2one(
        comodel_name="spp.entitlement", required=True, readonly=True, index=True, ondelete="restrict"
    )
    partner_id = fields.Many2one(
        comodel_name="res.partner", string="Beneficiary", required=True, readonly=True, ondelete="restrict"
    )
    company_id = fields.Many2one(
        comodel_name="res.company", required=True, readonly=True, ondelete="restrict"
    )
    program_id = fields.Many2one(related="payment_id.program_id")
    cycle_id = fields.Many2one(related="payment_id.cycle_id")
    payment_state = fields.Selection(related="payment_id.state", string="The payment is")
    reissue_ids = fields.One2many(related="payment_id.reissue_ids")
    kind = fields.Selection(
        selection=[
            ("amount", "Another amount was paid"),
            ("late_paid", "Paid, after it had ended"),
        ],
        required=True,
        readonly=True,
    )
    amount = fields.Monetary(related="payment_id.amount", string="Due")
    reported_amount = fields.Monetary(string="Reported", readonly=True)
    currency_id = fields.Many2one(
        comodel_name="res.currency", required=True, readonly=True, ondelete="restrict"
    )
    reported_on = fields.Date(string="Paid on, as reported", readonly=True)
    source = fields.Char(readonly=True, help="Who says so: the file and its row, or the payer's answer.")
    state = fields.Selection(
        selection=[("open", "Open"), ("proposed", "To be confirmed"), ("settled", "Settled")],
        required=True,
        readonly=True,
        default="open",
    )
    outcome = fields.Selection(
        selection=[
            ("paid_in_full", "Paid in full: the reported amount is wrong"),
            ("paid_as_reported", "Paid as reported: the difference is booked as an adjustment"),
            ("not_paid", "Not paid: the report is wrong, or the money was taken back"),
            ("paid", "Paid: it had not ended after all"),
            ("paid_twice", "Paid though nothing was due any more: to be recovered, booked as an adjustment"),
        ],
        readonly=True,
    )
    evidence = fields.Char(readonly=True)
    proposed_by = fields.Many2one(comodel_name="res.users", readonly=True, ondelete="restrict")
    proposed_at = fields.Datetime(readonly=True)
    confirmed_by = fields.Many2one(comodel_name="res.users", readonly=True, ondelete="restrict")
    confirmed_at = fields.Datetime(readonly=True)

    _sql_constraints = [
        (
            "two_people",
            "CHECK(confirmed_by IS NULL OR confirmed_by <> proposed_by)",
            "Two people settle a contradiction.",
        ),
    ]

    @property
    def _guarded_fields(self):
        return frozenset(self._fields)

    def init(self):
        self.env.cr.execute(
            """
            CREATE UNIQUE INDEX IF NOT EXISTS spp_payment_contradiction_open
                ON spp_payment_contradiction (payment_id, kind) WHERE state <> 'settled'
            """
        )

    # ------------------------------------------------------------------ actions

    def action_propose(self, outcome, evidence):
        """Say how it was; it counts once a second finance officer confirms. Role: finance officer.

        :param outcome: "paid_in_full", "paid_as_reported" or "not_paid" where another amount was reported;
            "not_paid", "paid" or "paid_twice" where the payment had ended
        :param evidence: what shows it: a bank statement, the payer's letter, with number and date
        """
        self._check_role("finance_officer")
        evidence = (evidence or "").strip()
        if not evidence:
            raise UserError(_("Say what shows it: it is kept, and shown to whoever asks."))
        self._lock()
        for contradiction in self:
            contradiction._check_not_settled()
            if outcome not in OUTCOMES[contradiction.kind]:
                raise UserError(
                    _("There is no such outcome; there are: %s.", ", ".join(OUTCOMES[contradiction.kind]))
                )
            contradiction._write_guarded(
                {
                    "state": "proposed",
                    "outcome": outcome,
                    "evidence": evidence,
                    "proposed_by": self.env.uid,
                    "proposed_at": fields.Datetime.now(),
                }
            )
            self.env["spp.audit.entry"]._log(
                "Contradiction: outcome proposed", contradiction, new=outcome, note=evidence
            )
        return True

    def action_confirm(self):
        """Confirm what another finance officer proposed, and put the books right accordingly."""
        self._check_role("finance_officer")
        self._lock()
        for contradiction in self:
            contradiction._check_not_settled()
            if contradiction.state != "proposed":
                raise UserError(_("Nothing was proposed that could be confirmed."))
            if contradiction.proposed_by == self.env.user:
                raise AccessError(_("You proposed this outcome: somebody else confirms it."))
            contradiction._carry_out()
            contradiction._write_guarded(
                {"state": "settled", "confirmed_by": self.env.uid, "confirmed_at": fields.Datetime.now()}
            )
            self.env["spp.audit.entry"]._log(
                "Contradiction settled",
                contradiction,
                new=contradiction.outcome,
                note=contradiction.evidence,
            )
            self.env["spp.payment"]._recheck_holds(contradiction.cycle_id)
        return True

    def _check_not_settled(self):
        if self.state == "settled":
            raise UserError(_("%s is settled.", self.payment_id.reference))

    # ------------------------------------------------------------------ business

    def _carry_out(self):
        payment = self.payment_id.sudo()
        payment._lock()
        reason = _("Settled by two people: %s", self.evidence)
        reported = exact(f"{self.reported_amount:.6f}".rstrip("0").rstrip("."), self.currency_id)
        due = exact(f"{payment.amount:.6f}".rstrip("0").rstrip("."), self.currency_id)
        if self.kind == "late_paid":
            if self.outcome == "paid":
                self._cancel_issued_again(payment, reason)
                payment._end_as_paid(reason, self.reported_on)
                if reported != due:
                    self._adjust(due - reported)
            elif self.outcome == "paid_twice":
                self._adjust(-reported)
            return
        if self.outcome == "not_paid" and payment.state == "rejected":
            return
        if payment.state not in ("accepted", "unknown"):
            raise UserError(
                _("%s has come to an end meanwhile: propose an outcome that fits.", payment.reference)
            )
        payment._set_state("rejected" if self.outcome == "not_paid" else "paid", reason, "settled")
        if self.outcome == "paid_as_reported":
            self._adjust(due - reported)

    def _cancel_issued_again(self, payment, reason):
        """What was issued instead is not sent any more; once it was, it cannot be called back."""
        instead = self.env["spp.payment"].sudo().search(
            [
                ("entitlement_id", "=", payment.entitlement_id.id),
                ("id", "!=", payment.id),
                ("state", "not in", ["rejected", "returned", "cancelled"]),
            ]
        )  # fmt: skip
        if instead.filtered(lambda each: each.state not in ("ready", "held")):
            raise UserError(
                _(
                    "%(other)s, issued instead of %(payment)s, is on its way or paid: both were paid, or wait for its end.",
                    other=instead.reference,
                    payment=payment.reference,
                )
            )
        instead._set_state("cancelled", reason)

    def _adjust(self, amount):
        # sudo: the ledger is written by what two finance officers settled.
        self.env["spp.fund.entry"].sudo()._post(
            self.program_id.sudo(),
            "adjustment",
            [(f"contradiction:{self.id}", amount)],
            document=self.evidence,
            fiscal_year=self.cycle_id.sudo()._fiscal_year(),
        )

    @api.model
    def _list(self, rows):
        """List contradictions; one that is open already stays one.

        :param rows: SQL selecting (payment id, kind, reported amount, reported day, source)
        """
        self.env.cr.execute(
            SQL(
                """
                INSERT INTO spp_payment_contradiction
                    (payment_id, entitlement_id, partner_id, company_id, currency_id, kind, reported_amount, reported_on, source, state,
                     create_uid, create_date, write_uid, write_date)
                SELECT p.id, p.entitlement_id, p.partner_id, p.company_id, p.currency_id, given.kind, given.amount, given.day,
                       given.source, 'open', %(uid)s, %(now)s, %(uid)s, %(now)s
                  FROM (%(rows)s) AS given(payment_id, kind, amount, day, source)
                  JOIN spp_payment p ON p.id = given.payment_id
                ON CONFLICT (payment_id, kind) WHERE state <> 'settled' DO NOTHING
                RETURNING entitlement_id
                """,
                rows=rows,
                uid=self.env.uid,
                now=fields.Datetime.now(),
            )
        )
        listed = [entitlement_id for (entitlement_id,) in self.env.cr.fetchall()]
        self.env.invalidate_all()
        if listed:
            # What was issued instead waits, before it is sent, until it is clear what was paid.
            self.env["spp.payment"]._recheck(SQL("p.entitlement_id = ANY(%s)", listed))
        return listed


class Payment(models.Model):
    _inherit = "spp.payment"

    contradiction_ids = fields.One2many(
        comodel_name="spp.payment.contradiction",
        inverse_name="payment_id",
        string="Contradictions",
        readonly=True,
    )

    def _check_no_contradiction(self):
        # sudo: what the payer says against the books counts, whoever looks.
        for contradiction in (
            self.env["spp.payment.contradiction"]
            .sudo()
            .search([("entitlement_id", "in", self.entitlement_id.ids), ("state", "!=", "settled")], limit=1)
        ):
            raise UserError(
                _(
                    "The payer says something else about %s: two people settle the contradiction first.",
                    contradiction.payment_id.reference,
                )
            )

    def _contradict(self, findings, known):
        """List what findings say against the books, which said what is `known`; what is a step forward was taken."""
        rows = []
        for each in known:
            finding = findings.get(each.reference)
            paid_amount = getattr(finding, "paid_amount", None)
            if paid_amount is not None:
                rows.append((each.id, "amount", str(paid_amount), finding.reason))
            elif finding and finding.state == "paid" and each.state in ("rejected", "cancelled"):
                rows.append((each.id, "late_paid", each.amount, finding.reason))
        if rows:
            ids, kinds, amounts, reasons = map(list, zip(*rows, strict=True))
            self.env["spp.payment.contradiction"].sudo()._list(
                SQL(
                    """
                    SELECT id, kind, amount, %s::date, concat_ws(': ', %s::text, NULLIF(reason, ''))
                      FROM unnest(%s::int[], %s::text[], %s::numeric[], %s::text[]) AS told(id, kind, amount, reason)
                    """,
                    fields.Date.context_today(self),
                    _("The payer's answer"),
                    ids,
                    kinds,
                    amounts,
                    reasons,
                )
            )

    def _end_as_paid(self, reason, on):
        """Two people found that a payment which had ended was paid: the one way out of an end state."""
        at = fields.Datetime.to_datetime(on) if on else None
        changed = self._apply(
            [(payment_id, "paid", reason, "settled", at) for payment_id in self.ids],
            also=[("rejected", "paid"), ("cancelled", "paid")],
        )
        if len(changed) != len(self):
            raise UserError(_("The payment has changed meanwhile. Look at it again."))

    @api.model
    def _hold_queries(self):
        return super()._hold_queries() + [
            SQL(
                """
                SELECT p.id, %s
                  FROM spp_payment p
                 WHERE p.state IN ('ready', 'held') AND EXISTS (
                       SELECT FROM spp_payment_contradiction x
                        WHERE x.state <> 'settled' AND x.entitlement_id = p.entitlement_id)
                """,
                _(
                    "The payer says that an earlier payment was paid: two people settle the contradiction first."
                ),
            )
        ]
