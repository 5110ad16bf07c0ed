"""Goods that were handed out: what of an entitlement somebody collected, when, and who says so.

An entitlement has one live hand-out at most; the database holds that. One that was recorded by mistake is corrected by
two people: then the goods are due again.
"""

from odoo import _, api, fields, models
from odoo.exceptions import AccessError, UserError

ROLES = ("enrollment_officer", "finance_officer")  # who record what was handed out
DECIDERS = (*ROLES, "program_manager")


class Handout(models.Model):
    _name = "spp.handout"
    _inherit = ["spp.guarded.mixin"]
    _description = "Goods handed out"
    _order = "id desc"
    _rec_name = "entitlement_id"
    _rec_names_search = ["entitlement_id", "partner_id"]

    entitlement_id = fields.Many2one(
        comodel_name="spp.entitlement", required=True, readonly=True, index=True, ondelete="restrict"
    )
    cycle_id = fields.Many2one(
        comodel_name="spp.cycle", required=True, readonly=True, index=True, ondelete="restrict"
    )
    program_id = fields.Many2one(
        comodel_name="spp.program", required=True, readonly=True, index=True, ondelete="restrict"
    )
    company_id = fields.Many2one(comodel_name="res.company", related="program_id.company_id")
    partner_id = fields.Many2one(
        comodel_name="res.partner",
        string="Registrant",
        required=True,
        readonly=True,
        index=True,
        ondelete="restrict",
    )
    quantity = fields.Float(related="entitlement_id.quantity")
    unit = fields.Char(related="entitlement_id.unit")
    product_name = fields.Char(related="entitlement_id.product_name")
    handed_out_on = fields.Date(string="Handed out on", required=True, readonly=True)
    collected_by = fields.Char(
        string="Collected by", readonly=True, help="Who collected it, where it was not the registrant."
    )
    evidence = fields.Char(
        required=True, readonly=True, help="What shows it: the signed list, with its number and line."
    )
    recorded_by = fields.Many2one(
        comodel_name="res.users", string="Recorded by", required=True, readonly=True, ondelete="restrict"
    )
    recorded_at = fields.Datetime(string="Recorded at", required=True, readonly=True)
    state = fields.Selection(
        selection=[
            ("in_force", "Handed out"),
            ("doubted", "Correction proposed"),
            ("taken_back", "Was not handed out"),
        ],
        required=True,
        readonly=True,
        default="in_force",
    )
    doubt_reason = fields.Char(string="Why it is wrong", readonly=True)
    doubted_by = fields.Many2one(
        comodel_name="res.users", string="Correction proposed by", readonly=True, ondelete="restrict"
    )
    doubted_at = fields.Datetime(string="Correction proposed at", readonly=True)
    decided_by = fields.Many2one(
        comodel_name="res.users", string="Correction decided by", readonly=True, ondelete="restrict"
    )
    decided_at = fields.Datetime(string="Correction decided at", readonly=True)
    refusal_reason = fields.Char(string="Right as it is, because", readonly=True)
    may_decide = fields.Boolean(compute="_compute_may_decide", help="Whether somebody else proposed it.")

    _sql_constraints = [
        (
            "two_people",
            "CHECK((state = 'in_force' OR doubted_by IS NOT NULL)"
            " AND (state <> 'taken_back' OR decided_by <> doubted_by))",
            "A hand-out that is wrong is corrected by two people.",
        ),
    ]

    @property
    def _guarded_fields(self):
        return frozenset(self._fields)

    def init(self):
        self.env.cr.execute("""
            CREATE UNIQUE INDEX IF NOT EXISTS spp_handout_live_unique
                ON spp_handout (entitlement_id) WHERE state <> 'taken_back'
        """)

    @api.depends_context("uid")
    @api.depends("doubted_by")
    def _compute_may_decide(self):
        for handout in self:
            handout.may_decide = handout.doubted_by.id != self.env.uid

    # ------------------------------------------------------------------ actions

    def action_propose_correction(self, reason):
        """Say that these goods were not handed out after all; it counts once a second person confirms.

        Roles: enrollment officer, finance officer, program manager.

        :param reason: what was wrong, in plain words: "Line 12 is of another household"
        """
        self._check_role(*DECIDERS)
        reason = self._given_reason(reason)
        self._lock_all("in_force")
        self._write_guarded(
            {
                "state": "doubted",
                "doubt_reason": reason,
                "doubted_by": self.env.uid,
                "doubted_at": fields.Datetime.now(),
                "decided_by": False,
                "decided_at": False,
                "refusal_reason": False,
            }
        )
        self._log_each("Correction of a hand-out proposed", reason)
        return True

    def action_confirm_correction(self):
        """Confirm what somebody else proposed: the goods were not handed out, and are due again.

        Of a closed cycle they expire: a supplementary cycle can give them. Roles as for the proposal.
        """
        self._check_role(*DECIDERS)
        self._lock_all("doubted")
        for handout in self:
            if handout.doubted_by.id == self.env.uid:
                raise AccessError(
                    _("You proposed to correct %s: somebody else confirms it.", handout.display_name)
                )
        self._write_guarded(
            {"state": "taken_back", "decided_by": self.env.uid, "decided_at": fields.Datetime.now()}
        )
        for cycle, of_cycle in self.grouped("cycle_id").items():
            # sudo: nobody may write entitlements; the role was checked
            entitlements = of_cycle.sudo().entitlement_id
            if cycle.state == "closed":
                entitlements._set_state("expired", _("It was not handed out, as was found later."))
            else:
                entitlements._set_state("approved")
        self._log_each("Hand-out corrected", "")
        return True

    def action_refuse_correction(self, reason):
        """Leave the hand-outs as they were recorded. Who proposed the correction takes it back so.

        :param reason: why, in plain words
        """
        self._check_role(*DECIDERS)
        reason = self._given_reason(reason)
        self._lock_all("doubted")
        self._write_guarded(
            {
                "state": "in_force",
                "decided_by": self.env.uid,
                "decided_at": fields.Datetime.now(),
                "refusal_reason": reason,
            }
        )
        self._log_each("Correction of a hand-out refused", reason)
        return True

    # ------------------------------------------------------------------ business

    def _lock_all(self, state):
        self.cycle_id._lock()
        self._lock()
        labels = dict(self._fields["state"]._description_selection(self.env))
        for handout in self:
            if handout.state != state:
                raise UserError(
                    _("%(handout)s: %(state)s.", handout=handout.display_name, state=labels[handout.state])
                )

    def _log_each(self, action, note):
        """An entry for each, all of them in one statement."""
        trail = self.env["spp.audit.entry"]
        # sudo: everybody leaves a trail, nobody writes one by hand
        trail.sudo().create(
            [
                trail._values(action, handout, new={"on": str(handout.handed_out_on)}, note=note)
                for handout in self
            ]
        )


