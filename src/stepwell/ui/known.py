"""The runs of a store in memory, so that a list of ten thousand is searched, filtered and sorted at once.

    entries = known.entries(store)       # newest first, brought up to date
    entries[0].row.metrics["auc"]

A run that has ended does not change any more: it is read once. What is asked each time is which runs are new, how those
are that had not ended, and whether `gc` took some away; only then is all read again. Runs of one pipeline mostly
recorded the same metrics, so their names are kept once and the values as doubles: a hundred metrics are a kilobyte.

One of these serves all threads; each brings its own store.
"""

from __future__ import annotations

import gc
import sys
import time
from array import array
from collections.abc import Iterator, Mapping
from threading import Lock
from typing import Any, NamedTuple

from stepwell.app.plaindata import numbers
from stepwell.stores.history import RunRow
from stepwell.stores.local import LocalStore
from stepwell.stores.metrics import Metrics, Names

PART = 400
"""Runs that are read at a time."""

LATELY = 300.0
"""Seconds for which a run that ended still counts as one that changed."""


class Packed(Mapping[str, float]):
    """Names to numbers: the names are shared with others that have the same."""

    __slots__ = ("_names", "numbers")

    def __init__(self, names: Mapping[str, int], values: array[float]) -> None:
        self._names, self.numbers = names, values

    def __getitem__(self, name: str) -> float:
        return self.numbers[self._names[name]]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def get(self, name: str, otherwise: Any = None) -> Any:
        """The number of a name, or something else."""
        place = self._names.get(name)
        return otherwise if place is None else self.numbers[place]

    def shown(self) -> dict[str, float | str]:
        """Names to numbers as JSON has them."""
        return numbers(self._names, self.numbers)


class Shape(NamedTuple):
    """The names of the parameters and metrics that a run has; those with the same share one."""

    params: tuple[str, ...]
    metrics: Mapping[str, int]


class Entry(NamedTuple):
    """A run: its row, its shape's number, and the text that is searched (lower case).

    `nodes` is the digest of a text in the store, its graph. `ended` is when it was seen to have ended, in seconds since
    1970 (0: long ago, or not yet).
    """

    number: int
    row: RunRow
    metrics: Packed
    shape: int
    text: str
    nodes: str
    ended: float = 0.0


class View(NamedTuple):
    """All runs at one time, newest first, and the shapes that they refer to. Neither is changed any more, but for new shapes."""

    entries: list[Entry]
    shapes: list[Shape]


class Known:
    """What is known of the runs of one store."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._entries: dict[int, Entry] = {}
        self._names: dict[tuple[Names, int], Mapping[str, int]] = {}
        self._numbers: dict[tuple[object, ...], int] = {}
        self._seen: tuple[object, ...] = ()
        self._view = View([], [])

    def view(self, store: LocalStore) -> View:
        """Every run as it is now."""
        with self._lock:
            self._bring_up_to_date(store)
            return self._view

    def entries(self, store: LocalStore) -> list[Entry]:
        """Every run, newest first; not to be changed."""
        return self.view(store).entries

    def _bring_up_to_date(self, store: LocalStore) -> None:
        before = next(reversed(self._entries), 0)
        count, newest, new, removals = store.database.rows(
            "SELECT count(*), coalesce(max(id), 0), (SELECT count(*) FROM runs WHERE id > ?),"
            " (SELECT value FROM counters WHERE name = 'gc') FROM runs",
            (before,),
        )[0]
        seen = (*_file(store), removals)
        if seen != self._seen or count != len(self._entries) + new or newest < before:
            self._entries, self._names, self._numbers, self._view = {}, {}, {}, View([], [])
            new, before = count, 0
        self._seen = seen
        changed = self._look_again(store)
        if new:
            self._read(store, before)
        if new or changed:
            self._view = View(list(reversed(self._entries.values())), self._view.shapes)

    def _read(self, store: LocalStore, before: int) -> None:
        """Read the newest runs, those after the number `before`, some at a time: a row is ten times what is kept of it."""
        graphs, left = _graphs(store, before), store.runs.ids(least=before + 1)[::-1]
        collecting = gc.isenabled()
        gc.disable()  # what is read stays, and it would be walked again and again
        try:
            for first in range(0, len(left), PART):
                for row in store.runs.some(left[first : first + PART]):
                    self._add(row, graphs.get(int(row.run[1:]), ""))
        finally:
            if collecting:
                gc.enable()

    def _look_again(self, store: LocalStore) -> bool:
        """Read the runs again that had not ended; whether there are any."""
        running = [entry for entry in self._entries.values() if entry.row.status == "running"]
        graphs = _graphs(store, min(entry.number for entry in running) - 1) if running else {}
        for entry, row in zip(running, store.runs.some([entry.row.run for entry in running]), strict=True):
            self._add(row, graphs.get(entry.number, ""), time.time() if row.status != "running" else 0.0)
        return bool(running)

    def _add(self, row: RunRow, nodes: str, ended: float = 0.0) -> None:
        named = row.metrics.names, len(row.metrics)
        places = self._names.get(named)
        if places is None:
            places = self._names[named] = {name: place for place, name in enumerate(row.metrics)}
        metrics = Packed(places, array("d", row.metrics.values()))
        params = tuple(row.params)
        shape = self._numbers.setdefault((id(places), params), len(self._numbers))
        if shape == len(self._view.shapes):
            self._view.shapes.append(Shape(params, places))
        row, place = row._replace(metrics=Metrics(metrics, row.metrics.names)), int(row.run[1:])
        self._entries[place] = Entry(place, row, metrics, shape, _text(row), nodes, ended)


def _graphs(store: LocalStore, before: int) -> dict[int, str]:
    """The digests of the graphs of the runs after a number, as far as they lead to one."""
    sql = "SELECT runs.id, texts.digest FROM runs JOIN texts ON texts.digest = runs.nodes WHERE runs.id > ?"
    return {number: sys.intern(digest) for number, digest in store.database.rows(sql, (before,))}


def _file(store: LocalStore) -> tuple[int, int]:
    try:
        status = (store.folder / "store.db").stat()
    except OSError:
        return (0, 0)
    return (status.st_dev, status.st_ino)


def _text(row: RunRow) -> str:
    """What a search looks at: the run, its pipeline, status, parameters, tags, commit, sweep."""
    given = [f"{name}={value}" for name, value in row.params.items()]
    return " ".join([row.run, row.pipeline, row.status, row.group, row.commit, *given, *row.tags]).lower()


def changed_since(entry: Entry, number: int) -> bool:
    """Whether a run is newer than the one of this number, is going on, or ended lately."""
    lately = time.time() - LATELY
    if entry.number > number or entry.row.status == "running" or entry.ended > lately:
        return True
    return entry.row.started + (entry.row.seconds or 0.0) > lately
