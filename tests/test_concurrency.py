"""Two people press the same button at once, over real connections: it happens once, and the fund holds."""

import xmlrpc.client
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest
from money_laws import broken

from scripts import job

AT_ONCE = 4
_periods = count(2030)


@pytest.fixture
def cycle(system):
    """A computed cycle of a program with its own fund; not submitted."""
    return make_cycle(system, "5000.00")


def make_cycle(system, fund):
    year = next(_periods)
    manager, finance, officer = system.log_in("manager"), system.log_in("finance"), system.log_in("officer")
    (rule,) = manager("spp.rule", "search", [("name", "=", "Children under five")])
    (payer,) = manager("spp.payment.manager", "search", [], limit=1)
    program = manager("spp.program", "create", {
        "name": f"Rush {year}", "code": f"RUSH{year}", "target": "group", "rule_id": rule, "payment_manager_id": payer,
        "benefit_ids": [(0, 0, {"name": "Cash", "kind": "money", "amount": 10.0})],
    })  # fmt: skip
    manager("spp.program", "action_activate", [program])
    finance("spp.program", "fund_allocate", [program], fund, "Decree", f"rush-{year}")
    officer("spp.program", "action_import_candidates", [program])
    manager("spp.program", "action_enroll", [program], job.AS_OF)
    return open_cycle(manager, program, year)


def open_cycle(manager, program, year):
    cycle = manager("spp.program", "action_new_cycle", [program], f"{year}-01-01", f"{year}-01-31", job.AS_OF)
    manager("spp.cycle", "action_compute", [cycle])
    return cycle


def at_once(sessions, method, cycles):
    """Call `method` from several connections in the same moment; how many of the calls were carried out."""

    def call(session, cycle):
        try:
            session("spp.cycle", method, [cycle])
            return True
        except xmlrpc.client.Fault:
            return False

    with ThreadPoolExecutor(len(sessions)) as pool:
        return sum(pool.map(call, sessions, cycles))


def several(system, login):
    return [system.log_in(login) for _number in range(AT_ONCE)]


def fund(system, cycle):
    finance = system.log_in("finance")
    (row,) = finance("spp.cycle", "read", [cycle], ["program_id", "total_amount"])
    (program,) = finance("spp.program", "read", [row["program_id"][0]], ["fund_committed", "fund_free"])
    return row["total_amount"], program["fund_committed"], program["fund_free"]


def test_a_cycle_approved_twice_at_once_commits_its_total_once(system, cycle):
    system.log_in("manager")("spp.cycle", "action_submit", [cycle])
    assert at_once(several(system, "approver"), "action_approve", [cycle] * AT_ONCE) == 1
    total, committed, free = fund(system, cycle)
    assert committed == total
    assert free == 5000 - total


def test_two_cycles_approved_at_once_never_spend_more_than_the_fund_has(system):
    first = make_cycle(system, "400.00")  # enough for one cycle, not for two
    manager = system.log_in("manager")
    (row,) = manager("spp.cycle", "read", [first], ["program_id", "total_amount"])
    assert 200 < row["total_amount"] <= 400
    second = open_cycle(manager, row["program_id"][0], next(_periods))
    for one in (first, second):
        manager("spp.cycle", "action_submit", [one])
    assert at_once(several(system, "approver")[:2], "action_approve", [first, second]) == 1
    _total, committed, free = fund(system, first)
    assert committed == row["total_amount"]
    assert free >= 0


def test_payments_prepared_and_sent_twice_at_once_are_paid_once(system, cycle):
    manager = system.log_in("manager")
    manager("spp.cycle", "action_submit", [cycle])
    system.log_in("approver")("spp.cycle", "action_approve", [cycle])
    at_once(several(system, "manager"), "action_prepare_payments", [cycle] * AT_ONCE)
    finance = system.log_in("finance")
    payments = finance(
        "spp.payment", "search_read", [("cycle_id", "=", cycle)], ["reference", "entitlement_id"]
    )
    (row,) = finance("spp.cycle", "read", [cycle], ["entitlement_count"])
    assert (
        len(payments)
        == len({payment["entitlement_id"][0] for payment in payments})
        == row["entitlement_count"]
    )

    at_once(several(system, "releaser"), "action_send_payments", [cycle] * AT_ONCE)
    chain = system.chain()
    domain = [("cycle_id", "=", cycle)]
    chain._wait("sending", lambda: not chain._count(domain, "ready", "sending"))
    chain._wait("settlement", lambda: chain._settled(domain), pause=1)

    received = system.received()
    of_cycle = [received[payment["reference"]] for payment in payments if payment["reference"] in received]
    assert of_cycle and set(of_cycle) == {1}


