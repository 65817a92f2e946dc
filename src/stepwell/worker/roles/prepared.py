"""A preprocessor: it gives tables or arrays that have rows; transformers that it gives with them are fitted.

That they were fitted on what is learned from alone is the author's to see to. Recorded are rows, columns and missing
values of what it was given and of what it gave.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from stepwell.errors import PreprocessorBroken
from stepwell.worker.roles import Found, Given
from stepwell.worker.roles.models import COLUMNS, is_unfitted
from stepwell.worker.roles.values import Table, kind, missing, parts_of, table_of, tables_in


class Taken(NamedTuple):
    """What a preprocessor was given: by argument the facts of each table, and its columns."""

    step: str
    given: Mapping[str, Mapping[str, Any]]
    columns: frozenset[str]


def taken(given: Given) -> Taken:
    """See `worker.roles`."""
    tables = tables_in(given.values)
    columns = frozenset(name for table in tables.values() for name in table.columns)
    return Taken(given.step, {name: facts(table) for name, table in tables.items()}, columns)


def judged(before: Taken, value: Any) -> Found:
    """See `worker.roles`. Raises `PreprocessorBroken`."""
    table = table_of(value)
    parts = [] if table is not None else parts_of(value)
    found = {"": table} if table is not None else tables_in(dict(parts))
    if not found:
        raise PreprocessorBroken(
            f"step `{before.step}` gave no table and no array: what it returned is {kind(value)}",
            why="a preprocessor gives data for the steps after it",
            fixes=["return the table, alone or in a tuple", "use `@step` for what gives something else"],
        )
    for name, one in found.items():
        if not one.rows:
            where = f" (`{name}`)" if name else ""
            raise PreprocessorBroken(
                f"step `{before.step}` gave a table without rows{where}",
                why="nothing could be learned from it or predicted for it",
                fixes=["look at what filters rows: every one of them was left out"],
            )
    for name, part in parts:
        if wrong := is_unfitted(part):
            raise PreprocessorBroken(
                f"step `{before.step}` gave a {type(part).__qualname__} (`{name}`) that is not fitted",
                why=wrong,
                fixes=["call `fit` or `fit_transform` on it before it is returned"],
            )
    gave = {name: facts(one) for name, one in found.items()}
    columns = frozenset(name for one in found.values() for name in one.columns)
    document = {"given": before.given, "gave": gave, "new": sorted(columns - before.columns)[:COLUMNS], "gone": sorted(before.columns - columns)[:COLUMNS]}  # fmt: skip
    return Found(document, _metrics(before.given, gave))


def facts(table: Table) -> dict[str, Any]:
    """What is recorded of a table: rows, how many columns and their names, missing values by column."""
    return {
        "rows": table.rows,
        "width": table.width,
        "columns": list(table.columns[:COLUMNS]),
        "missing": missing(table),
    }


def _metrics(
    given: Mapping[str, Mapping[str, Any]], gave: Mapping[str, Mapping[str, Any]]
) -> dict[str, float]:
    """The figures of what came in and what left, all tables together."""
    told: dict[str, float] = {}
    for suffix, tables in (("_before", given), ("", gave)):
        if tables:
            told[f"rows{suffix}"] = float(sum(one["rows"] for one in tables.values()))
            told[f"columns{suffix}"] = float(max(one["width"] for one in tables.values()))
            told[f"missing{suffix}"] = float(sum(sum(one["missing"].values()) for one in tables.values()))
    return told
