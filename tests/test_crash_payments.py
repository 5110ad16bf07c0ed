"""Power cuts around a POST: killed before, during or after it, everybody is paid once, whatever the payer speaks.

One system pays three programs, each over another dialect and all with one message. It is killed while the message of
each is at the same point, and started again.
"""

import os
import signal
import time

import pytest

from scripts import database, services
from scripts.job import AS_OF

pytestmark = pytest.mark.deep

TOKEN = "a-token-for-the-calls-of-the-payer"
# dialect: (server of the sandbox, path that payments are posted to, what becomes of the 33 payments)
DIALECTS = {
    "sync": ("payer", "/disburse/sync/disburse", {"paid": 27, "rejected": 1, "held": 5}),
    "async": ("payer", "/disburse", {"paid": 27, "rejected": 1, "held": 5}),
    "bridge": ("bridge", "/create_disbursements", {"paid": 28, "held": 5}),
}
# moment: (what the payer does with one message, seconds, period of the cycle)
# Before: the message is lost on its way. During: the payer acts when we are gone. After: it has acted, not answered.
MOMENTS = {
    "before": ("drop_before", 100, "2026-11-01", "2026-11-30"),
    "during": ("delay", 10, "2026-12-01", "2026-12-31"),
    "after": ("delay_after", 100, "2027-01-01", "2027-01-31"),
}
CHANNELS = "root:8"  # a message of each dialect is under way at once


@pytest.fixture(scope="module")
def paying(tmp_path_factory):
    """A system with a program for each dialect."""
    from conftest import running_system

    with running_system("spp_crash_payments", tmp_path_factory.mktemp("sandbox")) as system:
        system.stop()
        system.start(channels=CHANNELS)
        chain = system.chain()
        chain.people()
        chain.systems()
        chain.programs()
        system.programs = {dialect: _program(chain, dialect) for dialect in DIALECTS}
        members = {"program_ids": [(6, 0, list(system.programs.values()))]}
        chain.as_administrator("spp.mis.source", "write", [chain.source], members)
        chain.import_registry()
        chain.confirm_accounts()
        for program in system.programs.values():
            chain.enroll(program)
        chain._control("payer", "set", {"callback_token": [TOKEN]})
        yield system


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_server_killed_around_a_post_pays_everybody_once(moment, paying):
    fault, seconds, *period = MOMENTS[moment]
    chain = _reachable(paying)
    cycles = {dialect: _prepared(chain, program, period) for dialect, program in paying.programs.items()}
    for dialect, (payer, path, _ends) in DIALECTS.items():
        chain._control(payer, "faults", {"path": path, "fault": fault, "seconds": seconds})
        chain.as_releaser("spp.cycle", "action_send_payments", [cycles[dialect]])
    for dialect, (payer, path, _ends) in DIALECTS.items():
        # A fault is gone from the list once a message has come to it.
        _wait_until(
            lambda a=path, p=payer: a not in [f["path"] for f in chain._control(p, "faults")["faults"]]
        )
        if moment == "after":
            _wait_until(lambda d=dialect, p=payer: _has_acted(chain, cycles[d], p))
    _kill(paying.name)

    paying.start(channels=CHANNELS)
    chain = _reachable(paying)
    for dialect, (payer, _path, ends) in DIALECTS.items():
        cycle = cycles[dialect]
        chain._wait(
            f"sending ({dialect})",
            lambda c=cycle, stays=moment == "before" and dialect != "bridge": _ended(paying, chain, c, stays),
            90,
            pause=1,
        )
        received = _received(chain, payer)
        ours = _states(chain, cycle)
        assert {reference for reference in ours if received.get(reference, 0) > 1} == set(), dialect
        never = {reference for reference, state in ours.items() if state == "unknown"}
        if moment != "before" or dialect == "bridge":
            assert not never
            assert chain._states("spp.payment", _of(cycle), "state") == ends, dialect
        else:
            # Nobody but the payer knows that it has nothing: two people find out, and pay again.
            assert len(never) == 28 and not never & received.keys(), dialect
            assert all(_reasons(chain, cycle))


def _reachable(system):
    """The system's address is the one that payers call."""
    chain = system.chain()
    chain.as_admin("ir.config_parameter", "set_param", "web.base.url", system.url)
    return chain


def _program(chain, dialect):
    server, _path, _ends = DIALECTS[dialect]
    endpoint = chain._endpoint(f"Payer, {dialect}", chain.sandbox[server])
    values = {
        "name": f"Payer, {dialect}", "provider": "g2p_connect", "dialect": dialect, "endpoint_id": endpoint,
        "batch_size": 100, "sender_id": "spp.example.org", "payer_fa": "account:0011223344@treasury",
        "status_interval": 0, "bridge_program": "SPP-TEST",
    }  # fmt: skip
    if dialect == "async":
        chain.as_administrator("spp.endpoint", "write", [endpoint], {"callback_token": TOKEN})
    chain.payment_manager = chain.as_manager("spp.payment.manager", "create", values)
    return chain._program(
        f"Grant {dialect}", dialect.upper(), "group", "Children under five", "", "45.00", "9000.00"
    )


def _prepared(chain, program, period):
    cycle = chain.as_manager("spp.program", "action_new_cycle", [program], *period, AS_OF)
    chain.as_manager("spp.cycle", "action_compute", [cycle])
    chain.as_manager("spp.cycle", "action_submit", [cycle])
    chain.as_approver("spp.cycle", "action_approve", [cycle])
    chain.as_manager("spp.cycle", "action_prepare_payments", [cycle])
    return cycle


def _of(cycle):
    return [("cycle_id", "=", cycle)]


def _states(chain, cycle):
    """{reference: state} of the cycle's payments."""
    found = chain.as_finance("spp.payment", "search_read", _of(cycle), ["reference", "state"])
    return {payment["reference"]: payment["state"] for payment in found}


def _received(chain, payer):
    """{reference: how often the payer has it}, by its own books."""
    return chain._control(payer, "state")["counts"]


def _has_acted(chain, cycle, payer):
    """Has the payer acted on a message whose answer is still out?"""
    states, received = _states(chain, cycle), _received(chain, payer).keys()
    sending = {reference for reference, state in states.items() if state == "sending"}
    # The payer may have told us by a call what it has not answered yet.
    return bool(sending & received) or all(ref in received for ref in states if states[ref] != "held")


def _reasons(chain, cycle):
    unknown = [*_of(cycle), ("state", "=", "unknown")]
    return [
        each["state_reason"]
        for each in chain.as_finance("spp.payment", "search_read", unknown, ["state_reason"])
    ]


def _ended(system, chain, cycle, unknown_may_stay):
    """Let the cron look, as it does every minute, and time pass; True when nothing is open but what nobody can know."""
    states = set(_states(chain, cycle).values())
    if not {"ready", "sending", "accepted"} & states and (unknown_may_stay or "unknown" not in states):
        return True
    with database.cursor(system.name) as cr:
        # Deadlines pass, and what is to be tried again later is tried now.
        cr.execute("UPDATE spp_payment SET sent_at = sent_at - interval '1 hour' WHERE state = 'unknown'")
        cr.execute("UPDATE queue_job SET eta = NULL WHERE state = 'pending' AND eta IS NOT NULL")
    chain._run_cron("spp_programs", "cron_payment_status")
    return False


def _kill(service):
    os.killpg(services.running(service)["pid"], signal.SIGKILL)
    while services.running(service):
        time.sleep(0.05)


def _wait_until(happened, seconds=60):
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.1)
