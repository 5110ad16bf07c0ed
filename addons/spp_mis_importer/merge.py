"""Who wins when a value may have changed here, at the source, or in both places since the last import.

Three values are compared: what the source said last time, what is here, what the source says now. Of what it said last
time only prints are kept, short hashes that tell whether a value is still the same: nothing that could be read.

>>> decide(print_of("Ana"), "Ana", "Anna")       # changed there only
'take'
>>> decide(print_of("Ana"), "Anita", "Ana")      # changed here only
'keep'
>>> decide(print_of("Ana"), "Anita", "Anna")     # changed in both places
'conflict'
"""

import hashlib


def print_of(value):
    """Eight hexadecimal digits that stand for the value; empty values are all the same."""
    text = "" if value is None or value is False or value in ("", ()) else str(value)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def decide(before, ours, theirs):
    """What becomes of a value.

    :param before: print of what the source said last time; None: it said nothing, or nobody remembers
    :param ours: the value here
    :param theirs: the value that the source says now
    :return: "same", "take" (the source's), "keep" (ours), "conflict"
    """
    mine, told = print_of(ours), print_of(theirs)
    if mine == told:
        return "same"
    if before == told:
        return "keep"
    if before in (None, mine):
        return "take"
    return "conflict"
