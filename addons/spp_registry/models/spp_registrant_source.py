"""Which record of which outside system a registrant came from."""

from odoo import fields, models


class SppRegistrantSource(models.Model):
    _name = "spp.registrant.source"
    _description = "Registrant at an Outside System"
    _rec_name = "external_id"
    _order = "source, external_id"

    partner_id = fields.Many2one(
        comodel_name="res.partner", string="Registrant", required=True, index=True, ondelete="restrict"
    )
    source = fields.Char(required=True, help="The outside system: “mis:1” is the first source MIS.")
    external_id = fields.Char(string="ID at the source", required=True)
    checksum = fields.Char(help="Of the record as last imported; the same again means nothing changed.")
    last_seen = fields.Datetime(help="When the outside system last told something new of it.")

    _sql_constraints = [
        (
            "external_unique",
            "UNIQUE (source, external_id)",
            "This record of the outside system already belongs to a registrant.",
        ),
    ]
