"""docs/roles.md says what a running system answers, for every role, model and public method."""

import difflib
import os

import pytest
import role_matrix


@pytest.fixture(scope="module")
def answers(system):
    return role_matrix.probe({login: system.log_in(login) for login in role_matrix.COLUMNS})


def test_every_model_of_ours_is_in_the_table(system):
    rows = system.log_in("admin")("ir.model", "search_read", [("model", "=like", "spp.%")], ["model"])
    abstract = {model for model, source in role_matrix.sources().items() if source.abstract}
    assert {row["model"] for row in rows} - abstract == {
        model for model in role_matrix.of_ours() if model.startswith("spp.")
    }


def test_the_page_says_who_may_do_what(answers):
    text = role_matrix.page(answers)
    if os.environ.get("SPP_WRITE_ROLES"):
        role_matrix.PAGE.write_text(text)
    written = role_matrix.PAGE.read_text()
    changes = "\n".join(
        difflib.unified_diff(written.splitlines(), text.splitlines(), "page", "system", "", "", 0, "")
    )
    assert written == text, f"If this is how it shall be: {role_matrix.COMMAND}\n{changes}"


#: Whose right is that they started or submitted this very record.
BY_RECORD = {
    ("spp.approval.delegation", "action_end"),
    ("spp.approval.request", "action_resubmit"),
    ("spp.approval.request", "action_withdraw"),
    ("spp.run", "action_cancel"),
    ("spp.run", "action_retry"),
}
DECIDING = "approve adjust allocate compute enroll reject release send settle submit".split()
HARMLESS = "compare consequences count download editor open preview questions replay screen status try view why".split()


def callable_by(answers, login):
    return {
        (model, method)
        for model, answer in answers.items()
        for method, logins in answer["methods"].items()
        if login in logins
    } - BY_RECORD


def test_the_administrator_decides_and_releases_nothing(answers):
    found = callable_by(answers, "administrator")
    assert {(model, method) for model, method in found if any(word in method for word in DECIDING)} == set()


@pytest.mark.parametrize("login", ["viewer", "auditor"])
def test_who_only_looks_opens_asks_and_counts_no_more(answers, login):
    found = callable_by(answers, login)
    known = {
        ("res.partner", "get_formview_id"),
        ("res.partner", "spar_now"),
        ("spp.payment", "spar_now"),
    }
    assert {
        (model, method) for model, method in found if not any(word in method for word in HARMLESS)
    } - known == set()
