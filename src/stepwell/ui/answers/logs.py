"""What the steps of a run printed: `GET /api/runs/:run/logs`, from a place on."""

from __future__ import annotations

from typing import Any

from stepwell.ui.asked import Asked, Here

MOST = 5_000
"""Pieces of text in one answer."""

LONGEST = 500_000
"""Bytes of one piece that are shown."""

LARGEST = 2_000_000
"""Bytes of text in one answer, if it is more than one piece."""


def logs(here: Here, asked: Asked) -> dict[str, Any]:
    """The pieces after `after`, oldest first; of one step with `node`, only those that have `q` in them. Raises `UnknownRun`."""
    row = here.store.runs.run(asked.path["run"])
    number, after = int(row.run[1:]), asked.number("after", 0)
    limit = asked.number("limit", 1000, least=1, most=MOST)
    # As bytes: SQLite ends a text at its first NUL.
    sql = (
        "SELECT seq, node, time, stream, substr(CAST(text AS BLOB), 1, ?), length(CAST(text AS BLOB))"
        " FROM logs WHERE run = ? AND seq > ?"
    )
    given: list[object] = [LONGEST, number, after]
    if asked.word("node"):
        sql += " AND node = ?"
        given.append(asked.number("node", 0))
    if query := asked.word("q"):
        sql += " AND text LIKE ? ESCAPE '\\'"
        given.append(f"%{_literal(query)}%")
    found = here.store.database.rows(f"{sql} ORDER BY seq LIMIT ?", (*given, limit + 1))
    shown = _bounded(found[:limit])
    return {
        "lines": [
            {"seq": seq, "node": node, "time": time, "stream": stream, "text": _cut(data, length)}
            for seq, node, time, stream, data, length in shown
        ],
        "next": shown[-1][0] if shown else after,
        "more": len(found) > len(shown),
        "kept": True,
    }


def _cut(data: bytes, length: int) -> str:
    """A piece, and how much of it is not shown; all of it is printed by `stepwell logs`."""
    text, left = data.decode("utf-8", "ignore"), length - len(data)
    return f"{text}\n[{left:,} more bytes are not shown]\n" if left > 0 else text


def _literal(query: str) -> str:
    """A text for LIKE that stands for itself."""
    for sign in "\\%_":
        query = query.replace(sign, f"\\{sign}")
    return query


def _bounded(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The first rows that are not too much together; at least one."""
    left = LARGEST
    for place, row in enumerate(rows):
        left -= len(row[4])
        if left < 0 and place:
            return rows[:place]
    return rows
