"""A payer on the sandbox's real HTTP server, and an approved cycle whose payments go there."""

import json
import tempfile
import urllib.request
from contextlib import closing

import psycopg2

from odoo.sql_db import connection_info_for
from odoo.tests import TransactionCase

from odoo.addons.queue_job.tests.common import trap_jobs
from odoo.addons.spp_base.tests.common import CheapPasswords
from odoo.addons.spp_programs.tests.common import ProgramsMixin
from odoo.addons.spp_programs.tests.payment_common import PaymentsMixin

from sandbox import start

DISBURSE = "/disburse/sync/disburse"
STATUS = "/disburse/sync/txn/status"
CLOSED = "ACC90000666"  # the payer refuses this account


class PayerMixin(ProgramsMixin, PaymentsMixin):
    server = "payer"  # of the sandbox
    at_once = {"listed_after": 0, "settle_after": 0}
    path = DISBURSE

    @classmethod
    def set_up_payer(cls):
        cls.sandbox_folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        cls.sandbox = cls.enterClassContext(start(cls.sandbox_folder))
        cls.set_up_programs()
        cls.set_up_payments()
        cls.endpoint = cls.env["spp.endpoint"].create(
            {
                "name": "Payer",
                "base_url": getattr(cls.sandbox, cls.server),
                "total_timeout": 2,
                "connect_timeout": 2,
            }
        )
        cls.payment_manager.write(
            {
                "name": "Payer",
                "provider": "g2p_connect",
                "endpoint_id": cls.endpoint.id,
                "sender_id": "spp.example.org",
                "payer_fa": "account:0011223344@treasury-bank",
                "status_interval": 0,
            }
        )

    def setUp(self):
        super().setUp()
        # Jobs write on cursors of their own, which must see the test's data.
        if not self.registry.in_test_mode():
            self.registry.enter_test_mode(self.cr)
            self.addCleanup(self.registry.leave_test_mode)
        self.control("reset")
        self.control("set", **self.at_once)

    # The payer

    @property
    def payer_url(self):
        return getattr(self.sandbox, self.server)

    def control(self, command, **body):
        request = urllib.request.Request(
            f"{self.payer_url}/_sandbox/{command}",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.load(answer)

    def fault(self, fault, path=None, **more):
        self.control("faults", fault=fault, path=path or self.path, **more)

    def clear_faults(self):
        request = urllib.request.Request(f"{self.payer_url}/_sandbox/faults", method="DELETE")
        urllib.request.urlopen(request, timeout=5).close()

    def payer(self):
        with urllib.request.urlopen(f"{self.payer_url}/_sandbox/state", timeout=5) as answer:
            return json.load(answer)

    def received(self):
        """How often the payer has each reference."""
        return self.payer()["counts"]

    # What people and jobs do

    def prepared(self, count=2, **vals):
        cycle = self.approved_cycle(self.make_payees(count), **vals)
        self.prepare(cycle)
        return cycle

    def send(self, cycle):
        """Release the cycle's payments and run the jobs that this enqueues."""
        with trap_jobs() as jobs:
            cycle.with_user(self.releaser).action_send_payments()
            self.run_jobs(jobs)

    def ask(self):
        """What the cron does, with the jobs that it enqueues."""
        with trap_jobs() as jobs:
            self.env.ref("spp_programs.cron_payment_status").ir_actions_server_id.run()
            self.run_jobs(jobs)

    def run_jobs(self, jobs):
        while jobs.enqueued_jobs:  # a job may enqueue another
            for job in jobs.enqueued_jobs:
                # What a request enqueued must not rest on its cursor, which is closed by now.
                asked = job.recordset.env
                job.recordset = job.recordset.with_env(
                    self.env(user=asked.uid, context=asked.context, su=asked.su)
                )
            jobs.perform_enqueued_jobs()
        self.env.invalidate_all()

    def states(self, cycle):
        self.env.invalidate_all()
        return sorted(cycle.payment_ids.mapped("state"))

    def another_connection(self):
        """A connection that is no part of the test's transaction, like another worker's."""
        return closing(psycopg2.connect(**connection_info_for(self.env.cr.dbname)[1]))


class PayerCase(PayerMixin, CheapPasswords, TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env = cls.env(context=dict(cls.env.context, tracking_disable=True))
        cls.set_up_payer()
