"""Rules in CEL over a registry: compiled to SQL for everybody, interpreted and explained for one.

Plain Python without Odoo; README.md tells how the modules follow each other.
"""

from .check import check as _check
from .check import check_value as _check_value
from .errors import RuleError
from .interpret import TooManySteps
from .parser import parse as _parse
from .rule import Result, Rule
from .schema import Collection, Constant, Field, RecordType, Schema, Type
from .sql import NotCompiled


def compile_rule(text, schema, target="individual", variables=None, computed=None):
    """The rule, or RuleError with line, column and maybe a suggestion.

    `target` is the record type the rule is about; `variables` maps names to Constant, `computed` maps
    (record type, name) to the text of a computed variable.
    """
    node = _check(_parse(text), schema, target, variables or {}, computed or {})
    return Rule(text, schema, target, node)


def compile_value(text, schema, target="individual", variables=None, computed=None):
    """As `compile_rule`, for a text that yields a number, a text, a date or yes/no; its type is `node.type`."""
    node = _check_value(_parse(text), schema, target, variables or {}, computed or {})
    return Rule(text, schema, target, node)
