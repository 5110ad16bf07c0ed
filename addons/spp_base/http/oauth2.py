"""Access tokens of OAuth2 client credentials (RFC 6749, section 4.4), kept in memory until they end.

A token is never stored: each process asks for one of its own and renews it a little before its end, or when it
is refused.
"""

import threading
import time

from .client import CallError, NotSent, Unreadable

# A token that does not say how long it is good for is asked for anew after this time.
DEFAULT_SECONDS = 300
# Asked for anew this long before its end: clocks differ, and calls take time.
MARGIN_SECONDS = 30


class TokenRefused(NotSent):
    """The token server does not accept the client: asking again leads nowhere."""


class TokenSource:
    """The token of one client at one token server, for all threads of this process."""

    def __init__(self):
        self._lock = threading.Lock()
        self._token = None
        self._until = 0

    def token(self, ask, refused=None):
        """The token, asked for if there is none that is still good.

        :param ask: function that makes the call and returns its Answer
        :param refused: a token that the other system did not accept; it is not given out again
        :raise NotSent: whatever went wrong: the call that needs the token was not made
        """
        with self._lock:
            if self._token and self._token != refused and time.monotonic() < self._until:
                return self._token
            self._token = None
            try:
                token, seconds = _read(ask())
            except TokenRefused:
                raise
            except CallError as error:
                raise NotSent(f"No access token: {error.reason} Nothing was sent.") from None
            self._token, self._until = token, time.monotonic() + max(0, seconds - MARGIN_SECONDS)
            return token


def request_token(client, client_id, client_secret, scope=""):
    """Ask for a token, as a form, with the client's secret in the body."""
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret}
    return client.request("POST", "", data={**form, **({"scope": scope} if scope else {})})


def _read(answer):
    if answer.status in (400, 401, 403):
        raise TokenRefused(
            f"The token server refused the client (HTTP status {answer.status}). Nothing was sent."
        )
    if answer.status != 200:
        raise Unreadable(f"The token server gave no token (HTTP status {answer.status}).")
    said = answer.json()
    token = said.get("access_token") if isinstance(said, dict) else None
    if not isinstance(token, str) or not token.isprintable() or not token.strip():
        raise Unreadable("The token server's answer holds no token.")
    try:
        # A string in the examples of the standard, absent in others.
        seconds = float(said.get("expires_in") or DEFAULT_SECONDS)
    except (TypeError, ValueError):
        seconds = DEFAULT_SECONDS
    return token, seconds
