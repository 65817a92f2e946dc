"""pandas objects: what was there comes back, and equal frames have equal bytes."""

import datetime as dt
import decimal
import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import pandas as hpd

from stepwell.codecs import tables
from stepwell.errors import CannotDecode, CannotEncode

N = 5
NEW = int(pd.__version__.partition(".")[0]) >= 3


def column(values, dtype=object):
    return pd.Series(values, dtype=dtype)


def days(**options):
    return pd.date_range("2024", periods=N, **options)


def columns():
    yield "int8", np.arange(N, dtype="i1")
    yield "int64", np.arange(N)
    yield "uint64", np.array([0, 1, 2, 3, 2**64 - 1], dtype="u8")
    yield "float16", np.arange(N, dtype="f2")
    yield "float32", np.arange(N, dtype="f4")
    yield "float64", [1.5, np.nan, np.inf, -0.0, 3]
    yield "big endian", np.arange(N, dtype="i4")
    yield "bool", [True, False, True, False, True]
    yield "complex", np.arange(N) * 1j
    yield "long double", np.arange(N, dtype="longdouble")
    yield "text", ["a", "b", None, "d", "é"]
    yield "objects: text", column(["a", None, "b", "c", "d"])
    yield "objects: text and nan", column(["a", np.nan, "b", "c", "d"])
    yield "objects: text and both", column(["a", np.nan, None, "c", "d"])
    yield "objects: bytes", column([b"a", None, b"", b"x", b"y"])
    yield "objects: dates", column([dt.date(2024, 1, 1)] * N)
    yield "objects: decimals", column([decimal.Decimal("1.50")] * N)
    yield "objects: mixed", column([1, "a", None, 2.5, (1, 2)])
    yield "objects: lists", column([[1], [], [2, 3], ["a"], [None]])
    yield "objects: dicts", column([{"a": 1}] * N)
    yield "objects: ints", column([1, 2**70, 3, 4, 5])
    yield "objects: vectors", column([np.arange(i, dtype="f4") for i in range(N)])
    yield "objects: numbers", column([1, 2, -(2**63), 0, 2**63 - 1])
    yield "objects: numbers and None", column([1, 2, None, 0, 7])
    yield "objects: numbers and NA", column([1, 2, pd.NA, 0, 7])
    yield "objects: numbers and nan", column([1, 2, np.nan, 0, 7])
    yield "objects: a number too large, and NA", column([1, 2**64, pd.NA, 0, 7])
    yield "objects: truth", column([True, False, True, True, False])
    yield "objects: truth and None", column([True, False, None, True, False])
    yield "objects: truth and numbers", column([True, 1, 0, False, 1.0])
    yield "objects: floats", column([1.5, np.nan, -0.0, np.inf, 1e300])
    yield "objects: floats and None", column([1.5, np.nan, None, np.inf, -0.0])
    yield "objects: floats and NaT", column([1.5, 2.5, pd.NaT, np.inf, -0.0])
    yield "objects: nan", column([np.nan] * N)
    yield "objects: text and a float", column(["a", np.nan, 1.5, "b", "c"])
    yield "objects: text of NumPy", column([np.str_("a"), "a", "b", "c", "d"])
    yield (
        "objects: dates and None",
        column([dt.date(1, 1, 1), None, dt.date(9999, 12, 31)] + [dt.date.today()] * 2),
    )
    yield "objects: dates and NaT", column([dt.date(2024, 1, 1), pd.NaT, *[dt.date(1969, 12, 31)] * 3])
    yield "objects: dates and times", column([dt.date(2024, 1, 1), dt.datetime(2024, 1, 1), None, None, None])
    yield "objects: None", column([None] * N)
    yield "objects: NaT", column([pd.NaT] * N)
    yield "objects: NA", column([pd.NA] * N)
    yield "dates", pd.Series(days()).where([True, False, True, True, True])
    yield "dates in s", days(unit="s")
    yield "dates in us", days(unit="us")
    yield "zone", days(tz="Europe/Berlin")
    yield "zone with gaps", pd.Series(days(tz="Europe/Berlin")).where([True, False, True, True, True])
    yield "offset", days(tz="+05:30")
    yield "utc", days(tz="UTC")
    yield "timedelta", pd.to_timedelta([1, 2, None, 3, 4], unit="s")
    yield "category", pd.Categorical(["a", "b", None, "a", "b"], categories=["b", "a", "z"], ordered=True)
    yield "category of int", pd.Categorical([1, 2, 1, 2, 1])
    yield "category of intervals", pd.cut(np.arange(N), 2)
    yield "category, none of them", pd.Categorical([None] * N, categories=["x"])
    yield "period", pd.period_range("2024-01", periods=N, freq="M")
    yield "interval", pd.arrays.IntervalArray.from_breaks(range(N + 1), closed="left")
    yield "interval of dates", pd.arrays.IntervalArray.from_breaks(pd.date_range("2024", periods=N + 1))
    yield "Int32", pd.array([1, None, 3, 4, 5], dtype="Int32")
    yield "UInt8", pd.array([1, None, 3, 4, 5], dtype="UInt8")
    yield "Float64", pd.array([1, None, 3, 4, 5], dtype="Float64")
    yield "boolean", pd.array([True, None, False, True, True], dtype="boolean")
    yield "string", pd.array(["a", None, "b", "c", "d"], dtype="string[pyarrow]")
    yield "string in Python", pd.array(["a", None, "b", "c", "d"], dtype="string[python]")
    yield "Arrow int", pd.array([1, None, 3, 4, 5], dtype="int64[pyarrow]")
    yield "Arrow string", pd.array(["a", None, "c", "d", "e"], dtype=pd.ArrowDtype(pa.string()))
    yield "Arrow list", pd.Series([[1], [2, 3], None, [], [4]], dtype=pd.ArrowDtype(pa.list_(pa.int64())))
    yield "Arrow decimal", pd.Series([decimal.Decimal("1.5")] * N, dtype=pd.ArrowDtype(pa.decimal128(5, 2)))


