"""What a household and its account were when a cycle was computed: frozen with the beneficiary, so that the next
cycle can be compared with it whatever happens in the registry meanwhile.
"""

from odoo import fields, models
from odoo.tools import SQL

from odoo.addons.spp_registry.tools.membership import live_sql

from ..tools.account import account_print


class CycleBeneficiary(models.Model):
    _inherit = "spp.cycle.beneficiary"

    # The fingerprint of a number gives the number away to who tries them all: for those who may see numbers.
    situation = fields.Json(
        readonly=True,
        groups="spp_base.group_finance_officer",
        help="Who is paid and to which account, and who belonged to the household, when the cycle was computed: ids "
        "of payee, members and account; the account's number masked, and its fingerprint.",
    )


class Cycle(models.Model):
    _inherit = "spp.cycle"

    def _situations(self, people):
        """SQL selecting (id, situation) for each registrant of `people`, a SQL selecting partner_id.

        Who is paid is found in the same way as when the payment is prepared.
        """
        household, members = SQL(""), SQL("NULL")
        if self.program_id.target == "group":
            members = SQL("household.members")
            household = SQL(
                """
                LEFT JOIN (
                    SELECT link.group_id, jsonb_agg(DISTINCT link.individual_id) AS members
                      FROM spp_group_membership link
                     WHERE %s
                     GROUP BY link.group_id) household ON household.group_id = due.partner_id
                """,
                live_sql("link", self.as_of),
            )
        return SQL(
            """
            SELECT due.partner_id AS id,
                   jsonb_strip_nulls(jsonb_build_object(
                       'payee', payee.id, 'members', %(members)s, 'account', account.id,
                       'masked', account.number_masked, 'print', %(print)s)) AS situation
              FROM (SELECT partner_id, %(as_of)s::date AS as_of FROM (%(people)s) p) due
                   %(destination)s
                   %(household)s
            """,
            members=members,
            print=account_print(
                SQL("account.id"), SQL("account.kind"), SQL("account.provider_id"), SQL("account.number")
            ),
            as_of=self.as_of,
            people=people,
            destination=self.env["spp.payment"]._destination_joins(),
            household=household,
        )
