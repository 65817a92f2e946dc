"""What a run came to beside the last run of its pipeline: parameters that differ, metrics with their change.

found = since_last(store, "r12", params, metrics)
found.before, found.moved[0]        "r11", Moved("auc", 0.912, 0.905, "better")
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from stepwell.app.directions import change
from stepwell.app.finding import said_directions
from stepwell.stores.history import RunRow
from stepwell.stores.local import LocalStore
from stepwell.stores.metrics import shared

BACK = 20
"""Earlier runs of the pipeline that are looked at for one that can be compared."""


class Moved(NamedTuple):
    """A metric that is not what it was. `before` is None where it is new; `way`: better, worse, or "" where nobody knows."""

    name: str
    value: float
    before: float | None
    way: str


class Since(NamedTuple):
    """What changed since run `before`: values of parameters (before, now), metrics; `same` metrics are as they were.

    `data` are the names of the sources that both have read and that had another content.
    """

    before: str
    params: Mapping[str, tuple[object, object]]
    moved: tuple[Moved, ...]
    same: int
    data: tuple[str, ...] = ()


def since_last(
    store: LocalStore, run: str, params: Mapping[str, object], metrics: Mapping[str, float]
) -> Since | None:
    """How a run's parameters and metrics differ from those of the last run with metrics; None where there is none.

    That is the newest which succeeded and is no point of a sweep, else the newest. Raises `UnknownRun`.
    """
    here = store.runs.run(run)
    last = _last(store, here)
    if last is None:
        return None
    said = said_directions(store, [last, here])
    moved, same = [], 0
    for name in shared([metrics, last.metrics]):
        value, before = metrics.get(name), last.metrics.get(name)
        if value is None:
            continue
        if before == value or (before is not None and before != before and value != value):
            same += 1
            continue
        way = change(name, before, value, said) if before is not None else ""
        moved.append(Moved(name, value, before, way))
    moved.sort(key=lambda one: (one.before is None, not one.way))
    names = [name for name in params if name in last.params and last.params[name] != params[name]]
    differ = {name: (last.params[name], params[name]) for name in names}
    return Since(last.run, differ, tuple(moved), same, _other_data(store, last.run, run))


def _other_data(store: LocalStore, before: str, run: str) -> tuple[str, ...]:
    """The sources of a run that another one had read with another content."""
    was = {source.name: source.digest for source in store.runs.about(before).sources}
    now = store.runs.about(run).sources
    return tuple(source.name for source in now if was.get(source.name, source.digest) != source.digest)


def _last(store: LocalStore, here: RunRow) -> RunRow | None:
    found = store.runs.ids(here.pipeline, most=int(here.run[1:]) - 1, limit=BACK)
    other: RunRow | None = None
    for one in found:
        (row, *_) = store.runs.some([one]) or [None]
        if row is None or not row.metrics:
            continue
        if row.status == "succeeded" and not row.group:
            return row
        other = other or row
    return other