ALL = dict(columns())
if NEW:
    ALL["str in Python"] = pd.array(
        ["a", None, "b", "c", "d"], dtype=pd.StringDtype("python", na_value=np.nan)
    )


def exact(left, right):
    """Equal in values, types, index, names and flags, and cell by cell for objects."""
    assert type(left) is type(right)
    if isinstance(left, pd.DataFrame):
        pd.testing.assert_frame_equal(left, right, check_exact=True, check_freq=True, check_column_type=True)
        assert list(left.dtypes) == list(right.dtypes)
        for i in range(left.shape[1]):
            if left.dtypes.iloc[i].kind == "O":
                assert list(map(repr, left.iloc[:, i])) == list(map(repr, right.iloc[:, i]))
    elif isinstance(left, pd.Series):
        pd.testing.assert_series_equal(left, right, check_exact=True, check_freq=True)
    else:
        pd.testing.assert_index_equal(left, right, exact=True, check_exact=True)
        assert getattr(left, "freq", None) == getattr(right, "freq", None)
    if not isinstance(left, pd.Index):
        assert left.attrs == right.attrs


@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("name", ALL)
def test_every_type_of_column(box, name, mapped):
    frame = pd.DataFrame({name: ALL[name]})
    exact(frame, box.trip(frame, mapped=mapped))
    exact(frame.iloc[:0], box.trip(frame.iloc[:0]))
    exact(frame[name], box.trip(frame[name]))


@pytest.mark.parametrize("name", [name for name in ALL if name != "float16"])  # pandas has no such index
def test_every_type_of_index(box, name):
    frame = pd.DataFrame({name: ALL[name], "value": range(N)}).set_index(name)
    exact(frame, box.trip(frame))
    exact(frame.index, box.trip(frame.index))


