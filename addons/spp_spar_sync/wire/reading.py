"""What the answers of both generations have in common: HTTP status, item codes, misses.

Three layers are read: HTTP status, envelope status, and one status per item, found by its reference_id
(resolve answers in another order than asked). HTTP 200 and an envelope that succeeded say nothing about the items.
"""

import dataclasses
import json

from .outcome import Outcome, Reading, Verdict

MISSES = {"succ.fa.not_linked_to_id", "succ.id.not_found", "succ.fa.not_found"}
INACTIVE = {"succ.fa.inactive", "succ.id.inactive"}
PERMANENT_ENVELOPE = ("rjct.action.", "rjct.version.invalid", "rjct.total_count.", "rjct.message_ts.invalid")
PERMANENT_ITEM = {
    "rjct.id.invalid": "SPAR refuses the id.",
    "rjct.fa.invalid": "SPAR refuses the account.",
    "rjct.name.invalid": "SPAR refuses the name.",
    "rjct.beneficiary_name.invalid": "SPAR refuses the name.",
    "rjct.mobile_number.invalid": "SPAR refuses the phone number.",
    "rjct.timestamp.invalid": "SPAR refuses the time stamp.",
}
LINKED = "SPAR says that the id is already linked."
NOT_LINKED = "SPAR says that the id is not linked."
BAD_SIGNATURE = "SPAR does not accept this system's signature."


def parse(text):
    """The JSON object of an answer, or {}."""
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def no_mapper():
    reason = "The answer is not one of a SPAR mapper; the address may lead to something else."
    return Reading(Outcome(Verdict.ASK, reason, lost=True))


def by_status(status, text):
    """The Outcome of an HTTP status other than 200."""
    code = _error_code(text) or f"HTTP {status}"
    if status in (401, 403):
        return Outcome(Verdict.STOP, "SPAR does not let this system in.", code)
    if status in (404, 405) or 300 <= status < 400:
        return Outcome(Verdict.STOP, "There is no SPAR mapper at this address and path.", code)
    if status == 429:
        return Outcome(Verdict.ASK, "SPAR asks for fewer requests.", code)
    if 400 <= status < 500:
        return Outcome(Verdict.PERMANENT, "SPAR cannot read the request.", code)
    # A missing or malformed signature also comes as 500, and nothing tells it from a fault of the server.
    reason = f"SPAR answered with a fault of its own (HTTP {status})."
    return Outcome(Verdict.ASK, reason, code, lost=True)


def _error_code(text):
    try:
        return str(json.loads(text)["errors"][0]["code"])
    except (ValueError, LookupError, TypeError):
        return ""


def by_envelope(code):
    """The Outcome of a message that was refused as a whole."""
    if code == "rjct.jwt.invalid":
        return Outcome(Verdict.STOP, BAD_SIGNATURE, code)
    if code.startswith(PERMANENT_ENVELOPE):
        return Outcome(Verdict.PERMANENT, "SPAR refuses the message as it was made.", code)
    if code == "rjct.message_id.duplicate":
        return Outcome(Verdict.ASK, "SPAR says that it has had this message before.", code)
    return Outcome(Verdict.RETRY, "SPAR refuses the whole message.", code, limited=True)


def by_items(operation, items, answers, fa_text):
    """{reference_id: Outcome} of the items that were asked about.

    :param answers: the list of the answer, whatever it is
    :param fa_text: function from an item's account to its text, "" if it has none
    """
    asked = {item["reference_id"]: item for item in items}
    outcomes = {}
    for answer in answers if isinstance(answers, list) else ():
        reference = answer.get("reference_id") if isinstance(answer, dict) else None
        if isinstance(reference, str) and reference in asked:
            outcome = _by_item(operation, asked[reference], answer, fa_text)
            outcomes[reference] = dataclasses.replace(outcome, answer=json.dumps(answer, ensure_ascii=False))
    return outcomes


def _by_item(operation, asked, answer, fa_text):
    status = answer.get("status")
    code = str(answer.get("status_reason_code") or "")
    if status == "succ":
        return _by_success(operation, asked, answer, code, fa_text)
    if status in ("rcvd", "pdng"):
        return Outcome(Verdict.ASK, "SPAR has the request and has not decided yet.", code, lost=True)
    return _by_refusal(operation, code, str(answer.get("status_reason_message") or ""))


def _by_success(operation, asked, answer, code, fa_text):
    if operation != "resolve":
        return Outcome(Verdict.DONE, code=code)
    # A miss is also `succ`, and echoes the fa that was asked for: the code and the id are read first.
    if code in MISSES or not answer.get("id"):
        return Outcome(Verdict.DONE, "SPAR holds no account for this id.", code)
    if code in INACTIVE:
        return Outcome(Verdict.PERMANENT, "SPAR holds the account as inactive.", code)
    fa = fa_text(answer.get("fa"))
    if answer["id"] != asked["id"] or not fa:
        return Outcome(
            Verdict.ASK, "SPAR answered about another id or without an account.", code, limited=True
        )
    return Outcome(Verdict.DONE, code=code, found=True, fa=fa)


def _by_refusal(operation, code, words):
    # Mappers before 1.0 say `rjct.id.invalid` for both, and only the message tells them apart.
    says_exist = code == "rjct.id.invalid" and "exist" in words
    if operation == "link" and (code == "rjct.reference_id.duplicate" or says_exist):
        return Outcome(Verdict.ASK, LINKED, code)
    if operation == "update" and (code == "rjct.reference_id.duplicate" or says_exist):
        return Outcome(Verdict.ASK, NOT_LINKED, code)
    if operation == "unlink" and code == "rjct.id.invalid":
        return Outcome(Verdict.ASK, NOT_LINKED, code)
    if code in PERMANENT_ITEM:
        return Outcome(Verdict.PERMANENT, PERMANENT_ITEM[code], code)
    if code == "rjct.unknown.retry":
        return Outcome(Verdict.RETRY, "SPAR asks to try again.", code)
    return Outcome(Verdict.RETRY, "SPAR refuses the request without a reason we know.", code, limited=True)
