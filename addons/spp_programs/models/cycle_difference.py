"""The difference of a cycle to the one before it: who joined and left, whose amount, account or household changed.

It is made with the cycle's computation, from what both cycles froze, and frozen with it. A person is in it once for
each kind of change; who is due the same as before is only counted. What is large enough asks for a written reason.
"""

from odoo import _, api, fields, models
from odoo.exceptions import UserError
from odoo.tools import SQL

from odoo.addons.spp_base.tools import statistics
from odoo.addons.spp_cel.lang import RuleError

from ..tools.account import account_print
from ..tools.freeze import freeze_with_cycle
from ..tools.goods import goods_sql

KINDS = [
    ("joined", "Joined"),
    ("left", "Left"),
    ("amount_up", "Amount up"),
    ("amount_down", "Amount down"),
    ("goods", "Goods changed"),
    ("account", "Account changed"),
    ("household", "Household changed"),
]
CAUSES = [
    # joined
    ("enrolled", "Newly enrolled"),
    ("by_hand", "Enrolled by hand"),
    ("resumed", "Resumed"),
    ("eligible", "Became eligible"),
    ("compliant", "Compliant again"),
    ("due", "A benefit is due now"),
    ("supplement", "Was due in a supplementary cycle before"),
    ("due_again", "Due again after withdrawal"),
    # left
    ("withdrawn", "Withdrawn from the previous cycle"),
    ("died", "Died"),
    ("disabled", "Disabled in the registry"),
    ("excluded", "Excluded"),
    ("not_eligible", "No longer eligible"),
    ("not_compliant", "Not compliant"),
    ("undetermined", "Undetermined"),
    ("nothing_due", "No benefit is due any more"),
    ("exited", "Exited"),
    ("graduated", "Graduated"),
    ("suspended", "Suspended"),
    ("duplicate", "Duplicate"),
    ("not_enrolled", "No longer enrolled"),
    # amount, goods
    ("facts", "The facts changed"),
    ("terms", "The benefit changed"),
    ("terms_and_facts", "The benefit and the facts changed"),
    # account
    ("payee", "Another person is paid"),
    ("other_account", "Another account"),
    ("number", "The account has another number"),
    ("first_account", "There was no account before"),
    ("no_account", "There is no account now"),
    # household
    ("members", "Members came or went"),
    ("head", "The head changed"),
    ("head_and_members", "Head and members changed"),
]
# Who may see masked account numbers.
ACCOUNT_READERS = (
    "spp_base.group_enrollment_officer,spp_base.group_auditor,spp_base.group_program_manager,"
    "spp_base.group_finance_officer,spp_base.group_approver,spp_base.group_payment_releaser"
)
FROZEN = [
    "cycle_id",
    "partner_id",
    "kind",
    "cause",
    "note",
    "amount_before",
    "amount_after",
    "goods_before",
    "goods_after",
    "account_before",
    "account_after",
    "before",
    "after",
]


