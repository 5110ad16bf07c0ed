"""Registrants are found and listed through indexes, in a number of statements that does not grow with the list."""

from lxml import etree

from odoo.tests import tagged

from .common import RegistryCase

NAMES = ["Cruz", "Santos", "Diallo", "Otieno", "Nguyen", "Haddad", "Kowalski", "Perez"]


@tagged("post_install", "-at_install")
class TestFinding(RegistryCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ana = cls.person("dela Cruz-Reyes", "Ana María", ref="R-0042")
        cls.ben = cls.person("Cruz", "Ben")
        cls.tsegaye = cls.person("ፀጋዬ", "ሀይሉ")
        cls.partner = cls.env["res.partner"].with_user(cls.user("finder", "enrollment_officer"))

    def found(self, text):
        return self.partner.search([("is_registrant", "=", True), ("found_by", "ilike", text)])

    def test_words_of_a_name_in_any_order_by_their_beginnings(self):
        for text in ("dela cruz", "ana cru", "REYES", "maría dela", "cruz-reyes, ana", "R-0042"):
            self.assertEqual(self.found(text), self.ana, text)
        self.assertEqual(self.found("cruz"), self.ana | self.ben)
        self.assertEqual(self.found("ሀይሉ ፀጋ"), self.tsegaye)
        self.assertFalse(self.found("ruz"))
        self.assertFalse(self.found("cruz dan"))

    def test_whatever_is_typed_is_a_search_and_no_error(self):
        for text in ("'", "a & b | !c:*", "%", "\\", "o'neil", "(", "50%_", "::", "a" * 300, "x " * 50):
            self.found(text)
            self.partner.name_search(text)

    def test_pickers_find_registrants_and_contacts(self):
        contact = self.env["res.partner"].create({"name": "Stationery Cruzado Ltd", "email": "s@example.org"})
        ids = [partner_id for partner_id, _name in self.env["res.partner"].name_search("cruz")]
        self.assertEqual(
            set(ids) & {self.ana.id, self.ben.id, contact.id}, {self.ana.id, self.ben.id, contact.id}
        )
        self.assertIn(contact.id, [found[0] for found in self.env["res.partner"].name_search("s@example")])
        limited = self.partner.name_search("cruz", [("is_registrant", "=", True)], limit=1)
        self.assertEqual(len(limited), 1)

    def test_lines_are_found_by_the_name_of_their_registrant(self):
        self.document(self.ana, "A-1")
        documents = self.env["spp.identity.document"]
        self.assertEqual(documents.search([("partner_id", "ilike", "ana reyes")]).partner_id, self.ana)
        household = self.household("Reyes household", self.ana)
        found = self.partner.search([("membership_ids.group_id.found_by", "ilike", "house reyes")])
        self.assertEqual(found, self.ana)
        self.assertEqual(
            self.partner.search([("member_ids.individual_id.found_by", "ilike", "ana")]), household
        )

    def test_documents_by_the_beginning_of_their_number(self):
        self.document(self.ana, "AB_12-99")
        self.document(self.ben, "ABX12-99")
        for text, expected in (("ab_1", self.ana), ("AB", self.ana | self.ben), ("12-99", self.ana.browse())):
            found = self.partner.search([("document_ids.number_begins", "ilike", text)])
            self.assertEqual(found, expected, text)

    def test_phones_as_people_write_them(self):
        phone = self.env["spp.phone.number"].create({"partner_id": self.ana.id, "number": "+254 712-345 678"})
        for text in ("+254712345678", "0712 345 678", "00254712", "254 7", "712345678"):
            found = self.partner.search([("phone_number_ids.number_begins", "ilike", text)])
            self.assertEqual(found, phone.partner_id, text)
        self.assertFalse(self.partner.search([("phone_number_ids.number_begins", "ilike", "0799")]))

    def test_who_is_out_of_reach_is_not_found(self):
        here, there = self.env["spp.area"].create([{"name": name, "code": name} for name in ("S-H", "S-T")])
        self.ana.area_id, self.ben.area_id = here, there
        limited = self.user("limited_finder", "enrollment_officer")
        limited.spp_area_ids = here
        partner = self.partner.with_user(limited)
        self.assertEqual(partner.search([("found_by", "ilike", "cruz")]), self.ana)
        self.assertEqual([found[0] for found in partner.name_search("cruz")], [self.ana.id])
        self.assertEqual(partner.search_count([("found_by", "ilike", "ben")]), 0)


@tagged("post_install", "-at_install")
class TestPlans(RegistryCase):
    """On a table with enough rows for PostgreSQL to prefer an index by itself."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.officer = cls.user("planner", "enrollment_officer")
        cls.env.cr.execute(
            """
            INSERT INTO res_partner (name, complete_name, is_registrant, is_group, active, registrant_status, type)
            SELECT name, name, TRUE, n %% 5 = 0, TRUE, 'active', 'contact'
              FROM (SELECT n, upper((%(names)s::text[])[n %% 8 + 1] || n || ', PERSON ' || n) AS name
                      FROM generate_series(1, 20000) n) made;
            INSERT INTO spp_identity_document (partner_id, type_id, value, state)
            SELECT id, (SELECT min(id) FROM spp_identity_type), 'PLAN-' || id, 'valid'
              FROM res_partner WHERE complete_name LIKE '%%PERSON%%';
            INSERT INTO spp_phone_number (partner_id, number)
            SELECT id, '+25471' || lpad(id::text, 7, '0') FROM res_partner WHERE complete_name LIKE '%%PERSON%%';
            INSERT INTO spp_event (partner_id, kind, date)
            SELECT id, 'health_visit', DATE '2026-01-01' + id %% 100
              FROM res_partner WHERE complete_name LIKE '%%PERSON%%';
            ANALYZE res_partner, spp_identity_document, spp_phone_number, spp_event;
            """,
            {"names": NAMES},
        )
        cls.env.invalidate_all()

    def plan(self, model, domain, user=None, limit=80):
        """The plan of a list's page."""
        query = self.env[model].with_user(user or self.officer)._search(
            domain, limit=limit, order=self.env[model]._order
        )  # fmt: skip
        sql = query.select()
        self.env.cr.execute("EXPLAIN " + sql.code, sql.params)
        return "\n".join(line for (line,) in self.env.cr.fetchall())

    def assert_uses(self, index, plan):
        self.assertIn(index, plan)
        for table in ("res_partner", "spp_identity_document", "spp_phone_number", "spp_event"):
            self.assertNotRegex(plan, rf"Seq Scan on {table}\b")

    def test_lists_are_read_in_the_order_of_an_index(self):
        # For 20,000 rows an index of names, sorted again where names are the same, may seem as good.
        self.env.cr.execute("SET LOCAL enable_incremental_sort = off")
        individuals = [("is_registrant", "=", True), ("is_group", "=", False)]
        groups = [("is_registrant", "=", True), ("is_group", "=", True)]
        for domain, index in (
            (individuals, "res_partner_spp_individuals_idx"),
            (groups, "res_partner_spp_groups_idx"),
        ):
            plan = self.plan("res.partner", domain)
            self.assert_uses(index, plan)
            self.assertNotIn("Sort", plan)
        self.assert_uses("spp_event_date_idx", self.plan("spp.event", []))

    def test_searches_use_their_index(self):
        self.env.cr.execute("SET LOCAL enable_seqscan = off")  # 20,000 rows are read faster than looked up
        registrants = [("is_registrant", "=", True), ("is_group", "=", False)]
        person = self.env["res.partner"].search([("complete_name", "=like", "OTIENO123, PERSON%")])
        for leaf, index in (
            (("found_by", "ilike", "otieno123 per"), "res_partner_spp_words_idx"),
            (("document_ids.number_begins", "ilike", f"plan-{person.id}"), "spp_identity_document_value_idx"),
            (
                ("phone_number_ids.number_begins", "ilike", f"+25471{person.id:07d}"),
                "spp_phone_number_digits_idx",
            ),
            (
                ("phone_number_ids.number_begins", "ilike", f"071{person.id:07d}"),
                "spp_phone_number_ending_idx",
            ),
        ):
            self.assert_uses(index, self.plan("res.partner", [*registrants, leaf]))

    def test_a_picker_uses_the_index(self):
        query = self.env["res.partner"].with_user(self.officer)._search(
            [("is_registrant", "=", True), *self.env["res.partner"]._search_found_by("ilike", "otieno12")], limit=8
        )  # fmt: skip
        sql = query.select()
        self.env.cr.execute("EXPLAIN " + sql.code, sql.params)
        self.assert_uses("res_partner_spp_words_idx", "\n".join(line for (line,) in self.env.cr.fetchall()))


@tagged("post_install", "-at_install")
class TestStatements(RegistryCase):
    """What lists and forms cost in statements, however long they are."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.officer = cls.user("counter", "enrollment_officer")
        cls.area = cls.env["spp.area"].create({"name": "Counted", "code": "COUNT"})
        cls.households = cls.env["res.partner"]
        for number, size in enumerate([2] * 29 + [30]):
            people = [
                cls.person(f"Count{number}", f"P{place}", area_id=cls.area.id, birthdate="1990-01-01")
                for place in range(size)
            ]
            for person in people[:1]:
                cls.document(person, f"CNT-{number}")
                cls.account(person, f"{number:08d}")
            cls.households |= cls.household(f"Count household {number}", *people, area_id=cls.area.id)

    def fields_of(self, view_xmlid, model="res.partner"):
        """The specification with which the web client reads a view, one level of lines included."""
        env = self.env(user=self.officer)
        view = self.env.ref(view_xmlid)
        description = env[model].get_view(view.id, view.type)

        def specification(node, model):
            found = {}
            for field in (
                node.xpath(".//field[not(ancestor::field)]")
                if node.tag != "field"
                else node.xpath("./tree//field")
            ):
                name = field.get("name")
                kind = env[model]._fields[name]
                found[name] = {}
                if kind.type in ("one2many", "many2many"):
                    found[name] = {"fields": specification(field, kind.comodel_name), "limit": 40}
                elif kind.type == "many2one":
                    found[name] = {"fields": {"display_name": {}}}
            return found

        return specification(etree.fromstring(description["arch"]), model)

    def statements(self, call):
        self.env.flush_all()
        self.env.invalidate_all()
        before = self.env.cr.sql_log_count
        call()
        return self.env.cr.sql_log_count - before

    def test_lists_have_no_statement_per_line(self):
        for kind, is_group in (("individual", False), ("group", True)):
            names = self.fields_of(f"spp_registry.view_res_partner_tree_{kind}")
            partners = self.env["res.partner"].with_user(self.officer)
            domain = [("is_registrant", "=", True), ("is_group", "=", is_group)]

            def page(limit, partners=partners, domain=domain, names=names):
                return lambda: partners.web_search_read(domain, names, limit=limit, count_limit=10001)

            page(3)()
            self.assertEqual(self.statements(page(3)), self.statements(page(30)), kind)

    def test_a_form_opens_with_the_same_number_of_statements_however_large_the_household(self):
        names = self.fields_of("spp_registry.view_res_partner_form_group")
        small, large = self.households[0].with_user(self.officer), self.households[-1].with_user(self.officer)
        for household in (small, large):  # access rules and the like are read once
            self.statements(lambda household=household: household.web_read(names))
        costs = [
            self.statements(lambda household=household: household.web_read(names))
            for household in (small, large)
        ]
        self.assertEqual(costs[0], costs[1])
        self.assertLess(costs[0], 60)
