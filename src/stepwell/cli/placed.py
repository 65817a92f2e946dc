"""Where a verb may write a file of its own: over an earlier one of the kind, never over another person's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from stepwell.errors import FileInTheWay, StepwellError
from stepwell.stores.durable import replace

LOOKED = 200
"""Bytes at the beginning of a file in which its mark stands."""


class Kind:
    """A kind of file: what it is called ("report"), the mark by which it is known, and the error where it cannot be written."""

    def __init__(self, what: str, mark: str, error: Callable[..., StepwellError]) -> None:
        self._what, self._mark, self._error = what, mark.encode(), error

    def target(self, target: Path, store: Path, *, overwrite: bool) -> Path:
        """The file to write. Raises `FileInTheWay` where another kind is there, and the kind's own error."""
        if target.is_dir():
            raise self.unwritable(target, "it is a folder")
        if target.resolve().is_relative_to(store.resolve()):
            raise self.unwritable(
                target, "what is written into the store by hand is taken for damage, or removed"
            )
        if overwrite or not target.exists():
            return target
        try:
            with target.open("rb") as file:
                ours = target.is_file() and self._mark in file.read(LOOKED)
        except OSError as error:
            raise self.unwritable(target, error.strerror or str(error)) from None
        if not ours:
            raise FileInTheWay(
                f"`{target}` is there already, and is no {self._what}",
                fixes=["another name after -o", "-f replaces it"],
            )
        return target

    def write(self, target: Path, data: bytes) -> None:
        """Write it, whole or not at all. Raises the kind's own error."""
        try:
            replace(target, data)
        except OSError as error:
            raise self.unwritable(target, error.strerror or str(error)) from None

    def unwritable(self, target: Path, why: str) -> StepwellError:
        """The error of a file that cannot be written."""
        return self._error(f"`{target}` cannot be written", why=why, fixes=["another place after -o"])
