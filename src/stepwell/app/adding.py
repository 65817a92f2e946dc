"""Give data a name: what is in it, what could tell its rows apart, and the files that say so, all of them or none.

said = Said("customers", "data/customers.csv", key={"customer_id": "crm.customer"})
with stored(root) as store:
    found = looked(said, project, store)        # nothing of the project is written
    found.candidates, found.lock
    add(said, found, project)                   # manifest, lock, data.py and its stub
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from itertools import combinations, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import msgspec

from stepwell.app.datafacts import Facts, Reading
from stepwell.author.manifest import Data, Manifest, checked
from stepwell.author.where import short
from stepwell.author.written import written_of
from stepwell.dist import lock as locks
from stepwell.dist import lockfile
from stepwell.dist.edits import Edit, Home, home_of, with_data
from stepwell.dist.interface.kinds import type_of
from stepwell.dist.interface.writing import Change, all_or_none, interface_for
from stepwell.dist.pins import Pins
from stepwell.dist.tables import Table, nullable
from stepwell.errors import (
    DataExists,
    InterfaceUnwritable,
    LockMissing,
    NotAKey,
    UnknownColumn,
    counted,
    nearest,
)
from stepwell.kernel.graph import SourceDef
from stepwell.sources.address import MOVING, parse
from stepwell.sources.kept import Shelf
from stepwell.sources.read import load, plain_type, reader_for, refuse_shape
from stepwell.sources.schema import TABLES

if TYPE_CHECKING:
    from stepwell.sources.memo import Memo
    from stepwell.sources.pin import Pinned
    from stepwell.stores.local import LocalStore

MOST_COLUMNS = 12
"""Columns of which pairs are tried for a key."""

MOST_CANDIDATES = 5
"""Candidates that are told."""

_NUMBERS = ("int", "uint", "float", "decimal")
_TELLING = ("int", "uint", "string", "category", "date", "timestamp", "decimal")
"""How what a lock says begins, of columns of numbers, and of those that can tell rows apart: not by measured numbers."""


class Said(NamedTuple):
    """What a person says of data: where it is, and what is to stand in the manifest beside that."""

    name: str
    uri: str
    doc: str = ""
    query: str = ""
    type: str = ""
    key: Mapping[str, str] = {}
    units: Mapping[str, str] = {}
    read: Mapping[str, Any] = {}

    @property
    def values(self) -> dict[str, Any]:
        """The keys of its table in the manifest; what is empty is not written. A key whose columns stand for nothing is a list."""
        key = dict(self.key) if any(self.key.values()) else list(self.key)
        given = {"source": self.uri, "query": self.query, "doc": self.doc, "type": self.type}
        given |= {"key": key, "units": dict(self.units), "read": dict(self.read)}
        return {name: value for name, value in given.items() if value}


class Project(NamedTuple):
    """Where data is added: the root, the single file whose header is the manifest or None, and what is locked already."""

    root: Path
    file: Path | None
    home: Home
    lock: locks.Lock
    locked: bytes | None = None
    """The bytes of the lock, None where there is none yet."""

    @property
    def lock_path(self) -> Path:
        """The file of the lock."""
        return lockfile.lock_path(self.root, self.file)


class Candidate(NamedTuple):
    """Columns that could be the key, and why: "no value twice, none missing"."""

    columns: tuple[str, ...]
    why: str


class Found(NamedTuple):
    """What is in the data: what the lock is to say of it, what could be its key, and its columns of numbers without a unit."""

    lock: locks.Data
    candidates: tuple[Candidate, ...] = ()
    without_unit: tuple[str, ...] = ()


def project_at(root: Path, file: Path | None) -> Project:
    """The project at a root, or the single `file` if it has a header. Raises `BadSettings`, `BadLock`.

    Its manifest is not checked yet: it may speak of the data that is to be added.
    """
    home = home_of(root, file)
    own = file if home.kind == "script" else None
    try:
        lock = lockfile.read(lockfile.lock_path(root, own))
    except LockMissing:
        return Project(root, own, home, locks.Lock())
    return Project(root, own, home, lock, lockfile.text_of(lock).encode())


def looked(said: Said, project: Project, store: LocalStore) -> Found:
    """Look at the data. Nothing of the project is written; what is fetched is kept in the store.

    Data that moves is frozen. Raises `DataExists`, `BadSettings` for a name that data cannot have, `NotAKey`,
    `UnknownColumn`, and what is wrong with the data.
    """
    refuse_name(said, project)
    with_it, memo = edited(said, project).manifest, cast("Memo", store.memo)
    meant = with_it.data[said.name]
    pinned, position = _pinned(said, meant, project, with_it, store)
    reading = Reading(said.uri, type_of(meant), meant.read, meant, pinned)
    facts = Facts(project.root, memo, {said.name: reading})
    table = _table(facts, reading, said, project.root)
    _refuse_columns(said, tuple(table.columns) if table is not None else ())
    if table is None:
        return Found(msgspec.structs.replace(facts.whole(said.name), position=position))
    refuse_no_key(said, table)
    lock = msgspec.structs.replace(facts.whole(said.name), position=position)
    free = [name for name, told in lock.columns.items() if name not in said.key and told.startswith(_NUMBERS)]
    candidates = () if said.key else tuple(islice(candidates_of(table, lock.columns), MOST_CANDIDATES))
    return Found(lock, candidates, tuple(name for name in free if name not in said.units))


def _pinned(
    said: Said, meant: Data, project: Project, manifest: Manifest, store: LocalStore
) -> tuple[Pinned, dict[str, str]]:
    """The files of the data, and where it was when it was frozen, if it is data that moves."""
    if said.query or parse(said.uri).kind in MOVING:
        from stepwell.app.freezing import taken  # knows databases and buckets

        pinned, frozen = taken(said.name, meant, project.root, store, manifest)
        return pinned, frozen.position
    source = SourceDef(said.name, said.uri, type_of(meant), tuple(sorted(meant.read.items())))
    pins = Pins(project.root, project.file, cast("Memo", store.memo), Shelf(store.blobs.folder))
    return pins.pin(source), {}


def _table(facts: Facts, reading: Reading, said: Said, root: Path) -> Table | None:
    """The table in the data; None for what is none. Raises what is wrong with one that cannot be read."""
    refuse_shape(reading.uri, reading.type)
    reader_for(reading.uri, reading.type, reading.options)
    table = facts.table(said.name)
    if table is None and plain_type(reading.type, reading.uri) in TABLES:
        pinned = reading.pinned
        load(reading.uri, reading.type, reading.options, root=root, files=pinned.files, folder=pinned.folder)
    return table


def add(said: Said, found: Found, project: Project) -> tuple[Path, ...]:
    """Write manifest, lock and interface, all of them or none; gives the files that changed.

    Raises `CannotEdit`, `BadSettings`, `InterfaceTaken`, `InterfaceUnwritable`.
    """
    edit = edited(said, project)
    lock = msgspec.structs.replace(project.lock, data={**project.lock.data, said.name: found.lock})
    face = interface_for(project.root, project.file, edit.manifest, lock)
    face.refuse()
    path = project.lock_path
    locked = Change(path, project.locked, lockfile.text_of(lock).encode())
    manifest = Change(edit.file, edit.before, edit.after)
    changes = (*face.changes, locked, manifest)  # the manifest last: until then nothing has happened
    try:
        all_or_none(changes)
    except OSError as error:
        name = short(error.filename) if isinstance(error.filename, str) else path.name
        raise InterfaceUnwritable(
            f"`{name}` cannot be written: {error.strerror or error}",
            why="so nothing was: all files are as they were",
            fixes=["make room, or let the folder be written to, and try again"],
        ) from None
    return tuple(change.file for change in reversed(changes) if change.before != change.after)


def refuse_name(said: Said, project: Project) -> None:
    """Raises `DataExists`, `BadSettings` for a name that data cannot have, `BadSource`, `CannotEdit`."""
    there = _named(project).get(said.name)
    if there is not None:
        where = there.get("source") or there.get("package") if isinstance(there, dict) else ""
        raise DataExists(
            f"`{said.name}` is in `{project.home.file.name}` already",
            why=f"it is {where}" if where else "",
            fixes=["give this another name", f"edit [{'.'.join((*project.home.prefix, 'data', said.name))}]"],
        )
    edited(said, project)
    parse(said.uri)


def edited(said: Said, project: Project) -> Edit:
    """The change of the manifest. Raises `BadSettings`, `SeveralProblems`, `CannotEdit`."""
    return with_data(project.home, said.name, said.values)


def _named(project: Project) -> Mapping[str, Any]:
    """The data that the manifest names, as it is written. Raises `BadSettings` where that is no table."""
    found = written_of(project.root, project.file)
    if found is None:
        return {}
    data = found.table.get("data", {})
    return data if isinstance(data, dict) else checked(found).data


def from_root(uri: str, root: Path, here: Path) -> str:
    """An address as the manifest has it: a path that was typed in another folder is that from the project's root."""
    if "://" in uri or uri.startswith(("$", "~", "/")) or here == root:
        return uri
    path = os.path.relpath(here / uri, root)
    return f"{path}/" if uri.endswith("/") else path


