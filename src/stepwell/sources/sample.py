"""Small, deterministic samples of sources, as files of the same names: what ghost runs read in place of the real ones.

    made = sample("data/flights.csv", root=root, rows=100, into=folder, shelf=shelf)
    made.uri      a source's address, read by the same reader with the same options
    made.whole    files that could not be made smaller, and stand there as they are

Of tables (CSV and its like, JSON lines, Parquet, Arrow), lines of text and `.npy` arrays some `rows` rows,
spread evenly over the file, the first one always among them (of a text the first line, which may be
a header, and not beyond its first 256 MB); of folders and globs some files, spread over their names,
each sampled by its kind. Of another file that is read as `bytes` the first 64 KiB; one of at most as much
is taken whole. A sample is kept under what
its files looked like, so that the next ghost run has it at once.
"""

from __future__ import annotations

import os
import shutil
from _blake2 import blake2b  # as `hashlib` has it, which loads OpenSSL first
from collections.abc import Callable, Iterator
from pathlib import Path
from time import time_ns
from typing import IO, Any, NamedTuple

from stepwell.errors import BadSource
from stepwell.sources import web
from stepwell.sources.address import is_glob, parse
from stepwell.sources.files import Found, find, place_of
from stepwell.sources.memo import Memo
from stepwell.sources.packing import File, packed, packing_of
from stepwell.sources.web import Shelf

SMALL = 64 << 10
"""Bytes of a file that is small enough as it is."""

FARTHEST = 256 << 20
"""Bytes of a text that are looked at."""

GROUPS = 10
"""Parts of a table (row groups, batches) that rows are taken from."""

MOST = 20
"""Files of a folder that a sample has at most."""

LINES = (".csv", ".tsv", ".tab", ".psv", ".txt", ".jsonl", ".ndjson", ".log", ".md", ".fasta", ".vcf", ".bed")
QUOTING = (".csv", ".tsv", ".tab", ".psv")
"""Formats whose quoted fields may hold line breaks."""

Own = Callable[[Path, int, Path], object]
"""A source's own `sample=`: called with the real file or folder, the rows wanted, and the path to write to."""


class Sample(NamedTuple):
    """A sample of a source: its address, and the names of files in it that are whole because nothing cuts them."""

    uri: str
    whole: tuple[str, ...] = ()


