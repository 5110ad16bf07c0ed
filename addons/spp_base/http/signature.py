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

import json

import jwt

SORTED, AS_SENT = "sorted", "as_sent"


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
        self._key = private_key
        self._form = form
        self._header = {"typ": None, **({"kid": kid} if kid else {})}

    def __call__(self, message):
        """Return (body, value of the header ``Signature``)."""
        body = canonical(message, self._form)
        token = jwt.PyJWS().encode(body, self._key, algorithm="RS256", headers=self._header)
        protected, _payload, signature = token.split(".")
        return body, f"{protected}..{signature}"
