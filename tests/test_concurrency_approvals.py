"""Two people at the last level of a chain, over real connections: decided once, committed once, a clear word for the
other one, and no deadlock."""

import pytest
from money_laws import broken
from test_concurrency import fund, make_cycle, one_of_each

TIMES = 3


@pytest.fixture(scope="module")
def approvers(system):
    """Logins of two more approvers, beside the one who is the first level."""
    admin = system.log_in("admin")
    chain = system.chain()
    (group,) = admin(
        "ir.model.data",
        "search_read",
        [("module", "=", "spp_base"), ("name", "=", "group_approver")],
        ["res_id"],
    )
    logins = ["director", "minister"]
    for login in logins:
        if not admin("res.users", "search", [("login", "=", login)]):
            values = {"login": login, "name": login.title(), "spp_role_ids": [(4, group["res_id"])]}
            admin("res.users", "create", {**values, "password": chain.password})
    return logins


def submitted(system, approvers, needed):
    """A submitted cycle whose first level has agreed; the two approvers are the last one."""
    cycle = make_cycle(system, "5000.00")
    manager, admin = system.log_in("manager"), system.log_in("admin")
    (row,) = manager("spp.cycle", "read", [cycle], ["program_id"])
    first = admin("res.users", "search", [("login", "=", "approver")])
    last = admin("res.users", "search", [("login", "in", approvers)])
    admin(
        "spp.approval.chain",
        "create",
        {
            "name": f"Two levels of {row['program_id'][1]}",
            "kind": "cycle",
            "program_id": row["program_id"][0],
            "level_ids": [
                (0, 0, {"name": "Office", "sequence": 1, "user_ids": [(6, 0, first)]}),
                (0, 0, {"name": "Ministry", "sequence": 2, "user_ids": [(6, 0, last)], "needed": needed}),
            ],
        },
    )
    manager("spp.cycle", "action_submit", [cycle])
    system.log_in("approver")("spp.cycle", "action_approve", [cycle])
    (request,) = requests(system, cycle)
    assert (request["state"], request["level_name"]) == ("waiting", "Ministry")
    return cycle, request["id"]


def requests(system, cycle):
    return system.log_in("auditor")(
        "spp.approval.request",
        "search_read",
        [("res_model", "=", "spp.cycle"), ("res_id", "=", cycle)],
        ["state", "level_name", "round"],
    )


def decisions(system, request, decision):
    """Who decided so at the last level."""
    found = system.log_in("auditor")(
        "spp.approval.decision",
        "search_read",
        [("request_id", "=", request), ("decision", "=", decision), ("level_name", "=", "Ministry")],
        ["user_id"],
    )
    return [row["user_id"][1] for row in found]


def refused(answer):
    return isinstance(answer, str)


def test_two_approvers_at_once_where_one_is_enough(system, approvers):
    for _time in range(TIMES):
        cycle, request = submitted(system, approvers, needed=1)
        calls = [(system.log_in(login), "spp.cycle", "action_approve", ([cycle],)) for login in approvers]
        answers = one_of_each(*calls)
        told = [answer for answer in answers if refused(answer)]
        assert len(told) == 1, answers
        assert any(
            words in told[0] for words in ("at this moment", "nothing is to be decided", "approved")
        ), told
        assert len(decisions(system, request, "approved")) == 1
        total, committed, free = fund(system, cycle)
        assert (committed, free) == (total, 5000 - total)
        assert not broken(system.name)


def test_two_approvers_at_once_where_both_are_asked(system, approvers):
    for _time in range(TIMES):
        cycle, request = submitted(system, approvers, needed=2)
        calls = [(system.log_in(login), "spp.cycle", "action_approve", ([cycle],)) for login in approvers]
        answers = one_of_each(*calls)
        assert not all(map(refused, answers)), answers
        for login, answer in zip(approvers, answers, strict=True):
            if refused(answer):  # who came second at the same moment is told to try again, and can
                assert "at this moment" in answer
                system.log_in(login)("spp.cycle", "action_approve", [cycle])
        assert sorted(decisions(system, request, "approved")) == ["Director", "Minister"]
        total, committed, _free = fund(system, cycle)
        assert committed == total
        assert not broken(system.name)


def test_approve_against_send_back_at_the_last_level(system, approvers):
    one, other = approvers
    for _time in range(TIMES):
        cycle, request = submitted(system, approvers, needed=1)
        answers = one_of_each(
            (system.log_in(one), "spp.cycle", "action_approve", ([cycle],)),
            (
                system.log_in(other),
                "spp.approval.request",
                "action_send_back",
                ([request], "The budget of May"),
            ),
        )
        told = [answer for answer in answers if refused(answer)]
        assert len(told) == 1, answers
        assert any(
            words in told[0] for words in ("at this moment", "nothing is to be decided", "is draft")
        ), told
        (row,) = system.log_in("manager")("spp.cycle", "read", [cycle], ["state"])
        (seen,) = requests(system, cycle)
        total, committed, _free = fund(system, cycle)
        agreed, back = decisions(system, request, "approved"), decisions(system, request, "sent_back")
        if refused(answers[0]):
            assert (row["state"], seen["state"], committed) == ("draft", "sent_back", 0)
            assert (agreed, len(back)) == ([], 1)
        else:
            assert (row["state"], seen["state"], committed) == ("approved", "approved", total)
            assert (len(agreed), back) == (1, [])
        assert not broken(system.name)
