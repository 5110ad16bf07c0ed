"""The SPAR mapper in two generations, link, update, unlink and resolve, answering as running ones were observed to.

`/sync/…` is dialect 1.1 (`header`/`message`, accounts as strings), `/mapper/…` is 2.x (`request_header`/`request_body`,
accounts as typed objects, of which the mapper makes the string). Both look at the same links.

One ID has one financial address. No idempotency, no order, no check of time: a late replay of an older update wins.
Refusals come inside HTTP 200, item by item. A signature is asked for once `partners` are set (`door.py`).
"""

import json
import re
import time
from datetime import UTC, datetime

from . import door
from .server import NOT_ALLOWED, NOT_FOUND, Answer, Refusal, Server, field, g2p_error, g2p_message

RE_PATH = re.compile(r"/(sync|mapper)/(link|update|unlink|resolve)$")
FAULT = g2p_error(500, "G2P-REQ-100", "Unknown Error.")

# How 2.x makes a string of an account, and the account of the string again; numbers as a new installation has them.
STRATEGIES = {
    2: "account_number:{account_number}.branch_name:{branch_name}.branch_code:{branch_code}.bank_name:{bank_name}"
    ".bank_code:{bank_code}.fa_type:{fa_type}",
    3: "email_address:{email_address}.wallet_provider_name:{wallet_provider_name}"
    ".wallet_provider_code:{wallet_provider_code}.fa_type:{fa_type}",
    4: "mobile_number:{mobile_number}.wallet_provider_name:{wallet_provider_name}"
    ".wallet_provider_code:{wallet_provider_code}.fa_type:{fa_type}",
    5: "account_number:{account_number}.branch_code:{branch_code}.bank_code:{bank_code}.mobile_number:.email_address:"
    ".fa_type:BANK_ACCOUNT",
}
BANK = {"bank_name", "bank_code", "branch_name", "branch_code", "account_number"}
MOBILE = {"wallet_provider_name", "wallet_provider_code", "mobile_number"}
EMAIL = {"wallet_provider_name", "wallet_provider_code", "email_address"}


def now():
    return datetime.now(UTC).replace(tzinfo=None).isoformat()


class Broken(Exception):
    """2.x failed inside: the whole request is an ERROR, and nothing of it is stored."""


