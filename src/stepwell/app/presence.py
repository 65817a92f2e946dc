"""Whether the store of a run is still there: without it nothing that the run gives is kept, and it should say so."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from stepwell.errors import StoreError, StoreRemoved

OFTEN = 0.02
"""Seconds within which a run that goes on does not look twice."""


class Presence:
    """The database of a store, known by its place on the disk: one that was made anew is another."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / "store.db"
        self._identity = self._found()
        self._next = 0.0

    def glance(self) -> None:
        """`check`, unless that was done within `OFTEN` seconds."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + OFTEN
            self.check()

    def check(self) -> None:
        """Raises `StoreRemoved` if the store is gone, or another is in its place."""
        if self._found() != self._identity:
            raise StoreRemoved(
                f"the store `{self._folder}` was removed while the run went on", fixes=["stepwell run"]
            )

    @contextlib.contextmanager
    def told(self) -> Iterator[None]:
        """Whatever fails meanwhile because the store is gone fails with `StoreRemoved`."""
        try:
            yield
        except (StoreError, OSError):
            self.check()
            raise

    def _found(self) -> tuple[int, int]:
        try:
            status = os.stat(self._file)
        except OSError:
            return (0, 0)
        return (status.st_dev, status.st_ino)
