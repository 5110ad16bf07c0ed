"""What an answer means for the one who asked.

One verdict per item; the words are those of the retry table in SPAR's behaviour (codes alone do not decide:
`rjct.reference_id.duplicate` means "already linked" on link and "not linked" on update).
"""

import dataclasses
import enum


class Verdict(enum.Enum):
    DONE = "done"
    RETRY = "retry"  # nothing was applied; the same request may be made again later
    ASK = "ask first"  # it may or may not have been applied: resolve before writing again
    PERMANENT = "permanent"  # refused for good; a person corrects the data
    STOP = "stop the endpoint"  # signature, rights or address: every other request would meet the same


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The verdict on one item. `reason` is plain words and holds neither id nor account."""

    verdict: Verdict
    reason: str = ""
    code: str = ""
    limited: bool = False  # give up after a few tries: the code looks transient and often is not
    lost: bool = False  # the request may still be acted on after this answer
    found: bool = False  # resolve only: the id is linked
    fa: str = ""  # resolve only: the account it is linked to
    answer: str = ""  # the item of the answer, as it came


@dataclasses.dataclass(frozen=True)
class Reading:
    """A whole answer: either one outcome for everything in it, or one per reference id."""

    whole: Outcome | None = None
    items: dict[str, Outcome] = dataclasses.field(default_factory=dict)

    def of(self, reference_id):
        if self.whole:
            return self.whole
        missing = Outcome(Verdict.ASK, "SPAR's answer leaves this request out.", "", lost=True)
        return self.items.get(reference_id, missing)
