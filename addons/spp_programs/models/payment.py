"""One transfer to one payee for one entitlement.

Payments are born by one INSERT … SELECT with a reference that never changes, and change state in one method only.
A payment that may have reached the payer is never sent again: it becomes `unknown`, and the payer is asked, or two
people settle it. Only settlement makes a payment `paid`.
"""

from collections import namedtuple
from decimal import Decimal

from odoo import _, api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.tools import SQL

from odoo.addons.spp_base.tools import statistics
from odoo.addons.spp_registry.tools.membership import live_sql

from .payment_asking import exact_now

# (from, to). A pair of equal states only refreshes the reason.
TRANSITIONS = {
    "ready": ("held", "sending", "cancelled"),
    "held": ("held", "ready", "cancelled"),
    "sending": ("ready", "accepted", "paid", "rejected", "unknown"),
    # Ready again only where it is proved that nothing was received: see PROVED_NOT_RECEIVED.
    "unknown": ("unknown", "ready", "accepted", "paid", "rejected"),
    "accepted": ("accepted", "paid", "rejected", "unknown"),
    "paid": ("returned",),
    "rejected": (),
    "returned": (),
    "cancelled": (),
}
# The reason code without which an unknown payment cannot become ready to be sent again (design, section 5).
PROVED_NOT_RECEIVED = "proved_not_received"
PAIRS = [(old, new) for old, news in TRANSITIONS.items() for new in news]
# The entitlement may be paid anew only once its payment is in one of these.
OVER = ("rejected", "returned", "cancelled")
OUTCOMES = {  # outcome settled by hand: (states it may be said of, state it leads to)
    "paid": (("unknown",), "paid"),
    "never_received": (("unknown",), "rejected"),
    "returned": (("paid",), "returned"),
}

# What the ledger gets, and what becomes of the entitlement.
MOVES_MONEY = {"paid": ("disbursement", "paid"), "returned": ("return", "approved")}

# Payments of one cycle that became `state` in one statement.
Changed = namedtuple("Changed", "program cycle state ids entitlements batches")
Known = namedtuple("Known", "id reference state amount")
Order = namedtuple("Order", "id reference amount currency payee_name kind number bic program cycle")

# column of a payment: where it is from, with `_destination_joins()`
DESTINATION = {
    "payee_id": "payee.id",
    "payee_name": "payee.name",
    "account_id": "account.id",
    "account_kind": "account.kind",
    "account_provider_id": "account.provider_id",
    "account_number": "account.number",
    "account_masked": "account.number_masked",
}
FIXED = """
CREATE OR REPLACE FUNCTION spp_payment_fixed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('spp.allow_rewrite', true) IS DISTINCT FROM 'on' THEN
        RAISE EXCEPTION 'What a payment is about never changes; its payee and account not once it was sent.'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN COALESCE(NEW, OLD);
END $$;
CREATE OR REPLACE TRIGGER spp_payment_fixed BEFORE UPDATE ON spp_payment FOR EACH ROW WHEN (
    (OLD.reference, OLD.entitlement_id, OLD.partner_id, OLD.amount, OLD.currency_id, OLD.reissue_of_id)
        IS DISTINCT FROM
    (NEW.reference, NEW.entitlement_id, NEW.partner_id, NEW.amount, NEW.currency_id, NEW.reissue_of_id)
    OR (OLD.state NOT IN ('ready', 'held')
        AND (OLD.payee_id, OLD.account_id, OLD.account_number, OLD.batch_id)
            IS DISTINCT FROM (NEW.payee_id, NEW.account_id, NEW.account_number, NEW.batch_id))
) EXECUTE FUNCTION spp_payment_fixed();
CREATE OR REPLACE TRIGGER spp_payment_kept BEFORE DELETE ON spp_payment
    FOR EACH ROW EXECUTE FUNCTION spp_payment_fixed();
"""


