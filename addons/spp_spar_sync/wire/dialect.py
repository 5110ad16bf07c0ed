"""The interface of a SPAR wire format. One subclass per generation, chosen by its code."""

import abc


class Dialect(abc.ABC):
    """Builds messages and reads answers; keeps nothing between calls."""

    code: str

    def path(self, prefix, operation):
        """Where `operation` is posted, below the endpoint's base URL."""
        return f"{prefix.rstrip('/')}/{operation}"

    @abc.abstractmethod
    def item(self, reference_id, timestamp, spar_id, fa=None):
        """One request, fixed before it is sent: the same for link and update; without `fa` for unlink."""

    @abc.abstractmethod
    def question(self, reference_id, timestamp, spar_id):
        """One request of a resolve."""

    @abc.abstractmethod
    def message(self, operation, items, *, message_id, transaction_id, timestamp, sender_id, receiver_id):
        """The whole body, as a dict."""

    @abc.abstractmethod
    def read_answer(self, operation, items, status, text):
        """The Reading of an HTTP answer to `items`. Never raises on what a server may send."""

    @abc.abstractmethod
    def same(self, ours, theirs):
        """Whether two accounts, as this dialect writes them, are the same one."""
