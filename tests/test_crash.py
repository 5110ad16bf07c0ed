"""Power cuts: whatever is killed at whatever moment, the next start carries on, and nobody is paid twice."""

import contextlib
import http.client
import os
import signal
import threading
import time
import xmlrpc.client

import pytest
from money_laws import broken

from scripts import services
from scripts.steps import Failed

pytestmark = pytest.mark.deep


def kill(service):
    os.killpg(services.running(service)["pid"], signal.SIGKILL)
    while services.running(service):
        time.sleep(0.05)


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


def test_a_server_killed_while_money_moves_leaves_whole_steps_only(tmp_path, running):
    """Killed at several moments of preparing, issuing a file and reading results: each is done whole, once, or not."""
    with running("spp_crash_money", tmp_path) as system:
        chain = _until_approved(system)
        program = chain.program_ids[0]
        payer = chain.as_manager(
            "spp.payment.manager",
            "create",
            {"name": "By file", "provider": "file", "file_format": "pdf", "batch_size": 2},
        )
        chain.as_manager("spp.program", "write", [program], {"payment_manager_id": payer})
        cycle = chain._cycle(program)[0]
        of_cycle = [("cycle_id", "=", cycle)]
        for number, seconds in enumerate((0.05, 0.15, 0.3, 0.5, 0.8, 1.2)):
            _killed_after(seconds, system, cycle, payer, f"key-{number}")
            assert not broken(system.name), seconds
            system.start()
            chain = system.chain()
        # What was left is carried on with, and ends with everybody paid once.
        for number in range(20):
            _next_step(chain, cycle, payer, f"end-{number}")
            if not chain._count(of_cycle, "ready", "sending", "accepted"):
                break
            time.sleep(1)
        assert not broken(system.name)
        states = chain._states("spp.payment", of_cycle, "state")
        assert states == {"paid": 28, "held": 5}
        (row,) = chain.as_finance("spp.program", "read", [program], ["fund_disbursed"])
        assert row["fund_disbursed"] == 28 * 45


def _next_step(chain, cycle, payer, key):
    chain.as_manager("spp.cycle", "action_prepare_payments", [cycle])
    if chain._count([("cycle_id", "=", cycle)], "ready"):
        with contextlib.suppress(xmlrpc.client.Fault):  # a job that was left behind may issue them first
            chain.as_releaser("spp.cycle", "action_send_payments", [cycle])
    issued = chain.as_finance(
        "spp.payment",
        "search_read",
        [("cycle_id", "=", cycle), ("state", "=", "accepted")],
        ["reference", "amount"],
    )
    rows = [
        {"reference": payment["reference"], "outcome": "paid", "amount": str(payment["amount"])}
        for payment in issued
    ]
    if rows:
        chain.as_finance("spp.payment.manager", "import_results", [payer], rows, key)


def _killed_after(seconds, system, *step):
    """Take the next step and kill the server in the midst of it."""

    def undisturbed():
        with contextlib.suppress(OSError, http.client.HTTPException, xmlrpc.client.Error, Failed):
            _next_step(system.chain(), *step)

    worker = threading.Thread(target=undisturbed)
    worker.start()
    time.sleep(seconds)
    kill(system.name)
    worker.join()


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
