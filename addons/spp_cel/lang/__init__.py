"""Rules in CEL over a registry: compiled to SQL for everybody, interpreted and explained for one.

Plain Python without Odoo; README.md tells how the modules follow each other.
"""

from .check import check as _check
from .errors import RuleError
from .parser import parse as _parse
from .rule import Result, Rule
from .schema import Collection, Constant, Field, RecordType, Schema, Type


def compile_rule(text, schema, target="individual", variables=None):
    """The rule, or RuleError with line, column and maybe a suggestion.

    `target` is the record type the rule is about; `variables` maps names to Constant.
    """
    node = _check(_parse(text), schema, target, variables or {})
    return Rule(text, schema, target, node)
