"""A named value that rules read: a constant such as the retirement age, or one computed for each record."""

import re

from odoo import _, api, fields, models
from odoo.exceptions import UserError, ValidationError

from ..lang import Constant, RuleError, Type

_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
_MENTIONED = re.compile(r"\b[A-Za-z_]\w*\b(?!\s*\()")  # every word, but not functions
_WORDS_OF_CEL = ("true", "false", "null", "in")

# kind of a computed variable → the record type that it is computed for
COMPUTED = {"computed_individual": "individual", "computed_group": "group"}


class SppCelVariable(models.Model):
    _name = "spp.cel.variable"
    _description = "Rule Variable"
    _order = "kind, name"

    name = fields.Char(
        required=True,
        help="How rules call it: a constant “retirement_age” is read as variables.retirement_age, a variable "
        "“children” computed for groups as group.children, one “is_child” computed for individuals as "
        "individual.is_child, or m.is_child for a member. Small letters, digits and _.",
    )
    kind = fields.Selection(
        selection=[
            ("constant", "Constant"),
            ("computed_individual", "Computed for individuals"),
            ("computed_group", "Computed for groups"),
        ],
        required=True,
        default="constant",
        help="Where the value comes from: you enter it, or it is computed from what the registry knows about "
        "each individual or each group.",
    )
    value_type = fields.Selection(
        selection=[
            ("int", "Whole number"),
            ("double", "Decimal number"),
            ("string", "Text"),
            ("bool", "Yes or no"),
        ],
        string="Type of the value",
        required=True,
        default="int",
    )
    value = fields.Char(
        help="A whole number such as 60, a decimal one such as 1250.50, a text, or true or false. "
        "A published rule keeps the value it was published with.",
    )
    expression = fields.Text(
        help="How the value is computed, in CEL: group.members.filter(m, m.age < 18).size(). It may use other "
        "variables. Where something it needs is not known, the value is not known either. "
        "A published rule keeps the expression it was published with."
    )
    result_type = fields.Selection(
        selection=[
            ("int", "Whole number"),
            ("double", "Decimal number"),
            ("string", "Text"),
            ("bool", "Yes or no"),
            ("date", "Date"),
            ("timestamp", "Date and time"),
            ("duration", "Length of time"),
        ],
        string="Type",
        compute="_compute_result",
        help="What kind of value a rule gets; found out from the expression.",
    )
    problem = fields.Text(compute="_compute_result", help="What is wrong with the expression, and where.")
    summary = fields.Char(
        string="Value or expression", compute="_compute_summary", help="The value, or how it is computed."
    )
    read_as = fields.Char(compute="_compute_summary", help="How it is written in a rule.")
    description = fields.Char(help="What the value is, and the law or decision it comes from.")

    _sql_constraints = [
        ("name_unique", "UNIQUE (name)", "There is already a variable with this name."),
        (
            "value_or_expression",
            "CHECK (CASE kind WHEN 'constant' THEN value IS NOT NULL ELSE expression IS NOT NULL END)",
            "A constant needs a value, a computed variable an expression.",
        ),
    ]

    @api.depends("name", "kind", "expression", "value_type")
    def _compute_result(self):
        for variable in self:
            variable.problem = False
            variable.result_type = variable.value_type if variable.kind == "constant" else False
            if variable.kind == "constant" or not variable.expression:
                continue
            constants, computed = self._definitions(variable)
            try:
                variable.result_type = self.env["spp.cel.schema"]._value_type(
                    variable.expression, COMPUTED[variable.kind], constants, computed
                )
            except RuleError as error:
                variable.problem = f"{error}\n\n{error.pointer(variable.expression)}"

    @api.depends("name", "kind", "expression", "value")
    def _compute_summary(self):
        for variable in self:
            name = variable.name or ""
            if variable.kind == "constant":
                variable.summary, variable.read_as = variable.value, f"variables.{name}"
            else:
                variable.summary = " ".join((variable.expression or "").split())
                both = variable.kind == "computed_individual"
                variable.read_as = f"individual.{name}, m.{name}" if both else f"group.{name}"

    @api.constrains("name", "kind")
    def _check_name(self):
        schema = self.env["spp.cel.schema"]
        for variable in self:
            if not _NAME.match(variable.name) or variable.name in _WORDS_OF_CEL:
                raise ValidationError(
                    _(
                        "“%s” cannot be the name of a variable: use small letters, digits and _.",
                        variable.name,
                    )
                )
            if variable.kind != "constant" and variable.name in schema._names_of(COMPUTED[variable.kind]):
                raise ValidationError(
                    _(
                        "“%(name)s” is in the registry already: rules read it as %(read_as)s. "
                        "Choose another name.",
                        name=variable.name,
                        read_as=variable.read_as,
                    )
                )

    @api.constrains("kind", "value", "value_type")
    def _check_value(self):
        for variable in self.filtered(lambda variable: variable.kind == "constant"):
            problem = variable._constant().problem()
            if problem:
                raise ValidationError(
                    _("The value of “%(name)s” %(problem)s.", name=variable.name, problem=problem)
                )

    @api.constrains("name", "kind", "value_type", "expression")
    def _check_computed(self):
        """Every computed variable must be right, also those that use a changed one."""
        constants, computed = self._definitions()
        for variable in self.search([("kind", "in", list(COMPUTED))]):
            error = variable._refusal(constants, computed)
            if error and variable in self:
                place = error.pointer(variable.expression)
                raise ValidationError(
                    _("“%(name)s”: %(error)s\n\n%(place)s", name=variable.name, error=error, place=place)
                )
            if error:
                raise ValidationError(
                    _(
                        "“%(name)s” uses this variable and could not be computed any more. %(error)s",
                        name=variable.name,
                        error=error,
                    )
                )

    @api.ondelete(at_uninstall=False)
    def _unlink_unless_used(self):
        """Other variables rest on it. (A draft rule says what is missing; a published one has its own copy.)"""
        kept = self.search([("kind", "in", list(COMPUTED)), ("id", "not in", self.ids)])
        constants, computed = self._definitions()
        for name in self.mapped("name"):
            constants.pop(name, None)
            for record in COMPUTED.values():
                computed.pop((record, name), None)
        users = kept.filtered(lambda variable: variable._refusal(constants, computed))
        if users:
            raise UserError(
                _(
                    "%(names)s cannot be deleted: these variables use it: %(users)s. Change them first.",
                    names=", ".join(self.mapped("name")),
                    users=", ".join(users.mapped("name")),
                )
            )

    def _refusal(self, constants, computed):
        """The RuleError of a computed variable's expression, or None."""
        self.ensure_one()
        try:
            self.env["spp.cel.schema"]._value_type(self.expression, COMPUTED[self.kind], constants, computed)
        except RuleError as error:
            return error
        return None

    def _constant(self):
        """The typed value; one that cannot be read stays a text, which `problem` refuses."""
        self.ensure_one()
        return self._read_constant(self.value_type, self.value)

    @api.model
    def _read_constant(self, value_type, text):
        kind, value = Type(value_type), (text or "").strip()
        if kind is Type.BOOL:
            return Constant(kind, {"true": True, "false": False}.get(value.lower(), value))
        if kind.numeric:
            try:
                return Constant(kind, int(value) if kind is Type.INT else float(value))
            except ValueError:
                return Constant(kind, value)
        return Constant(kind, value)

    @api.model
    def _definitions(self, unsaved=None):
        """What rules may use now: {name: Constant} and {(record type, name): expression}.

        `unsaved` is a record as it stands in a form; it replaces the one saved before.
        """
        constants, computed = {}, {}
        saved = self.search([("id", "not in", unsaved._origin.ids if unsaved else [])])
        for variable in (*saved, *(unsaved or ())):
            if variable.kind == "constant":
                constants[variable.name] = variable._constant()
            else:
                computed[COMPUTED[variable.kind], variable.name] = variable.expression
        return constants, computed

    @api.model
    def _used_by(self, text, constants, computed):
        """Those of the definitions that a rule's text can reach, directly or through other variables.

        Every word of the text that is no function is taken for a name. So what comes back may be more than is used, never less.
        """
        used_constants, used_computed, texts = {}, {}, [text]
        while texts:
            words = set(_MENTIONED.findall(texts.pop()))
            used_constants.update({name: constants[name] for name in words.intersection(constants)})
            for key, expression in computed.items():
                if key[1] in words and key not in used_computed:
                    used_computed[key] = expression
                    texts.append(expression)
        return used_constants, used_computed

    def _means(self, item):
        """Whether this is the same variable as a logic pack's, and whether only its value differs."""
        self.ensure_one()
        if self.kind == "constant":
            constant = getattr(item, "constant", None)
            same = bool(constant) and constant.type.value == self.value_type
            return same, same and constant.value != self._constant().value
        same = COMPUTED[self.kind] == getattr(item, "target", None)
        return same and self.expression.split() == item.expression.split(), False
