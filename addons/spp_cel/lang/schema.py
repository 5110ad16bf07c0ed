"""What a rule may speak about: record types, their fields, their collections. An input of the compiler.

The SQL of a field is a template: `{r}` stands for the row of the record, `{link}` for the row that
makes it a member of a collection, `{j}` for the row of the field's own `join`. NULL means "not known".

What the compiler relies on, and the database must therefore guarantee (CHECK constraints):

- a whole number lies within ±INT_MOST; so does a variable, and the result of any arithmetic is
  known to fit before it is computed;
- a decimal number is 0, or its magnitude lies between DOUBLE_LEAST and DOUBLE_MOST; it is never
  NaN or infinite. PostgreSQL then never raises where CEL gives a value;
- a date lies between the years 1 and 9999.
"""

import enum
from collections.abc import Callable
from dataclasses import dataclass, field, replace

INT_MOST = 2**53  # beyond it a whole number is no longer exact as a decimal one
DOUBLE_LEAST = 1e-15
DOUBLE_MOST = 1e15


class Type(enum.Enum):
    """Types of the language; the value is CEL's name."""

    INT = "int"
    DOUBLE = "double"
    STRING = "string"
    BOOL = "bool"
    DATE = "date"
    TIMESTAMP = "timestamp"
    DURATION = "duration"

    @property
    def words(self):
        """How the type is called in a message."""
        return {
            "int": "a whole number",
            "double": "a decimal number",
            "string": "a text",
            "bool": "yes or no",
            "date": "a date",
            "timestamp": "a moment in time",
            "duration": "a length of time",
        }[self.value]

    @property
    def numeric(self):
        return self in (Type.INT, Type.DOUBLE)


@dataclass(frozen=True)
class Field:
    """One thing known about a record.

    `places` says that a decimal number is stored as numeric with so many decimal places at most.
    With `age_of`, a date field, this one is the calendar age on the as-of date; it has no SQL of its
    own. Someone born after the as-of date has no age.
    """

    name: str
    type: Type
    sql: str = ""
    label: str = ""
    nullable: bool = True
    join: str = ""
    age_of: "Field | None" = None
    places: int | None = None

    @property
    def words(self):
        """How the field is called in a sentence."""
        return self.label or self.name.replace("_", " ")


@dataclass(frozen=True)
class Collection:
    """The records linked to one, such as the members of a group.

    Each row of `table` links the record `owner` to the record `item` of type `item_type`, while
    `live_sql(alias, as_of) -> (sql, params)` holds for it. `live(row, as_of)` says the same of a
    dict with the columns `live_columns`. `fields` come from the link itself.
    """

    name: str
    item_type: str
    table: str
    owner: str
    item: str
    live_sql: Callable
    live: Callable
    live_columns: tuple = ()
    fields: tuple = ()
    label: str = ""

    @property
    def words(self):
        return self.label or self.name


@dataclass(frozen=True)
class RecordType:
    """A kind of record: the table it is in, its fields and collections, and what people call a record."""

    name: str
    table: str
    fields: tuple
    collections: tuple = ()
    title: str = "{r}.name"

    def field(self, name):
        return next((known for known in self.fields if known.name == name), None)

    def collection(self, name):
        return next((known for known in self.collections if known.name == name), None)


@dataclass(frozen=True)
class Schema:
    """All record types, by name."""

    record_types: dict = field(hash=False)

    @property
    def tables(self):
        """Every table that a rule may read."""
        return {known.table for owner in self.record_types.values() for known in (owner, *owner.collections)}

    def item_type(self, collection):
        """The type of a collection's records: their own fields and those of the link."""
        base = self.record_types[collection.item_type]
        return replace(base, name=collection.words, fields=(*base.fields, *collection.fields))


@dataclass(frozen=True)
class Constant:
    """A variable's type and value, such as `Constant(Type.INT, 60)`."""

    type: Type
    value: object

    def problem(self):
        """What is wrong with the value, in words, or an empty string."""
        value = self.value
        if self.type is Type.BOOL:
            return "" if isinstance(value, bool) else "must be true or false"
        if self.type is Type.STRING:
            return "" if isinstance(value, str) and value.isprintable() else "must be a text on one line"
        if isinstance(value, bool) or not isinstance(value, int | float):
            return f"must be {self.type.words}"
        if self.type is Type.INT:
            fits = isinstance(value, int) and abs(value) <= INT_MOST
            return "" if fits else f"must be a whole number of at most {INT_MOST}"
        fits = value == 0 or DOUBLE_LEAST <= abs(value) <= DOUBLE_MOST
        return "" if fits else "must be a decimal number that is neither too large nor too close to zero"
