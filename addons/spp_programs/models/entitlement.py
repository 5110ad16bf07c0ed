"""What one beneficiary is due in one cycle, of one benefit.

Rows are made by the cycle's computation only. From submission on nobody and nothing changes what is due and to
whom: the model refuses it, and so does a trigger in the database.
"""

from odoo import _, api, fields, models
from odoo.exceptions import UserError
from odoo.tools import SQL

from ..tools.freeze import freeze_with_cycle

# state: states it may be reached from
TRANSITIONS = {
    "approved": ("draft", "paid"),  # from paid: the money came back and is due again
    "paid": ("approved",),
    "cancelled": ("draft", "approved"),
    "expired": ("approved",),
}
FROZEN = [
    "cycle_id",
    "program_id",
    "beneficiary_id",
    "partner_id",
    "benefit_id",
    "kind",
    "amount",
    "currency_id",
    "quantity",
    "product_name",
    "reference",
]


class Entitlement(models.Model):
    _name = "spp.entitlement"
    _inherit = ["spp.guarded.mixin"]
    _description = "Entitlement"
    _order = "id"
    _rec_name = "reference"
    _rec_names_search = ["reference", "partner_id"]

    _guarded_fields = frozenset({"state", "state_reason", *FROZEN})

    reference = fields.Char(required=True, readonly=True)
    cycle_id = fields.Many2one(comodel_name="spp.cycle", required=True, readonly=True, ondelete="restrict")
    program_id = fields.Many2one(
        comodel_name="spp.program", required=True, readonly=True, ondelete="restrict"
    )
    company_id = fields.Many2one(comodel_name="res.company", related="program_id.company_id")
    beneficiary_id = fields.Many2one(
        comodel_name="spp.cycle.beneficiary", required=True, readonly=True, index=True, ondelete="restrict"
    )
    partner_id = fields.Many2one(
        comodel_name="res.partner",
        string="Registrant",
        required=True,
        readonly=True,
        index=True,
        ondelete="restrict",
    )
    benefit_id = fields.Many2one(
        comodel_name="spp.program.benefit", required=True, readonly=True, ondelete="restrict"
    )
    kind = fields.Selection(selection=[("money", "Money"), ("goods", "Goods")], required=True, readonly=True)
    amount = fields.Monetary(required=True, readonly=True)
    currency_id = fields.Many2one(
        comodel_name="res.currency", required=True, readonly=True, ondelete="restrict"
    )
    quantity = fields.Float(digits=(16, 3), readonly=True)
    product_name = fields.Char(string="Goods", readonly=True)
    state = fields.Selection(
        selection=[
            ("draft", "Draft"),
            ("approved", "Approved"),
            ("paid", "Paid"),
            ("cancelled", "Cancelled"),
            ("expired", "Expired"),
        ],
        required=True,
        readonly=True,
        default="draft",
    )
    state_reason = fields.Char(readonly=True)
    reason = fields.Char(
        related="beneficiary_id.reason", help="Why this person is a beneficiary of this cycle."
    )

    _sql_constraints = [
        ("reference_unique", "UNIQUE(reference)", "An entitlement's reference is unique."),
        (
            "something_due",
            "CHECK((kind = 'money' AND amount > 0) OR (kind = 'goods' AND amount = 0 AND quantity > 0))",
            "An entitlement is of an amount above zero, or of a quantity above zero of goods.",
        ),
    ]

    def init(self):
        # One live entitlement per beneficiary and benefit; also what finds a cycle's rows.
        self.env.cr.execute("""
            CREATE UNIQUE INDEX IF NOT EXISTS spp_entitlement_live_unique
                ON spp_entitlement (cycle_id, partner_id, benefit_id) WHERE state NOT IN ('cancelled', 'expired')
        """)
        # The lists and counts of one cycle, and of one program, by state.
        self.env.cr.execute("""
            CREATE INDEX IF NOT EXISTS spp_entitlement_cycle_state_idx ON spp_entitlement (cycle_id, state)
        """)
        self.env.cr.execute("""
            CREATE INDEX IF NOT EXISTS spp_entitlement_program_state_idx ON spp_entitlement (program_id, state)
        """)
        freeze_with_cycle(self.env.cr, self._table, FROZEN)

    @api.depends("reference")
    def _compute_display_name(self):
        for entitlement in self:
            entitlement.display_name = entitlement.reference

    def _set_state(self, state, reason=None):
        """The one way an entitlement's state changes; all of them or none."""
        self.env.flush_all()
        self.env.cr.execute(
            SQL(
                """
                UPDATE spp_entitlement SET state = %s, state_reason = %s, write_uid = %s, write_date = %s
                 WHERE id = ANY(%s) AND state = ANY(%s)
                """,
                state,
                reason or None,
                self.env.uid,
                self.env.cr.now(),
                self.ids,
                list(TRANSITIONS[state]),
            )
        )
        changed = self.env.cr.rowcount
        self.invalidate_recordset()
        if changed != len(self):
            raise UserError(
                _(
                    "%(count)s of the entitlements cannot become %(state)s: their state has changed meanwhile.",
                    count=len(self) - changed,
                    state=dict(self._fields["state"]._description_selection(self.env))[state].lower(),
                )
            )
