"""What a store can do without: facts are read (`look`), and a decision is made of them (`decide`), nothing else.

What stays, in the order in which it is asked:

    runs      those that are going on, the newest of each pipeline and its newest that succeeded, the
              last `keep` of each pipeline, and those that ended within the grace period
    results   those that a staying run made or reused, those whose key somebody has a lease on, those
              with a blob that a lock file names, and those made within the grace period
    blobs     those of the results that stay, those that a staying run kept for inspection, those that
              a lock file names, copies of web addresses, and files younger than the grace period

Everything else goes: `trash.remove` does it. What is not the store's memory but a leftover of it (files of
processes that died, folders laid out of parts for steps to read) has no way back, and goes for good.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from json import loads
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from stepwell.errors import StoreDamaged, StoreError
from stepwell.kernel.identity import digest as text_digest
from stepwell.stores.database import Database
from stepwell.stores.leases import SILENCE, Origin, here, is_alive
from stepwell.stores.local import LocalStore
from stepwell.stores.recordings import NODES
from stepwell.stores.rows import unpack_outputs

HOUR, DAY = 3600.0, 86400.0

UNNAMED = HOUR
"""Seconds for which a file that no result names stays in any case: a process may be about to name it."""

UNSEEN = "new since it was shown"

DIGEST = re.compile(r"b3:[0-9a-f]{64}")


class Policy(NamedTuple):
    """How much stays. `keep`: runs of each pipeline that stay whole. `grace`: seconds within which nothing goes."""

    keep: int
    grace: float


DEFAULT = Policy(10, 14 * DAY)


class RunFact(NamedTuple):
    """A run; `ended` in seconds since 1970, `group` the number of the sweep that it is a point of (0: none)."""

    number: int
    pipeline: str
    status: str
    ended: float
    group: int = 0


class ResultFact(NamedTuple):
    """A result: the blobs that it names, and when it was made, in seconds since 1970 (0: nobody knows)."""

    number: int
    key: str
    blobs: tuple[str, ...]
    made: float


class FileFact(NamedTuple):
    """A file or folder: a blob's digest or a path in the store, bytes, and when it was last written."""

    name: str
    size: int
    changed: float


class Facts(NamedTuple):
    """All that is asked about.

    `runs` have the reason why each stays, "" where it goes (`judged_runs`); `used` are the numbers of the
    results of those that stay, `inspected` the blobs that they kept of refused outputs. `small`: bytes of
    the blobs in the database. `locked`: digests in lock files. `copies`: blobs of web addresses.
    `shown`: what somebody agreed to: runs and results that are not in it stay, with all that they name.
    """

    now: float
    runs: Mapping[int, str] = MappingProxyType({})
    used: frozenset[int] = frozenset()
    inspected: frozenset[str] = frozenset()
    results: tuple[ResultFact, ...] = ()
    small: Mapping[str, int] = MappingProxyType({})
    files: tuple[FileFact, ...] = ()
    leftovers: tuple[FileFact, ...] = ()
    leased: frozenset[str] = frozenset()
    locked: frozenset[str] = frozenset()
    copies: frozenset[str] = frozenset()
    shown: Going | None = None


class Stay(NamedTuple):
    """How many of what stay because of what, and their bytes where they are blobs."""

    what: str
    why: str
    count: int
    bytes: int


class Going(NamedTuple):
    """What can go: numbers of runs and results, digests of blobs, paths of leftovers; and what stays.

    `small`, `files` and `leftovers` have their bytes.
    """

    runs: tuple[int, ...]
    results: tuple[int, ...]
    small: dict[str, int]
    files: dict[str, int]
    leftovers: dict[str, int]
    stays: tuple[Stay, ...] = ()

    @property
    def bytes(self) -> int:
        """Bytes of all that goes, without the rows of runs and results."""
        return sum(sum(sizes.values()) for sizes in (self.small, self.files, self.leftovers))

    def __bool__(self) -> bool:
        """Whether anything goes."""
        return any(self[:5])

    def within(self, other: Going) -> Going:
        """What goes by both: what was shown, as far as it may still go."""
        runs, results = set(other.runs), set(other.results)
        return Going(
            tuple(number for number in self.runs if number in runs),
            tuple(number for number in self.results if number in results),
            *({name: size for name, size in mine.items() if name in theirs}
              for mine, theirs in zip(self[2:5], other[2:5], strict=True)),
            stays=self.stays,
        )  # fmt: skip


# ---------------------------------------------------------------------- the decision


