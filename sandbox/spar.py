"""The SPAR mapper: dialect 1.1, sync link, update, unlink and resolve, answering as a running 1.1.0 was observed to.

One ID has one financial address. No idempotency, no order, no check of time: a late replay of an older update wins.
Refusals come inside HTTP 200, item by item. No signature is asked for (a real 1.1 can be set up to ask).
"""

import json
import re
from datetime import UTC, datetime

from .server import NOT_ALLOWED, NOT_FOUND, Answer, Refusal, Server, field, g2p_error, g2p_message

RE_PATH = re.compile(r"/sync/(link|update|unlink|resolve)$")


def now():
    return datetime.now(UTC).replace(tzinfo=None).isoformat()


class Spar(Server):
    name = "spar"
    schema = """
        CREATE TABLE IF NOT EXISTS link (id TEXT PRIMARY KEY, fa TEXT, name TEXT, phone_number TEXT, additional_info TEXT);
        CREATE TABLE IF NOT EXISTS operation (seq INTEGER PRIMARY KEY, op TEXT, id TEXT, fa TEXT, reference_id TEXT,
                                              status TEXT, code TEXT);
    """

    def act(self, request):
        if request.path == "/ping":
            return Answer(200, '"pong"') if request.method == "GET" else NOT_ALLOWED
        match = RE_PATH.match(request.path)
        if not match:
            return NOT_FOUND
        if request.method != "POST":
            return NOT_ALLOWED
        op = match[1]
        _envelope, header, message = g2p_message(request)
        items = field(message, f"{op}_request", list)
        for item in items:
            _check_item(op, item)
        if header["action"] != op:
            return _header_refusal(header, "rjct.action.not_supported")
        results = [self._result(op, item) for item in items]
        if op == "link":
            self._store_links(items, results)
        if op == "resolve":  # the real one answers the items it refuses first
            results.sort(key=lambda result: result["status"] != "rjct")
        for item, result in zip(items, results, strict=True) if op != "resolve" else ():
            self.db.execute(
                "INSERT INTO operation (op, id, fa, reference_id, status, code) VALUES (?, ?, ?, ?, ?, ?)",
                (
                    op,
                    item["id"],
                    item.get("fa"),
                    item["reference_id"],
                    result["status"],
                    result["status_reason_code"],
                ),
            )
        return Answer(
            200,
            {
                "header": {
                    **_header(header, "succ", None),
                    "total_count": len(items),
                    "completed_count": sum(result["status"] == "succ" for result in results),
                    "sender_id": header["sender_id"],
                    "receiver_id": header.get("receiver_id"),
                },
                "message": {
                    "transaction_id": message["transaction_id"],
                    "correlation_id": None,
                    f"{op}_response": results,
                },
            },
        )

    def _result(self, op, item):
        return getattr(self, f"_{op}")(item)

    def _find(self, id_value):
        return self.db.execute("SELECT * FROM link WHERE id = ?", (id_value,)).fetchone()

    def _link(self, item):
        if not item["id"]:
            return _item(item, "rjct", "rjct.id.invalid", "ID is null", fa=item["fa"])
        if not item["fa"]:
            return _item(item, "rjct", "rjct.fa.invalid", "FA is null", fa="")
        if self._find(item["id"]):
            return _item(
                item, "rjct", "rjct.reference_id.duplicate", "ID and FA are already mapped", fa=item["fa"]
            )
        return _item(item, "succ", fa=item["fa"])

    def _store_links(self, items, results):
        """All at once, after all were looked at: the same new ID twice fails the whole batch (observed)."""
        accepted = [item for item, result in zip(items, results, strict=True) if result["status"] == "succ"]
        if len({item["id"] for item in accepted}) < len(accepted):
            raise Refusal(g2p_error(500, "G2P-REQ-100", "Unknown Error."))
        for item in accepted:
            self.db.execute(
                "INSERT INTO link VALUES (?, ?, ?, ?, ?)",
                (item["id"], item["fa"], item.get("name"), item.get("phone_number"), _info(item)),
            )

    def _update(self, item):
        if not item["id"]:
            return _item(item, "rjct", "rjct.id.invalid", "ID is null", id="")
        if not item["fa"]:
            return _item(item, "rjct", "rjct.fa.invalid", "FA is null", id="")
        found = self._find(item["id"])
        if not found:
            return _item(
                item, "rjct", "rjct.reference_id.duplicate", "ID doesnt exist please link first", id=""
            )
        self.db.execute(
            "UPDATE link SET fa = ?, name = ?, phone_number = ?, additional_info = ? WHERE id = ?",
            (
                item["fa"],
                item.get("name") or found["name"],
                item.get("phone_number") or found["phone_number"],
                _info(item) if item.get("additional_info") is not None else found["additional_info"],
                item["id"],
            ),
        )
        return _item(item, "succ", id=item["id"])

    def _unlink(self, item):
        if not item["id"]:
            return _item(item, "rjct", "rjct.id.invalid", "ID is null", id="")
        found = self._find(item["id"])
        if not found or (item.get("fa") and item["fa"] != found["fa"]):
            return _item(item, "rjct", "rjct.id.invalid", "ID doesnt exist please link first", id="")
        self.db.execute("DELETE FROM link WHERE id = ?", (item["id"],))
        return _item(item, "succ", id="")

    def _resolve(self, item):
        asked_id, asked_fa = item.get("id"), item.get("fa") or ""
        absent = {"fa": asked_fa, "id": None, "account_provider_info": None}
        if not asked_id and not asked_fa:
            return _item(item, "rjct", "rjct.reference_id.invalid", "ID is required", **absent)
        found = (
            self._find(asked_id) if asked_id else None
        )  # by address alone nothing is ever found (observed)
        if not found:
            return _item(
                item, "succ", "succ.fa.not_linked_to_id", "ID doesn't exist, please link first", **absent
            )
        details = item.get("scope") == "details"
        result = _item(
            item, "succ", fa=found["fa"] if details else "", id=found["id"], account_provider_info=None
        )
        result["additional_info"] = json.loads(found["additional_info"]) if details else None
        return result

    def refusal(self, request, code):
        if not RE_PATH.match(request.path):
            return NOT_FOUND
        try:
            return _header_refusal(g2p_message(request)[1], code or "rjct.jwt.invalid")
        except Refusal as refusal:
            return refusal.answer

    def state(self):
        links = {}
        for row in self.db.execute("SELECT * FROM link ORDER BY id"):
            links[row["id"]] = {**row, "additional_info": json.loads(row["additional_info"])}
            del links[row["id"]]["id"]
        return {
            "links": links,
            "operations": [dict(row) for row in self.db.execute("SELECT * FROM operation ORDER BY seq")],
        }

    def change(self, values):
        """{"id": …, "fa": …}: another channel set (or, with fa null, removed) a person's address."""
        id_value, fa = values.pop("id"), values.pop("fa")
        if values:
            raise ValueError(f"unknown: {', '.join(values)}")
        if fa is None:
            self.db.execute("DELETE FROM link WHERE id = ?", (id_value,))
        else:
            self.db.execute(
                "INSERT INTO link VALUES (?, ?, NULL, NULL, 'null') ON CONFLICT (id) DO UPDATE SET fa = excluded.fa",
                (id_value, fa),
            )