@pytest.mark.parametrize("name", ALL)
def test_a_slice_has_the_bytes_of_its_copy(box, name):
    frame = pd.DataFrame({name: ALL[name], "x": range(N)})
    assert box.dump(frame.iloc[1:4]).data == box.dump(frame.iloc[1:4].copy()).data
    backwards = frame.iloc[::-1].iloc[::-1]
    assert box.dump(backwards.reset_index(drop=True)).data == box.dump(frame.reset_index(drop=True)).data


INDEXES = [
    pd.RangeIndex(2, 12, 2, name="r"), days(tz="Europe/Berlin"), days(freq="W"), pd.timedelta_range(0, periods=N, freq="h"),
    pd.MultiIndex.from_product([["a", "b"], [1, 2]], names=["x", None]), pd.MultiIndex.from_tuples([("a", pd.Timestamp("2024"))]),
    pd.MultiIndex.from_arrays([[1, 2]], names=["one"]), pd.MultiIndex.from_arrays([pd.Categorical(["a", "b"]), [1.5, np.nan]]),
    pd.Index([1, "a", (1, 2), None, 2.5], dtype=object), pd.period_range("2024", periods=N, freq="D", name="p"),
    pd.CategoricalIndex(["a", "b", "a"]), pd.interval_range(0, 5), pd.Index([1, 1, 2]), pd.Index([], dtype="int64"), pd.Index([]),
    pd.Index(["a", "b"], name=("tuple", 1)), pd.Index([True, False]), pd.Index(["x"], dtype="object"),
]  # fmt: skip


@pytest.mark.parametrize("index", INDEXES, ids=lambda i: f"{type(i).__name__} {str(i.dtype)[:20]} {len(i)}")
def test_every_index_in_rows_columns_and_alone(box, index):
    frame = pd.DataFrame({"v": range(len(index))}, index=index)
    exact(frame, box.trip(frame))
    exact(frame.T, box.trip(frame.T))
    exact(frame["v"], box.trip(frame["v"]))
    exact(index, box.trip(index))


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame(), pd.DataFrame(index=range(3)), pd.DataFrame(index=["a"]), pd.DataFrame({"a": []}), pd.DataFrame(columns=["a", "b"]),
        pd.DataFrame([[1, 2, "x"]], columns=["a", "a", 1]), pd.DataFrame([[1, 2]], columns=[3, 1]), pd.DataFrame([[1.5]], columns=[np.nan]),
        pd.DataFrame([[1]], columns=[None]), pd.DataFrame([[1]], columns=[("a", "b")]), pd.DataFrame([[1]], columns=[("a", "b")]).T,
        pd.DataFrame([[1]], columns=[dt.date(2024, 1, 1)]), pd.DataFrame([[1]], columns=[""]), pd.DataFrame(np.eye(3)),
    ],
    ids=range(14),
)  # fmt: skip
def test_shapes_and_labels(box, frame):
    exact(frame, box.trip(frame))


def test_names_and_attrs(box):
    frame = pd.DataFrame({"a": [1]}, index=pd.Index(["x"], name="row"))
    frame.columns.name = ("col", 1)
    frame.attrs = {"source": "bts", "when": dt.date(2024, 1, 1), 5: (1, 2)}
    exact(frame, box.trip(frame))
    named = pd.Series([1.0], name=("a", 1))
    exact(named, box.trip(named))
    frame.attrs["model"] = object()
    with pytest.raises(CannotEncode, match="attrs"):
        box.dump(frame)


def test_blocks_do_not_matter(box):
    whole = pd.DataFrame(np.arange(12.0).reshape(4, 3), columns=list("abc"))
    pieces = pd.DataFrame({"a": whole["a"].copy(), "b": whole["b"].copy()})
    pieces["c"] = whole["c"].to_numpy().copy()
    fortran = pd.DataFrame(np.asfortranarray(whole.to_numpy()), columns=list("abc"))
    big = pd.DataFrame({c: whole[c].to_numpy().astype(">f8") for c in whole})
    assert (
        len({box.dump(f).data for f in (whole, pieces, fortran, big, pd.concat([whole[:2], whole[2:]]))}) == 1
    )


