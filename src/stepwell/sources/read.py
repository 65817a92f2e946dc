"""A source as a value: which reader gives it, what of that counts in a key, and reading it.

`source(uri, type, **options)`: the type and the suffix of the file choose the reader, the options are
keywords for the library's function (`sep=";"` for `pandas.read_csv`). The option `format="csv"`
stands in for a suffix. Without a type a step gets the `Path` (a list of them for a glob), which it
must not write to. Planning never imports the library: its version is read from its folder's name.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import time_ns
from typing import Any, NamedTuple

from stepwell.errors import BadSource, InputUnreadable, MissingLibrary, StepwellError, nearest
from stepwell.kernel.identity import NotPlain, canonical
from stepwell.plugins.hookspecs import Reader
from stepwell.plugins.registry import registry
from stepwell.sources import web
from stepwell.sources.address import LOCAL, Address, is_glob, name_of, parse, printable, shown
from stepwell.sources.content import refuse_empty
from stepwell.sources.files import find, place_of
from stepwell.sources.memo import Memory
from stepwell.sources.pin import passing_shelf, pin, refuse_moving
from stepwell.sources.readers import LIST_OF_PATHS, PATH
from stepwell.sources.versions import version_of

_SAME = {
    "": PATH,
    "pandas.core.frame.DataFrame": "pandas.DataFrame",
    "polars.dataframe.frame.DataFrame": "polars.DataFrame",
    "polars.lazyframe.frame.LazyFrame": "polars.LazyFrame",
    "pyarrow.lib.Table": "pyarrow.Table",
    "numpy.memmap": "numpy.ndarray",
    "typing.Any": "Any",
    "object": "Any",
}
"""Other names of types: where they are really defined, and looser ones."""

_PICKLES = (".pkl", ".pickle", ".joblib", ".pt", ".pth", ".dill")
_CLASSES_OF = ("builtins", "numpy", "pandas", "polars", "pyarrow", "datetime", "decimal", "fractions", "uuid")
"""Where a class may come from that is given as an option (`dtype=str`): its name and a library version say all."""


class _Class(NamedTuple):
    """A class among the options, as it enters a key."""

    name: str


def plain_type(type_name: str, uri: str = "") -> str:
    """The one name of a type: "pandas.DataFrame"; of no type, a path or the list of paths that a glob is."""
    name = type_name.strip().replace("pathlib._local.", "pathlib.").removeprefix("builtins.")
    for alias in ("PosixPath", "PurePath", "PurePosixPath"):
        name = name.replace(f"pathlib.{alias}", PATH)
    if not name and is_glob(parse(uri).path) and parse(uri).kind != "web":
        return LIST_OF_PATHS
    if name in ("list[Path]", LIST_OF_PATHS, "typing.List[pathlib.Path]"):
        return LIST_OF_PATHS
    bare = name.partition("[")[0]
    if bare.startswith(("numpy.ndarray", "numpy.typing.")):
        return "numpy.ndarray"
    bare = {"typing.Dict": "dict", "typing.List": "list", "Path": PATH}.get(bare, bare)
    return _SAME.get(bare, bare)


def reader_for(uri: str, type_name: str, options: Mapping[str, object]) -> Reader:
    """The reader of a source, by type and suffix. Raises `BadSource` or `MissingLibrary`; imports no library."""
    address, kind = parse(uri), plain_type(type_name, uri)
    name = _format_name(address, options)
    of_type = [reader for reader in registry.readers if kind in reader.types or type_name in reader.types]
    if not of_type:
        raise _unknown_type(uri, type_name, kind)
    suffix = _suffix(name)
    if not suffix and address.kind not in (
        "web",
        "database",
    ):  # a folder, or files with any suffix: seen when they are read
        reader = of_type[0]
    else:
        reader = next((r for r in of_type if not r.formats or name.endswith(tuple(r.formats))), None)
    if reader is None or (name.endswith(_PICKLES) and reader.formats):
        raise _no_format(uri, type_name, name, of_type)
    _check_needs(reader, uri, name)
    _check_options(reader, uri, options)
    return reader


def reader_token(uri: str, type_name: str, options: Mapping[str, object]) -> str:
    """How a source is read, as it counts in keys: reader, library version, type, format, options.

    Of a source that is given as a path, the address counts as well, since a step sees it.
    """
    reader, kind, address = reader_for(uri, type_name, options), plain_type(type_name, uri), parse(uri)
    text = shown(uri) if kind in (PATH, LIST_OF_PATHS) else _suffix(_format_name(address, options))
    try:
        told = canonical(_with_classes(dict(options)))
    except (NotPlain, RecursionError):
        raise _not_plain(uri, options) from None
    return f"{reader.name} ({reader.version()}) {kind} {canonical(text)} {told}"


def load(
    uri: str,
    type_name: str,
    options: Mapping[str, object],
    *,
    root: str | os.PathLike[str],
    files: Sequence[str],
    folder: str = "",
) -> Any:
    """The value of a source: what the step that consumes it gets. `files` and `folder` are those of `Pinned`.

    Raises `InputUnreadable`, and what `reader_for` raises.
    """
    reader, kind = reader_for(uri, type_name, options), plain_type(type_name, uri)
    paths = [Path(file) for file in files]
    if kind == PATH:
        return Path(folder) if folder else _one_path(parse(uri), root, paths)
    try:
        return reader.read(paths, kind, options)
    except (StepwellError, MemoryError):
        raise
    except ImportError as error:
        raise MissingLibrary(
            f"`{shown(uri)}` cannot be read as {type_name}: {printable(str(error))}",
            fixes=[f"pip install {error.name}"] if error.name else [],
        ) from error
    except Exception as error:
        raise InputUnreadable(
            f"source `{shown(uri)}` cannot be read as {type_name}",
            why=printable(f"{type(error).__name__}: {error}"[:500]),
        ) from error


def load_now(uri: str, type_name: str, options: Mapping[str, object], *, root: str | os.PathLike[str]) -> Any:
    """The value of a source that is called outside of a run: looked up, or fetched, and read.

    Raises what `pin` and `load` raise.
    """
    address = parse(uri)
    refuse_shape(uri, type_name)
    reader_for(uri, type_name, options)
    refuse_moving(address)
    if address.kind == "release":
        files = pin(uri, root=root, memo=_fetched).files
        return load(uri, type_name, options, root=root, files=files)
    if address.kind == "web":
        found = web.pinned(address, _fetched, passing_shelf(), time_ns())[0].found
    else:
        found = find(place_of(address, root))
        refuse_empty(found)
    return load(uri, type_name, options, root=root, files=found.paths)


_fetched = Memory()


def _one_path(address: Address, root: str | os.PathLike[str], paths: list[Path]) -> Path:
    """What a step gets that asks for a path: the file, or the folder."""
    if address.kind in LOCAL:
        whole = place_of(address, root).whole
        if os.path.isdir(whole):
            return Path(whole)
    if len(paths) != 1:
        raise InputUnreadable(
            f"source `{shown(address.uri)}` is {len(paths)} files",
            fixes=["source(…, list[Path]) gives all of them"],
        )
    return paths[0]


# --------------------------------------------------------------------------- choosing


def _format_name(address: Address, options: Mapping[str, object]) -> str:
    """The name that chooses a format, lower-case: the file's, or what the option `format` says."""
    told = options.get("format")
    if told is None:
        if address.kind != "web" and address.path.endswith("/"):
            return ""
        return name_of(address).lower()
    if not isinstance(told, str) or not told.strip(". "):
        raise BadSource(f'`format` of source `{shown(address.uri)}` must be a suffix, like "csv" or "csv.gz"')
    return "." + told.strip(". ").lower()


