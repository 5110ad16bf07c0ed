"""Bulk actions that meet each other, over real connections: no double, no deadlock, a clear message for the loser."""

import xmlrpc.client
from concurrent.futures import ThreadPoolExecutor

import bulk
import pytest
from test_concurrency import _periods as periods
from test_concurrency import fund, make_cycle, several

from scripts import job


@pytest.fixture
def program(system):
    """A program with candidates, none of whom is enrolled."""
    year = next(periods)
    manager = system.log_in("manager")
    (rule,) = manager("spp.rule", "search", [("name", "=", "Children under five")])
    program = manager("spp.program", "create", {
        "name": f"Crowd {year}", "code": f"CROWD{year}", "target": "group", "rule_id": rule,
        "benefit_ids": [
            (0, 0, {"name": "Cash", "kind": "money", "amount": 10.0}),
            (0, 0, {"name": "Flour", "kind": "goods", "quantity": 2, "product_name": "Flour"}),
        ],
    })  # fmt: skip
    manager("spp.program", "action_activate", [program])
    system.log_in("finance")("spp.program", "fund_allocate", [program], "5000.00", "Decree", f"crowd-{year}")
    manager("spp.program", "action_import_candidates", [program])
    return program


@pytest.fixture
def draft(system, program):
    """A cycle that was not computed yet."""
    system.log_in("officer")("spp.program", "action_enroll", [program], job.AS_OF)
    year = next(periods)
    return system.log_in("manager")(
        "spp.program", "action_new_cycle", [program], f"{year}-01-01", f"{year}-01-31", job.AS_OF
    )


@pytest.fixture
def by_jobs(system):
    bulk.by_jobs(system)
    yield
    bulk.by_jobs(system, always=False)


def at_once(sessions, model, method, record, *arguments):
    """Call a method from several connections in the same moment: (answers, what the losers are told)."""

    def call(session):
        try:
            return session(model, method, [record], *arguments), None
        except xmlrpc.client.Fault as fault:
            return None, fault.faultString

    with ThreadPoolExecutor(len(sessions)) as pool:
        called = list(pool.map(call, sessions))
    told = [refusal for _answer, refusal in called if refusal]
    assert all("at this moment" in refusal or "a moment ago" in refusal for refusal in told), told
    return [answer for answer, refusal in called if not refusal], told


def members(system, program):
    return system.log_in("manager")(
        "spp.program.membership", "search_read", [("program_id", "=", program)], ["partner_id", "state"]
    )


def test_candidates_imported_twice_at_once_are_members_once(system, program):
    at_once(several(system, "officer"), "spp.program", "action_import_candidates", program)
    found = members(system, program)
    assert len(found) == len({member["partner_id"][0] for member in found}) > 0


def test_enrolled_twice_at_once_is_enrolled_once(system, program):
    answers, _told = at_once(several(system, "officer"), "spp.program", "action_enroll", program, job.AS_OF)
    assert answers
    states = [member["state"] for member in members(system, program)]
    assert states.count("enrolled") == 33


def test_enrolled_twice_at_once_by_a_job_is_one_run(system, program, by_jobs):
    with bulk.held(system.name, "action_enroll", program):
        answers, _told = at_once(
            several(system, "officer"), "spp.program", "action_enroll", program, job.AS_OF
        )
        assert len(set(answers)) == 1
        bulk.wait_until_held(system.name)
        manager = system.log_in("manager")
        assert manager("spp.program", "action_enroll", [program], job.AS_OF) == answers[0]
        (seen,) = manager("spp.run", "read", answers[:1], ["state"])
        assert seen["state"] == "running"
    assert bulk.over(manager, answers[0])["state"] == "done"
    domain = [("res_model", "=", "spp.program"), ("res_id", "=", program), ("kind", "=", "program_enroll")]
    assert manager("spp.run", "search_count", domain) == 1


def test_the_same_period_opened_twice_at_once_is_one_cycle(system, program):
    system.log_in("officer")("spp.program", "action_enroll", [program], job.AS_OF)
    year = next(periods)
    sessions = several(system, "manager")

    def call(session):
        try:
            return session(
                "spp.program", "action_new_cycle", [program], f"{year}-01-01", f"{year}-01-31", job.AS_OF
            )
        except xmlrpc.client.Fault as fault:
            assert "at this moment" in fault.faultString or "overlaps with" in fault.faultString
            return None

    with ThreadPoolExecutor(len(sessions)) as pool:
        opened = [cycle for cycle in pool.map(call, sessions) if cycle]
    assert len(opened) == 1
    assert sessions[0]("spp.cycle", "search", [("program_id", "=", program)]) == opened


def test_computed_twice_at_once_each_is_due_once(system):
    cycle = make_cycle(system, "5000.00")
    total, _committed, _free = fund(system, cycle)
    answers, _told = at_once(several(system, "manager"), "spp.cycle", "action_compute", cycle)
    assert answers
    manager = system.log_in("manager")
    due = manager("spp.entitlement", "search_read", [("cycle_id", "=", cycle)], ["partner_id"])
    assert len(due) == len({line["partner_id"][0] for line in due}) > 0
    assert fund(system, cycle)[0] == total


