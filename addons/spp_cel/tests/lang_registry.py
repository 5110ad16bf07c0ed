"""A registry in a few lines for the tests of lang/: schema, records, dates. No Odoo, no database."""

import datetime

from ..lang import Collection, Constant, Field, RecordType, Schema, Type

AS_OF = datetime.date(2025, 6, 30)
VARIABLES = {
    "retirement_age": Constant(Type.INT, 60),
    "poverty_line": Constant(Type.DOUBLE, 100.0),
    "region": Constant(Type.STRING, "north"),
    "pilot": Constant(Type.BOOL, True),
}

_BIRTHDATE = Field("birthdate", Type.DATE, "{r}.birthdate", "Birthdate")


def _live(row, as_of):
    start, ended = row.get("start"), row.get("ended")
    return (start is None or start <= as_of) and (ended is None or ended > as_of)


def _live_sql(alias, as_of):
    return f"({alias}.start <= %s AND {alias}.ended > %s)", [as_of, as_of]


_INDIVIDUAL = RecordType(
    "individual",
    "person",
    (
        Field("age", Type.INT, label="Age", age_of=_BIRTHDATE),
        _BIRTHDATE,
        Field("gender", Type.STRING, "{r}.gender", "Gender"),
        Field("income", Type.DOUBLE, "{r}.income", "Income"),
    ),
)
_MEMBERS = Collection(
    "members",
    "individual",
    "membership",
    "group_id",
    "individual_id",
    _live_sql,
    _live,
    ("start", "ended"),
    (Field("is_head", Type.BOOL, "{link}.is_head", "Head of the group", nullable=False),),
)
_GROUP = RecordType(
    "group",
    "person",
    (
        Field("income", Type.DOUBLE, "{r}.income", "Income"),
        Field("vulnerability_score", Type.DOUBLE, "{r}.score", "Vulnerability score"),
        Field("kind", Type.STRING, "{r}.kind", "Kind of group"),
    ),
    (_MEMBERS,),
)
SCHEMA = Schema({"individual": _INDIVIDUAL, "group": _GROUP})


def born(years, **values):
    """A member who turned `years` on the as-of date; None for an unknown birthdate."""
    birthdate = None if years is None else AS_OF.replace(year=AS_OF.year - years)
    return {"birthdate": birthdate, "gender": None, "income": None, "is_head": False, **values}


def household(*members, **values):
    return {"income": None, "vulnerability_score": None, "kind": None, "members": list(members), **values}
