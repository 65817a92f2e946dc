"""Tables: schema, some rows, and what each column holds, over a sample where there are many rows.

Stretches of rows are looked at, evenly spread, and checked before they are: nothing is read that they do not
need, so that a table of ten gigabytes answers as fast as one of ten megabytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from stepwell.app.plaindata import plain
from stepwell.app.previews.held import EXACT, Bounded, Held, nothing
from stepwell.app.previews.plaindata import cell, decoded
from stepwell.app.previews.stats import EMPTY, of_numbers

if TYPE_CHECKING:
    import pyarrow as pa

SAMPLED = 100_000
"""Rows that are looked at where there are more."""

STRETCHES = 20
"""Pieces that a sample is made of."""

CELLS = 4_000_000
"""Cells that are looked at: of a table with many columns, fewer rows."""

WEIGHT = 64 << 20
"""Bytes that are looked at: of a table with long texts, fewer rows."""

COLUMNS = 1_000
"""Columns that are shown."""

CELL = 500
"""Characters of a cell that are shown."""

TOP = 10
"""Most frequent values of a column that are told."""

REMEMBERED = 64
"""Tables of which it is remembered what their columns hold."""

NO_ARROW = "tables are read with pyarrow, which is not installed here: pip install pyarrow"


def table_shown(held: Held, rows: int, offset: int) -> dict[str, Any]:
    """What one of the `arrow` codecs wrote."""
    try:
        import pyarrow as pa
    except ImportError:
        return nothing(NO_ARROW)
    with pa.ipc.open_file(pa.BufferReader(pa.py_buffer(held.data))) as reader:
        if reader.num_record_batches != 1:
            return nothing("it is not a table as Stepwell writes them: it is not in one piece")
        batch = reader.get_batch(0)
    meta = _described(batch.schema)
    ways = _ways(meta, batch.num_columns)
    order = [*range(len(meta.get("data", ())), batch.num_columns), *range(len(meta.get("data", ())))]
    order = order if "data" in meta else list(range(batch.num_columns))
    return rows_shown(batch.select(order), [ways[i] for i in order], rows, offset, lone=meta.get("rows", 0))


def _described(schema: Any) -> dict[str, Any]:
    """What the codec wrote beside the columns; empty where nobody can read it."""
    text = (schema.metadata or {}).get(b"stepwell", b"{}")
    found = decoded(memoryview(text), str)
    return found if isinstance(found, dict) else {}


def _ways(meta: dict[str, Any], count: int) -> list[list[Any]]:
    """For each column how pandas would have it (`codecs.frames`), the index last; empty where it is not said."""
    index = meta.get("index")
    levels = index.get("levels", []) if isinstance(index, dict) else []
    found = [way if isinstance(way, list) else [] for way in [*meta.get("data", []), *levels]]
    return (found + [[]] * count)[:count]


def rows_shown(
    batch: pa.RecordBatch,
    ways: Sequence[list[Any]],
    rows: int,
    offset: int,
    *,
    total: int = -1,
    lone: int = 0,
    key: str = "",
) -> dict[str, Any]:
    """A table as a preview. `total`: rows of the whole, where `batch` is only a sample of it that begins at 0.

    `lone`: the rows of a table without columns, which Arrow does not count. `key`: under which what the columns hold is
    remembered, for the next rows of the same table; "" not at all.
    """
    count = batch.num_rows if batch.num_columns else lone
    shown = batch.select(range(min(batch.num_columns, COLUMNS)))
    offset = min(offset, max(count - 1, 0))
    page = shown.slice(offset, rows)
    page.validate(full=True)
    cells = [_cells(column, way) for column, way in zip(page.columns, ways, strict=False)]
    columns, sampled = _remembered(key, shown, ways)
    whole = max(total, count)
    out = {
        "kind": "table",
        "rows": whole,
        "columns": columns,
        "head": [list(row) for row in zip(*cells, strict=True)],
        "offset": offset,
        "sampled": None if sampled >= whole or not columns else sampled,
    }
    if batch.num_columns > len(columns):
        out["cut"] = batch.num_columns - len(columns)
    return out


_known: dict[str, tuple[list[dict[str, Any]], int]] = {}


def _remembered(
    key: str, batch: pa.RecordBatch, ways: Sequence[list[Any]]
) -> tuple[list[dict[str, Any]], int]:
    """What the columns of a table hold, and how many rows were looked at for that."""
    found = _known.get(key) if key else None
    if found is None:
        sample = _sample(batch)
        names = [str(name) for name in batch.schema.names]
        found = [_column(name, sample.column(i), ways[i]) for i, name in enumerate(names)], sample.num_rows
        if key:
            _known[key] = found
            for oldest in list(_known)[:-REMEMBERED]:
                _known.pop(oldest, None)
    return found


def _sample(batch: pa.RecordBatch) -> Any:
    """Evenly spread stretches of rows as one table, each checked; all rows where they are few."""
    import pyarrow as pa

    most = max(min(SAMPLED, CELLS // max(batch.num_columns, 1)), STRETCHES)
    while True:
        pieces = [batch.slice(*one) for one in _stretches(batch.num_rows, most)]
        if most <= 2 * STRETCHES or sum(piece.nbytes for piece in pieces) <= WEIGHT:
            break
        most //= 4
    for piece in pieces:
        piece.validate(full=True)
    return pa.Table.from_batches(pieces, batch.schema)


def _stretches(rows: int, most: int) -> Iterator[tuple[int, int]]:
    """Where the stretches of a sample begin, and how long they are."""
    if rows <= most:
        yield 0, rows
        return
    length = max(most // STRETCHES, 1)
    for i in range(STRETCHES):
        yield i * (rows - length) // (STRETCHES - 1), length


def _compute() -> Any:
    """Arrow's functions, which are made when they are imported and which no type checker sees."""
    import pyarrow.compute

    return pyarrow.compute


