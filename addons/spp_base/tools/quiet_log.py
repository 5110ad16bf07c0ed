"""Failing SQL statements are logged without their values.

Odoo logs every statement that fails, with its values, also where it tries again and succeeds (two people edit one
record). Values may be account numbers, documents, names. What helps to find a fault stays: what was done to which
table, and the error's code.
"""

import logging
import re

BEGINNING = re.compile(
    r"\s*(?:WITH\b.*?)?(SELECT|INSERT INTO|UPDATE|DELETE FROM|\w+)\s+(\S+)", re.IGNORECASE | re.DOTALL
)


class WithoutValues(logging.Filter):
    def filter(self, record):
        if str(record.msg).startswith("bad query") and record.args:
            query, error = record.args[0], record.args[-1]
            text = query.decode(errors="replace") if isinstance(query, bytes) else str(query)
            found = BEGINNING.match(text)
            told = " ".join(found.groups()) if found else "a statement"
            code = getattr(error, "pgcode", None) or type(error).__name__
            record.msg, record.args = "bad query: %s …\nERROR: %s", (told, code)
            record.exc_info = record.exc_text = None
        return True


def install():
    """Once for each process; a second time does nothing."""
    logger = logging.getLogger("odoo.sql_db")
    if not any(isinstance(each, WithoutValues) for each in logger.filters):
        logger.addFilter(WithoutValues())
