"""Handing out the goods of a cycle: one by one, for everybody of an area, or by the list that came back from the field.

A bulk action like the others: one transaction, the same statements however many people there are.
"""

import base64

from odoo import _, fields, models
from odoo.exceptions import UserError
from odoo.tools import SQL

from odoo.addons.spp_base.tools import statistics

from ..tools import paper
from ..tools.domain import checked
from ..tools.goods import goods_text
from .handout import ROLES

MOST_LINES = 5_000  # of one printed list
LIST_COLUMNS = ("reference", "date", "collected_by", "evidence")
PRINTERS = (*ROLES, "program_manager")


class Cycle(models.Model):
    _inherit = "spp.cycle"

    handout_ids = fields.One2many(
        comodel_name="spp.handout", inverse_name="cycle_id", string="Goods handed out", readonly=True
    )
    goods_summary_ids = fields.One2many(
        comodel_name="spp.goods.summary", inverse_name="cycle_id", string="Goods", readonly=True
    )
    gives_goods = fields.Boolean(compute="_compute_gives_goods", compute_sudo=True)
    goods_to_collect_count = fields.Integer(
        string="Goods to be collected",
        compute="_compute_goods_to_collect_count",
        compute_sudo=True,
        help="Entitlements of goods that are approved and were not handed out yet.",
    )

    def _compute_gives_goods(self):
        for cycle in self:
            cycle.gives_goods = cycle._gives_goods()

    def _compute_goods_to_collect_count(self):
        counts = dict(
            self.env["spp.entitlement"]._read_group(
                [("cycle_id", "in", self.ids), ("kind", "=", "goods"), ("state", "=", "approved")],
                ["cycle_id"],
                ["__count"],
            )
        )
        for cycle in self:
            cycle.goods_to_collect_count = counts.get(cycle, 0)

    # ------------------------------------------------------------------ actions

    def action_hand_out(self, evidence, on=None, collected_by="", domain=None):
        """Record that goods of this cycle were handed out, of all who may be seen, or of those of a domain.

        Who is proposed to be withdrawn is left out, as a failed row of the run.
        Roles: enrollment officer, finance officer, and not who submitted or approved the cycle.

        :param evidence: what shows it: "Signed lists 1 to 14"
        :param on: date on which they were handed out, "2026-11-21"; today when not given
        :param collected_by: who collected them, where it was not each registrant
        :param domain: only entitlements that fit it: conditions on fields of the entitlement, and on the registrant's
            as `partner_id.…`
        :return: id of the run (spp.run)
        """
        self.ensure_one()
        self._check_may_hand_out()
        evidence = self._given_reason(evidence)
        on = str(on or fields.Date.context_today(self))
        self._check_handed_out_on(on)
        domain = checked(self.env["spp.entitlement"], domain or [])
        return self._bulk(
            "hand_out",
            _("Hand out goods: %s", self.display_name),
            [evidence, on, (collected_by or "").strip(), domain],
            rows=self._rows("spp.entitlement", [("cycle_id", "=", self.id), *domain]),
        )

    def _do_hand_out(self, run, evidence, on, collected_by, domain):
        self._lock()
        self._check_may_hand_out()
        self._check_handed_out_on(on)
        entitlements = self.env["spp.entitlement"]
        self.env.flush_all()
        # _search() applies the record rules: an officer of one area hands out to that area's people only.
        meant = entitlements._search(
            [
                *self._goods(),
                ("state", "in", ["approved", "expired"]),
                *checked(entitlements, domain),
            ]
        )
        self._hand_out(
            run,
            SQL(
                """
                SELECT row_number() OVER (ORDER BY e.id) AS number, e.reference, e.id AS entitlement_id,
                       %(on)s::date AS day, %(collected_by)s::varchar AS collected_by, %(evidence)s::varchar AS evidence
                  FROM spp_entitlement e
                 WHERE e.id IN %(meant)s AND (e.state = 'approved' OR %(on)s::date <= e.valid_until)
                """,
                on=on,
                collected_by=collected_by,
                evidence=evidence,
                meant=meant.subselect(),
            ),
        )

    def action_hand_out_list(self, rows, evidence=""):
        """Record what a list says that was handed out. Rows that are not in order become failed rows of the run.

        A row that says again what was recorded before is counted, and changes nothing. Roles as for `action_hand_out`.

        :param rows: list of dicts of texts: `reference` of the entitlement, `date` ("2026-11-21"), and where there are
            any `collected_by` and `evidence`
        :param evidence: what shows those rows that have no evidence of their own
        :return: id of the run (spp.run)
        """
        self.ensure_one()
        self._check_may_hand_out()
        rows = [self._list_row(row, (evidence or "").strip()) for row in rows or ()]
        if not rows:
            raise UserError(_("The list is empty."))
        name = _("Hand out goods by a list: %s", self.display_name)
        return self._bulk("hand_out_list", name, [rows], rows=len(rows))

    def _do_hand_out_list(self, run, rows):
        self._lock()
        self._check_may_hand_out()
        self.env.flush_all()
        visible = self.env["spp.entitlement"]._search(self._goods())
        self._hand_out(
            run,
            SQL(
                """
                SELECT g.number, g.reference, e.id AS entitlement_id, NULLIF(g.day, '')::date AS day, g.collected_by,
                       g.evidence
                  FROM unnest(%s::varchar[], %s::varchar[], %s::varchar[], %s::varchar[]) WITH ORDINALITY
                       AS g (reference, day, collected_by, evidence, number)
             LEFT JOIN (SELECT id, reference FROM spp_entitlement WHERE id IN %s) e ON e.reference = g.reference
                """,
                *([row[name] for row in rows] for name in LIST_COLUMNS),
                visible.subselect(),
            ),
        )

    def action_collection_list(self, domain=None):
        """Print the goods that are to be collected, with room to sign: one line for each entitlement.

        Roles: enrollment officer, finance officer, program manager.

        :param domain: only entitlements that fit it, as for `action_hand_out`
        :return: {"name": of the file, "content": the PDF in base64, "lines": how many}
        """
        self.ensure_one()
        self._check_role(*PRINTERS)
        self._check_state("approved", "disbursing")
        entitlements = self.env["spp.entitlement"]
        wanted = [*self._goods(), ("state", "=", "approved"), *checked(entitlements, domain or [])]
        due = entitlements.search(wanted, limit=MOST_LINES + 1)
        if not due:
            raise UserError(_("Nothing is to be collected here."))
        if len(due) > MOST_LINES:
            raise UserError(
                _(
                    "A list has at most %s lines. Print one for each area, or for some areas at a time.",
                    MOST_LINES,
                )
            )
        # sudo: the names of areas, of people whom the user may see
        areas = {
            entitlement: entitlement.sudo().partner_id.area_id.complete_name or "" for entitlement in due
        }
        due = due.sorted(lambda one: (areas[one], one.partner_id.name or "", one.id))
        content = paper.collection_list(
            _("%s: goods to be collected", self.program_id.name),
            _("%(cycle)s, printed on %(day)s", cycle=self.display_name, day=fields.Date.context_today(self)),
            [
                (
                    areas[one],
                    one.partner_id.name or "",
                    one.reference,
                    goods_text(one.quantity, one.unit, one.product_name),
                )
                for one in due
            ],
            (_("Name, reference"), _("Goods"), _("Date"), _("Signature or thumbprint, and who collects")),
        )
        self.env["spp.audit.entry"]._log("Collection list printed", self, new={"lines": len(due)})
        return {
            "name": f"{self.program_id.code}-{self.number}-collection.pdf",
            "content": base64.b64encode(content).decode(),
            "lines": len(due),
        }

    def action_view_handouts(self):
        """Open what was handed out of this cycle."""
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id("spp_programs.action_spp_handout")
        return {**action, "domain": [("cycle_id", "=", self.id)], "context": {}}

    # ------------------------------------------------------------------ business

    def _goods(self):
        return [("cycle_id", "=", self.id), ("kind", "=", "goods")]

    def _check_may_hand_out(self):
        """The role, the state, and that nobody hands out what they submitted or approved."""
        self._check_role(*ROLES)
        self._check_state("approved", "disbursing")
        self.program_id._check_active()
        if self.env.user in self._barred_from_release():
            raise UserError(
                _("You submitted or approved %s: somebody else hands out its goods.", self.display_name)
            )

    def _check_handed_out_on(self, on):
        day = fields.Date.to_date(on)
        if not self._approved_on() <= day <= fields.Date.context_today(self):
            raise UserError(
                _(
                    "%(cycle)s was approved on %(approved)s: goods are handed out from then until today, not on %(day)s.",
                    cycle=self.display_name,
                    approved=self._approved_on(),
                    day=day,
                )
            )

    def _approved_on(self):
        return fields.Datetime.context_timestamp(self, self.approved_at).date()

    @staticmethod
    def _list_row(row, evidence):
        """A row as it was sent, in texts only; without a date where that is none."""
        given = {name: str(row.get(name) or "").strip() for name in LIST_COLUMNS}
        try:
            given["date"] = str(fields.Date.to_date(given["date"][:10]) or "")
        except ValueError:
            given["date"] = ""
        return {**given, "evidence": given["evidence"] or evidence}

    def _hand_out(self, run, rows):
        """Judge the rows, hand out what is in order, and keep the others as failed rows.

        :param rows: SQL selecting number, reference, entitlement_id, day, collected_by, evidence
        """
        self.env.cr.execute("DROP TABLE IF EXISTS spp_handout_row")
        self.env.cr.execute(
            SQL(
                """
                CREATE TEMPORARY TABLE spp_handout_row ON COMMIT DROP AS
                SELECT g.*, e.partner_id,
                       CASE WHEN e.id IS NULL THEN 'unknown'
                            WHEN row_number() OVER (PARTITION BY e.id ORDER BY g.number) > 1 THEN 'twice'
                            WHEN h.id IS NOT NULL AND h.handed_out_on = g.day
                                 AND COALESCE(h.collected_by, '') = COALESCE(g.collected_by, '') THEN 'same'
                            WHEN h.id IS NOT NULL THEN 'already'
                            WHEN g.day IS NULL OR g.day < %(approved_on)s OR g.day > %(today)s THEN 'date'
                            WHEN g.day > e.valid_until THEN 'late'
                            WHEN e.state = 'expired' AND g.day <= e.valid_until AND NOT EXISTS (
                                 SELECT FROM spp_entitlement other
                                  WHERE other.period_id = e.period_id AND other.partner_id = e.partner_id
                                    AND other.benefit_id = e.benefit_id AND other.state NOT IN ('cancelled', 'expired'))
                                 THEN NULL  -- the list came back after the day until which it could be collected
                            WHEN e.state <> 'approved' THEN 'ended'
                            WHEN EXISTS (SELECT FROM spp_cycle_withdrawal w
                                          WHERE w.beneficiary_id = e.beneficiary_id AND w.state = 'proposed')
                                 THEN 'withdrawal'
                            WHEN g.evidence = '' THEN 'evidence' END AS problem
                  FROM (%(rows)s) g
             LEFT JOIN spp_entitlement e ON e.id = g.entitlement_id
             LEFT JOIN spp_handout h ON h.entitlement_id = e.id AND h.state <> 'taken_back'
                """,
                rows=rows,
                approved_on=self._approved_on(),
                today=fields.Date.context_today(self),
            )
        )
        run._progress(0, total=self.env.cr.rowcount)
        made = self._keep_handouts()
        self.env.cr.execute(
            "SELECT problem, count(*) FROM spp_handout_row WHERE problem IS NOT NULL GROUP BY problem"
        )
        problems = dict(self.env.cr.fetchall())
        same = problems.pop("same", 0)
        self.env.cr.execute(
            """
            SELECT number, reference, entitlement_id, partner_id, problem FROM spp_handout_row
             WHERE problem <> 'same' ORDER BY number
            """
        )
        run._add_failures([self._handout_failure(*row) for row in self.env.cr.fetchall()])
        if made:
            if self.state == "approved":
                self._set_state("disbursing")
            self.env["spp.audit.entry"]._log("Goods handed out", self, new={"entitlements": made}, run=run)
            # sudo: what follows from a hand-out does not depend on who recorded it
            self.program_id.sudo()._finish_members(
                SQL("SELECT partner_id FROM spp_handout_row WHERE problem IS NULL")
            )
        run._finish(
            {
                _("Handed out"): made,
                _("Recorded before"): same,
                _("Rows that were not in order"): sum(problems.values()),
            }
        )

    def _keep_handouts(self):
        """Hand out what has no problem, in one statement. How many."""
        self.env.cr.execute(
            SQL(
                """
                WITH moved AS (
                    UPDATE spp_entitlement e
                       SET state = 'handed_out', state_reason = NULL, write_uid = %(uid)s, write_date = %(now)s
                      FROM spp_handout_row r
                     WHERE e.id = r.entitlement_id AND r.problem IS NULL AND e.state IN ('approved', 'expired')
                 RETURNING e.id, e.cycle_id, e.program_id, e.partner_id, r.day, r.collected_by, r.evidence
                )
                INSERT INTO spp_handout
                    (entitlement_id, cycle_id, program_id, partner_id, handed_out_on, collected_by, evidence,
                     recorded_by, recorded_at, state, create_uid, create_date, write_uid, write_date)
                SELECT id, cycle_id, program_id, partner_id, day, NULLIF(collected_by, ''), evidence,
                       %(uid)s, %(at)s, 'in_force', %(uid)s, %(now)s, %(uid)s, %(now)s
                  FROM moved ORDER BY id
                """,
                uid=self.env.uid,
                at=fields.Datetime.now(),
                now=self.env.cr.now(),
            )
        )
        made = self.env.cr.rowcount
        statistics.refresh(self.env.cr, "spp_handout", made)
        self.env.invalidate_all()
        return made

    def _handout_failure(self, number, reference, entitlement_id, partner_id, problem):
        """A failed row as spp.run keeps it."""
        reasons = {
            "unknown": _("Nothing of goods in this cycle, that you may see, has this reference."),
            "twice": _("An earlier row of the list is about the same entitlement."),
            "already": _("It was recorded as handed out before, on another day or to somebody else."),
            "date": _("The date is missing, lies ahead, or before the cycle was approved."),
            "late": _("It could not be collected any more on that day."),
            "ended": _("It is not due any more."),
            "withdrawal": _("Somebody proposed to withdraw this beneficiary: that is decided first."),
            "evidence": _("Nothing shows that it was handed out."),
        }
        return {
            "name": reference or _("Row %s", number),
            "res_model": entitlement_id and "spp.entitlement",
            "res_id": entitlement_id,
            "partner_id": partner_id,
            "reason": reasons[problem],
        }

    # ------------------------------------------------------------------ what goods change elsewhere

    def _goods_due(self):
        return super()._goods_due() + [
            (_("Goods"), goods_text(line.due, line.unit, line.product_name))
            for line in self.goods_summary_ids
        ]

    def _check_nothing_left(self):
        result = super()._check_nothing_left()
        # sudo: what was handed out counts, whoever cancels the cycle
        if self.env["spp.handout"].sudo().search_count(
            [("cycle_id", "=", self.id), ("state", "!=", "taken_back")], limit=1
        ):  # fmt: skip
            raise UserError(
                _("Goods of %s were handed out: it can be closed, not cancelled.", self.display_name)
            )
        return result

    def _what_next(self):
        if self.state not in ("approved", "disbursing") or not self.gives_goods:
            return super()._what_next()
        if self.goods_to_collect_count:
            goods = _(
                "%s entitlements of goods are to be collected: print the collection list, then record what was handed out.",
                self.goods_to_collect_count,
            )
        else:
            goods = _("All goods have come to an end.")
        if not self.total_amount:
            return goods if self.goods_to_collect_count else _("All goods were handed out: close the cycle.")
        return f"{super()._what_next()} {goods}"
