"""Split, merge, death, change of head and move: said before they are done, then done, and never done twice."""

from datetime import date

from odoo import fields
from odoo.exceptions import AccessError, UserError

from .common import RegistryCase, RegistryHttpCase

DAY = "2026-03-10"


class TestHouseholdChanges(RegistryCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.officer = cls.user("changes_officer", "enrollment_officer")
        cls.ana, cls.ben, cls.cora = (cls.person("Cruz", name) for name in ("Ana", "Ben", "Cora"))
        cls.cruz = cls.household("Cruz household", cls.ana, cls.ben, cls.cora, street="Hill Road 1")
        cls.change = cls.env["spp.household.change"].with_user(cls.officer)

    def carry_out(self, kind, key="k", fingerprint=None, **values):
        values = {"date": DAY, "reason": "Told by the family", **values}
        return self.change.browse(self.change.carry_out(kind, values, key, fingerprint))

    def members(self, household, on=None):
        """{person: is head} of the members on a day."""
        rows = household.member_ids.filtered(
            lambda row: (
                (not row.start or str(row.start) <= (on or DAY))
                and (not row.ended or str(row.ended) > (on or DAY))
            )
        )
        return {row.individual_id: row.is_head for row in rows}

    def refused(self, words, kind, **values):
        with self.assertRaises(UserError) as refusal:
            self.carry_out(kind, **values)
        self.assertIn(words, str(refusal.exception))

    def test_split_founds_a_household_of_those_who_leave(self):
        change = self.carry_out(
            "split",
            household_id=self.cruz.id,
            member_ids=[self.ana.id, self.cora.id],
            new_head_id=self.cora.id,
            staying_head_id=self.ben.id,
            household_name="Household of Cora",
            street="Lake Road 2",
        )
        new = change.other_household_id
        self.assertEqual(self.members(self.cruz), {self.ben: True})
        self.assertEqual(self.members(new), {self.ana: False, self.cora: True})
        self.assertEqual(
            (new.street, self.cora.street, self.ben.street), ("Lake Road 2", "Lake Road 2", False)
        )
        self.assertEqual(new.registration_date, date(2026, 3, 10))
        self.assertEqual(change.member_ids, self.ana | self.cora)

    def test_the_past_stays_as_it_was(self):
        self.carry_out("head", household_id=self.cruz.id, new_head_id=self.ben.id)
        self.assertEqual(self.members(self.cruz), {self.ana: False, self.ben: True, self.cora: False})
        before = self.members(self.cruz, "2026-03-09")
        self.assertEqual(before, {self.ana: True, self.ben: False, self.cora: False})
        self.assertEqual(len(self.cruz.member_ids), 5)  # nothing was deleted

    def test_roles_go_on_where_only_the_head_changes(self):
        role = self.env.ref("spp_registry.membership_role_alternative_recipient")
        self.cruz.member_ids.filtered(lambda row: row.individual_id == self.ben).role_ids = role
        self.carry_out("head", household_id=self.cruz.id, new_head_id=self.ben.id)
        row = self.cruz.member_ids.filtered(lambda row: row.individual_id == self.ben and not row.ended)
        self.assertEqual(row.role_ids, role)

    def test_merge_brings_everybody_over_and_closes_the_other(self):
        dan, eve = self.person("Diaz", "Dan"), self.person("Diaz", "Eve")
        diaz = self.household("Diaz household", dan, eve, self.cora)
        self.carry_out("merge", household_id=self.cruz.id, other_household_id=diaz.id)
        self.assertEqual(
            self.members(self.cruz),
            {self.ana: True, self.ben: False, self.cora: False, dan: False, eve: False},
        )
        self.assertFalse(self.members(diaz))
        self.assertEqual((diaz.registrant_status, str(diaz.status_date)), ("disabled", DAY))
        self.assertIn("Cruz household", diaz.status_reason)

    def test_death_of_the_head_needs_another_one(self):
        self.refused("Name who is the head of Cruz household", "death", person_id=self.ana.id)
        self.carry_out("death", person_id=self.ana.id, new_head_id=self.ben.id, document="Certificate 12")
        self.assertEqual((self.ana.registrant_status, str(self.ana.status_date)), ("deceased", DAY))
        self.assertEqual(self.members(self.cruz), {self.ben: True, self.cora: False})

    def test_death_of_the_last_member_closes_the_household(self):
        dan = self.person("Diaz", "Dan")
        diaz = self.household("Diaz household", dan)
        self.carry_out("death", person_id=dan.id)
        self.assertEqual((dan.registrant_status, diaz.registrant_status), ("deceased", "disabled"))

    def test_move_takes_the_members_along(self):
        area = self.env["spp.area"].create({"name": "North", "code": "N-1"})
        self.carry_out("move", household_id=self.cruz.id, area_id=area.id, street="New Street 9")
        for registrant in (self.cruz, self.ana, self.ben, self.cora):
            self.assertEqual((registrant.area_id, registrant.street), (area, "New Street 9"))

    def test_what_is_shown_is_what_is_done(self):
        values = {"household_id": self.cruz.id, "new_head_id": self.ben.id, "date": DAY, "reason": "Agreed"}
        shown = self.change.preview("head", values)
        self.assertTrue(any("CRUZ, BEN" in sentence for sentence in shown["steps"]))
        self.assertEqual(self.members(self.cruz)[self.ana], True)  # nothing has happened yet
        change = self.carry_out("head", fingerprint=shown["fingerprint"], **values)
        self.assertEqual([step["text"] for step in change.steps], shown["steps"])

    def test_what_was_shown_no_longer_holds(self):
        values = {
            "household_id": self.cruz.id, "member_ids": [self.ana.id], "new_head_id": self.ana.id,
            "staying_head_id": self.ben.id, "household_name": "Ana's", "date": DAY, "reason": "Left",
        }  # fmt: skip
        shown = self.change.preview("split", values)
        self.carry_out("head", household_id=self.cruz.id, new_head_id=self.ben.id)
        self.refused(
            "has changed since you looked", "split", key="k2", fingerprint=shown["fingerprint"], **values
        )
        self.assertIn(self.ana, self.members(self.cruz))

    def test_a_repeated_call_does_nothing_twice(self):
        first = self.carry_out("death", person_id=self.cora.id)
        self.assertEqual(self.carry_out("death", person_id=self.cora.id), first)
        self.refused("used before", "death", person_id=self.ben.id)
        self.refused("recorded already", "death", key="other", person_id=self.cora.id)

    def test_what_cannot_be_is_refused_in_plain_words(self):
        stranger = self.person("Diaz", "Dan")
        everybody = [self.ana.id, self.ben.id, self.cora.id]
        split = {"household_id": self.cruz.id, "household_name": "New", "new_head_id": self.ana.id}
        self.refused("lies in the future", "head", household_id=self.cruz.id, new_head_id=self.ben.id,
                     date=fields.Date.add(fields.Date.today(), days=2))  # fmt: skip
        self.refused("Still to be given: Household", "split")
        self.refused("Still to be given: Reason", "head", household_id=self.cruz.id,
                     new_head_id=self.ben.id, reason=" ")  # fmt: skip
        self.refused("Nobody would stay", "split", member_ids=everybody, **split)
        self.refused("not a member", "split", member_ids=[stranger.id], **split)
        self.refused("cannot be the head", "head", household_id=self.cruz.id, new_head_id=stranger.id)
        self.refused("is the head", "head", household_id=self.cruz.id, new_head_id=self.ana.id)
        self.refused("with itself", "merge", household_id=self.cruz.id, other_household_id=self.cruz.id)
        self.refused("not a registered household", "head", household_id=self.ana.id, new_head_id=self.ben.id)
        self.refused("Enter the new area or address", "move", household_id=self.cruz.id)
        self.refused("There is no such change", "divorce", household_id=self.cruz.id)
        self.cruz.member_ids.write({"start": "2026-03-11"})
        self.refused("only since", "head", household_id=self.cruz.id, new_head_id=self.ben.id)

    def test_the_trail_says_who_did_it_and_why(self):
        change = self.carry_out("death", person_id=self.cora.id, document="Certificate 7")
        entry = self.env["spp.audit.entry"].search(
            [("partner_id", "=", self.cora.id), ("action", "=", "Household change: Death")]
        )
        self.assertEqual((entry.user_id, entry.note), (self.officer, "Told by the family"))
        self.assertEqual(entry.new["change"], change.id)
        self.assertEqual(change.user_id, self.officer)

    def test_an_officer_changes_no_half_of_a_household(self):
        here, there = self.env["spp.area"].create(
            [{"name": "Here", "code": "HERE"}, {"name": "There", "code": "THERE"}]
        )
        (self.cruz | self.ana | self.ben).area_id = here
        self.cora.area_id = there
        limited = self.user("limited_officer", "enrollment_officer")
        limited.spp_area_ids = here
        self.change = self.change.with_user(limited)
        self.refused("may not see", "move", household_id=self.cruz.id, street="Elsewhere")
        self.cora.area_id = here
        other = self.household("Far household", self.person("Far", area_id=there.id), area_id=there.id)
        with self.assertRaises(AccessError):
            self.carry_out("merge", household_id=self.cruz.id, other_household_id=other.id)
        change = self.carry_out("head", household_id=self.cruz.id, new_head_id=self.ben.id)
        limited.spp_area_ids = there
        self.assertFalse(self.change.search([("id", "=", change.id)]))

    def test_the_wizard_shows_and_does_the_same(self):
        wizard = self.env["spp.household.change.wizard"].with_user(self.officer)
        self.household("Another household", self.person("Diaz"), self.ana)  # joined later, and not led by her
        draft = wizard.with_context(default_kind="death", default_person_id=self.ana.id).new()
        draft.update(draft.default_get(list(draft._fields)))
        self.assertTrue(draft.head_leaves)
        self.assertEqual(set(draft.staying_ids.ids), {self.ben.id, self.cora.id})
        draft._onchange_given()
        self.assertIn("Reason", draft.missing)
        draft.reason = "Old age"
        draft._onchange_given()
        self.assertIn("Name who is the head", draft.missing)
        draft.new_head_id = self.ben
        draft._onchange_given()
        self.assertIn("CRUZ, ANA: deceased", draft.preview)
        saved = wizard.create(draft._convert_to_write(draft._cache))
        action = saved.action_carry_out()
        change = self.change.browse(action["res_id"])
        self.assertEqual((change.kind, self.cruz.head_id), ("death", self.ben))
        self.assertEqual(saved.action_carry_out()["res_id"], change.id)  # pressed twice, done once


class TestHouseholdChangesOverXmlRpc(RegistryHttpCase):
    def test_officers_only_and_only_by_the_methods(self):
        officer, viewer = (
            self.user("rpc_officer", "enrollment_officer"),
            self.user("rpc_viewer", "program_viewer"),
        )
        ana, ben = self.person("Cruz", "Ana"), self.person("Cruz", "Ben")
        household = self.household("Cruz household", ana, ben)
        values = {"household_id": household.id, "new_head_id": ben.id, "date": DAY, "reason": "Agreed"}
        model = "spp.household.change"
        self.assertIn("needs the role", self.refused(viewer, model, "preview", "head", values))
        self.assertIn("needs the role", self.refused(viewer, model, "carry_out", "head", values, "r1"))
        shown = self.ask(officer, model, "preview", "head", values)
        change = self.ask(officer, model, "carry_out", "head", values, "r1", shown["fingerprint"])
        self.assertEqual(self.ask(officer, model, "carry_out", "head", values, "r1"), change)
        (read,) = self.ask(viewer, model, "read", [change], ["kind", "done"])
        self.assertIn("CRUZ, BEN", read["done"])
        for method, *arguments in (
            ("write", [change], {"reason": "x"}),
            ("unlink", [change]),
            ("create", {"kind": "head", "partner_id": household.id, "reason": "x"}),
        ):
            self.assertIn("not allowed", self.refused(officer, model, method, *arguments))
