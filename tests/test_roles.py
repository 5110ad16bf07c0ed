"""What each role may do, over XML-RPC on the running system: the side where no button is hidden."""

import xmlrpc.client

import pytest

from scripts import job, series

#: The field of a user's groups has another name in 19.0.
GROUPS = "groups_id" if series.current().series == series.WRITTEN_FOR else "group_ids"
ROLES = sorted(job.PEOPLE)
#: Trails and books: written by the system, changed by nobody.
APPEND_ONLY = ("spp.audit.entry", "spp.fund.entry", "spp.payment.exchange", "spp.payment.file")
#: What shows where somebody is paid or who somebody is on paper.
SENSITIVE = ("spp.payment.account", "spp.identity.document")
#: Who may take whole lists out of the system.
EXPORTERS = ("auditor", "finance", "manager")
#: What makes or undoes rights, and code that the server runs.
OF_THE_SYSTEM = (
    "ir.model",
    "ir.model.fields",
    "ir.model.access",
    "ir.rule",
    "ir.ui.view",
    "ir.cron",
    "ir.actions.server",
    "ir.config_parameter",
    "ir.module.module",
    "res.groups",
    "queue.job",
    "queue.job.function",
)


@pytest.fixture(scope="module", params=["group_user", "group_portal"])
def stranger(system, request):
    """An internal user without any role of ours, and one of the portal."""
    admin, login = system.log_in("admin"), f"stranger_{request.param}"
    user = admin.one("res.users", [("login", "=", login)], {"login": login, "name": "Stranger"})
    (group,) = admin(
        "ir.model.data", "search_read", [("module", "=", "base"), ("name", "=", request.param)], ["res_id"]
    )
    admin("res.users", "write", [user], {"password": "admin", GROUPS: [(6, 0, [group["res_id"]])]})
    return system.log_in(login)


@pytest.fixture(scope="module")
def models(system):
    """Every stored model of ours."""
    found = system.log_in("admin")(
        "ir.model", "search_read", [("model", "=like", "spp.%"), ("transient", "=", False)], ["model"]
    )
    return sorted({row["model"] for row in found} - {"spp.guarded.mixin"})


def may(session, model, operation):
    return session(model, "check_access_rights", operation, raise_exception=False)


def refused(call):
    try:
        call()
    except xmlrpc.client.Fault:
        return True
    return False


def test_who_has_no_role_reads_nothing_of_ours(stranger, models):
    assert [model for model in models if may(stranger, model, "read")] == []


def test_who_has_no_role_sees_no_registrant(stranger):
    domain = [("is_registrant", "=", True)]
    assert stranger("res.partner", "search_count", domain) == 0
    assert stranger("res.partner", "read_group", domain, ["gender"], ["gender"]) == []
    assert stranger("res.partner", "name_search", "Abada") == []


@pytest.mark.parametrize("role", ROLES)
def test_no_role_of_ours_changes_the_system(system, role):
    session = system.log_in(role)
    allowed = [
        (model, op)
        for model in OF_THE_SYSTEM
        for op in ("write", "create", "unlink")
        if may(session, model, op)
    ]
    assert allowed == []


@pytest.mark.parametrize("role", ROLES)
def test_lists_are_exported_by_who_answers_for_them(system, role):
    session = system.log_in(role)
    (cycle,) = session("spp.cycle", "search", [], limit=1)
    assert refused(lambda: session("spp.cycle", "export_data", [cycle], ["name"])) is (role not in EXPORTERS)


@pytest.mark.parametrize("role", ["viewer", "auditor"])
def test_who_only_looks_writes_nothing(system, models, role):
    session = system.log_in(role)
    writable = [
        model
        for model in models
        for operation in ("write", "create", "unlink")
        if may(session, model, operation)
    ]
    assert writable == []


