"""A predictor: it gives one prediction for each row of a table that it is given, and none is missing.

Which table that is says `@predictor(rows="held_out")`; without it, any table among the arguments may be the one.
Of a table, the predictions are the columns that the given one has not. `@predictor(missing=True)` allows gaps.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

from stepwell.errors import PredictorBroken
from stepwell.worker.roles import Found, Given
from stepwell.worker.roles.rows import rows_in
from stepwell.worker.roles.values import Table, kind, missing, numbers, parts_of, table_of, tables_in

CLASSES = 50
"""Different labels of which the counts are recorded."""


class Shape(NamedTuple):
    """Rows and names of columns of a table that a predictor was given."""

    rows: int
    columns: frozenset[str]


class Taken(NamedTuple):
    """What a predictor was given: its name, options, and the tables among its arguments that may be the one."""

    step: str
    options: Mapping[str, Any]
    tables: Mapping[str, Shape]


def taken(given: Given) -> Taken:
    """See `worker.roles`. Raises `PredictorBroken` where the argument that `rows` names has no rows."""
    tables = tables_in(given.values)
    wanted = given.options.get("rows", "")
    if wanted:
        tables = {name: one for name, one in tables.items() if name.partition(".")[0] == wanted}
    if wanted and not tables:
        raise PredictorBroken(
            f"step `{given.step}` is given no table as `{wanted}`: it is {kind(given.values.get(wanted))}",
            why=f"@predictor(rows={wanted!r}) says that each of its rows gets a prediction",
            fixes=["name the argument that holds the rows"],
        )
    shapes = {name: Shape(one.rows, frozenset(one.columns)) for name, one in tables.items()}
    return Taken(given.step, given.options, shapes)


def judged(before: Taken, value: Any) -> Found:
    """See `worker.roles`. Raises `PredictorBroken`."""
    found = {"": table} if (table := _table(value)) is not None else _inner(value)
    if not found:
        raise PredictorBroken(
            f"step `{before.step}` gave no predictions: what it returned is {kind(value)}",
            why="a predictor gives a table, an array or a list with a row for each that it is given",
            fixes=["return the predictions themselves", "use `@step` for what sums them up"],
        )
    metrics: dict[str, float] = {}
    told: dict[str, Any] = {}
    for name, one in found.items():
        shape = _source(before, name, one)
        columns = [each for each in one.columns if shape is None or each not in shape.columns]
        _refuse_missing(before, name, one, columns)
        told[name] = _told(one, columns)
        for column, number in told[name]["means"].items():
            path = ".".join(each for each in (name, column) if each)
            metrics[f"mean[{path}]" if path else "mean"] = number
    rows = next(iter(found.values())).rows
    inputs = {name: shape.rows for name, shape in before.tables.items()}
    document = told[""] if list(told) == [""] else {"parts": told}
    metrics = {name: number for name, number in metrics.items() if math.isfinite(number)}
    return Found({"rows": rows, "given": inputs, **document}, {"predictions": float(rows), **metrics})


def _table(value: Any) -> Table | None:
    return table_of(value)


def _inner(value: Any) -> dict[str, Table]:
    """The tables among the parts of a tuple or dict."""
    return {name: table for name, part in parts_of(value) if (table := table_of(part)) is not None}


def _source(before: Taken, name: str, table: Table) -> Shape | None:
    """The given table that has as many rows; None where the step was given no table. Raises `PredictorBroken`."""
    if not before.tables:
        return None
    for shape in before.tables.values():
        if shape.rows == table.rows:
            return shape
    sizes = ", ".join(f"`{one}` has {shape.rows:,}" for one, shape in before.tables.items())
    what = f"`{name}`" if name else "what it returned"
    raise PredictorBroken(
        f"step `{before.step}` gave {table.rows:,} predictions ({what}), and {sizes} rows",
        why="each row gets one prediction, so that they can be put side by side",
        fixes=[
            "keep every row: fill what is missing in the features in place of leaving rows out",
            "use `@step` for what sums predictions up",
        ],
    )


def _refuse_missing(before: Taken, name: str, table: Table, columns: list[str]) -> None:
    """Refuse predictions that are missing."""
    if before.options.get("missing"):
        return
    gone = {column: n for column, n in missing(table).items() if not table.columns or column in columns}
    if not gone:
        return
    column, count = next(iter(gone.items()))
    place = ".".join(each for each in (name, column) if each)
    raise PredictorBroken(
        f"step `{before.step}` gave no value for {count:,} of {table.rows:,} rows"
        + (f" in `{place}`" if place else ""),
        why="a prediction that is missing (None, NaN) would be left out of every figure without a word",
        fixes=["look for missing values in the features", "where gaps are meant: @predictor(missing=True)"],
    )


def _told(table: Table, columns: list[str]) -> dict[str, Any]:
    """What is recorded of predictions: means of numbers, counts of labels, gaps."""
    wanted = set(columns) or set(table.columns)
    found = {name: one for name, one in numbers(table).items() if not table.columns or name in wanted}
    gone = {name: count for name, count in missing(table).items() if not table.columns or name in wanted}
    told: dict[str, Any] = {"means": {name: one.mean for name, one in found.items()}, "missing": gone}
    labels = [name for name in table.columns if name in wanted and name not in found]
    if not found and table.width == 1:
        counts = Counter(str(row[0] if isinstance(row, tuple) else row) for row in rows_in(table, labels))
        told["labels"] = dict(counts.most_common(CLASSES))
    return told
