"""Values that go into a query, and results that come out: always as Arrow tables in between.

    is_table(value)                  # a relation, by what the value is; anything else is bound
    as_table(value)                  # pandas, polars, Arrow, rows -> pyarrow.Table, without copying where that can be
    as_parameter(value)              # a plain value as drivers of databases take it
    as_result(table, "pandas.DataFrame", out, root)

No library of tables is imported until one of these is called with something of it.
"""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stepwell.errors import MissingExtra, SqlInput, SqlResult

ARROW = "pyarrow.Table"
FRAMES = ("pandas.DataFrame", "polars.DataFrame", ARROW)
"""Types of whole tables."""

PATH = "pathlib.Path"
ROWS = "list[dict]"
SCALARS: Mapping[str, type] = {
    "int": int,
    "float": float,
    "str": str,
    "bool": bool,
    "datetime.date": dt.date,
    "datetime.datetime": dt.datetime,
    "decimal.Decimal": decimal.Decimal,
}
"""Types of single values, which are also those of a list that is one column."""

TABLES = frozenset(
    (*FRAMES, "polars.LazyFrame", "pyarrow.RecordBatch", PATH, "list[pathlib.Path]", "pandas.Series")
)
"""Full names of types that are relations in a query."""

SUFFIXES: Mapping[str, str] = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".csv.gz": "csv",
    ".tsv.gz": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".json.gz": "json",
    ".jsonl.gz": "json",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
}
"""Formats of files that are relations, by the end of their names."""

WRITTEN = (".parquet", ".pq", ".csv", ".tsv", ".jsonl", ".ndjson", ".arrow", ".feather", ".ipc")
"""Ends of names of files that a result can be written to."""

_PLAIN = (
    bool,
    int,
    float,
    str,
    bytes,
    dt.date,
    dt.time,
    dt.timedelta,
    decimal.Decimal,
    uuid.UUID,
    type(None),
)


def format_of(path: Path) -> str:
    """The format of a file by its name, "" for one that is no table."""
    name = path.name.lower()
    return next((form for end, form in SUFFIXES.items() if name.endswith(end)), "")


def library(name: str, extra: str) -> Any:
    """A library, imported. Raises `MissingExtra`, which names the extra that brings it."""
    from importlib import import_module

    try:
        return import_module(name)
    except ImportError as error:
        raise missing(name, extra) from error


def missing(name: str, extra: str) -> MissingExtra:
    """The error of a library that is not installed."""
    return MissingExtra(
        f"a step in SQL needs {name}, which is not installed",
        fixes=[f'pip install "stepwell[{extra}]"'],
    )


def is_table(value: Any) -> bool:
    """Whether a value is a relation: a table of some library, a file or several, or a list of dicts."""
    if isinstance(value, Path):
        return True
    if isinstance(value, list | tuple):
        return bool(value) and (
            all(isinstance(item, Path) for item in value) or all(type(item) is dict for item in value)
        )
    kind = type(value)
    return any(
        f"{base.__module__.partition('.')[0]}.{base.__qualname__}" in _CLASSES for base in kind.__mro__
    )


_CLASSES = frozenset(
    (
        "pandas.DataFrame",
        "pandas.Series",
        "polars.DataFrame",
        "polars.LazyFrame",
        "polars.Series",
        "pyarrow.Table",
        "pyarrow.RecordBatch",
    )
)


def as_table(name: str, value: Any) -> Any:
    """A table of any library, or rows, as a `pyarrow.Table`. Raises `SqlInput`.

    Of a pandas frame, named levels of the index are columns; an index without a name is not there.
    """
    pa = library("pyarrow", "sql")
    home, kind = type(value).__module__.partition(".")[0], type(value).__name__
    try:
        if isinstance(value, pa.RecordBatch):
            return pa.Table.from_batches([value])
        if isinstance(value, list | tuple):
            return pa.Table.from_pylist(list(value))
        if home == "polars":
            frame = value.collect() if kind == "LazyFrame" else value
            return (frame.to_frame() if kind == "Series" else frame).to_arrow()
        if hasattr(value, "to_frame") and not hasattr(value, "columns"):
            value = value.to_frame(value.name or "value")
        if hasattr(value, "iloc"):
            return _of_pandas(pa, value)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise SqlInput(
            f"`{name}` is a table that a query cannot read: {str(error)[:300]}",
            why="each column of a relation holds values of one type",
            fixes=["make its columns uniform first: frame.astype(...)"],
        ) from error
    return value


def _of_pandas(pa: Any, frame: Any) -> Any:
    named = [level for level in frame.index.names if level is not None and level not in frame.columns]
    if named:
        frame = frame.reset_index([level for level in frame.index.names if level in named])
    return pa.Table.from_pandas(frame.rename(columns=str), preserve_index=False).replace_schema_metadata(None)


def as_parameter(name: str, value: Any, *, nested: bool = True) -> Any:
    """A plain value as a driver binds it: lists of plain values, and dicts where `nested`. Raises `SqlInput`."""
    if isinstance(value, enum.Enum):
        value = value.value
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, list | tuple | set | frozenset):
        items = sorted(value, key=repr) if isinstance(value, set | frozenset) else value
        return [as_parameter(name, item, nested=nested) for item in items]
    if isinstance(value, dict) and nested:
        return {str(key): as_parameter(name, item) for key, item in value.items()}
    if type(value).__module__.partition(".")[0] == "numpy" and hasattr(value, "tolist"):
        return as_parameter(name, value.tolist(), nested=nested)
    raise SqlInput(
        f"`{name}` is a {type(value).__name__}, which is neither a table nor a value that a query takes",
        fixes=["pass a table, a file, a number, a text, a date, or a list of such"],
    )


