"""Tables of Python's own values: CSV once it is parsed, lists of records. In the shape of other tables, without a library."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any

from stepwell.app.plaindata import plain
from stepwell.app.previews.held import Bounded
from stepwell.app.previews.stats import EMPTY, of_numbers_alone, of_words

COLUMNS = 1_000
"""Columns that are shown."""

CELL = 500
"""Characters of a cell that are shown."""

ODD = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
"""How numbers are written that JSON has not."""

SCALARS = (str, int, float, bool, type(None))


def records(value: object) -> tuple[list[str], list[list[Any]]] | None:
    """The names and rows of a list of mappings whose values are no containers; None for anything else."""
    if not isinstance(value, list) or not value:
        return None
    names: dict[str, None] = {}
    for one in value:
        if not isinstance(one, dict) or not all(isinstance(cell, SCALARS) for cell in one.values()):
            return None
        names.update(dict.fromkeys(one))
        if len(names) > COLUMNS:
            return None
    return (list(names), [[one.get(name) for name in names] for one in value]) if names else None


def records_shown(
    names: Sequence[str], body: Sequence[Sequence[Any]], rows: int, offset: int, *, total: int = 0
) -> dict[str, Any]:
    """A table as a preview. Where `total` is more than the rows that are here, these are its first."""
    offset = min(offset, max(len(body) - 1, 0))
    columns = [
        _column(name, [row[i] if i < len(row) else None for row in body]) for i, name in enumerate(names)
    ]
    head = [
        [_cell(row[i]) if i < len(row) else None for i in range(len(names))]
        for row in body[offset : offset + rows]
    ]
    return {
        "kind": "table",
        "rows": max(total, len(body)),
        "columns": columns,
        "head": head,
        "offset": offset,
        "sampled": len(body) if total > len(body) else None,
    }


def _cell(value: Any) -> Any:
    return value[:CELL] if isinstance(value, str) else Bounded().of(plain(value))


def _column(name: str, values: Sequence[Any]) -> dict[str, Any]:
    """What a column holds: numbers, truth values, or texts and whatever else as such."""
    numeric = all(isinstance(value, int | float) or value in ODD for value in values if value is not None)
    values = (
        [ODD.get(value, value) if isinstance(value, str) else value for value in values]
        if numeric
        else values
    )
    here = [value for value in values if value is not None and value != "" and value == value]
    facts = EMPTY | {
        "name": name[:CELL],
        "type": "text",
        "nulls": 1 - len(here) / len(values) if values else 0.0,
    }
    kinds = {type(value) for value in here}
    if kinds and kinds <= {int, float}:
        found = of_numbers_alone([float(value) for value in here if isfinite(value)])
        return facts | {"type": "float" if float in kinds else "int", "distinct": len(set(here)), **found}
    words = ["true" if value is True else "false" if value is False else str(value)[:CELL] for value in here]
    return facts | {"type": "bool" if kinds == {bool} else "text"} | of_words(words)
