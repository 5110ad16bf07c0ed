"""An envelope of the G2P Bridge: what is declared to the bridge before payments are sent into it.

It is declared from the payments that are released, and paid once the bridge has received exactly that. Its counters
are the only evidence of a batch whose answer was lost, so batches of one envelope go one after another, and none
while such a batch waits for its proof.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

from odoo import _, api, fields, models
from odoo.exceptions import UserError
from odoo.tools import SQL

from odoo.addons.spp_base.http import CallError, NotSent
from odoo.addons.spp_base.tools import advisory
from odoo.addons.spp_programs.models.payment_manager import MessageRefused
from odoo.addons.spp_programs.tools.own_transaction import in_own_transaction

from ..wire import bridge
from ..wire.answers import Verdict
from ..wire.messages import MessageError

COUNTERS = ("received", "received_total", "shipped", "reconciled", "reversed")


class PaymentEnvelope(models.Model):
    _name = "spp.payment.envelope"
    _inherit = ["spp.guarded.mixin"]
    _description = "Payment envelope"
    _order = "id desc"

    name = fields.Char(required=True, readonly=True)
    manager_id = fields.Many2one(
        comodel_name="spp.payment.manager", required=True, readonly=True, index=True, ondelete="restrict"
    )
    cycle_id = fields.Many2one(
        comodel_name="spp.cycle", required=True, readonly=True, index=True, ondelete="restrict"
    )
    company_id = fields.Many2one(
        comodel_name="res.company", required=True, readonly=True, ondelete="restrict"
    )
    currency_id = fields.Many2one(
        comodel_name="res.currency", required=True, readonly=True, ondelete="restrict"
    )
    state = fields.Selection(
        selection=[
            ("draft", "Not declared"),
            ("open", "Declared"),
            ("done", "Settled"),
            ("cancelled", "Cancelled"),
        ],
        required=True,
        readonly=True,
        default="draft",
    )
    bridge_id = fields.Char(string="Number at the bridge", readonly=True)
    schedule_date = fields.Date(string="Day of payment", readonly=True)
    declared_count = fields.Integer(string="Payments declared", readonly=True)
    declared_total = fields.Monetary(string="Total declared", readonly=True)
    known_received = fields.Integer(
        string="Accepted, by our books",
        readonly=True,
        help="Payments of this envelope that the bridge has taken, as far as we know. A batch whose answer was lost "
        "is measured against it.",
    )
    received = fields.Integer(string="Received by the bridge", readonly=True)
    received_total = fields.Monetary(string="Total received", readonly=True)
    shipped = fields.Integer(string="Sent to the bank", readonly=True)
    reconciled = fields.Integer(string="Paid by the bank", readonly=True)
    reversed = fields.Integer(string="Came back", readonly=True)
    funds_available = fields.Char(readonly=True)
    funds_blocked = fields.Char(readonly=True)
    asked_at = fields.Datetime(string="Last asked", readonly=True)
    message = fields.Char(string="What happened", readonly=True)
    attention = fields.Char(
        string="Look at this",
        compute="_compute_attention",
        help="Why the bridge will not pay it as it stands.",
    )
    batch_ids = fields.One2many(
        comodel_name="spp.payment.batch", inverse_name="envelope_id", string="Batches", readonly=True
    )

    # No role may create or write envelopes: what changes, changes by the methods below.
    _guarded_fields = frozenset()

    _sql_constraints = [
        ("bridge_id_unique", "UNIQUE(manager_id, bridge_id)", "This envelope of the bridge is here already."),
        (
            "declared",
            "CHECK(state = 'draft' OR (bridge_id IS NOT NULL AND declared_count > 0))",
            "A declared envelope has its number at the bridge.",
        ),
    ]

    @api.depends("state", "declared_count", "known_received", "received", "schedule_date", "funds_blocked")
    def _compute_attention(self):
        today = fields.Date.context_today(self)
        for envelope in self:
            envelope.attention = ""
            if envelope.state != "open":
                continue
            if envelope.received != envelope.declared_count and envelope.schedule_date < today:
                envelope.attention = _(
                    "The bridge has %(received)s of %(declared)s payments, and its day has passed: it pays none of "
                    "them. Ask its operator.",
                    received=envelope.received,
                    declared=envelope.declared_count,
                )
            elif "NOT_AVAILABLE" in (envelope.funds_available or "") or "FAIL" in (
                envelope.funds_blocked or ""
            ):
                envelope.attention = _("The bank says that the money is not there.")

    # ------------------------------------------------------------------ declaring

    def _lock_key(self):
        return advisory.key(self._name, self.id)

    @api.model
    def _of_batch(self, batch):
        """The envelope that a released batch goes into."""
        gathered = in_own_transaction(
            batch, lambda batch: batch.env[self._name]._gather(batch), locks_first=True
        )
        return self.browse(gathered)

    @api.model
    def _gather(self, batch):
        """The id of the batch's envelope. A new one takes all batches of the cycle that were released with it."""
        if batch.envelope_id.state in ("draft", "open", "done"):
            return batch.envelope_id.id
        cycle, manager = batch.cycle_id, batch.manager_id
        # One at a time for a cycle: two jobs would otherwise make an envelope each.
        self.env.cr.execute(SQL("SELECT id FROM spp_cycle WHERE id = %s FOR NO KEY UPDATE", cycle.id))
        batch.invalidate_recordset(["envelope_id"])
        if batch.envelope_id.state in ("draft", "open", "done"):
            return batch.envelope_id.id
        released = self.env["spp.payment.batch"].search(
            [
                ("cycle_id", "=", cycle.id),
                ("manager_id", "=", manager.id),
                ("currency_id", "=", batch.currency_id.id),
                "|",
                ("envelope_id", "=", False),
                ("envelope_id.state", "=", "cancelled"),
                ("released_by", "!=", False),
                ("state", "in", ["draft", "sending"]),
            ]
        )
        number = self.search_count([("cycle_id", "=", cycle.id)]) + 1
        envelope = self.sudo().create(
            {
                "name": f"{cycle.program_id.code}-{cycle.number}-E{number}",
                "manager_id": manager.id,
                "cycle_id": cycle.id,
                "company_id": batch.company_id.id,
                "currency_id": batch.currency_id.id,
            }
        )
        released._write_guarded({"envelope_id": envelope.id})
        return envelope.id

    def _to_be_sent(self):
        """(count, total) of the payments in the envelope's batches that were or will really be sent."""
        self.env.flush_all()
        self.env.cr.execute(
            SQL(
                """
                SELECT count(*), COALESCE(sum(p.amount), 0)::text
                  FROM spp_payment p JOIN spp_payment_batch b ON b.id = p.batch_id
                 WHERE b.envelope_id = %s AND b.released_by IS NOT NULL
                   AND p.state NOT IN ('held', 'cancelled') AND (p.state <> 'rejected' OR p.bridge_id IS NOT NULL)
                """,
                self.id,
            )
        )
        count, total = self.env.cr.fetchone()
        return count, Decimal(total)

    def _declaration(self, schedule):
        count, total = self._to_be_sent()
        return bridge.Declaration(
            program=self.manager_id.bridge_program,
            cycle=self.name,
            frequency=self.manager_id.bridge_frequency,
            count=count,
            total=total,
            currency=self.currency_id.name,
            schedule=schedule,
        )

    def _declare(self):
        """Open the envelope at the bridge. One whose answer was lost holds nothing there: another is opened.

        :raise NotSent, MessageRefused: it is not open; nothing of any batch was sent
        """
        manager, today = self.manager_id, fields.Date.context_today(self)
        declaration = self._declaration(today + timedelta(days=manager.schedule_days))
        try:
            request = bridge.declare(manager._party(), str(uuid4()), declaration, datetime.now(UTC), today)
        except MessageError as error:
            raise MessageRefused(_("Not sent: %s", error)) from None
        try:
            reading = manager._call_bridge("declare", request, (), bridge.read_declare)
        except CallError as error:
            raise NotSent(_("The envelope could not be declared: %s", error.reason)) from None
        if reading.verdict is Verdict.REFUSED:
            raise MessageRefused(_("The envelope was refused. %s", reading.reason), reading.code)
        if reading.verdict is Verdict.UNCLEAR:
            raise NotSent(_("The envelope could not be declared: %s", reading.reason))
        told = {
            "state": "open",
            "bridge_id": reading.envelope_id,
            "schedule_date": declaration.schedule,
            "declared_count": declaration.count,
            "declared_total": float(declaration.total),
        }
        in_own_transaction(self, lambda envelope: envelope._write_guarded(told))

    def _amend_if_needed(self):
        """Declare what was really sent, once nothing more will be: a payment held at the last moment must not keep
        the others waiting for ever. Possible before the day of payment only."""
        self.ensure_one()
        today = fields.Date.context_today(self)
        waiting = self.env["spp.payment"].search_count(
            [("batch_id.envelope_id", "=", self.id), ("state", "in", ["ready", "sending", "unknown"])],
            limit=1,
        )
        if self.state != "open" or waiting or self.schedule_date <= today or not self.known_received:
            return
        declaration = self._declaration(self.schedule_date)
        if (declaration.count, float(declaration.total)) == (self.declared_count, self.declared_total):
            return
        try:
            request = bridge.amend(
                self.manager_id._party(), str(uuid4()), self.bridge_id, declaration, datetime.now(UTC), today
            )
            reading = self.manager_id._call_bridge("amend", request, (), bridge.read_declare)
        except (MessageError, CallError) as error:
            told = {
                "message": _("What it declares could not be changed: %s", getattr(error, "reason", error))
            }
        else:
            told = {
                "message": _("Declared anew: %s payments.", declaration.count),
                "declared_count": declaration.count,
                "declared_total": float(declaration.total),
            }
            if reading.verdict is not Verdict.ANSWERED:
                told = {"message": _("What it declares could not be changed: %s", reading.reason)}
        in_own_transaction(self, lambda envelope: envelope._write_guarded(told))

    # ------------------------------------------------------------------ asking

    def _ask(self):
        """Take over the bridge's counters; return them, or raise CallError when it told nothing."""
        self.ensure_one()
        manager = self.manager_id
        try:
            request = bridge.ask_envelope(manager._party(), str(uuid4()), self.bridge_id, datetime.now(UTC))
        except MessageError as error:
            raise CallError(_("Not asked: %s", error)) from None
        reading = manager._call_bridge("envelope", request, (), bridge.read_envelope)
        if reading.verdict is not Verdict.ANSWERED:
            raise CallError(reading.reason)
        counters = reading.counters
        told = {name: getattr(counters, name) or 0 for name in COUNTERS}
        if self.declared_count == counters.received == counters.reconciled:
            told["state"] = "done"
        told.update(
            funds_available=counters.funds_available,
            funds_blocked=counters.funds_blocked,
            asked_at=fields.Datetime.now(),
        )
        in_own_transaction(self, lambda envelope: envelope._write_guarded(told))
        return counters

    @api.model
    def _watched(self, manager=None, due=False):
        """Envelopes that are not settled, or that the bank may still send something back from.

        :param manager: only those of this one
        :param due: only those that it is time to ask about; as with payments, the older, the less often
        """
        self.env.flush_all()
        managers = self.env["spp.payment.manager"]
        self.env.cr.execute(
            SQL(
                """
                SELECT e.id
                  FROM spp_payment_envelope e
                  JOIN spp_payment_manager m ON m.id = e.manager_id
                 WHERE m.dialect = 'bridge' AND (%(manager)s::int IS NULL OR m.id = %(manager)s)
                   AND (e.state = 'open' OR e.state = 'done' AND e.schedule_date >= %(today)s::date - m.watch_days)
                   AND (%(all)s OR %(due)s)
                 ORDER BY e.asked_at NULLS FIRST, e.id
                """,
                manager=manager.id if manager else None,
                today=fields.Date.context_today(self),
                all=not due,
                due=managers._waited_enough(SQL("e.asked_at"), SQL("e.create_date")),
            )
        )
        return self.browse(envelope_id for (envelope_id,) in self.env.cr.fetchall())

    def _all_paid(self):
        """The bank has paid everything that the envelope declares, and nothing came back: proof for each payment
        in it, also where the bridge's number of a payment was lost with its answer."""
        return (
            self.state == "done"
            and self.declared_count == self.received == self.reconciled == self.known_received
            and not self.reversed
        )

    def action_ask(self):
        """Ask the bridge now how far the envelope is. Role: finance officer."""
        self._check_role("finance_officer")
        for envelope in self.sudo():  # sudo: the endpoint's credentials are used, not shown.
            if envelope.state != "open":
                raise UserError(_("%s is not declared at the bridge.", envelope.name))
            try:
                envelope._ask()
            except CallError as error:
                raise UserError(error.reason) from None
        return True

    def action_cancel(self):
        """Have the bridge cancel an envelope of which nothing went to the bank. Role: finance officer.

        That the bridge will not pay it any more is not proved by its word: its payments become unknown, and two people
        settle them with what the bridge's operator writes.
        """
        self._check_role("finance_officer")
        self.ensure_one()
        envelope = self.sudo()  # sudo: the endpoint's credentials are used, not shown.
        if envelope.state != "open":
            raise UserError(_("%s is not declared at the bridge.", envelope.name))
        try:
            with advisory.held(self.env.cr.dbname, envelope._lock_key()):
                envelope._cancel_there()
        except advisory.Busy:
            raise UserError(
                _("A batch is being sent into %s at this moment. Try again.", envelope.name)
            ) from None
        except CallError as error:
            raise UserError(error.reason) from None
        told = _("Cancelled by %s.", self.env.user.name)
        in_own_transaction(envelope, lambda envelope: envelope._cancelled(told))
        self.env["spp.audit.entry"]._log("Envelope cancelled", self, new={"number": envelope.bridge_id})
        return True

    def _cancelled(self, told):
        reason = _("Its envelope %s was cancelled at the bridge before it was paid.", self.name)
        self.env["spp.payment"]._apply(
            SQL(
                """
                SELECT p.id, 'unknown', %s, 'envelope_cancelled', NULL::timestamp, ''
                  FROM spp_payment p JOIN spp_payment_batch b ON b.id = p.batch_id
                 WHERE b.envelope_id = %s AND p.state IN ('accepted', 'unknown')
                """,
                reason,
                self.id,
            )
        )
        self._write_guarded({"state": "cancelled", "message": told})

    def _cancel_there(self):
        shipped = self._ask().shipped
        if shipped:
            raise UserError(
                _("%(count)s payments of %(name)s went to the bank already.", count=shipped, name=self.name)
            )
        manager = self.manager_id
        request = bridge.cancel_envelope(manager._party(), str(uuid4()), self.bridge_id, datetime.now(UTC))
        reading = manager._call_bridge("cancel", request, (), bridge.read_declare)
        if reading.verdict is not Verdict.ANSWERED:
            raise UserError(reading.reason)