# --------------------------------------------------------------------------- keys


def _refuse_columns(said: Said, columns: tuple[str, ...]) -> None:
    """Raises `UnknownColumn` for a column that is spoken of and not there."""
    for name in (*said.key, *said.units):
        if name not in columns:
            close = nearest(name, columns)
            few = ", ".join(columns[:12]) + (" …" if len(columns) > 12 else "")
            raise UnknownColumn(
                f"`{said.uri}` has no column `{name}`",
                why=f"it has {few}" if columns else "it is no table, or what reads it is not installed",
                fixes=[f"did you mean `{close}`?"] if close else [],
            )


def refuse_no_key(said: Said, table: Table) -> None:
    """Raises `NotAKey` where the columns that are said to be the key do not tell rows apart."""
    names = tuple(said.key)
    if not names:
        return
    missing, twice = _spoiled(table, names)
    if not missing and not twice:
        return
    told = [
        f"{counted(missing, 'row')} {'has' if missing == 1 else 'have'} no value" if missing else "",
        f"{counted(twice, 'row')} repeat{'s' * (twice == 1)} another's" if twice else "",
    ]
    raise NotAKey(
        f"`{', '.join(names)}` is no key of `{said.name}`: {' and '.join(filter(None, told))}",
        why="a key tells every row from all others",
        fixes=["name all columns that are needed for it: --key a --key b", "leave --key out"],
    )


