"""Holds payments whose account cannot be written as a financial address of their manager."""

from odoo import _, models
from odoo.tools import SQL

from ..wire import fa


class Payment(models.Model):
    _inherit = "spp.payment"

    def _hold_queries(self):
        # sudo: what holds payments does not depend on who looks.
        managers = self.env["spp.payment.manager"].sudo().search([("provider", "=", "g2p_connect")])
        return super()._hold_queries() + [
            query for manager in managers for query in self._address_holds(manager)
        ]

    def _address_holds(self, manager):
        """One query per kind of account: a part that its template needs is missing, or cannot stand in an address."""
        values = {
            "number": SQL("p.account_number"),
            "bic": SQL("bank.bic"),
            "provider": SQL("COALESCE(NULLIF(bank.bic, ''), %s)", manager.provider_default or None),
        }
        for kind, template in manager._templates().items():
            cases = SQL(" ").join(
                SQL(
                    "WHEN COALESCE(%(value)s, '') = '' THEN %(missing)s WHEN %(value)s !~ %(pattern)s THEN %(unusable)s",
                    value=values[name],
                    pattern=fa.pattern(name, kind),
                    missing=_("The %s is missing.", fa.PLACEHOLDERS[name]),
                    unusable=_(
                        "The %s has characters that a financial address cannot have.", fa.PLACEHOLDERS[name]
                    ),
                )
                for name in fa.placeholders(template)
            )
            yield SQL(
                """
                SELECT id, reason
                  FROM (SELECT p.id, CASE %(cases)s END AS reason
                          FROM spp_payment p
                          JOIN spp_program g ON g.id = p.program_id
                     LEFT JOIN res_bank bank ON bank.id = p.account_provider_id
                         WHERE p.state IN ('ready', 'held') AND g.payment_manager_id = %(manager)s
                           AND p.account_kind = %(kind)s) address
                 WHERE reason IS NOT NULL
                """,
                cases=cases,
                manager=manager.id,
                kind=kind,
            )
        yield SQL(
            """
            SELECT p.id, %s
              FROM spp_payment p
              JOIN spp_program g ON g.id = p.program_id
             WHERE p.state IN ('ready', 'held') AND g.payment_manager_id = %s AND p.amount <> round(p.amount, 2)
            """,
            _("G2P Connect carries two decimals; this amount has more."),
            manager.id,
        )
