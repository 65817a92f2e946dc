"""The columns of a source from the beginning of its file: those that the reader then gives, or no answer at all."""

from __future__ import annotations

import gzip

import pytest

from stepwell.codecs.columns import Columns
from stepwell.sources.memo import Memory
from stepwell.sources.pin import pin
from stepwell.sources.read import load
from stepwell.sources.schema import UNKNOWN, schema

CSV = "a,b,c\n1,x,2026-01-01\n2,y,\n"
FRAME, POLARS, ARROW = "pandas.DataFrame", "polars.DataFrame", "pyarrow.Table"


@pytest.fixture
def look(tmp_path):
    memo = Memory()

    def look(name, kind, **options):
        return schema(name, kind, options, pin(name, root=tmp_path, memo=memo), memo)

    return look


def read(folder, name, kind, **options):
    """The columns that the reader gives."""
    value = load(name, kind, options, root=folder, files=pin(name, root=folder, memo=Memory()).files)
    return list(getattr(value, "column_names", None) or value.columns)


@pytest.mark.parametrize(
    ("name", "data", "kind", "options"),
    [
        ("x.csv", CSV, FRAME, {}),
        ("x.csv", CSV, POLARS, {}),
        ("x.csv", CSV, ARROW, {}),
        ("x.csv", "\ufeff" + CSV, FRAME, {}),
        ("x.tsv", CSV.replace(",", "\t"), FRAME, {}),
        ("x.tsv", CSV.replace(",", "\t"), POLARS, {}),
        ("x.csv", CSV.replace(",", ";"), FRAME, {"sep": ";"}),
        ("x.csv", CSV.replace(",", ";"), POLARS, {"separator": ";"}),
        ("x.csv", CSV.replace(",", ";"), ARROW, {"delimiter": ";"}),
        ("x.csv", "note\n" + CSV, FRAME, {"skiprows": 1}),
        ("x.csv", CSV, FRAME, {"usecols": ["a", "c"]}),
        ("x.csv", CSV, POLARS, {"columns": ["a", "c"]}),
        ("x.csv", CSV, ARROW, {"include_columns": ["c", "a"]}),
        ("x.csv", CSV, FRAME, {"names": ["p", "q", "r"]}),
        ("x.csv", CSV, FRAME, {"dtype": "str"}),
        ("x.csv", CSV, FRAME, {"parse_dates": ["c"]}),
        ("x.txt", CSV, FRAME, {}),
        ("x.data", CSV, FRAME, {"format": "csv"}),
        ("x.csv", 'a,"b, or c"\n1,"x\ny"\n', FRAME, {}),
        ("x.jsonl", '{"a": 1, "b": "x"}\n{"a": 2, "c": true}\n', FRAME, {}),
        ("x.csv", "a,b\n", FRAME, {}),
    ],
)
def test_the_columns_are_those_that_the_reader_gives(tmp_path, look, name, data, kind, options):
    pytest.importorskip(kind.partition(".")[0])
    (tmp_path / name).write_text(data, "utf-8")
    found = look(name, kind, **options)
    assert found.complete
    assert sorted(found.columns) == sorted(read(tmp_path, name, kind, **options))


@pytest.mark.parametrize(
    ("name", "data", "kind", "options"),
    [
        ("x.csv", CSV, FRAME, {"index_col": "a"}),
        ("x.csv", CSV, FRAME, {"header": None}),
        ("x.csv", CSV, FRAME, {"usecols": [0]}),
        ("x.csv", CSV, FRAME, {"sep": r"\s+"}),
        ("x.csv", CSV, FRAME, {"skiprows": [1]}),
        ("x.csv", "a,a\n1,2\n", FRAME, {}),
        ("x.csv", CSV, FRAME, {"anything": 1}),
        ("x.json", '[{"a": 1}]', FRAME, {}),
        ("x.jsonl", "[1]\n", FRAME, {}),
        ("x.jsonl", "{broken\n", FRAME, {}),
        ("x.parquet", "no parquet at all", FRAME, {}),
        ("x.csv", CSV, "numpy.ndarray", {}),
        ("x.csv", CSV, "", {}),
    ],
)
def test_no_answer_rather_than_a_wrong_one(tmp_path, look, name, data, kind, options):
    (tmp_path / name).write_text(data, "utf-8")
    assert look(name, kind, **options) == UNKNOWN


def test_packed_files_and_globs(tmp_path, look):
    with gzip.open(tmp_path / "a.csv.gz", "wt") as file:
        file.write(CSV)
    assert list(look("a.csv.gz", FRAME).columns) == ["a", "b", "c"]
    (tmp_path / "p1.csv").write_text("a,b\n1,2\n")
    (tmp_path / "p2.csv").write_text("a,c\n1,x\n")
    assert look("p*.csv", FRAME).columns == {"a": "", "b": "", "c": "text"}


@pytest.mark.parametrize("name", ["x.parquet", "x.feather"])
def test_binary_files_say_it_themselves(tmp_path, look, name):
    pd, _ = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    frame = pd.DataFrame({"a": [1], "b": ["x"], "c": [0.5], "d": pd.to_datetime(["2026-01-01"])})
    getattr(frame, "to_parquet" if name == "x.parquet" else "to_feather")(tmp_path / name)
    assert Columns.of(look(name, FRAME).columns) == Columns(a=int, b=str, c=float, d="datetime64[ns]")


def test_an_index_is_no_column_for_pandas(tmp_path, look):
    pd, _ = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    pd.DataFrame({"a": [1], "b": [2]}).set_index("a").to_parquet(tmp_path / "x.parquet")
    assert list(look("x.parquet", FRAME).columns) == ["b"] == read(tmp_path, "x.parquet", FRAME)
    assert list(look("x.parquet", ARROW).columns) == ["b", "a"] == read(tmp_path, "x.parquet", ARROW)


def test_many_lines_are_not_all_looked_at(tmp_path, look):
    (tmp_path / "x.jsonl").write_text('{"a": 1}\n' * 500 + '{"b": 1}\n')
    found = look("x.jsonl", FRAME)
    assert (list(found.columns), found.complete) == (["a"], False)


def test_what_was_found_is_kept_by_content(tmp_path):
    (tmp_path / "x.csv").write_text(CSV)
    memo = Memory()
    pinned = pin("x.csv", root=tmp_path, memo=memo)
    first = schema("x.csv", FRAME, {}, pinned, memo)
    (tmp_path / "x.csv").unlink()
    assert schema("x.csv", FRAME, {}, pinned, memo) == first
    assert schema("x.csv", FRAME, {"sep": ";"}, pinned, memo) == UNKNOWN
