"""A supplementary cycle: those whom a period's cycle left out by an error, or who became determined too late.

It is a cycle of its own (its own number, submission and approval) for the period of its parent. It is about members
who have nothing live in any cycle of that period; who was withdrawn from one by two people stays out. The database
holds that nobody gets a benefit twice in a period (`spp_entitlement_period_unique`).
"""

from odoo import _, api, fields, models
from odoo.exceptions import UserError, ValidationError
from odoo.tools import SQL


class Cycle(models.Model):
    _inherit = "spp.cycle"

    parent_id = fields.Many2one(
        comodel_name="spp.cycle",
        string="Supplements",
        readonly=True,
        copy=False,
        index="btree_not_null",
        ondelete="restrict",
        help="The cycle of this period, in which these people were left out.",
    )
    supplementary_ids = fields.One2many(
        comodel_name="spp.cycle", inverse_name="parent_id", string="Supplementary cycles"
    )
    supplementary_reason = fields.Char(
        string="Why it is needed", readonly=True, copy=False, help="Shown to whoever approves it."
    )
    only_membership_ids = fields.Many2many(
        comodel_name="spp.program.membership",
        relation="spp_cycle_only_membership",
        column1="cycle_id",
        column2="membership_id",
        string="Only these members",
        readonly=True,
        copy=False,
        help="Whom the supplementary cycle is about. Empty: everybody enrolled who has nothing in this period.",
    )

    _sql_constraints = [
        (
            "supplementary_needs_reason",
            "CHECK((parent_id IS NULL) = (supplementary_reason IS NULL))",
            "A supplementary cycle needs a reason.",
        ),
    ]

    def action_open_supplementary(self, reason, membership_ids=None, budget_str=None):
        """Open a supplementary cycle for the period of this one. Role: program manager.

        :param reason: who was left out and why, in plain words
        :param membership_ids: only these members (ids of spp.program.membership); everybody left out when not given
        :param budget_str: what it may come to as a decimal string; none when not given
        :return: id of the supplementary cycle
        """
        self.ensure_one()
        self._check_role("program_manager")
        self._lock()
        parent = self._period()
        members = self.env["spp.program.membership"].browse(membership_ids or [])
        members.check_access_rule("read")
        cycle = parent.program_id._open_cycle(
            parent.start,
            parent.end,
            parent.as_of,
            budget=parent.program_id._read_budget(budget_str),
            parent_id=parent.id,
            supplementary_reason=self._given_reason(reason),
            only_membership_ids=[(6, 0, members.ids)],
        )
        return cycle.id

    def _period(self):
        """The cycle whose period this one is of: itself, or the one that it supplements."""
        return self.parent_id or self

    def _overlaps(self):
        overlapping = super()._overlaps()
        if self.parent_id:
            family = self.parent_id | self.parent_id.sudo().supplementary_ids
            overlapping -= family
        return overlapping - self.sudo().supplementary_ids

    @api.constrains("parent_id", "start", "end", "program_id", "only_membership_ids")
    def _check_parent(self):
        for cycle in self.filtered("parent_id"):
            parent = cycle.parent_id.sudo()
            same = (parent.program_id, parent.start, parent.end) == (cycle.program_id, cycle.start, cycle.end)
            if parent.parent_id or not same:
                raise ValidationError(
                    _(
                        "%(cycle)s supplements %(parent)s, so it has the same period.",
                        cycle=cycle.display_name,
                        parent=parent.display_name,
                    )
                )
            parent._check_state("approved", "disbursing", "closed")
            if cycle.sudo().only_membership_ids.program_id - cycle.program_id:
                raise ValidationError(_("These are not all members of %s.", cycle.program_id.display_name))

    def write(self, vals):
        if {"parent_id", "supplementary_reason", "only_membership_ids"}.intersection(vals):
            raise UserError(
                _("What a supplementary cycle is for stays as it was opened. Cancel it and open another.")
            )
        return super().write(vals)

    @api.depends("parent_id", "number")
    def _compute_name(self):
        result = super()._compute_name()
        for cycle in self.filtered("parent_id"):
            cycle.name = _("%(period)s, supplementary", period=cycle.name)
        return result

    def _considered(self):
        considered = super()._considered()
        if not self.parent_id:
            return considered
        only = SQL("TRUE")
        if self.only_membership_ids:
            only = SQL(
                "m.id IN (SELECT membership_id FROM spp_cycle_only_membership WHERE cycle_id = %s)", self.id
            )
        return SQL(
            """
            %s AND %s
            AND NOT EXISTS (SELECT FROM spp_entitlement e
                             WHERE e.period_id = %s AND e.partner_id = m.partner_id
                               AND e.state NOT IN ('cancelled', 'expired'))
            AND NOT EXISTS (SELECT FROM spp_cycle_withdrawal w
                              JOIN spp_cycle c ON c.id = w.cycle_id
                             WHERE %s IN (c.id, c.parent_id) AND w.partner_id = m.partner_id AND w.state = 'confirmed')
            """,
            considered,
            only,
            self.parent_id.id,
            self.parent_id.id,
        )
