"""`stepwell runs`: the runs so far."""

from __future__ import annotations

import os
import sys
import time

from stepwell import errors
from stepwell.app.plaindata import number, plain
from stepwell.author.root import root_at
from stepwell.cli.looking import positive, stored
from stepwell.cli.statuses import COLOUR, say_damaged
from stepwell.cli.text import clean, given, named, paint, pairs, print_json, seconds, table
from stepwell.stores.history import RunRow
from stepwell.stores.local import LocalStore
from stepwell.stores.runrow import LEFT, left_told, split, took_together

TYPE_CHECKING = False  # as type checkers know it: a list of runs does without `argparse` (`cli.plainly`)
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLES = """exit code: 0, or 6 where the record of a run is damaged: the others are listed, and it is said which one is"""


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("pipeline", nargs="?", help="only runs of this pipeline")
    parser.add_argument("--group", metavar="GROUP", help="only runs of this sweep: g1, g2, ... or last")
    parser.add_argument(
        "--where", default="", metavar="CONDITION", help='only runs like "depth > 4 and auc > 0.8"'
    )
    parser.add_argument(
        "--sort",
        default="",
        metavar="NAME",
        help="in this order; -NAME: the largest first; a name with a dash before it: '`-n`'",
    )
    parser.add_argument("--tag", default="", metavar="TAG", help="only runs with this tag")
    parser.add_argument("--points", action="store_true", help="the points of sweeps as rows of their own")
    parser.add_argument(
        "-n",
        "--limit",
        type=positive,
        default=0,
        metavar="N",
        help="the newest N (20 on a terminal, else all)",
    )


def run(options: Namespace) -> int:
    """List and print."""
    with stored(root_at(os.getcwd()), looking=True, create=False) as store:
        shown = options.limit or (None if options.json or not sys.stdout.isatty() else 20)
        rows, damaged = _rows(store, options, shown)
        if options.pipeline and not rows and not _picky(options):
            raise _unknown_pipeline(options.pipeline, store.runs.complete("pipeline"))
        if options.json:
            print_json({"runs": [run_row(row) for row in rows]})
            return say_damaged(damaged)
        together = not (options.points or options.group or _picky(options))
        cells = [_sweep_cells(store, row, damaged) if together and row.group else _cells(row) for row in rows]
        if not rows:
            print("no run matches" if _picky(options) and store.runs.count() else "no runs yet: stepwell run")
    head = ("run", "pipeline", "status", "started", "took", "", "parameters and metrics")
    for line in table(cells, head if rows else ()):
        print(line)
    return say_damaged(damaged)


def _picky(options: Namespace) -> bool:
    return bool(options.where or options.sort or options.tag)


def _rows(store: LocalStore, options: Namespace, limit: int | None) -> tuple[list[RunRow], list[str]]:
    """The rows to show, and the runs that cannot be read. Raises as `app.finding.find` does."""
    if _picky(options):
        from stepwell.app.finding import Wanted, find  # a plain list does without

        pipeline, group = options.pipeline or "", options.group or ""
        wanted = Wanted(options.where, options.sort, pipeline=pipeline, group=group, tag=options.tag)
        found = find(store, wanted, limit)
        return found.runs, found.damaged
    if options.json or options.points or options.group:
        rows = store.runs.runs(limit, options.pipeline, options.group)
    else:
        rows = store.runs.tops(limit, options.pipeline)
    return rows, split(rows)[1]


def _unknown_pipeline(name: str, known: list[str]) -> errors.UnknownPipeline:
    hint = errors.nearest(name, known)
    fixes = [f"did you mean `{hint}`?"] if hint else []
    told = f"runs are of: {', '.join(known)}" if known else "there is no run yet: stepwell run"
    return errors.UnknownPipeline(f"no run is of a pipeline `{name}`", fixes=[*fixes, told])


def run_row(row: RunRow) -> dict[str, object]:
    """A run as `runs --json` lists it; `started` in ISO 8601, `seconds` null while it is unknown."""
    from datetime import datetime  # tables do without

    return {
        "run": row.run,
        "pipeline": row.pipeline,
        "status": row.status,
        "started": datetime.fromtimestamp(row.started).astimezone().isoformat(timespec="milliseconds"),
        "seconds": row.seconds,
        "params": plain(row.params),
        "metrics": {name: number(value) for name, value in row.metrics.items()},
        "commit": row.commit or None,
        "dirty": row.dirty,
        "tags": list(row.tags),
        "left": row.counts.get(LEFT, 0),
        **({"group": row.group, "point": plain(row.point)} if row.group else {}),
    }


def _cells(row: RunRow) -> list[str]:
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(row.started))
    commit = f"{row.commit[:7]}{'+' if row.dirty else ''}" if row.commit else ""
    from stepwell.app.directions import by_interest  # an empty list does without

    metrics = {name: row.metrics[name] for name in by_interest(row.metrics)[:4]}
    tags, left = paint(" ".join(map(named, row.tags)), "cyan"), paint(left_told(row), "yellow")
    told = "  ".join(part for part in (paint(given(row.params), "dim"), pairs(metrics), left, tags) if part)
    return [
        f"{row.run} {paint(row.group, 'dim')}" if row.group else row.run,
        clean(row.pipeline),
        paint(row.status, COLOUR[row.status]),
        when,
        seconds(row.seconds),
        commit,
        told,
    ]


def _sweep_cells(store: LocalStore, newest: RunRow, damaged: list[str]) -> list[str]:
    """A sweep as one row: how many points ended how, and which is the best of the metric by which runs are judged.

    Its points that cannot be read are added to `damaged`.
    """
    from stepwell.app.directions import by_interest, direction_of  # few stores have sweeps
    from stepwell.app.finding import best_of, said_directions

    said = said_directions(store, [newest])
    metric = next((name for name in by_interest(newest.metrics, said) if direction_of(name, said)), "")
    points = store.runs.briefs([metric] if metric else [], group=newest.group)
    damaged += [run for run in split(points)[1] if run not in damaged]
    counts: dict[str, int] = {}
    for point in points:
        counts[point.status] = counts.get(point.status, 0) + 1
    status = ", ".join(f"{count:,} {paint(word, COLOUR[word])}" for word, count in counts.items())
    first = min(point.started for point in points)
    best = best_of(reversed(points), metric, said) if metric else None  # of equal ones the first point
    from stepwell.errors import counted  # a list without sweeps does without

    told = [
        paint(f"{counted(len(points), 'point')} of {', '.join(map(clean, newest.point)) or 'nothing'}", "dim")
    ]
    if best is not None:
        told.append(f"best {pairs({metric: best.metrics[metric]})} {paint(best.run, 'dim')}")
    commit = f"{newest.commit[:7]}{'+' if newest.dirty else ''}" if newest.commit else ""
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(first))
    took = took_together(points)
    lasted = "" if took is None else seconds(took)
    return [newest.group, clean(newest.pipeline), status, when, lasted, commit, "  ".join(told)]
