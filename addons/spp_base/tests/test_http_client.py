"""A call to an outside system ends in time, and says whether it may have been acted on."""

import gzip
import pathlib
import socket
import tempfile
import threading
import time
from unittest.mock import patch

from odoo.tests.common import tagged

from ..http import client as client_module
from ..http.client import AnswerLost, Client, NotSent, Unreadable
from .common import LoopbackCalls
from .servers import Server, certificate, drip, reply, reset

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@tagged("post_install", "-at_install")
class TestHttpClient(LoopbackCalls):
    def failing(self, error, url, method="POST", path="/pay?token=hush", **options):
        """Make a call that must fail as ``error``; return its reason and the seconds it took."""
        options = {"connect_timeout": 1, "total_timeout": 1, **options}
        began = time.monotonic()
        with self.assertRaises(error) as caught, Client(url, auth=("me", "hush"), **options) as client:
            client.request(method, path, json={"account": "hush"}, params={"key": "hush"})
        self.assertIs(type(caught.exception), error)
        self.assertNotIn("hush", caught.exception.reason)
        self.assertIsNone(caught.exception.__cause__, "its text would hold the whole URL")
        self.assertIsNone(caught.exception.__context__)
        return caught.exception.reason, time.monotonic() - began

    # What works

    def test_call_and_answer(self):
        with Server(reply('{"ok": "é"}'.encode(), headers=["Set-Cookie: sid=1; Path=/"])) as server:
            with Client(server.url + "/v1/", auth=("mé", "pw")) as client:
                answer = client.request("POST", "/link", json={"a": "é"}, params={"q": "1"})
                self.assertEqual((answer.status, answer.json()), (200, {"ok": "é"}))
                client.request("GET", "next")
        (first, body), (second, _empty) = server.requests
        self.assertIn("POST /v1/link?q=1 HTTP/1.1", first)
        self.assertIn("Authorization: Basic bcOpOnB3", first)
        self.assertEqual(body, '{"a": "é"}'.encode())
        self.assertIn("GET /v1/next ", second)
        self.assertIn("Cookie: sid=1", second)

    def test_bearer(self):
        with Server(reply()) as server, Client(server.url, auth="Bearer x.y") as client:
            client.request("GET", "/")
        self.assertIn("Authorization: Bearer x.y", server.requests[0][0])

    def test_refusals_are_answers(self):
        for status in ("401 Unauthorized", "404 Not Found", "500 Oops"):
            with Server(reply(b'{"e": 1}', status=status)) as server, Client(server.url) as client:
                self.assertEqual(client.request("GET", "/").status, int(status[:3]))

    def test_redirect_is_an_answer(self):
        with Server(reply()) as target:
            with Server(reply(status="302 Found", headers=[f"Location: {target.url}/"])) as server:
                with Client(server.url) as client:
                    self.assertEqual(client.request("POST", "/", json={}).status, 302)
                    self.assertFalse(target.requests)
                    self.assertEqual(client.request("GET", "/", allow_redirects=True).status, 200)

    def test_compressed_and_chunked(self):
        zipped = gzip.compress(b'{"a": 1}')
        chunked = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n"
        message = OK + b"Content-Encoding: gzip\r\n" + chunked % (len(zipped), zipped)
        with Server(lambda connection: connection.sendall(message)) as server, Client(server.url) as client:
            self.assertEqual(client.request("GET", "/").json(), {"a": 1})

    def test_no_credentials_from_netrc(self):
        with tempfile.TemporaryDirectory() as home:
            netrc = pathlib.Path(home, "netrc")
            netrc.write_text("machine 127.0.0.1 login a password b\n")
            with patch.dict("os.environ", NETRC=str(netrc)), Server(reply()) as server:
                with Client(server.url) as client:
                    client.request("GET", "/")
        self.assertNotIn("Authorization", server.requests[0][0])

    # Nothing was sent

    def test_refused(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        reason, _seconds = self.failing(NotSent, f"http://127.0.0.1:{port}")
        self.assertEqual(reason, f"127.0.0.1:{port} refused the connection. Nothing was sent.")

    def test_unknown_host(self):
        with patch("socket.getaddrinfo", side_effect=socket.gaierror(-2, "unknown")):
            reason, _seconds = self.failing(NotSent, "http://127.0.0.1:9")
        self.assertIn("cannot be found", reason)

    def test_name_lookup_hangs(self):
        found, sent = threading.Event(), socket.getaddrinfo

        def slow(*args, **kwargs):
            found.wait(5)
            return sent(*args, **kwargs)

        with Server(reply()) as server, patch("socket.getaddrinfo", side_effect=slow):
            _reason, seconds = self.failing(NotSent, server.url, total_timeout=0.3)
            self.assertLess(seconds, 1)
            found.set()
            time.sleep(0.2)
            self.assertFalse(server.requests, "a thread that was given up must not send")

    def test_connect_timeout(self):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            # The queue of a listener that accepts nothing takes a connection or two, no more.
            waiting = [socket.socket() for _number in range(4)]
            for connection in waiting:
                connection.setblocking(False)
                connection.connect_ex(listener.getsockname())
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            _reason, seconds = self.failing(NotSent, url, connect_timeout=0.3, total_timeout=5)
            self.assertLess(seconds, 1)
            for connection in waiting:
                connection.close()

    def test_tls(self):
        with tempfile.TemporaryDirectory() as name:
            directory = pathlib.Path(name)
            ours, context = certificate(directory, "ours")
            other, _context = certificate(directory, "other")
            empty = directory / "empty.pem"
            empty.write_text("nothing")
            with Server(reply(b'{"a": 1}'), context=context) as server:
                reason, _seconds = self.failing(NotSent, server.url)
                self.assertIn("is not trusted", reason)
                self.failing(NotSent, server.url, verify=str(other))
                self.failing(NotSent, server.url, verify=str(empty))
                self.failing(NotSent, server.url, verify=str(directory / "missing.pem"))
                self.assertFalse(server.requests)
                with Client(server.url, verify=str(ours)) as client:
                    self.assertEqual(client.request("GET", "/").json(), {"a": 1})

    def test_environment_does_not_replace_the_authority(self):
        with tempfile.TemporaryDirectory() as name:
            directory = pathlib.Path(name)
            ours, context = certificate(directory, "ours")
            other, _context = certificate(directory, "other")
            with Server(reply(), context=context) as server:
                with patch.dict("os.environ", REQUESTS_CA_BUNDLE=str(other), CURL_CA_BUNDLE=str(other)):
                    with Client(server.url, verify=str(ours)) as client:
                        self.assertEqual(client.request("GET", "/").status, 200)
                with patch.dict("os.environ", REQUESTS_CA_BUNDLE=str(ours)):
                    self.failing(NotSent, server.url, verify=str(other))

    def test_tls_handshake_broken(self):
        with Server(reply(), read=False) as server:  # answers in plain text
            self.failing(NotSent, server.url.replace("http:", "https:"))
        with Server(reset, read=False) as server:
            self.failing(NotSent, server.url.replace("http:", "https:"))

    def test_tls_handshake_dripping(self):
        # A TLS record that says it is 16 KB long, and comes a byte at a time.
        with Server(drip(b"\x16\x03\x03\x40\x00"), read=False) as server:
            _reason, seconds = self.failing(NotSent, server.url.replace("http:", "https:"), total_timeout=0.5)
            self.assertLess(seconds, 1)
            self.assertNoThreadStays()

    def test_verification_cannot_be_turned_off(self):
        with self.assertRaises(ValueError):
            Client("https://127.0.0.1", verify=False)

    def test_mistakes_of_the_caller_are_no_call_errors(self):
        with self.assertRaises(ValueError) as caught:
            Client("http://127.0.0.1", auth="Bearer hush\n")
        self.assertNotIn("hush", str(caught.exception))
        with Server(reply()) as server, Client(server.url) as client:
            for wrong in (float("nan"), {1, 2}):
                with self.assertRaises((TypeError, ValueError)):
                    client.request("POST", "/", json=wrong)
        self.assertFalse(server.requests)

    # It may have been acted on

    def test_silence(self):
        with Server(lambda connection: time.sleep(3)) as server:
            reason, seconds = self.failing(AnswerLost, server.url, total_timeout=0.5)
        self.assertLess(seconds, 1)
        self.assertIn("may have been acted on", reason)
        self.assertEqual(len(server.requests), 1, "it is never sent again by itself")

    def test_dripping_headers(self):
        for start in (b"", b"HTTP/1.1 200 OK\r\nX-Slow: "):
            with Server(drip(start)) as server:
                _reason, seconds = self.failing(AnswerLost, server.url, total_timeout=0.5)
            self.assertLess(seconds, 1)
            self.assertNoThreadStays()

    def test_dripping_body(self):
        with Server(drip(OK + b"Content-Length: 1000\r\n\r\n")) as server:
            _reason, seconds = self.failing(AnswerLost, server.url, total_timeout=0.5)
        self.assertLess(seconds, 1)
        self.assertNoThreadStays()

    def test_reset(self):
        with Server(reset) as server:
            reason, _seconds = self.failing(AnswerLost, server.url)
            self.assertIn("closed the connection", reason)
            self.assertEqual(len(server.requests), 1)

    def test_closed_without_an_answer(self):
        with Server(lambda connection: None) as server:
            self.failing(AnswerLost, server.url)
            self.assertEqual(len(server.requests), 1)

    def test_cut_off_in_the_body(self):
        with Server(reply(b'{"a": 1}', length=100)) as server:
            self.failing(AnswerLost, server.url)
        with Server(lambda c: c.sendall(OK + b"Transfer-Encoding: chunked\r\n\r\nff\r\n{}")) as server:
            self.failing(AnswerLost, server.url)

    def test_cut_off_in_the_headers(self):
        for start in (b"HTTP/1.1 200 OK\r\n", OK + b"X-A: 1", OK + b"Content-Length: 1"):
            with Server(lambda connection, start=start: connection.sendall(start)) as server:
                self.failing(AnswerLost, server.url)

    def test_no_http_at_all(self):
        with Server(lambda c: c.sendall(b"SSH-2.0-OpenSSH\r\n")) as server:
            self.failing(AnswerLost, server.url)

    def test_broken_compression(self):
        with Server(reply(b"no gzip", headers=["Content-Encoding: gzip"])) as server:
            self.failing(AnswerLost, server.url)

    # It cannot be read

    def test_web_page(self):
        page = b"<!DOCTYPE html><html>Login</html>"
        with Server(reply(page, headers=["Content-Type: text/html"])) as server, Client(server.url) as client:
            with self.assertRaises(Unreadable) as caught:
                client.request("GET", "/").json()
        self.assertIn("a web page", caught.exception.reason)
        self.assertIsNone(caught.exception.__cause__)

    def test_no_json(self):
        for body in (b"", b"fine", b'{"a": NaN}', b"[" * 100_000):
            with Server(reply(body)) as server, Client(server.url) as client:
                with self.assertRaises(Unreadable):
                    client.request("GET", "/").json()

    def test_too_large(self):
        with patch.object(client_module, "MAX_ANSWER_BYTES", 1024**2):
            bomb = gzip.compress(b"0" * 5 * 1024**2)
            with Server(reply(bomb, headers=["Content-Encoding: gzip"])) as server:
                reason, _seconds = self.failing(Unreadable, server.url)
        self.assertEqual(reason, "The answer is larger than 1 MB.")

    def assertNoThreadStays(self):
        """The connection is shut down under the thread that waits for it, so that it ends."""
        until = time.monotonic() + 2
        while time.monotonic() < until:
            if not any(
                getattr(thread, "_target", None) and "Client._work" in repr(thread._target)
                for thread in threading.enumerate()
            ):
                return
            time.sleep(0.02)
        self.fail("a thread was left behind")