class PaymentBatch(models.Model):
    _inherit = "spp.payment.batch"

    envelope_id = fields.Many2one(
        comodel_name="spp.payment.envelope", readonly=True, index="btree_not_null", ondelete="restrict"
    )
    received_before = fields.Integer(
        readonly=True, help="Payments of the envelope that the bridge had taken when this batch was sent."
    )
    awaits_proof = fields.Boolean(
        readonly=True, help="Its answer was lost; the envelope's counter will tell whether it was received."
    )
    ids_lost = fields.Boolean(
        string="Numbers lost",
        readonly=True,
        help="The bridge has these payments, but its numbers of them were lost with its answer: they settle with the "
        "whole envelope, or by hand.",
    )

    @property
    def _guarded_fields(self):
        return super()._guarded_fields | {"envelope_id", "received_before", "awaits_proof", "ids_lost"}


class PaymentExchange(models.Model):
    _inherit = "spp.payment.exchange"

    kind = fields.Selection(
        selection_add=[
            ("declare", "Envelope declared"),
            ("amend", "Envelope declared anew"),
            ("envelope", "Envelope asked about"),
            ("cancel", "Envelope cancelled"),
        ],
        ondelete={"declare": "cascade", "amend": "cascade", "envelope": "cascade", "cancel": "cascade"},
    )


class Payment(models.Model):
    _inherit = "spp.payment"

    bridge_id = fields.Char(string="Number at the bridge", readonly=True, index="btree_not_null")


class Cycle(models.Model):
    _inherit = "spp.cycle"

    envelope_ids = fields.One2many(
        comodel_name="spp.payment.envelope",
        inverse_name="cycle_id",
        string="Envelopes",
        readonly=True,
        groups="spp_base.group_auditor,spp_base.group_program_manager,spp_base.group_finance_officer,"
        "spp_base.group_approver,spp_base.group_payment_releaser",
    )