def test_what_lies_under_missing_values_does_not_matter(box):
    one = pd.arrays.IntegerArray(np.array([1, 7, 3]), np.array([False, True, False]))
    other = pd.arrays.IntegerArray(np.array([1, 9, 3]), np.array([False, True, False]))
    assert box.dump(pd.Series(one)).data == box.dump(pd.Series(other)).data
    masks = [pd.arrays.BooleanArray(np.array([True, bit]), np.array([False, True])) for bit in (True, False)]
    assert box.dump(pd.Series(masks[0])).data == box.dump(pd.Series(masks[1])).data


def test_what_differs_differs(box):
    base = pd.DataFrame({"a": [1, 2]})
    others = [
        pd.DataFrame({"a": [1.0, 2]}), pd.DataFrame({"b": [1, 2]}), pd.DataFrame({"a": [2, 1]}), pd.DataFrame({"a": [1, 2]}, index=[0, 2]),
        pd.DataFrame({"a": [1, 2]}, index=["0", "1"]), pd.DataFrame({"a": ["1", "2"]}), pd.DataFrame({"a": [1, 2]}, dtype="Int64"), base["a"],
        pd.DataFrame({"a": pd.Categorical([1, 2])}), base.rename_axis("x"), base.astype(object), base.iloc[:1],
    ]  # fmt: skip
    assert len({box.dump(v).data for v in [base, *others]}) == len(others) + 1


def test_a_frame_from_the_store_is_as_good_as_one_that_was_made(box):
    frame = pd.DataFrame(
        {
            "i": range(1000),
            "f": np.linspace(0, 1, 1000),
            "s": ["x"] * 1000,
            "d": pd.date_range("2024", periods=1000),
        }
    )
    dumped = box.dump(frame)
    assert dumped.note == "(1000, 4) DataFrame"
    back = box.load(dumped.data, dumped.codec, mapped=True)
    for table in (frame, back):
        table.loc[table["i"] > 500, "f"] = -1
        table["i"] += 1
        table.iloc[0, 1] = 9
        table["new"] = table["s"] + "y"
        table.loc[3, "d"] = pd.Timestamp("2000")
        table.pop("s")
    exact(frame, back)
    again = box.load(dumped.data, dumped.codec, mapped=True)
    assert again["i"].iloc[0] == 0


def test_numbers_are_mapped_and_not_copied(box):
    frame = pd.DataFrame({"a": np.arange(100_000), "b": np.arange(100_000.0)})
    data = box.dump(frame).data
    memory = tables.read(box.blob(data, mapped=True), own=True)[2]
    from stepwell.codecs import frames

    batch, meta, memory = tables.read(box.blob(data, mapped=True), own=True)
    back = frames.from_columns(batch.columns, meta, memory)
    whole = np.frombuffer(memory, "u1")
    assert np.shares_memory(back["a"].to_numpy(), whole)
    assert np.shares_memory(back["b"].to_numpy(), whole)


def test_other_tools_open_it(box):
    import polars as pl

    frame = pd.DataFrame({"a": [1, 2], "b": ["x", None], "c": pd.Categorical(["u", "v"])}, index=["r", "s"])
    data = box.dump(frame).data
    with pa.ipc.open_file(data) as reader:
        table = reader.read_all()
    assert table.column_names == ["a", "b", "c", "index 0"]
    assert table["a"].to_pylist() == [1, 2]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert pl.read_ipc(data)["b"].to_list() == ["x", None]
    assert pd.__version__.encode() not in data


LONG = 30_000


