"""Where the money of a cycle is: for every approved entitlement exactly one row counts it."""

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

    @property
    def _table_query(self):
        return SQL(
            """
            (SELECT e.cycle_id * 16 + s.ord AS id, e.cycle_id, s.situation, count(*) AS count,
                   sum(e.amount) AS amount, e.currency_id
              FROM spp_entitlement e
         LEFT JOIN LATERAL (SELECT state FROM spp_payment WHERE entitlement_id = e.id ORDER BY id DESC LIMIT 1) p ON TRUE
              JOIN unnest(%s::text[]) WITH ORDINALITY AS s(situation, ord)
                ON s.situation = CASE
                       WHEN e.state IN ('cancelled', 'expired') THEN 'ended'
                       WHEN p.state IS NULL OR p.state = 'cancelled' THEN 'not_issued'
                       WHEN p.state IN ('sending', 'accepted') THEN 'in_progress'
                       ELSE p.state END
             WHERE e.kind = 'money' AND e.state <> 'draft'
             GROUP BY e.cycle_id, s.situation, s.ord, e.currency_id)
            """,
            [key for key, _label in SITUATIONS],
        )
