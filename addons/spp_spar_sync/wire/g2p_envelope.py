"""SPAR 1.x: the G2P Connect envelope (`header`/`message`), accounts as strings, synchronous paths."""

from .dialect import Dialect
from .outcome import Reading
from .reading import by_envelope, by_items, by_status, no_mapper, parse
from .templates import check_template, fill, mask

ACCOUNT_NAMES = {"number", "bic", "provider"}


class G2PEnvelope(Dialect):
    code = "1.1"
    default_path = "/sync"

    def check_recipe(self, recipe):
        check_template(recipe.template, ACCOUNT_NAMES, ["number"])

    def account(self, kind, values, recipe, labels=None):
        return fill(recipe.template, values, labels, ["number"] if kind == "email_wallet" else [])

    def item(self, reference_id, timestamp, spar_id, fa=None, strategy_id=0):
        request = {"reference_id": reference_id, "timestamp": timestamp, "id": spar_id}
        if fa:
            request["fa"] = fa
            if (
                strategy_id
            ):  # tells the mapper's other readers how the string was made; they look at element 0
                request["additional_info"] = [{"strategy_id": strategy_id}]
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
            "header": {
                "version": "1.0.0",
                "message_id": message_id,
                "message_ts": timestamp,
                "action": operation,
                "sender_id": sender_id,
                "sender_uri": sender_url,
                "receiver_id": receiver_id,
                "total_count": len(items),
                "is_msg_encrypted": False,
            },
            "message": {"transaction_id": transaction_id, f"{operation}_request": items},
        }

    def same(self, ours, theirs):
        return ours == theirs

    def mask(self, fa):
        return mask(fa)

    def read_answer(self, operation, items, status, text):
        if status != 200:
            return Reading(by_status(status, text))
        body = parse(text)
        header, message = body.get("header"), body.get("message")
        if not isinstance(header, dict):
            return no_mapper()
        answers = message.get(f"{operation}_response") if isinstance(message, dict) else None
        if header.get("status") == "rjct" and not answers:
            return Reading(by_envelope(str(header.get("status_reason_code") or "")))
        return Reading(
            items=by_items(operation, items, answers, lambda fa: fa if isinstance(fa, str) else "")
        )
