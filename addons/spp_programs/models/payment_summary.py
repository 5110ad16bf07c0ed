"""Where the money is, of a cycle and of a batch: every entitlement, and every payment, is counted once.

Both are views: they always are what the payments say at this moment.
"""

from odoo import fields, models
from odoo.tools import SQL

# In the order they are shown; their sums make the approved total.
SITUATIONS = [
    ("not_issued", "Not issued"),
    ("held", "Held"),
    ("ready", "Ready"),
    ("in_progress", "In progress"),
    ("unknown", "Unknown"),
    ("paid", "Paid"),
    ("rejected", "Rejected"),
    ("returned", "Returned"),
    ("ended", "Cancelled or expired"),
]
FIRST = [key for key, _label in SITUATIONS]
COLUMNS = ("cycle_id", "situation", "count", "amount", "currency_id")
LINES = 16  # room for the lines of one cycle or batch in their ids


def _only(column, ids):
    """SQL: what rows that are known by their ids are about; otherwise everything.

    PostgreSQL cannot find that out of `cycle * 16 + line`, and would count all cycles to show the lines of one.
    """
    return SQL("%s IN %s", column, tuple({id_ // LINES for id_ in ids})) if ids else SQL("TRUE")


class PaymentSummary(models.Model):
    _name = "spp.payment.summary"
    _description = "Payments of a cycle"
    _auto = False
    _order = "cycle_id, id"
    _rec_name = "situation"

    cycle_id = fields.Many2one(comodel_name="spp.cycle", readonly=True)
    situation = fields.Selection(selection=SITUATIONS, readonly=True)
    count = fields.Integer(string="Entitlements", readonly=True)
    amount = fields.Monetary(readonly=True)
    currency_id = fields.Many2one(comodel_name="res.currency", readonly=True)

    def search_fetch(self, domain, field_names, *args, **kwargs):
        """Whoever looks for lines reads them: both at once, as each time the whole cycle is counted."""
        return super().search_fetch(domain, {*field_names, *COLUMNS}, *args, **kwargs)

    @property
    def _table_query(self):
        """What counts is an entitlement's live payment, of which there is one at most; without one, the newest that
        was not given up before it was sent.

        One that ended without ever being approved, and so was never committed, is not part of the approved total.
        """
        return SQL(
            """
            (SELECT counted.cycle_id * %s + line.ord AS id, counted.cycle_id, situation,
                   counted.count, counted.amount, counted.currency_id
              FROM (SELECT e.cycle_id,
                           CASE WHEN e.state IN ('cancelled', 'expired') THEN 'ended'
                                WHEN p.state IN ('sending', 'accepted') THEN 'in_progress'
                                WHEN p.state IS NOT NULL THEN p.state
                                ELSE COALESCE((SELECT state FROM spp_payment
                                                WHERE entitlement_id = e.id AND state <> 'cancelled'
                                                ORDER BY id DESC LIMIT 1), 'not_issued') END AS situation,
                           count(*) AS count, sum(e.amount) AS amount, e.currency_id
                      FROM spp_entitlement e
                      JOIN spp_cycle c ON c.id = e.cycle_id
                 LEFT JOIN spp_payment p
                        ON p.cycle_id = e.cycle_id AND p.entitlement_id = e.id
                       AND p.state NOT IN ('rejected', 'returned', 'cancelled')
                     WHERE e.kind = 'money' AND e.state <> 'draft' AND c.approved_at IS NOT NULL AND %s
                       AND (e.state NOT IN ('cancelled', 'expired')
                            OR EXISTS (SELECT FROM spp_fund_entry f
                                        WHERE f.kind = 'release' AND f.origin = 'entitlement:' || e.id))
                     GROUP BY 1, 2, e.currency_id) counted
              JOIN unnest(%s::text[]) WITH ORDINALITY AS line(situation, ord) USING (situation))
            """,
            LINES,
            _only(SQL("e.cycle_id"), self._ids),
            FIRST,
        )


class PaymentBatchSummary(models.Model):
    _name = "spp.payment.batch.summary"
    _description = "Payments of a batch"
    _auto = False
    _order = "batch_id, id"
    _rec_name = "situation"

    batch_id = fields.Many2one(comodel_name="spp.payment.batch", readonly=True)
    cycle_id = fields.Many2one(comodel_name="spp.cycle", readonly=True)
    program_id = fields.Many2one(comodel_name="spp.program", readonly=True)
    manager_id = fields.Many2one(comodel_name="spp.payment.manager", readonly=True)
    company_id = fields.Many2one(comodel_name="res.company", readonly=True)
    situation = fields.Selection(selection=SITUATIONS, readonly=True)
    count = fields.Integer(string="Payments", readonly=True)
    amount = fields.Monetary(readonly=True)
    again_amount = fields.Monetary(
        string="Of these issued again",
        readonly=True,
        help="Rejected or returned, and issued again in another batch or to be sent.",
    )
    currency_id = fields.Many2one(comodel_name="res.currency", readonly=True)

    @property
    def _table_query(self):
        """Held payments are in no batch: they leave theirs, and come into a new one."""
        return SQL(
            """
            (SELECT b.id * %s + s.ord AS id, b.id AS batch_id, b.cycle_id, b.program_id, b.manager_id, b.company_id,
                   b.currency_id, s.situation, count(*) AS count, sum(p.amount) AS amount,
                   COALESCE(sum(p.amount) FILTER (WHERE again.found), 0) AS again_amount
              FROM spp_payment_batch b
              JOIN spp_payment p ON p.batch_id = b.id
         LEFT JOIN LATERAL (SELECT TRUE AS found FROM spp_payment
                             WHERE reissue_of_id = p.id AND state <> 'cancelled' LIMIT 1) again
                ON p.state IN ('rejected', 'returned')
              JOIN unnest(%s::text[]) WITH ORDINALITY AS s(situation, ord)
                ON s.situation = CASE WHEN p.state = 'cancelled' THEN 'ended'
                                      WHEN p.state IN ('sending', 'accepted') THEN 'in_progress'
                                      ELSE p.state END
             WHERE %s
             GROUP BY b.id, s.situation, s.ord)
            """,
            LINES,
            FIRST,
            _only(SQL("b.id"), self._ids),
        )


class PaymentBatch(models.Model):
    _inherit = "spp.payment.batch"

    summary_ids = fields.One2many(
        comodel_name="spp.payment.batch.summary",
        inverse_name="batch_id",
        string="Where the money is",
        readonly=True,
    )
