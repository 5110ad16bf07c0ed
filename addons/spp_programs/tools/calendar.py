"""The periods of a program's calendar.

Every period is counted from the first day of the calendar, never from the period before. So a calendar that begins
on 31 January has periods that begin on 28 (or 29) February, and on 31 March again.
"""

from datetime import timedelta

from dateutil.relativedelta import relativedelta

STEPS = {
    "weekly": relativedelta(days=7),
    "fortnightly": relativedelta(days=14),
    "monthly": relativedelta(months=1),
    "bimonthly": relativedelta(months=2),
    "quarterly": relativedelta(months=3),
    "half_yearly": relativedelta(months=6),
    "yearly": relativedelta(years=1),
}


def period(calendar, first_day, number):
    """First and last day of the period with this number, counted from 0.

    >>> period("monthly", date(2026, 1, 31), 1)
    (date(2026, 2, 28), date(2026, 3, 30))
    """
    step = STEPS[calendar]
    return first_day + step * number, first_day + step * (number + 1) - timedelta(days=1)


def first_period_after(calendar, first_day, day):
    """The first period of the calendar that begins after `day` (None: the calendar's first)."""
    if day is None or day < first_day:
        return period(calendar, first_day, 0)
    step = STEPS[calendar]
    # No period is longer than this: the search begins before the one looked for, and close to it.
    longest = (step.years * 12 + step.months) * 31 + step.days
    number = max((day - first_day).days // longest - 1, 0)
    while period(calendar, first_day, number)[0] <= day:
        number += 1
    return period(calendar, first_day, number)
