"""Reason codes of G2P Connect and of the servers that speak it, in plain words."""

import json
import re

WORDS = {
    # One payment (specification 1.0.0, DisburseStatusReasonCode; the last is GCTB's own).
    "rjct.reference_id.invalid": "The payer does not accept the payment reference.",
    "rjct.reference_id.duplicate": "The payer has a payment with this reference already.",
    "rjct.timestamp.invalid": "The payer does not accept the time of the payment.",
    "rjct.payer_fa.invalid": "The payer does not accept the account that the money is taken from.",
    "rjct.payee_fa.invalid": "The payee's account is wrong, closed or unknown to the payer.",
    "rjct.amount.invalid": "The payer does not accept the amount.",
    "rjct.schedule_ts.invalid": "The payer does not accept the date on which the payment is due.",
    "rjct.currency_code.invalid": "The payer does not pay in this currency.",
    "rjct.payment.failed": "The payer tried to pay and could not.",
    # The whole message.
    "rjct.version.invalid": "The payer does not speak this version of G2P Connect.",
    "rjct.message_id.duplicate": "The payer received a message with this number before.",
    "rjct.message_ts.invalid": "The payer does not accept the time of the message.",
    "rjct.action.invalid": "The payer does not know the action name; it is set on the payment manager.",
    "rjct.action.not_supported": "The payer does not offer this action; its name is set on the payment manager.",
    "rjct.total_count.invalid": "The payer counted another number of payments than the message says.",
    "rjct.total_count.limit_exceeded": "The message has too many payments for the payer; lower the batch size.",
    "rjct.errors.too_many": "The payer found too many errors in the message.",
    "rjct.jwt.invalid": "The payer does not accept the signature of the message.",
    "rjct.file.size.exceeded": "The message is too large for the payer; lower the batch size.",
    "rjct.file.type.invalid": "The payer does not accept this kind of file.",
    "rjct.virus.check.failed": "The payer's virus check refused the message.",
    # Acknowledgements and HTTP errors.
    "err.request.bad": "The payer does not understand the request.",
    "err.request.unauthorized": "The payer does not accept our login; check the endpoint's credentials.",
    "err.request.forbidden": "The payer does not allow us to do this.",
    "err.request.not_found": "The payer has nothing at this address; check the paths of the payment manager.",
    "err.request.timeout": "The payer did not manage to answer in time.",
    "err.request.too_many_requests": "The payer asks us to call less often.",
    "err.version.not_supported": "The payer does not speak this version of G2P Connect.",
    "err.sender_id.invalid": "The payer does not know our sender id.",
    "err.sender_uri.invalid": "The payer does not accept our callback address.",
    "err.receiver_id.invalid": "The receiver id is not the payer's.",
    "err.signature.missing": "The payer wants signed messages.",
    "err.signature.invalid": "The payer does not accept the signature of the message.",
    "err.encryption.invalid": "The payer cannot decrypt the message.",
    "err.service.unavailable": "The payer's service is not available at the moment.",
    "g2p-req-102": "The payer found the form of the message wrong.",
    "g2p-req-404": "The payer has nothing at this address; check the paths of the payment manager.",
    "g2p-req-100": "The payer had an error of its own.",
    # The G2P Bridge; one is misspelt on the wire.
    "invalid_program_mnemonic": "The bridge does not know the program's code; its operator sets it up.",
    "invalid_disbursement_frequency": "The bridge does not accept the frequency.",
    "invalid_cycle_code_mnemonic": "The bridge does not accept the cycle's code.",
    "invalid_no_of_beneficiaries": "The bridge does not accept the number of beneficiaries.",
    "invalid_no_of_disbursements": "The bridge does not accept the number of payments.",
    "invalid_total_disbursement_amount": "The bridge does not accept the total.",
    "invalid_disbursement_currency_code": "The bridge does not pay in this currency.",
    "invalid_disbursement_schedule_date": "The bridge does not accept the day of payment.",
    "disbursement_envelope_not_found": "The bridge does not know this envelope.",
    "disbursement_envelope_already_canceled": "The envelope is cancelled at the bridge.",
    "envelope_already_cancelled": "The envelope is cancelled at the bridge.",
    "disbursement_envelope_date_passed": "The envelope's day of payment has passed.",
    "disbursement_envelope_schedule_date_reached": "The envelope's day of payment has come: nothing can change.",
    "invalid_disbursement_payload": "The bridge found an error in a payment of the message.",
    "invalid_disbursement_amount": "The bridge does not accept the amount.",
    "invalid_beneficiary_id": "The bridge does not accept the beneficiary's id.",
    "invalid_beneficiary_name": "The bridge does not accept the beneficiary's name.",
    "invalid_narrative": "The bridge does not accept the text of the payment.",
    "no_of_disbuesements_exceeds_declared": "More payments than the envelope declares.",
    "total_disbursement_amount_exceeds_declared": "More money than the envelope declares.",
    "no_of_disbursements_less_than_zero": "Fewer payments would be left than none.",
    "total_disbursement_amount_less_than_zero": "Less money would be left than nothing.",
    "multiple_envelopes_found": "The payments of a message belong to different envelopes.",
    "disbursement_already_canceled": "The payment is cancelled at the bridge already.",
    "invalid_disbursement_id": "The bridge's bank reported a payment that the bridge does not know.",
    "duplicate_disbursement": "The bank reported this payment twice.",
    "invalid_reversal": "The bank reported a return that the bridge cannot assign.",
    "invalid_account_number": "The bank reported an account that the bridge does not know.",
    "rjct_jwt_invalid": "The payer does not accept the signature of the message.",
}
SHOWN = 200  # characters of a payer's own text that are kept
# A word of six or more characters with four or more digits, or five or more digits however they are spaced.
LONG_NUMBER = re.compile(r"\b(?=(?:[A-Za-z]*\d){4})[A-Za-z0-9]{6,}\b|\d(?:[ .-]?\d){4,}")
EMAIL = re.compile(r"[^\s@<>\"]+@[^\s@<>\"]+")
ADDRESS_KEYS = frozenset({"payee_fa", "payer_fa", "beneficiary_id"})
FREE_TEXT_KEYS = frozenset({"status_reason_message", "instruction", "note", "message"})


