"""docs/roles.md says what a running system answers, for every role, model and public method."""

import difflib
import os

import pytest
import role_matrix


@pytest.fixture(scope="module")
def answers(system):
    return role_matrix.probe({login: system.log_in(login) for login in role_matrix.COLUMNS})


def test_every_model_of_ours_is_in_the_table(system):
    listed = system.log_in("admin")(
        "ir.model", "search_read", [("model", "=like", "spp.%")], ["model", "info"]
    )
    mixins = {row["model"] for row in listed if row["model"].endswith((".mixin", ".plan"))}
    in_table = {model for model in role_matrix.of_ours() if model.startswith("spp.")}
    assert {row["model"] for row in listed} - mixins == in_table


def test_the_page_says_who_may_do_what(answers):
    text = role_matrix.page(answers)
    if os.environ.get("SPP_WRITE_ROLES"):
        role_matrix.PAGE.write_text(text)
    written = role_matrix.PAGE.read_text()
    changes = "\n".join(
        difflib.unified_diff(written.splitlines(), text.splitlines(), "page", "system", "", "", 0, "")
    )
    assert written == text, f"If this is how it shall be: {role_matrix.COMMAND}\n{changes}"


def test_who_decides_is_not_the_administrator(answers):
    """The administrator configures: no decision, no release, no money."""
    deciding = (
        "approve",
        "reject",
        "send",
        "release",
        "enroll",
        "settle",
        "allocate",
        "adjust",
        "compute",
        "submit",
    )
    for model, answer in answers.items():
        for method, logins in answer["methods"].items():
            if any(word in method for word in deciding):
                assert "administrator" not in logins, (model, method)


def test_whoever_only_looks_calls_nothing_that_decides(answers):
    """A viewer opens, asks why and counts, no more."""
    harmless = (
        "open",
        "why",
        "view",
        "count",
        "replay",
        "compare",
        "editor",
        "preview",
        "consequences",
        "status",
    )
    for model, answer in answers.items():
        for method, logins in answer["methods"].items():
            if "viewer" in logins:
                assert any(word in method for word in harmless), (model, method)