def test_an_exit_during_a_computation_must_be_computed_again(system, draft, by_jobs):
    manager, officer = system.log_in("manager"), system.log_in("officer")
    (row,) = manager("spp.cycle", "read", [draft], ["program_id"])
    program = row["program_id"][0]
    (member,) = manager(
        "spp.program.membership",
        "search",
        [("program_id", "=", program), ("state", "=", "enrolled")],
        limit=1,
    )
    with bulk.held(system.name, "action_compute", draft):
        run = manager("spp.cycle", "action_compute", [draft])
        bulk.wait_until_held(system.name)
        assert officer("spp.program.membership", "action_exit", [member], "Moved away")
    assert bulk.over(manager, run)["state"] == "done"
    submitted = bulk.over(manager, manager("spp.cycle", "action_submit", [draft]))
    assert submitted["state"] == "failed"
    assert "no longer enrolled" in submitted["message"]


def test_an_exit_during_an_enrollment_holds(system, program, by_jobs):
    """Whichever of the two comes first: who has left stays away."""
    manager, officer = system.log_in("manager"), system.log_in("officer")
    ids = sorted(member["id"] for member in members(system, program))[:-1]
    left = []
    with bulk.held(system.name, "action_enroll", program):
        run = manager("spp.program", "action_enroll", [program], job.AS_OF)
        bulk.wait_until_held(system.name)
        for member in (ids[0], ids[-1]):
            try:
                left.append(
                    officer("spp.program.membership", "action_exit", [member], "Moved away") and member
                )
            except xmlrpc.client.Fault as fault:
                assert "at this moment" in fault.faultString
    assert bulk.over(manager, run)["state"] == "done"
    for member in {ids[0], ids[-1]} - set(left):
        assert officer("spp.program.membership", "action_exit", [member], "Moved away")
    again = manager("spp.program", "action_enroll", [program], job.AS_OF)
    assert bulk.over(manager, again)["state"] == "done"
    rows = manager("spp.program.membership", "read", [ids[0], ids[-1]], ["state"])
    assert {row["state"] for row in rows} == {"exited"}


def test_who_would_change_a_cycle_is_told_what_is_at_work_on_it(system, draft, by_jobs):
    manager = system.log_in("manager")
    with bulk.held(system.name, "action_compute", draft):
        run = manager("spp.cycle", "action_compute", [draft])
        bulk.wait_until_held(system.name)
        with pytest.raises(xmlrpc.client.Fault, match="(?s)at this moment.*Compute"):
            manager("spp.cycle", "action_cancel", [draft], "Not now")
    assert bulk.over(manager, run)["state"] == "done"


def test_goods_handed_out_twice_at_once_are_handed_out_once(system, draft):
    manager, officer = system.log_in("manager"), system.log_in("officer")
    for session, action in (
        (manager, "compute"),
        (manager, "submit"),
        (system.log_in("approver"), "approve"),
    ):
        assert bulk.over(manager, session("spp.cycle", f"action_{action}", [draft]))["state"] == "done"
    answers, _told = at_once(several(system, "officer"), "spp.cycle", "action_hand_out", draft, "List 1")
    assert answers
    goods = [("cycle_id", "=", draft), ("kind", "=", "goods")]
    due = officer("spp.entitlement", "search", goods)
    assert due and len(due) == officer(
        "spp.entitlement", "search_count", [*goods, ("state", "=", "handed_out")]
    )
    handed = officer("spp.handout", "search_read", [("cycle_id", "=", draft)], ["entitlement_id"])
    assert sorted(line["entitlement_id"][0] for line in handed) == sorted(due)


def test_a_withdrawal_and_a_hand_out_at_once_do_not_both_happen(system, draft):
    manager, officer = system.log_in("manager"), system.log_in("officer")
    for session, action in (
        (manager, "compute"),
        (manager, "submit"),
        (system.log_in("approver"), "approve"),
    ):
        assert bulk.over(manager, session("spp.cycle", f"action_{action}", [draft]))["state"] == "done"

    def act(call):
        session, method, arguments = call
        try:
            return session("spp.cycle", method, [draft], *arguments)
        except xmlrpc.client.Fault as fault:
            assert "at this moment" in fault.faultString
            return None

    calls = [
        (system.log_in("officer"), "action_hand_out", ["List 1"]),
        (system.log_in("manager"), "action_propose_withdrawals", ["left", "Flood"]),
    ]
    with ThreadPoolExecutor(2) as pool:
        assert any(pool.map(act, calls))
    gone = officer("spp.cycle.withdrawal", "search_read", [("cycle_id", "=", draft)], ["partner_id"])
    handed = officer("spp.handout", "search_read", [("cycle_id", "=", draft)], ["partner_id"])
    assert bool(gone) != bool(handed)
