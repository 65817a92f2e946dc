"""Files, globs and folders, frozen: copied into the store by digest; of those that grow the part between two dates.

Which part of a folder is meant is said by the dates in the names of its files (`2026-07-03`, `20260703`, `2026/07/03`,
`year=2026/month=7/day=3`), or, with `by`, by a column of its tables: then rows are chosen, file by file, and files
of which no row is left do not count. The time of change of a file is never asked: copies have another one.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from stepwell.dist.freezing import Frozen, Wanted, moment_of, refuse_span
from stepwell.errors import CannotFreeze, MissingExtra
from stepwell.sources.absent import unreadable
from stepwell.sources.address import parse, printable, shown
from stepwell.sources.content import listing, refuse_empty
from stepwell.sources.files import Found, find, place_of
from stepwell.sources.kept import BLOCK, Shelf, receive
from stepwell.sources.packing import File, packing_of

_DATE = re.compile(
    r"(?<!\d)(?:year=)?(?P<year>(?:19|20)\d\d)(?P<mark>[-_./]|/?)(?:month=)?(?P<month>0?[1-9]|1[0-2])"
    r"(?:(?P=mark)(?:day=)?(?P<day>0?[1-9]|[12]\d|3[01]))?(?!\d)"
)

_TEXTS = {".csv": ",", ".tsv": "\t", ".tab": "\t", ".psv": "|"}
"""Separators by suffix."""

_SEPARATORS = ("sep", "delimiter", "separator")


class Files:
    """Files of this machine, as they are now."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted

    def materialise(self, shelf: Shelf) -> Frozen:
        """Copy them. Raises what looking at sources raises, `CannotFreeze`, and what goes wrong with the store."""
        wanted = self._wanted
        found = find(place_of(parse(wanted.uri), wanted.root))
        refuse_empty(found)
        if found.loops:
            raise CannotFreeze(
                f"`{found.text}` has a link that leads back to itself: `{printable(found.loops[0][0])}`",
                why="what is kept are files, and it would have no end",
                fixes=["remove the link, or name the files: data/**/*.parquet"],
            )
        position = {"kind": "files", **wanted.span}
        if found.one:
            if wanted.span and not wanted.by:
                refuse_span(wanted, "it is a single file, and `freeze.by` names no column of it")
            digest, size = receive(self._blocks(Path(found.paths[0])), shelf)
            refuse_none(size, wanted)
            return Frozen(digest, size, position)
        return self._many(found, shelf, position)

    def _many(self, found: Found, shelf: Shelf, position: dict[str, str]) -> Frozen:
        wanted, files, total = self._wanted, {}, 0
        names = dict(zip(found.names, found.paths, strict=True))
        for name in self._within(found) if not wanted.by else names:
            digest, size = receive(self._blocks(Path(names[name])), shelf)
            if size or not wanted.by:
                files[name], total = digest, total + size
        refuse_none(total, wanted)
        digests = [bytes.fromhex(files[name][3:]) for name in sorted(files)]
        empty = () if wanted.span else found.empty
        digest, _ = receive([listing(sorted(files), digests, empty=empty)], shelf)
        return Frozen(digest, total, position, files)

    def _within(self, found: Found) -> list[str]:
        """The files whose names say a date within the span. Raises `CannotFreeze` for one that says none."""
        wanted = self._wanted
        if not wanted.span:
            return list(found.names)
        refuse_undated(found.names, found.text)
        return [name for name in found.names if is_within(name, wanted)]

    def _blocks(self, path: Path) -> Iterator[bytes]:
        """The bytes of a file, or of the rows of it that are meant."""
        try:
            yield from self._chosen(path)
        except OSError as error:
            raise unreadable(shown(self._wanted.uri), str(path), error) from None
        except (UnicodeDecodeError, csv.Error) as error:
            raise CannotFreeze(
                f"rows of `{printable(path.name)}` cannot be chosen by `{self._wanted.by}`",
                why=f"it cannot be read as text in UTF-8 with columns: {error}",
            ) from None

    def _chosen(self, path: Path) -> Iterator[bytes]:
        if not self._wanted.by:
            return _read(path)
        suffix, packing = path.suffix.lower(), packing_of(path.name.lower())
        if packing or suffix not in (*_TEXTS, ".parquet", ".pq"):
            raise CannotFreeze(
                f"rows of `{printable(path.name)}` cannot be chosen by `{self._wanted.by}`",
                why=f"that is possible in Parquet and in {' '.join(_TEXTS)}, unpacked",
                fixes=["without `by` whole files are chosen by the dates in their names"],
            )
        return self._rows_of_text(path, suffix) if suffix in _TEXTS else self._rows_of_parquet(path)

    def _rows_of_text(self, path: Path, suffix: str) -> Iterator[bytes]:
        """The records whose column lies within the span, in their very bytes, below the header; nothing where there are none."""
        wanted = self._wanted
        said = (str(wanted.options[name]) for name in _SEPARATORS if name in wanted.options)
        with File(path, suffix, "").open() as binary, io.TextIOWrapper(binary, "utf-8", newline="") as text:
            lines: list[str] = []
            rows = csv.reader(_noted(text, lines), delimiter=next(said, _TEXTS[suffix]))
            header = next(rows, [])
            if wanted.by not in header:
                raise _no_column(wanted, path, header)
            at, began = header.index(wanted.by), "".join(lines)
            lines.clear()
            for row in rows:
                if len(row) > at and _lies_within(self._moment(row[at], path), wanted):
                    yield f"{began}{''.join(lines)}".encode()
                    began = ""
                lines.clear()

    def _rows_of_parquet(self, path: Path) -> Iterator[bytes]:
        try:
            import pyarrow as pa
            from pyarrow import parquet
        except ImportError:
            raise MissingExtra(
                "rows of Parquet are chosen with pyarrow, which is not installed",
                fixes=['pip install "stepwell[arrow]"'],
            ) from None
        from stepwell.dist.freezing.parquet import canonical

        wanted, table = self._wanted, parquet.read_table(str(path))
        if wanted.by not in table.column_names:
            raise _no_column(wanted, path, table.column_names)
        values = table.column(wanted.by).to_pylist()
        mask = [value is not None and _lies_within(self._moment(value, path), wanted) for value in values]
        if any(mask):
            yield canonical(table.filter(pa.array(mask)))

    def _moment(self, value: Any, path: Path) -> datetime:
        if isinstance(value, datetime):
            return value if value.tzinfo else value.replace(tzinfo=UTC)
        if isinstance(value, date):
            return datetime(value.year, value.month, value.day, tzinfo=UTC)
        try:
            return moment_of(str(value))
        except ValueError:
            raise CannotFreeze(
                f"`{self._wanted.by}` of `{printable(path.name)}` holds `{printable(str(value)[:40])}`, which is no date",
                why="`freeze.by` names the column that says when",
                fixes=["dates as 2026-07-01, or with a time: 2026-07-01T12:00:00Z"],
            ) from None


