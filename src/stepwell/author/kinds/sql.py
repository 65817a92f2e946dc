"""Queries as steps: `daily = sql("select carrier, avg(delay) as delay from {flights} group by 1", pd.DataFrame)`.

What a query does when it runs is in `stepwell.worker.kinds.sql`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, Unpack, cast, get_args, get_origin, overload

from stepwell.author.annotations import plain, show
from stepwell.author.inputs import type_name
from stepwell.author.kinds.making import made_step, parameter
from stepwell.author.options import StepOptions, checked
from stepwell.author.shell import root_at
from stepwell.author.steps import Step
from stepwell.author.where import user_frame, user_line
from stepwell.codecs.columns import declared
from stepwell.errors import BadQuery, BadStep, StepwellError, nearest
from stepwell.worker.kinds.sqltext import BadText, Template, parse
from stepwell.worker.kinds.sqlvalues import ARROW, FRAMES, PATH, ROWS, SCALARS, TABLES, WRITTEN

T = TypeVar("T")

_LONGEST_QUERY = 1_000_000

_DEFAULT: Any = object()

_LASTING = ("version", "ttl", "cache", "done")
"""Options that say when a result counts, where Stepwell cannot see whether anything changed."""


@overload
def sql(
    query: str | Path,
    returns: type[T],
    /,
    *,
    parameters: Mapping[str, Any] | None = None,
    database: str = "",
    write: bool = False,
    name: str = "",
    **options: Unpack[StepOptions],
) -> Step[..., T]: ...
@overload
def sql(
    query: str | Path,
    returns: Any = ...,
    /,
    *,
    parameters: Mapping[str, Any] | None = None,
    database: str = "",
    write: bool = False,
    name: str = "",
    **options: Unpack[StepOptions],
) -> Step[..., Any]: ...
def sql(
    query: str | Path,
    returns: Any = _DEFAULT,
    /,
    *,
    parameters: Mapping[str, Any] | None = None,
    database: str = "",
    write: bool = False,
    name: str = "",
    **options: Any,
) -> Step[..., Any]:
    """A step that is a query. `query` is its text, or the `Path` of a file that holds it, relative to the project's root.

    `{name}` is an input: a table (a frame of pandas or polars, an Arrow table, rows, a file's `Path`), which
    the query reads by its name, or a plain value, which is bound and never pasted in. `{name:id}` is an
    identifier, quoted. `{{` and `}}` are braces. `parameters` gives types of inputs by name.

    `returns` is the type of the result: `pd.DataFrame`, `pl.DataFrame`, `pa.Table` (the default), `Path`
    with `out="file.parquet"`, `list[dict]`, `dict` (one row), `list[str]` (one column), `int` (one value).

    Without `database` it is executed by DuckDB, in the step's own process, over its inputs alone. With one
    (`sqlite:///file.db`, `postgresql://user@host/name`, or `"$VARIABLE"` that holds such an address) it is
    executed there. It may change what is there only with `write=True`. Further keywords are options of steps.

    Raises `BadQuery`, `BadDatabase`, `BadOption`.
    """
    text, file = _text(query)
    where = user_line()
    template = _template(text, file, where)
    _address(database)
    settings = checked(cast(Mapping[str, object], options))
    kind, gives = _returned(returns, settings.out, database)
    types = _types(template, parameters or {}, where)
    spec = {
        "columns": dict(declared(returns) or {}) if kind in FRAMES else {},
        "database": database,
        "file": file,
        "kinds": {name: _kind(said) for name, said in types.items() if _kind(said)},
        "memory": settings.memory,
        "out": settings.out,
        "returns": kind,
        "text": text,
        "threads": max(1, int(settings.cpus)),
        "where": where,
        "write": bool(write),
    }
    if (write or (database and not database.startswith("sqlite:"))) and not any(
        one in options for one in _LASTING
    ):
        options = {**options, "cache": False}
    return made_step(
        "sql",
        spec,
        [parameter(name, types.get(name, Any)) for name in template.names],
        gives,
        name=name,
        proposed=Path(file).stem or "query",
        about=text.strip(),
        options=options,
    )


def _text(query: object) -> tuple[str, str]:
    """The text of a query, and the file that it is in ("": none). Raises `BadQuery`."""
    if isinstance(query, Path):
        frame = user_frame()
        root = root_at(frame.f_code.co_filename) if frame is not None else Path.cwd()
        try:
            return (root / query).read_text("utf-8"), str(query)
        except (OSError, UnicodeDecodeError) as error:
            names = sorted(each.name for each in (root / query).parent.glob("*.sql"))
            hint = nearest(query.name, names)
            raise BadQuery(
                f"the query `{query}` cannot be read: {getattr(error, 'strerror', None) or error}",
                why=f"it is looked for in the project's root, {root}",
                fixes=[f"did you mean `{query.with_name(hint)}`?"] if hint else [],
                where=user_line(),
            ) from error
    if not isinstance(query, str) or not query.strip():
        raise BadQuery(
            "`sql(...)` needs the text of a query",
            fixes=['for example: sql("select * from {table}")'],
            where=user_line(),
        )
    if query.endswith(".sql") and len(query.split()) == 1:
        raise BadQuery(f"`{query}` is the name of a file", fixes=[f'sql(Path("{query}"))'], where=user_line())
    return query, ""


def _template(text: str, file: str, where: str) -> Template:
    try:
        template = parse(text)
    except BadText as error:
        at = f"{file}:{error.line}" if file else where
        line = "" if file or "\n" not in text else f" (line {error.line} of the query)"
        raise BadQuery(f"{error.what}{line}", fixes=error.fixes, where=at) from None
    if not template.statements():
        raise BadQuery("the query holds no statement", where=file or where)
    return template


def _address(database: object) -> None:
    """Raises `BadDatabase`, `BadQuery`."""
    if not isinstance(database, str):
        raise BadQuery("`database=` is an address", fixes=['database="sqlite:///shop.db"'], where=user_line())
    if database:
        from stepwell.worker.kinds.databases import dialect_of  # most queries need none

        try:
            dialect_of(database)
        except StepwellError as error:
            error.where = user_line()
            raise


def _returned(returns: Any, out: str, database: str) -> tuple[str, Any]:
    """What a query gives: its name for the worker, and the type. Raises `BadQuery`."""
    if returns is _DEFAULT:
        return ARROW, _arrow()
    bare = plain(returns)
    kind = _name(bare)
    problem, fixes = (
        "",
        [f"one of: {', '.join((*FRAMES, 'Path', 'list[dict]', 'dict', 'list[str]', 'int', 'float', 'str'))}"],
    )
    known = kind in (*FRAMES, PATH, ROWS, "dict", "None", *SCALARS) or (
        kind.startswith("list[") and kind[5:-1] in SCALARS
    )
    if not known:
        problem = f"a query cannot give {show(returns) if returns is not None else 'None'}"
    elif kind == "None" and not database:
        problem, fixes = (
            "a query that gives nothing would do nothing",
            ["say what it gives: sql(..., pd.DataFrame)"],
        )
    elif kind == PATH and not out.lower().endswith(WRITTEN):
        problem = (
            "a query that gives a Path needs the file: out=..."
            if not out
            else f"a query cannot write `{out}`"
        )
        fixes = [f'for example: sql(..., Path, out="daily.parquet"); files end in {", ".join(WRITTEN)}']
    elif out and kind != PATH:
        problem, fixes = (
            f"`out=` is for a query that gives a Path, and this one gives {show(returns)}",
            ["sql(..., Path, out=...)"],
        )
    if problem:
        raise BadQuery(problem, fixes=fixes, where=user_line())
    return kind, type(None) if kind == "None" else returns


def _arrow() -> Any:
    try:
        from pyarrow import Table
    except ImportError:  # which the plan tells
        return Any
    return Table


_HOMES = ("pandas", "polars", "pyarrow")


def _name(kind: Any) -> str:
    """The full name of a type, short for the libraries of tables: "pandas.DataFrame"."""
    if kind is None or kind is type(None):
        return "None"
    origin, args = get_origin(kind), get_args(kind)
    if origin is list and args and (args[0] is dict or get_origin(args[0]) is dict):
        return ROWS
    if origin is dict:
        return "dict"
    if origin is list and args:
        return f"list[{_name(args[0])}]"
    full = type_name(kind)
    home = full.partition(".")[0]
    return f"{home}.{kind.__qualname__}" if home in _HOMES and isinstance(kind, type) else full


def _kind(annotation: Any) -> str:
    """Whether what is annotated is a table or a value; "" where that is left open."""
    bare = plain(annotation)
    if bare in (Any, object, None) or isinstance(bare, str):
        return ""
    if get_origin(bare) is not None and get_origin(bare) not in (list, tuple, dict):
        return ""  # unions: what comes decides
    name = _name(bare)
    return "table" if name in TABLES or name == ROWS else "value"


def _types(template: Template, parameters: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Types of inputs by name. Raises `BadQuery`, `BadStep`."""
    for name in parameters:
        if name not in template.names:
            hint = nearest(str(name), template.names)
            fixes = (
                [f"did you mean `{hint}`?"]
                if hint
                else [f"its placeholders are: {', '.join(template.names) or 'none'}"]
            )
            raise BadQuery(f"the query has no placeholder `{{{name}}}`", fixes=fixes, where=where)
    for name in template.names:
        if not name.isascii():
            raise BadStep(
                f"`{name}` cannot be the name of an input of a query",
                fixes=["use letters without accents, digits and `_`"],
                where=where,
            )
    types = dict.fromkeys(template.identifiers - template.slots, str)
    return {**types, **parameters}