# ---------------------------------------------------------------------------- one column


def _column(name: str, column: Any, way: list[Any]) -> dict[str, Any]:
    """What a column holds, as far as the sample tells."""
    import pyarrow as pa

    flat = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(flat, pa.ChunkedArray):
        flat = pa.concat_arrays(flat.chunks) if flat.num_chunks else pa.array([], flat.type)
    flat = _plain_type(flat)
    facts = EMPTY | {"name": name[:CELL], "type": _type(column.type, way)}
    if not len(flat):
        return facts
    try:
        return facts | _facts(flat)
    except (pa.ArrowException, ValueError, TypeError, OverflowError):
        # A type for which a library has no such function: the schema and the cells are shown all the same.
        return facts | {"nulls": flat.null_count / len(flat)}


def _plain_type(column: Any) -> Any:
    """A column without the wrappings that hide its values: dictionaries, extensions, views."""
    import pyarrow as pa

    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return column


def _facts(column: Any) -> dict[str, Any]:
    import pyarrow as pa

    pc = _compute()

    kind, types = column.type, pa.types
    nulls = column.null_count
    if types.is_nested(kind) or types.is_null(kind):
        return {"nulls": nulls / len(column)}
    numbers = _numbers(column)
    if numbers is not None:
        found = of_numbers(numbers)
        missing = nulls + found.pop("missing")
        out = {**found, "nulls": missing / len(column), "distinct": pc.count_distinct(column).as_py()}
        if types.is_integer(kind) and out["distinct"] <= 2 * TOP:
            out["top"] = _top(column)
        return out
    distinct = pc.count_distinct(column).as_py()
    return {"nulls": nulls / len(column), "distinct": distinct, "top": _top(column)}


def _numbers(column: Any) -> Any:
    """The values that are there as floats: of dates and times seconds, since 1970 where they are moments. None for others."""
    import pyarrow as pa

    pc = _compute()

    kind, types = column.type, pa.types
    per = 1.0
    if types.is_date(kind):
        column, per = pc.cast(pc.cast(column, pa.timestamp("s")), pa.int64()), 1.0
    elif types.is_timestamp(kind) or types.is_duration(kind) or types.is_time(kind):
        per = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}[kind.unit]
        column = column.view(pa.int32() if types.is_time32(kind) else pa.int64())
    elif types.is_decimal(kind):
        column = pc.cast(column, pa.float64(), safe=False)
    elif not (types.is_integer(kind) or types.is_floating(kind)):
        return None
    values = column.drop_null().to_numpy(zero_copy_only=False).astype("f8")
    return values / per if per != 1.0 else values


