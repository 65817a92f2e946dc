"""`stepwell gc`: shows what the store can do without, and removes it when told to."""

from __future__ import annotations

import re
import sys
import time
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from stepwell.cli.looking import positive, project_root, stored
from stepwell.cli.text import clean, paint, print_json, size
from stepwell.errors import DiskFull, counted
from stepwell.sources.kept import Shelf, listed_in
from stepwell.stores.collect import (
    DAY,
    DEFAULT,
    Going,
    Policy,
    decide,
    fallen_silent,
    living,
    look,
    look_at_rows,
)
from stepwell.stores.filesystem import disk_full, read_only
from stepwell.stores.local import LocalStore
from stepwell.stores.trash import Batch, batches, busy, empty, make_room, remove, undo

UNITS = {"": DAY, "d": DAY, "w": 7 * DAY, "h": 3600.0, "m": 60.0}

EXAMPLES = """examples:
  stepwell gc                              what would go, and why the rest stays; then it asks
  stepwell gc --keep 3 --older-than 2w     three runs of each pipeline, and all of two weeks
  stepwell gc --undo                       bring back what was removed, until the trash is emptied
  stepwell gc --yes --empty-trash          give the room back"""


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--undo", action="store_true", help="bring back everything that is in the trash")
    what.add_argument(
        "--empty-trash", action="store_true", help="remove what is in the trash for good, nothing else"
    )
    parser.add_argument("-n", "--dry-run", action="store_true", help="only show it")
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")
    parser.add_argument(
        "--keep", type=positive, default=DEFAULT.keep, metavar="N",
        help=f"runs of each pipeline that stay whole ({DEFAULT.keep})",
    )  # fmt: skip
    parser.add_argument(
        "--older-than", type=age, default=DEFAULT.grace, metavar="AGE",
        help="nothing younger goes: 14 (days), 12h, 2w (14 days)",
    )  # fmt: skip
    parser.add_argument(
        "--trash-days", type=age, default=14 * DAY, metavar="AGE",
        help="what is longer in the trash is removed for good (14 days)",
    )  # fmt: skip
    parser.add_argument(
        "--compact", action="store_true", help="write the database anew, smaller; others wait meanwhile"
    )


def age(text: str) -> float:
    """A word of the command line as a span of time in seconds: "14" (days), "12h", "2w", "30m", "3d"."""
    found = re.fullmatch(r"(\d{1,6}(?:\.\d{1,6})?)([dwhm]?)", text, re.ASCII)
    if found is None:
        raise ArgumentTypeError(f"`{text}` is no age: a number of days, or 12h, 3d, 2w")
    return float(found[1]) * UNITS[found[2]]


NOTHING = Going((), (), {}, {}, {})


class Doing(NamedTuple):
    """What one call does: `shown` would go, `trash` is there, `emptied` would go for good. Did it, if `done`.

    `lost` files went at once, since there was no room to move them.
    """

    done: bool
    shown: Going | None = None
    trash: Sequence[Batch] = ()
    waits: Sequence[tuple[int, str]] = ()
    removed: Batch | None = None
    emptied: Sequence[Batch] = ()
    undone: Sequence[Batch] = ()
    compacted: tuple[int, int] | None = None
    lost: int = 0


def run(options: Namespace) -> int:
    """Show, ask where somebody can be asked, act, tell."""
    with stored(project_root(), looking=True, create=False) as store:
        act = _undo if options.undo else _empty if options.empty_trash else _collect
        done = act(store, options)
        if options.compact and done.done:
            done = done._replace(compacted=store.database.compact())
    if options.json:
        print_json(document(done))
    else:
        _tell(done, options)
    return 0


def _agreed(store: LocalStore, options: Namespace, question: str, *, asks: bool = True) -> bool:
    """Whether to go on: told so, or asked and answered with yes. Raises `StoreReadOnly` where it could not be done."""
    if options.dry_run:
        return False
    if not options.yes and asks:
        if options.json or not (sys.stdin.isatty() and sys.stdout.isatty()):
            return False
        print(question, end=" ", flush=True)
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            return False
    if store.readonly and not store.full and (store.folder / "store.db").exists():
        raise read_only(str(store.folder))
    return store.full or not store.readonly