def a_program_with_members(system):
    """A program of its own and the memberships of three candidates."""
    number = next(_periods)
    manager, officer = system.log_in("manager"), system.log_in("officer")
    (rule,) = manager("spp.rule", "search", [("name", "=", "Children under five")])
    program = manager("spp.program", "create", {
        "name": f"Decide {number}", "code": f"DEC{number}", "target": "group", "rule_id": rule,
        "benefit_ids": [(0, 0, {"name": "Cash", "kind": "money", "amount": 10.0})],
    })  # fmt: skip
    manager("spp.program", "action_activate", [program])
    households = officer("res.partner", "search", [("is_group", "=", True)], limit=3)
    officer("spp.program", "action_import_list", [program], households)
    return program, officer("spp.program.membership", "search", [("program_id", "=", program)])


def test_two_decisions_about_the_same_members_at_once_are_one_and_a_clear_refusal(system):
    program, members = a_program_with_members(system)
    officers = several(system, "officer")
    calls = ["action_enroll_by_hand", "action_exit"] * (AT_ONCE // 2)

    def call(session, method):
        try:
            return session("spp.program.membership", method, members, f"Reason of {method}")
        except xmlrpc.client.Fault as fault:
            return fault.faultString

    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(call, officers, calls))
    refused = [answer for answer in answers if answer is not True]
    # Who is enrolled may exit afterwards, so one or two are carried out; the losers are told why.
    assert 1 <= answers.count(True) <= 2
    assert refused
    for words in refused:
        assert "is being changed by someone else" in words or "This cannot be decided about" in words, words
    manager = system.log_in("manager")
    decisions = manager("spp.enrollment.decision", "search_count", [("program_id", "=", program)])
    assert decisions == answers.count(True)
    rows = manager("spp.program.membership", "read", members, ["state", "state_reason", "decision_id"])
    assert len({(row["state"], row["state_reason"], row["decision_id"][0]) for row in rows}) == 1, (
        "all or none"
    )


def test_a_decision_taken_back_twice_at_once_is_taken_back_once(system):
    program, members = a_program_with_members(system)
    officer = system.log_in("officer")
    officer("spp.program.membership", "action_enroll_by_hand", members, "Order 3")
    (decision,) = officer("spp.enrollment.decision", "search", [("program_id", "=", program)])

    def call(session):
        try:
            return session("spp.enrollment.decision", "action_take_back", [decision], "Withdrawn")
        except xmlrpc.client.Fault as fault:
            return fault.faultString

    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(call, several(system, "officer")))
    refused = [answer for answer in answers if isinstance(answer, str)]
    assert len(refused) == AT_ONCE - 1
    for words in refused:
        assert "is being changed by someone else" in words or "taken back already" in words, words
    states = officer("spp.program.membership", "read", members, ["state", "by_hand"])
    assert {(row["state"], row["by_hand"]) for row in states} == {("candidate", False)}


def test_two_searches_for_doubles_at_once_find_each_pair_once(system):
    officer = system.log_in("officer")
    people = officer("res.partner", "create", [
        {"is_registrant": True, "name": f"Twice Found{end}", "birthdate": "1971-07-17"} for end in ("", "", "")
    ])  # fmt: skip

    def call(session):
        try:
            session("spp.duplicate.case", "action_search_duplicates", [])
            return True
        except xmlrpc.client.Fault as fault:
            return fault.faultString

    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(call, several(system, "officer")))
    assert answers == [True] * AT_ONCE
    assert officer("spp.duplicate.case", "search_count", [("partner_id", "in", people)]) == 3


def one_of_each(*calls):
    """Make the calls in the same moment, each over its own connection; what each answered, or the text of its refusal."""

    def make(call):
        session, model, method, arguments = call
        try:
            return session(model, method, *arguments) or True
        except xmlrpc.client.Fault as fault:
            assert fault.faultCode in (2, 4), fault.faultString  # in plain words, and no deadlock
            return fault.faultString

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(make, calls))


