"""Which rows of several tables are the same: by what is in them, or in some of their columns.

Rows are compared as whole numbers: equal rows have equal numbers, and different ones have different numbers but for
one case in some 10^19. With NumPy they are sorted as an array, without it they are counted in a dict.
"""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from typing import Any, NamedTuple

from stepwell.worker.roles.values import Table, collected

Rows = Any
"""The numbers of the rows of one table: an array of NumPy, or a list where that is not installed."""

_GOLDEN = 0x9E3779B97F4A7C15


class Crossing(NamedTuple):
    """Rows that are in more than one part.

    `count` is how many different rows they are, `more` how many of these occur more often than in what was given;
    the example is of the latter, where there are any: the row `row` of the part `part` is row `other_row` of `other`.
    """

    count: int
    more: int
    part: int
    row: int
    other: int
    other_row: int


def numbered(tables: Sequence[Table], columns: Sequence[str] = ()) -> list[Rows] | None:
    """The rows of tables of one library as numbers, by some columns or (none named) by all; None where that cannot be told."""
    tables = [collected(table) for table in tables]
    try:
        return _NUMBERED[tables[0].library](tables, columns)
    except (TypeError, ValueError, NotImplementedError):  # cells that a library cannot compare
        texts = [_texts(table, columns) for table in tables]
        return None if any(one is None for one in texts) else _coded(texts)  # type: ignore[arg-type]


def joined(parts: Sequence[Rows]) -> Rows:
    """The rows of tables that lie side by side: row 3 of each together are row 3."""
    if len(parts) == 1:
        return parts[0]
    if not _has_numpy():
        return [hash(row) for row in zip(*parts, strict=True)]
    import numpy as np

    out = np.zeros(len(parts[0]), np.uint64)
    for one in parts:
        out = _mixed(out ^ _mixed(np.asarray(one).astype(np.uint64)))
    return out


def crossing(parts: Sequence[Rows], given: Rows | None) -> Crossing | None:
    """The rows that are in more than one part; None where there are none. `given` are those that all parts came from."""
    if not _has_numpy():
        return _counted(parts, given)
    import numpy as np

    arrays = [np.asarray(one) for one in parts]
    values, inverse = np.unique(np.concatenate(arrays), return_inverse=True)
    ends = np.cumsum([len(one) for one in arrays])
    owners = [inverse[end - len(one) : end] for one, end in zip(arrays, ends, strict=True)]
    times = np.zeros(len(values), np.int64)
    for owner in owners:
        times[np.unique(owner)] += 1
    crosses = times > 1
    if not crosses.any():
        return None
    allowed = np.zeros(len(values), np.int64)
    if given is not None and len(given):
        there = np.asarray(given)
        place = np.searchsorted(values, there).clip(max=len(values) - 1)
        allowed = np.bincount(place[values[place] == there], minlength=len(values))
    more = crosses & (np.bincount(inverse, minlength=len(values)) > allowed)
    one = int(np.flatnonzero(more if more.any() else crosses)[0])
    spots = [
        (i, int(np.flatnonzero(owner == one)[0])) for i, owner in enumerate(owners) if (owner == one).any()
    ]
    return Crossing(int(crosses.sum()), int(more.sum()), *spots[0], *spots[1])


def _counted(parts: Sequence[Rows], given: Rows | None) -> Crossing | None:
    """`crossing` without NumPy."""
    spots: dict[int, dict[int, int]] = {}
    for i, rows in enumerate(parts):
        for row, value in enumerate(rows):
            spots.setdefault(value, {}).setdefault(i, row)
    crosses = [value for value, where in spots.items() if len(where) > 1]
    if not crosses:
        return None
    wanted, allowed = set(crosses), Counter(given or ())
    times = Counter(value for rows in parts for value in rows if value in wanted)
    more = [value for value in crosses if times[value] > allowed[value]]
    (first, row), (other, other_row), *_ = spots[(more or crosses)[0]].items()
    return Crossing(len(crosses), len(more), first, row, other, other_row)


