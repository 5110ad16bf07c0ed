"""What the three counterparties share: a small HTTP server on 127.0.0.1 with state and faults.

A counterparty subclasses `Server` and implements `act()`. Everything it knows is in one SQLite file, committed
before it answers, so that a restart or a kill -9 loses nothing it has acknowledged. Faults are told to it over
`/_sandbox/faults` and live in memory only: a restart ends them. Standard library only.
"""

import contextlib
import errno
import json
import os
import socket
import sqlite3
import sys
import threading
from dataclasses import asdict, dataclass, fields
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

HOST = "127.0.0.1"
CONTROL = "/_sandbox/"
FAULTS = (
    "delay",
    "delay_after",
    "drop_before",
    "drop_after",
    "duplicate",
    "error",
    "error_after",
    "html",
    "refuse_all",
    "replay",
)
HTML_PAGE = "<!DOCTYPE html>\n<html><head><title>Log in</title></head><body><h1>Log in</h1></body></html>\n"


class Request(NamedTuple):
    method: str
    path: str
    query: dict
    headers: Any  # http.client.HTTPMessage: a mapping that ignores case
    body: bytes


class Answer(NamedTuple):
    status: int
    body: Any = None  # str is sent as it is, anything else as JSON
    headers: tuple = ()
    content_type: str = "application/json"


@dataclass
class Fault:
    fault: str
    path: str = "*"  # exact path, or a prefix ending in *
    times: int | None = 1  # None: until cleared
    seconds: int | float = 0
    status: int = 503  # of `error` and `error_after`
    code: str = ""  # of `refuse_all`; empty: the server's own

    def matches(self, path):
        return path.startswith(self.path[:-1]) if self.path.endswith("*") else path == self.path


class Refusal(Exception):
    """Ends an act with this answer; what the act had stored is rolled back."""

    def __init__(self, answer):
        super().__init__(answer.status)
        self.answer = answer


class PortTaken(Exception):
    """Another process listens there; the message says which."""


def g2p_error(status, code, message):
    """The HTTP-level error body of OpenG2P's servers (payer and mapper)."""
    return Answer(status, {"errors": [{"code": code, "message": message}]})


NOT_FOUND = g2p_error(404, "G2P-REQ-404", "Not Found")
NOT_ALLOWED = g2p_error(405, "G2P-REQ-405", "Method Not Allowed")
KINDS = {str: "string", int: "integer", dict: "dictionary", list: "list"}


def field(holder, name, kind=str, required=True):
    """`holder[name]`, or the 400 a G2P server gives: it never says which field it means."""
    if name not in holder:
        if required:
            raise Refusal(g2p_error(400, "G2P-REQ-102", "Invalid Input. Field required"))
        return None
    value = holder[name]
    if not isinstance(value, kind) or isinstance(value, bool):
        raise Refusal(g2p_error(400, "G2P-REQ-102", f"Invalid Input. Input should be a valid {KINDS[kind]}"))
    return value


def g2p_message(request):
    """Header and message of a G2P envelope, checked as far as the real servers check it."""
    try:
        envelope = json.loads(request.body)
    except ValueError:
        raise Refusal(g2p_error(400, "G2P-REQ-102", "Invalid Input. JSON decode error")) from None
    if not isinstance(envelope, dict):
        raise Refusal(g2p_error(400, "G2P-REQ-102", "Invalid Input. Input should be a valid dictionary"))
    header, message = field(envelope, "header", dict), field(envelope, "message", dict)
    for name in ("message_id", "message_ts", "action", "sender_id"):
        field(header, name)
    field(header, "total_count", int)
    field(header, "meta", dict, required=False)
    field(message, "transaction_id")
    return envelope, header, message


