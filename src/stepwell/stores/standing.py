"""What a recalled plan asks of the store, and the record of a run that finds all as an earlier one left it.

A plan in which everything was up to date stays true as long as the store has what it had. That is
asked in one query (`footing`): results are only ever added, and taking any away is counted. Alone, and
light: an unchanged pipeline is answered without the rest of the store (`app.standing`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Container
from json import dumps, loads

from stepwell.named import NamedTuple
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
    " nodes, skipped, counts, origins, wiring, about, tags, named, diff)"
    " SELECT ?1, pipeline, status, ?2, ?3, params, metrics, ?4, ?5, ?6, driver,"
    " nodes, skipped, counts, origins, wiring, about, tags, named, CASE WHEN ?5 THEN diff ELSE '' END"
    ' FROM runs WHERE id = ?7 AND status = \'succeeded\' AND "group" IS NULL AND (NOT ?5 OR (dirty AND "commit" = ?4))'
)
"""A tree with changes has those of the run before, since all that counts is as it was; where they were of another commit, nothing is repeated."""

_RECORD = (
    "SELECT params, metrics, counts, origins, skipped, tags FROM runs WHERE id = ?"
    " AND (named = '' OR EXISTS (SELECT 1 FROM texts WHERE digest = named))"
    " AND EXISTS (SELECT 1 FROM texts WHERE digest = nodes)"
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
) -> tuple[str, bool]:
    """Record a run that found everything up to date since an earlier one; its id, and whether that one had made anything.

    The id is "" where the earlier one is gone or damaged, or had no changes of the same commit while the tree has some. Times in seconds since 1970. Raises `StoreReadOnly` and the like.
    """

    def write(connection: sqlite3.Connection) -> tuple[str, bool]:
        (number,) = connection.execute("SELECT value + 1 FROM counters WHERE name = 'run'").fetchone()
        values = (number, started, seconds, commit, int(dirty), dumps(argv), run)
        if not _is_sound(connection.execute(_RECORD, (run,)).fetchone()):
            return "", False
        if not connection.execute(_REPEAT, values).rowcount:
            return "", False
        connection.execute("UPDATE counters SET value = ? WHERE name = 'run'", (number,))
        made = connection.execute("SELECT text FROM made WHERE run = ?", (run,)).fetchall()
        if made:
            _reuse_all(connection, run, made, number)
        else:
            connection.execute(
                "INSERT INTO reused (run, part, text) SELECT ?, part, text FROM reused WHERE run = ?",
                (number, run),
            )
        return f"r{number}", bool(made)

    return database.write(write, durable=False)


def _is_sound(row: tuple[str, ...] | None) -> bool:
    """Whether the record of a run can be read: damage is not repeated. Raises `ValueError` and `TypeError` for what is no JSON."""
    if row is None:
        return False
    *records, skipped, tags = [loads(text) for text in row]
    return all(type(one) is dict for one in records) and type(skipped) is list is type(tags)


def _reuse_all(connection: sqlite3.Connection, run: int, made: list[tuple[str]], number: int) -> None:
    """Have one run reuse what another one made and reused: what a run that goes the whole way records then."""
    from stepwell.stores.texts import put_text  # only the first run after one that worked

    found: dict[int, int] = {}
    sql = "SELECT texts.text FROM reused JOIN texts ON texts.digest = reused.text WHERE run = ?"
    for (text,) in connection.execute(sql, (run,)):
        flat = loads(text)
        found.update(zip(flat[::2], flat[1::2], strict=True))
    for (text,) in made:
        flat = loads(text)["steps"]
        found.update(zip(flat[::4], flat[1::4], strict=True))
    packed = put_text(connection, _compact([item for pair in sorted(found.items()) for item in pair]))
    connection.execute("INSERT INTO reused (run, part, text) VALUES (?, 0, ?)", (number, packed))
    counts = (_compact({"cached": len(found)}), number)
    connection.execute("UPDATE runs SET counts = ? WHERE id = ?", counts)


def _compact(value: object) -> str:
    return dumps(value, separators=(",", ":"))  # as `stores.rows` writes it, without loading that
