"""Everything that the recorded answers tell is here afterwards, field by field; the same again writes nothing."""

from unittest.mock import patch

from odoo.sql_db import Cursor
from odoo.tests import TransactionCase, tagged

from .common import MisMixin

REGISTRY = (
    "res_partner", "spp_identity_document", "spp_phone_number", "spp_payment_account", "spp_group_membership",
    "spp_event", "spp_mis_mapping", "spp_mis_conflict", "res_bank", "spp_identity_type",
)  # fmt: skip


@tagged("post_install", "-at_install")
class TestEveryField(MisMixin, TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.source.dialect = "rest"
        with cls.source._reader() as reader:
            cls.people = reader._list("individual")
            cls.groups = reader._list("group", include_members_full="true")
        cls.do_import()

    def compare(self, told, kind):
        partner = self.registrant(kind, told["id"])
        names = ("name", "email")
        if kind == "individual":
            names += ("family_name", "given_name", "birth_place")
            self.assertEqual(partner.additional_name or None, told["addl_name"])
            self.assertEqual((partner.gender or "").title(), told["gender"] or "")
        else:
            self.assertEqual(partner.group_kind_id.name or None, told["kind"])
        for name in names:
            self.assertEqual(partner[name] or None, told[name] or None, (told["id"], name))
        for name in ("registration_date", "birthdate"):
            if told.get(name):
                self.assertEqual(str(partner[name]), told[name], told["id"])
        lines = [line.strip() for line in (told["address"] or "").splitlines() if line.strip()]
        self.assertEqual([line for line in (partner.street, partner.street2) if line], lines)
        self.assertEqual(
            sorted((one.type_id.name.lower(), one.value, one.expiry_date and str(one.expiry_date) or None)
                   for one in partner.document_ids),
            sorted((one["id_type"].lower(), one["value"], one["expiry_date"]) for one in told["ids"]),
        )  # fmt: skip
        self.assertEqual(
            sorted((one.number, str(one.date_collected), one.ended and str(one.ended) or None)
                   for one in partner.phone_number_ids),
            sorted((one["phone_no"], str(one["date_collected"]), one["disabled"]) for one in told["phone_numbers"]),
        )  # fmt: skip
        self.assertEqual(
            sorted((one.number, one.provider_id.name or "") for one in partner.payment_account_ids),
            sorted((one["acc_number"], one["bank_name"] or "") for one in told["bank_ids"]),
        )
        self.assertEqual(len(partner.payment_account_ids.filtered("is_primary")), bool(told["bank_ids"]))
        facts = {(fact.kind, fact.value) for fact in partner.event_ids}
        for program in told["program_membership_ids"]:
            self.assertIn(("program_elsewhere", f"{program['program_id']}: {program['state']}"), facts)
            for noted in program["program_registrant_info_ids"]:
                for key, value in noted["program_registrant_info"].items():
                    self.assertIn(("program_information", f"{key}: {value}"), facts)

    def test_people(self):
        readable = [told for told in self.people if told["birthdate"] != "1989-02-31"]
        self.assertEqual(len(readable), len(self.people) - 1)
        for told in readable:
            with self.subTest(told["id"]):
                self.compare(told, "individual")

    def test_groups_and_their_members(self):
        for told in self.groups:
            with self.subTest(told["id"]):
                self.compare(told, "group")
                ours = sorted(
                    (member.individual_id.name, sorted(member.role_ids.mapped("name")))
                    for member in self.registrant("group", told["id"]).member_ids
                )
                theirs = sorted(
                    (member["individual"]["name"], sorted(kind["name"] for kind in member["kind"]))
                    for member in told["members"]
                    if member["individual"]["birthdate"] != "1989-02-31"
                )
                self.assertEqual(ours, theirs)

    def test_a_second_import_has_no_statement_that_writes_to_the_registry(self):
        for dialect in ("rest", "jsonrpc"):
            self.source.dialect = dialect
            self.do_import()  # the dialects do not tell quite the same
            run, statements = self.import_noting_statements()
            self.assertEqual((run.counts["Updated"], run.counts["Unchanged"]), (0, 289))
            words = [statement.replace('"', " ").split() for statement in statements]
            writing = [word[:4] for word in words if word and word[0] in ("INSERT", "UPDATE", "DELETE")]
            self.assertTrue(writing, "what we look for is seen")
            touched = {word[1] if word[0] == "UPDATE" else word[2] for word in writing}
            self.assertFalse(touched & set(REGISTRY), dialect)

    def import_noting_statements(self):
        statements = []
        execute = Cursor.execute

        def noting(cursor, query, *args, **kwargs):
            statements.append(getattr(query, "code", query))
            return execute(cursor, query, *args, **kwargs)

        with patch.object(Cursor, "execute", noting):
            return self.do_import(), statements
