"""Databases that a query runs in: SQLite files and PostgreSQL servers, for what lives there.

    address = resolved("$WAREHOUSE", root, os.environ)     # where it is; the password is held apart
    table = run(spec, template, values, address)           # a pyarrow.Table

Tables among the inputs become temporary tables of the session. Unless the step says `write=True`, a
file is opened for reading only, and a server's transaction is one that cannot write. The password
never leaves `Address`: neither its text, nor an error's.
"""

from __future__ import annotations

import datetime as dt
import decimal
import json
import os
import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from stepwell.errors import (
    BadDatabase,
    InputChanged,
    NoDatabase,
    QueryFailed,
    QueryRefused,
    SqlInput,
    SqlResult,
    StepwellError,
    nearest,
)
from stepwell.worker.kinds.duck import Statement, as_files, composed, sorted_inputs
from stepwell.worker.kinds.sqltext import Slot, Template, quoted
from stepwell.worker.kinds.sqlvalues import as_table, library

SQLITE, POSTGRESQL = "sqlite", "postgresql"
_SCHEMES = {"sqlite": SQLITE, "postgresql": POSTGRESQL, "postgres": POSTGRESQL}

_VARIABLE = re.compile(r"\$(?:([^\W\d]\w*)|\{([^\W\d]\w*)\})$")
_SHOWN = frozenset(
    ("host", "port", "dbname", "user", "sslmode", "connect_timeout", "application_name", "options")
)
"""What an address may say after `?`; everything else could be a secret."""

WAIT = 10
"""Seconds in which a server must answer."""


class Address(NamedTuple):
    """Where a database is. `shown` is its address without a password; `path` is that of a file."""

    dialect: str
    shown: str
    path: str = ""
    options: tuple[tuple[str, str], ...] = ()
    password: str = ""

    def __repr__(self) -> str:
        return f"<database {self.shown}>"

    __str__ = __repr__

    def masked(self, text: str) -> str:
        """A text without the password, however it is written there."""
        for form in (
            {self.password, quote(self.password, safe=""), quote(self.password)} if self.password else ()
        ):
            text = text.replace(form, "***")
        return text


def variable(database: str) -> str:
    """The name of the environment variable that holds an address, "" where it is none."""
    found = _VARIABLE.match(database)
    return (found[1] or found[2]) if found else ""


def dialect_of(database: str) -> str:
    """Which kind of database an address means, "" where only a variable knows. Raises `BadDatabase`."""
    return "" if variable(database) else parsed(database, Path(), is_written=True).dialect


def resolved(database: str, root: Path, environment: Mapping[str, str]) -> Address:
    """The address of a database, with what an environment variable says. Raises `BadDatabase`, `NoDatabase`."""
    name = variable(database)
    if not name:
        return parsed(database, root, is_written=True)
    if not environment.get(name):
        raise NoDatabase(
            f"${name} is not set",
            why="it holds the address of the database",
            fixes=[f"export {name}=postgresql://user@host/database"],
        )
    return parsed(environment[name], root, is_written=False, who=f"${name}")


def parsed(url: str, root: Path, *, is_written: bool, who: str = "") -> Address:
    """An address from its text. `is_written`: it stands in a file of the user's, where no password belongs.

    Raises `BadDatabase`, which never repeats what may be a password.
    """
    scheme, colon, rest = url.partition(":")
    dialect = _SCHEMES.get(scheme.lower().partition("+")[0]) if colon else None
    if dialect is None:
        raise BadDatabase(
            f"{who or 'the address of the database'} is no address of a database that is known here",
            fixes=['sqlite:///data/shop.db, postgresql://user@host/database, or a variable: "$DATABASE_URL"'],
        )
    if dialect == SQLITE:
        path = rest.removeprefix("//")
        path = unquote(path.removeprefix("/"))
        if not path or path.startswith(":memory:") or "\0" in path or "?" in path:
            raise BadDatabase(
                f"{who or 'the address'} names no file of SQLite",
                fixes=["sqlite:///data/shop.db is a file of the project, sqlite:////srv/shop.db any file"],
            )
        return Address(SQLITE, f"sqlite:///{path}", os.path.join(root, path))
    return _server(url, who or "the address of the database", is_written=is_written)


