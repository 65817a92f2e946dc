"""What a recalled plan asks of the store, and the record of a run that repeats one in which nothing ran.

A plan in which everything was up to date stays true as long as the store has what it had. That is
asked in one query (`footing`): results are only ever added, and taking any away is counted. Alone, and
light: an unchanged pipeline is answered without the rest of the store (`app.standing`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Container
from json import dumps
from typing import NamedTuple

from stepwell.stores.database import Database

_FOOTING = (
    "SELECT (SELECT value FROM counters WHERE name = 'result'), (SELECT value FROM counters WHERE name = 'gc'),"
    " (SELECT count(*) FROM gone), (SELECT coalesce(max(id), 0) FROM accepted)"
)

_NEWER = "SELECT key FROM results WHERE seq > ? LIMIT ?"

MANY = 50_000
"""Newer results up to which it is looked whether one of them counts instead of a recalled one."""

_REPEAT = (
    'INSERT INTO runs (id, pipeline, status, started, seconds, params, metrics, "commit", dirty, argv, driver,'
    " nodes, skipped, counts, origins, wiring, about, tags) SELECT ?, pipeline, status, ?, ?, params, metrics, ?, ?, ?, driver,"
    " nodes, skipped, counts, origins, wiring, about, tags FROM runs WHERE id = ? AND status = 'succeeded' AND \"group\" IS NULL"
)


class Footing(NamedTuple):
    """What a plan rested on in the store.

    The last result's number; how often something was taken away, found lost, or said of an edit.
    """

    last: int
    removals: int
    gone: int
    accepted: int


def footing(database: Database) -> Footing:
    """What the store comes to now."""
    return Footing(*(database.row(_FOOTING) or (0, 0, 0, 0)))


def stands(database: Database, before: Footing, now: Footing, keys: Container[str]) -> bool:
    """Whether the results of these keys are still the newest that the store has."""
    if before._replace(last=now.last) != now:
        return False
    if before.last == now.last:
        return True
    newer = database.rows(_NEWER, (before.last, MANY + 1))
    return len(newer) <= MANY and not any(key in keys for (key,) in newer)


def repeat(
    database: Database, run: int, *, started: float, seconds: float, commit: str, dirty: bool, argv: list[str]
) -> str:
    """Record a run that did what an earlier one did, in which everything was reused; its id, "" where that one is gone.

    Times in seconds since 1970. Raises `StoreReadOnly` and the like.
    """

    def write(connection: sqlite3.Connection) -> str:
        (number,) = connection.execute("SELECT value + 1 FROM counters WHERE name = 'run'").fetchone()
        values = (number, started, seconds, commit, int(dirty), dumps(argv), run)
        if not connection.execute(_REPEAT, values).rowcount:
            return ""
        connection.execute("UPDATE counters SET value = ? WHERE name = 'run'", (number,))
        connection.execute(
            "INSERT INTO reused (run, part, text) SELECT ?, part, text FROM reused WHERE run = ?",
            (number, run),
        )
        return f"r{number}"

    return database.write(write, durable=False)
