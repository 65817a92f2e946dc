"""A run as lists have it. One whose record cannot be read is a run all the same: it is listed, as `DAMAGED`.

row = checked(RunRow("r12", "churn", "succeeded", ...))      raises where something of it makes no sense
row = damaged(12, "churn", 1763770000.0, None)               what is left of one that does not
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from stepwell.named import NamedTuple
from stepwell.stores.metrics import Metrics, Names

TYPE_CHECKING = False  # as type checkers know it; `typing` is a tenth of what a list of runs costs
if TYPE_CHECKING:
    from typing import Any

STATUSES = ("succeeded", "failed", "interrupted", "running")

DAMAGED = "damaged"
"""The status of a run whose record cannot be read: nothing else is known of it for sure."""

LEFT = "left"
"""In the counts of a run: steps that were not up to date, and were not to run (`--only`, `--from`). Each is `cached` itself."""

UNREADABLE = (ValueError, TypeError, KeyError, IndexError, AttributeError)
"""What reading a record raises where it is none."""

NO_METRICS = Metrics({}, Names(()))

_NUMBERS, _TEXT = frozenset((int, float)), frozenset((str,))


class RunRow(NamedTuple):
    """A run. `status`: succeeded, failed, interrupted, running or `DAMAGED`. Times in seconds (`started` since 1970).

    `seconds` is None while it runs and where it was killed. `metrics`: names to last values, shown by their bare names
    where only one step logged one, and found by `STEP.METRIC`, too (`stores.metrics`). `counts`: how many steps had
    which status, where it ended; those that are `LEFT` apart.
    """

    run: str
    pipeline: str
    status: str
    started: float
    seconds: float | None
    params: Mapping[str, object]
    metrics: Metrics
    commit: str
    dirty: bool
    argv: tuple[str, ...] = ()
    counts: Mapping[str, int] = {}
    group: str = ""
    """The sweep that it is a point of ("g3"), and `point`, the values that vary in that."""
    point: Mapping[str, object] = {}
    origins: Mapping[str, Mapping[str, str]] = {}
    """Where each parameter came from: its `layer`, and `where` in it."""
    tags: tuple[str, ...] = ()
    """What its steps tagged it with, "baseline" or "dataset=v2", sorted; those of reused results too."""
    lasted: float | None = None
    """Of a point of a sweep: seconds that the command took which ran it and others (`took_together`)."""


def checked(row: RunRow) -> RunRow:
    """The row itself. Raises `ValueError` where a column of it is of another kind than it must be."""
    _, pipeline, status, started, seconds, params, _, commit, *_ = row
    if (
        status in STATUSES
        and type(pipeline) is type(commit) is str
        and type(started) in _NUMBERS
        and (seconds is None or type(seconds) in _NUMBERS)
        and type(params) is dict
    ):
        return row
    raise ValueError("a column is of another kind than it must be")


def numbers(found: Mapping[str, float]) -> Mapping[str, float]:
    """Metrics themselves. Raises `ValueError` where one is no number."""
    if not _NUMBERS.issuperset(map(type, found.values())):
        raise ValueError("a metric is no number")
    return found


def texts(found: Iterable[str]) -> tuple[str, ...]:
    """Tags. Raises `ValueError` where one is no text."""
    told = tuple(found)
    if not _TEXT.issuperset(map(type, told)):
        raise ValueError("a tag is no text")
    return told


def took_together(points: Iterable[RunRow]) -> float | None:
    """Seconds that a sweep took: what the commands took that ran its points. None while one runs, and where one was killed.

    The points themselves count from their own first step, and several are done at once.
    """
    rows = [row for row in points if row.status != DAMAGED]
    if not rows or any(row.seconds is None for row in rows):
        return None
    commands = {(row.started, row.lasted) for row in rows}
    if any(lasted is None for _, lasted in commands):  # an older Stepwell ran it
        return max(row.started + (row.seconds or 0.0) for row in rows) - min(row.started for row in rows)
    return sum(lasted or 0.0 for _, lasted in commands)


def left_told(row: RunRow) -> str:
    """That a run took results which were not up to date any more: "2 steps left as they were"; "" of others."""
    count = row.counts.get(LEFT, 0)
    return (
        f"{count:,} step{'s' if count > 1 else ''} left as {'they were' if count > 1 else 'it was'}"
        if count
        else ""
    )


def damaged(number: int, pipeline: Any, started: Any, group: Any) -> RunRow:
    """A run that cannot be read: its number, and what makes sense of these columns of its row."""
    return RunRow(
        f"r{number}", pipeline if isinstance(pipeline, str) else "", DAMAGED,
        started if type(started) in _NUMBERS else 0.0, None, {}, NO_METRICS, "", dirty=False,
        group=f"g{group}" if isinstance(group, int) else "",
    )  # fmt: skip


def split(rows: Iterable[RunRow]) -> tuple[list[RunRow], list[str]]:
    """The rows of which all is known, and the ids of those that are damaged."""
    listed = list(rows)
    return [row for row in listed if row.status != DAMAGED], [
        row.run for row in listed if row.status == DAMAGED
    ]