def decide(facts: Facts, policy: Policy = DEFAULT) -> Going:
    """What can go. Pure: the facts are all it knows."""
    agreed = None if facts.shown is None else set(facts.shown.results)
    results = {
        result.number: _why_result(result, facts, policy)
        or ("" if agreed is None or result.number in agreed else UNSEEN)
        for result in facts.results
    }
    named: dict[str, str] = dict.fromkeys(facts.copies, "copies of web addresses")
    named.update(dict.fromkeys(facts.locked, "a lock file names them"))
    named.update(dict.fromkeys(facts.inspected, "a run that stays kept them for inspection"))
    gone: set[str] = set()
    for result in facts.results:
        if results[result.number]:
            named.update(dict.fromkeys(result.blobs, "results that stay have them"))
        else:
            gone.update(result.blobs)
    files = {
        file: named.get(file.name, "") or _why_file(file, facts.now, policy, gone) for file in facts.files
    }
    small = {digest: named.get(digest, "") for digest in facts.small}
    sizes = {file.name: file.size for file in facts.files}
    blobs = {**{file.name: why for file, why in files.items()}, **small}
    return Going(
        tuple(number for number, why in facts.runs.items() if not why),
        tuple(number for number, why in results.items() if not why),
        {digest: facts.small[digest] for digest, why in small.items() if not why},
        {file.name: file.size for file, why in files.items() if not why},
        _leftovers(facts, policy),
        (
            *_counted("runs", facts.runs.values()),
            *_counted("results", results.values()),
            *_counted("blobs", blobs.values(), [{**sizes, **facts.small}[name] for name in blobs]),
        ),
    )


def judged_runs(
    given: Iterable[RunFact], living: frozenset[int], now: float, policy: Policy = DEFAULT
) -> Iterator[tuple[int, str]]:
    """Each run's number with the reason why it stays, "" where it goes. `living`: runs that are going on."""
    pipelines: dict[str, list[RunFact]] = defaultdict(list)
    for run in given:
        pipelines[run.pipeline].append(run)
    for runs in pipelines.values():
        runs.sort(reverse=True)
        whole = next((run.number for run in runs if run.status == "succeeded"), 0)
        units: dict[int, int] = {}  # a sweep, all of its points, counts as one run
        for run in runs:
            place = units.setdefault(run.group or -run.number, len(units))
            if run.number in living:
                yield run.number, "going on"
            elif place == 0:
                yield run.number, "the newest of its pipeline"
            elif run.number == whole:
                yield run.number, "the newest of its pipeline that succeeded"
            elif place < policy.keep:
                yield run.number, f"among the last {policy.keep} of its pipeline"
            elif run.ended > now - policy.grace:
                yield run.number, f"younger than {told(policy.grace)}"
            else:
                yield run.number, ""


def _why_result(result: ResultFact, facts: Facts, policy: Policy) -> str:
    if result.number in facts.used:
        return "a run that stays used them"
    if result.key in facts.leased:
        return "somebody has a lease on them"
    if not facts.locked.isdisjoint(result.blobs):
        return "a lock file names them"
    return f"younger than {told(policy.grace)}" if result.made > facts.now - policy.grace else ""


def _why_file(file: FileFact, now: float, policy: Policy, gone: set[str]) -> str:
    """Why a file that no staying result names stays, "" where it goes."""
    age = policy.grace if file.name in gone else max(policy.grace, UNNAMED)
    return f"younger than {told(age)}" if file.changed > now - age else ""


def _leftovers(facts: Facts, policy: Policy) -> dict[str, int]:
    before = facts.now - max(policy.grace, DAY)
    return {left.name: left.size for left in facts.leftovers if left.changed <= before}


def _counted(what: str, reasons: Iterable[str], sizes: Iterable[int] | None = None) -> list[Stay]:
    counts: Counter[str] = Counter()
    total: Counter[str] = Counter()
    listed = list(reasons)
    for why, size in zip(listed, sizes or [0] * len(listed), strict=True):
        counts[why] += 1
        total[why] += size
    return [Stay(what, why, counts[why], total[why]) for why in counts if why]


