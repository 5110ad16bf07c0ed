"""Administrative areas: a tree of regions, districts, villages."""

from odoo import _, api, fields, models
from odoo.exceptions import ValidationError


class SppArea(models.Model):
    _name = "spp.area"
    _description = "Administrative Area"
    _parent_store = True
    _rec_name = "complete_name"
    _rec_names_search = ["complete_name", "code"]
    _order = "complete_name, id"

    name = fields.Char(required=True)
    code = fields.Char(required=True, help="The area's official code; outside systems name it by this.")
    parent_id = fields.Many2one(
        comodel_name="spp.area", string="Within", index=True, ondelete="restrict",
        help="The area this one belongs to. A user limited to an area also sees every area within it.",
    )  # fmt: skip
    parent_path = fields.Char(index=True, unaccent=False)
    child_ids = fields.One2many(comodel_name="spp.area", inverse_name="parent_id", string="Areas within")
    complete_name = fields.Char(compute="_compute_complete_name", store=True, recursive=True)
    active = fields.Boolean(default=True)

    _sql_constraints = [
        ("code_unique", "UNIQUE (code)", "Another area already has this code."),
    ]

    @api.depends("name", "parent_id.complete_name")
    def _compute_complete_name(self):
        for area in self:
            parent = area.parent_id.complete_name
            area.complete_name = f"{parent} / {area.name}" if parent else area.name

    def write(self, vals):
        if vals.get("parent_id") and vals["parent_id"] in self.search([("id", "child_of", self.ids)]).ids:
            raise ValidationError(_("An area cannot lie within itself."))
        return super().write(vals)
