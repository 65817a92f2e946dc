"""The columns of a table as an annotation says them: `Annotated[pd.DataFrame, Columns("carrier", delay=float)]`.

What is declared is the least that a table has: others may be there too. `stepwell plan` compares
declarations with each other and with the files of sources; a worker compares them with the table
that a step returned. No library of tables is imported here.
"""

from __future__ import annotations

import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

KINDS = ("bool", "int", "float", "text", "bytes", "date", "datetime", "duration", "category", "list")
"""What a column can be said to hold; "" where nothing is said."""

NOT_NULL = " not null"
"""What a column of a schema ends with in which no value may be missing: "int64 not null"."""

_WIDER = {"int": ("float", "bool"), "float": ("int", "bool"), "text": ("category",), "datetime": ("date",)}
"""Kinds that are taken where another is declared: a column of whole numbers is one of floats, and one with gaps the reverse."""

_NAMES = {
    "str": "text", "string": "text", "utf8": "text", "large_string": "text", "varchar": "text", "object": "",
    "boolean": "bool", "integer": "int", "double": "float", "number": "float", "decimal": "float",
    "halffloat": "float", "binary": "bytes", "timedelta": "duration", "categorical": "category",
    "dictionary": "category", "enum": "category", "timestamp": "datetime", "timestamptz": "datetime",
}  # fmt: skip


class Columns(Mapping[str, str]):
    """Names of columns, and what they hold where that is said: `Columns("a", "b")`, `Columns(carrier=str, delay=float)`.

    A kind is a Python type (`str`, `float`, `datetime.date`) or the name of a dtype ("int64"). As a
    mapping: name to kind, one of `KINDS` or "". Raises `TypeError` for a name that is no text.
    """

    def __init__(self, *names: str, **kinds: object) -> None:
        for name in names:
            if not isinstance(name, str):
                raise TypeError(f"Columns(...) takes names of columns, and got {name!r}")
        self._kinds = {**dict.fromkeys(names, ""), **{name: kind_of(kind) for name, kind in kinds.items()}}

    @classmethod
    def of(cls, kinds: Mapping[str, object]) -> Columns:
        """Columns from a mapping, for names that are no Python names: `Columns.of({"dep delay": float})`."""
        made = cls()
        made._kinds = {str(name): kind_of(kind) for name, kind in kinds.items()}
        return made

    def __getitem__(self, name: str) -> str:
        return self._kinds[name]

    def __iter__(self) -> typing.Iterator[str]:
        return iter(self._kinds)

    def __len__(self) -> int:
        return len(self._kinds)

    def __hash__(self) -> int:
        return hash(tuple(self._kinds.items()))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Columns) and self._kinds == other._kinds

    def __repr__(self) -> str:
        told = (f"{name}={kind}" if kind else repr(name) for name, kind in self._kinds.items())
        return f"Columns({', '.join(told)})"


def kind_of(said: object) -> str:
    """A type, a dtype or its name as one of `KINDS`; "" where it says nothing that is known here."""
    if said is None or said is Any or said is object:
        return ""
    text = said.__name__ if isinstance(said, type) else str(said)
    word = (
        text.lower()
        .removesuffix(NOT_NULL)
        .partition("[")[0]
        .partition("(")[0]
        .partition("<")[0]
        .strip("_ ")
        .rpartition(".")[2]
    )
    word = _NAMES.get(word, word)
    if word in KINDS or not word:
        return word
    bare = word.rstrip("0123456789")
    bare = {"uint": "int", "date": "datetime" if word == "date64" else "date"}.get(
        bare, _NAMES.get(bare, bare)
    )
    return bare if bare in KINDS else ""


def kinds_fit(given: str, wanted: str) -> bool:
    """Whether a column of the kind `given` may stand where `wanted` is declared; true where either is not said."""
    return not given or not wanted or given == wanted or given in _WIDER.get(wanted, ())


def declared(annotation: Any) -> Columns | None:
    """The columns that an annotation declares, None where it declares none.

    Counts what is in `Annotated[...]`: `Columns`, or any schema with `columns` (Pandera's) or
    `names` (Arrow's).
    """
    for said in getattr(annotation, "__metadata__", ()):
        if isinstance(said, Columns):
            return said
        found = getattr(said, "columns", None) or getattr(said, "names", None)
        if isinstance(found, Mapping):
            return Columns.of({name: getattr(column, "dtype", column) for name, column in found.items()})
        if (
            isinstance(found, Sequence)
            and not isinstance(found, str)
            and all(isinstance(n, str) for n in found)
        ):
            return Columns(*found)
    return None


def columns_in(table: Any) -> Columns | None:
    """The columns that a table has (pandas, polars, Arrow, or alike); None for what is no table."""
    # First, since polars warns of whoever asks a lazy frame for its `schema`.
    if type(table).__name__ == "LazyFrame" and hasattr(table, "collect_schema"):
        return Columns.of(dict(table.collect_schema()))
    schema = getattr(table, "schema", None)
    names = getattr(table, "column_names", None)
    if names is not None and schema is not None:  # Arrow
        return Columns.of({field.name: field.type for field in schema})
    if isinstance(schema, Mapping):  # polars
        return Columns.of(dict(schema))
    names, kinds = getattr(table, "columns", None), getattr(table, "dtypes", None)
    if names is None or kinds is None:
        return None
    return Columns.of(dict(zip(map(str, names), kinds, strict=False)))


def lacking(table: Any, annotation: Any) -> str:
    """A clause that says which declared column a table does not have, "" where all are there.

    >>> lacking(frame, Annotated[pd.DataFrame, Columns("carrier")])
    'a table without the column `carrier`; it has delay, origin'
    """
    wanted = declared(annotation)
    has = columns_in(table) if wanted is not None else None
    if wanted is None or has is None:
        return ""
    missing = [name for name in wanted if name not in has]
    if missing:
        return f"a table without the column `{missing[0]}`; it has {listed(has)}"
    for name, kind in wanted.items():
        if not kinds_fit(has[name], kind):
            return f"a table whose column `{name}` holds {has[name]}, not {kind}"
    return ""


def listed(names: Iterable[str], most: int = 8) -> str:
    """Names of columns, at most some of them: "a, b, c and 9 more"."""
    found = list(names)
    rest = f" and {len(found) - most} more" if len(found) > most else ""
    return ", ".join(found[:most]) + rest if found else "none"
