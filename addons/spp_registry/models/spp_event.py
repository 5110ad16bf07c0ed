"""A dated fact about a registrant: school attendance, a health visit…"""

from odoo import fields, models


class SppEvent(models.Model):
    _name = "spp.event"
    _description = "Registrant Event"
    _rec_name = "kind"
    _order = "date desc, id desc"

    partner_id = fields.Many2one(
        comodel_name="res.partner", string="Registrant", required=True, index=True, ondelete="restrict",
        domain="[('is_registrant', '=', True)]",
    )  # fmt: skip
    kind = fields.Char(required=True, help="What happened, by its code: school_attendance, health_visit…")
    date = fields.Date(required=True, default=fields.Date.context_today)
    value = fields.Char(help="What was observed: a rate, a grade, a result.")
    source = fields.Char(help="The outside system that reported it; empty if entered here.")
    external_id = fields.Char(string="ID at the source")

    _sql_constraints = [
        (
            "external_unique",
            "UNIQUE (source, external_id)",
            "This event of the outside system is already recorded.",
        ),
    ]
