"""The rule editor in a real browser, on the running system with its people."""

import time

import pytest

from scripts import browser, job

pytestmark = pytest.mark.skipif(
    not browser.program(), reason="there is no Chromium on this machine (on Debian: apt-get install chromium)"
)

INPUT = ".o_cel_input"


@pytest.fixture
def page(system):
    """The form of a new rule about groups, with the cursor in its empty condition."""
    manager = system.log_in("manager")
    rule = manager(
        "spp.rule", "create", {"name": "In the editor", "target": "group", "check_as_of": job.AS_OF}
    )
    with browser.chromium() as page:
        page.log_in(system.url, "manager", "admin")
        page.open(f"{system.url}/web#action=spp_cel.action_spp_rule")
        page.click("In the editor", selector="td.o_data_cell")
        page.wait_for(text="Write a condition")
        page.run(f"document.querySelector('{INPUT}').focus()")
        yield page
        assert page.errors == []
    manager("spp.rule", "unlink", [rule])


def written(page):
    return page.run(f"document.querySelector('{INPUT}').value")


def offers(page, names):
    """Wait until these are the first that are offered for completion, or until nothing is."""
    deadline = time.monotonic() + 20
    while True:
        offered = page.run(
            "[...document.querySelectorAll('.o_cel_choices .font-monospace')].map(name => name.innerText)"
        )
        if offered[: len(names) or None] == names:
            return
        assert time.monotonic() < deadline, f"{offered} instead of {names}"
        time.sleep(0.1)


def numbers(page):
    return page.run("[...document.querySelectorAll('.o_cel_count')].map(count => count.innerText)")


def test_an_incomplete_rule_is_told_what_is_wrong_and_where(page):
    page.type("group.members.size() >=")
    page.wait_for(text="The rule ends too early")
    assert page.run("document.querySelector('.o_cel_wrong').innerText") == ">="
    assert page.run(f"document.querySelector('{INPUT}').getAttribute('aria-invalid')") == "true"
    page.type(" 1")
    page.wait_for(selector=".o_cel_count")
    assert "ends too early" not in page.text()


def test_a_suggestion_is_taken_over_with_a_click(page):
    page.type("true &&\ngroup.incom < 100.0")
    page.wait_for(text="has no field “incom”")
    page.click("income", selector=".o_cel_problem button")
    assert written(page) == "true &&\ngroup.income < 100.0"
    page.wait_for(selector=".o_cel_count")


def test_names_and_functions_are_completed_from_the_keyboard(page):
    page.type("gr")
    offers(page, ["group"])
    page.press("Tab")
    offers(page, [])
    page.type(".me")
    offers(page, ["members", "income"])
    page.press("Enter")
    offers(page, [])
    page.type(".")
    offers(page, ["filter(m, condition)", "exists(m, condition)", "all(m, condition)"])
    page.press("ArrowDown")
    page.press("Tab")
    assert written(page) == "group.members.exists(m, )"
    offers(page, [])
    page.type("m.is_h")
    offers(page, ["is_head"])
    page.press("Enter")
    assert written(page) == "group.members.exists(m, m.is_head)"
    page.type(" && ")
    offers(page, [])
    page.press(" ", control=True)
    offers(page, ["m", "group", "variables", "size(value)", "has(field)"])
    page.press("Escape")
    offers(page, [])
    page.type("m.gender == 'fem")
    offers(page, [])
    page.type("ale'")
    page.wait_for(text="groups that you may see")


def test_a_right_rule_shows_how_many_it_reaches_and_opens_them(page, system):
    page.type(job.CHILD_RULE)
    page.wait_for(text="groups that you may see")
    kinds = ("eligible", "not eligible", "undetermined")
    counts = system.log_in("manager")("spp.rule", "editor_count", job.CHILD_RULE, "group", job.AS_OF)
    assert numbers(page) == [str(counts[kind.replace(" ", "_")]) for kind in kinds]
    for kind in kinds:  # the families of the main job, and those that other tests have added
        assert int(job.EXPECTED[f"Child grant: {kind}"]) <= counts[kind.replace(" ", "_")]
    name = page.run("document.querySelector('[data-outcome=eligible] button').innerText")
    page.click(name, selector="[data-outcome=eligible] button")
    page.wait_for(selector=".modal .o_form_view")
    page.wait_for(text="Members")
    assert name in page.run("document.querySelector('.modal').innerText")
    assert written(page) == job.CHILD_RULE


def test_the_rule_is_saved_as_it_was_typed(page, system):
    page.type("group.members.size() > 1")
    page.run("document.querySelector('.o_form_button_save').click()")
    page.wait_for(text="Publish")
    saved = system.log_in("manager")(
        "spp.rule", "search_read", [("name", "=", "In the editor")], ["expression"]
    )
    assert saved[0]["expression"] == "group.members.size() > 1"
