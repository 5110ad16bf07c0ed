"""An edit of a primary account is queued for SPAR in its own transaction; the account shows what came of it."""

from odoo import _, api, fields, models
from odoo.tools import SQL

from .spp_spar_change import DOCUMENTS

SENT_FIELDS = {"partner_id", "kind", "provider_id", "number", "number_entry", "is_primary", "state"}
SPAR_STATES = [
    ("none", "Not sent to SPAR"),
    ("no_id", "No SPAR ID"),
    ("pending", "Waiting"),
    ("done", "Confirmed"),
    ("conflict", "Conflict"),
    ("failed", "Refused"),
    ("other", "SPAR keeps another account"),
    ("skipped", "Skipped"),
]


class PaymentAccount(models.Model):
    _inherit = "spp.payment.account"

    spar_state = fields.Selection(
        selection=SPAR_STATES,
        string="SPAR",
        compute="_compute_spar_state",
        search="_search_spar_state",
        compute_sudo=True,
        help="What became of this account at SPAR, as this system last saw it.",
    )
    spar_reason = fields.Char(string="SPAR: reason", compute="_compute_spar_state", compute_sudo=True)
    spar_id = fields.Char(
        string="SPAR ID",
        compute="_compute_spar_state",
        compute_sudo=True,
        groups=DOCUMENTS,
        help="The ID that the account was last queued for.",
    )

    def _compute_spar_state(self):
        self.env["spp.spar.change"]._record_edited()
        self.env.flush_all()
        self.env.cr.execute(
            SQL(
                """
                SELECT account.id, %s, %s, %s FROM spp_payment_account account WHERE account.id = ANY(%s)
                """,
                self._spar_state_sql(SQL("account")),
                self._newest_spar_change_sql(SQL("account"), SQL("change.reason")),
                self._newest_spar_change_sql(SQL("account"), SQL("change.spar_id")),
                self.ids,
            )
        )
        found = {row[0]: row[1:] for row in self.env.cr.fetchall()}
        for account in self:
            state, reason, spar_id = found.get(account._origin.id, ("none", False, False))
            if state == "no_id":
                reason = _(
                    "The document that makes the ID is missing, or holds characters SPAR cannot carry."
                )
            account.spar_state, account.spar_reason, account.spar_id = state, reason, spar_id

    def _search_spar_state(self, operator, value):
        if operator not in ("=", "!=", "in", "not in"):
            raise NotImplementedError(f"spar_state cannot be searched by {operator}")
        values = [value] if isinstance(value, str | bool) else value
        self.env["spp.spar.change"]._record_edited()
        self.env.flush_all()
        query = self.sudo()._search([])  # the caller's own rules apply to the search this is a part of
        state = self._spar_state_sql(SQL.identifier(self._table))
        query.add_where(SQL("%s = ANY(%s)", state, [each for each in values if each]))
        return [("id", "in" if operator in ("=", "in") else "not in", query)]

    @api.model
    def _newest_spar_change_sql(self, account, column, company=None):
        """SQL of `column` of the newest SPAR change (alias `change`) of the account with alias `account`.

        `company` (SQL of an id) limits it to that company's mapper.
        """
        return SQL(
            "(SELECT %s FROM spp_spar_change change WHERE change.account_id = %s.id AND %s"
            " ORDER BY change.id DESC LIMIT 1)",
            column,
            account,
            SQL("change.company_id = %s", company) if company else SQL("TRUE"),
        )

    @api.model
    def _spar_state_sql(self, account, company=None):
        """SQL of `spar_state` for a table with the alias `account`; `company` as above."""
        of_change = SQL(
            """CASE WHEN change.op = 'unset' THEN 'no_id'
                    WHEN change.state IN ('pending', 'sending', 'retry') THEN 'pending'
                    WHEN change.decision = 'skipped' THEN 'skipped'
                    WHEN change.state = 'superseded' THEN 'other'
                    ELSE change.state END"""
        )
        return SQL(
            """
            CASE WHEN NOT COALESCE(%(account)s.is_primary, FALSE) OR %(account)s.state <> 'active'
                   OR NOT EXISTS (
                      SELECT FROM spp_spar_mapper mapper
                        JOIN res_partner registrant ON registrant.id = %(account)s.partner_id
                       WHERE mapper.active AND %(company)s
                         AND (registrant.company_id IS NULL OR registrant.company_id = mapper.company_id)
                      )
                 THEN 'none'
                 ELSE COALESCE(%(newest)s, 'no_id')
            END
            """,
            account=account,
            company=SQL("mapper.company_id = %s", company) if company else SQL("TRUE"),
            newest=self._newest_spar_change_sql(account, of_change, company),
        )

    @api.model_create_multi
    def create(self, vals_list):
        accounts = super().create(vals_list)
        self.env["spp.spar.change"]._record(accounts.partner_id)
        return accounts

    def _created_in_bulk(self):
        result = super()._created_in_bulk()
        self.env["spp.spar.change"]._record(self.partner_id)
        return result

    def write(self, vals):
        if not SENT_FIELDS.intersection(vals):
            return super().write(vals)
        partners = self.partner_id
        result = super().write(vals)
        self.env["spp.spar.change"]._record(partners | self.partner_id)
        return result

    def unlink(self):
        partners = self.partner_id
        result = super().unlink()
        self.env["spp.spar.change"]._record(partners)
        return result

    def action_view_spar_changes(self):
        """Open what was queued for the people of these accounts."""
        action = self.env["ir.actions.act_window"]._for_xml_id("spp_spar_sync.action_spp_spar_change")
        return {**action, "name": _("SPAR Changes"), "domain": [("partner_id", "in", self.partner_id.ids)]}
