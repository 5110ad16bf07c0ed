"""What the tests of all addons need of Odoo's: cheap passwords, calls to servers on loopback, a user for each role."""

from contextlib import contextmanager
from datetime import timedelta
from unittest.mock import patch
from urllib.parse import urlsplit
from xmlrpc.client import Fault

from passlib.context import CryptContext

from odoo import models
from odoo.tests.common import BaseCase, HttpCase, _super_send, new_test_user
from odoo.tools import SQL

from odoo.addons.queue_job.tests.common import trap_jobs

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


class LoopbackCalls(BaseCase):
    """Lets our own HTTP client reach servers on loopback."""

    @classmethod
    def _request_handler(cls, session, request, /, **kwargs):
        # 19.0 compares the timeout with a number; ours is a pair.
        if urlsplit(request.url).hostname in ("127.0.0.1", "localhost"):
            return _super_send(session, request, **kwargs)
        return super()._request_handler(session, request, **kwargs)


class CheapPasswords(LoopbackCalls):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.startClassPatcher(patch.object(cls.registry["res.users"], "_crypt_context", lambda self: CHEAP))


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

    def may(self, role, model, operation):
        """Whether the rights of a role on a model include an operation."""
        return self.rpc(role, model, "check_access_rights", operation, raise_exception=False)

    def allowed(self, role, model, method, *args, **kwargs):
        """Whether the access rights let the call through."""
        try:
            self.rpc(role, model, method, *args, **kwargs)
        except Fault as fault:
            if fault.faultCode == 4:  # Odoo's code for an access error
                return False
            raise
        return True


@contextmanager
def as_jobs(env):
    """Bulk actions of the block are left to jobs, which are done at its end; gives the trap of the jobs."""
    parameters = env["ir.config_parameter"].sudo()
    before = parameters.get_param("spp_base.rows_at_once")
    parameters.set_param("spp_base.rows_at_once", "0")
    try:
        with trap_jobs() as trap:
            yield trap
        trap.perform_enqueued_jobs()
    finally:
        parameters.set_param("spp_base.rows_at_once", before or False)


class LikeTheOrm(BaseCase):
    """Rows written by SQL cannot be told from rows that the ORM made: defaults, computed columns, who and when."""

    def assert_like_the_orm(self, record, **differing):
        """The ORM makes a twin of a row, from what the row says; every column must be the same.

        :param differing: values in which two rows must differ, such as a unique reference
        """
        record.ensure_one()
        self.env.flush_all()
        row = self._row(record)
        fields = record._fields
        values = {
            name: value
            for name, value in row.items()
            if value is not None and name in fields and name not in models.MAGIC_COLUMNS
            # what the ORM computes by itself, it computes
            and not (fields[name].compute and fields[name].readonly)
        }  # fmt: skip
        author = record.with_user(row["create_uid"]).sudo()
        # The model's own create() would refuse what only its actions write.
        twin = models.BaseModel.create(author.browse(), [{**values, **differing}])
        self.env.flush_all()
        other = self._row(twin)
        # a column that is no field is computed by the database
        for name in (row.keys() & fields.keys()) - {"id"} - differing.keys():
            if name in ("create_date", "write_date"):
                self.assertEqual(row["create_date"], row["write_date"], f"{record._name}.{name}")
                self.assertAlmostEqual(
                    row[name], other[name], delta=timedelta(minutes=10), msg=f"{record._name}.{name}"
                )
            else:
                self.assertEqual(row[name], other[name], f"{record._name}.{name}")

    def _row(self, record):
        self.env.cr.execute(SQL("SELECT * FROM %s WHERE id = %s", SQL.identifier(record._table), record.id))
        return self.env.cr.dictfetchone()
