"""A Float whose empty value is NULL in the database and False in Python.

Odoo's own Float stores 0.0 for an empty value; a rule could then not tell "earns nothing" from
"nobody asked". Here 0 stays 0 and nothing stays nothing:

    income = NullableFloat(digits=(16, 2))
    person.income is False   # never asked
    person.income == 0.0     # asked; earns nothing (beware: 0.0 == False in Python, so ask `is False`)
"""

from odoo import fields


def _is_empty(value):
    return value is None or value is False or value == ""


class NullableFloat(fields.Float):
    falsy_value = None  # 19.0 searches 0 and NULL as one, unless told

    def convert_to_column(self, value, record, values=None, validate=True):
        return None if _is_empty(value) else super().convert_to_column(value, record, values, validate)

    def convert_to_cache(self, value, record, validate=True):
        return None if _is_empty(value) else super().convert_to_cache(value, record, validate)

    def convert_to_record(self, value, record):
        return False if value is None else value

    def convert_to_export(self, value, record):
        return "" if _is_empty(value) else value
