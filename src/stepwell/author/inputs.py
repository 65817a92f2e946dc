"""Sources as a user names them: `flights = source("data/flights.csv", pd.DataFrame)`.

A source is called like a step without inputs. Inside a pipeline that gives a reference to its
content; elsewhere it reads the content.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, TypeVar, cast, get_args, get_origin, overload

from stepwell.author.shell import root_at
from stepwell.author.trace import current, function_name
from stepwell.author.where import short, user_frame, user_line
from stepwell.errors import BadSource
from stepwell.kernel.graph import SourceDef

T = TypeVar("T")

WHOLE = "whole"
"""What a graph holds in place of a function that samples, for a source that ghost runs read whole."""


class Source(Generic[T]):
    """A named external input: where it is, as what it is read, and with which options."""

    __stepwell__ = "source"

    def __init__(
        self,
        uri: str,
        kind: object,
        options: dict[str, object],
        sample: Callable[..., object] | Literal[False] | None = None,
    ) -> None:
        frame = user_frame()
        self.uri = uri
        self.kind: object = kind
        self.options = options
        self.sample = sample
        self._module = frame.f_globals.get("__name__", "") if frame is not None else ""
        self._file = frame.f_code.co_filename if frame is not None else ""
        self._line = frame.f_lineno if frame is not None else 0

    def __call__(self) -> T:
        """Inside a pipeline: a reference to the content. Elsewhere: the content, read now."""
        trace = current()
        if trace is not None:
            return cast(T, trace.source(self))
        from stepwell.sources.read import load_now  # outside of tracing only: a source that is just read

        return cast(T, load_now(self.uri, self.type_name, self.options, root=root_at(self._file)))

    def __repr__(self) -> str:
        return f"<source {self.name} {self.uri}>"

    @property
    def name(self) -> str:
        """The module-level name that holds this source, or else the last part of its address."""
        for name, value in vars(sys.modules[self._module]).items() if self._module in sys.modules else ():
            if value is self:
                return name
        return self.uri.rstrip("/").rpartition("/")[2] or self.uri

    @property
    def where(self) -> str:
        """The line that names this source, "pipeline.py:8"; "" where it is in no file."""
        return f"{short(self._file)}:{self._line}" if self._file else ""

    @property
    def type_name(self) -> str:
        """The full name of the type that it is read as, "pandas.DataFrame"; "" for a path."""
        return type_name(self.kind)

    @property
    def gives(self) -> object:
        """The type that steps get: without one of its own, a path, or for a glob a list of paths."""
        from stepwell.sources.read import LIST_OF_PATHS, plain_type

        if self.kind is not None:
            return self.kind
        return list[Path] if plain_type("", self.uri) == LIST_OF_PATHS else Path

    def definition(self) -> SourceDef:
        """The source as the graph holds it. Raises `BadSource`, `MissingLibrary`."""
        from stepwell.sources.read import reader_token  # knows the formats; not needed to write a source down

        self._refuse_shape()
        token = reader_token(self.uri, self.type_name, self.options)
        return SourceDef(
            self.name,
            self.uri,
            self.type_name,
            tuple(sorted(self.options.items())),
            token,
            self.where,
            _sampled(self.name, self.sample),
        )

    def _refuse_shape(self) -> None:
        """Raises `BadSource` for a glob that is to be one value."""
        from stepwell.sources.read import refuse_shape

        refuse_shape(self.uri, self.type_name)


class ListedFile(Source[Path]):
    """One of the files of a listing, as a source of its own: given as a path, whatever its name looks like."""

    def __init__(self, name: str, uri: str) -> None:
        super().__init__(uri, Path, {})
        self._name = name

    @property
    def name(self) -> str:
        """That of the listing, and that of the file in it: "parts/a.csv"."""
        return self._name

    def _refuse_shape(self) -> None:
        """It was listed, so it is one file, even if it is called `a*.csv`."""


def _sampled(name: str, sample: Callable[..., object] | Literal[False] | None) -> str:
    """How a source is sampled, as the graph holds it. Raises `BadOption` for a function that nobody finds."""
    if sample is None:
        return ""
    return WHOLE if sample is False else function_name(f"source `{name}`", "sample", sample)


def type_name(kind: object) -> str:
    """The full name of a type: "pandas.DataFrame", "list[pathlib.Path]"; "" for None. What `Annotated` adds is left out."""
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if kind is None:
        return ""
    if get_origin(kind) is not None:
        return (
            str(kind).replace("typing.", "").replace("pathlib._local.", "pathlib.").replace("List[", "list[")
        )
    if isinstance(kind, type):
        module = kind.__module__.replace("pathlib._local", "pathlib")
        return kind.__qualname__ if module == "builtins" else f"{module}.{kind.__qualname__}"
    return str(kind)


@overload
def source(
    uri: str, /, *, sample: Callable[..., object] | Literal[False] | None = None, **reader_options: object
) -> Source[Any]: ...
@overload
def source(
    uri: str,
    type: type[T],
    /,
    *,
    sample: Callable[..., object] | Literal[False] | None = None,
    **reader_options: object,
) -> Source[T]: ...
def source(
    uri: str,
    type: Any = None,  # noqa: A002  the natural word
    /,
    *,
    sample: Callable[..., object] | Literal[False] | None = None,
    **reader_options: object,
) -> Source[Any]:
    """Name an external input.

    `uri` is a file or folder relative to the project's root, a glob, `https://…`, or
    `package://NAME/path` for data that ships inside an installed package. `type` is what steps get
    (`pd.DataFrame`, `Path`, `str`, …); without it a `Path`. Further keywords are handed
    to the reader (`sep=";"`) and count in the key of each step that reads the source.

    `sample` makes the small sample that a ghost run reads, where Stepwell cannot or should not:
    `sample(path, rows, out)` writes it to `out`, a file (or folder) of the same name. `sample=False`:
    it is read whole, since it is small or others are joined to it.

    Raises `BadSource` where `uri` is not text.
    """
    if not isinstance(uri, str) or not uri.strip() or "\0" in uri:
        raise BadSource(
            f"a source needs an address, and got {uri!r}",
            fixes=['for example: source("data/flights.csv", pd.DataFrame)'],
            where=user_line(),
        )
    return Source(uri, type, reader_options, sample)
