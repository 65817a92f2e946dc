"""Every hook, in one file: what an extension can add, and what it promises.

    codecs     values <-> bytes               register_codec(MyCodec(), types=["shapely.geometry.Polygon"])
    readers    source files -> values         register_reader(MyReader())
    engines    where tasks execute            register_engine("slurm", make)
    kinds      steps other than functions     register_kind("shell", "stepwell.worker.kinds.shell")
    runner     what `pipeline.run()` calls    set by `stepwell.app.calls`

Types are named by text ("pandas.DataFrame"), so that registering imports nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from stepwell.errors import StepwellError


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


class Kind(Protocol):
    """What the steps of a kind other than "python" do: a module with these functions, or an object.

    It may have one more, `imports(spec, root)`: the dotted names of Python modules that such a step imports of
    what is installed. The distributions behind them count, with all that these require. And `files(spec, root)`:
    the files of the project that it executes, which `--strict` lets it see.

    `spec` is the plain data that the user's call was made into (`author.kinds.making.made_step`): all that
    is needed, defaults of parameters too, so that a worker does without the user's module. `root` is the
    project's root, where steps run.
    """

    def code(self, spec: Mapping[str, Any], root: Path) -> Mapping[str, str]:
        """What counts as the code of such a step: texts by the name of the part, as a person would look at them.

        All of it counts, and nothing else; what is not there may change without the step running again.
        What is missing is for `check` to tell.
        """
        ...

    def versions(self, spec: Mapping[str, Any], root: Path) -> Mapping[str, str]:
        """What counts as its environment: versions by name; of what is no distribution, the name has a space ("tool bwa")."""
        ...

    def check(self, spec: Mapping[str, Any], root: Path) -> Iterable[StepwellError]:
        """What can be known to be wrong before anything runs; errors without a place get the user's line."""
        ...

    def call(self, spec: Mapping[str, Any], root: Path) -> Callable[..., Any]:
        """What a worker calls with the inputs by name (only those that were given).

        Its annotations say what it returns, as those of a function of the user's would. The `StepwellError`s
        that it raises are told as they are; any other exception is the step's own. Where it has a method
        `finish()`, that is called when what it gave was stored, or it failed: it removes what it worked in, and
        gives notes for people. Where it has `reads()`, that is called when it has returned: what it read beside
        its inputs ("file data/shop.db", see `worker.world`), which then counts.
        """
        ...
