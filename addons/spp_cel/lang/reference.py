"""What may be written besides names of the registry: functions and operators, for the editor and the manual.

A signature begins with the types that the function is called on (`list.`, `date|timestamp.`), if any, and ends
with the type of what it gives. Every example is compiled by a test.
"""

import re
from dataclasses import dataclass

_SIGNATURE = re.compile(
    r"(?:(?P<receivers>\w+(?:\|\w+)*)\.)?(?P<name>\w+)\((?P<arguments>[^)]*)\) → (?P<result>\w+)"
)


@dataclass(frozen=True)
class Function:
    """A function, macro or operator; `target` is the record type that the example is about."""

    name: str
    signature: str
    help: str
    example: str
    target: str

    def parts(self):
        """{receivers, arguments, result} of the signature; an operator has none and gives {}."""
        match = _SIGNATURE.fullmatch(self.signature)
        if not match:
            return {}
        receivers = match["receivers"].split("|") if match["receivers"] else []
        return {"receivers": receivers, "arguments": match["arguments"], "result": match["result"]}


FUNCTIONS = (
    # over the members of a group
    Function(
        "filter",
        "list.filter(m, condition) → list",
        "Those of a list for which the condition is true; m is each of them in turn.",
        "group.members.filter(m, m.age < 5).size() >= 1",
        "group",
    ),
    Function(
        "exists",
        "list.exists(m, condition) → bool",
        "Whether the condition is true for at least one of a list.",
        "group.members.exists(m, m.is_head && m.gender == 'female')",
        "group",
    ),
    Function(
        "all",
        "list.all(m, condition) → bool",
        "Whether the condition is true for each of a list, or the list is empty.",
        "group.members.all(m, m.age < 18 || m.age >= 60)",
        "group",
    ),
    Function(
        "exists_one",
        "list.exists_one(m, condition) → bool",
        "Whether the condition is true for exactly one of a list.",
        "group.members.exists_one(m, m.age >= 18)",
        "group",
    ),
    Function(
        "count",
        "list.count(m, condition) → int",
        "For how many of a list the condition is true.",
        "group.members.count(m, m.age >= 60) == 2",
        "group",
    ),
    Function(
        "sum",
        "list.sum(m, number) → number",
        "The total of a number over a list.",
        "group.members.sum(m, m.income) < 500.0",
        "group",
    ),
    Function(
        "min",
        "list.min(m, value) → value",
        "The least of a value over a list; of an empty list it is missing.",
        "group.members.min(m, m.age) < 5",
        "group",
    ),
    Function(
        "max",
        "list.max(m, value) → value",
        "The greatest of a value over a list; of an empty list it is missing.",
        "group.members.max(m, m.age) < 18",
        "group",
    ),
    Function(
        "avg",
        "list.avg(m, number) → double",
        "The average of a number over a list; of an empty list it is missing.",
        "group.members.avg(m, m.income) < 100.0",
        "group",
    ),
    Function("size", "list.size() → int", "How many are in a list.", "group.members.size() > 6", "group"),
    Function(
        "size",
        "size(value) → int",
        "How many are in a list, or how many characters a text has.",
        "size(group.members) > 6",
        "group",
    ),
    Function(
        "map",
        "list.map(m, value) → list",
        "The value of each of a list. A total, a condition or “in” follows.",
        "group.members.map(m, m.income).sum() < 500.0",
        "group",
    ),
    # what is missing
    Function(
        "has", "has(field) → bool", "Whether something is known.", "has(individual.birthdate)", "individual"
    ),
    Function(
        "get",
        "get(field, value) → value",
        "What is known, or else the value given here.",
        "get(group.income, 0.0) < 100.0",
        "group",
    ),
    Function(
        "unknown",
        "unknown(text) → value",
        "No value, and why there is none: for one side of ? :.",
        "group.members.exists(m, m.is_head) ? true : unknown('the head is not known')",
        "group",
    ),
    # texts
    Function(
        "size",
        "string.size() → int",
        "How many characters a text has.",
        "individual.gender.size() > 0",
        "individual",
    ),
    Function(
        "startsWith",
        "string.startsWith(text) → bool",
        "Whether a text begins like this.",
        "group.kind.startsWith('house')",
        "group",
    ),
    Function(
        "endsWith",
        "string.endsWith(text) → bool",
        "Whether a text ends like this.",
        "group.kind.endsWith('hold')",
        "group",
    ),
    Function(
        "contains",
        "string.contains(text) → bool",
        "Whether this stands in a text.",
        "group.kind.contains('hold')",
        "group",
    ),
    Function(
        "matches",
        "string.matches(pattern) → bool",
        "Whether a regular expression (RE2) is found in a text.",
        "group.kind.matches('^house')",
        "group",
    ),
    # dates and times
    Function(
        "today",
        "today() → date",
        "The date as of which the rule is answered.",
        "individual.birthdate < today()",
        "individual",
    ),
    Function(
        "date",
        "date(text) → date",
        "A date that is written out.",
        "individual.birthdate < date('2000-01-31')",
        "individual",
    ),
    Function(
        "timestamp",
        "timestamp(value) → timestamp",
        "A moment that is written out, or the first one of a date.",
        "timestamp(individual.birthdate) < timestamp('2000-01-31T08:00:00Z')",
        "individual",
    ),
    Function(
        "duration",
        "duration(text) → duration",
        "A length of time that is written out.",
        "timestamp(today()) - timestamp(individual.birthdate) > duration('36h')",
        "individual",
    ),
    Function(
        "years_between",
        "years_between(date, date) → int",
        "Full years from the first date to the second.",
        "years_between(individual.birthdate, today()) >= 18",
        "individual",
    ),
    Function(
        "months_between",
        "months_between(date, date) → int",
        "Full months from the first date to the second.",
        "months_between(individual.birthdate, today()) < 24",
        "individual",
    ),
    Function(
        "days_between",
        "days_between(date, date) → int",
        "Days from the first date to the second.",
        "days_between(individual.birthdate, today()) <= 1000",
        "individual",
    ),
    Function(
        "getFullYear",
        "date|timestamp.getFullYear() → int",
        "The year.",
        "individual.birthdate.getFullYear() < 1960",
        "individual",
    ),
    Function(
        "getMonth",
        "date|timestamp.getMonth() → int",
        "The month: January is 0.",
        "individual.birthdate.getMonth() == 0",
        "individual",
    ),
    Function(
        "getDate",
        "date|timestamp.getDate() → int",
        "The day of the month, from 1.",
        "individual.birthdate.getDate() == 1",
        "individual",
    ),
    Function(
        "getDayOfMonth",
        "date|timestamp.getDayOfMonth() → int",
        "The day of the month, from 0.",
        "individual.birthdate.getDayOfMonth() == 0",
        "individual",
    ),
    Function(
        "getDayOfWeek",
        "date|timestamp.getDayOfWeek() → int",
        "The day of the week: Sunday is 0.",
        "individual.birthdate.getDayOfWeek() == 0",
        "individual",
    ),
    Function(
        "getDayOfYear",
        "date|timestamp.getDayOfYear() → int",
        "The day of the year, from 0.",
        "individual.birthdate.getDayOfYear() < 100",
        "individual",
    ),
    Function(
        "getHours",
        "timestamp|duration.getHours() → int",
        "The hour of a moment, in UTC or, as .getHours('Africa/Nairobi'), in a time zone, which all parts of a "
        "moment can be asked for; the full hours of a length of time.",
        "timestamp(individual.birthdate).getHours() == 0",
        "individual",
    ),
    Function(
        "getMinutes",
        "timestamp|duration.getMinutes() → int",
        "The minute of a moment; the full minutes of a length of time.",
        "duration('36h').getMinutes() == 2160",
        "individual",
    ),
    Function(
        "getSeconds",
        "timestamp|duration.getSeconds() → int",
        "The second of a moment; the full seconds of a length of time.",
        "duration('36h').getSeconds() == 129600",
        "individual",
    ),
    Function(
        "getMilliseconds",
        "timestamp|duration.getMilliseconds() → int",
        "The milliseconds beside the full seconds.",
        "duration('1.5s').getMilliseconds() == 500",
        "individual",
    ),
    # conversions
    Function(
        "round",
        "round(number, digits) → double",
        "A decimal number to so many digits; halves are rounded away from zero.",
        "round(group.income / 3.0, 2) < 50.0",
        "group",
    ),
    Function(
        "int",
        "int(value) → int",
        "As a whole number; what follows the point is cut off.",
        "int(group.income) < 100",
        "group",
    ),
    Function(
        "double",
        "double(value) → double",
        "As a decimal number.",
        "group.income / double(group.members.size()) < 50.0",
        "group",
    ),
    Function(
        "string",
        "string(value) → string",
        "As a text.",
        "string(individual.birthdate).startsWith('2000-')",
        "individual",
    ),
    Function(
        "bool", "bool(value) → bool", "The text 'true' or 'false' as yes or no.", "bool('true')", "individual"
    ),
    # operators
    Function(
        "in",
        "value in [value, …]",
        "Whether a value is one of several.",
        "individual.gender in ['female', 'other']",
        "individual",
    ),
    Function(
        "? :",
        "condition ? value : value",
        "The first value where the condition is true, else the second.",
        "group.income < (group.members.size() > 6 ? 200.0 : 100.0)",
        "group",
    ),
    Function(
        "&&",
        "condition && condition",
        "Both are true.",
        "group.vulnerability_score > 3 && group.income < 100.0",
        "group",
    ),
    Function(
        "||",
        "condition || condition",
        "At least one is true.",
        "individual.age < 18 || individual.age >= variables.retirement_age",
        "individual",
    ),
    Function("!", "!condition", "The condition is false.", "!(individual.gender == 'male')", "individual"),
    Function(
        "==",
        "value == value",
        "Both are the same; == null asks whether something is not known.",
        "individual.gender == 'female'",
        "individual",
    ),
    Function("!=", "value != value", "They differ.", "individual.gender != 'male'", "individual"),
    Function("<", "value < value", "Less than, or before.", "individual.age < 5", "individual"),
    Function("<=", "value <= value", "At most, or until.", "group.members.size() <= 3", "group"),
    Function(">", "value > value", "More than, or after.", "group.vulnerability_score > 3", "group"),
    Function(">=", "value >= value", "At least, or since.", "individual.age >= 60", "individual"),
    Function("+", "value + value", "The sum, or two texts as one.", "individual.age + 5 >= 65", "individual"),
    Function("-", "number - number", "The difference.", "individual.age - 5 >= 55", "individual"),
    Function("*", "number * number", "The product.", "group.members.size() * 2 > 6", "group"),
    Function(
        "/",
        "number / number",
        "The quotient; of two whole numbers what follows the point is cut off.",
        "group.income / 2.0 < 50.0",
        "group",
    ),
    Function(
        "%",
        "whole number % whole number",
        "What is left over by a division.",
        "individual.age % 2 == 0",
        "individual",
    ),
)
