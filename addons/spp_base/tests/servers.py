"""Small servers that answer byte by byte as a test says, and certificates for them."""

import datetime
import ipaddress
import socket
import ssl
import struct
import threading
from contextlib import closing

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Server:
    """Accepts connections, reads one request from each, and lets ``behave(connection)`` answer.

    ``requests`` holds what was received, so that a test sees what left the client.
    """

    def __init__(self, behave, context=None, read=True):
        self.behave = behave
        self.context = context
        self.read = read
        self.requests = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"{'https' if context else 'http'}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exc_info):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self):
        while True:
            try:
                connection, _address = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with closing(connection):
            try:
                if self.context:
                    connection = self.context.wrap_socket(connection, server_side=True)
                if self.read:
                    self.requests.append(_read_request(connection))
                self.behave(connection)
                connection.close()
            except OSError:
                return


def _read_request(connection):
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head, _blank, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n")[1:]:
        name, _colon, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    while len(body) < length:
        body += connection.recv(65536)
    return head.decode(), body


def reply(body=b"{}", status="200 OK", headers=(), length=None):
    """A behaviour that answers properly (or claims another length than it sends)."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers]
    message = "\r\n".join(lines).encode() + b"\r\n\r\n" + body
    return lambda connection: connection.sendall(message)


def drip(data, seconds=0.1):
    """A behaviour that sends ``data`` and then a byte now and then, for ever."""

    def behave(connection):
        connection.sendall(data)
        while True:
            threading.Event().wait(seconds)
            connection.sendall(b"x")

    return behave


def reset(connection):
    """A behaviour that drops the connection with a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def certificate(directory, name):
    """A self-signed certificate for 127.0.0.1: its PEM file, and a server's TLS context."""
    private = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.utcnow()
    signed = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(private, hashes.SHA256())
    )
    pem = directory / f"{name}.pem"
    pem.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    key = directory / f"{name}.key"
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, key)
    return pem, context
