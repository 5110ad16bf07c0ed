"""One call to an outside system, over HTTP, with an end that is certain.

A caller that moves money must know three things about a call that went wrong: could it have
been acted on, what is a person told, and how long will it take at most. This module answers
them; it knows nothing of Odoo and of any wire format. ::

    with Client("https://mapper.example.org/v1", auth=("login", "password")) as client:
        answer = client.request("POST", "/sync/link", json=message)
        if answer.status == 200:
            conclude(answer.json())

**Errors.** All are a :class:`CallError` with a ``reason``: one sentence for a person, that
holds no secret, no query and no body.

===================  ===========================================================  =============
error                what happened                                                send again?
===================  ===========================================================  =============
:class:`NotSent`     no byte of the request left: unknown host, refused, connect  yes
                     timeout, TLS handshake or certificate
:class:`AnswerLost`  connected, then deadline, reset, cut off: may have been       ask first
                     acted on
:class:`Unreadable`  an answer came, but not what was expected (a web page, no     ask first
                     JSON, too large)
===================  ===========================================================  =============

What is and is not *NotSent* is decided by one fact, not by the kind of exception: whether
``connect()``, with the TLS handshake, had ended. A refusal of the server, whatever its
status (401, 404, 500, a redirect), is no error here: it is an :class:`Answer`.

**Deadline.** ``total_timeout`` is for the whole call: name look-up, connect, handshake,
sending, headers, body. Timeouts of sockets are per read, so a server that sends a byte now
and then would hold its caller for ever; and a name look-up cannot be interrupted at all. The
call is therefore made in a thread of its own, and at the deadline its connection is shut
down under it. A thread that was still connecting finds itself given up, and sends nothing.

**Connections.** Each call has a new connection: a kept one that the server drops as we
write leaves open whether it read the request. Cookies are kept for the life of the client.

**Not from the environment.** Proxies are taken from ``HTTPS_PROXY`` and its kin, as
operators expect; credentials are never looked up in ``~/.netrc``. Redirects are followed only
when asked: a redirect is an answer, and a POST that was redirected is not the same call.
"""

import base64
import json as jsonlib
import socket
import ssl
import threading
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

MAX_ANSWER_BYTES = 200 * 1024 * 1024
CHUNK = 64 * 1024


class CallError(Exception):
    """A call without a usable answer. ``reason`` is a sentence for a person."""

    def __init__(self, reason):
        super().__init__(reason)
        self.reason = reason


class NotSent(CallError):
    """No byte of the request left this machine: safe to send again."""


class AnswerLost(CallError):
    """The request may have been acted on: ask before sending again."""


class Unreadable(CallError):
    """An answer came, but it is not what was expected."""


class _GivenUp(Exception):
    """The caller has left; this thread must not send any more."""


