"""A decision that a person took about members of a program, with each member's state before it.

It is the way from one entry of the audit trail to every person in it, and what taking the decision back rests on:
as long as nothing was built on it, everybody becomes again what they were.
"""

from odoo import _, api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.tools import SQL

from odoo.addons.spp_base.models.spp_bulk_mixin import BeingChanged
from odoo.addons.spp_base.tools import statistics

from .program_membership import DECISIONS


class EnrollmentDecision(models.Model):
    _name = "spp.enrollment.decision"
    _inherit = ["spp.guarded.mixin", "spp.bulk.mixin"]
    _description = "Decision about members"
    _order = "id desc"
    _rec_names_search = ["reason"]

    _guarded_fields = frozenset({"state", "taken_back_by", "taken_back_at", "taken_back_reason"})

    program_id = fields.Many2one(
        comodel_name="spp.program", required=True, readonly=True, index=True, ondelete="restrict"
    )
    company_id = fields.Many2one(comodel_name="res.company", related="program_id.company_id")
    kind = fields.Selection(
        selection=[
            ("enroll", "Enrolled by hand"),
            ("suspend", "Suspended"),
            ("resume", "Resumed"),
            ("reinstate", "Reinstated"),
            ("exit", "Exited"),
            ("graduate", "Graduated"),
            ("duplicate", "Marked as duplicate"),
        ],
        string="Decision",
        required=True,
        readonly=True,
    )
    reason = fields.Char(required=True, readonly=True)
    date = fields.Date(string="Holds from", required=True, readonly=True)
    user_id = fields.Many2one(
        comodel_name="res.users", string="Decided by", required=True, readonly=True, ondelete="restrict"
    )
    at = fields.Datetime(string="Decided at", required=True, readonly=True)
    member_count = fields.Integer(string="Members", readonly=True)
    state = fields.Selection(
        selection=[("in_force", "In force"), ("taken_back", "Taken back")],
        required=True,
        readonly=True,
        default="in_force",
    )
    taken_back_by = fields.Many2one(
        comodel_name="res.users", string="Taken back by", readonly=True, ondelete="restrict"
    )
    taken_back_at = fields.Datetime(string="Taken back at", readonly=True)
    taken_back_reason = fields.Char(string="Taken back because", readonly=True)
    line_ids = fields.One2many(
        comodel_name="spp.enrollment.decision.line",
        inverse_name="decision_id",
        string="Members decided about",
    )

    @api.depends("kind", "program_id", "member_count", "date")
    def _compute_display_name(self):
        kinds = dict(self._fields["kind"]._description_selection(self.env))
        for decision in self:
            decision.display_name = _(
                "%(kind)s: %(count)s of %(program)s on %(date)s",
                kind=kinds.get(decision.kind, ""),
                count=decision.member_count,
                program=decision.program_id.code,
                date=decision.date,
            )

    # ------------------------------------------------------------------ actions

    def action_take_back(self, reason):
        """Let everybody be again what they were before the decision, or nobody.

        Refused where a member changed since, and where a cycle was submitted that counted on the decision.
        Roles: enrollment officer, program manager.

        :param reason: why, in plain words
        :return: id of the run (spp.run)
        """
        self.ensure_one()
        self._check_role("enrollment_officer", "program_manager")
        reason = self._given_reason(reason)
        self._check_in_reach()
        name = _("Take back: %s", self.display_name)
        return self._bulk("take_back", name, [reason], rows=self.member_count)

    def _do_take_back(self, run, reason):
        self._lock()
        self._check_in_reach()
        run._progress(0, total=self.member_count)
        self._take_back(reason)
        run._finish({_("Members as they were before"): self.member_count})

    # ------------------------------------------------------------------ business

    def _check_in_reach(self):
        """Refuse what was taken back already, and what is about people whom the user may not see."""
        if self.state != "in_force":
            raise UserError(_("%s was taken back already.", self.display_name))
        lines = self.env["spp.enrollment.decision.line"]
        if lines.search_count([("decision_id", "=", self.id)]) < self.member_count:
            raise AccessError(
                _(
                    "%s is also about people whom you may not see: somebody else takes it back.",
                    self.display_name,
                )
            )

    def _take_back(self, reason):
        self.env.flush_all()
        self._refuse_changed()
        self._refuse_built_on()
        self.env.cr.execute(
            SQL(
                """
                UPDATE spp_program_membership m
                   SET state = l.state, state_date = l.state_date, state_reason = l.state_reason,
                       by_hand = l.by_hand, by_hand_reason = l.by_hand_reason, enrolled_on = l.enrolled_on,
                       decision_id = l.previous_id, write_uid = %(uid)s, write_date = %(now)s
                  FROM spp_enrollment_decision_line l
                 WHERE l.decision_id = %(decision)s AND m.id = l.membership_id
                """,
                decision=self.id,
                uid=self.env.uid,
                now=self.env.cr.now(),
            )
        )
        self.env.invalidate_all()
        self._write_guarded(
            {
                "state": "taken_back",
                "taken_back_by": self.env.uid,
                "taken_back_at": fields.Datetime.now(),
                "taken_back_reason": reason,
            }
        )
        self.env["spp.audit.entry"]._log(
            "Decision about members taken back",
            self,
            old={"state": "in_force"},
            new={"state": "taken_back", "members": self.member_count},
            note=reason,
        )

    def _refuse_changed(self):
        """Lock the members; refuse if somebody else has one of them now, or had one since."""
        self.env.cr.execute(
            SQL(
                """
                WITH locked AS MATERIALIZED (
                    SELECT m.id, m.state <> l.new_state OR m.decision_id IS DISTINCT FROM %(decision)s AS changed
                      FROM spp_program_membership m
                      JOIN spp_enrollment_decision_line l ON l.membership_id = m.id
                     WHERE l.decision_id = %(decision)s
                  ORDER BY m.id FOR NO KEY UPDATE OF m SKIP LOCKED
                )
                SELECT (SELECT min(membership_id) FROM spp_enrollment_decision_line
                         WHERE decision_id = %(decision)s AND membership_id NOT IN (SELECT id FROM locked)),
                       (SELECT min(id) FROM locked WHERE changed)
                """,
                decision=self.id,
            )
        )
        busy, changed = self.env.cr.fetchone()
        members = self.env["spp.program.membership"]
        if busy:
            raise BeingChanged(
                _(
                    "%s is being changed by someone else at this moment. Try again when that has ended.",
                    members.browse(busy).display_name,
                )
            )
        if changed:
            raise UserError(
                _(
                    "%(decision)s cannot be taken back: %(member)s, for one, changed since. Decide about the others anew.",
                    decision=self.display_name,
                    member=members.browse(changed).display_name,
                )
            )

    def _refuse_built_on(self):
        """Refuse if a cycle beyond its draft was computed while the decision made a member be in it, or left out.

        A draft is no obstacle: it is not submitted before it has been computed for those enrolled then.
        """
        self.env.cr.execute(
            SQL(
                """
                SELECT c.id, l.membership_id
                  FROM spp_cycle c
                  JOIN spp_enrollment_decision_line l ON l.decision_id = %(decision)s
                 WHERE c.program_id = %(program)s AND c.state NOT IN ('draft', 'cancelled')
                   AND c.computed_at >= %(at)s AND 'enrolled' IN (l.state, l.new_state)
              ORDER BY c.id, l.id LIMIT 1
                """,
                decision=self.id,
                program=self.program_id.id,
                at=self.at,
            )
        )
        found = self.env.cr.fetchone()
        if found:
            raise UserError(
                _(
                    "%(decision)s cannot be taken back: %(cycle)s was computed since, and rests on it for %(member)s, "
                    "for one. Take another decision instead.",
                    decision=self.display_name,
                    # sudo: a cycle of the same program, named only
                    cycle=self.env["spp.cycle"].sudo().browse(found[0]).display_name,
                    member=self.env["spp.program.membership"].browse(found[1]).display_name,
                )
            )

    @api.model
    def _take(self, program, kind, membership_ids_sql, reason, date):
        """Take a decision about each of the memberships of `program`, or about none. A few statements in all.

        The caller has checked the user's role, and that the user may see the members.

        :param membership_ids_sql: SQL selecting one column, ids of spp_program_membership
        :return: the decision
        """
        states, new_state, words = DECISIONS[kind]
        # sudo: decisions are kept by this method only.
        decision = self.sudo().create(
            {
                "program_id": program.id,
                "kind": kind,
                "reason": reason,
                "date": date,
                "user_id": self.env.uid,
                "at": fields.Datetime.now(),
            }
        )
        count = decision._keep_members(membership_ids_sql, new_state)
        decision._refuse_states(states, count)
        decision.member_count = count
        decision.flush_recordset()
        enrolls = kind == "enroll"
        self.env.cr.execute(
            SQL(
                """
                UPDATE spp_program_membership m
                   SET state = l.new_state, state_date = %(date)s, state_reason = %(reason)s,
                       decision_id = %(decision)s,
                       by_hand = m.by_hand OR %(enrolls)s,
                       by_hand_reason = CASE WHEN %(enrolls)s THEN %(reason)s ELSE m.by_hand_reason END,
                       enrolled_on = CASE WHEN %(enrolls)s THEN %(date)s ELSE m.enrolled_on END,
                       write_uid = %(uid)s, write_date = %(now)s
                  FROM spp_enrollment_decision_line l
                 WHERE l.decision_id = %(decision)s AND m.id = l.membership_id
                """,
                date=date,
                reason=reason,
                decision=decision.id,
                enrolls=enrolls,
                uid=self.env.uid,
                now=self.env.cr.now(),
            )
        )
        self.env.invalidate_all()
        decision._log_taken(words)
        return decision.with_env(self.env)

    def _keep_members(self, membership_ids_sql, new_state):
        """Lock the members and keep what they are now; refuse if somebody else is at one of them.

        :return: how many members the decision is about
        """
        self.env.flush_all()
        self.env.cr.execute(
            SQL(
                """
                WITH chosen AS MATERIALIZED (
                    SELECT id FROM spp_program_membership WHERE program_id = %(program)s AND id IN (%(ids)s)
                ), locked AS (
                    SELECT m.* FROM spp_program_membership m JOIN chosen USING (id)
                  ORDER BY m.id FOR NO KEY UPDATE OF m SKIP LOCKED
                ), kept AS (
                    INSERT INTO spp_enrollment_decision_line
                        (decision_id, membership_id, partner_id, state, new_state, state_date, state_reason, by_hand,
                         by_hand_reason, enrolled_on, previous_id, create_uid, create_date, write_uid, write_date)
                    SELECT %(decision)s, id, partner_id, state,
                           CASE WHEN %(new_state)s <> '' THEN %(new_state)s
                                WHEN enrolled_on IS NULL THEN 'candidate' ELSE 'enrolled' END,
                           state_date, state_reason, COALESCE(by_hand, FALSE), by_hand_reason, enrolled_on, decision_id,
                           %(uid)s, %(now)s, %(uid)s, %(now)s
                      FROM locked
                 RETURNING membership_id
                )
                SELECT (SELECT count(*) FROM chosen), (SELECT count(*) FROM kept),
                       (SELECT min(id) FROM chosen WHERE id NOT IN (SELECT membership_id FROM kept))
                """,
                program=self.program_id.id,
                ids=membership_ids_sql,
                decision=self.id,
                new_state=new_state or "",
                uid=self.env.uid,
                now=self.env.cr.now(),
            )
        )
        chosen, kept, busy = self.env.cr.fetchone()
        if not chosen:
            raise UserError(_("Choose the members whom the decision is about."))
        if kept < chosen:
            raise BeingChanged(
                _(
                    "%s is being changed by someone else at this moment. Try again when that has ended.",
                    self.env["spp.program.membership"].browse(busy).display_name,
                )
            )
        statistics.refresh(self.env.cr, "spp_enrollment_decision_line", chosen)
        return chosen

    def _refuse_states(self, states, total):
        self.env.cr.execute(
            SQL(
                """
                SELECT count(*), (array_agg(membership_id ORDER BY id))[1], (array_agg(state ORDER BY id))[1]
                  FROM spp_enrollment_decision_line
                 WHERE decision_id = %s AND state NOT IN %s
                """,
                self.id,
                states,
            )
        )
        count, member_id, state = self.env.cr.fetchone()
        if count:
            members = self.env["spp.program.membership"]
            labels = dict(members._fields["state"]._description_selection(self.env))
            raise UserError(
                _(
                    "This cannot be decided about %(count)s of the %(total)s members, such as %(name)s, who is %(state)s.",
                    count=count,
                    total=total,
                    name=members.browse(member_id).display_name,
                    state=labels[state].lower(),
                )
            )

    def _log_taken(self, words):
        """One audit entry: about one member on the membership, about many on the decision, which lists them."""
        new = {"date": str(self.date), "decision": self.id}
        if self.member_count == 1:
            line = self.line_ids
            record, old, new = line.membership_id, {"state": line.state}, {"state": line.new_state, **new}
        else:
            record, old, new = self, {}, {"members": self.member_count, **new}
        self.env["spp.audit.entry"]._log(words, record, old=old, new=new, note=self.reason)