class Entitlement(models.Model):
    _inherit = "spp.entitlement"

    handout_ids = fields.One2many(
        comodel_name="spp.handout", inverse_name="entitlement_id", string="Hand-outs", readonly=True
    )

    def action_hand_out(self, evidence, on=None, collected_by=""):
        """Record that the goods of these entitlements were handed out.

        Roles: enrollment officer, finance officer, and not who submitted or approved the cycle.

        :param evidence: what shows it: "Signed list 3, line 12"
        :param on: date on which it was handed out, "2026-11-21"; today when not given
        :param collected_by: who collected it, where it was not the registrant
        :return: ids of the runs (spp.run), one for each cycle
        """
        self._check_role(*ROLES)
        for entitlement in self:
            if entitlement.kind != "goods":
                raise UserError(_("%s is money: it is paid, not handed out.", entitlement.reference))
            if entitlement.state not in ("approved", "expired"):
                raise UserError(
                    _(
                        "%(entitlement)s is %(state)s: it is not to be collected.",
                        entitlement=entitlement.reference,
                        state=dict(self._fields["state"]._description_selection(self.env))[
                            entitlement.state
                        ].lower(),
                    )
                )
        return [
            cycle.action_hand_out(evidence, on, collected_by, [("id", "in", chosen.ids)])
            for cycle, chosen in self.grouped("cycle_id").items()
        ]
