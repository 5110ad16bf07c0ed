"""An outside system of the sandbox, in a process of its own, and what it is told beside the wire."""

import http.client
import json
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent
NAMES = ("mis", "spar", "payer", "bridge")


@contextmanager
def server(name, prepare=None):
    """Give the address of the server `name`. `prepare(folder)` may put its state there before it starts."""
    with tempfile.TemporaryDirectory() as folder:
        if prepare:
            prepare(folder)
        command = [
            sys.executable,
            "-m",
            "sandbox",
            "--state",
            folder,
            *(f"--{each}-port=0" for each in NAMES),
        ]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        try:
            yield json.loads(process.stdout.readline())[name]
        finally:
            process.terminate()
            process.wait()


def control(url, command, **body):
    _request(url, "POST", command, json.dumps(body))


def get(url, command):
    return _request(url, "GET", command)


def _request(url, method, command, body=None):
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname, address.port)
    connection.request(method, f"/_sandbox/{command}", body)
    return connection.getresponse().read()
