"""Kinds of identity documents, and what their numbers look like."""

import re

from odoo import _, api, fields, models
from odoo.exceptions import ValidationError


class SppIdentityType(models.Model):
    _name = "spp.identity.type"
    _description = "Identity Document Type"
    _order = "sequence, name, id"

    name = fields.Char(required=True, translate=True)
    code = fields.Char(required=True, help="Outside systems name the type by this.")
    pattern = fields.Char(
        help="A regular expression that the whole number must match, such as [0-9]{12}. Empty: anything goes."
    )
    pattern_hint = fields.Char(
        string="Pattern in words", translate=True, help="Shown to who enters a wrong number: “12 digits”."
    )
    description = fields.Text(translate=True)
    sequence = fields.Integer(default=10)
    active = fields.Boolean(default=True)

    _sql_constraints = [
        ("code_unique", "UNIQUE (code)", "Another identity type already has this code."),
    ]

    @api.constrains("pattern")
    def _check_pattern(self):
        for identity_type in self:
            try:
                re.compile(identity_type.pattern or "")
            except re.error as error:
                raise ValidationError(
                    _(
                        "%(type)s: the pattern cannot be read (%(error)s).",
                        type=identity_type.name,
                        error=error,
                    )
                ) from None
