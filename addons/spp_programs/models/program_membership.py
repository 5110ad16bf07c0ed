"""A registrant in a program: the state, and the outcome of the rule with the facts it rests on.

A human decision (suspended, exited, graduated, duplicate, enrolled by hand) is sticky: evaluating the rule again
does not touch it. Nobody is ever deleted.
"""

from odoo import _, api, fields, models
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tools import SQL

from odoo.addons.spp_cel.models.spp_rule_version import plain

from ..tools.plain_json import PlainJson

# decision of a person: (states it applies to, state it leads to, how the audit trail names it)
# Who is reinstated is enrolled again, or, never having been enrolled, a candidate.
DECISIONS = {
    "enroll": (("candidate", "ineligible"), "enrolled", "Member enrolled by hand"),
    "suspend": (("enrolled",), "suspended", "Member suspended"),
    "resume": (("suspended",), "enrolled", "Member resumed"),
    "reinstate": (("suspended", "exited", "graduated", "duplicate"), None, "Member reinstated"),
    "exit": (("candidate", "ineligible", "enrolled", "suspended"), "exited", "Member exited"),
    "graduate": (("enrolled", "suspended"), "graduated", "Member graduated"),
    "duplicate": (
        ("candidate", "ineligible", "enrolled", "suspended"),
        "duplicate",
        "Member marked as a duplicate",
    ),
}
REGISTRANT_STATUS_REASON = {
    "disabled": "The registry has this registrant as disabled.",
    "deceased": "The registry has this registrant as deceased.",
}


