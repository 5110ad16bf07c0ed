"""The requests of dialect A, checked strictly before anything leaves.

Form: G2P Connect disburse 1.0.0. Beyond it, what the servers in the field insist on: the key `signature`, and
`scheduled_timestamp` and `currency_code` on each item.
"""

import re
from decimal import ROUND_DOWN, Decimal
from typing import NamedTuple

VERSION = "1.0.0"
STATUS_LIMIT = 500  # references in one status request
AMOUNT = re.compile(r"\d{1,13}\.\d{1,2}")
CURRENCY = re.compile(r"[A-Z]{3}")
LOCALE = re.compile(r"[a-z]{3}")
SHORT = 99  # characters of reference_id, transaction_id, note, purpose


class MessageError(ValueError):
    """The message, or one payment of it, may not leave. The text is plain words and quotes no account."""


class Party(NamedTuple):
    """Who speaks to whom, and how."""

    sender_id: str
    receiver_id: str = ""
    locale: str = "eng"
    sender_uri: str = ""  # where answers are sent to, in the asynchronous pair


class Item(NamedTuple):
    """One payment to be made; `amount` is exact, `payee_fa` complete."""

    reference: str
    amount: Decimal
    currency: str
    payer_fa: str
    payee_fa: str
    payer_name: str = ""
    payee_name: str = ""
    note: str = ""
    purpose: str = ""


def amount_text(amount):
    """The amount as the wire has it: two decimals, never a float, never rounded.

    >>> amount_text(Decimal("150.5"))
    '150.50'
    """
    if not isinstance(amount, Decimal) or not amount.is_finite():
        raise MessageError("The amount is not an exact number.")
    if amount <= 0:
        raise MessageError("The amount must be above zero.")
    cents = amount.quantize(Decimal("0.01"), rounding=ROUND_DOWN) if amount < Decimal("1e14") else amount
    if cents != amount:
        raise MessageError("G2P Connect carries two decimals; this amount has more.")
    text = f"{cents:.2f}"
    if not AMOUNT.fullmatch(text):
        raise MessageError("The amount is too large: G2P Connect carries 13 digits before the point.")
    return text


def check_short(text, label):
    if not text:
        raise MessageError(f"The {label} is missing.")
    if len(text) > SHORT:
        raise MessageError(f"The {label} is longer than {SHORT} characters.")
    if not text.isprintable():
        raise MessageError(f"The {label} has characters that cannot be printed.")


def disbursement(item, locale, now):
    """The wire form of one payment; raise MessageError when it may not leave."""
    check_short(item.reference, "reference")
    for text, label in ((item.payer_fa, "payer's account"), (item.payee_fa, "payee's account")):
        if not text or not text.isprintable() or " " in text:
            raise MessageError(f"The {label} is missing or cannot be written as a financial address.")
    if not CURRENCY.fullmatch(item.currency or ""):
        raise MessageError("The currency is not an ISO 4217 code of three capital letters.")
    wire = {
        "reference_id": item.reference,
        "payer_fa": item.payer_fa,
        "payee_fa": item.payee_fa,
        "amount": amount_text(item.amount),
        "scheduled_timestamp": time_text(now),
        "currency_code": item.currency,
        "locale": locale,
    }
    for name in ("payer_name", "payee_name"):
        if getattr(item, name):
            wire[name] = getattr(item, name)
    for name in ("note", "purpose"):
        if getattr(item, name):
            check_short(getattr(item, name), name)
            wire[name] = getattr(item, name)
    return wire


def disburse_request(party, action, message_id, transaction_id, disbursements, now):
    """The request that asks the payer to pay `disbursements` (from `disbursement()`)."""
    check_short(transaction_id, "batch name")
    if not disbursements:
        raise MessageError("There is no payment in the message.")
    references = {each["reference_id"] for each in disbursements}
    if len(references) != len(disbursements):
        raise MessageError("A reference is in the message twice.")
    if len({each["currency_code"] for each in disbursements}) != 1:
        raise MessageError("A message has payments of one currency only.")
    message = {"transaction_id": transaction_id, "disbursements": disbursements}
    return envelope(party, action, message_id, len(disbursements), message, now)


def status_request(party, action, message_id, references, now):
    """The request that asks what became of `references`; always by list, the only form all servers answer."""
    if not 1 <= len(references) <= STATUS_LIMIT:
        raise MessageError(f"A status request is about 1 to {STATUS_LIMIT} references.")
    for reference in references:
        check_short(reference, "reference")
    message = {
        "transaction_id": message_id,
        "txnstatus_request": {
            "reference_id": message_id,
            "txn_type": "disburse",
            "attribute_type": "reference_id_list",
            "attribute_value": list(references),
            "locale": party.locale,
        },
    }
    return envelope(party, action, message_id, 1, message, now)


def envelope(party, action, message_id, total_count, message, now):
    """A whole request, of either dialect: header and message."""
    for text, label in ((party.sender_id, "sender id"), (action, "action name"), (message_id, "message id")):
        check_short(text, label)
    if not LOCALE.fullmatch(party.locale or ""):
        raise MessageError("The locale is not an ISO 639-3 code of three small letters, like eng.")
    header = {
        "version": VERSION,
        "message_id": message_id,
        "message_ts": time_text(now),
        "action": action,
        "sender_id": party.sender_id,
        "total_count": total_count,
        "is_msg_encrypted": False,
    }
    if party.receiver_id:
        header["receiver_id"] = party.receiver_id
    if party.sender_uri:
        header["sender_uri"] = party.sender_uri
    return {"signature": "", "header": header, "message": message}


def time_text(moment):
    if moment.tzinfo is None:
        raise MessageError("A time on the wire has its offset.")
    return moment.isoformat(timespec="seconds")
