"""The address that a payment goes to: made when it is prepared, from the account or document fixed then.

From there on it is sent as it stands. What has changed since (the bank's code, the document's number) holds the
payment until a person looks; what is missing for an address holds it with the reason.
"""

from odoo import _, api, fields, models
from odoo.tools import SQL

from ..wire import fa

# The address of what was sent never changes.
FIXED = """
CREATE OR REPLACE TRIGGER spp_payment_address_fixed BEFORE UPDATE ON spp_payment FOR EACH ROW WHEN (
    OLD.state NOT IN ('ready', 'held') AND OLD.payee_address IS DISTINCT FROM NEW.payee_address
) EXECUTE FUNCTION spp_payment_fixed();
"""


class Payment(models.Model):
    _inherit = "spp.payment"

    payee_address = fields.Char(
        string="Financial address",
        readonly=True,
        groups="spp_base.group_finance_officer",
        help="Where the payer is told to pay. Fixed when the payment is prepared.",
    )

    def init(self):
        result = super().init()
        self.env.cr.execute(FIXED)
        return result

    # ------------------------------------------------------------------ hooks of spp_programs

    def _fill_destination(self, scope, renew=False):
        result = super()._fill_destination(scope, renew)
        for manager in self._g2p_managers():
            self.env.cr.execute(
                SQL(
                    """
                    UPDATE spp_payment u SET payee_address = made.address
                      FROM (SELECT p.id, %(address)s AS address
                              FROM %(payments)s
                             WHERE %(mine)s AND (p.payee_address IS NULL OR %(renew)s) AND %(scope)s) made
                     WHERE u.id = made.id AND u.payee_address IS DISTINCT FROM made.address
                    """,
                    address=self._address(manager),
                    payments=self._with_sources(manager),
                    mine=self._unsent_of(manager),
                    renew=renew,
                    scope=scope,
                )
            )
        self.env.invalidate_all()
        return result

    def _hold_queries(self):
        return super()._hold_queries() + [
            query for manager in self._g2p_managers() for query in self._address_holds(manager)
        ]

    def _needs_no_account(self):
        return SQL(
            """
            (%s OR EXISTS (SELECT FROM spp_program g JOIN spp_payment_manager m ON m.id = g.payment_manager_id
                            WHERE g.id = p.program_id AND m.provider = 'g2p_connect' AND m.payee_by = 'document'))
            """,
            super()._needs_no_account(),
        )

    # ------------------------------------------------------------------ addresses

    @api.model
    def _forget_addresses(self, manager_ids=(), program_ids=()):
        """What was not sent yet gets its address anew at the next look."""
        self.env.flush_all()
        self.env.cr.execute(
            SQL(
                """
                UPDATE spp_payment p SET payee_address = NULL
                  FROM spp_program g
                 WHERE g.id = p.program_id AND p.state IN ('ready', 'held') AND p.payee_address IS NOT NULL
                   AND (g.payment_manager_id = ANY(%s) OR g.id = ANY(%s))
                """,
                list(manager_ids),
                list(program_ids),
            )
        )
        self.env.invalidate_all()

    def _addresses(self):
        """{payment id: address}, read in one statement."""
        self.env.flush_all()
        self.env.cr.execute(SQL("SELECT id, payee_address FROM spp_payment WHERE id = ANY(%s)", self.ids))
        return dict(self.env.cr.fetchall())

    def _g2p_managers(self):
        # sudo: what a payment needs does not depend on who looks.
        return self.env["spp.payment.manager"].sudo().search([("provider", "=", "g2p_connect")])

    def _unsent_of(self, manager):
        return SQL("p.state IN ('ready', 'held') AND g.payment_manager_id = %s", manager.id)

    def _with_sources(self, manager):
        """FROM: payments `p` with their program `g`, the `bank` of their account and the payee's `document`."""
        return SQL(
            """
            spp_payment p
              JOIN spp_program g ON g.id = p.program_id
         LEFT JOIN res_bank bank ON bank.id = p.account_provider_id
         LEFT JOIN LATERAL (
                   SELECT d.value FROM spp_identity_document d
                    WHERE %s AND d.partner_id = p.payee_id AND d.type_id = %s AND d.state = 'valid'
                      AND (d.expiry_date IS NULL OR d.expiry_date >= %s)
                    ORDER BY d.id LIMIT 1) document ON TRUE
            """,
            manager.payee_by == "document",
            manager.identity_type_id.id or None,
            fields.Date.context_today(self),
        )

    def _address_parts(self, manager):
        """{placeholder: its value in SQL}"""
        number = SQL("document.value") if manager.payee_by == "document" else SQL("p.account_number")
        return {
            "number": number,
            "bic": SQL("bank.bic"),
            "provider": SQL("COALESCE(NULLIF(bank.bic, ''), %s)", manager.provider_default or None),
        }

    def _address(self, manager):
        """The address in SQL: NULL where a part is missing."""
        parts = self._address_parts(manager)

        def filled(template):
            text = SQL("%s", template)
            for name in fa.placeholders(template):
                text = SQL("replace(%s, %s, NULLIF(%s, ''))", text, "{" + name + "}", parts[name])
            return text

        if manager.payee_by == "document":
            return filled(manager.fa_document)
        cases = SQL(" ").join(
            SQL("WHEN %s THEN %s", kind, filled(template)) for kind, template in manager._templates().items()
        )
        return SQL("CASE p.account_kind %s END", cases)

    def _address_holds(self, manager):
        """Queries of what is missing, cannot stand in an address, or has changed since it was made."""
        parts = self._address_parts(manager)
        by_document = manager.payee_by == "document"
        templates = {None: manager.fa_document} if by_document else manager._templates()
        labels = {**fa.PLACEHOLDERS}
        if by_document:
            labels["number"] = _("number of the document %s", manager.identity_type_id.name)
        for kind, template in templates.items():
            cases = SQL(" ").join(
                SQL(
                    "WHEN COALESCE(%(value)s, '') = '' THEN %(missing)s WHEN %(value)s !~ %(pattern)s THEN %(unusable)s",
                    value=parts[name],
                    pattern=fa.pattern(name, kind),
                    missing=_("The %s is missing.", labels[name]),
                    unusable=_("The %s has characters that a financial address cannot have.", labels[name]),
                )
                for name in fa.placeholders(template)
            )
            yield self._hold(
                manager,
                SQL("CASE %s END", cases),
                SQL("p.payee_id IS NOT NULL") if by_document else SQL("p.account_kind = %s", kind),
            )
        yield self._hold(
            manager,
            SQL(
                "CASE WHEN p.payee_address <> %s THEN %s END",
                self._address(manager),
                _(
                    "The bank's code or the document changed after the payment was prepared: use the current one, or cancel."
                ),
            ),
        )
        yield self._hold(
            manager,
            SQL("%s::text", _("G2P Connect carries two decimals; this amount has more.")),
            SQL("p.amount <> round(p.amount, 2)"),
        )
        if manager.dialect == "bridge":
            yield self._hold(
                manager,
                SQL("%s::text", _("The G2P Bridge counts whole amounts only; this one has a fraction.")),
                SQL("p.amount <> round(p.amount)"),
            )

    def _hold(self, manager, reason, condition=None):
        """A hold query: the payments of a manager for which `reason` (SQL) is not null."""
        return SQL(
            "SELECT id, reason FROM (SELECT p.id, %s AS reason FROM %s WHERE %s AND %s) address"
            " WHERE reason IS NOT NULL",
            reason,
            self._with_sources(manager),
            self._unsent_of(manager),
            condition or SQL("TRUE"),
        )


class Program(models.Model):
    _inherit = "spp.program"

    def write(self, vals):
        result = super().write(vals)
        if "payment_manager_id" in vals:
            self.env["spp.payment"]._forget_addresses(program_ids=self.ids)
        return result