def _check_item(op, item):
    if not isinstance(item, dict):
        raise Refusal(g2p_error(400, "G2P-REQ-102", "Invalid Input. Input should be a valid dictionary"))
    field(item, "reference_id")
    field(item, "timestamp")
    if op != "resolve":
        field(item, "id")
    if op in ("link", "update"):
        field(item, "fa")
    if op == "resolve" and item.get("scope", "yes_no") not in ("yes_no", "details"):
        raise Refusal(g2p_error(400, "G2P-REQ-102", "Invalid Input. Input should be 'yes_no' or 'details'"))


def _info(item):
    return json.dumps(item.get("additional_info"))


def _item(item, status, code=None, reason=None, **more):
    return {
        "reference_id": item["reference_id"],
        "timestamp": now(),
        **more,
        "status": status,
        "status_reason_code": code,
        "status_reason_message": reason,
        "additional_info": None,
        "locale": item.get("locale") or "en",
    }


def _header(header, status, code):
    return {
        "version": header.get("version", "1.0.0"),
        "message_id": header["message_id"],
        "message_ts": now(),
        "action": header["action"],
        "status": status,
        "status_reason_code": code,
        "status_reason_message": code,
        "total_count": None,
        "completed_count": None,
        "sender_id": None,
        "receiver_id": None,
        "is_msg_encrypted": False,
        "meta": {},
    }


def _header_refusal(header, code):
    return Answer(200, {"header": _header(header, "rjct", code), "message": {}})
