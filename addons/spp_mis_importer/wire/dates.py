"""Dates and moments in all the shapes that sources write them in.

Seen on running servers (microseconds may be missing in each):

    2026-11-21T09:18:06.936380+08:00    registry API of the 15.0 generation, in the API user's time zone
    2026-11-21T01:12:18.874706Z         registry API of the 17.0 generation
    2026-11-21 09:18:06                 15.0 modules on a newer Odoo: naive, in the API user's time zone
    2026-11-21 01:12:18                 JSON-RPC: naive, always UTC
    2026-11-21                          a date
"""

from datetime import UTC, date, datetime

EMPTY = (None, False, "")


def parse_moment(value, zone=UTC):
    """An aware datetime in UTC, or None; raise ValueError if it cannot be read.

    :param zone: what a moment without an offset is meant in

    >>> parse_moment("2026-11-21T09:18:06+08:00")
    datetime.datetime(2026, 11, 21, 1, 18, 6, tzinfo=datetime.timezone.utc)
    """
    if value in EMPTY:
        return None
    moment = value if isinstance(value, datetime) else _from_text(value, datetime, "date and time")
    if not moment.tzinfo:
        moment = moment.replace(tzinfo=zone)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("it is not a date and time") from None


def parse_day(value):
    """A date, or None; of a moment its date in UTC. Raise ValueError if it cannot be read.

    >>> parse_day("1989-02-28")
    datetime.date(1989, 2, 28)
    """
    if value in EMPTY:
        return None
    if isinstance(value, str) and len(value.strip()) > len("2026-11-21"):
        return parse_moment(value).date()
    if isinstance(value, datetime):
        return parse_moment(value).date()
    return value if isinstance(value, date) else _from_text(value, date, "date")


def _from_text(value, kind, name):
    try:
        return kind.fromisoformat(value.strip())
    except (AttributeError, ValueError):
        raise ValueError(f"it is not a {name}") from None
