"""The import board: how each source is doing, and one click to what a person has to settle."""

from odoo import Command
from odoo.tests import TransactionCase, new_test_user, tagged

from .common import MisMixin

# count on the board → the action behind it
CLICKS = {
    "refused_count": "action_open_refused",
    "waiting_count": "action_open_waiting",
    "open_mapping_count": "action_open_open_mappings",
    "conflict_count": "action_open_conflicts",
    "absent_count": "action_open_absent",
}


@tagged("post_install", "-at_install")
class TestBoard(MisMixin, TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.control("reset")
        cls.do_import()
        cls.registrant("individual", 8).birth_place = "Here"
        cls.at_source("res.partner", 8, {"birth_place": "There"})
        cls.at_source("res.partner", 9, {"gender": "Unheard of"})
        cls.at_source("res.partner", 13, None)
        cls.source.action_resume()
        cls.run_done = cls.do_import()
        cls.empty = cls.new_source(name="Never imported")

    def filters(self, action):
        context = action["context"] if isinstance(action["context"], dict) else {}
        return [key.removeprefix("search_default_") for key, value in context.items() if value]

    def listed(self, action):
        """Ids of what the client would show: the action's domain, and the filters that it turns on."""
        found, filters = self.env[action["res_model"]].search(action["domain"]), self.filters(action)
        if "waiting" in filters:
            found = found.filtered(lambda one: one.state == "waiting")
        if "refused" in filters:
            found = found.filtered(lambda one: one.cause == "refused")
        if "waits" in filters:
            found = found.filtered(lambda one: one.cause in ("name", "person"))
        if "open" in filters:
            found = found.filtered(lambda one: one.is_open if "is_open" in one else one.state == "open")
        return found

    def test_each_number_is_a_click_to_as_many(self):
        for count, method in CLICKS.items():
            with self.subTest(count):
                self.assertGreater(self.source[count], 0)
                action = getattr(self.source, method)()
                self.assertEqual(len(self.listed(action)), self.source[count])
                self.assertFalse(self.empty[count])
        self.assertEqual(self.source.refused_count + self.source.waiting_count, self.source.held_count)

    def test_filters_of_the_clicks_are_there(self):
        for method in CLICKS.values():
            action = getattr(self.source, method)()
            search = self.env[action["res_model"]].get_view(view_type="search")["arch"]
            for name in self.filters(action):
                self.assertIn(f'name="{name}"', search, method)

    def test_last_run_and_next(self):
        source = self.source
        self.assertIn("Unchanged 2", source.last_run_summary)
        self.assertNotIn("Created", source.last_run_summary, "what is zero is not told")
        self.assertEqual(source.last_run_ended_at, self.run_done.ended_at)
        self.assertTrue(source.next_run_at)
        self.assertEqual(source.action_open_last_run()["res_id"], self.run_done.id)
        self.assertFalse(self.empty.last_run_summary)

    def test_who_sees_it(self):
        menu = self.env.ref("spp_mis_importer.menu_spp_mis_board")
        view = self.env.ref("spp_mis_importer.view_spp_mis_source_kanban")
        for role, sees, settles in (
            ("program_viewer", False, False),
            ("finance_officer", False, False),
            ("admin", True, False),
            ("auditor", True, True),
            ("enrollment_officer", True, True),
            ("program_manager", True, True),
        ):
            with self.subTest(role):
                user = new_test_user(self.env, f"board_{role}", groups=f"spp_base.group_{role}")
                shown = self.env["ir.ui.menu"].with_user(user).load_menus(False)
                self.assertEqual(menu.id in shown, sees)
                if sees:
                    source = self.source.with_user(user)
                    arch = source.get_view(view.id, "kanban")["arch"]
                    self.assertEqual("action_open_refused" in arch, settles)
                    self.assertEqual("action_import" in arch, role != "auditor")
                    self.assertTrue(source.read(["refused_count", "last_run_summary", "last_run_progress"]))

    def test_other_companies_sources_are_not_on_it(self):
        other = self.env["res.company"].create({"name": "Elsewhere"})
        user = new_test_user(
            self.env,
            "board_elsewhere",
            groups="spp_base.group_program_manager",
            company_id=other.id,
            company_ids=[Command.set(other.ids)],
        )
        self.assertFalse(self.env["spp.mis.source"].with_user(user).search([]))
