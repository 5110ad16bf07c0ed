"""A program's own value of a constant, in place of the general one."""

from odoo import _, api, fields, models
from odoo.exceptions import UserError, ValidationError


class ProgramVariable(models.Model):
    _name = "spp.program.variable"
    _description = "Value of a rule variable in a program"
    _order = "program_id, id"
    _rec_name = "variable_id"

    program_id = fields.Many2one(comodel_name="spp.program", required=True, ondelete="cascade")
    company_id = fields.Many2one(comodel_name="res.company", related="program_id.company_id")
    variable_id = fields.Many2one(
        comodel_name="spp.cel.variable",
        required=True,
        index=True,
        ondelete="restrict",
        domain="[('kind', '=', 'constant')]",
    )
    value_type = fields.Selection(related="variable_id.value_type", string="Type")
    general_value = fields.Char(
        related="variable_id.value",
        string="General value",
        help="What holds where a program has no value of its own.",
    )
    value = fields.Char(
        string="Value in this program",
        required=True,
        help="It is used when members are enrolled and cycles are computed from now on. What was decided before "
        "keeps the value it was decided with.",
    )
    used = fields.Boolean(
        string="Used by the rule",
        compute="_compute_used",
        help="Whether the published version of the program's rule reads this variable.",
    )
    description = fields.Char(related="variable_id.description")

    _sql_constraints = [
        (
            "variable_unique",
            "UNIQUE (program_id, variable_id)",
            "The program has a value of its own for this variable already.",
        ),
    ]

    @api.depends("program_id.rule_id", "variable_id")
    def _compute_used(self):
        for override in self:
            version = override.program_id.rule_id.sudo().published_version_id
            override.used = override.variable_id.name in (version.variables_snapshot or {})

    @api.constrains("variable_id", "value")
    def _check_value(self):
        for override in self:
            if override.variable_id.kind != "constant":
                raise ValidationError(
                    _("“%s” is computed: it has no value to set.", override.variable_id.name)
                )
            problem = override._constant().problem()
            if problem:
                raise ValidationError(
                    _(
                        "The value of “%(name)s” %(problem)s.",
                        name=override.variable_id.name,
                        problem=problem,
                    )
                )

    @api.model_create_multi
    def create(self, vals_list):
        overrides = super().create(vals_list)
        overrides._log_change({}, overrides._by_program())
        return overrides

    def write(self, vals):
        if {"program_id", "variable_id"}.intersection(vals):
            raise UserError(_("A value stays with its variable and its program: delete it and add another."))
        old = self._by_program()
        result = super().write(vals)
        self._log_change(old, self._by_program())
        return result

    @api.ondelete(at_uninstall=False)
    def _unlink_log(self):
        self._log_change(self._by_program(), {})

    def _by_program(self):
        return {
            program: {override.variable_id.name: override.value for override in overrides}
            for program, overrides in self.grouped("program_id").items()
        }

    def _log_change(self, old, new):
        """Cycles in draft are to be computed again, and the trail says who changed what."""
        for program in self.program_id:
            if program.state == "closed":
                raise UserError(_("%s is closed.", program.display_name))
            before, after = old.get(program, {}), new.get(program, {})
            if before == after:
                continue
            program._lock()
            program._draft_cycles_outdated()
            self.env["spp.audit.entry"]._log("Program's values changed", program, old=before, new=after)

    def _constant(self):
        self.ensure_one()
        return self.variable_id._read_constant(self.value_type, self.value)
