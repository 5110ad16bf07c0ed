"""Households made up by chance, the same ones every time. Knows no Odoo.

Each household has a source of chance of its own, seeded with its number: so it does not matter how many are made, in which
portions, and on which machine. Names are made of syllables and are nobody's.
"""

import random
from dataclasses import dataclass, field
from datetime import date, timedelta

SEED = "spp"
_BEGINNINGS = (
    "Ba", "Be", "Bo", "Da", "De", "Do", "Fa", "Fe", "Ga", "Go", "Ha", "Ja", "Jo", "Ka", "Ke", "Ko", "La", "Le", "Lo", "Ma",
    "Me", "Mo", "Na", "Ne", "No", "Pa", "Pe", "Ra", "Re", "Ro", "Sa", "Se", "So", "Ta", "Te", "To", "Va", "Wa", "Ya", "Za",
)  # fmt: skip
_MIDDLES = ("ba", "da", "di", "ga", "ka", "li", "lo", "ma", "mi", "na", "ni", "ra", "ri", "sa", "so", "ti")
_ENDINGS = {
    "family": ("do", "ko", "lan", "mbe", "ndo", "nge", "ro", "sen", "ti", "vu", "we", "zo"),
    "female": ("da", "la", "lia", "na", "nia", "ra", "sha", "ta", "ya"),
    "male": ("ben", "do", "ko", "lo", "no", "ru", "so", "tu", "vo"),
}


@dataclass
class Person:
    family: str
    given: str
    gender: str
    born: date | None
    account: str | None = None
    events: list[tuple[str, date, str]] = field(default_factory=list)


@dataclass
class Household:
    number: int
    members: list[Person]  # the head is the first
    income: float | None
    score: float | None
    area: int  # any number; which area it means is decided elsewhere


def households(people, as_of, first=1):
    """Households with so many members altogether, one after the other; the last one is cut where they are complete."""
    number = first
    while people > 0:
        household = _household(number, as_of)
        household.members = household.members[:people]
        yield household
        people -= len(household.members)
        number += 1


def _household(number, as_of):
    chance = random.Random(f"{SEED}:{number}")
    family = _name(chance, "family")
    head_age = 18 + int(62 * chance.betavariate(1.6, 2.4))
    members = [_person(chance, family, head_age, as_of)]
    if chance.random() < 0.62:
        other = {"female": "male", "male": "female"}[members[0].gender]
        spouse_age = max(18, head_age + chance.randint(-8, 6))
        members.append(_person(chance, family, spouse_age, as_of, gender=other))
    most = 5 if 22 <= head_age <= 48 else 2
    for _each in range(chance.randint(0, most)):
        members.append(_person(chance, family, chance.randint(0, max(0, min(17, head_age - 17))), as_of))
    if chance.random() < 0.18:
        members.append(_person(chance, family, min(95, head_age + chance.randint(20, 34)), as_of))
    if chance.random() < 0.2:
        members.append(_person(chance, family, chance.randint(18, 35), as_of))
    _facts(chance, members, as_of)
    for place, person in enumerate(members):
        if place == 0 or person.events or _age(person, as_of) >= 60:
            person.account = f"8{number:08d}{place:02d}"
        if place and chance.random() < 0.02:
            person.born = None  # nobody knows; never of the head, in whose name there are papers
    earned = round(len(members) * chance.lognormvariate(4.6, 0.6), 2)
    return Household(
        number=number,
        members=members,
        income=None if chance.random() < 0.05 else earned,
        score=None if chance.random() < 0.2 else round(chance.triangular(0, 6, 2), 2),
        area=chance.randrange(1_000_000),
    )


def _person(chance, family, age, as_of, gender=None):
    gender = gender or chance.choice(("female", "male"))
    # At least a day old on the as-of date.
    born = as_of.replace(day=min(as_of.day, 28), year=as_of.year - age) - timedelta(
        days=chance.randint(1, 365)
    )
    return Person(family, _name(chance, gender), gender, born)


def _facts(chance, members, as_of):
    """Schools report of some of the children, and some of the adults have a farm."""
    for person in members:
        age = _age(person, as_of)
        if 6 <= age < 18 and chance.random() < 0.3:
            usual = chance.choice((97, 94, 90, 86, 75))
            for days in (80, 50, 20):
                rate = min(100, usual + chance.randint(-5, 5))
                person.events.append(("school_attendance", as_of - timedelta(days=days), str(rate)))
    if chance.random() < 0.12:
        since = as_of - timedelta(days=chance.randint(30, 1500))
        kind = chance.choices(("subsistence", "smallholder", "commercial"), (5, 4, 1))[0]
        members[0].events.append(("farm_registration", since, kind))


def _age(person, as_of):
    return as_of.year - person.born.year - ((as_of.month, as_of.day) < (person.born.month, person.born.day))


def _name(chance, kind):
    middle = "".join(chance.choices(_MIDDLES, k=chance.choice((0, 1, 1, 2))))
    return chance.choice(_BEGINNINGS) + middle + chance.choice(_ENDINGS[kind])