def _suffix(name: str) -> str:
    """The suffixes of a name that say how it is read: ".csv.zip", ".parquet"; at most two, none with wildcards."""
    stem, dot, last = name.rpartition(".")
    if not dot or not last or is_glob(last):
        return ""
    _, dot, second = stem.rpartition(".")
    packed = last in ("gz", "bz2", "xz", "zst", "zip")
    return f".{second}.{last}" if packed and dot else f".{last}"


def refuse_shape(uri: str, type_name: str) -> None:
    """Refuse a glob (by its look alone) where the type is one file's. Raises `BadSource`."""
    address, kind = parse(uri), plain_type(type_name, uri)
    one = (PATH, "str", "bytes", "dict", "list", "Any")
    if kind in one and address.kind != "web" and any(c in address.path for c in "*?"):
        raise BadSource(
            f"`{shown(address.uri)}` is a glob, which gives several files, not one {type_name or 'Path'}",
            fixes=["source(…, list[Path]) gives the files themselves", "name one file"],
        )


def _unknown_type(uri: str, type_name: str, kind: str) -> BadSource:
    known = sorted({name for reader in registry.readers for name in reader.types})
    close = nearest(kind, known)
    return BadSource(
        f"no reader gives `{printable(type_name)}` for source `{shown(uri)}`",
        why=f"readers are known for {', '.join(known)}",
        fixes=[
            *([f"did you mean `{close}`?"] if close else []),
            "source(…, Path), and read it in the step",
            "register_reader(…) adds a reader",
        ],
    )


