"""Where a result or a blob is, by its name: an index that is written late, many entries at a time.

    late = Late(database, BY_KEY)
    late.rows("b3:…")       numbers of rows without an entry yet that have this name, the oldest first
    settle(connection)      inside a transaction: entries for all rows that have none

Names are digests, so each entry belongs to another page of its index, and the more entries there are,
the fewer share a page: an index that SQLite kept itself would rewrite, and sync, ten pages for each that
holds new rows. Rows are only ever added at the end, with numbers that are never used twice. So entries are
made when a run ends, or for `LATE` rows at once, in the order of their names. Rows behind the last number
that has an entry (the table `settled`) are read once by each process that looks for something.

An entry leads to rows that may have the name: it holds the first characters only, and what has been
taken away keeps its entries until the next `renew`. Whoever looks compares the whole name.
"""

from __future__ import annotations

import sqlite3
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from stepwell.named import NamedTuple
from stepwell.stores.database import Database

LATE = 25_000
"""Rows without an entry from which on they get them during a run."""

READ_FOR_ONE = 64
"""Entries that are read in about the time in which one name is looked up in vain."""

FEW = 16
"""Names that are looked up in vain one by one in any case."""


class Index(NamedTuple):
    """A table of entries (name, row), the rows' table, their number, and the column with the name."""

    entries: str
    table: str
    number: str
    column: str
    width: int = 12

    @property
    def among(self) -> str:
        """A condition that narrows rows down to those with an entry for the name ?1, which they may have."""
        return f"{self.number} IN (SELECT row FROM {self.entries} WHERE name = substr(?1, 1, {self.width}))"  # noqa: S608


BY_KEY = Index("results_by_key", "results", "seq", "key")
BY_SITE = Index("results_by_site", "results", "seq", "site")
BY_DIGEST = Index("blobs_by_digest", "blobs", "id", "digest", 27)
TABLES = (("results", "seq", (BY_KEY, BY_SITE)), ("blobs", "id", (BY_DIGEST,)))

_SETTLED = "SELECT row FROM settled WHERE rows_of = ?"


class Late:
    """The rows of a table that have no entries in an index yet, by their names, as far as this connection sees them.

    It remembers, too, for which names no entry was found: those get none before more rows have entries. Where they
    become many, as in a run in which much has changed, all entries are read, and the others cost no query.
    """

    def __init__(self, database: Database, index: Index) -> None:
        self._database, self._index = database, index
        self._rows: dict[str, int | tuple[int, ...]] = {}  # mostly one, and there may be very many
        number, column, table = index.number, index.column, index.table
        self._newer = f"SELECT {number}, {column} FROM {table} WHERE {number} > ?"  # noqa: S608
        self._seen = -1
        self._stale = True
        self._settled = 0  # the last row that has entries
        self._missed: set[str] = set()
        self._entered: array[int] | None = None  # sorted hashes of what all entries hold

    def moved(self) -> None:
        """Somebody has written: look again when something is asked."""
        self._stale = True

    def renewed(self) -> None:
        """Rows were taken away or brought back: nothing holds that was found out about entries."""
        self._stale = True
        self._entered = None
        self._missed.clear()

    def rows(self, name: str) -> tuple[int, ...]:
        """The numbers of the rows with this name, the oldest first; those that have entries meanwhile may be among them."""
        if self._stale:
            self.look()
        return _listed(self._rows.get(name, ()))

    def may_be_entered(self, name: str) -> bool:
        """Whether an entry may lead to a row with this name; ask for its `rows` before."""
        if not self._settled or name in self._missed:
            return False
        marks = self._entered
        if marks is None:
            return True
        mark = hash(name[: self._index.width])
        place = bisect_left(marks, mark)
        return place < len(marks) and marks[place] == mark

    def miss(self, name: str) -> None:
        """Remember that no entry leads to a row with this name."""
        missed = self._missed
        missed.add(name)
        if self._entered is None and len(missed) > FEW and len(missed) * READ_FOR_ONE >= self._settled:
            names = self._database.rows(f"SELECT name FROM {self._index.entries}")  # noqa: S608
            self._entered = array("q", sorted([hash(name) for (name,) in names]))

    def of(self, names: Sequence[str]) -> set[str]:
        """Those of the names that a row has. Call `look` before.

        What was written since is seen, and not remembered: it may be part of a transaction that comes to nothing.
        """
        index = self._index
        newer = f"SELECT {index.column} FROM {index.table} WHERE {index.number} > ?"  # noqa: S608
        found = {name for (name,) in self._database.rows(newer, (self._seen,))}
        asked = [name for name in names if self.may_be_entered(name)]
        found.update(name for (name,) in entered(self._database, index, asked, index.column))
        return {name for name in names if name in found or name in self._rows}

    def look(self) -> None:
        """Take in what has been written by now."""
        (settled,) = self._database.row(_SETTLED, (self._index.table,)) or (0,)
        if settled != self._settled:
            self.renewed()
            self._settled = settled
        if settled >= self._seen:  # all that is known here has its entries
            self._rows.clear()
            self._seen = settled
        rows = self._rows
        for number, name in self._database.rows(self._newer, (self._seen,)):
            rows[name] = (*_listed(rows[name]), number) if name in rows else number
            self._seen = number
        self._stale = False


def _listed(numbers: int | tuple[int, ...]) -> tuple[int, ...]:
    return (numbers,) if isinstance(numbers, int) else numbers


def entered(
    database: Database, index: Index, names: Iterable[str], columns: str
) -> Iterator[tuple[Any, ...]]:
    """Columns of the rows with an entry for one of the names, which they may have."""
    sql = f"SELECT {columns} FROM {index.table} WHERE {index.number} IN (SELECT row FROM {index.entries} WHERE name IN (???))"  # noqa: S608
    return database.many(sql, [name[: index.width] for name in names])


def settle(connection: sqlite3.Connection, least: int = 1) -> None:
    """Inside a transaction: entries for all rows of a table that have none, where these are at least so many."""
    for table, number, indexes in TABLES:
        (settled,) = connection.execute(_SETTLED, (table,)).fetchone()
        (last,) = connection.execute(f"SELECT coalesce(max({number}), 0) FROM {table}").fetchone()  # noqa: S608
        if last - settled >= least:
            for entries, _, _, column, width in indexes:
                connection.execute(
                    f"INSERT OR IGNORE INTO {entries} (name, row) SELECT substr({column}, 1, {width}), {number}"  # noqa: S608
                    f" FROM {table} WHERE {number} > ? ORDER BY 1, 2",
                    (settled,),
                )
            connection.execute("UPDATE settled SET row = ? WHERE rows_of = ?", (last, table))


def renew(connection: sqlite3.Connection) -> None:
    """Inside a transaction: the entries of all rows anew, after rows were taken away or brought back."""
    for _, _, indexes in TABLES:
        for index in indexes:
            connection.execute(f"DELETE FROM {index.entries}")  # noqa: S608
    connection.execute("UPDATE settled SET row = 0")
    settle(connection)
