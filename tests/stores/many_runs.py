"""A store of many runs, for tests of whatever lists, finds and shows them.

    built = build(tmp_path / ".stepwell", runs=10_000, metrics=100, points=1_000_000)

The runs are written by the real writers, as sweeps are: hundreds in one transaction. They are of one small pipeline,
`delays` (read, clean, train, score), which was changed now and then: sweeps of twelve points and single runs, most
succeeded, some failed, some were killed. All of it is a function of the arguments; times count from `EPOCH`.

    python tests/stores/many_runs.py FOLDER [RUNS [METRICS [POINTS]]]
"""

from __future__ import annotations

import gc
import math
import sys
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from stepwell.kernel.events import RunFinished, StepBlocked, StepFailed, StepFinished, StepReused
from stepwell.kernel.identity import digest
from stepwell.kernel.plan import Decision, Reason
from stepwell.kernel.ports import Failure, Logged, Recorded, Result, Said
from stepwell.stores.curves import Span, pack
from stepwell.stores.group import GroupRecord
from stepwell.stores.local import LocalStore, open_store
from stepwell.stores.record import Facts
from stepwell.stores.recordings import Thing
from stepwell.stores.rows import encode
from stepwell.testing.contracts import made, result_of

EPOCH = 1_780_000_000.0
"""When the first run began; one begins every twenty minutes."""

STEPS = ("read", "clean", "train", "score")
EDGES = [[], [0], [1], [1, 2]]
SWEEP = 12
"""Points of a sweep: four depths, three learning rates."""

PART = 480
"""Runs that are written in one transaction."""

OF_ONE = 10_000
"""Numbers that a run with curves recorded: ten curves of a thousand."""

_SOURCES = {
    "read": ("def read(flights):\n    return flights\n", "def read(flights):\n    return flights.dropna()\n"),
    "train": (
        "def train(table, depth, lr):\n    return fit(table, depth, lr)\n",
        "def train(table, depth, lr):\n    return fit(table, depth, lr, leaves=31)\n",
        "def train(table, depth, lr):\n    return fit(table, depth, lr, leaves=63)\n",
    ),
}
_NAMES = [f"m{i:02}" for i in range(1000)]
_WAVE = [round(math.sin(math.radians(i / 2)), 6) for i in range(720)]
_NEW = (Reason("new", "no earlier result"),)
_FAILURE = Failure("E401", "step `train` raised", "ValueError: depth", ("stepwell debug train",), "docs", "")


class Built(NamedTuple):
    """What was built: how many runs, sweeps and points, and the newest run ("r10000")."""

    runs: int
    sweeps: int
    points: int
    newest: str


class _Shape(NamedTuple):
    """What one run is like: its place among all, its sweep (0: none), how it ends, how many numbers it records.

    `era`: code, data and environment change at each quarter of the runs.
    """

    place: int
    sweep: int
    status: str
    points: int
    era: int


def build(folder: Path, runs: int = 10_000, metrics: int = 100, points: int = 1_000_000) -> Built:
    """Fill a new store at `folder`. `metrics`: names that each run that succeeded has, at least 2 (`auc`, `loss`).

    `points`: numbers that are recorded in all, by the newest runs, ten thousand each.
    """
    shapes = list(_shapes(runs, points))
    with open_store(folder) as store:
        _add_identities(store)
        kept: dict[str, Result] = {}
        gc.disable()  # it would look through all that is held, again and again
        try:
            for part in _parts(shapes):
                _write(store, part, metrics, kept)
        finally:
            gc.enable()
        sweeps = store.database.rows('SELECT count(DISTINCT "group") FROM runs')[0][0]
    return Built(runs, sweeps, sum(shape.points for shape in shapes), f"r{runs}")


