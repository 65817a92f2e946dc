"""What the verbs share that only look at earlier runs: the project's root and its store, without loading anything."""

from __future__ import annotations

import os

from stepwell.app.places import stored
from stepwell.author.root import root_at

TYPE_CHECKING = False  # as type checkers know it: lists of runs do without `pathlib`
if TYPE_CHECKING:
    from argparse import ArgumentTypeError
    from pathlib import Path

    from stepwell.stores.history import RunRow
    from stepwell.stores.local import LocalStore

__all__ = ["RUN_WORD", "count", "one_run", "positive", "project_root", "size", "stored"]

RUN_WORD = "r1, r2, ... or last, last~1"
"""How a run is named, for helps."""


def project_root() -> Path:
    """The root of the project that a command is called in."""
    from pathlib import Path

    return Path(root_at(os.getcwd()))


def one_run(store: LocalStore, word: str, what: str, command: str) -> RunRow:
    """The one run that a word means; `what` is of one run, and `command` gives it. Raises `UnknownRun`, `NotOneRun`."""
    if not word.startswith(("r", "last")) or not word.isalnum():
        from stepwell.app.finding import one  # most words are plain

        word = one(store, word, what, command)
    return store.runs.run(word)


def positive(text: str) -> int:
    """A word of the command line as a whole number, 1 or more; one that no list is as long as is a little smaller."""
    if not (text.isdecimal() and text.isascii()) or not text.strip("0"):
        raise _wrong(f"`{text[:40]}` is not a number, 1 or more")
    return int(text) if len(text) < 19 else 10**18


def count(text: str) -> int:
    """A word of the command line as a number from 1 to 4096."""
    if not text.isdigit() or not 1 <= int(text) <= 4096:
        raise _wrong(f"`{text}` is not a number from 1 to 4096")
    return int(text)


def size(text: str) -> int:
    """A word of the command line as a number of bytes: "8GB", "512MiB"."""
    from stepwell.author.options import checked  # verbs that only look do without
    from stepwell.errors import BadOption

    try:
        return checked({"memory": text}).memory
    except BadOption:
        raise _wrong(f"`{text[:40]}` is no size, such as 8GB or 512MiB") from None


def _wrong(told: str) -> ArgumentTypeError:
    from argparse import ArgumentTypeError

    return ArgumentTypeError(told)
