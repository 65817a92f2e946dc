"""Removing blobs of a store for good, at once, not by way of the trash: for data that nobody may keep.

    erase(store, ["b3:…"])           # those that were there

What was made of them stays, and is lost to plans: whatever needs an erased blob runs again, if it can. The pages of the
database that held a small one are overwritten. What the records of runs show of a value, some words of it, stays.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterable
from typing import TYPE_CHECKING

from stepwell.stores.collect import living
from stepwell.stores.filesystem import refusal
from stepwell.stores.index import renew
from stepwell.stores.trash import busy

if TYPE_CHECKING:
    from stepwell.stores.local import LocalStore


def erase(store: LocalStore, digests: Iterable[str]) -> tuple[str, ...]:
    """Remove these blobs from the store and its trash; gives those that were there. Raises `StoreBusy`, `StoreError`."""
    wanted = tuple(dict.fromkeys(digests))
    found: set[str] = set()

    def rows(connection: sqlite3.Connection) -> None:
        alive = living(store.database, ())
        if alive:
            raise busy(alive)
        connection.execute("PRAGMA secure_delete = ON")
        for table in ("blobs", "trash_blobs"):
            if connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone():
                for digest in wanted:
                    gone = connection.execute(f"DELETE FROM {table} WHERE digest = ?", (digest,))  # noqa: S608
                    found.update([digest] * min(gone.rowcount, 1))
        connection.execute("UPDATE counters SET value = value + 1 WHERE name = 'gc'")
        renew(connection)

    def files(_: None) -> None:
        for digest in wanted:
            found.update([digest] * _unlinked(store, digest))

    store.database.write(rows, after=files)
    return tuple(digest for digest in wanted if digest in found)


def _unlinked(store: LocalStore, digest: str) -> bool:
    """Remove the files of a blob, that of the trash too; whether there was one."""
    name = digest.removeprefix("b3:")
    there = False
    for path in (store.blobs.path(digest), store.folder / "trash" / name[:2] / name[2:]):
        try:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                os.unlink(path)
                there = True
        except OSError as error:
            raise refusal(error, path) from error
    return there
