"""The programs and personas as they are written in data/, with dates counted from the as-of date. Knows no Odoo.

>>> day("60y", date(2026, 11, 21)), day("60y -1d", date(2026, 11, 21)), day("leap day", date(2026, 11, 21))
(date(1966, 11, 21), date(1966, 11, 22), date(2024, 2, 29))
"""

import re
from calendar import isleap
from datetime import date, timedelta
from pathlib import Path

import yaml
from dateutil.relativedelta import relativedelta

_DATA = Path(__file__).parents[1] / "data"
_BACK = re.compile(r"(?:(\d+)y)? ?(?:(-?\d+)d)?")


def programs():
    """{code: program}, in their order."""
    return _read("programs.yaml")


def personas(as_of):
    """{key: persona}, in their order; dates are dates."""
    found = _read("personas.yaml")
    for persona in found.values():
        people = [persona["person"], *persona.get("household", {}).get("members", ())]
        if head := persona.get("household", {}).get("head"):
            people.append(head)
        for record in (*people, *persona.get("events", ())):
            for name in ("born", "ended", "date"):
                if name in record:
                    record[name] = day(record[name], as_of)
    return found


def day(text, as_of):
    """The day that `text` counts back from the as-of date."""
    if text == "leap day":
        year = next(year for year in range(as_of.year, 0, -1) if isleap(year) and date(year, 2, 29) <= as_of)
        return date(year, 2, 29)
    match = _BACK.fullmatch(text)
    if not match or not text:
        raise ValueError(f"{text!r} is no time before the as-of date.")
    years, days = (int(part or 0) for part in match.groups())
    return as_of - relativedelta(years=years) - timedelta(days=days)


def _read(name):
    return yaml.safe_load((_DATA / name).read_text(encoding="utf-8"))
