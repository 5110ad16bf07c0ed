"""The source MIS: Odoo's session login and JSON-RPC, and the registry API of the 15.0 generation, over recorded data.

`data/registry.json` holds what a running source answered; `data/own_households.json` adds what the recording lacks.
Nothing pages or filters by date on the registry API; errors come as the real ones do, mostly inside HTTP 200.
"""

import json
import os
import re
import secrets
from datetime import UTC, date, datetime, timedelta, timezone
from typing import NamedTuple

from .rpc import MODELS, REQUIRED, OdooError, Tables
from .server import Answer, Server

DATA = os.path.join(os.path.dirname(__file__), "data")
DATABASE, PASSWORD = "mis_src", "mis_secret"
TODAY = date(2026, 11, 21)  # the day of the recording; ages are told as of it, so that answers never drift


class User(NamedTuple):
    uid: int
    tz: str = "UTC"
    offset: timezone = UTC
    may_read: bool = True


USERS = {
    "mis_api": User(6),
    "mis_manila": User(7, "Asia/Manila", timezone(timedelta(hours=8))),
    "mis_portal": User(8, may_read=False),
}
RPC_PATHS = ("/web/session/authenticate", "/web/session/destroy", "/web/dataset/call_kw")
RE_REGISTRY = re.compile(r"/api/v1/registry/(group|individual)(?:/search|/(\d+))?/?$")
NOT_FOUND = Answer(
    404, "<!doctype html>\n<title>404 Not Found</title>\n", content_type="text/html; charset=utf-8"
)
NOTHING = "The ID Number you have entered does not exist. Please enter a valid ID Number."


