"""The columns of a source, as far as they can be told from the beginning of its file, without a library of tables.

now = schema(definition.uri, definition.type, options, pinned, memo)
now.columns         # names, with what they hold where that is known; None where that is left open
now.complete        # False: there may be columns that were not seen

Only Parquet and Arrow files need a library (pyarrow, or polars); what was found is kept in the
store's memo, by the digest of the content. Options that are not known here leave the columns open:
a check that cries wolf is worse than none.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from itertools import islice
from json import dumps, loads
from pathlib import Path
from typing import Any, NamedTuple

from stepwell.errors import StepwellError
from stepwell.sources.memo import Memo, key_for
from stepwell.sources.packing import File, packing_of
from stepwell.sources.pin import Pinned
from stepwell.sources.read import plain_type

TABLES = ("pandas.DataFrame", "polars.DataFrame", "polars.LazyFrame", "pyarrow.Table")
ROWS = 50
"""Rows of a text file that are looked at."""

FILES = 20
"""Files of a source that are looked at."""

_VERSION = "1"

_TEXT = (".csv", ".tsv", ".txt")
_LINES = (".jsonl", ".ndjson")
_PARQUET = (".parquet", ".pq")
_ARROW = (".feather", ".arrow", ".ipc")

_SEPARATOR = ("sep", "delimiter", "separator")
_CHOSEN = ("usecols", "columns", "include_columns")
_HARMLESS = frozenset((
    "format", "low_memory", "engine", "memory_map", "nrows", "n_rows", "na_values", "null_values",
    "keep_default_na", "compression", "thousands", "decimal", "true_values", "false_values", "infer_schema_length",
    "quotechar", "quote_char", "use_threads", "rechunk", "use_pandas_metadata", "lines", "encoding_errors",
))  # fmt: skip
_RETYPING = frozenset((
    "dtype", "parse_dates", "date_format", "converters", "dtype_backend", "schema_overrides", "column_types",
    "try_parse_dates", "convert_dates",
))  # fmt: skip
"""Options that leave the names as they are and make the kinds unknown."""


class Schema(NamedTuple):
    """Columns with what they hold ("text", or the library's name of a type, or ""), None where nobody can say.

    `complete`: no other columns are possible.
    """

    columns: Mapping[str, str] | None
    complete: bool = True


UNKNOWN = Schema(None)


def schema(uri: str, type_name: str, options: Mapping[str, object], pinned: Pinned, memo: Memo) -> Schema:
    """The columns of a source. `UNKNOWN` for what is no table, or cannot be told cheaply; never raises."""
    if plain_type(type_name, uri) not in TABLES or not pinned.files:
        return UNKNOWN
    told = str(options.get("format", "")).strip(". ").lower()
    key = key_for(
        "\0".join(
            (
                _VERSION,
                pinned.digest,
                type_name,
                repr(sorted(options.items())),
                pinned.names[0] if pinned.names else "",
            )
        )
    )
    kept = memo.get("schema", key)
    if kept is not None:
        return _unpacked(kept)
    frames = plain_type(type_name, uri) == "pandas.DataFrame"
    found = _look(pinned.files, told, options, frames=frames)
    columns = None if found.columns is None else list(found.columns.items())
    memo.put("schema", key, dumps([columns, found.complete]).encode())
    return found


def _unpacked(kept: bytes | str) -> Schema:
    columns, complete = loads(kept)
    return Schema(None if columns is None else dict(columns), complete)


def _look(files: Sequence[str], told: str, options: Mapping[str, object], *, frames: bool) -> Schema:
    together: dict[str, str] = {}
    complete = len(files) <= FILES
    for name in files[:FILES]:
        path = Path(name)
        label = f".{told}" if told else path.name.lower()
        packing = packing_of(label)
        file = File(path, Path(label.removesuffix(packing)).suffix or label.removesuffix(packing), packing)
        try:
            found = _one(file, options, frames=frames)
        except (OSError, ValueError, EOFError, LookupError, csv.Error, ImportError, StepwellError):
            return UNKNOWN  # whoever reads it says what is wrong with it
        if found.columns is None:
            return UNKNOWN
        complete = complete and found.complete
        for column, kind in found.columns.items():
            together[column] = kind if together.setdefault(column, kind) == kind else ""
    return Schema(together, complete)


def _one(file: File, options: Mapping[str, object], *, frames: bool) -> Schema:
    """The columns of one file. `frames`: for pandas, which makes an index of some of them."""
    rest = {name: value for name, value in options.items() if name not in _HARMLESS}
    retyped = bool(_RETYPING & rest.keys())
    rest = {name: value for name, value in rest.items() if name not in _RETYPING}
    chosen: Any = next((rest.pop(name) for name in _CHOSEN if name in rest), None)
    if chosen is not None and not _are_names(chosen):
        return UNKNOWN
    if file.form in _TEXT:
        found = _of_text(file, rest)
    elif rest:
        return UNKNOWN
    elif file.form in _LINES:
        found = _of_lines(file)
    elif file.form in (*_PARQUET, *_ARROW) and not file.packing:
        found = _of_binary(file, frames=frames)
    else:
        return UNKNOWN
    if found.columns is None:
        return found
    kinds = {name: "" if retyped else kind for name, kind in found.columns.items()}
    if chosen is not None:
        return Schema({name: kinds.get(name, "") for name in chosen})
    return found._replace(columns=kinds)


def _are_names(value: object) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(name, str) for name in value)


# --------------------------------------------------------------------------- text


def _of_text(file: File, options: Mapping[str, Any]) -> Schema:
    """The header of a CSV file, and what its first rows hold."""
    rest = dict(options)
    separator = next(
        (rest.pop(name) for name in _SEPARATOR if name in rest), "\t" if file.form == ".tsv" else ","
    )
    encoding = {"utf8": "utf-8", "utf8-lossy": "utf-8"}.get(
        str(rest.get("encoding")), rest.pop("encoding", "utf-8")
    )
    rest.pop("encoding", None)
    skipped = rest.pop("skiprows", rest.pop("skip_rows", 0))
    names = rest.pop("names", rest.pop("column_names", rest.pop("new_columns", None)))
    if rest or type(skipped) is not int or type(separator) is not str or len(separator) != 1:
        return UNKNOWN
    with file.open() as stream, io.TextIOWrapper(stream, encoding=str(encoding), newline="") as text:
        rows = csv.reader(islice(text, skipped, None), delimiter=separator)
        if names is None:
            header = [name.removeprefix("\ufeff") for name in next(rows, [])]
        elif _are_names(names):
            header = list(names)
        else:
            return UNKNOWN
        some = [row for row in islice(rows, ROWS) if len(row) == len(header)]
    if len(set(header)) < len(header) or not header:
        return UNKNOWN
    return Schema({name: _held([row[i] for row in some]) for i, name in enumerate(header)})


_GAPS = frozenset(("", "na", "n/a", "nan", "null", "none", "-", "<na>", "#n/a"))


def _held(texts: Sequence[str]) -> str:
    """What texts are beyond doubt: "text" where one is no number, date or truth value; else ""."""
    for text in texts:
        word = text.strip()
        if (
            word.lower() not in _GAPS
            and word[:1].isalpha()
            and word.lower() not in ("true", "false", "inf", "infinity")
        ):
            return "text"
    return ""


def _of_lines(file: File) -> Schema:
    """The keys of the first lines of a JSON Lines file; complete only where these are all."""
    seen: dict[str, str] = {}
    with file.open() as stream:
        lines = list(islice((line for line in stream if line.strip()), ROWS + 1))
    for line in lines[:ROWS]:
        row = loads(line)
        if not isinstance(row, dict):
            return UNKNOWN
        for name, value in row.items():
            kind = {str: "text", bool: "bool", list: "list"}.get(type(value), "")
            seen[name] = kind if seen.setdefault(name, kind) == kind else ""
    return Schema(seen, complete=len(lines) <= ROWS)


def _of_binary(file: File, *, frames: bool) -> Schema:
    """The schema that a Parquet or Arrow file carries."""
    if find_spec("pyarrow") is not None:
        return Schema(_by_arrow(file, frames=frames))
    if find_spec("polars") is None:
        return UNKNOWN
    import polars as pl

    read = pl.read_parquet_schema if file.form in _PARQUET else pl.read_ipc_schema
    return Schema({name: str(kind) for name, kind in read(file.path).items()})


def _by_arrow(file: File, *, frames: bool) -> dict[str, str] | None:
    if file.form in _PARQUET:
        from pyarrow import parquet

        found = parquet.read_schema(str(file.path))
    else:
        from pyarrow import ipc, memory_map

        with memory_map(str(file.path)) as stream:
            try:
                found = ipc.open_file(stream).schema
            except ValueError:
                stream.seek(0)
                found = ipc.open_stream(stream).schema
    hidden = _index_of(found.metadata) if frames else set()
    if hidden is None:
        return None
    return {field.name: str(field.type) for field in found if field.name not in hidden}


def _index_of(metadata: Mapping[bytes, bytes] | None) -> set[str] | None:
    """The columns that pandas takes for its index when it reads the file."""
    note = (metadata or {}).get(b"pandas")
    if not note:
        return set()
    try:
        return {name for name in loads(note)["index_columns"] if isinstance(name, str)}
    except (ValueError, KeyError, TypeError):
        return None
