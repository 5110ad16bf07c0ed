"""Calendar age, in the one definition that the SQL and the interpreter share."""

import datetime

FOREVER, NEVER = "infinity", "-infinity"


def age(birthdate, as_of):
    """Completed years at `as_of`; None before birth. Born on 29 February means older from 1 March."""
    if birthdate > as_of:
        return None
    birthday_to_come = (as_of.month, as_of.day) < (birthdate.month, birthdate.day)
    return as_of.year - birthdate.year - birthday_to_come


def latest_birthdate(years, as_of):
    """The last date on which someone who is at least `years` old at `as_of` can have been born.

    A date as PostgreSQL reads it, -infinity when nobody can be that old.
    """
    if years <= 0:
        return as_of.isoformat()
    year = as_of.year - years
    if year < 1:
        return NEVER
    try:
        return as_of.replace(year=year).isoformat()
    except ValueError:  # 29 February in a common year
        return datetime.date(year, 2, 28).isoformat()
