"""Power cuts: whatever is killed at whatever moment, the next start carries on, and nobody is paid twice."""

import os
import signal
import time

import pytest

from scripts import job, services

pytestmark = pytest.mark.deep


def kill(service):
    os.killpg(services.running(service)["pid"], signal.SIGKILL)
    while services.running(service):
        time.sleep(0.05)


def test_a_server_killed_while_it_sends_pays_everybody_once(tmp_path, running):
    with running("spp_crash_send", tmp_path) as system:
        chain = _until_approved(system)
        cycle = chain._cycle(chain.program_ids[0])[0]
        chain.as_manager("spp.cycle", "action_prepare_payments", [cycle])
        # The payer books what it gets and takes its time to answer; the server dies in between.
        chain._control(
            "payer", "faults", {"path": "/disburse/sync/disburse", "fault": "delay_after", "seconds": 20}
        )
        chain.as_releaser("spp.cycle", "action_send_payments", [cycle])
        _wait_until(system.received)
        kill(system.name)
        chain._control("payer", "faults")

        system.start()
        chain = system.chain()
        payments = [("cycle_id", "=", cycle)]
        chain._wait("sending", lambda: _progressed(chain, payments), pause=1)

        assert set(system.received().values()) == {1}
        assert chain._states("spp.payment", payments, "state") == {"paid": 27, "rejected": 1, "held": 5}


def test_a_server_killed_while_it_imports_loses_no_record_and_doubles_none(tmp_path, running):
    with running("spp_crash_import", tmp_path) as system:
        chain = system.chain()
        chain.people()
        chain.systems()
        chain.programs()
        chain._control(
            "mis", "faults", {"path": "/web/dataset/call_kw/*", "fault": "delay", "seconds": 1, "times": None}
        )
        chain.as_officer("spp.mis.source", "action_import", [chain.source])
        time.sleep(6)
        kill(system.name)
        system.start()

        chain = system.chain()
        chain.systems()
        chain.programs()
        chain.import_registry()

        assert chain._people(True) == 71
        assert chain._people(False) == int(job.EXPECTED["Individuals imported"])


def test_a_killed_database_server_costs_no_payment(tmp_path, running):
    with running("spp_crash_database", tmp_path) as system:
        chain = _until_approved(system)
        cycle = chain._cycle(chain.program_ids[0])[0]
        chain.as_manager("spp.cycle", "action_prepare_payments", [cycle])
        chain.as_releaser("spp.cycle", "action_send_payments", [cycle])
        # Every connection of the system's database ends at once, in the middle of what it does.
        from scripts import database

        with database.cursor("postgres") as cr:
            cr.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [system.name]
            )
        payments = [("cycle_id", "=", cycle)]
        chain._wait("sending", lambda: _progressed(chain, payments), pause=1)

        assert set(system.received().values()) == {1}
        assert chain._states("spp.payment", payments, "state") == {"paid": 27, "rejected": 1, "held": 5}


def _until_approved(system):
    """The main job up to an approved cycle of the first program."""
    chain = system.chain()
    chain.people()
    chain.systems()
    chain.programs()
    chain.import_registry()
    chain.confirm_accounts()
    program = chain.program_ids[0]
    chain.enroll(program)
    cycle, _is_new = chain._cycle(program)
    chain.as_manager("spp.cycle", "action_compute", [cycle])
    chain.as_manager("spp.cycle", "action_submit", [cycle])
    chain.as_approver("spp.cycle", "action_approve", [cycle])
    return chain


def _progressed(chain, payments):
    """Let the cron look at what is open, as it would every few minutes; True when nothing is."""
    if not chain._count(payments, "ready", "sending", "accepted", "unknown"):
        return True
    chain._run_cron("spp_programs", "cron_payment_status")
    return False


def _wait_until(happened, seconds=60):
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.1)
