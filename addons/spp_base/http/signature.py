"""Signed messages: a detached JWS over the JSON body, in the header ``Signature``.

RFC 7515, appendix F: protected header and signature, with nothing between them. The receiver rebuilds the
signed bytes from the body that it parsed, so both must write JSON in the same way. Two ways are in use:

==============  =====================================================  ========================================
form            bytes signed                                           read by
==============  =====================================================  ========================================
``sorted``      keys sorted at every depth, compact, raw UTF-8         SPAR 2.x, G2P Bridge on common-lib 2
``as_sent``     keys in the order of the message, compact, non-ASCII   SPAR 1.1, G2P Bridge 1.1 on common-lib 1.1
                escaped as ``\\uXXXX``
==============  =====================================================  ========================================

What is signed is also what is sent, byte for byte: a receiver that checks the raw body agrees as well.
"""

import base64
import json

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

SORTED, AS_SENT = "sorted", "as_sent"


class SignatureError(ValueError):
    """The signature is missing, malformed, or not that of the certificate over this body."""


def canonical(message, form):
    """The bytes of a message that are signed and sent.

    :param message: JSON values; numbers as integers or strings where that can be had: how a receiver writes a
        float again is its own affair
    :param form: ``SORTED`` or ``AS_SENT``
    """
    sort = form == SORTED
    return json.dumps(
        message, sort_keys=sort, ensure_ascii=not sort, separators=(",", ":"), allow_nan=False
    ).encode()


class Signer:
    """Signs messages with one RSA key (RS256).

    :param private_key: PEM of the private key
    :param form: ``SORTED`` or ``AS_SENT``
    :param kid: name of the key, put into the protected header; left out if empty
    """

    def __init__(self, private_key, form, kid=None):
        self._key = load_pem_private_key(
            private_key.encode(), password=None
        )  # once: it takes longer than signing
        self._form = form
        self._header = {"typ": None, **({"kid": kid} if kid else {})}

    def __call__(self, message):
        """Return (body, value of the header ``Signature``)."""
        body = canonical(message, self._form)
        token = jwt.PyJWS().encode(body, self._key, algorithm="RS256", headers=self._header)
        protected, _payload, signature = token.split(".")
        return body, f"{protected}..{signature}"


def verify(body, header, certificate, now):
    """Raise SignatureError unless the owner of a certificate signed a message that came in.

    Its bytes may be signed as they came, or in either form of the JSON: the sender chooses, and each says the same.

    :param body: bytes, as received
    :param header: value of the header ``Signature``
    :param certificate: PEM
    :param now: datetime, UTC without offset: the certificate must be valid then
    """
    parts = (header or "").split(".")
    if len(parts) != 3 or parts[1]:
        raise SignatureError("The message carries no detached signature.")
    try:
        public = x509.load_pem_x509_certificate(certificate.encode())
        message = json.loads(body)
    except ValueError as error:
        raise SignatureError("The certificate or the message cannot be read.") from error
    if not public.not_valid_before <= now <= public.not_valid_after:
        raise SignatureError("The certificate is not valid at this time.")
    for payload in (body, canonical(message, SORTED), canonical(message, AS_SENT)):
        encoded = base64.urlsafe_b64encode(payload).rstrip(b"=").decode()
        try:
            jwt.PyJWS().decode(f"{parts[0]}.{encoded}.{parts[2]}", public.public_key(), algorithms=["RS256"])
        except jwt.PyJWTError:
            continue
        return
    raise SignatureError("The signature is not that of the certificate over this message.")