def _server(url: str, who: str, *, is_written: bool) -> Address:
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
    except ValueError as error:
        raise BadDatabase(f"{who} is no valid address", fixes=["postgresql://user@host:5432/database"]) from (
            error if not is_written else None
        )
    more = dict(parse_qsl(parts.query, keep_blank_values=True))
    password = unquote(parts.password or "") or more.pop("password", "")
    if password and is_written:
        raise BadDatabase(
            f"{who} has a password in it",
            why="the file of a pipeline is read by many, and its text is kept with results",
            fixes=[
                'take the address from a variable: database="$DATABASE_URL"',
                "or leave the password out, and set $PGPASSWORD or ~/.pgpass",
            ],
        )
    odd = sorted(more.keys() - _SHOWN)
    if odd:
        raise BadDatabase(f"{who} has options that are not known here: {', '.join(odd)}")
    options = {
        "dbname": unquote(parts.path.lstrip("/")),
        "host": unquote(host or ""),
        "user": unquote(parts.username or ""),
    }
    options = {name: value for name, value in {**options, "port": str(port or ""), **more}.items() if value}
    user = f"{quote(options['user'])}@" if "user" in options else ""
    at = f":{port}" if port else ""
    query = "&".join(f"{name}={quote(value)}" for name, value in sorted(more.items()))
    shown = f"postgresql://{user}{host or ''}{at}/{options.get('dbname', '')}{f'?{query}' if query else ''}"
    return Address(POSTGRESQL, shown, "", tuple(sorted(options.items())), password)


# --------------------------------------------------------------------------- running


def run(spec: Mapping[str, Any], template: Template, values: Mapping[str, Any], address: Address) -> Any:
    """Execute a query in its database; gives the `pyarrow.Table` of the last statement, None where it gives no rows.

    Raises `NoDatabase`, `QueryRefused`, `QueryFailed`, `SqlInput`, `SqlResult`, `MissingExtra`, `InputChanged`.
    """
    tables, bound, identifiers = sorted_inputs(template, values, spec["kinds"])
    temporary = {name: _in_memory(name, value) for name, value in tables.items()}
    work = _in_sqlite if address.dialect == SQLITE else _in_postgresql
    return work(spec, template, temporary, bound, identifiers, address)


def _in_memory(name: str, value: Any) -> Any:
    files = as_files(name, value)
    if files is None:
        return as_table(name, value)
    pa = library("pyarrow", "sql")
    if files.form == "arrow":
        return pa.concat_tables([pa.feather.read_table(str(path)) for path in files.paths])
    if files.form == "parquet":
        from pyarrow import parquet

        return pa.concat_tables([parquet.read_table(str(path)) for path in files.paths])
    if files.form == "csv":
        from pyarrow import csv

        def read(path: Path) -> Any:
            separator = "\t" if ".tsv" in path.name.lower() else ","
            return csv.read_csv(str(path), parse_options=csv.ParseOptions(delimiter=separator))

        return pa.concat_tables(map(read, files.paths))
    raise SqlInput(
        f"`{name}` is a JSON file, which cannot be a table of another database",
        fixes=["read it in Python, and pass the table: source(..., pd.DataFrame)"],
    )


# --------------------------------------------------------------------------- SQLite


def state_of(path: str) -> tuple[tuple[int, int, int], ...]:
    """Size, time of change and inode of a file of SQLite, and of the journal beside it that holds what is new."""
    return tuple(_fields(each) for each in (path, f"{path}-wal"))


def _fields(path: str) -> tuple[int, int, int]:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return (-1, 0, 0)
    return found.st_size, found.st_mtime_ns, found.st_ino


