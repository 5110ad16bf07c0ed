"""The functions and operators of the language: each with one definition in Python and one in SQL.

All are strict: a missing operand makes the result missing, so the definitions below never see one. A
result that cannot be a value of its type is missing too (None, NULL): a whole number beyond 64 bits, a
decimal number that is not finite or beyond DECIMAL_MOST, a division by zero, a date outside the calendar.

In SQL `{0}`, `{1}` stand for the operands; `mod` is written instead of %, which drivers take for a parameter. A definition without SQL is answered by the interpreter only,
and so is a rule that uses it (`NotCompiled`).
"""

import datetime
import functools
import math
import re
import zoneinfo
from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal

import re2

from .schema import Type

INT, DOUBLE, STRING, BOOL = Type.INT, Type.DOUBLE, Type.STRING, Type.BOOL
DATE, TIMESTAMP, DURATION = Type.DATE, Type.TIMESTAMP, Type.DURATION

#: Magnitudes between which every decimal number other than 0 stays. PostgreSQL raises beyond 1e±307;
#: products and quotients of two numbers within these bounds are well inside.
DECIMAL_LEAST, DECIMAL_MOST = 1e-150, 1e150
INT64 = range(-(2**63), 2**63)
_WIDE = Context(prec=400)
#: Durations are whole microseconds; timestamps naive, in UTC (CEL: years 1 to 9999).
MICROSECOND = datetime.timedelta(microseconds=1)


@dataclass(frozen=True)
class Function:
    """One overload. `form` says how it is written: operator, prefix, call, or method."""

    name: str
    operands: tuple
    type: Type
    python: Callable
    sql: str | None
    form: str = "call"
    words: str = ""  # how it reads in a sentence, with {0} and {1}


def whole(number):
    """A whole number of 64 bits, else None."""
    return number if number in INT64 else None


def decimal(number):
    """A decimal number within the bounds, else None."""
    return number if number == 0 or DECIMAL_LEAST <= abs(number) <= DECIMAL_MOST else None


def exact(number):
    """A decimal number as PostgreSQL casts it to numeric: 15 significant digits."""
    return Decimal(number) if isinstance(number, int) else Decimal(f"{number:.15g}")


def amount(number, digits):
    """A number as a Decimal with so many places, halves away from zero: the one place where amounts are rounded."""
    found = exact(number).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP, _WIDE)
    return found or abs(found)  # PostgreSQL's numeric has no negative zero


def rounded(number, digits):
    return float(amount(number, digits))


def _divide(a, b):
    if b == 0:
        return None
    quotient = abs(a) // abs(b)
    return whole(quotient if (a < 0) == (b < 0) else -quotient)


def _remainder(a, b):
    return None if b == 0 else _sign(a) * (abs(a) % abs(b))


def _int_of_text(text):
    return whole(int(text)) if re.fullmatch(r"[+-]?[0-9]{1,20}", text, re.ASCII) else None


def _double_of_text(text):
    if not re.fullmatch(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,4})?", text, re.ASCII):
        return None
    return decimal(float(text))


def _bool_of_text(text):
    return {"true": True, "True": True, "TRUE": True, "t": True, "1": True,
            "false": False, "False": False, "FALSE": False, "f": False, "0": False}.get(text)  # fmt: skip


def completed_months(start, end):
    """Whole months from one date to another; negative, rounded down, where the second is earlier."""
    return (end.year - start.year) * 12 + end.month - start.month - (end.day < start.day)


def completed_years(start, end):
    return end.year - start.year - ((end.month, end.day) < (start.month, start.day))


def _shift(moment, microseconds):
    try:
        return moment + microseconds * MICROSECOND
    except OverflowError:
        return None


