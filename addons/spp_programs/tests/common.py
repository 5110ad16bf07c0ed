"""People, rules, programs and one user per role, for the tests of this addon."""

from odoo.tests import TransactionCase, new_test_user

from odoo.addons.spp_base.tests.common import CheapPasswords

AS_OF = "2026-06-01"
ROLES = (
    "program_viewer",
    "auditor",
    "enrollment_officer",
    "program_manager",
    "finance_officer",
    "approver",
    "payment_releaser",
    "admin",
)


class ProgramsMixin:
    """Works on any test class that has `env`; call set_up_programs() from setUpClass."""

    @classmethod
    def set_up_programs(cls):
        cls.users = {
            role: new_test_user(
                cls.env, login=f"prog_{role}", password=f"prog_{role}", groups=f"spp_base.group_{role}"
            )
            for role in ROLES
        }
        cls.manager = cls.users["program_manager"]
        cls.officer = cls.users["enrollment_officer"]
        cls.finance = cls.users["finance_officer"]
        cls.approver = cls.users["approver"]
        cls.old_age = cls.make_rule("Old age", "individual", "individual.age >= 60")

    @classmethod
    def make_rule(cls, name, target, expression):
        rule = cls.env["spp.rule"].create({"name": name, "target": target})
        version = cls.env["spp.rule.version"].create({"rule_id": rule.id, "expression": expression})
        version.action_publish("A rule of the tests")
        return rule

    @classmethod
    def make_person(cls, name, birthdate=False, **vals):
        return cls.env["res.partner"].create(
            {"name": name, "is_registrant": True, "is_group": False, "birthdate": birthdate, **vals}
        )

    @classmethod
    def make_people(cls, count, birthdate="1950-01-01", prefix="Person"):
        return cls.env["res.partner"].create(
            [
                {"name": f"{prefix} {i}", "is_registrant": True, "is_group": False, "birthdate": birthdate}
                for i in range(count)
            ]
        )

    @classmethod
    def make_program(cls, code="OLD", amount=100, activate=True, fund=None, **vals):
        program = (
            cls.env["spp.program"]
            .with_user(cls.manager)
            .create(
                {
                    "name": f"Program {code}",
                    "code": code,
                    "target": "individual",
                    "rule_id": cls.old_age.id,
                    "benefit_ids": [(0, 0, {"name": "Grant", "kind": "money", "amount": amount})],
                    **vals,
                }
            )
        )
        if activate:
            program.action_activate()
        if fund:
            program.with_user(cls.finance).fund_allocate(fund, "Warrant 1", "first")
        return program

    @classmethod
    def add(cls, program, partners):
        """Make the partners candidates and return their memberships."""
        return (
            cls.env["spp.program.membership"]
            .with_user(cls.officer)
            .create([{"program_id": program.id, "partner_id": partner.id} for partner in partners])
        )

    @classmethod
    def make_cycle(cls, program, start="2026-06-01", end="2026-06-30", compute=True, submit=False):
        program = program.with_user(cls.manager)
        cycle = (
            cls.env["spp.cycle"].with_user(cls.manager).browse(program.action_new_cycle(start, end, AS_OF))
        )
        if compute or submit:
            cycle.action_compute()
        if submit:
            cycle.action_submit()
        return cycle


class ProgramsCase(ProgramsMixin, CheapPasswords, TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env = cls.env(context=dict(cls.env.context, tracking_disable=True))
        cls.set_up_programs()