def date_in(name: str) -> datetime | None:
    """The last date that a relative name says, at its beginning in UTC; None where it says none.

    >>> date_in("events/2026-07-03.csv")
    datetime.datetime(2026, 7, 3, 0, 0, tzinfo=datetime.timezone.utc)
    """
    for found in reversed(list(_DATE.finditer(name))):
        try:
            return datetime(int(found["year"]), int(found["month"]), int(found["day"] or 1), tzinfo=UTC)
        except ValueError:
            continue
    return None


def refuse_undated(names: Sequence[str], where: str) -> None:
    """Raises `CannotFreeze` for a name that says no date."""
    undated = [name for name in names if date_in(name) is None]
    if undated:
        raise CannotFreeze(
            f"`{printable(undated[0])}` of `{where}` says no date in its name",
            why="which files belong to the span of `freeze` is told by the dates in their names; "
            "when a file was written is another thing, and changes when it is copied",
            fixes=['freeze.by = "COLUMN" chooses rows', "a glob that matches only files with a date"],
        )


def is_within(name: str, wanted: Wanted) -> bool:
    """Whether the date in a name lies within the span."""
    moment = date_in(name)
    return moment is not None and _lies_within(moment, wanted)


def _lies_within(moment: datetime, wanted: Wanted) -> bool:
    after = not wanted.start or moment >= moment_of(wanted.start)
    return after and (not wanted.until or moment < moment_of(wanted.until))


def _noted(text: Any, lines: list[str]) -> Iterator[str]:
    """The lines of a text, which are also put into `lines`."""
    for line in text:
        lines.append(line)
        yield line


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb", buffering=0) as file:
        while data := file.read(BLOCK):
            yield data


def refuse_none(size: int, wanted: Wanted) -> None:
    """Raises `CannotFreeze` where nothing is left."""
    if not size:
        raise CannotFreeze(
            f"nothing of `{shown(wanted.uri)}` lies within the span of `freeze`",
            why=", ".join(f"{name} {text}" for name, text in wanted.span.items()) or "it is empty",
            fixes=["another span: `from` is included, `until` is not"],
        )


def _no_column(wanted: Wanted, path: Path, columns: list[str]) -> CannotFreeze:
    from stepwell.errors import nearest

    near = nearest(wanted.by, columns)
    return CannotFreeze(
        f"`{printable(path.name)}` has no column `{wanted.by}`",
        why=f"it has {', '.join(columns[:12])}",
        fixes=[f'did you mean freeze.by = "{near}"?'] if near else [],
    )
