"""What the tests across addons share: a whole running system, on a database and counterparties of its own.

Tests of this folder talk to it as users and integrators do: over HTTP. `system` is started once and has run
the main job twice; what each run left is kept, so that tests may add to the system in any order. Tests that
kill or restart something make a system of their own with `running_system`.
"""

import contextlib

import pytest

from sandbox import start as start_sandbox
from scripts import database, job, odoo_server, series, services

PASSWORD = "admin"  # of the template database's administrator; the job gives it to everybody


class System:
    """A running Odoo with its counterparties."""

    def __init__(self, name, folder, sandbox):
        self.name, self.folder = name, folder
        self.sandbox = {
            "mis": sandbox.mis,
            "spar": sandbox.spar,
            "payer": sandbox.payer,
            "bridge": sandbox.bridge,
        }
        self.url = None

    def start(self, **options):
        self.url = odoo_server.start(series.current(), self.name, name=self.name, port=8270, **options)

    def stop(self):
        services.stop(self.name)

    def chain(self):
        return job.Chain(self.url, self.name, PASSWORD, self.sandbox)

    def run_job(self):
        return job.run(self.url, self.name, PASSWORD, self.sandbox)

    def received(self, payer="payer"):
        """How often the payer received each payment reference, by its own books."""
        return self.chain()._control(payer, "state")["counts"]

    def log_in(self, login):
        return job.Session(self.url, self.name, login, PASSWORD)


@contextlib.contextmanager
def running_system(name, folder):
    """A system on a fresh copy of the template database, taken away at the end."""
    database.clone(series.current().template, name)
    with start_sandbox(folder) as sandbox:
        system = System(name, folder, sandbox)
        try:
            system.start()
            yield system
        finally:
            system.stop()
            database.drop(name)


@pytest.fixture(scope="session")
def system(tmp_path_factory):
    with running_system("spp_live", tmp_path_factory.mktemp("sandbox")) as running:
        running.runs = [Outcome(running), Outcome(running)]
        yield running


@pytest.fixture
def running():
    """Start a system that the test may kill: `with running(database, folder) as system`."""
    return running_system


class Outcome:
    """What one run of the main job left behind."""

    def __init__(self, system):
        self.as_expected = system.run_job()
        self.received = system.received()
        people = system.log_in("officer")(
            "res.partner", "search_read", [("is_registrant", "=", True)], ["write_date"]
        )
        self.stamps = {person["id"]: person["write_date"] for person in people}
