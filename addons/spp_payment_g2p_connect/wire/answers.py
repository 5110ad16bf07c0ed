"""What a payer's answer says, read tolerantly: HTTP 200 with a refusal inside, lists for objects, nulls,
naive times, codes nobody has heard of, references left out, unknown or repeated.

The rule behind every doubt: what is not certain is *unknown*, never paid, never rejected, never to be sent again.
"""

import enum
import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from .words import clean, hide_numbers, plain

# A server that answers so has looked at the message and taken nothing of it, if its body says so too.
REFUSING = frozenset({400, 401, 403, 404, 405, 406, 411, 413, 414, 415, 422, 429, 431})
MOVED = frozenset({301, 307, 308})
# Codes of errors that a payer finds before it acts (standard 1.0.0, Ack; G2P servers: schema, path)
REFUSED_BEFORE_ACTING = (
    "rjct.", "err.request.bad", "err.request.unauthorized", "err.request.forbidden", "err.version.",
    "err.sender_id.", "err.sender_uri.", "err.receiver_id.", "err.signature.", "err.encryption.",
    "g2p-req-102", "g2p-req-404",
)  # fmt: skip
# "We have this already" refuses the copy, not the first: whoever gets it must ask what became of that.
SEEN_BEFORE = frozenset({"rjct.reference_id.duplicate", "rjct.message_id.duplicate"})


class Verdict(enum.Enum):
    ANSWERED = "answered"  # read: `findings` has what it says of each payment
    REFUSED = "refused"  # nothing of the message was accepted; it may be sent again
    UNCLEAR = "unclear"  # it may or may not have been acted on


@dataclass(frozen=True)
class Finding:
    """What is said of one reference: state is paid, accepted, rejected, returned (after it was paid) or unknown
    (said, but not clear)."""

    state: str
    reason: str = ""
    code: str = ""
    at: datetime | None = None  # UTC, without offset
    alert: str = ""  # something a person must look at, whatever the state
    paid_amount: Decimal | None = (
        None  # what the payer says it paid, where that is not what it was asked to pay
    )
    amount_told: bool = True  # of what is paid: the answer says how much it was


@dataclass(frozen=True)
class Reading:
    verdict: Verdict
    reason: str = ""
    code: str = ""
    findings: dict[str, Finding] = field(default_factory=dict)
    strangers: int = 0  # entries about references that were not asked about


class NotJson(ValueError):
    pass


def read_disburse(status, text, expected):
    """Read the answer to a disburse request.

    :param status: HTTP status
    :param text: body
    :param expected: {reference: (amount as Decimal, currency code)} of what was sent
    """
    try:
        body = json_object(text)
    except NotJson as error:
        return _without_json(status, str(error))
    refusal = _refusal(body)
    if not 200 <= status < 300:
        return _by_status(status, refusal)
    reading = _findings(entries_of(body), expected)
    if refusal is None:
        if not reading.findings:
            return Reading(
                Verdict.UNCLEAR,
                "The payer's answer says nothing about the payments.",
                strangers=reading.strangers,
            )
        return reading
    code, reason = refusal
    if code.lower() in SEEN_BEFORE:
        return Reading(Verdict.UNCLEAR, reason, code)
    states = {finding.state for finding in reading.findings.values()}
    if states - {"rejected"}:
        return reading  # the header refuses, yet some payments are taken: believe what is said of each
    if reading.findings.keys() == expected.keys() and not code:
        return reading  # each was looked at and refused for its own reason
    return Reading(Verdict.REFUSED if _refused_before_acting(body, code) else Verdict.UNCLEAR, reason, code)


def read_ack(status, text, expected):
    """Read the acknowledgement of a disburse request, of the asynchronous pair.

    ACK and NACK both say that the payer has the message; after NACK it will not report by itself. Only ERR refuses.
    A server that answers at once instead is believed.
    """
    reading = read_disburse(status, text, expected)
    taken = _acknowledged(status, text)
    if reading.verdict is not Verdict.UNCLEAR or not taken:
        return reading
    reason = REMARKS["nack"] if taken == "NACK" else ""
    return Reading(
        Verdict.ANSWERED, reason, findings={reference: Finding("accepted", reason) for reference in expected}
    )


def read_status_ack(status, text, expected):
    """Read the acknowledgement of a status request: the answer itself comes as a message of the payer's."""
    if _acknowledged(status, text):
        return Reading(Verdict.ANSWERED)
    return read_status(status, text, expected)


