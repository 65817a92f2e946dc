"""Tables, arrays and lists as roles see them: rows, names of columns, missing values; of whichever library they are.

`table_of(value)` gives a `Table`, or None for what has no rows. Nothing is imported that a value is not of already.
"""

from __future__ import annotations

import array
import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from stepwell.codecs.content.arrow import compute

LISTS = (list, range, set, frozenset, array.array)
"""What has rows without being a table of a library. A tuple is not among them: it holds parts."""


class Table(NamedTuple):
    """Something with rows. `library` is "pandas", "polars", "arrow", "numpy", "sparse" or "list".

    `value` is the table itself, in the form that its library knows best: a tensor is an array, a series of polars a
    frame. A lazy frame stays one, and is collected (`collected`) only where its rows are compared. `columns` are its names, none where it has none; `width` is how many columns it has.
    """

    library: str
    value: Any
    rows: int
    columns: tuple[str, ...]
    width: int


class Numbers(NamedTuple):
    """A column of numbers: how many values are missing (NaN counts), and the mean of the others (NaN of none)."""

    missing: int
    mean: float


def table_of(value: Any) -> Table | None:
    """The rows of a value; None where it has none."""
    kinds = {base.__module__.partition(".")[0] for base in type(value).__mro__}
    if isinstance(value, LISTS):
        return Table("list", value if isinstance(value, list) else list(value), len(value), (), 1)
    for library, look in _LIBRARIES.items():
        if library in kinds:
            return look(value)
    return None


def _pandas(value: Any) -> Table | None:
    if not hasattr(value, "shape") or not hasattr(value, "__len__") or not getattr(value, "ndim", 0):
        return None
    if not hasattr(value, "iloc"):
        import pandas as pd

        value = pd.Series(value)  # an index, or an array of pandas' own
    if value.ndim == 1:
        name = getattr(value, "name", None)
        return Table("pandas", value, len(value), () if name is None else (str(name),), 1)
    return Table("pandas", value, len(value), tuple(map(str, value.columns)), value.shape[1])


def _polars(value: Any) -> Table | None:
    if hasattr(value, "collect"):
        import polars as pl

        names = tuple(value.collect_schema().names())
        return Table("polars", value, int(value.select(pl.len()).collect().item()), names, len(names))
    if hasattr(value, "to_frame"):
        value = value.to_frame()
    if not hasattr(value, "hash_rows"):
        return None
    return Table("polars", value, value.height, tuple(value.columns), value.width)


def _arrow(value: Any) -> Table | None:
    import pyarrow as pa

    if isinstance(value, pa.Array | pa.ChunkedArray):
        return Table("arrow", pa.table({"values": value}), len(value), (), 1)
    if isinstance(value, pa.RecordBatch):
        value = pa.Table.from_batches([value])
    if not isinstance(value, pa.Table):
        return None
    return Table("arrow", value, value.num_rows, tuple(value.column_names), value.num_columns)


def _numpy(value: Any) -> Table | None:
    shape = getattr(value, "shape", ())
    if not shape or not hasattr(value, "dtype"):
        return None
    names = tuple(value.dtype.names or ())
    return Table("numpy", value, shape[0], names, len(names) or math.prod(shape[1:]))


def _sparse(value: Any) -> Table | None:
    if not hasattr(value, "tocsr") or len(getattr(value, "shape", ())) != 2:
        return None
    return Table("sparse", value.tocsr(), value.shape[0], (), value.shape[1])


def _as_array(value: Any) -> Table | None:
    import numpy as np

    return _numpy(np.asarray(value)) if getattr(value, "shape", ()) else None


def _duckdb(value: Any) -> Table | None:
    return _arrow(value.to_arrow_table()) if hasattr(value, "to_arrow_table") else None


def _datasets(value: Any) -> Table | None:
    return _arrow(value.with_format("arrow")[:]) if hasattr(value, "num_rows") else None


def _torch(value: Any) -> Table | None:
    return _numpy(value.detach().cpu().numpy()) if hasattr(value, "detach") and value.ndim else None