def candidates_of(table: Table, columns: Mapping[str, str]) -> Iterator[Candidate]:
    """What could be the key: columns without missing and repeated values, of whole numbers, text, dates; else pairs of them.

    `columns` are what the lock says of them.
    """
    if table.rows < 2:
        return
    plain = [
        name for name, told in columns.items() if _may_tell(told) and table.columns.get(name) is not None
    ]
    single = [name for name in plain if not any(_spoiled(table, (name,)))]
    yield from (Candidate((name,), "no value twice, none missing") for name in single)
    if not single:
        for pair in combinations(plain[:MOST_COLUMNS], 2):
            if not any(_spoiled(table, pair)):
                yield Candidate(pair, "together no value twice, none missing")


def _may_tell(told: str) -> bool:
    """Whether a column can tell rows apart: not one with gaps, nor of measured numbers or truth values."""
    return not nullable(told) and told.startswith(_TELLING)


def _spoiled(table: Table, names: tuple[str, ...]) -> tuple[int, int]:
    """How many rows miss a value of these columns, and how many repeat what another has."""
    import pyarrow as pa

    whole = pa.table({name: _plain(table.columns[name]) for name in names}).drop_null()
    groups = whole.group_by(list(names)).aggregate([]).num_rows
    return table.rows - whole.num_rows, whole.num_rows - groups


def _plain(column: Any) -> Any:
    """A column that can be grouped by: the values of categories."""
    import pyarrow as pa

    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
