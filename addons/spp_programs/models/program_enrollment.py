"""Who is in a program: candidates are brought in, and the rule decides about those whom no person decided about.

The bulk steps are runs; each is the same few SQL statements, however many people there are.
"""

from psycopg2.errors import QueryCanceled

from odoo import _, fields, models
from odoo.exceptions import UserError
from odoo.tools import SQL

from odoo.addons.spp_base.tools import statistics

# Whom no person has decided about, and the rule has not enrolled.
UNDECIDED = [("state", "in", ["candidate", "ineligible"]), ("by_hand", "=", False)]
UNDETERMINED = [("state", "=", "candidate"), ("outcome", "=", "undetermined"), ("by_hand", "=", False)]
WORK_MEMORY_KB = 64 * 1024  # at least, for each join or sort of a statement that evaluates a rule and writes


class Program(models.Model):
    _inherit = "spp.program"

    # ------------------------------------------------------------------ actions

    def action_enroll(self, as_of=None):
        """Evaluate the rule for everybody whom no person has decided about, and enroll who is eligible.

        Considered are candidates and those found ineligible before, as far as the user may see them. Who is
        eligible becomes enrolled, who is not becomes ineligible, and who cannot be decided about stays (or
        becomes again) a candidate with the outcome "undetermined" and what is missing. Suspended, graduated,
        exited, duplicate members and everybody enrolled by hand are left alone.

        :param as_of: date on which ages and memberships are looked at, "2026-01-31"; today when not given
        :return: id of the run (spp.run)
        """
        self._check_role("enrollment_officer", "program_manager")
        return self._evaluate("enroll", _("Enroll: %s", self.name), UNDECIDED, as_of)

    def _do_enroll(self, run, as_of):
        self._do_evaluate(run, UNDECIDED, as_of)

    def action_look_again(self, as_of=None):
        """As action_enroll(), only for those who were undetermined: their data may be complete by now.

        The same is done every night for each active program.
        """
        self._check_role("enrollment_officer", "program_manager")
        return self._evaluate("look_again", _("Look again: %s", self.name), UNDETERMINED, as_of)

    def _do_look_again(self, run, as_of):
        self._do_evaluate(run, UNDETERMINED, as_of)

    # ------------------------------------------------------------------ nightly

    def _cron_look_again(self):
        """Find what is due and enqueue it: a run for each active program with undetermined people."""
        self.env.flush_all()
        self.env.cr.execute(
            """
            SELECT p.id FROM spp_program p
             WHERE p.state = 'active'
               AND EXISTS (SELECT FROM spp_program_membership m
                            WHERE m.program_id = p.id AND m.state = 'candidate' AND m.outcome = 'undetermined')
            """
        )
        programs = self.browse(program_id for (program_id,) in self.env.cr.fetchall())
        runs, as_of = self.env["spp.run"], fields.Date.context_today(self)
        for program in programs:
            if not runs._at_work(program, "program_look_again"):
                name = _("Look again: %s", program.name)
                runs._queue_job("program_look_again", name, program, "look_again", [str(as_of)], as_of=as_of)

    # ------------------------------------------------------------------ business

    def _evaluate(self, action, name, domain, as_of):
        self.ensure_one()
        self._check_role("enrollment_officer", "program_manager")
        self._check_active()
        self._published_version()
        as_of = fields.Date.to_date(as_of) or fields.Date.context_today(self)
        rows = self._rows("spp.program.membership", [("program_id", "=", self.id), *domain])
        return self._bulk(action, name, [str(as_of)], rows=rows, as_of=as_of)

    def _do_evaluate(self, run, domain, as_of):
        self._lock()
        self._check_active()
        # _search() applies the record rules: an officer of one area enrolls that area's people only.
        visible = self.env["spp.program.membership"]._search([("program_id", "=", self.id), *domain])
        counts = self._evaluate_members(
            visible.select(), self._published_version(), fields.Date.to_date(as_of)
        )
        run._finish(counts, self._duplicates_warning())

    def _add_candidates(self, partner_ids_sql):
        """Add registrants as candidates, in one statement; who is a member already stays as they are.

        :param partner_ids_sql: SQL selecting one column, ids of res_partner. Registrants of the other kind
            (individual, group), of another company, those who are disabled or deceased, and those who were
            set aside as a duplicate of somebody else are left out.
        :return: how many were added
        """
        self.ensure_one()
        self.env.flush_all()
        self.env.cr.execute(
            SQL(
                """
                INSERT INTO spp_program_membership
                    (program_id, partner_id, state, by_hand, create_uid, create_date, write_uid, write_date)
                SELECT %(program)s, p.id, 'candidate', FALSE, %(uid)s, %(now)s, %(uid)s, %(now)s
                  FROM res_partner p
                 WHERE p.id IN (%(ids)s)
                   AND p.is_registrant AND p.active AND COALESCE(p.is_group, FALSE) = %(is_group)s
                   AND p.registrant_status = 'active'
                   AND (p.company_id IS NULL OR p.company_id = %(company)s)
                   AND NOT %(set_aside)s
                ON CONFLICT (program_id, partner_id) DO NOTHING
                """,
                program=self.id,
                uid=self.env.uid,
                now=self.env.cr.now(),
                ids=partner_ids_sql,
                is_group=self.target == "group",
                company=self.company_id.id,
                set_aside=self._set_aside_sql(),
            )
        )
        added = self.env.cr.rowcount
        statistics.refresh(self.env.cr, "spp_program_membership", added)
        self.env.invalidate_all()
        return added

    def _evaluate_members(self, membership_ids_sql, version, as_of):
        """Give each of the memberships the outcome of the rule and the state that follows, in one statement.

        :return: {label of the outcome: number of members}
        """
        self.env.flush_all()
        chosen = SQL(
            """
            SELECT m.id, m.partner_id, p.registrant_status
              FROM spp_program_membership m
              JOIN res_partner p ON p.id = m.partner_id
             WHERE m.id IN (%s)
            """,
            membership_ids_sql,
        )
        population = SQL("SELECT partner_id AS id FROM (%s) c WHERE registrant_status = 'active'", chosen)
        self._execute_rule(
            version,
            SQL(
                """
                WITH answer AS (
                    SELECT c.id, c.registrant_status = 'active' AS alive,
                           CASE WHEN c.registrant_status = 'active'
                                THEN COALESCE(o.outcome, 'undetermined') ELSE 'not_eligible' END AS outcome,
                           CASE WHEN c.registrant_status = 'active' THEN o.facts
                                ELSE jsonb_build_object('registrant_status', c.registrant_status) END AS facts
                      FROM (%(chosen)s) c
                 LEFT JOIN (%(outcomes)s) o ON o.id = c.partner_id
                ), decided AS (
                    SELECT *, CASE outcome WHEN 'eligible' THEN 'enrolled' WHEN 'not_eligible' THEN 'ineligible'
                                           ELSE 'candidate' END AS state
                      FROM answer
                ), changed AS (
                    UPDATE spp_program_membership m
                       SET state = d.state,
                           state_date = CASE WHEN m.state = d.state THEN m.state_date ELSE %(as_of)s END,
                           enrolled_on = CASE WHEN d.state = 'enrolled' THEN %(as_of)s ELSE m.enrolled_on END,
                           outcome = d.outcome,
                           facts = d.facts,
                           missing = CASE WHEN d.outcome = 'undetermined' THEN %(missing)s END,
                           evaluated_on = %(as_of)s,
                           rule_version_id = CASE WHEN d.alive THEN %(version)s::integer END,
                           write_uid = %(uid)s,
                           write_date = %(now)s
                      FROM decided d
                     WHERE m.id = d.id
                 RETURNING m.outcome
                )
                SELECT outcome, count(*) FROM changed GROUP BY outcome
                """,
                chosen=chosen,
                outcomes=version._outcome_query(population, as_of, self._variable_values()),
                missing=self._missing_sql(version),
                as_of=as_of,
                version=version.id,
                uid=self.env.uid,
                now=self.env.cr.now(),
            ),
        )
        counts = dict(self.env.cr.fetchall())
        self.env.invalidate_all()
        labels = self.env["spp.program.membership"]._fields["outcome"]._description_selection(self.env)
        return {label: counts.get(outcome, 0) for outcome, label in labels}

    def _missing_sql(self, version):
        """What the facts `d.facts` do not hold of what the rule asks for, in words: "birthdate, income"."""
        keys = {}
        for key, words in version._unknowns().items():
            keys.setdefault(words, []).append(key)
        unknown = [
            SQL(
                "CASE WHEN %s THEN %s END",
                SQL(" OR ").join(
                    SQL(
                        "COALESCE(d.facts -> %(key)s, 'null') = 'null'"
                        " OR (d.facts -> %(key)s -> 'certain') <> (d.facts -> %(key)s -> 'possible')",
                        key=key,
                    )
                    for key in of_words
                ),
                words,
            )
            for words, of_words in keys.items()
        ]
        otherwise = _("a value that can be computed")
        if not unknown:
            return SQL("%s", otherwise)
        return SQL("COALESCE(NULLIF(concat_ws(', ', %s), ''), %s)", SQL(", ").join(unknown), otherwise)

    def _execute_rule(self, version, statement):
        """Execute a statement in which a rule is evaluated for many; the rule's limits hold."""
        self.env.cr.execute("SELECT count(*) FROM spp_program_membership WHERE program_id = %s", [self.id])
        # What rules read, and what a cycle keeps of each person's situation.
        tables = {
            "spp_program_membership",
            "spp_payment_account",
            *self.env["spp.cel.schema"]._schema().tables,
        }
        statistics.refresh_unknown(self.env.cr, tables, self.env.cr.fetchone()[0])
        version._run_settings(self.env.cr)
        # What writes is not spread over several processes: it joins a million people in memory, not in files.
        self.env.cr.execute(
            """
            SELECT set_config('work_mem', GREATEST(pg_size_bytes(current_setting('work_mem')) / 1024, %s) || 'kB', TRUE)
            """,
            [WORK_MEMORY_KB],
        )
        try:
            self.env.cr.execute(statement)
        except QueryCanceled:
            raise UserError(
                _("Evaluating the rule took too long and was stopped. Simplify the rule.")
            ) from None
