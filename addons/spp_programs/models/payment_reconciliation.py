"""What a finance officer works through: batches with what became of their payments, and payments nobody answers for.

Both are views: they always are what the payments say at this moment.
"""

from odoo import _, fields, models
from odoo.tools import SQL

AGES = [("0", "Up to 1 day"), ("2", "2 to 7 days"), ("8", "8 to 30 days"), ("31", "More than 30 days")]
# Column: SQL about a payment `p` of the batch. One payment may be in several: what was accepted was sent, too.
COLUMNS = {
    "issued": "TRUE",
    "sent": "p.sent_at IS NOT NULL AND p.state <> 'ready'",
    "accepted": "p.state = 'accepted'",
    "paid": "p.state = 'paid'",
    "rejected": "p.state = 'rejected'",
    "returned": "p.state = 'returned'",
    "unknown": "p.state = 'unknown'",
}
LABELS = {
    "issued": "Issued",
    "sent": "Sent",
    "accepted": "Accepted",
    "paid": "Paid",
    "rejected": "Rejected",
    "returned": "Came back",
    "unknown": "Unknown",
}
# The payment needs a person: it is unknown, was refused or came back and was not issued again, or contradicts.
NEEDS_A_PERSON = """
    (p.state = 'unknown' OR p.alert IS NOT NULL
     OR p.settle_by IS NOT NULL AND p.state IN ('unknown', 'paid') AND p.reason_code IS DISTINCT FROM p.settle_outcome
     OR p.state IN ('rejected', 'returned') AND e.state = 'approved'
        AND NOT EXISTS (SELECT FROM spp_payment again WHERE again.reissue_of_id = p.id AND again.state <> 'cancelled')
     OR EXISTS (SELECT FROM spp_payment_contradiction x WHERE x.payment_id = p.id AND x.state <> 'settled'))
"""


class PaymentReconciliation(models.Model):
    _name = "spp.payment.reconciliation"
    _description = "Reconciliation of a batch"
    _auto = False
    _order = "needed DESC, unknown DESC, batch_id DESC"
    _rec_name = "batch_id"

    batch_id = fields.Many2one(comodel_name="spp.payment.batch", readonly=True)
    batch_state = fields.Selection(related="batch_id.state")
    message = fields.Char(related="batch_id.message")
    cycle_id = fields.Many2one(comodel_name="spp.cycle", readonly=True)
    program_id = fields.Many2one(comodel_name="spp.program", readonly=True)
    manager_id = fields.Many2one(comodel_name="spp.payment.manager", readonly=True)
    company_id = fields.Many2one(comodel_name="res.company", readonly=True)
    currency_id = fields.Many2one(comodel_name="res.currency", readonly=True)
    released_at = fields.Datetime(readonly=True)
    needed = fields.Integer(
        string="Need a person",
        readonly=True,
        help="Payments that are unknown, were refused or came back and were not issued again, wait for a second "
        "finance officer, or of which the payer says something against the books.",
    )
    issued = fields.Integer(string=LABELS["issued"], readonly=True)
    issued_amount = fields.Monetary(string="Issued, amount", readonly=True)
    sent = fields.Integer(string=LABELS["sent"], readonly=True)
    sent_amount = fields.Monetary(string="Sent, amount", readonly=True)
    accepted = fields.Integer(
        string=LABELS["accepted"], readonly=True, help="By the payer, and not settled yet."
    )
    accepted_amount = fields.Monetary(string="Accepted, amount", readonly=True)
    paid = fields.Integer(string=LABELS["paid"], readonly=True)
    paid_amount = fields.Monetary(string="Paid, amount", readonly=True)
    assumed_amount = fields.Monetary(
        string="Paid, payer told no amount",
        readonly=True,
        help="Of what was paid: the payer said that it was, and not how much. The issued amount counts.",
    )
    rejected = fields.Integer(string=LABELS["rejected"], readonly=True)
    rejected_amount = fields.Monetary(string="Rejected, amount", readonly=True)
    returned = fields.Integer(string=LABELS["returned"], readonly=True)
    returned_amount = fields.Monetary(string="Came back, amount", readonly=True)
    unknown = fields.Integer(string=LABELS["unknown"], readonly=True)
    unknown_amount = fields.Monetary(string="Unknown, amount", readonly=True)

    @property
    def _table_query(self):
        counted = SQL(", ").join(
            SQL(
                "count(*) FILTER (WHERE %(which)s) AS %(name)s,"
                " COALESCE(sum(p.amount) FILTER (WHERE %(which)s), 0) AS %(amount)s",
                which=SQL(which),  # pylint: disable=sql-injection
                name=SQL.identifier(name),
                amount=SQL.identifier(f"{name}_amount"),
            )
            for name, which in COLUMNS.items()
        )
        return SQL(
            """
            (SELECT b.id, b.id AS batch_id, b.cycle_id, b.program_id, b.manager_id, b.company_id, b.currency_id,
                   b.released_at, %(counted)s,
                   COALESCE(sum(p.amount) FILTER (WHERE p.state = 'paid' AND p.amount_assumed), 0) AS assumed_amount,
                   count(*) FILTER (WHERE %(needed)s) AS needed
              FROM spp_payment_batch b
              JOIN spp_payment p ON p.batch_id = b.id
              JOIN spp_entitlement e ON e.id = p.entitlement_id
             GROUP BY b.id)
            """,
            counted=counted,
            needed=SQL(NEEDS_A_PERSON),
        )

    def action_open(self):
        """Open the payments of the batch."""
        self.ensure_one()
        return self.env["spp.payment"]._open(
            _("Payments of %s", self.batch_id.name), [("batch_id", "=", self.batch_id.id)]
        )