def _with_room(store: LocalStore, going: Going | None, act: Callable[[LocalStore], Doing]) -> Doing:
    """What `act` did. Where there is no room for it, some of what goes is removed first (`make_room`). Raises `DiskFull`."""
    try:
        if store.full:
            raise disk_full(str(store.folder))
        return act(store)
    except DiskFull:
        count, freed = make_room(store, going)
        if not count:
            raise
        lost = f"{counted(count, 'file')}, {size(freed)}, went at once and for good"
        print(f"note: there was no room left, so {lost}", file=sys.stderr)
    with stored(project_root(), create=False) as writable:
        return act(writable)._replace(lost=count)


def _collect(store: LocalStore, options: Namespace) -> Doing:
    """Remove what can go, and empty the trash of what has been there too long."""
    began = time.time()
    root, policy = project_root(), Policy(options.keep, options.older_than)
    facts = look(store, root, policy, began)
    # Of a folder of very many files the lock names the listing alone.
    facts = facts._replace(locked=facts.locked.union(listed_in(facts.locked, Shelf(store.folder))))
    shown, old = decide(facts, policy), began - options.trash_days
    waits = living(store.database)
    ripe = [batch for batch in batches(store) if batch.time <= old]
    doing = Doing(False, shown, batches(store), waits, emptied=ripe)
    if not options.json:
        _show(doing, policy)
    if not (shown or ripe or options.compact) or not _agreed(store, options, "remove it? [y/N]"):
        return doing
    silent = _silent(store) if waits else set()
    if shown and (now := living(store.database, silent)):
        raise busy(now)

    def collect(store: LocalStore) -> Doing:
        removed = None
        if shown:
            removed = remove(store, shown, _again(store, facts, policy), now=began, silent=silent)
        emptied = empty(store, old)
        return doing._replace(done=True, removed=removed, emptied=emptied, trash=batches(store))

    return _with_room(store, shown, collect)


def _silent(store: LocalStore) -> set[tuple[int, int]]:
    """The runs on other hosts that seem to be dead; says that finding out takes its time."""

    def pause(seconds: float) -> None:
        nonlocal told
        if not told:
            print("looking for a minute whether the runs on other hosts give a sign of life", file=sys.stderr)
        told = True
        time.sleep(seconds)

    told = False
    return fallen_silent(store.database, pause)


def _again(store: LocalStore, facts: Any, policy: Policy) -> Callable[[Going], Going]:
    return lambda shown: decide(look_at_rows(store, facts._replace(shown=shown), policy), policy)


def _undo(store: LocalStore, options: Namespace) -> Doing:
    found = batches(store)
    if not found or not _agreed(store, options, "", asks=False):
        return Doing(False, trash=found)
    return Doing(True, undone=undo(store), trash=batches(store))


def _empty(store: LocalStore, options: Namespace) -> Doing:
    found = batches(store)
    doing = Doing(False, trash=found, emptied=found)
    if not options.json:
        _show_trash(found)
    if not found or not _agreed(store, options, "remove it for good? [y/N]"):
        return doing
    return _with_room(store, None, lambda store: Doing(True, emptied=empty(store), trash=batches(store)))


# ---------------------------------------------------------------------- telling


def document(doing: Doing) -> dict[str, Any]:
    """What `gc --json` prints."""
    going = doing.shown if doing.shown is not None else NOTHING
    return {
        "done": doing.done,
        "runs": [f"r{number}" for number in sorted(going.runs)],
        "results": len(going.results),
        "blobs": len(going.small) + len(going.files),
        "leftovers": sorted(going.leftovers),
        "bytes": going.bytes,
        "stays": [stay._asdict() for stay in going.stays],
        "going_on": [f"r{number}" for number, _ in doing.waits],
        "removed": _batch(doing.removed) if doing.removed is not None else None,
        "emptied": [_batch(batch) for batch in doing.emptied],
        "undone": [_batch(batch) for batch in doing.undone],
        "trash": [_batch(batch) for batch in doing.trash],
        "compacted": None
        if doing.compacted is None
        else dict(zip(("before", "after"), doing.compacted, strict=True)),
    }


