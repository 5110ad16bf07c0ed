"""A client for tests of the sandbox: JSON over one base URL, keeping the session cookie. No retries, no checks."""

import http.cookiejar
import json
import urllib.error
import urllib.request
from typing import Any, NamedTuple


class Got(NamedTuple):
    status: int
    headers: Any
    text: str

    @property
    def json(self):
        return json.loads(self.text)


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args):
        return None


class Client:
    """Dropped connections come out as ConnectionError (http.client.RemoteDisconnected is one)."""

    def __init__(self, base, timeout=10):
        self.base = base
        self.timeout = timeout
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self._opener = urllib.request.build_opener(cookies, NoRedirect())

    def call(self, method, path, body=None, content_type="application/json", headers=None):
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        headers = {**({"Content-Type": content_type} if data is not None else {}), **(headers or {})}
        request = urllib.request.Request(self.base + path, data, headers, method=method)
        try:
            with self._opener.open(request, timeout=self.timeout) as answer:
                return Got(answer.status, answer.headers, answer.read().decode())
        except urllib.error.HTTPError as answer:
            return Got(answer.code, answer.headers, answer.read().decode())

    def get(self, path):
        return self.call("GET", path)

    def post(self, path, body):
        return self.call("POST", path, body)

    # Control

    def state(self):
        return self.get("/_sandbox/state").json

    def set(self, **values):
        got = self.post("/_sandbox/set", values)
        assert got.status == 200, got.text
        return got.json

    def fault(self, fault, **more):
        got = self.post("/_sandbox/faults", {"fault": fault, **more})
        assert got.status == 200, got.text

    # The MIS

    def login(self, login="mis_api", password="mis_secret", db="mis_src"):  # noqa: S107 (the sandbox's own)
        params = {"db": db, "login": login, "password": password}
        return self.post("/web/session/authenticate", {"jsonrpc": "2.0", "id": 1, "params": params})

    def rpc(self, model, method, *args, **kwargs):
        params = {"model": model, "method": method, "args": list(args), "kwargs": kwargs}
        return self.post(f"/web/dataset/call_kw/{model}/{method}", {"params": params}).json

    def found(self, model, domain, fields=("id",), **kwargs):
        return self.rpc(model, "search_read", domain, list(fields), **kwargs)["result"]

    # The mapper and the payer

    def spar(self, op, *items, **header):
        return self.post(f"/sync/{op}", self.message(op, *items, **header))

    def message(self, op, *items, **header):
        return {
            "header": {**HEADER, "action": op, **header},
            "message": {"transaction_id": "t-1", f"{op}_request": _numbered(items)},
        }

    def typed(self, op, *items):
        return self.post(f"/mapper/{op}", self.typed_message(op, *items))

    def typed_message(self, op, *items):
        header = {
            "sender_app_mnemonic": "spp", "sender_app_url": "", "request_id": "q-1",
            "request_timestamp": "2026-11-21T10:00:00Z",
        }  # fmt: skip
        payload = {"transaction_id": "t-1", f"{op}_request": _numbered(items)}
        return {"request_header": header, "request_body": {"request_payload": payload}}

    def disburse(self, *items):
        message = {"transaction_id": "B-1", "disbursements": [{**PAYMENT, **item} for item in items]}
        return self.post(
            "/disburse/sync/disburse",
            {"signature": None, "header": {**HEADER, "action": "disburse"}, "message": message},
        )

    def status(self, *references, attribute_type="reference_id_list"):
        asked = {
            "reference_id": "q-1",
            "txn_type": "disburse",
            "attribute_type": attribute_type,
            "attribute_value": list(references),
        }
        message = {"transaction_id": "q", "txnstatus_request": asked}
        return self.post(
            "/disburse/sync/txn/status",
            {"signature": None, "header": {**HEADER, "action": "status"}, "message": message},
        )

    def statuses(self, *references):
        """[(reference, status)] as listed."""
        listed = self.status(*references).json["message"]["txnstatus_response"]["txn_status"]
        return [(item["reference_id"], item["status"]) for item in listed]


def _numbered(items):
    return [
        {"reference_id": f"r{index}", "timestamp": "2026-11-21T10:00:00Z", **item}
        for index, item in enumerate(items)
    ]


HEADER = {
    "version": "1.0.0",
    "message_id": "m-1",
    "message_ts": "2026-11-21T10:00:00+00:00",
    "sender_id": "spp",
    "receiver_id": "other",
    "total_count": 1,
}
PAYMENT = {
    "reference_id": "PAY-1",
    "payer_fa": "account:0011@treasury",
    "payee_fa": "account:ACC1@FRRBPHM1XXX",
    "amount": "150.50",
    "scheduled_timestamp": "2026-11-21T10:00:00+00:00",
    "currency_code": "USD",
}
