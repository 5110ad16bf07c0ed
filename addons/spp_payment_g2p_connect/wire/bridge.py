"""Dialect B: the partner API of OpenG2P's G2P Bridge 1.0 and 1.1, requests checked strictly, answers read tolerantly.

An *envelope* is declared first: so many disbursements, so much in all. Disbursements are then sent into it, and the
bridge pays once what it received equals what was declared. What an answer does not tell, the envelope's counters do:
a batch whose answer was lost was received if and only if the counter grew.

Three properties of the running bridge shape this module (wire facts, observed on 1.0.2):

- Totals are whole numbers there; fractions are cut off, batch by batch. A batch whose total has a fraction would
  leave the envelope unpaid for ever, so it is refused here.
- A disbursement cannot be looked up by our reference, only by the id that the bridge gave it in its answer.
- A status answer has no status: no record means in progress, cancelled, or never heard of.
"""

import enum
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from .answers import (
    REFUSING,
    Finding,
    NotJson,
    Reading,
    Verdict,
    http_words,
    json_object,
    moment,
    object_of,
)
from .messages import CURRENCY, MessageError, amount_text, check_short, envelope
from .words import clean, hide_numbers, plain

FREQUENCIES = (
    "Daily", "Weekly", "Fortnightly", "Monthly", "BiMonthly", "Quarterly", "SemiAnnually", "Annually", "OnDemand",
)  # fmt: skip
CREATE_ENVELOPE = "create_disbursement_envelope"
AMEND_ENVELOPE = "amend_disbursement_envelope"
CANCEL_ENVELOPE = "cancel_disbursement_envelope"
CREATE = "create_disbursements"
CANCEL = "cancel_disbursements"
ENVELOPE_STATUS = "get_disbursement_envelope_status"
STATUS = "get_disbursement_status"
STATUS_LIMIT = 500  # disbursements in one status request


class Declaration(NamedTuple):
    """What an envelope is about. `total` is a whole number; `program` a code agreed with the bridge's operator."""

    program: str
    cycle: str
    frequency: str
    count: int
    total: Decimal
    currency: str
    schedule: date


class Disbursement(NamedTuple):
    """One payment into an envelope; the bridge finds the account by the beneficiary's id."""

    reference: str
    beneficiary_id: str
    beneficiary_name: str
    amount: Decimal
    narrative: str


@dataclass(frozen=True)
class Counters:
    """How far an envelope is, as the bridge counts; None where it does not say."""

    received: int | None = None
    received_total: int | None = None
    shipped: int | None = None
    reconciled: int | None = None
    reversed: int | None = None
    funds_available: str = ""
    funds_blocked: str = ""


class Proof(enum.Enum):
    """What the envelope's counter says of a batch whose answer was lost."""

    NOT_RECEIVED = "not_received"  # the counter did not move: it may be sent again
    RECEIVED = "received"  # it grew by exactly the batch: received, but the ids are lost
    UNCLEAR = "unclear"  # anything else: a person looks


# ---------------------------------------------------------------------- requests


def whole(amount):
    """The amount as the whole number that the bridge can hold; raise MessageError where it is none."""
    amount_text(amount)
    if amount != amount.to_integral_value():
        raise MessageError("The G2P Bridge counts whole amounts only; this total has a fraction.")
    return int(amount)


def declare(party, message_id, declaration, now, today):
    """The request that opens an envelope."""
    message = _declared(declaration, today)
    return _message(party, CREATE_ENVELOPE, message_id, 1, message, now)


def amend(party, message_id, envelope_id, declaration, now, today):
    """The request that changes what an envelope declares; taken before its schedule date only."""
    message = {**_declared(declaration, today), "disbursement_envelope_id": _id(envelope_id)}
    return _message(party, AMEND_ENVELOPE, message_id, 1, message, now)


def disburse(party, message_id, envelope_id, disbursements, now):
    """The request that puts disbursements into an envelope: all of them or none is taken."""
    if not disbursements:
        raise MessageError("There is no payment in the message.")
    if len({each.reference for each in disbursements}) != len(disbursements):
        raise MessageError("A reference is in the message twice.")
    whole(sum(each.amount for each in disbursements))
    message = [_disbursement(each, envelope_id) for each in disbursements]
    return _message(party, CREATE, message_id, len(message), message, now)


def check(disbursement):
    """Raise MessageError when this payment may not leave."""
    _disbursement(disbursement, "-")


def cancel_envelope(party, message_id, envelope_id, now):
    return _message(
        party, CANCEL_ENVELOPE, message_id, 1, {"disbursement_envelope_id": _id(envelope_id)}, now
    )


def cancel(party, message_id, disbursement_ids, now):
    """The request that takes disbursements back, before the envelope's schedule date."""
    message = [{"disbursement_id": _id(each)} for each in disbursement_ids]
    return _message(party, CANCEL, message_id, len(message), message, now)


def ask_envelope(party, message_id, envelope_id, now):
    return _message(party, ENVELOPE_STATUS, message_id, 1, _id(envelope_id), now)