def repeated(kind=str, missing=None):
    """Text that repeats, with something missing at equal distances."""
    values = np.array([kind(f"word {i}", *["utf8"] * (kind is bytes)) for i in range(300)], dtype=object)
    values = values[np.random.default_rng(3).integers(0, 300, LONG)]
    values[:: LONG // 3000] = missing
    return values


@pytest.mark.parametrize(
    "array",
    [
        repeated(), repeated(missing=np.nan), repeated(missing=pd.NA), repeated(missing=pd.NaT), repeated(bytes), repeated(bytes, np.nan),
        pd.array(repeated(), dtype="string[python]"), pd.array(repeated(), dtype="string[pyarrow]"), pd.Categorical(repeated()),
    ],
    ids=["None", "nan", "NA", "NaT", "bytes", "bytes and nan", "string", "Arrow", "category"],
)  # fmt: skip
@pytest.mark.parametrize("mapped", [False, True])
def test_text_that_repeats(box, array, mapped):
    frame = pd.DataFrame({"text": array, "i": range(LONG)})
    back = box.trip(frame, mapped=mapped)
    exact(frame, back)
    back.loc[3, "text"] = back.loc[1, "text"]
    exact(frame.set_index("text"), box.trip(frame.set_index("text")))


def test_text_that_repeats_is_held_once(box):
    frame = pd.DataFrame({"text": pd.Series(repeated(), dtype=object)})
    dumped = box.dump(frame)
    assert len(dumped.data) < 3 * LONG
    assert len({id(value) for value in box.load(dumped.data, dumped.codec)["text"]}) <= 301
    alone = pd.DataFrame({"text": pd.Series([f"word {i}" for i in range(LONG)], dtype=object)})
    exact(alone, box.trip(alone))
    copies = pd.DataFrame(
        {"text": pd.Series([v and str(v.encode(), "utf8") for v in repeated()], dtype=object)}
    )
    assert box.dump(copies).data == dumped.data


MANY = 300_000


def of_these(values, missing):
    """A column of objects that shares them between its rows, among them one that is missing."""
    held = np.array([*values, missing], dtype=object)
    return held[np.random.default_rng(5).integers(0, len(held), LONG)]


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
@pytest.mark.parametrize(
    ("values", "copied"),
    [
        ([f"word {i}" for i in range(300)], lambda value: "".join(list(value))),
        ([f"{i}".encode() * 3 for i in range(300)], lambda value: bytes(bytearray(value))),
        (range(10**9, 10**9 + 300), lambda value: int(str(value))),
        ([dt.date(2026, 1, 1) + dt.timedelta(i) for i in range(300)], lambda value: value.replace()),
        ([i / 3 - 0.0 for i in range(300)], lambda value: float.fromhex(value.hex())),
        ([[i] for i in range(30)], list),
    ],
    ids=["str", "bytes", "int", "date", "float", "json"],
)
def test_rows_that_share_their_objects_have_the_bytes_of_those_that_do_not(box, values, copied, missing):
    shared = of_these(values, missing)
    alone = np.fromiter(
        (value if value is missing else copied(value) for value in shared), object, len(shared)
    )
    assert len({*map(id, shared)}) <= 301 < len({*map(id, alone)})
    frame = pd.DataFrame({"x": pd.Series(shared, dtype=object)})
    dumped = box.dump(frame)
    assert box.dump(pd.DataFrame({"x": pd.Series(alone, dtype=object)})).data == dumped.data
    exact(frame, box.load(dumped.data, dumped.codec))


def test_a_refusal_names_the_row_also_where_rows_share_their_objects(box):
    shared = of_these(range(300), None)
    shared[[7, 9]] = object()
    with pytest.raises(CannotEncode, match="row 7 holds"):
        box.dump(pd.DataFrame({"x": shared}))


@pytest.mark.parametrize(
    ("numbers", "once"),
    [
        (np.arange(MANY) * 7919 % 20_000, True),  # at equal distances
        (np.arange(MANY) // 15, True),  # sorted
        (np.random.default_rng(2).integers(0, 20_000, MANY), True),
        (np.arange(MANY), False),
        (np.arange(MANY) // 2, False),
        (np.where(np.arange(MANY) % 3, np.arange(MANY), 0), False),  # one often, all others once
    ],
    ids=["distances", "sorted", "random", "alone", "twice", "one"],
)
def test_text_is_written_once_if_all_of_it_repeats_however_it_lies(box, numbers, once):
    texts = np.array([f"customer {i}" for i in range(MANY)], dtype=object)
    frame = pd.DataFrame({"text": pd.Series(texts[numbers], dtype=object)})
    dumped = box.dump(frame)
    assert pa.types.is_dictionary(pa.ipc.open_file(dumped.data).schema.field("text").type) is once
    found = box.load(dumped.data, dumped.codec)["text"].to_numpy()
    assert (found == texts[numbers]).all()


class Opaque:
    pass


@pytest.mark.parametrize(
    ("frame", "text"),
    [
        (pd.DataFrame({"good": [1, 2], "bad": [1, Opaque()]}), "column `bad`"),
        (pd.DataFrame({"bad": [Opaque()]}), "row 0 holds"),
        (pd.DataFrame({"bad": pd.arrays.SparseArray([0, 1])}), "sparse"),
        (pd.DataFrame({"a": [1]}, index=pd.Index([Opaque()])), "index"),
        (pd.DataFrame([[1]], columns=[Opaque()]), "plain"),
        (pd.Series(["\ud800"], dtype=object), "Unicode"),
        (pd.Series([1], name=Opaque), "plain"),
    ],
    ids=range(7),
)
def test_refused_by_the_name_of_the_column_with_a_remedy(box, frame, text):
    with pytest.raises(CannotEncode) as caught:
        box.dump(frame)
    assert text in str(caught.value)


frames = hpd.data_frames(
    columns=[
        hpd.column("i", dtype=int), hpd.column("f", dtype=float), hpd.column("b", dtype=bool),
        hpd.column("s", elements=st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=4), dtype=object),
        hpd.column("t", dtype="datetime64[ns]"),
    ],
    index=st.one_of(hpd.range_indexes(max_size=6), hpd.indexes(dtype=int, max_size=6), hpd.indexes(elements=st.text("abc"), dtype=object, max_size=6)),
)  # fmt: skip


@given(frames)
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_any_frame(box, frame):
    dumped = box.dump(frame)
    back = box.load(dumped.data, dumped.codec)
    exact(frame, back)
    assert box.dump(back).data == dumped.data
    assert box.dump(pd.concat([frame[c] for c in frame], axis=1) if len(frame) else frame).data == dumped.data


def test_malformed(box):
    for data in (b"", b"ARROW1\0\0", b"x" * 200, box.dump(pa.table({"a": [1]})).data):
        with pytest.raises(CannotDecode):
            box.load(data, "arrow:pandas")


def forged(box, meta, cols=(), names=()):
    sink = box.sink()
    tables.write_named(list(cols), list(names), meta, sink)
    return bytes(sink.data)


@pytest.mark.parametrize(
    "meta",
    [
        5, {}, {"kind": "frame"}, {"kind": "frame", "index": {"range": ["a", 1, 1], "names": [None]}, "columns": {}},
        {"kind": "index", "index": {"levels": [["numpy", "<f8"]], "names": [None]}},
        {"kind": "series", "name": None, "data": [["__class__"]], "index": {"range": [0, 1, 1], "names": [None]}},
        {"kind": "series", "name": None, "data": [["numpy", "O"]], "index": {"range": [0, 1, 1], "names": [None]}},
        {"kind": "series", "name": None, "data": [["masked", "eval"]], "index": {"range": [0, 1, 1], "names": [None]}},
        {"kind": "series", "name": None, "data": [["object", "int", "None"]], "index": {"range": [0, 1, 1], "names": [None]}},
        {"kind": "series", "name": None, "data": [["object", "date", ""]], "index": {"range": [0, 1, 1], "names": [None]}},
        {"kind": "series", "name": None, "data": [["object", "eval", ""]], "index": {"range": [0, 1, 1], "names": [None]}},
        {"kind": "series", "name": None, "data": [["numpy", "<M8[ns]"]], "index": {"range": [0, 9, 1], "names": [None]}},
    ],
    ids=range(12),
)  # fmt: skip
def test_forged_descriptions(box, meta):
    with pytest.raises(CannotDecode):
        box.load(forged(box, meta, [pa.array(["a"])], ["x"]), "arrow:pandas")
