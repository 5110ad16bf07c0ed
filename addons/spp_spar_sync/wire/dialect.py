"""The interface of a SPAR wire format. One subclass per generation, chosen by its code.

An account (`fa`) is a text for those who use a dialect, and only the dialect knows what is in it; "" is none.
"""

import abc
from typing import NamedTuple


class Recipe(NamedTuple):
    """How accounts of one kind are written: the template of the string (1.x), the strategy that makes it (2.x; told
    along in 1.x, where it is not 0), and what stands for the branch of a bank (2.x)."""

    template: str
    strategy_id: int = 0
    branch: str = ""


class Dialect(abc.ABC):
    """Builds messages and reads answers; keeps nothing between calls."""

    code: str
    default_path: str
    needs_strategy = False

    def path(self, prefix, operation):
        """Where `operation` is posted, below the endpoint's base URL: behind the prefix, or where it names it.

        >>> G2PEnvelope().path("/v1/{operation}/sync", "link")
        '/v1/link/sync'
        """
        if "{operation}" in prefix:
            return prefix.replace("{operation}", operation)
        return f"{prefix.rstrip('/')}/{operation}"

    @abc.abstractmethod
    def check_recipe(self, recipe):
        """Raise TemplateError unless accounts can be made by it."""

    @abc.abstractmethod
    def account(self, kind, values, recipe, labels=None):
        """An account as this dialect writes it, or TemplateError, which quotes no value.

        :param kind: bank, iban, mobile_wallet or email_wallet
        :param values: `number`; `bic`, `provider` and `name` of the provider
        :param labels: words for these names, used in messages
        """

    @abc.abstractmethod
    def item(self, reference_id, timestamp, spar_id, fa=None, strategy_id=0):
        """One request, fixed before it is sent: the same for link and update; without `fa` for unlink."""

    def question(self, reference_id, timestamp, spar_id):
        """One request of a resolve."""
        return {"reference_id": reference_id, "timestamp": timestamp, "id": spar_id, "scope": "details"}

    @abc.abstractmethod
    def message(
        self,
        operation,
        items,
        *,
        message_id,
        transaction_id,
        timestamp,
        sender_id,
        receiver_id,
        sender_url="",
    ):
        """The whole body, as a dict."""

    @abc.abstractmethod
    def read_answer(self, operation, items, status, text):
        """The Reading of an HTTP answer to `items`. Never raises on what a server may send."""

    @abc.abstractmethod
    def same(self, ours, theirs):
        """Whether two accounts, as this dialect writes them, are the same one."""

    @abc.abstractmethod
    def mask(self, fa):
        """The account for those who may not read it: its kind, the last digits, its provider."""