def _batch(batch: Batch) -> dict[str, Any]:
    when = datetime.fromtimestamp(batch.time).astimezone().isoformat(timespec="seconds")
    runs = [f"r{number}" for number in batch.runs]
    return {"time": when, "runs": runs, "results": batch.results, "blobs": batch.blobs, "bytes": batch.bytes}


def _show(doing: Doing, policy: Policy) -> None:
    """The plan."""
    going = doing.shown if doing.shown is not None else NOTHING
    if going:
        print(paint("would go", "bold"))
        if going.runs:
            print(f"  {counted(len(going.runs), 'run')}: {_ranges(going.runs)}")
        if going.results:
            print(f"  {counted(len(going.results), 'result')}")
        blobs = {**going.small, **going.files}
        if blobs:
            print(f"  {counted(len(blobs), 'blob')}, {size(sum(blobs.values()))}")
        if going.leftovers:
            told = f"{counted(len(going.leftovers), 'leftover')}, {size(sum(going.leftovers.values()))}"
            print(f"  {told}: {clean(', '.join(sorted(going.leftovers)[:3]))}, … for good" if len(going.leftovers) > 3
                  else f"  {told}: {clean(', '.join(sorted(going.leftovers)))}, for good")  # fmt: skip
    else:
        print("nothing can go")
    if going.stays:
        print(paint("stays", "bold"))
        for stay in going.stays:
            told = f", {size(stay.bytes)}" if stay.what == "blobs" else ""
            print(f"  {counted(stay.count, stay.what[:-1])}{told}: {stay.why}")
    if doing.emptied:
        print(paint("leaves the trash for good", "bold"))
        _show_trash(doing.emptied)
    if doing.waits:
        names = ", ".join(f"r{number}" for number, _ in doing.waits)
        print(f"going on: {names}; nothing is removed before that has ended")


def _show_trash(found: Sequence[Batch]) -> None:
    if not found:
        print("the trash is empty")
    for batch in found:
        when = datetime.fromtimestamp(batch.time).astimezone().strftime("%Y-%m-%d %H:%M")
        print(
            f"  {when}  {counted(len(batch.runs), 'run')}, {counted(batch.results, 'result')}, {size(batch.bytes)}"
        )


def _tell(doing: Doing, options: Namespace) -> None:
    """What was done, on the last lines."""
    if doing.removed is not None:
        back = f"all but {counted(doing.lost, 'file')} of it" if doing.lost else "it"
        print(f"removed: {_sum([doing.removed])}; stepwell gc --undo brings {back} back")
    if doing.undone:
        print(f"brought back: {_sum(doing.undone)}")
    elif options.undo:
        print("stepwell gc --undo would bring it back" if doing.trash else "the trash is empty")
    if doing.done and doing.emptied:
        print(f"gone for good: {_sum(doing.emptied)}")
    if doing.compacted is not None:
        print(f"the database had {size(doing.compacted[0])} and has {size(doing.compacted[1])}")
    if (
        not doing.done
        and not options.dry_run
        and not options.yes
        and not sys.stdin.isatty()
        and _would(doing)
    ):
        print("nothing was done: --yes does it")


def _would(doing: Doing) -> bool:
    return bool(doing.shown or doing.emptied)


def _sum(found: Sequence[Batch]) -> str:
    runs, results = sum(len(batch.runs) for batch in found), sum(batch.results for batch in found)
    return (
        f"{counted(runs, 'run')}, {counted(results, 'result')}, {size(sum(batch.bytes for batch in found))}"
    )


def _ranges(numbers: Sequence[int]) -> str:
    """Runs as people would write them: r1-r4, r7; at most eight ranges."""
    found: list[list[int]] = []
    for number in sorted(numbers):
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    told = [f"r{first}" if first == last else f"r{first}-r{last}" for first, last in found]
    return ", ".join(told[:8]) + (", …" if len(told) > 8 else "")
