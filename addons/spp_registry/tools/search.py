"""Searches that an index answers, whatever the number of registrants.

Odoo's own `ilike` reads every row. Names are found by the beginnings of their words, in any order ("ana cru" finds
CRUZ, ANA), numbers by their beginning. The expressions below are those of the indexes: what builds an index and what
asks it come from here.
"""

from odoo.tools import SQL

# Signs that end a word, on both sides; the text search parser would read some of them as parts of numbers or addresses.
SIGNS = ".,;:!?/|-–—’'\"()[]{}<>@_&+*#=\\"
_BREAKS = str.maketrans(SIGNS, " " * len(SIGNS))
MOST_WORDS = 8


def _literal(text):
    return "'" + text.replace("'", "''") + "'"


def words_index(column):
    """The words of a column, as the expression of a GIN index (SQL text)."""
    return f"to_tsvector('simple'::regconfig, translate({column}, {_literal(SIGNS)}, {_literal(' ' * len(SIGNS))}))"


def digits_index(column):
    """The digits of a column (SQL text)."""
    return f"regexp_replace({column}, '[^0-9]', '', 'g')"


def words_of(text):
    """The words that somebody looks for.

    >>> words_of("cruz, ana-maria")
    ['cruz', 'ana', 'maria']
    """
    return (text or "").translate(_BREAKS).split()[:MOST_WORDS]


def by_words(column, text):
    """Condition: each word of `text` begins a word of the column, an SQL identifier as text."""
    query = " & ".join(f"'{word}':*" for word in words_of(text))
    return SQL(f"{words_index(column)} @@ to_tsquery('simple'::regconfig, %s)", query)


def by_beginning(expression, text):
    """Condition: the expression (SQL text), in small letters, begins with `text`."""
    escaped = text.strip().lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return SQL(f"lower({expression}) LIKE %s", escaped + "%")


def found(model, condition):
    """Domain of the records of `model` that meet an SQL condition; the rights are those of the search around it."""
    query = model.sudo().with_context(active_test=False)._search([])
    query.add_where(condition)
    return [("id", "in", query)]
