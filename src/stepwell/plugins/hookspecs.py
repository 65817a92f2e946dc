"""Every hook, in one file: what an extension can add, and what it promises.

    codecs     values <-> bytes               register_codec(MyCodec(), types=["shapely.geometry.Polygon"])
    readers    source files -> values         register_reader(MyReader())
    engines    where tasks execute            register_engine("slurm", make)
    runner     what `pipeline.run()` calls    set by `stepwell.app.calls`

Types are named by text ("pandas.DataFrame"), so that registering imports nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol


class Sink(Protocol):
    """Where a codec writes: one blob, hashed while it is written. Few bytes stay in memory, more become a file.

    It is a binary file for writing (`write`, `tell`, `flush`; not seekable), and:
    """

    def write(self, data: Any, /) -> int:
        """Append bytes (anything with the buffer protocol, contiguous)."""
        ...

    def tell(self) -> int:
        """Bytes written so far."""
        ...

    def flush(self) -> None:
        """Nothing to do; there for libraries that call it."""
        ...

    def take(self, path: Path) -> tuple[str, int]:
        """Copy a file into the store as a further blob, a part of this one: its digest and its size."""
        ...


class Blob(Protocol):
    """What a codec reads: the verified bytes of one artifact."""

    @property
    def data(self) -> memoryview:
        """The bytes, read-only; of a file they are mapped, not read."""
        ...

    @property
    def path(self) -> Path | None:
        """The blob's file, not to be written to; None where the bytes are in memory."""
        ...

    @property
    def folder(self) -> Path:
        """The store's folder, below which a codec may materialise parts (`files/`)."""
        ...

    def part(self, digest: str) -> Path:
        """The verified file of a part."""
        ...


class Codec(Protocol):
    """Values of some types to bytes and back.

    Equal values must give equal bytes. `load` is given only bytes that `dump` of a codec of this
    name wrote. A codec whose `load` can execute what the bytes say (pickle) sets `executes`.

    >>> class Polygons:
    ...     name = "polygon"
    ...     def dump(self, value, sink): sink.write(value.wkb); return f"{value.geom_type}"
    ...     def load(self, blob): return shapely.from_wkb(bytes(blob.data))
    """

    name: str

    def dump(self, value: Any, sink: Sink) -> str | None:
        """Write the value; returns a note for people ("(10, 3) DataFrame") or None.

        Raises `stepwell.errors.CannotEncode` for a value that does not fit.
        """
        ...

    def load(self, blob: Blob) -> Any:
        """The value that was dumped. Raises `stepwell.errors.CannotDecode`."""
        ...


class Reader(Protocol):
    """Source files of some formats as values of some type.

    `formats` are lower-case suffixes (".csv", ".csv.zip"); `type` the full name of the value's class.
    """

    name: str
    formats: tuple[str, ...]
    types: tuple[str, ...]

    def version(self) -> str:
        """What of the library's version counts in keys, "pandas 3.1.1"; without importing it."""
        ...

    def read(self, paths: list[Path], type: str, options: Mapping[str, Any]) -> Any:  # noqa: A002  the natural word
        """The content of the files (one, or the matches of a glob in sorted order) as one value."""
        ...
