"""Progress of the set-up, one line a step, and failures that say what to do."""

import contextlib
import sys
import time


class Failed(Exception):
    """A step that could not be done: what failed, and what a person can do about it."""

    def __init__(self, what, todo=""):
        super().__init__(what)
        self.what = what
        self.todo = todo


class NotToBeHad(Failed):
    """Something that this machine does not have and cannot get."""


def say(text=""):
    print(text, flush=True)


@contextlib.contextmanager
def step(label):
    """Show `label` while the step runs, then how it ended. Yields a function to say more."""
    notes = []
    started = time.monotonic()
    tty = sys.stdout.isatty()
    if tty:
        print(f"  … {label}", end="", flush=True)
    try:
        yield notes.append
    except BaseException:
        print(f"\r  ✗ {label}" if tty else f"  ✗ {label}", flush=True)
        raise
    took = time.monotonic() - started
    note = f" ({', '.join(notes)})" if notes else ""
    spent = f" {took:.1f} s" if took >= 0.5 else ""
    print(f"{chr(13) if tty else ''}  ✓ {label}{note}{spent}", flush=True)


def report(error):
    """Print a Failed for a person."""
    say(f"\n{error.what}")
    if error.todo:
        say(f"What to do: {error.todo}")
