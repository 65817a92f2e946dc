"""Previews: every codec and kind of file, as what is kept of it says; and whatever the bytes are, nothing in them runs."""

from __future__ import annotations

import datetime as dt
import io
import json
import pickle
import struct
import sys
import tracemalloc
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.sparse as sp
from jsonschema import Draft202012Validator
from page_types import schema  # beside the tests of the page's server
from pyarrow import feather

import stepwell
from stepwell.app.previews import FILE, preview, raw
from stepwell.codecs import choose
from stepwell.kernel.ports import Artifact, Made
from stepwell.stores.local import LocalStore, open_store
from stepwell.testing.contracts import result_of

CONTRACT = Draft202012Validator(schema("Preview"))
"""What the page takes a preview to be (`page/src/api.ts`)."""

NAN = float("nan")


class Shelf:
    """A store to put values and bytes into, and look at their previews."""

    def __init__(self, store: LocalStore) -> None:
        self.store = store
        self._count = 0

    def value(self, value: object, codec: str = "", name: str = "result") -> Artifact:
        """Keep a value as a step's output would be."""
        with self.store.blobs.sink() as sink:
            codec, note = choose.dump(value, codec, sink)
            done = sink.finish()
            return self._keep(
                Made(Artifact(name, codec, done.digest, done.size, tuple(sink.parts), note), done.data)
            )

    def bytes(self, data: bytes, codec: str, note: str = "") -> Artifact:
        """Keep bytes as if a codec had written them."""
        with self.store.blobs.sink() as sink:
            sink.write(data)
            done = sink.finish()
        return self._keep(Made(Artifact("result", codec, done.digest, done.size, (), note), done.data))

    def file(self, folder: Path, name: str, data: bytes) -> Artifact:
        """Keep a file that a step made."""
        (folder / name).write_bytes(data)
        return self.value(folder / name)

    def _keep(self, made: Made) -> Artifact:
        self._count += 1
        self.store.results.keep(result_of(f"k{self._count}", [made]), [made])
        return made.artifact

    def shown(self, value: object, codec: str = "", **how: int) -> dict[str, Any]:
        """The preview of a value, which must be JSON."""
        found = preview(self.store, self.value(value, codec), **how)
        assert json.loads(json.dumps(found, allow_nan=False)) == found
        CONTRACT.validate(found)
        return found


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    with open_store(tmp_path / ".stepwell") as store:
        yield Shelf(store)


def column(found: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in found["columns"] if one["name"] == name)


# ---------------------------------------------------------------------------- tables


