"""What a query gives, frozen: asked once in one snapshot of the database, kept as canonical Parquet.

Rows stand in an order that they alone decide (`parquet.ordered`), unless the query ends with an `order by` of its own;
the position says which, and where the database was: the write-ahead log and the snapshot of PostgreSQL, the counter of
changes of a file of SQLite. No address, name of a user or password is in it.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

from stepwell.dist.freezing import Frozen, Wanted, moment_of
from stepwell.dist.freezing.parquet import canonical, ordered
from stepwell.dist.pins import query_token
from stepwell.errors import CannotFreeze, NoDatabase, QueryRefused, nearest
from stepwell.sources.address import printable, shown
from stepwell.sources.kept import Shelf, receive
from stepwell.worker.kinds import databases
from stepwell.worker.kinds.sqltext import quoted
from stepwell.worker.kinds.sqlvalues import library

_NOT_CODE = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/", re.DOTALL)
_INNER = re.compile(r"\([^()]*\)")


class Answer(NamedTuple):
    """What a database gave: an Arrow table, the position of the database, and whether the query's own order counts."""

    table: Any
    position: Mapping[str, str]
    is_ordered: bool


class Query:
    """What a query of a database gives now."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._query = wanted.query.strip().rstrip(";").rstrip()
        if not self._query:
            raise CannotFreeze(
                f"data `{wanted.name}` is in the database `{shown(wanted.uri)}`, and no `query` says what of it",
                fixes=['query = "select * from customers"'],
            )
        if wanted.span and not wanted.by:
            raise CannotFreeze(
                f"data `{wanted.name}` has a span in `freeze`, and no `by`",
                why="of a table rows are meant, by the column that says when",
                fixes=['freeze.by = "seen_at"'],
            )

    def materialise(self, shelf: Shelf) -> Frozen:
        """Ask it. Raises `BadDatabase`, `NoDatabase`, `QueryRefused`, `QueryFailed`, `SqlResult`, `MissingExtra`."""
        wanted = self._wanted
        answer = self._asked()
        key = [name for name in wanted.key if name in answer.table.column_names]
        own = answer.is_ordered and orders_itself(self._query)
        table, order = (answer.table, "of the query") if own else ordered(answer.table, key)
        digest, size = receive([canonical(table)], shelf)
        position = {"kind": "query", "query": query_token(wanted.query), "order": order}
        return Frozen(digest, size, {**position, **wanted.span, **answer.position})

    def _asked(self) -> Answer:
        wanted = self._wanted
        library("pyarrow", "sql")
        name = databases.variable(wanted.uri)
        address = os.environ.get(name, "") if name else wanted.uri
        if address.startswith("duckdb:"):
            return self._in_duckdb(_file_of(address, wanted.root))
        found = databases.resolved(wanted.uri, wanted.root, os.environ)
        if found.dialect == databases.SQLITE:
            return self._in_sqlite(found.path)
        return self._in_postgresql(found)

    # ------------------------------------------------------------------ SQLite

    def _in_sqlite(self, path: str) -> Answer:
        databases.look_at(path)
        with databases.opened(path, is_written=False) as connection:
            try:
                connection.execute("BEGIN")
                cursor = connection.execute(self._query)
                rows, names = cursor.fetchall(), [each[0] for each in cursor.description or ()]
                connection.execute("COMMIT")
            except sqlite3.Error as error:
                raise databases.told_by_sqlite(error, {"text": self._query}) from None
        self._refuse_nothing(names)
        if self._wanted.by:
            at = self._column(names)
            rows = [row for row in rows if self._is_within(row[at])]
        with open(path, "rb") as file:
            counter = int.from_bytes(file.read(28)[24:28], "big")
        return Answer(databases.as_columns(names, rows), {"change": str(counter)}, is_ordered=True)

    def _is_within(self, value: Any) -> bool:
        """Whether a value lies in the span: SQLite has no dates, only texts that say them, and numbers."""
        wanted = self._wanted
        if value is None:
            return False
        try:
            moment = moment_of(str(value)) if not isinstance(value, int | float) else _since_1970(value)
        except ValueError:
            raise CannotFreeze(
                f"`{wanted.by}` holds `{printable(str(value)[:40])}`, which is no date",
                why="`freeze.by` names the column that says when",
                fixes=["dates as 2026-07-01, with a time or without"],
            ) from None
        after = not wanted.start or moment >= moment_of(wanted.start)
        return after and (not wanted.until or moment < moment_of(wanted.until))

    # ------------------------------------------------------------------ PostgreSQL

    def _in_postgresql(self, address: databases.Address) -> Answer:
        psycopg = library("psycopg", "postgres")
        text, bound = self._spanned(lambda number: f"%({number})s", lambda text: text.replace("%", "%%"))
        with databases.connected(psycopg, address) as connection:
            try:
                connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                with connection.cursor() as cursor:
                    cursor.execute(text, bound or None)
                    names = [column.name for column in cursor.description or ()]
                    kinds = [column.type_code for column in cursor.description or ()]
                    rows = cursor.fetchall() if names else []
                lsn, snapshot = connection.execute(_WHERE_POSTGRESQL_IS).fetchone()
                connection.commit()
            except psycopg.Error as error:
                raise databases.told_by_postgresql(error, {"text": self._query}, address) from None
        self._refuse_nothing(names)
        table = _typed(databases.as_columns(names, rows), [_OIDS.get(kind, "") for kind in kinds])
        return Answer(table, {"lsn": lsn, "snapshot": snapshot}, is_ordered=not self._wanted.by)

    # ------------------------------------------------------------------ DuckDB

    def _in_duckdb(self, path: str) -> Answer:
        duckdb = library("duckdb", "sql")
        if not os.path.isfile(path):
            raise databases.no_file(path)
        text, bound = self._spanned(lambda number: f"${number}", lambda text: text)
        with _told_by_duckdb(duckdb, path), duckdb.connect(path, read_only=True) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            relation = connection.execute(text, bound) if bound else connection.execute(text)
            table = relation.to_arrow_table()
        self._refuse_nothing(table.column_names)
        return Answer(table, {}, is_ordered=not self._wanted.by)

    # ------------------------------------------------------------------ both

    def _spanned(
        self, mark: Callable[[str], str], escaped: Callable[[str], str]
    ) -> tuple[str, dict[str, datetime]]:
        """The query, cut to the span of its column; and what is bound."""
        wanted = self._wanted
        if not wanted.by:
            return self._query, {}
        column, bound, tests = quoted(wanted.by), {}, []
        for name, text, sign in (("after", wanted.start, ">="), ("before", wanted.until, "<")):
            if text:
                bound[name] = moment_of(text)
                tests.append(f"{escaped(column)} {sign} {mark(name)}")
        where = " and ".join(tests) or "true"
        return f"select * from (\n{escaped(self._query)}\n) as frozen where {where}", bound  # noqa: S608  the user's query, values are bound

    def _column(self, names: Sequence[str]) -> int:
        """The place of the column that says when."""
        by = self._wanted.by
        if by not in names:
            near = nearest(by, names)
            raise CannotFreeze(
                f"what the query gives has no column `{by}`",
                why=f"it has {', '.join(names[:12])}",
                fixes=[f'did you mean freeze.by = "{near}"?'] if near else [],
            )
        return names.index(by)

    def _refuse_nothing(self, names: Sequence[str]) -> None:
        if not names:
            raise CannotFreeze(
                f"the query of data `{self._wanted.name}` gives no rows",
                why="what is frozen is a table",
                fixes=['query = "select …"'],
            )


def orders_itself(query: str) -> bool:
    """Whether a query ends with an `order by` of its own; one inside of brackets, a text or a comment is none.

    >>> orders_itself("select * from (select 1 order by 1) -- order by 2")
    False
    """
    text = _NOT_CODE.sub(" ", query)
    while (shorter := _INNER.sub(" ", text)) != text:
        text = shorter
    return re.search(r"\border\s+by\b", text, re.IGNORECASE) is not None


def _since_1970(value: float) -> datetime:
    return datetime.fromtimestamp(value, UTC)


def _file_of(address: str, root: Path) -> str:
    """The file of `duckdb:///x.duckdb` (of the project) or `duckdb:////srv/x.duckdb`. Raises `NoDatabase`."""
    path = unquote(address.removeprefix("duckdb:").removeprefix("//").removeprefix("/"))
    if not path or path.startswith(":memory:") or "\0" in path:
        raise NoDatabase("the address names no file of DuckDB", fixes=["duckdb:///data/shop.duckdb"])
    return os.path.join(root, path)


@contextmanager
def _told_by_duckdb(duckdb: Any, path: str) -> Iterator[None]:
    """What DuckDB raises, as errors of ours."""
    try:
        yield
    except duckdb.Error as error:
        said = printable(" ".join(str(error).split())[:400])
        if isinstance(error, duckdb.IOException):
            raise NoDatabase(f"the database `{path}` cannot be opened: {said}") from None
        raise QueryRefused(f"the query cannot be executed: {said}", why="DuckDB says so") from None


# --------------------------------------------------------------------------- types

_OIDS = {
    16: "bool", 20: "int64", 21: "int64", 23: "int64", 26: "int64", 700: "float64", 701: "float64", 1700: "float64",
    25: "string", 1042: "string", 1043: "string", 19: "string", 2950: "string", 114: "string", 3802: "string",
    17: "binary", 1082: "date32", 1083: "time64[us]", 1114: "timestamp[us]", 1184: "timestamp[us, tz=UTC]",
}  # fmt: skip
"""Types of PostgreSQL by number: a column without a value has the same type as one with values."""

_WHERE_POSTGRESQL_IS = """
select (case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end)::text,
       txid_current_snapshot()::text
"""


def _typed(table: Any, kinds: Sequence[str]) -> Any:
    """A table whose columns have the types that the database declares, as far as they are known."""
    import pyarrow as pa

    fixed = {"time64[us]": pa.time64("us"), "timestamp[us]": pa.timestamp("us")}
    fixed["timestamp[us, tz=UTC]"] = pa.timestamp("us", "UTC")
    columns = []
    for column, kind in zip(table.columns, kinds, strict=True):
        wanted = fixed.get(kind) or (pa.type_for_alias(kind) if kind else column.type)
        columns.append(column if column.type == wanted else column.cast(wanted))
    return pa.Table.from_arrays(columns, names=table.column_names)


__all__ = ["Query", "orders_itself"]
