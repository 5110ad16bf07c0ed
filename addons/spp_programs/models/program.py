"""A program: whom it is for, by which rule, what it gives, and the fund it gives from.

The bulk steps on its members (candidates, enrollment) are one SQL statement each, recorded as a run.
"""

from psycopg2.errors import QueryCanceled

from odoo import _, api, fields, models
from odoo.exceptions import UserError, ValidationError
from odoo.tools import SQL

from odoo.addons.spp_base.tools import statistics

from ..tools.money import exact, shown


class Program(models.Model):
    _name = "spp.program"
    _inherit = ["spp.guarded.mixin"]
    _description = "Program"
    _order = "name, id"
    _rec_names_search = ["name", "code"]

    _guarded_fields = frozenset({"state"})
    # What everything under a program rests on; fixed once there is anything.
    _fixed_fields = frozenset({"code", "target", "company_id", "currency_id"})

    name = fields.Char(required=True)
    code = fields.Char(
        required=True,
        help="Letters, digits, - and _; it begins the reference of every entitlement and payment.",
    )
    target = fields.Selection(
        selection=[("individual", "Individuals"), ("group", "Households and groups")],
        required=True,
        default="group",
        help="Whether single people or whole households are members and receive the benefit.",
    )
    kind = fields.Selection(
        selection=[
            ("uct", "Unconditional cash transfer"),
            ("cct", "Conditional cash transfer"),
            ("emergency", "Emergency"),
            ("agricultural", "Agricultural"),
            ("in_kind", "In-kind"),
        ],
        required=True,
        default="uct",
    )
    description = fields.Text()
    rule_id = fields.Many2one(
        comodel_name="spp.rule",
        string="Eligibility rule",
        ondelete="restrict",
        domain="[('target', '=', target)]",
        help="Its published version decides who is eligible, at enrollment and again in each cycle.",
    )
    state = fields.Selection(
        selection=[
            ("draft", "Draft"),
            ("active", "Active"),
            ("suspended", "Suspended"),
            ("closed", "Closed"),
        ],
        required=True,
        readonly=True,
        default="draft",
        copy=False,
    )
    company_id = fields.Many2one(
        comodel_name="res.company", required=True, default=lambda self: self.env.company, ondelete="restrict"
    )
    currency_id = fields.Many2one(
        comodel_name="res.currency",
        required=True,
        default=lambda self: self.env.company.currency_id,
        ondelete="restrict",
    )
    benefit_ids = fields.One2many(
        comodel_name="spp.program.benefit", inverse_name="program_id", string="Benefits", copy=True
    )
    variable_value_ids = fields.One2many(
        comodel_name="spp.program.variable",
        inverse_name="program_id",
        string="Values",
        copy=True,
        help="The program's own values of rule variables. Where it has none, the general value holds: the one "
        "the rule was published with.",
    )
    membership_ids = fields.One2many(
        comodel_name="spp.program.membership", inverse_name="program_id", string="Members"
    )
    cycle_ids = fields.One2many(comodel_name="spp.cycle", inverse_name="program_id", string="Cycles")
    member_count = fields.Integer(compute="_compute_member_counts")
    candidate_count = fields.Integer(compute="_compute_member_counts")
    undetermined_count = fields.Integer(compute="_compute_member_counts")
    enrolled_count = fields.Integer(compute="_compute_member_counts")
    ineligible_count = fields.Integer(compute="_compute_member_counts")
    cycle_count = fields.Integer(compute="_compute_cycle_count")
    fund_allocated = fields.Monetary(string="Allocated", compute="_compute_fund")
    fund_committed = fields.Monetary(string="Committed", compute="_compute_fund")
    fund_disbursed = fields.Monetary(string="Disbursed", compute="_compute_fund")
    fund_free = fields.Monetary(string="Free", compute="_compute_fund")
    next_step = fields.Char(string="What to do next", compute="_compute_next_step")

    _sql_constraints = [
        ("code_unique", "UNIQUE(company_id, code)", "Another program of this company has this code."),
        (
            "code_plain",
            "CHECK(replace(code, '-', '') !~ '\\W')",
            "A program's code is made of letters, digits, - and _.",
        ),
    ]

    # ------------------------------------------------------------------ computed

    def _compute_member_counts(self):
        counts = {}
        for program, state, outcome, count in self.env["spp.program.membership"]._read_group(
            [("program_id", "in", self.ids)], ["program_id", "state", "outcome"], ["__count"]
        ):
            of_program = counts.setdefault(program.id, {})
            of_program["all"] = of_program.get("all", 0) + count
            of_program[state] = of_program.get(state, 0) + count
            if (state, outcome) == ("candidate", "undetermined"):
                of_program["undetermined"] = count
        for program in self:
            of_program = counts.get(program.id, {})
            program.member_count = of_program.get("all", 0)
            program.candidate_count = of_program.get("candidate", 0)
            program.undetermined_count = of_program.get("undetermined", 0)
            program.enrolled_count = of_program.get("enrolled", 0)
            program.ineligible_count = of_program.get("ineligible", 0)

    def _compute_cycle_count(self):
        counts = dict(
            self.env["spp.cycle"]._read_group([("program_id", "in", self.ids)], ["program_id"], ["__count"])
        )
        for program in self:
            program.cycle_count = counts.get(program, 0)

    def _compute_fund(self):
        balances = {
            balance.program_id: balance
            for balance in self.env["spp.fund.balance"].search([("program_id", "in", self.ids)])
        }
        for program in self:
            balance = balances.get(program)
            program.fund_allocated = balance.allocated if balance else 0
            program.fund_committed = balance.committed if balance else 0
            program.fund_disbursed = balance.disbursed if balance else 0
            program.fund_free = balance.free if balance else 0

    @api.depends("state", "rule_id", "benefit_ids")
    def _compute_next_step(self):
        for program in self:
            program.next_step = program._what_next()

    def _what_next(self):
        if self.state == "suspended":
            return _(
                "Suspended: nobody is enrolled and no cycle is opened or approved until it is activated again."
            )
        if self.state == "closed":
            return ""
        if self.state == "draft":
            missing = self._missing_for_activation()
            return missing or _("Everything is there: activate the program.")
        if not self.fund_allocated:
            return _("A finance officer allocates the fund: no cycle can be approved without.")
        if not self.member_count:
            return _("Import candidates: everybody in the registry whom the program could be for.")
        if not self.enrolled_count:
            return _("Enroll: the rule is evaluated for every candidate.")
        open_cycles = self.cycle_ids.filtered(lambda cycle: cycle.state not in ("closed", "cancelled"))
        if open_cycles:
            cycle = open_cycles[-1]
            return f"{cycle.display_name}: {cycle.next_step}" if cycle.next_step else ""
        return _("Open a cycle for the next period.")

    # ------------------------------------------------------------------ constraints and CRUD

    @api.constrains("rule_id", "target")
    def _check_rule_target(self):
        for program in self:
            if program.rule_id and program.rule_id.target != program.target:
                raise ValidationError(
                    _(
                        "The rule %(rule)s is not about the target of the program %(program)s.",
                        rule=program.rule_id.display_name,
                        program=program.display_name,
                    )
                )

    @api.model_create_multi
    def create(self, vals_list):
        programs = super().create(vals_list)
        # sudo: nobody may write balances; each program is born with its own.
        self.env["spp.fund.balance"].sudo().create([{"program_id": program.id} for program in programs])
        return programs

    def write(self, vals):
        changed = self._fixed_fields.intersection(vals)
        for program in self:
            if changed and program._is_used():
                raise UserError(
                    _(
                        "%(program)s has members, cycles or funds: its %(fields)s cannot change any more.",
                        program=program.display_name,
                        fields=", ".join(sorted(self._fields[name].string.lower() for name in changed)),
                    )
                )
        if "rule_id" in vals:
            self._draft_cycles_outdated()
        return super().write(vals)

    @api.ondelete(at_uninstall=False)
    def _unlink_unused(self):
        for program in self:
            if program.state != "draft" or program._is_used():
                raise UserError(
                    _("%s is in use and cannot be deleted. Close it instead.", program.display_name)
                )

    def copy_data(self, default=None):
        default = dict(default or {})
        default.setdefault("name", _("%s (copy)", self.name))
        default.setdefault("code", f"{self.code}-copy")
        return super().copy_data(default)

    # ------------------------------------------------------------------ actions

    def action_activate(self):
        """Let a draft or suspended program run. Role: program manager."""
        self._check_role("program_manager")
        for program in self:
            program._lock()
            missing = program._missing_for_activation()
            if missing:
                raise UserError(_("%(program)s: %(missing)s", program=program.display_name, missing=missing))
            program._set_state("active")
        return True

    def action_suspend(self):
        """Stop enrollment, and the opening and approval of cycles, until the program is activated again."""
        self._check_role("program_manager")
        for program in self:
            program._lock()
            program._set_state("suspended")
        return True

    def action_close(self):
        """End a program for good. Its cycles must be closed or cancelled."""
        self._check_role("program_manager")
        for program in self:
            program._lock()
            running = program.sudo().cycle_ids.filtered(
                lambda cycle: cycle.state not in ("closed", "cancelled")
            )
            if running:
                raise UserError(
                    _("Close or cancel these cycles first: %s.", ", ".join(running.mapped("display_name")))
                )
            program._set_state("closed")
        return True

    def action_import_candidates(self):
        """Add every active registrant of the program's target, whom the user may see, as a candidate.

        :return: id of the run (spp.run); its counts say how many were added
        """
        self.ensure_one()
        self._check_role("enrollment_officer", "program_manager")
        self._lock()
        self._check_active()
        run = self.env["spp.run"]._start("program_candidates", _("Import candidates: %s", self.name), self)
        # _search() applies the record rules: an officer of one area brings in that area's people only.
        added = self._add_candidates(self.env["res.partner"]._search([("is_registrant", "=", True)]).select())
        run._finish({_("Candidates added"): added})
        return run.id

    def action_enroll(self, as_of=None):
        """Evaluate the rule for everybody whom no person has decided about, and enroll who is eligible.

        Considered are candidates and those found ineligible before, as far as the user may see them. Who is
        eligible becomes enrolled, who is not becomes ineligible, and who cannot be decided about stays (or
        becomes again) a candidate with the outcome "undetermined" and what is missing. Suspended, graduated,
        exited, duplicate members and everybody enrolled by hand are left alone.

        :param as_of: date on which ages and memberships are looked at, "2026-01-31"; today when not given
        :return: id of the run (spp.run)
        """
        self.ensure_one()
        self._check_role("enrollment_officer", "program_manager")
        self._lock()
        self._check_active()
        as_of = fields.Date.to_date(as_of) or fields.Date.context_today(self)
        version = self._published_version()
        visible = self.env["spp.program.membership"]._search(
            [
                ("program_id", "=", self.id),
                ("state", "in", ["candidate", "ineligible"]),
                ("by_hand", "=", False),
            ]
        )
        run = self.env["spp.run"]._start("program_enroll", _("Enroll: %s", self.name), self, as_of=as_of)
        counts = self._evaluate_members(visible.select(), version, as_of)
        run._finish(counts)
        return run.id

    def action_new_cycle(self, start, end, as_of=None):
        """Open a cycle for the period from `start` to `end`, both included.

        :param as_of: date on which the rule looks at people; the start of the period when not given
        :return: id of the cycle (spp.cycle)
        """
        self.ensure_one()
        self._check_role("program_manager")
        cycle = self.env["spp.cycle"].create(
            {"program_id": self.id, "start": start, "end": end, "as_of": as_of or start}
        )
        return cycle.id

    def fund_allocate(self, amount_str, document, request_key):
        """Give money to the program. Role: finance officer.

        :param amount_str: amount above zero as a decimal string, "1000000.00"
        :param document: the paper it rests on
        :param request_key: chosen by the caller; a call that is repeated with it posts nothing and answers the same
        :return: id of the ledger entry (spp.fund.entry)
        """
        return self._fund_change("allocation", amount_str, document, request_key)

    def fund_adjust(self, amount_str, document, request_key):
        """Correct what was allocated, up or (with a minus) down, as long as it is free. See fund_allocate()."""
        return self._fund_change("adjustment", amount_str, document, request_key)

    # ------------------------------------------------------------------ business

    def _set_state(self, state):
        """The one way a program's state changes."""
        allowed = {
            "active": ("draft", "suspended"),
            "suspended": ("active",),
            "closed": ("active", "suspended"),
        }
        for program in self:
            if program.state not in allowed[state]:
                raise UserError(
                    _(
                        "%(program)s is %(state)s: this cannot be done with it.",
                        program=program.display_name,
                        state=program._state_label(),
                    )
                )
            old = program.state
            program._write_guarded({"state": state})
            self.env["spp.audit.entry"]._log(
                "Program activated" if state == "active" else f"Program {state}",
                program,
                old={"state": old},
                new={"state": state},
            )

    def _state_label(self):
        return dict(self._fields["state"]._description_selection(self.env))[self.state].lower()

    def _is_used(self):
        program = self.sudo()
        return bool(
            program.env["spp.program.membership"].search_count([("program_id", "=", self.id)], limit=1)
            or program.env["spp.cycle"].search_count([("program_id", "=", self.id)], limit=1)
            or program.env["spp.fund.entry"].search_count([("program_id", "=", self.id)], limit=1)
        )

    def _check_active(self):
        if self.state != "active":
            raise UserError(
                _(
                    "%(program)s is %(state)s; this can be done in an active program only.",
                    program=self.display_name,
                    state=self._state_label(),
                )
            )

    def _missing_for_activation(self):
        if not self.rule_id:
            return _("Choose an eligibility rule.")
        if not self.rule_id.sudo().published_version_id:
            return _("Publish a version of the rule %s.", self.rule_id.display_name)
        if not self.benefit_ids:
            return _("Add at least one benefit.")
        return ""

    def _published_version(self):
        # sudo: who may evaluate a program need not be able to read its rules.
        version = self.rule_id.sudo().published_version_id
        if not version:
            raise UserError(_("The eligibility rule of %s has no published version.", self.display_name))
        return version

    def _variable_values(self):
        """{name: Constant} of the program's own values, which replace those of the rule."""
        return {
            override.variable_id.name: override._constant() for override in self.sudo().variable_value_ids
        }

    def _draft_cycles_outdated(self):
        """What drafts were computed from has changed: they must be computed again before submission."""
        # sudo: the cycle is told, whoever changed the program.
        self.sudo().cycle_ids.filtered(lambda cycle: cycle.state == "draft")._write_guarded(
            {"computed_at": False}
        )

    def _add_candidates(self, partner_ids_sql):
        """Add registrants as candidates, in one statement; who is a member already stays as they are.

        :param partner_ids_sql: SQL selecting one column, ids of res_partner. Registrants of the other kind
            (individual, group), of another company, and those who are disabled or deceased are left out.
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
                ON CONFLICT (program_id, partner_id) DO NOTHING
                """,
                program=self.id,
                uid=self.env.uid,
                now=self.env.cr.now(),
                ids=partner_ids_sql,
                is_group=self.target == "group",
                company=self.company_id.id,
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

    def _execute_rule(self, version, statement):
        """Execute a statement in which a rule is evaluated for many; the rule's limits hold."""
        version._run_settings(self.env.cr)
        try:
            self.env.cr.execute(statement)
        except QueryCanceled:
            raise UserError(
                _("Evaluating the rule took too long and was stopped. Simplify the rule.")
            ) from None

    def _fund_change(self, kind, amount_str, document, request_key):
        self.ensure_one()
        self._check_role("finance_officer")
        if self.state == "closed":
            raise UserError(_("%s is closed.", self.display_name))
        amount = exact(amount_str, self.currency_id)
        if not amount or (kind == "allocation" and amount < 0):
            raise UserError(_("An allocation has an amount above zero; %s is none.", amount_str))
        if not (document or "").strip() or not (request_key or "").strip():
            raise UserError(_("An entry of the fund needs a document and a request key."))
        # sudo: the ledger and the balance are written by this method only; the role was checked.
        ledger = self.env["spp.fund.entry"].sudo()
        origin = f"program:{self.id}:{request_key.strip()}"
        ledger._post(self, kind, [(origin, amount)], document.strip())
        entry = ledger.search([("kind", "=", kind), ("origin", "=", origin)])
        if entry.currency_id.compare_amounts(entry.amount, float(amount)):
            raise UserError(
                _(
                    "The request key %(key)s was used before, for %(amount)s.",
                    key=request_key,
                    amount=shown(entry.amount, entry.currency_id),
                )
            )
        return entry.id
