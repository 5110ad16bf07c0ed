"""What of a cycle's goods is due, was handed out and is still to be collected: a line for each benefit of goods."""

from odoo import fields, models
from odoo.tools import SQL


class GoodsSummary(models.Model):
    _name = "spp.goods.summary"
    _description = "Goods of a cycle"
    _auto = False
    _order = "cycle_id, id"
    _rec_name = "product_name"

    cycle_id = fields.Many2one(comodel_name="spp.cycle", readonly=True)
    benefit_id = fields.Many2one(comodel_name="spp.program.benefit", readonly=True)
    product_name = fields.Char(string="Goods", readonly=True)
    unit = fields.Char(readonly=True)
    people = fields.Integer(string="Entitlements", readonly=True)
    due = fields.Float(
        digits=(16, 3), readonly=True, help="What was handed out, and what may still be collected."
    )
    handed_out = fields.Float(string="Handed out", digits=(16, 3), readonly=True)
    to_collect_count = fields.Integer(string="Entitlements to be collected", readonly=True)
    to_collect = fields.Float(string="To be collected", digits=(16, 3), readonly=True)
    ended = fields.Float(string="Cancelled or expired", digits=(16, 3), readonly=True)

    @property
    def _table_query(self):
        """Of one cycle, or of rows known by their ids, which are those of entitlements, nothing else is counted."""
        about = SQL("TRUE")
        if self._ids:
            about = SQL(
                "e.cycle_id IN (SELECT cycle_id FROM spp_entitlement WHERE id IN %s)", tuple(self._ids)
            )
        return SQL(
            """
            (SELECT min(e.id) AS id, e.cycle_id, e.benefit_id, e.product_name, e.unit, count(*) AS people,
                    COALESCE(sum(e.quantity) FILTER (WHERE e.state NOT IN ('cancelled', 'expired')), 0) AS due,
                    COALESCE(sum(e.quantity) FILTER (WHERE e.state = 'handed_out'), 0) AS handed_out,
                    count(*) FILTER (WHERE e.state IN ('draft', 'approved')) AS to_collect_count,
                    COALESCE(sum(e.quantity) FILTER (WHERE e.state IN ('draft', 'approved')), 0) AS to_collect,
                    COALESCE(sum(e.quantity) FILTER (WHERE e.state IN ('cancelled', 'expired')), 0) AS ended
               FROM spp_entitlement e
              WHERE e.kind = 'goods' AND %s
              GROUP BY e.cycle_id, e.benefit_id, e.product_name, e.unit)
            """,
            about,
        )