def ask(party, message_id, disbursement_ids, now):
    if not 1 <= len(disbursement_ids) <= STATUS_LIMIT:
        raise MessageError(f"A status request is about 1 to {STATUS_LIMIT} payments.")
    message = [_id(each) for each in disbursement_ids]
    return _message(party, STATUS, message_id, len(message), message, now)


def _message(party, action, message_id, total_count, message, now):
    # The action is the name of the operation: anything else is refused with rjct.action.not_supported.
    return envelope(party, action, message_id, total_count, message, now)


def _declared(declaration, today):
    check_short(declaration.program, "program's code at the bridge")
    check_short(declaration.cycle, "cycle's code")
    if declaration.frequency not in FREQUENCIES:
        raise MessageError(f"The frequency is none of {', '.join(FREQUENCIES)}.")
    if declaration.count < 1:
        raise MessageError("An envelope is of at least one payment.")
    if not CURRENCY.fullmatch(declaration.currency or ""):
        raise MessageError("The currency is not an ISO 4217 code of three capital letters.")
    if declaration.schedule < today:
        raise MessageError("The day of payment has passed.")
    return {
        "benefit_program_mnemonic": declaration.program,
        "disbursement_frequency": declaration.frequency,
        "cycle_code_mnemonic": declaration.cycle,
        "number_of_beneficiaries": declaration.count,
        "number_of_disbursements": declaration.count,
        "total_disbursement_amount": whole(declaration.total),
        "disbursement_currency_code": declaration.currency,
        "disbursement_schedule_date": declaration.schedule.isoformat(),
    }


def _disbursement(item, envelope_id):
    check_short(item.reference, "reference")
    check_short(item.narrative, "narrative")
    for text, label in ((item.beneficiary_id, "beneficiary's id"), (item.beneficiary_name, "name")):
        if not text or not text.isprintable():
            raise MessageError(f"The {label} is missing or has characters that cannot be printed.")
    amount_text(item.amount)
    # A number on this wire. Two decimals survive as a double far beyond any payment; whole ones go as integers.
    number = int(item.amount) if item.amount == item.amount.to_integral_value() else float(item.amount)
    if Decimal(repr(number)) != item.amount:
        raise MessageError("The amount is too large to be written exactly.")
    return {
        "disbursement_envelope_id": _id(envelope_id),
        "beneficiary_id": item.beneficiary_id,
        "beneficiary_name": item.beneficiary_name,
        "disbursement_amount": number,
        "narrative": item.narrative,
        "mis_reference_number": item.reference,
    }


def _id(value):
    if not isinstance(value, str) or not value.strip():
        raise MessageError("The bridge's id is missing.")
    return value


# ---------------------------------------------------------------------- answers


@dataclass(frozen=True)
class BridgeReading(Reading):
    """A reading of a bridge's answer.

    `findings` are by what was asked about: our reference (disburse) or the bridge's id (status).
    """

    envelope_id: str = ""
    ids: dict[str, str] = field(default_factory=dict)  # our reference: the bridge's id of the disbursement
    counters: Counters = Counters()


def read_declare(status, text):
    """Read the answer to `declare()`, `amend()` or `cancel_envelope()`."""
    body, reading = _read(status, text)
    if reading:
        return reading
    envelope_id = _text_id(object_of(body.get("message")).get("disbursement_envelope_id"))
    if not envelope_id:
        return BridgeReading(Verdict.UNCLEAR, "The bridge's answer names no envelope.")
    return BridgeReading(Verdict.ANSWERED, envelope_id=envelope_id)


def read_disburse(status, text, expected):
    """Read the answer to `disburse()`.

    :param expected: references that were sent
    """
    body, reading = _read(status, text)
    if reading:
        if reading.verdict is Verdict.REFUSED:
            reasons = _item_reasons(body, expected)
            return BridgeReading(Verdict.REFUSED, reading.reason, reading.code, findings=reasons)
        return reading
    ids, findings, strangers = {}, {}, 0
    for entry in _list(body.get("message")):
        reference, given = entry.get("mis_reference_number"), _text_id(entry.get("disbursement_id"))
        if reference not in expected:
            strangers += 1
        elif given and reference not in ids:
            ids[reference] = given
            findings[reference] = Finding("accepted")
        elif given:
            findings[reference] = Finding(
                "accepted", alert="The bridge lists this payment twice in its answer."
            )
    if not findings:
        return BridgeReading(
            Verdict.UNCLEAR, "The bridge's answer says nothing about the payments.", strangers=strangers
        )
    return BridgeReading(Verdict.ANSWERED, findings=findings, strangers=strangers, ids=ids)


