"""The one error of this package: what is wrong with a rule, where, and what may have been meant."""

import difflib
from dataclasses import dataclass


@dataclass(frozen=True)
class Position:
    """A place in the text of a rule; both numbers start at 1."""

    line: int
    column: int


def position_of(text, offset):
    """The line and column of the character at `offset`."""
    before = text[:offset]
    return Position(before.count("\n") + 1, offset - before.rfind("\n"))


class RuleError(ValueError):
    """A rule was refused.

    `message` is a sentence for the author of the rule, `suggestion` a name that may have been meant
    (or empty). `line` and `column` start at 1. `variable` names the computed variable in whose own
    expression the mistake is: it cannot be mended in the text at hand. It is empty otherwise.
    """

    def __init__(self, message, position=None, suggestion="", variable=""):
        self.message = message
        self.line = position.line if position else 1
        self.column = position.column if position else 1
        self.suggestion = suggestion
        self.variable = variable
        super().__init__(str(self))

    def __str__(self):
        hint = f" Did you mean “{self.suggestion}”?" if self.suggestion else ""
        return f"Line {self.line}, column {self.column}: {self.message}{hint}"

    def pointer(self, text):
        """The line concerned, with a caret below the column."""
        lines = text.splitlines() or [""]
        line = lines[min(self.line, len(lines)) - 1].replace("\t", " ")
        return f"{line}\n{' ' * (self.column - 1)}^"


def closest(name, names):
    """The name among `names` that `name` was probably meant to be, or an empty string."""
    return next(iter(difflib.get_close_matches(name, list(names), n=1, cutoff=0.6)), "")
