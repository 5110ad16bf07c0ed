"""The twelve people and the households around them, as registrants of the demonstration's company."""

from itertools import islice

from odoo import _, fields, models

from odoo.addons.spp_registry.models.res_partner import compose_name
from odoo.addons.spp_registry.tools import bulk_rows

from ..tools import households, story

AREAS = ("Harbour", "Hills", "Lake", "Market", "Mill", "North", "River", "South")
BATCH = 2000  # households made in one go; the statements for it do not depend on how many they are


class MisDemo(models.Model):
    _inherit = "spp.mis.demo"

    # ------------------------------------------------------------------ the twelve

    def _make_areas(self):
        areas = self.env["spp.area"]
        country = self._remember("area", areas.create({"name": self.company_id.name, "code": "DEMO"}))
        for number, name in enumerate(AREAS, 1):
            area = areas.create({"name": name, "code": f"DEMO-{number}", "parent_id": country.id})
            self._remember(f"area_{number}", area)

    def _areas(self):
        return [self._made(f"area_{number}").id for number in range(1, len(AREAS) + 1)]

    def _make_personas(self):
        """The people of data/personas.yaml and their households; returns the twelve."""
        told = story.personas(self.as_of)
        areas = self._areas()
        bank = self.env["res.bank"].create({"name": _("Demonstration Bank"), "bic": "DEMOSPPX"})
        self._remember("bank", bank)
        people = {}
        for number, (key, persona) in enumerate(told.items()):
            area = areas[number % len(areas)]
            note = f"{persona['is']}. {' '.join(persona['story'].split())}"
            person = self._make_person(persona["person"], area, bank, note)
            people[key] = self._remember(f"persona_{key}", person)
            self.env["spp.event"].create(
                [{**event, "partner_id": person.id} for event in persona.get("events", ())]
            )
        for number, (key, persona) in enumerate(told.items()):
            if "household" in persona:
                area = areas[number % len(areas)]
                household = self._make_household(persona, people, people[key], area, bank)
                self._remember(f"household_{key}", household)
        return self.env["res.partner"].union(*people.values())

    def _make_person(self, told, area, bank, note=False):
        person = self.env["res.partner"].create(
            {
                "is_registrant": True,
                "company_id": self.company_id.id,
                "family_name": told["family"],
                "given_name": told["given"],
                "gender": told["gender"],
                "birthdate": told.get("born", False),
                "area_id": area,
                "registration_date": fields.Date.subtract(self.as_of, years=2),
                "comment": note,
            }
        )
        if "account" in told:
            self.env["spp.payment.account"].create(
                {
                    "partner_id": person.id,
                    "kind": "bank",
                    "provider_id": bank.id,
                    "number": told["account"],
                    "is_primary": True,
                }
            )
        return person

    def _make_household(self, persona, people, person, area, bank):
        told = persona["household"]
        note = f"{persona['is']}. {' '.join(persona['story'].split())}"
        household = self.env["res.partner"].create(
            {
                "is_registrant": True,
                "is_group": True,
                "company_id": self.company_id.id,
                "name": _("Household of %s", person.name),
                "group_kind_id": self.env.ref("spp_registry.group_kind_household").id,
                "income": told.get("income", False),
                "vulnerability_score": told.get("score", False),
                "area_id": area,
                "registration_date": fields.Date.subtract(self.as_of, years=2),
                "comment": note,
            }
        )
        members = [(person, persona["person"])]
        if "head" in told:
            members.insert(0, (self._make_person(told["head"], area, bank), told["head"]))
        for member in told.get("members", ()):
            known = people[member["also"]] if "also" in member else self._make_person(member, area, bank)
            members.append((known, member))
        self.env["spp.group.membership"].create(
            [
                {
                    "group_id": household.id,
                    "individual_id": member.id,
                    "is_head": place == 0,
                    "ended": values.get("ended", False),
                }
                for place, (member, values) in enumerate(members)
            ]
        )
        return household

    # ------------------------------------------------------------------ the others

    def _do_generate(self, run):
        """Work of the run: households with `people` members altogether, who become candidates of the programs."""
        self._lock()
        demo = self.sudo().with_company(self.company_id)  # sudo: as in action_create
        made = households.households(self.people, self.as_of)
        areas, bank = demo._areas(), demo._made("bank").id
        people = count = 0
        while batch := list(islice(made, BATCH)):
            demo._make_households(batch, areas, bank)
            count += len(batch)
            people += sum(len(household.members) for household in batch)
            run._progress(people, total=self.people, stage=_("Households"))
        run._progress(people, stage=_("Candidates of the programs"))
        demo._add_candidates()
        demo._write_guarded({"made_people": people})
        run._finish({_("Households"): count, _("People"): people})

    def _make_households(self, batch, areas, bank):
        """A batch of generated households, each kind of row in one statement."""
        common = {
            "is_registrant": True,
            "company_id": self.company_id.id,
            "registration_date": fields.Date.subtract(self.as_of, years=2),
        }
        kind = self.env.ref("spp_registry.group_kind_household").id
        partners = self.env["res.partner"]
        groups = bulk_rows.create(
            partners,
            [
                {
                    **common,
                    "is_group": True,
                    "name": _("Household of %s", _full_name(household.members[0])),
                    "group_kind_id": kind,
                    "income": household.income if household.income is not None else False,
                    "vulnerability_score": household.score if household.score is not None else False,
                    "area_id": areas[household.area % len(areas)],
                    "ref": f"DEMO-{household.number}",
                }
                for household in batch
            ],
        )
        members = [
            (group_id, household, place, person)
            for group_id, household in zip(groups.ids, batch, strict=True)
            for place, person in enumerate(household.members)
        ]
        people = bulk_rows.create(
            partners,
            [
                {
                    **common,
                    "is_group": False,
                    "name": _full_name(person),
                    "family_name": person.family,
                    "given_name": person.given,
                    "gender": person.gender,
                    "birthdate": person.born or False,
                    "area_id": areas[household.area % len(areas)],
                    "ref": f"DEMO-{household.number}-{place + 1}",
                }
                for _group_id, household, place, person in members
            ],
        )
        people_ids = people.ids
        bulk_rows.create(
            self.env["spp.group.membership"],
            [
                {"group_id": group_id, "individual_id": person_id, "is_head": place == 0}
                for person_id, (group_id, _household, place, _person) in zip(people_ids, members, strict=True)
            ],
        )
        accounts = [
            {
                "partner_id": person_id,
                "kind": "bank",
                "provider_id": bank,
                "number": person.account,
                "is_primary": True,
            }
            for person_id, (*_others, person) in zip(people_ids, members, strict=True)
            if person.account
        ]
        if accounts:
            bulk_rows.create(self.env["spp.payment.account"], accounts)
        events = [
            {"partner_id": person_id, "kind": kind, "date": date, "value": value}
            for person_id, (*_others, person) in zip(people_ids, members, strict=True)
            for kind, date, value in person.events
        ]
        if events:
            bulk_rows.create(self.env["spp.event"], events)


def _full_name(person):
    return compose_name(person.family, person.given, "")
