"""Taking away what a store can do without, and bringing it back.

    shown = decide(look(store, root))
    batch = remove(store, shown, lambda shown: decide(look_at_rows(store, facts._replace(shown=shown))))
    undo(store)                      # or: empty(store, before=...)
    make_room(store, shown)          # first, where there is none for any of these

All is done under the write lock, and nothing is taken away while a run goes on: such a run may still
look up anything. A run that begins later notices by the counter `gc` that what it knew from planning
may be gone, and asks again (`Results.begin`): it finds a result whole, or not at all.

Rows go in one transaction, into tables `trash_...`; the files of blobs follow by rename, into `trash/`.
So a death in between leaves files that no row names, which the next collection takes. On the way
back it is the reverse: files first, then the rows that name them. Nothing needs repair.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from json import dumps, loads
from typing import NamedTuple

from stepwell.errors import StoreBusy
from stepwell.stores import durable
from stepwell.stores.collect import Going, living
from stepwell.stores.filesystem import refusal
from stepwell.stores.index import renew
from stepwell.stores.local import LocalStore
from stepwell.stores.recordings import unneeded

OF_RUNS = (
    ("runs", "id"),
    ("made", "run"),
    ("reused", "run"),
    ("stopped", "run"),
    ("logs", "run"),
    ("points", "run"),
)
"""The tables of which a run has rows, and the column with its number."""

OF_RECORDINGS = (("recordings", "id"), ("curves", "recording"), ("recorded", "recording"))
"""The tables with what steps recorded, and the column with the number of the recording."""

TABLES = (*(name for name, _ in OF_RUNS), *(name for name, _ in OF_RECORDINGS), "results", "blobs", "texts")
"""All tables of which rows are taken away."""

SHARED = (
    "SELECT nodes FROM runs UNION SELECT wiring FROM runs UNION SELECT about FROM runs UNION SELECT diff FROM runs"
    " UNION SELECT named FROM runs UNION SELECT text FROM reused"
)
"""The digests of the texts that are in use."""


ROOM = 16 << 20
"""Bytes that suffice for the transaction of most collections."""


class Batch(NamedTuple):
    """What one collection took away. `time` in seconds since 1970; `runs` are their numbers."""

    number: int
    time: float
    runs: tuple[int, ...]
    results: int
    blobs: int
    bytes: int


def batches(store: LocalStore) -> list[Batch]:
    """What is in the trash, oldest first."""
    rows = store.database.rows(
        "SELECT batch, time, runs, results, blobs, bytes FROM trash WHERE emptied = 0 ORDER BY batch"
    )
    return [Batch(row[0], row[1], tuple(loads(row[2])), *row[3:]) for row in rows]


# ---------------------------------------------------------------------- taking away


def remove(
    store: LocalStore,
    shown: Going,
    again: Callable[[Going], Going],
    *,
    now: float,
    silent: Iterable[tuple[int, int]] = (),
) -> Batch:
    """Move to the trash what was `shown`, as far as `again`, asked under the lock, says that it may still go.

    `now` is the time of the batch. `silent`: see `collect.living`. Raises `StoreBusy` where a run is going on, and
    the other `StoreError`s.
    """
    dead = tuple(silent)
    going = shown

    def rows(connection: sqlite3.Connection) -> Batch:
        nonlocal going
        alive = living(store.database, dead)
        if alive:
            raise busy(alive)
        going = shown.within(again(shown))
        return _move_rows(connection, going, now)

    def files(_: Batch) -> None:
        _move_files(store, going.files)
        _drop(store, going.leftovers)

    return store.database.write(rows, after=files)


def busy(alive: list[tuple[int, str]]) -> StoreBusy:
    """What to raise where runs are going on."""
    names = ", ".join(
        f"r{run} on {host}" if run else f"one that has just begun on {host}" for run, host in alive[:3]
    )
    return StoreBusy(
        f"a run is going on: {names}",
        why="it may still need anything that is in the store, so nothing is removed while it lasts",
        fixes=["the same command again when it has ended", "stepwell runs"],
    )


def _move_rows(connection: sqlite3.Connection, going: Going, now: float) -> Batch:
    """The transaction's part: rows to their `trash_` tables, and a row that tells of it."""
    batch = Batch(
        int(connection.execute("SELECT coalesce(max(batch), 0) + 1 FROM trash").fetchone()[0]), now, tuple(sorted(going.runs)),
        len(going.results), len(going.small) + len(going.files), sum(going.small.values()) + sum(going.files.values()),
    )  # fmt: skip
    if not any(going[:4]):
        return batch
    for table in TABLES:
        _prepare(connection, table)
    recordings = unneeded(connection, going.runs, going.results)
    for table, column in OF_RECORDINGS:
        _move(connection, table, column, recordings, batch.number)
    for table, column in OF_RUNS:
        _move(connection, table, column, going.runs, batch.number)
    _move(connection, "results", "seq", going.results, batch.number)
    _move(connection, "blobs", "digest", going.small, batch.number)
    unshared = connection.execute(f"SELECT digest FROM texts WHERE digest NOT IN ({SHARED})").fetchall()  # noqa: S608
    _move(connection, "texts", "digest", [digest for (digest,) in unshared], batch.number)
    connection.execute(
        "INSERT INTO trash (batch, time, runs, results, blobs, bytes) VALUES (?, ?, ?, ?, ?, ?)",
        (batch.number, now, dumps(batch.runs), *batch[3:]),
    )
    connection.executemany(
        "INSERT INTO trash_files (batch, digest, size) VALUES (?, ?, ?)",
        [(batch.number, digest, size) for digest, size in going.files.items()],
    )
    connection.execute("UPDATE counters SET value = value + 1 WHERE name = 'gc'")
    renew(connection)
    return batch


