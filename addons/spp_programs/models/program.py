"""A program: whom it is for, by which rule, what it gives, and the fund it gives from."""

from odoo import _, api, fields, models
from odoo.exceptions import UserError, ValidationError

from ..tools.money import exact


class Program(models.Model):
    _name = "spp.program"
    _inherit = ["spp.guarded.mixin", "spp.bulk.mixin"]
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

    def action_new_cycle(self, start, end, as_of=None, budget_str=None):
        """Open a cycle for the period from `start` to `end`, both included.

        :param as_of: date on which the rule looks at people; the start of the period when not given
        :param budget_str: what the cycle may come to as a decimal string, "0" for no limit; the program's budget of a
            cycle when not given
        :return: id of the cycle (spp.cycle)
        """
        self.ensure_one()
        self._check_role("program_manager")
        return self._open_cycle(start, end, as_of, self._read_budget(budget_str)).id

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

    def _published_version(self, rule=None):
        """The published version of the eligibility rule, or of another `rule` of the program."""
        # sudo: who may evaluate a program need not be able to read its rules.
        rule = (rule or self.rule_id).sudo()
        if not rule.published_version_id:
            raise UserError(
                _(
                    "The rule %(rule)s of %(program)s has no published version.",
                    rule=rule.display_name,
                    program=self.display_name,
                )
            )
        return rule.published_version_id

    def _open_cycle(self, start, end, as_of=None, budget=None, **vals):
        """Open a cycle; the caller has checked the user's role."""
        return self.env["spp.cycle"].create(
            {
                "program_id": self.id,
                "start": start,
                "end": end,
                "as_of": as_of or start,
                "budget": self.cycle_budget if budget is None else budget,
                **vals,
            }
        )

    def _read_budget(self, budget_str):
        """A budget as it comes over XML-RPC; None when none was given."""
        if not budget_str:
            return None
        budget = exact(budget_str, self.currency_id)
        if budget < 0:
            raise UserError(_("A budget is an amount above zero, or 0 for none."))
        return float(budget)

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