class CycleDifference(models.Model):
    _name = "spp.cycle.difference"
    _description = "Difference to the previous cycle"
    _order = "id"
    _rec_name = "partner_id"
    _rec_names_search = ["partner_id"]

    cycle_id = fields.Many2one(comodel_name="spp.cycle", required=True, readonly=True, ondelete="restrict")
    company_id = fields.Many2one(comodel_name="res.company", related="cycle_id.program_id.company_id")
    currency_id = fields.Many2one(comodel_name="res.currency", related="cycle_id.program_id.currency_id")
    partner_id = fields.Many2one(
        comodel_name="res.partner",
        string="Registrant",
        required=True,
        readonly=True,
        index=True,
        ondelete="restrict",
    )
    kind = fields.Selection(selection=KINDS, required=True, readonly=True)
    cause = fields.Selection(selection=CAUSES, required=True, readonly=True)
    note = fields.Char(readonly=True, help="The reason that somebody gave, or the date.")
    cause_text = fields.Char(
        string="Why", compute="_compute_cause_text", help="The cause in words, from what both cycles froze."
    )
    amount_before = fields.Monetary(string="Before", readonly=True)
    amount_after = fields.Monetary(string="Now", readonly=True)
    amount_change = fields.Monetary(string="Change", compute="_compute_amount_change")
    goods_before = fields.Char(string="Goods before", readonly=True)
    goods_after = fields.Char(string="Goods now", readonly=True)
    account_before = fields.Char(string="Account before", readonly=True, groups=ACCOUNT_READERS)
    account_after = fields.Char(string="Account now", readonly=True, groups=ACCOUNT_READERS)
    before = fields.Json(readonly=True, help="What the cause is made from, as the previous cycle had it.")
    after = fields.Json(readonly=True, help="What the cause is made from, as this cycle has it.")

    _sql_constraints = [
        # Also the index of the lists, which are of one cycle and one kind.
        ("kind_once", "UNIQUE(cycle_id, kind, partner_id)", "Each kind of change is listed once a person."),
    ]

    def init(self):
        freeze_with_cycle(self.env.cr, self._table, FROZEN)

    @api.depends("partner_id", "kind")
    def _compute_display_name(self):
        labels = dict(self._fields["kind"]._description_selection(self.env))
        for line in self:
            line.display_name = f"{line.partner_id.display_name}: {labels.get(line.kind, '')}"

    @api.depends("amount_before", "amount_after")
    def _compute_amount_change(self):
        for line in self:
            line.amount_change = line.amount_after - line.amount_before

    @api.depends("kind", "cause", "note", "before", "after")
    def _compute_cause_text(self):
        labels = dict(self._fields["cause"]._description_selection(self.env))
        names = self._names()
        for line in self:
            sentences = [labels.get(line.cause, "")]
            if line.note:
                sentences[0] += f": {line.note}"
            line.cause_text = ". ".join([sentences[0].rstrip("."), *line._details(names)]).rstrip(".") + "."

    def _details(self, names):
        """Sentences that say which facts, lines or members changed."""
        before, after = self.before or {}, self.after or {}
        if self.kind == "household":
            return [text.rstrip(".") for text in self._household_details(before, after, names)]
        # sudo: everybody who may see the person may see why the rule said so.
        cycle = self.cycle_id.sudo()
        sentences = []
        for key, version in (("facts", cycle.rule_version_id), ("compliance", cycle.compliance_version_id)):
            if isinstance(after.get(key), dict) and version:
                sentences += version._changed(before.get(key), after[key])
                if before.get("version") not in (None, version.number):
                    sentences.append(
                        _(
                            "Decided by version %(now)s of the rule, before by version %(before)s",
                            now=version.number,
                            before=before["version"],
                        )
                    )
        if "lines" in after:
            sentences += cycle._changed_lines(before, after)
        return [text.rstrip(".") for text in sentences]

    def _names(self):
        """{id: name} of the people in household changes, as far as the user may see them."""
        ids = set()
        for line in self.filtered(lambda line: line.kind == "household"):
            for side in (line.before or {}, line.after or {}):
                ids.update(side.get("members") or [], [side["payee"]] if side.get("payee") else [])
        people = self.env["res.partner"].with_context(active_test=False).search_fetch(
            [("id", "in", list(ids))], ["display_name"]
        )  # fmt: skip
        return {person.id: person.display_name for person in people}

    @staticmethod
    def _household_details(before, after, names):
        def listed(ids):
            known = [names[number] for number in sorted(ids) if number in names]
            hidden = len(ids) - len(known)
            return ", ".join(known + ([_("%s whom you may not see", hidden)] if hidden else []))

        was, now = set(before.get("members") or []), set(after.get("members") or [])
        if now - was:
            yield _("Came: %s", listed(now - was))
        if was - now:
            yield _("Went: %s", listed(was - now))
        if before.get("payee") != after.get("payee"):
            nobody = _("nobody")
            heads = [listed({side["payee"]}) if side.get("payee") else nobody for side in (after, before)]
            yield _("Head: %(now)s, before %(before)s", now=heads[0], before=heads[1])

    def action_why(self):
        """Open why the rule says what it says about the person in this cycle."""
        self.ensure_one()
        beneficiary = self.env["spp.cycle.beneficiary"].search(
            [("cycle_id", "=", self.cycle_id.id), ("partner_id", "=", self.partner_id.id)]
        )
        if not beneficiary:
            raise UserError(_("%s was not considered in this cycle.", self.partner_id.display_name))
        return beneficiary.action_why()


