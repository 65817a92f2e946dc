"""What the verbs share that only look at earlier runs: the project's root and its store, without loading anything."""

from __future__ import annotations

from argparse import ArgumentTypeError
from pathlib import Path

from stepwell.app.places import stored
from stepwell.author.root import root_of

__all__ = ["count", "project_root", "stored"]


def project_root() -> Path:
    """The root of the project that a command is called in."""
    return root_of(Path.cwd())


def count(text: str) -> int:
    """A word of the command line as a number from 1 to 4096."""
    if not text.isdigit() or not 1 <= int(text) <= 4096:
        raise ArgumentTypeError(f"`{text}` is not a number from 1 to 4096")
    return int(text)