# --------------------------------------------------------------------------- results


def as_result(step: Mapping[str, Any], table: Any, root: Path) -> Any:
    """What a step returns of the table that its query gave. Raises `SqlResult`.

    `step` is its spec: `returns` names the type, `out` the file for a `Path`.
    """
    returns = step["returns"]
    _no_doubles(table)
    if returns == "None":
        return None
    if returns == ARROW:
        return table
    if returns == "pandas.DataFrame":
        return _as_pandas(table)
    if returns == "polars.DataFrame":
        return library("polars", "polars").from_arrow(table)
    if returns == PATH:
        return _as_file(table, root / step["out"], root)
    if returns == ROWS:
        return _rows(table)
    if returns == "dict":
        return _one(table, "one row", rows=True)
    if returns.startswith("list["):
        return [_scalar(value, returns[5:-1]) for value in _column(table, returns)]
    return _scalar(_one(table, "one value", rows=False), returns)


def _no_doubles(table: Any) -> None:
    names = table.column_names
    double = next((name for i, name in enumerate(names) if name in names[:i]), None)
    if double is not None:
        raise SqlResult(
            f"the query gives two columns named `{double}`",
            why="a table's columns are known by their names",
            fixes=[
                f"name one of them: ... as {double}_2",
                "or list the columns that are wanted in place of `*`",
            ],
        )


def _as_pandas(table: Any) -> Any:
    """A pandas frame: dates as datetimes, exact decimals as floats, as data frames usually hold them."""
    pa = library("pyarrow", "sql")
    library("pandas", "pandas")
    for i, field in enumerate(table.schema):
        if pa.types.is_decimal(field.type):
            table = table.set_column(i, field.name, table.column(i).cast(pa.float64()))
    return table.to_pandas(date_as_object=False)


def _rows(table: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = table.to_pylist()
    return [{name: _plain(value) for name, value in row.items()} for row in rows]


def _plain(value: Any) -> Any:
    """Exact decimals as numbers, also in nested values: nobody who writes `0.5` in a query means anything else."""
    if isinstance(value, decimal.Decimal):
        return (
            int(value)
            if value == value.to_integral_value() and value.as_tuple().exponent == 0
            else float(value)
        )
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


def _one(table: Any, wanted: str, *, rows: bool) -> Any:
    if table.num_rows != 1 or (not rows and table.num_columns != 1):
        raise SqlResult(
            f"the query gives {table.num_rows} rows of {table.num_columns} columns, and declares {wanted}",
            fixes=["aggregate, or add `limit 1`", "or declare a table: sql(..., pd.DataFrame)"],
        )
    row = _rows(table)[0] if rows else None
    return row if rows else table.column(0)[0].as_py()


def _column(table: Any, returns: str) -> list[Any]:
    if table.num_columns != 1:
        raise SqlResult(
            f"the query gives {table.num_columns} columns, and declares {returns}",
            fixes=["select one column", "or declare rows: sql(..., list[dict])"],
        )
    return table.column(0).to_pylist()  # type: ignore[no-any-return]


def _scalar(value: Any, returns: str) -> Any:
    """A value as the declared type, where that loses nothing. Raises `SqlResult`."""
    wanted = SCALARS[returns]
    if isinstance(value, wanted) and (wanted is bool or not isinstance(value, bool)):
        return value
    if wanted is float and isinstance(value, int | decimal.Decimal) and not isinstance(value, bool):
        return float(value)
    if wanted is int and isinstance(value, decimal.Decimal | float) and value == int(value):
        return int(value)
    if wanted is decimal.Decimal and isinstance(value, int) and not isinstance(value, bool):
        return decimal.Decimal(value)
    told = "nothing (NULL)" if value is None else f"a {type(value).__name__}"
    raise SqlResult(
        f"the query gives {told}, and declares {returns.rpartition('.')[2]}",
        fixes=["convert it in the query: cast(... as ...)", "where there may be nothing: coalesce(..., 0)"],
    )


def _as_file(table: Any, path: Path, root: Path) -> Path:
    """Write a table to the file that the step declares; it appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        _write(table, unfinished, path.name.lower())
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
    return path.relative_to(root)


def _write(table: Any, path: Path, name: str) -> None:
    if name.endswith((".parquet", ".pq")):
        from pyarrow import parquet

        parquet.write_table(table, path)
    elif name.endswith((".csv", ".tsv")):
        from pyarrow import csv

        options = csv.WriteOptions(delimiter="\t" if name.endswith(".tsv") else ",", quoting_style="needed")
        csv.write_csv(table, path, options)
    elif name.endswith((".jsonl", ".ndjson")):
        from json import dumps

        with path.open("w", encoding="utf-8") as stream:
            stream.writelines(f"{dumps(row, ensure_ascii=False, default=str)}\n" for row in _rows(table))
    else:
        from pyarrow import feather

        feather.write_feather(table, path)
