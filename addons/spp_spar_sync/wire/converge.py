"""What to do next for one SPAR id, given what it should hold and what it holds.

An absent account is "" here. `expected` is every account that SPAR may rightly hold before the change: what
it was last seen to hold, and whatever an earlier request of ours, whose answer was lost, may have put there.
Anything else was written through another channel, and a person decides.
"""

import enum


class Step(enum.Enum):
    NOTHING = "nothing"  # SPAR already holds the target
    LINK = "link"
    UPDATE = "update"
    UNLINK = "unlink"
    CONFLICT = "conflict"


def next_step(target, current, expected, same=str.__eq__):
    """
    >>> next_step("account:2@b", "", {""})
    <Step.LINK: 'link'>
    >>> next_step("account:2@b", "account:1@b", {"account:1@b"})
    <Step.UPDATE: 'update'>
    >>> next_step("account:2@b", "mobile:9@m", {"account:1@b"})
    <Step.CONFLICT: 'conflict'>
    """
    if same(target, current):
        return Step.NOTHING
    if not any(same(each, current) for each in expected):
        return Step.CONFLICT
    if not target:
        return Step.UNLINK
    return Step.UPDATE if current else Step.LINK