def hide_numbers(text):
    """`text` with everything that could be an account number or an address reduced to its last characters.

    >>> hide_numbers("no such account 0011223344")
    'no such account ••••3344'
    """
    text = EMAIL.sub(lambda found: "••••@" + found[0].rsplit("@", 1)[1], text)
    return LONG_NUMBER.sub(lambda found: "••••" + found[0][-4:], text)


def clean(text):
    """`text` without what a database cannot keep: NUL and half characters; "" when it is no text."""
    if not isinstance(text, str):
        return ""
    if text.isascii() and "\0" not in text:
        return text.strip()
    return text.encode("utf-8", "replace").decode().replace("\0", "").strip()


def plain(code, message):
    """One sentence for a reason code and the payer's own words; either may be missing or of any type."""
    if not code and not message:
        return ""
    code = clean(code)
    own = hide_numbers(" ".join(clean(message).split()))[:SHOWN]
    known = WORDS.get(code.lower(), "")
    if known and own:
        return f"{known} The payer says: {own}"
    if known or not (own or code):
        return known
    return f"The payer says: {own or hide_numbers(code)[:SHOWN]}"


def masked_address(address):
    """`address` with its id hidden but for the last characters: account:••••5678@exbkus33."""
    if not isinstance(address, str) or not address:
        return address
    kind, colon, rest = address.partition(":")
    if not colon:
        kind, rest = "", address
    number, at, provider = rest.rpartition("@")
    if not at:
        number, provider = rest, ""
    shown = number[-4:] if len(number) > 7 else ""
    return f"{kind}{colon}••••{shown}{at}{provider}"


def masked_text(text):
    """A whole message for those who may not read account numbers; what is not JSON is not shown at all."""
    if not text:
        return text
    try:
        return clean(json.dumps(_masked(json.loads(text)), ensure_ascii=False, indent=1))
    except (ValueError, RecursionError):
        return f"(not JSON, {len(text)} characters: hidden)"


def _masked(value, key=""):
    if isinstance(value, dict):
        return {name: _masked(each, name) for name, each in value.items()}
    if isinstance(value, list):
        return [_masked(each, key) for each in value]
    if key in ADDRESS_KEYS:
        return masked_address(value)
    if key in FREE_TEXT_KEYS and isinstance(value, str):
        return hide_numbers(value)
    return value
