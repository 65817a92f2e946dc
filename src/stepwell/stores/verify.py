"""Is the store sound? `verify` looks at everything and says what each finding will lead to.

Nothing is repaired by hand, and nothing by guessing: a damaged blob is moved to `quarantine/`, a row
that makes no sense is taken out. The results that needed them are from then on known to be lost, and
their steps run again when they are wanted.

The bytes of large stores can be read in parts: `Subset(2, 7)` is the second of seven, told apart by
digest, so that seven calls on seven days read every blob once. What is there at all, and whether
it has its size and its rows make sense, is looked at each time.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from stepwell.errors import StoreDamaged
from stepwell.stores.blobs import INLINE, digest_of
from stepwell.stores.local import LocalStore
from stepwell.stores.recordings import take_out
from stepwell.stores.rows import unpack_outputs
from stepwell.stores.trash import SHARED

DAY = 86400.0

AGAIN = "stepwell run"
"""What repairs: a step whose result is lost runs again."""


class Subset(NamedTuple):
    """Part `number` (from 1) of `of` parts of all blobs, by their digests: the same ones every time."""

    number: int
    of: int

    def has(self, digest: str) -> bool:
        """Whether a blob belongs to this part."""
        try:
            return int(digest.removeprefix("b3:")[:12], 16) % self.of == self.number - 1
        except ValueError:  # no digest: whatever it is, the first part tells of it
            return self.number == 1


WHOLE = Subset(1, 1)


class Finding(NamedTuple):
    """Something that is not as it should be.

    `kind`: database, record, missing, damaged, unreadable or leftover. `what` names it, `steps` are the full names
    of the steps whose results need it, `next` says what will happen.
    """

    kind: str
    what: str
    next: str
    steps: tuple[str, ...] = ()


Users = dict[str, tuple[int, set[str]]]
"""For each blob: its size (-1 for a part), and the steps whose results need it."""


def verify(store: LocalStore, *, read_data: bool = True, subset: Subset = WHOLE) -> list[Finding]:
    """Everything that is wrong with a store; empty where it is sound.

    With `read_data` the blobs of `subset` are hashed; all are looked for in any case. In a store opened for reading
    nothing is moved or removed.
    """
    problems = store.database.check(quick=not read_data)
    found = [
        Finding("database", line, "move the store's folder away and run again: the steps run anew")
        for line in problems
    ]
    if problems:
        return found
    wanted = subset.has if read_data else _none
    found += _senseless(store, thorough=read_data)
    users = _users(store)
    found += _small(store, users, wanted)
    found += _large(store, users, wanted)
    found += _recorded(store, users)
    found += _leftovers(store)
    if not store.readonly:
        store.commit(now=True)
    return found


def _none(_: str) -> bool:
    return False


# ---------------------------------------------------------------------- rows that make no sense


def _senseless(store: LocalStore, *, thorough: bool) -> list[Finding]:
    """Results and records of runs that cannot be read; they are taken out."""
    results = dict(_senseless_results(store))
    runs = list(_senseless_runs(store, thorough=thorough))
    if (results or runs) and not store.readonly:
        store.database.write(lambda connection: _take_out(connection, list(results), runs))
    found = []
    for number, step in results.items():
        after = (
            f"{AGAIN}: `{step}` runs again when its result is wanted" if step else "nothing: no step has it"
        )
        found.append(Finding("record", f"result {number}", after, (step,) if step else ()))
    return found + [
        Finding("record", f"run r{number}", "it is no longer listed; what its steps gave is still there")
        for number in runs
    ]


def _senseless_results(store: LocalStore) -> Iterator[tuple[int, str]]:
    """The numbers and steps of results that cannot be read."""
    sql = "SELECT seq, (SELECT step FROM identities WHERE id = results.identity) FROM results WHERE seq > ? AND seq <= ?"
    (last,) = store.database.row("SELECT coalesce(max(seq), 0) FROM results") or (0,)
    for first in range(0, last, 500):
        rows = store.database.rows(sql, (first, first + 500))
        try:
            if all(step is not None for _, step in rows):
                store.results.by_number(number for number, _ in rows)
                continue
        except StoreDamaged:
            pass  # one of them; now each by itself
        for number, step in rows:
            try:
                store.results.by_number((number,))
            except StoreDamaged:
                yield number, step or ""
            else:
                if step is None:
                    yield number, ""


def _senseless_runs(store: LocalStore, *, thorough: bool) -> Iterator[int]:
    """The numbers of runs of whose record a part cannot be read; without `thorough`, of those that a plan would trip over."""
    for (number,) in store.database.rows("SELECT id FROM runs ORDER BY id"):
        try:
            if thorough:
                store.runs.steps(f"r{number}")
                store.runs.about(f"r{number}")
                store.runs.begun(f"r{number}")
            else:
                store.runs.run(f"r{number}")
                store.runs.numbers(number)
        except StoreDamaged:
            yield number


def _take_out(connection: sqlite3.Connection, results: list[int], runs: list[int]) -> None:
    """Delete results, and all rows of runs."""
    take_out(connection, runs, results)
    connection.executemany("DELETE FROM results WHERE seq = ?", [(number,) for number in results])
    for table, column in (
        ("runs", "id"),
        *((name, "run") for name in ("made", "reused", "stopped", "logs", "points")),
    ):
        sql = f"DELETE FROM {table} WHERE {column} = ?"  # noqa: S608
        connection.executemany(sql, [(number,) for number in runs])
    if runs:  # what they shared may be what is damaged, and a new run would not write it again
        connection.execute(
            f"DELETE FROM texts WHERE digest NOT IN ({SHARED})"  # noqa: S608
        )
    connection.execute("UPDATE counters SET value = value + 1 WHERE name = 'gc'")


# ---------------------------------------------------------------------- blobs


def _users(store: LocalStore) -> Users:
    """For each blob that the newest result of some key refers to: its size (-1 for a part), and the steps."""
    users: Users = {}
    newest = (
        "SELECT step, outputs FROM results JOIN identities ON identities.id = results.identity"
        " WHERE seq IN (SELECT max(seq) FROM results GROUP BY key)"
    )
    for step, outputs in store.database.rows(newest):
        with contextlib.suppress(
            ValueError, TypeError, AttributeError
        ):  # told of already, and still there if only looking
            for artifact in unpack_outputs(outputs):
                users.setdefault(artifact.digest, (artifact.size, set()))[1].add(step)
                for part in artifact.parts:
                    users.setdefault(part, (-1, set()))[1].add(step)
    return users


def _small(store: LocalStore, users: Users, wanted: Callable[[str], bool]) -> Iterator[Finding]:
    """The blobs in the database, one after the other."""
    there = set()
    for first in range(0, _last_row(store), 256):
        sql = (
            "SELECT digest, typeof(data), CASE WHEN ? THEN data END FROM blobs WHERE rowid > ? AND rowid <= ?"
        )
        for digest, kind, data in store.database.rows(sql, (wanted is not _none, first, first + 256)):
            there.add(digest)
            if kind != "blob" or (wanted(digest) and digest_of(data) != digest):
                store.results.lose(digest, "is damaged")
                yield _finding("damaged", digest, users)
    for digest, (size, _) in users.items():
        if 0 <= size <= INLINE and digest not in there:
            store.results.lose(digest, "is gone")
            yield _finding("missing", digest, users)


def _last_row(store: LocalStore) -> int:
    row = store.database.row("SELECT max(rowid) FROM blobs")
    return int(row[0] or 0) if row else 0


def _large(store: LocalStore, users: Users, wanted: Callable[[str], bool]) -> Iterator[Finding]:
    """The blobs that are files: those that results need, and those that nobody needs (yet)."""
    there = set(store.blobs.all())
    for digest, (size, _) in users.items():
        if (size > INLINE or size < 0) and digest not in there:
            yield _finding("missing", digest, users)
    for digest in sorted(there):
        size = users.get(digest, (-1, set()))[0]
        if (size >= 0 and store.blobs.size(digest) != size) or (
            wanted(digest) and store.blobs.check(digest, again=True)
        ):
            yield _bad_file(store, digest, users)


def _recorded(store: LocalStore, users: Users) -> Iterator[Finding]:
    """What steps recorded and is not there any more: no result is lost by that."""
    steps = (
        "SELECT artifact, (SELECT identities.step FROM results JOIN identities ON identities.id = results.identity"
        " WHERE results.seq = recordings.result) FROM recorded JOIN recordings ON recordings.id = recording WHERE artifact != ''"
    )
    small = {digest for (digest,) in store.database.rows("SELECT digest FROM blobs")}
    for packed, step in store.database.rows(steps):
        with contextlib.suppress(ValueError, TypeError, AttributeError, IndexError):
            (artifact,) = unpack_outputs(packed)
            there = (
                artifact.digest in small
                if artifact.size <= INLINE
                else store.blobs.size(artifact.digest) >= 0
            )
            if not there and artifact.digest not in users:
                after = f"`{artifact.name}` is not shown any more; stepwell run --force makes it again"
                yield Finding("missing", f"blob {artifact.digest}", after, (step,) if step else ())


def _bad_file(store: LocalStore, digest: str, users: Users) -> Finding:
    unreadable = "cannot be read" in store.blobs.check(digest, again=True)
    return _finding("unreadable" if unreadable else "damaged", digest, users)


def _finding(kind: str, digest: str, users: Users) -> Finding:
    steps = tuple(sorted(users.get(digest, (0, set()))[1]))
    names = ", ".join(f"`{step}`" for step in steps[:3]) + (" and others" if len(steps) > 3 else "")
    after = (
        f"{AGAIN}: {names} will run again when its result is wanted"
        if steps
        else "nothing: no result needs it"
    )
    return Finding(kind, f"blob {digest}", after, steps)


def _leftovers(store: LocalStore) -> Iterator[Finding]:
    """Files in `tmp/` that nobody has written to for a day: their process died."""
    folder = os.path.join(os.fspath(store.folder), "tmp")
    with contextlib.suppress(FileNotFoundError):
        for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
            with contextlib.suppress(OSError):
                if time.time() - entry.stat(follow_symlinks=False).st_mtime > DAY:
                    if not store.readonly:
                        os.unlink(entry.path)
                    yield Finding("leftover", f"tmp/{entry.name}", "nothing needs it; it was removed")
