"""A real Chromium, driven over its DevTools protocol, for tests and screenshots of a running system.

The usual drivers (Selenium, Playwright) need newer releases of urllib3 and greenlet than Odoo 17 pins,
so they cannot share its environment; Odoo's own driver only works on a server inside the test process.
"""

import base64
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request

import websocket

_KEY_CODES = {"Tab": 9, "Enter": 13, "Escape": 27, " ": 32, "ArrowUp": 38, "ArrowDown": 40}
PROGRAMS = ("chromium", "google-chrome", "chromium-browser")


def program():
    """Path of a Chromium, or None."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


@contextlib.contextmanager
def chromium(width=1400, height=900):
    """Start a browser with an empty profile; yields its Page."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    profile = tempfile.mkdtemp(prefix="spp-browser-")
    process = subprocess.Popen(
        [
            program(), "--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            *(["--no-sandbox"] if os.geteuid() == 0 else []),
            f"--remote-debugging-port={port}", "--remote-allow-origins=*", f"--user-data-dir={profile}",
            f"--window-size={width},{height}", "about:blank",
        ],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        yield Page(_debugger_url(port), width, height)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        shutil.rmtree(profile, ignore_errors=True)


def _debugger_url(port, patience=30):
    deadline = time.monotonic() + patience
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json", timeout=2) as answer:
                pages = [tab for tab in json.load(answer) if tab["type"] == "page"]
            if pages:
                return pages[0]["webSocketDebuggerUrl"]
        except OSError:
            pass
        if time.monotonic() > deadline:
            raise TimeoutError("Chromium did not start")
        time.sleep(0.1)


class Page:
    """One tab. What the page throws or logs as an error is kept in `errors`."""

    def __init__(self, debugger_url, width, height):
        self._socket = websocket.create_connection(debugger_url, timeout=60)
        self._number = 0
        self.errors = []
        self._call("Runtime.enable")
        self._call("Page.enable")
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def open(self, url):
        self._call("Page.navigate", url=url)

    def run(self, script):
        """The value of a JavaScript expression."""
        answer = self._call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"].get("exception", {}).get("description"))
        return answer["result"].get("value")

    def text(self):
        return self.run("document.body ? document.body.innerText : ''") or ""

    def row(self, first):
        """The cells of the list row that begins with `first`."""
        return self.run(
            "[...document.querySelectorAll('tr.o_data_row')]"
            ".map(row => [...row.querySelectorAll('td')].map(cell => cell.innerText.replaceAll('\\u00a0', ' ').trim()).filter(Boolean))"
            f".find(cells => cells[0] === {json.dumps(first)})"
        )

    def wait_for(self, text=None, selector=None, seconds=40):
        """Wait until the page shows `text`, or has an element for `selector`."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if text is not None and text in self.text():
                return
            if selector is not None and self.run(f"!!document.querySelector({json.dumps(selector)})"):
                return
            time.sleep(0.2)
        raise AssertionError(f"{text or selector!r} did not appear; the page reads:\n{self.text()[:2000]}")

    def fill(self, selector, value):
        self.wait_for(selector=selector)
        self.run(
            f"(field => {{ field.focus(); field.value = {json.dumps(value)};"
            " field.dispatchEvent(new Event('input', {bubbles: true}));"
            f" field.dispatchEvent(new Event('change', {{bubbles: true}})); }})(document.querySelector({json.dumps(selector)}))"
        )

    def click(self, text, selector="button, a, .dropdown-item, td, .o_kanban_record, .o_app"):
        """Click the first visible element for `selector` whose text is, or else contains, `text`."""
        script = """(() => {
            const seen = [...document.querySelectorAll(%s)].filter(e => e.offsetParent !== null);
            const found = seen.find(e => e.innerText.trim() === %s) || seen.find(e => e.innerText.includes(%s));
            if (found) { found.click(); }
            return !!found;
        })()""" % (json.dumps(selector), json.dumps(text), json.dumps(text))  # noqa: UP031
        deadline = time.monotonic() + 30
        while not self.run(script):
            if time.monotonic() > deadline:
                raise AssertionError(
                    f"nothing to click reads {text!r}; the page reads:\n{self.text()[:2000]}"
                )
            time.sleep(0.2)

    def type(self, text):
        """Type into what has the focus."""
        self._call("Input.insertText", text=text)

    def press(self, key, control=False):
        """Press and release a key of `_KEY_CODES`."""
        for kind in ("keyDown", "keyUp"):
            self._call(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code={" ": "Space"}.get(key, key),
                windowsVirtualKeyCode=_KEY_CODES[key],
                modifiers=2 if control else 0,
            )

    def settle(self, seconds=0.4):
        """Wait until nothing has been loading for so long: what moves on a page has come to rest."""
        deadline = time.monotonic() + 40
        rest = None
        while rest is None or time.monotonic() < rest:
            loading = self.run("!!document.querySelector('.o_loading_indicator, .o_blockUI')")
            rest = None if loading else rest or time.monotonic() + seconds
            if time.monotonic() > deadline:
                raise AssertionError("the page does not come to rest")
            time.sleep(0.1)

    def screenshot(self, path):
        with open(path, "wb") as file:
            file.write(self.picture())

    def picture(self):
        """What is seen now, as PNG."""
        return base64.b64decode(self._call("Page.captureScreenshot", format="png")["data"])

    def forget(self):
        """Log out, as far as this browser is concerned."""
        self.open(
            "about:blank"
        )  # a page that is open would ask for something, and be given a session of its own
        self.wait_for(selector="body:empty")
        self._call("Network.clearBrowserCookies")

    def log_in(self, url, login, password):
        self.open(f"{url}/web/login")
        self.fill("input#login", login)
        self.fill("input#password", password)
        self.run("document.querySelector('form.oe_login_form button[type=submit]').click()")
        self.wait_for(selector=".o_main_navbar")

    def _call(self, method, **parameters):
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv())
            if message.get("method") == "Runtime.exceptionThrown":
                self.errors.append(message["params"]["exceptionDetails"].get("text", ""))
            if message.get("method") == "Runtime.consoleAPICalled" and message["params"]["type"] == "error":
                parts = message["params"]["args"]
                self.errors.append(
                    " ".join(str(part.get("value", part.get("description"))) for part in parts)
                )
            if message.get("id") == self._number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']['message']}")
                return message["result"]
