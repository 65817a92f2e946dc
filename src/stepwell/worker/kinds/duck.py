"""The embedded engine: DuckDB in memory, over the inputs of one step and nothing else.

    table = run(spec, template, values)          # a pyarrow.Table
    bound = bind(template, relations, values)    # the columns of a query, or what is wrong with it; no rows are read

Tables are read where they are (Arrow memory, files); files that are no input, other databases,
addresses and extensions are out of reach: DuckDB is told so before the query is. One thread, unless
the step asks for more `cpus`, and UTC as time zone, so that a query gives the same rows twice.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from stepwell.errors import (
    QueryFailed,
    QueryRefused,
    SqlInput,
    SqlResult,
    StepwellError,
    UndeclaredTable,
    nearest,
)
from stepwell.worker.kinds.sqltext import Slot, Template, quoted
from stepwell.worker.kinds.sqlvalues import SUFFIXES, as_parameter, as_table, format_of, is_table, library

_CONFIG = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",  # a name in the query is never a variable of Python
}


_CHANGES = ("create", "set", "drop", "alter", "use")
"""First words of statements that have no rows."""


class Files(NamedTuple):
    """A relation that is a file, or several of one format."""

    form: str
    paths: tuple[Path, ...]


class Known(NamedTuple):
    """A relation of which only columns are known: types of DuckDB by name, "" for one that is not known."""

    columns: Mapping[str, str]
    complete: bool = True


class Bound(NamedTuple):
    """What binding a query came to: its columns (types of DuckDB by name), or None and perhaps an error."""

    columns: Mapping[str, str] | None = None
    error: StepwellError | None = None
    doubt: StepwellError | None = None
    """What may be wrong: not everything is known that the query reads."""


class Statement(NamedTuple):
    """A statement as a database gets it: its text, on the lines of the whole, its bound parameters, its words in small letters."""

    text: str
    parameters: dict[str, Any]
    words: tuple[str, ...] = ()


def composed(
    template: Template, slot: Callable[[Slot], str], identifiers: Mapping[str, str], values: Mapping[str, Any]
) -> list[Statement]:
    """The statements of a text. `values` are those that are bound, by name. Raises `SqlInput`."""

    def checked(one: Slot) -> str:
        if one.word in ("from", "join") and one.name in values and values[one.name] is not None:
            raise _no_table(one, values[one.name])
        return slot(one)

    found = []
    for each in template.statements():
        text = each.compose(checked, lambda name: quoted(identifiers[name]))
        lines = "\n" * (each.pieces[0].line - 1)
        used = {name: values[name] for name in each.slots if name in values}
        words = tuple([piece.text.lower() for piece in each.pieces if piece.kind == "code"])
        found.append(Statement(f"{lines}{text}", used, words))
    return found


def _no_table(slot: Slot, value: Any) -> SqlInput:
    fixes = (
        [f'name it as a source, and pass it: {slot.name}=source("{value}")()']
        if isinstance(value, str)
        else []
    )
    return SqlInput(
        f"`{slot.name}` is {repr(value)[:80]}, and stands where a table is read: {slot.word} {{{slot.name}}}",
        fixes=[*fixes, "pass a table, or the Path of a file"],
    )


def sorted_inputs(
    template: Template, values: Mapping[str, Any], kinds: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, Any], dict[str, str]]:
    """Inputs as tables, bound values and identifiers. `kinds` says what those are that were annotated. Raises `SqlInput`."""
    tables: dict[str, Any] = {}
    bound: dict[str, Any] = {}
    identifiers: dict[str, str] = {}
    for name in template.names:
        value = values.get(name)
        if name in template.identifiers:
            identifiers[name] = as_identifier(name, value)
            if name not in template.slots:
                continue
        if kinds.get(name) != "value" and (kinds.get(name) == "table" or is_table(value)):
            tables[name] = value
        else:
            bound[name] = as_parameter(name, value)
    return tables, bound, identifiers


def as_identifier(name: str, value: Any) -> str:
    """An identifier. Raises `SqlInput` for what cannot be one."""
    if not isinstance(value, str) or not value or "\0" in value:
        raise SqlInput(
            f"`{name}` is {value!r}, and stands for an identifier: `{{{name}:id}}`",
            fixes=[f"pass the name of a column or a table, or write {{{name}}} for a value"],
        )
    return value


# --------------------------------------------------------------------------- running


def run(spec: Mapping[str, Any], template: Template, values: Mapping[str, Any]) -> Any:
    """Execute a query; gives the `pyarrow.Table` of its last statement.

    Raises `QueryRefused`, `QueryFailed`, `UndeclaredTable`, `SqlInput`, `SqlResult`, `MissingExtra`.
    """
    duckdb = library("duckdb", "sql")
    tables, bound, identifiers = sorted_inputs(template, values, spec["kinds"])
    with connected(duckdb, spec.get("threads", 1), spec.get("memory", 0)) as (connection, folder):
        held = register(connection, tables, folder)
        statements = composed(template, _slots(tables, bound), identifiers, bound)
        try:
            for each in statements[:-1]:
                connection.execute(each.text, each.parameters)
            relation = connection.sql(statements[-1].text, params=statements[-1].parameters)
            if relation is None or statements[-1].words[0] in _CHANGES:
                raise SqlResult(
                    "the last statement gives no rows", fixes=["end with the `select` whose rows are wanted"]
                )
            types = [str(kind) for kind in relation.types]
            table = relation.to_arrow_table()
        except duckdb.Error as error:
            raise told(_placed(duckdb, connection, statements[-1], error), spec, at_work=True) from error
        del held
    return _whole_numbers(table, types)


def _placed(duckdb: Any, connection: Any, statement: Statement, error: Any) -> Any:
    """The error with its line, if it is one that asking for the plan of the last statement gives, too."""
    if _LINE.search(str(error)) is None and isinstance(
        error, duckdb.BinderException | duckdb.CatalogException
    ):
        try:
            connection.execute(f"EXPLAIN {statement.text}", statement.parameters)
        except duckdb.Error as again:
            return again
    return error


@contextmanager
def connected(duckdb: Any, threads: int, memory: int) -> Iterator[tuple[Any, str]]:
    """A connection to an empty database in memory, and a folder for what does not fit there; both are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="stepwell-sql-") as folder:
        config = {**_CONFIG, "threads": str(threads), "temp_directory": folder}
        connection = duckdb.connect(":memory:", config=config)
        try:
            connection.execute(f"SET memory_limit = '{(memory or _half()) // 1_000_000 or 1}MB'")
            connection.execute("SET TimeZone = 'UTC'")
            yield connection, folder
        finally:
            connection.close()


