"""Facts are read over XML-RPC as well, which knows no null."""

from odoo import fields


class PlainJson(fields.Json):
    """A Json field whose nulls (what was not known) are read as False, as in every other field of Odoo.

    Python code that takes the field of a record sees None.
    """

    def convert_to_read(self, value, record, use_display_name=True):
        return _plain(super().convert_to_read(value, record, use_display_name))


def _plain(value):
    if value is None:
        return False
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value