class Mis(Server):
    name = "mis"
    schema = """
        CREATE TABLE IF NOT EXISTS record (model TEXT, id INTEGER, row TEXT, PRIMARY KEY (model, id));
        CREATE TABLE IF NOT EXISTS session (sid TEXT PRIMARY KEY, login TEXT);
    """

    def __init__(self, directory, files=("registry.json", "own_households.json")):
        super().__init__(directory)
        self._files = files
        with self.transaction():
            self._load()

    def _load(self):
        """Read the records; the first time, from the data files."""
        if not self.db.execute("SELECT 1 FROM record LIMIT 1").fetchone():
            for name in self._files:
                with open(os.path.join(DATA, name), encoding="utf-8") as file:
                    recorded = json.load(file)
                for model in MODELS:
                    for row in recorded.get(model, ()):
                        self._store(model, row)
        self.tables = Tables({model: {} for model in MODELS})
        for model, number, row in self.db.execute("SELECT model, id, row FROM record ORDER BY model, id"):
            self.tables[model][number] = json.loads(row)
        self.tables.changed()

    def _store(self, model, row):
        self.db.execute("INSERT OR REPLACE INTO record VALUES (?, ?, ?)", (model, row["id"], json.dumps(row)))

    def reset(self):
        with self._lock:
            super().reset()
            with self.transaction():
                self._load()

    def act(self, request):
        if request.path == "/web/session/logout":
            self.db.execute("DELETE FROM session WHERE sid = ?", (_cookie(request),))
            return Answer(303, "", (("Location", "/web"), _set_cookie(secrets.token_hex(20))), "text/html")
        if request.path.startswith(RPC_PATHS):
            return self._rpc(request)
        match = RE_REGISTRY.match(request.path)
        if match and request.method == "GET":
            return self._registry(request, match[1] == "group", match[2])
        return NOT_FOUND

    def _user(self, request):
        row = self.db.execute("SELECT login FROM session WHERE sid = ?", (_cookie(request),)).fetchone()
        return USERS[row["login"]] if row else None

    # Session login and JSON-RPC

    def _rpc(self, request):
        if request.headers.get_content_type() != "application/json":
            reason = f"Request inferred type is compatible with ['http'] but '{request.path}' is type='json'."
            return _bad_request(reason)
        try:
            body = json.loads(request.body)
            params = body.get("params") or {}
        except (ValueError, AttributeError):
            return _bad_request("Invalid JSON data")
        headers = ()
        try:
            if request.path == "/web/session/authenticate":
                result, headers = self._authenticate(params)
            elif request.path == "/web/session/destroy":
                self.db.execute("DELETE FROM session WHERE sid = ?", (_cookie(request),))
                return Answer(200, {"jsonrpc": "2.0", "id": body.get("id")})
            else:
                result = self._call(request, params)
        except OdooError as error:
            return Answer(200, {"jsonrpc": "2.0", "id": body.get("id"), "error": error.envelope()})
        return Answer(200, {"jsonrpc": "2.0", "id": body.get("id"), "result": result}, headers)

    def _authenticate(self, params):
        if params.get("db") != DATABASE:
            raise OdooError("odoo.exceptions.AccessError", "Database not found.")
        login = params.get("login")
        if login not in USERS or params.get("password") != PASSWORD:
            raise OdooError("odoo.exceptions.AccessDenied", "Access Denied")
        user, sid = USERS[login], secrets.token_hex(20)
        self.db.execute("INSERT INTO session VALUES (?, ?)", (sid, login))
        info = {
            "uid": user.uid,
            "is_system": False,
            "is_admin": False,
            "is_internal_user": user.may_read,
            "user_context": {"lang": "en_US", "tz": user.tz, "uid": user.uid},
            "db": DATABASE,
            "server_version": "17.0-20240709",
            "server_version_info": [17, 0, 0, "final", 0, ""],
            "name": login,
            "username": login,
            "partner_id": 219 + user.uid,
        }
        return info, (_set_cookie(sid),)

    def _call(self, request, params):
        user = self._user(request)
        if not user:
            raise OdooError(
                "odoo.http.SessionExpiredException", "Session expired", 100, "Odoo Session Expired"
            )
        model, method = params.get("model"), params.get("method")
        if not user.may_read:
            reason = f"You are not allowed to access '{model}' records."
            raise OdooError("odoo.exceptions.AccessError", reason)
        try:
            return self.tables.call(model, method, params.get("args") or [], params.get("kwargs") or {})
        except (TypeError, ValueError, LookupError) as error:  # a domain or argument that makes no sense
            raise OdooError(f"builtins.{type(error).__name__}", str(error)) from None

    # The registry API, 15.0 contract

    def _registry(self, request, is_group, number):
        user = self._user(request)
        if not user:
            return _rest_error(401, "401", "<p>Session expired</p>")
        if not user.may_read:
            return _rest_error(400, "G2P-REQ-010", "ID/Name not present.")
        present = Registry(self.tables, user.offset)
        wanted = number or request.query.get("id")
        if wanted is not None and not re.fullmatch(r"-?\d+", wanted):
            return _rest_error(400, "400", BAD_ID)
        found = [
            row
            for row in self.tables.ordered("res.partner")
            if row.get("active", True)
            and row["is_group"] == is_group
            and (wanted is None or row["id"] == int(wanted))
            and request.query.get("name", "") in row["name"]
        ]
        if not found:
            reason = "Record is not present in the database." if number else NOTHING
            return _rest_error(400, "G2P-REQ-010", "ID/Name not present.", reason)
        full = bool(number) or request.query.get("include_members_full", "").lower() in (
            "true",
            "1",
            "yes",
            "on",
        )
        shown = [present.group(row, full) if is_group else present.individual(row) for row in found]
        return Answer(200, shown[0] if number else shown)

    # Faults and control

    def refusal(self, request, code):
        """Rights taken away: record rules hide everything, models may not be read."""
        if request.path.startswith("/api/"):
            return _rest_error(400, code or "G2P-REQ-010", "ID/Name not present.")
        error = OdooError("odoo.exceptions.AccessError", "You are not allowed to access these records.")
        return Answer(200, {"jsonrpc": "2.0", "id": None, "error": error.envelope()})

    def state(self):
        return {
            "records": {model: len(rows) for model, rows in self.tables.items()},
            "sessions": [row["login"] for row in self.db.execute("SELECT login FROM session ORDER BY rowid")],
        }

    def change(self, values):
        """{"expire_sessions": true}, or a record: {"model": …, "id": …, "values": {…}}; see README.md."""
        if values.pop("expire_sessions", False):
            self.db.execute("DELETE FROM session")
        if "model" in values:
            self._change_record(values.pop("model"), values.pop("id", None), values.pop("values"))
        if values:
            raise ValueError(f"unknown: {', '.join(values)}")

    def _change_record(self, model, number, values):
        """No id: a new record. Values null: the record is deleted. Stamps move as at a real source."""
        rows = self.tables[model]
        old = dict(rows[number]) if number is not None else {"id": max(rows, default=0) + 1}
        new = old | (values or {}) | {"id": old["id"]}
        if unknown := new.keys() - MODELS[model].keys() - {"program_memberships"}:
            raise ValueError(f"no such field of {model}: {', '.join(sorted(unknown))}")
        if missing := [name for name in REQUIRED[model] if new.get(name) is None]:
            raise ValueError(f"{model} needs {', '.join(missing)}")
        for name, kind in MODELS[model].items():
            if kind.startswith("many2one:") and new.get(name):
                self.tables[kind.split(":")[1]][new[name]]  # KeyError: it would point nowhere
        stamp = datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
        if values is None:
            self._delete(model, number)
        else:
            new = {"create_date": stamp} | new | {"write_date": stamp}
            rows[new["id"]] = new
            self._store(model, new)
        if model == "g2p.group.membership":  # moves its group, and only that; other children move nobody
            group = self.tables["res.partner"][new["group"]]
            group["write_date"] = stamp
            self._store("res.partner", group)
        self.tables.changed()

    def _delete(self, model, number):
        """The record and what points to it."""
        for other, fields in MODELS.items():
            links = [name for name, kind in fields.items() if kind == f"many2one:{model}"]
            for row in [row for row in self.tables[other].values() if number in map(row.get, links)]:
                self._delete(other, row["id"])
        self.tables[model].pop(number, None)
        self.db.execute("DELETE FROM record WHERE model = ? AND id = ?", (model, number))


