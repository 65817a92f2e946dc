"""`stepwell runs`: the runs so far."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser, Namespace

from stepwell.app.plaindata import number, plain
from stepwell.cli.looking import positive, project_root, stored
from stepwell.cli.text import clean, given, paint, pairs, print_json, seconds, table
from stepwell.errors import UnknownPipeline, nearest
from stepwell.stores.history import RunRow

COLOUR = {"succeeded": "green", "failed": "red", "interrupted": "yellow", "running": "cyan"}


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("pipeline", nargs="?", help="only runs of this pipeline")
    parser.add_argument("--group", metavar="GROUP", help="only runs of this sweep: g1, g2, ... or last")
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
    with stored(project_root(), looking=True, create=False) as store:
        shown = None if options.json or not sys.stdout.isatty() else 20
        rows = store.runs.runs(options.limit or shown, options.pipeline, options.group)
        if options.pipeline and not rows:
            raise _unknown_pipeline(options.pipeline, store.runs.complete("pipeline"))
    if options.json:
        print_json({"runs": [run_row(row) for row in rows]})
        return 0
    if not rows:
        print("no runs yet: stepwell run")
    head = ("run", "pipeline", "status", "started", "took", "", "parameters and metrics")
    for line in table([_cells(row) for row in rows], head if rows else ()):
        print(line)
    return 0


def _unknown_pipeline(name: str, known: list[str]) -> UnknownPipeline:
    hint = nearest(name, known)
    fixes = [f"did you mean `{hint}`?"] if hint else []
    told = f"runs are of: {', '.join(known)}" if known else "there is no run yet: stepwell run"
    return UnknownPipeline(f"no run is of a pipeline `{name}`", fixes=[*fixes, told])


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
        **({"group": row.group, "point": plain(row.point)} if row.group else {}),
    }


def _cells(row: RunRow) -> list[str]:
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(row.started))
    commit = f"{row.commit[:7]}{'+' if row.dirty else ''}" if row.commit else ""
    metrics = dict(list(row.metrics.items())[:4])
    told = "  ".join(part for part in (paint(given(row.params), "dim"), pairs(metrics)) if part)
    return [
        f"{row.run} {paint(row.group, 'dim')}" if row.group else row.run,
        clean(row.pipeline),
        paint(row.status, COLOUR[row.status]),
        when,
        seconds(row.seconds),
        commit,
        told,
    ]
