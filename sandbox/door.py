"""Who may speak to a counterparty: tokens and signatures, checked as the running systems were observed to.

Nothing is checked until it is set: `partners` (certificates, PEM) for signatures, `client` (id and secret) for tokens.
The signature is checked with the cryptography library alone, not with what SPP signs with.
"""

import base64
import binascii
import json
import secrets
import time
from urllib.parse import parse_qsl

from .server import Answer, g2p_error

TOKEN = "/token"
SCHEMA = "CREATE TABLE IF NOT EXISTS token (value TEXT PRIMARY KEY, until REAL);"
DEFAULTS = {
    "partners": [],  # certificates of those whose signature is accepted; empty: no signature is asked for
    "signature_form": ["as_sent"],  # how the signed JSON is written: as_sent or sorted
    "client": [],  # id and secret of who gets a token; empty: no token is asked for
    "token_seconds": 3600,
}


class NotSigned(Exception):
    """The message carries no signature that is accepted: `missing`, `malformed` or `wrong`."""


def give_token(server, request):
    """The token endpoint: OAuth2 client credentials, as a form."""
    form = dict(parse_qsl(request.body.decode()))
    if [form.get("client_id"), form.get("client_secret")] != server.setting("client"):
        return Answer(401, {"error": "invalid_client"})
    if form.get("grant_type") != "client_credentials":
        return Answer(400, {"error": "unsupported_grant_type"})
    value, seconds = secrets.token_urlsafe(16), server.setting("token_seconds")
    server.db.execute("INSERT INTO token VALUES (?, ?)", (value, time.time() + seconds))
    # The examples of the standard have the seconds as a string.
    return Answer(200, {"access_token": value, "token_type": "Bearer", "expires_in": str(seconds)})


def check_token(server, request):
    """The refusal of a request without a token that holds, or None."""
    if not server.setting("client"):
        return None
    value = (request.headers.get("Authorization") or "").removeprefix("Bearer ")
    if server.db.execute(
        "SELECT 1 FROM token WHERE value = ? AND until > ?", (value, time.time())
    ).fetchone():
        return None
    return g2p_error(401, "err.request.unauthorized", "token expired")


def check_signature(server, request, form=None, sender=None):
    """Raise NotSigned unless one of the partners signed the body.

    :param form: how the signed JSON is written, where it is not a setting
    :param sender: only the certificate of this name counts, where names do; case, hyphen and underscore do not
    """
    partners = server.setting("partners")
    if not partners:
        return
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.hashes import SHA256

    header = request.headers.get("Signature")
    if not header:
        raise NotSigned("missing")
    try:
        protected, middle, signature = header.split(".")
        algorithm = json.loads(_decode(protected))["alg"]
        raw = _decode(signature)
        message = json.loads(request.body)
    except (ValueError, KeyError, TypeError, binascii.Error):
        raise NotSigned("malformed") from None
    if middle or algorithm != "RS256":
        raise NotSigned("wrong")
    is_sorted = (form or server.setting("signature_form")[0]) == "sorted"
    payload = json.dumps(
        message, sort_keys=is_sorted, ensure_ascii=not is_sorted, separators=(",", ":")
    ).encode()
    signed = f"{protected}.".encode() + base64.urlsafe_b64encode(payload).rstrip(b"=")
    for pem in partners:
        certificate = x509.load_pem_x509_certificate(pem.encode())
        if sender and _plain(certificate.subject.rfc4514_string()) != _plain(f"CN={sender}"):
            continue
        try:
            certificate.public_key().verify(raw, signed, PKCS1v15(), SHA256())
        except InvalidSignature:
            continue
        return
    raise NotSigned("wrong")


def _plain(name):
    return name.upper().replace("-", "_")


def _decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def sign(body, pem):
    """The header `Signature` for a body of bytes: a detached JWS, RS256."""
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    protected = _encode(b'{"alg":"RS256"}')
    signed = f"{protected}.{_encode(body)}".encode()
    return (
        f"{protected}..{_encode(load_pem_private_key(pem.encode(), None).sign(signed, PKCS1v15(), SHA256()))}"
    )


def _encode(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
