"""Account numbers and documents do not leak through searches, orders, groups, exports or labels."""

from .common import RegistryHttpCase

NUMBER = "0099887766"


class TestSideDoors(RegistryHttpCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        masked = ("enrollment_officer", "program_manager", "approver", "payment_releaser", "auditor")
        cls.masked = [cls.user(role, role) for role in masked]
        cls.blind = [cls.user(role, role) for role in ("program_viewer", "admin")]
        cls.finance = cls.user("finance_officer", "finance_officer")
        cls.ana = cls.person("Cruz", "Ana")
        cls.bank_account = cls.account(cls.ana, NUMBER)
        cls.national_id = cls.document(cls.ana, "SECRET-1")

    def test_number_is_no_search_term_order_or_group(self):
        model = "spp.payment.account"
        for user in self.masked:
            self.assertEqual(self.ask(user, model, "search_count", []), 1)
            for term in (("number", "=", NUMBER), ("number", "like", "009%"), ("number", ">", "0")):
                self.refused(user, model, "search_count", [term])
                self.refused(user, model, "search_read", [term], ["id"])
                self.refused(user, "res.partner", "search", [("payment_account_ids", "any", [term])])
            self.refused(user, "res.partner", "search", [("payment_account_ids.number", "=", NUMBER)])
            self.refused(user, model, "search", [], order="number")
            self.refused(user, model, "read_group", [], ["number"], ["number"])
            self.refused(user, model, "read_group", [], ["number:array_agg"], ["kind"])
            self.refused(user, model, "read_group", [("number", "=", NUMBER)], ["kind"], ["kind"])
            self.refused(user, model, "web_read_group", [], ["number:max"], ["kind"])

    def test_number_is_not_read_exported_or_named(self):
        model, ids = "spp.payment.account", self.bank_account.ids
        for user in self.masked:
            self.refused(user, model, "read", ids, ["number"])
            self.refused(user, model, "web_read", ids, {"number": {}})
            self.refused(user, model, "export_data", ids, ["number"])
            self.assertNotIn("number", self.ask(user, model, "fields_get"))
            self.assertNotIn("number", self.ask(user, model, "default_get", ["number", "kind"]))
            for answer in (
                self.ask(user, model, "read", ids),
                self.ask(user, model, "name_search", ""),
                self.ask(user, model, "search_read", []),
                self.ask(user, "res.partner", "search_read", [("id", "=", self.ana.id)], self.readable(user)),
                self.ask(user, "res.partner", "name_search", "CRUZ, ANA"),
            ):
                self.assertNotIn(NUMBER, str(answer))
            self.assertEqual(self.ask(user, model, "name_search", NUMBER), [])

    def readable(self, user):
        """All that a user may read of a partner. 19.0's own contacts have one field that nobody may."""
        return [name for name in self.ask(user, "res.partner", "fields_get") if name != "rtc_session_ids"]

    def test_a_copy_carries_no_number(self):
        officer = self.masked[0]
        self.refused(officer, "spp.payment.account", "copy", self.bank_account.id)
        copy_id = self.ask(officer, "res.partner", "copy", self.ana.id)
        self.assertFalse(self.env["res.partner"].browse(copy_id).payment_account_ids)

    def test_finance_does_all_of_it(self):
        model = "spp.payment.account"
        self.assertEqual(self.ask(self.finance, model, "search_count", [("number", "=", NUMBER)]), 1)
        self.assertEqual(
            self.ask(self.finance, model, "read", self.bank_account.ids, ["number"])[0]["number"], NUMBER
        )

    def test_viewer_and_administrator_see_people_without_accounts_or_documents(self):
        for user in self.blind:
            person = self.ask(user, "res.partner", "read", [self.ana.id], self.readable(user))[0]
            self.assertEqual(person["name"], "CRUZ, ANA")
            self.assertNotIn("payment_account_ids", person)
            self.assertNotIn("document_ids", person)
            for term in (
                ("document_ids.value", "=", "SECRET-1"),
                ("document_ids", "!=", False),
                ("payment_account_ids", "!=", False),
                ("payment_account_ids.number_masked", "like", "7766"),
            ):
                self.refused(user, "res.partner", "search_count", [term])
            for model in ("spp.payment.account", "spp.identity.document"):
                for method, args in (
                    ("search_count", [[]]),
                    ("name_search", [""]),
                    ("read_group", [[], ["partner_id"], ["partner_id"]]),
                    ("search_read", [[]]),
                ):
                    self.refused(user, model, method, *args)

    def test_other_roles_read_no_document(self):
        for user in (self.finance, *self.masked):
            if user.login in ("test_enrollment_officer", "test_program_manager", "test_auditor"):
                found = self.ask(
                    user, "res.partner", "search_count", [("document_ids.value", "=", "SECRET-1")]
                )
                self.assertEqual(found, 1)
            else:
                self.refused(user, "res.partner", "search_count", [("document_ids.value", "=", "SECRET-1")])
                self.refused(user, "spp.identity.document", "search_count", [])
