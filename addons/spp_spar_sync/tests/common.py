"""A SPAR mapper on the sandbox's real HTTP server, and people with a document and an account."""

import json
import tempfile
import urllib.request

from odoo.tests import TransactionCase

from odoo.addons.spp_base.tests.common import LoopbackCalls

from sandbox import start


class SparMixin(LoopbackCalls):
    """For a TransactionCase or an HttpCase: jobs and cursors of its own stay in the test's transaction."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        directory = cls.enterClassContext(tempfile.TemporaryDirectory())
        cls.sandbox = cls.enterClassContext(start(directory))
        cls.env = cls.env(context={**cls.env.context, "tracking_disable": True})
        cls.id_type = cls.env["spp.identity.type"].create(
            {"name": "Test National ID", "code": "SPAR_TEST_ID"}
        )
        cls.bank = cls.env["res.bank"].create({"name": "First Bank", "bic": "FB01"})
        cls.env["spp.spar.mapper"].search([]).active = False
        cls.endpoint = cls.env["spp.endpoint"].create(
            {"name": "SPAR sandbox", "base_url": cls.sandbox.spar, "total_timeout": 5}
        )
        cls.mapper = cls.env["spp.spar.mapper"].create(
            {
                "name": "SPAR",
                "endpoint_id": cls.endpoint.id,
                "identity_type_id": cls.id_type.id,
            }
        )
        cls.changes = cls.env["spp.spar.change"]

    def setUp(self):
        super().setUp()
        self.control("reset")
        # The drain's own cursor must see the test's data.
        if not self.registry.in_test_mode():
            self.registry.enter_test_mode(self.cr)
            self.addCleanup(self.registry.leave_test_mode)

    @classmethod
    def users_of(cls, *roles):
        """A user of each of these roles."""
        return [
            cls.env["res.users"].create(
                {
                    "name": role,
                    "login": f"spar_{role}",
                    "groups_id": [(6, 0, [cls.env.ref(f"spp_base.group_{role}").id])],
                }
            )
            for role in roles
        ]

    def control(self, command, **body):
        request = urllib.request.Request(
            f"{self.sandbox.spar}/_sandbox/{command}",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.load(answer)

    def fault(self, fault, path="*", **more):
        self.control("faults", fault=fault, path=path, **more)

    def spar(self):
        """(links, operations) as the mapper holds them."""
        with urllib.request.urlopen(f"{self.sandbox.spar}/_sandbox/state", timeout=5) as answer:
            state = json.load(answer)
        return {key: link["fa"] for key, link in state["links"].items()}, state["operations"]

    def person(self, value=None, number="1000000001", **partner):
        """A registrant with a document (where `value` is given) and a primary bank account."""
        person = self.env["res.partner"].create(
            {"name": "Asha Devi", "is_registrant": True, "registration_date": "2026-01-01", **partner}
        )
        if value:
            self.document(person, value)
        if number:
            self.account(person, number)
        return person

    def document(self, person, value):
        return self.env["spp.identity.document"].create(
            {"partner_id": person.id, "type_id": self.id_type.id, "value": value}
        )

    def account(self, person, number, **values):
        self.primary(person).write({"is_primary": False})
        return self.env["spp.payment.account"].create(
            {
                "partner_id": person.id,
                "kind": "bank",
                "provider_id": self.bank.id,
                "number": number,
                "is_primary": True,
                **values,
            }
        )

    def primary(self, person):
        return person.payment_account_ids.filtered(
            lambda account: account.is_primary and account.state == "active"
        )

    def queued(self, person):
        return self.changes.search([("partner_id", "=", person.id)], order="id")

    def drain(self):
        self.env.cr.flush()
        self.mapper._job_drain()
        self.env.invalidate_all()

    def later(self):
        """Let every wait be over: what is to be tried again is due now."""
        self.env.cr.flush()
        self.env.cr.execute("UPDATE spp_spar_change SET next_try_at = next_try_at - interval '1 day'")
        self.env.invalidate_all()


class SparCase(SparMixin, TransactionCase):
    pass