class ProgramMembership(models.Model):
    _name = "spp.program.membership"
    _inherit = ["spp.guarded.mixin"]
    _description = "Program membership"
    _order = "id"
    _rec_names_search = ["partner_id"]

    _guarded_fields = frozenset(
        {
            "state",
            "state_date",
            "state_reason",
            "outcome",
            "facts",
            "evaluated_on",
            "enrolled_on",
            "by_hand",
            "by_hand_reason",
            "decision_id",
            "missing",
            "rule_version_id",
        }
    )

    program_id = fields.Many2one(comodel_name="spp.program", required=True, ondelete="restrict")
    company_id = fields.Many2one(comodel_name="res.company", related="program_id.company_id")
    partner_id = fields.Many2one(
        comodel_name="res.partner",
        string="Registrant",
        required=True,
        index=True,
        ondelete="restrict",
        domain="[('is_registrant', '=', True)]",
    )
    area_id = fields.Many2one(comodel_name="spp.area", related="partner_id.area_id")
    document_number = fields.Char(
        string="Document number",
        store=False,
        help="In an imported list, instead of the registrant: the number of their valid identity document.",
    )
    state = fields.Selection(
        selection=[
            ("candidate", "Candidate"),
            ("enrolled", "Enrolled"),
            ("suspended", "Suspended"),
            ("graduated", "Graduated"),
            ("exited", "Exited"),
            ("ineligible", "Ineligible"),
            ("duplicate", "Duplicate"),
        ],
        required=True,
        readonly=True,
        default="candidate",
        copy=False,
    )
    state_date = fields.Date(string="In this state since", readonly=True, copy=False)
    state_reason = fields.Char(
        string="Reason of the decision", readonly=True, copy=False, help="Why a person decided so."
    )
    by_hand = fields.Boolean(
        string="Enrolled by hand",
        readonly=True,
        default=False,
        copy=False,
        help="A person enrolled them with a reason; the rule is not asked about them.",
    )
    by_hand_reason = fields.Char(
        string="Enrolled by hand because", readonly=True, copy=False, help="Kept, whatever is decided later."
    )
    decision_id = fields.Many2one(
        comodel_name="spp.enrollment.decision",
        string="Last decision",
        readonly=True,
        copy=False,
        index="btree_not_null",
        ondelete="restrict",
    )
    outcome = fields.Selection(
        selection=[
            ("eligible", "Eligible"),
            ("not_eligible", "Not eligible"),
            ("undetermined", "Undetermined"),
        ],
        readonly=True,
        copy=False,
        help="What the rule said when it was last evaluated. Undetermined: something it needs is not in the "
        "registry.",
    )
    facts = PlainJson(readonly=True, copy=False)
    rule_version_id = fields.Many2one(
        comodel_name="spp.rule.version", string="Rule version", readonly=True, copy=False, ondelete="restrict"
    )
    evaluated_on = fields.Date(
        string="Evaluated on",
        readonly=True,
        copy=False,
        help="The date on which the rule looked at the registry.",
    )
    enrolled_on = fields.Date(string="Enrolled on", readonly=True, copy=False)
    missing = fields.Char(
        string="What is missing",
        readonly=True,
        copy=False,
        help="What the rule asks for and the registry does not have. Once it is there, the person is decided about "
        "at the next evaluation, every night.",
    )
    reason = fields.Char(compute="_compute_reason", help="Why this person is in, out, or undecided.")

    _sql_constraints = [
        ("partner_unique", "UNIQUE(program_id, partner_id)", "This registrant is in the program already."),
        (
            "by_hand_reason",
            "CHECK(NOT by_hand OR state_reason IS NOT NULL)",
            "Enrolling somebody by hand needs a reason.",
        ),
    ]

    def init(self):
        # The members of a program by state: the smart buttons' counts, and the population of each bulk step.
        self.env.cr.execute("""
            CREATE INDEX IF NOT EXISTS spp_program_membership_program_state_idx
                ON spp_program_membership (program_id, state, outcome)
        """)

    @api.depends("partner_id", "program_id")
    def _compute_display_name(self):
        for membership in self:
            membership.display_name = f"{membership.partner_id.display_name} ({membership.program_id.code})"

    @api.depends("outcome", "facts", "rule_version_id", "evaluated_on", "by_hand", "state_reason", "state")
    def _compute_reason(self):
        for membership in self:
            membership.reason = membership._reason_text()

    def _reason_text(self):
        if self.by_hand and self.state == "enrolled":
            return _("Enrolled by hand: %s", self.by_hand_reason or self.state_reason)
        if self.state not in ("candidate", "enrolled", "ineligible"):
            return self.state_reason or ""
        if not self.outcome:
            return _("Not evaluated yet.")
        if not self.rule_version_id:
            return REGISTRANT_STATUS_REASON.get((self.facts or {}).get("registrant_status"), "")
        # sudo: everybody who may see the person may see why the rule said so.
        return self.rule_version_id.sudo()._explain(self.facts or {}, self.outcome, self.evaluated_on)

    @api.constrains("partner_id", "program_id")
    def _check_target(self):
        for membership in self:
            partner = membership.partner_id
            if not partner.is_registrant or partner.is_group != (membership.program_id.target == "group"):
                raise ValidationError(
                    _(
                        "%(person)s is not of the kind that %(program)s is for.",
                        person=partner.display_name,
                        program=membership.program_id.display_name,
                    )
                )

    @api.model_create_multi
    def create(self, vals_list):
        numbers = {vals["document_number"].strip() for vals in vals_list if vals.get("document_number")}
        if numbers:
            holders = {}
            for document in self.env["spp.identity.document"].search(
                [("value", "in", list(numbers)), ("state", "=", "valid")]
            ):
                holders.setdefault(document.value, set()).add(document.partner_id.id)
            vals_list = [self._with_holder(vals, holders) for vals in vals_list]
        return super().create(vals_list)

    @api.model
    def _with_holder(self, vals, holders):
        """The values of a new membership with the registrant whom the document of an imported list names."""
        vals = dict(vals)
        number = (vals.pop("document_number", None) or "").strip()
        if number and not vals.get("partner_id"):
            found = holders.get(number, ())
            if len(found) != 1:
                raise UserError(
                    _("Nobody whom you may see has a valid document with the number %s.", number)
                    if not found
                    else _("Several registrants have a document with the number %s.", number)
                )
            (vals["partner_id"],) = found
        return vals

    def write(self, vals):
        if {"program_id", "partner_id"}.intersection(vals):
            raise UserError(_("A membership is of one registrant in one program, for good."))
        return super().write(vals)

    # ------------------------------------------------------------------ actions

    def action_enroll_by_hand(self, reason, date=None):
        """Enroll candidates or ineligible members by a person's decision; the rule is not asked about them again.

        :param reason: why, in plain words
        :param date: from when, "2026-01-31"; today when not given
        """
        return self._decide("enroll", reason, date)

    def action_suspend(self, reason, date=None):
        """Suspend enrolled members: no cycle computed from now on considers them."""
        return self._decide("suspend", reason, date)

    def action_resume(self, reason, date=None):
        """Let suspended members be enrolled again."""
        return self._decide("resume", reason, date)

    def action_reinstate(self, reason, date=None):
        """Take suspended, exited, graduated or duplicate members back.

        Who had been enrolled is enrolled again; who never was is a candidate, about whom the rule is asked.
        """
        return self._decide("reinstate", reason, date)

    def action_exit(self, reason, date=None):
        """Let members leave the program."""
        return self._decide("exit", reason, date)

    def action_graduate(self, reason, date=None):
        """Let members leave the program because they reached its aim."""
        return self._decide("graduate", reason, date)

    def action_mark_duplicate(self, reason, date=None):
        """Set members aside because the same person or household is a member already."""
        return self._decide("duplicate", reason, date)

    def action_open_registrant(self):
        """Open the registrant, to complete what is missing."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "res_model": "res.partner",
            "res_id": self.partner_id.id,
            "views": [(self.partner_id.get_formview_id(), "form")],
        }

    def action_why(self):
        """Open why the rule says what it says: as decided then, and as it would be today."""
        self.ensure_one()
        version = self.program_id.rule_id.published_version_id or self.rule_version_id
        values = plain(self.program_id._variable_values())
        return version._action_why(self.partner_id, self.reason, self.evaluated_on or self.state_date, values)

    # ------------------------------------------------------------------ business

    def _decide(self, decision, reason, date=None):
        """Take one of the DECISIONS about each of the members, or about none."""
        self.browse()._check_role("enrollment_officer", "program_manager")
        reason = self._given_reason(reason)
        self.env.flush_all()
        visible = self._search([("id", "in", self.ids)]).select(
            SQL.identifier(self._table, "program_id"), SQL.identifier(self._table, "id")
        )
        self.env.cr.execute(
            SQL(
                "SELECT program_id, array_agg(id) FROM (%s) v GROUP BY program_id ORDER BY program_id",
                visible,
            )
        )
        of_program = dict(self.env.cr.fetchall())
        if sum(map(len, of_program.values())) < len(set(self.ids)):
            raise AccessError(_("Some of these members do not exist, or you may not see them."))
        if not of_program:
            raise UserError(_("Choose the members whom the decision is about."))
        for program in self.env["spp.program"].browse(of_program):
            self.env["spp.enrollment.decision"]._take(
                program,
                decision,
                SQL("SELECT unnest(%s::integer[])", of_program[program.id]),
                reason,
                program._decision_date(date),
            )
        return True