def frame(rows: int = 1000) -> pd.DataFrame:
    at = np.arange(rows)
    return pd.DataFrame(
        {
            "whole": at,
            "real": np.where(at % 4 == 0, np.nan, at / 2),
            "text": pd.Series(["a", "b", None, "a"] * (rows // 4), dtype=object),
            "kind": pd.Categorical(["x", "y"] * (rows // 2)),
            "is": at % 2 == 0,
            "when": pd.date_range("2024-01-01", periods=rows, freq="h"),
            "took": pd.to_timedelta(at, "s"),
        }
    )


def test_a_pandas_table_says_what_its_columns_hold(shelf):
    found = shelf.shown(frame(), rows=2, offset=4)
    assert (found["kind"], found["rows"], found["sampled"], found["offset"]) == ("table", 1000, None, 4)
    types = {one["name"]: one["type"] for one in found["columns"]}
    assert types["whole"] == "int64"
    assert (types["text"], types["kind"], types["is"]) == ("string", "category", "bool")
    assert types["when"].startswith("datetime64")
    assert column(found, "whole")["quantiles"] == [0.0, 249.75, 499.5, 749.25, 999.0]
    assert column(found, "whole")["mean"] == 499.5
    assert sum(column(found, "whole")["histogram"]["counts"]) == 1000
    assert column(found, "real")["nulls"] == 0.25  # NaN is missing to whoever reads a table
    assert column(found, "text")["nulls"] == 0.25
    assert column(found, "text")["top"] == [["a", 500], ["b", 250]]
    assert column(found, "kind")["distinct"] == 2
    assert dict(column(found, "is")["top"]) == {"true": 500, "false": 500}
    assert column(found, "when")["quantiles"][0] == dt.datetime(2024, 1, 1, tzinfo=dt.UTC).timestamp()
    names = [one["name"] for one in found["columns"]]
    first = dict(zip(names, found["head"][0], strict=True))
    assert (first["whole"], first["real"], first["text"], first["is"]) == (4, "NaN", "a", True)
    assert first["when"] == "2024-01-01 04:00:00"
    assert len(found["head"]) == 2


def test_the_index_of_a_pandas_table_stands_before_its_columns(shelf):
    table = frame(8).set_index("text")
    found = shelf.shown(table)
    assert found["columns"][0]["name"] == "text"
    assert [row[0] for row in found["head"]][:2] == ["a", "b"]
    assert shelf.shown(frame(8))["columns"][0]["name"] == "whole"  # a range is no column


def test_tables_of_all_libraries_have_the_same_numbers(shelf):
    plain = {"a": list(range(100)), "b": [i / 3 for i in range(100)]}
    shown = [shelf.shown(made) for made in (pd.DataFrame(plain), pl.DataFrame(plain), pa.table(plain))]
    for found in shown:
        assert found["rows"] == 100
        assert found["head"] == shown[0]["head"]
        for name in "ab":
            for fact in ("nulls", "distinct", "quantiles", "mean", "histogram"):
                assert column(found, name)[fact] == column(shown[0], name)[fact]


def test_a_large_table_is_sampled_and_says_so(shelf):
    rows = 250_000
    found = shelf.shown(pd.DataFrame({"x": np.arange(rows), "y": np.ones(rows)}), rows=3, offset=rows - 2)
    assert found["rows"] == rows
    assert found["sampled"] == 100_000
    assert column(found, "x")["quantiles"][0] == 0.0
    assert column(found, "x")["quantiles"][-1] == rows - 1
    assert [row[0] for row in found["head"]] == [rows - 2, rows - 1]
    assert column(found, "y")["histogram"] == {"edges": [1.0, 1.0], "counts": [100_000]}


def test_a_table_with_many_columns_is_cut_and_says_so(shelf):
    found = shelf.shown(pa.table({f"c{i}": [i] for i in range(1_200)}))
    assert len(found["columns"]) == 1_000
    assert found["cut"] == 200
    assert len(found["head"][0]) == 1_000


def test_infinities_dates_far_away_and_nested_cells_are_shown(shelf):
    found = shelf.shown(
        pa.table(
            {
                "inf": [float("inf"), -1.0, 1.0],
                "far": pa.array([2**60, 0, None], pa.timestamp("s")),
                "list": [[1, 2], None, [3]],
                "big": pa.array([2**60, 1, None], pa.int64()),
                "bytes": [b"\x00\xff", b"", None],
                "dec": pa.array([None, None, None], pa.decimal128(10, 2)),
                "null": pa.nulls(3),
            }
        )
    )
    rows = [dict(zip([one["name"] for one in found["columns"]], row, strict=True)) for row in found["head"]]
    assert rows[0]["inf"] == "Infinity"
    assert column(found, "inf")["quantiles"][-1] == "Infinity"
    assert column(found, "inf")["histogram"]["counts"][0] == 1
    assert rows[0]["list"] == [1, 2]
    assert rows[0]["big"] == str(2**60)  # JSON readers have 53 bits
    assert rows[0]["bytes"] == "0x00ff"
    assert column(found, "null")["nulls"] == 1.0
    assert column(found, "dec")["nulls"] == 1.0
    assert rows[0]["far"] is not None


@pytest.mark.parametrize(
    "made", [pa.table({}), pd.DataFrame(), pl.DataFrame(), pa.table({"a": pa.array([], "int8")})]
)
def test_empty_tables_are_tables(shelf, made):
    found = shelf.shown(made, rows=5, offset=9)
    assert (found["kind"], found["rows"], found["head"], found["offset"]) == ("table", 0, [], 0)


def test_objects_in_cells_are_shown_without_their_classes(shelf):
    found = shelf.shown(pd.DataFrame({"o": [{"a": (1, 2)}, [1.5, None], "x"]}))
    assert [row[0] for row in found["head"]] == [{"a": [1, 2]}, [1.5, None], "x"]


def test_a_series_is_a_table_of_one_column(shelf):
    assert shelf.shown(pd.Series([1, 2, 3], name="s"))["columns"][0]["name"] == "s"
    assert shelf.shown(pl.Series("s", [1, 2]))["rows"] == 2


# ---------------------------------------------------------------------------- everything else


@dataclass
class Point:
    """A class of the user's, which no preview looks up."""

    x: float
    when: Any


def test_plain_data_is_shown_as_json_without_its_classes(shelf):
    value = {
        "point": Point(NAN, dt.datetime(2024, 5, 1, 12, tzinfo=dt.UTC)),
        "pairs": {(1, 2): {3}, None: b"ab"},
        "floats": [float(i) for i in range(20)],
        "np": np.float32(1.5),
        "stamp": pd.Timestamp("2024-01-01 05:00", tz="Europe/Berlin"),
    }
    found = shelf.shown(value)
    shown = found["value"]
    assert found["kind"] == "json"
    assert shown["point"]["x"] == "NaN"
    assert shown["point"]["when"].startswith("2024-05-01T12:00")
    assert shown["floats"] == [float(i) for i in range(20)]
    assert shown["np"] == 1.5
    assert shown["stamp"] == "2024-01-01T04:00:00"
    assert found["cut"] is False


def test_lists_of_records_are_tables(shelf):
    found = shelf.shown(
        [{"word": "a", "n": 3}, {"word": "b", "n": NAN}, {"word": "a", "is": True}], rows=2, offset=1
    )
    assert (found["kind"], found["rows"], found["offset"], found["sampled"]) == ("table", 3, 1, None)
    assert [one["name"] for one in found["columns"]] == ["n", "word", "is"]
    assert found["head"] == [["NaN", "b", None], [None, "a", True]]
    assert column(found, "n")["nulls"] == pytest.approx(2 / 3)
    assert column(found, "word")["top"] == [["a", 2], ["b", 1]]
    assert shelf.shown([{"a": [1]}])["kind"] == shelf.shown([{}])["kind"] == shelf.shown([])["kind"] == "json"


def test_long_values_are_cut_and_say_so(shelf):
    assert shelf.shown(list(range(20_000)))["cut"] is True
    assert len(shelf.shown(list(range(20_000)))["value"]) < 6_000
    assert shelf.shown(["x" * 100_000])["value"][0].endswith("…")
    text = shelf.shown("é" * 400_000)
    assert text["cut"] is True
    assert "\ufffd" not in text["text"]
    assert shelf.shown([str(i) * 50 for i in range(20_000)])["kind"] == "text"  # too long to be parsed


def test_charts_and_pages_are_told_by_what_they_say(shelf):
    chart = {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "mark": "bar",
        "data": {"values": []},
    }
    assert shelf.shown(chart) == {"kind": "vega", "spec": chart}
    page = shelf.value("<!DOCTYPE html><script>alert(1)</script>")
    found = preview(shelf.store, page)
    assert found["kind"] == "html"
    assert found["url"] == f"/raw/{page.digest}?codec=text"
    assert raw(shelf.store, page).type == "text/html"
    assert shelf.shown("just <b>text</b>")["kind"] == "text"


def test_arrays_say_their_shape_and_numbers(shelf):
    found = shelf.shown(np.arange(12.0).reshape(3, 4))
    assert (found["shape"], found["dtype"]) == ([3, 4], "float64")
    assert found["stats"]["min"] == 0.0
    assert found["stats"]["max"] == 11.0
    assert found["head"][1] == [4.0, 5.0, 6.0, 7.0]
    assert sum(found["histogram"]["counts"]) == 12
    assert shelf.shown(np.array([1.0, NAN]))["stats"]["nan"] == 0.5
    assert shelf.shown(np.array(["a", "b"]))["head"] == ["a", "b"]
    assert shelf.shown(np.zeros((0, 3)))["shape"] == [0, 3]
    assert shelf.shown(np.array(3.0))["head"] == 3.0
    assert shelf.shown(np.array([1 + 2j]))["stats"] == {}
    assert shelf.shown(np.array(["2024-01-01"], "M8[D]"))["head"] == ["2024-01-01"]
    assert shelf.shown(np.zeros(2, [("a", "i4"), ("b", "f8")]))["kind"] == "array"
    assert shelf.shown(np.ones(2_000_000))["stats"]["sampled"] == 1_000_000


def test_sparse_matrices_and_bundles_say_what_is_in_them(shelf):
    found = shelf.shown(sp.csr_matrix(np.eye(5)))
    assert (found["kind"], found["shape"], found["stats"]["stored"]) == ("array", [5, 5], 5)
    found = shelf.shown({"table": frame(8), "threshold": 0.5})
    assert found["value"]["threshold"] == 0.5
    assert found["value"]["table"].startswith("<arrow:pandas, ")


def test_models_say_their_parameters_and_features_without_being_made(shelf):
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    features = np.arange(40.0).reshape(20, 2)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.25)).fit(features, np.arange(20) % 2)
    found = shelf.shown(model)
    assert found["title"] == "Pipeline: StandardScaler → LogisticRegression"
    assert ["features", "2"] in found["facts"]
    assert ["fitted", "yes"] in found["facts"]
    assert ["logisticregression__C", "0.25"] in found["params"]
    assert ["standardscaler__with_mean", "True"] in found["params"]
    assert ["fitted", "no"] in shelf.shown(LogisticRegression())["facts"]


def test_pictures_are_told_by_their_first_bytes(shelf, tmp_path):
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib.figure import Figure

    figure = Figure()
    figure.add_subplot().plot([1, 2])
    made = shelf.value(figure)
    assert preview(shelf.store, made) == {
        "kind": "image",
        "type": "image/png",
        "url": f"/raw/{made.digest}?codec=png",
    }
    assert bytes(raw(shelf.store, made).data[1:4]) == b"PNG"
    heads = {"image/jpeg": b"\xff\xd8\xff\xe0", "image/gif": b"GIF89a", "image/webp": b"RIFF\0\0\0\0WEBP"}
    for kind, head in heads.items():
        assert preview(shelf.store, shelf.bytes(head + b"\0" * 20, "bytes"))["type"] == kind
        assert preview(shelf.store, shelf.file(tmp_path, "named.csv", head + b"\0" * 20))["type"] == kind
    assert (
        preview(shelf.store, shelf.file(tmp_path, "a.svg", b"<svg xmlns='x'></svg>"))["type"]
        == "image/svg+xml"
    )


def test_files_are_shown_as_what_they_are(shelf, tmp_path):
    def shown(name: str, data: bytes) -> dict[str, Any]:
        return preview(shelf.store, shelf.file(tmp_path, name, data))

    found = shown("a.csv", "\ufeffn;t;code\n1,5;x;007\n2,5;y;008\n".encode())
    assert [one["name"] for one in found["columns"]] == ["n", "t", "code"]
    found = shown("b.tsv", b"n\tt\n1\tx\n2.5\t\n3\tx\n")
    assert (column(found, "n")["type"], column(found, "n")["mean"]) == ("float", pytest.approx(6.5 / 3))
    assert column(found, "t")["nulls"] == pytest.approx(1 / 3)
    assert found["head"][1] == [2.5, None]
    assert shown("c.json", b'{"a": [1, NaN]}')["value"] == {"a": [1, "NaN"]}
    assert shown("d.json", b'{"a": ')["kind"] == "text"
    assert shown("e.md", b"# Title")["language"] == "markdown"
    assert shown("f.py", b"print(1)")["language"] == "python"
    assert shown("g.html", b"<p>")["kind"] == "html"
    assert shown("h.bin", bytes(range(256)))["hex"].startswith("000102")
    assert shown("i.txt", b"")["text"] == ""
    assert "PDF" in shown("j.pdf", b"%PDF-1.7 \n")["why"]
    header = json.dumps({"w": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}).encode()
    found = shown("k.safetensors", struct.pack("<Q", len(header)) + header + bytes(24))
    assert found["params"] == [["w", "F32 [2, 3]"]]
    assert ["parameters", "6"] in found["facts"]
    buffer = io.BytesIO()
    np.save(buffer, np.asfortranarray(np.arange(6).reshape(2, 3)))
    assert shown("l.npy", buffer.getvalue())["head"] == [[0, 1, 2], [3, 4, 5]]


def test_a_long_csv_shows_its_beginning_and_counts_the_rest(shelf, tmp_path):
    lines = [b"a,b"] + [b"%d,%s" % (i, b"x" * 40) for i in range(150_000)]
    found = preview(shelf.store, shelf.file(tmp_path, "long.csv", b"\n".join(lines)), rows=3)
    assert found["rows"] == 150_000
    assert 10_000 < found["sampled"] < 30_000
    assert found["head"][2][0] == 2


def test_compressed_tables_are_read_apart(shelf, tmp_path):
    table = pa.table({"n": list(range(5_000)), "t": ["a", "b"] * 2_500})
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=1_000)
    found = preview(shelf.store, shelf.value(tmp_path / "t.parquet"), rows=2, offset=4_000)
    assert (found["rows"], found["sampled"], found["head"][0]) == (5_000, None, [4_000, "a"])
    feather.write_feather(table, str(tmp_path / "t.feather"), compression="zstd")
    assert preview(shelf.store, shelf.value(tmp_path / "t.feather"))["columns"][0]["mean"] == 2499.5


def test_folders_and_lists_of_files_are_listed(shelf, tmp_path):
    folder = tmp_path / "out"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.txt").write_text("a")
    (folder / "deep" / "b.json").write_text('{"b": 1}')
    found = shelf.shown(folder)
    assert [one["name"] for one in found["files"]] == ["a.txt", "deep/b.json"]
    part = Artifact("deep/b.json", FILE, found["files"][1]["digest"], 8)
    assert preview(shelf.store, part)["value"] == {"b": 1}
    assert raw(shelf.store, part).type == "text/plain"
    assert [one["name"] for one in shelf.shown([folder / "a.txt"], "files")["files"]] == ["a.txt"]
    assert raw(shelf.store, shelf.value(folder)) is None


# ---------------------------------------------------------------------------- hostile


class Boom:
    """What writes a file when it is unpickled."""

    place = ""

    def __reduce__(self) -> Any:
        return (open, (self.place, "w"))


def zipped(entries: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return stream.getvalue()


@cache
def bomb(name: str) -> bytes:
    return zipped({name: b" " * 30_000_000})


def arrow_bytes(table: pa.Table) -> bytes:
    stream = io.BytesIO()
    with pa.ipc.new_file(stream, table.schema) as writer:
        writer.write_table(table)
    return stream.getvalue()


def hostile(place: str) -> dict[str, tuple[str, bytes]]:
    """Bytes that would do something, by what they are: the codec, or the name of a file, that they are kept under."""
    Boom.place = place
    boom = pickle.dumps(Boom())
    array = io.BytesIO()
    np.save(array, np.array([Boom()], dtype=object), allow_pickle=True)
    extension = pa.schema(
        [
            pa.field("x", pa.int64(), metadata={
                b"ARROW:extension:name": b"arrow.py_extension_type", b"ARROW:extension:metadata": boom,
            })
        ]
    )  # fmt: skip
    header = b"\x93NUMPY\x03\x00"
    node = {"__loader__": "ObjectNode", "__class__": "system", "__module__": "os", "content": {"content": {}}}
    calls = b"__import__('os').system('touch %s')" % place.encode()
    return {
        "pickle": ("pickle", boom),
        "pickle-as-text": ("text", boom),
        "pickle-as-json": ("json", boom),
        "pickle-as-bytes": ("bytes", boom),
        "pickle-file": (".pkl", boom),
        "pickle-named-csv": (".csv", boom),
        "torch": (".pt", zipped({"archive/data.pkl": boom})),
        "zip-of-pickle": (".zip", zipped({"archive/data.pkl": boom})),
        "objects": ("npy", array.getvalue()),
        "objects-file": (".npy", array.getvalue()),
        "header-runs": ("npy", header + struct.pack("<I", len(calls)) + calls),
        "header-long": ("npy", header + struct.pack("<I", 0xFFFFFFFF) + b"x" * 100),
        "header-deep": ("npy", header + struct.pack("<I", 60_000) + b"[" * 60_000),
        "shape-huge": ("npy", _npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1099511627776,), }")),
        "shape-product": ("npy", _npy("{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999, 99999999999), }")),
        "class-in-json": ("json", b'{"!data":["os:system",{"x":"id"}]}'),
        "enum-in-json": ("json", b'{"!enum":["antigravity:x","y"]}'),
        "deep-json": ("json", b"[" * 200_000),
        "deep-json-file": (".json", b"[" * 200_000 + b"]" * 200_000),
        "long-number": ("json", b"9" * 1_000_000),
        "fraction": ("json", b'{"!fraction":[1,0]}'),
        "skops-class": ("sklearn", zipped({"schema.json": json.dumps(node).encode()})),
        "skops-bomb": ("sklearn", bomb("schema.json")),
        "skops-cut": ("sklearn", zipped({"schema.json": b"{}"})[:-30]),
        "skops-not": ("sklearn", zipped({"other": b"{}"})),
        "zip-bomb": (".zip", bomb("bomb")),
        "extension": ("arrow", arrow_bytes(pa.table({"x": [1]}, schema=extension))),
        "extension-file": (".arrow", arrow_bytes(pa.table({"x": [1]}, schema=extension))),
        "arrow-cut": ("arrow:pandas", arrow_bytes(pa.table({"x": [1, 2, 3]}))[:-40]),
        "arrow-not": ("arrow", b"ARROW1\0\0" + b"\xff" * 200 + b"ARROW1"),
        "parquet-not": (".parquet", b"PAR1" + b"\xff" * 200 + b"PAR1"),
        "tensors-long": (".safetensors", struct.pack("<Q", 1 << 60) + b"{}"),
        "tensors-not": (".safetensors", struct.pack("<Q", 9) + b'{"a":123}' + bytes(100)),
        "csv-field": (".csv", b'a,b\n"' + b"x" * 9_000_000),
        "csv-columns": (".csv", b",".join([b"n"] * 200_000) + b"\n" + b",".join([b"1"] * 200_000)),
        "manifest-out": ("path", b'{"exec":false,"file":"../../x","part":"b3:00","size":1}'),
        "manifest-gone": ("path", b'{"exec":false,"file":"x","part":"b3:%s","size":1}' % (b"0" * 64)),
        "bundle-outside": ("bundle", _bundle(b'{"!part":0}', b'[["npy",-5,999999999]]')),
        "bundle-pickle": ("bundle", _bundle(b'{"!part":0}', b'[["pickle",0,10]]')),
        "files-outside": ("files", _bundle(b'{"!part":0}', b'[["path",-5,999999999]]')),
        "sparse-not": ("sparse", _bundle(b"[]", b"[]")),
        "unknown-codec": ("of-the-user", boom),
    }  # fmt: skip


def _npy(header: str) -> bytes:
    text = header.encode() + b"\n"
    return b"\x93NUMPY\x03\x00" + struct.pack("<I", len(text)) + text


def _bundle(frame: bytes, table: bytes) -> bytes:
    lengths = struct.pack("<QQ", len(frame), len(table))
    return b"STEPWELL BUNDLE 1\n" + frame + table + lengths + b"END BUNDLE 1\n"


RUNS = (
    "exec",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "pickle.find_class",
    "ctypes.dlopen",
    "socket.connect",
)
"""What Python says when code runs, by the names of its audit events."""

INSTALLED = (sys.prefix, sys.base_prefix, str(Path(stepwell.__file__).parent))
"""Where modules lie that may be imported to show something: what they are is not up to the bytes."""

_heard: list[str] = []
_listening: list[bool] = []


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    writes = event == "open" and isinstance(arguments[0], str) and set(str(arguments[1] or "")) & set("wax+")
    installed = event == "exec" and getattr(arguments[0], "co_filename", "").startswith(INSTALLED)
    if _listening and (writes or (event in RUNS and not installed)):
        _heard.append(f"{event} {arguments!r}"[:300])


sys.addaudithook(_hear)  # it stays for the life of the process, and hears only while a test listens


def test_nothing_in_hostile_bytes_runs_and_each_has_an_answer(shelf, tmp_path):
    place = tmp_path / "it-ran"
    corpus = hostile(str(place))
    kept = {}
    for name, (where, data) in corpus.items():
        kept[name] = shelf.file(tmp_path, f"x{where}", data) if where[0] == "." else shelf.bytes(data, where)
    for warm in (frame(4), np.ones(3), {"a": 1}, "text", sp.eye(2).tocsr()):
        shelf.shown(warm)  # the libraries are imported, so that no import of theirs is heard
    answers = {}
    _listening.append(True)
    try:
        for name, artifact in kept.items():
            answers[name] = preview(shelf.store, artifact)
            json.dumps(answers[name], allow_nan=False)
    finally:
        _listening.clear()
    assert not place.exists()
    assert _heard == []
    assert "antigravity" not in sys.modules
    nothing = {name: answer["why"] for name, answer in answers.items() if answer["kind"] == "none"}
    shown = {
        "bundle-outside",
        "bundle-pickle",
        "class-in-json",
        "csv-columns",
        "csv-field",
        "enum-in-json",
        "extension",
    }
    shown |= {
        "deep-json-file",
        "extension-file",
        "fraction",
        "pickle-as-text",
        "skops-class",
        "zip-bomb",
        "zip-of-pickle",
    }
    assert set(answers) - set(nothing) == shown
    for answer in answers.values():
        CONTRACT.validate(answer)
    assert all(len(why) > 10 for why in nothing.values())
    assert answers["fraction"]["value"] == "1/0"
    assert answers["zip-bomb"]["files"][0]["size"] == 30_000_000


def test_bombs_take_no_memory(shelf, tmp_path):
    bombs = [shelf.bytes(bomb("schema.json"), "sklearn"), shelf.bytes(b"9" * 1_000_000, "json")]
    tracemalloc.start()
    try:
        for artifact in bombs:
            preview(shelf.store, artifact)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 60 << 20


def test_bytes_that_are_gone_are_told_and_no_error(shelf):
    made = shelf.value(np.ones(100_000))
    shelf.store.blobs.path(made.digest).unlink()
    found = preview(shelf.store, made)
    assert found["kind"] == "none"
    assert "gone" in found["why"]


def test_rows_are_bounded_whatever_is_asked(shelf):
    table = frame(4_000)
    assert len(shelf.shown(table, rows=10**9)["head"]) == 1_000
    assert len(shelf.shown(table, rows=-5)["head"]) == 0
    assert shelf.shown(table, offset=-5, rows=1)["offset"] == 0
    assert shelf.shown(table, offset=10**12, rows=5)["offset"] == 3_999
