"""Individuals, groups and memberships of a source, checked and in one shape, whatever dialect told them.

Rows come in the shape of the registry API (`ids`, `phone_numbers`, `bank_ids`, `members`…; the JSON-RPC reader makes
its rows look so), or as `dump()` wrote them. Keys that a source leaves out are empty here. `parse()` either returns a
whole record or says in plain words which field cannot be used:

    parse("individual", {"id": 12, "name": "ABADA, DANILO", "birthdate": "2022-06-11"})
"""

import hashlib
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Annotated, ClassVar, Literal, NamedTuple

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from .dates import EMPTY, parse_day, parse_moment

CHECKSUM_VERSION = 4  # raise it when the same record is to be stored differently
SECRET = ("accounts", "bank_ids", "value")  # parts of a record that no message repeats
LONGEST_KEY = 64  # characters
SHOWN = 60  # characters of a wrong value that a message repeats


def _text(value):
    if value in EMPTY:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise ValueError("it is not a text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("it holds characters that are none") from None
    if "\x00" in value:
        raise ValueError("it holds a character that cannot be stored")
    return value.strip() or None


def _number(value):
    if value is None or value is False or value == "":
        return None
    if isinstance(value, bool):
        raise ValueError("it is not a number")
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError("it is not a number") from None
    if not math.isfinite(number):
        raise ValueError("it is not a number")
    return number


def _required(value):
    if value is None:
        raise ValueError("it is empty")
    return value


def _key(value):
    """A record's number at the source; files may have any short text for it."""
    if isinstance(value, str):
        value = _text(value)
        if value and len(value) <= LONGEST_KEY:
            return value
    elif isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    raise ValueError("it does not tell which record this is")


def _rows(value):
    return () if value in EMPTY else value


def _moment(value, info: ValidationInfo):
    return parse_moment(value, (info.context or {}).get("zone", UTC))


Text = Annotated[str | None, BeforeValidator(_text)]
Name = Annotated[str, BeforeValidator(lambda value: _required(_text(value)))]
Number = Annotated[float | None, BeforeValidator(_number)]  # 0 is a number, and not empty
Day = Annotated[date | None, BeforeValidator(parse_day)]
Moment = Annotated[datetime | None, BeforeValidator(_moment)]
Key = Annotated[int | str, BeforeValidator(_key)]


class Row(BaseModel):
    model_config = ConfigDict(frozen=True, populate_by_name=True, extra="ignore")


class Document(Row):
    type: Name = Field(validation_alias=AliasChoices("id_type", "id_type_as_str", "type"))
    value: Name
    expiry_date: Day = None


class Phone(Row):
    number: Name = Field(validation_alias=AliasChoices("phone_no", "number"))
    collected: Day = Field(None, validation_alias=AliasChoices("date_collected", "collected"))
    ended: Day = Field(None, validation_alias=AliasChoices("disabled", "ended"))


class Account(Row):
    number: Name = Field(validation_alias=AliasChoices("acc_number", "number"))
    bank: Text = Field(None, validation_alias=AliasChoices("bank_name", "bank"))
    bic: Text = None
    kind: Literal["bank", "iban", "mobile_wallet", "email_wallet"] = "bank"
    holder: Text = None


class Program(Row):
    """That somebody is in a program there, and what was noted of them for it."""

    program: Key = Field(validation_alias=AliasChoices("program_id", "program"))
    name: Text = Field(None, validation_alias=AliasChoices("program_name", "name"))
    state: Text = None
    enrolled: Day = Field(None, validation_alias=AliasChoices("enrollment_date", "enrolled"))
    left: Day = Field(None, validation_alias=AliasChoices("exit_date", "left"))
    information: dict[str, str] = Field(
        default_factory=dict, validation_alias=AliasChoices("program_registrant_info_ids", "information")
    )

    @field_validator("information", mode="before")
    @classmethod
    def _flatten_information(cls, told):
        """Sources list answers, each an object, a list of objects, or either of them as a text."""
        found = {}
        _gather(told, found)
        return found


class Event(Row):
    """A dated fact that was recorded there: school attendance, a health visit."""

    id: Key
    kind: Name
    date: Day
    value: Text = None


def _gather(told, found):
    if isinstance(told, str):
        try:
            told = json.loads(told)
        except ValueError:
            return
    if isinstance(told, list | tuple):
        for one in told:
            _gather(one, found)
    elif isinstance(told, dict) and "program_registrant_info" in told:
        _gather(told["program_registrant_info"], found)
    elif isinstance(told, dict):
        for name, value in told.items():
            if value not in EMPTY:
                text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
                found[str(name).replace("\x00", "")] = text.replace("\x00", "")


class Record(Row):
    """What all records of a source have: a number there, and a checksum that tells whether they changed."""

    kind_of_record: ClassVar[str]
    not_said: ClassVar[dict] = {"changed_at": True}  # left out of the checksum
    id: Key

    @property
    def external_id(self):
        return f"{self.kind_of_record}:{self.id}"

    def dump(self):
        """Plain values that `parse()` reads again."""
        return self.model_dump(mode="json", exclude_unset=True)

    def checksum(self):
        """Of what the record says, not of when it was stamped."""
        said = json.dumps(self.model_dump(mode="json", exclude=self.not_said), sort_keys=True)
        return f"{CHECKSUM_VERSION}:{hashlib.sha256(said.encode()).hexdigest()}"


def _with_value(rows, *names):
    """Leave out children that say nothing: a document without a number, a phone of blanks."""
    if not isinstance(rows, list | tuple):
        return rows
    return [
        row
        for row in rows
        if not isinstance(row, dict) or any(str(row.get(name) or "").strip() for name in names)
    ]


class Registrant(Record):
    name: Name
    email: Text = None
    address: Text = None
    street2: Text = None  # these three where the source tells them apart
    city: Text = None
    zip: Text = None
    area: Text = None
    registration_date: Day = None
    disabled: Day = None
    deceased: Day = None
    status_reason: Text = None
    income: Number = None
    vulnerability_score: Number = None
    documents: Annotated[tuple[Document, ...], BeforeValidator(_rows)] = Field(
        (), validation_alias=AliasChoices("ids", "reg_ids", "documents")
    )
    phones: Annotated[tuple[Phone, ...], BeforeValidator(_rows)] = Field(
        (), validation_alias=AliasChoices("phone_numbers", "phone_number_ids", "phones")
    )
    accounts: Annotated[tuple[Account, ...], BeforeValidator(_rows)] = Field(
        (), validation_alias=AliasChoices("bank_ids", "accounts")
    )
    programs: Annotated[tuple[Program, ...], BeforeValidator(_rows)] = Field(
        (), validation_alias=AliasChoices("program_membership_ids", "programs")
    )
    events: Annotated[tuple[Event, ...], BeforeValidator(_rows)] = ()
    changed_at: Moment = Field(None, validation_alias=AliasChoices("write_date", "changed_at"))

    # Dialects list children in different orders. Accounts keep theirs: the first becomes the primary one.

    @field_validator("documents", mode="before")
    @classmethod
    def _documents_with_a_number(cls, rows):
        return _with_value(rows, "value")

    @field_validator("documents", mode="after")
    @classmethod
    def _sort_documents(cls, documents):
        return tuple(sorted(documents, key=lambda document: (document.type, document.value)))

    @field_validator("phones", mode="before")
    @classmethod
    def _phones_with_a_number(cls, rows):
        return _with_value(rows, "phone_no", "number")

    @field_validator("phones", mode="after")
    @classmethod
    def _sort_phones(cls, phones):
        return tuple(sorted(phones, key=lambda phone: (phone.number, phone.ended or date.max)))

    @field_validator("accounts", mode="before")
    @classmethod
    def _accounts_with_a_number(cls, rows):
        return _with_value(rows, "acc_number", "number")


class Individual(Registrant):
    kind_of_record = "individual"

    family_name: Text = None
    given_name: Text = None
    additional_name: Text = Field(None, validation_alias=AliasChoices("addl_name", "additional_name"))
    gender: Text = None
    birthdate: Day = None
    birthdate_exact: bool | None = None  # None: the source does not tell
    birth_place: Text = None


class Membership(Record):
    """A person in a group. `individual` and `group` are numbers at the source."""

    kind_of_record = "membership"

    individual: Key
    individual_name: Text = None
    group: Key | None = None
    roles: tuple[Name, ...] = Field((), validation_alias=AliasChoices("kind", "roles"))
    is_head: bool | None = None  # None: the role of that name says it
    start: Day = Field(None, validation_alias=AliasChoices("start_date", "start"))
    ended: Day = Field(None, validation_alias=AliasChoices("ended_date", "ended"))

    @model_validator(mode="before")
    @classmethod
    def _flatten(cls, row):
        """The registry API nests the whole person, and wraps each role in an object."""
        if not isinstance(row, dict):
            return row
        row = dict(row)
        person = row.get("individual")
        if isinstance(person, dict):
            row["individual"] = person.get("id")
            row["individual_name"] = person.get("name")
        kinds = row.get("kind")
        if isinstance(kinds, list | tuple):
            row["kind"] = [kind.get("name") if isinstance(kind, dict) else kind for kind in kinds]
        elif kinds in EMPTY:
            row.pop("kind", None)
        return row

    @field_validator("roles", mode="after")
    @classmethod
    def _sort_roles(cls, roles):
        return tuple(sorted(set(roles)))


class Group(Registrant):
    kind_of_record = "group"
    not_said = {"changed_at": True, "memberships": {"__all__": {"individual_name"}}}

    kind: Text = None
    memberships: tuple[Membership, ...] | None = Field(
        None, validation_alias=AliasChoices("members", "memberships")
    )  # None: the source does not tell

    @field_validator("memberships", mode="after")
    @classmethod
    def _sort_memberships(cls, memberships):
        return memberships and tuple(
            sorted(memberships, key=lambda membership: (isinstance(membership.id, str), membership.id))
        )


@dataclass(frozen=True)
class Bad:
    """A row that cannot be used, with the reason in plain words."""

    kind_of_record: str
    external_id: str
    name: str
    reason: str
    row: dict


class Listed(NamedTuple):
    """Numbers of all records of a kind that a source has, or of those between two of them: who is known to us and not
    among these is no longer there."""

    numbers: Iterable
    above: int | None = None  # None: from the first
    up_to: int | None = None  # None: to the last


@dataclass
class Page:
    """A part of a list. `after`: where the next one begins; None when this was the last."""

    records: list = field(default_factory=list)
    bad: list = field(default_factory=list)
    after: int | None = None
    prints: dict = field(
        default_factory=dict
    )  # external id → print of its stamps, where the source tells them
    unmoved: list = field(default_factory=list)  # external ids of those whose print is the same as before
    listed: Listed | None = None  # None: this page does not tell who is no longer there


RECORDS = {model.kind_of_record: model for model in (Individual, Group, Membership)}


class BadRecord(ValueError):
    """The row cannot be used; its text says why."""


def parse(kind, row, zone=UTC):
    """The record that `row` tells, or raise BadRecord."""
    try:
        return RECORDS[kind].model_validate(row, context={"zone": zone})
    except ValidationError as error:
        reasons = [_reason(one) for one in error.errors(include_url=False, include_context=False)]
        raise BadRecord("; ".join(dict.fromkeys(reasons))) from None


def parse_page(kind, rows, zone=UTC, after=None):
    """Parse what can be; the rest is told as Bad, and does not stop the others."""
    page = Page(after=after)
    for row in rows:
        try:
            page.records.append(parse(kind, row, zone))
        except BadRecord as error:
            page.bad.append(_bad(kind, row, str(error)))
    return page


def _bad(kind, row, reason):
    row = row if isinstance(row, dict) else {}
    number = row.get("id")
    known = isinstance(number, int | str) and number and not isinstance(number, bool)
    name = row.get("name") if isinstance(row.get("name"), str) else ""
    return Bad(kind, f"{kind}:{number if known else '?'}", name.strip(), reason, row)


def _reason(error):
    """One pydantic error as a person reads it: “birthdate: “1989-02-31” cannot be read, it is not a date”."""
    place = (
        ", ".join(str(part + 1 if isinstance(part, int) else part) for part in error["loc"]) or "the record"
    )
    if error["type"] == "missing":
        return f"{place}: it is missing"
    told = error["msg"].removeprefix("Value error, ")
    if error["type"] != "value_error":
        told = told[0].lower() + told[1:]
    value = error["input"]
    hidden = any(part in SECRET for part in error["loc"]) or isinstance(value, dict | list | tuple)
    if hidden or value in EMPTY:
        return f"{place}: {told}"
    text = str(value)
    return f"{place}: “{text[:SHOWN]}{'…' if len(text) > SHOWN else ''}” cannot be read, {told}"
