"""What a source said of a registrant last time, as prints that tell whether it changed."""

from odoo import fields, models


class RegistrantSource(models.Model):
    _inherit = "spp.registrant.source"

    said = fields.Json(
        groups=fields.NO_ACCESS,
        help="Prints of what the source said last: by field, of accounts; members and their roles; who is gone.",
    )
    absent_since = fields.Date(string="No Longer at the Source Since", readonly=True, index="btree_not_null")
