"""Small caches that outlive a process: digests of unchanged files, traced graphs. Losing them costs time only."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping

from stepwell.stores.database import Database


class Memo:
    """A table of values by kind and key; a `database.Writer`.

    Values are text or bytes. Puts are seen here at once, and written with the next commit. In a
    store that cannot be written they are forgotten with the process.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._new: dict[tuple[str, str], str | bytes | None] = {}
        self._session: dict[tuple[str, str], str | bytes | None] = {}

    def get(self, kind: str, key: str) -> str | bytes | None:
        """The value that was put last, or None."""
        return self.get_many(kind, (key,)).get(key)

    def get_many(self, kind: str, keys: Iterable[str]) -> dict[str, str | bytes]:
        """The values of those keys that have one."""
        found: dict[str, str | bytes] = {}
        missing = []
        for key in keys:
            if (kind, key) in self._session:
                value = self._session[kind, key]
                if value is not None:
                    found[key] = value
            else:
                missing.append(key)
        for start in range(0, len(missing), 900):
            some = missing[start : start + 900]
            sql = f"SELECT key, value FROM memo WHERE kind = ? AND key IN ({','.join('?' * len(some))})"  # noqa: S608
            found.update(self._database.rows(sql, (kind, *some)))  # type: ignore[arg-type]
        return found

    def get_all(self, kind: str) -> dict[str, str | bytes]:
        """All values of a kind: one query, where most of them are wanted."""
        found: dict[str, str | bytes] = dict(
            self._database.rows("SELECT key, value FROM memo WHERE kind = ?", (kind,))  # type: ignore[arg-type]
        )
        for (of, key), value in self._session.items():
            if of == kind:
                if value is None:
                    found.pop(key, None)
                else:
                    found[key] = value
        return found

    def put(self, kind: str, key: str, value: str | bytes) -> None:
        """Remember a value."""
        self._new[kind, key] = self._session[kind, key] = value
        self._database.touch()

    def put_many(self, kind: str, values: Mapping[str, str | bytes]) -> None:
        """Remember many values of a kind."""
        for key, value in values.items():
            self._new[kind, key] = self._session[kind, key] = value
        if values:
            self._database.touch()

    def forget(self, kind: str, keys: Iterable[str]) -> None:
        """Remove values."""
        for key in keys:
            self._new[kind, key] = self._session[kind, key] = None
            self._database.touch()

    def write(self, connection: sqlite3.Connection) -> None:
        """Write what was put."""
        if self._new:
            put = [(kind, key, value) for (kind, key), value in self._new.items() if value is not None]
            dropped = [pair for pair, value in self._new.items() if value is None]
            connection.executemany("INSERT OR REPLACE INTO memo (kind, key, value) VALUES (?, ?, ?)", put)
            connection.executemany("DELETE FROM memo WHERE kind = ? AND key = ?", dropped)

    def written(self) -> None:
        """Forget that it was to be written."""
        self._new.clear()
