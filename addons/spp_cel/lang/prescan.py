"""First stage: one linear pass over the text, before any grammar sees it.

It enforces the limits that keep the later stages fast, and takes the string literals out. The
grammar's regular expression for strings takes exponential time on some inputs (37 characters are
enough), so it is never given one: each literal is decoded here and replaced by as many plain
characters, so that all positions stay what they were. Comments become spaces.
"""

import re
from dataclasses import dataclass

from .errors import RuleError, position_of

MAX_TEXT = 2000
MAX_STRING = 200
MAX_BRACKETS = 24
MAX_ITEMS = 200

_ESCAPES = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
    "'": "'",
    '"': '"',
    "`": "`",
    "?": "?",
}
_NUMERIC_ESCAPE = re.compile(
    r"[xX](?P<x>[0-9a-fA-F]{2})|u(?P<u>[0-9a-fA-F]{4})|U(?P<U>[0-9a-fA-F]{8})|(?P<o>[0-3][0-7]{2})"
)
_CLOSING = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True)
class Scanned:
    """`text` for the grammar, and the decoded `strings` by the offset of their opening quote."""

    text: str
    strings: dict


def scan(text):
    """Check the limits and take the strings out; RuleError where the text is refused."""
    if len(text) > MAX_TEXT:
        raise RuleError(f"The rule is too long: {len(text)} characters, at most {MAX_TEXT} are allowed.")
    if not text.strip():
        raise RuleError("The rule is empty.")
    return _Scanner(text).scan()


class _Scanner:
    def __init__(self, text):
        self.text = text
        self.output = []
        self.strings = {}
        self.open_brackets = []  # [character, offset, commas seen]

    def scan(self):
        offset = 0
        while offset < len(self.text):
            offset = self._step(offset)
        if self.open_brackets:
            character, start, _commas = self.open_brackets[-1]
            raise self._error(f"This “{character}” is never closed.", start)
        return Scanned("".join(self.output), self.strings)

    def _step(self, offset):
        character = self.text[offset]
        if character in "'\"":
            return self._string(offset)
        if self.text.startswith("//", offset):
            end = self.text.find("\n", offset)
            end = len(self.text) if end < 0 else end
            self.output.append(" " * (end - offset))
            return end
        if character in "([{":
            self.open_brackets.append([character, offset, 0])
            if len(self.open_brackets) > MAX_BRACKETS:
                raise self._error(f"Brackets are nested too deeply: at most {MAX_BRACKETS} levels.", offset)
        elif character in ")]}":
            self._close(character, offset)
        elif character == "," and self.open_brackets:
            self.open_brackets[-1][2] += 1
            if self.open_brackets[-1][2] >= MAX_ITEMS:
                raise self._error(f"The list is too long: at most {MAX_ITEMS} items.", offset)
        elif character not in "\t\n\r" and not character.isprintable():
            raise self._error("There is an invisible control character here.", offset)
        elif not character.isascii():
            raise self._error(
                f"“{character}” cannot be used here: names are written with a-z, 0-9 and _.", offset
            )
        self.output.append(character)
        return offset + 1

    def _close(self, character, offset):
        if not self.open_brackets:
            raise self._error(f"This “{character}” closes nothing.", offset)
        opening = self.open_brackets.pop()[0]
        if _CLOSING[opening] != character:
            raise self._error(f"“{_CLOSING[opening]}” is expected here, not “{character}”.", offset)

    def _string(self, start):
        quote = self.text[start]
        if self.text.startswith(quote * 3, start):
            raise self._error("A text is written between single quotes: 'like this'.", start)
        if self.output and self.output[-1] in "rRbB" and not self._is_name(start - 2):
            raise self._error("A text is written without a letter before it: 'like this'.", start - 1)
        decoded = []
        offset = start + 1
        while True:
            if offset >= len(self.text) or self.text[offset] == "\n":
                raise self._error("This text is never closed: a quote is missing.", start)
            if self.text[offset] == quote:
                break
            value, offset = self._character(offset)
            decoded.append(value)
        if len(decoded) > MAX_STRING:
            raise self._error(f"The text is too long: at most {MAX_STRING} characters.", start)
        self.strings[start] = "".join(decoded)
        self.output.append(quote + "x" * (offset - start - 1) + quote)
        return offset + 1

    def _character(self, offset):
        """One character of a string and the offset after it."""
        character = self.text[offset]
        if character != "\\":
            if not character.isprintable():
                raise self._error("There is an invisible control character here.", offset)
            return character, offset + 1
        escape = self.text[offset + 1 : offset + 2]
        if escape in _ESCAPES and escape:
            return _ESCAPES[escape], offset + 2
        match = _NUMERIC_ESCAPE.match(self.text, offset + 1)
        if not match:
            raise self._error(f"“\\{escape}” is not a known escape in a text.", offset)
        base = 8 if match.lastgroup == "o" else 16
        code = int(match[match.lastgroup], base)
        if code == 0 or 0xD800 <= code <= 0xDFFF or code > 0x10FFFF:
            raise self._error("This escape does not stand for a character.", offset)
        return chr(code), match.end()

    def _is_name(self, offset):
        return offset >= 0 and (self.text[offset].isalnum() or self.text[offset] == "_")

    def _error(self, message, offset):
        return RuleError(message, position_of(self.text, offset))