class Registry:
    """Rows as the 15.0 registry API shows them: empty is null, stamps in the API user's time zone."""

    def __init__(self, tables, offset):
        self._tables = tables
        self._offset = offset

    def individual(self, row):
        names = ("given_name", "addl_name", "family_name", "gender", "birthdate", "birth_place")
        return (
            self._registrant(row)
            | {name: row.get(name) for name in names}
            | {"age": _age(row.get("birthdate"))}
        )

    def group(self, row, full):
        shown = self._registrant(row)
        if full:
            shown["kind"] = self._name("g2p.group.kind", row.get("kind"))
            shown["is_partial_group"] = bool(row.get("is_partial_group"))
            shown["members"] = [
                self._member(member) for member in self._children("g2p.group.membership", "group", row)
            ]
        return shown

    def _registrant(self, row):
        return {
            "id": row["id"],
            "name": row["name"],
            "ids": [
                {
                    "id": document["id"],
                    "id_type": self._name("g2p.id.type", document["id_type"]),
                    "value": document.get("value"),
                    "expiry_date": document.get("expiry_date"),
                }
                for document in self._children("g2p.reg.id", "partner_id", row)
            ],
            "is_group": row["is_group"],
            "registration_date": row.get("registration_date"),
            "phone_numbers": [
                {
                    "id": phone["id"],
                    "phone_no": phone["phone_no"],
                    "phone_sanitized": phone.get("phone_sanitized") or phone["phone_no"],
                    "date_collected": phone.get("date_collected"),
                    "disabled": phone.get("disabled") and phone["disabled"][:10],
                }
                for phone in self._children("g2p.phone.number", "partner_id", row)
            ],
            "email": row.get("email"),
            "address": row.get("address"),
            **self._stamps(row),
            "bank_ids": [
                {
                    "bank_name": self._name("res.bank", account.get("bank_id")),
                    "acc_number": account["acc_number"],
                }
                for account in self._children("res.partner.bank", "partner_id", row)
            ],
            "program_membership_ids": row.get("program_memberships", []),
        }

    def _member(self, membership):
        return {
            "id": membership["id"],
            "individual": self.individual(self._tables["res.partner"][membership["individual"]]),
            "kind": [{"name": self._name("g2p.group.membership.kind", kind)} for kind in membership["kind"]],
            **self._stamps(membership),
        }

    def _children(self, model, link, row):
        return [self._tables[model][number] for number in self._tables.children(model, link, row["id"])]

    def _name(self, model, number):
        return self._tables[model][number]["name"] if number else None

    def _stamps(self, row):
        return {
            name: datetime.fromisoformat(row[name]).replace(tzinfo=UTC).astimezone(self._offset).isoformat()
            for name in ("create_date", "write_date")
        }


def _age(birthdate):
    """A string, as the source sends it."""
    try:
        born = date.fromisoformat(birthdate or "")
    except ValueError:
        return "No Birthdate!"
    return str(TODAY.year - born.year - ((TODAY.month, TODAY.day) < (born.month, born.day)))


def _cookie(request):
    match = re.search(r"(?:^|;\s*)session_id=([0-9a-f]+)", request.headers.get("Cookie", ""))
    return match[1] if match else None


def _set_cookie(sid):
    return ("Set-Cookie", f"session_id={sid}; Max-Age=604800; HttpOnly; Path=/")


def _bad_request(reason):
    page = f"<!doctype html>\n<html lang=en>\n<title>400 Bad Request</title>\n<h1>Bad Request</h1>\n<p>{reason}</p>\n"
    return Answer(400, page, content_type="text/html; charset=utf-8")


def _rest_error(status, code, message, description=""):
    return Answer(status, {"errorCode": code, "errorMessage": message, "errorDescription": description})


BAD_ID = (
    "<p>BadRequest [<br>{<br>&#34;loc&#34;: [<br>&#34;id&#34;<br>],<br>&#34;msg&#34;: "
    "&#34;value is not a valid integer&#34;,<br>&#34;type&#34;: &#34;type_error.integer&#34;<br>}<br>]</p>"
)
