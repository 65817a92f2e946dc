"""Constants that are not plain data (arrays, tables, models): through their codec, in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from stepwell.codecs import choose
from stepwell.codecs.memory import MemorySink
from stepwell.errors import CannotEncode, CodecError

LARGEST = 256 << 20
"""Bytes of one constant. Each plan hashes it and each worker that needs it is sent it: a gigabyte would be
in memory three times over, and take seconds each time."""


class TooLarge(Exception):
    """A constant comes to more than `LARGEST` bytes."""


class ConstantSink(MemorySink):
    """The bytes of a constant: at most `LARGEST`, and no files."""

    def __init__(self) -> None:
        super().__init__()
        self.full = False
        """Whether it was given more than it takes."""

    def write(self, data: Any, /) -> int:
        """Append bytes. Raises `TooLarge`."""
        if len(self.data) + memoryview(data).nbytes > LARGEST:
            self.full = True
            raise TooLarge
        return super().write(data)

    def take(self, path: Path) -> tuple[str, int]:
        """Refused. Raises `CannotEncode`."""
        raise CannotEncode(
            f"the file `{path.name}` cannot be a constant of a pipeline",
            why="a file that a pipeline reads must be named, so that it is pinned",
            fixes=[f'source("{path}")'],
        )


def in_memory(value: object) -> tuple[str, bytes]:
    """A value through the codec of its type: the codec's name and the bytes. Raises `CodecError`s, `TooLarge`."""
    sink = ConstantSink()
    try:
        codec, _ = choose.dump(value, "", sink)
    except CodecError:  # of a codec that could not write
        if sink.full:
            raise TooLarge from None
        raise
    return codec, bytes(sink.data)
