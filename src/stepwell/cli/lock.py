"""`stepwell lock`: write down what is up to date, or say whether that is written down."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any, NamedTuple

from stepwell.app.locking import (
    left_behind,
    locked_of,
    manifest_for,
    merged,
    new_pylock,
    path_of,
    refuse_different,
    refuse_other_environment,
    refuse_unready,
    shared,
    stale,
    stated,
)
from stepwell.app.session import DEFAULTS, Work
from stepwell.author.project import Loaded, find
from stepwell.cli.options import Words, loaded, planned, set_argument, stored, words, words_arguments
from stepwell.cli.text import clean, print_json
from stepwell.dist import changes
from stepwell.dist.interface.writing import ensure, interface_of
from stepwell.dist.lock import Difference, Lock, differences
from stepwell.dist.lockfile import alone, read, write
from stepwell.errors import LockMissing, NotUpToDate, UsageError
from stepwell.stores.local import LocalStore

EXAMPLES = """examples:
  stepwell lock               write stepwell.lock: data, code, parameters, and what came out of them
  stepwell lock --pylock      and pylock.toml: the environment by exact versions and hashes
  stepwell lock --check       exit code 3 where the lock says something else than what is there now
  stepwell lock --upgrade flights    newer data for this one, everything else as it is locked
  stepwell run --lock         run what has to run, then lock
  stepwell run --locked       run only what is locked"""

MOST = 20
"""Lines that are shown."""


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    words_arguments(parser)
    set_argument(parser)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail where something is different"
    )
    parser.add_argument(
        "--upgrade",
        action="append",
        default=[],
        metavar="NAME",
        help="take newer data for this one; everything else stays as it is locked",
    )
    parser.add_argument(
        "--pylock",
        action="store_true",
        help="write pylock.toml, too: the environment by exact versions and hashes; it is kept up to date from then on",
    )


def run(options: Namespace) -> int:
    """Plan, then write or compare; no step runs."""
    given = words(options.words)
    if not options.check:
        interface_first(given)
    found = loaded(given.plain)
    with stored(found.target.root, looking=options.check) as store:
        if options.upgrade:
            return _upgrade(options, found, given, store)
        work = planned(found, given.settings, store, files=options.params, sets=options.set)
        if options.check:
            compared = check(work)
            _print(options, path_of(work), work, (), changed=False, compared=compared)
        else:
            done = lock(work, pylock=options.pylock)
            for note in done.notes:
                print(f"note: {clean(note)}", file=sys.stderr)
            _print(options, done.path, work, done.differences, changed=done.changed, compared=True)
    return 0


def _upgrade(options: Namespace, found: Loaded, given: Words, store: LocalStore) -> int:
    """Newer data for some inputs, all others as locked; the whole lock where nothing would run with that."""
    from stepwell.app.freezing import freeze_again, locked, upgraded

    if options.check:
        raise UsageError(
            "`--upgrade` takes newer data, and `--check` writes nothing", fixes=["stepwell lock --check"]
        )
    before = locked(found.target.root, found.target.file)
    rest = freeze_again(options.upgrade, found, store)
    how = DEFAULTS._replace(frozen=True, upgrade=rest)
    work = planned(found, given.settings, store, how, files=options.params, sets=options.set)
    upgraded(work, rest)
    try:
        notes = lock(work, pylock=options.pylock).notes
    except NotUpToDate as error:
        notes = (f"{error.what}; with the new data: stepwell run --frozen --lock",)
    for note in notes:
        print(f"note: {clean(note)}", file=sys.stderr)
    path = path_of(work)
    changes = tuple(differences(before, read(path)))
    _print(options, path, work, changes, changed=bool(changes), compared=True)
    return 0


def interface_first(given: Words) -> None:
    """Write the module of named data where it is not there yet: the pipeline imports it. Raises as `writing.ensure`."""
    target = find(given.plain[0] if given.plain else "", Path.cwd())
    ensure(target.root, target.file)


class Locked(NamedTuple):
    """A lock that was written: its file, whether that changed it, and in what; what else is to be locked again."""

    path: Path
    changed: bool
    differences: tuple[Difference, ...]
    notes: tuple[str, ...] = ()


def lock(work: Work, *, pylock: bool = False) -> Locked:
    """Write the lock of a plan in which everything is up to date; `pylock` asks for a `pylock.toml` beside it.

    Raises `NotUpToDate`, `BadLock`, `DataNotAsSaid`, `OutputNotMade`, `PylockNotMade`: nothing is written then.
    """
    path = path_of(work)
    refuse_unready(work)
    environment = new_pylock(work, asked=pylock)
    now, notes, absent = stated(work, environment)
    with alone(path):
        try:
            before = locked_of(work)
        except LockMissing:
            before = Lock()
        after = merged(before, now, manifest_for(work))
        more = [
            f"pipeline `{name}` was locked with {', '.join(f'another `{one}`' for one in data)}: stepwell lock {name},"
            " or give the data a name of its own"
            for name, data in left_behind(before, now).items()
        ]
        more += [*shared(now, after), *(note for name, note in absent.items() if name not in after.output)]
        face = interface_of(work.root, work.loaded.target.file, after)
        if face is not None:
            face.refuse()
        if environment is not None:
            environment.write()
        changed = write(path, after)
        if face is not None:
            changed = face.write() or changed
    return Locked(
        path,
        changed,
        tuple(differences(before, after)),
        (*notes, *more, *([f"`{environment.path.name}` was written"] if environment else [])),
    )


def check(work: Work) -> bool:
    """Raises `LockStale` where the lock says something else; gives whether also what came out could be compared."""
    before = locked_of(work)
    refuse_different(stale(before, work), work)
    refuse_other_environment(work)
    try:
        now = stated(work).lock
    except NotUpToDate:  # nothing has run here: what is given is as locked, and that is all there is to know
        now = None
    # First the facts: the interface is made of them.
    if now is not None:
        refuse_different(list(differences(before, merged(before, now, manifest_for(work)))), work)
    face = interface_of(work.root, work.loaded.target.file, before)
    if face is not None:
        face.refuse_stale(work.loaded.target.command("lock"))
    return now is not None


def told(done: Locked, work: Work) -> list[str]:
    """What a person hears of a lock that was written."""
    if not done.changed:
        return [f"{done.path.name} says so already"]
    steps, data = len(work.graph.nodes), len(work.graph.sources)
    said = f"{steps:,} step{'s' if steps != 1 else ''} and {data:,} data of `{work.graph.pipeline}`"
    head = f"{done.path.name}: {said}"
    lines = [f"  {one}" for one in changes.told(done.differences)]
    more = len(lines) - MOST
    return [head, *lines[:MOST], *([f"  … and {more:,} more"] if more > 0 else [])]


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
