"""What finance officers do with a program's fund: allocate money to it, and put right what was mistyped."""

from odoo import _, fields, models
from odoo.exceptions import UserError

from ..tools.money import exact, shown

LEDGER_READERS = "spp_base.group_auditor,spp_base.group_program_manager,spp_base.group_finance_officer,spp_base.group_approver"


class Program(models.Model):
    _inherit = "spp.program"

    fund_year_ids = fields.One2many(
        comodel_name="spp.fund.year",
        inverse_name="program_id",
        string="By fiscal year",
        readonly=True,
        groups=LEDGER_READERS,
    )
    fund_entry_ids = fields.One2many(
        comodel_name="spp.fund.entry",
        inverse_name="program_id",
        string="Ledger",
        readonly=True,
        groups=LEDGER_READERS,
    )

    def fund_allocate(self, amount_str, document, request_key, fiscal_year=None):
        """Give money to the program. Role: finance officer.

        :param amount_str: amount above zero as a decimal string, "1000000.00"
        :param document: the paper it rests on
        :param request_key: chosen by the caller; a call that is repeated with it posts nothing and answers the same
        :param fiscal_year: the year whose money it is, "2026"; the present one when not given
        :return: id of the ledger entry (spp.fund.entry)
        """
        return self._fund_change("allocation", amount_str, document, request_key, fiscal_year)

    def fund_adjust(self, amount_str, document, request_key, fiscal_year=None):
        """Change what was allocated, up or (with a minus) down, as long as it is free. See fund_allocate()."""
        return self._fund_change("adjustment", amount_str, document, request_key, fiscal_year)

    def fund_correct(self, entry_id, amount_str, document, request_key):
        """Put a mistyped allocation right: post the difference between what it is and what it should have been.

        The allocation itself stays in the ledger as it was posted. Role: finance officer.

        :param entry_id: id of the allocation (spp.fund.entry) of this program
        :param amount_str: what it should have been, as a decimal string; "0" for an allocation that is none
        :param document: the paper it rests on
        :param request_key: see fund_allocate()
        :return: id of the adjustment (spp.fund.entry)
        """
        self.ensure_one()
        self._check_role("finance_officer")
        entry = self.env["spp.fund.entry"].search([("id", "=", entry_id), ("program_id", "=", self.id)])
        if entry.kind != "allocation":
            raise UserError(_("An allocation of %s is corrected; this is none.", self.display_name))
        right = exact(amount_str, self.currency_id)
        if right < 0:
            raise UserError(_("An allocation cannot be below zero."))
        # The balance is locked first, so that two corrections at once do not both post the whole difference.
        self.env["spp.fund.balance"].sudo()._lock_of(self)
        origin = self._fund_origin(request_key)
        done = entry.search([("kind", "=", "adjustment"), ("origin", "=", origin)])
        if done:
            self._check_same_request(done, done.corrects_id == entry, amount_str, request_key)
            return done.id
        stands = sum(exact(f"{each.amount:.6f}".rstrip("0").rstrip("."), self.currency_id)
                     for each in entry | entry.search([("corrects_id", "=", entry.id)]))  # fmt: skip
        if right == stands:
            raise UserError(_("The allocation stands at %s already.", shown(right, self.currency_id)))
        return self._fund_change(
            "adjustment", str(right - stands), document, request_key, entry.fiscal_year, corrects=entry
        )

    def _fund_origin(self, request_key):
        return f"program:{self.id}:{(request_key or '').strip()}"

    def _fund_change(self, kind, amount_str, document, request_key, fiscal_year=None, corrects=None):
        self.ensure_one()
        self._check_role("finance_officer")
        if self.state == "closed":
            raise UserError(_("%s is closed.", self.display_name))
        amount = exact(amount_str, self.currency_id)
        if not amount or (kind == "allocation" and amount < 0):
            raise UserError(_("An allocation has an amount above zero; %s is none.", amount_str))
        if not (document or "").strip() or not (request_key or "").strip():
            raise UserError(_("An entry of the fund needs a document and a request key."))
        fiscal_year = str(fiscal_year or "").strip()
        if fiscal_year and not (len(fiscal_year) == 4 and fiscal_year.isdecimal()):
            raise UserError(_("%s is no fiscal year. Write it like 2026.", fiscal_year))
        # sudo: the ledger and the balance are written by this method only; the role was checked.
        ledger = self.env["spp.fund.entry"].sudo()
        origin = self._fund_origin(request_key)
        ledger._post(self, kind, [(origin, amount)], document.strip(), fiscal_year, corrects)
        entry = ledger.search([("kind", "=", kind), ("origin", "=", origin)])
        same = not entry.currency_id.compare_amounts(entry.amount, float(amount))
        self._check_same_request(entry, same, amount_str, request_key)
        return entry.id

    def _check_same_request(self, entry, same, amount_str, request_key):
        if not same:
            raise UserError(
                _(
                    "The request key %(key)s was used before, for %(amount)s.",
                    key=request_key,
                    amount=shown(entry.amount, entry.currency_id),
                )
            )
