"""What nobody asked is not zero: income and score stay NULL until a number is entered."""

from odoo.tests import Form

from .common import RegistryCase


class TestUnknownNumbers(RegistryCase):
    def stored(self, person):
        person.flush_recordset()
        self.env.cr.execute("SELECT income, vulnerability_score FROM res_partner WHERE id = %s", [person.id])
        return self.env.cr.fetchone()

    def test_unset_is_null_and_reads_as_false(self):
        for vals in ({}, {"income": False, "vulnerability_score": None}):
            person = self.person("Cruz", **vals)
            self.assertEqual(self.stored(person), (None, None))
            person.invalidate_recordset()
            self.assertIs(person.income, False)
            self.assertIs(person.read(["income"])[0]["income"], False)

    def test_zero_stays_zero(self):
        person = self.person("Cruz", income=0)
        self.assertEqual(self.stored(person)[0], 0)
        person.invalidate_recordset()
        self.assertIsNot(person.income, False)
        self.assertEqual(person.income, 0.0)

    def test_from_unknown_to_zero_and_back(self):
        person = self.person("Cruz")
        for value, expected in ((0, 0), (False, None), (12.345, 12.35), (0.0, 0), (None, None)):
            person.income = value
            stored = self.stored(person)[0]
            self.assertEqual(stored if stored is None else float(stored), expected)

    def test_search_tells_unknown_from_zero(self):
        unknown, zero, some = (self.person("Cruz", income=income) for income in (False, 0, 10))
        people = [("id", "in", (unknown | zero | some).ids)]
        partners = self.env["res.partner"]
        self.assertEqual(partners.search([*people, ("income", "=", False)]), unknown)
        self.assertEqual(partners.search([*people, ("income", "!=", False)]), zero | some)
        self.assertEqual(partners.search([*people, ("income", "<", 5)]), zero)
        self.assertEqual(partners.search([*people, ("income", "=", 0)]), zero)

    def test_form_leaves_unknown_alone(self):
        person = self.person("Cruz")
        with Form(person, "spp_registry.view_res_partner_form_individual") as form:
            form.birth_place = "Busia"
        self.assertEqual(self.stored(person), (None, None))

    def test_export_and_copy_keep_it(self):
        unknown, zero = self.person("Cruz"), self.person("Cruz", income=0)
        self.assertEqual((unknown | zero).export_data(["income"])["datas"], [[""], [0.0]])
        self.assertIsNone(self.stored(unknown.copy())[0])
        self.assertEqual(self.stored(zero.copy())[0], 0)

    def test_sum_leaves_unknown_out(self):
        people = self.person("Cruz") | self.person("Cruz", income=10)
        [(total,)] = self.env["res.partner"]._read_group(
            [("id", "in", people.ids)], aggregates=["income:sum"]
        )
        self.assertEqual(total, 10)
