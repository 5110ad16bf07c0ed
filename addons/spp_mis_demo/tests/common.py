"""A demonstration with few generated people, and a user for each role who sees it."""

from odoo.tests import TransactionCase, new_test_user

from odoo.addons.spp_base.tests.common import CheapPasswords
from odoo.addons.spp_programs.tests.common import ROLES

AS_OF = "2026-11-21"
PEOPLE = 120


class DemoCase(CheapPasswords, TransactionCase):
    as_of = AS_OF
    people = PEOPLE

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env = cls.env(context=dict(cls.env.context, tracking_disable=True))
        cls.users = {
            role: new_test_user(cls.env, login=f"demo_{role}", groups=f"spp_base.group_{role}")
            for role in ROLES
        }
        cls.before_creation()
        cls.answer = cls.create_demonstration()
        cls.company = cls.env["res.company"].browse(cls.answer["company"])
        cls.programs = {
            code: cls.env["spp.program"].browse(program_id)
            for code, program_id in cls.answer["programs"].items()
        }
        cls.personas = {
            key: cls.env["res.partner"].browse(person_id) for key, person_id in cls.answer["personas"].items()
        }
        cls.households = {
            key: cls.env["res.partner"].browse(household_id or ())
            for key, household_id in cls.answer["households"].items()
        }

    @classmethod
    def before_creation(cls):
        """What a test looks at beforehand."""

    @classmethod
    def create_demonstration(cls):
        demo = cls.env["spp.mis.demo"].with_user(cls.users["admin"])
        return demo.create_demonstration(cls.as_of, cls.people, [user.login for user in cls.users.values()])

    @classmethod
    def as_role(cls, role, record):
        """The record as the role's user sees it who works in the demonstration."""
        return record.with_user(cls.users[role]).with_context(allowed_company_ids=cls.company.ids)
