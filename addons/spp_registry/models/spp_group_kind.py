"""What kind of group a group is: household, family…"""

from odoo import fields, models


class SppGroupKind(models.Model):
    _name = "spp.group.kind"
    _description = "Group Kind"
    _order = "sequence, name, id"

    name = fields.Char(required=True, translate=True)
    code = fields.Char(required=True)
    sequence = fields.Integer(default=10)
    active = fields.Boolean(default=True)

    _sql_constraints = [
        ("code_unique", "UNIQUE (code)", "Another group kind already has this code."),
    ]
