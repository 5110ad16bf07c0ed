"""The demonstration's three cycles, and the ten steps of the tour, each in a browser as the role whose work it is."""

import io
import xmlrpc.client

import pytest
from PIL import Image

from scripts import browser, demo, paths, tour

PEOPLE = 600  # generated; the twelve with a story are always the same

needs_browser = pytest.mark.skipif(
    not browser.program(), reason="there is no Chromium on this machine (on Debian: apt-get install chromium)"
)


@pytest.fixture(scope="module")
def demonstration(tmp_path_factory):
    """A system of its own, as ./spp run leaves it; the demonstration's cycles were run twice."""
    from conftest import running_system

    with running_system("spp_tour", tmp_path_factory.mktemp("tour")) as system:
        arguments = (system.url, system.name, "admin", system.sandbox)
        assert system.run_job()
        system.demonstrations = [
            (demo.run(*arguments, PEOPLE), system.received()),
            (demo.run(*arguments), system.received()),
        ]
        yield system


@pytest.fixture(scope="module")
def shown(demonstration):
    """The tour, in one browser for all steps."""
    with browser.chromium(*tour.WINDOW) as page:
        yield tour.Tour(demonstration.url, demonstration.name, "admin", page)


def test_three_cycles_come_out_as_they_should(demonstration):
    as_expected, _received = demonstration.demonstrations[0]
    assert as_expected


def test_run_again_they_are_found_and_nobody_is_paid_again(demonstration):
    (_first, received), (as_expected, again) = demonstration.demonstrations
    assert as_expected
    assert again == received and set(received.values()) == {1}


def test_the_figures_of_the_main_job_are_not_those_of_the_demonstration(demonstration):
    assert demonstration.run_job()


@needs_browser
@pytest.mark.parametrize("screen", tour.SCREENS, ids=lambda screen: screen.name)
def test_step(shown, screen):
    shown.show(screen)
    assert shown.page.errors == []
    shown.page.errors.clear()


@needs_browser
def test_who_submitted_has_no_button_and_is_refused_in_the_same_words(demonstration, shown):
    (screen,) = (screen for screen in tour.SCREENS if screen.name == "03-own-cycle")
    shown.show(screen)
    assert not shown.page.run(
        "!![...document.querySelectorAll('button')].find(b => b.innerText.trim() === 'Approve')"
    )
    manager = demonstration.log_in("manager")
    (cycle,) = manager(
        "spp.cycle", "search", [("program_id.code", "=", demo.PROGRAM), ("state", "=", "submitted")]
    )
    with pytest.raises(xmlrpc.client.Fault, match="You submitted .*: somebody else approves it"):
        manager("spp.cycle", "action_approve", [cycle])


@needs_browser
def test_the_approver_can_send_the_cycle_back_from_the_page(shown):
    """A button of the page that is shown, pressed up to its question; nothing is decided here."""
    (screen,) = (screen for screen in tour.SCREENS if screen.name == "04-approver")
    shown.show(screen)
    shown.page.click("Send back", selector=".o_form_statusbar button, header button, button")
    shown.page.wait_for(selector=".modal textarea, .modal .o_field_widget")
    assert shown.page.errors == []


def test_the_readme_tells_every_step_with_its_picture():
    readme = paths.ROOT / "README.md"
    assert tour.with_table(readme.read_text()) == readme.read_text()
    assert len(tour.SCREENS) == 10
    for screen in tour.SCREENS:
        picture = paths.ROOT / screen.picture
        assert picture.stat().st_size < 150_000, screen.name
        assert Image.open(io.BytesIO(picture.read_bytes())).size == tour.WINDOW, screen.name