def look_at(path: str) -> None:
    """Open a file of SQLite and its journal for a moment, so that both are seen to be read. Raises `NoDatabase`."""
    try:
        with open(path, "rb") as stream:
            head = stream.read(16)
    except OSError as error:
        raise no_file(path, error) from error
    if head and head != b"SQLite format 3\0":
        raise NoDatabase(f"`{path}` is no file of SQLite", why="it does not begin like one")
    try:
        with open(f"{path}-wal", "rb"):
            pass
    except FileNotFoundError:
        return  # that there is none counts, too: asking for it was seen


def no_file(path: str, error: OSError | None = None) -> NoDatabase:
    """The error of a file of SQLite that is not there, or cannot be read."""
    folder = os.path.dirname(path) or "."
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    hint = nearest(os.path.basename(path), names)
    why = "" if error is None or isinstance(error, FileNotFoundError) else str(error.strerror or error)
    return NoDatabase(
        f"the database `{path}` {'cannot be opened' if why else 'is not there'}",
        why=why or "a step that reads a database does not make one",
        fixes=[f"did you mean `{hint}`?"] if hint else [],
    )


def _in_sqlite(
    spec: Mapping[str, Any],
    template: Template,
    tables: Mapping[str, Any],
    bound: Mapping[str, Any],
    identifiers: Mapping[str, str],
    address: Address,
) -> Any:
    is_written = spec["write"]
    if not is_written or os.path.exists(address.path):
        look_at(address.path)
    before = state_of(address.path)
    with opened(address.path, is_written=is_written) as connection:
        parameters = {name: _for_sqlite(name, value) for name, value in bound.items()}
        statements = composed(template, sqlite_slots(tables, bound), identifiers, parameters)
        try:
            for name, table in tables.items():
                _load(connection, name, table)
            connection.execute("BEGIN")
            cursor = None
            for each in statements:
                cursor = connection.execute(each.text, each.parameters)
            rows, names = (cursor.fetchall(), cursor.description) if cursor is not None else ([], None)
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise told_by_sqlite(error, spec) from error
    if not is_written and state_of(address.path) != before:
        raise InputChanged(
            f"the database `{address.path}` changed while the query read it",
            why="what it read may belong to neither version",
            fixes=["run again when nothing writes to it any more"],
        )
    return None if names is None else as_columns([each[0] for each in names], rows)


@contextmanager
def opened(path: str, *, is_written: bool) -> Iterator[sqlite3.Connection]:
    """A file of SQLite, opened, from which no other file can be reached. Raises `NoDatabase`."""
    mode = "rwc" if is_written else "ro"
    try:
        connection = sqlite3.connect(
            f"file:{quote(path)}?mode={mode}", uri=True, timeout=WAIT, isolation_level=None
        )
    except sqlite3.Error as error:
        raise NoDatabase(f"the database `{path}` cannot be opened: {error}") from error
    with closing(connection):
        # Other files are out of reach: what a query attached, nobody would see.
        connection.set_authorizer(_authorize)
        yield connection


def _authorize(action: int, *_: object) -> int:
    return sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_ATTACH else sqlite3.SQLITE_OK


def sqlite_slots(tables: Mapping[str, Any], bound: Mapping[str, Any]) -> Callable[[Slot], str]:
    """How placeholders are written in SQLite; a list travels as JSON, and stands in `in (...)` only."""

    def slot(slot: Slot) -> str:
        if slot.name in tables:
            return quoted(slot.name)
        if isinstance(bound.get(slot.name), list):
            if not slot.is_listed:
                raise _only_listed(slot.name)
            return f"select value from json_each(:{slot.name})"  # noqa: S608  it is the name of a parameter
        return f":{slot.name}"

    return slot


def _only_listed(name: str) -> SqlInput:
    return SqlInput(
        f"`{name}` is a list, which this database knows only in `in ({{{name}}})`",
        fixes=[f"write ... in ({{{name}}})", "or pass rows, a list of dicts, which are a table"],
    )