def _shapes(runs: int, points: int) -> Iterator[_Shape]:
    """Sweeps, and three times as many single runs, in turn; the last are a sweep where there are enough."""
    for place in range(runs):
        left = runs - 1 - place
        block, inside = divmod(left, SWEEP)
        whole = left + inside < runs and (block + 1) * SWEEP <= runs
        sweep = block + 1 if whole and block % 4 == 0 else 0
        status = "succeeded"
        if left and not place % 17 - 5:
            status = "failed"
        elif left and not place % 43 - 11:
            status = "interrupted"
        yield _Shape(place, sweep, status, max(0, min(OF_ONE, points - left * OF_ONE)), place * 4 // runs)


def _parts(shapes: list[_Shape]) -> Iterator[list[_Shape]]:
    """Runs that are written together: a sweep, or many single ones; large sums of points apart."""
    part: list[_Shape] = []
    for shape in shapes:
        if part and (part[-1].sweep != shape.sweep or len(part) == PART):
            yield part
            part = []
        part.append(shape)
    if part:
        yield part


def _write(store: LocalStore, part: list[_Shape], metrics: int, kept: dict[str, Result]) -> None:
    """Write some runs as a group, and take them out of it where they are no sweep."""
    group = store.begin_group([_facts(shape) for shape in part])
    for at, shape in enumerate(part):
        for event in _events(store, shape, group.runs[at], metrics, kept):
            group.add(at, event)
        group.settle(at, RunFinished(shape.status, 2.0 + shape.place % 90))
    _end(store, group, part)


def _end(store: LocalStore, group: GroupRecord, part: list[_Shape]) -> None:
    group.end()
    if not part[0].sweep:
        store.database.write(
            lambda connection: connection.execute(
                'UPDATE runs SET "group" = NULL, point = NULL WHERE "group" = ?', (group.number,)
            )
        )


def params_of(place: int) -> dict[str, Any]:
    """The parameters of the run at a place, as `build` makes them."""
    return {
        "depth": 2 + 2 * (place % 4),
        "lr": (0.03, 0.1, 0.3)[place // 4 % 3],
        "model": ("trees", "linear")[place // 600 % 2],
        "seed": place // SWEEP % 5,
    }


def metrics_of(place: int, metrics: int) -> dict[str, float]:
    """The metrics of the run at a place; `auc` of one in 97 is NaN."""
    params = params_of(place)
    auc = 0.7 + 0.02 * params["depth"] - abs(params["lr"] - 0.1) / 4 + 0.01 * math.sin(place * 12.9898)
    first = {"auc": float("nan") if place % 97 == 13 else round(auc, 6), "loss": round(1.2 - auc, 6)}
    return {**first, **{_NAMES[i]: _WAVE[(place + i) % 720] for i in range(2, metrics)}}


def _facts(shape: _Shape) -> Facts:
    place, params = shape.place, params_of(shape.place)
    return Facts(
        pipeline="delays" if place % 20 else "weather",
        params=params,
        nodes=[(name, name, f"pipeline:{name}") for name in STEPS],
        started=EPOCH + 1200.0 * place,
        commit=digest(f"commit {place // 25}")[:40],
        dirty=place % 25 > 20,
        argv=["run", *(f"{name}={value}" for name, value in params.items())],
        point={"depth": params["depth"], "lr": params["lr"]},
        wiring=encode({"edges": EDGES, "reads": [[0], [], [], []]}),
        about={
            "sources": [["flights", "data/flights.csv", _source(shape.era), 1_000_000 + shape.era]],
            "python": "3.11.7" if shape.era < 2 else "3.12.1",
            "platform": "linux x86_64",
            "file": "pipeline.py",
        },
    )


def _source(era: int) -> str:
    return f"b3:{digest(f'flights {era}')}"


def _code(name: str, era: int) -> str:
    texts = _SOURCES.get(name, ("",))
    return digest(f"{name} {min(era, len(texts) - 1)}")


def _environment(era: int) -> str:
    return digest(f"environment {era}")


def _add_identities(store: LocalStore) -> None:
    """The definitions behind each code digest, the distributions behind each environment."""
    for name in STEPS:
        for edition, source in enumerate(_SOURCES.get(name, (f"def {name}(table):\n    return table\n",))):
            parts, texts = {f"pipeline.{name}": digest(source)}, {digest(source): (f"pipeline.{name}", source, "pipeline.py", 10)}  # fmt: skip
            store.results.add_identity(digest(f"{name} {edition}"), parts, texts, "", {})
    for edition in range(4):
        versions = {"numpy": f"2.{edition}.1", "pandas": "2.3.3"}
        store.results.add_identity("", {}, {}, digest(f"environment {edition}"), versions)


def _events(
    store: LocalStore, shape: _Shape, run: str, metrics: int, kept: dict[str, Result]
) -> Iterator[Any]:
    """What happened in a run: reading and cleaning are done once for some hundred runs."""
    place = shape.place
    flights = (("flights", _source(shape.era)),)
    for node, name in enumerate(STEPS[:2]):
        yield _reused_or_ran(store, node, name, shape, run, flights, kept)
    if shape.status == "interrupted":
        return
    yield Said(2, "stdout", f"fit {place}\n")
    yield Said(2, "stderr", "a warning\n" if place % 10 == 0 else "done\n")
    yield from _numbers(shape)
    inputs = (("depth", str(params_of(place)["depth"])), ("lr", str(params_of(place)["lr"])))
    if shape.status == "failed":
        yield StepFailed(
            2, Decision(2, "run", _NEW, digest(f"train {place}"), None, inputs), _FAILURE, 1.5, 1.4, 1 << 28
        )
        yield StepBlocked(
            3, Decision(3, "blocked", (Reason("upstream", "`train` has no result", name="train"),))
        )
        return
    yield _ran(store, 2, "train", shape, run, b'{"trees":%d}' % place, inputs)
    named = metrics_of(place, metrics)
    yield _ran(
        store, 3, "score", shape, run, encode({"auc": named["loss"]}).encode(), inputs, tuple(named.items())
    )


def _numbers(shape: _Shape) -> Iterator[Any]:
    """What training recorded: tags here and there, a text, and in ten curves that fall the numbers of the newest runs."""
    began = EPOCH + 1200.0 * shape.place
    if shape.place % 50 == 7:
        yield Recorded(2, Thing("tag", "baseline"))
    if shape.sweep:
        yield Recorded(2, Thing("tag", "dataset", text=f"v{1 + shape.era}"))
    each = shape.points // 10
    for curve in range(10 if each else 0):
        values = array("d", (math.exp(-i / 300) + curve / 10 + 0.02 * math.sin(i * 1.7) for i in range(each)))
        for first in range(0, each, 512):
            part = values[first : first + 512]
            span = Span(len(part), began + first / 100, began + (first + len(part)) / 100)
            series = pack(array("q", range(first, first + len(part))), part, [span])
            yield Logged(2, f"train/loss[{curve}]", part[-1], None, series)


def _reused_or_ran(
    store: LocalStore, node: int, name: str, shape: _Shape, run: str, inputs: tuple[tuple[str, str], ...],
    kept: dict[str, Result],
) -> Any:  # fmt: skip
    key = f"{name} {_code(name, shape.era)} {_environment(shape.era)} {inputs}"
    if key in kept:
        why = (Reason("cached", f"up to date since run {kept[key].run}"),)
        return StepReused(node, Decision(node, "cached", why, kept[key].key, kept[key]), kept[key])
    event = _ran(store, node, name, shape, run, encode([name, shape.era]).encode(), inputs, key=key)
    kept[key] = event.result
    return event


def _ran(
    store: LocalStore, node: int, name: str, shape: _Shape, run: str, data: bytes, inputs: tuple[tuple[str, str], ...],
    metrics: tuple[tuple[str, float], ...] = (), key: str = "",
) -> StepFinished:  # fmt: skip
    """A step that ran: its result is kept."""
    output = made(data, codec="json")
    result = result_of(
        key or f"{name} {shape.place}", [output], step=f"pipeline:{name}", run=run, inputs=inputs, metrics=metrics,
        code=_code(name, shape.era), environment=_environment(shape.era), seconds=0.5 + shape.place % 30, cpu=0.4, memory=1 << 26,
        made=EPOCH + 1200.0 * shape.place,
    )  # fmt: skip
    store.results.keep(result, [output])
    return StepFinished(node, Decision(node, "run", _NEW, result.key, None, inputs), result, False, ())


if __name__ == "__main__":
    folder, *counts = sys.argv[1:]
    print(build(Path(folder), *map(int, counts)))
