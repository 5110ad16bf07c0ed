"""The ledger of a program's fund: append-only, each entry with its origin, posted together with the balance."""

from decimal import Decimal

from odoo import api, fields, models
from odoo.tools import SQL

from odoo.addons.spp_base.tools.append_only import make_append_only

from ..tools.money import shown

# What one unit of an entry of each kind adds to (allocated, committed, disbursed).
EFFECTS = {
    "allocation": (1, 0, 0),
    "adjustment": (1, 0, 0),
    "commitment": (0, 1, 0),
    "release": (0, -1, 0),
    "disbursement": (0, -1, 1),
    "return": (0, 1, -1),
}


class FundEntry(models.Model):
    _name = "spp.fund.entry"
    _description = "Fund entry"
    _order = "id desc"
    _rec_name = "origin"
    _rec_names_search = ["origin", "document"]

    program_id = fields.Many2one(
        comodel_name="spp.program", required=True, readonly=True, index=True, ondelete="restrict"
    )
    company_id = fields.Many2one(comodel_name="res.company", related="program_id.company_id")
    kind = fields.Selection(
        selection=[
            ("allocation", "Allocation"),
            ("adjustment", "Adjustment"),
            ("commitment", "Commitment"),
            ("release", "Release"),
            ("disbursement", "Disbursement"),
            ("return", "Return"),
        ],
        required=True,
        readonly=True,
        help="Allocation and adjustment: money given to the program or taken from it. Commitment: promised by an "
        "approved cycle. Release: promised and not paid after all. Disbursement: paid. Return: paid and come "
        "back; it is promised again.",
    )
    amount = fields.Monetary(required=True, readonly=True)
    currency_id = fields.Many2one(
        comodel_name="res.currency", required=True, readonly=True, ondelete="restrict"
    )
    origin = fields.Char(
        required=True,
        readonly=True,
        help="What the entry was made for: no origin has two entries of one kind.",
    )
    document = fields.Char(readonly=True, help="The paper it rests on: a warrant, a letter, a bank advice.")
    fiscal_year = fields.Char(
        required=True,
        readonly=True,
        size=4,
        help="The year whose money it is, named after its first day. What is released, disbursed or returned belongs "
        "to the year in which it was committed.",
    )
    corrects_id = fields.Many2one(
        comodel_name="spp.fund.entry",
        readonly=True,
        index="btree_not_null",
        ondelete="restrict",
        help="The mistyped allocation that this adjustment puts right.",
    )
    user_id = fields.Many2one(comodel_name="res.users", required=True, readonly=True, ondelete="restrict")
    at = fields.Datetime(string="Posted at", required=True, readonly=True)

    _sql_constraints = [
        ("origin_unique", "UNIQUE(kind, origin)", "This was posted to the fund before."),
        (
            "amount_sign",
            "CHECK(amount > 0 OR (kind = 'adjustment' AND amount <> 0))",
            "A fund entry has an amount above zero; only an adjustment may have one below.",
        ),
    ]

    @api.depends("kind", "amount", "document", "at")
    def _compute_display_name(self):
        for entry in self:
            words = (
                str(entry.at.date()) if entry.at else "",
                shown(entry.amount, entry.currency_id),
                entry.document,
            )
            entry.display_name = " · ".join(filter(None, words))

    def init(self):
        make_append_only(self.env.cr, self._table)

    def _post(self, program, kind, rows, document="", fiscal_year=None, corrects=None):
        """Post entries of one kind and move the program's balance with them.

        A row whose (kind, origin) is in the ledger already is left out: a call that is repeated posts nothing.

        :param rows: [(origin, amount)], or SQL selecting (origin, amount). Amounts are exact (Decimal, decimal
            string, numeric) and are not rounded here.
        :param document: text, or SQL about the row `given` of `rows`
        :param fiscal_year: the year whose money it is; the present one when not given
        :param corrects: the entry (spp.fund.entry) that an adjustment puts right
        :return: how many entries were posted
        :raise UserError: when the fund does not suffice; then nothing is posted
        """
        self.env.flush_all()
        if not isinstance(rows, SQL):
            rows = SQL(
                "SELECT * FROM unnest(%s::text[], %s::text[])",
                [origin for origin, _amount in rows],
                [str(amount) for _origin, amount in rows],
            )
        with self.env.cr.savepoint(flush=False):
            balance = self.env["spp.fund.balance"]._lock_of(program)
            self.env.cr.execute(
                SQL(
                    """
                    WITH posted AS (
                        INSERT INTO spp_fund_entry
                            (program_id, kind, amount, currency_id, origin, document, fiscal_year, corrects_id,
                             user_id, at, create_uid, create_date, write_uid, write_date)
                        SELECT %(program)s, %(kind)s, given.amount::numeric, %(currency)s, given.origin,
                               %(document)s, %(year)s, %(corrects)s, %(uid)s, date_trunc('second', %(now)s::timestamp),
                               %(uid)s, %(now)s, %(uid)s, %(now)s
                          FROM (%(rows)s) AS given(origin, amount)
                        ON CONFLICT (kind, origin) DO NOTHING
                        RETURNING amount
                    )
                    SELECT count(*), COALESCE(sum(amount), 0)::text FROM posted
                    """,
                    program=program.id,
                    kind=kind,
                    currency=program.currency_id.id,
                    document=document or None,
                    year=fiscal_year or program.company_id._spp_fiscal_year(fields.Date.context_today(self)),
                    corrects=corrects.id if corrects else None,
                    uid=self.env.uid,
                    now=self.env.cr.now(),
                    rows=rows,
                )
            )
            count, total = self.env.cr.fetchone()
            if count:
                balance._move(kind, Decimal(total))
        self.env.invalidate_all()
        return count
