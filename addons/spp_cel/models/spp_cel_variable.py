"""A named value that rules read as `variables.<name>`, such as the retirement age."""

import re

from odoo import _, api, fields, models
from odoo.exceptions import ValidationError

from ..lang import Constant, Type

_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
_WORDS_OF_CEL = ("true", "false", "null", "in")


class SppCelVariable(models.Model):
    _name = "spp.cel.variable"
    _description = "Rule Variable"
    _order = "name"

    name = fields.Char(
        required=True,
        help="How rules call it: “retirement_age” is read as variables.retirement_age. "
        "Small letters, digits and _.",
    )
    scope = fields.Char(
        required=True, default="global", readonly=True, help="Where the value holds; “global” is everywhere."
    )
    kind = fields.Selection(
        selection=[("constant", "Constant")],
        required=True,
        default="constant",
        help="Where the value comes from.",
    )
    value_type = fields.Selection(
        selection=[
            ("int", "Whole number"),
            ("double", "Decimal number"),
            ("string", "Text"),
            ("bool", "Yes or no"),
        ],
        string="Type",
        required=True,
        default="int",
    )
    value = fields.Char(
        required=True,
        help="A whole number such as 60, a decimal one such as 1250.50, a text, or true or false. "
        "A published rule keeps the value it was published with.",
    )
    description = fields.Char(help="What the value is, and the law or decision it comes from.")

    _sql_constraints = [
        ("name_scope_unique", "UNIQUE (name, scope)", "There is already a variable with this name."),
    ]

    @api.constrains("name")
    def _check_name(self):
        for variable in self:
            if not _NAME.match(variable.name) or variable.name in _WORDS_OF_CEL:
                raise ValidationError(
                    _(
                        "“%s” cannot be the name of a variable: use small letters, digits and _.",
                        variable.name,
                    )
                )

    @api.constrains("value", "value_type")
    def _check_value(self):
        for variable in self:
            problem = variable._constant().problem()
            if problem:
                raise ValidationError(
                    _("The value of “%(name)s” %(problem)s.", name=variable.name, problem=problem)
                )

    def _constant(self):
        """The typed value; one that cannot be read stays a text, which `problem` refuses."""
        self.ensure_one()
        kind, value = Type(self.value_type), (self.value or "").strip()
        if kind is Type.BOOL:
            return Constant(kind, {"true": True, "false": False}.get(value.lower(), value))
        if kind.numeric:
            try:
                return Constant(kind, int(value) if kind is Type.INT else float(value))
            except ValueError:
                return Constant(kind, value)
        return Constant(kind, value)

    @api.model
    def _constants(self):
        """{name: Constant} of all variables."""
        return {variable.name: variable._constant() for variable in self.search([("scope", "=", "global")])}

    @api.model
    def _types(self):
        """((name, type name), …) as spp.cel.schema._compile takes them."""
        return tuple(sorted((name, constant.type.value) for name, constant in self._constants().items()))
