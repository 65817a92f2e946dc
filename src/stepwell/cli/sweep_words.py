"""Sweeps on the command line: the options of `plan` and `run`, carrying a sweep out, and the table of its points."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from stepwell.app.session import Settings
from stepwell.author.project import Loaded
from stepwell.cli.looking import positive
from stepwell.cli.statuses import COLOUR
from stepwell.cli.text import clean, given, named, number, paint, print_json, seconds, short, table, typed
from stepwell.errors import UsageError, counted
from stepwell.named import NamedTuple
from stepwell.stores.local import LocalStore
from stepwell.stores.metrics import shared

if TYPE_CHECKING:
    from stepwell.app.asked import Point
    from stepwell.app.sweeps import Swept

MOST_ROWS = 50
"""Points of which a table on the terminal has a row each."""

MOST_METRICS = 8
"""Metrics that have a column."""


def set_argument(parser: ArgumentParser) -> None:
    """The option `--set`."""
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="STEP.ARG=VALUE",
        help="an argument of a step, whatever its call says: train.depth=4, training/train[2].depth=4",
    )


def sweep_arguments(parser: ArgumentParser) -> None:
    """The options of `plan` and `run` that make many points of one pipeline, and `--set`."""
    set_argument(parser)
    parser.add_argument(
        "--sweep",
        action="append",
        default=[],
        metavar="NAME=VALUES",
        help="run every combination: depth=4,6,8, depth=2..10/2, lr=lin:0.1..0.5/5, lr=log:1e-4..1e-1/4",
    )
    parser.add_argument(
        "--where", default="", metavar="CONDITION", help='only points like "depth<6 or lr>0.2"'
    )
    parser.add_argument(
        "--sample", type=positive, default=0, metavar="N", help="only N of the points, at random"
    )
    parser.add_argument("--seed", type=int, default=None, metavar="N", help="another sample (0)")


def sweeps(options: Namespace) -> bool:
    """Whether a sweep is asked for. Raises `UsageError` for options that say nothing without `--sweep`."""
    beside = {"--where": options.where, "--sample": options.sample, "--seed": options.seed is not None}
    beside["--parallel"] = getattr(options, "parallel", 0)
    named = [name for name, value in beside.items() if value]
    if named and not options.sweep:
        raise UsageError(f"`{named[0]}` is about sweeps", fixes=["stepwell run --sweep depth=4,6,8 ..."])
    return bool(options.sweep)


def refuse_beside(options: Namespace, *names: str) -> None:
    """Raises `UsageError` where a sweep is asked for together with an option of these names."""
    for name in names:
        if getattr(options, name, None):
            raise UsageError(
                f"`--{name}` and `--sweep` exclude each other",
                why="it is about one run, and a sweep is many",
                fixes=["leave one of them out"],
            )


def points(found: Loaded, options: Namespace, words: Sequence[str]) -> list[Point]:
    """The points that the options mean. Raises as `app.asked.points_of_words`."""
    from stepwell.app.asked import Asked, overrides_of, points_of_words

    asked = Asked(tuple(options.sweep), options.where, options.sample, options.seed or 0)
    return points_of_words(found, asked, words, tuple(options.params), overrides_of(options.set))


def run_sweep(
    options: Namespace, found: Loaded, words: Sequence[str], store: LocalStore, how: Settings
) -> str:
    """Run every point and show; gives the status of the whole."""
    from stepwell.app.sweeps import run_points  # other runs do without

    views = _Views(options.json, how, store)
    ended = run_points(found, points(found, options, words), store, how, views, parallel=options.parallel)
    if options.json:
        print_json(ended.document())
    else:
        rows = [Row(one.run, one.point.values, one.status, one.progress.metrics, one.progress.seconds, one.result) for one in ended.points]  # fmt: skip
        from stepwell.app.finding import said_directions  # plans do without

        said = said_directions(store, store.runs.some([rows[-1].run]))
        for line in (*points_table(rows, ended.name, said), *_next(rows, ended.name, said)):
            print(line)
    return ended.status


def _next(rows: Sequence[Row], group: str, said: Mapping[str, str]) -> list[str]:
    """The best point of the metric by which runs are judged, and how the points are compared."""
    import shlex  # plans do without

    from stepwell.app.filtering import as_order
    from stepwell.app.finding import best_of, judged_by

    if len(rows) < 2 or not any(row.metrics for row in rows):
        return []
    metric = judged_by(rows, said)
    best = best_of(rows, metric, said) if metric else None
    if best is None:
        return [paint(f"stepwell compare {group}", "dim")]
    told = f"best {named(metric)}: {best.run}  {given(best.point)}"
    asked = shlex.quote(clean(as_order(metric)))
    return [f"{told}  {paint(f'stepwell compare {group} --best {asked}', 'dim')}"]


def planned_sweep(
    options: Namespace, found: Loaded, words: Sequence[str], store: LocalStore, how: Settings
) -> Swept:
    """Plan every point, as one. Raises as `app.sweeps.prepare_sweep`."""
    from stepwell.app.sweeps import prepare_sweep  # other plans do without

    return prepare_sweep(found, points(found, options, words), store, how)


def add_points(document: dict[str, Any], swept: Swept) -> None:
    """Add to a plan's document what it says of the points."""
    from stepwell.app.sweeps import points_document

    document["points"] = points_document(swept)