def _for_sqlite(name: str, value: Any) -> Any:
    if isinstance(value, list):
        return json.dumps([_for_sqlite(name, item) for item in value])
    if isinstance(value, dict):
        raise SqlInput(
            f"`{name}` is a dict, which SQLite does not know", fixes=["pass its values one by one"]
        )
    if isinstance(value, dt.datetime):
        return value.isoformat(" ")
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return float(value)
    return value if isinstance(value, int | float | str | bytes | type(None)) else str(value)


def _load(connection: sqlite3.Connection, name: str, table: Any) -> None:
    """Make a temporary table of a table in memory."""
    columns = ", ".join(map(quoted, table.column_names))
    connection.execute(f"CREATE TEMP TABLE {quoted(name)} ({columns})")
    marks = ", ".join("?" * table.num_columns)
    for batch in table.to_batches(max_chunksize=10_000):
        rows = zip(*(column.to_pylist() for column in batch.columns), strict=True)
        values = ([_for_sqlite(name, value) for value in row] for row in rows)
        connection.executemany(f"INSERT INTO temp.{quoted(name)} VALUES ({marks})", values)  # noqa: S608  names are quoted


_NEAR = re.compile(r"(?:no such (?:column|table|function): |near )\"?([^\":]+)")


def told_by_sqlite(error: sqlite3.Error, spec: Mapping[str, Any]) -> StepwellError:
    """The error of ours that an exception of SQLite is."""
    text = str(error)
    if "readonly" in text or "not authorized" in text or "prohibited" in text:
        return QueryRefused(
            f"the query would change the database, or reach for another one: {text}",
            why="a step that reads leaves its database as it is",
            fixes=["say that it writes: sql(..., write=True); it then runs every time"],
        )
    if isinstance(error, sqlite3.OperationalError) and (
        "no such" in text or "syntax" in text or "incomplete" in text
    ):
        found = _NEAR.search(text)
        line = _line_of(found[1], spec["text"]) if found else 0
        at = f" (line {line} of the query)" if line else ""
        return QueryRefused(
            f"the query cannot be executed{at}: {text}", why="SQLite says so before it reads any row"
        )
    return QueryFailed(f"the query failed: {text}")


def _line_of(word: str, text: str) -> int:
    """The line in which a word stands, 0 where it stands in several or in none: SQLite does not say it."""
    lines = [i for i, line in enumerate(text.split("\n"), 1) if word in line]
    return lines[0] if len(lines) == 1 else 0


# --------------------------------------------------------------------------- PostgreSQL


def _in_postgresql(
    spec: Mapping[str, Any],
    template: Template,
    tables: Mapping[str, Any],
    bound: Mapping[str, Any],
    identifiers: Mapping[str, str],
    address: Address,
) -> Any:
    psycopg = library("psycopg", "postgres")
    escaped = _escaped(template)
    statements = composed(escaped, postgresql_slots(tables, bound), identifiers, bound)
    with connected(psycopg, address) as connection:
        try:
            with connection.cursor() as cursor:
                for name, table in tables.items():
                    _copy(cursor, name, table)
                if not spec["write"]:
                    cursor.execute("SET TRANSACTION READ ONLY")
                for each in statements:
                    cursor.execute(each.text, each.parameters)
                names = None if cursor.description is None else [column.name for column in cursor.description]
                rows = [] if names is None else cursor.fetchall()
            connection.commit()
        except psycopg.Error as error:
            raise told_by_postgresql(error, spec, address) from None
    return None if names is None else as_columns(names, rows)


@contextmanager
def connected(psycopg: Any, address: Address) -> Iterator[Any]:
    """A connection in a transaction that is given up unless it is committed. Raises `NoDatabase`."""
    options = {"connect_timeout": str(WAIT), **dict(address.options)}
    if address.password:
        options["password"] = address.password
    try:
        connection = psycopg.connect(**options)
    except psycopg.Error as error:
        said = " ".join(address.masked(str(error)).split())[:300]
        raise NoDatabase(
            f"the database {address.shown} cannot be reached: {said}",
            fixes=[
                "is the server running, and the address right?",
                "a password comes from $PGPASSWORD or ~/.pgpass",
            ],
        ) from None
    try:
        connection.execute("SET TIME ZONE 'UTC'")
        yield connection
    finally:
        connection.close()


