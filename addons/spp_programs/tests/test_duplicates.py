"""Suspected duplicates are found in blocks, decided by a person side by side, and not asked about again."""

from odoo.exceptions import AccessError, UserError
from odoo.tests import Form, tagged

from odoo.addons.spp_base.tests.common import LikeTheOrm, as_jobs

from .common import AS_OF, ProgramsCase


class DuplicatesCase(LikeTheOrm, ProgramsCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cases = cls.env["spp.duplicate.case"].with_user(cls.officer)
        cls.card = cls.env["spp.identity.type"].create({"name": "Card", "code": "dup_card"})

    @classmethod
    def claim(cls, partner, value):
        return cls.env["spp.identity.document"].create(
            {"partner_id": partner.id, "type_id": cls.card.id, "value": value}
        )

    @classmethod
    def call_number(cls, partners, number):
        cls.env["spp.phone.number"].create([{"partner_id": p.id, "number": number} for p in partners])

    @classmethod
    def make_household(cls, name, *people, **vals):
        house = cls.env["res.partner"].create({"name": name, "is_registrant": True, "is_group": True, **vals})
        cls.env["spp.group.membership"].create(
            [
                {"group_id": house.id, "individual_id": person.id, "is_head": not number}
                for number, person in enumerate(people)
            ]
        )
        return house

    @classmethod
    def search_doubles(cls, user=None):
        cases = cls.cases.with_user(user or cls.officer)
        return cls.env["spp.run"].browse(cases.action_search_duplicates())

    def case(self, *partners):
        first, second = sorted(partners, key=lambda partner: partner.id)
        return self.cases.search([("partner_id", "=", first.id), ("other_id", "=", second.id)])


@tagged("post_install", "-at_install")
class TestFindDuplicates(DuplicatesCase):
    def test_same_document(self):
        holder, claimant, third = self.make_people(3)
        self.claim(holder, "D-1")
        self.claim(claimant, "D-1")
        self.claim(third, "D-2")
        self.search_doubles()
        case = self.case(holder, claimant)
        self.assertEqual((case.same_document, case.state, case.finding), (True, "open", "Same document"))
        self.assertFalse(self.case(holder, third))

    def test_two_claims_whose_holder_withdrew(self):
        people = self.make_people(3)
        documents = [self.claim(person, "D-1") for person in people]
        documents[0].action_withdraw()
        self.search_doubles()
        self.assertTrue(self.case(people[1], people[2]).same_document)
        self.assertFalse(self.case(people[0], people[1]))

    def test_same_phone_however_it_is_written(self):
        first, second = self.make_people(2)
        self.call_number(first, "+254 712 345 678")
        self.call_number(second, "00254712345678")
        self.search_doubles()
        self.assertTrue(self.case(first, second).same_phone)

    def test_a_household_shares_its_phone(self):
        first, second = self.make_people(2)
        house = self.make_household("House", first, second)
        self.call_number(first + second + house, "+254712345678")
        self.search_doubles()
        self.assertFalse(self.cases.search([]))

    def test_a_phone_not_in_use_any_more_is_no_finding(self):
        first, second = self.make_people(2)
        self.call_number(first + second, "+254712345678")
        first.phone_number_ids.ended = "2020-01-01"
        self.search_doubles()
        self.assertFalse(self.case(first, second))

    def test_one_person_in_two_households(self):
        (person,) = self.make_people(1)
        first, second = self.make_household("One", person), self.make_household("Two", person)
        left = self.make_household("Three", person)
        left.member_ids.ended = "2020-01-01"
        self.search_doubles()
        self.assertTrue(self.case(first, second).two_households)
        self.assertFalse(self.case(first, left))

    def test_groups_of_two_kinds_may_share_people(self):
        (person,) = self.make_people(1)
        kinds = self.env["spp.group.kind"].create([{"name": n, "code": f"dup_{n}"} for n in ("farm", "home")])
        for kind in kinds:
            self.make_household(kind.name, person, group_kind_id=kind.id)
        self.search_doubles()
        self.assertFalse(self.cases.search([]))

    def test_similar_names_with_the_same_birthdate(self):
        alike = [
            ("ABADA, DANILO SANTOS", "Danilo Abada"),
            ("MOHAMED, AHMED", "Muhammad Ahmad"),
            ("Katherine O'Brien", "CATHÉRINE OBRIEN"),
            ("Phillip Cruz", "Filip Kruz"),
            ("Sukarno", "SUKARNO"),
        ]
        for number, (one, other) in enumerate(alike):
            with self.subTest(one):
                born = f"1980-02-{number + 1:02}"
                first, second = self.make_person(one, born), self.make_person(other, born)
                self.search_doubles()
                self.assertTrue(self.case(first, second).similar_name)

    def test_other_names_and_other_birthdates_are_no_finding(self):
        self.make_person("ABADA, DANILO SANTOS", "1980-02-01")
        self.make_person("ABADA, MARIA SANTOS", "1980-02-01")  # a twin
        self.make_person("ABADA, DANILO SANTOS", "1980-02-02")
        self.make_person("ABADA, DANILO SANTOS")
        self.make_person("Danilo", "1980-02-01")
        self.search_doubles()
        self.assertFalse(self.cases.search([("similar_name", "=", True)]))

    def test_a_pair_has_one_case_with_all_grounds(self):
        first, second = (
            self.make_person("Ana Cruz", "1980-01-01"),
            self.make_person("Cruz, Ana", "1980-01-01"),
        )
        self.search_doubles()
        self.call_number(first + second, "+254712345678")
        run = self.search_doubles()
        case = self.case(first, second)
        self.assertEqual((case.same_phone, case.similar_name), (True, True))
        self.assertEqual(case.finding, "Same phone, Similar name, same birthdate")
        self.assertEqual(sum(run.counts.values()), 0, "it is no new case")

    def test_a_phone_of_a_whole_village_is_one_finding_and_no_pairs(self):
        village = self.make_people(30, birthdate=False)
        self.call_number(village, "+254712345678")
        run = self.search_doubles()
        self.assertFalse(self.cases.search([]))
        self.assertEqual(len(run.failure_ids), 1)
        self.assertIn("30 registrants", run.failure_ids.reason)
        self.assertIn(run.failure_ids.partner_id, village)
        self.assertIn("more than 10", run.message)
        self.assertNotIn("712345678", run.failure_ids.reason + run.failure_ids.name)

    def test_the_limit_of_a_block_is_a_setting(self):
        village = self.make_people(4, birthdate=False)
        self.call_number(village, "+254712345678")
        self.env["ir.config_parameter"].set_param("spp_programs.duplicate_block", "3")
        self.search_doubles()
        self.assertFalse(self.cases.search([]))
        self.env["ir.config_parameter"].set_param("spp_programs.duplicate_block", "4")
        self.search_doubles()
        self.assertEqual(self.cases.search_count([]), 6)

    def test_as_many_statements_for_many_as_for_few(self):
        def statements():
            self.env.invalidate_all()
            before = self.env.cr.sql_log_count
            self.search_doubles()
            return self.env.cr.sql_log_count - before

        statements()
        few = statements()
        people = self.make_people(100, prefix="Pair")
        for number, pair in enumerate(zip(people[:50], people[50:], strict=True)):
            self.call_number(pair[0] + pair[1], f"+2547123456{number:02}")
        self.env.flush_all()
        self.assertEqual(statements(), few)
        self.assertEqual(self.cases.search_count([("same_phone", "=", True)]), 50)

    def test_rows_look_like_the_orms(self):
        first, second, third = self.make_people(3)
        self.call_number(first + second, "+254712345678")
        self.search_doubles()
        self.assert_like_the_orm(self.case(first, second).with_env(self.env), other_id=third.id)

    def test_an_officer_of_an_area_finds_and_sees_that_area_only(self):
        here, there, also_here = self.make_people(3)
        north, south = self.env["spp.area"].create(
            [{"name": "N", "code": "DUP-N"}, {"name": "S", "code": "DUP-S"}]
        )
        (here + also_here).area_id, there.area_id = north, south
        self.call_number(here + there + also_here, "+254712345678")
        self.officer.spp_area_ids = north
        self.search_doubles()
        self.assertEqual(self.cases.sudo().search_count([]), 1)
        self.search_doubles(self.manager)
        self.assertEqual(self.cases.sudo().search_count([]), 3)
        self.assertEqual(self.cases.search([]), self.case(here, also_here))
        with self.assertRaises(AccessError):
            self.cases.sudo().search([]).with_user(self.officer).action_different("All")

    def test_the_trail_names_two_people_to_who_may_see_both(self):
        here, there = self.make_people(2)
        north, south = self.env["spp.area"].create(
            [{"name": "N", "code": "DUP-N"}, {"name": "S", "code": "DUP-S"}]
        )
        here.area_id, there.area_id = north, south
        self.call_number(here + there, "+254712345678")
        self.search_doubles(self.manager)
        self.case(here, there).with_user(self.manager).action_different("Cousins")
        auditor = self.users["auditor"]
        trail = self.env["spp.audit.entry"].with_user(auditor)
        about = [("action", "=like", "Suspected duplicate decided%"), ("note", "=", "Cousins")]
        self.assertEqual(trail.search_count(about), 1)
        for area, seen in ((north, 0), (south, 0), (north + south, 1)):
            auditor.spp_area_ids = area
            self.assertEqual(trail.search_count(about), seen, area.mapped("name"))

    def test_every_night(self):
        first, second = self.make_people(2)
        self.call_number(first + second, "+254712345678")
        with as_jobs(self.env) as jobs:
            self.env.ref("spp_programs.cron_duplicate_search").ir_actions_server_id.run()
            self.env.ref("spp_programs.cron_duplicate_search").ir_actions_server_id.run()
            jobs.assert_jobs_count(1)
        self.assertTrue(self.case(first, second))
        run = self.env["spp.run"].search([("kind", "=", "duplicate_search")], limit=1)
        self.assertEqual((run.state, run.counts["New: Same phone"]), ("done", 1))

    def test_a_large_registry_is_searched_by_a_job(self):
        first, second = self.make_people(2)
        self.call_number(first + second, "+254712345678")
        with as_jobs(self.env):
            run = self.search_doubles()
            self.assertEqual(run.state, "queued")
            self.assertEqual(self.search_doubles(), run, "pressed twice, it is done once")
        self.assertEqual((run.state, run.user_id), ("done", self.officer))
        self.assertTrue(self.case(first, second))

    def test_only_who_enrolls_searches(self):
        for role in ("program_viewer", "auditor", "finance_officer", "approver", "payment_releaser", "admin"):
            with self.assertRaises(AccessError):
                self.search_doubles(self.users[role])


@tagged("post_install", "-at_install")
class TestDecideDuplicates(DuplicatesCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.first = cls.make_person("ABADA, DANILO", "1950-01-01", family_name="Abada", given_name="Danilo")
        cls.second = cls.make_person(
            "ABADA, DANILLO", "1950-01-01", family_name="Abada", given_name="Danillo"
        )
        cls.program = cls.make_program()
        cls.other_program = cls.make_program("OTHER")
        cls.add(cls.program, cls.first + cls.second)
        cls.add(cls.other_program, cls.second)
        for program in (cls.program, cls.other_program):
            program.with_user(cls.officer).action_enroll(AS_OF)
        cls.search_doubles()
        cls.double = cls.cases.search([("partner_id", "=", cls.first.id)])

    def states(self, partner):
        return {m.program_id.code: m.state for m in partner.program_membership_ids}

    def test_the_same_is_paid_once_and_nothing_is_deleted(self):
        said = self.double.consequences(self.second.id)
        self.assertIs(self.double.action_same(self.second.id, "Same finger prints"), True)
        self.assertEqual(self.states(self.first), {"OLD": "enrolled"})
        # In the program where only the second takes part, the person would lose what they are due.
        self.assertEqual(self.states(self.second), {"OLD": "duplicate", "OTHER": "enrolled"})
        self.assertEqual((self.double.state, self.double.set_aside_id), ("same", self.second))
        self.assertEqual(self.double.what_followed, "\n".join(said), "what was said is what was done")
        self.assertIn("ABADA, DANILO", self.second.program_membership_ids[0].reason)
        self.assertEqual(self.make_cycle(self.program).entitlement_count, 1)
        self.assertTrue(self.second.active)

    def test_who_was_set_aside_comes_into_no_other_program(self):
        self.double.action_same(self.second.id, "Same finger prints")
        new = self.make_program("NEW").with_user(self.officer)
        new.action_import_candidates()
        self.assertIn(self.first, new.membership_ids.partner_id)
        self.assertNotIn(self.second, new.membership_ids.partner_id)
        run = self.env["spp.run"].browse(new.action_import_list([self.second.id]))
        self.assertIn("set aside", run.failure_ids.reason)

    def test_no_evaluation_undoes_it(self):
        self.double.action_same(self.second.id, "Same finger prints")
        program = self.program.with_user(self.officer)
        program.action_enroll(AS_OF)
        program.action_import_candidates()
        self.assertEqual(self.states(self.second)["OLD"], "duplicate")

    def test_the_place_in_a_household_ends_unless_they_head_it(self):
        house = self.make_household("Abada", self.first, self.second)
        self.assertIn("until today", " ".join(self.double.consequences(self.second.id)))
        own = self.make_household("Own", self.second)
        self.assertIn("Own: ABADA, DANILLO is its head", " ".join(self.double.consequences(self.second.id)))
        self.double.with_user(self.manager).action_same(self.second.id, "Same finger prints")
        self.assertEqual((house.member_count, own.member_count), (1, 1))

    def test_households_set_aside(self):
        rule = self.make_rule("All", "group", "group.members.size() >= 1")
        program = self.make_program("HOUSES", target="group", rule_id=rule.id)
        one, two = self.make_household("One", self.first), self.make_household("Two", self.first)
        self.add(program, one + two)
        program.with_user(self.officer).action_enroll(AS_OF)
        self.search_doubles()
        case = self.case(one, two)
        case.action_same(one.id, "Registered twice")
        self.assertEqual(
            (self.states(one), self.states(two)), ({"HOUSES": "duplicate"}, {"HOUSES": "enrolled"})
        )

    def test_a_decision_is_kept_and_not_asked_again(self):
        self.double.action_different("Cousins")
        self.call_number(self.first + self.second, "+254712345678")
        self.search_doubles()
        self.assertEqual(self.cases.search_count([("state", "=", "open")]), 0)
        self.assertEqual((self.double.state, self.double.reason), ("different", "Cousins"))
        self.assertEqual(self.double.decided_by, self.officer)
        with self.assertRaisesRegex(UserError, "was decided by"):
            self.double.action_same(self.second.id, "Not cousins")

    def test_asked_again_by_a_person_only(self):
        self.double.action_same(self.second.id, "Same finger prints")
        self.double.action_reopen("The other finger")
        self.assertEqual((self.double.state, self.double.set_aside_id.id), ("open", False))
        self.double.action_different("Two people")
        self.second.program_membership_ids.filtered(lambda m: m.state == "duplicate").with_user(
            self.officer
        ).action_reinstate("Two people")
        self.assertEqual(self.states(self.second)["OLD"], "enrolled")

    def test_needs_a_reason_the_role_and_one_of_the_two(self):
        with self.assertRaises(UserError):
            self.double.action_same(self.second.id, " ")
        with self.assertRaisesRegex(UserError, "Choose which"):
            self.double.action_same(self.make_person("Third").id, "Same")
        for role in ("program_viewer", "auditor", "finance_officer", "approver", "payment_releaser", "admin"):
            case = self.double.with_user(self.users[role])
            for call in (
                lambda c=case: c.action_same(self.second.id, "x"),
                lambda c=case: c.action_different("x"),
                lambda c=case: c.action_reopen("x"),
            ):
                with self.assertRaises(AccessError):
                    call()

    def test_it_is_in_the_trail(self):
        self.double.action_different("Cousins")
        entry = self.env["spp.audit.entry"].search(
            [("action", "=", "Suspected duplicate decided: different")]
        )
        self.assertEqual((entry.res_id, entry.user_id, entry.note), (self.double.id, self.officer, "Cousins"))

    def test_side_by_side_with_what_differs(self):
        self.claim(self.first, "A-1")
        account = self.env["spp.payment.account"].create(
            {"partner_id": self.first.id, "kind": "bank", "number_entry": "0044556677"}
        )
        self.make_household("Abada house", self.second)
        lines = {line["field"]: line for line in self.double.compare()}
        self.assertFalse(lines["Date of birth"]["differs"])
        self.assertTrue(lines["Given Name"]["differs"])
        self.assertEqual(lines["Documents"]["first"], ["Card A-1 (valid)"])
        self.assertEqual(lines["Households"]["second"], ["Abada house (head)"])
        self.assertEqual(lines["Programs"]["second"], ["Program OLD: enrolled", "Program OTHER: enrolled"])
        self.assertEqual(lines["Accounts"]["first"], [account.display_name])
        self.assertNotIn("0044556677", str(lines))
        self.assertIn("table-warning", self.double.comparison)
        for role, hidden in (("program_viewer", {"Documents", "Accounts"}), ("approver", {"Documents"})):
            shown = {line["field"] for line in self.double.with_user(self.users[role]).compare()}
            self.assertFalse(shown & hidden, role)

    def test_what_people_wrote_is_no_html(self):
        self.first.name = "<script>alert(1)</script>"
        self.assertNotIn("<script>", self.double.comparison)

    def test_the_program_shows_open_cases_and_enrollment_warns(self):
        program = self.program.with_user(self.officer)
        self.assertEqual(program.duplicate_case_count, 1)
        self.assertEqual(program.action_open_duplicates()["domain"], [("id", "in", self.double.ids)])
        run = self.env["spp.run"].browse(program.action_enroll(AS_OF))
        self.assertIn("not decided yet: 1", run.message)
        self.double.action_different("Cousins")
        program.invalidate_recordset()
        self.assertEqual(program.duplicate_case_count, 0)
        self.assertFalse(self.env["spp.run"].browse(program.action_enroll(AS_OF)).message)

    def test_people_of_member_households_count_for_the_program(self):
        rule = self.make_rule("All", "group", "group.members.size() >= 1")
        program = self.make_program("HOUSES", target="group", rule_id=rule.id)
        self.add(program, self.make_household("One", self.first))
        self.assertEqual(program.duplicate_case_count, 1)
        self.assertEqual(self.make_program("NOBODY").duplicate_case_count, 0)

    def test_with_the_dialog(self):
        dialog = Form(
            self.env["spp.duplicate.decision"]
            .with_user(self.officer)
            .with_context(default_case_ids=self.double.ids, default_verdict="same")
        )
        self.assertIn("Choose who", dialog.consequences)
        dialog.set_aside_id = self.second
        self.assertIn("marked as a duplicate", dialog.consequences)
        dialog.reason = "Same finger prints"
        dialog.save().action_decide()
        self.assertEqual(self.double.state, "same")

    def test_many_at_once_are_different(self):
        third, fourth = self.make_people(2)
        self.call_number(third + fourth, "+254712345678")
        self.search_doubles()
        cases = self.double + self.case(third, fourth)
        dialog = Form(
            self.env["spp.duplicate.decision"]
            .with_user(self.officer)
            .with_context(active_model=cases._name, active_ids=cases.ids, default_verdict="different")
        )
        dialog.reason = "Looked at all of them"
        dialog.save().action_decide()
        self.assertEqual(set(cases.mapped("state")), {"different"})
        with self.assertRaisesRegex(UserError, "one case at a time"):
            self.env["spp.duplicate.decision"].with_user(self.officer).create(
                {"case_ids": cases.ids, "verdict": "same", "reason": "x"}
            ).action_decide()
