"""What each eligible beneficiary of a draft cycle is due: one statement for everybody and all benefits.

An amount that cannot be computed, is not above zero or not finite makes no entitlement: the beneficiary carries an
`amount_problem`, and the cycle cannot be submitted before it is mended or the person excluded with a reason.
"""

from odoo import _, api, fields, models
from odoo.exceptions import UserError
from odoo.tools import SQL

from odoo.addons.spp_base.tools import statistics
from odoo.addons.spp_cel.lang import RuleError

from ..tools.money import rounded
from ..tools.plain_json import PlainJson

LIVE = ("draft", "approved", "paid", "handed_out")  # states in which an instalment counts


class CycleBeneficiary(models.Model):
    _inherit = "spp.cycle.beneficiary"

    amount_problem = fields.Char(
        string="Amount to mend",
        readonly=True,
        help="Why an amount could not be computed; the cycle cannot be submitted with it.",
    )
    amount_facts = PlainJson(
        readonly=True,
        help="For each benefit that gave nothing: what its condition and formula looked at.",
    )
    amount_reason = fields.Char(
        string="What is due, and why", compute="_compute_amount_reason", help="How the amounts were computed."
    )
    exclusion_reason = fields.Char(
        readonly=True, help="Why a person set this beneficiary aside, whose amount could not be computed."
    )
    excluded_by = fields.Many2one(comodel_name="res.users", readonly=True, ondelete="restrict")

    _sql_constraints = [
        (
            "exclusion_by_somebody",
            "CHECK((exclusion_reason IS NULL) = (excluded_by IS NULL)"
            " AND (exclusion_reason IS NULL OR outcome = 'excluded'))",
            "Who is excluded by a person is excluded for a reason.",
        ),
    ]

    def init(self):
        result = super().init()
        self.env.cr.execute("""
            CREATE INDEX IF NOT EXISTS spp_cycle_beneficiary_problem_idx
                ON spp_cycle_beneficiary (cycle_id) WHERE amount_problem IS NOT NULL
        """)
        self.env.cr.execute("""
            CREATE INDEX IF NOT EXISTS spp_cycle_beneficiary_excluded_idx
                ON spp_cycle_beneficiary (cycle_id) WHERE exclusion_reason IS NOT NULL
        """)
        return result

    @api.depends("cycle_id.terms", "amount_facts", "exclusion_reason")
    def _compute_amount_reason(self):
        due = {}
        # The entitlements that the user may see; the same people as the beneficiaries.
        for entitlement in self.env["spp.entitlement"].search([("beneficiary_id", "in", self.ids)]):
            due.setdefault(entitlement.beneficiary_id.id, []).append(entitlement._amount_text())
        for beneficiary in self:
            texts = due.get(beneficiary.id, [])
            terms = beneficiary.cycle_id.sudo().terms or {}
            for benefit in terms.get("benefits", []):
                facts = (beneficiary.amount_facts or {}).get(str(benefit["id"]))
                if facts:
                    texts.append(beneficiary.cycle_id._amount_text(benefit, facts))
            beneficiary.amount_reason = " ".join(texts)

    @api.depends("exclusion_reason")
    def _compute_reason(self):
        excluded = self.filtered("exclusion_reason")
        result = super(CycleBeneficiary, self - excluded)._compute_reason()
        for beneficiary in excluded:
            said = _(
                "Excluded by %(user)s: %(reason)s",
                user=beneficiary.excluded_by.sudo().name,
                reason=beneficiary.exclusion_reason,
            )
            beneficiary.reason = f"{said} {beneficiary.amount_problem or ''}".strip()
        return result

    def action_exclude(self, reason):
        """Set aside beneficiaries of a draft whose amount could not be computed: they get nothing in this cycle.

        It stays so when the cycle is computed again, and the approver sees it. Role: program manager.

        :param reason: why, in plain words
        """
        for cycle, chosen in self._chosen_in_drafts():
            reason = cycle._given_reason(reason)
            without = chosen.filtered(lambda beneficiary: not beneficiary.amount_problem)
            if without or set(chosen.mapped("outcome")) != {"eligible"}:
                raise UserError(
                    _(
                        "Only who is eligible and has an amount that could not be computed is excluded; %s is not so.",
                        (without or chosen.filtered(lambda one: one.outcome != "eligible"))[0].display_name,
                    )
                )
            self.env.flush_all()
            self.env.cr.execute(SQL("DELETE FROM spp_entitlement WHERE beneficiary_id = ANY(%s)", chosen.ids))
            # sudo: nobody may write outcomes; the role was checked
            chosen.sudo().write(
                {"outcome": "excluded", "exclusion_reason": reason, "excluded_by": self.env.uid}
            )
            cycle._after_exclusion("Beneficiaries excluded", chosen, reason)
        return True

    def action_include(self):
        """Take an exclusion back; the cycle must be computed again. Role: program manager."""
        for cycle, chosen in self._chosen_in_drafts():
            if chosen.filtered(lambda beneficiary: not beneficiary.exclusion_reason):
                raise UserError(_("Some of these were not excluded by a person."))
            # sudo: nobody may write outcomes; the role was checked
            chosen.sudo().write({"outcome": "eligible", "exclusion_reason": False, "excluded_by": False})
            cycle._after_exclusion("Exclusion taken back", chosen, "")
            cycle._write_guarded({"computed_at": False})
        return True

    def _chosen_in_drafts(self):
        """[(cycle, its beneficiaries)] of drafts, locked; the user is a program manager and may see them all."""
        self.env["spp.cycle"]._check_role("program_manager")
        self.check_access_rights("read")
        self.check_access_rule("read")
        found = []
        for cycle, chosen in self.grouped("cycle_id").items():
            cycle._check_role("program_manager")
            cycle._lock()
            cycle._check_state("draft")
            found.append((cycle, chosen))
        return found


