"""What one beneficiary is due in one cycle, of one benefit.

Rows are made by the cycle's computation only. From submission on nobody and nothing changes what is due and to
whom: the model refuses it, and so does a trigger in the database.
"""

from odoo import _, api, fields, models
from odoo.exceptions import UserError
from odoo.tools import SQL

from ..tools.freeze import freeze_with_cycle
from ..tools.plain_json import PlainJson

# state: states it may be reached from
TRANSITIONS = {
    # from paid: the money came back and is due again; from handed_out: it was recorded by mistake
    "approved": ("draft", "paid", "handed_out"),
    "paid": ("approved",),
    "cancelled": ("draft", "approved"),
    "expired": ("approved", "handed_out"),
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
    "unit",
    "product_name",
    "reference",
    "period_id",
    "facts",
    "capped",
    "instalment",
]


class Entitlement(models.Model):
    _name = "spp.entitlement"
    _inherit = ["spp.guarded.mixin"]
    _description = "Entitlement"
    _order = "id"
    _rec_name = "reference"
    _rec_names_search = ["reference", "partner_id"]

    _guarded_fields = frozenset({"state", "state_reason", "valid_from", "valid_until", *FROZEN})

    reference = fields.Char(required=True, readonly=True)
    cycle_id = fields.Many2one(comodel_name="spp.cycle", required=True, readonly=True, ondelete="restrict")
    period_id = fields.Many2one(
        comodel_name="spp.cycle",
        required=True,
        readonly=True,
        ondelete="restrict",
        help="The cycle itself; for a supplementary cycle, the one that it belongs to.",
    )
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
    capped = fields.Boolean(
        string="At the limit", readonly=True, help="The formula gave more than the benefit's upper limit."
    )
    facts = PlainJson(
        readonly=True, help="What formula and condition looked at, and what the formula gave before rounding."
    )
    instalment = fields.Integer(readonly=True, help="Which of the beneficiary's instalments it is.")
    valid_from = fields.Date(readonly=True, help="The day on which the cycle was approved.")
    valid_until = fields.Date(readonly=True, help="The last day on which it can be paid; then it expires.")
    quantity = fields.Float(digits=(16, 3), readonly=True)
    unit = fields.Char(readonly=True)
    product_name = fields.Char(string="Goods", readonly=True)
    state = fields.Selection(
        selection=[
            ("draft", "Draft"),
            ("approved", "Approved"),
            ("paid", "Paid"),
            ("handed_out", "Handed out"),
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
            # PostgreSQL holds NaN to be above everything: what is below infinity is a number.
            "CHECK((kind = 'money' AND amount > 0 AND amount < 'Infinity')"
            " OR (kind = 'goods' AND amount = 0 AND quantity > 0))",
            "An entitlement is of an amount above zero, or of a quantity above zero of goods.",
        ),
    ]

    def init(self):
        # One live entitlement per beneficiary and benefit in a period: in the cycle and in those that supplement it.
        self.env.cr.execute("""
            CREATE UNIQUE INDEX IF NOT EXISTS spp_entitlement_period_unique
                ON spp_entitlement (period_id, partner_id, benefit_id) WHERE state NOT IN ('cancelled', 'expired')
        """)
        # What the daily expiry looks for.
        self.env.cr.execute("""
            CREATE INDEX IF NOT EXISTS spp_entitlement_valid_until_idx
                ON spp_entitlement (valid_until) WHERE state = 'approved' AND valid_until IS NOT NULL
        """)
        # The lists and counts of one cycle, and of one program, by state.
        self.env.cr.execute("""
            CREATE INDEX IF NOT EXISTS spp_entitlement_cycle_state_idx ON spp_entitlement (cycle_id, state)
        """)
        self.env.cr.execute("""
            CREATE INDEX IF NOT EXISTS spp_entitlement_program_state_idx ON spp_entitlement (program_id, state)
        """)
        # What of a cycle is goods; of cycles that pay money only, it is empty.
        self.env.cr.execute("""
            CREATE INDEX IF NOT EXISTS spp_entitlement_goods_idx ON spp_entitlement (cycle_id) WHERE kind = 'goods'
        """)
        freeze_with_cycle(self.env.cr, self._table, FROZEN)

    def _init_column(self, column_name):
        if column_name == "period_id":  # a database from before there were supplementary cycles
            self.env.cr.execute("UPDATE spp_entitlement SET period_id = cycle_id WHERE period_id IS NULL")
            return
        super()._init_column(column_name)

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
