"""Decisions about many members of a program at once, and about people who were no candidates before."""

from odoo import _, fields, models
from odoo.exceptions import UserError
from odoo.tools import SQL

from .program_membership import DECISIONS


class Program(models.Model):
    _inherit = "spp.program"

    decision_ids = fields.One2many(
        comodel_name="spp.enrollment.decision", inverse_name="program_id", string="Decisions about members"
    )

    def action_decide(self, decision, domain, reason, date=None):
        """Decide about all members of the program that a domain finds and the user may see, or about none of them.

        :param decision: enroll, suspend, resume, reinstate, exit, graduate or duplicate
        :param domain: of spp.program.membership; [["state", "=", "enrolled"]]
        :param reason: why, in plain words
        :param date: from when, "2026-01-31"; today when not given
        :return: id of the run (spp.run)
        """
        self.ensure_one()
        self._check_role("enrollment_officer", "program_manager")
        if decision not in DECISIONS:
            raise UserError(_("A decision is one of: %s.", ", ".join(DECISIONS)))
        members = self.env["spp.program.membership"]
        arguments = [decision, domain or [], members._given_reason(reason), str(self._decision_date(date))]
        rows = self._rows(members._name, [("program_id", "=", self.id), *(domain or [])])
        return self._bulk("decide", f"{DECISIONS[decision][2]}: {self.name}", arguments, rows=rows)

    def _do_decide(self, run, decision, domain, reason, date):
        found = self.env["spp.program.membership"]._search([("program_id", "=", self.id), *domain])
        taken = self.env["spp.enrollment.decision"]._take(
            self, decision, found.select(), reason, fields.Date.to_date(date)
        )
        run._finish({_("Members decided about"): taken.member_count})

    def action_enroll_by_hand(self, partner_ids, reason, date=None):
        """Enroll registrants by a person's decision, whether or not they were candidates before.

        The rule is not asked about them, now or in a cycle.

        :param partner_ids: ids of registrants of the program's target
        :return: id of the run (spp.run)
        """
        self.ensure_one()
        self._check_role("enrollment_officer", "program_manager")
        self._check_active()
        partners = self._registrants(partner_ids)
        reason = self.env["spp.program.membership"]._given_reason(reason)
        arguments = [partners.ids, reason, str(self._decision_date(date))]
        return self._bulk("enroll_by_hand", _("Enroll by hand: %s", self.name), arguments, rows=len(partners))

    def _do_enroll_by_hand(self, run, partner_ids, reason, date):
        self._check_active()
        partners = self._registrants(partner_ids)
        members = self.env["spp.program.membership"]
        self._add_candidates(SQL("SELECT unnest(%s::integer[])", partners.ids))
        found = members.search([("program_id", "=", self.id), ("partner_id", "in", partners.ids)])
        left = partners - found.partner_id
        if left:
            raise UserError(
                _(
                    "%(person)s cannot be a member of %(program)s: it is for active registrants of its kind and company.",
                    person=left[0].display_name,
                    program=self.display_name,
                )
            )
        taken = self.env["spp.enrollment.decision"]._take(
            self, "enroll", SQL("SELECT unnest(%s::integer[])", found.ids), reason, fields.Date.to_date(date)
        )
        run._finish({_("Enrolled by hand"): taken.member_count})

    def _registrants(self, partner_ids):
        partners = self.env["res.partner"].browse(sorted(set(partner_ids or ())))
        if not partners or len(partners.exists()) < len(partners):
            raise UserError(_("Choose registrants of the registry."))
        partners.check_access_rule("read")
        return partners

    def _decision_date(self, date):
        return fields.Date.to_date(date) or fields.Date.context_today(self)