# --------------------------------------------------------------------------- numbers of rows


def _pandas(tables: Sequence[Table], columns: Sequence[str]) -> list[Rows]:
    from pandas.util import hash_pandas_object

    found = []
    for table in tables:
        value = table.value
        if columns and value.ndim > 1:
            value = value.iloc[:, [table.columns.index(name) for name in columns]]
        found.append(hash_pandas_object(value, index=False).to_numpy())
    return found


def _polars(tables: Sequence[Table], columns: Sequence[str]) -> list[Rows]:
    import polars as pl
    from polars import selectors

    named = selectors.by_dtype(
        pl.Categorical, pl.Enum
    )  # numbers of categories mean something in one column only
    frames = [table.value.select(columns or table.columns) for table in tables]
    hashed = [frame.with_columns(named.cast(pl.String)).hash_rows(seed=0) for frame in frames]
    return [one.to_numpy() if _has_numpy() else one.to_list() for one in hashed]


def _arrow(tables: Sequence[Table], columns: Sequence[str]) -> list[Rows]:
    import pyarrow as pa

    if not _has_numpy():
        raise NotImplementedError
    import numpy as np

    ends = np.cumsum([table.rows for table in tables])
    out = np.zeros(int(ends[-1]), np.uint64)
    for place, name in enumerate(columns or tables[0].columns):
        values = [table.value.column(table.columns.index(name) if columns else place) for table in tables]
        if len({one.type for one in values}) > 1:
            raise TypeError(name)
        whole = pa.chunked_array([chunk for one in values for chunk in one.chunks], values[0].type)
        if pa.types.is_dictionary(whole.type):
            whole = whole.cast(whole.type.value_type)
        codes: Any = pa.concat_arrays(whole.chunks).dictionary_encode()
        numbers = codes.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        out = _mixed(out ^ _mixed(numbers.astype(np.int64).view(np.uint64)))
    return [out[end - table.rows : end] for table, end in zip(tables, ends, strict=True)]


def _numpy(tables: Sequence[Table], columns: Sequence[str]) -> list[Rows]:
    arrays = [table.value for table in tables]
    if any(one.dtype.kind in "SU" for one in arrays):  # text is compared at the width of the longest
        longest = max((one.dtype for one in arrays), key=lambda dtype: dtype.itemsize)
        arrays = [one.astype(longest) for one in arrays]
    pairs = zip(tables, arrays, strict=True)
    return [_of_array(table._replace(value=array), columns) for table, array in pairs]


def _of_array(table: Table, columns: Sequence[str]) -> Rows:
    import numpy as np

    array = table.value
    names = columns or table.columns
    if names:
        flat = [array[name].reshape(table.rows, -1) for name in names]
    else:
        flat = [array.reshape(table.rows, -1)]
    out = np.zeros(table.rows, np.uint64)
    for block in flat:
        bits = _bits(block)
        for i in range(bits.shape[1]):
            out = _mixed(out ^ _mixed(bits[:, i]))
    return out


def _bits(block: Any) -> Any:
    """The cells of an array of two axes as whole numbers of 64 bits: equal cells, equal numbers."""
    import numpy as np

    kind = block.dtype.kind
    if kind in "fc":
        wide = np.ascontiguousarray(
            block + 0, np.complex128 if kind == "c" else np.float64
        )  # -0.0 becomes 0.0
        return wide.view(np.uint64).reshape(len(block), -1)
    if kind in "biu":
        return block.astype(np.int64 if kind != "u" else np.uint64).view(np.uint64)
    if kind in "mM":
        return np.ascontiguousarray(block).view(np.int64).view(np.uint64).reshape(block.shape)
    if kind in "SU" and block.ndim == 2:
        whole = np.ascontiguousarray(block)
        unit = 1 if kind == "S" else 4  # bytes of a character
        length = -(-whole.dtype.itemsize // 8) * 8 // unit
        even = whole.astype(f"{kind}{max(length, 8 // unit)}")
        return even.view(np.uint64).reshape(len(block), -1)
    raise TypeError(kind)


def _sparse(tables: Sequence[Table], columns: Sequence[str]) -> list[Rows]:
    import numpy as np

    found = []
    for table in tables:
        matrix = table.value.copy()
        matrix.sum_duplicates()
        matrix.eliminate_zeros()
        cells = _mixed(_bits(matrix.data.reshape(-1, 1))[:, 0] ^ _mixed(matrix.indices.astype(np.uint64)))
        sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(cells, dtype=np.uint64)])
        found.append(sums[matrix.indptr[1:]] - sums[matrix.indptr[:-1]])
    return found