def _prepare(connection: sqlite3.Connection, table: str) -> None:
    """Make the trash table of a table, or give it the columns that were added since."""
    connection.execute(f"CREATE TABLE IF NOT EXISTS trash_{table} (batch INTEGER NOT NULL)")
    there = set(_columns(connection, f"trash_{table}"))
    for column in _columns(connection, table):
        if column not in there:
            connection.execute(f"ALTER TABLE trash_{table} ADD COLUMN {column}")


def _columns(connection: sqlite3.Connection, table: str) -> list[str]:
    """A table's columns, quoted; none where there is no such table."""
    return [f'"{row[1]}"' for row in connection.execute(f"PRAGMA table_info({table})")]


def _move(
    connection: sqlite3.Connection, table: str, column: str, values: Iterable[object], batch: int
) -> None:
    """Move the rows with certain values in one column to the trash table."""
    connection.execute("CREATE TEMP TABLE IF NOT EXISTS going (value PRIMARY KEY) WITHOUT ROWID")
    connection.execute("DELETE FROM temp.going")
    connection.executemany("INSERT INTO temp.going VALUES (?)", [(value,) for value in values])
    names = ", ".join(_columns(connection, table))
    chosen = f"FROM {table} WHERE {column} IN (SELECT value FROM temp.going)"  # noqa: S608
    connection.execute(f"INSERT INTO trash_{table} (batch, {names}) SELECT ?, {names} {chosen}", (batch,))
    connection.execute(f"DELETE {chosen}")


def _move_files(store: LocalStore, digests: Iterable[str]) -> None:
    """Rename files of blobs into `trash/`; one that vanished is let off. Raises `StoreError`."""
    for digest in digests:
        target = _place(store, digest)
        try:
            os.makedirs(os.path.dirname(target), 0o700, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):
                os.rename(store.blobs.path(digest), target)
        except OSError as error:
            raise refusal(error, target) from error


def _place(store: LocalStore, digest: str) -> str:
    name = digest.removeprefix("b3:")
    return os.path.join(store.folder, "trash", name[:2], name[2:])


def _drop(store: LocalStore, names: Iterable[str]) -> None:
    """Remove files and folders of the store for good; a folder is first renamed, so that nobody sees half of one."""
    for name in names:
        path = os.path.join(store.folder, name)
        aside = store.blobs.temporary()
        try:
            os.rename(path, aside)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise refusal(error, path) from error
        if os.path.isdir(aside) and not os.path.islink(aside):
            shutil.rmtree(aside, ignore_errors=True)
        else:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(aside)


# ---------------------------------------------------------------------- bringing back


