"""What changes a content digest and what does not: each line of the table in docs/reference/content-digest.md."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from stepwell.codecs.content.digest import content_of, digest_of
from stepwell.codecs.content.tables import Content

NAN = float("nan")
MIDNIGHT = dt.datetime(2026, 1, 1)


def one(values: Any, kind: Any = None) -> pa.Table:
    """A table of one column."""
    return pa.table(
        {"a": values if isinstance(values, (pa.Array, pa.ChunkedArray)) else pa.array(values, kind)}
    )


def frame(values: Any, dtype: Any = None) -> pd.DataFrame:
    return pd.DataFrame({"a": pd.Series(values, dtype=dtype)})


def polars(values: Any, dtype: Any = None) -> pl.DataFrame:
    return pl.DataFrame({"a": pl.Series(values, dtype=dtype, strict=False)})


def with_garbage() -> pa.Table:
    """Lists, text and structs with values under what is missing."""
    mask = pa.array([False, True, False])
    lists = pa.ListArray.from_arrays(pa.array([0, 1, 3, 4], pa.int32()), pa.array([1, 9, 9, 2]), mask=mask)
    bits = pa.py_buffer(b"\x05")
    text = pa.Array.from_buffers(pa.string(), 3, [bits, *pa.array(["a", "zz", "b"]).buffers()[1:]])
    struct = pa.StructArray.from_arrays([pa.array([1, 9, 2])], ["x"], mask=mask)
    return pa.table(
        {"l": lists, "t": text, "s": struct, "ls": pa.array([[1], None, [2]], pa.list_(pa.int64(), 1))}
    )


def garbage_view() -> pa.Array:
    """Views of text, of which the missing one leads out of the memory."""
    held = pa.array(["x" * 20, "a", "also long enough to be elsewhere"], pa.string_view())
    _, views, *data = held.buffers()
    wild = b"\xff\xff\xff\x7f" * 4 + views.to_pybytes()[16:]
    buffers = [pa.py_buffer(b"\x06"), pa.py_buffer(wild), *data]
    return pa.Array.from_buffers(pa.string_view(), 3, buffers)


CLEAN = pa.table(
    {
        "l": [[1], None, [2]],
        "t": ["a", None, "b"],
        "s": [{"x": 1}, None, {"x": 2}],
        "ls": [[1], None, [2]],
    }
)

SAME: dict[str, list[Any]] = {
    "integer width and sign": [one([1, 2], kind) for kind in (pa.int8(), pa.uint8(), pa.int32(), pa.uint64())]
    + [frame([1, 2], "i2"), frame([1, 2], "Int64"), polars([1, 2], pl.UInt16)],
    "large integers": [one([2**63], pa.uint64()), one([Decimal(2**63)], pa.decimal128(38, 0))],
    "float width": [one([0.5, 1.5], kind) for kind in (pa.float16(), pa.float32(), pa.float64())]
    + [frame([0.5, 1.5], "f4"), frame([0.5, 1.5], "Float64"), polars([0.5, 1.5], pl.Float32)],
    "whole numbers by value": [
        one([1, None]),
        one([1.0, NAN]),
        one([Decimal(1), None]),
        frame([1, None]),
        frame([1, None], "Int8"),
        frame([1, None], object),
    ],
    "decimal scale": [
        one([Decimal("1.10")], pa.decimal128(5, 2)),
        one([Decimal("1.1")], pa.decimal128(38, 10)),
        one([Decimal("1.1")], pa.decimal256(60, 30)),
        one([Decimal("1.1")], pa.decimal32(5, 2)),
        one([Decimal("1.1")], pa.decimal64(15, 3)),
        frame([Decimal("1.100")]),
        polars([Decimal("1.1")], pl.Decimal(10, 4)),
    ],
    "missing and NaN": [
        one([0.5, None]),
        one([0.5, NAN]),
        one([0.5, -NAN]),
        frame([0.5, NAN]),
        frame([0.5, pd.NA], "Float64"),
        polars([0.5, NAN]),
        polars([0.5, None]),
    ],
    "signed zero": [one([0.5, 0.0]), one([0.5, -0.0]), frame([0.5, -0.0]), polars([0.5, -0.0])],
    "missing objects": [frame(["a", mark], object) for mark in (None, NAN, pd.NA, pd.NaT)],
    "layouts of text": [
        one(["a", None, "b"], pa.string()),
        one(["a", None, "b"], pa.large_string()),
        one(["a", None, "b"], pa.string_view()),
        one(pa.array(["a", None, "b"]).dictionary_encode()),
        one(pa.DictionaryArray.from_arrays(pa.array([2, 0, 1]), pa.array([None, "b", "a"]))),
        frame(["a", None, "b"], object),
        frame(["a", None, "b"], "string"),
        frame(["a", None, "b"], pd.CategoricalDtype(["z", "b", "a"], ordered=True)),
        frame(["a", None, "b"], pd.ArrowDtype(pa.string())),
        polars(["a", None, "b"], pl.Categorical),
        polars(["a", None, "b"], pl.Enum(["q", "b", "a"])),
    ],
    "layouts of bytes": [
        one([b"a", b"b"], pa.binary()),
        one([b"a", b"b"], pa.large_binary()),
        one([b"a", b"b"], pa.binary(1)),
        one([b"a", b"b"], pa.binary_view()),
        polars([b"a", b"b"]),
    ],
    "run ends": [one([1, 1, 2]), one(pa.RunEndEncodedArray.from_arrays([2, 3], [1, 2]))],
    "unit of moments": [one([MIDNIGHT], pa.timestamp(unit)) for unit in ("s", "ms", "us", "ns")]
    + [frame([MIDNIGHT], "M8[s]"), polars([MIDNIGHT], pl.Datetime("ms"))],
    "name of the zone": [one([MIDNIGHT], pa.timestamp("us", zone)) for zone in ("UTC", "Asia/Tokyo", "+02:00")]
    + [frame(pd.to_datetime([MIDNIGHT]).tz_localize("UTC").tz_convert("Europe/Rome"))],
    "unit of times": [one([dt.time(1)], pa.time32("s")), one([dt.time(1)], pa.time64("ns"))],
    "unit of durations": [one([dt.timedelta(1)], pa.duration(unit)) for unit in ("s", "ns")]
    + [frame([pd.Timedelta(days=1)]), polars([dt.timedelta(1)], pl.Duration("ms"))],
    "layouts of dates": [one([MIDNIGHT.date()], pa.date32()), one([MIDNIGHT.date()], pa.date64()), frame([MIDNIGHT.date()])],
    "layouts of lists": [
        one([[1, 2], [3, 4]], kind)
        for kind in (
            pa.list_(pa.int8()),
            pa.large_list(pa.float64()),
            pa.list_(pa.int64(), 2),
            pa.list_view(pa.int64()),
            pa.large_list_view(pa.int16()),
        )
    ]
    + [frame([np.array([1, 2]), np.array([3, 4])]), polars([[1, 2], [3, 4]], pl.Array(pl.Int8, 2))],
    "list views": [
        one(pa.ListViewArray.from_arrays(pa.array([2, 0, 0]), pa.array([1, 2, 0]), pa.array(["a", "b", "c"], pa.string_view()))),
        one([["c"], ["a", "b"], []]),
    ],
    "order of fields": [
        pa.StructArray.from_arrays([pa.array([1]), pa.array(["a"]), pa.array([True])], ["x", "ü", "b"]),
        pa.StructArray.from_arrays([pa.array([True]), pa.array(["a"]), pa.array([1])], ["b", "ü", "x"]),
        np.array([(True, "a", 1)], [("b", "?"), ("ü", "U3"), ("x", "i2")]),
    ],
    "maps": [
        one([[("b", 1), ("a", None)]], pa.map_(pa.string(), pa.int64())),
        one([[{"key": "b", "value": 1}, {"key": "a", "value": None}]]),
    ],
    "type of a column without values": [
        one([None, None], kind) for kind in (pa.null(), pa.int64(), pa.string(), pa.list_(pa.int8()))
    ]
    + [frame([None, None], object), frame([NAN, NAN]), polars([None, None], pl.Date)],
    "type of a column without rows": [one([], pa.int64()), one([], pa.string()), frame([], object), polars([], pl.Date)],
    "type of lists without elements": [one([[], None], pa.list_(pa.int8())), one([[], None], pa.list_(pa.string()))],
    "what lies under nulls": [with_garbage(), CLEAN],
    "what lies under nulls of views": [
        one(pa.array(["long enough to lie elsewhere", None, "a", "also long enough to be elsewhere"], kind)[1:])
        for kind in (pa.string(), pa.string_view())
    ]
    + [one(garbage_view()), one([None, "a", "also long enough to be elsewhere"])],
    "metadata": [one([1]), one([1]).replace_schema_metadata({"x": "y"})],
    "range index": [frame([1, 2]), frame([1, 2]).set_index(pd.RangeIndex(5, 7))],
    "range index with a name": [
        frame([1, 2]).set_index(pd.RangeIndex(5, 7, name="z")),
        frame([1, 2]).set_index(pd.Index([5, 7], name="z") - [0, 1]),
        pa.table({"a": [1, 2], "z": [5, 6]}),
    ],
    "labels that are whole numbers": [pd.DataFrame({7: [1]}), pa.table({"7": [1]})],
    "byte order and strides": [
        np.arange(6).reshape(2, 3),
        np.asfortranarray(np.arange(6).reshape(2, 3)),
        np.arange(6).reshape(2, 3).astype(">i2"),
        np.arange(12).reshape(2, 6)[:, ::2] // 2,
    ],
    "layouts of structured arrays": [
        np.array([(1, 2.5)], "i1,f8"),
        np.array([(1, 2.5)], np.dtype("i1,f8", align=True)),
        np.array([(1, 2.5)], ">i4,f4"),
    ],
    "units of NumPy": [np.array(["2026-01-01"], "M8[h]"), np.array(["2026-01-01"], "M8[m]"), np.array(["2026-01-01"], "M8[ns]")],
    "fixed text": [np.array(["a", "bc"]), np.array(["a", "bc"], "U9"), pa.array(["a", "bc"])],
    "fixed text beyond ASCII": [np.array(["é", "bc"]), np.array(["é", "bc"], ">U9"), pa.array(["é", "bc"])],
    "fixed bytes": [np.array([b"a", b"\xffb"]), np.array([b"a", b"\xffb"], "S7"), pa.array([b"a", b"\xffb"])],
    "NaT": [np.array(["NaT", 5], "m8[s]"), pa.array([None, 5], pa.duration("s"))],
}  # fmt: skip

DIFFERENT: dict[str, list[Any]] = {
    "values": [one([1, 2]), one([1, 3]), one([1, None]), one([1]), one([1, 2, None])],
    "order of rows": [one([1, 2]), one([2, 1])],
    "order of columns": [pa.table({"a": [1], "b": [2]}), pa.table({"b": [2], "a": [1]})],
    "names": [pa.table({"a": [1]}), pa.table({"b": [1]}), pa.table({"A": [1]}), pa.table({"": [1]})],
    "where a column ends": [
        pa.table({"a": [1, 2], "b": [3, 4]}),
        pa.table({"a": [1, 2, 3, 4]}),
        pa.table({"ab": [1, 2], "": [3, 4]}),
    ],
    "kinds": [
        one([1]),
        one([True]),
        one(["1"]),
        one([b"1"]),
        one([1], pa.date32()),
        one([1], pa.time64("ns")),
        one([1], pa.timestamp("ns")),
        one([1], pa.timestamp("ns", "UTC")),
        one([1], pa.duration("ns")),
        one([[1]]),
        one([{"a": 1}]),
    ],
    "decimal and float": [one([0.5]), one([Decimal("0.5")])],
    "precision of floats": [one([0.1]), one([0.1], pa.float32())],
    "missing and empty": [one(["", "a"]), one([None, "a"])],
    "missing and empty list": [one([[], [1]]), one([None, [1]]), one([[None], [1]])],
    "missing struct": [one([{"x": 1}, None]), one([{"x": 1}, {"x": None}])],
    "where a list ends": [one([[1, 2], [3]]), one([[1], [2, 3]]), one([1, 2, 3])],
    "where text ends": [one(["ab", "c"]), one(["a", "bc"])],
    "normalization": [one(["\u00e9"]), one(["e\u0301"])],
    "zone or none": [one([MIDNIGHT], pa.timestamp("us")), one([MIDNIGHT], pa.timestamp("us", "UTC"))],
    "date or midnight": [one([MIDNIGHT.date()]), one([MIDNIGHT])],
    "names of fields": [one([{"x": 1, "y": 2}]), one([{"y": 1, "x": 2}]), one([{"x": 1, "z": 2}])],
    "order of entries": [
        one([[("b", 1), ("a", 2)]], pa.map_(pa.string(), pa.int64())),
        one([[("a", 2), ("b", 1)]], pa.map_(pa.string(), pa.int64())),
    ],
    "rows without columns": [one([1, 2]).select([]), one([1]).select([]), pd.DataFrame()],
    "index": [frame([1, 2]), frame([1, 2]).set_index(pd.Index([0, 0])), frame([1, 2]).set_index(pd.Index([0, 5], name="a"))],
    "index that is a range with a name": [frame([1, 2]).set_index(pd.RangeIndex(0, 10 * i, 5 * i, name="id")) for i in (1, 2)],
    "shape": [np.zeros((2, 3)), np.zeros((3, 2)), np.zeros(6), np.zeros((6, 1)), np.zeros((0, 3)), np.zeros((3, 0))],
    "axes": [np.arange(4).reshape(2, 2), np.arange(4).reshape(2, 2).T],
    "no axes": [np.array(1), np.array([1])],
    "table or array": [one([1, 2]), pa.array([1, 2])],
    "complex": [np.array([1j]), np.array([-1j]), np.array([1.0])],
    "fields of structures": [np.array([(1, 2)], "i4,i4"), np.array([(1, 2)], [("x", "i4"), ("y", "i4")])],
    "text and bytes": [np.array(["a"]), np.array([b"a"])],
    "infinity": [one([float("inf")]), one([float("-inf")]), one([NAN]), one([1.7976931348623157e308])],
    "large whole floats": [one([2.0**63]), one([2**63], pa.uint64()), one([2.0**62])],
}  # fmt: skip


@pytest.mark.parametrize("what", SAME)
def test_what_does_not_count(what: str):
    contents = [content_of(value) for value in SAME[what]]
    assert all(isinstance(content, Content) for content in contents), contents
    assert len({content.digest for content in contents}) == 1, list(zip(SAME[what], contents, strict=True))


def test_nans_of_every_sort_under_strict_settings():
    payloads = np.array([0x7FF0000000000001, 0x7FF8000000000000, 0xFFF8000000000123, 0], "u8").view("f8")
    pairs = np.zeros(4, "c16")
    pairs.real, pairs.imag = payloads, 1
    with np.errstate(all="raise"):
        assert digest_of(payloads) == digest_of(pa.array([None, None, None, 0.0]))
        assert digest_of(pairs) == digest_of(np.array([NAN, NAN, complex(1, NAN), 1j]))


@pytest.mark.parametrize("what", DIFFERENT)
def test_what_counts(what: str):
    digests = [digest_of(value) for value in DIFFERENT[what]]
    assert None not in digests
    assert len(set(digests)) == len(digests)
