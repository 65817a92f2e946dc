"""The built-in readers: pandas, polars, Arrow, NumPy, text, plain data, and the files themselves.

A reader is a row of `BUILT_IN`: what it reads, which libraries it needs, and the function that
reads one file. The libraries are imported when something is read.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

from stepwell.errors import InputUnreadable, StepwellError
from stepwell.plugins.hookspecs import Reader
from stepwell.plugins.registry import Registry
from stepwell.sources import tables
from stepwell.sources.address import printable
from stepwell.sources.packing import File, packable, packing_of
from stepwell.sources.versions import version_of

PATH = "pathlib.Path"
LIST_OF_PATHS = "list[pathlib.Path]"


class BuiltIn(NamedTuple):
    """A reader that reads file by file, and says which file was wrong.

    `one` reads a file; `join` makes one value of those of several files, where that has a meaning.
    `libraries` are the distributions that are needed, `also` those that change what comes out where
    they are installed: the versions of both count. `extra` are needed for some suffixes only.
    `options` are the names of all options, where they are known without the library.
    """

    name: str
    types: tuple[str, ...]
    formats: tuple[str, ...]
    one: Callable[[File, str, Mapping[str, Any]], Any]
    join: Callable[[list[Any]], Any] | None = None
    libraries: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    extra: Mapping[str, str] = {}
    options: tuple[str, ...] | None = None

    def version(self) -> str:
        """Names and versions of the libraries: "pandas 3.1.1, pyarrow 26.0.1"."""
        found = ((name, version_of(name)) for name in (*self.libraries, *self.also))
        return ", ".join(f"{name} {version}" for name, version in found if version) or "1"

    def needs(self, name: str) -> tuple[str, ...]:
        """The distributions without which a file of this name cannot be read."""
        more = [library for suffix, library in self.extra.items() if name.endswith(suffix)]
        if packing_of(name) == ".zst" and self.one is not _path and sys.version_info < (3, 14):
            more.append("zstandard")
        return (*self.libraries, *more)

    def read(self, paths: list[Path], type: str, options: Mapping[str, Any]) -> Any:  # noqa: A002
        """One file as a value, or several as one."""
        rest = dict(options)
        told = str(rest.pop("format", "")).strip(". ").lower()
        files = [self._file(path, f".{told}" if told else path.name.lower()) for path in paths]
        if type == LIST_OF_PATHS:
            return list(paths)
        if len(files) > 1 and self.join is None:
            raise InputUnreadable(
                f"{len(files)} files ({files[0]} and others) do not make one {type}",
                fixes=["source(…, list[Path]) gives the files themselves", "name one file"],
            )
        values = [self._checked(file, type, rest) for file in files]
        return self.join(values) if self.join is not None and len(values) > 1 else values[0]

    def _checked(self, file: File, kind: str, options: Mapping[str, Any]) -> Any:
        try:
            return self.one(file, kind, options)
        except (StepwellError, MemoryError, ImportError):
            raise
        except BaseException as error:
            if not isinstance(error, Exception) and error.__class__.__name__ != "PanicException":
                raise  # a panic of Rust code (polars) is an error like any other
            message = str(error).strip() or "no further message"
            raise InputUnreadable(
                f"{file} cannot be read as {kind}",
                why=printable(f"{error.__class__.__name__}: {message}"[:500].replace("\n", " ")),
                fixes=[_advice(error, file)],
            ) from error

    def _file(self, path: Path, name: str) -> File:
        """A file with its format, told by `name`: the longest suffix that this reader knows."""
        packing = packing_of(name)
        if not self.formats:
            return File(path, "", packing)
        match = max((form for form in self.formats if name.endswith(form)), key=len, default=None)
        if match is None:
            raise InputUnreadable(
                f"`{printable(str(path))}` is in a format that {self.name} does not read",
                why=f"{self.name} reads {' '.join(form for form in self.formats if form.count('.') == 1)}",
                fixes=['name the files that are meant: source("…/**/*.csv", …)', 'source(…, format="csv")'],
            )
        return File(path, match.removesuffix(packing), packing)


def _advice(error: BaseException, file: File) -> str:
    """What is likely to help where a file could not be read."""
    message = str(error)
    if isinstance(error, UnicodeDecodeError):
        return 'give its encoding: source(…, encoding="latin-1")'
    if "could not convert string" in message:
        return "if it has a header: source(…, skiprows=1); pandas.DataFrame reads tables of mixed types"
    if "Extra data" in message:
        return 'if every line is a value of its own: source(…, list, format="jsonl")'
    return f"look at how it begins: head -c 300 {printable(str(file.path))}"


# --------------------------------------------------------------------------- text and plain data


def _text(file: File, kind: str, options: Mapping[str, Any]) -> str | bytes:
    """`bytes`: what is in the file. `str`: its text, unpacked, UTF-8 unless `encoding` says otherwise."""
    if kind == "bytes":
        return file.path.read_bytes()
    from io import TextIOWrapper

    encoding, errors = str(options.get("encoding", "utf-8")), str(options.get("errors", "strict"))
    with file.open() as stream, TextIOWrapper(stream, encoding=encoding, errors=errors) as text:
        return text.read()


def _plain(file: File, kind: str, options: Mapping[str, Any]) -> Any:
    """The value in a file, which must be of the type that was asked for."""
    value = _parsed(file)
    if kind in ("dict", "list") and type(value).__name__ != kind:
        found = type(value).__name__
        raise InputUnreadable(
            f"{file} holds a {found}, not a {kind}",
            fixes=[f"source(…, {found})"] if found in ("dict", "list") else [],
        )
    return value


def _parsed(file: File) -> Any:
    with file.open() as stream:
        if file.form == ".toml":
            import tomllib

            return tomllib.load(stream)
        if file.form in (".yaml", ".yml"):
            import yaml

            return yaml.safe_load(stream)
        import json

        if file.form == ".json":
            return json.loads(stream.read())
        return [json.loads(line) for line in stream if line.strip()]


def _path(file: File, kind: str, options: Mapping[str, Any]) -> Path:
    """The file itself, not to be written to."""
    return file.path


_TEXTS = packable(".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson")
_BY_ARROW = (".parquet", ".pq", ".feather", ".arrow", ".ipc", ".orc")

BUILT_IN = (
    BuiltIn(
        "pandas",
        ("pandas.DataFrame",),
        (*_TEXTS, *_BY_ARROW, ".xlsx", ".dta"),
        tables.with_pandas,
        tables.join_pandas,
        libraries=("pandas",),
        also=("numpy", "pyarrow"),
        extra={".xlsx": "openpyxl", **dict.fromkeys(_BY_ARROW, "pyarrow")},
    ),
    BuiltIn(
        "polars",
        ("polars.DataFrame", "polars.LazyFrame"),
        (*_TEXTS, ".parquet", ".pq", ".feather", ".arrow", ".ipc"),
        tables.with_polars,
        tables.join_polars,
        libraries=("polars",),
    ),
    BuiltIn(
        "pyarrow",
        ("pyarrow.Table",),
        (
            *packable(".csv", ".tsv", ".jsonl", ".ndjson", ".json"),
            ".parquet",
            ".pq",
            ".feather",
            ".arrow",
            ".ipc",
        ),
        tables.with_arrow,
        tables.join_arrow,
        libraries=("pyarrow",),
    ),
    BuiltIn(
        "numpy",
        ("numpy.ndarray",),
        (".npy", *packable(".csv", ".tsv", ".txt")),
        tables.with_numpy,
        tables.join_numpy,
        libraries=("numpy",),
    ),
    BuiltIn("npz", ("dict",), (".npz",), tables.with_npz, libraries=("numpy",), options=()),
    BuiltIn("yaml", ("dict", "list", "Any"), (".yaml", ".yml"), _plain, libraries=("PyYAML",), options=()),
    BuiltIn(
        "plain",
        ("dict", "list", "Any"),
        (*packable(".json", ".jsonl", ".ndjson"), ".toml"),
        _plain,
        options=(),
    ),
    BuiltIn("text", ("str", "bytes"), (), _text, options=("encoding", "errors")),
    BuiltIn("files", (PATH, LIST_OF_PATHS), (), _path, options=()),
)


def register(registry: Registry) -> None:
    """Add the built-in readers; the first of the table is asked first."""
    for reader in reversed(BUILT_IN):
        registry.register_reader(cast("Reader", reader))  # whose fields need not be writable