def undo(store: LocalStore) -> list[Batch]:
    """Bring everything back that is in the trash; what that was. Raises the `StoreError`s."""

    def back(connection: sqlite3.Connection) -> list[Batch]:
        found = batches(store)
        listed = connection.execute("SELECT DISTINCT digest FROM trash_files ORDER BY digest").fetchall()
        _bring_files(store, [digest for (digest,) in listed])
        for table in TABLES if found else ():
            columns = set(_columns(connection, f"trash_{table}"))
            names = ", ".join(name for name in _columns(connection, table) if name in columns)
            if names:
                connection.execute(
                    f"INSERT OR IGNORE INTO {table} ({names}) SELECT {names} FROM trash_{table} ORDER BY batch DESC"  # noqa: S608
                )
        if found:  # whoever missed a blob meanwhile noted that it is gone
            connection.execute(
                "DELETE FROM gone WHERE why LIKE '% is gone' AND digest IN (SELECT digest FROM trash_blobs)"
            )
            connection.execute(
                "UPDATE counters SET value = max(value, (SELECT coalesce(max(id), 0) FROM blobs)) WHERE name = 'blob'"
            )
            connection.execute("UPDATE counters SET value = value + 1 WHERE name = 'gc'")
            renew(connection)
        _forget(connection, found)
        connection.execute("DELETE FROM trash WHERE emptied = 0")
        return found

    return store.database.write(back)


def _bring_files(store: LocalStore, digests: Iterable[str]) -> None:
    """Rename files in `trash/` back to their places, durably. Raises `StoreError`."""
    changed: set[str] = set()
    for digest in digests:
        source, target = _place(store, digest), os.fspath(store.blobs.path(digest))
        try:
            if not os.path.exists(source):
                continue  # it never got there, or is back already
            os.makedirs(os.path.dirname(target), 0o700, exist_ok=True)
            if os.path.exists(target):
                os.unlink(source)  # it was made again meanwhile
            else:
                os.rename(source, target)
                changed |= {os.path.dirname(target), os.path.dirname(os.path.dirname(target))}
        except OSError as error:
            raise refusal(error, target) from error
    try:
        durable.sync_folders(changed)
    except OSError as error:
        raise refusal(error, store.folder) from error


def _forget(connection: sqlite3.Connection, gone: Iterable[Batch]) -> None:
    """Delete the rows of batches from the trash tables."""
    for batch in gone:
        for table in TABLES:
            if _columns(connection, f"trash_{table}"):
                connection.execute(f"DELETE FROM trash_{table} WHERE batch = ?", (batch.number,))  # noqa: S608
        connection.execute("DELETE FROM trash_files WHERE batch = ?", (batch.number,))


# ---------------------------------------------------------------------- for good


def empty(store: LocalStore, before: float | None = None) -> list[Batch]:
    """Remove for good what has been in the trash since `before` (seconds since 1970; None: all); what that was.

    The rows go first, then the files that no batch is left to name. Raises the `StoreError`s.
    """

    def rows(connection: sqlite3.Connection) -> list[Batch]:
        found = [batch for batch in batches(store) if before is None or batch.time <= before]
        _forget(connection, found)
        connection.executemany(
            "UPDATE trash SET emptied = 1 WHERE batch = ?", [(batch.number,) for batch in found]
        )
        return found

    return store.database.write(rows, after=lambda _: _sweep(store))


def make_room(store: LocalStore, going: Going | None = None) -> tuple[int, int]:
    """Remove files at once and for good that are going anyway, on a disk that has no room for a transaction.

    Those of `going`, the largest first, until there is room for most transactions; without it, all that is in the
    trash. How many they were, and their bytes. Their rows are still there: whoever needs such a result finds that
    it is lost, and makes it again. Raises the `StoreError`s.
    """
    if going is not None:
        sizes = {store.blobs.path(digest): size for digest, size in going.files.items()}
        paths = [os.fspath(path) for path in sorted(sizes, key=lambda path: -sizes[path])]
    else:
        paths = [_place(store, digest) for digest in _trashed(store)]
    count = freed = 0
    for path in paths:
        if going is not None and freed >= ROOM:
            break
        try:
            status = os.stat(path)
            os.unlink(path)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise refusal(error, path) from error
        count, freed = count + 1, freed + (status.st_size if status.st_nlink == 1 else 0)
    return count, freed


def _sweep(store: LocalStore) -> None:
    """Remove the files in `trash/` that no batch names."""
    listed = {digest for (digest,) in store.database.rows("SELECT digest FROM trash_files")}
    for digest in _trashed(store):
        if digest not in listed:
            try:
                os.unlink(_place(store, digest))
            except FileNotFoundError:
                continue
            except OSError as error:
                raise refusal(error, store.folder / "trash") from error


def _trashed(store: LocalStore) -> Iterator[str]:
    """The digests of the files in `trash/`."""
    with contextlib.suppress(FileNotFoundError):
        for outer in os.scandir(store.folder / "trash"):
            yield from (f"b3:{outer.name}{inner.name}" for inner in os.scandir(outer.path))