def _no_format(uri: str, type_name: str, name: str, of_type: Sequence[Reader]) -> BadSource:
    suffix, address = _suffix(name), parse(uri)
    path = "source(…, Path), and read it in the step"
    if suffix.endswith(_PICKLES):
        return BadSource(
            f"`{shown(uri)}` is a pickle, which is not read as {type_name}",
            why="reading a pickle runs whatever code it holds",
            fixes=["save it as Parquet, CSV or JSON", path],
        )
    formats = list(dict.fromkeys(f for reader in of_type for f in reader.formats if f.count(".") == 1))
    close = nearest(suffix, formats) if suffix else None
    return BadSource(
        f"`{shown(uri)}` cannot be read as {type_name}: "
        + (f"no reader for `{printable(suffix)}`" if suffix else "its name has no suffix"),
        why=f"{type_name} is read from {' '.join(formats)}",
        fixes=[
            f'if that is what it is: source(…, format="{(close or formats[0]).lstrip(".")}")',
            path,
            *([] if address.kind == "web" else [f"if it is a folder: `{shown(uri)}/`"]),
        ],
    )


def _check_needs(reader: Reader, uri: str, name: str) -> None:
    """Whether the libraries of a built-in reader are installed; other readers tell by `version`."""
    needs = getattr(reader, "needs", None)
    lacking = [library for library in needs(name) if version_of(library) is None] if needs else []
    if lacking:
        raise MissingLibrary(
            f"source `{shown(uri)}` is read with {' and '.join(lacking)}, which {'is' if len(lacking) == 1 else 'are'} not installed",
            fixes=[f"pip install {' '.join(lacking)}", f"uv add {' '.join(lacking)}"],
        )


def _check_options(reader: Reader, uri: str, options: Mapping[str, object]) -> None:
    """Refuse options that a reader is known not to have, where knowing it needs no library."""
    known: Sequence[str] | None = getattr(reader, "options", None)
    if known is None:
        return
    for name in options:
        if name not in known and name != "format":
            close = nearest(name, known)
            raise BadSource(
                f"source `{shown(uri)}` has no option `{printable(name)}`",
                why=f"its options are {', '.join(known)}" if known else "what it is read as takes no options",
                fixes=[f"did you mean `{close}=`?"]
                if close
                else ["give a type that is read with options"]
                if not known
                else [],
            )


# --------------------------------------------------------------------------- options in keys


def _with_classes(value: object) -> object:
    """Options with classes (`dtype=str`) replaced by their names, which have a canonical text."""
    if isinstance(value, type):
        name = f"{value.__module__}.{value.__qualname__}"
        return _Class(name) if name.partition(".")[0] in _CLASSES_OF else value
    if type(value) is dict:
        return {_with_classes(k): _with_classes(v) for k, v in value.items()}
    if type(value) in (list, tuple, set, frozenset):
        return type(value)(_with_classes(item) for item in value)  # type: ignore[call-arg,attr-defined]
    return value


def _not_plain(uri: str, options: Mapping[str, object]) -> BadSource:
    for name, value in options.items():
        try:
            canonical(_with_classes(value))
        except (NotPlain, RecursionError):
            return BadSource(
                f"option `{printable(name)}` of source `{shown(uri)}` is a {type(value).__name__}, not plain data",
                why="options count in cache keys, and a function or an object has no text that says what it does",
                fixes=['write a name for it (`dtype="int8"`)', "do in the step what it would do"],
            )
    return BadSource(f"the options of source `{shown(uri)}` are not plain data")
