"""`stepwell run`: plan, run, record."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from functools import partial
from pathlib import Path

from stepwell.app.aiming import load_inside
from stepwell.app.documents import run_document
from stepwell.app.driving import finish
from stepwell.app.parameters import origins_document, origins_line
from stepwell.app.saved import Saved, load_saved, refuse_if_moved
from stepwell.app.selecting import refuse_lacking
from stepwell.app.session import Settings, Work, started_ahead
from stepwell.author.project import Loaded
from stepwell.author.root import RUN_FILES
from stepwell.cli import plan
from stepwell.cli.doubled import Doubled, twice_line
from stepwell.cli.looking import positive, size
from stepwell.cli.options import Words, aimed, pipeline_arguments, planned, settings, stored, words
from stepwell.cli.sweep_words import refuse_beside, run_sweep, sweeps
from stepwell.cli.text import clean, print_json
from stepwell.cli.unchanged import ASKED, keep_run
from stepwell.cli.view import view
from stepwell.errors import UsageError

EXAMPLES = """examples:
  stepwell run                    the only pipeline of pipeline.py
  stepwell run depth=8 -j 4       with a parameter, on four workers
  stepwell run r12.yaml           again, from a file that `export yaml` wrote
  stepwell run --dry-run          the same as `stepwell plan`"""

EXIT = {"succeeded": 0, "failed": 1, "interrupted": 130}


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    pipeline_arguments(parser)
    parser.add_argument("-n", "--dry-run", action="store_true", help="plan only")
    parser.add_argument(
        "--parallel",
        type=positive,
        default=0,
        metavar="N",
        help="points of a sweep that run at once (any number)",
    )
    parser.add_argument("--plan", metavar="FILE", help="exactly what `plan --save FILE` showed, or nothing")
    parser.add_argument(
        "--ghost",
        action="store_true",
        help="the whole pipeline on small samples of its sources, apart from all real results",
    )
    parser.add_argument("--rows", type=positive, metavar="N", help="rows of a sample of a ghost run (100)")
    parser.add_argument(
        "--memory",
        type=size,
        default=0,
        metavar="SIZE",
        help="memory that the steps that run at once may need together, as 8GB (all of the machine's)",
    )
    for moment, does in (("success", "succeeded"), ("failure", "did not succeed")):
        parser.add_argument(
            f"--on-{moment}",
            action="append",
            default=[],
            metavar="HOOK",
            help=f"a command, or an https address, that is told when the run has ended and {does}",
        )
    parser.add_argument(
        "--strict",
        action="store_true",
        help="run each step in a folder with only its declared inputs, without network (Linux)",
    )
    parser.add_argument("--lock", action="store_true", help="when all has succeeded, write the lock (`lock`)")
    parser.add_argument(
        "--locked",
        action="store_true",
        help="refuse to run where the lock says something else than what is there",
    )
    parser.add_argument(
        "--twice",
        nargs="?",
        action=Doubled,
        default=[],
        metavar="STEP",
        help="execute this step twice, if it runs, and compare (without STEP: all)",
    )


def _saved(options: Namespace, given: Words) -> Saved:
    """A saved plan. Raises `BadSavedPlan`, and `UsageError` where the command says beside it what is to run."""
    asked = {
        "--params": options.params,
        "--force": options.force,
        "--ghost": options.ghost,
        "--refresh": options.refresh,
    }
    asked |= {
        "--from": options.start,
        "--until": options.until,
        "--only": options.only,
        "--skip": options.skip,
    }
    asked |= {"--set": options.set, "--sweep": options.sweep}
    besides = [*given.plain, *given.settings, *[name for name, value in asked.items() if value]]
    if options.dry_run:
        besides.append("--dry-run")
    if besides:
        beside, file = besides[0], options.plan
        raise UsageError(
            f"`--plan {file}` says what runs, and so does `{beside}`",
            why="a saved plan is carried out exactly as it was shown",
            fixes=[f"stepwell run --plan {file}", f"stepwell run {beside}"],
        )
    return load_saved(Path(options.plan))


def _refuse_contradictions(options: Namespace) -> None:
    """Raises `UsageError` where the options say two things."""
    if options.rows and not options.ghost:
        raise UsageError(
            "`--rows` is about ghost runs", fixes=[f"stepwell run --ghost --rows {options.rows}"]
        )
    if options.ghost and (options.lock or options.locked or options.frozen):
        raise UsageError(
            "`--lock`, `--locked` and `--frozen` are about real data, not `--ghost`",
            fixes=["stepwell run --lock"],
        )


def run(options: Namespace) -> int:
    """Run and show, a pipeline or a run file."""
    given = words(options.words)
    if options.dry_run:
        if options.plan:
            _saved(options, given)
        return plan.run(options)
    if any(word.endswith(RUN_FILES) for word in given.plain):
        from stepwell.cli.rerun import rerun  # few runs are of a file

        return EXIT[rerun(options, given)]
    return _run(options, given)


def _run(options: Namespace, given: Words) -> int:
    """Run a pipeline."""
    how = settings(options)
    saved, files, sets = None, tuple(options.params), list(options.set)
    _refuse_contradictions(options)
    if options.plan:
        saved = _saved(options, given)
        given, how = (
            Words([saved.pipeline], list(saved.words)),
            how._replace(force=saved.force, selection=saved.selection),
        )
        files = saved.files
        given, sets = given._replace(settings=saved.settings), saved.sets
    if options.lock:
        _interface_first(given)
    target = aimed(given.plain)
    with started_ahead(target, how) as how:
        found = load_inside(target)
        if sweeps(options):
            refuse_beside(options, "plan", "ghost", "lock", "locked")
            with stored(found.target.root) as store:
                return EXIT[run_sweep(options, found, given.settings, store, how)]
        ask = partial(planned, found, given.settings, files=files, sets=sets)
        return EXIT[_run_one(options, how, found, ask, saved)]


def _run_one(
    options: Namespace, how: Settings, found: Loaded, ask: Callable[..., Work], saved: Saved | None
) -> str:
    """Plan with `ask`, run, show and record; the run's status."""
    with stored(found.target.root, ghost=bool(how.ghost)) as store:
        work = ask(store, how, watched=options.asked is not None)
        if saved is not None:
            refuse_if_moved(saved, work.plan, Path(options.plan))
        refuse_lacking(work.plan)
        if options.locked:
            _refuse_unlocked(work)
        if options.lock:
            _refuse_unlockable(work)
        told = [f"note: {clean(note)}" for note in work.notes]
        if came := origins_line(origins_document(work.origins)):
            told.append(clean(f"parameters: {came}"))
        for line in (*[f"note: {clean(note)}" for note in store.notes], *told):
            print(line, file=sys.stderr)
        if how.ghost:
            print(f"ghost run: {how.ghost} rows of each source; kept apart from all results", file=sys.stderr)
        with view(work.plan, json=options.json, plain=how.in_process, work=work, jobs=how.jobs) as shown:
            run, progress, result = finish(work, how, shown, since=ASKED)
        if options.lock and progress.status == "succeeded":
            _lock(ask(store, how._replace(force=())))
        keep_run(options.asked, work, how, run, progress, result, told)
        if work.twice is not None:
            line = twice_line(work.twice(progress.plan.graph), how.twice, progress)
            print(line, file=sys.stderr)
        if options.json:
            print_json(run_document(progress, run, result, work.origins))
    return progress.status


def _refuse_unlocked(work: Work) -> None:
    """Raises `LockStale`, `LockMissing`, `BadLock`."""
    from stepwell.app.locking import locked_of, refuse_if_stale

    refuse_if_stale(locked_of(work), work)


def _refuse_unlockable(work: Work) -> None:
    """Raises `NotUpToDate`."""
    from stepwell.app.locking import refuse_unlockable

    refuse_unlockable(work)


def _interface_first(given: Words) -> None:
    """Write the module of named data where it is not there yet: the pipeline imports it."""
    from stepwell.cli.lock import interface_first

    interface_first(given)


def _lock(work: Work) -> None:
    from stepwell.cli.lock import lock, told

    done = lock(work)
    lines = [*told(done, work), *[f"note: {note}" for note in done.notes]]
    print("\n".join(map(clean, lines)), file=sys.stderr)