def sample(
    uri: str,
    *,
    root: str | os.PathLike[str],
    rows: int,
    into: Path,
    memo: Memo,
    shelf: Shelf,
    own: Own | None = None,
    as_bytes: bool = False,
) -> Sample:
    """Make a sample of a source below `into`, or find the one that is there. `as_bytes`: that is how it is read.

    Web addresses are fetched to `shelf` if they are not there yet. Raises what looking at a source
    raises (`MissingSource`, ...), and `BadSource` where `own` raises or writes nothing.
    """
    address = parse(uri)
    if address.kind == "web":
        found = web.pinned(address, memo, shelf, time_ns())[0].found
    else:
        found = find(place_of(address, root))
    folder = into / _stamp(found, rows, own, as_bytes=as_bytes)
    told = folder / "whole"
    if not told.is_file():
        beside = folder.with_name(f"{folder.name}.{os.getpid()}")
        shutil.rmtree(beside, ignore_errors=True)
        (beside / "data").mkdir(parents=True)
        data = beside / "data"
        uncut = _cut(found, rows, data, as_bytes) if own is None else _own(own, found, rows, data)
        (beside / "whole").write_text("\n".join(uncut), "utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        beside.rename(folder)
    whole = told.read_text("utf-8")
    return Sample(_address(found, address.path, folder / "data"), tuple(whole.splitlines()))


def _stamp(found: Found, rows: int, own: Own | None, *, as_bytes: bool) -> str:
    """A name for a sample: what its files look like from outside, and how it is made."""
    by = "" if own is None else f"{own.__module__}:{own.__qualname__}"
    text = "\0".join([found.place, str(rows), by, str(as_bytes), *found.names]).encode(
        "utf-8", "surrogatepass"
    )
    return blake2b(text + found.stats.tobytes(), digest_size=12).hexdigest()


def _address(found: Found, path: str, data: Path) -> str:
    """The address of the sample: a file, a folder, or the same pattern below it."""
    if found.one:
        return str(data / found.names[0])
    if found.folder:
        return str(data)
    parts = [part for part in path.split("/") if part not in ("", ".")]
    fixed = next(i for i, part in enumerate(parts) if is_glob(part))
    return str(data.joinpath(*parts[fixed:]))


def _own(own: Own, found: Found, rows: int, data: Path) -> list[str]:
    real = Path(found.paths[0]) if found.one else Path(found.folder or os.path.dirname(found.paths[0]))
    out = data / found.names[0] if found.one else data
    told = f"`sample={own.__qualname__}` of `{found.place}`"
    try:
        own(real, rows, out)
    except Exception as error:  # it is the user's code
        raise BadSource(
            f"{told} raised {type(error).__name__}: {error}",
            why="a ghost run calls it with the real file, the rows wanted and the path to write to",
            fixes=["correct it", "or leave it away: what Stepwell cannot sample is read whole"],
        ) from error
    if not out.exists():
        raise BadSource(
            f"{told} wrote no file",
            why=f"it was to write `{out.name}`",
            fixes=["write to its third argument"],
        )
    return []


def _cut(found: Found, rows: int, data: Path, as_bytes: bool) -> list[str]:
    """Cut some of the files; gives the names of those that could not be cut."""
    whole = []
    for i in _spread(len(found.paths), MOST):
        out = data / found.names[i]
        out.parent.mkdir(parents=True, exist_ok=True)
        if not _cut_file(Path(found.paths[i]), rows, out, as_bytes):
            out.symlink_to(found.paths[i])
            whole.append(found.names[i])
    return whole


def _cut_file(path: Path, rows: int, out: Path, as_bytes: bool) -> bool:
    """Write the sample of one file; False where nothing here can make it smaller."""
    packing = packing_of(path.name)
    form = Path(path.name.removesuffix(packing)).suffix.lower()
    if path.stat().st_size <= SMALL and form not in (*LINES, ".parquet", ".npy"):
        shutil.copyfile(path, out)
        return True
    try:
        if form in LINES:
            with File(path, form, packing).open() as source, packed(out, packing) as target:
                target.writelines(_some_lines(source, rows, quotes=form in QUOTING))
        elif form in (".parquet", ".arrow", ".feather", ".ipc") and not packing:
            _cut_table(path, form, rows, out)
        elif form == ".npy" and not packing:
            _cut_array(path, rows, out)
        elif as_bytes and not packing:
            with path.open("rb") as source:
                out.write_bytes(source.read(SMALL))
        else:
            return False
    except Exception:  # a library's refusal, or a file that is not what its name says: it is taken whole  # noqa: BLE001
        out.unlink(missing_ok=True)
        return False
    return True


def _some_lines(source: IO[bytes], count: int, *, quotes: bool) -> list[bytes]:
    """The first line and `count` others, evenly spread, in one pass: whenever there are twice too many, every other goes."""
    lines = _lines(source, quotes=quotes)
    header = next(lines, b"")
    kept: list[bytes] = []
    stride, seen = 1, len(header)
    for number, line in enumerate(lines):
        seen += len(line)
        if number % stride == 0:
            kept.append(line)
            if len(kept) > 2 * count:
                kept = kept[::2]
                stride *= 2
        if seen > FARTHEST:
            break
    return [header, *[kept[i] for i in _spread(len(kept), count)]]


def _lines(source: IO[bytes], *, quotes: bool) -> Iterator[bytes]:
    """The lines; one whose quotes are open goes on in the next line."""
    for line in source:
        record = line
        while quotes and record.count(b'"') % 2:
            more = source.readline()
            if not more:
                break
            record += more
        yield record


def _spread(length: int, count: int) -> list[int]:
    """At most `count` positions below `length`, evenly spread, 0 among them."""
    count = min(length, count)
    return [i * length // count for i in range(count)]


def _cut_table(path: Path, form: str, rows: int, out: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    if form == ".parquet":
        file = parquet.ParquetFile(path)
        groups = [file.read_row_group(i) for i in _spread(file.num_row_groups, GROUPS)]
        schema = file.schema_arrow
    else:
        reader: Any = pa.ipc.open_file(pa.memory_map(str(path)))
        batches = [reader.get_batch(i) for i in _spread(reader.num_record_batches, GROUPS)]
        groups, schema = [pa.Table.from_batches([batch]) for batch in batches], reader.schema
    each = -(-rows // max(1, len(groups)))
    some = [group.take(_spread(len(group), each)) for group in groups]
    table = pa.concat_tables([schema.empty_table(), *some]).slice(0, rows)
    if form == ".parquet":
        parquet.write_table(table, out)
    else:
        with pa.OSFile(str(out), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)


def _cut_array(path: Path, rows: int, out: Path) -> None:
    import numpy as np

    array = np.load(path, mmap_mode="r", allow_pickle=False)
    np.save(out, array[_spread(len(array), rows)] if array.ndim else array)
