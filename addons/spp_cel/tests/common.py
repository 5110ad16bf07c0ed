"""A small registry with everything that rules must get right: gaps, leap days, ended memberships."""

import datetime

from odoo.tests import TransactionCase, new_test_user
from odoo.tools import SQL

AS_OF = datetime.date(2024, 2, 29)


def make_registry(env):
    """Households that cover the edges; returns (groups, individuals)."""
    partner, date = env["res.partner"].with_context(tracking_disable=True), datetime.date
    kind = env["spp.group.kind"].create({"name": "Test kind", "code": "test'kind"})
    births = [
        None,
        date(2024, 2, 29),  # born on the as-of date
        date(2024, 3, 1),  # not yet born
        date(2020, 2, 29),  # four on the as-of date, a leap day
        date(2019, 2, 28),
        date(2019, 3, 1),  # turns five the day after
        date(2004, 2, 29),
        date(1964, 2, 29),
        date(1964, 3, 1),
        date(1900, 1, 1),
        date(2006, 7, 15),
    ]
    individuals = partner.create(
        [
            {
                "name": f"PERSON {number}",
                "is_registrant": True,
                "birthdate": births[number % len(births)],
                "gender": [False, "female", "male"][number % 3],
                "income": [False, 0.0, 99.99, 100.0, -5.0, 1234567.89, 101.0][number % 7],
                "vulnerability_score": [3, False, 3.5, 0][number % 4],
                "registrant_status": ["active", "disabled", "deceased", "active"][number % 4],
            }
            for number in range(33)
        ]
    )
    env["spp.event.kind"].create([{"name": code, "code": code} for code in ("visit", "school")])
    env["spp.event"].create(
        [
            {
                "partner_id": person.id,
                "kind": ["visit", "school"][number % 2],
                "date": date(2024, 2, 29 - number % 3 * 10) if number % 5 else date(2026, 1, 1),
                "value": [False, "1", "2"][number % 3],
            }
            for number, person in enumerate(individuals[:20] | individuals[:9])
        ]
    )
    groups = partner.create(
        [
            {
                "name": f"HOUSEHOLD {number}",
                "is_registrant": True,
                "is_group": True,
                "income": [50.0, False, 100.0, 0.0, 99.99][number % 5],
                "vulnerability_score": [4.0, 3.0, False][number % 3],
                "group_kind_id": kind.id if number % 2 else False,
            }
            for number in range(12)
        ]
    )
    periods = [
        (None, None),
        (date(2000, 1, 1), None),
        (None, AS_OF),  # ended on the as-of date: no longer live
        (None, date(2024, 3, 1)),
        (AS_OF, None),  # starts on the as-of date: live
        (date(2024, 3, 1), None),
    ]
    env["spp.group.membership"].create(
        [
            {
                "group_id": groups[number % 10].id,  # the last two have never had members
                "individual_id": person.id,
                "start": periods[number % 6][0],
                "ended": periods[number % 6][1],
                "is_head": number < 10 and not periods[number % 6][1],
            }
            for number, person in enumerate(individuals)
        ]
    )
    return groups, individuals


class RuleCase(TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.groups, cls.individuals = make_registry(cls.env)
        cls.manager = new_test_user(cls.env, "cel_manager", "spp_base.group_program_manager")
        cls.as_manager = cls.env(user=cls.manager)

    def rule(self, expression, target="group", **values):
        """A rule with a draft version, made by a program manager."""
        return self.as_manager["spp.rule"].create(
            {"name": "Test rule", "target": target, "expression": expression, **values}
        )

    def population(self, partners):
        return SQL("SELECT unnest(CAST(%s AS integer[])) AS id", partners.ids)

    def outcomes(self, version, partners, as_of=AS_OF):
        """{id: (outcome, facts)} by the one statement."""
        self.env.cr.execute(version._outcome_query(self.population(partners), as_of))
        return {row[0]: (row[1], row[2]) for row in self.env.cr.fetchall()}

    def interpreted(self, version, partner, as_of=AS_OF):
        """(outcome, facts) of one registrant by the interpreter."""
        rule, constants = version._compile()
        record = self.env["spp.cel.schema"]._records(version.target, partner)[partner.id]
        answer = rule.evaluate(record, as_of, constants)
        return answer.outcome, answer.facts
