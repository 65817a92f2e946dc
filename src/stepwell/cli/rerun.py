"""`stepwell run FILE.yaml`: a run file run again, and what came out of it compared with what the file says.

    with opened(options, given, verb="plan", looking=True) as again:     # as `plan FILE.yaml` does, too
        again.work                                                       # what would be run

A run and a plan of a file are prepared by the same lines, so that the plan is what the run does.
"""

from __future__ import annotations

import contextlib
import sys
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

from stepwell.app.documents import run_document
from stepwell.app.driving import finish
from stepwell.app.runfile import Place, exported, prepared, read_file, staged
from stepwell.app.session import Work
from stepwell.cli.looking import project_root
from stepwell.cli.options import Words, settings, stored
from stepwell.cli.text import clean, print_json
from stepwell.cli.unchanged import ASKED
from stepwell.cli.view import view
from stepwell.errors import RunDiffers, UsageError, counted
from stepwell.export.runfile import INTERRUPTED, RunFile, differences
from stepwell.named import NamedTuple

MOST_TOLD = 8
"""Differences that are told on the terminal."""

BESIDE = ("params", "sweep", "set", "start", "until", "only", "skip", "plan", "ghost", "lock", "locked", "frozen",
          "refresh")  # fmt: skip
"""Options that say what a run file says itself, or that are about something else."""

OF_PIPELINES = ("checks", "save", "against")
"""Options of `plan` that are about the pipeline as it is here."""


class Again(NamedTuple):
    """A run file that is to be run: what it says, where its code is, and its plan."""

    file: RunFile
    place: Place
    work: Work


def rerun(options: Namespace, given: Words) -> str:
    """Run a run file; gives the run's status. Raises `RunDiffers` where it gave something else, and as `opened`."""
    with opened(options, given, verb="run") as (file, place, work):
        how = settings(options)
        for note in (*work.store.notes, *work.notes):
            print(f"note: {clean(note)}", file=sys.stderr)
        with view(work.plan, json=options.json, plain=how.in_process) as shown:
            run, progress, result = finish(work, how, shown, since=ASKED)
        now = exported(work.store, run)
        if place.taken is None:  # of no commit, or of another: it was said that the files here were taken
            now = now._replace(commit=file.commit, dirty=file.dirty, diff=file.diff)
        told = differences(file, now)
        if options.json:
            print_json(run_document(progress, run, result, work.origins))
    _tell(Path(given.plain[0]), file, run, told)
    return progress.status


@contextlib.contextmanager
def opened(options: Namespace, given: Words, *, verb: str, looking: bool = False) -> Iterator[Again]:
    """The run file that the words name, planned, for as long as its code is in a folder; with `looking` to be shown only.

    Raises `UsageError`, and as `app.runfile`.
    """
    _refuse(options, given, verb)
    file, root = read_file(Path(given.plain[0])), project_root()
    with stored(root, looking=looking) as store, staged(file, root, store) as place:
        work = prepared(file, place, store, settings(options))
        taken = (f"{place.lost}; run from the files that are here",) if place.lost else ()
        yield Again(file, place, work._replace(notes=(*taken, *work.notes)))


def _tell(path: Path, file: RunFile, run: str, told: list[str]) -> None:
    """Say how the run compares with its file. Raises `RunDiffers`."""
    if not told:
        unended = [one.id for one in file.steps if one.status == INTERRUPTED]
        said = f"{counted(len(file.steps) - len(unended), 'step')}, the same bytes"
        if file.status == INTERRUPTED:
            said += f"; it was interrupted then, before {counted(len(unended), 'step')} of it"
        how = "failed as" if file.status == "failed" else "gave what"
        print(clean(f"{run} {how} {path} says: {said}"), file=sys.stderr)
        return
    more = [f"and {len(told) - MOST_TOLD} more"] if len(told) > MOST_TOLD else []
    raise RunDiffers(
        f"{run} is not what `{path}` says: {told[0]}",
        why="; ".join([*told[1:MOST_TOLD], *more]),
        fixes=[
            f"stepwell export yaml {run}   to look at both",
            "stepwell reproduce   compares values, not bytes",
        ],
    )


def _refuse(options: Namespace, given: Words, verb: str) -> None:
    """Raises `UsageError` where the command says beside the file what is to run."""
    beside = [*given.plain[1:], *given.settings]
    beside += [f"--{name.replace('start', 'from')}" for name in BESIDE if getattr(options, name, None)]
    for name in OF_PIPELINES:
        if getattr(options, name, None):
            raise UsageError(
                f"`--{name}` is about a pipeline that is here, and `{given.plain[0]}` is a run file",
                fixes=[
                    f"stepwell {verb} {given.plain[0]}",
                    f"stepwell {verb} --{name} ...   without the file",
                ],
            )
    if beside:
        raise UsageError(
            f"`{given.plain[0]}` says what runs, and so does `{beside[0]}`",
            why="a run file is run as it is: its code, its data, its parameters",
            fixes=[f"stepwell {verb} {given.plain[0]}", "without the file, what is here is run"],
        )