_LIBRARIES = {
    "pandas": _pandas,
    "polars": _polars,
    "pyarrow": _arrow,
    "numpy": _numpy,
    "scipy": _sparse,
    "torch": _torch,
    "jaxlib": _as_array,
    "tensorflow": _as_array,
    "duckdb": _duckdb,
    "_duckdb": _duckdb,
    "datasets": _datasets,
}


def parts_of(value: Any) -> list[tuple[str, Any]]:
    """The parts of a tuple, list, dict, named tuple or dataclass with their names; none of other values."""
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return list(zip(value._fields, value, strict=True))
    if isinstance(value, tuple | list):
        return [(str(i), part) for i, part in enumerate(value)]
    if isinstance(value, Mapping):
        return [(str(name), part) for name, part in value.items()]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [(field.name, getattr(value, field.name)) for field in dataclasses.fields(value)]
    return []


def tables_in(values: Mapping[str, Any]) -> dict[str, Table]:
    """The tables among named values; those inside of tuples and dicts under "name.part"."""
    found: dict[str, Table] = {}
    for name, value in values.items():
        table = table_of(value)
        if table is not None:
            found[name] = table
        elif isinstance(value, tuple | dict) or dataclasses.is_dataclass(value):
            inner = {f"{name}.{part}": table_of(one) for part, one in parts_of(value)}
            found.update({place: one for place, one in inner.items() if one is not None})
    return found


def collected(table: Table) -> Table:
    """The table with its rows in memory."""
    return table._replace(value=table.value.collect()) if table.library == "polars" and hasattr(table.value, "collect") else table  # fmt: skip


def kind(value: Any) -> str:
    """What a message calls a value: "an int", "a DataFrame"."""
    name = "None" if value is None else type(value).__qualname__
    return name if value is None else f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


# --------------------------------------------------------------------------- columns


def column(table: Table, name: str) -> Any:
    """A column by its name, as its library has it. Raises `KeyError`."""
    if name not in table.columns:
        raise KeyError(name)
    place = table.columns.index(name)
    value = table.value
    if table.library == "pandas":
        return value if value.ndim == 1 else value.iloc[:, place]
    if table.library == "arrow":
        return value.column(place)
    return value[name]


def groups(table: Table, name: str) -> list[tuple[Any, Sequence[int]]]:
    """The values of a column, with the numbers of their rows; missing values are in no group. Raises `KeyError`."""
    values = column(table, name)
    if table.library == "pandas":
        return list(values.groupby(values.to_numpy(), observed=True).indices.items())
    if table.library == "polars":
        import polars as pl

        numbered = pl.DataFrame({"value": values}).with_row_index("row")
        grouped = numbered.drop_nulls().group_by("value", maintain_order=True).agg("row")
        return list(zip(grouped["value"].to_list(), grouped["row"].to_list(), strict=True))
    found: dict[Any, list[int]] = {}
    for row, value in enumerate(values.to_pylist() if hasattr(values, "to_pylist") else values.tolist()):
        if value is not None and value == value:  # NaN is not
            found.setdefault(value, []).append(row)
    return list(found.items())


def take(table: Table, rows: Sequence[int]) -> Any:
    """Some rows of a table, by their numbers, as a table of the same kind."""
    if table.library == "pandas":
        return table.value.iloc[rows]
    if table.library == "arrow":
        return table.value.take(rows)
    if table.library == "list":
        return [table.value[row] for row in rows]
    return table.value[rows]


def missing(table: Table) -> dict[str, int]:
    """How many values are missing in each column that has any; NaN is missing. Without names "" stands for all."""
    if table.library == "pandas":
        if table.value.ndim == 1:
            counts = [int(table.value.isna().sum())]
        else:
            counts = table.value.isna().sum().tolist()
        found = dict(zip(table.columns or ("",), counts, strict=False))
    elif table.library == "polars":
        found = _polars_missing(table)
    elif table.library == "arrow":
        pairs = zip(table.columns or ("",), table.value.itercolumns(), strict=True)
        found = {name: _arrow_missing(one) for name, one in pairs}
    elif table.library == "numpy" and table.columns:
        found = {name: _array_missing(table.value[name]) for name in table.columns}
    elif table.library == "numpy":
        found = {"": _array_missing(table.value)}
    elif table.library == "sparse":
        found = {"": _array_missing(table.value.data)}
    else:
        found = {"": sum(1 for one in table.value if one is None or (isinstance(one, float) and one != one))}
    return {name: count for name, count in found.items() if count}