@dataclass
class Answer:
    """What the server said: status, headers (case does not matter) and the body as text."""

    status: int
    headers: dict
    text: str

    def json(self):
        """The body as JSON values. Raise :class:`Unreadable` if it is anything else."""
        text = self.text.strip()
        if not text:
            raise Unreadable(f"The answer is empty (HTTP status {self.status}).")
        try:
            return jsonlib.loads(text, parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            reason = f"The answer is not JSON (HTTP status {self.status})."
        if text.startswith("<") or "html" in self.headers.get("Content-Type", ""):
            reason = f"The answer is a web page, not data (HTTP status {self.status}). Check the address."
        raise Unreadable(reason)


class Client:
    """Calls to one outside system.

    :param base_url: ``http(s)://host[:port][/path]``; the path of a call is put behind it
    :param auth: nothing, ``(login, password)`` for Basic, the value of the header ``Authorization``
        (``"Bearer …"``), or a function that returns it: given the value that was refused with HTTP 401,
        it returns a new one, and the call is made once more (a refusal at the door: nothing was done)
    :param sign: function from the JSON values of a message to its body and its header ``Signature``
    :param headers: sent with every call
    :param connect_timeout: seconds for connecting, per address of the host
    :param total_timeout: seconds for a whole call, whatever the server does
    :param verify: True (known authorities), or the path of a PEM file with the only ones trusted
    """

    def __init__(
        self,
        base_url,
        *,
        auth=None,
        sign=None,
        headers=None,
        connect_timeout=10,
        total_timeout=60,
        verify=True,
    ):
        if not verify:
            raise ValueError("Certificates are always verified; give the path of a CA instead.")
        self.base_url = base_url.rstrip("/")
        self.connect_timeout = connect_timeout
        self.total_timeout = total_timeout
        self.verify = verify
        self.headers = {"Accept": "application/json", "User-Agent": "SPP", **(headers or {})}
        self._authorize = auth if callable(auth) else None
        self._sign = sign
        if auth and not self._authorize:
            self.headers["Authorization"] = _authorization(auth)
        self.cookies = requests.cookies.RequestsCookieJar()

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.cookies.clear()

    def request(
        self, method, path, *, json=None, data=None, params=None, headers=None, allow_redirects=False
    ):
        """Make one call and return its :class:`Answer`, or raise a :class:`CallError`.

        ``json`` is encoded, and signed, here (no NaN, no Decimal: amounts are strings on the wire); ``data``
        are the fields of a form.
        """
        body = data
        headers = {**self.headers, "Connection": "close", **(headers or {})}
        if json is not None:
            if self._sign:
                body, headers["Signature"] = self._sign(json)
            else:
                body = jsonlib.dumps(json, allow_nan=False, ensure_ascii=False).encode()
            headers.setdefault("Content-Type", "application/json")
        if not self._authorize:
            return self._call(method, path, body, params, headers, allow_redirects)
        headers["Authorization"] = value = _authorization(self._authorize())
        answer = self._call(method, path, body, params, headers, allow_redirects)
        if answer.status == 401:
            headers["Authorization"] = _authorization(self._authorize(value))
            answer = self._call(method, path, body, params, headers, allow_redirects)
        return answer

    def _call(self, method, path, body, params, headers, allow_redirects):
        attempt = _Attempt()
        call = {
            "method": method,
            "url": f"{self.base_url}/{path.lstrip('/')}" if path else self.base_url,
            "data": body,
            "params": params,
            "headers": headers,
            "allow_redirects": allow_redirects,
            "timeout": (min(self.connect_timeout, self.total_timeout), self.total_timeout),
            "verify": self.verify,
            "stream": True,
        }
        worker = threading.Thread(target=self._work, args=(attempt, call), daemon=True)
        deadline = time.monotonic() + self.total_timeout
        worker.start()
        worker.join(max(0, deadline - time.monotonic()))
        host = urlsplit(self.base_url).netloc.rpartition("@")[2]
        answer, error = attempt.give_up()
        if answer:
            return answer
        if error is None:
            reason = f"{host} gave no whole answer within {self.total_timeout:g} seconds."
            raise _lost_or_not_sent(attempt, reason)
        if isinstance(error, CallError):
            raise error
        reason = _reason(error, host)
        if reason is None and not attempt.connected:
            raise error  # a mistake of the caller or of this module, not of the network
        # The original error is left out on purpose: its text holds the whole URL.
        raise _lost_or_not_sent(attempt, reason or f"The call to {host} broke off.")

    def _work(self, attempt, call):
        try:
            with requests.Session() as session:
                session.trust_env = False
                session.cookies = self.cookies
                session.proxies = requests.utils.get_environ_proxies(call["url"])
                session.mount("http://", _Adapter(attempt))
                session.mount("https://", _Adapter(attempt))
                with session.request(**call) as response:
                    attempt.end(answer=_read(response, call["method"]))
        except Exception as error:  # pylint: disable=broad-except  # told to the caller's thread
            attempt.end(error=error)


class _Attempt:
    """What the caller and the thread that makes the call tell each other."""

    def __init__(self):
        self.connected = False
        self._outcome = (None, None)
        self._given_up = False
        self._lock = threading.Lock()
        self._sockets = []

    def opened(self, connection):
        """A socket was opened. A duplicate is kept: TLS takes the original over."""
        with self._lock:
            self._sockets.append(connection.dup())

    def ready(self):
        """The connection stands; from here on the request may be sent."""
        with self._lock:
            if self._given_up:
                raise _GivenUp()
            self.connected = True

    def end(self, answer=None, error=None):
        """The thread is done."""
        with self._lock:
            self._outcome = (answer, error)
            while self._sockets:
                self._sockets.pop().close()

    def give_up(self):
        """Return the outcome so far: ``(answer, error)``. Nothing is sent or read any more.

        What the thread makes of the connection that is shut down under it does not count.
        """
        with self._lock:
            self._given_up = True
            for connection in self._sockets:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:  # it is closed already
                    continue
            return self._outcome


class _Adapter(HTTPAdapter):
    """An adapter of requests whose connections report to an attempt."""

    def __init__(self, attempt):
        self._attempt = attempt
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args, **kwargs):  # pylint: disable=missing-return
        super().init_poolmanager(*args, **kwargs)
        self._report(self.poolmanager)

    def proxy_manager_for(self, *args, **kwargs):
        return self._report(super().proxy_manager_for(*args, **kwargs))

    def _report(self, manager: PoolManager):
        attempt = self._attempt

        def reporting(connection_class):
            class Reporting(connection_class):
                def _new_conn(self):
                    connection = super()._new_conn()
                    attempt.opened(connection)
                    return connection

                def connect(self):  # pylint: disable=missing-return
                    super().connect()
                    attempt.ready()

            return Reporting

        class HttpPool(HTTPConnectionPool):
            ConnectionCls = reporting(HTTPConnection)

        class HttpsPool(HTTPSConnectionPool):
            ConnectionCls = reporting(HTTPSConnection)

        manager.pool_classes_by_scheme = {"http": HttpPool, "https": HttpsPool}
        return manager


