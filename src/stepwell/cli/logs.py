"""`stepwell logs`: what steps printed."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from datetime import datetime

from stepwell.cli.looking import RUN_WORD, one_run, project_root, stored
from stepwell.cli.text import clean, last_words, paint, print_json
from stepwell.errors import typed
from stepwell.stores.steprow import LogLine, StepRow

TOLD = 5
"""Failures that are told."""


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("run", nargs="?", default="last", metavar="RUN", help=RUN_WORD)
    parser.add_argument("step", nargs="?", metavar="STEP", help="only this step")


def run(options: Namespace) -> int:
    """Look up and print."""
    with stored(project_root(), looking=True, create=False) as store:
        row = one_run(store, options.run, "what was printed", "stepwell logs")
        step = store.runs.step(row.run, options.step) if options.step else None
        steps = store.runs.steps(row.run)
        ids = {one.node: one.id for one in steps}
        pieces = store.runs.logs(row.run, step.node if step is not None else None)
    if options.json:
        print_json({"run": row.run, "logs": [_document(piece, ids) for piece in pieces]})
        return 0
    if not pieces:
        print(_nothing(row.run, step), file=sys.stderr)
    for node, line in _lines(pieces):
        head = "" if step is not None else f"{paint(f'{clean(ids[node])} │', 'dim')} "
        print(f"{head}{clean(last_words(line))}")
    for line in _failures(row.run, steps if step is None else [step]):
        print(line, file=sys.stderr)
    return 0


def _document(piece: LogLine, ids: dict[int, str]) -> dict[str, str]:
    when = datetime.fromtimestamp(piece.time).astimezone()
    return {
        "step": ids[piece.node],
        "stream": piece.stream,
        "time": when.isoformat(timespec="milliseconds"),
        "text": piece.text,
    }


def _failures(run: str, steps: Sequence[StepRow]) -> Iterator[str]:
    """What failed, as nothing of that is among what steps printed, and where all of it is shown."""
    failed = [step for step in steps if step.error is not None]
    for step in failed[:TOLD]:
        yield clean(f"{step.id} failed: {step.error.what if step.error is not None else ''}")
    if failed:
        more = f"and {len(failed) - TOLD:,} more failed: " if len(failed) > TOLD else ""
        yield f"{more}stepwell show {run}   stepwell debug {typed(failed[0].id)} {run}"


def _nothing(run: str, step: StepRow | None) -> str:
    if step is None:
        return f"no step printed anything in {run}"
    if step.status == "cached" and step.made_by not in ("", run):
        return (
            f"`{step.id}` was cached in {run}; what it printed: stepwell logs {step.made_by} {typed(step.id)}"
        )
    return f"`{step.id}` printed nothing in {run}"


def _lines(pieces: list[LogLine]) -> Iterator[tuple[int, str]]:
    """Whole lines, each by the step that wrote it, in the order in which they were finished."""
    begun: dict[tuple[int, str], str] = {}
    for piece in pieces:
        key = (piece.node, piece.stream)
        *whole, rest = (begun.pop(key, "") + piece.text).split("\n")
        yield from ((piece.node, line) for line in whole)
        if rest:
            begun[key] = rest
    yield from ((node, rest) for (node, _), rest in begun.items())