class Server:
    """One counterparty. Subclasses set `name`, `schema`, `defaults` and implement the four methods below."""

    name = ""
    schema = ""  # CREATE TABLE IF NOT EXISTS …
    defaults = {}  # settings that /_sandbox/set may change: numbers (null: never) and lists

    def __init__(self, directory):
        self.directory = directory
        self.peers = {self.name: self}
        self.faults = []
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self._http = None
        # One connection for all threads, guarded by the lock; autocommit, transactions are ours.
        self.db = sqlite3.connect(
            os.path.join(directory, f"{self.name}.sqlite"), check_same_thread=False, isolation_level=None
        )
        self.db.row_factory = sqlite3.Row
        self.db.execute("PRAGMA journal_mode=WAL")
        self.db.execute("PRAGMA synchronous=NORMAL")  # survives a kill -9; a power cut may lose the last
        self.db.executescript(
            "CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT);" + self.schema
        )

    # What a counterparty does

    def act(self, request):
        """Do what the request asks and return an Answer; runs inside one transaction."""
        raise NotImplementedError

    def refusal(self, request, code):
        """The answer that refuses the whole request in the counterparty's own way."""
        raise NotImplementedError

    def state(self):
        """What it holds, as plain values."""
        raise NotImplementedError

    def change(self, values):
        """Change what it holds from outside; gets what /_sandbox/set was sent, without settings."""
        raise NotImplementedError

    # Settings and storage

    def setting(self, name):
        row = self.db.execute("SELECT value FROM setting WHERE name = ?", (name,)).fetchone()
        return json.loads(row["value"]) if row else self.defaults[name]

    @contextlib.contextmanager
    def transaction(self):
        with self._lock:
            self.db.execute("BEGIN IMMEDIATE")
            try:
                yield self.db
            except BaseException:
                self.db.execute("ROLLBACK")
                raise
            self.db.execute("COMMIT")

    def reset(self):
        """Back to the first start: no state, default settings, no faults."""
        with self.transaction() as db:
            self.faults = []
            for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                db.execute(f"DELETE FROM {row['name']}")

    # Answering

    def answer(self, request):
        """The answer, or None when the connection is to be closed without one."""
        if request.path.startswith(CONTROL):
            return self._control(request)
        fault = self._take_fault(request.path)
        kind = fault.fault if fault else ""
        if kind == "drop_before":
            self._stopping.wait(fault.seconds)
            return None
        if kind == "error":
            return Answer(fault.status, "Service Unavailable", content_type="text/plain")
        if kind == "html":
            return Answer(200, HTML_PAGE, content_type="text/html; charset=utf-8")
        if kind == "refuse_all":
            return self.refusal(request, fault.code)
        if kind == "delay":
            self._stopping.wait(fault.seconds)
        if kind == "duplicate":
            self._act(request)
        answer = self._act(request)
        if kind == "replay":
            timer = threading.Timer(fault.seconds, self._act, [request])
            timer.daemon = True
            timer.start()
        if kind == "delay_after":
            self._stopping.wait(fault.seconds)
        if kind == "error_after":
            return Answer(fault.status, "Internal Server Error", content_type="text/plain")
        return None if kind == "drop_after" else answer

    def _act(self, request):
        with self._lock:
            if self._stopping.is_set():
                return None
            try:
                with self.transaction():
                    return self.act(request)
            except Refusal as refusal:
                return refusal.answer

    def _take_fault(self, path):
        with self._lock:
            fault = next((fault for fault in self.faults if fault.matches(path)), None)
            if fault and fault.times is not None:
                fault.times -= 1
                if not fault.times:
                    self.faults.remove(fault)
            return fault

    # The control endpoints

    def _control(self, request):
        """`/_sandbox/…` of any server speaks for all of them; without a `server` it means the one asked."""
        try:
            body = json.loads(request.body) if request.body else {}
            target = body.pop("server", None) or request.query.get("server") or self.name
            if target != "all" and target not in self.peers:
                raise ValueError(f"no such server: {target}")
            servers = self.peers if target == "all" else {target: self.peers[target]}
            result = {name: server._command(request, dict(body)) for name, server in servers.items()}
        except (AttributeError, KeyError, TypeError, ValueError, sqlite3.Error) as error:
            return Answer(400, {"error": str(error)})
        return Answer(200, result if target == "all" else result[target])

    def _command(self, request, body):
        command = (request.method, request.path.removeprefix(CONTROL))
        if command == ("GET", ""):
            return {"server": self.name, "pid": os.getpid(), "state": os.path.abspath(self.directory)}
        if command == ("GET", "state"):
            with self.transaction():
                return self.state()
        if command == ("POST", "set"):
            with self.transaction():
                self._set(body)
                return self.state()
        if command == ("POST", "reset"):
            self.reset()
        elif command == ("POST", "faults"):
            self._add_fault(body)
        elif command == ("DELETE", "faults"):
            self.faults = []
        elif command != ("GET", "faults"):
            raise ValueError(f"no such command: {request.method} {request.path}")
        return {"faults": [asdict(fault) for fault in self.faults]}

    def _add_fault(self, body):
        fault = Fault(**body)
        if fault.fault not in FAULTS:
            raise ValueError(f"no such fault: {fault.fault}; there are {', '.join(FAULTS)}")
        for told in fields(fault):
            if not isinstance(getattr(fault, told.name), told.type):
                raise ValueError(f"{told.name} is not as it should be")
        if fault.times is not None and fault.times < 1:
            raise ValueError("times is 1 or more, or null for until cleared")
        with self._lock:
            self.faults.append(fault)

    def _set(self, body):
        for name in self.defaults.keys() & body.keys():
            value = body.pop(name)
            if not isinstance(value, list if isinstance(self.defaults[name], list) else int | float | None):
                raise ValueError(f"{name} is not as it should be")
            self.db.execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", (name, json.dumps(value)))
        if body:
            self.change(body)

    # Life

    def start(self, port):
        """Listen on 127.0.0.1:port (0: any free one) in threads of this process; returns the base URL."""
        try:
            self._http = _HTTPServer((HOST, port), self)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise PortTaken(f"port {port} for the {self.name} is held by {who_holds(port)}") from None
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return f"http://{HOST}:{self._http.server_address[1]}"

    def stop(self):
        self._stopping.set()
        if self._http:
            self._http.stop()
        with self._lock:
            self.db.close()