@pytest.mark.parametrize("role", ROLES)
def test_nobody_changes_a_trail_or_a_ledger(system, role):
    session = system.log_in(role)
    allowed = [
        (model, op)
        for model in APPEND_ONLY
        for op in ("write", "create", "unlink")
        if may(session, model, op)
    ]
    assert allowed == []


@pytest.mark.parametrize("role", ROLES)
def test_nobody_sets_a_state_or_an_amount_by_hand(system, role):
    session = system.log_in(role)
    finance = system.log_in("finance")
    for model, values in {
        "spp.cycle": {"state": "approved"},
        "spp.entitlement": {"state": "paid"},
        "spp.payment": {"state": "paid"},
        "spp.program.membership": {"state": "enrolled"},
        "spp.fund.balance": {"allocated": 1e9},
    }.items():
        (record,) = finance(model, "search", [], limit=1)
        assert refused(lambda m=model, r=record, v=values: session(m, "write", [r], v)), model


@pytest.mark.parametrize("role", sorted(set(ROLES) - {"finance"}))
def test_only_finance_officers_read_account_numbers(system, role):
    session = system.log_in(role)
    if not may(session, "spp.payment.account", "read"):
        return
    (account,) = session("spp.payment.account", "search", [], limit=1)
    assert refused(lambda: session("spp.payment.account", "read", [account], ["number"]))
    assert refused(lambda: session("spp.payment.account", "search_count", [("number", "like", "1%")]))
    assert refused(lambda: session("spp.payment.account", "read_group", [], ["number"], ["number"]))


def test_a_viewer_sees_people_without_documents_and_accounts(system):
    viewer = system.log_in("viewer")
    assert viewer("res.partner", "search_count", [("is_registrant", "=", True)])
    assert [model for model in SENSITIVE if may(viewer, model, "read")] == []


@pytest.mark.parametrize("role", ROLES)
def test_nobody_reads_a_secret_back(system, role):
    session = system.log_in(role)
    if may(session, "spp.endpoint", "read"):
        for endpoint in session("spp.endpoint", "search_read", [], ["secret", "name"]):
            assert not endpoint["secret"]


@pytest.mark.parametrize("role", sorted(set(ROLES) - {"approver"}))
def test_only_approvers_approve(system, role):
    session = system.log_in(role)
    (cycle,) = system.log_in("finance")("spp.cycle", "search", [], limit=1)
    assert refused(lambda: session("spp.cycle", "action_approve", [cycle]))


@pytest.mark.parametrize("role", sorted(set(ROLES) - {"releaser"}))
def test_only_releasers_send(system, role):
    session = system.log_in(role)
    (cycle,) = system.log_in("finance")("spp.cycle", "search", [], limit=1)
    assert refused(lambda: session("spp.cycle", "action_send_payments", [cycle]))


def test_one_person_with_both_roles_does_not_approve_what_they_submitted(system):
    admin, manager = system.log_in("admin"), system.log_in("manager")
    (group,) = admin(
        "ir.model.data",
        "search_read",
        [("module", "=", "spp_base"), ("name", "=", "group_approver")],
        ["res_id"],
    )
    admin("res.users", "write", [manager.uid], {GROUPS: [(4, group["res_id"])]})
    try:
        (program,) = manager("spp.program", "search", [("code", "=", "PENSION")])
        cycle = manager("spp.program", "action_new_cycle", [program], "2026-12-01", "2026-12-31", job.AS_OF)
        manager("spp.cycle", "action_compute", [cycle])
        manager("spp.cycle", "action_submit", [cycle])
        with pytest.raises(xmlrpc.client.Fault, match="(?i)submitted"):
            manager("spp.cycle", "action_approve", [cycle])
        system.log_in("approver")("spp.cycle", "action_reject", [cycle], "Only a test.")
        manager("spp.cycle", "action_cancel", [cycle], "Only a test.")
    finally:
        admin("res.users", "write", [manager.uid], {GROUPS: [(3, group["res_id"])]})
