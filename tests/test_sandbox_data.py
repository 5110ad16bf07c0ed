"""The figures that the README of the sandbox promises, counted from what the MIS serves.

They are counted here in the plainest way, apart from the rule engine, so that the two can be held against each other.
"""

import json
import pathlib
from collections import Counter
from datetime import date

import pytest

from sandbox.mis import DATA, Mis

AS_OF = date(2026, 11, 21)
CLOSED = "ACC90000666"


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    mis = Mis(tmp_path_factory.mktemp("sandbox"))
    yield mis.tables
    mis.stop()


def age(person):
    """None when it is not known."""
    try:
        born = date.fromisoformat(person.get("birthdate", ""))
    except ValueError:
        return None
    return AS_OF.year - born.year - ((AS_OF.month, AS_OF.day) < (born.month, born.day))


def people(tables):
    return [row for row in tables["res.partner"].values() if not row["is_group"] and row.get("active", True)]


def groups(tables):
    return [row for row in tables["res.partner"].values() if row["is_group"]]


def members(tables, group):
    return [row for row in tables["g2p.group.membership"].values() if row["group"] == group["id"]]


def outcome(tables, group):
    ages = [age(tables["res.partner"][member["individual"]]) for member in members(tables, group)]
    if any(known is not None and known < 5 for known in ages):
        return "eligible"
    return "undetermined" if None in ages else "not eligible"


def fate(tables, group):
    """What becomes of the payment of an eligible household."""
    heads = [member["individual"] for member in members(tables, group) if 1 in member["kind"]]
    accounts = [row for row in tables["res.partner.bank"].values() if row["partner_id"] in heads]
    documents = [
        row for row in tables["g2p.reg.id"].values() if row["partner_id"] in heads and row["id_type"] == 1
    ]
    if not heads:
        return "held: no head"
    if not accounts:
        return "held: no account"
    if "bank_id" not in accounts[0]:
        return "held: no bank"
    if not documents:
        return "held: no National ID"
    return "rejected" if accounts[0]["acc_number"] == CLOSED else "paid"


def test_people_and_households(tables):
    assert len(groups(tables)) == 71
    assert len(people(tables)) == 219
    assert len(tables["g2p.group.membership"]) == 215
    known = [age(person) for person in people(tables)]
    assert sum(years is not None and years < 5 for years in known) == 34
    assert Counter(None if years is None else years >= 60 for years in known) == {
        True: 26,
        False: 189,
        None: 4,
    }


def test_accounts_and_documents(tables):
    accounts = tables["res.partner.bank"].values()
    of_groups = [row for row in accounts if tables["res.partner"][row["partner_id"]]["is_group"]]
    identified = {row["partner_id"] for row in tables["g2p.reg.id"].values() if row["id_type"] == 1}
    linkable = [row for row in accounts if row["partner_id"] in identified and "bank_id" in row]
    assert (len(accounts), len(of_groups), len(linkable)) == (110, 25, 83)
    assert len({row["partner_id"] for row in accounts}) == len({row["acc_number"] for row in accounts}) == 110


def test_outcomes_and_payments(tables):
    assert Counter(outcome(tables, group) for group in groups(tables)) == {
        "eligible": 33,
        "not eligible": 37,
        "undetermined": 1,
    }
    eligible = [group for group in groups(tables) if outcome(tables, group) == "eligible"]
    assert Counter(fate(tables, group) for group in eligible) == {
        "paid": 27,
        "rejected": 1,
        "held: no account": 2,
        "held: no bank": 1,
        "held: no National ID": 1,
        "held: no head": 1,
    }


def test_every_household_of_our_own_says_what_it_is_for():
    own = json.loads((pathlib.Path(DATA) / "own_households.json").read_text())
    alone = {row["individual"] for row in own["g2p.group.membership"]}
    expected = {str(row["id"]) for row in own["res.partner"] if row["is_group"] or row["id"] not in alone}
    assert own["why"].keys() == expected
