"""The computation of a draft cycle: an outcome for every enrolled member. What each is due is in cycle_amounts.py.

A draft is computed as often as wanted, each time afresh; one SQL statement a stage.
"""

from odoo import _, fields, models
from odoo.tools import SQL

from odoo.addons.spp_base.tools import statistics

from .cycle import FIGURES


class Cycle(models.Model):
    _inherit = "spp.cycle"

    def action_compute(self):
        """Compute the outcome of every enrolled member and the entitlements of who is eligible; drafts only.

        A draft that was computed before is computed afresh. Role: program manager.

        :return: id of the run (spp.run)
        """
        self.ensure_one()
        self._check_role("program_manager")
        self._check_state("draft")
        self.program_id._check_active()
        self.program_id._published_version()
        return self._bulk(
            "compute",
            _("Compute: %s", self.display_name),
            rows=self._rows("spp.program.membership", self._enrolled()),
            as_of=self.as_of,
        )

    def _do_compute(self, run):
        # Two supplementary cycles of one period must not be about the same people.
        (self | self._period())._lock()
        self._check_state("draft")
        self.program_id._check_active()
        version = self.program_id._published_version()
        values = self.program_id._variable_values()
        self.env.flush_all()
        self._remember()
        self._clear()
        # sudo: a cycle is whole, also where the user's area hides people.
        members = self.env["spp.program.membership"].sudo().search_count(self._enrolled())
        run._progress(0, total=3 * members, stage=_("Outcomes"))
        # Many may have been enrolled a moment ago: where one is expected, 11,000 households took 6 minutes.
        statistics.refresh(self.env.cr, "spp_program_membership", members)
        self._insert_beneficiaries(version, values)
        compliance = self._apply_compliance(values)
        run._progress(members, stage=_("Entitlements"))
        terms = self._current_terms()
        self._insert_entitlements(terms)
        figures = self._count()
        self._write_guarded(
            {
                **figures,
                "rule_version_id": version.id,
                "variable_values": version._constants_used(values),
                "terms": {**terms, **compliance},
                "computed_at": fields.Datetime.now(),
            }
        )
        run._progress(2 * members, stage=_("Differences"))
        self._compare_with_earlier()
        self._compare_with_previous()
        run._finish(
            {
                self._fields[name]._description_string(self.env): figures[name]
                for name in FIGURES
                if name != "total_amount"
            }
        )
        self.env.invalidate_all()

    # ------------------------------------------------------------------ business

    def _enrolled(self):
        """The members that a computation considers."""
        return [("program_id", "=", self.program_id.id), ("state", "=", "enrolled")]

    def _clear(self):
        """Remove what an earlier computation of this draft left, but for the members whom people took out."""
        self.env.cr.execute(SQL("DELETE FROM spp_entitlement WHERE cycle_id = %s", self.id))
        self.env.cr.execute(
            SQL(
                """
                DELETE FROM spp_cycle_beneficiary b
                 WHERE cycle_id = %s
                   AND (exclusion_reason IS NULL
                        OR NOT EXISTS (SELECT FROM spp_program_membership m
                                        WHERE m.id = b.membership_id AND m.state = 'enrolled')
                       AND NOT EXISTS (SELECT FROM spp_cycle_withdrawal w
                                        WHERE w.beneficiary_id = b.id AND w.state = 'confirmed'))
                """,
                self.id,
            )
        )

    def _considered(self):
        """SQL about the row `m` of spp_program_membership: whom of the enrolled members the cycle is about."""
        self.env.cr.execute(SQL("SELECT FROM spp_cycle_beneficiary WHERE cycle_id = %s LIMIT 1", self.id))
        if not self.env.cr.rowcount:
            return SQL("TRUE")
        # Who was excluded by a person is in the cycle already.
        return SQL(
            "NOT EXISTS (SELECT FROM spp_cycle_beneficiary b WHERE b.cycle_id = %s AND b.membership_id = m.id)",
            self.id,
        )

    def _insert_beneficiaries(self, version, values):
        """The outcome of every enrolled member, also of those whom the user's area hides: a cycle is whole."""
        members = SQL(
            """
            SELECT m.id, m.partner_id, m.by_hand, p.registrant_status,
                   COALESCE(m.by_hand_reason, m.state_reason) AS state_reason
              FROM spp_program_membership m
              JOIN res_partner p ON p.id = m.partner_id
             WHERE m.program_id = %s AND m.state = 'enrolled' AND %s
            """,
            self.program_id.id,
            self._considered(),
        )
        population = SQL(
            "SELECT partner_id AS id FROM (%s) m WHERE registrant_status = 'active' AND NOT by_hand", members
        )
        self.program_id._execute_rule(
            version,
            SQL(
                """
                INSERT INTO spp_cycle_beneficiary
                    (cycle_id, membership_id, partner_id, outcome, facts, situation,
                     create_uid, create_date, write_uid, write_date)
                SELECT %(cycle)s, m.id, m.partner_id,
                       CASE WHEN m.registrant_status IS DISTINCT FROM 'active' THEN 'excluded'
                            WHEN m.by_hand THEN 'eligible'
                            ELSE COALESCE(o.outcome, 'undetermined') END,
                       CASE WHEN m.registrant_status IS DISTINCT FROM 'active'
                            THEN jsonb_build_object('registrant_status', m.registrant_status)
                            WHEN m.by_hand THEN jsonb_build_object('by_hand', m.state_reason)
                            ELSE o.facts END,
                       s.situation,
                       %(uid)s, %(now)s, %(uid)s, %(now)s
                  FROM (%(members)s) m
                  JOIN (%(situations)s) s ON s.id = m.partner_id
             LEFT JOIN (%(outcomes)s) o ON o.id = m.partner_id
                """,
                cycle=self.id,
                members=members,
                situations=self._situations(members),
                outcomes=version._outcome_query(population, self.as_of, values),
                uid=self.env.uid,
                now=self.env.cr.now(),
            ),
        )
        statistics.refresh(self.env.cr, "spp_cycle_beneficiary", self.env.cr.rowcount, many=statistics.FEW)

    def _count(self):
        """Return the cycle's FIGURES as they are in the database."""
        self.env.cr.execute(
            SQL(
                """
                SELECT count(*),
                       count(*) FILTER (WHERE outcome = 'eligible'),
                       count(*) FILTER (WHERE outcome = 'not_eligible'),
                       count(*) FILTER (WHERE outcome = 'undetermined'),
                       count(*) FILTER (WHERE outcome = 'not_compliant'),
                       count(*) FILTER (WHERE outcome = 'excluded'),
                       count(*) FILTER (WHERE outcome = 'eligible' AND amount_problem IS NOT NULL),
                       (SELECT count(*) FROM spp_entitlement WHERE cycle_id = %(cycle)s),
                       (SELECT COALESCE(sum(amount), 0) FROM spp_entitlement WHERE cycle_id = %(cycle)s)
                  FROM spp_cycle_beneficiary
                 WHERE cycle_id = %(cycle)s
                """,
                cycle=self.id,
            )
        )
        return dict(zip(FIGURES, self.env.cr.fetchone(), strict=True))