class Entitlement(models.Model):
    _inherit = "spp.entitlement"

    amount_reason = fields.Char(
        string="How it was computed", compute="_compute_amount_reason", help="What formula and condition saw."
    )

    @api.depends("facts", "cycle_id.terms")
    def _compute_amount_reason(self):
        for entitlement in self:
            entitlement.amount_reason = entitlement._amount_text()

    def _amount_text(self):
        # sudo: who may see what somebody is due may see why
        cycle = self.cycle_id.sudo()
        for benefit in (cycle.terms or {}).get("benefits", []):
            if benefit["id"] == self.benefit_id.id:
                return cycle._amount_text(benefit, self.facts or {}, self)
        return ""


class Cycle(models.Model):
    _inherit = "spp.cycle"

    _guarded_fields = frozenset({"amount_problem_count"})

    amount_problem_count = fields.Integer(
        string="Amounts to mend",
        readonly=True,
        copy=False,
        default=0,
        help="Beneficiaries with an amount that could not be computed. Mend the data and compute again, or exclude them "
        "with a reason.",
    )
    set_aside_count = fields.Integer(
        string="Excluded by a person",
        compute="_compute_set_aside_count",
        compute_sudo=True,
        help="Beneficiaries whose amount could not be computed, and whom somebody excluded with a reason.",
    )

    def _compute_set_aside_count(self):
        counts = dict(
            self.env["spp.cycle.beneficiary"]._read_group(
                [("cycle_id", "in", self.ids), ("exclusion_reason", "!=", False)], ["cycle_id"], ["__count"]
            )
        )
        for cycle in self:
            cycle.set_aside_count = counts.get(cycle, 0)

    def _what_next(self):
        if self.state == "draft" and self.computed_at and self.amount_problem_count:
            return _(
                "%s amounts could not be computed: mend the data and compute again, or exclude these people with a reason.",
                self.amount_problem_count,
            )
        return super()._what_next()

    def _check_complete(self):
        if self.computed_at and self.amount_problem_count:
            example = self.env["spp.cycle.beneficiary"].sudo().search(
                [("cycle_id", "=", self.id), ("outcome", "=", "eligible"), ("amount_problem", "!=", False)], limit=1
            )  # fmt: skip
            raise UserError(
                _(
                    "%(count)s beneficiaries of %(cycle)s have an amount that could not be computed, for example: "
                    "%(problem)s Mend the data and compute again, or exclude them with a reason.",
                    count=self.amount_problem_count,
                    cycle=self.display_name,
                    problem=example.amount_problem,
                )
            )
        result = super()._check_complete()
        self._check_instalments()
        return result

    def _check_instalments(self):
        """Two drafts computed at the same time know nothing of each other; the second to be submitted does."""
        limited = [
            (benefit["id"], benefit["most_instalments"])
            for benefit in self.terms["benefits"]
            if benefit["most_instalments"]
        ]
        for benefit_id, most in limited:
            self.env.cr.execute(
                SQL(
                    """
                    SELECT count(*) FROM (
                        SELECT e.partner_id FROM spp_entitlement e
                         WHERE e.benefit_id = %s AND e.state = ANY(%s)
                           AND EXISTS (SELECT FROM spp_entitlement own
                                        WHERE own.cycle_id = %s AND own.benefit_id = e.benefit_id
                                          AND own.partner_id = e.partner_id)
                         GROUP BY e.partner_id HAVING count(*) > %s) beyond
                    """,
                    benefit_id,
                    list(LIVE),
                    self.id,
                    most,
                )
            )
            if self.env.cr.fetchone()[0]:
                raise UserError(
                    _(
                        "Somebody in %s would get more instalments than the program gives, because another cycle was "
                        "computed meanwhile. Compute it again.",
                        self.display_name,
                    )
                )

    def _after_exclusion(self, action, chosen, reason):
        self.env.flush_all()
        self._write_guarded(self._count())
        self.env.invalidate_all()
        self.env["spp.audit.entry"]._log(
            action, self, new={"beneficiaries": chosen.ids, "count": len(chosen)}, note=reason
        )

    # ------------------------------------------------------------------ in words

    def _amount_text(self, benefit, facts, entitlement=None):
        """One paragraph: what a benefit of the terms gives one beneficiary, and what it was computed from."""
        parts = []
        for label in ("condition", "formula"):
            if label in facts:
                try:
                    compiled, _constants = self._term_compiled(self.terms, benefit, label)
                except RuleError:
                    continue  # a field of the registry is gone; what was decided stays readable
                parts += [f"{sentence}." for sentence in compiled.seen(facts[label])]
        parts = list(dict.fromkeys(parts))
        if facts.get("instalments"):
            parts.append(_("All %s instalments were given in other cycles.", facts["instalments"]))
        elif facts.get("met") is False:
            parts.append(_("Its condition is not met."))
        elif facts.get("value") is not None:
            parts.append(_("The formula gives %s.", facts["value"]))
        if entitlement and entitlement.capped:
            parts.append(_("It is limited to %s.", benefit["cap"]))
        if not parts:
            parts.append(_("The same for everybody."))
        return f"{benefit['name']}: {' '.join(parts)}"

    # ------------------------------------------------------------------ the statement

    def _insert_entitlements(self, terms):
        """One entitlement per eligible beneficiary and benefit, as far as it is due. Amounts are rounded here, once."""
        branches = [self._due(terms, benefit) for benefit in terms["benefits"]]
        if not branches:
            return
        told = SQL("")
        if any(self._may_give_nothing(benefit) for benefit in terms["benefits"]):
            told = SQL(
                """
                , told AS (
                    UPDATE spp_cycle_beneficiary b
                       SET amount_facts = nothing.facts, amount_problem = nothing.problem
                      FROM (SELECT beneficiary_id, jsonb_object_agg(benefit_id, facts) AS facts,
                                   string_agg(problem, ' ' ORDER BY benefit_id) AS problem
                              FROM due WHERE NOT given GROUP BY beneficiary_id) nothing
                     WHERE b.id = nothing.beneficiary_id
                )
                """
            )
        self.program_id._execute_rule(
            self.env["spp.rule.version"],
            SQL(
                """
                WITH due AS (%(due)s) %(told)s
                INSERT INTO spp_entitlement
                    (id, reference, cycle_id, period_id, program_id, beneficiary_id, partner_id, benefit_id, kind, amount,
                     currency_id, quantity, unit, product_name, capped, facts, instalment, state,
                     create_uid, create_date, write_uid, write_date)
                SELECT numbered.id, %(prefix)s || numbered.id, %(cycle)s, %(period)s, %(program)s,
                       numbered.beneficiary_id, numbered.partner_id, numbered.benefit_id, numbered.kind,
                       numbered.amount, %(currency)s, numbered.quantity, numbered.unit, numbered.product_name, numbered.capped,
                       numbered.facts, numbered.instalment, 'draft', %(uid)s, %(now)s, %(uid)s, %(now)s
                  FROM (SELECT nextval('spp_entitlement_id_seq') AS id, * FROM due WHERE given) numbered
                """,
                due=SQL(" UNION ALL ").join(branches),
                told=told,
                prefix=f"{self.program_id.code}-{self.number}-",
                cycle=self.id,
                period=self._period().id,
                program=self.program_id.id,
                currency=self.currency_id.id,
                uid=self.env.uid,
                now=self.env.cr.now(),
            ),
        )
        statistics.refresh(self.env.cr, "spp_entitlement", self.env.cr.rowcount, many=statistics.FEW)

    @staticmethod
    def _may_give_nothing(benefit):
        return bool(benefit["formula"] or benefit["condition"] or benefit["most_instalments"])

    def _due(self, terms, benefit):
        """SQL: a row for every eligible beneficiary, with what the benefit gives them, or why it gives nothing.

        Columns: beneficiary_id, partner_id, benefit_id, kind, given, amount, quantity, unit, product_name, capped,
        facts, instalment, problem.
        """
        eligible = SQL(
            "SELECT partner_id AS id FROM spp_cycle_beneficiary WHERE cycle_id = %s AND outcome = 'eligible'",
            self.id,
        )
        # sudo: a cycle is whole, also where the user's area hides people
        schema = self.env["spp.cel.schema"].sudo()
        joins, met, facts = [], SQL("TRUE"), []
        condition, constants = self._term_compiled(terms, benefit, "condition")
        if condition:
            found = schema._outcome_query(condition, constants, eligible, self.as_of)
            joins.append(SQL("LEFT JOIN (%s) c ON c.id = b.partner_id", found))
            met = SQL("CASE c.outcome WHEN 'eligible' THEN TRUE WHEN 'not_eligible' THEN FALSE END")
            facts.append(SQL("'condition', c.facts, 'met', %s", met))
        value = SQL("%s::numeric", benefit["amount"] or None)
        formula, constants = self._term_compiled(terms, benefit, "formula")
        if formula:
            found = schema._amount_query(formula, constants, eligible, self.as_of)
            joins.append(SQL("LEFT JOIN (%s) f ON f.id = b.partner_id", found))
            value = SQL("f.value")
            # as text: a fact is read by people, and jsonb knows no number that is not finite
            facts.append(SQL("'formula', f.facts, 'value', trim_scale(f.value)::text"))
        most = benefit["most_instalments"]
        used = SQL("0")
        if most:
            joins.append(
                SQL(
                    """
                    LEFT JOIN (SELECT partner_id, count(*) AS used FROM spp_entitlement
                                WHERE benefit_id = %s AND state = ANY(%s) AND cycle_id <> %s
                                GROUP BY partner_id) i ON i.partner_id = b.partner_id
                    """,
                    benefit["id"],
                    list(LIVE),
                    self.id,
                )
            )
            used = SQL("COALESCE(i.used, 0)")
            facts.append(SQL("'instalments', CASE WHEN %s >= %s THEN %s END", used, most, used))
        left = SQL("%s < %s", used, most) if most else SQL("TRUE")
        money = benefit["kind"] == "money"
        cap = benefit["cap"]
        limited = SQL("LEAST(%s, %s::numeric)", value, cap) if cap else value
        return SQL(
            """
            SELECT beneficiary_id, partner_id, %(benefit)s AS benefit_id, %(kind)s AS kind,
                   COALESCE(wanted AND problem IS NULL, FALSE) AS given, amount, %(quantity)s::float8 AS quantity,
                   %(unit)s::varchar AS unit, %(product)s::varchar AS product_name, capped, facts, instalment, problem
              FROM (SELECT *, CASE
                           WHEN wanted IS NULL THEN %(undecided)s
                           WHEN NOT wanted OR NOT %(money)s THEN NULL
                           WHEN amount IS NULL THEN %(unknown)s
                           WHEN amount = 'NaN' OR amount >= 'Infinity' OR amount <= '-Infinity' THEN %(endless)s
                           WHEN amount < 0 THEN %(below)s || amount || '.'
                           WHEN amount = 0 THEN %(zero)s END AS problem
                      FROM (SELECT b.id AS beneficiary_id, b.partner_id, %(left)s AND %(met)s AS wanted,
                                   %(amount)s AS amount, %(capped)s AS capped, %(facts)s AS facts,
                                   %(instalment)s AS instalment
                              FROM spp_cycle_beneficiary b %(joins)s
                             WHERE b.cycle_id = %(cycle)s AND b.outcome = 'eligible'
                           ) computed
                   ) judged
            """,
            benefit=benefit["id"],
            kind=benefit["kind"],
            quantity=benefit["quantity"] or 0,
            unit=benefit.get("unit") or None,
            product=benefit["product_name"] or None,
            money=money,
            undecided=_(
                "%s: whether it is due cannot be decided, because data are missing.", benefit["name"]
            ),
            unknown=_(
                "%s: the amount cannot be computed, because data are missing or it is no number.",
                benefit["name"],
            ),
            endless=_("%s: the amount is not a number.", benefit["name"]),
            below=_("%s: the amount is below zero: ", benefit["name"]),
            zero=_(
                "%s: the amount is zero. Give the benefit a condition, if some are to get nothing.",
                benefit["name"],
            ),
            left=left,
            met=met,
            amount=rounded(limited, self.currency_id) if money else SQL("0::numeric"),
            capped=SQL("COALESCE(%s > %s::numeric, FALSE)", value, cap) if cap else SQL("FALSE"),
            facts=SQL("jsonb_build_object(%s)", SQL(", ").join(facts)) if facts else SQL("NULL::jsonb"),
            instalment=SQL("(%s + 1)::integer", used) if most else SQL("NULL::integer"),
            joins=SQL(" ").join(joins),
            cycle=self.id,
        )
