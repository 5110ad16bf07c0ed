"""Messages that a payer of the asynchronous pair sends to us: on-disburse and on-status, and how we acknowledge them.

Whether the sender is the payer is checked before this, and what a message leads to after it. Here only: is it a
callback at all, which one, and what does it speak of.
"""

from dataclasses import dataclass

from .answers import NotJson, entries_of, json_object, object_of
from .messages import SHORT, time_text
from .words import clean

ON_DISBURSE, ON_STATUS = "on-disburse", "on-status"
# Paths under the address that we give as `sender_uri`, as in the standard
PATHS = {"on-disburse": ON_DISBURSE, "disburse/txn/on-status": ON_STATUS}
MOST = 20_000_000  # bytes of a callback


class CallbackError(ValueError):
    """The message cannot be taken; nothing of it was. `code` is one of the standard's for an Ack."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Callback:
    """What the header and the frame of a callback say."""

    message_id: str
    sender_id: str
    receiver_id: str
    transaction_id: str
    references: frozenset


def parse(body):
    """The callback in a body of bytes.

    :raise CallbackError: it is none
    """
    try:
        text = body.decode()
        message = json_object(text)
    except (UnicodeDecodeError, NotJson):
        raise CallbackError("err.request.bad", "The message is not a G2P Connect message.") from None
    header = object_of(message.get("header"))
    message_id = clean(header.get("message_id"))
    if not message_id or len(message_id) > SHORT or not message_id.isprintable():
        raise CallbackError("err.request.bad", "The header has no message_id of 1 to 99 characters.")
    if not clean(header.get("status")):
        raise CallbackError("err.request.bad", "The header has no status.")
    return Callback(
        message_id=message_id,
        sender_id=clean(header.get("sender_id")),
        receiver_id=clean(header.get("receiver_id")),
        transaction_id=clean(object_of(message.get("message")).get("transaction_id")),
        references=frozenset(
            filter(None, (clean(entry.get("reference_id")) for entry in entries_of(message)))
        ),
    )


def ack(correlation_id, now, error=None):
    """The acknowledgement of a callback: ACK, or ERR for a CallbackError."""
    message = {
        "ack_status": "ERR" if error else "ACK",
        "timestamp": time_text(now),
        "correlation_id": correlation_id,
    }
    if error:
        message["error"] = {"code": error.code, "message": str(error)}
    return {"message": message}


def http_error(code, message):
    """The body of an HTTP error."""
    return {"errors": [{"code": code, "message": message}]}
