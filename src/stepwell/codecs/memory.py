"""What codecs write to where no file is wanted: constants of a pipeline, labels of columns.

sink = MemorySink()
codec, note = choose.dump(value, "", sink)
bytes(sink.data)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from stepwell.errors import CannotEncode


class MemorySink:
    """A `plugins.hookspecs.Sink` that keeps its bytes in memory, and takes no files."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: Any, /) -> int:
        """Append bytes."""
        self.data += data
        return memoryview(data).nbytes

    def tell(self) -> int:
        """Bytes written so far."""
        return len(self.data)

    def flush(self) -> None:
        """Nothing to do."""

    def take(self, path: Path) -> tuple[str, int]:
        """Refused. Raises `CannotEncode`."""
        raise CannotEncode(f"the file `{path.name}` cannot be a part of a value that is kept in memory")
