"""Who got every instalment, of money or of goods, leaves the program: by graduation or by exit, as the program says.

A program whose benefits are all limited in number ends for a member with the last of them. Members whom a person
suspended, let leave or marked as a duplicate stay as that person decided.
"""

from odoo import _, fields, models
from odoo.tools import SQL


class Program(models.Model):
    _inherit = "spp.program"

    after_last_instalment = fields.Selection(
        selection=[("graduate", "Graduates"), ("exit", "Exits")],
        string="Who got all instalments",
        required=True,
        default="graduate",
        help="What becomes of an enrolled member who got every instalment of every benefit of the program.",
    )

    def _finish_members(self, partner_ids):
        """Let those of the registrants graduate or exit who got all that the program gives.

        :param partner_ids: SQL selecting one column, ids of res_partner
        :return: how many left
        """
        self.ensure_one()
        # sudo: it follows from payments, whoever reports them
        benefits = self.sudo().benefit_ids
        if not benefits or not all(benefits.mapped("most_instalments")):
            return 0
        self.env.flush_all()
        state = {"graduate": "graduated", "exit": "exited"}[self.sudo().after_last_instalment]
        reason = _("Got all instalments.")
        self.env.cr.execute(
            SQL(
                """
                WITH got AS (
                    SELECT e.partner_id, e.benefit_id, count(*) AS number
                      FROM spp_entitlement e
                     WHERE e.program_id = %(program)s AND e.state IN ('paid', 'handed_out')
                       AND e.partner_id IN (%(partners)s)
                     GROUP BY e.partner_id, e.benefit_id
                ), finished AS (
                    SELECT got.partner_id
                      FROM got
                      JOIN spp_program_benefit g ON g.id = got.benefit_id AND g.active
                     WHERE g.program_id = %(program)s AND got.number >= g.most_instalments
                     GROUP BY got.partner_id
                    HAVING count(*) = %(benefits)s
                )
                UPDATE spp_program_membership m
                   SET state = %(state)s, state_date = %(today)s, state_reason = %(reason)s,
                       write_uid = %(uid)s, write_date = %(now)s
                  FROM finished
                 WHERE m.program_id = %(program)s AND m.partner_id = finished.partner_id AND m.state = 'enrolled'
                """,
                program=self.id,
                partners=partner_ids,
                benefits=len(benefits),
                state=state,
                today=fields.Date.context_today(self),
                reason=reason,
                uid=self.env.uid,
                now=self.env.cr.now(),
            )
        )
        count = self.env.cr.rowcount
        self.env.invalidate_all()
        if count:
            self.env["spp.audit.entry"]._log(
                f"Members {state} after their last instalment", self, new={"members": count}, note=reason
            )
        return count


class Entitlement(models.Model):
    _inherit = "spp.entitlement"

    def _set_state(self, state, reason=None):
        result = super()._set_state(state, reason)
        if state == "paid":
            # sudo: what follows from a payment does not depend on who reports it
            limited = self.env["spp.program.benefit"].sudo().search([("most_instalments", ">", 0)])
            for program in limited.program_id:
                program._finish_members(
                    SQL(
                        "SELECT partner_id FROM spp_entitlement WHERE id = ANY(%s) AND program_id = %s",
                        self.ids,
                        program.id,
                    )
                )
        return result


class Cycle(models.Model):
    _inherit = "spp.cycle"

    def _close(self):
        result = super()._close()
        for cycle in self:
            # sudo: a cycle is closed whole, also where the user's area hides people
            cycle.program_id.sudo()._finish_members(
                SQL(
                    "SELECT partner_id FROM spp_entitlement WHERE cycle_id = %s AND state IN ('paid', 'handed_out')",
                    cycle.id,
                )
            )
        return result
