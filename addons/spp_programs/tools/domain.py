"""Domains that a person or another system gives: read as data, never evaluated, and checked before they are used."""

import ast

from odoo import _
from odoo.exceptions import UserError

OPERATORS = ("=", "!=", "<", "<=", ">", ">=", "in", "not in", "like", "not like", "ilike", "not ilike", "=like", "=ilike",
             "child_of", "parent_of")  # fmt: skip
PLAIN = (str, int, float, bool, type(None))
MOST_TERMS = 50


def checked(model, domain):
    """Return `domain`, a list or its text, as a list that may be searched with, and that is the same read from JSON.

    Names are fields of the model, or of what they lead to over many2one fields, that can be searched and that every
    reader of the model may read. Values are plain.

    :raise UserError: naming what is wrong
    """
    if isinstance(domain, str):
        try:
            domain = ast.literal_eval(domain.strip() or "[]")
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            raise UserError(
                _("%s is no domain. Its values are plain texts, numbers and lists.", domain)
            ) from None
    if not isinstance(domain, list | tuple):
        raise UserError(_("%s is no domain.", domain))
    if len(domain) > MOST_TERMS:
        raise UserError(_("A domain has at most %s parts.", MOST_TERMS))
    expected = 1  # how many terms are still to come, counted as in prefix notation
    clean = []
    for part in domain:
        if not expected:
            clean.insert(0, "&")
            expected = 1
        if part in ("&", "|"):
            expected += 1
            clean.append(part)
        elif part == "!":
            clean.append(part)
        else:
            clean.append(_term(model, part))
            expected -= 1
    if domain and expected:
        raise UserError(_("The domain ends where another condition should follow."))
    return clean


def _term(model, term):
    if not (isinstance(term, list | tuple) and len(term) == 3):
        raise UserError(_("%s is no condition: it has a field, an operator and a value.", term))
    path, operator, value = term
    if operator not in OPERATORS:
        raise UserError(_("There is no operator %s.", operator))
    values = value if isinstance(value, list | tuple) else [value]
    if not all(isinstance(each, PLAIN) for each in values):
        raise UserError(_("%s is no plain value.", value))
    if (operator in ("in", "not in")) != isinstance(value, list | tuple):
        if operator not in ("child_of", "parent_of"):
            raise UserError(_("The operators in and not in take a list, and no other does."))
    _check_path(model, path)
    return [path, operator, list(value) if isinstance(value, tuple) else value]


def _check_path(model, path):
    names = path.split(".") if isinstance(path, str) else []
    if not 1 <= len(names) <= 4:
        raise UserError(_("%s is no field.", path))
    for position, name in enumerate(names):
        field = model._fields.get(name)
        if field is None or not (field.store or field.search):
            raise UserError(
                _(
                    "%(model)s has no field %(name)s that can be searched.",
                    model=model._description,
                    name=name,
                )
            )
        if field.groups:
            raise UserError(_("%s is not for everybody to read: nothing is chosen by it.", name))
        if position < len(names) - 1:
            if field.type != "many2one":
                raise UserError(_("%s leads to nothing that has fields of its own.", name))
            model = model.env[field.comodel_name]
