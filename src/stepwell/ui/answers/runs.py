"""The list of runs: `GET /api/runs`, searched, filtered, sorted and in pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any

from stepwell.app.comparing import summary
from stepwell.app.filtering import COLUMNS, Filter, has, unknown_field
from stepwell.app.finding import known_names
from stepwell.app.plaindata import number, plain
from stepwell.errors import BadQuestion
from stepwell.stores.runrow import DAMAGED, took_together
from stepwell.ui.asked import Asked, Here
from stepwell.ui.known import Entry, Shape, changed_since

MOST = 10_000
"""Runs in one answer."""

BY = ("run", "started", "seconds", "status", "pipeline", "group", "commit")
"""What is sorted by, beside `params.NAME` and `metrics.NAME`."""

NEWEST_FIRST = ("-run", "-started")

Row = Sequence[Entry]
"""A row of the list: a run, or the points of a sweep, the newest first."""


def runs(here: Here, asked: Asked) -> dict[str, Any]:
    """The runs that are wanted, and what there is to choose from. Raises `BadQuestion`, `BadFilter`, `UnknownField`."""
    every, shapes = here.site.known.view(here.store)
    found = _wanted(here, every, asked)
    grouped = asked.flag("grouped")
    start, limit = asked.number("offset", 0), asked.number("limit", 100, least=0, most=MOST)
    word = asked.word("sort", NEWEST_FIRST[0])
    if grouped:
        rows: Sequence[Row] = _sorted(_grouped(found), word, _of_points)
        total, shown = len(rows), rows[start : start + limit]
    else:
        total = len(found)
        shown = [(entry,) for entry in _sorted(found, word, _of_one)[start : start + limit]]
    only = asked.all("metric") or None
    return {
        "runs": [_row(points, only, grouped=grouped) for points in shown],
        "total": total,
        "all": len(every),
        **_names(found, shapes),
        "newest": every[0].row.run if every else "",
    }


# --------------------------------------------------------------------------- which


def _wanted(here: Here, entries: list[Entry], asked: Asked) -> list[Entry]:
    """The entries that every filter lets through, newest first."""
    found = entries
    for name in ("pipeline", "status", "group"):
        if values := {*asked.all(name)}:
            of = attrgetter(f"row.{name}")
            found = [entry for entry in found if of(entry) in values]
    if tags := {*asked.all("tag")}:
        found = [entry for entry in found if tags <= {*entry.row.tags}]
    for word in asked.word("q").lower().split():
        found = [entry for entry in found if word in entry.text]
    if since := asked.word("since"):
        number = _number(since)
        found = [entry for entry in found if changed_since(entry, number)]
    if where := asked.word("where"):
        found = _matching(here, found, where)
    return found


def _matching(here: Here, entries: list[Entry], where: str) -> list[Entry]:
    """The entries for which a condition holds. Raises `BadFilter`, and `UnknownField` for a name that none of them has."""
    condition = Filter.parse(where)
    for name in condition.names:
        known = name.text in COLUMNS or any(has(entry.row, name.text) for entry in entries)
        if entries and not known:
            raise unknown_field(name, known_names(here.store), where)
    matches = condition.matches
    return [entry for entry in entries if matches(entry.row)]


def _number(run: str) -> int:
    digits = run.removeprefix("r")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 19):
        raise BadQuestion(f"`since={run[:40]}` is no run", fixes=["since=r12"])
    return int(digits)


# --------------------------------------------------------------------------- in which order


def _sorted(
    rows: list[Any], word: str, key_of: Callable[[Any, Callable[[Entry], Any], bool], Any]
) -> list[Any]:
    """Rows in the order of a column, "-" before it for the largest first; what has no value comes last either way."""
    if word in NEWEST_FIRST:
        return rows
    down = word.startswith("-")
    value_of = _column(word.removeprefix("-"))
    keys = [key_of(row, value_of, down) for row in rows]
    places = [place for place, key in enumerate(keys) if key is not None]
    places.sort(key=keys.__getitem__, reverse=down)
    return [rows[place] for place in places] + [
        row for row, key in zip(rows, keys, strict=True) if key is None
    ]


def _of_one(entry: Entry, value_of: Callable[[Entry], Any], down: bool) -> Any:
    return value_of(entry)


def _of_points(row: Row, value_of: Callable[[Entry], Any], down: bool) -> Any:
    """A sweep stands where its first point in the order would stand."""
    values = [value for value in map(value_of, row) if value is not None]
    return (max if down else min)(values) if values else None


def _column(name: str) -> Callable[[Entry], Any]:
    """Gives what a run has in a column, as something that can be put in order; None where it has nothing."""
    kind, _, rest = name.partition(".")
    if kind == "metrics" and rest:
        return lambda entry: _known(entry.row.metrics.get(rest))
    if kind == "params" and rest:
        return lambda entry: _ordered(entry.row.params.get(rest))
    if name in ("run", "started"):
        return attrgetter("number")
    if name in BY:
        return attrgetter(f"row.{name}")
    raise BadQuestion(
        f"runs cannot be sorted by `{name[:80]}`", fixes=[", ".join(BY), "params.NAME", "metrics.NAME"]
    )


def _known(value: float | None) -> float | None:
    return value if value == value else None


def _ordered(value: Any) -> tuple[int, Any] | None:
    """Numbers before texts, and both before what has no order of its own."""
    if value is None:
        return None
    if isinstance(value, bool | int | float):
        return None if value != value else (0, value)
    return (1, value) if isinstance(value, str) else (2, str(plain(value)))


# --------------------------------------------------------------------------- as what


def _grouped(entries: list[Entry]) -> list[Row]:
    """The points of a sweep together, where the newest of them is."""
    rows: list[Row] = []
    sweeps: dict[str, list[Entry]] = {}
    for entry in entries:
        group = entry.row.group
        if not group:
            rows.append((entry,))
        elif group in sweeps:
            sweeps[group].append(entry)
        else:
            sweeps[group] = [entry]
            rows.append(sweeps[group])
    return rows


def _row(points: Row, only: list[str] | None, *, grouped: bool) -> dict[str, Any]:
    """A run, or the points of a sweep as one row: what they have in common, and how many had which status."""
    shown = [_summary(entry, only) for entry in points]
    if not grouped or not points[0].row.group:
        return shown[0]
    shown.reverse()
    first, rows = shown[0], [entry.row for entry in points]
    statuses = {row.status for row in rows}
    counts: dict[str, int] = {}
    for row in rows:
        for name, count in row.counts.items():
            counts[name] = counts.get(name, 0) + count
    alike = [
        name
        for name in first["params"]
        if all(one["params"].get(name) == first["params"][name] for one in shown)
    ]
    return {
        **first,
        "run": first["group"],
        "status": next(
            word for word in ("running", DAMAGED, "failed", "interrupted", "succeeded") if word in statuses
        ),
        "seconds": took_together(rows),
        "params": {name: first["params"][name] for name in alike},
        "metrics": {},
        "tags": list(dict.fromkeys(tag for one in shown for tag in one["tags"])),
        "counts": counts,
        "point": {},
        "points": shown,
    }


def _summary(entry: Entry, only: list[str] | None) -> dict[str, Any]:
    if only is None:
        return summary(entry.row, entry.metrics.shown())
    found = [(name, entry.row.metrics.get(name)) for name in only]
    return summary(entry.row, {name: number(value) for name, value in found if value is not None})


def _names(entries: Iterable[Entry], shapes: Sequence[Shape]) -> dict[str, list[str]]:
    """The names of parameters and metrics, and the tags, that occur in these runs."""
    there = [shapes[number] for number in set(map(attrgetter("shape"), entries))]
    return {
        "params": sorted({name for shape in there for name in shape.params}),
        "metrics": sorted({name for shape in there for name in shape.metrics}),
        "tags": sorted({tag for tags in set(map(attrgetter("row.tags"), entries)) for tag in tags}),
    }
