"""Accounts that somebody should look at before they are paid to: shared by many, or changed a short while ago."""

from odoo import _, api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.tools import SQL


class PaymentAccount(models.Model):
    _inherit = "spp.payment.account"

    flag = fields.Char(
        string="Flagged",
        compute="_compute_flag",
        search="_search_flag",
        compute_sudo=True,
        help="Shared by more people than the SPAR mapper's setting allows, or changed a short while ago. Payments to it "
        "are held until an Enrollment Officer who did not enter it clears it.",
    )
    clearance_ids = fields.One2many(
        comodel_name="spp.spar.clearance",
        inverse_name="account_id",
        string="Clearances",
        readonly=True,
        groups="spp_base.group_enrollment_officer,spp_base.group_program_manager,spp_base.group_finance_officer,"
        "spp_base.group_auditor",
    )

    def init(self):
        result = super().init()
        # By its digest: numbers may be longer than an index takes.
        self.env.cr.execute(
            "CREATE INDEX IF NOT EXISTS spp_payment_account_same_number_idx"
            " ON spp_payment_account (md5(number)) WHERE state = 'active'"
        )
        return result

    def _compute_flag(self):
        self.env["spp.spar.change"]._record_edited()
        self.env.flush_all()
        self.env.cr.execute(
            SQL(
                "SELECT account.id, %s FROM spp_payment_account account WHERE account.id = ANY(%s)",
                self._flag_sql(SQL("account")),
                self.ids,
            )
        )
        flags = dict(self.env.cr.fetchall())
        for account in self:
            account.flag = flags.get(account._origin.id) or False

    def _search_flag(self, operator, value):
        if operator not in ("=", "!=", "in", "not in") or set(
            [value] if isinstance(value, str | bool) or value is None else value
        ) - {False, None}:
            raise NotImplementedError("Only whether an account is flagged can be searched")
        self.env["spp.spar.change"]._record_edited()
        self.env.flush_all()
        query = self.sudo()._search([])  # the caller's own rules apply to the search this is a part of
        query.add_where(SQL("%s IS NOT NULL", self._flag_sql(SQL.identifier(self._table))))
        return [("id", "in" if operator in ("!=", "not in") else "not in", query)]

    @api.model
    def _flag_sql(self, account, company=None):
        """SQL of `flag`, NULL where there is none, for a table with the alias `account`.

        `company` (SQL of an id) limits it to the settings of that company's mapper.
        """
        return SQL(
            """
            (SELECT NULLIF(concat_ws(' ',
                    CASE WHEN mapper.shared_most > 0 AND (
                        SELECT count(*) FROM (
                            SELECT FROM spp_payment_account other
                             WHERE md5(other.number) = md5(%(account)s.number) AND other.number = %(account)s.number
                               AND other.kind = %(account)s.kind AND other.state = 'active'
                               AND other.provider_id IS NOT DISTINCT FROM %(account)s.provider_id
                               AND other.partner_id <> %(account)s.partner_id
                             LIMIT allowed.others + 1) found
                        ) > allowed.others THEN replace(%(shared)s, '#', (allowed.others + 1)::text) END,
                    CASE WHEN mapper.changed_days > 0 AND EXISTS (
                        SELECT FROM spp_spar_change sent
                          JOIN spp_spar_change former
                            ON former.partner_id = sent.partner_id AND former.mapper_id = sent.mapper_id
                           AND former.id < sent.id AND former.op = 'set' AND former.sent_at IS NOT NULL
                           AND former.account_print <> sent.account_print
                         WHERE sent.account_id = %(account)s.id AND sent.mapper_id = mapper.id AND sent.op = 'set'
                           AND sent.create_date > %(now)s::timestamp - make_interval(days => mapper.changed_days)
                           AND sent.create_date > COALESCE(cleared.at, '-infinity')
                        ) THEN replace(%(changed)s, '#', mapper.changed_days::text) END), '')
               FROM spp_spar_mapper mapper
               JOIN res_partner registrant ON registrant.id = %(account)s.partner_id
          LEFT JOIN LATERAL (SELECT create_date AS at, others FROM spp_spar_clearance
                              WHERE account_id = %(account)s.id ORDER BY id DESC LIMIT 1) cleared ON TRUE
         CROSS JOIN LATERAL (SELECT GREATEST(mapper.shared_most - 1, cleared.others) AS others) allowed
              WHERE mapper.active AND %(company)s AND %(account)s.is_primary AND %(account)s.state = 'active'
                AND (registrant.company_id IS NULL OR registrant.company_id = mapper.company_id)
              ORDER BY mapper.id LIMIT 1)
            """,
            account=account,
            company=SQL("mapper.company_id = %s", company) if company else SQL("TRUE"),
            now=fields.Datetime.now(),
            shared=_("The account is also that of # others or more."),
            changed=_("The account was changed within the last # days."),
        )

    def action_clear_flag(self, reason):
        """Flagged accounts were looked into and may be paid to. For an Enrollment Officer who did not enter them."""
        self._check_may_clear()
        reason = self.env["spp.spar.change"]._given_reason(reason)
        for account in self.sudo():  # rows of the trail are written by the system only; the right was checked
            if not account.flag:
                raise UserError(_("%s is not flagged.", account.display_name))
            change = account.env["spp.spar.change"].search([("account_id", "=", account.id)], limit=1)
            if self.env.user in (change.create_uid, account.create_uid):
                raise UserError(
                    _("You entered the account of %s: somebody else clears it.", account.partner_id.name)
                )
            account.env["spp.spar.clearance"].create(
                {
                    "account_id": account.id,
                    "partner_id": account.partner_id.id,
                    "flag": account.flag,
                    "reason": reason,
                    "others": account._others_with_number(),
                }
            )
            self.env["spp.audit.entry"]._log(
                "Flagged account cleared", account, old={"flag": account.flag}, note=reason
            )
            change._states_changed()
        self.invalidate_recordset(["flag", "clearance_ids"])
        return True

    def action_open_clearance(self):
        """Ask why flagged accounts may be paid to."""
        self._check_may_clear()
        return {
            "type": "ir.actions.act_window",
            "name": _("Clear flagged accounts"),
            "res_model": "spp.spar.clear",
            "view_mode": "form",
            "target": "new",
            "context": {"default_account_ids": self.ids},
        }

    def _others_with_number(self):
        same = [
            ("number", "=", self.number),
            ("kind", "=", self.kind),
            ("provider_id", "=", self.provider_id.id),
            ("state", "=", "active"),
            ("partner_id", "!=", self.partner_id.id),
        ]
        return len(self.search(same).partner_id)

    def _check_may_clear(self):
        if not self.env.user.has_group("spp_base.group_enrollment_officer"):
            raise AccessError(_("Only an Enrollment Officer clears flagged accounts."))
        self.check_access_rights("read")
        self.check_access_rule("read")
