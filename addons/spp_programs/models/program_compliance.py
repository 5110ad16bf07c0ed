"""Conditional transfers: who is eligible must also have kept the program's conditions, asked anew in each cycle.

The compliance rule is a rule like any other, usually over events: a health visit, school attendance. Who did not
keep the conditions is `not_compliant` in that cycle and no other; where it cannot be decided, undetermined.
Enrolling somebody by hand spares them the eligibility rule, not the conditions.
"""

from odoo import _, api, fields, models
from odoo.exceptions import ValidationError
from odoo.tools import SQL

from ..tools.plain_json import PlainJson


class Program(models.Model):
    _inherit = "spp.program"

    compliance_rule_id = fields.Many2one(
        comodel_name="spp.rule",
        ondelete="restrict",
        domain="[('target', '=', target)]",
        help="What beneficiaries of a conditional transfer must keep to, such as school attendance. It is asked in "
        "each cycle about those who are eligible.",
    )

    _sql_constraints = [
        (
            "compliance_of_conditional",
            "CHECK(compliance_rule_id IS NULL OR kind = 'cct')",
            "Only a conditional cash transfer has a compliance rule.",
        ),
    ]

    @api.constrains("compliance_rule_id", "target")
    def _check_compliance_target(self):
        for program in self:
            rule = program.compliance_rule_id
            if rule and rule.target != program.target:
                raise ValidationError(
                    _(
                        "The rule %(rule)s is not about the target of the program %(program)s.",
                        rule=rule.display_name,
                        program=program.display_name,
                    )
                )

    def write(self, vals):
        if {"compliance_rule_id", "kind"}.intersection(vals):
            self._draft_cycles_outdated()
        return super().write(vals)

    def _missing_for_activation(self):
        if self.kind == "cct":
            if not self.compliance_rule_id:
                return _("Choose a compliance rule: what beneficiaries must keep to.")
            if not self.compliance_rule_id.sudo().published_version_id:
                return _("Publish a version of the rule %s.", self.compliance_rule_id.display_name)
        return super()._missing_for_activation()


class Cycle(models.Model):
    _inherit = "spp.cycle"

    _guarded_fields = frozenset({"compliance_version_id"})

    compliance_version_id = fields.Many2one(
        comodel_name="spp.rule.version",
        string="Compliance rule",
        readonly=True,
        copy=False,
        ondelete="restrict",
        help="The version of the compliance rule that the outcomes were computed with.",
    )

    def _apply_compliance(self, values):
        """Ask the compliance rule about those who are eligible, in one statement.

        :param values: the program's own values of variables
        :return: what of it is kept with the cycle's terms
        """
        rule = self.program_id.compliance_rule_id
        if not rule:
            self._write_guarded({"compliance_version_id": False})
            return {}
        version = self.program_id._published_version(rule)
        population = SQL(
            "SELECT partner_id AS id FROM spp_cycle_beneficiary WHERE cycle_id = %s AND outcome = 'eligible'",
            self.id,
        )
        self.program_id._execute_rule(
            version,
            SQL(
                """
                UPDATE spp_cycle_beneficiary b
                   SET compliance = COALESCE(o.outcome, 'undetermined'),
                       compliance_facts = o.facts,
                       outcome = CASE o.outcome WHEN 'eligible' THEN 'eligible'
                                                WHEN 'not_eligible' THEN 'not_compliant' ELSE 'undetermined' END
                  FROM (%s) o
                 WHERE b.cycle_id = %s AND b.outcome = 'eligible' AND o.id = b.partner_id
                """,
                version._outcome_query(population, self.as_of, values),
                self.id,
            ),
        )
        self._write_guarded({"compliance_version_id": version.id})
        return {"compliance_values": version._constants_used(values)}


class CycleBeneficiary(models.Model):
    _inherit = "spp.cycle.beneficiary"

    compliance = fields.Selection(
        selection=[
            ("eligible", "Compliant"),
            ("not_eligible", "Not compliant"),
            ("undetermined", "Undetermined"),
        ],
        readonly=True,
        help="What the compliance rule says of who is eligible.",
    )
    compliance_facts = PlainJson(readonly=True)

    @api.depends("compliance", "compliance_facts")
    def _compute_reason(self):
        result = super()._compute_reason()
        for beneficiary in self.filtered("compliance"):
            # sudo: everybody who may see the person may see why the rule said so.
            cycle = beneficiary.cycle_id.sudo()
            labels = {
                "eligible": _("Compliant on %s.", cycle.as_of),
                "not_eligible": _("Not compliant on %s.", cycle.as_of),
                "undetermined": _("Compliance undetermined on %s: data are missing.", cycle.as_of),
            }
            said = cycle.compliance_version_id._explain(
                beneficiary.compliance_facts or {}, beneficiary.compliance, cycle.as_of, labels
            )
            beneficiary.reason = f"{said} {beneficiary.reason}"
        return result

    def _rule_outcome(self):
        """What the eligibility rule said; compliance is only asked of who is eligible."""
        return "eligible" if self.compliance else super()._rule_outcome()

    def action_why_compliance(self):
        """Open why the compliance rule says what it says: as decided for the cycle, and as it would be today."""
        self.ensure_one()
        cycle = self.cycle_id
        values = (cycle.sudo().terms or {}).get("compliance_values", {})
        return cycle.compliance_version_id._action_why(self.partner_id, self.reason, cycle.as_of, values)