def _escaped(template: Template) -> Template:
    """The text as the driver wants it, in which `%` begins a parameter."""
    pieces = tuple(
        piece if piece.kind in ("slot", "id") else piece._replace(text=piece.text.replace("%", "%%"))
        for piece in template.pieces
    )
    return template._replace(pieces=pieces)


def postgresql_slots(tables: Mapping[str, Any], bound: Mapping[str, Any]) -> Callable[[Slot], str]:
    """How placeholders are written for PostgreSQL; `in` of a list is `= any`, which also takes none."""

    def slot(slot: Slot) -> str:
        if slot.name in tables:
            return quoted(slot.name)
        if slot.is_listed and isinstance(bound.get(slot.name), list):
            return f" <> all(%({slot.name})s)" if slot.is_negated else f" = any(%({slot.name})s)"
        return f"%({slot.name})s"

    return slot


_TYPES = (
    ("bool", "boolean"),
    ("int64", "bigint"),
    ("int", "bigint"),
    ("uint", "numeric"),
    ("float", "double precision"),
    ("double", "double precision"),
    ("halffloat", "double precision"),
    ("decimal", "numeric"),
    ("date", "date"),
    ("time", "time"),
    ("binary", "bytea"),
    ("large_binary", "bytea"),
)


def _type_for(kind: Any) -> str:
    """The type of PostgreSQL for one of Arrow; text for what is not known."""
    text = str(kind)
    if text.startswith("timestamp"):
        return "timestamptz" if "tz=" in text else "timestamp"
    return next((name for start, name in _TYPES if text.startswith(start)), "text")


def _copy(cursor: Any, name: str, table: Any) -> None:
    """Make a temporary table of a table in memory, by COPY."""
    kinds = [_type_for(field.type) for field in table.schema]
    columns = ", ".join(f"{quoted(c)} {kind}" for c, kind in zip(table.column_names, kinds, strict=True))
    cursor.execute(f"CREATE TEMP TABLE {quoted(name)} ({columns}) ON COMMIT DROP".replace("%", "%%"))
    target = f"COPY {quoted(name)} FROM STDIN".replace("%", "%%")
    with cursor.copy(target) as copy:
        for batch in table.to_batches(max_chunksize=10_000):
            for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                copy.write_row([_for_copy(value, kind) for value, kind in zip(row, kinds, strict=True)])
    cursor.execute(f"ANALYZE {quoted(name)}".replace("%", "%%"))


def _for_copy(value: Any, kind: str) -> Any:
    if kind != "text" or value is None or isinstance(value, str):
        return value
    return json.dumps(value, default=str) if isinstance(value, list | dict) else str(value)


def told_by_postgresql(error: Any, spec: Mapping[str, Any], address: Address) -> StepwellError:
    """The error of ours that an exception of PostgreSQL is; the password is not in it."""
    diagnosis = getattr(error, "diag", None)
    text = " ".join(address.masked(getattr(diagnosis, "message_primary", None) or str(error)).split())[:400]
    line = _line(getattr(error, "diag", None), str(error))
    state = str(getattr(error, "sqlstate", "") or "")
    where = f"{spec['file']}:{line}" if line and spec.get("file") else ""
    at = f" (line {line} of the query)" if line and not where else ""
    if state == "25006":
        return QueryRefused(
            f"the query would change the database: {text}",
            why="a step that reads leaves its database as it is",
            fixes=["say that it writes: sql(..., write=True); it then runs every time"],
        )
    if state[:2] == "42":
        hint = getattr(diagnosis, "message_hint", None)
        fixes = [hint] if hint else []
        return QueryRefused(
            f"the query cannot be executed{at}: {text}",
            why="PostgreSQL says so before it reads any row",
            fixes=fixes,
            where=where,
        )
    return QueryFailed(f"the query failed{at}: {text}", where=where)