def _acknowledged(status, text):
    """ACK or NACK where the answer is one of them, else "" ."""
    try:
        message = object_of(json_object(text).get("message")) if 200 <= status < 300 else {}
    except NotJson:
        return ""
    said = clean(message.get("ack_status")).upper()
    return said if said in ("ACK", "NACK") else ""


def _refused_before_acting(body, code):
    """Is it certain that nothing of the message was taken? The header of the standard says so; other errors inside
    HTTP 200 only where their code is about the message itself. "Timed out" and "unavailable" leave it open."""
    header = object_of(body.get("header"))
    return clean(header.get("status")).lower() == "rjct" or code.lower().startswith(REFUSED_BEFORE_ACTING)


def read_status(status, text, expected):
    """Read the answer to a status request; UNCLEAR means it told nothing. Parameters as in read_disburse()."""
    try:
        body = json_object(text)
    except NotJson as error:
        return Reading(Verdict.UNCLEAR, str(error) if 200 <= status < 300 else http_words(status))
    refusal = _refusal(body)
    if not 200 <= status < 300:
        code, reason = refusal or ("", "")
        return Reading(Verdict.UNCLEAR, reason or http_words(status), code)
    entries = entries_of(body)
    if refusal is not None and not entries:
        return Reading(Verdict.UNCLEAR, refusal[1], refusal[0])
    reading = _findings(entries, expected)
    for reference, finding in reading.findings.items():
        if finding.state == "rejected" and _is_about_the_question(finding.code):
            reading.findings[reference] = replace(finding, state="unknown")
    return reading


def _is_about_the_question(code):
    """Does the code refuse what we asked, rather than the payment? "No such reference" proves nothing: the payer
    may not have got to it yet."""
    return any(part in code.lower() for part in ("reference_id", "transaction_id", ".srch", "_srch"))


def json_object(text):
    try:
        body = json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError):
        looks_html = text.lstrip()[:1] == "<"
        raise NotJson(
            "The payer answered with a web page instead of a G2P Connect message; check the address."
            if looks_html
            else "The payer's answer cannot be read: it is not JSON."
        ) from None
    if not isinstance(body, dict):
        raise NotJson("The payer's answer is not a G2P Connect message.")
    return body


def _without_json(status, reason):
    if status in MOVED:
        return Reading(Verdict.REFUSED, http_words(status))
    return Reading(Verdict.UNCLEAR, reason if 200 <= status < 300 else http_words(status))


def _by_status(status, refusal):
    code, reason = refusal or ("", "")
    if status in MOVED:
        return Reading(Verdict.REFUSED, http_words(status))
    if status in REFUSING and refusal is not None and code.lower() not in SEEN_BEFORE:
        return Reading(Verdict.REFUSED, f"{http_words(status)} {reason}".strip(), code)
    return Reading(Verdict.UNCLEAR, f"{http_words(status)} {reason}".strip(), code)


def http_words(status):
    if status in (401, 403):
        return f"The payer does not let us in (HTTP {status}); check the endpoint's credentials."
    if status in (404, 405):
        return (
            f"The payer has nothing at this address (HTTP {status}); check the paths of the payment manager."
        )
    if status in MOVED:
        return f"The payer's service has moved to another address (HTTP {status})."
    if status >= 500:
        return f"The payer had an error of its own (HTTP {status})."
    return f"The payer answered HTTP {status}."


def object_of(value):
    return value if isinstance(value, dict) else {}


def _refusal(body):
    """(code, plain reason) when the body as a whole refuses, else None."""
    header, message = object_of(body.get("header")), object_of(body.get("message"))
    if clean(header.get("status")).lower() == "rjct":
        code = clean(header.get("status_reason_code"))
        reason = plain(code, header.get("status_reason_message"))
        return code, reason or "The payer refused the message and gave no reason."
    if clean(message.get("ack_status")).upper() == "ERR":
        error = object_of(message.get("error"))
        return clean(error.get("code")), plain(error.get("code"), error.get("message"))
    errors = body.get("errors") or body.get("error")
    if isinstance(errors, dict):
        errors = [errors]
    if isinstance(errors, list) and errors:
        first = object_of(errors[0])
        return clean(first.get("code")), plain(first.get("code"), first.get("message"))
    if isinstance(body.get("detail"), str):
        return "", plain("", body["detail"])
    return None