def _read(response, method):
    """The whole answer, or an error if it is cut off or too large."""
    body = bytearray()
    for chunk in response.iter_content(CHUNK):
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise Unreadable(f"The answer is larger than {MAX_ANSWER_BYTES // 1024**2} MB.")
    # Two things that the libraries take for the end of an answer: a connection that closes in
    # the body (urllib3 1), and one that closes in the headers (http.client).
    cut_off = response.raw.length_remaining or (
        not body
        and not response.raw.chunked
        and "Content-Length" not in response.headers
        and response.status_code not in (204, 304)
    )
    if cut_off and method.upper() != "HEAD":
        raise AnswerLost("The connection was closed in the middle of the answer.")
    charset = requests.utils.get_encoding_from_headers(response.headers) or "utf-8"
    if "charset" not in response.headers.get("Content-Type", "").lower() or charset.lower() == "utf-8":
        charset = "utf-8-sig"
    try:
        text = body.decode(charset, errors="replace")
    except LookupError:
        text = body.decode("utf-8-sig", errors="replace")
    return Answer(response.status_code, response.headers, text)


def _authorization(auth):
    if not isinstance(auth, str):
        auth = "Basic " + base64.b64encode(":".join(auth).encode()).decode()
    if any(ord(char) < 32 for char in auth):
        raise ValueError("The credentials hold a line break or another control character.")
    return auth


def _refuse_constant(name):
    raise ValueError(f"{name} is not JSON")


def _lost_or_not_sent(attempt, reason):
    if attempt.connected:
        return AnswerLost(f"{reason} The request may have been acted on.")
    return NotSent(f"{reason} Nothing was sent.")


def _reason(error, host):
    """A sentence for what happened, or None for what is no matter of the network."""
    known = None
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"The certificate of {host} is not trusted: {cause.verify_message}."
        if isinstance(cause, socket.gaierror):
            return f"The name of {host} cannot be found."
        if isinstance(cause, ConnectionRefusedError):
            return f"{host} refused the connection."
        if isinstance(cause, ssl.SSLError):
            known = known or f"No secure (TLS) connection to {host}: {cause.reason or 'handshake failed'}."
        elif isinstance(cause, ConnectionError):
            known = known or f"{host} closed the connection."
        elif isinstance(cause, requests.Timeout | TimeoutError):
            known = known or f"{host} did not answer in time."
        elif isinstance(cause, OSError) and cause.errno:
            known = known or f"{host} cannot be reached ({cause.strerror})."
    if known is None and isinstance(error, requests.RequestException | OSError):
        return f"The call to {host} failed ({type(error).__name__})."
    return known


def _causes(error):
    """The error and what it came from, each once; libraries chain them in different ways."""
    seen, waiting = [], [error]
    while waiting:
        cause = waiting.pop(0)
        if isinstance(cause, BaseException) and cause not in seen:
            seen.append(cause)
            waiting += [cause.__cause__, cause.__context__, getattr(cause, "reason", None), *cause.args]
    return seen