def test_approval_against_sending_back_and_editing(system):
    for _time in range(3):
        cycle = make_cycle(system, "5000.00")
        manager = system.log_in("manager")
        manager("spp.cycle", "action_submit", [cycle])
        one_of_each(
            (system.log_in("approver"), "spp.cycle", "action_approve", ([cycle],)),
            (system.log_in("approver"), "spp.cycle", "action_reject", ([cycle], "Look again")),
            (manager, "spp.cycle", "write", ([cycle], {"as_of": "2026-01-01"})),
            (system.log_in("manager"), "spp.cycle", "action_compute", ([cycle],)),
        )
        (row,) = manager("spp.cycle", "read", [cycle], ["state", "as_of"])
        total, committed, _free = fund(system, cycle)
        assert (row["state"], committed) in (("approved", total), ("draft", 0), ("submitted", 0))
        if row["state"] == "approved":
            assert row["as_of"] == job.AS_OF
        assert not broken(system.name)


def approved(system):
    cycle = make_cycle(system, "5000.00")
    manager = system.log_in("manager")
    manager("spp.cycle", "action_submit", [cycle])
    system.log_in("approver")("spp.cycle", "action_approve", [cycle])
    manager("spp.cycle", "action_prepare_payments", [cycle])
    return cycle


def test_release_against_cancelling_the_cycle(system):
    for _time in range(3):
        cycle = approved(system)
        sent, cancelled = one_of_each(
            (system.log_in("releaser"), "spp.cycle", "action_send_payments", ([cycle],)),
            (system.log_in("approver"), "spp.cycle", "action_cancel", ([cycle], "Given up")),
        )
        cancelled = isinstance(cancelled, int)
        assert (sent is True) != cancelled, (sent, cancelled)
        (row,) = system.log_in("manager")("spp.cycle", "read", [cycle], ["state"])
        total, committed, free = fund(system, cycle)
        if cancelled:
            assert (row["state"], committed, free) == ("cancelled", 0, 5000)
        else:
            assert row["state"] == "disbursing" and free == 5000 - total
        assert not broken(system.name)


def test_release_against_cancelling_and_holding_payments(system):
    cycle = approved(system)
    finance = system.log_in("finance")
    payments = finance("spp.payment", "search", [("cycle_id", "=", cycle), ("state", "=", "ready")])
    one_of_each(
        (system.log_in("releaser"), "spp.cycle", "action_send_payments", ([cycle],)),
        *(
            (system.log_in("manager"), "spp.payment", "action_cancel", ([payment], "No"))
            for payment in payments[:3]
        ),
        *((finance, "spp.payment", "action_hold", ([payment], "Wait")) for payment in payments[3:4]),
    )
    chain = system.chain()
    chain._wait("sending", lambda: not chain._count([("cycle_id", "=", cycle)], "ready", "sending"))
    received = system.received()
    for payment in finance("spp.payment", "read", payments, ["reference", "state"]):
        # What was cancelled or held in time never reached the payer; what reached the payer is neither.
        assert (payment["reference"] in received) == (payment["state"] not in ("cancelled", "held")), payment
    assert not broken(system.name)


def test_the_same_results_read_twice_at_once_are_applied_once(system):
    cycle = make_cycle(system, "5000.00")
    manager, finance = system.log_in("manager"), system.log_in("finance")
    (row,) = manager("spp.cycle", "read", [cycle], ["program_id"])
    payer = manager("spp.payment.manager", "create", {"name": "By file", "provider": "file"})
    manager("spp.program", "write", [row["program_id"][0]], {"payment_manager_id": payer})
    manager("spp.cycle", "action_submit", [cycle])
    system.log_in("approver")("spp.cycle", "action_approve", [cycle])
    manager("spp.cycle", "action_prepare_payments", [cycle])
    system.log_in("releaser")("spp.cycle", "action_send_payments", [cycle])
    issued = [("cycle_id", "=", cycle), ("state", "=", "accepted")]
    system.chain()._wait("the file", lambda: finance("spp.payment", "search_count", issued))
    rows = [
        {"reference": payment["reference"], "outcome": "paid", "amount": str(payment["amount"])}
        for payment in finance("spp.payment", "search_read", issued, ["reference", "amount"])
    ]
    calls = [
        (session, "spp.payment.manager", "import_results", ([payer], rows, key))
        for session, key in zip(several(system, "finance"), ("one", "one", "one", "two"), strict=True)
    ]
    answers = [answer for answer in one_of_each(*calls) if isinstance(answer, dict)]
    assert len({answer["result"] for answer in answers}) <= 2
    again = finance("spp.payment.manager", "import_results", [payer], rows, "three")
    assert (again["applied"], again["already"]) == (0, len(rows))
    _total, committed, free = fund(system, cycle)
    assert not broken(system.name)
    assert free + committed + 10 * len(rows) == 5000