class EnrollmentDecisionLine(models.Model):
    _name = "spp.enrollment.decision.line"
    _description = "Member decided about"
    _order = "id"
    _rec_name = "membership_id"

    decision_id = fields.Many2one(
        comodel_name="spp.enrollment.decision", required=True, readonly=True, ondelete="restrict"
    )
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
    program_id = fields.Many2one(related="decision_id.program_id")
    state = fields.Selection(
        selection=lambda self: self.env["spp.program.membership"]._fields["state"].selection,
        string="State before",
        required=True,
        readonly=True,
    )
    new_state = fields.Selection(
        selection=lambda self: self.env["spp.program.membership"]._fields["state"].selection,
        string="State after",
        required=True,
        readonly=True,
    )
    state_date = fields.Date(string="Since, before", readonly=True)
    state_reason = fields.Char(string="Reason before", readonly=True)
    by_hand = fields.Boolean(string="By hand before", readonly=True, default=False)
    by_hand_reason = fields.Char(readonly=True)
    enrolled_on = fields.Date(string="Enrolled on, before", readonly=True)
    previous_id = fields.Many2one(
        comodel_name="spp.enrollment.decision", string="Decision before", readonly=True, ondelete="restrict"
    )

    _sql_constraints = [
        ("membership_unique", "UNIQUE(decision_id, membership_id)", "A decision is about a member once."),
    ]
