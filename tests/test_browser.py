"""The web client in a real browser, on the running system with its paid cycle."""

import pytest

from scripts import browser

pytestmark = pytest.mark.skipif(
    not browser.program(), reason="there is no Chromium on this machine (on Debian: apt-get install chromium)"
)


def test_a_manager_logs_in_opens_the_program_and_sees_the_paid_cycle(system):
    with browser.chromium() as page:
        page.log_in(system.url, "manager", "admin")
        page.open(f"{system.url}/web#action=spp_programs.action_spp_program")
        page.click("Child grant")
        page.wait_for(text="CHILD")
        page.click("Cycles", selector="button.oe_stat_button, .oe_stat_button")
        page.wait_for(text="Disbursing")
        page.click("2026-11-01", selector="td.o_data_cell")
        page.wait_for(text="WHERE THE MONEY IS")
        assert page.row("Paid") == ["Paid", "27", "$ 1,215.00"]
        assert page.row("Rejected") == ["Rejected", "1", "$ 45.00"]
        assert page.errors == []
