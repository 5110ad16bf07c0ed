"""Suspected duplicates among the members of a program, shown where people are enrolled."""

from odoo import _, fields, models
from odoo.tools import SQL

from odoo.addons.spp_registry.tools.membership import live_sql


class Program(models.Model):
    _inherit = "spp.program"

    duplicate_case_count = fields.Integer(
        string="Open duplicates",
        compute="_compute_duplicate_case_count",
        help="Suspected duplicates among the members, or among the people of member households, not decided yet.",
    )

    def _compute_duplicate_case_count(self):
        for program in self:
            program.duplicate_case_count = len(program._open_cases())

    def action_open_duplicates(self):
        """Open the list of the suspected duplicates among the program's members."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "name": _("Suspected duplicates"),
            "res_model": "spp.duplicate.case",
            "views": [(False, "list"), (False, "form")],
            "domain": [("id", "in", self._open_cases())],
        }

    def _open_cases(self):
        """Ids of the open cases that the user may see with a member, or one of a member household, among the two."""
        if not self.ids:
            return []
        self.env.flush_all()
        visible = self.env["spp.duplicate.case"]._search([("state", "=", "open")])
        self.env.cr.execute(
            SQL(
                """
                SELECT c.id FROM spp_duplicate_case c
                 WHERE c.id IN (%(visible)s)
                   AND EXISTS (
                        SELECT FROM (SELECT c.partner_id AS id UNION ALL SELECT c.other_id
                                     UNION ALL
                                     SELECT h.group_id FROM spp_group_membership h
                                      WHERE h.individual_id IN (c.partner_id, c.other_id) AND %(live)s) who
                          JOIN spp_program_membership m ON m.partner_id = who.id AND m.program_id = %(program)s
                           AND m.state IN ('candidate', 'ineligible', 'enrolled', 'suspended'))
              ORDER BY c.id
                """,
                visible=visible.select(),
                live=live_sql("h", fields.Date.context_today(self)),
                program=self.id,
            )
        )
        return [case_id for (case_id,) in self.env.cr.fetchall()]

    def _duplicates_warning(self):
        """What a run of enrollment says about duplicates, or nothing."""
        count = len(self._open_cases())
        return count and _("Suspected duplicates among the members, not decided yet: %s.", count) or ""