class PaymentAging(models.Model):
    _name = "spp.payment.aging"
    _description = "Payments without an end, by age"
    _auto = False
    _order = "age DESC, oldest, id"
    _rec_name = "batch_id"

    batch_id = fields.Many2one(comodel_name="spp.payment.batch", readonly=True)
    cycle_id = fields.Many2one(comodel_name="spp.cycle", readonly=True)
    program_id = fields.Many2one(comodel_name="spp.program", readonly=True)
    manager_id = fields.Many2one(comodel_name="spp.payment.manager", readonly=True)
    company_id = fields.Many2one(comodel_name="res.company", readonly=True)
    currency_id = fields.Many2one(comodel_name="res.currency", readonly=True)
    age = fields.Selection(selection=AGES, string="Sent", readonly=True, help="Whole days since it was sent.")
    state = fields.Selection(
        selection=[("sending", "Sending"), ("accepted", "Accepted"), ("unknown", "Unknown")], readonly=True
    )
    count = fields.Integer(string="Payments", readonly=True)
    amount = fields.Monetary(readonly=True)
    oldest = fields.Datetime(string="Oldest sent", readonly=True)
    asked_at = fields.Datetime(
        string="Last asked", readonly=True, help="When the payer was last asked about one of them."
    )

    @property
    def _table_query(self):
        return SQL(
            """
            (SELECT (b.id * 4 + s.ord - 1) * 4 + a.ord - 1 AS id, b.id AS batch_id, b.cycle_id, b.program_id,
                   b.manager_id, b.company_id, b.currency_id, a.age, s.state, count(*) AS count,
                   sum(p.amount) AS amount, min(p.sent_at) AS oldest, max(p.asked_at) AS asked_at
              FROM spp_payment p
              JOIN spp_payment_batch b ON b.id = p.batch_id
              JOIN unnest(ARRAY['sending', 'accepted', 'unknown']) WITH ORDINALITY AS s(state, ord)
                ON s.state = p.state
              JOIN unnest(%(ages)s::text[]) WITH ORDINALITY AS a(age, ord)
                ON a.age = (SELECT max(each::int)::text FROM unnest(%(ages)s::text[]) each
                             WHERE each::int = 0
                                OR extract(epoch FROM %(now)s::timestamp - p.sent_at) >= each::int * 86400)
             WHERE p.state IN ('sending', 'accepted', 'unknown') AND b.state <> 'done'
             GROUP BY b.id, s.state, s.ord, a.age, a.ord)
            """,
            ages=[age for age, _label in AGES],
            now=fields.Datetime.now(),
        )

    def action_open(self):
        """Open the payments of the row: of its batch, state and age."""
        self.ensure_one()
        now, ages = fields.Datetime.now(), [int(age) for age, _label in AGES]
        domain = [("batch_id", "=", self.batch_id.id), ("state", "=", self.state)]
        if int(self.age):
            domain.append(("sent_at", "<=", fields.Datetime.subtract(now, days=int(self.age))))
        younger = [age for age in ages if age > int(self.age)]
        if younger:
            domain.append(("sent_at", ">", fields.Datetime.subtract(now, days=younger[0])))
        return self.env["spp.payment"]._open(_("Without an end: %s", self.batch_id.name), domain)


class Payment(models.Model):
    _inherit = "spp.payment"

    amount_assumed = fields.Boolean(
        string="Payer told no amount",
        readonly=True,
        help="The payer said that it was paid, and not how much: the issued amount counts.",
    )

    def _open(self, name, domain):
        action = self.env["ir.actions.act_window"]._for_xml_id("spp_programs.action_spp_payment")
        return {**action, "name": name, "domain": domain, "context": {}}
