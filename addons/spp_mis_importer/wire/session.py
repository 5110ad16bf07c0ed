"""Logging in at an Odoo server, and its errors in plain words.

Odoo tells most errors inside HTTP 200, so the status says little. Every call goes through `Session`, which logs in
again, once, when the server says that the session has expired.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from zoneinfo import ZoneInfo

from .errors import NotThere, SessionExpired, SourceDown, SourceError

LOGIN_PATH = "/web/session/authenticate"
LOGOUT_PATH = "/web/session/logout"
BUSY = (429, 500, 502, 503, 504)
EXPIRED = 100  # error.code of Odoo's JSON-RPC


@dataclass(frozen=True)
class Login:
    """Where and as whom to log in. The password stays out of every text made of it."""

    database: str
    login: str
    password: str
    login_path: str = LOGIN_PATH
    logout_path: str = LOGOUT_PATH

    def __repr__(self):
        return f"Login({self.database!r}, {self.login!r})"


@dataclass(frozen=True)
class Welcome:
    """What the server said when it let us in."""

    time_zone: str
    server_version: str
    clock_ahead: int | None  # seconds that its clock is ahead of ours; None: it did not tell the time
    at: datetime  # of the login, by our clock

    @property
    def zone(self):
        try:
            return ZoneInfo(self.time_zone)
        except (KeyError, ValueError, OSError):
            return UTC


@dataclass(frozen=True)
class Probe:
    """What one look at the source found. Counts are None where the source does not tell them."""

    individuals: int | None
    groups: int | None


class Session:
    """One login. `client` has `request(method, path, *, json, params, headers, allow_redirects) -> answer` and keeps
    cookies; an answer has `status`, `headers`, `text`."""

    def __init__(self, client, login):
        self._client = client
        self._login = login
        self.welcome = None

    def login(self):
        """Log in and return what the server said (Welcome)."""
        login = self._login
        credentials = {"db": login.database, "login": login.login, "password": login.password}
        if login.login_path.rstrip("/").endswith(
            "/session/auth/login"
        ):  # base_rest_auth_user_service: no envelope
            body = credentials
        else:
            body = {"jsonrpc": "2.0", "method": "call", "id": 1, "params": credentials}
        answer = self._client.request("POST", login.login_path, json=body)
        told = read_json(answer, login.login_path)
        if isinstance(told, dict) and told.get("error"):
            raise login_error(told["error"], login)
        result = told.get("result", told) if isinstance(told, dict) else None
        if not isinstance(result, dict) or "uid" not in result:
            raise SourceError(
                f"The login at {login.login_path} was answered in a way that Odoo does not. Check the path."
            )
        if not result["uid"]:
            raise SourceError(
                f"The login {login.login} has two-factor authentication, which an importer cannot answer. "
                "Use a login of its own for the importer, without it."
            )
        context = result.get("user_context")
        self.welcome = Welcome(
            time_zone=str((context if isinstance(context, dict) else {}).get("tz") or "UTC"),
            server_version=str(result.get("server_version") or ""),
            clock_ahead=_clock_ahead(answer),
            at=datetime.now(UTC),
        )
        return self.welcome

    def logout(self):
        """End the session at the server."""
        path = self._login.logout_path
        if path.rstrip("/").endswith("/web/session/logout"):
            self._client.request("GET", path)
        else:
            self._client.request("POST", path, json={"jsonrpc": "2.0", "params": {}})

    def call(self, model, method, args, **kwargs):
        """The result of a model's method over JSON-RPC."""
        params = {"model": model, "method": method, "args": args, "kwargs": kwargs}
        return self._again(self._call, f"/web/dataset/call_kw/{model}/{method}", params)

    def _call(self, path, params):
        answer = self._client.request(
            "POST", path, json={"jsonrpc": "2.0", "method": "call", "params": params}
        )
        told = read_json(answer, path)
        if not isinstance(told, dict) or ("result" not in told and not told.get("error")):
            raise SourceError(f"{path} was answered in a way that Odoo does not.")
        if told.get("error"):
            raise call_error(told["error"], params["model"])
        return told["result"]

    def get(self, path, **params):
        """The status and the JSON values of a page of the registry API."""
        return self._again(self._get, path, params)

    def _get(self, path, params):
        answer = self._client.request("GET", path, params=params)
        if answer.status == 401 or (
            answer.status in (302, 303) and "login" in str(answer.headers.get("Location", ""))
        ):
            raise SessionExpired()
        return answer.status, read_json(answer, path)

    def _again(self, ask, *args):
        try:
            return ask(*args)
        except SessionExpired:
            self.login()
            return ask(*args)


def read_json(answer, place):
    """The JSON values of an answer, or an error that says what came instead."""
    try:
        return json.loads(answer.text)
    except (ValueError, RecursionError):
        raise _no_json(answer.status, answer.text.strip(), answer.headers, place) from None


def _no_json(status, text, headers, place):
    if status in BUSY:
        return SourceDown(f"The source is out of order: HTTP status {status} at {place}.")
    if 300 <= status < 400:
        return SourceError(
            f"The source sends us elsewhere (HTTP status {status}) at {place}. Check the address."
        )
    if status == 404:
        return SourceError(
            f"The source has nothing at {place} (HTTP status 404). Check the address and the path."
        )
    if text.startswith("<") or "html" in str(headers.get("Content-Type", "")):
        return SourceError(
            f"A web page came from {place} instead of data (HTTP status {status}). "
            "Check the address and the path; it may also be the page of a proxy or of a server under maintenance."
        )
    if not text:
        return SourceError(f"An empty answer came from {place} (HTTP status {status}).")
    return SourceDown(f"What came from {place} is not JSON, or was cut off (HTTP status {status}).")


def _name_and_message(error):
    data = error.get("data") if isinstance(error, dict) else None
    data = data if isinstance(data, dict) else {}
    return str(data.get("name") or ""), " ".join(str(data.get("message") or "").split())


def login_error(error, login):
    name, message = _name_and_message(error)
    if name.endswith("AccessDenied"):
        return SourceError(f"The source does not accept the login {login.login} with this password.")
    if "database" in message.lower():
        return SourceError(f"The source has no database “{login.database}”.")
    return SourceError(f"The source refused the login {login.login} ({name or 'no reason given'}).")


def call_error(error, model):
    """Traceback and message stay out: they may repeat what was sent."""
    if isinstance(error, dict) and error.get("code") == EXPIRED:
        return SessionExpired()
    name, _message = _name_and_message(error)
    if name.endswith("SessionExpiredException"):
        return SessionExpired()
    if name.endswith(("AccessError", "AccessDenied")):
        return SourceError(
            f"Our login at the source may not read {model}. Ask its administrator for read rights."
        )
    if name.endswith("KeyError"):
        return NotThere(
            f"The source does not know {model}: it has no OpenG2P registry, or another version of it."
        )
    if name.endswith("OperationalError"):
        return SourceDown("The source could not reach its own database.")
    return SourceError(f"The source failed when it was asked for {model} ({name or 'no reason given'}).")


def _clock_ahead(answer):
    try:
        told = parsedate_to_datetime(str(answer.headers.get("Date")))
    except (TypeError, ValueError):
        return None
    if not told.tzinfo:
        told = told.replace(tzinfo=UTC)
    # The header is cut to seconds.
    return round((told - datetime.now(UTC)).total_seconds() + 0.5)