class CycleDifferenceTotal(models.Model):
    _name = "spp.cycle.difference.total"
    _description = "Difference to the previous cycle, in total"
    _order = "cycle_id, id"
    _rec_name = "kind"

    cycle_id = fields.Many2one(
        comodel_name="spp.cycle", required=True, readonly=True, index=True, ondelete="restrict"
    )
    currency_id = fields.Many2one(comodel_name="res.currency", related="cycle_id.program_id.currency_id")
    kind = fields.Selection(selection=[*KINDS, ("unchanged", "Unchanged")], required=True, readonly=True)
    people = fields.Integer(readonly=True)
    amount_before = fields.Monetary(string="Before", readonly=True)
    amount_after = fields.Monetary(string="Now", readonly=True)
    amount_change = fields.Monetary(string="Change", readonly=True)

    def init(self):
        freeze_with_cycle(
            self.env.cr,
            self._table,
            ["cycle_id", "kind", "people", "amount_before", "amount_after", "amount_change"],
        )

    def action_open(self):
        """Open the people of this line."""
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id("spp_programs.action_spp_cycle_difference")
        return {
            **action,
            "name": f"{self.cycle_id.display_name}: "
            + dict(self._fields["kind"]._description_selection(self.env))[self.kind],
            "domain": [("cycle_id", "=", self.cycle_id.id), ("kind", "=", self.kind)],
            "context": {"hide_kind": True, f"of_{self.kind}": True},
        }


class Program(models.Model):
    _inherit = "spp.program"

    difference_joined = fields.Float(
        string="Joined, % of people",
        default=10,
        help="A cycle in which more people than this joined, measured by the people of the previous cycle, is "
        "submitted with a written reason only.",
    )
    difference_left = fields.Float(
        string="Left, % of people",
        default=10,
        help="A cycle in which more people than this left is submitted with a written reason only.",
    )
    difference_total = fields.Float(
        string="Change of the total, %",
        default=10,
        help="A cycle whose total is further than this from the previous one, up or down, is submitted with a "
        "written reason only.",
    )
    difference_accounts = fields.Integer(
        string="Accounts changed",
        default=20,
        help="A cycle that pays more people than this to another account than before is submitted with a written "
        "reason only.",
    )

    _sql_constraints = [
        (
            "difference_limits",
            "CHECK(difference_joined >= 0 AND difference_left >= 0 AND difference_total >= 0"
            " AND difference_accounts >= 0)",
            "What asks for a reason is a limit of zero or more.",
        ),
    ]