def _top(column: Any) -> list[list[Any]] | None:
    """The most frequent values; None where each comes once."""
    pc = _compute()

    counts = pc.value_counts(column.drop_null())
    if not len(counts):
        return None
    order = pc.select_k_unstable(counts.field("counts"), TOP, [("", "descending")])
    often = counts.field("counts").take(order).to_pylist()
    if often[0] < 2 and len(counts) > TOP:
        return None
    return [
        [_word(value), count]
        for value, count in zip(_cells(counts.field("values").take(order), []), often, strict=True)
    ]


def _word(found: Any) -> str:
    text = (
        found
        if isinstance(found, str)
        else "true"
        if found is True
        else "false"
        if found is False
        else str(found)
    )
    return text[:CELL]


def _type(kind: Any, way: list[Any]) -> str:
    """A column's type as its library calls it, that of Arrow where there is no other."""
    import numpy as np

    match way:
        case ["numpy", str(code)]:
            return np.dtype(code).name
        case ["category", *_]:
            return "category"
        case ["object", "str", *_] | ["string", *_]:
            return "string"
        case ["object", *_]:
            return "object"
        case ["masked", str(name)]:
            return name
        case ["period", str(frequency)]:
            return f"period[{frequency}]"
    return str(kind)[:200]


# ---------------------------------------------------------------------------- cells


def _cells(column: Any, way: list[Any]) -> list[Any]:
    """The values of a column as JSON has them; long ones are cut."""
    import pyarrow as pa

    column = _plain_type(column)
    kind, types = column.type, pa.types
    if way[:2] == ["object", "json"]:
        return [None if text is None else _short(cell(text)) for text in column.to_pylist()]
    if way[:1] == ["numpy"] and types.is_fixed_size_binary(kind):
        import numpy as np

        return [str(np.frombuffer(data, way[1])[0]) for data in column.to_pylist()]
    if types.is_temporal(kind):
        return _moments(column)
    if types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind):
        return [
            None if data is None else f"0x{data[:40].hex()}{'…' if len(data) > 40 else ''}"
            for data in column.to_pylist()
        ]
    try:
        return [_short(plain(value)) for value in column.to_pylist()]
    except (ValueError, OverflowError, pa.ArrowException):  # moments beyond what Python has, in lists
        return [f"<{kind}>"] * len(column)


def _moments(column: Any) -> list[Any]:
    """Dates and times as texts, durations in seconds."""
    import pyarrow as pa

    pc = _compute()

    if pa.types.is_duration(column.type):
        per = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[column.type.unit]
        return [None if n is None else f"{n / per:g} s" for n in column.view(pa.int64()).to_pylist()]
    if pa.types.is_interval(column.type):
        return [None if value is None else str(value) for value in column.to_pylist()]
    try:
        texts = pc.cast(column, pa.string()).to_pylist()
    except (pa.ArrowException, ValueError):  # a year that has more than four digits
        return [None if n is None else str(n) for n in column.view(pa.int64()).to_pylist()]
    return [None if text is None else _trimmed(text) for text in texts]


def _trimmed(text: str) -> str:
    """A moment without a fraction that is nothing but zeros."""
    if "." not in text:
        return text
    whole, _, rest = text.partition(".")
    zone = "Z" if rest.endswith("Z") else ""
    digits = rest.removesuffix("Z").rstrip("0")
    return f"{whole}.{digits}{zone}" if digits else whole + zone


def _short(value: Any) -> Any:
    """A cell's value, bounded."""
    if type(value) is int:
        return value if abs(value) <= EXACT else str(value)
    return (
        Bounded(items=50, letters=CELL, depth=6).of(value) if isinstance(value, str | list | dict) else value
    )
