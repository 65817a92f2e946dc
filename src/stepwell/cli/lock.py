"""`stepwell lock`: write down what is up to date, or say whether that is written down."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any, NamedTuple

from stepwell.app.locking import left_behind, lock_of, merged, path_of, refuse_different, stale
from stepwell.app.session import Work
from stepwell.cli.options import loaded, params_argument, planned, stored, words
from stepwell.cli.text import clean, print_json
from stepwell.dist.lock import Difference, Lock, differences
from stepwell.dist.lockfile import read, write
from stepwell.errors import LockMissing, NotUpToDate

EXAMPLES = """examples:
  stepwell lock               write stepwell.lock: data, code, parameters, and what came out of them
  stepwell lock --check       exit code 3 where the lock says something else than what is there now
  stepwell run --lock         run what has to run, then lock
  stepwell run --locked       run only what is locked"""

MOST = 20
"""Differences that are shown."""


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "words",
        nargs="*",
        metavar="[PIPELINE] [name=value ...]",
        help="a name, path.py, path.py:name or package.module:name; parameters of the pipeline",
    )
    params_argument(parser)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail where something is different"
    )


def run(options: Namespace) -> int:
    """Plan, then write or compare; no step runs."""
    given = words(options.words)
    found = loaded(given.plain)
    with stored(found.target.root, looking=options.check) as store:
        work = planned(found, given.settings, store, files=options.params)
        if options.check:
            compared = check(work)
            _print(options, path_of(work), work, (), changed=False, compared=compared)
        else:
            done = lock(work)
            for note in done.notes:
                print(f"note: {clean(note)}", file=sys.stderr)
            _print(options, done.path, work, done.differences, changed=done.changed, compared=True)
    return 0


class Locked(NamedTuple):
    """A lock that was written: its file, whether that changed it, and in what; what else is to be locked again."""

    path: Path
    changed: bool
    differences: tuple[Difference, ...]
    notes: tuple[str, ...] = ()


def lock(work: Work) -> Locked:
    """Write the lock of a plan in which everything is up to date. Raises `NotUpToDate`, `BadLock`."""
    path = path_of(work)
    now = lock_of(work)
    try:
        before = read(path)
    except LockMissing:
        before = Lock()
    after = merged(before, now)
    notes = [
        f"pipeline `{name}` was locked with {', '.join(f'another `{one}`' for one in data)}: stepwell lock {name},"
        " or give the data a name of its own"
        for name, data in left_behind(before, now).items()
    ]
    return Locked(path, write(path, after), tuple(differences(before, after)), tuple(notes))


def check(work: Work) -> bool:
    """Raises `LockStale` where the lock says something else; gives whether also what came out could be compared."""
    before = read(path_of(work))
    refuse_different(stale(before, work), work)
    try:
        now = lock_of(work)
    except NotUpToDate:  # nothing has run here: what is given is as locked, and that is all there is to know
        return False
    refuse_different(list(differences(before, merged(before, now))), work)
    return True


def told(done: Locked, work: Work) -> list[str]:
    """What a person hears of a lock that was written."""
    if not done.changed:
        return [f"{done.path.name} says so already"]
    steps, data = len(work.graph.nodes), len(work.graph.sources)
    head = f"{done.path.name}: {steps:,} steps and {data:,} data of `{work.graph.pipeline}`"
    lines = [f"  {one}" for one in done.differences[:MOST]]
    more = len(done.differences) - MOST
    return [head, *lines, *([f"  … and {more:,} more"] if more > 0 else [])]


def _print(
    options: Namespace,
    path: Path,
    work: Work,
    found: tuple[Difference, ...],
    *,
    changed: bool,
    compared: bool,
) -> None:
    if options.json:
        rows: list[dict[str, Any]] = [
            {"place": one.place, "text": str(one), "before": _text(one.before), "after": _text(one.after)}
            for one in found
        ]
        print_json({"lock": str(path), "changed": changed, "compared": compared, "differences": rows})
    elif options.check:
        print(f"{path.name} says what is there now")
        if not compared:
            print("note: nothing has run here: what came out of it was not compared", file=sys.stderr)
    else:
        print("\n".join(map(clean, told(Locked(path, changed, found), work))))


def _text(value: object) -> str | None:
    return None if value is None or isinstance(value, dict) else str(value)