class Spar(Server):
    name = "spar"
    defaults = {
        "partners": [],  # certificates of those whose signature is accepted; none: no signature is asked for
        "item_ms": 0,  # how long each item takes; a mapper in service was seen to take nine
    }
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
        generation, op = match.groups()
        if pause := self.setting("item_ms"):
            time.sleep(pause * request.body.count(b'"reference_id"') / 1000)
        return self._act_1(op, request) if generation == "sync" else self._act_2(op, request)

    # 1.1

    def _act_1(self, op, request):
        _envelope, header, message = g2p_message(request)
        items = field(message, f"{op}_request", list)
        for item in items:
            _check_item(op, item)
        try:
            door.check_signature(self, request, "as_sent", header["sender_id"])
        except door.NotSigned as error:
            return FAULT if str(error) == "missing" else _header_refusal(header, "rjct.jwt.invalid")
        if header["action"] != op:
            return _header_refusal(header, "rjct.action.not_supported")
        results = self._results(op, items)
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

    # 2.x

    def _act_2(self, op, request):
        header, payload = _message_2(request)
        items = field(payload, f"{op}_request", list)
        for item in items:
            _check_item_2(op, item)
        try:
            door.check_signature(self, request, "sorted", header["sender_app_mnemonic"])
        except door.NotSigned as error:
            return FAULT if str(error) == "malformed" else _refusal_2(op, header, payload)
        if not items:
            words = f"Empty {op}_request list in request.request_body.request_payload"
            return _refusal_2(op, header, payload, "rjct.request.validation", words)
        self.db.execute("SAVEPOINT request")
        try:
            made = [{**item, "fa": _construct(item.get("fa"))} for item in items]
            results = self._results(op, made)
        except (Broken, Refusal):
            self.db.execute("ROLLBACK TO request")
            return _refusal_2(op, header, payload, "rjct.internal.error", "Internal server error")
        if op == "resolve":
            for result in results:
                self._as_object(result)
        return Answer(200, _answer_2(op, header, payload, "SUCCESS", items=results))

    def _as_object(self, result):
        found = result["id"] and self._find(result["id"])
        wanted = result["fa"] and found
        result["fa"] = None
        if found:
            result["status_reason_code"] = "succ.id.active"
        if wanted:
            info = json.loads(found["additional_info"])
            strategy = info[0].get("strategy_id") if info else None
            result["fa"] = {**_deconstruct(strategy, found["fa"]), "strategy_id": strategy}

    # Both

    def _results(self, op, items):
        results = [getattr(self, f"_{op}")(item) for item in items]
        if op == "link":
            self._store_links(items, results)
        if op == "resolve":  # the real one answers the items it refuses first
            results.sort(key=lambda result: result["status"] != "rjct")
        self.db.executemany(
            "INSERT INTO operation (op, id, fa, reference_id, status, code) VALUES (?, ?, ?, ?, ?, ?)",
            [
                (
                    op,
                    item["id"],
                    item.get("fa"),
                    item["reference_id"],
                    result["status"],
                    result["status_reason_code"],
                )
                for item, result in (zip(items, results, strict=True) if op != "resolve" else ())
            ],
        )
        return results

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
            raise Refusal(FAULT)
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
                _info(item)
                if item.get("additional_info") is not None or isinstance(item["fa"], Constructed)
                else found["additional_info"],
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
        match = RE_PATH.match(request.path)
        if not match:
            return NOT_FOUND
        try:
            if match[1] == "sync":
                return _header_refusal(g2p_message(request)[1], code or "rjct.jwt.invalid")
            header, payload = _message_2(request)
            return _refusal_2(match[2], header, payload, code, "Refused" if code else "")
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
        """{"id": …, "fa": …}: another channel set (or, with fa null, removed) a person's address.

        The address is a string, or an account as 2.x takes it.
        """
        id_value, fa = values.pop("id"), values.pop("fa")
        info = json.dumps([{"strategy_id": fa["strategy_id"]}] if isinstance(fa, dict) else None)
        fa = _construct(fa)
        if values:
            raise ValueError(f"unknown: {', '.join(values)}")
        if fa is None:
            self.db.execute("DELETE FROM link WHERE id = ?", (id_value,))
        else:
            self.db.execute(
                "INSERT INTO link VALUES (?, ?, NULL, NULL, ?) ON CONFLICT (id)"
                " DO UPDATE SET fa = excluded.fa, additional_info = excluded.additional_info",
                (id_value, str(fa), info),
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


def _message_2(request):
    """Header and payload of a 2.x message, checked as far as the real server checks them."""
    try:
        message = json.loads(request.body)
    except ValueError:
        raise Refusal(g2p_error(400, "G2P-REQ-102", "Invalid Input. JSON decode error")) from None
    if not isinstance(message, dict):
        raise Refusal(g2p_error(400, "G2P-REQ-102", "Invalid Input. Input should be a valid dictionary"))
    header = field(message, "request_header", dict)
    for name in ("sender_app_mnemonic", "sender_app_url", "request_id", "request_timestamp"):
        field(header, name)
    payload = field(field(message, "request_body", dict), "request_payload", dict)
    field(payload, "transaction_id")
    return header, payload


def _check_item_2(op, item):
    if not isinstance(item, dict):
        raise Refusal(g2p_error(400, "G2P-REQ-102", "Invalid Input. Input should be a valid dictionary"))
    field(item, "reference_id")
    field(item, "timestamp")
    if item.get("id") is not None:
        field(item, "id")
    if op in ("link", "update"):
        fa = field(item, "fa", dict)
        field(fa, "strategy_id", int)
        field(fa, "fa_type")
        if not any(all(isinstance(fa.get(name), str) for name in names) for names in (BANK, MOBILE, EMAIL)):
            raise Refusal(g2p_error(400, "G2P-REQ-102", "Invalid Input. Field required"))
    if op == "resolve" and item.get("scope", "yes_no") not in ("yes_no", "details"):
        raise Refusal(g2p_error(400, "G2P-REQ-102", "Invalid Input. Input should be 'yes_no' or 'details'"))


class Constructed(str):
    """The string of an account that came as an object, with the strategy that made it."""

    strategy_id = None


def _construct(fa):
    """The string that 2.x makes of an account; what is no object stays as it is."""
    if not isinstance(fa, dict):
        return fa
    if fa["strategy_id"] not in STRATEGIES:
        raise Broken
    try:
        made = Constructed(STRATEGIES[fa["strategy_id"]].format(**fa))
    except KeyError:
        raise Broken from None
    made.strategy_id = fa["strategy_id"]
    return made


def _deconstruct(strategy_id, text):
    """The account of a string, as far as its strategy fits it."""
    construct = STRATEGIES.get(strategy_id, "")
    pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>.*)", re.escape(construct))
    match = construct and re.fullmatch(pattern, text)
    if not match:
        return {}
    ending = {"fa_type": "BANK_ACCOUNT"} if strategy_id == 5 else {}
    return {**match.groupdict(), **ending}


def _answer_2(op, header, payload, status, code=None, words=None, items=()):
    return {
        "response_header": {
            "request_id": header["request_id"],
            "response_status": status,
            "response_error_code": code,
            "response_error_message": words,
            "response_timestamp": now(),
        },
        "response_body": {
            "pagination_response": None,
            "response_payload": {
                "transaction_id": payload["transaction_id"],
                "correlation_id": None,
                f"{op}_response": list(items),
            },
        },
    }


def _refusal_2(op, header, payload, code="", words=""):
    """A bad signature, unless told otherwise: its code is that of an empty list, only the words are not."""
    return Answer(
        200,
        _answer_2(
            op,
            header,
            payload,
            "ERROR",
            code or "rjct.request.validation",
            words or "StatusReasonCodeEnum.rjct_jwt_invalid",
        ),
    )


def _info(item):
    """What is stored beside the string. 2.x puts the strategy first, unless the client has sent one of its own."""
    info, strategy_id = item.get("additional_info"), getattr(item.get("fa"), "strategy_id", None)
    if strategy_id is not None:
        info = [dict(each) for each in info or [{}]]
        info[0].setdefault("strategy_id", strategy_id)
    return json.dumps(info)


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
