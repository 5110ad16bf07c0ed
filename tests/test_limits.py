"""A user limited to an area meets nobody from elsewhere: in no list, count, group, dropdown or label, of any model.

The users of these tests hold every role, so nothing but their area, or their company, limits them.
"""

import json
import re
import urllib.request

import pytest
import role_matrix
from conftest import PASSWORD

#: Models of Odoo that speak of our records.
BESIDES = ["res.partner", "mail.message", "mail.activity", "ir.attachment"]
#: What companies share: registrants without a company, lists of kinds, rules, outside systems without a company.
SHARED = {
    "spp.area",
    "spp.cel.variable",
    "spp.duplicate.case",
    "spp.endpoint",
    "spp.event",
    "spp.event.kind",
    "spp.group.kind",
    "spp.group.membership",
    "spp.household.change",
    "spp.identity.document",
    "spp.identity.type",
    "spp.logic.pack",
    "spp.membership.role",
    "spp.payment.account",
    "spp.phone.number",
    "spp.registrant.source",
    "spp.rule",
    "spp.rule.version",
}
#: Fields whose content is no text, or is not for reading by itself.
SKIPPED = ("binary", "serialized", "properties", "properties_definition")


class Refused(Exception):
    pass


class Place:
    """The running system with one household within the area of the user `local`, and everybody else outside."""

    def __init__(self, system):
        self.admin, self.officer = system.log_in("admin"), system.log_in("officer")
        payment = system.log_in("finance")(
            "spp.payment",
            "search_read",
            [("state", "=", "paid"), ("cycle_id.program_id.code", "=", "CHILD")],
            ["partner_id"],
            limit=1,
        )
        self.household = payment[0]["partner_id"][0]
        members = self.officer(
            "spp.group.membership", "search_read", [("group_id", "=", self.household)], ["individual_id"]
        )
        self.inside = [self.household, *(member["individual_id"][0] for member in members)]
        area = self.admin.one("spp.area", [("code", "=", "FAR")], {"name": "Far valley", "code": "FAR"})
        self.officer("res.partner", "write", self.inside, {"area_id": area})
        everybody = self.admin(
            "res.partner",
            "search_read",
            [("is_registrant", "=", True), ("active", "in", [True, False])],
            ["complete_name"],
        )
        within = {person["complete_name"] for person in everybody if person["id"] in self.inside}
        self.outside = [person["id"] for person in everybody if person["id"] not in self.inside]
        names = {person["complete_name"] for person in everybody if person["id"] in self.outside} - within
        self.names = re.compile("|".join(rf"\b{re.escape(name)}\b" for name in sorted(names)))
        self._happen(system)
        company = self.admin.one("res.company", [("name", "=", "Abroad")], {"name": "Abroad"})
        self._url, self._database = system.url, system.name
        self._local = self._user("local", spp_area_ids=[(6, 0, [area])])
        self._abroad = self._user("abroad", company_id=company, company_ids=[(6, 0, [company])])

    def _user(self, login, **limits):
        roles = self.admin("res.groups", "search", [("is_spp_role", "=", True)])
        user = self.admin.one(
            "res.users",
            [("login", "=", login)],
            {"login": login, "name": login.title(), "spp_role_ids": [(6, 0, roles)]},
        )
        self.admin("res.users", "write", [user], {"password": PASSWORD, **limits})
        return user

    def local(self, model, method, *arguments, **options):
        """A call as the user limited to the area."""
        return self._call(self._local, model, method, *arguments, **options)

    def abroad(self, model, method, *arguments, **options):
        """A call as the user of another company."""
        return self._call(self._abroad, model, method, *arguments, **options)

    def _call(self, user, model, method, *arguments, **options):
        """By JSON-RPC: XML-RPC knows no empty values, which facts may hold."""
        call = [self._database, user, PASSWORD, model, method, arguments, options]
        request = urllib.request.Request(
            f"{self._url}/jsonrpc",
            json.dumps({"params": {"service": "object", "method": "execute_kw", "args": call}}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            result = json.load(answer)
        if "error" in result:
            raise Refused(result["error"]["data"]["name"])
        return result["result"]

    def _happen(self, system):
        """Things happen to people elsewhere, so that there is something to leak."""
        manager = system.log_in("manager")
        (elsewhere,) = self.officer(
            "res.partner",
            "search",
            [("id", "in", self.outside), ("is_group", "=", True), ("member_ids", "!=", False)],
            limit=1,
        )
        move = {"household_id": elsewhere, "street": "Elsewhere 1", "reason": "They moved"}
        self.officer("spp.household.change", "carry_out", "move", move, "area-test-move")
        self.officer("res.partner", "write", [elsewhere], {"vulnerability_score": 1.0})
        self.officer("spp.duplicate.case", "action_search_duplicates", [])
        (person,) = self.officer(
            "res.partner", "search", [("id", "in", self.outside), ("is_group", "=", False)], limit=1
        )
        event = {"registrant_id": person, "kind": "health_visit", "date": "2026-10-05", "source": "clinic"}
        rows = [{**event, "external_id": "area-1"}, {**event, "date": "no date", "external_id": "area-2"}]
        self.officer("spp.event", "record_events", rows, "area-test-events")
        (member,) = manager(
            "spp.program.membership",
            "search",
            [("partner_id", "in", self.outside), ("state", "=", "ineligible")],
            limit=1,
        )
        manager("spp.program.membership", "action_enroll_by_hand", [member], "Seen at home")
        self.officer("spp.program.membership", "action_suspend", [member], "Not at home")

    def told(self, answer):
        """Names of people from elsewhere that an answer tells."""
        return sorted(set(self.names.findall(json.dumps(answer, ensure_ascii=False, default=str))))

    def models(self):
        transient = {
            row["model"]
            for row in self.admin("ir.model", "search_read", [("transient", "=", True)], ["model"])
        }
        ours = [name for name in role_matrix.of_ours() if name.startswith("spp.") and name not in transient]
        return [
            model
            for model in [*ours, *BESIDES]
            if self.local(model, "check_access_rights", "read", raise_exception=False)
        ]


@pytest.fixture(scope="module")
def place(system):
    return Place(system)


@pytest.fixture(scope="module")
def fields(place):
    """Model → its fields."""
    return {
        model: place.local(model, "fields_get", [], ["type", "store", "relation"]) for model in place.models()
    }


def test_there_are_names_to_leak(place):
    assert place.told(
        place.admin("spp.program.membership", "search_read", [], ["display_name", "partner_id"])
    )
    assert place.told(place.admin("spp.audit.entry", "search_read", [], ["res_name"]))
    assert place.told(place.admin("spp.household.change", "search_read", [], ["display_name"]))


def test_the_own_area_is_seen(place):
    assert place.local("res.partner", "search_count", [("is_registrant", "=", True)]) == len(place.inside)
    for model in ("spp.program.membership", "spp.entitlement", "spp.payment", "spp.cycle.beneficiary"):
        assert place.local(model, "search_count", []), model


def test_no_record_tells_a_name_from_elsewhere(place, fields):
    leaks = {}
    for model, known in fields.items():
        names = sorted(name for name, field in known.items() if field["type"] not in SKIPPED)
        if model == "res.partner":  # of Odoo's own fields there are many, and some are not for reading
            names = [
                name for name in names if known[name].get("store") or name in ("display_name", "head_id")
            ]
            names = [name for name in names if name != "rtc_session_ids"]  # 19.0: of calls, read by no role
        domain = (
            []
            if model not in BESIDES[1:]
            else [("res_model" if model != "mail.message" else "model", "=like", "spp.%")]
        )
        answer = place.local(model, "search_read", domain, names)
        for record in answer:
            for name, value in record.items():
                if told := place.told(value):
                    leaks.setdefault(f"{model}.{name}", told[:2])
    assert leaks == {}


def test_no_dropdown_offers_a_name_from_elsewhere(place, fields):
    leaks = {
        model: told
        for model in fields
        if (told := place.told(place.local(model, "name_search", "", limit=2000)))
    }
    assert leaks == {}


def test_no_count_and_no_group_includes_people_from_elsewhere(place, fields):
    counted = {}
    for model, known in fields.items():
        for name, field in known.items():
            if not field.get("store") or field.get("relation") != "res.partner" or model in BESIDES:
                continue
            elsewhere = [(name, "in", place.outside)]
            if field["type"] == "many2one":
                groups = place.local(model, "read_group", [], [name], [name])
                if place.told(groups):
                    counted[f"{model}.{name}"] = "grouped"
            if place.local(model, "search_count", elsewhere):
                counted[f"{model}.{name}"] = "counted"
    assert counted == {}


def test_no_way_leads_from_a_program_to_names_elsewhere(place):
    """What is asked about the whole program is answered for the own area."""
    (program,) = place.local("spp.program", "search", [("code", "=", "CHILD")])
    (cycle,) = place.local(
        "spp.cycle", "search", [("program_id", "=", program), ("start", "=", "2026-11-01")]
    )
    answers = [
        place.local("spp.program", "replay_enrollment", [program]),
        place.local("spp.cycle", "replay", [cycle]),
        place.local("spp.cycle", "close_questions", [cycle]),
        place.local("spp.cycle", "export_data", [cycle], ["name", "beneficiary_ids/partner_id/name"]),
        place.local("spp.program", "export_data", [program], ["name", "membership_ids/partner_id/name"]),
    ]
    assert [place.told(answer) for answer in answers] == [[]] * len(answers)


@pytest.mark.parametrize("model", ["spp.program.membership", "spp.cycle.beneficiary", "spp.entitlement"])
def test_somebody_elsewhere_is_not_read_by_their_id(place, model):
    (theirs,) = place.admin(model, "search", [("partner_id", "in", place.outside)], limit=1)
    with pytest.raises(Refused, match="AccessError"):
        place.local(model, "read", [theirs], ["display_name"])


def test_another_company_sees_what_is_shared_and_nothing_of_programs_and_money(place):
    seen = {
        model
        for model in place.models()
        if model.startswith("spp.") and place.abroad(model, "search_count", [])
    }
    # their own making is in the trail, and who may do everything is an open risk
    about_themselves = {"spp.audit.entry", "spp.separation.risk"}
    assert seen - SHARED - about_themselves == set()
    assert "spp.payment.account" in seen
