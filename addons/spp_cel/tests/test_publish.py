"""Before a rule is published: boundary cases are compared, and a remarkable reach needs a reason."""

import datetime

from odoo import fields
from odoo.exceptions import UserError
from odoo.tests import Form, tagged
from odoo.tools import mute_logger

from .common import AS_OF, RuleCase

SIZE = "group.members.size() > 1"


@tagged("post_install", "-at_install")
class TestPublish(RuleCase):
    def boundary(self, expression, target="group", partners=None):
        """The registrants of the fixture that are boundary cases of a rule."""
        version = self.rule(expression, target).draft_version_id
        rule, constants = version._compile()
        if partners is None:
            partners = self.groups if target == "group" else self.individuals
        population = self.population(partners)
        self.env.cr.execute(*rule.boundary_sql(population.code, population.params, AS_OF, constants))
        found = [row[0] for row in self.env.cr.fetchall()]
        self.assertEqual(len(found), len(set(found)))
        return self.env["res.partner"].browse(found)

    def born(self, *birthdates):
        return self.env["res.partner"].create(
            [{"name": f"BORN {day}", "is_registrant": True, "birthdate": day} for day in birthdates]
        )

    def test_birthdates_around_the_age_are_boundary_cases(self):
        days = [
            "1930-01-01", "1950-01-01", "1955-01-01", "1960-01-01", "1964-02-27", "1964-02-28", "1964-02-29", "1964-03-01",
            "1964-03-02", "1964-03-03", "1990-01-01", "2000-01-01", "2010-01-01",
        ]  # fmt: skip
        people = self.born(*days, False)
        found = self.boundary("individual.age >= 60", "individual", people)
        for day in ("1964-02-28", "1964-02-29", "1964-03-01", "1964-03-02"):
            self.assertIn(fields.Date.to_date(day), found.mapped("birthdate"))
        self.assertIn(people[-1], found, "an unknown birthdate")
        self.assertNotIn(people[0], found, "far from the boundary")
        self.assertNotIn(people[-2], found, "far from the boundary")

    def test_incomes_around_the_amount_are_boundary_cases(self):
        found = self.boundary("individual.income < 100.0", "individual")
        self.assertLessEqual({99.99, 100.0, 101.0}, set(found.mapped("income")))
        self.assertNotIn(1234567.89, found.mapped("income"))
        self.env.cr.execute("SELECT id FROM res_partner WHERE income IS NULL AND id = ANY(%s)", [found.ids])
        self.assertTrue(self.env.cr.rowcount)

    def test_one_member_at_the_boundary_brings_the_group_in(self):
        child, baby, adult = self.born("2019-02-28", "2024-02-01", "1980-01-01")
        young, old = self.groups[10:12]
        self.env["spp.group.membership"].create(
            [
                {"group_id": young.id, "individual_id": child.id},
                {"group_id": old.id, "individual_id": adult.id},
            ]
        )
        found = self.boundary("group.members.exists(m, m.age < 5)", partners=young)
        self.assertEqual(found, young)

    def test_counts_around_the_number_and_empty_groups_are_boundary_cases(self):
        found = self.boundary("group.members.size() == 2")
        sizes = {}
        for group in self.groups:
            sizes[group] = len(
                group.member_ids.filtered(
                    lambda m: (not m.start or m.start <= AS_OF) and (not m.ended or m.ended > AS_OF)
                )
            )
        for near in {1, 2, 3} & set(sizes.values()):
            self.assertIn(near, [sizes[group] for group in found])
        self.assertIn(0, [sizes[group] for group in found])

    def test_every_form_of_a_rule_has_boundary_cases_that_agree(self):
        for expression in (
            "group.income * 2.0 > group.vulnerability_score && group.kind in ['x', 'y']",
            "group.members.exists(m, m.income > group.income) || group.kind == 'x'",
            "group.members.filter(m, m.age < 5).size() * 2 >= group.members.size()",
            " || ".join(f"group.members.exists(m, m.age == {n})" for n in range(45)),
            "group.members.sum(m, m.income) / 2.0 > 50.0 && group.members.min(m, m.age) in [1, 2, 3]",
            "(group.income > 10.0 ? group.vulnerability_score : 1.0) < 3.0",
            "group.members.exists(m, m.birthdate >= date('2020-02-29'))",
            "group.members.exists(m, group.members.exists(n, n.age > m.age))",
            "variables.retirement_age > 3 && group.members.all(m, m.gender in ['male'] || m.is_head)",
        ):
            rule = self.rule(expression)
            if not rule.draft_version_id._compile()[0].not_compiled:
                self.assertTrue(self.boundary(expression))
            rule.action_publish("Every form")

    def test_a_difference_at_the_boundary_alone_stops_publishing(self):
        """Among thousands of others, the random sample would hardly ever find it."""
        self.env.cr.execute(
            """
            INSERT INTO res_partner (name, active, is_registrant, registrant_status, is_group, birthdate)
            SELECT 'MANY ' || n, TRUE, TRUE, 'active', FALSE, date '1990-01-01' + mod(n, 3000)
            FROM generate_series(1, 30000) n
            """
        )
        today = fields.Date.context_today(self.manager)
        (sixty,) = self.born(today.replace(year=today.year - 60))
        original = type(self.env["spp.cel.schema"])._records

        def wrong_for_one(schema, target, partners):
            found = original(schema, target, partners)
            if sixty.id in found:
                found[sixty.id]["birthdate"] += datetime.timedelta(days=1)
            return found

        self.patch(type(self.env["spp.cel.schema"]), "_records", wrong_for_one)
        with self.assertRaisesRegex(UserError, f"differ for {sixty.name}"):
            self.rule("individual.age >= 60", "individual").action_publish()

    def test_nobody_and_everybody_need_a_reason(self):
        for expression, words in (("false", "Nobody is eligible"), ("true", "Everybody is eligible")):
            rule = self.rule(expression)
            for reason in ("", "  \n ", None, True, {"reason": "x"}):
                with self.assertRaisesRegex(UserError, f"{words}.*needs a written reason"):
                    rule.action_publish(reason)
                with self.assertRaisesRegex(UserError, words):
                    rule.draft_version_id.action_publish(reason=reason)
            self.assertEqual(rule.state, "draft")
            rule.action_publish(reason=" Decree 7 of 2026. ")
            version = rule.published_version_id
            self.assertEqual(version.published_reason, "Decree 7 of 2026.")
            self.assertIn(words, version.published_reach)
            self.assertEqual((version.published_by_id, version.state), (self.manager, "published"))
            self.assertTrue(version.published_at)
            entry = self.env["spp.audit.entry"].search(
                [("res_model", "=", "spp.rule.version"), ("res_id", "=", version.id)]
            )
            self.assertEqual(entry.new["reason"], "Decree 7 of 2026.")
            self.assertIn(words, entry.new["reach"])
            self.assertEqual(entry.user_id, self.manager)

    def test_the_share_that_needs_a_reason_is_a_setting(self):
        share = self.env["ir.config_parameter"].set_param
        share("spp_cel.reason_share", "100")
        version = self.rule(SIZE).draft_version_id
        reach = version._reach(AS_OF)
        self.assertFalse(reach["remarkable"])
        percent = reach["eligible"] * 100 // (reach["eligible"] + reach["not_eligible"])
        self.assertTrue(0 < percent < 100)
        share("spp_cel.reason_share", str(max(percent - 1, 0)))
        self.assertTrue(version._reach(AS_OF)["remarkable"])
        share("spp_cel.reason_share", "most")
        with self.assertRaisesRegex(UserError, "spp_cel.reason_share must be a whole number"):
            version.action_publish()

    def test_the_whole_registry_counts_whoever_publishes(self):
        area = self.env["spp.area"].create({"name": "Mine", "code": "MINE"})
        self.groups[0].area_id = area
        version = self.rule("true").draft_version_id
        everybody = version._reach(AS_OF)["eligible"]
        self.manager.spp_area_ids = area
        restricted = version.with_context(active_test=False)
        self.assertEqual(restricted._reach(AS_OF)["eligible"], everybody)

    def test_an_empty_registry_needs_no_reason_but_says_so(self):
        self.env["res.partner"].search([("is_registrant", "=", True)]).active = False
        rule = self.rule("true")
        rule.action_publish()
        self.assertIn("nobody in the registry", rule.published_version_id.published_reach)

    def test_what_publishing_wrote_cannot_be_changed(self):
        rule = self.rule("true")
        rule.action_publish("Decree 7")
        for vals in ({"published_reason": "Another"}, {"published_reach": "Few"}):
            with self.assertRaises(UserError):
                rule.published_version_id.write(vals)
            with self.assertRaises(UserError):
                self.as_manager["spp.rule.version"].create({"rule_id": rule.id, "expression": "true", **vals})

    def test_the_dialog_shows_the_reach_and_asks_for_the_reason(self):
        rule = self.rule("true")
        action = rule.action_open_publish()
        dialog = self.as_manager["spp.rule.publish"].browse(action["res_id"])
        self.assertIn("Everybody is eligible", dialog.reach)
        self.assertTrue(dialog.remarkable)
        form = Form(dialog)
        with self.assertRaisesRegex(AssertionError, "reason is a required field"):
            form.save()
        dialog.remarkable = False  # a client that plays tricks
        with self.assertRaisesRegex(UserError, "needs a written reason"):
            dialog.action_publish()
        dialog.remarkable = True
        form.reason = "Decree 7"
        form.save().action_publish()
        self.assertEqual(rule.published_version_id.published_reason, "Decree 7")

    def test_the_dialog_asks_nothing_of_an_ordinary_rule(self):
        rule = self.rule(SIZE)
        self.env["ir.config_parameter"].set_param("spp_cel.reason_share", "99")
        dialog = self.as_manager["spp.rule.publish"].browse(rule.action_open_publish()["res_id"])
        self.assertFalse(dialog.remarkable)
        self.assertGreater(dialog.eligible, 0)
        dialog.action_publish()
        self.assertEqual((rule.state, rule.published_version_id.published_reason), ("published", False))

    def test_publishing_does_not_run_forever(self):
        rule = self.rule("group.members.exists(m, m.income > group.income)")
        self.patch(
            type(rule.draft_version_id),
            "_run_settings",
            lambda self, cr: cr.execute("SET LOCAL statement_timeout = 200"),
        )
        slow = "SELECT id FROM res_partner, pg_sleep(0.5) WHERE is_group"
        population = self.population(self.groups)
        self.patch(type(rule.draft_version_id), "_whole_population", lambda self: type(population)(slow))
        with self.assertRaisesRegex(UserError, "took too long"), mute_logger("odoo.sql_db"):
            rule.action_publish()
        self.env.cr.execute("SET LOCAL statement_timeout = 0")
        self.assertEqual(rule.state, "draft")
