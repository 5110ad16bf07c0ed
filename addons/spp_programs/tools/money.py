"""The one place where amounts are read and rounded.

Rounding is half up (away from zero on a tie) to the rounding step of the currency: `rounded()` does it for
a whole statement, in PostgreSQL's exact numeric. A figure typed or sent by a person is never rounded: `exact()`
refuses what the currency cannot hold.
"""

import re
from decimal import Decimal

from odoo import _
from odoo.exceptions import UserError
from odoo.tools import SQL

PLAIN = re.compile(r"-?[0-9]{1,15}([.][0-9]+)?")


def step(currency):
    """Return the smallest amount of the currency as an exact number, e.g. Decimal("0.01")."""
    return Decimal(f"{currency.rounding:.6f}").normalize()


def rounded(amount, currency):
    """Return SQL that rounds the SQL expression `amount` to the currency, half up."""
    smallest = str(step(currency))
    return SQL("round((%s)::numeric / %s::numeric) * %s::numeric", amount, smallest, smallest)


def exact(text, currency):
    """Return the decimal string `text` as a Decimal.

    :raise UserError: if it is not a plain decimal number, or has more digits than the currency

    >>> exact("1250.50", currency)
    Decimal('1250.50')
    """
    if not PLAIN.fullmatch(str(text).strip()):
        raise UserError(_("%r is not an amount. Write it as a decimal number, like 1250.50.", text))
    amount = Decimal(str(text).strip())
    if amount % step(currency):
        raise UserError(
            _(
                "%(amount)s cannot be held in %(currency)s: its smallest amount is %(step)s.",
                amount=text,
                currency=currency.name,
                step=step(currency),
            )
        )
    return amount


def shown(amount, currency):
    """Return an amount as people read it in a message, e.g. "12,500.00 KES"."""
    return f"{Decimal(str(amount)):,.{currency.decimal_places}f} {currency.name}"
