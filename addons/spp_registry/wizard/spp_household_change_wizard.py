"""The guided household change: what it will do is shown while it is filled in, and exactly that is done."""

from uuid import uuid4

from odoo import _, api, fields, models
from odoo.exceptions import AccessError, UserError

from ..models.spp_household_change import GIVEN
from ..models.spp_household_change_plan import ADDRESS


class HouseholdChangeWizard(models.TransientModel):
    _name = "spp.household.change.wizard"
    _inherit = ["spp.household.change.plan"]
    _description = "Record a household change"

    reason = fields.Char(required=False)  # the preview asks for it, while the rest is already shown
    current_member_ids = fields.Many2many(
        comodel_name="res.partner", string="Current members", compute="_compute_members"
    )
    staying_ids = fields.Many2many(comodel_name="res.partner", compute="_compute_members")
    head_leaves = fields.Boolean(compute="_compute_members")
    preview = fields.Html(string="What will be done", readonly=True)
    missing = fields.Char(readonly=True)
    fingerprint = fields.Char(readonly=True)
    request_key = fields.Char(readonly=True, default=lambda self: str(uuid4()))

    @api.model
    def default_get(self, fields_list):
        values = super().default_get(fields_list)
        if values.get("kind") == "death" and values.get("person_id"):
            person = self.env["res.partner"].browse(values["person_id"])
            # Of several, the household that loses its head: it is the one that needs another.
            led = person.membership_ids.filtered(lambda row: row.is_head and not row.ended).group_id[:1]
            values["household_id"] = (led or person.household_id).id
        elif values.get("kind") == "move" and values.get("household_id"):
            household = self.env["res.partner"].browse(values["household_id"])
            values.update({name: household[name] for name in ADDRESS}, area_id=household.area_id.id)
        return values

    @api.depends("kind", "household_id", "member_ids", "person_id")
    def _compute_members(self):
        for wizard in self:
            rows = self.env["spp.group.membership"].search(
                [("group_id", "=", wizard.household_id.id), ("ended", "=", False)]
            )
            leaving = wizard._leaving()
            if wizard.kind == "death":
                leaving = wizard.person_id
            wizard.current_member_ids = rows.individual_id
            wizard.staying_ids = rows.individual_id - leaving
            wizard.head_leaves = bool(leaving & rows.filtered("is_head").individual_id)

    @api.onchange("new_head_id")
    def _onchange_new_head_id(self):
        if self.kind == "split" and self.new_head_id and not self.household_name:
            self.household_name = self.new_head_id.name

    @api.onchange(*GIVEN)
    def _onchange_given(self):
        try:
            steps = self._plan()
        except (UserError, AccessError) as error:
            self.missing, self.preview, self.fingerprint = str(error), False, False
        else:
            self.missing, self.preview = False, self._as_html(steps)
            self.fingerprint = self._fingerprint(steps)

    def action_carry_out(self):
        self.ensure_one()
        if not self.fingerprint:
            raise UserError(self.missing or _("Look first at what will be done."))
        values = {
            name: self._fields[name].convert_to_write(self[name], self)
            for name in GIVEN
            if name != "member_ids"
        }
        change = self.env["spp.household.change"].browse(
            self.env["spp.household.change"].carry_out(
                self.kind,
                {**values, "member_ids": self.member_ids.ids},
                self.request_key,
                self.fingerprint,
            )
        )
        return {
            **self.env["ir.actions.act_window"]._for_xml_id("spp_registry.action_spp_household_change_done"),
            "res_id": change.id,
        }
