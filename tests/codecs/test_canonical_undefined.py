"""What has no content digest says why; what is no valid file has none; a missing library is an error."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stepwell.codecs.content.digest import Undefined, content_of, content_of_file, digest_of, digest_of_file

WHEN = dt.datetime(2026, 1, 1)
AWARE = WHEN.replace(tzinfo=dt.UTC)


class Point(pa.ExtensionType):
    """A type that nobody registered."""

    def __init__(self) -> None:
        super().__init__(pa.binary(), "tests.point")

    def __arrow_ext_serialize__(self) -> bytes:
        return b""

    @classmethod
    def __arrow_ext_deserialize__(cls, storage: pa.DataType, serialized: bytes) -> Point:
        return cls()


class Frame(pd.DataFrame):
    """A frame that means more."""


def objects(*values: Any) -> pd.DataFrame:
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return pd.DataFrame({"a": pd.Series(column, dtype=object)})


UNDEFINED: dict[str, tuple[Any, str]] = {
    "plain data": ([1, 2], "a list is no table"),
    "interval of Arrow": (pa.table({"a": pa.nulls(1, pa.month_day_nano_interval())}), "month_day_nano_interval"),
    "union": (
        pa.table({"a": pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([1])])}),
        "sparse_union",
    ),
    "extension": (pa.table({"a": pa.ExtensionArray.from_storage(Point(), pa.array([b"x"]))}), "tests.point"),
    "extension inside a list": (pa.table({"a": pa.nulls(1, pa.list_(Point()))}), "tests.point"),
    "extension in a dictionary": (pa.nulls(1, pa.dictionary(pa.int8(), pa.month_day_nano_interval())), "interval"),
    "extension that is only named": (
        pa.table([pa.array([b"x"])], pa.schema([pa.field("a", pa.binary(), metadata={"ARROW:extension:name": "geo"})])),
        "geo",
    ),
    "two fields of one name": (
        pa.StructArray.from_arrays([pa.array([1]), pa.array([2])], ["x", "x"]),
        "two fields of one name",
    ),
    "date that is no day": (
        pa.table({"a": pa.Array.from_buffers(pa.date64(), 1, [None, pa.py_buffer((5).to_bytes(8, "little"))])}),
        "not whole days",
    ),
    "period": (pd.DataFrame({"a": pd.period_range("2026", periods=2, freq="M")}), "`a` has the type period[M]"),
    "interval": (pd.DataFrame({"a": pd.interval_range(0, 2)}), "interval[int64"),
    "categories that are intervals": (pd.DataFrame({"a": pd.cut(pd.Series([1, 2]), 2)}), "interval[float64"),
    "sparse": (pd.DataFrame({"a": pd.arrays.SparseArray([0, 1])}), "Sparse"),
    "complex": (pd.DataFrame({"a": [1j]}), "complex128"),
    "mixed objects": (objects("a", 1), "several classes: int, str"),
    "text and bytes": (objects("a", b"a"), "several classes: bytes, str"),
    "whole numbers and floats": (objects(1, 1.5), "several classes: float, int"),
    "truth and numbers": (objects(True, 1), "several classes"),
    "days and moments": (objects(dt.date(2026, 1, 1), WHEN), "several classes"),
    "with and without zone": (objects(WHEN, AWARE), "with and without a time zone"),
    "time in a zone": (objects(AWARE.timetz()), "in a time zone"),
    "timestamps as objects": (objects(pd.Timestamp(1), "a"), "several classes"),
    "timestamps alone": (objects(pd.Timestamp("2026-01-01 00:00:00.000000001")), "Timestamp"),
    "large integers": (objects(2**70), "does not fit into Arrow"),
    "classes": (objects(Path("x")), "Path"),
    "sets": (objects({1}), "class set"),
    "mixed lists": (objects([1], ["a"]), "several classes"),
    "mixed vectors": (objects(np.array([1]), np.array([1.5])), "several types"),
    "matrices": (objects(np.eye(2), np.eye(2)), "no vectors"),
    "mixed dicts": (objects({"a": 1}, {"a": "x"}), "several classes"),
    "dicts with numbers": (objects({1: 1}), "keys are not text"),
    "text that is no Unicode": (objects("\ud800"), "`a`"),
    "names that are no Unicode": (np.zeros(1, [("\ud800", "i4")]), "not valid Unicode"),
    "labels of several levels": (pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([("a", "b")])), "several levels"),
    "labels that are no names": (pd.DataFrame({1.5: [1]}), "1.5"),
    "labels that are truth": (pd.DataFrame({True: [1]}), "True"),
    "index": (pd.Index([1]), "Index"),
    "subclass": (Frame({"a": [1]}), "Frame"),
    "polars objects": (pl.DataFrame({"a": pl.Series([object()], dtype=pl.Object)}), "Object"),
    "polars large integers": (pl.DataFrame({"a": pl.Series([[1]], dtype=pl.List(pl.Int128))}), "Int128"),
    "numpy objects": (np.array([None]), "object"),
    "long doubles": (np.zeros(1, np.longdouble), str(np.dtype(np.longdouble))),
    "months": (np.zeros(1, "M8[M]"), "datetime64[M]"),
    "multiples": (np.zeros(1, "m8[5m]"), "timedelta64[5m]"),
    "generic times": (np.zeros(1, "m8"), "timedelta64"),
    "picoseconds": (np.zeros(1, "M8[ps]"), "datetime64[ps]"),
    "days as durations": (np.zeros(1, "m8[D]"), "timedelta64[D]"),
    "void": (np.zeros(1, "V3"), "V3"),
    "arrays in structures": (np.zeros(1, [("a", "i4", 2)]), "('<i4', (2,))"),
    "masked": (np.ma.masked_array([1], [True]), "MaskedArray"),
    "hours too far away": (np.array([2**62], "M8[h]"), "too far away"),
    "scalar": (np.float64(1), "float64"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("what", UNDEFINED)
def test_what_has_no_canonical_form_says_why(what: str):
    value, why = UNDEFINED[what]
    found = content_of(value)
    assert isinstance(found, Undefined), found
    assert why in found.why
    assert digest_of(value) is None


def test_decimals_of_more_than_256_bits_have_none():
    huge = pa.array([Decimal(10) ** 75], pa.decimal256(76, 0))
    raw = pa.Array.from_buffers(pa.decimal256(76, -70), 1, huge.buffers())
    assert "256 bits" in content_of(raw).why  # type: ignore[union-attr]


def test_types_of_duckdb_that_are_not_the_same_everywhere():
    duckdb = pytest.importorskip("duckdb")
    with duckdb.connect() as con:
        for text in (
            "uuid()",
            "interval 3 days",
            "'101'::bit",
            "'01:02:03+02'::timetz",
            "[uuid()]",
            "{'a': [uuid()]}",
        ):
            assert isinstance(content_of(con.sql(f"select {text} as a")), Undefined), text
        for text in ("'UUID'::enum('UUID')", "{'BIT': 1}", "[1, 2]::int[2]"):
            assert digest_of(con.sql(f"select {text} as a")) is not None, text
        found = con.sql("select sum(i) as a from range(4) t(i)")  # a number of 128 bits
        assert digest_of(found) == digest_of(pa.table({"a": [6]}))
        assert "no relation" in content_of(con).why  # type: ignore[union-attr]


def test_uuids_and_json_mean_what_they_store():
    uuid = pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"0" * 16], pa.binary(16)))
    assert digest_of(uuid) == digest_of(pa.array([b"0" * 16]))
    json = pa.ExtensionArray.from_storage(pa.json_(), pa.array(["{}"]))
    assert digest_of(json) == digest_of(pa.array(["{}"]))


def test_files_that_are_not_what_they_seem(tmp_path: Path):
    pq.write_table(pa.table({"a": [1, 2, 3]}), tmp_path / "good.parquet")
    good = (tmp_path / "good.parquet").read_bytes()
    np.save(tmp_path / "objects.npy", np.array([None]), allow_pickle=True)
    for name, content in {
        "cut.parquet": good[:-20],
        "cut.arrow": b"ARROW1\0\0",
        "cut.npy": b"\x93NUMPY\x01\x00",
        "text.txt": b"a\n1\n",
        "nothing.csv": b"",
        "ragged.csv": b"a,b\n1\n",
        "latin.csv": b"a\n\xff\n",
        "objects.npy": (tmp_path / "objects.npy").read_bytes(),
    }.items():
        (tmp_path / name).write_bytes(content)
        assert isinstance(content_of_file(tmp_path / name), Undefined), name
        assert digest_of_file(tmp_path / name) is None
    pq.write_table(
        pa.table({"a": pa.array([0], pa.timestamp("ns"))}),
        tmp_path / "old.parquet",
        use_deprecated_int96_timestamps=True,
    )
    assert "96 bits" in content_of_file(tmp_path / "old.parquet").why  # type: ignore[union-attr]
    with pytest.raises(FileNotFoundError):
        digest_of_file(tmp_path / "none.parquet")
    with pytest.raises(IsADirectoryError):
        digest_of_file(tmp_path)


@pytest.mark.parametrize("kind", ["parquet", "arrow", "npy"])
def test_damaged_files_have_a_digest_or_none(kind: str, tmp_path: Path):
    table = pa.table({"a": list(range(99)), "b": ["x", None, "z"] * 33, "c": [[1], None, [2, 3]] * 33})
    table = table.append_column("d", table["b"].combine_chunks().dictionary_encode())
    path = tmp_path / f"good.{kind}"
    match kind:
        case "parquet":
            pq.write_table(table, path)
        case "arrow":
            with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
                writer.write_table(table)
        case "npy":
            np.save(path, np.arange(9))
    good = path.read_bytes()
    random = np.random.default_rng(3)
    for _ in range(150):
        bad = bytearray(good)
        for place in random.integers(8, len(good) - 8, int(random.integers(1, 4))):
            bad[int(place)] ^= int(random.integers(1, 256))
        (tmp_path / "bad").write_bytes(bad)
        found = digest_of_file(tmp_path / "bad")
        assert found is None or found.startswith("c1:")


def test_without_pyarrow_there_is_an_error_and_no_other_digest(tmp_path: Path):
    (tmp_path / "a.csv").write_text("a\n1\n")
    program = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "pyarrow": raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Block())
import importlib.util
from pathlib import Path
from stepwell.codecs.content.digest import digest_of, digest_of_file
from stepwell.errors import MissingLibrary
import numpy, polars
print(digest_of(numpy.arange(3)))
for make in (lambda: digest_of(polars.DataFrame({"a": [1]})), lambda: digest_of_file(Path(sys.argv[1]))):
    try: print(make())
    except MissingLibrary as error: print(error.code)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "a.csv")], capture_output=True, text=True
    )
    assert done.stdout.split() == [digest_of(np.arange(3)), "E602", "E602"], done.stderr


def test_nothing_heavy_is_imported():
    program = "import sys, stepwell.codecs.content.digest as d; print(d.digest_of(1), sorted({'numpy', 'pandas', 'polars', 'pyarrow', 'duckdb', 'blake3'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "None []", done.stderr
