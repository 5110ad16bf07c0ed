"""The demonstration: a company of its own, with six programs, twelve people with a story each, and generated households.

There is one at most. It is set up here and nothing more: who is enrolled, what is computed, approved and paid is done by
people with the roles for it, as with any other program.
"""

from contextlib import contextmanager

from dateutil.relativedelta import relativedelta

from odoo import _, api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Command
from odoo.tools import SQL

from odoo.addons.spp_base.tools import statistics

from ..tools import story

NAME = "Demonstration"
ABOVE = 20_000  # a second level is asked where emergency relief comes to more
FILLED = ("res_partner", "spp_event", "spp_group_membership", "spp_payment_account", "spp_program_membership")


class MisDemo(models.Model):
    _name = "spp.mis.demo"
    _inherit = ["spp.guarded.mixin", "spp.bulk.mixin"]
    _description = "Demonstration"

    _guarded_fields = frozenset({"company_id", "program_ids", "persona_ids", "made_people"})

    name = fields.Char(compute="_compute_name")
    as_of = fields.Date(
        string="As of",
        required=True,
        default=fields.Date.context_today,
        help="The date that everything hangs on: birthdays, moves and events are counted back from it.",
    )
    people = fields.Integer(
        string="Generated people",
        required=True,
        default=8000,
        help="In how many people's households the twelve live: 8,000 people are about 2,000 households. More than 10,000 "
        "are made in the background. 0: the twelve alone.",
    )
    user_ids = fields.Many2many(
        comodel_name="res.users",
        string="Who shall see it",
        default=lambda self: self.env.user,
        help="They get access to the company Demonstration, beside their own.",
    )
    company_id = fields.Many2one(comodel_name="res.company", readonly=True, copy=False, ondelete="restrict")
    program_ids = fields.Many2many(comodel_name="spp.program", string="Programs", readonly=True, copy=False)
    persona_ids = fields.Many2many(comodel_name="res.partner", string="People", readonly=True, copy=False)
    made_people = fields.Integer(string="Generated so far", readonly=True, copy=False)

    _sql_constraints = [
        (
            "people_range",
            "CHECK(people BETWEEN 0 AND 2000000)",
            "The number of generated people is between 0 and 2,000,000.",
        ),
    ]

    def init(self):
        result = super().init()
        self.env.cr.execute("CREATE UNIQUE INDEX IF NOT EXISTS spp_mis_demo_one ON spp_mis_demo ((TRUE))")
        return result

    def _compute_name(self):
        self.name = _(NAME)

    def write(self, vals):
        if {"as_of", "people", "user_ids"}.intersection(vals) and self.company_id:
            raise UserError(
                _("The demonstration was created already: what it was created with cannot change.")
            )
        return super().write(vals)

    # ------------------------------------------------------------------ actions

    @api.model
    def action_open(self):
        """Open the demonstration, or the form to create it."""
        return {
            "type": "ir.actions.act_window",
            "name": _(NAME),
            "res_model": self._name,
            "res_id": (self.search([], limit=1) or self.create({})).id,
            "views": [(False, "form")],
        }

    @api.model
    def create_demonstration(self, as_of, people, user_logins=()):
        """Create the demonstration. Role: SP-MIS administrator. Called again with the same figures, it changes nothing.

        :param as_of: the date that everything hangs on, "2026-11-21"
        :param people: how many people are generated around the twelve; from 10,000 on in the background
        :param user_logins: logins of users who get access to its company, beside the caller
        :return: {"company": id, "programs": {code: id}, "personas": {key: id of the person},
            "households": {key: id of their household, 0 for none}, "run": id of the run (spp.run) that is at work, or 0}
        """
        self._check_role("admin")
        as_of = fields.Date.to_date(as_of)
        demo = self.search([], limit=1)
        if demo.company_id and (demo.as_of, demo.people) != (as_of, people):
            raise UserError(
                _(
                    "There is a demonstration already, as of %(as_of)s with %(people)s generated people. Uninstall the "
                    "module and install it again to make another one.",
                    as_of=demo.as_of,
                    people=demo.people,
                )
            )
        if not demo:
            demo = self.create({"as_of": as_of, "people": people})
        users = self.env["res.users"].sudo().search([("login", "in", list(user_logins))])
        if missing := set(user_logins) - set(users.mapped("login")):
            raise UserError(_("There is no user with the login %s.", ", ".join(sorted(missing))))
        if demo.company_id:
            demo._let_in(users)
        else:
            demo.write(
                {"as_of": as_of, "people": people, "user_ids": [Command.set((users | self.env.user).ids)]}
            )
            demo.action_create()
        return demo._answer()

    def action_create(self):
        """Create the company with its programs and people; where many are to be generated, a job goes on with them."""
        self.ensure_one()
        self._check_role("admin")
        self._lock()
        if self.company_id:
            raise UserError(_("The demonstration was created already."))
        self._refuse_chain()
        # sudo: of all this an administrator may make the users only. It is in a company of its own.
        with self._remembered_trail():
            values = {"name": _(NAME), "currency_id": self.env.company.currency_id.id}
            company = self.sudo().env["res.company"].create(values)
        self._write_guarded({"company_id": company.id})
        demo = self.sudo().with_company(company)
        demo._remember("company", company)
        demo._let_in(self.user_ids)
        demo._make_areas()
        demo._write_guarded({"program_ids": [Command.set(demo._make_programs().ids)]})
        demo._write_guarded({"persona_ids": [Command.set(demo._make_personas().ids)]})
        demo._add_candidates()
        self.env["spp.audit.entry"]._log(
            "Demonstration created", demo, new={"as_of": str(self.as_of), "people": self.people}
        )
        if self.people:
            return self._bulk(
                "generate", _("Demonstration: generate people"), rows=self.people, as_of=self.as_of
            )
        return True

    def action_open_programs(self):
        """Open the programs of the demonstration."""
        return self._open_list("spp_programs.action_spp_program", [("company_id", "=", self.company_id.id)])

    def action_open_people(self):
        """Open the twelve people."""
        return self._open_list(
            "spp_registry.action_res_partner_individual", [("id", "in", self.persona_ids.ids)]
        )

    # ------------------------------------------------------------------ business

    def _open_list(self, name, domain):
        """The list that the menu opens, of these records only, and in the demonstration's company too."""
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id(name)
        companies = (self.company_id | self.env.companies).ids
        context = {"allowed_company_ids": companies, "create": False}
        return {**action, "domain": domain, "context": context}

    def _answer(self):
        self.ensure_one()
        run = self.sudo().env["spp.run"]._at_work(self).get(self.id)
        keys = story.personas(self.as_of)
        return {
            "company": self.company_id.id,
            "programs": {code: self._made(f"program_{code}").id for code in story.programs()},
            "personas": {key: self._made(f"persona_{key}").id for key in keys},
            "households": {key: self._made(f"household_{key}").id or 0 for key in keys},
            "run": run.id if run else 0,
        }

    def _let_in(self, users):
        """Give users access to the company."""
        # sudo: an administrator gives access to companies that they have access to; this one they have just made
        with self._remembered_trail():
            for user in users.sudo():
                if self.company_id not in user.company_ids:
                    user.write({"company_ids": [Command.link(self.company_id.id)]})

    def _refuse_chain(self):
        if chain := self.sudo().env["spp.approval.chain"]._find("rule_version", self.env["spp.rule.version"]):
            raise UserError(
                _(
                    "Publishing a rule needs approval here (%s), and the demonstration publishes rules. Archive that chain "
                    "while it is created.",
                    chain.name,
                )
            )

    # ------------------------------------------------------------------ what is made is found again by its name

    def _remember(self, name, record):
        """Give a record a name (external id), by which it is found again, and known as part of the demonstration."""
        self.env["ir.model.data"].create(
            {
                "module": "spp_mis_demo",
                "name": name,
                "model": record._name,
                "res_id": record.id,
                "noupdate": True,
            }
        )
        return record

    @contextmanager
    def _remembered_trail(self):
        """What the trail says inside of it about users, who are not of the company, is part of the demonstration too."""
        trail = self.sudo().env["spp.audit.entry"]
        last = trail.search([], limit=1).id
        yield
        for entry in trail.search([("id", ">", last), ("res_model", "=", "res.users")]):
            self.sudo()._remember(f"audit_entry_{entry.id}", entry)

    @api.model
    def _made(self, name):
        # sudo: which record has the name; what may be read of it is decided by its own rules
        return (
            self.sudo().env.ref(f"spp_mis_demo.{name}", raise_if_not_found=False) or self.env["res.partner"]
        )

    # ------------------------------------------------------------------ programs

    def _make_programs(self):
        manager = self.env["spp.payment.manager"].create(
            {"name": _("Demonstration, by file"), "provider": "file", "file_format": "csv"}
        )
        programs = self.env["spp.program"]
        for code, told in story.programs().items():
            programs |= self._remember(f"program_{code}", self._make_program(code, told, manager))
        return programs

    def _make_program(self, code, told, manager):
        pack, rule = self._make_rule(told["rule"])
        condition = self._make_rule(told["condition"])[1] if "condition" in told else rule.browse()
        calendar = told["calendar"]
        program = self.env["spp.program"].create(
            {
                "name": told["name"],
                "code": code,
                "description": told["description"],
                "kind": told["kind"],
                "target": rule.target,
                "company_id": self.company_id.id,
                "currency_id": self.company_id.currency_id.id,
                "rule_id": rule.id,
                "compliance_rule_id": condition.id,
                "payment_manager_id": manager.id,
                "calendar": calendar,
                "calendar_start": calendar != "by_hand"
                and self.as_of.replace(day=1) - relativedelta(months=2),
                "variable_value_ids": [Command.create(values) for values in self._values(pack)],
                "benefit_ids": [Command.create(_benefit(benefit)) for benefit in told["benefits"]],
            }
        )
        self._make_chain(program)
        if any(benefit.kind == "money" for benefit in program.benefit_ids):
            # What is given in a year, generously: nobody shall find the fund empty.
            amount = f"{max(1_000_000, 150 * self.people)}.00"
            self.env["spp.fund.entry"]._post(
                program, "allocation", [(f"program:{program.id}:demonstration", amount)], _("Demonstration")
            )
        program._set_state("active")
        return program

    def _make_rule(self, name):
        """A published rule of our own, as it is in the logic pack, and the pack. The country's rules stay theirs."""
        code, key = name.split(".")
        record = self.env["spp.logic.pack"].search([("code", "=", code)])
        pack = record._pack()
        for variable in record._make_variables():
            self._remember(f"variable_{variable.name}", variable)
        told = next(rule for rule in pack.rules if rule.key == key)
        rule = self.env["spp.rule"].create(
            {
                "name": _("%s (demonstration)", told.name),
                "target": told.target,
                "description": f"{told.description}\n\n{pack.basis}",
                "expression": told.expression,
            }
        )
        rule.action_publish(_("Demonstration"))
        return pack, self._remember(f"rule_{code}_{key}", rule)

    def _values(self, pack):
        """The pack's values of its constants, for a program: those of the country may be others."""
        variables = self.env["spp.cel.variable"].search(
            [("name", "in", [constant.name for constant in pack.constants])]
        )
        values = {constant.name: constant.constant.value for constant in pack.constants}
        return [{"variable_id": variable.id, "value": str(values[variable.name])} for variable in variables]

    def _make_chain(self, program):
        levels = [
            {"name": _("Approver"), "group_id": self.env.ref("spp_base.group_approver").id, "sequence": 1}
        ]
        if program.kind == "emergency":
            finance = self.env.ref("spp_base.group_finance_officer").id
            levels.append({"name": _("Finance"), "group_id": finance, "sequence": 2, "amount_above": ABOVE})
        self.env["spp.approval.chain"].create(
            {
                "name": _("Cycles of %s (demonstration)", program.name),
                "kind": "cycle",
                "company_id": self.company_id.id,
                "program_id": program.id,
                "level_ids": [Command.create(level) for level in levels],
            }
        )

    def _add_candidates(self):
        """Everybody of the company becomes a candidate of each program; nobody of the country's registry does."""
        for program in self.program_ids:
            program._add_candidates(
                SQL("SELECT id FROM res_partner WHERE company_id = %s AND is_registrant", self.company_id.id)
            )
        # Few as they may be: PostgreSQL may know the tables as empty, and would loop over them in each other.
        for table in FILLED:
            statistics.refresh(self.env.cr, table, statistics.MANY)


def _benefit(told):
    """Values of a benefit, as it is written in data/programs.yaml."""
    kind = "goods" if "quantity" in told else "money"
    return {"kind": kind, "amount_kind": "formula" if "formula" in told else "fixed", **told}
