"""SPAR 2.x: `request_header`/`request_body`, accounts as typed objects that name the strategy which makes their string.

Here and in the outbox an account is the text of its object, keys sorted. Two are the same if they lead to the same
place: names are for display, the strategy is the mapper's way of writing, and a bank account comes back as `BANK` or,
through the strategy that a G2P Bridge reads, as `BANK_ACCOUNT` with the other kinds' fields empty.
"""

import json

from .dialect import Dialect
from .outcome import Outcome, Reading, Verdict
from .reading import BAD_SIGNATURE, by_envelope, by_items, by_status, no_mapper, parse
from .templates import TemplateError, mask_value

BANK, MOBILE, EMAIL = "BANK", "MOBILE_WALLET", "EMAIL_WALLET"
TYPES = {"bank": BANK, "iban": BANK, "mobile_wallet": MOBILE, "email_wallet": EMAIL}
# What leads to the place, by the field that holds the number.
PLACE = {
    "account_number": ("bank_code", "branch_code"),
    "mobile_number": ("wallet_provider_code",),
    "email_address": ("wallet_provider_code",),
}
CODES = {"account_number": "bank_code"}
INTERNAL = (
    "SPAR failed inside. Where this goes on, the strategy number is probably not the one SPAR has for this kind of "
    "account."
)


class G2PRequest(Dialect):
    code = "2.x"
    default_path = "/mapper"
    needs_strategy = True

    def check_recipe(self, recipe):
        if recipe.strategy_id < 1:
            raise TemplateError("SPAR 2.x needs the number of the strategy that makes the account's string.")

    def account(self, kind, values, recipe, labels=None):
        values = {name: (value or "").strip() for name, value in values.items()}
        labels = labels or {}
        account = {"fa_type": TYPES[kind], "strategy_id": recipe.strategy_id}
        if TYPES[kind] == BANK:
            account |= {
                "account_number": _code("number", values, labels),
                "bank_code": _code("bic", values, labels),
                "bank_name": _name(values, labels),
                "branch_code": recipe.branch,
                "branch_name": recipe.branch,
            }
        else:
            number = "mobile_number" if TYPES[kind] == MOBILE else "email_address"
            account |= {
                number: _code("number", values, labels),
                "wallet_provider_code": _code("provider", values, labels),
                "wallet_provider_name": _name(values, labels),
            }
        return _text(account)

    def item(self, reference_id, timestamp, spar_id, fa=None, strategy_id=0):
        request = {"reference_id": reference_id, "timestamp": timestamp, "id": spar_id}
        if fa:
            # The strategy goes in the account only: said twice and differently, it makes the account unreadable.
            request["fa"] = json.loads(fa)
        return request

    def message(
        self,
        operation,
        items,
        *,
        message_id,
        transaction_id,
        timestamp,
        sender_id,
        receiver_id,
        sender_url="",
    ):
        return {
            "request_header": {
                "sender_app_mnemonic": sender_id,
                "sender_app_url": sender_url,
                "request_id": message_id,
                "request_timestamp": timestamp,
            },
            "request_body": {
                "request_payload": {"transaction_id": transaction_id, f"{operation}_request": items}
            },
        }

    def same(self, ours, theirs):
        return ours == theirs or (bool(ours and theirs) and None is not _place(ours) == _place(theirs))

    def mask(self, fa):
        if not fa:
            return ""
        account = parse(fa)
        place = _place(fa)
        if not place:
            return "••••"
        name, value, fa_type, *_codes = place
        code = account.get(CODES.get(name, "wallet_provider_code"))
        return " ".join(str(part) for part in (fa_type, mask_value(value), code) if part)

    def read_answer(self, operation, items, status, text):
        if status != 200:
            return Reading(by_status(status, text))
        body = parse(text)
        header = body.get("response_header")
        if not isinstance(header, dict):
            return no_mapper()
        if header.get("response_status") == "ERROR":
            return Reading(
                _by_error(
                    str(header.get("response_error_code") or ""),
                    str(header.get("response_error_message") or ""),
                )
            )
        payload = body.get("response_body")
        payload = payload.get("response_payload") if isinstance(payload, dict) else None
        answers = payload.get(f"{operation}_response") if isinstance(payload, dict) else None
        return Reading(items=by_items(operation, items, answers, _fa_text))


def _by_error(code, words):
    # One code for a bad signature and for an empty list: only the words tell them apart.
    if "jwt_invalid" in words or "jwt.invalid" in words:
        return Outcome(Verdict.STOP, BAD_SIGNATURE, code)
    if code == "rjct.request.validation":
        return Outcome(Verdict.PERMANENT, "SPAR refuses the message as it was made.", code)
    if code == "rjct.internal.error":
        # Updates are applied one by one: those before the one that failed have been.
        return Outcome(Verdict.RETRY, INTERNAL, code, limited=True, lost=True)
    return by_envelope(code)


def _fa_text(fa):
    return _text(fa) if isinstance(fa, dict) and fa else fa if isinstance(fa, str) else ""


def _text(account):
    return json.dumps(account, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _place(text):
    """What two accounts have in common if they are the same one, or None where no number can be read."""
    account = parse(text)
    for name, codes in PLACE.items():
        if account.get(name):
            fa_type = str(account.get("fa_type") or "").upper()
            fa_type = BANK if fa_type in ("BANK_ACCOUNT", "") and name == "account_number" else fa_type
            return (name, str(account[name]), fa_type, *(str(account.get(code) or "") for code in codes))
    return None


def _code(name, values, labels):
    """A number or code: what the mapper joins into a string and takes apart again must not hold its separators."""
    value, label = values.get(name), labels.get(name, name)
    if not value:
        raise TemplateError(f"The {label} is missing.")
    for char in value:
        if char.isspace():
            raise TemplateError(f"The {label} holds a space, which SPAR cannot tell from a typing mistake.")
        if not char.isascii() or not char.isprintable() or char in ":{}\"'\\":
            raise TemplateError(f"The {label} holds the character “{char}”, which SPAR strings may not hold.")
    return value


def _name(values, labels):
    """The provider's name, for display only."""
    value = " ".join((values.get("name") or values.get("provider") or "").split())
    for char in value:
        if not char.isprintable() or char in ":{}":
            label = labels.get("name", "name")
            raise TemplateError(f"The {label} holds the character “{char}”, which SPAR strings may not hold.")
    return value
