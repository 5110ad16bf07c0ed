"""Two officers change one household at once, over real connections: one change is made, and the other officer is told."""

from itertools import count

import pytest
from test_concurrency import one_of_each

_numbers = count(1)
TOLD = ("being changed by someone else", "has changed since you looked", "not a member", "recorded already")


@pytest.fixture
def household(system):
    """A household of three, and its people."""
    number = next(_numbers)
    officer = system.log_in("officer")
    people = officer("res.partner", "create", [
        {"name": f"Contested {number}-{index}", "is_registrant": True} for index in range(3)
    ])  # fmt: skip
    group = officer("res.partner", "create", {
        "name": f"Contested {number}", "is_registrant": True, "is_group": True,
        "member_ids": [(0, 0, {"individual_id": person, "is_head": person == people[0]}) for person in people],
    })  # fmt: skip
    return group, people


def meet(system, *changes):
    """Each change is looked at by an officer of its own, then all are carried out in the same moment: the answers."""
    calls = []
    for index, (kind, values) in enumerate(changes):
        officer = system.log_in("officer")
        values = {"reason": "Told by the family", **values}
        shown = officer("spp.household.change", "preview", kind, values)
        key = f"{kind}-{index}-{values}"
        calls.append(
            (officer, "spp.household.change", "carry_out", (kind, values, key, shown["fingerprint"]))
        )
    answers = one_of_each(*calls)
    done = [answer for answer in answers if isinstance(answer, int)]
    refused = [answer for answer in answers if isinstance(answer, str)]
    assert len(done) == 1, answers
    assert all(any(words in refusal for words in TOLD) for refusal in refused), refused
    return system.log_in("officer")("spp.household.change", "read", done, ["kind"])[0]["kind"]


def live(system, group):
    """{person: is head} of the members today."""
    rows = system.log_in("officer")(
        "spp.group.membership",
        "search_read",
        [("group_id", "=", group), ("ended", "=", False)],
        ["individual_id", "is_head"],
    )
    assert len(rows) == len({row["individual_id"][0] for row in rows}), "somebody is a member twice"
    return {row["individual_id"][0]: row["is_head"] for row in rows}


def test_two_who_name_another_head_at_once_leave_one_head(system, household):
    group, people = household
    meet(system, *[("head", {"household_id": group, "new_head_id": person}) for person in people[1:]])
    now = live(system, group)
    assert set(now) == set(people)
    assert sum(now.values()) == 1 and not now[people[0]]


def test_a_split_and_the_death_of_who_leaves_at_once(system, household):
    group, people = household
    leaves = people[2]
    split = {
        "household_id": group, "member_ids": [leaves], "new_head_id": leaves, "household_name": "New household",
    }  # fmt: skip
    kind = meet(system, ("split", split), ("death", {"person_id": leaves}))
    assert set(live(system, group)) == set(people[:2])
    (person,) = system.log_in("officer")("res.partner", "read", [leaves], ["registrant_status"])
    assert person["registrant_status"] == ("deceased" if kind == "death" else "active")


def test_two_merges_of_one_household_at_once_put_its_people_into_one(system, household):
    group, people = household
    officer = system.log_in("officer")
    others = []
    for _time in range(2):
        head = officer("res.partner", "create", {"name": "Host", "is_registrant": True})
        others.append(officer("res.partner", "create", {
            "name": "Host household", "is_registrant": True, "is_group": True,
            "member_ids": [(0, 0, {"individual_id": head, "is_head": True})],
        }))  # fmt: skip
    meet(system, *[("merge", {"household_id": other, "other_household_id": group}) for other in others])
    assert not live(system, group)
    joined = [other for other in others if set(people) <= set(live(system, other))]
    assert len(joined) == 1
