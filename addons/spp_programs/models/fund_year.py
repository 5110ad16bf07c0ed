"""A program's fund by fiscal year. The sums over all years are the fund's balance."""

from odoo import fields, models
from odoo.tools import SQL

from .fund_entry import EFFECTS


class FundYear(models.Model):
    _name = "spp.fund.year"
    _description = "Fund by fiscal year"
    _auto = False
    _order = "program_id, fiscal_year desc"
    _rec_name = "fiscal_year"
    _depends = {"spp.fund.entry": ["program_id", "fiscal_year", "kind", "amount"]}

    program_id = fields.Many2one(comodel_name="spp.program", readonly=True)
    currency_id = fields.Many2one(comodel_name="res.currency", readonly=True)
    fiscal_year = fields.Char(readonly=True)
    allocated = fields.Monetary(
        readonly=True, help="Given to the program in this year, adjustments included."
    )
    committed = fields.Monetary(readonly=True, help="Promised in this year and not paid yet.")
    disbursed = fields.Monetary(readonly=True, help="Promised in this year, paid and not come back.")
    free = fields.Monetary(
        readonly=True, help="Below zero: cycles of this year were paid from what was left of others."
    )

    @property
    def _table_query(self):
        kinds, allocated, committed, disbursed = zip(
            *((kind, *effects) for kind, effects in EFFECTS.items()), strict=True
        )
        return SQL(
            """
            (SELECT min(e.id) AS id, e.program_id, e.fiscal_year, min(e.currency_id) AS currency_id,
                   sum(e.amount * effect.allocated) AS allocated,
                   sum(e.amount * effect.committed) AS committed,
                   sum(e.amount * effect.disbursed) AS disbursed,
                   sum(e.amount * (effect.allocated - effect.committed - effect.disbursed)) AS free
              FROM spp_fund_entry e
              JOIN unnest(%s::text[], %s::int[], %s::int[], %s::int[])
                   AS effect(kind, allocated, committed, disbursed) ON effect.kind = e.kind
             GROUP BY e.program_id, e.fiscal_year)
            """,
            *map(list, (kinds, allocated, committed, disbursed)),
        )