def read_envelope(status, text):
    """Read the answer to `ask_envelope()`; UNCLEAR means it told nothing."""
    body, reading = _read(status, text)
    if reading:
        return BridgeReading(Verdict.UNCLEAR, reading.reason, reading.code)
    message = object_of(body.get("message"))
    counters = Counters(
        received=_count(message.get("number_of_disbursements_received")),
        received_total=_count(message.get("total_disbursement_amount_received")),
        shipped=_count(message.get("number_of_disbursements_shipped")),
        reconciled=_count(message.get("number_of_disbursements_reconciled")),
        reversed=_count(message.get("number_of_disbursements_reversed")),
        funds_available=clean(message.get("funds_available_with_bank"))[:50],
        funds_blocked=clean(message.get("funds_blocked_with_bank"))[:50],
    )
    if counters.received is None:
        return BridgeReading(Verdict.UNCLEAR, "The bridge's answer has no counters.")
    return BridgeReading(Verdict.ANSWERED, counters=counters)


def read_status(status, text, expected):
    """Read the answer to `ask()`.

    :param expected: ids that were asked about. One without a record has no finding: that proves nothing.
    """
    body, reading = _read(status, text)
    if reading:
        return BridgeReading(Verdict.UNCLEAR, reading.reason, reading.code)
    findings, strangers = {}, 0
    for entry in _list(body.get("message")):
        given = _text_id(entry.get("disbursement_id"))
        if given not in expected:
            strangers += 1
            continue
        finding = _records(object_of(entry.get("disbursement_recon_records")))
        if finding:
            findings[given] = finding
    return BridgeReading(Verdict.ANSWERED, findings=findings, strangers=strangers)


def what_became_of(before, after, count):
    """What the envelope's counter proves about a batch of `count` whose answer was lost.

    :param before: disbursements that the bridge had received before, by our own books
    :param after: the bridge's counter now
    """
    if after is None or after < before:
        return Proof.UNCLEAR
    if after == before:
        return Proof.NOT_RECEIVED
    return Proof.RECEIVED if after == before + count else Proof.UNCLEAR


def _records(records):
    """One finding from the records about one disbursement, or None where there is none."""
    recon = _list(records.get("disbursement_recon_payloads"))
    errors = _list(records.get("disbursement_error_recon_payloads"))
    if not recon and not errors:
        return None
    alert = ""
    if errors:
        alert = plain(errors[-1].get("error_reason"), "") or "The bridge could not reconcile the payment."
    if not recon:
        return Finding("unknown", alert, clean(errors[-1].get("error_reason"))[:50], alert=alert)
    if len(recon) > 1:
        alert = alert or f"The bridge has {len(recon)} bank records of this payment."
    last = recon[-1]
    if any(each.get("reversal_found") is True for each in recon):
        back = next(each for each in recon if each.get("reversal_found") is True)
        reason = hide_numbers(clean(back.get("reversal_reason")))[:200]
        return Finding("returned", reason or "The bank sent it back.", "", _day(back, "reversal"), alert)
    # The bridge's records carry no amount.
    return Finding("paid", "", "", _day(last, "remittance"), alert, amount_told=False)


def _day(record, kind):
    return moment(record.get(f"{kind}_value_date")) or moment(record.get(f"{kind}_entry_date"))


def _read(status, text):
    """(body, None) of an answer that says it succeeded, else (body or {}, the reading)."""
    try:
        body = json_object(text)
    except NotJson as error:
        reason = str(error) if 200 <= status < 300 else http_words(status)
        return {}, BridgeReading(Verdict.UNCLEAR, reason)
    errors = _list(body.get("errors"))
    if not 200 <= status < 300:
        code = clean(errors[0].get("code")) if errors else ""
        reason = f"{http_words(status)} {plain(code, errors[0].get('message')) if errors else ''}".strip()
        verdict = Verdict.REFUSED if status in REFUSING and errors else Verdict.UNCLEAR
        return body, BridgeReading(verdict, reason, code)
    header = object_of(body.get("header"))
    said = clean(header.get("status")).lower()
    if said == "succ":
        return body, None
    if said == "rjct":
        # The code stands where the text belongs (observed).
        code = clean(header.get("status_reason_code")) or clean(header.get("status_reason_message"))
        code = code.removeprefix("StatusReasonCodeEnum.")
        return body, BridgeReading(
            Verdict.REFUSED,
            plain(code, "") or "The bridge refused the message and gave no reason.",
            code[:100],
        )
    return body, BridgeReading(Verdict.UNCLEAR, "The bridge's answer does not say whether it was accepted.")


def _item_reasons(body, expected):
    """What a refused message says of single payments: those are at fault, the others are not."""
    reasons = {}
    for entry in _list(body.get("message")):
        codes = [clean(code) for code in _list(entry.get("response_error_codes"), str) if clean(code)]
        if entry.get("mis_reference_number") in expected and codes:
            reason = " ".join(plain(code, "") for code in codes)
            reasons[entry["mis_reference_number"]] = Finding("rejected", reason, codes[0][:100])
    return reasons


def _list(value, kind=dict):
    if isinstance(value, dict):
        value = [value]
    return [each for each in value if isinstance(each, kind)] if isinstance(value, list) else []


def _text_id(value):
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return clean(value)


def _count(value):
    if isinstance(value, Decimal) and value == value.to_integral_value():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
