"""Arrow tables and polars frames."""

import datetime as dt
import decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal, assert_series_equal

from stepwell.errors import CannotDecode, CannotEncode

ARRAYS = {
    "ints": pa.array([1, None, 3], pa.int32()),
    "floats": pa.array([1.5, None, float("inf")]),
    "bools": pa.array([True, None, False]),
    "text": pa.array(["a", None, "ccc"]),
    "large text": pa.array(["a", None, "ccc"], pa.large_string()),
    "bytes": pa.array([b"a", None, b""]),
    "dates": pa.array([dt.date(2024, 1, 1), None, dt.date(2025, 1, 1)]),
    "times": pa.array([dt.datetime(2024, 1, 1), None, None], pa.timestamp("us", "Europe/Berlin")),
    "decimals": pa.array([decimal.Decimal("1.5"), None, None]),
    "lists": pa.array([[1, None], None, []]),
    "structs": pa.array([{"a": 1, "b": "x"}, None, {"a": None, "b": "y"}]),
    "maps": pa.array([[("a", 1)], None, []], pa.map_(pa.string(), pa.int64())),
    "categories": pa.array(["a", None, "b"]).dictionary_encode(),
    "fixed": pa.array([[1, 2], None, [3, 4]], pa.list_(pa.int64(), 2)),
    "nulls": pa.nulls(3),
    "views": pa.array(["a", None, "longer than twelve bytes"], pa.string_view())
    if hasattr(pa, "string_view")
    else pa.nulls(3),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_every_type(box, name):
    array = ARRAYS[name]
    table = pa.table({name: array})
    back = box.trip(table)
    assert back.schema == table.schema
    assert back.equals(table)
    back = box.load(box.dump(table).data, "arrow", mapped=True)
    assert back.equals(table)
    assert box.trip(array).equals(array)


@pytest.mark.parametrize("name", ARRAYS)
def test_slices_and_chunks_do_not_matter(box, name):
    array = ARRAYS[name]
    if name == "categories":
        array = pa.chunked_array([array]).unify_dictionaries()
        longer = pa.concat_arrays([ARRAYS[name].slice(0, 0), ARRAYS[name]])
    else:
        longer = pa.concat_arrays([array.slice(2), array, array])
    expected = box.dump(pa.table({"x": array})).data
    sliced = longer.slice(1, 3) if name != "categories" else longer
    assert box.dump(pa.table({"x": sliced})).data == expected
    plain = ARRAYS[name]
    chunked = pa.chunked_array([plain.slice(0, 1), plain.slice(1)])
    assert box.dump(pa.table({"x": chunked})).data == expected


def test_what_lies_under_nulls_does_not_matter(box):
    mask = pa.py_buffer(bytes([0b101]))
    made = [
        pa.Array.from_buffers(pa.int64(), 3, [mask, pa.py_buffer(np.array([1, under, 3]))])
        for under in (7, 8)
    ]
    assert box.dump(made[0]).data == box.dump(made[1]).data
    nested = [pa.table({"s": pa.StructArray.from_arrays([array], ["a"])}) for array in made]
    assert box.dump(nested[0]).data == box.dump(nested[1]).data


def test_kinds(box):
    table = pa.table({"a": [1, 2]})
    assert isinstance(box.trip(table.to_batches()[0]), pa.RecordBatch)
    assert isinstance(box.trip(table["a"]), pa.ChunkedArray)
    assert isinstance(box.trip(pa.array([1])), pa.Array)
    assert box.trip(pa.table({})).equals(pa.table({}))
    assert box.trip(pa.chunked_array([], pa.int8())).type == pa.int8()
    assert box.dump(table).note == "(2, 1) Table"


def test_metadata_stays_without_versions(box):
    table = pa.Table.from_pandas(pd.DataFrame({"a": [1]}, index=["x"])).replace_schema_metadata
    frame = pa.Table.from_pandas(pd.DataFrame({"a": [1, 2]}, index=["x", "y"]))
    del table
    data = box.dump(frame).data
    assert pd.__version__.encode() not in data
    assert pa.__version__.encode() not in data
    back = box.load(data, "arrow")
    pd.testing.assert_frame_equal(back.to_pandas(), frame.to_pandas())
    marked = pa.table({"a": [1]}).replace_schema_metadata({"z": "1", "b": "2"})
    assert box.trip(marked).schema.metadata == {b"z": b"1", b"b": b"2"}
    other = pa.table({"a": [1]}).replace_schema_metadata({"b": "2", "z": "1"})
    assert box.dump(marked).data == box.dump(other).data
    field = pa.schema([pa.field("a", pa.int64(), nullable=False, metadata={"unit": "m"})])
    assert box.trip(pa.table([[1]], schema=field)).schema.equals(field, check_metadata=True)


def test_duplicate_names(box):
    table = pa.Table.from_arrays([pa.array([1]), pa.array(["x"])], names=["a", "a"])
    assert box.trip(table).equals(table)


def polars_columns():
    yield "i", [1, None, 3]
    yield "s", ["a", None, "c"]
    yield "c", pl.Series(["x", "y", "x"], dtype=pl.Categorical)
    yield "e", pl.Series(["x", "y", None], dtype=pl.Enum(["x", "y", "z"]))
    yield "d", pl.Series([decimal.Decimal("1.5"), None, None], dtype=pl.Decimal(38, 1))
    yield "t", [dt.time(1, 2), None, None]
    yield "du", [dt.timedelta(1), None, None]
    yield "dt", [dt.datetime(2024, 1, 1), None, None]
    yield "dz", pl.Series([dt.datetime(2024, 1, 1), None, None]).dt.replace_time_zone("Europe/Berlin")
    yield "l", [[1, 2], None, []]
    yield "st", [{"a": 1}, None, {"a": None}]
    yield "b", [b"x", None, b""]
    yield "bo", [True, None, False]
    yield "n", [None, None, None]
    yield "u8", pl.Series([1, None, 3], dtype=pl.UInt8)
    yield "arr", pl.Series([[1, 2], [3, 4], [5, 6]], dtype=pl.Array(pl.Int64, 2))
    yield "f32", pl.Series([1, None, 3], dtype=pl.Float32)
    yield "date", [dt.date(2024, 1, 1), None, None]


@pytest.mark.parametrize("mapped", [False, True])
def test_polars_frames(box, mapped):
    frame = pl.DataFrame(dict(polars_columns()))
    back = box.load(box.dump(frame).data, "arrow:polars", mapped=mapped)
    assert_frame_equal(frame, back, categorical_as_str=False)
    assert back.schema == frame.schema
    for name in frame.columns:
        assert_series_equal(box.trip(frame[name]), frame[name])
        assert box.trip(frame[name].slice(0, 0)).dtype == frame[name].dtype
    assert box.dump(frame).note == "(3, 18) DataFrame"


def test_polars_chunks_and_slices_do_not_matter(box):
    frame = pl.DataFrame({"a": [1, None, 3, 4], "s": ["x", "yy", None, "z"], "l": [[1], None, [], [2, 3]]})
    parts = pl.concat([frame[:1], frame[1:3], frame[3:]], rechunk=False)
    twice = pl.concat([frame, frame])[4:]
    assert len({box.dump(f).data for f in (frame, parts, twice, frame.clone())}) == 1


def test_polars_categories_do_not_depend_on_what_the_process_met_before(box):
    first = box.dump(pl.DataFrame({"c": pl.Series(["u1", "u2", None, "u1"], dtype=pl.Categorical)})).data
    pl.Series(["zzz", "u2", "u1"], dtype=pl.Categorical)
    again = pl.DataFrame({"c": pl.Series(["u2", "u1", "u2", None, "u1"], dtype=pl.Categorical)})[1:]
    other = pl.DataFrame({"c": pl.Series(["u1", "u2", None, "u1"], dtype=pl.Categorical)})
    assert box.dump(other).data == first
    assert again["c"].to_list() == ["u1", "u2", None, "u1"]
    assert box.dump(again).data == first


def test_polars_lazy_and_empty(box):
    lazy = pl.LazyFrame({"a": [1, 2]}).filter(pl.col("a") > 1)
    back = box.trip(lazy)
    assert isinstance(back, pl.LazyFrame)
    assert back.collect()["a"].to_list() == [2]
    assert_frame_equal(box.trip(pl.DataFrame()), pl.DataFrame())
    assert box.trip(pl.DataFrame({"a": []}, schema={"a": pl.Int8})).schema == {"a": pl.Int8}


def test_polars_objects_are_refused_by_name(box):
    with pytest.raises(CannotEncode, match="`bad`"):
        box.dump(pl.DataFrame({"good": [1], "bad": pl.Series([object()], dtype=pl.Object)}))
    with pytest.raises(CannotEncode):
        box.dump(pl.DataFrame({"huge": pl.Series([1], dtype=pl.Int128)}))


@given(
    st.lists(
        st.tuples(
            st.none() | st.integers(-(2**63), 2**63 - 1),
            st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
        )
    )
)
@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
def test_any_polars_frame(box, rows):
    frame = pl.DataFrame(rows, schema={"i": pl.Int64, "s": pl.String}, orient="row")
    back = box.trip(frame)
    assert_frame_equal(frame, back)
    half = len(rows) // 2
    assert box.dump(pl.concat([frame[:half], frame[half:]], rechunk=False)).data == box.dump(frame).data


@pytest.mark.parametrize("codec", ["arrow", "arrow:polars", "arrow:pandas"])
def test_malformed(box, codec):
    whole = {
        "arrow": pa.table({"a": ["x", "y"]}),
        "arrow:polars": pl.DataFrame({"a": ["x"]}),
        "arrow:pandas": pd.DataFrame({"a": ["x"]}),
    }
    data = box.dump(whole[codec]).data
    for broken in (b"", data[:20], data[:-10], data[:200] + data[260:], b"PAR1" + data):
        with pytest.raises(CannotDecode):
            box.load(broken, codec)