def _line(diagnosis: Any, text: str) -> int:
    found = re.search(r"\bLINE (\d+):", text)
    return int(found[1]) if found else 0


# --------------------------------------------------------------------------- what comes back


def as_columns(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> Any:
    """Rows of Python values as an Arrow table. Raises `SqlResult` for a column that holds several kinds of values."""
    pa = library("pyarrow", "sql")
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    arrays = []
    for name, values in zip(names, columns, strict=True):
        try:
            arrays.append(pa.array([_from_driver(value) for value in values]))
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
            kinds = sorted({type(value).__name__ for value in values if value is not None})
            raise SqlResult(
                f"the column `{name}` holds values of several types: {', '.join(kinds)}",
                why="a column of a table holds one",
                fixes=[f"convert it in the query: cast({name} as text)"],
            ) from error
    return pa.Table.from_arrays(arrays, names=list(names))


def _from_driver(value: Any) -> Any:
    """A value as a driver gives it, as Arrow takes it."""
    if isinstance(value, str | int | float | bytes | bool | type(None) | dt.date | dt.time | dt.timedelta):
        return value
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, memoryview | bytearray):
        return bytes(value)
    if isinstance(value, list):
        return [_from_driver(item) for item in value]
    return json.dumps(value) if isinstance(value, dict) else str(value)


# --------------------------------------------------------------------------- before anything runs


def prepared(
    spec: Mapping[str, Any],
    template: Template,
    relations: Mapping[str, Sequence[str]] | None,
    address: Address,
) -> StepwellError | None:
    """What the database has against a query, if anything; nothing is executed. Only a single statement can be asked.

    `relations` are the columns of tables among the inputs, None where not all are known. Raises `NoDatabase`, `MissingExtra`.
    """
    statements = template.statements()
    if address.dialect == SQLITE and not spec["write"]:
        look_at(address.path)
    if relations is None or len(statements) != 1 or spec["write"] or template.identifiers:
        return None
    if address.dialect == SQLITE:
        return _explained_by_sqlite(spec, statements[0], relations, address)
    return _prepared_by_postgresql(spec, statements[0], relations, address)


def _explained_by_sqlite(
    spec: Mapping[str, Any], statement: Template, relations: Mapping[str, Sequence[str]], address: Address
) -> StepwellError | None:
    values = {name: None for name in statement.slots if name not in relations}
    [each] = composed(statement, sqlite_slots(relations, values), {}, values)
    with opened(address.path, is_written=False) as connection:
        try:
            for name, columns in relations.items():
                connection.execute(f"CREATE TEMP TABLE {quoted(name)} ({', '.join(map(quoted, columns))})")
            connection.execute(f"EXPLAIN {each.text}", each.parameters)
        except sqlite3.Error as error:
            return told_by_sqlite(error, spec)
    return None


def _prepared_by_postgresql(
    spec: Mapping[str, Any], statement: Template, relations: Mapping[str, Sequence[str]], address: Address
) -> StepwellError | None:
    psycopg = library("psycopg", "postgres")
    if relations:  # their types are not known, and PostgreSQL looks at types
        with connected(psycopg, address):
            return None
    order: dict[str, int] = {name: i for i, name in enumerate(sorted(statement.slots), 1)}
    [each] = composed(statement, lambda slot: f"${order[slot.name]}", {}, {})
    with connected(psycopg, address) as connection:
        result = connection.pgconn.prepare(b"stepwell", each.text.encode())
        if result.status == psycopg.pq.ExecStatus.FATAL_ERROR:
            return told_by_postgresql(_error_of(psycopg, result, connection), spec, address)
    return None


def _error_of(psycopg: Any, result: Any, connection: Any) -> Any:
    return psycopg.errors.error_from_result(result, encoding="utf-8")


__all__ = ["Address", "Statement", "dialect_of", "prepared", "resolved", "run", "variable"]
