"""A person's place in a group: since when, until when, in which roles, and whether at its head."""

from odoo import _, api, fields, models
from odoo.exceptions import UserError, ValidationError

from ..tools.deferred import check_before_commit


class SppGroupMembership(models.Model):
    _name = "spp.group.membership"
    _description = "Group Membership"
    _order = "is_head desc, ended desc, id"
    _rec_names_search = ["group_id", "individual_id"]

    group_id = fields.Many2one(
        comodel_name="res.partner", required=True, index=True, ondelete="restrict",
        domain="[('is_registrant', '=', True), ('is_group', '=', True)]",
    )  # fmt: skip
    individual_id = fields.Many2one(
        comodel_name="res.partner", string="Person", required=True, index=True, ondelete="restrict",
        domain="[('is_registrant', '=', True), ('is_group', '=', False)]",
    )  # fmt: skip
    role_ids = fields.Many2many(comodel_name="spp.membership.role", string="Roles")
    is_head = fields.Boolean(
        string="Head", help="The head stands for the household and receives what it is paid. One at a time."
    )
    start = fields.Date(
        string="From", help="Empty: since always.",
        default=lambda self: self.env.context.get("start_today") and fields.Date.context_today(self),
    )  # fmt: skip
    ended = fields.Date(
        string="Until", help="The first day on which the person no longer belongs. Empty: still does."
    )
    age = fields.Integer(related="individual_id.age")
    birthdate = fields.Date(related="individual_id.birthdate")
    gender = fields.Selection(related="individual_id.gender")
    registrant_status = fields.Selection(related="individual_id.registrant_status", string="Person's status")
    group_kind_id = fields.Many2one(related="group_id.group_kind_id")

    _spp_deferred = ("live_unique", "one_head")
    _sql_constraints = [
        (
            "live_unique",
            "EXCLUDE USING btree (group_id WITH =, individual_id WITH =) WHERE (ended IS NULL)"
            " DEFERRABLE INITIALLY DEFERRED",
            "The same person is listed twice as a current member.",
        ),
        (
            "one_head",
            "EXCLUDE USING btree (group_id WITH =) WHERE (is_head AND ended IS NULL)"
            " DEFERRABLE INITIALLY DEFERRED",
            "There can be only one head at a time. Untick the former head first, or in the same save.",
        ),
    ]

    @api.depends("group_id", "individual_id")
    def _compute_display_name(self):
        for membership in self:
            membership.display_name = _(
                "%(person)s in %(group)s",
                person=membership.individual_id.display_name,
                group=membership.group_id.display_name,
            )

    @api.constrains("group_id", "individual_id")
    def _check_group_and_individual(self):
        for membership in self:
            group, person = membership.group_id, membership.individual_id
            if group == person:
                raise ValidationError(_("%s cannot be a member of itself.", group.display_name))
            if not group.is_registrant or not group.is_group:
                raise ValidationError(_("%s is not a registered household or group.", group.display_name))
            if not person.is_registrant or person.is_group:
                raise ValidationError(_("%s is not a registered individual.", person.display_name))

    @api.constrains("start", "ended")
    def _check_dates(self):
        for membership in self:
            if membership.start and membership.ended and membership.ended < membership.start:
                raise ValidationError(
                    _(
                        "%(membership)s: it cannot end (%(ended)s) before it starts (%(start)s).",
                        membership=membership.display_name,
                        ended=membership.ended,
                        start=membership.start,
                    )
                )

    @api.model_create_multi
    def create(self, vals_list):
        memberships = super().create(vals_list)
        memberships._created_in_bulk()
        return memberships

    def _completed_for_bulk(self, vals_list):
        """Values with what create() would add; see tools/bulk_rows.py."""
        return vals_list

    def _created_in_bulk(self):
        """What is to be done for new rows, also for those that SQL made; see tools/bulk_rows.py."""
        # A person without an area is registered where the household lives; otherwise the officers of
        # that area would see a household whose members are hidden from them.
        for membership in self.with_context(
            prefetch_fields=False
        ):  # of many people, only their areas are read
            group, person = membership.group_id, membership.individual_id
            if group.area_id and not person.area_id:
                # sudo: a person without an area is outside every area-limited officer's reach.
                person.with_env(self.env).sudo().area_id = group.area_id
        check_before_commit(self)

    def write(self, vals):
        result = super().write(vals)
        check_before_commit(self)
        return result

    def action_make_head(self):
        """Make this member the head, in place of whoever is."""
        self.ensure_one()
        self.check_access_rights("write")
        self.check_access_rule("write")
        if self.ended:
            raise UserError(_("%s: the membership has ended.", self.display_name))
        former = self.search(
            [("group_id", "=", self.group_id.id), ("is_head", "=", True), ("ended", "=", False)]
        )
        (former - self).write({"is_head": False})
        self.write({"is_head": True})
        return True

    def action_end(self):
        """End the memberships today."""
        self.check_access_rights("write")
        self.check_access_rule("write")
        self.filtered(lambda membership: not membership.ended).write(
            {"ended": fields.Date.context_today(self)}
        )
        return True
