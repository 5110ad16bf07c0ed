"""An officer opens a household that the rule refused, and sees why; in a real browser and over XML-RPC."""

import os
import pathlib
import time

import pytest

from scripts import browser

#: Where to keep pictures of the screens, for whoever wants to look at them.
PICTURES = os.environ.get("SPP_PICTURES")

needs_browser = pytest.mark.skipif(
    not browser.program(), reason="there is no Chromium on this machine (on Debian: apt-get install chromium)"
)


@pytest.fixture(scope="module")
def refused(system):
    """A household without a child under five and with one member of unknown age, considered by the program."""
    officer, manager = system.log_in("officer"), system.log_in("manager")
    household = officer(
        "res.partner", "create", {"is_registrant": True, "is_group": True, "name": "SOW household"}
    )
    people = [
        officer("res.partner", "create", {"is_registrant": True, **values})
        for values in (
            {"family_name": "SOW", "given_name": "Mariam", "birthdate": "1990-05-01"},
            {"family_name": "SOW", "given_name": "Issa", "birthdate": "2012-05-01"},
        )
    ]
    for person in people:
        officer("spp.group.membership", "create", {"group_id": household, "individual_id": person})
    (program,) = manager("spp.program", "search", [("code", "=", "CHILD")])
    membership = officer("spp.program.membership", "create", {"program_id": program, "partner_id": household})
    manager("spp.program", "action_enroll", [program], "2026-11-21")
    for _attempt in range(100):
        (found,) = officer("spp.program.membership", "read", [membership], ["outcome"])
        if found["outcome"]:
            break
        time.sleep(0.2)
    assert found["outcome"] == "not_eligible"
    return household, membership


@pytest.fixture
def shown(system):
    """What would change an outcome is switched on."""
    admin = system.log_in("admin")
    (parameter,) = admin("ir.config_parameter", "search", [("key", "=", "spp_cel.show_change")])
    admin("ir.config_parameter", "write", [parameter], {"value": "True"})
    yield
    admin("ir.config_parameter", "write", [parameter], {"value": "False"})


def picture(page, name):
    if PICTURES:
        page.screenshot(str(pathlib.Path(PICTURES) / f"{name}.png"))


def open_member(page, system, login, membership):
    page.log_in(system.url, login, "admin")
    page.open(f"{system.url}/web#id={membership}&model=spp.program.membership&view_type=form")
    page.wait_for(text="SOW household")
    page.click("Why?", selector="button[name=action_why]")
    page.wait_for(selector=".modal .o_spp_why")


@needs_browser
def test_an_officer_opens_a_refused_household_and_sees_why(system, refused):
    _household, membership = refused
    with browser.chromium() as page:
        open_member(page, system, "officer", membership)
        dialog = page.run("document.querySelector('.modal').innerText")
        picture(page, "why-officer")
        assert "As decided on" in dialog and "As it would be on" in dialog
        assert "Members with age under 5: 0; at least 1 is needed." in dialog
        assert "SOW, MARIAM" in dialog.upper() and "age: 36" in dialog
        assert "smallest change" not in dialog
        marks = page.run("[...document.querySelectorAll('.modal .o_spp_why_mark')].map(m => m.innerText)")
        assert marks == ["✗", "✗", "✗"]
        page.open(f"{system.url}/web#action=spp_programs.action_spp_program_membership")
        page.wait_for(selector="td button[name=action_why]")
        picture(page, "why-list")
        assert page.errors == []


@needs_browser
def test_a_manager_also_sees_what_would_change_it(system, refused, shown):
    _household, membership = refused
    with browser.chromium() as page:
        open_member(page, system, "manager", membership)
        page.wait_for(text="One more member with age under 5")
        picture(page, "why-manager")
        page.run("document.querySelector('.modal .o_spp_why_toggle.btn').click()")
        page.wait_for(selector=".modal .o_spp_why_toggle[aria-expanded=false]")
        assert "age: 36" not in page.run("document.querySelector('.modal').innerText")
        assert page.errors == []


@needs_browser
def test_trying_a_rule_on_somebody_names_what_is_not_known(system):
    officer, manager = system.log_in("officer"), system.log_in("manager")
    household = officer(
        "res.partner", "create",
        {"is_registrant": True, "is_group": True, "name": "TRAORE household", "income": 80},
    )  # fmt: skip
    for values in ({"given_name": "Awa"}, {"given_name": "Oumar", "birthdate": "2024-05-01", "income": 3}):
        person = officer("res.partner", "create", {"is_registrant": True, "family_name": "TRAORE", **values})
        officer("spp.group.membership", "create", {"group_id": household, "individual_id": person})
    expression = (
        "group.members.filter(m, m.age < 5).size() >= 2"
        " || (group.income < 50.0 && group.members.all(m, has(m.income)))"
    )
    rule = manager("spp.rule", "create", {"name": "Two small children", "expression": expression})
    with browser.chromium() as page:
        page.log_in(system.url, "manager", "admin")
        page.open(f"{system.url}/web#id={rule}&model=spp.rule&view_type=form")
        page.click("Try on Somebody", selector="button[name=action_try]")
        page.fill(".modal div[name=partner_id] input", "TRAORE")
        page.click("TRAORE household", selector=".o-autocomplete--dropdown-item")
        page.wait_for(text="birthdate of TRAORE, AWA")
        picture(page, "why-trial")
        states = page.run(
            "[...document.querySelectorAll('.modal .o_spp_why_words')]"
            ".map(e => e.parentElement.parentElement.dataset.state)"
        )
        assert states == ["missing", "missing", "false"]
        page.click("", selector=".modal li[data-state=false] .o_spp_why_toggle.btn")
        page.wait_for(text="Income: 80; under 50 is needed.")
        assert page.errors == []


@needs_browser
def test_a_beneficiary_of_a_cycle_shows_the_decision_and_today(system):
    (beneficiary,) = system.log_in("manager")("spp.cycle.beneficiary", "search", [], limit=1)
    with browser.chromium() as page:
        page.log_in(system.url, "auditor", "admin")
        page.open(f"{system.url}/web#id={beneficiary}&model=spp.cycle.beneficiary&view_type=form")
        page.click("Why?", selector="button[name=action_why]")
        page.wait_for(selector=".modal .o_spp_why")
        picture(page, "why-cycle")
        assert "As decided on" in page.text() and page.errors == []


def test_who_may_see_what_would_change_it_is_decided_on_the_server(system, refused, shown):
    household, membership = refused
    for login, may in (("officer", False), ("viewer", False), ("manager", True), ("auditor", True)):
        session = system.log_in(login)
        (program,) = session("spp.program", "search_read", [("code", "=", "CHILD")], ["rule_id"])
        answer = session("spp.rule", "why", [program["rule_id"][0]], household)
        assert answer["why"]["state"] == "false", login
        assert answer.get("changes") == (["One more member with age under 5"] if may else None), login
