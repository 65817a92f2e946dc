"""What a model says now of the rows that the released one was asked about, beside what that one said.

>>> predicted("model", model, leaving, table, said, tolerance=1e-6)
Predicted(output='model', rows=20000, beyond=0, worst=2e-16, tolerance=1e-06, flips=0, refused='')
"""

from __future__ import annotations

from typing import Any

from stepwell.dist.compat.sides import Predicted
from stepwell.dist.installed.predicting import predict
from stepwell.dist.lock import Leaving
from stepwell.errors import StepwellError, counted

PREDICTION = "prediction"
PROBABILITY = "probability"


def predicted(
    name: str, model: Any, leaving: Leaving, table: Any, said: Any, tolerance: float = 0.0
) -> Predicted:
    """Ask a model about a table, and compare with the table of what was said of it. A model that refuses raises nothing."""
    try:
        now = predict(model, leaving, table)
    except StepwellError as error:
        return Predicted(name, tolerance=tolerance, refused=error.what)
    return compared(name, _columns(said), _columns(now), tolerance)


def compared(name: str, before: dict[str, Any], after: dict[str, Any], tolerance: float) -> Predicted:
    """Two tables of predictions, as lists by column: numbers by how far they are apart, labels by whether they are others."""
    said, rows = _named(before, PREDICTION), len(next(iter(before.values()), []))
    lost = [column for column in before if column not in after]
    if lost:
        return Predicted(name, rows, tolerance=tolerance, refused=f"it gives no {', '.join(lost)}")
    if len(after[said[0]]) != rows:
        what = f"{counted(len(after[said[0]]), 'prediction')} for {counted(rows, 'row')}"
        return Predicted(name, rows, tolerance=tolerance, refused=what)
    classes = _named(before, PROBABILITY)
    pairs = [pair for column in said for pair in zip(before[column], after[column], strict=True)]
    labels = bool(classes) or not all(_is_number(value) for pair in pairs for value in pair)
    flips = sum(one != other for one, other in pairs) if labels else None
    apart = [0.0] * rows
    for column in classes if labels else said:
        both = zip(before[column], after[column], strict=True)
        apart = [max(far, _apart(one, other)) for far, (one, other) in zip(apart, both, strict=True)]
    beyond = sum(far > tolerance for far in apart)
    return Predicted(name, rows, beyond, max(apart, default=0.0), tolerance, flips)


def _named(columns: dict[str, Any], name: str) -> list[str]:
    """The columns of a name: `prediction`; `prediction_0`, `prediction_1` and so on."""
    return [column for column in columns if column == name or column.startswith(f"{name}_")]


def _apart(one: Any, other: Any) -> float:
    """How far two numbers are apart; two that are both missing are the same."""
    gone = [value is None or value != value for value in (one, other)]
    if any(gone):
        return 0.0 if all(gone) else float("inf")
    return 0.0 if one == other else abs(float(one) - float(other))


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _columns(table: Any) -> dict[str, Any]:
    """The columns of a table as lists of Python's own values."""
    if isinstance(table, dict):
        return {str(name): list(values) for name, values in table.items()}
    if hasattr(table, "to_pydict"):  # Arrow
        found: dict[str, Any] = table.to_pydict()
        return found
    return {str(name): table[name].to_list() for name in table.columns}