def _mixed(numbers: Any) -> Any:
    """Each number scattered over all 64 bits (the finalizer of SplitMix64, Steele, Lea and Flood 2014)."""
    import numpy as np

    out = numbers + np.uint64(_GOLDEN)
    out = (out ^ (out >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    out = (out ^ (out >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return out ^ (out >> np.uint64(31))


def _list(tables: Sequence[Table], columns: Sequence[str]) -> list[Rows]:
    return _coded([[_key(item) for item in table.value] for table in tables])


def _key(item: Any) -> Hashable:
    """What stands for an item of a list: itself, or its text where it cannot be counted."""
    try:
        hash(item)
    except TypeError:
        return repr(item)
    return item  # type: ignore[no-any-return]


def _coded(tables: Sequence[Sequence[Hashable]]) -> list[Rows]:
    """Items as numbers: the same number for equal items of all tables."""
    codes: dict[Hashable, int] = {}
    return [[codes.setdefault(item, len(codes)) for item in items] for items in tables]


def _texts(table: Table, columns: Sequence[str]) -> list[Hashable] | None:
    """Each row as text; None where its library gives no rows."""
    return [repr(row) for row in rows_in(table, columns)] if table.library != "sparse" else None


def rows_in(table: Table, columns: Sequence[str] = ()) -> Iterator[Any]:
    """The rows of a table as Python has them."""
    value = collected(table).value
    if table.library == "pandas":
        if value.ndim == 1:
            yield from value.tolist()
            return
        places = [table.columns.index(name) for name in columns or table.columns]
        yield from value.iloc[:, places].itertuples(index=False, name=None)
    elif table.library == "polars":
        yield from value.select(columns or table.columns).iter_rows()
    elif table.library == "arrow":
        yield from zip(*(value.column(table.columns.index(n)).to_pylist() for n in columns or table.columns), strict=True)  # fmt: skip
    else:
        yield from value.tolist() if hasattr(value, "tolist") else value


def shown(table: Table, row: int, columns: Sequence[str] = ()) -> str:
    """One row for a message, at most some 80 characters of it."""
    value = collected(table).value
    if table.library == "pandas":
        one = value.iloc[row : row + 1]
    elif table.library in ("polars", "arrow"):
        one = value.slice(row, 1)
    elif table.library == "sparse":
        return f"row {row}"
    else:
        one = value[row : row + 1]
    names = columns or table.columns
    found = next(rows_in(table._replace(value=one, rows=1), columns))
    if names and isinstance(found, tuple) and len(found) == len(names):
        text = ", ".join(f"{name}={_cell(cell)}" for name, cell in zip(names, found, strict=True))
    else:
        text = _cell(found)
    return text if len(text) <= 80 else f"{text[:79]}…"


def _cell(value: Any) -> str:
    return repr(value.item() if hasattr(value, "item") and not getattr(value, "ndim", 0) else value)


def _has_numpy() -> bool:
    return importlib.util.find_spec("numpy") is not None


_NUMBERED = {
    "pandas": _pandas,
    "polars": _polars,
    "arrow": _arrow,
    "numpy": _numpy,
    "sparse": _sparse,
    "list": _list,
}