def told(seconds: float) -> str:
    """A span of time in the largest unit that it is a whole number of: "14 days", "12 hours", "90 seconds"."""
    for unit, name in ((DAY, "day"), (HOUR, "hour"), (60.0, "minute")):
        if seconds >= unit and seconds % unit == 0:
            count = int(seconds // unit)
            return f"{count} {name}{'s' if count > 1 else ''}"
    return f"{seconds:g} seconds"


# ---------------------------------------------------------------------- the facts


def look(store: LocalStore, root: Path | None, policy: Policy = DEFAULT, now: float | None = None) -> Facts:
    """The facts of a store, and of the lock files in a project's root folder.

    `now`, in seconds since 1970, is the moment at which the collection began. Raises `StoreError` where a lock
    file cannot be read, `StoreDamaged` where a row makes no sense.
    """
    locked = frozenset(locks(root)) if root is not None else frozenset()
    facts = look_at_rows(store, Facts(time.time() if now is None else now, locked=locked), policy)
    named = {name for result in facts.results for name in result.blobs}
    leftovers = (*_dead_files(store.folder), *_laid_out(store, facts, named))
    return facts._replace(files=tuple(_files(store)), leftovers=leftovers)


def look_at_rows(store: LocalStore, facts: Facts, policy: Policy = DEFAULT) -> Facts:
    """The facts again, as far as they are rows of the database: cheap enough to do under the lock."""
    database = store.database
    rows = database.rows(
        'SELECT id, pipeline, status, started + coalesce(seconds, 0), coalesce("group", 0) FROM runs ORDER BY id'
    )
    ended = {f"r{row[0]}": row[3] for row in rows}
    driven = frozenset(run for run, _ in living(database))
    agreed = None if facts.shown is None else set(facts.shown.runs)
    runs = dict(judged_runs((RunFact(*row) for row in rows), driven, facts.now, policy))
    if agreed is not None:
        runs = {number: why or ("" if number in agreed else UNSEEN) for number, why in runs.items()}
    staying = [number for number, why in runs.items() if why]
    refused = database.many("SELECT refused, run FROM stopped WHERE refused != '' AND run IN (???)", staying)
    failed = database.many(f"{_RECORDED} AND result IS NULL AND recording / {NODES} IN (???)", staying)
    return facts._replace(
        runs=runs,
        used=frozenset(_used(database, staying)),
        inspected=frozenset(
            name
            for text, run in [*refused, *((packed, number // NODES) for packed, number, _ in failed)]
            for name in _named(text, f"the record of r{run}")
        ),
        results=tuple(_results(database, ended)),
        small=dict(database.rows("SELECT digest, length(data) FROM blobs")),  # type: ignore[arg-type]
        leased=frozenset(key for (key,) in database.rows("SELECT key FROM leases")),
        copies=frozenset(_copies(database)),
    )


_RECORDED = "SELECT artifact, recording, result FROM recorded JOIN recordings ON recordings.id = recording WHERE artifact != ''"
"""What steps recorded as artifacts."""


def _used(database: Database, runs: list[int]) -> Iterator[int]:
    """The numbers of the results that runs made or reused."""
    reused = "SELECT text FROM texts WHERE digest IN (SELECT text FROM reused WHERE run IN (???))"
    try:
        for (text,) in database.many(reused, runs):
            yield from loads(text)[1::2]
        for (text,) in database.many("SELECT text FROM made WHERE run IN (???)", runs):
            yield from loads(text)["steps"][1::4]
    except (ValueError, TypeError, KeyError) as error:
        raise StoreDamaged(
            "the record of a run is damaged in the store",
            why=f"it cannot be read: {error}",
            fixes=["stepwell verify"],
        ) from None


def _results(database: Database, ended: dict[str, float]) -> Iterator[ResultFact]:
    rows = database.rows("SELECT seq, key, outputs, run, made FROM results ORDER BY seq")
    recorded: dict[int, list[str]] = defaultdict(list)
    for packed, _, number in database.rows(f"{_RECORDED} AND result IS NOT NULL"):
        recorded[number] += _named(packed, f"what was recorded with result {number}")
    for number, key, outputs, run, made in rows:
        blobs = (*_named(outputs, f"result {number}"), *recorded.get(number, ()))
        yield ResultFact(number, key, blobs, made or ended.get(run, 0.0))


def _named(outputs: str, whose: str) -> tuple[str, ...]:
    """The blobs that packed outputs name, their parts too. Raises `StoreDamaged`."""
    try:
        return tuple([name for one in unpack_outputs(outputs) for name in (one.digest, *one.parts)])
    except (ValueError, TypeError, AttributeError) as error:
        why = f"its outputs cannot be read: {error}"
        raise StoreDamaged(f"{whose} is damaged in the store", why=why, fixes=["stepwell verify"]) from None


def _copies(database: Database) -> Iterator[str]:
    """The blobs that are copies of web addresses: their names are in a cache, and fetching them again may fail."""
    for (value,) in database.rows("SELECT value FROM memo WHERE kind = 'source-web'"):
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
        yield from DIGEST.findall(text)


def _files(store: LocalStore) -> Iterator[FileFact]:
    for digest in store.blobs.all():
        with contextlib.suppress(FileNotFoundError):  # moved to quarantine meanwhile
            found = os.stat(store.blobs.path(digest))
            yield FileFact(digest, found.st_size, found.st_mtime)


def locks(root: Path) -> Iterator[str]:
    """The digests in `stepwell.lock` and `*.stepwell.lock` of a folder. Raises `StoreError` where one is unreadable."""
    for path in sorted({root / "stepwell.lock", *root.glob("*.stepwell.lock")}):
        try:
            yield from DIGEST.findall(path.read_text("utf-8", "replace"))
        except FileNotFoundError:
            continue
        except OSError as error:
            raise StoreError(
                f"the lock file `{path}` cannot be read: {error.strerror}",
                why="what it names must stay, and nobody knows what that is",
                fixes=["make it readable, or remove it"],
            ) from error


def _dead_files(folder: Path) -> Iterator[FileFact]:
    """What processes that died left behind, damaged blobs, and databases from before a migration."""
    for name in ("tmp", "quarantine"):
        with contextlib.suppress(FileNotFoundError):
            for entry in sorted(os.scandir(folder / name), key=lambda entry: entry.name):
                yield _fact(folder, entry.path)
    for path in sorted(folder.glob("store.db.format*")):
        yield _fact(folder, os.fspath(path))


def _laid_out(store: LocalStore, facts: Facts, named: set[str]) -> Iterator[FileFact]:
    """Folders below `files/` that were laid out of parts of which no result is left, and copies by name likewise."""
    folder = store.folder / "files"
    found = {name for name in _names(folder) if name != "web"}
    if found:
        found -= set(_lists_of_files(store, named))
    for name in sorted(found):
        yield _fact(store.folder, os.fspath(folder / name))
    there = {digest.removeprefix("b3:") for digest in facts.copies}
    for name in sorted(_names(folder / "web") - there):
        yield _fact(store.folder, os.fspath(folder / "web" / name))


def _lists_of_files(store: LocalStore, named: set[str]) -> Iterator[str]:
    """What folders laid out of parts are called: by the digest of the artifact's own bytes, a list of files."""
    for (outputs,) in store.database.rows("SELECT outputs FROM results"):
        for artifact in unpack_outputs(outputs):
            if artifact.parts and artifact.digest in named:
                named.discard(artifact.digest)
                data = store.results.bytes_of(artifact.digest)
                if data is not None:
                    yield text_digest(data)
                else:
                    with contextlib.suppress(OSError):
                        yield text_digest(store.blobs.path(artifact.digest).read_bytes())


def _names(folder: Path) -> set[str]:
    try:
        return set(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return set()


def _fact(folder: Path, path: str) -> FileFact:
    """A file, or a folder with all that is in it; what vanishes meanwhile has no bytes."""
    size, changed = 0, 0.0
    with contextlib.suppress(OSError):
        found = os.lstat(path)
        size, changed = found.st_size, found.st_ctime
        for inner, _, names in os.walk(path):
            size += sum(os.lstat(os.path.join(inner, name)).st_size for name in names)
    return FileFact(os.path.relpath(path, folder), size, changed)


# ---------------------------------------------------------------------- who lives

_DRIVERS = "SELECT id, run, host, boot, pid, born, beat FROM drivers"


def living(database: Database, silent: Iterable[tuple[int, int]] = ()) -> list[tuple[int, str]]:
    """The runs that are being driven, with their hosts; (driver, beat) pairs in `silent` count as dead."""
    dead = set(silent)
    return [
        (run, host.split(" ")[0])
        for number, run, host, boot, pid, born, beat in database.rows(_DRIVERS)
        if is_alive(Origin(host, boot, pid, born), here()) is not False and (number, beat) not in dead
    ]


def fallen_silent(
    database: Database, pause: Callable[[float], None] = time.sleep, patience: float = SILENCE
) -> set[tuple[int, int]]:
    """The drivers of other hosts that gave no sign of life for `patience` seconds; waits only if there are any."""
    quiet = _far(database)
    until = database.monotonic() + patience
    while quiet and database.monotonic() < until:
        pause(min(1.0, patience))
        quiet &= _far(database)
    return quiet


def _far(database: Database) -> set[tuple[int, int]]:
    return {
        (number, beat)
        for number, _, host, boot, pid, born, beat in database.rows(_DRIVERS)
        if is_alive(Origin(host, boot, pid, born), here()) is None
    }