class Cycle(models.Model):
    _inherit = "spp.cycle"

    previous_id = fields.Many2one(
        comodel_name="spp.cycle",
        string="Compared with",
        readonly=True,
        copy=False,
        ondelete="restrict",
        help="The cycle before this one, with which it was compared.",
    )
    previous_people = fields.Integer(string="People due before", readonly=True, copy=False)
    people = fields.Integer(string="People due", readonly=True, copy=False)
    previous_total = fields.Monetary(string="Total before", readonly=True, copy=False)
    difference_ids = fields.One2many(comodel_name="spp.cycle.difference", inverse_name="cycle_id")
    difference_total_ids = fields.One2many(
        comodel_name="spp.cycle.difference.total", inverse_name="cycle_id", string="Difference"
    )
    difference_question = fields.Char(
        string="Asks for a reason",
        readonly=True,
        copy=False,
        help="Which differences are beyond the limits of the program.",
    )
    difference_reason = fields.Text(
        string="Reason for the difference",
        copy=False,
        help="Why the difference to the previous cycle is right. The approver reads it.",
    )

    def write(self, vals):
        if "difference_reason" in vals and any(cycle.state != "draft" for cycle in self):
            raise UserError(_("The reason for the difference is given before the cycle is submitted."))
        return super().write(vals)

    def _what_next(self):
        if self.state == "draft" and self.computed_at and self.entitlement_count:
            if self.difference_question and not (self.difference_reason or "").strip():
                return _("Look at the difference to the previous cycle, and give the reason for it below.")
        return super()._what_next()

    def _check_complete(self):
        result = super()._check_complete()
        # The previous cycle may have changed since: it was cancelled, computed again, or somebody was withdrawn.
        self._compare_with_previous()
        reason = (self.difference_reason or "").strip()
        if self.difference_question and not reason:
            raise UserError(
                _(
                    "%(cycle)s differs much from the previous cycle: %(question)s Give the reason for the difference "
                    "before you submit it.",
                    cycle=self.display_name,
                    question=self.difference_question,
                )
            )
        if self.difference_question:
            self.env["spp.audit.entry"]._log(
                "Reason for the difference", self, new={"asked": self.difference_question}, note=reason
            )
        return result

    # ------------------------------------------------------------------ business

    def _previous(self):
        """The cycle that this one is compared with: the last one before it that was computed and not cancelled."""
        if self.parent_id:
            return self.browse()  # a supplementary cycle is about those whom the period's cycle left out
        # sudo: cycles are compared whole.
        return self.sudo().search(
            [
                ("program_id", "=", self.program_id.id),
                ("parent_id", "=", False),
                ("number", "<", self.number),
                ("state", "!=", "cancelled"),
                ("beneficiary_count", ">", 0),
            ],
            order="number desc",
            limit=1,
        )

    def _compare_with_previous(self):
        """Make the difference to the previous cycle anew, in a fixed number of statements."""
        self.env.flush_all()
        self.env.cr.execute(SQL("DELETE FROM spp_cycle_difference WHERE cycle_id = %s", self.id))
        self.env.cr.execute(SQL("DELETE FROM spp_cycle_difference_total WHERE cycle_id = %s", self.id))
        previous = self._previous()
        totals = {}
        if previous:
            self.env.cr.execute(self._difference_sql(previous))
            totals = {kind: figures for kind, *figures in self.env.cr.fetchall()}
            statistics.refresh(
                self.env.cr,
                "spp_cycle_difference",
                sum(totals[kind][0] for kind, _l in KINDS if kind in totals),
            )
        else:
            self.env.cr.execute(
                SQL(
                    "SELECT count(DISTINCT partner_id), 0, 0 FROM spp_entitlement WHERE cycle_id = %s",
                    self.id,
                )
            )
            totals = {"after": self.env.cr.fetchone()}
        self.env.invalidate_all()
        people_before, previous_total, _none = totals.pop("before", (0, 0, 0))
        people, _none, total = totals.pop("after", (0, 0, 0))
        # sudo: nobody may write these; they are made with the cycle.
        self.env["spp.cycle.difference.total"].sudo().create(
            [
                {
                    "cycle_id": self.id,
                    "kind": kind,
                    "people": totals[kind][0],
                    "amount_before": totals[kind][1],
                    "amount_after": totals[kind][2],
                    "amount_change": totals[kind][2] - totals[kind][1],
                }
                for kind, _label in [*KINDS, ("unchanged", "")]
                if kind in totals and totals[kind][0]
            ]
        )
        counts = {kind: figures[0] for kind, figures in totals.items()}
        question = self._difference_question(people_before, previous_total, total, counts) if previous else ""
        vals = {
            "previous_id": previous.id,
            "previous_people": people_before,
            "people": people,
            "previous_total": previous_total,
            "difference_question": question or False,
        }
        if question != (self.difference_question or ""):
            vals["difference_reason"] = False  # it was given for another difference
        self._write_guarded(vals)

    def _difference_question(self, people, total_before, total, counts):
        """Which differences are beyond the program's limits, in words."""
        program = self.program_id
        found = []
        for kind, limit, words in (
            (
                "joined",
                program.difference_joined,
                _("%(count)s people joined (%(share)s; the limit is %(limit)s)"),
            ),
            ("left", program.difference_left, _("%(count)s people left (%(share)s; the limit is %(limit)s)")),
        ):
            count = counts.get(kind, 0)
            if count and count * 100 > limit * people:
                share = _share(count, people)
                found.append(words % {"count": count, "share": share, "limit": f"{limit:g} %"})
        change = total - total_before
        if change and abs(change) * 100 > float(total_before) * program.difference_total:
            found.append(
                _(
                    "the total changed by %(share)s (the limit is %(limit)s)",
                    share=_share(change, total_before),
                    limit=f"{program.difference_total:g} %",
                )
            )
        if counts.get("account", 0) > program.difference_accounts:
            found.append(
                _(
                    "%(count)s accounts changed (the limit is %(limit)s)",
                    count=counts["account"],
                    limit=program.difference_accounts,
                )
            )
        return f"{'; '.join(found)}." if found else ""

    def _changed_lines(self, before, after):
        """What became of each benefit, and which facts and terms it comes from, in words."""
        nothing = _("nothing")
        earlier = {benefit["id"]: benefit for benefit in (self.previous_id.terms or {}).get("benefits", [])}
        benefits = {
            **earlier,
            **{benefit["id"]: benefit for benefit in (self.terms or {}).get("benefits", [])},
        }
        sentences = []
        for number, benefit in benefits.items():
            was, now = before["lines"].get(str(number)), after["lines"].get(str(number))
            if was == now:
                continue
            sentences.append(
                _(
                    "%(benefit)s: %(now)s, before %(before)s",
                    benefit=benefit["name"],
                    now=now or nothing,
                    before=was or nothing,
                )
            )
            for label, words in (("condition", _("condition")), ("formula", _("formula"))):
                sentences += self._changed_term(benefit, label, before["terms"], after["terms"])
                if number in earlier and earlier[number][label] != benefit[label]:
                    sentences.append(_("Its %s is another one", words))
            if number in earlier and earlier[number]["cap"] != benefit["cap"]:
                sentences.append(_("Its cap is another one"))
        return sentences

    def _changed_term(self, benefit, label, before, after):
        was = before.get(str(benefit["id"]), {}).get(label)
        now = after.get(str(benefit["id"]), {}).get(label)
        if not benefit[label] or not isinstance(was, dict) or not isinstance(now, dict):
            return []
        try:
            compiled, _constants = self._term_compiled(self.terms, benefit, label)
        except RuleError:
            return []  # a field of the registry is gone; what was decided stays readable
        return compiled.changed(was, now)

    def _due_sql(self, goods):
        """SQL: what each considered member was due in the cycle, as far as everybody's difference needs it.

        :param goods: whether anybody may be due goods: what nobody is due is not looked for
        """
        return SQL(
            """
            SELECT b.id, b.membership_id, b.partner_id, b.outcome, b.situation,
                   due.beneficiary_id IS NOT NULL AS is_due, COALESCE(due.amount, 0) AS amount, due.goods
              FROM spp_cycle_beneficiary b
         LEFT JOIN (
                SELECT e.beneficiary_id, sum(e.amount) AS amount, %(goods)s AS goods
                  FROM spp_entitlement e
                 WHERE e.cycle_id = %(cycle)s
                 GROUP BY e.beneficiary_id) due ON due.beneficiary_id = b.id
             WHERE b.cycle_id = %(cycle)s
            """,
            cycle=self.id,
            goods=SQL(
                "string_agg(%s, ', ' ORDER BY e.benefit_id) FILTER (WHERE e.kind = 'goods')", goods_sql("e")
            )
            if goods
            else SQL("NULL"),
        )

    def _gives_goods(self):
        return any(benefit["kind"] == "goods" for benefit in (self.terms or {}).get("benefits", ()))

    @staticmethod
    def _lines_sql(beneficiary):
        """SQL: what a beneficiary was due line by line, and the facts of each line; of few, looked up one by one."""
        return SQL(
            """
            SELECT jsonb_object_agg(e.benefit_id, CASE e.kind WHEN 'money' THEN e.amount::text
                                    ELSE trim_scale(e.quantity) || ' × ' || e.product_name END) AS lines,
                   jsonb_object_agg(e.benefit_id, e.facts) FILTER (WHERE e.facts IS NOT NULL) AS terms
              FROM spp_entitlement e
             WHERE e.beneficiary_id = %s AND p.considered_twice AND p.due_differs
            """,
            beneficiary,
        )

    def _difference_sql(self, previous):
        """SQL that inserts the difference and selects (kind, people, amount before, amount now).

        The kinds "before" and "after" stand for everybody who was due something in the previous and in this cycle.
        Everybody is looked at narrowly; only of those for whom something differs are the causes made, from what both
        cycles know of them. They are looked up one by one (OFFSET 0 keeps the planner, who cannot know how few they
        are, from reading whole tables).
        """
        kinds = SQL(
            """
            ('joined', p.is_after AND NOT p.is_before, p.joined_cause, p.joined_note),
            ('left', p.is_before AND NOT p.is_after, p.left_cause, p.left_note),
            ('amount_up', p.stays AND p.amount_after > p.amount_before, p.amount_cause, NULL),
            ('amount_down', p.stays AND p.amount_after < p.amount_before, p.amount_cause, NULL),
            ('goods', p.stays AND p.goods_after IS DISTINCT FROM p.goods_before, p.amount_cause, NULL),
            ('account', p.account_differs, p.account_cause, NULL),
            ('household', p.household_differs, p.household_cause, NULL)
            """
        )
        goods = previous._gives_goods() or self._gives_goods()
        return SQL(
            """
            WITH was AS (%(was)s), now AS (%(now_sql)s), paid AS (
                -- the account as the payment had it, where there is one
                SELECT DISTINCT ON (partner_id) partner_id, id, payee_id, account_kind, account_provider_id,
                       account_number
                  FROM spp_payment WHERE cycle_id = %(previous)s AND state <> 'cancelled'
                 ORDER BY partner_id, id DESC
            ), side AS (
                SELECT was.id AS was_id, now.id AS now_id, paid.id AS paid_id,
                       COALESCE(now.partner_id, was.partner_id) AS partner_id,
                       COALESCE(now.membership_id, was.membership_id) AS membership_id,
                       was.outcome AS outcome_before, now.outcome AS outcome_after,
                       w.id IS NOT NULL AS withdrawn, w.reason AS withdrawn_because,
                       COALESCE(now.is_due, FALSE) AS is_after,
                       -- who was withdrawn and is due again has joined
                       COALESCE(was.is_due AND NOT (w.id IS NOT NULL AND COALESCE(now.is_due, FALSE)), FALSE)
                           AS is_before,
                       was.amount AS amount_was, COALESCE(now.amount, 0) AS amount_after,
                       was.goods AS goods_before, now.goods AS goods_after,
                       CASE WHEN paid.id IS NOT NULL THEN %(paid_print)s IS DISTINCT FROM now.situation->>'print'
                            WHEN was.situation IS NULL OR was.situation = now.situation THEN FALSE
                            ELSE was.situation->>'print' IS DISTINCT FROM now.situation->>'print'
                            END AS other_account,
                       %(households)s AND was.situation IS DISTINCT FROM now.situation
                           AND was.situation IS NOT NULL
                           AND (was.situation->'members' IS DISTINCT FROM now.situation->'members'
                                OR was.situation->'payee' IS DISTINCT FROM now.situation->'payee')
                           AS other_household
                  FROM was
             FULL JOIN now ON now.membership_id = was.membership_id
             LEFT JOIN paid ON paid.partner_id = was.partner_id
             LEFT JOIN spp_cycle_withdrawal w ON w.beneficiary_id = was.id AND w.state = 'confirmed'
            ), pair AS MATERIALIZED (
                SELECT side.*, is_before AND is_after AS stays,
                       is_before AND is_after AND other_account AS account_differs,
                       is_before AND is_after AND other_household AS household_differs,
                       CASE WHEN is_before THEN amount_was ELSE 0 END AS amount_before,
                       was_id IS NOT NULL AND now_id IS NOT NULL AS considered_twice,
                       is_before <> is_after
                           OR is_before AND (amount_was <> amount_after OR goods_before IS DISTINCT FROM goods_after)
                           AS due_differs
                  FROM side
            ), supplement AS (
                SELECT DISTINCT e.partner_id
                  FROM spp_entitlement e JOIN spp_cycle c ON c.id = e.cycle_id
                 WHERE c.parent_id = %(previous)s AND e.state <> 'cancelled'
            ), differs AS (
                SELECT p.*, was_lines.lines AS lines_before, now_lines.lines AS lines_after,
                       b.situation AS situation_before, a.situation AS situation_after,
                       b.facts AS facts_before, a.facts AS facts_after,
                       b.compliance AS compliance_before, a.compliance AS compliance_after,
                       b.compliance_facts AS compliance_facts_before, a.compliance_facts AS compliance_facts_after,
                       a.exclusion_reason, m.state AS member_state, m.state_reason, m.state_date, m.by_hand,
                       m.enrolled_on, s.partner_id IS NOT NULL AS supplemented,
                       COALESCE(b.amount_facts, '{}') || COALESCE(was_lines.terms, '{}') AS terms_before,
                       COALESCE(a.amount_facts, '{}') || COALESCE(now_lines.terms, '{}') AS terms_after,
                       CASE WHEN paid.id IS NULL THEN b.situation->>'print' ELSE %(paid_print)s END
                           AS print_before,
                       CASE WHEN paid.id IS NULL THEN b.situation->>'masked' ELSE paid.account_masked END
                           AS masked_before,
                       CASE WHEN paid.id IS NULL THEN (b.situation->>'account')::integer
                            ELSE paid.account_id END AS account_before,
                       CASE WHEN paid.id IS NULL THEN (b.situation->>'payee')::integer
                            ELSE paid.payee_id END AS payee_before
                  FROM pair p
            CROSS JOIN LATERAL (SELECT * FROM spp_program_membership WHERE id = p.membership_id OFFSET 0) m
             LEFT JOIN LATERAL (SELECT * FROM spp_cycle_beneficiary
                                 WHERE id = p.was_id AND p.considered_twice OFFSET 0) b ON TRUE
             LEFT JOIN LATERAL (SELECT * FROM spp_cycle_beneficiary
                                 WHERE id = p.now_id AND p.considered_twice OFFSET 0) a ON TRUE
             LEFT JOIN LATERAL (SELECT * FROM spp_payment
                                 WHERE id = p.paid_id AND p.account_differs OFFSET 0) paid ON TRUE
             LEFT JOIN LATERAL (%(lines_before)s) was_lines ON TRUE
             LEFT JOIN LATERAL (%(lines_after)s) now_lines ON TRUE
             LEFT JOIN supplement s ON s.partner_id = p.partner_id
                 WHERE p.due_differs OR p.account_differs OR p.household_differs
            ), caused AS (
                SELECT side.*,
                       CASE WHEN withdrawn THEN 'due_again'
                            WHEN supplemented THEN 'supplement'
                            WHEN outcome_before = 'eligible' THEN 'due'
                            WHEN outcome_before = 'not_compliant' THEN 'compliant'
                            WHEN outcome_before IS NOT NULL THEN 'eligible'
                            WHEN state_reason IS NOT NULL
                                 AND (NOT by_hand OR enrolled_on < state_date) THEN 'resumed'
                            WHEN by_hand THEN 'by_hand'
                            ELSE 'enrolled' END AS joined_cause,
                       CASE WHEN withdrawn THEN withdrawn_because
                            WHEN NOT supplemented AND outcome_before IS NULL
                                THEN COALESCE(state_reason, enrolled_on::text) END
                           AS joined_note,
                       CASE WHEN withdrawn THEN 'withdrawn'
                            WHEN outcome_after = 'eligible' THEN 'nothing_due'
                            WHEN outcome_after = 'excluded' THEN
                                CASE facts_after->>'registrant_status' WHEN 'deceased' THEN 'died'
                                     WHEN 'disabled' THEN 'disabled' ELSE 'excluded' END
                            WHEN outcome_after IS NOT NULL THEN outcome_after
                            WHEN member_state IN ('exited', 'graduated', 'suspended', 'duplicate') THEN member_state
                            ELSE 'not_enrolled' END AS left_cause,
                       CASE WHEN withdrawn THEN withdrawn_because
                            WHEN outcome_after IS NULL THEN state_reason
                            WHEN outcome_after = 'excluded' THEN exclusion_reason END AS left_note,
                       %(amount_cause)s AS amount_cause,
                       CASE WHEN print_before IS NULL THEN 'first_account'
                            WHEN situation_after->>'print' IS NULL THEN 'no_account'
                            WHEN (situation_after->>'payee')::integer IS DISTINCT FROM payee_before THEN 'payee'
                            WHEN (situation_after->>'account')::integer IS NOT DISTINCT FROM account_before
                                THEN 'number'
                            ELSE 'other_account' END AS account_cause,
                       CASE WHEN situation_before->'members' IS DISTINCT FROM situation_after->'members' THEN
                                CASE WHEN situation_before->'payee' IS DISTINCT FROM situation_after->'payee'
                                     THEN 'head_and_members' ELSE 'members' END
                            ELSE 'head' END AS household_cause
                  FROM differs side
            ), made AS (
                INSERT INTO spp_cycle_difference
                    (cycle_id, partner_id, kind, cause, note, amount_before, amount_after, goods_before, goods_after,
                     account_before, account_after, before, after, create_uid, create_date, write_uid, write_date)
                SELECT %(cycle)s, p.partner_id, k.kind, k.cause, k.note, p.amount_before, p.amount_after,
                       p.goods_before, p.goods_after,
                       CASE k.kind WHEN 'account' THEN p.masked_before END,
                       CASE k.kind WHEN 'account' THEN p.situation_after->>'masked' END,
                       CASE WHEN k.kind = 'household'
                                THEN jsonb_build_object('payee', p.situation_before->'payee',
                                                        'members', p.situation_before->'members')
                            WHEN k.kind IN ('amount_up', 'amount_down', 'goods')
                                 OR k.cause IN ('due', 'nothing_due')
                                THEN jsonb_build_object('lines', COALESCE(p.lines_before, '{}'),
                                                        'terms', COALESCE(p.terms_before, '{}'))
                            WHEN k.cause IN ('compliant', 'not_compliant')
                                 OR k.cause IN ('eligible', 'undetermined')
                                    AND 'undetermined' IN (p.compliance_after, p.compliance_before)
                                THEN jsonb_build_object('compliance', p.compliance_facts_before,
                                                        'version', %(compliance_before)s::integer)
                            WHEN k.cause IN ('eligible', 'not_eligible', 'undetermined')
                                THEN jsonb_build_object('facts', p.facts_before,
                                                        'version', %(version_before)s::integer) END,
                       CASE WHEN k.kind = 'household'
                                THEN jsonb_build_object('payee', p.situation_after->'payee',
                                                        'members', p.situation_after->'members')
                            WHEN k.kind IN ('amount_up', 'amount_down', 'goods')
                                 OR k.cause IN ('due', 'nothing_due')
                                THEN jsonb_build_object('lines', COALESCE(p.lines_after, '{}'),
                                                        'terms', COALESCE(p.terms_after, '{}'))
                            WHEN k.cause IN ('compliant', 'not_compliant')
                                 OR k.cause IN ('eligible', 'undetermined')
                                    AND 'undetermined' IN (p.compliance_after, p.compliance_before)
                                THEN jsonb_build_object('compliance', p.compliance_facts_after)
                            WHEN k.cause IN ('eligible', 'not_eligible', 'undetermined')
                                THEN jsonb_build_object('facts', p.facts_after) END,
                       %(uid)s, %(now)s, %(uid)s, %(now)s
                  FROM caused p
                 CROSS JOIN LATERAL (VALUES %(kinds)s) AS k(kind, holds, cause, note)
                 WHERE k.holds
             RETURNING kind, amount_before, amount_after
            )
            SELECT kind, count(*), sum(amount_before), sum(amount_after) FROM made GROUP BY kind
             UNION ALL
            SELECT total.* FROM (
                SELECT count(*) FILTER (WHERE is_before) AS before, count(*) FILTER (WHERE is_after) AS after,
                       sum(amount_before) FILTER (WHERE is_before) AS amount_before,
                       sum(amount_after) FILTER (WHERE is_after) AS amount_after,
                       count(*) FILTER (WHERE same) AS same, sum(amount_before) FILTER (WHERE same) AS amount_same
                  FROM (SELECT p.*, stays AND NOT (due_differs OR account_differs OR household_differs) AS same
                          FROM pair p) p) everybody
             CROSS JOIN LATERAL (VALUES
                ('before', before, COALESCE(amount_before, 0), 0),
                ('after', after, 0, COALESCE(amount_after, 0)),
                ('unchanged', same, COALESCE(amount_same, 0), COALESCE(amount_same, 0))) AS total
            """,
            was=previous._due_sql(goods),
            now_sql=self._due_sql(goods),
            previous=previous.id,
            lines_before=self._lines_sql(SQL("p.was_id")),
            lines_after=self._lines_sql(SQL("p.now_id")),
            paid_print=account_print(
                # an account without a number is none
                SQL("paid.account_number"),
                SQL("paid.account_kind"),
                SQL("paid.account_provider_id"),
                SQL("paid.account_number"),
            ),
            amount_cause=self._amount_cause_sql(previous),
            households=self.program_id.target == "group",
            cycle=self.id,
            version_before=previous.rule_version_id.number,
            compliance_before=previous.compliance_version_id.number or None,
            kinds=kinds,
            uid=self.env.uid,
            now=self.env.cr.now(),
        )

    def _amount_cause_sql(self, previous):
        """SQL about a row of `pair`: whether the facts or the terms of a benefit changed an amount."""
        if self._terms_of_benefits() == previous._terms_of_benefits():
            return SQL("'facts'")
        # facts without the as-of date, which is always another one, and without what was made of them
        looked_at = [
            SQL(
                "(SELECT jsonb_object_agg(t.key, (t.value #- '{formula,today()}' #- '{condition,today()}')"
                " - ARRAY['value', 'met', 'instalments']) FROM jsonb_each(%s) t)",
                SQL.identifier("side", name),
            )
            for name in ("terms_before", "terms_after")
        ]
        return SQL(
            "CASE WHEN %s IS DISTINCT FROM %s THEN 'terms_and_facts' ELSE 'terms' END",
            *looked_at,
        )

    def _terms_of_benefits(self):
        terms = self.terms or {}
        return terms.get("benefits"), terms.get("variables")


def _share(part, whole):
    """A part in percent: "12.5 %"; of nothing, "from nothing"."""
    return f"{float(part) * 100 / float(whole):.1f} %" if whole else _("from nothing")
