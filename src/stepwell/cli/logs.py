"""`stepwell logs`: what steps printed."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from datetime import datetime

from stepwell.cli.options import project_root, stored
from stepwell.cli.text import clean, paint, print_json


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("run", nargs="?", default="last", metavar="RUN", help="r1, r2, ... or last")
    parser.add_argument("step", nargs="?", metavar="STEP", help="only this step")


def run(options: Namespace) -> int:
    """Look up and print."""
    with stored(project_root(), looking=True, create=False) as store:
        row = store.runs.run(options.run)
        node = store.runs.step(row.run, options.step).node if options.step else None
        ids = {step.node: step.id for step in store.runs.steps(row.run)}
        lines = store.runs.logs(row.run, node)
    if options.json:
        shown = [
            {
                "step": ids[line.node],
                "stream": line.stream,
                "time": datetime.fromtimestamp(line.time).astimezone().isoformat(timespec="milliseconds"),
                "text": line.text,
            }
            for line in lines
        ]
        print_json({"run": row.run, "logs": shown})
        return 0
    if not lines:
        print("the steps of this run printed nothing" if node is None else "this step printed nothing", file=sys.stderr)
    at_start = True
    for line in lines:
        for piece in line.text.splitlines(keepends=True):
            head = f"{paint(clean(ids[line.node]) + ' │', 'dim')} " if node is None and at_start else ""
            at_start = piece.endswith("\n")
            sys.stdout.write(head + clean(piece))
    if not at_start:
        sys.stdout.write("\n")
    return 0
