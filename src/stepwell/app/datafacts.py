"""What a lock says of the data that comes in: of each input what it is, and what is in it.

    facts = Facts(root, memo, readings)
    facts.given("customers")         # where it is, its digests, what the manifest says it means: costs nothing
    facts.whole("customers")         # and its rows, columns, quantiles, keys and references: reads it, once

What is in data depends on its bytes, on how it is read and on what the manifest says of it; the store's memo keeps it by these.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from stepwell.author import manifest as said
from stepwell.codecs.columns import kind_of, kinds_fit
from stepwell.codecs.columns import listed as named
from stepwell.codecs.content.digest import content_of_files
from stepwell.codecs.content.tables import Content
from stepwell.dist import tables
from stepwell.dist.interface.kinds import type_of
from stepwell.dist.lock import Data
from stepwell.dist.sketches import sketch_of
from stepwell.errors import BadSource, DataNotAsSaid, MissingLibrary, PlanError, nearest
from stepwell.kernel.graph import SourceDef
from stepwell.kernel.identity import digest
from stepwell.sources import read
from stepwell.sources.address import shown
from stepwell.sources.content import files_of, listed
from stepwell.sources.memo import Memo
from stepwell.sources.packing import File, packing_of
from stepwell.sources.pin import Pinned, pin
from stepwell.sources.schema import TABLES, schema

if TYPE_CHECKING:
    from stepwell.dist.tables import Table

MOST_FILES = 1000
"""Files of one folder that are listed one by one; of more, the digest of the whole says it alone."""

CONTENT = "source-content 2"
"""The kind of memo of canonical digests, by digest of the bytes; to be counted up with the specification."""

TOLD = "data-facts 1"
"""The kind of memo of what is in a table."""

SHARE = "data-references 1"
"""The kind of memo of what share of a column is found in another."""

AT_ONCE = 2
"""Tables that are held in memory: a reference needs two."""


class Reading(NamedTuple):
    """An input: where it is, as what and with which options it is read, what the manifest says of it, its files."""

    uri: str
    type: str
    options: Mapping[str, Any]
    meant: said.Data
    pinned: Pinned

    @property
    def kind(self) -> str:
        """The type of table that it is read as, or "". A path whose columns the manifest speaks of is read by Arrow."""
        kind = read.plain_type(self.type, self.uri)
        if kind in TABLES:
            return kind
        meant = self.meant
        speaks = meant.key or meant.units or meant.references or meant.schema or meant.private
        return "pyarrow.Table" if speaks else ""

    @property
    def token(self) -> str:
        """What its table rests on: the bytes, and how they are read. Raises `BadSource`, `MissingLibrary`."""
        options = self.options if self.kind == read.plain_type(self.type, self.uri) else {}
        return f"{self.pinned.digest} {read.reader_token(self.uri, self.kind, options)}"


class _Told(msgspec.Struct, frozen=True):
    """What is in a table."""

    rows: int
    columns: dict[str, str]
    quantiles: dict[str, tuple[float, ...]]
    sketch: dict[str, str]


def readings(
    sources: Iterable[SourceDef], pinned: Iterable[Pinned], manifest: said.Manifest
) -> dict[str, Reading]:
    """The sources of a graph by name, each with what the manifest says of it."""
    found = {}
    for source, now in zip(sources, pinned, strict=True):
        meant = _meant(source, manifest)
        found[source.name] = Reading(source.uri, source.type, dict(source.options), meant, now)
    return found


def others(
    manifest: said.Manifest, taken: Iterable[str], root: Path, memo: Memo
) -> tuple[dict[str, Reading], list[str]]:
    """The data of a manifest that a graph does not read and that lies in files here; and notes of what is not there.

    Golden data is such. What is asked of a server is not looked at.
    """
    found, notes = {}, []
    for name, data in manifest.data.items():
        if name in taken or not data.source or data.query or "://" in data.source:
            continue
        try:
            now = pin(data.source, root=root, memo=memo)
        except PlanError as error:
            notes.append(f"data `{name}` of the manifest is not locked: {error.what}")
            continue
        found[name] = Reading(data.source, type_of(data), data.read, data, now)
    return found, notes


NOTHING = said.Data(source="-")
"""In place of what a manifest says of data that it does not speak of."""


def _meant(source: SourceDef, manifest: said.Manifest) -> said.Data:
    """What a manifest says of a source. Raises `DataNotAsSaid` where it means other data by its name."""
    found = manifest.data.get(source.name)
    if found is None:
        same = [data for data in manifest.data.values() if data.source == source.uri and not data.query]
        return same[0] if len(same) == 1 else NOTHING
    if not found.query and not found.package and found.source != source.uri:
        raise DataNotAsSaid(
            f"`{source.name}` is `{shown(found.source)}` in the manifest, and the pipeline reads `{shown(source.uri)}`",
            why="what the manifest says of its columns would be written down of other data",
            fixes=[f"from data import {source.name}", "or give one of them another name"],
            where=source.where,
        )
    return found


class Facts:
    """What is known of inputs, by name. Tables are read when they are first asked for."""

    def __init__(self, root: Path, memo: Memo, found: Mapping[str, Reading]) -> None:
        self.readings = found
        self._root = root
        self._memo = memo
        self._held: dict[str, Table | None] = {}

    def given(self, name: str) -> Data:
        """What data is, without looking into it."""
        one = self.readings[name]
        seen = one.pinned.seen
        files = (
            {}
            if seen.one
            else {file: f"{size} {digest}" for file, size, digest in files_of(listed(seen.place, self._memo))}
        )
        return Data(
            source=shown(one.uri),
            size=one.pinned.size,
            bytes=one.pinned.digest,
            key=one.meant.keys,
            units=one.meant.units,
            files=files if len(files) <= MOST_FILES else {},
        )

    def whole(self, name: str) -> Data:
        """What data is and what is in it. Raises `DataNotAsSaid` where the manifest says otherwise, `InputUnreadable`."""
        one = self.readings[name]
        data = self.given(name)
        content, rows = self._content(one) if one.pinned.files else ("", None)
        told = self._told(name)
        if told is None:
            columns = schema(one.uri, one.type, one.options, one.pinned, self._memo).columns or {}
            columns = {column: what or "?" for column, what in columns.items()}
            if one.meant is not NOTHING and columns:
                refuse_unlike(f"data `{name}`", columns, one.meant)
            return msgspec.structs.replace(
                data, rows=rows if columns else None, content=content if columns else "", columns=columns
            )
        refuse_unlike(f"data `{name}`", told.columns, one.meant)
        return msgspec.structs.replace(
            data,
            rows=told.rows,
            content=content,
            columns=told.columns,
            quantiles=told.quantiles,
            sketch=told.sketch,
            references=self._references(name, told),
        )

    def columns(self, name: str) -> dict[str, str] | None:
        """What each column of a table holds; None for what is no table."""
        told = self._told(name)
        return None if told is None else told.columns

    def table(self, name: str) -> Table | None:
        """The table, as the pipeline reads it; None for what is none, or where what reads it is not installed."""
        if name not in self._held:
            while len(self._held) >= AT_ONCE:
                self._held.pop(next(iter(self._held)))
            self._held[name] = self._read(self.readings[name])
        return self._held[name]

    def token(self, name: str) -> str:
        """What a table rests on, for memos; "" for what is none."""
        try:
            return self.readings[name].token if self.readings[name].kind else ""
        except (BadSource, MissingLibrary):
            return ""

    def _read(self, one: Reading) -> Table | None:
        own = one.kind == read.plain_type(one.type, one.uri)
        options = one.options if own else {}
        try:
            value = read.load(one.uri, one.kind, options, root=self._root, files=one.pinned.files)
        except (BadSource, MissingLibrary):  # no table, or one that cannot be read here
            return None
        return tables.table_of(value)

    def _told(self, name: str) -> _Told | None:
        """What is in a table, from the memo where it has been looked at before."""
        one, token = self.readings[name], self.token(name)
        if not token:
            return None
        meant = one.meant
        key = digest(
            repr((token, sorted(meant.private), sorted(meant.keys.items()), sorted(meant.references)))
        )
        kept = self._memo.get(TOLD, key)
        if kept is None:
            table = self.table(name)
            kept = b"null" if table is None else msgspec.json.encode(_looked(table, meant))
            self._memo.put(TOLD, key, kept)
        return msgspec.json.decode(kept, type=_Told | None)

    def _references(self, name: str, told: _Told) -> dict[str, str]:
        """By column what it refers to, and the share of its values that are there."""
        found = {}
        for column, target in self.readings[name].meant.references.items():
            other, _, its = target.partition(".")
            there = self._told(other) if other in self.readings else None
            if there is None:
                continue
            if its not in there.columns:
                raise _no_column(f"`references.{column}` of data `{name}`", other, its, there.columns)
            if not tables.can_be_key(there.columns[its]):
                continue
            found[column] = f"{target} {self._share(name, column, other, its)}"
        return found

    def _share(self, name: str, column: str, other: str, its: str) -> float:
        key = digest(repr((self.token(name), column, self.token(other), its)))
        kept = self._memo.get(SHARE, key)
        if kept is None:
            mine, theirs = self.table(name), self.table(other)
            if mine is None or theirs is None:
                return 0.0
            kept = repr(tables.share(mine.columns[column], theirs.columns[its])).encode()
            self._memo.put(SHARE, key, kept)
        return float(kept)

    def _content(self, one: Reading) -> tuple[str, int | None]:
        """The canonical digest of the table in the files and its rows, which the memo keeps; "" and None where it has none."""
        kept = self._memo.get(CONTENT, one.pinned.digest)
        if kept is None:
            try:
                found = _content_of([Path(file) for file in one.pinned.files])
            except (OSError, MissingLibrary):
                return "", None
            kept = f"{found.digest} {found.shape[0]}".encode() if isinstance(found, Content) else b" "
            self._memo.put(CONTENT, one.pinned.digest, kept)
        told, _, rows = kept.decode().partition(" ")
        return told, int(rows) if rows else None


def _content_of(files: list[Path]) -> Any:
    """The content of files, unpacked where they are packed."""
    if not any(packing_of(file.name.lower()) for file in files):
        return content_of_files(files)
    with tempfile.TemporaryDirectory(prefix="stepwell-") as aside:
        plain = []
        for number, file in enumerate(files):
            packing = packing_of(file.name.lower())
            if not packing:
                plain.append(file)
                continue
            inner = Path(aside, f"{number:06d}-{file.name[: -len(packing)]}")
            with File(file, "", packing).open() as packed, inner.open("wb") as out:
                shutil.copyfileobj(packed, out, 1 << 20)
            plain.append(inner)
        return content_of_files(plain)


def _looked(table: Table, meant: said.Data) -> _Told:
    """What is in a table. Columns that tell rows apart have no quantiles: what they are counts, not how large."""
    told, names = tables.columns_of(table), {*meant.private, *meant.keys, *meant.references}
    quantiles = {
        name: tables.quantiles_of(column) for name, column in table.columns.items() if name not in names
    }
    sketch = {
        name: sketch_of(tables.values_of(table.columns[name]), identity)
        for name, identity in meant.keys.items()
        if name in told and name not in meant.private and tables.can_be_key(told[name])
    }
    return _Told(
        table.rows,
        told,
        {name: found for name, found in quantiles.items() if found},
        {name: found for name, found in sketch.items() if found},
    )


# --------------------------------------------------------------------------- what is said of columns


def refuse_unlike(whose: str, columns: Mapping[str, str], meant: said.Data | said.Output) -> None:
    """Raises `DataNotAsSaid` where the manifest speaks of columns that a table has not, or that hold something else.

    `whose` begins the message ("data `customers`"), `columns` are what a lock says of the table.
    """
    spoken: dict[str, Mapping[str, str]] = {"key": meant.keys, "units": meant.units}
    if isinstance(meant, said.Data):
        spoken |= {"references": meant.references, "private": dict.fromkeys(meant.private, "")}
    schema = meant.schema if isinstance(meant.schema, dict) else {}
    for setting, names in {"schema": schema, **spoken}.items():
        for name in names:
            if name not in columns:
                raise _no_column(f"`{setting}` of {whose}", whose, name, columns)
    for name in (*spoken["key"], *spoken.get("references", ())):
        if not tables.can_be_key(columns[name]):
            raise DataNotAsSaid(
                f"column `{name}` of {whose} holds {tables.type_of(columns[name])}, which can be no key",
                why="values of a key are numbers, texts or dates: they are looked up in other tables",
                fixes=["name the columns that tell one row from another"],
            )
    for name, wanted in schema.items():
        has = tables.type_of(columns[name])
        if not kinds_fit(kind_of(has), kind_of(wanted)):
            raise DataNotAsSaid(
                f"column `{name}` of {whose} holds {has}, and its schema says {wanted}",
                why="the manifest says what the data must be, and the data is not that",
                fixes=[f'if it is right as it is: schema.{name} = "{has}"', "or correct where it comes from"],
            )


def _no_column(setting: str, whose: str, name: str, columns: Mapping[str, str]) -> DataNotAsSaid:
    near = nearest(name, columns)
    return DataNotAsSaid(
        f"{setting} speaks of the column `{name}`, which is not there",
        why=f"{whose} has {named(columns)}",
        fixes=[f"did you mean `{near}`?"] if near else ["correct the manifest, or the data"],
    )