def _between(a, b):
    return whole((a - b) // MICROSECOND)


def matches(text, pattern):
    """RE2 search, as CEL defines it; its time is linear in the text."""
    return bool(re2.search(pattern, text))


def _text_of(seconds):
    """Seconds without the zeros that end their fraction."""
    return seconds.rstrip("0").rstrip(".") if "." in seconds else seconds


def _text_of_double(number):
    return str(int(number)) if number == int(number) and abs(number) < 1e15 else repr(number)


_COMPLETED_MONTHS = (
    "CAST((extract(year FROM {1}) - extract(year FROM {0})) * 12 + extract(month FROM {1})"
    " - extract(month FROM {0}) - CASE WHEN extract(day FROM {1}) < extract(day FROM {0})"
    " THEN 1 ELSE 0 END AS bigint)"
)
_COMPLETED_YEARS = (
    "CAST(extract(year FROM {1}) - extract(year FROM {0}) - CASE WHEN"
    " (extract(month FROM {1}), extract(day FROM {1})) < (extract(month FROM {0}), extract(day FROM {0}))"
    " THEN 1 ELSE 0 END AS bigint)"
)


@functools.lru_cache(100)
def zone(text):
    """A time zone: Africa/Nairobi, or a fixed distance from UTC as +03:00; None if there is no such."""
    match = re.fullmatch(r"([+-]?)([0-9]{2}):([0-5][0-9])", text, re.ASCII)
    try:
        if match:
            distance = datetime.timedelta(hours=int(match[2]), minutes=int(match[3]))
            return datetime.timezone(-distance if match[1] == "-" else distance)
        return zoneinfo.ZoneInfo(text)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        return None


def _there(moment, text):
    """A moment as the clocks of a time zone show it, or None outside of the calendar."""
    try:
        return moment.replace(tzinfo=datetime.UTC).astimezone(zone(text))
    except OverflowError:
        return None


def _part(name, python, sql, kinds=(DATE, TIMESTAMP)):
    """A part of a date or moment, in UTC or, answered by the interpreter only, in a time zone."""

    def elsewhere(moment, text):
        there = _there(moment, text)
        return None if there is None else python(there)

    return [
        *(Function(name, (kind,), INT, python, f"CAST({sql} AS bigint)", "method") for kind in kinds),
        Function(name, (TIMESTAMP, STRING), INT, elsewhere, None, "method"),
    ]


def _of_duration(name, microseconds):
    return Function(
        name, (DURATION,), INT, lambda d: int(_sign(d) * (abs(d) // microseconds)),
        f"({{0}} / {microseconds})", "method",
    )  # fmt: skip


def _sign(number):
    return -1 if number < 0 else 1


FUNCTIONS = [
    # arithmetic
    Function("+", (INT, INT), INT, lambda a, b: whole(a + b), "({0} + {1})", "operator"),
    Function("-", (INT, INT), INT, lambda a, b: whole(a - b), "({0} - {1})", "operator"),
    Function("*", (INT, INT), INT, lambda a, b: whole(a * b), "({0} * {1})", "operator"),
    Function("/", (INT, INT), INT, _divide, "({0} / NULLIF({1}, 0))", "operator"),
    Function("%", (INT, INT), INT, _remainder, "mod({0}, NULLIF({1}, 0))", "operator"),
    Function("-", (INT,), INT, lambda a: whole(-a), "(- {0})", "prefix"),
    Function("+", (DOUBLE, DOUBLE), DOUBLE, lambda a, b: decimal(a + b), "({0} + {1})", "operator"),
    Function("-", (DOUBLE, DOUBLE), DOUBLE, lambda a, b: decimal(a - b), "({0} - {1})", "operator"),
    Function("*", (DOUBLE, DOUBLE), DOUBLE, lambda a, b: decimal(a * b), "({0} * {1})", "operator"),
    Function(
        "/", (DOUBLE, DOUBLE), DOUBLE, lambda a, b: decimal(a / b) if b else None,
        "({0} / NULLIF({1}, CAST(0 AS double precision)))", "operator",
    ),
    Function("-", (DOUBLE,), DOUBLE, lambda a: -a, "(- {0})", "prefix"),
    Function(
        "round", (DOUBLE, INT), DOUBLE, rounded,
        "CAST(round(CAST({0} AS numeric), CAST({1} AS integer)) AS double precision)",
        words="{0} rounded to {1} digits",
    ),
    # texts
    Function("+", (STRING, STRING), STRING, lambda a, b: a + b, "({0} || {1})", "operator"),
    Function("size", (STRING,), INT, len, "CAST(char_length({0}) AS bigint)", words="length of {0}"),
    Function("startsWith", (STRING, STRING), BOOL, str.startswith, "starts_with({0}, {1})", "method",
             "{0} starts with {1}"),
    Function("endsWith", (STRING, STRING), BOOL, str.endswith, "(right({0}, char_length({1})) = {1})", "method",
             "{0} ends with {1}"),
    Function("contains", (STRING, STRING), BOOL, lambda a, b: b in a, "(position({1} IN {0}) > 0)", "method",
             "{0} contains {1}"),
    # PostgreSQL has other regular expressions than CEL.
    Function("matches", (STRING, STRING), BOOL, matches, None, "method", "{0} matches {1}"),
    # conversions
    Function("int", (INT,), INT, lambda a: a, "{0}"),
    Function("int", (DOUBLE,), INT, lambda a: math.trunc(a) if abs(a) < 9.2e18 else None,
             "(SELECT CASE WHEN v > -9.2e18 AND v < 9.2e18 THEN CAST(trunc(v) AS bigint) END"
             " FROM (SELECT {0} AS v OFFSET 0) held)"),
    Function("int", (STRING,), INT, _int_of_text,
             "(SELECT CASE WHEN v ~ '^[+-]?[0-9]+$' AND char_length(ltrim(v, '+-')) <= 20 THEN"
             f" CASE WHEN CAST(v AS numeric) BETWEEN {INT64[0]} AND {INT64[-1]} THEN CAST(v AS bigint) END END"
             " FROM (SELECT {0} AS v OFFSET 0) held)", words="{0}"),
    Function("double", (DOUBLE,), DOUBLE, lambda a: a, "{0}", words="{0}"),
    Function("double", (INT,), DOUBLE, float, "CAST({0} AS double precision)", words="{0}"),
    Function("double", (STRING,), DOUBLE, _double_of_text, None),
    Function("string", (STRING,), STRING, lambda a: a, "{0}"),
    Function("string", (INT,), STRING, str, "CAST({0} AS text)"),
    Function("string", (BOOL,), STRING, lambda a: "true" if a else "false", "CAST({0} AS text)"),
    Function("string", (DOUBLE,), STRING, _text_of_double, None),
    Function("string", (DATE,), STRING, lambda a: a.isoformat(), "to_char({0}, 'YYYY-MM-DD')"),
    Function("string", (TIMESTAMP,), STRING, lambda a: _text_of(a.isoformat()) + "Z", None),
    Function("string", (DURATION,), STRING, lambda a: _text_of(f"{a / 1_000_000:.6f}") + "s", None),
    Function("bool", (BOOL,), BOOL, lambda a: a, "{0}"),
    Function("bool", (STRING,), BOOL, _bool_of_text, None),
    Function("int", (TIMESTAMP,), INT, lambda a: (a - _EPOCH) // datetime.timedelta(seconds=1),
             "CAST(floor(extract(epoch FROM {0})) AS bigint)"),
    Function("timestamp", (TIMESTAMP,), TIMESTAMP, lambda a: a, "{0}"),
    Function("timestamp", (INT,), TIMESTAMP, lambda a: _shift(_EPOCH, a * 1_000_000), None),
    Function("timestamp", (DATE,), TIMESTAMP, lambda a: datetime.datetime(a.year, a.month, a.day),
             "CAST({0} AS timestamp)"),
    Function("duration", (DURATION,), DURATION, lambda a: a, "{0}"),
    # dates and times
    Function("years_between", (DATE, DATE), INT, completed_years, _COMPLETED_YEARS,
             words="years from {0} to {1}"),
    Function("months_between", (DATE, DATE), INT, completed_months, _COMPLETED_MONTHS,
             words="months from {0} to {1}"),
    Function("days_between", (DATE, DATE), INT, lambda a, b: (b - a).days, "CAST(({1} - {0}) AS bigint)",
             words="days from {0} to {1}"),
    Function("+", (TIMESTAMP, DURATION), TIMESTAMP, _shift, None, "operator"),
    Function("+", (DURATION, TIMESTAMP), TIMESTAMP, lambda a, b: _shift(b, a), None, "operator"),
    Function("-", (TIMESTAMP, DURATION), TIMESTAMP, lambda a, b: _shift(a, -b), None, "operator"),
    Function("-", (TIMESTAMP, TIMESTAMP), DURATION, _between, None, "operator"),
    Function("+", (DURATION, DURATION), DURATION, lambda a, b: whole(a + b), None, "operator"),
    Function("-", (DURATION, DURATION), DURATION, lambda a, b: whole(a - b), None, "operator"),
    *_part("getFullYear", lambda a: a.year, "extract(year FROM {0})"),
    *_part("getMonth", lambda a: a.month - 1, "extract(month FROM {0}) - 1"),
    *_part("getDate", lambda a: a.day, "extract(day FROM {0})"),
    *_part("getDayOfMonth", lambda a: a.day - 1, "extract(day FROM {0}) - 1"),
    *_part("getDayOfWeek", lambda a: a.isoweekday() % 7, "extract(dow FROM {0})"),
    *_part("getDayOfYear", lambda a: a.timetuple().tm_yday - 1, "extract(doy FROM {0}) - 1"),
    *_part("getHours", lambda a: a.hour, "extract(hour FROM {0})", [TIMESTAMP]),
    *_part("getMinutes", lambda a: a.minute, "extract(minute FROM {0})", [TIMESTAMP]),
    *_part("getSeconds", lambda a: a.second, "floor(extract(second FROM {0}))", [TIMESTAMP]),
    *_part("getMilliseconds", lambda a: a.microsecond // 1000,
           "mod(CAST(extract(milliseconds FROM {0}) AS bigint), 1000)", [TIMESTAMP]),
    _of_duration("getHours", 3_600_000_000),
    _of_duration("getMinutes", 60_000_000),
    _of_duration("getSeconds", 1_000_000),
    Function("getMilliseconds", (DURATION,), INT, lambda d: _sign(d) * (abs(d) // 1000 % 1000),
             "mod({0} / 1000, 1000)", "method"),
]  # fmt: skip

_EPOCH = datetime.datetime(1970, 1, 1)
BY_NAME = {}
for _function in FUNCTIONS:
    BY_NAME.setdefault(_function.name, []).append(_function)


def find(name, types):
    """The overload for operands of these types, or None."""
    return next((known for known in BY_NAME.get(name, ()) if known.operands == tuple(types)), None)


_DURATION_UNITS = {"h": 3_600_000_000, "m": 60_000_000, "s": 1_000_000, "ms": 1000, "us": 1}
_DURATION = re.compile(r"([+-]?)((?:[0-9]{1,15}(?:\.[0-9]{1,9})?(?:ms|us|h|m|s)){1,5})\Z", re.ASCII)
_TIMESTAMP = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]{1,6})?(Z|z|[+-][0-9]{2}:[0-9]{2})\Z",
    re.ASCII,
)


def read_duration(text):
    """Microseconds of a text such as '1h30m', or None."""
    match = _DURATION.match(text)
    if not match:
        return None
    total = sum(
        Decimal(number) * _DURATION_UNITS[unit]
        for number, unit in re.findall(r"([0-9.]+)(ms|us|h|m|s)", match[2])
    )
    if total != int(total) or total > 315_576_000_000 * 1_000_000:  # CEL: about 10 000 years
        return None
    return -int(total) if match[1] == "-" else int(total)


def read_timestamp(text):
    """The moment of an RFC 3339 text, naive in UTC, or None."""
    match = _TIMESTAMP.match(text)
    if not match:
        return None
    zone = "+00:00" if match[4] in "Zz" else match[4]
    fraction = (match[3] or ".0").ljust(7, "0")
    try:
        moment = datetime.datetime.fromisoformat(f"{match[1]}T{match[2]}{fraction}{zone}")
        return moment.astimezone(datetime.UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return None


def read_date(text):
    """The date of a text such as '2026-01-31', or None."""
    try:
        return (
            datetime.date.fromisoformat(text) if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text) else None
        )
    except ValueError:
        return None
