"""What a program's fund holds: one row per program, moved by every ledger entry in the same transaction.

The CHECKs are what makes overspending impossible. The row is changed by UPDATE, so that of two transactions the
second waits and then counts with what the first left (or is tried again), which a sum over the ledger would not.
"""

from decimal import Decimal

from odoo import _, api, fields, models
from odoo.exceptions import UserError
from odoo.tools import SQL

from ..tools.money import shown
from .fund_entry import EFFECTS


class FundBalance(models.Model):
    _name = "spp.fund.balance"
    _description = "Fund balance"
    _rec_name = "program_id"

    program_id = fields.Many2one(comodel_name="spp.program", required=True, readonly=True, ondelete="cascade")
    currency_id = fields.Many2one(comodel_name="res.currency", related="program_id.currency_id")
    allocated = fields.Monetary(readonly=True, default=0, help="Given to the program, adjustments included.")
    committed = fields.Monetary(
        readonly=True, default=0, help="Promised by approved cycles and not paid yet."
    )
    disbursed = fields.Monetary(readonly=True, default=0, help="Paid and not come back.")
    free = fields.Monetary(compute="_compute_free", help="Allocated, and neither committed nor disbursed.")

    _sql_constraints = [
        ("program_unique", "UNIQUE(program_id)", "A program has one fund balance."),
        (
            "not_negative",
            "CHECK(allocated >= 0 AND committed >= 0 AND disbursed >= 0)",
            "No figure of a fund can be below zero.",
        ),
        (
            "not_overspent",
            "CHECK(allocated >= committed + disbursed)",
            "The fund of this program does not suffice.",
        ),
    ]

    @api.depends("allocated", "committed", "disbursed")
    def _compute_free(self):
        for balance in self:
            balance.free = balance.allocated - balance.committed - balance.disbursed

    def _lock_of(self, program):
        """Lock and return the balance of a program; whoever posts to the same fund waits."""
        self.env.cr.execute(
            SQL("SELECT id FROM spp_fund_balance WHERE program_id = %s FOR NO KEY UPDATE", program.id),
            log_exceptions=False,  # whoever posts at the same time makes this transaction be tried again
        )
        return self.browse(self.env.cr.fetchone())

    def _figures(self):
        """Return (allocated, committed, disbursed) as exact numbers."""
        self.env.cr.execute(
            SQL(
                "SELECT allocated::text, committed::text, disbursed::text FROM spp_fund_balance WHERE id = %s",
                self.id,
            )
        )
        return [Decimal(figure) for figure in self.env.cr.fetchone()]

    def _move(self, kind, amount):
        """Move the locked balance by entries of one kind that sum up to `amount`."""
        before = self._figures()
        allocated, committed, disbursed = (
            figure + effect * amount for figure, effect in zip(before, EFFECTS[kind], strict=True)
        )
        if allocated < committed + disbursed:
            currency = self.currency_id
            raise UserError(
                _(
                    "The fund of %(program)s does not suffice: %(needed)s are needed, %(free)s are free.",
                    program=self.program_id.display_name,
                    needed=shown(abs(amount), currency),
                    free=shown(before[0] - before[1] - before[2], currency),
                )
            )
        if min(allocated, committed, disbursed) < 0:
            raise UserError(
                _(
                    "%(amount)s cannot be posted to the fund of %(program)s: that is more than there is to "
                    "take it from.",
                    amount=shown(abs(amount), self.currency_id),
                    program=self.program_id.display_name,
                )
            )
        self.env.cr.execute(
            SQL(
                """
                UPDATE spp_fund_balance
                   SET allocated = %s::numeric, committed = %s::numeric, disbursed = %s::numeric,
                       write_uid = %s, write_date = %s
                 WHERE id = %s
                """,
                str(allocated),
                str(committed),
                str(disbursed),
                self.env.uid,
                self.env.cr.now(),
                self.id,
            )
        )
