"""A small memory between one command and the next, which the store offers; it may lose anything at any time."""

from __future__ import annotations

import os
from _blake2 import blake2b  # as `hashlib` has it, which loads OpenSSL first
from typing import Protocol


class Memo(Protocol):
    """What was found out earlier. Keys are short ASCII text, values bytes; nothing in it is a secret."""

    def get(self, kind: str, key: str) -> bytes | None:
        """What was put, or None where it is unknown or lost."""
        ...

    def put(self, kind: str, key: str, value: bytes) -> None:
        """Keep a value, if possible."""
        ...


class Memory:
    """A memo that lasts as long as the process: for workers, and for sources that are called directly."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], bytes] = {}

    def get(self, kind: str, key: str) -> bytes | None:
        """What was put, or None."""
        return self._kept.get((kind, key))

    def put(self, kind: str, key: str, value: bytes) -> None:
        """Keep a value."""
        self._kept[kind, key] = value


def key_for(text: str) -> str:
    """The memo's key for a path or an address: its digest, since paths hold bytes that are no text."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def key_for_path(path: str) -> str:
    """The memo's key for a path."""
    return blake2b(os.fsencode(path), digest_size=16).hexdigest()
