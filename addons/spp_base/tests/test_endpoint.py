"""An endpoint is set up safely, and its secret is read by nobody."""

import pathlib
import re
import tempfile
from xmlrpc.client import Fault

from psycopg2.errors import UndefinedColumn

from odoo.exceptions import UserError, ValidationError
from odoo.tests.common import TransactionCase, new_test_user, tagged
from odoo.tools import mute_logger

from ..http.client import NotSent
from .common import CheapPasswords, RoleCase
from .servers import Server, certificate, reply


@tagged("post_install", "-at_install")
class TestEndpoint(CheapPasswords, TransactionCase):
    def endpoint(self, **values):
        return self.env["spp.endpoint"].create(
            {"name": "Mapper", "base_url": "https://mapper.example.org/v1", **values}
        )

    def test_good_addresses(self):
        for url in (
            "https://mapper.example.org",
            "https://mapper.example.org:8443/v1/",
            "http://127.0.0.1:18070",
            "http://localhost:18070",
            "http://[::1]:18070",
        ):
            self.assertTrue(self.endpoint(base_url=url), url)

    def test_bad_addresses(self):
        for url in (
            "mapper.example.org",
            "ftp://mapper.example.org",
            "https://",
            "https://me:hush@mapper.example.org",
            "https://mapper.example.org?key=hush",
            "https://mapper.example.org/#x",
            "https://mapper.example.org/a b",
            "https://mapper.example.org:port",
            "https://[mapper",
        ):
            with self.assertRaises(ValidationError, msg=url):
                self.endpoint(base_url=url)

    def test_plain_http_needs_a_decision(self):
        for url in ("http://mapper.example.org", "http://10.0.0.1", "http://127.0.0.1.example.org"):
            with self.assertRaises(ValidationError, msg=url):
                self.endpoint(base_url=url)
            endpoint = self.endpoint(base_url=url, allow_plain_http=True)
            with self.assertRaises(ValidationError):
                endpoint.allow_plain_http = False

    def test_certificate_must_be_one(self):
        with self.assertRaises(ValidationError):
            self.endpoint(ca_certificate="nothing")

    def test_calls_with_its_authentication(self):
        with Server(reply()) as server:
            endpoint = self.endpoint(base_url=server.url, auth_type="basic", login="me", secret="hush")
            viewer = new_test_user(self.env, "endpoint_viewer", groups="spp_base.group_program_viewer")
            for auth_type in ("basic", "bearer", "session", "none"):
                endpoint.write({"auth_type": auth_type, "secret": "hush"})
                with endpoint.with_user(viewer)._client() as client:
                    client.request("GET", "/")
        basic, bearer, session, none = (head for head, _body in server.requests)
        self.assertIn("Authorization: Basic bWU6aHVzaA==", basic)
        self.assertIn("Authorization: Bearer hush", bearer)
        self.assertNotIn("Authorization", session + none)

    def test_a_secret_is_not_taken_along_to_another_system(self):
        endpoint = self.endpoint(base_url="https://mis.example.org", auth_type="bearer", secret="hush")
        endpoint.write({"base_url": "https://mis.example.org", "name": "Renamed"})
        self.assertTrue(endpoint.has_secret)
        endpoint.base_url = "https://elsewhere.example.org"
        self.assertFalse(endpoint.has_secret)
        self.assertIsNone(endpoint._get_secret())

    def test_a_failing_statement_is_logged_without_its_values(self):
        with (
            self.assertLogs("odoo.sql_db", "ERROR") as logged,
            self.assertRaises(UndefinedColumn),
            self.cr.savepoint(),
        ):
            self.cr.execute("UPDATE res_partner SET no_such_column = %s", ["0011223344"])
        self.assertNotIn("0011223344", "".join(logged.output))
        self.assertIn("UPDATE res_partner", "".join(logged.output))

    def test_trusts_only_the_given_authority(self):
        with tempfile.TemporaryDirectory() as name:
            pem, context = certificate(pathlib.Path(name), "ours")
            with Server(reply(), context=context) as server:
                endpoint = self.endpoint(base_url=server.url)
                with self.assertRaises(NotSent), endpoint._client() as client:
                    client.request("GET", "/")
                endpoint.ca_certificate = pem.read_text()
                with endpoint._client() as client:
                    self.assertEqual(client.request("GET", "/").status, 200)

    def test_paused_endpoint_refuses_calls(self):
        with Server(reply()) as server:
            endpoint = self.endpoint(base_url=server.url)
            endpoint._pause("The password was refused.")
            self.assertTrue(endpoint.paused)
            with self.assertRaisesRegex(UserError, "The password was refused."), endpoint._client():
                self.fail("a paused endpoint made a call")
            self.assertFalse(server.requests)
            endpoint.action_resume()
            with endpoint._client() as client:
                self.assertEqual(client.request("GET", "/").status, 200)

    def test_secret_can_be_set_and_replaced_and_forgotten(self):
        endpoint = self.endpoint(secret="one")
        self.assertEqual((endpoint.secret, endpoint.has_secret), (False, True))
        self.assertEqual(endpoint._get_secret(), "one")
        endpoint.secret = "two"
        self.assertEqual((endpoint.secret, endpoint._get_secret()), (False, "two"))
        endpoint.write({"secret": "", "name": "Same"})
        self.assertEqual(endpoint._get_secret(), "two", "an empty field keeps the secret")
        self.assertFalse(endpoint.copy().has_secret)
        endpoint.action_forget_secret()
        self.assertFalse(endpoint.has_secret)
        self.assertIsNone(endpoint._get_secret())

    def test_many_at_once(self):
        first, second, third = self.env["spp.endpoint"].create(
            [
                {"name": n, "base_url": "https://a.example.org", "secret": s}
                for n, s in zip("abc", ("1", "", "3"), strict=True)
            ]
        )
        self.assertEqual(
            [(e.secret, e.has_secret, e._get_secret()) for e in (first, second, third)],
            [(False, True, "1"), (False, False, None), (False, True, "3")],
        )
        (first + second).secret = "both"
        self.assertEqual([e._get_secret() for e in (first, second, third)], ["both", "both", "3"])


