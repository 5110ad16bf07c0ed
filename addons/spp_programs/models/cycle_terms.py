"""What a cycle was computed with, kept so that nothing changes it later; and its budget.

The version of the eligibility rule and the program's values of its variables are on the cycle already; here are the
benefits with their formulas and conditions, and the variables that these read.
"""

from odoo import _, api, fields, models
from odoo.exceptions import UserError

from odoo.addons.spp_cel.models.spp_rule_version import plain, typed

from ..tools.money import shown


class Cycle(models.Model):
    _inherit = "spp.cycle"

    _guarded_fields = frozenset({"terms"})

    terms = fields.Json(
        readonly=True,
        copy=False,
        help="The benefits, their formulas and conditions, and the variables that these use, as they were when the "
        "cycle was computed.",
    )
    budget = fields.Monetary(help="What the cycle may come to. Above it, submission needs a reason. 0: none.")
    budget_reason = fields.Char(
        string="Reason to exceed the budget", copy=False, help="Shown to whoever approves the cycle."
    )
    over_budget = fields.Monetary(
        string="Above the budget",
        compute="_compute_over_budget",
        help="By how much the total exceeds the budget.",
    )

    _sql_constraints = [
        (
            "budget_positive",
            "CHECK(COALESCE(budget, 0) >= 0)",
            "A budget is an amount above zero, or 0 for none.",
        ),
    ]

    @api.depends("budget", "total_amount")
    def _compute_over_budget(self):
        for cycle in self:
            cycle.over_budget = max(cycle.total_amount - cycle.budget, 0) if cycle.budget else 0

    def write(self, vals):
        changed = {"budget", "budget_reason"}.intersection(vals)
        if changed:
            self._lock()
            if any(cycle.state != "draft" for cycle in self):
                raise UserError(
                    _("The budget of a cycle, and the reason to exceed it, are set in a draft only.")
                )
        old = {cycle: cycle.budget for cycle in self} if "budget" in vals else {}
        result = super().write(vals)
        for cycle, before in old.items():
            if cycle.budget != before:
                self.env["spp.audit.entry"]._log(
                    "Cycle's budget changed", cycle, old={"budget": before}, new={"budget": cycle.budget}
                )
        return result

    def _what_next(self):
        if self.state == "draft" and self.computed_at and self.over_budget and not self.budget_reason:
            return _("The total exceeds the budget: say why, below Money, or change what the program gives.")
        return super()._what_next()

    def _check_complete(self):
        result = super()._check_complete()
        if any(self.terms.get(name) != now for name, now in self._current_terms().items()):
            raise UserError(
                _(
                    "The benefits of %s, or variables that their formulas use, have changed since it was computed. "
                    "Compute it again.",
                    self.display_name,
                )
            )
        if self.over_budget and not (self.budget_reason or "").strip():
            raise UserError(
                _(
                    "The total of %(cycle)s, %(total)s, exceeds its budget of %(budget)s. Give the reason on the cycle: "
                    "the approver sees it.",
                    cycle=self.display_name,
                    total=shown(self.total_amount, self.currency_id),
                    budget=shown(self.budget, self.currency_id),
                )
            )
        return result

    def _current_terms(self):
        """The terms of the program as they are now."""
        # sudo: a cycle is computed whole, also by who may not read variables
        program = self.program_id.sudo()
        texts = "\n".join(text for benefit in program.benefit_ids for text in benefit._texts().values())
        variables = program.env["spp.cel.variable"]
        constants, computed = variables._used_by(texts, *variables._definitions())
        own = {name: value for name, value in program._variable_values().items() if name in constants}
        return {
            "benefits": [benefit._term() for benefit in program.benefit_ids],
            "variables": {
                **plain({**constants, **own}),
                **{
                    name: {"computed_for": record, "expression": expression}
                    for (record, name), expression in computed.items()
                },
            },
        }

    def _term_definitions(self, terms):
        """{name: Constant} and {(record type, name): expression} that the texts of `terms` use."""
        constants, computed = {}, {}
        for name, kept in terms["variables"].items():
            if "expression" in kept:
                computed[kept["computed_for"], name] = kept["expression"]
            else:
                constants[name] = typed(kept)
        return constants, computed

    def _term_compiled(self, terms, benefit, label):
        """The formula or condition of a benefit of `terms`, compiled, and the constants it reads; None where it has none."""
        if not benefit[label]:
            return None, {}
        constants, computed = self._term_definitions(terms)
        found = self.env["spp.program.benefit"]._compile(
            label, benefit[label], self.program_id.target, constants, computed
        )
        return found, constants
