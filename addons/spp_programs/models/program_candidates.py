"""Candidates of a program: from the registry, by area and filter, or by a list that another office made."""

import re

from odoo import _, models
from odoo.exceptions import UserError
from odoo.tools import SQL


class Program(models.Model):
    _inherit = "spp.program"

    def action_import_candidates(self, domain=None, area_ids=None):
        """Add active registrants of the program's target, whom the user may see, as candidates.

        :param domain: only those whom this domain of res.partner finds, whatever the rule says
        :param area_ids: only those of these areas (spp.area), and of the areas within them
        :return: id of the run (spp.run); its counts say how many were added
        """
        self.ensure_one()
        self._check_role("enrollment_officer", "program_manager")
        self._check_active()
        name = _("Import candidates: %s", self.name)
        rows = self._rows("res.partner", self._wanted(domain, area_ids))
        return self._bulk("import_candidates", name, [domain or [], area_ids or []], rows=rows)

    def _do_import_candidates(self, run, domain, area_ids):
        self._lock()
        self._check_active()
        # _search() applies the record rules: an officer of one area brings in that area's people only.
        added = self._add_candidates(self.env["res.partner"]._search(self._wanted(domain, area_ids)).select())
        run._finish({_("Candidates added"): added})

    def _wanted(self, domain, area_ids):
        """Domain of the registrants who become candidates."""
        areas = [("area_id", "child_of", area_ids)] if area_ids else []
        return [
            ("is_registrant", "=", True),
            ("is_group", "=", self.target == "group"),
            *areas,
            *(domain or []),
        ]

    def action_import_list(self, rows):
        """Add the registrants of a list as candidates. Rows that name nobody become failed rows of the run.

        :param rows: for each person the id of the registrant (a number), or the number of a valid identity
            document (a text)
        :return: id of the run (spp.run)
        """
        self.ensure_one()
        self._check_role("enrollment_officer", "program_manager")
        self._check_active()
        rows = [row if isinstance(row, int) else str(row or "").strip() for row in rows or ()]
        if not rows:
            raise UserError(_("The list is empty."))
        return self._bulk("import_list", _("Import a list: %s", self.name), [rows], rows=len(rows))

    def _do_import_list(self, run, rows):
        self._lock()
        self._check_active()
        run._progress(0, total=len(rows))
        self.env.flush_all()
        self._read_list(rows)
        self.env.cr.execute("SELECT count(DISTINCT partner_id) FROM spp_candidate_row WHERE problem IS NULL")
        named = self.env.cr.fetchone()[0]
        added = self._add_candidates(SQL("SELECT partner_id FROM spp_candidate_row WHERE problem IS NULL"))
        self.env.cr.execute(
            "SELECT number, id, document, problem FROM spp_candidate_row WHERE problem IS NOT NULL ORDER BY number"
        )
        failures = [self._row_failure(*row) for row in self.env.cr.fetchall()]
        run._add_failures(failures)
        run._finish(
            {
                _("Candidates added"): added,
                _("Members already"): named - added,
                _("Rows that name nobody who could be added"): len(failures),
            }
        )

    def _read_list(self, rows):
        """Find who is meant by each row, in one statement, into a table of this transaction."""
        self.env.cr.execute("DROP TABLE IF EXISTS spp_candidate_row")
        documents = SQL("FALSE")
        if self.env["spp.identity.document"].check_access_rights("read", raise_exception=False):
            documents = SQL("TRUE")
        self.env.cr.execute(
            SQL(
                """
                CREATE TEMPORARY TABLE spp_candidate_row ON COMMIT DROP AS
                WITH given AS (
                    SELECT number, id, NULLIF(document, '') AS document
                      FROM unnest(%(ids)s::bigint[], %(documents)s::varchar[]) WITH ORDINALITY
                           AS g (id, document, number)
                ), visible AS (%(visible)s), meant AS (
                    SELECT g.number, g.id::integer AS partner_id FROM given g JOIN visible v ON v.id = g.id
                     UNION
                    SELECT g.number, d.partner_id FROM given g
                      JOIN spp_identity_document d ON d.value = g.document AND d.state = 'valid'
                      JOIN visible v ON v.id = d.partner_id
                     WHERE %(may_read_documents)s
                ), found AS (
                    SELECT number, count(*) AS people, min(partner_id) AS partner_id FROM meant GROUP BY number
                )
                SELECT g.number, g.id, g.document, f.partner_id,
                       CASE WHEN p.id IS NULL THEN 'unknown'
                            WHEN f.people > 1 THEN 'several'
                            WHEN COALESCE(p.is_group, FALSE) <> %(is_group)s THEN 'kind'
                            WHEN p.registrant_status <> 'active' OR NOT p.active THEN 'inactive'
                            WHEN p.company_id <> %(company)s THEN 'company'
                            WHEN %(set_aside)s THEN 'set_aside' END AS problem
                  FROM given g
             LEFT JOIN found f ON f.number = g.number
             LEFT JOIN res_partner p ON p.id = f.partner_id
                """,
                ids=[row if isinstance(row, int) else None for row in rows],
                documents=[None if isinstance(row, int) else row for row in rows],
                visible=self.env["res.partner"]
                .with_context(active_test=False)
                ._search([("is_registrant", "=", True)])
                .select(),
                may_read_documents=documents,
                is_group=self.target == "group",
                company=self.company_id.id,
                set_aside=self._set_aside_sql(),
            )
        )

    def _row_failure(self, number, partner_id, document, problem):
        """A failed row as spp.run keeps it; of a document its last characters only."""
        reasons = {
            "unknown": _("Nobody in the registry whom you may see has this id or this valid document."),
            "several": _(
                "Several registrants have a document with this number; use the id of the one meant."
            ),
            "kind": _("The registrant is not of the kind that the program is for."),
            "inactive": _("The registrant is disabled, deceased or archived."),
            "company": _("The registrant belongs to another company."),
            "set_aside": _("The registrant was set aside as a duplicate of another one."),
        }
        return {
            "name": _("Row %s", number),
            "external_id": str(partner_id) if partner_id else re.sub(r".(?=.{3})", "•", document or ""),
            "reason": reasons[problem],
        }

    def _set_aside_sql(self):
        """Condition that the res_partner `p` was set aside as a duplicate of another registrant."""
        return SQL(
            "EXISTS (SELECT FROM spp_duplicate_case s WHERE s.set_aside_id = p.id AND s.state = 'same')"
        )
