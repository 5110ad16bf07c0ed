"""Id and account strings, `id-type:value@provider` (G2P Connect), made from a template.

    >>> fill("token:{value}@nationalId", {"value": "9190d1e6A"})
    'token:9190d1e6A@nationalId'

SPAR compares these strings byte by byte and never parses them, so a value that holds a separator would
make a string that reads as something else. Such a value is refused here, in plain words; it is never
trimmed or escaped into something the person did not give.
"""

import string

FORBIDDEN = "@:{}\"'\\"


class TemplateError(ValueError):
    """A template that cannot be used, or a value that may not go into one. The message names no value."""


def _placeholders(template):
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        raise TemplateError(f"The template cannot be read: {error}.") from None
    names = []
    for _text, name, spec, conversion in parts:
        if name is None:
            continue
        if not name.isidentifier() or spec or conversion:
            raise TemplateError("A template holds only plain placeholders such as {value}.")
        names.append(name)
    return names


def check_template(template, known, needed):
    """Raise TemplateError unless `template` uses only `known` names and all `needed` ones, once each."""
    names = _placeholders(template)
    for name in names:
        if name not in known:
            allowed = ", ".join("{" + each + "}" for each in sorted(known))
            raise TemplateError(f"{{{name}}} is not known here; use {allowed}.")
    for name in needed:
        if names.count(name) != 1:
            raise TemplateError(f"The template must hold {{{name}}} once.")
    literal = template
    for name in names:
        literal = literal.replace("{" + name + "}", "")
    if any(not char.isascii() or not char.isprintable() or char.isspace() for char in literal):
        raise TemplateError("A template holds no spaces and only ASCII characters.")


def _check_value(name, label, value, at_sign_allowed):
    if not value:
        raise TemplateError(f"The {label} is missing.")
    rest = value.replace("@", "", 1) if at_sign_allowed else value
    for char in rest:
        if char.isspace():
            raise TemplateError(f"The {label} holds a space, which SPAR cannot tell from a typing mistake.")
        if not char.isascii() or not char.isprintable() or char in FORBIDDEN:
            raise TemplateError(f"The {label} holds the character “{char}”, which SPAR strings may not hold.")


def fill(template, values, labels=None, at_sign=()):
    """Put `values` (name -> text) into `template`; `labels` (name -> words) are used in messages.

    Names in `at_sign` may hold one "@" (e-mail addresses). Raises TemplateError, which never quotes a value.
    """
    labels = labels or {}
    used = _placeholders(template)
    stripped = {name: (values.get(name) or "").strip() for name in used}
    for name in used:
        _check_value(name, labels.get(name, name), stripped[name], name in at_sign)
    return template.format(**stripped)


def mask(fa):
    """An account string for those who may not read it: its kind, its provider and the last digits.

    >>> mask("account:1000000001@main.fb01")
    'account:••••0001@main.fb01'
    """
    kind, colon, rest = fa.rpartition(":") if fa.count(":") == 1 else ("", "", fa)
    value, at, provider = rest.rpartition("@") if "@" in rest else (rest, "", "")
    return f"{kind}{colon}{mask_value(value)}{at}{provider}" if fa else ""


def mask_value(value):
    """A number without what would tell it."""
    return "••••" + (value[-4:] if len(value) > 7 else "")
