"""What a lock says of a table: types, missing values, quantiles; the same words whatever library the table is of.

    table = table_of(frame)              # pandas, polars or Arrow; None for what is no table
    columns_of(table)                    # {"mrr": "float64, null 0.2 %"}
    quantiles_of(table.columns["mrr"])   # its twentieths
    share(orders["customer_id"], customers["customer_id"])

Arrow is imported when a table is there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from stepwell.dist.sketches import text_of
from stepwell.errors import MissingLibrary

if TYPE_CHECKING:
    import pyarrow as pa

    Column: TypeAlias = pa.Array | pa.ChunkedArray

ARROW = "pyarrow"
"""The distribution with which it is told what is in a table, whatever library the table is of."""

PARTS = 20
"""Quantiles divide the values of a column into so many parts."""

FEWEST = 100
"""Values that a column must have: quantiles of few are the values themselves, and say nothing of what they mean."""

DIGITS = 6
"""Digits of a quantile: fewer than two ways to compute with floats differ in."""


class Table(NamedTuple):
    """A table as Arrow has it: how many rows, and its columns by name; None for one that Arrow cannot say."""

    rows: int
    columns: dict[str, Column | None]


def table_of(value: Any) -> Table | None:
    """The table in memory, nothing of it copied where that can be avoided; None for what is none.

    Takes frames of pandas (without their index) and polars (lazy ones are collected), and tables of Arrow.
    Raises `MissingLibrary` where Arrow is not installed.
    """
    module = type(value).__module__.partition(".")[0]
    name = type(value).__name__
    if module in ("pandas", "polars") and name in ("DataFrame", "LazyFrame"):
        _need_arrow()
    if module == "pandas" and name == "DataFrame":
        columns = {str(label): _from_pandas(value.iloc[:, i]) for i, label in enumerate(value.columns)}
        return Table(len(value), columns)
    if module == "polars" and name in ("DataFrame", "LazyFrame"):
        frame = value.collect() if name == "LazyFrame" else value
        return Table(frame.height, {one.name: _from_polars(one) for one in frame.get_columns()})
    if module == "pyarrow" and name in ("Table", "RecordBatch"):
        return Table(value.num_rows, dict(zip(value.schema.names, value.columns, strict=True)))
    return None


def _need_arrow() -> None:
    if find_spec("pyarrow") is None:
        raise MissingLibrary(
            f"what is in a table is told with `{ARROW}`, which is not installed",
            why="types and missing values are told in the words of Arrow, whatever library the table is of",
            fixes=[f"uv add {ARROW}", f"pip install {ARROW}"],
        )


def _from_pandas(series: Any) -> Column | None:
    import pyarrow as pa

    try:
        found: Column = pa.array(series, from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):  # objects of several kinds, no Unicode
        return None
    return found


def _from_polars(series: Any) -> Column | None:
    try:
        found: Column = series.to_arrow()
    except BaseException as error:
        # What Arrow has not ends in a panic of Rust code, which is no Exception.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        return None
    return found


# --------------------------------------------------------------------------- types


def columns_of(table: Table) -> dict[str, str]:
    """What each column holds, in order: "int64", "string, null 2.8 %"; "object" for what Arrow has no type for."""
    return {name: _told(column, table.rows) for name, column in table.columns.items()}


def _told(column: Column | None, rows: int) -> str:
    if column is None:
        return "object"
    missing = rows - _count(column)
    return (
        f"{type_text(column.type)}, null {_percent(missing, rows)} %" if missing else type_text(column.type)
    )


def type_of(told: str) -> str:
    """The type in what a lock says of a column: "float64" of "float64, null 2.8 %"."""
    return told.partition(", null ")[0]


def nullable(told: str) -> bool:
    """Whether a column has missing values, by what a lock says of it."""
    return ", null " in told


def _percent(part: int, whole: int) -> str:
    """A share in percent, in two digits, never rounded to none or all."""
    share = 100 * part / whole
    text = f"{share:.2g}"
    if float(text) >= 100 and part < whole:
        return "99.9"
    return f"{float(text):g}" if share >= 0.001 else "0.001"


def type_text(kind: pa.DataType) -> str:
    """A type of Arrow in the words of a lock: how text is laid out and how fine times are is not in them."""
    import pyarrow as pa

    types = pa.types
    if types.is_dictionary(kind):
        return "category"
    if types.is_floating(kind):
        return f"float{kind.bit_width}"
    if types.is_timestamp(kind):
        return f"timestamp[tz={kind.tz}]" if kind.tz else "timestamp"
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return f"list[{type_text(kind.value_type)}]"
    word = str(kind).partition("[")[0].partition("(")[0].partition("<")[0]
    return _WORDS.get(word, word)


_WORDS = {
    "large_string": "string", "string_view": "string", "large_binary": "binary", "binary_view": "binary",
    "fixed_size_binary": "binary", "date32": "date", "date64": "date", "time32": "time", "time64": "time",
    "decimal32": "decimal", "decimal64": "decimal", "decimal128": "decimal", "decimal256": "decimal",
    "list_view": "list", "large_list_view": "list",
}  # fmt: skip


def _count(column: Column) -> int:
    """The values that are there; NaN is not."""
    found = len(column) - column.null_count
    if str(column.type) in ("halffloat", "float", "double"):
        found -= _compute().sum(_compute().is_nan(column)).as_py() or 0
    return found


def _compute() -> Any:
    import pyarrow.compute

    return pyarrow.compute


# --------------------------------------------------------------------------- values


def quantiles_of(column: Column | None) -> tuple[float, ...]:
    """The 19 twentieths of a numeric column, each a value that is in it, in `DIGITS` digits; none of other columns.

    By the inverse of the empirical distribution, so that nothing is interpolated: every library and machine
    gives the same. What is missing or infinite does not count.
    """
    import numpy as np
    import pyarrow as pa

    if column is None or not _is_number(column.type):
        return ()
    whole = pa.chunked_array([column]) if isinstance(column, pa.Array) else column
    numbers = _compute().cast(whole.drop_null(), pa.float64(), safe=False).to_numpy()
    numbers = numbers[np.isfinite(numbers)]
    count = len(numbers)
    if count < FEWEST:
        return ()
    places = [math.ceil(count * part / PARTS) - 1 for part in range(1, PARTS)]
    found = np.partition(numbers, places)[places]
    return tuple(_rounded(float(one)) for one in found)


def _is_number(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _rounded(number: float) -> float:
    return float(f"{number:.{DIGITS}g}") + 0.0


def can_be_key(told: str) -> bool:
    """Whether values that hold this, as a lock says it, can tell rows apart: lists, structures and objects cannot."""
    return type_of(told).partition("[")[0] not in ("list", "struct", "map", "extension", "object")


def values_of(column: Column | None) -> Iterator[object]:
    """The different values of a column, as Python's own."""
    return iter(()) if column is None else iter(_compute().unique(_plain(column)).to_pylist())


def share(column: Column | None, other: Column | None) -> float:
    """The share of the values of a column that are among those of another, rounded down to four places.

    What is missing does not count; 1 where nothing is there. A number is not the text of it.
    """
    if column is None or other is None:
        return 0.0
    held = {text_of(value) for value in values_of(other) if value is not None and value == value}
    counted = _compute().value_counts(_plain(column).drop_null())
    there = whole = 0
    for value, count in zip(
        counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True
    ):
        if value == value:  # NaN is not
            whole += count
            there += count if text_of(value) in held else 0
    return 1.0 if not whole else math.floor(there / whole * 10_000) / 10_000


def _plain(column: Column) -> Column:
    """The values without dictionary, and times without a fraction that Python's own would not bear."""
    import pyarrow as pa

    if isinstance(column, pa.ChunkedArray):
        column = column.unify_dictionaries()
    if pa.types.is_dictionary(column.type):
        column = _compute().cast(column, column.type.value_type)
    if pa.types.is_timestamp(column.type) and column.type.unit == "ns":
        column = _compute().cast(column, pa.timestamp("us", column.type.tz), safe=False)
    return column