def plan_points(document: Mapping[str, Any]) -> list[str]:
    """What is said of the points below a plan: how many, and how much of their work is done once for several."""
    found = document.get("points")
    if not found:
        return []
    shared = sum(one["shared"] for one in found)
    done = sum(
        1 for one in found if not one["counts"]["run"] and set(one["counts"]) <= {"run", "cached", "skip"}
    )
    text = f"{len(found):,} point{'s' if len(found) != 1 else ''}"
    parts = [f"{shared:,} calls are done once for several"] if shared else []
    parts += [f"{done:,} up to date"] if done else []
    return ["; ".join([text, *parts])]


class _Views:
    """Opens the view of each batch of a sweep, and tells its notes."""

    def __init__(self, json: bool, how: Settings, store: LocalStore) -> None:
        self._json, self._how, self._store = json, how, store

    def __call__(self, work: Any) -> Any:
        """The view of a planned batch, to be used in a `with` block."""
        from stepwell.cli.view import view

        for note in (*self._store.notes, *work.notes):
            print(f"note: {clean(note)}", file=sys.stderr)
        return view(work.plan, json=self._json, plain=self._how.in_process, work=work, jobs=self._how.jobs)


# --------------------------------------------------------------------------- the table


class Row(NamedTuple):
    """A point for the table: its run, what varies, how it ended, metrics, seconds, and what it returned."""

    run: str
    point: Mapping[str, object]
    status: str
    metrics: Mapping[str, float]
    seconds: float | None
    result: object = None


def points_table(rows: Sequence[Row], group: str = "", said: Mapping[str, str] | None = None) -> list[str]:
    """Lines for a terminal: a row a point, with ▲ at the highest and ▼ at the lowest value of each metric.

    Metrics that are the same in all points come last; `said` is which direction of some is better, as roles said.
    """
    if not rows:
        return []
    from stepwell.app.directions import by_interest  # plans do without

    names = list(rows[0].point)
    varying = [n for n in names if len({repr(row.point.get(n)) for row in rows}) > 1] or names
    known = by_interest(shared([row.metrics for row in rows]), said or {})
    differing = [name for name in known if len({repr(row.metrics.get(name)) for row in rows}) > 1]
    metrics = (differing or known)[:MOST_METRICS]
    results = not metrics and any(type(row.result) in (int, float, str, bool) for row in rows)
    ends = {name: _ends([row.metrics[name] for row in rows if name in row.metrics]) for name in metrics}
    body = []
    for row in rows[:MOST_ROWS]:
        cells = [paint(row.run, "dim"), *[short(typed(row.point.get(name, "")), 24) for name in varying]]
        cells.append(paint(row.status, COLOUR[row.status]))
        cells += [_marked(row.metrics.get(name), ends[name]) for name in metrics]
        cells += [short(_text(row.result), 40)] if results else []
        body.append([*cells, seconds(row.seconds)])
    head = [
        "run",
        *map(named, varying),
        "status",
        *map(named, metrics),
        *(["result"] if results else []),
        "took",
    ]
    lines = table(body, head)
    if len(rows) > MOST_ROWS:
        lines.append(paint(f"… and {len(rows) - MOST_ROWS:,} more: stepwell show {group}", "dim"))
    if len(known) > len(metrics) and group:
        more = counted(len(known) - len(metrics), "more metric")
        lines.append(paint(f"{more}: stepwell compare {group} --all", "dim"))
    return lines


def _text(value: object) -> str:
    if value is None:
        return ""
    return number(value) if isinstance(value, int | float) else clean(str(value))


def _ends(values: Sequence[float]) -> tuple[float, float]:
    """The lowest and the highest of some values; NaN twice where they are all the same."""
    sound = [value for value in values if value == value]
    if len(set(sound)) < 2:
        return float("nan"), float("nan")
    return min(sound), max(sound)


def _marked(value: float | None, ends: tuple[float, float]) -> str:
    if value is None:
        return ""
    mark = " ▼" if value == ends[0] else " ▲" if value == ends[1] else ""
    return number(value) + mark


def row_document(row: Row) -> dict[str, object]:
    """A point as `show gN --json` lists it."""
    from stepwell.app.values import number as number_json

    metrics = {name: number_json(value) for name, value in row.metrics.items()}
    return {
        "run": row.run,
        "point": dict(row.point),
        "status": row.status,
        "metrics": metrics,
        "seconds": row.seconds,
    }