@tagged("post_install", "-at_install")
class TestSecretOverXmlRpc(RoleCase):
    """Whoever asks, whatever the way: the secret does not come out."""

    SECRET = "s3cr3t-hush"

    def setUp(self):
        super().setUp()
        self.endpoint = self.env["spp.endpoint"].create(
            {
                "name": "Mapper",
                "base_url": "https://mapper.example.org",
                "auth_type": "bearer",
                "secret": self.SECRET,
            }
        )
        self.users["system"].groups_id += self.env.ref("spp_base.group_admin")
        self.env.flush_all()

    def answer(self, role, method, *args, **kwargs):
        """What comes back, as text; of a refusal its message too."""
        try:
            return repr(self.rpc(role, "spp.endpoint", method, *args, **kwargs))
        except Fault as fault:
            return f"Fault {fault.faultString}"

    @mute_logger("odoo.models", "odoo.addons.base.models.ir_model", "odoo.http", "odoo.sql_db")
    def test_no_way_out(self):
        ids = self.endpoint.ids
        ways = [
            ("read", (ids, ["secret", "has_secret"])),
            ("read", (ids,)),
            ("web_read", (ids, {"secret": {}})),
            ("search_read", ([], ["secret"])),
            ("web_search_read", ([], {"secret": {}})),
            ("export_data", (ids, ["id", "secret", "name"])),
            ("copy_data", ids),
            ("read_group", ([], ["secret:max"], ["name"])),
            ("read_group", ([], ["name"], ["secret"])),
            ("web_read_group", ([], ["secret"], ["secret"])),
            ("search", ([], 0, False, "secret")),
            ("search", ([("has_secret", "=", True)],)),
            ("onchange", (ids, {}, [], {"secret": {}})),
            ("mapped", (ids, "secret")),
            ("_get_secret", (ids,)),
            ("_authentication", (ids,)),
        ]
        for role in self.users:
            for method, args in ways:
                self.assertNotIn(self.SECRET, self.answer(role, method, *args), (role, method, args))

    @mute_logger("odoo.models", "odoo.addons.base.models.ir_model", "odoo.http", "odoo.osv.expression")
    def test_it_cannot_be_guessed_by_searching(self):
        for role in self.users:
            for operator, guess in (("=", self.SECRET), ("like", "s3"), ("=like", "s3%"), (">", "a")):
                right, wrong = (
                    re.sub(r"'[^']*'", "", self.answer(role, "search_count", [("secret", operator, value)]))
                    for value in (guess, "wrong")
                )
                self.assertEqual(right, wrong, (role, operator))

    def test_no_model_leads_to_the_table(self):
        self.assertNotIn("spp_endpoint_secret", [model._table for model in self.env.values()])

    def test_admin_sets_it_and_reads_nothing(self):
        # web_save writes and reads within one request: what was written is still in the cache
        saved = self.rpc(
            "admin",
            "spp.endpoint",
            "web_save",
            self.endpoint.ids,
            {"secret": "new"},
            specification={"secret": {}},
        )
        self.assertFalse(saved[0]["secret"])
        made = self.rpc(
            "admin",
            "spp.endpoint",
            "web_save",
            [],
            {"name": "New", "base_url": "https://new.example.org", "secret": "new"},
            specification={"secret": {}, "has_secret": {}},
        )
        self.assertEqual((made[0]["secret"], made[0]["has_secret"]), (False, True))
        self.env.invalidate_all()
        self.assertEqual(self.endpoint._get_secret(), "new")

    @mute_logger("odoo.addons.base.models.ir_model", "odoo.http")
    def test_only_the_admin_sets_it(self):
        for role in self.users.keys() - {"admin", "system"}:
            for method, args in (
                ("write", (self.endpoint.ids, {"secret": "mine"})),
                ("web_save", (self.endpoint.ids, {"secret": "mine"}, {})),
                ("create", ({"name": "x", "base_url": "https://x.example.org", "secret": "x"},)),
                ("action_forget_secret", (self.endpoint.ids,)),
                ("action_resume", (self.endpoint.ids,)),
            ):
                self.assertFalse(self.allowed(role, "spp.endpoint", method, *args), (role, method))
        self.env.invalidate_all()
        self.assertEqual(self.endpoint._get_secret(), self.SECRET)
