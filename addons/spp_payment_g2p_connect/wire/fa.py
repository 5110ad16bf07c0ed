"""Financial addresses, `id-type:id@provider` (G2P Connect 1.0.0), made from a template.

    >>> fill("account:{number}@{bic}", {"number": "12345678", "bic": "EXBKUS33"})
    'account:12345678@EXBKUS33'

There is no agreed form in the field, so each kind of account has its template. A part that is missing, or that
holds a separator and would make the address read as another one, is refused; nothing is trimmed or escaped.
"""

import re
import string

PLACEHOLDERS = {
    "number": "account number",
    "bic": "identifier code (BIC) of the bank",
    "provider": "identifier code (BIC) of the provider",
}
# What may stand in for a placeholder. The same expression is used in SQL, so it keeps to what both understand.
PLAIN = r"^[A-Za-z0-9+._/-]+$"
EMAIL = r"^[A-Za-z0-9+._-]+@[A-Za-z0-9._-]+$"
LITERAL = re.compile(r"^[A-Za-z0-9+._:@/-]*$")


class AddressError(ValueError):
    """An address that cannot be made, or a template that cannot be used. The message quotes no value."""


def placeholders(template):
    """Return the names used in `template`, in order; raise AddressError unless it can be used.

    >>> placeholders("mobile:{number}@{provider}")
    ['number', 'provider']
    """
    try:
        parts = list(string.Formatter().parse(template or ""))
    except ValueError as error:
        raise AddressError(f"The template cannot be read: {error}.") from None
    names = []
    for literal, name, spec, conversion in parts:
        if not LITERAL.match(literal):
            raise AddressError("A template has letters, digits, placeholders and . : @ / + - _ only.")
        if name is None:
            continue
        if name not in PLACEHOLDERS or spec or conversion:
            known = ", ".join("{" + each + "}" for each in PLACEHOLDERS)
            raise AddressError(f"A template knows the placeholders {known} only.")
        names.append(name)
    if names.count("number") != 1:
        raise AddressError("A template must have {number} once.")
    return names


def pattern(name, kind):
    """The regular expression a value must match; an e-mail wallet's number is an e-mail address."""
    return EMAIL if (name, kind) == ("number", "email_wallet") else PLAIN


def fill(template, values, kind="bank"):
    """Put `values` (name -> text) into `template`; raise AddressError when one is missing or unusable."""
    for name in placeholders(template):
        value = values.get(name) or ""
        if not value:
            raise AddressError(f"The {PLACEHOLDERS[name]} is missing.")
        if not re.match(pattern(name, kind), value) or value.endswith("\n"):
            raise AddressError(
                f"The {PLACEHOLDERS[name]} has characters that a financial address cannot have."
            )
    return template.format(**values)