class Payment(models.Model):
    _name = "spp.payment"
    _inherit = ["spp.guarded.mixin"]
    _description = "Payment"
    _order = "id desc"
    _rec_name = "reference"
    _rec_names_search = ["reference", "payee_name"]

    reference = fields.Char(
        required=True, readonly=True, help="The number the payer knows this payment by. It never changes."
    )
    entitlement_id = fields.Many2one(
        comodel_name="spp.entitlement", required=True, readonly=True, ondelete="restrict"
    )
    cycle_id = fields.Many2one(
        comodel_name="spp.cycle", required=True, readonly=True, index=True, ondelete="restrict"
    )
    program_id = fields.Many2one(
        comodel_name="spp.program", required=True, readonly=True, index=True, ondelete="restrict"
    )
    company_id = fields.Many2one(
        comodel_name="res.company", required=True, readonly=True, ondelete="restrict"
    )
    batch_id = fields.Many2one(
        comodel_name="spp.payment.batch",
        readonly=True,
        index="btree_not_null",
        ondelete="restrict",
        help="Held payments are in no batch.",
    )
    partner_id = fields.Many2one(
        comodel_name="res.partner",
        string="Beneficiary",
        required=True,
        readonly=True,
        index=True,
        ondelete="restrict",
    )
    payee_id = fields.Many2one(
        comodel_name="res.partner",
        readonly=True,
        index=True,
        ondelete="restrict",
        help="Who is paid: the person, or the head of the household at the cycle's as-of date.",
    )
    payee_name = fields.Char(readonly=True)
    account_id = fields.Many2one(
        comodel_name="spp.payment.account",
        string="Registered account",
        readonly=True,
        index="btree_not_null",
        ondelete="restrict",
    )
    account_kind = fields.Selection(
        selection=[
            ("bank", "Bank account"),
            ("iban", "IBAN"),
            ("mobile_wallet", "Mobile wallet"),
            ("email_wallet", "E-mail wallet"),
        ],
        readonly=True,
    )
    account_provider_id = fields.Many2one(
        comodel_name="res.bank", string="Provider", readonly=True, ondelete="restrict"
    )
    account_number = fields.Char(
        string="Full account number", readonly=True, groups="spp_base.group_finance_officer"
    )
    account_masked = fields.Char(string="Account", readonly=True)
    amount = fields.Monetary(required=True, readonly=True)
    currency_id = fields.Many2one(
        comodel_name="res.currency", required=True, readonly=True, ondelete="restrict"
    )
    state = fields.Selection(
        selection=[
            ("ready", "Ready"),
            ("held", "Held"),
            ("sending", "Sending"),
            ("unknown", "Unknown"),
            ("accepted", "Accepted"),
            ("paid", "Paid"),
            ("rejected", "Rejected"),
            ("returned", "Returned"),
            ("cancelled", "Cancelled"),
        ],
        required=True,
        readonly=True,
        help="Unknown: it may have reached the payer or not; it is never sent again, the payer is asked. "
        "Accepted: the payer has it and has not paid yet. Returned: it was paid and came back.",
    )
    state_reason = fields.Char(string="Reason", readonly=True)
    reason_code = fields.Char(readonly=True)
    alert = fields.Char(
        string="Look at this", readonly=True, help="Something about it that a person must look at."
    )
    sent_at = fields.Datetime(string="Sent", readonly=True)
    accepted_at = fields.Datetime(string="Accepted", readonly=True)
    asked_at = fields.Datetime(string="Last asked", readonly=True)
    settled_at = fields.Datetime(
        string="Ended", readonly=True, help="When it was paid, rejected, returned or cancelled."
    )
    claim_token = fields.Char(string="Message number", readonly=True, help="The message it was last sent in.")
    reissue_of_id = fields.Many2one(
        comodel_name="spp.payment",
        string="Instead of",
        readonly=True,
        index="btree_not_null",
        ondelete="restrict",
    )
    reissue_ids = fields.One2many(
        comodel_name="spp.payment", inverse_name="reissue_of_id", string="Paid again by", readonly=True
    )
    dealt_with = fields.Char(
        string="What was done",
        readonly=True,
        help="What was done about the reason for which the payment before was rejected or came back.",
    )
    settle_outcome = fields.Selection(
        selection=[("paid", "Paid"), ("never_received", "Never received"), ("returned", "Came back")],
        string="Proposed by hand",
        readonly=True,
    )
    settle_evidence = fields.Char(string="Evidence", readonly=True)
    settle_by = fields.Many2one(
        comodel_name="res.users", string="Proposed by", readonly=True, ondelete="restrict"
    )
    settle_at = fields.Datetime(string="Proposed at", readonly=True)
    exchange_ids = fields.One2many(
        related="batch_id.exchange_ids",
        string="Messages of its batch",
        groups="spp_base.group_auditor,spp_base.group_finance_officer",
    )

    @property
    def _guarded_fields(self):
        """Nothing of a payment is written by anybody; what changes, changes by the methods below."""
        return frozenset(self._fields)

    _sql_constraints = [
        ("reference_unique", "UNIQUE(reference)", "A payment's reference is unique."),
        ("amount_positive", "CHECK(amount > 0)", "A payment is of an amount above zero."),
        (
            "settled_by_hand",
            "CHECK((settle_outcome IS NULL) = (settle_by IS NULL))",
            "A settlement by hand has an outcome and an author.",
        ),
    ]

    def init(self):
        # A payment changes its state four times, and all of a batch at once. No index is about the state, and pages
        # have room for a second version of their rows: then no index is written when a state changes.
        for statement in (
            """
            ALTER TABLE spp_payment ADD COLUMN IF NOT EXISTS live_entitlement_id integer GENERATED ALWAYS AS
                (CASE WHEN state NOT IN ('rejected', 'returned', 'cancelled') THEN entitlement_id END) STORED
            """,
            "CREATE UNIQUE INDEX IF NOT EXISTS spp_payment_one_live ON spp_payment (live_entitlement_id)",
            "CREATE INDEX IF NOT EXISTS spp_payment_entitlement_idx ON spp_payment (entitlement_id, id)",
            "ALTER TABLE spp_payment SET (fillfactor = 45)",
            FIXED,
        ):
            self.env.cr.execute(statement)

    # ------------------------------------------------------------------ actions

    def action_recheck(self):
        """Look again whether what holds these payments is still so. Roles: program manager, finance officer."""
        self._check_role("program_manager", "finance_officer")
        for cycle in self.cycle_id:
            self._recheck_holds(cycle)
        return True

    def action_use_current_account(self):
        """Pay held payments to the account that is the payee's primary one now. Role: program manager."""
        self._check_role("program_manager")
        self._lock()
        self._check_state("held")
        old = {payment.reference: payment.account_masked or "" for payment in self}
        self._fill_destination(SQL("p.id = ANY(%s)", self.ids), renew=True)
        for payment in self:
            self._log(
                payment,
                "Payment takes the current account",
                old=old[payment.reference],
                new=payment.account_masked or "",
            )
        self.action_recheck()
        return True

    def action_reissue(self, dealt_with):
        """Pay again, by new payments with new references, what was rejected or came back. Role: program manager.

        Who issues again does not send: that is for a payment releaser who had no part in it.

        :param dealt_with: what was done about the reason: "New account entered on 3 July"
        :return: ids of the new payments
        """
        self._check_role("program_manager")
        dealt_with = self._given(dealt_with)
        self._lock()
        self._check_state("rejected", "returned")
        self._check_no_contradiction()
        made = []
        for cycle in self.cycle_id:
            cycle._lock()
            cycle._check_state("approved", "disbursing")
            payments = self.filtered(lambda payment, cycle=cycle: payment.cycle_id == cycle)
            due = SQL(
                """
                SELECT p.entitlement_id, p.id AS reissue_of_id
                  FROM spp_payment p
                 WHERE p.id = ANY(%s)
                   AND p.id = (SELECT max(id) FROM spp_payment
                                WHERE entitlement_id = p.entitlement_id AND state <> 'cancelled')
                """,
                payments.ids,
            )
            new = self.browse(self._prepare(cycle, due)[0])
            new._write_guarded({"dealt_with": dealt_with})
            if len(new) != len(payments):
                raise UserError(
                    _(
                        "%s of these payments were issued anew before, or nothing is due any more.",
                        len(payments) - len(new),
                    )
                )
            for payment in new:
                self._log(
                    payment,
                    "Payment issued again",
                    old=payment.reissue_of_id.reference,
                    new=payment.reference,
                    note=dealt_with,
                )
            self._recheck_holds(cycle)
            made += new.ids
        return made

    def action_settle(self, outcome, evidence):
        """Record by hand how a payment ended; it counts once a second person confirms. Role: finance officer.

        :param outcome: "paid" or "never_received" for an unknown payment, "returned" for a paid one
        :param evidence: what shows it: the payer's letter, a bank statement, with number and date
        """
        self._check_role("finance_officer")
        if outcome not in OUTCOMES:
            raise UserError(_("There is no such outcome; there are: %s.", ", ".join(OUTCOMES)))
        evidence = self._given(evidence)
        self._lock()
        self._check_state(*OUTCOMES[outcome][0])
        self._write_guarded(
            {
                "settle_outcome": outcome,
                "settle_evidence": evidence,
                "settle_by": self.env.uid,
                "settle_at": fields.Datetime.now(),
            }
        )
        for payment in self:
            self._log(payment, "Settlement by hand proposed", new=outcome, note=evidence)
        return True

    def action_confirm_settlement(self):
        """Confirm what another finance officer recorded."""
        self._check_role("finance_officer")
        self._lock()
        for payment in self:
            if not payment.settle_outcome:
                raise UserError(_("%s: nothing was recorded that could be confirmed.", payment.reference))
            if payment.settle_by.id == self.env.uid:
                raise AccessError(
                    _("You recorded how %s ended: somebody else confirms it.", payment.reference)
                )
            states, state = OUTCOMES[payment.settle_outcome]
            payment._check_state(*states)
            reason = _("Settled by hand: %s", payment.settle_evidence)
            payment.sudo()._set_state(state, reason, payment.settle_outcome)
            self._log(
                payment,
                "Settlement by hand confirmed",
                new=payment.settle_outcome,
                note=payment.settle_evidence,
            )
        return True

    def action_withdraw_settlement(self):
        """Take back what was recorded by hand and is not confirmed. Role: finance officer."""
        self._check_role("finance_officer")
        self._lock()
        self._check_state("unknown", "paid")
        for payment in self.filtered("settle_outcome"):
            if payment.state not in OUTCOMES[payment.settle_outcome][0]:
                raise UserError(_("%s: this was confirmed already.", payment.reference))
            self._log(payment, "Settlement by hand withdrawn", old=payment.settle_outcome)
        self._write_guarded(
            {"settle_outcome": False, "settle_evidence": False, "settle_by": False, "settle_at": False}
        )
        return True

    # ------------------------------------------------------------------ states

    def _set_state(self, state, reason="", code="", at=None):
        """Change the state of all these payments, or of none.

        :param at: when it happened, UTC without offset; now when not given
        """
        changed = self._apply([(payment_id, state, reason, code, at) for payment_id in self.ids])
        if len(changed) != len(self):
            raise UserError(
                _(
                    "%(count)s of the payments cannot become %(state)s: their state has changed meanwhile.",
                    count=len(self) - len(changed),
                    state=self._state_label(state),
                )
            )

    def _conclude(self, findings, otherwise=None, asked=False):
        """Give each payment the state that its finding says, as far as that is a step forward.

        :param findings: {reference: finding}
        :param otherwise: reason to become unknown for payments without a finding; None leaves them as they are
        :param asked: the payer was asked about all of these just now
        """
        known = self._known()
        # What came back was paid before, whether we had heard of it or not.
        self._apply(
            [
                (each.id, "paid")
                for each in known
                if each.state != "paid"
                and each.reference in findings
                and findings[each.reference].state == "returned"
            ]
        )
        rows, assumed = [], []
        for each in known:
            finding = findings.get(each.reference)
            if finding:
                rows.append((each.id, finding.state, finding.reason, finding.code, finding.at, finding.alert))
                if finding.state == "paid" and not getattr(finding, "amount_told", True):
                    assumed.append(each.id)
            elif otherwise is not None:
                rows.append((each.id, "unknown", otherwise))
        changed = self._apply(rows, assumed=assumed, asked=asked)
        if asked:
            self.browse([each.id for each in known if each.id not in changed])._asked()
        self._contradict(findings, known)
        return changed

    def _known(self):
        """What the books say of these payments now, in one statement."""
        self.env.flush_all()
        self.env.cr.execute(
            SQL(
                """
                SELECT id, reference, state, amount::text FROM spp_payment WHERE id = ANY(%s) ORDER BY id
                """,
                self.ids,
            )
        )
        return [Known._make(row) for row in self.env.cr.fetchall()]

    @api.model
    def _apply(self, rows, claim_token=None, also=(), assumed=(), asked=False):
        """The one place where states change, for any number of payments in one statement.

        A row whose step is not in TRANSITIONS changes nothing: a late "received" does not undo "paid".
        What becomes paid is posted to the fund and its entitlement paid; what is returned, back.

        :param rows: [(payment id, state, reason, code, at, alert)], shorter rows being filled up; or SQL of these
        :param claim_token: number of the message that what becomes `sending` is sent in
        :param also: steps that are allowed beside those of TRANSITIONS, as (from, to)
        :param assumed: ids of those that the payer calls paid without saying how much
        :param asked: the payer was asked about these just now. Written here: PostgreSQL would look up all references
            of a row again that is changed twice in a transaction.
        :return: set of the ids that changed
        """
        self.env.flush_all()
        if not isinstance(rows, SQL):
            if not rows:
                return set()
            rows = self._rows_sql(rows)
        self.env.cr.execute(
            SQL(
                """
                WITH changed AS (
                UPDATE spp_payment p
                   SET state = given.state,
                       state_reason = NULLIF(given.reason, ''),
                       reason_code = NULLIF(given.code, ''),
                       alert = COALESCE(NULLIF(given.alert, ''), p.alert),
                       batch_id = CASE WHEN given.state = 'held' THEN NULL ELSE p.batch_id END,
                       claim_token = CASE WHEN given.state = 'sending' THEN %(token)s ELSE p.claim_token END,
                       settle_outcome = CASE WHEN %(keep)s THEN p.settle_outcome END,
                       settle_evidence = CASE WHEN %(keep)s THEN p.settle_evidence END,
                       settle_by = CASE WHEN %(keep)s THEN p.settle_by END,
                       settle_at = CASE WHEN %(keep)s THEN p.settle_at END,
                       sent_at = CASE WHEN given.state = 'sending' THEN %(now)s ELSE p.sent_at END,
                       accepted_at = CASE WHEN given.state = 'accepted' THEN COALESCE(p.accepted_at, given.at, %(now)s)
                                          ELSE p.accepted_at END,
                       settled_at = CASE WHEN given.state IN ('paid', 'rejected', 'returned', 'cancelled')
                                         THEN COALESCE(given.at, %(now)s) ELSE p.settled_at END,
                       asked_at = COALESCE(%(asked)s::timestamp, p.asked_at),
                       amount_assumed = p.amount_assumed OR given.state = 'paid' AND p.id = ANY(%(assumed)s::int[]),
                       write_uid = %(uid)s,
                       write_date = %(now)s
                  FROM (%(rows)s) AS given(id, state, reason, code, at, alert)
                  JOIN spp_payment was ON was.id = given.id
                  JOIN unnest(%(old)s::text[], %(new)s::text[]) AS step(old, new)
                    ON step.old = was.state AND step.new = given.state
                 WHERE p.id = given.id AND p.state = was.state
                   AND (step.old <> 'unknown' OR step.new <> 'ready' OR given.code = %(proved)s)
                   AND (was.state <> given.state OR was.state_reason IS DISTINCT FROM NULLIF(given.reason, '')
                        OR was.alert IS DISTINCT FROM COALESCE(NULLIF(given.alert, ''), was.alert))
                RETURNING p.id, p.state, was.batch_id, p.entitlement_id, p.program_id, p.cycle_id)
                SELECT program_id, cycle_id, state, array_agg(id), array_agg(entitlement_id),
                       array_agg(DISTINCT batch_id) FILTER (WHERE batch_id IS NOT NULL)
                  FROM changed
                 GROUP BY program_id, cycle_id, state
                 ORDER BY program_id, cycle_id, state
                """,
                rows=rows,
                # A proposal by hand is about the state it was made in: what the payer says since ends it.
                keep=SQL("given.state = was.state OR given.code = p.settle_outcome"),
                token=claim_token,
                asked=exact_now() if asked else None,
                assumed=list(assumed),
                now=fields.Datetime.now(),
                uid=self.env.uid,
                proved=PROVED_NOT_RECEIVED,
                old=[old for old, _new in (*PAIRS, *also)],
                new=[new for _old, new in (*PAIRS, *also)],
            )
        )
        changed = [Changed._make(row) for row in self.env.cr.fetchall()]
        self.env.invalidate_all()
        for group in changed:
            if group.state in MOVES_MONEY:
                self._post(group)
        self.env["spp.payment.batch"].browse(
            {id_ for group in changed for id_ in group.batches or ()}
        )._refresh()
        return {id_ for group in changed for id_ in group.ids}

    def _rows_sql(self, rows):
        columns = list(zip(*((*row, *("", "", "", None, "")[len(row) - 1 :]) for row in rows), strict=True))
        ids, states, reasons, codes, times, alerts = columns or ([],) * 6
        return SQL(
            "SELECT * FROM unnest(%s::int[], %s::text[], %s::text[], %s::text[], %s::timestamp[], %s::text[])",
            list(ids),
            list(states),
            list(reasons),
            list(codes),
            list(times),
            list(alerts),
        )

    def _post(self, changed):
        """Money that moved: one ledger entry each, and the entitlements' state."""
        kind, entitlement_state = MOVES_MONEY[changed.state]
        cycle = self.env["spp.cycle"].sudo().browse(changed.cycle)
        # sudo: the ledger is written by what happened to payments, whoever reports it.
        self.env["spp.fund.entry"].sudo()._post(
            self.env["spp.program"].sudo().browse(changed.program),
            kind,
            SQL(
                """
                SELECT 'payment:' || p.reference, p.amount, b.name AS document
                  FROM spp_payment p LEFT JOIN spp_payment_batch b ON b.id = p.batch_id
                 WHERE p.id = ANY(%s)
                """,
                changed.ids,
            ),
            document=SQL("given.document"),
            fiscal_year=cycle._fiscal_year(),
        )
        self.env["spp.entitlement"].browse(changed.entitlements)._set_state(entitlement_state)
        if kind == "return" and cycle.state == "closed":
            # Nothing of a closed cycle is paid any more: what comes back is free again.
            cycle._release("expired", _("Came back after the cycle was closed."))

    def _conclude_status(self, findings):
        """Take over what the payer said when asked. Who is left out of the answer keeps the state it has."""
        self._conclude(findings, asked=True)

    def _asked(self):
        """Who was asked about, with or without an answer, comes last the next time."""
        self.env.cr.execute(
            SQL("UPDATE spp_payment SET asked_at = %s WHERE id = ANY(%s)", exact_now(), self.ids)
        )
        self.invalidate_recordset(["asked_at"])

    def _check_state(self, *states):
        for payment in self:
            if payment.state not in states:
                raise UserError(
                    _(
                        "%(payment)s is %(state)s; this can be done while it is %(states)s only.",
                        payment=payment.reference,
                        state=self._state_label(payment.state),
                        states=", ".join(self._state_label(state) for state in states),
                    )
                )

    def _state_label(self, state):
        return dict(self._fields["state"]._description_selection(self.env))[state].lower()

    def _given(self, text):
        text = (text or "").strip()
        if not text:
            raise UserError(_("Say why, or what shows it: it is kept, and shown to whoever asks."))
        return text

    def _log(self, payment, action, old=None, new=None, note=""):
        self.env["spp.audit.entry"]._log(action, payment, old=old, new=new, note=note)

    # ------------------------------------------------------------------ preparation

    @api.model
    def _prepare(self, cycle, due):
        """Insert a payment for each entitlement of `due` that has no live one: held, or ready and in a batch.

        Each is written once: PostgreSQL would check all references of a row again that is changed in the transaction
        which made it. What needs more than these columns is held here, and looked at again by `_recheck_holds()`.

        :param due: SQL selecting (entitlement_id, reissue_of_id), entitlements of the cycle
        :return: ids of the new payments, and how many batches were made for them
        """
        self.env.flush_all()
        given = {
            "id": SQL("due.id"),
            "reference": SQL(
                "%s || lpad(due.id::text, greatest(7, length(due.id::text)), '0')",
                f"{cycle.program_id.code}-{cycle.number}-P",
            ),
            "entitlement_id": SQL("due.entitlement_id"),
            "reissue_of_id": SQL("due.reissue_of_id"),
            "cycle_id": SQL("%s::integer", cycle.id),
            "program_id": SQL("%s::integer", cycle.program_id.id),
            "company_id": SQL("%s::integer", cycle.program_id.company_id.id),
            "partner_id": SQL("due.partner_id"),
            "amount": SQL("due.amount"),
            "currency_id": SQL("due.currency_id"),
            **{name: SQL(column) for name, column in DESTINATION.items()},
            "create_uid": SQL("%s::integer", self.env.uid),
            "create_date": SQL("%s::timestamp", fields.Datetime.now()),
            "write_uid": SQL("%s::integer", self.env.uid),
            "write_date": SQL("%s::timestamp", fields.Datetime.now()),
        }
        others = [
            name
            for name, field in self._fields.items()
            if field.store and field.column_type and name not in given and name != "state"
        ]
        self.env.cr.execute(
            SQL(
                """
                -- What the hold queries call spp_payment is what will be inserted into it.
                WITH spp_payment AS MATERIALIZED (
                         SELECT 'ready' AS state, %(values)s, %(others)s
                           FROM (SELECT nextval('spp_payment_id_seq')::integer AS id, e.id AS entitlement_id,
                                        d.reissue_of_id, e.partner_id, e.amount, e.currency_id, %(as_of)s::date AS as_of
                                   FROM (%(due)s) d
                                   JOIN spp_entitlement e ON e.id = d.entitlement_id
                                  WHERE e.cycle_id = %(cycle)s AND e.kind = 'money' AND e.state = 'approved') due
                                %(joins)s
                      LEFT JOIN spp_payment never ON FALSE),
                     hold AS MATERIALIZED (%(holds)s),
                     %(batching)s
                INSERT INTO spp_payment (%(names)s, state, state_reason, batch_id)
                SELECT %(names)s, CASE WHEN hold.reason IS NULL THEN 'ready' ELSE 'held' END, hold.reason, batched.batch_id
                  FROM (SELECT %(names)s FROM spp_payment) p
             LEFT JOIN hold ON hold.payment_id = p.id
             LEFT JOIN batched ON batched.payment_id = p.id
                 ORDER BY p.id
                ON CONFLICT DO NOTHING
                RETURNING id, batch_id
                """,
                values=SQL(", ").join(
                    SQL("%s AS %s", value, SQL.identifier(name)) for name, value in given.items()
                ),
                others=SQL(", ").join(SQL.identifier("never", name) for name in others),
                names=SQL(", ").join(map(SQL.identifier, given)),
                cycle=cycle.id,
                as_of=cycle.as_of,
                due=due,
                joins=self._destination_joins(),
                holds=self._holds_sql(),
                batching=self._batching_sql(
                    cycle, SQL("NOT EXISTS (SELECT FROM hold WHERE hold.payment_id = p.id)")
                ),
            )
        )
        rows = self.env.cr.fetchall()
        made = [row[0] for row in rows]
        statistics.refresh(self.env.cr, "spp_payment", len(made), many=statistics.FEW)
        self.env.invalidate_all()
        batches = self.env["spp.payment.batch"].browse({row[1] for row in rows if row[1]})
        batches._refresh()
        return made, len(batches)

    def _destination_columns(self):
        """Who is paid and where, as selected with `_destination_joins()`."""
        return SQL(", ").join(map(SQL, DESTINATION.values()))

    def _destination_joins(self, today_first=False):
        """From `due` (partner_id, as_of): the person, or the household's head at the as-of date (or today, where it
        had none then), and that person's active primary account.

        :param today_first: the head of today, or else of then: for what a person has looked at
        """
        today = fields.Date.context_today(self)
        return SQL(
            """
            JOIN res_partner person ON person.id = due.partner_id
            LEFT JOIN LATERAL (
                SELECT m.individual_id FROM spp_group_membership m
                 WHERE person.is_group AND m.group_id = person.id AND m.is_head AND (%(then)s OR %(today)s)
                 ORDER BY %(first)s DESC, m.start DESC NULLS LAST, m.id DESC
                 LIMIT 1) head ON TRUE
            LEFT JOIN res_partner payee
                ON payee.id = CASE WHEN person.is_group THEN head.individual_id ELSE person.id END
            LEFT JOIN spp_payment_account account
                ON account.partner_id = payee.id AND account.is_primary AND account.state = 'active'
            """,
            then=live_sql("m", SQL("due.as_of")),
            today=live_sql("m", today),
            first=live_sql("m", today if today_first else SQL("due.as_of")),
        )

    def _fill_destination(self, scope, renew=False):
        """Find payee and account of payments in `scope` that were not sent and have none (or, `renew`, afresh)."""
        self.env.flush_all()
        self.env.cr.execute(
            SQL(
                """
                UPDATE spp_payment p
                   SET (payee_id, payee_name, account_id, account_kind, account_provider_id, account_number,
                        account_masked) = (d.payee_id, d.payee_name, d.account_id, d.account_kind,
                                           d.provider_id, d.number, d.masked)
                  FROM (SELECT due.id, %(destination)s
                          FROM (SELECT p.id, p.partner_id, c.as_of
                                  FROM spp_payment p
                                  JOIN spp_cycle c ON c.id = p.cycle_id
                                 WHERE p.state IN ('ready', 'held') AND (p.account_id IS NULL OR %(renew)s)
                                   AND %(scope)s) due
                               %(joins)s
                       ) d(id, payee_id, payee_name, account_id, account_kind, provider_id, number, masked)
                 WHERE p.id = d.id AND (p.payee_id, p.account_id, p.account_number)
                       IS DISTINCT FROM (d.payee_id, d.account_id, d.number)
                """,
                destination=self._destination_columns(),
                joins=self._destination_joins(today_first=renew),
                renew=renew,
                scope=scope,
            )
        )
        self.env.invalidate_all()

    # ------------------------------------------------------------------ holds and batches

    @api.model
    def _recheck_holds(self, cycle=None):
        """Hold what must not be sent, free what nothing holds any more, and put what is free into batches.

        :param cycle: only this one (spp.cycle); all when not given
        """
        scope = SQL("p.cycle_id = %s", cycle.id) if cycle else SQL("TRUE")
        self._recheck(scope)
        return self._make_batches(scope)

    @api.model
    def _recheck(self, scope):
        """Hold and free the payments of `scope`, SQL about the row `p` of spp_payment."""
        self._fill_destination(scope)
        self._apply(self._judged(scope))

    def _judged(self, scope, free="ready"):
        """SQL, rows for `_apply()`: the payments of `scope` that were not sent, held or else `free`."""
        return SQL(
            # The first line narrows what the hold queries call spp_payment down to the scope.
            """
            WITH spp_payment AS MATERIALIZED (SELECT * FROM spp_payment p WHERE p.state IN ('ready', 'held') AND %s),
                 hold AS (%s)
            SELECT p.id, CASE WHEN hold.reason IS NULL THEN %s ELSE 'held' END, COALESCE(hold.reason, ''),
                   '', NULL::timestamp, ''
              FROM spp_payment p
         LEFT JOIN hold ON hold.payment_id = p.id
            """,
            scope,
            self._holds_sql(),
            free,
        )

    def _holds_sql(self):
        """SQL: each payment of `_hold_queries()` that something holds, with all reasons."""
        return SQL(
            """
            SELECT payment_id, string_agg(DISTINCT reason, ' ') AS reason
              FROM (%s) AS given(payment_id, reason) GROUP BY payment_id
            """,
            SQL(" UNION ALL ").join(self._hold_queries()),
        )

    @api.model
    def _hold_queries(self):
        """What holds payments back: SQL, each selecting (payment_id, reason) among `spp_payment p` in the states ready
        and held. Addons add theirs."""
        return [
            SQL(
                """
                SELECT p.id, CASE WHEN p.payee_id IS NULL THEN %s ELSE %s END
                  FROM spp_payment p
                 WHERE p.state IN ('ready', 'held') AND p.account_id IS NULL AND (p.payee_id IS NULL OR NOT (%s))
                """,
                _("The household has no head."),
                _("The payee has no active primary account."),
                self._needs_no_account(),
            ),
            SQL(
                """
                SELECT p.id, %s
                  FROM spp_payment p
                  JOIN spp_payment_account a ON a.id = p.account_id
                 WHERE p.state IN ('ready', 'held') AND NOT (%s)
                   AND (a.state <> 'active' OR NOT a.is_primary OR (a.number, a.kind, a.provider_id)
                        IS DISTINCT FROM (p.account_number, p.account_kind, p.account_provider_id))
                """,
                _(
                    "The account was ended or changed after the payment was prepared, or another one is the primary one "
                    "now: use the current account, or cancel."
                ),
                self._needs_no_account(),
            ),
            SQL(
                """
                SELECT p.id, CASE WHEN r.id = p.payee_id THEN %s ELSE %s END
                  FROM spp_payment p
                  JOIN res_partner r ON r.id IN (p.payee_id, p.partner_id)
                 WHERE p.state IN ('ready', 'held') AND (NOT r.active OR r.registrant_status IS DISTINCT FROM 'active')
                """,
                _("The payee is archived, disabled or deceased."),
                _("The beneficiary is archived, disabled or deceased."),
            ),
            SQL(
                """
                SELECT p.id, CASE WHEN m.id IS NULL THEN %s ELSE %s END
                  FROM spp_payment p
                  JOIN spp_program g ON g.id = p.program_id
             LEFT JOIN spp_payment_manager m ON m.id = g.payment_manager_id
                 WHERE p.state IN ('ready', 'held') AND (m.id IS NULL OR m.currency_id <> p.currency_id)
                """,
                _("The program has no payment manager."),
                _("The payment manager does not pay in this currency."),
            ),
        ]

    @api.model
    def _needs_no_account(self):
        """SQL about the row `p`: the payer finds the payee's account by itself. Channels override it."""
        return SQL("FALSE")

    def _make_batches(self, scope):
        """Put ready payments without a batch, or in one of a manager the program has left, into new ones.

        :return: how many batches were made
        """
        self.env.cr.execute(
            SQL("SELECT DISTINCT p.cycle_id FROM spp_payment p WHERE p.state = 'ready' AND %s", scope)
        )
        cycles = self.env["spp.cycle"].browse(cycle_id for (cycle_id,) in self.env.cr.fetchall())
        self.env.cr.execute(
            SQL(
                """
                WITH %s, moved AS (
                    UPDATE spp_payment p SET batch_id = batched.batch_id
                      FROM batched WHERE p.id = batched.payment_id
                 RETURNING batched.batch_id, batched.left_id)
                SELECT DISTINCT batch_id, left_id FROM moved
                """,
                self._batching_sql(cycles, scope),
            )
        )
        rows = self.env.cr.fetchall()
        batches = self.env["spp.payment.batch"].browse({row[0] for row in rows})
        self.env.invalidate_all()
        (batches | batches.browse({row[1] for row in rows if row[1]}))._refresh()
        return len(batches)

    def _batching_sql(self, cycles, scope):
        """SQL: the parts of a WITH that make new batches for the ready payments of `scope`, which are of `cycles`.

        A batch is of one cycle, one currency and one route of the manager (spp.payment.route), and has at most the
        route's size, or the manager's where no route fits. Its last part, `batched`, says (payment_id, batch_id,
        left_id): the batch that the payment comes into, and the one it leaves.
        """
        return SQL(
            """
            routed AS (
                SELECT p.id, p.cycle_id, p.currency_id, g.id AS program_id, g.code, g.company_id, m.id AS manager_id,
                       m.batch_size, %(route)s AS route_id, p.batch_id AS left_id
                  FROM spp_payment p
                  JOIN spp_program g ON g.id = p.program_id
                  JOIN spp_payment_manager m ON m.id = g.payment_manager_id
             LEFT JOIN spp_payment_batch b ON b.id = p.batch_id
                 WHERE p.state = 'ready' AND b.manager_id IS DISTINCT FROM m.id AND %(scope)s
            ), numbered AS (
                SELECT r.*, COALESCE(r.route_id, 0) AS route, t.name AS tag,
                       (row_number() OVER (PARTITION BY r.cycle_id, r.currency_id, r.route_id ORDER BY r.id) - 1)
                           / COALESCE(t.batch_size, r.batch_size) AS part
                  FROM routed r
             LEFT JOIN spp_payment_route t ON t.id = r.route_id
            ), parts AS (
                SELECT nextval('spp_payment_batch_id_seq')::integer AS id, d.*
                  FROM (SELECT DISTINCT cycle_id, currency_id, program_id, code, company_id, manager_id, route, tag,
                               part
                          FROM numbered ORDER BY cycle_id, currency_id, route, part) d
            ), made AS (
                INSERT INTO spp_payment_batch
                    (id, name, cycle_id, program_id, company_id, manager_id, currency_id, tag, state, payment_count,
                     total_amount, create_uid, create_date, write_uid, write_date)
                SELECT parts.id,
                       parts.code || '-' || c.number || '-B'
                           || lpad(parts.id::text, greatest(5, length(parts.id::text)), '0'),
                       parts.cycle_id, parts.program_id, parts.company_id, parts.manager_id, parts.currency_id,
                       parts.tag, 'draft', 0, 0, %(uid)s, %(now)s, %(uid)s, %(now)s
                  FROM parts
                  JOIN spp_cycle c ON c.id = parts.cycle_id
            ), batched AS (
                SELECT numbered.id AS payment_id, parts.id AS batch_id, numbered.left_id
                  FROM numbered
                  JOIN parts USING (cycle_id, currency_id, route, part)
            )
            """,
            route=self._route_case(cycles),
            scope=scope,
            uid=self.env.uid,
            now=fields.Datetime.now(),
        )

    # ------------------------------------------------------------------ what a channel needs

    def _orders(self):
        """What a channel needs to pay, exact amounts included, read in one statement."""
        self.env.flush_all()
        self.env.cr.execute(
            SQL(
                """
                SELECT p.id, p.reference, p.amount::text, currency.name, p.payee_name, p.account_kind, p.account_number,
                       bank.bic, program.name, cycle.name
                  FROM spp_payment p
                  JOIN res_currency currency ON currency.id = p.currency_id
                  JOIN spp_program program ON program.id = p.program_id
                  JOIN spp_cycle cycle ON cycle.id = p.cycle_id
             LEFT JOIN res_bank bank ON bank.id = p.account_provider_id
                 WHERE p.id = ANY(%s)
                 ORDER BY p.id
                """,
                self.ids,
            )
        )
        return [Order._make(row)._replace(amount=Decimal(row[2])) for row in self.env.cr.fetchall()]
