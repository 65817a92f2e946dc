"""Steps in SQL: a query over a step's inputs, in an embedded engine or in a database.

    sqltext.py     the text with its placeholders
    sqlvalues.py   what goes in and what comes out
    duck.py        the embedded engine
    databases.py   SQLite and PostgreSQL

A spec holds `text`; `file` and `where`, for messages; `returns` (the full name of a type), `columns` that
are declared of it, and `out`, the file of a `Path`; `kinds` of parameters that are annotated ("table" or
"value"); `defaults`; `database` as the user wrote it, "" for the embedded engine; `write`; `threads` and
`memory` of the engine.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

from stepwell.codecs.columns import Columns
from stepwell.errors import StepwellError
from stepwell.worker.kinds.sqltext import BadText, Template, parse
from stepwell.worker.kinds.sqlvalues import ROWS, SCALARS, as_result, missing

_LIBRARIES = {"pandas.DataFrame": "pandas", "polars.DataFrame": "polars"}

__all__ = ["BadText", "call", "check", "code", "imports", "template_of", "versions"]


@lru_cache(maxsize=256)
def template_of(text: str) -> Template:
    """A query's text in its parts. Raises `BadText`."""
    return parse(text)


def code(spec: Mapping[str, Any], root: Path) -> Mapping[str, str]:
    """The query without comments, and what becomes of its result."""
    said = {"query": template_of(spec["text"]).normal(), "returns": spec["returns"]}
    return said | {name: str(spec[name]) for name in ("database", "out") if spec[name]}


def imports(spec: Mapping[str, Any], root: Path) -> list[str]:
    """The libraries that execute it and make its result."""
    names = ["pyarrow", *([] if spec["database"] else ["duckdb"])]
    if spec["returns"] in _LIBRARIES:
        names.append(_LIBRARIES[spec["returns"]])
    if spec["database"] and not spec["database"].startswith("sqlite:"):
        names.append("psycopg")
    return names


def versions(spec: Mapping[str, Any], root: Path) -> Mapping[str, str]:
    """Which database it is (never its password), and the version of SQLite."""
    if not spec["database"]:
        return {}
    from stepwell.worker.kinds import databases

    try:
        address = databases.resolved(spec["database"], root, os.environ)
    except StepwellError:
        return {"the database": "not there"}  # which `check` tells
    found = {"the database": address.shown}
    if address.dialect == databases.SQLITE:
        found["library sqlite"] = databases.sqlite3.sqlite_version
    return found


def check(spec: Mapping[str, Any], root: Path) -> Iterator[StepwellError]:
    """Libraries that are missing, an address that makes no sense, and the syntax of what the embedded engine executes."""
    try:
        template = template_of(spec["text"])
        if spec["database"]:
            from stepwell.worker.kinds import databases

            address = databases.resolved(spec["database"], root, os.environ)
            _need("pyarrow", "sql")
            if address.dialect == databases.POSTGRESQL:
                _need("psycopg", "postgres")
        else:
            from stepwell.worker.kinds import duck

            _need("pyarrow", "sql")
            problem = duck.parsed(spec, template)
            if problem is not None:
                yield problem
        if spec["returns"] in _LIBRARIES:
            _need(_LIBRARIES[spec["returns"]], _LIBRARIES[spec["returns"]])
    except StepwellError as error:
        yield error


def _need(name: str, extra: str) -> None:
    """Raises `MissingExtra` for a library that is not installed; it is not imported."""
    from importlib.util import find_spec

    if find_spec(name) is None:
        raise missing(name, extra)


def call(spec: Mapping[str, Any], root: Path) -> Callable[..., Any]:
    """The function that executes the query."""
    template = template_of(spec["text"])

    def execute(**inputs: Any) -> Any:
        if spec["database"]:
            from stepwell.worker.kinds import databases

            address = databases.resolved(spec["database"], root, _environment())
            table = databases.run(spec, template, inputs, address)
        else:
            from stepwell.worker.kinds import duck

            table = duck.run(spec, template, inputs)
        if table is None and spec["returns"] != "None":
            from stepwell.errors import SqlResult

            raise SqlResult(
                "the last statement gives no rows",
                fixes=["end with the `select` whose rows are wanted, or declare None: sql(..., None)"],
            )
        return None if table is None else as_result(spec, table, root)

    if spec["database"].startswith("sqlite:") and not spec["write"]:
        execute.reads = lambda: _files(spec, root)  # type: ignore[attr-defined]
    execute.__annotations__ = {"return": _type_of(spec)}
    return execute


def _files(spec: Mapping[str, Any], root: Path) -> list[str]:
    """The file of a database, and the journal beside it that may hold what is new, as `worker.world` calls them."""
    from stepwell.worker.kinds import databases

    path = databases.resolved(spec["database"], root, {}).path
    below = os.path.relpath(path, root)
    name = path if below.startswith("..") else below
    return [f"file {name}", f"file {name}-wal"]


def _environment() -> Mapping[str, str]:
    """The variables of this process, read past the observation of steps: that the database counts is said by `versions`.

    A digest of what may hold a password has no place in a record.
    """
    return {os.fsdecode(name): os.fsdecode(value) for name, value in os.environ._data.items()}  # type: ignore[attr-defined]


def _type_of(spec: Mapping[str, Any]) -> Any:
    """The type that a step declares to return, with the columns of a table."""
    name = spec["returns"]
    if name == "None":
        return type(None)
    if name == ROWS:
        return list[dict[str, Any]]
    if name == "dict":
        return dict[str, Any]
    if name.startswith("list["):
        return list[SCALARS[name[5:-1]]]  # type: ignore[misc]
    if name in SCALARS:
        return SCALARS[name]
    module, _, attribute = name.rpartition(".")
    kind = getattr(import_module(module), attribute)
    return Annotated[kind, Columns.of(spec["columns"])] if spec["columns"] else kind
