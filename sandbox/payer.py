"""The payer: G2P Connect dialect A. Its synchronous pair answers as the G2P Cash Transfer Bridge was observed to; the
asynchronous pair, which that does not have, as the standard says: an Ack, and callbacks to the sender's address.

It acknowledges everything as `rcvd` and settles in the background; refusals show only in a later status answer,
inside HTTP 200. No idempotency: a reference sent twice is a second payment. An item without a currency is
acknowledged and then vanishes. A status answer leaves out what it does not know.
"""

import json
import sqlite3
import threading
import time
import urllib.error
import urllib.request
import uuid
from datetime import UTC, datetime

from . import door
from .server import NOT_ALLOWED, NOT_FOUND, Answer, Refusal, Server, field, g2p_error, g2p_message

DISBURSE = "/disburse/sync/disburse"
STATUS = "/disburse/sync/txn/status"
ASYNC_DISBURSE = "/disburse"
ASYNC_STATUS = "/disburse/txn/status"
PATHS = (DISBURSE, STATUS, ASYNC_DISBURSE, ASYNC_STATUS)
TRIES = 50  # posts of a callback that is not taken
NAME = "g2p.cash.transfer.bridge.openg2p"


def naive(seconds):
    """The real one stamps without an offset; it means UTC."""
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat()


