"""Which role may do what with which model, asked over XML-RPC as an integrator would."""

from lxml import etree

from .common import ROLES, RegistryHttpCase

CONFIGURATION = {role: "r" for role in ROLES} | {"admin": "rwcu"}
ACCESS = {
    "spp.area": CONFIGURATION,
    "spp.group.kind": CONFIGURATION,
    "spp.membership.role": CONFIGURATION,
    "spp.identity.type": CONFIGURATION,
    "spp.event.kind": CONFIGURATION,
    "spp.household.change": {role: "r" for role in ROLES},
    "spp.household.change.wizard": {"enrollment_officer": "rwcu"},
    "spp.group.membership": {role: "r" for role in ROLES} | {"enrollment_officer": "rwcu"},
    "spp.phone.number": {role: "r" for role in ROLES} | {"enrollment_officer": "rwcu"},
    "spp.event": {role: "r" for role in ROLES} | {"enrollment_officer": "rwcu"},
    "spp.identity.document": {"enrollment_officer": "rwc", "program_manager": "r", "auditor": "r"},
    "spp.payment.account": {
        "enrollment_officer": "rwc",
        "program_manager": "r",
        "finance_officer": "r",
        "approver": "r",
        "payment_releaser": "r",
        "auditor": "r",
    },
    "spp.registrant.source": {
        "enrollment_officer": "rwc",
        "program_manager": "r",
        "auditor": "r",
        "admin": "r",
    },
}
OPERATIONS = {"r": "read", "w": "write", "c": "create", "u": "unlink"}


class TestAccess(RegistryHttpCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.users = {role: cls.user(role, role) for role in ROLES}
        cls.users["clerk"] = cls.user("clerk")
        cls.ana = cls.person("Cruz", "Ana")

    def test_each_role_on_each_model(self):
        for model, allowed in ACCESS.items():
            for role, user in self.users.items():
                may = "".join(
                    letter
                    for letter, operation in OPERATIONS.items()
                    if self.env[model].with_user(user).check_access_rights(operation, raise_exception=False)
                )
                self.assertEqual(may, allowed.get(role, ""), f"{role} on {model}")

    def test_refusals_reach_the_caller(self):
        for model in ACCESS:
            self.assertIn(
                "not allowed to access", self.refused(self.users["clerk"], model, "search_read", [])
            )
        for model in ("spp.identity.document", "spp.payment.account"):
            for role in ("program_viewer", "admin"):
                self.assertIn(
                    "not allowed to access", self.refused(self.users[role], model, "search_count", [])
                )

    def test_who_edits_registrants(self):
        for role, user in self.users.items():
            with self.subTest(role):
                if role == "enrollment_officer":
                    values = {"is_registrant": True, "family_name": "Reyes"}
                    person_id = self.ask(user, "res.partner", "create", values)
                    self.assertTrue(self.ask(user, "res.partner", "write", [person_id], {"active": False}))
                else:
                    self.refused(user, "res.partner", "create", {"is_registrant": True, "name": "Reyes"})
                    self.refused(user, "res.partner", "write", [self.ana.id], {"income": 1})
                self.refused(user, "res.partner", "unlink", [self.ana.id])

    def test_buttons_are_guarded_in_the_model(self):
        account, document = self.account(self.ana, "1111111"), self.document(self.ana, "A-1")
        disputed = self.document(self.person("Cruz", "Ben"), "A-1")
        person, household = self.person("Reyes"), self.household("Cruz household", self.ana)
        for role in ("auditor", "program_manager", "finance_officer", "admin"):
            for record, method in (
                (document, "action_withdraw"),
                (disputed, "action_accept"),
                (account, "action_make_primary"),
                (account, "action_end"),
                (household.member_ids, "action_end"),
                (person, "action_disable"),
            ):
                self.refused(self.users[role], record._name, method, record.ids)

    def test_officer_edits_no_ordinary_contact(self):
        contact = self.env["res.partner"].create({"name": "Stationery Ltd"})
        officer = self.users["enrollment_officer"]
        self.refused(officer, "res.partner", "write", [contact.id], {"name": "x"})
        self.refused(officer, "res.partner", "create", {"name": "x"})

    def test_contact_manager_edits_contacts_and_no_registrant(self):
        manager = self.user("manager", "program_viewer")
        manager.groups_id += self.env.ref("base.group_partner_manager")
        contact_id = self.ask(manager, "res.partner", "create", {"name": "Stationery Ltd"})
        self.ask(manager, "res.partner", "write", [contact_id], {"name": "Stationery and Sons"})
        self.refused(manager, "res.partner", "write", [self.ana.id], {"name": "x"})
        self.refused(manager, "res.partner", "write", [contact_id], {"is_registrant": True})
        both = self.user("both", "enrollment_officer")
        both.groups_id += self.env.ref("base.group_partner_manager")
        self.ask(both, "res.partner", "write", [contact_id], {"name": "Stationery Ltd"})
        self.ask(both, "res.partner", "write", [self.ana.id], {"birth_place": "Busia"})

    def test_registrants_do_not_exist_for_users_without_a_role(self):
        clerk = self.users["clerk"]
        domain = [("is_registrant", "=", True)]
        self.assertEqual(self.ask(clerk, "res.partner", "search_count", domain), 0)
        self.assertEqual(self.ask(clerk, "res.partner", "name_search", "CRUZ, ANA"), [])
        groups = self.ask(clerk, "res.partner", "read_group", domain, ["income:sum"], ["gender"])
        self.assertEqual(sum(group["gender_count"] for group in groups), 0)
        self.refused(clerk, "res.partner", "read", [self.ana.id], ["name"])
        self.refused(clerk, "res.partner", "search_count", [("member_ids.individual_id.name", "=", "x")])

    def test_forms_and_lists_open_for_every_role(self):
        for role in ROLES:
            for kind in ("individual", "group"):
                action = self.env.ref(f"spp_registry.action_res_partner_{kind}").with_user(self.users[role])
                views = [[view.view_id.id, view.view_mode] for view in action.sudo().view_ids]
                views.append([action.sudo().search_view_id.id, "search"])
                found = self.ask(self.users[role], "res.partner", "get_views", views)
                form = etree.fromstring(found["views"]["form"]["arch"])
                for path, expected in (
                    ("//field[@name='document_ids']", role in ACCESS["spp.identity.document"]),
                    ("//field[@name='payment_account_ids']", role in ACCESS["spp.payment.account"]),
                    (
                        "//field[@name='payment_account_ids']//field[@name='number']",
                        role == "finance_officer",
                    ),
                    ("//field[@name='number_entry']", role == "enrollment_officer"),
                ):
                    self.assertEqual(bool(form.xpath(path)), expected, f"{role}: {path}")
                specification = {
                    name: {} for name in ("name", "age", "member_ids", "head_id", "household_id")
                }
                self.ask(self.users[role], "res.partner", "web_read", [self.ana.id], specification)

    def test_a_clash_at_the_end_of_the_call_is_told_in_plain_words(self):
        ben = self.person("Cruz", "Ben")
        household = self.household("Cruz household", self.ana, ben)
        officer = self.users["enrollment_officer"]
        line = household.member_ids.filtered(lambda line: line.individual_id == ben)
        words = self.refused(officer, "spp.group.membership", "write", [line.id], {"is_head": True})
        self.assertTrue(words.startswith("Cruz household: There can be only one head"), words)
