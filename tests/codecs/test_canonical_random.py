"""Random tables: the reference, Arrow in any chunks and slices, polars, pandas and DuckDB give one digest."""

from __future__ import annotations

import itertools
from decimal import Decimal
from pathlib import Path
from typing import Any

import content_reference as reference
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from content_arrow import arrow_array
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stepwell.codecs.content import tables
from stepwell.codecs.content.digest import digest_of, digest_of_file

DAY = 86_400 * 10**9
SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "bool": st.booleans(),
    "int": st.integers(-(2**53), 2**53) | st.integers(-200, 200),
    "float": st.floats() | st.integers(-300, 300).map(float),
    "decimal": st.decimals(-(10**15), 10**15, allow_nan=False, places=3) | st.integers(0, 999).map(Decimal),
    "text": st.text(max_size=4),
    "binary": st.binary(max_size=4),
    "date": st.integers(-719162, 2932896),
    "time": st.integers(0, DAY // 1000 - 1).map(lambda us: us * 1000),
    "moment": st.integers(-62135596800 * 10**6, 253402300799 * 10**6).map(lambda us: us * 1000),
    "instant": st.integers(-(10**15), 10**15).map(lambda us: us * 1000),
    "duration": st.integers(-(10**15), 10**15).map(lambda us: us * 1000),
}
FLAT = st.sampled_from(sorted(SCALARS))
NAMES = st.sampled_from(("x", "y", "ü"))


def structs(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    fields = st.lists(
        st.tuples(NAMES, inner).map(list), min_size=1, max_size=2, unique_by=lambda each: each[0]
    )
    return fields.map(lambda each: ["struct", each])


KINDS = st.recursive(
    FLAT, lambda inner: inner.map(lambda kind: ["list", kind]) | structs(inner), max_leaves=3
)


def values_of(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a kind, some of them missing."""
    if isinstance(kind, str):
        made = SCALARS[kind]
    elif kind[0] == "list":
        made = st.lists(values_of(kind[1]), max_size=3)
    else:
        made = st.fixed_dictionaries({name: values_of(inner) for name, inner in kind[1]})
    return st.none() | made


@st.composite
def columns(draw: st.DrawFn, kinds: st.SearchStrategy[Any] = KINDS) -> list[tuple[str, Any, list[Any]]]:
    """Names, kinds and values of up to three columns of one length."""
    rows = draw(st.integers(0, 12))
    text = st.text("abcß ", min_size=1, max_size=3)  # polars names columns without a name itself
    names = draw(st.lists(text, min_size=1, max_size=3, unique=True))
    return [
        (name, kind, draw(st.lists(values_of(kind), min_size=rows, max_size=rows)))
        for name, kind in ((name, draw(kinds)) for name in names)
    ]


def expected(made: list[tuple[str, Any, list[Any]]]) -> str:
    return reference.table(made, len(made[0][2]))


def arrow(made: list[tuple[str, Any, list[Any]]], wide: bool = False) -> pa.Table:
    arrays = [arrow_array(kind, values, wide=wide) for _, kind, values in made]
    return pa.Table.from_arrays(arrays, names=[name for name, _, _ in made])


@settings(deadline=None, max_examples=60)
@given(columns(), st.data())
def test_arrow_in_any_chunks_and_slices(made: list[Any], data: st.DataObject):
    table, rows = arrow(made, data.draw(st.booleans())), len(made[0][2])
    padded = (
        pa.concat_tables([table, table, table]).combine_chunks().slice(rows, rows)
    )  # offsets in every buffer
    cuts = sorted({0, rows, *data.draw(st.lists(st.integers(0, rows), max_size=4))})
    pieces = [padded.slice(start, end - start) for start, end in itertools.pairwise(cuts)]
    chunked = pa.concat_tables([*pieces, table.slice(0, 0)])
    assert digest_of(table) == expected(made)
    assert digest_of(padded) == digest_of(chunked) == expected(made)
    assert digest_of(chunked.to_reader(max_chunksize=data.draw(st.integers(1, 5)))) == expected(made)


@settings(deadline=None, max_examples=60)
@given(columns(), st.integers(1, 5))
def test_a_smaller_block_is_cut_in_the_same_places(made: list[Any], rows: int):
    table = arrow(made)
    chunked = pa.concat_tables([table.slice(i, 1) for i in range(len(table))] or [table])
    held = tables.ROWS
    tables.ROWS = rows
    try:
        assert digest_of(chunked) == digest_of(table) == digest_of(table.to_reader(2))
    finally:
        tables.ROWS = held


@settings(deadline=None, max_examples=60)
@given(columns())
def test_polars(made: list[Any]):
    frame: Any = pl.from_arrow(arrow(made))
    assert digest_of(frame) == expected(made)
    assert digest_of(pl.concat([frame[:1], frame[1:]])) == expected(made)


@settings(deadline=None, max_examples=60)
@given(columns())
def test_pandas_with_types_of_arrow(made: list[Any]):
    assert digest_of(arrow(made).to_pandas(types_mapper=pd.ArrowDtype)) == expected(made)


@settings(deadline=None, max_examples=60)
@given(columns(FLAT))
def test_pandas_with_its_own_types(made: list[Any]):
    assert digest_of(arrow(made).to_pandas()) == expected(made)
    assert digest_of(arrow(made).to_pandas().convert_dtypes()) == expected(made)


@settings(deadline=None, max_examples=25)
@given(columns(FLAT.filter(lambda kind: kind != "duration")))  # DuckDB has months and days in its intervals
def test_duckdb(made: list[Any]):
    table = arrow(made)
    duckdb = pytest.importorskip("duckdb")
    with duckdb.connect() as con:
        con.register("held", table)
        assert digest_of(con.sql("from held")) == expected(made)


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(columns(), st.integers(1, 5))
def test_parquet_and_arrow_files(tmp_path: Path, made: list[Any], group: int):
    table = arrow(made)
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=group)
    with pa.OSFile(str(tmp_path / "a.arrow"), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=group)
    assert digest_of_file(tmp_path / "a.parquet") == digest_of_file(tmp_path / "a.arrow") == expected(made)


def test_long_tables_in_random_chunks():
    random = np.random.default_rng(7)
    rows = 2 * tables.ROWS + 1234
    missing = random.random(rows) < 0.2
    text = pa.array(random.integers(0, 9999, rows).astype(str)).to_pylist()
    table = pa.table(
        {
            "i": pa.array(random.integers(-(2**40), 2**40, rows), mask=missing),
            "f": random.normal(size=rows),
            "t": pa.array(text, mask=missing),
            "l": pa.array(random.normal(size=(rows, 2)).tolist(), pa.list_(pa.float64()), mask=missing),
            "c": pa.array(text).dictionary_encode(),
            "d": pa.array(random.integers(0, 2**50, rows), pa.timestamp("us")),
        }
    )
    whole = digest_of(table)
    cuts = [0, *sorted(random.integers(0, rows, 40).tolist()), rows]
    chunked = pa.concat_tables(table.slice(start, end - start) for start, end in itertools.pairwise(cuts))
    assert whole == digest_of(chunked) == digest_of(chunked.to_reader()) == digest_of(pl.from_arrow(chunked))
    changed = table.set_column(1, "f", pa.array(np.append(table["f"].to_numpy()[:-1], 0.25)))
    assert digest_of(changed) != whole
