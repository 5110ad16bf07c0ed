"""Each role's screens: every menu opens, its first record too, and no button is shown to whom it would refuse."""

import json
import xmlrpc.client
from xml.etree import ElementTree

import pytest
import role_matrix

from scripts import browser

ROOT = "spp_base.menu_root"
OPEN = """
    odoo.__WOWL_DEBUG__.root.env.services.action.doAction(%s, {clearBreadcrumbs: true}).then(() => true)
"""
HAS_FORM = """
    (odoo.__WOWL_DEBUG__.root.env.services.action.currentController.action.views || [])
        .some(view => view[1] === 'form')
"""
# Of the records in a list or kanban that is no sample, which an empty one shows.
FIRST = """
    [...document.querySelectorAll('tr.o_data_row td.o_data_cell, .o_kanban_record:not(.o_kanban_ghost)')]
        .find(element => !element.closest('.o_view_sample_data'))
""".strip()
TROUBLE = """
    [...document.querySelectorAll('.o_error_dialog, .o_notification .bg-danger')].map(e => e.innerText).join('; ')
"""


def menus(page):
    """[(path of names, id of the action)] of this user, of our menus."""
    found = page.run("odoo.__WOWL_DEBUG__.root.env.services.menu.getAll()")
    found = {str(menu["id"]): menu for menu in found}
    actions = []

    def walk(menu, path):
        path = [*path, menu["name"]]
        if menu.get("actionID") and len(path) > 1:
            actions.append((" ▸ ".join(path[1:]), menu["actionID"]))
        for child in menu["children"]:
            walk(found[str(child)], path)

    (root,) = (menu for menu in found.values() if menu.get("xmlid") == ROOT)
    walk(root, [])
    return actions


@pytest.mark.skipif(
    not browser.program(), reason="there is no Chromium on this machine (on Debian: apt-get install chromium)"
)
@pytest.mark.parametrize("role", role_matrix.COLUMNS)
def test_every_menu_of_a_role_opens_and_so_does_its_first_record(system, role):
    trouble = {}
    with browser.chromium() as page:
        page.log_in(system.url, role, "admin")
        page.wait_for(selector=".o_action_manager > *")
        actions = menus(page)
        assert len(actions) > 10
        for path, action in actions:
            page.run(OPEN % action)
            if page.run(HAS_FORM) and page.run(f"!!({FIRST})"):
                page.run(f"({FIRST}).click()")
                page.wait_for(selector=".o_form_view, .o_selected_row, .o_error_dialog, .modal")
            if told := page.run(TROUBLE) or page.errors:
                trouble[path] = told
                page.errors = []
                page.run("document.querySelectorAll('.modal .btn-close').forEach(button => button.click())")
    assert not trouble, "\n\n".join(f"{path}: {told}" for path, told in trouble.items())


@pytest.fixture(scope="module")
def views(system):
    """(id, model) of every form and list of ours, and model → {field: model it leads to}."""
    admin = system.log_in("admin")
    models = [model for model in role_matrix.of_ours() if model.startswith("spp.")]
    found = admin(
        "ir.ui.view",
        "search_read",
        [
            ("model", "in", models),
            ("type", "in", ["form", "kanban", "list" if _is_list(admin) else "tree"]),
            ("mode", "=", "primary"),
        ],
        ["model", "type"],
    )
    relations = {}
    for model in models:
        known = admin(model, "fields_get", [], ["relation"])
        relations[model] = {name: field["relation"] for name, field in known.items() if field.get("relation")}
    return found, relations


def _is_list(admin):
    types = admin("ir.ui.view", "fields_get", ["type"], ["selection"])["type"]["selection"]
    return "list" in dict(types)


@pytest.mark.parametrize("role", role_matrix.COLUMNS)
def test_no_button_is_shown_to_whom_it_refuses(system, views, role):
    session, (found, relations) = system.log_in(role), views
    sources = role_matrix.of_ours()
    refusing, asked = set(), {}

    def may_call(model, method):
        how = sources[model].methods.get(method)
        if how and (model, method) not in asked:
            asked[model, method] = role_matrix.may_call(session, model, method, *how)
        return asked.get((model, method), True)

    def look(element, model):
        if element.tag == "button" and element.get("type") == "object" and model in sources:
            if not may_call(model, element.get("name")):
                refusing.add((model, element.get("name")))
        inner = relations.get(model, {}).get(element.get("name")) if element.tag == "field" else None
        for child in element:
            look(child, inner or model)

    for view in found:
        try:
            arch = session(view["model"], "get_view", view["id"], view["type"])["arch"]
        except xmlrpc.client.Fault as fault:
            assert fault.faultCode in role_matrix.REFUSED, (json.dumps(view), fault.faultString)
            continue
        look(ElementTree.fromstring(arch), view["model"])
    assert refusing == set()
