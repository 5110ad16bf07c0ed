"""The outcome for one member in one cycle, with the facts that were used; frozen when the cycle is submitted."""

from odoo import _, api, fields, models

from ..tools.freeze import freeze_with_cycle
from ..tools.plain_json import PlainJson
from .program_membership import REGISTRANT_STATUS_REASON

OUTCOMES = [
    ("eligible", "Eligible"),
    ("not_eligible", "Not eligible"),
    ("undetermined", "Undetermined"),
    ("not_compliant", "Not compliant"),
    ("excluded", "Excluded"),
]
FROZEN = [
    "cycle_id",
    "membership_id",
    "partner_id",
    "outcome",
    "facts",
    "situation",
    "compliance",
    "compliance_facts",
    "amount_problem",
    "amount_facts",
    "exclusion_reason",
    "excluded_by",
]


class CycleBeneficiary(models.Model):
    _name = "spp.cycle.beneficiary"
    _description = "Cycle beneficiary"
    _order = "id"
    _rec_names_search = ["partner_id"]

    cycle_id = fields.Many2one(comodel_name="spp.cycle", required=True, readonly=True, ondelete="restrict")
    program_id = fields.Many2one(comodel_name="spp.program", related="cycle_id.program_id")
    company_id = fields.Many2one(comodel_name="res.company", related="cycle_id.program_id.company_id")
    cycle_state = fields.Selection(related="cycle_id.state", string="State of the cycle")
    membership_id = fields.Many2one(
        comodel_name="spp.program.membership", required=True, readonly=True, index=True, ondelete="restrict"
    )
    partner_id = fields.Many2one(
        comodel_name="res.partner",
        string="Registrant",
        required=True,
        readonly=True,
        index=True,
        ondelete="restrict",
    )
    outcome = fields.Selection(
        selection=OUTCOMES,
        required=True,
        readonly=True,
        help="Only who is eligible receives entitlements. Undetermined: something the rule needs is not in the "
        "registry. Not compliant: eligible, but the conditions of the program were not kept. Excluded: disabled or "
        "deceased, or set aside by a person because the amount could not be computed.",
    )
    facts = PlainJson(readonly=True)
    reason = fields.Char(compute="_compute_reason", help="Why this person is in or out of this cycle.")

    _sql_constraints = [
        ("membership_unique", "UNIQUE(cycle_id, membership_id)", "A member is in a cycle once."),
    ]

    def init(self):
        # The lists and counts of one cycle by outcome.
        self.env.cr.execute("""
            CREATE INDEX IF NOT EXISTS spp_cycle_beneficiary_cycle_outcome_idx
                ON spp_cycle_beneficiary (cycle_id, outcome)
        """)
        freeze_with_cycle(self.env.cr, self._table, FROZEN)

    @api.depends("partner_id", "cycle_id")
    def _compute_display_name(self):
        for beneficiary in self:
            beneficiary.display_name = (
                f"{beneficiary.partner_id.display_name} ({beneficiary.cycle_id.display_name})"
            )

    @api.depends("outcome", "facts")
    def _compute_reason(self):
        for beneficiary in self:
            facts = beneficiary.facts or {}
            if "by_hand" in facts:
                beneficiary.reason = _("Enrolled by hand: %s", facts["by_hand"])
            elif beneficiary.outcome == "excluded":
                beneficiary.reason = REGISTRANT_STATUS_REASON.get(facts.get("registrant_status"), "")
            else:
                # sudo: everybody who may see the person may see why the rule said so.
                cycle = beneficiary.cycle_id.sudo()
                beneficiary.reason = cycle.rule_version_id._explain(
                    facts, beneficiary._rule_outcome(), cycle.as_of
                )

    def _rule_outcome(self):
        """What the eligibility rule said."""
        return self.outcome

    def action_why(self):
        """Open why the rule says what it says: as decided for the cycle, and as it would be today."""
        self.ensure_one()
        cycle = self.cycle_id
        return cycle.rule_version_id._action_why(
            self.partner_id, self.reason, cycle.as_of, cycle.variable_values
        )
