"""What a migration cannot say in SQL: rows of an older store as they are now."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from json import loads

from stepwell.stores.metrics import gathered
from stepwell.stores.rows import encode, unpack_numbers
from stepwell.stores.texts import put_text


def name_metrics(connection: sqlite3.Connection) -> None:
    """Note for the runs that have ended which steps logged what, inside a transaction.

    Of a run of which that cannot be told any more (`gc` took results away) the names stay as they are.
    """
    rows = connection.execute(
        "SELECT id, nodes, metrics FROM runs WHERE named = '' AND metrics IS NOT NULL AND metrics != '{}'"
    ).fetchall()
    for run, nodes, metrics in rows:
        try:
            found = gathered(_logged(connection, run, nodes))
            known = found.keys() == loads(metrics).keys()
        except (ValueError, TypeError, KeyError, IndexError):  # damaged: whoever reads the run says so
            continue
        if known:
            named = put_text(connection, encode(found.names.pairs))
            connection.execute("UPDATE runs SET named = ? WHERE id = ?", (named, run))


def _logged(
    connection: sqlite3.Connection, run: int, nodes: str
) -> Iterator[tuple[str, tuple[tuple[str, float], ...]]]:
    """The metrics of the results that a run made or reused, by the ids of its steps."""
    (ids,) = connection.execute("SELECT text FROM texts WHERE digest = ?", (nodes,)).fetchone()
    names, numbers = loads(ids), dict[int, int]()
    for sql, each in ((_REUSED, 2), (_MADE, 4)):
        for (text,) in connection.execute(sql, (run,)).fetchall():
            told = loads(text)
            flat = told["steps"] if isinstance(told, dict) else told
            numbers.update(zip(flat[::each], flat[1::each], strict=True))
    for node, number in sorted(numbers.items()):
        row = connection.execute("SELECT metrics FROM results WHERE seq = ?", (number,)).fetchone()
        if row is not None and row[0]:
            yield names[node][0], unpack_numbers(row[0])


_REUSED = "SELECT texts.text FROM reused JOIN texts ON texts.digest = reused.text WHERE run = ?"
_MADE = "SELECT text FROM made WHERE run = ?"
