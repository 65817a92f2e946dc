"""Samples of sources: small, the same every time, readable by the same reader, and honest about what is whole."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import os
import zipfile
from pathlib import Path

import pytest

from stepwell.errors import MissingSource
from stepwell.sources.sample import sample

PACK = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}


def table(rows):
    return "a,b\n" + "".join(f"{n},x{n}\n" for n in range(rows))


@pytest.fixture
def take(tmp_path, memo, shelf):
    """Sample a source of a project; gives its address and the names of what is whole."""
    root = tmp_path / "project"
    root.mkdir()

    def take(uri, rows=10, own=None, as_bytes=False):
        return sample(
            uri,
            root=root,
            rows=rows,
            into=tmp_path / "samples",
            memo=memo,
            shelf=shelf,
            own=own,
            as_bytes=as_bytes,
        )

    take.root = root
    return take


def put(take, name, data):
    path = take.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def test_rows_of_a_table_are_spread_and_the_header_stays(take):
    put(take, "t.csv", table(100_000))
    made = take("t.csv")
    assert made.whole == ()
    rows = list(csv.reader(io.StringIO(Path(made.uri).read_text())))
    assert made.uri.endswith("/t.csv")
    assert rows[0] == ["a", "b"]
    numbers = [int(row[0]) for row in rows[1:]]
    assert len(numbers) == 10
    assert numbers == sorted(numbers)
    assert numbers[0] == 0
    assert numbers[-1] > 60_000


def test_a_table_with_fewer_rows_is_whole(take):
    put(take, "t.csv", table(4))
    assert Path(take("t.csv").uri).read_text() == table(4)


@pytest.mark.parametrize("text", ["", "\n", "a,b", "a,b\n", "a,b\n1,2", "a,b\r\n1,2\r\n"])
def test_edges_of_texts(take, text):
    put(take, "t.csv", text)
    assert Path(take("t.csv").uri).read_bytes().decode() == text


def test_fields_with_line_breaks_stay_together(take):
    text = "a,b\n" + "".join(f'{n},"one ""quoted""\nline, {n}\n\n"\n' for n in range(50_000))
    put(take, "t.csv", text)
    rows = list(csv.reader(io.StringIO(Path(take("t.csv").uri).read_bytes().decode(), newline="")))
    assert len(rows) == 11
    assert all(row[1] == f'one "quoted"\nline, {row[0]}\n\n' for row in rows[1:])


def test_a_quote_that_is_never_closed(take):
    put(take, "t.csv", "a,b\n" + '1,"x\n' + "2,y\n" * 50_000)
    made = take("t.csv")
    assert os.path.getsize(made.uri) <= os.path.getsize(take.root / "t.csv")


@pytest.mark.parametrize("ending", PACK)
def test_packed_tables_stay_packed(take, ending):
    put(take, f"t.csv{ending}", PACK[ending](table(100_000).encode()))
    made = take(f"t.csv{ending}")
    assert made.whole == ()
    opened = {".gz": gzip, ".bz2": bz2, ".xz": lzma}[ending].open(made.uri, "rt")
    assert len(opened.read().splitlines()) == 11


def test_a_zip_of_one_table(take):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("t.csv", table(100_000))
    put(take, "t.csv.zip", buffer.getvalue())
    made = take("t.csv.zip")
    assert made.whole == ()
    with zipfile.ZipFile(made.uri) as archive:
        assert archive.namelist() == ["t.csv"]
        assert len(archive.read("t.csv").splitlines()) == 11


@pytest.mark.parametrize("name", ["t.jsonl", "t.ndjson", "t.txt", "t.log"])
def test_lines(take, name):
    put(take, name, "".join(json.dumps({"n": n, "text": 'say "'}) + "\n" for n in range(50_000)))
    lines = Path(take(name).uri).read_text().splitlines()
    assert len(lines) == 11
    assert json.loads(lines[0])["n"] == 0


def test_parquet_with_many_row_groups(take):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    path = take.root / "t.parquet"
    parquet.write_table(pa.table({"n": list(range(10_000)), "s": ["x"] * 10_000}), path, row_group_size=100)
    made = take("t.parquet", rows=50)
    found = parquet.read_table(made.uri)
    assert found.schema == parquet.read_schema(path)
    numbers = found["n"].to_pylist()
    assert len(numbers) == 50
    assert numbers == sorted(numbers)
    assert numbers[-1] > 8000
    assert parquet.read_table(take("t.parquet", rows=3).uri).num_rows == 3


@pytest.mark.parametrize("count", [0, 1])
def test_parquet_with_few_rows(take, count):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(pa.table({"n": pa.array([1] * count, pa.int8())}), take.root / "t.parquet")
    found = parquet.read_table(take("t.parquet").uri)
    assert (found.num_rows, found.schema.field("n").type) == (count, pa.int8())


def test_arrow_files(take):
    pa = pytest.importorskip("pyarrow")
    batch = pa.table({"n": list(range(200_000))})
    with pa.OSFile(str(take.root / "t.arrow"), "wb") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
        writer.write_table(batch, max_chunksize=10_000)
    made = take("t.arrow", rows=20)
    assert made.whole == ()
    with pa.memory_map(made.uri) as source:
        assert pa.ipc.open_file(source).read_all().num_rows == 20


def test_arrays(take):
    np = pytest.importorskip("numpy")
    np.save(take.root / "a.npy", np.arange(300_000).reshape(100_000, 3))
    found = np.load(take("a.npy").uri)
    assert found.shape == (10, 3)
    assert found[0, 0] == 0
    np.save(take.root / "one.npy", np.float64(3))
    assert np.load(take("one.npy").uri) == 3
    np.save(take.root / "none.npy", np.zeros((0, 3)))
    assert np.load(take("none.npy").uri).shape == (0, 3)
    np.save(take.root / "any.npy", np.array([{}] * 9000, dtype=object), allow_pickle=True)
    assert take("any.npy").whole == ("any.npy",)


def test_what_nothing_here_can_cut_is_whole_and_told(take):
    put(take, "large.bin", os.urandom(100_000))
    made = take("large.bin")
    assert made.whole == ("large.bin",)
    assert Path(made.uri).read_bytes() == (take.root / "large.bin").read_bytes()
    put(take, "small.bin", b"x" * 100)
    assert take("small.bin").whole == ()


def test_what_is_read_as_bytes_is_cut_behind_the_first_64_kib(take):
    data = os.urandom(100_000)
    put(take, "large.bin", data)
    assert take("large.bin").whole == ("large.bin",)
    made = take("large.bin", as_bytes=True)
    assert made.whole == ()
    assert Path(made.uri).read_bytes() == data[: 64 << 10]
    put(take, "t.csv", table(1000))
    assert Path(take("t.csv", as_bytes=True).uri).read_bytes().startswith(b"a,b\n0,x0\n"), (
        "rows, where there are rows"
    )


@pytest.mark.parametrize("name", ["t.csv.gz", "t.parquet", "a.npy", "t.csv.zip", "t.arrow"])
def test_what_is_not_what_its_name_says_is_whole_and_told(take, name):
    put(take, name, os.urandom(100_000))
    made = take(name)
    assert made.whole == (name,)
    assert Path(made.uri).read_bytes() == (take.root / name).read_bytes()


def test_folders_and_globs_give_some_of_their_files(take):
    for n in range(200):
        put(take, f"parts/{n // 100}/{n:03}.csv", table(3))
    put(take, "parts/large.bin", os.urandom(70_000))
    folder = take("parts")
    files = sorted(
        os.path.relpath(os.path.join(at, name), folder.uri)
        for at, _, names in os.walk(folder.uri)
        for name in names
    )
    assert len(files) == 20
    assert files[0] == "0/000.csv"
    assert any(name.startswith("1/") for name in files)
    matched = take("parts/*/*.csv")
    import glob

    assert len(glob.glob(matched.uri)) == 20
    assert len(glob.glob(take("parts/0/*.csv").uri)) == 20
    deep = take("parts/**/*.csv")
    assert len(glob.glob(deep.uri, recursive=True)) == 20


def test_a_package_source(take):
    made = take("package://certifi/cacert.pem") if _has("certifi") else take("package://pytest/py.typed")
    assert os.path.exists(made.uri)


def _has(name):
    from importlib.util import find_spec

    return find_spec(name) is not None


def test_a_web_source(take, site):
    url = site.give("/t.csv?version=1", table(50_000).encode())
    made = take(url)
    assert made.uri.endswith("/t.csv")
    assert len(Path(made.uri).read_text().splitlines()) == 11
    again = take(url)
    assert again == made
    assert len(site.asked) == 1


def test_a_function_of_its_own(take):
    asked = []

    def own(path, rows, out):
        asked.append((path, rows, out))
        out.write_bytes(path.read_bytes()[:rows])

    put(take, "genome.2bit", os.urandom(100_000))
    made = take("genome.2bit", rows=7, own=own)
    assert made.whole == ()
    assert os.path.getsize(made.uri) == 7
    assert take("genome.2bit", rows=7, own=own) == made
    assert len(asked) == 1
    assert take("genome.2bit", rows=8, own=own) != made


def test_a_function_of_its_own_for_a_folder(take):
    put(take, "zarr/0/c", b"x")
    put(take, "zarr/1/c", b"y")

    def own(path, rows, out):
        (out / "0").mkdir()
        (out / "0" / "c").write_bytes((path / "0" / "c").read_bytes())

    made = take("zarr", own=own)
    assert os.listdir(made.uri) == ["0"]


def test_the_same_every_time_and_another_when_the_file_is(take, tmp_path):
    path = put(take, "t.csv", table(50_000))
    first = take("t.csv")
    text = Path(first.uri).read_text()
    import shutil

    shutil.rmtree(tmp_path / "samples")
    assert take("t.csv") == first
    assert Path(first.uri).read_text() == text
    path.write_text(table(50_001))
    assert take("t.csv") != first
    assert take("t.csv", rows=5) != take("t.csv", rows=6)


def test_a_source_that_is_not_there(take):
    with pytest.raises(MissingSource):
        take("none.csv")


def test_the_real_file_is_left_alone(take):
    path = put(take, "large.bin", os.urandom(100_000))
    before = path.stat().st_mtime_ns, path.read_bytes()
    take("large.bin")
    take("large.bin", rows=3)
    assert (path.stat().st_mtime_ns, path.read_bytes()) == before
