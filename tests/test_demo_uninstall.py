"""The demonstration's module in an ordinary database: installed, used and uninstalled, it leaves nothing."""

import pytest

from scripts import database, odoo_server, series

pytestmark = pytest.mark.deep

NAME = "spp_demo_uninstall"
CHANGE = """
env["ir.module.module"].search([("name", "=", "spp_mis_demo")]).button_immediate_{action}()
"""
USE = """
from odoo.addons.spp_programs.tests.common import ROLES
keep = {keep!r}
users = {{}}
for role in ROLES:
    users[role] = env["res.users"].search([("login", "=", role)]) or env["res.users"].create(
        {{"name": role, "login": role, "spp_role_ids": [(6, 0, env.ref("spp_base.group_" + role).ids)]}}
    )
if not keep:
    demo = env["spp.mis.demo"].with_user(users["admin"])
    answer = demo.create_demonstration("2026-11-21", 400, [user.login for user in users.values()])
    context = {{"allowed_company_ids": [answer["company"]]}}
    for program_id in answer["programs"].values():
        program = env["spp.program"].browse(program_id).with_context(**context)
        program.with_user(users["enrollment_officer"]).action_enroll("2026-11-21")
        cycle = program.with_user(users["program_manager"]).action_new_cycle("2026-11-01", "2026-11-30", "2026-11-21")
        cycle = env["spp.cycle"].browse(cycle).with_context(**context)
        cycle.with_user(users["program_manager"]).action_compute()
        cycle.with_user(users["program_manager"]).action_submit()
        cycle.with_user(users["approver"]).action_approve()
        if program.code == "farm_inputs":
            cycle.with_user(users["enrollment_officer"]).action_hand_out("List 1")
        else:
            cycle.with_user(users["program_manager"]).action_prepare_payments()
            cycle.with_user(users["payment_releaser"]).action_send_payments()
    cases = env["spp.duplicate.case"].with_user(users["enrollment_officer"]).with_context(**context)
    cases.action_search_duplicates()
env.cr.commit()
"""


def shell(script):
    odoo_server.run(series.current(), NAME, "shell", "--no-http", name="uninstall", script=script)


def everything():
    """{table: number of rows}, external ids, columns, and the names of constraints and indexes of the database."""
    with database.cursor(NAME) as cr:
        cr.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        rows = {}
        for (table,) in cr.fetchall():
            cr.execute(f'SELECT count(*) FROM "{table}"')
            rows[table] = cr.fetchone()[0]
        cr.execute("SELECT module || '.' || name FROM ir_model_data")
        names = {name for (name,) in cr.fetchall()}
        cr.execute(
            "SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = 'public'"
            " UNION SELECT conname FROM pg_constraint UNION SELECT indexname FROM pg_indexes"
        )
        return rows, names, {name for (name,) in cr.fetchall()}


def test_the_module_leaves_nothing_where_it_was_used():
    database.clone(series.current().template, NAME)
    try:
        shell(USE.format(keep=True))
        shell(CHANGE.format(action="uninstall"))
        rows, names, structure = everything()
        shell(CHANGE.format(action="install"))
        shell(USE.format(keep=False))
        with database.cursor(NAME) as cr:
            cr.execute("SELECT count(*) FROM spp_payment")
            assert cr.fetchone()[0] > 50
        shell(CHANGE.format(action="uninstall"))
        left_rows, left_names, left_structure = everything()
    finally:
        database.drop(NAME)
    assert {
        table: (rows.get(table), left_rows[table])
        for table in left_rows
        if left_rows[table] != rows.get(table)
    } == {}
    assert left_names == names
    assert left_structure == structure