def _half() -> int:
    """Half of this machine's memory, in bytes: other steps run beside this one."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


def register(connection: Any, tables: Mapping[str, Any], folder: str) -> list[Any]:
    """Make tables known by name, and put everything else out of reach. What is returned is to be held meanwhile.

    Raises `SqlInput`.
    """
    held: list[Any] = []
    views: dict[str, Files] = {}
    for name, value in tables.items():
        files = as_files(name, value)
        if files is None:
            held.append(as_table(name, value))
            connection.register(name, held[-1])
        elif files.form == "arrow":
            held.append(_mapped(files.paths))
            connection.register(name, held[-1])
        else:
            views[name] = files._replace(paths=tuple(_plain(path, folder) for path in files.paths))
    allowed = ", ".join(_literal(path) for files in views.values() for path in files.paths)
    connection.execute(f"SET allowed_paths = [{allowed}]")
    connection.execute("SET enable_external_access = false")
    for name, files in views.items():
        try:
            connection.execute(f"CREATE VIEW {quoted(name)} AS {_reading(files)}")
        except Exception as error:  # the class is DuckDB's
            raise SqlInput(
                f"`{name}` cannot be read as {files.form}: {_words(error)[0]}",
                why=f"its file is `{files.paths[0].name}`",
                fixes=["read it in Python, and pass the table: source(..., pd.DataFrame)"],
            ) from error
    return held


def as_files(name: str, value: Any) -> Files | None:
    """The files that a relation is, None for a table in memory. Raises `SqlInput`."""
    if isinstance(value, Path):
        found = sorted(p for p in value.rglob("*") if p.is_file()) if value.is_dir() else [value]
    elif isinstance(value, list | tuple) and value and isinstance(value[0], Path):
        found = list(value)
    else:
        return None
    forms = {format_of(path) for path in found}
    if len(forms) != 1 or "" in forms:
        told = f"`{found[0].name}`" if len(found) == 1 else f"{len(found)} files"
        raise SqlInput(
            f"`{name}` is {told}, which cannot be read as one table",
            why=f"files are read by the end of their names: {', '.join(SUFFIXES)}",
            fixes=["read it in Python, and pass the table: source(..., pd.DataFrame)"],
        )
    return Files(forms.pop(), tuple(path.absolute() for path in found))


def _plain(path: Path, folder: str) -> Path:
    """A path without characters that DuckDB takes for a pattern: a link where the real one has some."""
    if not any(c in str(path) for c in "*?[]{}\n"):
        return path
    link = Path(folder) / f"link{len(os.listdir(folder))}{''.join(path.suffixes[-2:])}"
    link.symlink_to(path)
    return link


_READERS = {"parquet": "read_parquet", "csv": "read_csv", "json": "read_json"}


def _reading(files: Files) -> str:
    paths = ", ".join(map(_literal, files.paths))
    return f"SELECT * FROM {_READERS[files.form]}([{paths}])"  # noqa: S608  paths are literals


def _literal(path: Path) -> str:
    text = str(path).replace("'", "''")
    return f"'{text}'"


def _mapped(paths: Sequence[Path]) -> Any:
    """Arrow files as one table, mapped and not read. Raises `SqlInput`."""
    pa = library("pyarrow", "sql")
    tables = []
    for path in paths:
        stream = pa.memory_map(str(path))
        try:
            tables.append(pa.ipc.open_file(stream).read_all())
        except pa.ArrowInvalid:
            stream.seek(0)
            try:
                tables.append(pa.ipc.open_stream(stream).read_all())
            except pa.ArrowInvalid as error:
                raise SqlInput(f"`{path.name}` is no Arrow file: {str(error)[:200]}") from error
    return pa.concat_tables(tables)


def _slots(tables: Mapping[str, Any], bound: Mapping[str, Any]) -> Callable[[Slot], str]:
    def slot(slot: Slot) -> str:
        if slot.name in tables:
            return quoted(slot.name)
        if slot.is_listed and isinstance(bound.get(slot.name), list):
            return f"select unnest(${slot.name})"
        return f"${slot.name}"

    return slot


def _whole_numbers(table: Any, types: Sequence[str]) -> Any:
    """Sums of whole numbers, which DuckDB gives 128 bits, as 64 where these are enough."""
    pa = library("pyarrow", "sql")
    for i, (field, kind) in enumerate(zip(table.schema, types, strict=True)):
        if kind == "HUGEINT":
            try:
                table = table.set_column(i, field.name, table.column(i).cast(pa.int64()))
            except pa.ArrowInvalid:
                continue  # it really needs them
    return table


# --------------------------------------------------------------------------- binding


def parsed(spec: Mapping[str, Any], template: Template) -> StepwellError | None:
    """What is wrong with the syntax of a query, if anything is. Raises `MissingExtra`."""
    duckdb = library("duckdb", "sql")
    nothing = dict.fromkeys(template.names)
    statements = composed(
        template, lambda slot: f'"{slot.name}"', dict.fromkeys(template.names, "x"), nothing
    )
    connection = duckdb.connect(":memory:", config=_CONFIG)
    try:
        for each in statements:
            for one in connection.extract_statements(each.text):
                if one.named_parameters:
                    name = min(one.named_parameters)
                    mark = "?" if name.isdigit() else f"${name}"
                    return QueryRefused(
                        f"the query has a parameter of its own, `{mark}`",
                        why="what is bound comes from the step's inputs",
                        fixes=["write {name}, and pass name=... where the step is called"],
                        where=str(spec.get("where", "")),
                    )
    except duckdb.Error as error:
        return told(error, spec, at_work=False)
    finally:
        connection.close()
    return None


def bind(
    spec: Mapping[str, Any],
    template: Template,
    relations: Mapping[str, Files | Known],
    values: Mapping[str, Any],
    identifiers: Mapping[str, str],
) -> Bound:
    """Bind a query to empty tables of these columns, and to the beginnings of files; no row is read.

    `values` are bound values, None for those that nobody knows yet. Raises `MissingExtra`, `SqlInput`.
    """
    whole = all(isinstance(one, Files) or one.complete for one in relations.values())
    certain = all(isinstance(one, Files) or all(one.columns.values()) for one in relations.values())
    certain = certain and whole and all(value is not None for value in values.values())
    columns: Mapping[str, str] | None = None
    for guess in ("",) if certain else _GUESSES:
        columns, problem, is_of_names = _bound(spec, template, relations, values, identifiers, guess)
        if problem is None:
            break
        if is_of_names or certain:
            return Bound(error=problem) if whole or certain else Bound(doubt=problem)
    if columns is None or not whole:
        return Bound()
    return Bound(columns if certain else dict.fromkeys(columns, ""))


_GUESSES = ("DOUBLE", "VARCHAR", "TIMESTAMP", "")
"""What columns may hold of which nothing is known: a name that is wrong is wrong for all of them."""

_OF_NAMES = ("not found", "does not have a column", "does not exist")


def _bound(
    spec: Mapping[str, Any],
    template: Template,
    relations: Mapping[str, Files | Known],
    values: Mapping[str, Any],
    identifiers: Mapping[str, str],
    guess: str,
) -> tuple[Mapping[str, str] | None, StepwellError | None, bool]:
    """The columns of a query, or what is wrong with it, and whether that is a name; columns of no type have the guessed one."""
    duckdb = library("duckdb", "sql")
    with connected(duckdb, 1, 0) as (connection, folder):
        files = {name: list(one.paths) for name, one in relations.items() if isinstance(one, Files)}
        held = register(connection, files, folder)
        for name, one in relations.items():
            if isinstance(one, Known):
                types = {column: kind or guess for column, kind in one.columns.items()}
                connection.execute(f"CREATE VIEW {quoted(name)} AS {_empty(types)}")
        statements = composed(template, _slots(relations, values), identifiers, values)
        try:
            for each in statements[:-1]:
                _bind_first(duckdb, connection, each)
            columns = _described(connection, statements[-1])
        except duckdb.Error as error:
            is_of_names = isinstance(error, duckdb.CatalogException) or any(
                w in str(error) for w in _OF_NAMES
            )
            return None, told(error, spec, at_work=False), is_of_names or _is_beyond(error)
        del held
    return columns, None, False


def _is_beyond(error: BaseException) -> bool:
    """Whether a query reaches for what is no input."""
    return type(error).__name__ == "PermissionException"


def _empty(columns: Mapping[str, str]) -> str:
    """A query without rows that has these columns."""
    each = [f"NULL{f'::{kind}' if kind else ''} AS {quoted(name)}" for name, kind in columns.items()]
    return f"SELECT {', '.join(each) or 'NULL'} WHERE false"


_SELECTS = ("select", "with", "from", "values", "table", "(", "pivot", "unpivot", "summarize")


def _bind_first(duckdb: Any, connection: Any, statement: Statement) -> None:
    """Do what a statement before the last one does to names, without its rows."""
    words = statement.words
    if words[:1] == ("create",) and "table" in words[:4] and "as" in words:
        try:
            connection.execute(f"{statement.text}\nWITH NO DATA", statement.parameters)
            return
        except duckdb.ParserException:
            pass  # a clause of its own stands at its end
    if words[0] in _CHANGES:
        connection.execute(statement.text, statement.parameters)
    else:
        connection.execute(f"EXPLAIN {statement.text}", statement.parameters)


def _described(connection: Any, statement: Statement) -> Mapping[str, str] | None:
    if statement.words[0] not in _SELECTS:
        connection.execute(f"EXPLAIN {statement.text}", statement.parameters)
        return None
    rows = connection.execute(f"DESCRIBE {statement.text}", statement.parameters).fetchall()
    return {name: kind for name, kind, *_ in rows}


# --------------------------------------------------------------------------- what went wrong

_LINE = re.compile(r"\n\s*LINE (\d+): .*", re.DOTALL)
_QUOTED = re.compile(r'"((?:[^"]|"")*)"')


def _words(error: BaseException) -> tuple[str, int]:
    """What an exception of DuckDB says, on one line, and of which line of the query (0: of none)."""
    text = str(error)
    line = _LINE.search(text)
    text = _LINE.sub("", text).partition("Candidate functions:")[0]
    text = re.sub(r"^[A-Z][A-Za-z /]* Error: ", "", text)
    return " ".join(text.split())[:400], int(line[1]) if line else 0


def told(error: BaseException, spec: Mapping[str, Any], *, at_work: bool) -> StepwellError:
    """The error of ours that an exception of DuckDB is; `at_work`: a step was executing."""
    text, line = _words(error)
    place = f" (line {line} of the query)" if line and not spec.get("file") and "\n" in spec["text"] else ""
    where = f"{spec['file']}:{line}" if line and spec.get("file") else ""
    kind = type(error).__name__
    if kind == "PermissionException" or "external access" in text:
        return UndeclaredTable(
            f"the query reaches for something that is no input of its step{place}: {text}",
            why="what it read there could change without anybody noticing",
            fixes=[
                'name it as a source, and pass it: {table} in the query, and table=source("data/table.csv")() in the call'
            ],
            where=where,
        )
    first, _, rest = text.partition(" Candidate ")
    first, _, meant = first.partition(" Did you mean ")
    if not at_work or kind in ("ParserException", "BinderException", "CatalogException"):
        return QueryRefused(
            f"the query cannot be executed{place}: {first.rstrip('!')}",
            why="DuckDB says so before it reads any row",
            fixes=_hints(first, rest, meant),
            where=where,
        )
    return QueryFailed(f"the query failed{place}: {first}", where=where, fixes=_remedies(kind))


def _hints(first: str, candidates: str, meant: str) -> list[str]:
    """Names that were probably meant, as far as DuckDB names some."""
    wrong = _QUOTED.search(first)
    names = [name.rpartition(".")[2] for name in _QUOTED.findall(candidates)]
    if names and wrong:
        hint = nearest(wrong[1], names)
        return [f"did you mean `{hint}`?"] if hint else [f"there are: {', '.join(names)}"]
    found = _QUOTED.search(meant)
    return [f"did you mean `{found[1]}`?"] if found else []


def _remedies(kind: str) -> list[str]:
    if kind == "OutOfMemoryException":
        return ['give the step more memory: sql(..., memory="8GB")', "or read fewer columns and rows"]
    if kind == "ConversionException":
        return ["use try_cast(... as ...), which gives NULL where a value does not fit"]
    return []


__all__ = ["Bound", "Files", "Known", "bind", "parsed", "run"]