def _polars_missing(table: Table) -> dict[str, int]:
    from polars import selectors as cs

    frame = table.value.lazy()
    nulls = _one_row(frame.select(cs.all().null_count()))
    nans = _one_row(frame.select(cs.float().is_nan().sum()))
    return {name: count + (nans.get(name) or 0) for name, count in nulls.items()}


def _one_row(frame: Any) -> dict[str, Any]:
    """The only row of a lazy frame, by column; nothing where it has no columns."""
    rows: list[dict[str, Any]] = frame.collect().to_dicts()
    return rows[0] if rows else {}


def _arrow_missing(values: Any) -> int:
    import pyarrow as pa

    if not pa.types.is_floating(values.type):
        return int(values.null_count)
    pc = compute()
    return int(pc.sum(pc.is_null(values, nan_is_null=True)).as_py() or 0)


def _array_missing(values: Any) -> int:
    if values.dtype.kind in "fc":
        return int((values != values).sum())
    if values.dtype.kind in "mM":
        return int((values != values).sum())  # NaT is not itself
    if values.dtype.kind == "O":
        return sum(1 for one in values.ravel().tolist() if one is None or one != one)
    return 0


def numbers(table: Table) -> dict[str, Numbers]:
    """The columns of numbers of a table (booleans are none), "" where they have no names."""
    return dict(_numbers(table))


def _numbers(table: Table) -> Iterator[tuple[str, Numbers]]:
    names = table.columns or ("",)
    if table.library == "pandas":
        from pandas.api.types import is_bool_dtype, is_numeric_dtype

        for i, name in enumerate(names):
            values = table.value if table.value.ndim == 1 else table.value.iloc[:, i]
            if is_numeric_dtype(values.dtype) and not is_bool_dtype(values.dtype):
                yield name, Numbers(int(values.isna().sum()), _float(values.mean()))
    elif table.library == "polars":
        from polars import selectors as cs

        real = table.value.lazy().select(cs.float().fill_nan(None), cs.numeric() - cs.float())
        gone = _polars_missing(table)
        means = _one_row(real.select(cs.all().mean()))
        yield from ((name, Numbers(gone[name], _float(means[name]))) for name in names if name in means)
    elif table.library == "arrow":
        for name, values in zip(names, table.value.itercolumns(), strict=True):
            yield from _arrow_numbers(name, values)
    elif table.library == "numpy" and not table.columns:
        if table.value.dtype.kind in "iuf":
            gone = _array_missing(table.value)
            there = table.value[table.value == table.value] if gone else table.value
            yield "", Numbers(gone, _float(there.mean()) if there.size else math.nan)
    elif table.library == "list":
        yield from _list_numbers(table.value)


def _arrow_numbers(name: str, values: Any) -> Iterator[tuple[str, Numbers]]:
    import pyarrow as pa

    pc = compute()
    if pa.types.is_integer(values.type) or pa.types.is_floating(values.type):
        gone = _arrow_missing(values)
        if gone and pa.types.is_floating(values.type):
            values = values.filter(pc.invert(pc.is_null(values, nan_is_null=True)))
        yield name, Numbers(gone, _float(pc.mean(values).as_py()))


def _list_numbers(values: Sequence[Any]) -> Iterator[tuple[str, Numbers]]:
    there = [one for one in values if isinstance(one, int | float) and not isinstance(one, bool)]
    gone = [one for one in values if one is None]
    if there and len(there) + len(gone) == len(values):
        real = [one for one in there if one == one]
        yield "", Numbers(len(values) - len(real), _float(sum(real) / len(real)) if real else math.nan)


def _float(value: Any) -> float:
    """A mean as Python's number; NaN where a library says in its own way that there is none."""
    try:
        return float(value)
    except TypeError:
        return math.nan
