"""Whether two accounts are the same one, without keeping the number."""

from odoo.tools import SQL


def account_print(account, kind, provider, number):
    """SQL of the fingerprint of an account (kind, provider and number), NULL where there is none."""
    return SQL(
        "CASE WHEN %s IS NOT NULL THEN md5(concat_ws('|', %s, %s, %s)) END", account, kind, provider, number
    )
