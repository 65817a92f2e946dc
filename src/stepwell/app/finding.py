"""Which runs are meant: by their names, by a condition, the best ones of them, in an order.

    found = find(store, Wanted(where="depth > 4", sort="-auc"), limit=20)
    found.runs, found.total                 whole rows, and how many there are of them in all
    named(store, ["g3", "r3..r9", "last"])  ["r12", "r13", ...] as a person names runs
    one(store, "last~1", "a report", "stepwell report")     "r12"; what is several is refused, with the best of them

A store of ten thousand runs is looked through in a moment, since only what is asked for is read of each.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from json import loads
from typing import Any, NamedTuple

from stepwell.app.directions import NOBODY, by_interest, direction_of
from stepwell.app.filtering import (
    COLUMNS,
    Filter,
    Name,
    Order,
    has,
    metric_of,
    ordered,
    unknown_field,
)
from stepwell.errors import NothingToCompare, NotOneRun, StoreDamaged, UnknownRun
from stepwell.stores.history import RunRow
from stepwell.stores.local import LocalStore
from stepwell.stores.metrics import shared
from stepwell.stores.runrow import DAMAGED, split

ASKED_ROLES = 3
"""Runs, the newest, whose roles are asked which direction of a metric is better."""

TOLD = 12
"""Runs that are told by their names where one was to be named."""

PASSED = 10
"""Runs that cannot be read which are passed over, where the last ones are asked for."""

SAMPLED = 500
"""Runs, the newest, whose names are offered where one was asked for that there is not."""

_RANGE = re.compile(r"r?(\d{1,18})\.\.r?(\d{1,18})")
_BACK = re.compile(r"last~(\d{1,9})")


class Wanted(NamedTuple):
    """Which runs are wanted: `where` as `filtering.Filter` reads it, `sort` as `filtering.Order` does.

    `best` is a metric: only runs that have it, the best first, as `lowest` says (None: as its name does); of equal
    ones the oldest is first.
    `among` are ids of runs, or None for all in the store.
    """

    where: str = ""
    sort: str = ""
    best: str = ""
    lowest: bool | None = None
    pipeline: str = ""
    group: str = ""
    tag: str = ""
    among: Collection[str] | None = None


class Found(NamedTuple):
    """Runs that were found: one page of them, and the ids of all in their order; and those that cannot be read.

    Nobody knows whether the runs that are `damaged` are as it was wanted.
    """

    runs: list[RunRow]
    ids: list[str]
    damaged: list[str]

    @property
    def total(self) -> int:
        """How many there are in all."""
        return len(self.ids)


def find(store: LocalStore, wanted: Wanted, limit: int | None = None, offset: int = 0) -> Found:
    """The runs that are wanted, newest first where no order is: `limit` of them, without the first `offset`.

    Raises `BadFilter`, `UnknownField` for a name that no run has, and `UnknownRun` for a group that there is not.
    """
    condition = Filter.parse(wanted.where) if wanted.where else None
    order = _order(store, wanted)
    names = [*(condition.names if condition else ()), *([Name(order.name)] if order else ())]
    metrics = dict.fromkeys(metric for name in names if (metric := metric_of(name.text)))
    rows, damaged = split(store.runs.briefs(list(metrics), wanted.pipeline or None, wanted.group or None))
    if wanted.among is not None:
        among = set(wanted.among)
        rows = [row for row in rows if row.run in among]
        damaged = [run for run in damaged if run in among]
    _refuse_unknown(store, rows, condition, order, wanted)
    if wanted.tag:
        rows = [row for row in rows if wanted.tag in row.tags]
    if condition is not None:
        rows = [row for row in rows if condition.matches(row)]
    if order is not None:
        rows = rows[::-1] if wanted.best else rows  # of equal ones the first run is the best
        rows = ordered(rows, order, numbers=bool(wanted.best))
    ids = [row.run for row in rows]
    page = ids[offset:] if limit is None else ids[offset : offset + limit]
    return Found(store.runs.some(page), ids, damaged)


def _order(store: LocalStore, wanted: Wanted) -> Order | None:
    """The order that is wanted. The highest of a metric is its best where nobody knows better."""
    if not wanted.best:
        return Order.parse(wanted.sort) if wanted.sort else None
    name, lowest = Order.parse(wanted.best).name, wanted.lowest
    if lowest is None:
        runs = wanted.among or store.runs.ids(wanted.pipeline or None, limit=ASKED_ROLES)
        lowest = direction_of(name.removeprefix("metrics."), _said(store, runs)) == "lower"
    return Order(name, not lowest)


def best_of(rows: Iterable[Any], metric: str, said: Mapping[str, str] = NOBODY) -> Any | None:
    """The row with the best value of a metric, the first of several; None where no row has it, or nobody knows what is better."""
    way = direction_of(metric, said)
    found = [row for row in rows if metric in row.metrics and row.metrics[metric] == row.metrics[metric]]
    if not way or not found:
        return None
    return (max if way == "higher" else min)(found, key=lambda row: row.metrics[metric])


def judged_by(rows: Iterable[Any], said: Mapping[str, str] = NOBODY) -> str:
    """The metric by which rows are judged: the first of interest of which it is known what is better; "" where there is none."""
    names = by_interest(shared([row.metrics for row in rows]), said)
    return next((name for name in names if direction_of(name, said)), "")


def _refuse_unknown(
    store: LocalStore, rows: Sequence[Any], condition: Filter | None, order: Order | None, wanted: Wanted
) -> None:
    """Raises `UnknownField` for the first name that none of the runs has; of no runs nothing is said."""
    option = ("--best", wanted.best) if wanted.best else ("--sort", wanted.sort)
    asked = [(name, wanted.where) for name in (condition.names if condition else ())]
    asked += [(Name(order.name), "")] if order is not None else []
    for name, text in asked:
        if rows and name.text not in COLUMNS and not any(has(row, name.text) for row in rows):
            raise unknown_field(name, known_names(store), text, None if text else option)


def known_names(store: LocalStore) -> list[str]:
    """Names of parameters and metrics of the newest runs, each once, as they are first met."""
    found: dict[str, None] = {}
    for row in store.runs.runs(SAMPLED):
        found.update(dict.fromkeys((*row.params, *row.metrics)))
    return list(found)


# --------------------------------------------------------------------------- what is better


def said_directions(store: LocalStore, runs: Iterable[RunRow]) -> dict[str, str]:
    """Which direction evaluators said is better, by metric; of some runs the newest count. Raises `UnknownRun`."""
    return _said(store, [row.run for row in runs])


def _said(store: LocalStore, runs: Iterable[str]) -> dict[str, str]:
    newest = sorted(runs, key=lambda run: int(run[1:]))[-ASKED_ROLES:]
    found: dict[str, str] = {}
    for run in newest:
        with suppress(StoreDamaged):  # told where the run itself is asked for
            for one in store.runs.recorded(run):
                if one.kind == "role":
                    found.update(_directions(one.text))
    return found


def _directions(text: str) -> dict[str, str]:
    """What a role said of directions; nothing where it said other things."""
    try:
        told = loads(text)
    except ValueError:
        return {}
    ways = told.get("directions") if isinstance(told, dict) else None
    if not isinstance(ways, dict):
        return {}
    return {str(name): way for name, way in ways.items() if way in ("higher", "lower")}


# --------------------------------------------------------------------------- names of runs


def named(store: LocalStore, words: Iterable[str]) -> list[str]:
    """The ids of the runs that words name, each once, in their order.

    A word is `r12` or `12`, `r3..r9`, a sweep `g3` (all its points, in the order of its grid), `last`, or `last~2`: the
    second before the newest run, of the same pipeline. Raises `UnknownRun`.
    """
    found: dict[str, None] = {}
    for word in words:
        found.update(dict.fromkeys(_meant(store, word)))
    return list(found)


def one(store: LocalStore, word: str, what: str, command: str) -> str:
    """The id of the one run that a word means, as `named` reads it; `what` is of one run, and `command` makes it.

    Raises `UnknownRun`, and `NotOneRun` where the word means several, with which these are and the best of them.
    """
    runs = named(store, [word])
    if len(runs) == 1:
        return runs[0]
    rows, _ = split(store.runs.some(runs))  # one that cannot be read is no best one
    said = said_directions(store, rows)
    metric = judged_by(rows, said) if len({row.pipeline for row in rows}) == 1 else ""
    best = best_of(rows, metric, said) if metric else None
    pick = f"{command} {best.run}   the best {metric}" if best is not None else f"{command} {runs[0]}"
    more = f" and {len(runs) - TOLD:,} more" if len(runs) > TOLD else ""
    raise NotOneRun(
        f"{what} is of one run, and `{word}` is {len(runs):,} runs",
        why=f"they are {', '.join(runs[:TOLD])}{more}",
        fixes=[pick, f"stepwell compare {word}   what they differ in"],
    )


def _meant(store: LocalStore, word: str) -> list[str]:
    if re.fullmatch(r"g\d+|glast", word):
        return [row.run for row in store.runs.briefs(group=word if word != "glast" else "last")][::-1]
    if span := _RANGE.fullmatch(word):
        return _between(store, word, int(span[1]), int(span[2]))
    if back := _BACK.fullmatch(word):
        return [_before(store, word, int(back[1]))]
    return [store.runs.run(word).run]


def _between(store: LocalStore, word: str, first: int, last: int) -> list[str]:
    low, high = sorted((first, last))
    there = store.runs.ids(least=low, most=high)
    if not there:
        raise UnknownRun(f"there is no run in `{word}`", fixes=["stepwell runs"])
    return there[::-1] if first <= last else there


def _before(store: LocalStore, word: str, back: int) -> str:
    newest = store.runs.run()
    found = store.runs.ids(newest.pipeline, limit=1, skip=back)
    if not found:
        why = f"pipeline `{newest.pipeline}` has {store.runs.count(newest.pipeline):,} runs"
        raise UnknownRun(f"there is no run `{word}`", why=why, fixes=["stepwell runs"])
    return found[0]


def unnamed(store: LocalStore) -> list[str]:
    """What is compared where nobody says: the points of the last sweep if it ran last, else the last two runs of a pipeline.

    Raises `NothingToCompare`.
    """
    rows = store.runs.runs(PASSED)
    if not rows:
        raise NothingToCompare("there is no run yet", fixes=["stepwell run"])
    newest = next((row for row in rows if row.status != DAMAGED), rows[0])
    if newest.group:
        return _meant(store, newest.group)
    last = back_to(store, newest.pipeline, 2)
    if len(last) < 2:
        raise NothingToCompare(
            f"pipeline `{newest.pipeline}` has one run, {newest.run}",
            why="it takes two to compare",
            fixes=[
                "stepwell run   once more, with something changed",
                f"stepwell compare RUN {newest.run}",
            ],
        )
    return last


def back_to(store: LocalStore, pipeline: str, count: int, most: int = 1 << 62) -> list[str]:
    """The newest runs of a pipeline with a number of at most `most`, oldest first, back to the `count`th that can be read."""
    found: list[str] = []
    for row in store.runs.some(store.runs.ids(pipeline, most=most, limit=count + PASSED)):
        found.append(row.run)
        count -= row.status != DAMAGED
        if not count:
            break
    return found[::-1]