class Payer(Server):
    name = "payer"
    schema = (
        door.SCHEMA
        + """
        CREATE TABLE IF NOT EXISTS payment (
            seq INTEGER PRIMARY KEY, reference_id TEXT, transaction_id TEXT, payer_fa TEXT, payee_fa TEXT,
            payee_name TEXT, amount TEXT, currency_code TEXT, locale TEXT, vanished INTEGER, received REAL,
            polls INTEGER DEFAULT 0, status TEXT DEFAULT 'rcvd', code TEXT, reason TEXT, stamp REAL);
        CREATE INDEX IF NOT EXISTS payment_reference ON payment (reference_id);
        CREATE TABLE IF NOT EXISTS callback (
            seq INTEGER PRIMARY KEY, path TEXT, url TEXT, message_id TEXT, transaction_id TEXT, refs TEXT, receiver TEXT,
            is_final INTEGER, due REAL, body TEXT, tries INTEGER DEFAULT 0, done INTEGER DEFAULT 0, answers TEXT DEFAULT '[]');
    """
    )
    defaults = {
        **door.DEFAULTS,
        "listed_after": 0.1,  # seconds until a status answer knows the payment: it is stored after the answer
        "settle_after": 0.3,  # seconds until it is settled
        "settle_polls": 0,  # status answers that still say rcvd before it is settled
        "item_ms": 0,  # how long each payment of a message takes, sent or asked about
        "callback_token": [],  # sent with callbacks
        "callback_key": [],  # private key that callbacks are signed with
        "callback_after": 0,  # seconds until a callback is posted, once there is something to tell
        "callbacks_twice": 0,
        "callbacks_reversed": 0,
        "closed_accounts": ["ACC90000666"],  # numbers refused with rjct.payee_fa.invalid
    }

    def __init__(self, directory):
        super().__init__(directory)
        self._started = naive(time.time())  # message_ts of every answer: frozen at start, as observed

    def act(self, request):
        if request.path == door.TOKEN:
            return door.give_token(self, request)
        if request.path not in PATHS:
            return NOT_FOUND
        if request.method != "POST":
            return NOT_ALLOWED
        refused = door.check_token(self, request)
        if refused:
            return refused
        envelope, header, message = g2p_message(request)
        try:
            door.check_signature(self, request)
        except door.NotSigned:
            return self.refusal(request, "rjct.jwt.invalid")
        if "signature" not in envelope:
            field(envelope, "signature")
        if request.path in (DISBURSE, ASYNC_DISBURSE):
            answer = self._disburse(envelope, header, message)
        else:
            answer = self._status(envelope, header, message)
        return answer if request.path in (DISBURSE, STATUS) else self._later(request.path, header, message)

    def _disburse(self, envelope, header, message):
        items = field(message, "disbursements", list)
        self._take_time(items)
        received = time.time()
        for item in items:
            if not isinstance(item, dict):
                raise Refusal(
                    g2p_error(400, "G2P-REQ-102", "Invalid Input. Input should be a valid dictionary")
                )
            for name in ("reference_id", "payee_fa", "amount", "scheduled_timestamp"):
                field(item, name)
            self.db.execute(
                "INSERT INTO payment (reference_id, transaction_id, payer_fa, payee_fa, payee_name, amount,"
                " currency_code, locale, vanished, received, stamp) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    item["reference_id"],
                    message["transaction_id"],
                    item.get("payer_fa"),
                    item["payee_fa"],
                    item.get("payee_name"),
                    item["amount"],
                    item.get("currency_code"),
                    item.get("locale"),
                    not item.get("currency_code"),
                    received,
                    received,
                ),
            )
        answers = [
            {
                "reference_id": item["reference_id"],
                "timestamp": naive(received),
                "status": "rcvd",
                "status_reason_code": None,
                "status_reason_message": "",
                "instruction": "",
                "amount": item["amount"],
                "payer_fa": item.get("payer_fa"),
                "payer_name": item.get("payer_name"),
                "payee_fa": item["payee_fa"],
                "payee_name": item.get("payee_name"),
                "currency_code": item.get("currency_code"),
                "locale": item.get("locale"),
            }
            for item in items
        ]
        return Answer(
            200,
            {
                "signature": envelope["signature"],
                "header": self._header(header, "disburse", "rcvd", reason="", total=len(items)),
                "message": {"transaction_id": message["transaction_id"], "disbursements_status": answers},
            },
        )

    def _status(self, envelope, header, message):
        asked = field(message, "txnstatus_request", dict)
        for name in ("reference_id", "txn_type", "attribute_type"):
            field(asked, name)
        references = asked.get("attribute_value")
        if asked["attribute_type"] != "reference_id_list" or not isinstance(references, list):
            raise Refusal(
                g2p_error(
                    500,
                    "G2P-REQ-100",
                    "cannot access local variable 'ref_ids' where it is not associated with a value",
                )
            )
        self._take_time(references)
        self._settle()
        listed = []
        for reference in dict.fromkeys(references):
            listed += self.db.execute(
                "SELECT * FROM payment WHERE reference_id = ? AND NOT vanished AND received <= ? ORDER BY seq",
                (reference, self._ago("listed_after")),
            ).fetchall()
        for row in listed:
            self.db.execute("UPDATE payment SET polls = polls + 1 WHERE seq = ?", (row["seq"],))
        return Answer(
            200,
            {
                "signature": envelope["signature"],
                "header": self._header(header, "status", "succ"),
                "message": {
                    "transaction_id": message["transaction_id"],
                    "correlation_id": str(uuid.uuid4()),
                    "txnstatus_response": {
                        "txn_type": "disburse",
                        "txn_status": [_status_item(row) for row in listed],
                    },
                },
            },
        )

    def _take_time(self, items):
        time.sleep(self.setting("item_ms") * len(items) / 1000)

    # Callbacks

    def _later(self, path, header, message):
        """The Ack of the asynchronous pair; what it would have answered is posted to the sender's address."""
        url = field(header, "sender_uri")
        if path == ASYNC_DISBURSE:
            references = [item["reference_id"] for item in message["disbursements"]]
            self._tell("on-disburse", url, header, message, references, 0)
            self._tell(
                "on-disburse", url, header, message, references, self.setting("settle_after"), is_final=True
            )
        else:
            references = message["txnstatus_request"]["attribute_value"]
            self._tell("disburse/txn/on-status", url, header, message, references, 0)
        stamp = datetime.now(UTC).isoformat(timespec="seconds")
        return Answer(
            200, {"message": {"ack_status": "ACK", "timestamp": stamp, "correlation_id": str(uuid.uuid4())}}
        )

    def _tell(self, path, url, header, message, references, after, is_final=False):
        self.db.execute(
            "INSERT INTO callback (path, url, message_id, transaction_id, refs, receiver, is_final, due)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                path,
                f"{url}/{path}",
                str(uuid.uuid4()),
                message["transaction_id"],
                json.dumps(references),
                header["sender_id"],
                is_final,
                None if after is None else time.time() + after,
            ),
        )

    def start(self, port):
        url = super().start(port)
        threading.Thread(target=self._post_callbacks, daemon=True).start()
        return url

    def _post_callbacks(self):
        while not self._stopping.wait(0.05):
            try:
                with self._lock:
                    if self._stopping.is_set():
                        return
                    with self.transaction():
                        posts = self._due_callbacks()
            except sqlite3.Error:
                continue
            for row, headers, times in posts:
                answers = [_post(row["url"], row["body"].encode(), headers) for _time in range(times)]
                with self._lock:
                    if self._stopping.is_set():
                        return
                    taken = answers[-1][0] == 200 or row["tries"] >= TRIES
                    told = json.dumps([*json.loads(row["answers"]), *answers])
                    self.db.execute(
                        "UPDATE callback SET tries = tries + 1, answers = ?, done = ? WHERE seq = ?",
                        (told, taken, row["seq"]),
                    )

    def _due_callbacks(self):
        """[(row, headers, how often)] of what is to be posted now; what was written once is posted as it is."""
        self._settle()
        order = "DESC" if self.setting("callbacks_reversed") else "ASC"
        posts = []
        for found in self.db.execute(
            f"SELECT * FROM callback WHERE NOT done AND due <= ? ORDER BY seq {order}",
            (self._ago("callback_after"),),
        ).fetchall():
            row = dict(found)
            if not row["body"]:
                row["body"] = json.dumps(self._callback_body(row))
                self.db.execute("UPDATE callback SET body = ? WHERE seq = ?", (row["body"], row["seq"]))
            headers = {"Content-Type": "application/json"}
            if self.setting("callback_token"):
                headers["Authorization"] = f"Bearer {self.setting('callback_token')[0]}"
            if self.setting("callback_key"):
                headers["Signature"] = door.sign(row["body"].encode(), self.setting("callback_key")[0])
            posts.append((row, headers, 2 if self.setting("callbacks_twice") else 1))
        return posts

    def _callback_body(self, row):
        listed = []
        for reference in dict.fromkeys(json.loads(row["refs"])):
            listed += self.db.execute(
                "SELECT * FROM payment WHERE reference_id = ? AND NOT vanished ORDER BY seq", (reference,)
            ).fetchall()
        items = [_status_item(item) for item in listed]
        if row["path"] == "on-disburse" and not row["is_final"]:
            items = [
                {**item, "status": "rcvd", "status_reason_code": None, "status_reason_message": None}
                for item in items
            ]
        for item in items:
            for name in [name for name, value in item.items() if value is None]:
                del item[name]
            item["timestamp"] += "+00:00"
        told = {"transaction_id": row["transaction_id"], "disbursements_status": items}
        message = told if row["path"] == "on-disburse" else {
            "transaction_id": row["transaction_id"],
            "correlation_id": str(uuid.uuid4()),
            "txnstatus_response": {"txn_type": "on-disburse", "txn_status": told},
        }  # fmt: skip
        return {
            "signature": "",
            "header": {
                "version": "1.0.0",
                "message_id": row["message_id"],
                "message_ts": datetime.now(UTC).isoformat(timespec="seconds"),
                "action": "on-disburse",
                "status": "succ",
                "total_count": len(items),
                "completed_count": len(items) if row["is_final"] else 0,
                "sender_id": NAME,
                "receiver_id": row["receiver"],
                "is_msg_encrypted": False,
            },
            "message": message,
        }

    def _settle(self):
        """What the background worker would have done by now."""
        due = self.db.execute(
            "SELECT seq, payee_fa, received FROM payment"
            " WHERE status = 'rcvd' AND NOT vanished AND received <= ? AND polls >= ?",
            (self._ago("settle_after"), self.setting("settle_polls")),
        ).fetchall()
        after, closed = self.setting("settle_after"), set(self.setting("closed_accounts"))
        for row in due:
            number = row["payee_fa"].split(":", 1)[-1].split("@", 1)[0]
            verdict = (
                ("rjct", "rjct.payee_fa.invalid", "account closed")
                if number in closed
                else ("succ", None, None)
            )
            self.db.execute(
                "UPDATE payment SET status = ?, code = ?, reason = ?, stamp = ? WHERE seq = ?",
                (*verdict, row["received"] + after, row["seq"]),
            )

    def _ago(self, name):
        """The moment so many seconds ago, or None, which in SQL nothing is before."""
        seconds = self.setting(name)
        return None if seconds is None else time.time() - seconds

    def _header(self, header, action, status, code=None, reason=None, total=0):
        return {
            "version": "1.0.0",
            "message_id": header["message_id"],
            "message_ts": self._started,
            "action": action,
            "status": status,
            "status_reason_code": code,
            "status_reason_message": reason,
            "sender_id": NAME,
            "receiver_id": header["sender_id"],
            "total_count": total,
            "completed_count": 0,
            "is_msg_encrypted": False,
            "meta": {},
        }

    def refusal(self, request, code):
        """Header `rjct`, as the specification has it: nothing of the message was accepted."""
        if request.path not in PATHS:
            return NOT_FOUND
        try:
            envelope, header, _message = g2p_message(request)
        except Refusal as refusal:
            return refusal.answer
        code = code or "rjct.errors.too_many"
        if request.path in (ASYNC_DISBURSE, ASYNC_STATUS):
            stamp = datetime.now(UTC).isoformat(timespec="seconds")
            error = {"code": code, "message": "refused by the sandbox"}
            message = {
                "ack_status": "ERR",
                "timestamp": stamp,
                "correlation_id": str(uuid.uuid4()),
                "error": error,
            }
            return Answer(200, {"message": message})
        action = "disburse" if request.path == DISBURSE else "status"
        return Answer(
            200,
            {
                "signature": envelope.get("signature"),
                "header": self._header(header, action, "rjct", code, "refused by the sandbox"),
                "message": None,
            },
        )

    def state(self):
        """Every payment in the order received; `counts` how often each reference was, `paid` how often it was paid."""
        self._settle()
        payments, counts, paid, vanished = [], {}, {}, []
        for row in self.db.execute("SELECT * FROM payment ORDER BY seq"):
            reference = row["reference_id"]
            if row["vanished"]:
                vanished.append(reference)
                continue
            payments.append({**row, "received": naive(row["received"]), "stamp": naive(row["stamp"])})
            counts[reference] = counts.get(reference, 0) + 1
            if row["status"] == "succ":
                paid[reference] = paid.get(reference, 0) + 1
        settings = {name: self.setting(name) for name in self.defaults}
        return {
            "payments": payments,
            "counts": counts,
            "paid": paid,
            "vanished": vanished,
            "callbacks": [dict(row) for row in self.db.execute("SELECT * FROM callback ORDER BY seq")],
            "settings": settings,
        }

    def change(self, values):
        """Only settings can be set here; a payment, once received, is the payer's own."""
        raise ValueError(f"unknown: {', '.join(values)}; there are {', '.join(self.defaults)}")


def _status_item(row):
    return {
        "reference_id": row["reference_id"],
        "timestamp": naive(row["stamp"]),
        "status": row["status"],
        "status_reason_code": row["code"],
        "status_reason_message": row["reason"],
        "instruction": None,
        "amount": row["amount"],
        "payer_fa": None,
        "payer_name": None,
        "payee_fa": row["payee_fa"],
        "payee_name": None,
        "currency_code": row["currency_code"],
        "locale": row["locale"],
    }


def _post(url, body, headers):
    """(HTTP status, or 0 without an answer; text of the answer)"""
    request = urllib.request.Request(url, body, headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors="replace")
    except (OSError, ValueError):
        return 0, ""