class _HTTPServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, address, server):
        self.counterparty = server
        self._open = set()
        super().__init__(address, _Handler)

    def process_request(self, request, client_address):
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request):
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request, client_address):
        """A client that went away is ordinary here; anything else is a fault of ours and is shown."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    def stop(self):
        self.shutdown()
        self.server_close()
        for connection in list(self._open):  # connections kept alive would outlive the server
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _serve(self):
        length = int(self.headers.get("Content-Length") or 0)
        url = urlsplit(self.path)
        request = Request(
            self.command, url.path, dict(parse_qsl(url.query)), self.headers, self.rfile.read(length)
        )
        answer = self.server.counterparty.answer(request)
        if answer is None:
            self.close_connection = True
            return
        text = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
        body = text.encode()
        self.send_response(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_DELETE = _serve

    def log_message(self, format, *args):
        """Say nothing: requests carry account numbers."""


def who_holds(port):
    """Who listens on 127.0.0.1:port, in words: another sandbox, a process (Linux), or somebody unknown."""
    try:
        connection = HTTPConnection(HOST, port, timeout=0.5)
        connection.request("GET", CONTROL)
        told = json.loads(connection.getresponse().read())
        return f"another sandbox (its {told['server']}, process {told['pid']}, state {told['state']})"
    except (OSError, HTTPException, ValueError, KeyError, TypeError):
        pid = _listening_process(port)
        return f"process {pid[0]} ({pid[1]})" if pid else "another program"


def _listening_process(port):
    """(pid, command) from /proc, where there is one and we may read it."""
    inodes = set()
    with contextlib.suppress(OSError), open("/proc/net/tcp") as table:
        for line in list(table)[1:]:
            columns = line.split()
            if columns[3] == "0A" and int(columns[1].rsplit(":", 1)[1], 16) == port:
                inodes.add(f"socket:[{columns[9]}]")
    for pid in filter(str.isdigit, os.listdir("/proc") if inodes else ()):
        with contextlib.suppress(OSError):
            for descriptor in os.listdir(f"/proc/{pid}/fd"):
                if os.readlink(f"/proc/{pid}/fd/{descriptor}") in inodes:
                    with open(f"/proc/{pid}/comm") as comm:
                        return int(pid), comm.read().strip()
    return None
