"""A user for each role, asked over XML-RPC."""

from unittest.mock import patch
from xmlrpc.client import Fault

from passlib.context import CryptContext

from odoo.tests.common import BaseCase, HttpCase, new_test_user

from odoo.addons.base.models.res_users import Users

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
# Cheap hashes: a proper one takes half a second, and every role logs in.
CHEAP = CryptContext(["pbkdf2_sha512", "plaintext"], deprecated=["plaintext"], pbkdf2_sha512__rounds=1)


class CheapPasswords(BaseCase):
    @classmethod
    def setUpClass(cls):
        cls.startClassPatcher(patch.object(Users, "_crypt_context", lambda self: CHEAP))
        super().setUpClass()


class RoleCase(CheapPasswords, HttpCase):
    """``self.users[role]`` for each of ``ROLES``, for ``"internal"`` (no SPP role) and ``"system"``."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        groups = {role: f"spp_base.group_{role}" for role in ROLES}
        groups |= {"internal": "base.group_user", "system": "base.group_system"}
        cls.users = {role: cls._make_user(role, group) for role, group in groups.items()}

    @classmethod
    def _make_user(cls, name, groups):
        login = f"test_{name}"
        return new_test_user(cls.env, login, groups=groups, password=login)

    def rpc(self, role, model, method, *args, **kwargs):
        """Call a method as the user of a role, and return the answer or raise the Fault."""
        user = self.users[role]
        return self.xmlrpc_object.execute_kw(
            self.env.cr.dbname, user.id, user.login, model, method, args, kwargs
        )

    def allowed(self, role, model, method, *args, **kwargs):
        """Whether the access rights let the call through."""
        try:
            self.rpc(role, model, method, *args, **kwargs)
        except Fault as fault:
            if fault.faultCode == 4:  # Odoo's code for an access error
                return False
            raise
        return True
