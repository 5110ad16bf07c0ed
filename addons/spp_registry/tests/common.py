"""People, households and users that several tests share."""

from xmlrpc.client import Fault

from odoo.tests import HttpCase, TransactionCase, new_test_user

from odoo.addons.spp_base.tests.common import CheapPasswords

ROLES = [
    "program_viewer",
    "auditor",
    "enrollment_officer",
    "program_manager",
    "finance_officer",
    "approver",
    "payment_releaser",
    "admin",
]


class RegistryMixin:
    """Makers of records; to be mixed into a test case with `cls.env`."""

    @classmethod
    def person(cls, family, given="", env=None, **vals):
        values = {"is_registrant": True, "family_name": family, "given_name": given, **vals}
        return (env or cls.env)["res.partner"].create(values)

    @classmethod
    def household(cls, name, *members, env=None, **vals):
        """A household; the first of `members` is its head."""
        lines = [
            (0, 0, {"individual_id": member.id, "is_head": index == 0})
            for index, member in enumerate(members)
        ]
        values = {"is_registrant": True, "is_group": True, "name": name, "member_ids": lines, **vals}
        return (env or cls.env)["res.partner"].create(values)

    @classmethod
    def account(cls, person, number, kind="bank", env=None, **vals):
        values = {"partner_id": person.id, "kind": kind, "number_entry": number, **vals}
        return (env or cls.env)["spp.payment.account"].create(values)

    @classmethod
    def document(cls, person, value, type_code="national_id", env=None):
        identity_type = cls.env["spp.identity.type"].search([("code", "=", type_code)])
        values = {"partner_id": person.id, "type_id": identity_type.id, "value": value}
        return (env or cls.env)["spp.identity.document"].create(values)

    @classmethod
    def user(cls, login, *roles):
        groups = ",".join(f"spp_base.group_{role}" for role in roles) or "base.group_user"
        login = f"test_{login}"
        return new_test_user(cls.env, login=login, password=login, groups=groups)


class RegistryCase(RegistryMixin, CheapPasswords, TransactionCase):
    pass


class RegistryHttpCase(RegistryMixin, CheapPasswords, HttpCase):
    """Tests that speak XML-RPC, the way an integrator does."""

    def ask(self, user, model, method, *args, **kwargs):
        self.env.flush_all()
        return self.xmlrpc_object.execute_kw(
            self.env.cr.dbname, user.id, user.login, model, method, args, kwargs
        )

    def refused(self, user, model, method, *args, **kwargs):
        """The words with which a call is refused; fails if it is not."""
        with self.assertRaises(Fault) as fault:
            self.ask(user, model, method, *args, **kwargs)
        return fault.exception.faultString
