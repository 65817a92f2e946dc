"""The same data written and read by pandas, polars, pyarrow and DuckDB has one digest, in every format."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

from stepwell.codecs.content.digest import content_of, content_of_file, digest_of, digest_of_file
from stepwell.codecs.content.tables import Content

duckdb = pytest.importorskip("duckdb")

WHEN = dt.datetime(2026, 3, 29, 2, 30, 15, 678000)

TABLE = pa.table(
    {
        "whole": pa.array([1, None, 3], pa.int32()),
        "unsigned": pa.array([1, 2, 250], pa.uint8()),
        "fraction": [1.5, None, -0.0],
        "text": ["a", None, ""],
        "category": pa.array(["x", None, "x"]).dictionary_encode(),
        "bytes": [b"\xff", None, b""],
        "truth": [True, None, False],
        "day": [dt.date(2026, 1, 1), None, dt.date(1969, 1, 1)],
        "moment": pa.array([WHEN, None, dt.datetime(1, 1, 1)], pa.timestamp("us")),
        "instant": pa.array([WHEN, None, WHEN], pa.timestamp("us", "Europe/Rome")),
        "time": pa.array([dt.time(1, 2, 3), None, dt.time(0)], pa.time64("us")),
        "price": [Decimal("1.10"), None, Decimal(-3)],
        "list": [[1, 2], None, []],
        "struct": [{"y": "q", "x": 1}, None, {"y": None, "x": None}],
        "lists": [[{"a": 1}], [None], None],
        "nothing": pa.nulls(3),
    }
)
SIMPLE = pa.table(
    {
        "whole": [1, None, 3],
        "fraction": [1.5, None, 1e-7],
        "floats": [1.0, 2.0, None],
        "far": [float("inf"), 1.0, float("-inf")],
        "text": ['a,"q"', None, "Zürich\nx"],
        "code": ["007", "1", "2"],
        "truth": [True, None, False],
        "day": [dt.date(2026, 1, 1), None, dt.date(1969, 1, 1)],
        "moment": pa.array([WHEN, None, dt.datetime(2026, 1, 1)], pa.timestamp("us")),
        "instant": pa.array([WHEN, None, WHEN], pa.timestamp("us", "UTC")),
        "nothing": pa.nulls(3),
    }
)
LIBRARIES = ("pandas", "polars", "pyarrow", "duckdb")


def written(library: str, table: pa.Table, path: Path) -> Path:
    """The table as the library writes it, after it has made it its own."""
    kind = path.suffix
    match library:
        case "pandas":
            frame = table.to_pandas()
            if kind == ".csv":
                frame.to_csv(path, index=False)
            else:
                frame.to_parquet(path) if kind == ".parquet" else frame.to_feather(path)
        case "polars":
            made: Any = pl.from_arrow(table)
            write = {".parquet": made.write_parquet, ".csv": made.write_csv, ".arrow": made.write_ipc}
            write[kind](path)
        case "pyarrow":
            write = {".parquet": pq.write_table, ".csv": arrow_csv.write_csv, ".arrow": feather.write_feather}
            write[kind](table, path)
        case "duckdb":
            with duckdb.connect() as con:
                con.register("input", table)
                con.execute(f"copy (from input) to '{path}'")
    return path


def read(library: str, path: Path) -> str | None:
    """The digest of a Parquet file as the library reads it."""
    match library:
        case "pandas":
            found = digest_of(pd.read_parquet(path))
            assert digest_of(pd.read_parquet(path, dtype_backend="numpy_nullable")) == found
            assert digest_of(pd.read_parquet(path, dtype_backend="pyarrow")) == found
            return found
        case "polars":
            assert digest_of(pl.scan_parquet(path)) == digest_of(pl.read_parquet(path))
            return digest_of(pl.read_parquet(path))
        case "pyarrow":
            return digest_of(pq.read_table(path))
    with duckdb.connect() as con:
        con.execute("set TimeZone = 'America/Lima'")
        return digest_of(con.sql(f"from '{path}'"))


@pytest.mark.parametrize("writer", LIBRARIES)
def test_one_digest_for_all_who_write_and_read_parquet(writer: str, tmp_path: Path):
    expected = digest_of(TABLE)
    path = written(writer, TABLE, tmp_path / "table.parquet")
    assert expected is not None
    assert digest_of_file(path) == expected
    assert {reader: read(reader, path) for reader in LIBRARIES} == dict.fromkeys(LIBRARIES, expected)


@pytest.mark.parametrize("writer", ["pandas", "polars", "pyarrow"])
def test_one_digest_for_all_who_write_feather(writer: str, tmp_path: Path):
    path = written(writer, TABLE, tmp_path / "table.arrow")
    assert digest_of_file(path) == digest_of(TABLE) is not None


@pytest.mark.parametrize("writer", LIBRARIES)
def test_one_digest_for_all_who_write_csv(writer: str, tmp_path: Path):
    expected = content_of(SIMPLE)
    found = content_of_file(written(writer, SIMPLE, tmp_path / "table.csv"))
    assert isinstance(expected, Content)
    assert found == expected


def test_how_parquet_is_written_does_not_count(tmp_path: Path):
    table = pa.concat_tables([TABLE.drop(["category"])] * 50)
    found = set()
    for i, options in enumerate(
        (
            {"row_group_size": 7, "compression": "zstd"},
            {"version": "1.0", "use_dictionary": False},
            {"data_page_version": "2.0", "store_schema": False, "coerce_timestamps": "us"},
        )
    ):
        pq.write_table(table, tmp_path / f"{i}.parquet", **options)
        found.add(digest_of_file(tmp_path / f"{i}.parquet"))
    assert found == {digest_of(table)}


def test_a_pandas_index_is_columns_as_pandas_writes_it(tmp_path: Path):
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    several = pd.MultiIndex.from_arrays([[1, 2], ["p", "q"]], names=["one", None])
    dates = pd.date_range("2026-01-01", periods=2, name="a", freq="D")
    for i, index in enumerate((pd.Index([8, 8], name="id"), pd.Index(["p", "q"]), several, dates)):
        indexed = frame.set_index(index)
        indexed.to_parquet(tmp_path / f"{i}.parquet")
        expected = digest_of(indexed)
        assert expected is not None
        assert digest_of_file(tmp_path / f"{i}.parquet") == expected
        assert digest_of(pl.read_parquet(tmp_path / f"{i}.parquet")) == expected
        assert digest_of(pd.read_parquet(tmp_path / f"{i}.parquet")) == expected
        assert expected != digest_of(frame)
    assert digest_of(frame[1:]) == digest_of(frame[1:].reset_index(drop=True))  # a range is no column


def test_columns_of_python_objects():
    for values in (
        ["a", None, np.nan, np.str_("b")],
        [1, None, pd.NA, np.int8(4)],
        [1.5, None, np.nan, np.float32(2)],
        [True, None, pd.NaT, np.bool_(False)],
        [[1, 2], (3,), None, np.array([4])],
        [{"a": 1}, {"a": None}, None, {"a": 2}],
        [dt.date(2026, 1, 1), None, None, None],
        [WHEN.replace(tzinfo=dt.UTC), WHEN.replace(tzinfo=dt.timezone(dt.timedelta(hours=2))), None, None],
    ):
        frame = pd.DataFrame({"a": pd.Series(values, dtype=object)})
        if isinstance(values[0], list):
            frame["a"] = pd.Series([[1, 2], [3], None, [4]], dtype=object)
        plain = [None if v is None or v is pd.NA or v is pd.NaT or v != v else v for v in frame["a"]]
        plain = [v.item() if isinstance(v, np.generic) else v for v in plain]
        # Where pandas' internals were looked at before (pandera does), pyarrow takes the first zone for all.
        plain = [v.astimezone(dt.UTC) if isinstance(v, dt.datetime) else v for v in plain]
        assert digest_of(frame) == digest_of(pa.table({"a": plain})) is not None, values


def test_series_and_streams_are_tables():
    expected = digest_of(pa.table({"a": [1, 2]}))
    table = pa.table({"a": [1, 2]})
    assert digest_of(pd.Series([1, 2], name="a")) == expected
    assert digest_of(pl.Series("a", [1, 2])) == expected
    assert digest_of(pl.LazyFrame({"a": [1, 2]})) == expected
    assert digest_of(table.to_batches()[0]) == expected
    assert digest_of(table.to_reader()) == expected
    assert digest_of(pd.Series([1, 2])) == digest_of(pa.table({"": [1, 2]}))


def test_arrays_of_numpy_and_arrow(tmp_path: Path):
    array = np.array([1.5, np.nan, 3])
    np.save(tmp_path / "a.npy", array)
    assert digest_of_file(tmp_path / "a.npy") == digest_of(array)
    assert digest_of(np.load(tmp_path / "a.npy", mmap_mode="r")) == digest_of(array)
    assert digest_of(pa.array([1.5, None, 3])) == digest_of(array)
    assert digest_of(pa.chunked_array([[1.5], [None, 3]])) == digest_of(array)
    assert digest_of(pd.DataFrame({"a": array})) != digest_of(array)
    assert content_of(pd.DataFrame({"a": array})).columns == (("a", digest_of(array)),)  # type: ignore[union-attr]
