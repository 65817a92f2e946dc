"""Is the store sound? `verify` looks at everything and says what each finding will lead to.

Nothing is repaired by hand, and nothing by guessing: a damaged blob is moved to `quarantine/`, the
results that need it are from then on known to be lost, and their steps run again when they are wanted.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from typing import NamedTuple

from stepwell.stores.blobs import INLINE, digest_of
from stepwell.stores.local import LocalStore
from stepwell.stores.rows import unpack_outputs

DAY = 86400.0


class Finding(NamedTuple):
    """Something that is not as it should be.

    `kind`: database, missing, damaged, unreadable or leftover. `what` names it, `steps` are the full names of the
    steps whose results need it, `next` says what will happen.
    """

    kind: str
    what: str
    next: str
    steps: tuple[str, ...] = ()


def verify(store: LocalStore, *, read_data: bool = True) -> list[Finding]:
    """Everything that is wrong with a store; empty where it is sound.

    Without `read_data` blobs are only looked for, not hashed. In a store opened for reading nothing
    is moved or removed.
    """
    problems = store.database.check(quick=not read_data)
    found = [
        Finding("database", line, "move the store's folder away and run again: the steps run anew")
        for line in problems
    ]
    if problems:
        return found
    users = _users(store)
    found += _small(store, users, read_data)
    found += _large(store, users, read_data)
    found += _leftovers(store)
    if not store.readonly:
        store.commit(now=True)
    return found


def _users(store: LocalStore) -> dict[str, tuple[int, set[str]]]:
    """For each blob that the newest result of some key refers to: its size (-1 for a part), and the steps."""
    users: dict[str, tuple[int, set[str]]] = {}
    newest = (
        "SELECT step, outputs FROM results JOIN identities ON identities.id = results.identity"
        " WHERE seq IN (SELECT max(seq) FROM results GROUP BY key)"
    )
    for step, outputs in store.database.rows(newest):
        for artifact in unpack_outputs(outputs):
            users.setdefault(artifact.digest, (artifact.size, set()))[1].add(step)
            for part in artifact.parts:
                users.setdefault(part, (-1, set()))[1].add(step)
    return users


def _small(store: LocalStore, users: dict[str, tuple[int, set[str]]], read_data: bool) -> Iterator[Finding]:
    """The blobs in the database, one after the other."""
    there = set()
    for first in range(0, _last_row(store), 256):
        sql = "SELECT digest, data FROM blobs WHERE rowid > ? AND rowid <= ?"
        for digest, data in store.database.rows(sql, (first, first + 256)):
            there.add(digest)
            if read_data and (not isinstance(data, bytes) or digest_of(data) != digest):
                store.results.lose(digest, "is damaged")
                yield _finding("damaged", digest, users)
    for digest, (size, _) in users.items():
        if 0 <= size <= INLINE and digest not in there:
            store.results.lose(digest, "is gone")
            yield _finding("missing", digest, users)


def _last_row(store: LocalStore) -> int:
    row = store.database.row("SELECT max(rowid) FROM blobs")
    return int(row[0] or 0) if row else 0


def _large(store: LocalStore, users: dict[str, tuple[int, set[str]]], read_data: bool) -> Iterator[Finding]:
    """The blobs that are files: those that results need, and those that nobody needs (yet)."""
    there = set(store.blobs.all())
    for digest, (size, _) in users.items():
        if (size > INLINE or size < 0) and digest not in there:
            yield _finding("missing", digest, users)
    for digest in sorted(there):
        size = users.get(digest, (-1, set()))[0]
        if (size >= 0 and store.blobs.size(digest) != size) or (
            read_data and store.blobs.check(digest, again=True)
        ):
            yield _bad_file(store, digest, users)


def _bad_file(store: LocalStore, digest: str, users: dict[str, tuple[int, set[str]]]) -> Finding:
    unreadable = "cannot be read" in store.blobs.check(digest, again=True)
    return _finding("unreadable" if unreadable else "damaged", digest, users)


def _finding(kind: str, digest: str, users: dict[str, tuple[int, set[str]]]) -> Finding:
    steps = tuple(sorted(users.get(digest, (0, set()))[1]))
    names = ", ".join(f"`{step}`" for step in steps[:3]) + (" and others" if len(steps) > 3 else "")
    after = f"{names} will run again when its result is wanted" if steps else "nothing: no result needs it"
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
