"""Tables with the same values and the same types have the same bytes, however they came about: early cutoff rests on it.

What a step can see is in the bytes (the second half): whoever skips a step because of equal bytes skips it rightly.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from stepwell.codecs import choose
from stepwell.codecs.content.digest import digest_of
from stepwell.codecs.memory import MemorySink

ROWS = 1000


def encoded(value: Any) -> tuple[str, bytes]:
    sink = MemorySink()
    codec, _ = choose.dump(value, "", sink)
    return codec, bytes(sink.data)


def frame() -> pd.DataFrame:
    numbers = np.arange(ROWS)
    return pd.DataFrame(
        {
            "i": numbers,
            "f": np.where(numbers % 7 == 0, np.nan, numbers / 3),
            "b": numbers % 2 == 0,
            "s": pd.Series([f"t{n % 13}" if n % 5 else None for n in numbers], dtype="str"),
            "t": pd.date_range("2026-01-01", periods=ROWS, freq="min", tz="UTC"),
            "c": pd.Categorical([f"c{n % 3}" for n in numbers], categories=["c0", "c1", "c2"]),
            "n": pd.array([n if n % 3 else None for n in numbers], dtype="Int32"),
        }
    )


def table() -> pa.Table:
    found = pa.Table.from_pandas(frame(), preserve_index=False).replace_schema_metadata(None)
    lists = pa.array([[n, None] if n % 4 else None for n in range(ROWS)], pa.list_(pa.int32()))
    structs = pa.array([{"x": n, "y": str(n)} if n % 6 else None for n in range(ROWS)])
    decimals = pa.array([Decimal(n) / 100 for n in range(ROWS)], pa.decimal128(12, 2))
    return found.append_column("l", lists).append_column("r", structs).append_column("d", decimals)


def parquet(value: pa.Table, **how: Any) -> pa.Table:
    held = io.BytesIO()
    pq.write_table(value, held, **how)
    return pq.read_table(held)


def feather(value: pa.Table) -> pa.Table:
    held = io.BytesIO()
    with pa.ipc.new_file(held, value.schema) as writer:
        writer.write_table(value, max_chunksize=77)
    return pa.ipc.open_file(held.getvalue()).read_all()


def padded(value: pa.Table) -> pa.Table:
    """The same rows as a slice of a longer table."""
    return pa.concat_tables([value.slice(900), value, value.slice(0, 33)]).slice(100, ROWS)


def littered(value: pa.Table) -> pa.Table:
    """The same, with other numbers under missing values."""
    column = value.column("n").combine_chunks()
    mask = column.is_null().to_numpy(zero_copy_only=False)
    numbers = np.where(mask, 12345, column.fill_null(0).to_numpy()).astype("int32")
    buffers = [pa.py_buffer(np.packbits(~mask, bitorder="little")), pa.py_buffer(numbers)]
    made = pa.Array.from_buffers(pa.int32(), ROWS, buffers)
    return value.set_column(value.column_names.index("n"), "n", made)


ARROW: dict[str, Callable[[pa.Table], pa.Table]] = {
    "chunks": lambda t: pa.concat_tables([t.slice(0, 10), t.slice(10, 1), t.slice(11)]),
    "many chunks": lambda t: pa.concat_tables([t.slice(n, 1) for n in range(ROWS)]),
    "a slice of more": padded,
    "taken": lambda t: t.take(pa.array(range(ROWS))),
    "filtered": lambda t: pa.concat_tables([t, t]).filter(pa.array([True] * ROWS + [False] * ROWS)),
    "under missing": littered,
    "a mask of all": lambda t: t.set_column(
        0, "i", pa.Array.from_buffers(pa.int64(), ROWS, [pa.py_buffer(b"\xff" * 128), t["i"].combine_chunks().buffers()[1]])
    ),
    "from a file": feather,
    "columns anew": lambda t: pa.table({name: t[name] for name in t.column_names}),
    "from batches": lambda t: pa.Table.from_batches(t.to_batches(max_chunksize=100)),
}  # fmt: skip


@pytest.mark.parametrize("way", ARROW)
def test_an_arrow_table_has_its_bytes_whichever_way_it_took(way: str) -> None:
    value = table()
    other = ARROW[way](value)
    assert other.schema == value.schema
    assert digest_of(other) == digest_of(value)
    assert encoded(other) == encoded(value)


def structs(hidden: int | None) -> pa.Array:
    """Every second one is missing, with this number under it."""
    numbers = [hidden if n % 2 else n for n in range(ROWS)]
    mask = pa.array([bool(n % 2) for n in range(ROWS)])
    inner = pa.StructArray.from_arrays([pa.array(numbers, pa.int64())], ["x"], mask=mask)
    return pa.StructArray.from_arrays([inner, pa.array(numbers, pa.int64())], ["in", "y"], mask=mask)


@pytest.mark.parametrize("kind", ["struct", "list", "large list", "lists of lists"])
def test_what_lies_under_missing_structs_does_not_count(kind: str) -> None:
    offsets = pa.array(range(0, ROWS + 1, 4), pa.int64() if kind == "large list" else pa.int32())
    made = pa.LargeListArray if kind == "large list" else pa.ListArray

    def column(hidden: int | None) -> pa.Array:
        found = structs(hidden)
        if kind != "struct":
            found = made.from_arrays(offsets, found)
        return (
            made.from_arrays(pa.array([0, 100, len(found)], pa.int32()), found)
            if kind == "lists of lists"
            else found
        )

    one, others = column(None), [column(7), column(8)]
    assert all(other.equals(one) for other in others)
    assert {encoded(pa.table({"r": other}))[1] for other in others} == {encoded(pa.table({"r": one}))[1]}
    assert encoded(pa.table({"r": one.slice(3, 80)})) == encoded(pa.table({"r": column(9).slice(3, 80)}))
    assert choose.load(_blob(encoded(pa.table({"r": one}))[1]), "arrow")["r"].combine_chunks().equals(one)


def _blob(data: bytes) -> Any:
    class Blob:
        path = None

    blob = Blob()
    blob.data = memoryview(data)  # type: ignore[attr-defined]
    return blob


@pytest.mark.parametrize("groups", [10, 1000])
@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_parquet_gives_what_was_written_whatever_is_in_the_file(groups: int, compression: str) -> None:
    value = table().drop_columns(["c"])  # whose text comes back as another type
    value = value.cast(value.schema.set(6, pa.field("l", pa.list_(pa.field("element", pa.int32())))))
    found = parquet(value, row_group_size=groups, compression=compression, use_dictionary=groups == 10)
    assert found.schema == value.schema
    assert encoded(found) == encoded(value)


def rebuilt(value: pd.DataFrame) -> pd.DataFrame:
    """Columns inserted one by one: a frame of many blocks."""
    found = pd.DataFrame(index=value.index)
    for name in value.columns:
        found[name] = value[name]
    return found


PANDAS: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "a copy": lambda f: f.copy(),
    "many blocks": rebuilt,
    "rows of more": lambda f: pd.concat([f, f], ignore_index=True).iloc[:ROWS],
    "every second": lambda f: f.loc[f.index.repeat(2)].iloc[::2].reset_index(drop=True),
    "backwards twice": lambda f: f.iloc[::-1].iloc[::-1],
    "parts together": lambda f: pd.concat([f.iloc[:10], f.iloc[10:]]),
    "taken": lambda f: f.take(range(ROWS)),
    "through pickle": lambda f: pd.read_pickle(io.BytesIO(_pickled(f))),
    "sorted": lambda f: f.sample(frac=1, random_state=1).sort_values("i").reset_index(drop=True),
    "through NumPy": lambda f: f.assign(f=np.asfortranarray(np.stack([f["f"], f["f"]]).T)[:, 0]),
}


def _pickled(value: pd.DataFrame) -> bytes:
    held = io.BytesIO()
    value.to_pickle(held)
    return held.getvalue()


@pytest.mark.parametrize("way", PANDAS)
def test_a_pandas_frame_has_its_bytes_whichever_way_it_took(way: str) -> None:
    value = frame()
    other = PANDAS[way](value)
    pd.testing.assert_frame_equal(other, value, check_index_type="exact", check_flags=True)
    assert encoded(other) == encoded(value)


@pytest.mark.parametrize("dtype", ["object", "string[python]", "string[pyarrow]", "str", "category"])
def test_text_of_one_type_has_its_bytes(dtype: str) -> None:
    texts = ["a", None, "b" * 40, "ä"] * 50
    one = pd.Series(texts, dtype=dtype)
    other = pd.concat([one.iloc[:3], one.iloc[3:]]).astype(dtype)
    assert encoded(other) == encoded(one)
    longer = pd.concat([one, one], ignore_index=True)
    assert encoded(longer.iloc[: len(one)]) == encoded(one)


POLARS: dict[str, Callable[[pl.DataFrame], pl.DataFrame]] = {
    "chunks": lambda f: pl.concat([f[:10], f[10:]], rechunk=False),
    "a slice": lambda f: pl.concat([f, f])[:ROWS],
    "filtered": lambda f: f.filter(pl.col("i") >= 0),
    "through Arrow": lambda f: pl.from_arrow(f.to_arrow()),  # type: ignore[dict-item]
    "lazily": lambda f: f.lazy().select(pl.all()).collect(),
    "streaming": lambda f: f.lazy().filter(pl.col("i") >= 0).collect(engine="streaming"),
    "sorted": lambda f: f.sample(fraction=1, shuffle=True, seed=2).sort("i"),
    "known to be sorted": lambda f: f.with_columns(pl.col("i").set_sorted()),
}


def polars() -> pl.DataFrame:
    numbers = range(ROWS)
    return pl.DataFrame(
        {
            "i": numbers,
            "f": [None if n % 7 == 0 else n / 3 for n in numbers],
            "s": [f"text number {n}" if n % 5 else None for n in numbers],
            "l": [[n, None] if n % 4 else None for n in numbers],
            "r": [{"x": n, "y": str(n)} for n in numbers],
            "t": [datetime(2026, 1, 1, tzinfo=UTC)] * ROWS,
        },
    ).with_columns(pl.col("s").cast(pl.Categorical).alias("c"))


@pytest.mark.parametrize("way", POLARS)
def test_a_polars_frame_has_its_bytes_whichever_way_it_took(way: str) -> None:
    value = polars()
    other = POLARS[way](value)
    assert other.schema == value.schema
    assert other.equals(value)
    assert encoded(other) == encoded(value)


def test_categories_that_the_process_met_before_do_not_count() -> None:
    before = encoded(polars())
    held = pl.Series(["text number 999", "other"], dtype=pl.Categorical)
    assert encoded(polars()) == before
    assert len(held) == 2


@pytest.mark.parametrize("threads", [1, 2])
def test_what_duckdb_gives_has_its_bytes(threads: int) -> None:
    rows = table().select(["i", "f", "s", "n"])
    with duckdb.connect(config={"threads": threads}) as connection:
        connection.register("held", rows)
        found = connection.sql("SELECT * FROM held ORDER BY i")
        first, second = found.to_arrow_table(), found.to_arrow_table(batch_size=2048)
        stored = connection.sql("SELECT * FROM held ORDER BY i").df()
        again = connection.sql("SELECT * FROM (SELECT * FROM held) ORDER BY i").df()
    assert first.schema == second.schema
    assert encoded(first) == encoded(second)
    assert encoded(stored) == encoded(again)


def test_csv_read_by_pyarrow_has_its_bytes_however_it_is_cut() -> None:
    text = b"a,b\n" + b"".join(b"%d,t%d\n" % (n, n) for n in range(5000))
    whole = pyarrow.csv.read_csv(io.BytesIO(text))
    cut = pyarrow.csv.read_csv(io.BytesIO(text), read_options=pyarrow.csv.ReadOptions(block_size=1000))
    assert cut["a"].num_chunks > 1
    assert encoded(cut) == encoded(whole)


def test_the_versions_of_whoever_made_a_table_do_not_count() -> None:
    value = pa.Table.from_pandas(frame())
    metadata = dict(value.schema.metadata)
    described = (
        metadata[b"pandas"]
        .replace(pd.__version__.encode(), b"2.2.3")
        .replace(pa.__version__.encode(), b"18.0")
    )
    older = value.replace_schema_metadata({b"pandas": described})
    assert described != metadata[b"pandas"]
    assert encoded(older) == encoded(value)


# --------------------------------------------------------------------------- what a step can see


def renamed_index(value: pd.DataFrame) -> pd.DataFrame:
    value.index.name = "row"
    return value


SEEN: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "row order": (frame, lambda f: f.iloc[::-1].reset_index(drop=True)),
    "column order": (frame, lambda f: f[list(reversed(f.columns))]),
    "column name": (frame, lambda f: f.rename(columns={"i": "j"})),
    "width of integers": (frame, lambda f: f.astype({"i": "int32"})),
    "width of floats": (frame, lambda f: f.astype({"f": "float32"})),
    "whole numbers as floats": (frame, lambda f: f.astype({"i": "float64"})),
    "nullable or not": (frame, lambda f: f.astype({"i": "Int64"})),
    "text as objects": (frame, lambda f: f.astype({"s": object})),
    "unit of time": (frame, lambda f: f.assign(t=f["t"].dt.as_unit("ms"))),
    "time zone": (frame, lambda f: f.assign(t=f["t"].dt.tz_convert("Europe/Vienna"))),
    "categories": (frame, lambda f: f.assign(c=f["c"].cat.add_categories("c3"))),
    "order of categories": (frame, lambda f: f.assign(c=f["c"].cat.reorder_categories(["c2", "c1", "c0"]))),
    "categories with an order": (frame, lambda f: f.assign(c=f["c"].cat.as_ordered())),
    "index": (frame, lambda f: f.set_axis(range(1, ROWS + 1))),
    "index that is no range": (frame, lambda f: f.set_axis(pd.Index(list(range(ROWS)), dtype="int64"))),
    "name of the index": (frame, renamed_index),
    "attrs": (frame, lambda f: _with_attrs(f)),
    "minus zero": (lambda: pd.DataFrame({"z": [0.0]}), lambda f: f * -1),
    "NaN or missing": (lambda: pl.DataFrame({"z": [None]}, schema={"z": pl.Float64}), lambda f: f.with_columns(z=pl.lit(float("nan")))),
    "metadata": (table, lambda t: t.replace_schema_metadata({"unit": "m"})),
    "metadata of a column": (table, lambda t: t.cast(t.schema.set(0, t.schema.field(0).with_metadata({"unit": "m"})))),
    "no missing values allowed": (table, lambda t: t.cast(t.schema.set(0, t.schema.field(0).with_nullable(False)))),
    "large text": (table, lambda t: t.set_column(3, "s", t["s"].cast(pa.string()))),
    "polars or lazy": (polars, lambda f: f.lazy()),
    "text or category": (polars, lambda f: f.with_columns(pl.col("s").cast(pl.Categorical))),
    "enum": (polars, lambda f: f.with_columns(pl.col("c").cast(pl.Enum(f["s"].drop_nulls().unique(maintain_order=True))))),
}  # fmt: skip


def _with_attrs(value: pd.DataFrame) -> pd.DataFrame:
    value.attrs["unit"] = "m"
    return value


@pytest.mark.parametrize("what", SEEN)
def test_what_a_step_can_see_is_in_the_bytes(what: str) -> None:
    make, change = SEEN[what]
    assert encoded(change(make())) != encoded(make())
