"""Parts of one blob: a sink that is a stretch of another, a blob inside a blob, and memory of one's own.

What every reader of large values shares: values that are mapped from a file, and may yet be
written to by the step that takes them. `x[x < 0] = 0` must work on an input as it works when the
step is called as a plain function, and many compiled routines refuse read-only memory. So the
file is mapped privately: a page is copied when it is first written to, nobody else sees the change,
and a value that is only read costs no memory of its own.
"""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stepwell.plugins.hookspecs import Blob, Sink

ALIGN = 64
"""Values begin at multiples of it: a cache line, and what Arrow and NumPy like."""


class PartSink:
    """A stretch of another sink, with positions of its own."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._at = 0

    def write(self, data: Any, /) -> int:
        """Append bytes."""
        size = data.nbytes if isinstance(data, memoryview) else memoryview(data).nbytes
        self._sink.write(data)
        self._at += size
        return size

    def tell(self) -> int:
        """Bytes written to this part."""
        return self._at

    def flush(self) -> None:
        """Nothing to do."""

    def take(self, path: Path) -> tuple[str, int]:
        """A file as a part of the whole."""
        return self._sink.take(path)

    def pad(self) -> None:
        """Zeros up to the next multiple of `ALIGN`."""
        self.write(bytes(-self._at % ALIGN))


class PartBlob:
    """A stretch of another blob."""

    def __init__(self, blob: Blob, start: int, size: int) -> None:
        whole = blob.data
        if not (start >= 0 and size >= 0 and start + size <= len(whole)):
            raise ValueError("a part lies outside of its blob")
        self._blob = blob
        self.data = whole[start : start + size]
        self.path: Path | None = None
        file, begin = within(blob)
        self.within = (file, begin + start)

    @property
    def folder(self) -> Path:
        """The store's folder."""
        return self._blob.folder

    def part(self, digest: str) -> Path:
        """The verified file of a part of the whole."""
        return self._blob.part(digest)


def within(blob: Blob) -> tuple[Path | None, int]:
    """The file that a blob's bytes are in, and where they begin there; None where they are in memory."""
    found: tuple[Path | None, int] = getattr(blob, "within", None) or (blob.path, 0)
    return found


def private(blob: Blob) -> Any:
    """A blob's bytes as memory that may be written to and that nobody else sees.

    Falls back to the read-only bytes where the system refuses so large a private mapping.
    """
    size = len(blob.data)
    file, start = within(blob)
    if file is None or not size:
        return memoryview(bytearray(blob.data))
    skip = start % mmap.ALLOCATIONGRANULARITY
    try:
        with file.open("rb") as stream:
            whole = mmap.mmap(stream.fileno(), size + skip, access=mmap.ACCESS_COPY, offset=start - skip)
    except OSError:
        return blob.data
    return memoryview(whole)[skip:]
