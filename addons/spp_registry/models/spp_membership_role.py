"""What a member is to the group: head, principal recipient…"""

from odoo import fields, models


class SppMembershipRole(models.Model):
    _name = "spp.membership.role"
    _description = "Membership Role"
    _order = "sequence, name, id"

    name = fields.Char(required=True, translate=True)
    code = fields.Char(required=True)
    sequence = fields.Integer(default=10)
    active = fields.Boolean(default=True)

    _sql_constraints = [
        ("code_unique", "UNIQUE (code)", "Another membership role already has this code."),
    ]