def entries_of(body):
    """The list of entries about payments, wherever the server put it."""
    message = object_of(body.get("message"))
    place = message.get("txnstatus_response", message)
    if isinstance(place, dict) and "txn_status" in place:
        place = place["txn_status"]
    if isinstance(place, dict):
        place = place.get("disbursements_status", [])
    if isinstance(place, dict):
        place = [place]
    return [each for each in place if isinstance(each, dict)] if isinstance(place, list) else []


def _findings(entries, expected):
    by_reference, strangers = {}, 0
    for entry in entries:
        reference = entry.get("reference_id")
        if isinstance(reference, str) and reference in expected:
            by_reference.setdefault(reference, []).append(entry)
        else:
            strangers += 1
    findings = {
        reference: _aggregate(several, *expected[reference]) for reference, several in by_reference.items()
    }
    return Reading(Verdict.ANSWERED, findings=findings, strangers=strangers)


STATES = {"succ": "paid", "rcvd": "accepted", "pdng": "accepted", "rjct": "rejected", "fail": "accepted"}
REMARKS = {
    "fail": "The payer reports a failed attempt and may try again.",
    "nack": "The payer has it and will not report by itself; it is asked.",
}


def _aggregate(entries, amount, currency):
    """One finding from all entries about one reference.

    Paid counts most, then what may still be paid; only where every entry refuses is the payment rejected.
    """
    read = [_read_entry(entry, amount, currency) for entry in entries]
    if len(read) == 1:
        return read[0]
    rank = ("paid", "accepted", "unknown", "rejected")
    best = min(read, key=lambda finding: rank.index(finding.state))
    paid = sum(clean(entry.get("status")).lower() == "succ" for entry in entries)
    alert = best.alert
    if paid > 1:
        alert = f"The payer shows this payment as paid {paid} times."
    else:
        alert = alert or f"The payer lists this payment {len(entries)} times."
    return replace(best, alert=alert)


def _read_entry(entry, amount, currency):
    status = clean(entry.get("status")).lower()
    code = clean(entry.get("status_reason_code"))
    reason = plain(code, entry.get("status_reason_message"))
    at = moment(entry.get("timestamp"))
    state = STATES.get(status, "unknown")
    if state == "unknown":
        shown = hide_numbers(status)[:20] if status.isprintable() else ""
        return Finding(
            "unknown", f"The payer gives a state that is not known here: {shown or 'none'}.", code, at
        )
    if state == "rejected" and code.lower() in SEEN_BEFORE:
        return Finding("unknown", reason, code, at)
    if state == "rejected":
        return Finding("rejected", reason or "The payer refused the payment and gave no reason.", code, at)
    if state == "paid":
        differs = _differs(entry, amount, currency)
        if differs:
            return Finding("unknown", differs, code, at, differs, _other_amount(entry, amount))
        told = entry.get("amount") not in (None, "")
        return Finding("paid", reason, code, at, amount_told=told)
    return Finding(state, reason or REMARKS.get(status, ""), code, at)


def _differs(entry, amount, currency):
    """Plain words when the payer says it paid another amount than ours; an absent amount says nothing."""
    told = entry.get("amount")
    if told not in (None, ""):
        try:
            told_amount = Decimal(str(told))
        except InvalidOperation:
            return "The payer reports the payment as paid with an amount that cannot be read."
        if told_amount != amount:
            return f"The payer reports that it paid {told_amount} instead of {amount}."
    told_currency = clean(entry.get("currency_code"))
    if told_currency and told_currency.upper() != currency:
        return f"The payer reports that it paid in {told_currency[:3]} instead of {currency}."
    return ""


def _other_amount(entry, amount):
    """The amount that the payer says it paid, where it is another one and can be read; else None."""
    try:
        told = Decimal(str(entry.get("amount")))
    except InvalidOperation:
        return None
    return told if told.is_finite() and told != amount and 0 <= told < 10**15 else None


def moment(text):
    """ISO 8601, with or without offset (then UTC), as UTC without offset; None when it is no time."""
    try:
        read = datetime.fromisoformat(text)
        if read.tzinfo is not None:
            read = read.astimezone(UTC).replace(tzinfo=None)
    except (TypeError, ValueError, OverflowError):
        return None
    return read.replace(microsecond=0)
