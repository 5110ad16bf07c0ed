"""One level of a chain: who is asked, how many must agree, and when it applies."""

from decimal import Decimal

from odoo import _, api, fields, models
from odoo.exceptions import ValidationError

from odoo.addons.spp_cel.lang import Field, RecordType, RuleError, Schema, Type, compile_rule

# What a condition may speak about. Where something is not known, the condition is undecided and the level applies.
SCHEMA = Schema(
    {
        "request": RecordType(
            "request",
            "spp_approval_request",
            (
                Field("kind", Type.STRING, label="kind of action", nullable=False),
                Field("amount", Type.DOUBLE, label="amount"),
                Field("amount_before", Type.DOUBLE, label="amount of the one before"),
                Field("count", Type.INT, label="number of people"),
                Field("count_before", Type.INT, label="number of people of the one before"),
                Field("program_code", Type.STRING, label="code of the program"),
            ),
        )
    }
)
# Roles that may be asked. A viewer and an auditor change nothing; an administrator decides nothing.
DECIDING = ("enrollment_officer", "program_manager", "finance_officer", "approver", "payment_releaser")


class ApprovalLevel(models.Model):
    _name = "spp.approval.level"
    _inherit = ["spp.audited.mixin"]
    _description = "Approval level"
    _order = "chain_id, sequence, id"

    _audited_fields = ("name", "sequence", "group_id", "user_ids", "needed", "amount_above", "condition")

    chain_id = fields.Many2one(
        comodel_name="spp.approval.chain", required=True, index=True, ondelete="cascade"
    )
    sequence = fields.Integer(default=10)
    name = fields.Char(required=True, help="How people call this level: Finance, Director…")
    group_id = fields.Many2one(
        comodel_name="res.groups",
        string="Role",
        ondelete="restrict",
        domain=lambda self: [("id", "in", self._deciding_groups().ids)],
        help="Everybody with this role is asked.",
    )
    user_ids = fields.Many2many(
        comodel_name="res.users",
        string="Persons",
        help="Only these are asked, whatever their role, as long as it is one that decides.",
    )
    needed = fields.Integer(string="Must agree", default=1, required=True, help="How many of them.")
    amount_above = fields.Float(
        string="Above the amount",
        digits=(16, 2),
        help="The level applies when the amount is larger, in the currency of what is asked. 0: whatever the amount.",
    )
    condition = fields.Char(
        help="The level applies when this CEL condition is true or cannot be decided, for example "
        "request.amount > request.amount_before * 1.1",
    )

    _sql_constraints = [
        ("needed_sign", "CHECK(needed >= 1)", "At least one must agree."),
        ("amount_sign", "CHECK(amount_above >= 0)", "The amount is 0 or more."),
    ]

    @api.constrains("group_id", "user_ids", "needed")
    def _check_who(self):
        deciding = self._deciding_groups()
        for level in self.sudo():
            if bool(level.group_id) == bool(level.user_ids):
                raise ValidationError(_("Level %s: choose a role, or persons, and not both.", level.name))
            if level.group_id and level.group_id not in deciding:
                raise ValidationError(
                    _(
                        "Level %(level)s: the role %(role)s decides nothing.",
                        level=level.name,
                        role=level.group_id.name,
                    )
                )
            for user in level.user_ids:
                if not self._decides(user):
                    raise ValidationError(
                        _(
                            "Level %(level)s: %(person)s has no role that decides.",
                            level=level.name,
                            person=user.name,
                        )
                    )
            if level.user_ids and level.needed > len(level.user_ids):
                raise ValidationError(_("Level %s: more must agree than are named.", level.name))

    @api.constrains("condition")
    def _check_condition(self):
        for level in self.filtered("condition"):
            try:
                compile_rule(level.condition, SCHEMA, "request")
            except RuleError as error:
                raise ValidationError(
                    _("%(error)s\n\n%(place)s", error=error, place=error.pointer(level.condition))
                ) from None

    def _audit_about(self):
        return self.chain_id

    @api.model
    def _deciding_groups(self):
        groups = self.env["res.groups"].browse()
        for name in DECIDING:
            groups |= self.env.ref(f"spp_base.group_{name}")
        return groups.sudo()

    @api.model
    def _decides(self, user):
        """Whether a user has a role that may be asked for a decision."""
        return any(user.sudo().has_group(f"spp_base.group_{name}") for name in DECIDING)

    def _applies(self, figures):
        """Whether the level is asked. What is not known never lets it be skipped."""
        amount = figures.get("amount")
        if self.amount_above and amount is not None and abs(amount) <= Decimal(str(self.amount_above)):
            return False
        if not self.condition:
            return True
        try:
            rule = compile_rule(self.condition, SCHEMA, "request")
        except RuleError:
            return True  # it was readable when it was saved: who is in doubt asks
        return rule.evaluate(figures, fields.Date.today()).outcome != "not_eligible"
