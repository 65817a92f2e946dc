"""Whether an answer lasts: everything that an up-to-date plan rests on, for `app.standing` to prove it again.

None is left where something that counts cannot be proven: a clock or chance in the pipeline's body, a
program or the network asked while tracing, steps with a test of their own (`done=`) or in another
place, dynamic calls, checks of the user's own, web sources, secrets, and whatever changed since this
process began: what was read then may be older than what is there now.
"""

from __future__ import annotations

import os
import sys
from _blake2 import blake2b  # as `hashlib` has it, which loads OpenSSL first
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from stepwell.app.latest import Latest
from stepwell.app.outfiles import OutFiles
from stepwell.app.progress import Progress
from stepwell.app.session import Settings, Work
from stepwell.app.standing import Standing, bytes_token
from stepwell.author.fingerprint.places import Places
from stepwell.author.settings import settings_of
from stepwell.author.steady import unsteady
from stepwell.author.written import written_of
from stepwell.kernel.graph import FromStep, Graph, leaves
from stepwell.kernel.identity import MOVING
from stepwell.kernel.plan import Plan
from stepwell.kernel.ports import Result
from stepwell.sources.address import parse
from stepwell.stores.blobs import INLINE
from stepwell.stores.standing import footing
from stepwell.worker.kinds import PYTHON
from stepwell.worker.secrets import any_made
from stepwell.worker.world import UNLISTED, World

LEAST_AGE = 20_000_000
"""Nanoseconds that a file or folder must be older than this process: about what a time stamp is exact to."""

PLAIN = Settings()


class _Open(Exception):
    """Something that the answer rests on cannot be proven; the text says what."""


def found(plan: Plan) -> list[Result] | None:
    """The results that a plan in which nothing is to be done reuses, by step; None of any other."""
    results = [
        decision.result
        for decision in plan.decisions
        if decision.result is not None and decision.verb == "cached" and decision.reasons[0].kind == "cached"
    ]
    return results if len(results) == len(plan.decisions) else None


def settled(work: Work, progress: Progress) -> list[Result] | None:
    """The results that the same command will find after a run that succeeded, by step: everything is up to date then.

    None where that is not known, or where this run has told what that one will not tell: what changed, say.
    """
    plan, store = work.plan, work.store
    if progress.plan is not plan or (work.notes and _told_once(work)):
        return None
    results = []
    for node in range(len(plan.decisions)):
        before = progress.outcomes.decision(node)
        if before is None or before.key is None or before.reasons[0].kind == "kept":
            return None
        result = store.results.result(before.key)
        if result is None or result.lost:
            return None
        results.append(result)
    world = World(work.root, work.store.memo)  # type: ignore[arg-type]
    told = OutFiles(Latest(plan), store, work.root).notes(world, results)
    return None if any(told) else results


def _told_once(work: Work) -> bool:
    """Whether notes may be about what is otherwise now, which is not said a second time."""
    return any(one.changed for one in work.pinned) or any(one.verb != "cached" for one in work.plan.decisions)


def standing_of(
    work: Work,
    results: Sequence[Result],
    settings: Settings,
    began: int,
    shown: Mapping[str, Any],
    run: int = 0,
) -> Standing | None:
    """What to keep of a plan in which nothing is to be done; None where that would prove nothing.

    `results` are those that it reuses, by step. `began` is when this process began, in nanoseconds since 1970; `shown` the answer, `run` the number of
    the run after which all was up to date (0: there was none, only a plan).
    """
    try:
        if settings._replace(jobs=0, keep_going=False, memory=0, ahead=None) != PLAIN:
            raise _Open("asked with options")
        _plain(work.graph)
        world = World(work.root, work.store.memo)  # type: ignore[arg-type]
        facts = dict(_facts(work, began, world))
        facts.update(_observed(results))
        moved = next((what for what, was in facts.items() if _now(what, world) != was), None)
        if moved is not None:
            raise _Open(f"{moved} has changed")
        files, held = _blobs(work, results)
        return Standing(
            os.fspath(work.root),
            tuple(facts.items()),
            tuple(_sources(work, used=run > 0)),
            _until(work, results),
            footing(work.store.database),
            tuple(files),
            tuple(held),
            run,
            shown,
        )
    except _Open:
        return None


def _now(what: str, world: World) -> str:
    return bytes_token(what[6:]) if what.startswith("bytes ") else world.token(what)


def _plain(graph: Graph) -> None:
    """See that nothing but what a step's key covers says whether it is up to date."""
    for step in graph.steps:
        if step.kind != PYTHON or step.place or step.services or step.done or not step.cache:
            raise _Open(f"`{step.name}` is no plain step")


# --------------------------------------------------------------------------- what counts


def _facts(work: Work, began: int, world: World) -> Iterator[tuple[str, str]]:
    importer, seen = work.loaded.importer, work.seen
    if seen is None or seen.wrote or seen.notes or any_made() or work.ghost is not None or work.own_checks:
        raise _Open("the trace cannot be seen through")
    snapshot = importer.snapshot
    if snapshot.given or settings_of(work.root).workspace:
        raise _Open("it is in no file, or in several projects")
    codes = {path: data for path, data in snapshot.items() if path.endswith(".py")}
    if unsteady(work.loaded.pipeline, importer.modules, codes):
        raise _Open("a clock or chance")
    for path, data in snapshot.items():
        yield f"bytes {path}", blake2b(data, digest_size=20).hexdigest()
    for read in importer.reads:
        yield _provable(read.what, MOVING if read.own else read.token)
    for what, token in seen.observed:
        yield _provable(what, token)
    yield from _settings(work)
    listed = _folders(work)
    for folder in listed:
        yield _settled(f"list {folder}", folder, began, world)
    for path in _hiding(work, {*listed}):
        yield _provable(f"kind {path}", world.token(f"kind {path}"))
    for folder in _installed(importer.roots):
        yield _settled(f"all {folder}", folder, began, world)
    for node in work.graph.nodes:
        if node.out:
            yield _provable(f"file {node.out}", world.token(f"file {node.out}"))


def _provable(what: str, token: str) -> tuple[str, str]:
    if token in ("", MOVING) or what == "$*":
        raise _Open(what)
    return what, token


def _settled(what: str, folder: str, began: int, world: World) -> tuple[str, str]:
    """A folder as it is now, if nothing came into it since this process began: what was read may else be older.

    Where only names count, what has gone since does not: nothing of it was imported, or its bytes are missed.
    """
    since = began - LEAST_AGE
    try:
        touched = _touched(os.stat(folder), since)
        if touched and what.startswith("list "):
            with os.scandir(folder) as entries:
                others = [entry for entry in entries if entry.name not in UNLISTED]
                touched = any(_touched(entry.stat(follow_symlinks=False), since) for entry in others)
    except OSError:
        return what, world.token(what)
    if touched:
        raise _Open(what)
    return what, world.token(what)


def _touched(status: os.stat_result, since: int) -> bool:
    return max(status.st_mtime_ns, status.st_ctime_ns) > since


def _settings(work: Work) -> Iterator[tuple[str, str]]:
    """The files that say where the project begins, how it is set and what is locked, also where there is none."""
    file = work.loaded.target.file
    here = file.parent if file is not None else Path.cwd().resolve()
    if file is not None:
        for name in (f"{file.stem}.stepwell.lock", f"pylock.{file.stem}.toml"):
            own = os.fspath(file.with_name(name))
            yield f"bytes {own}", bytes_token(own)
    for folder in (here, *here.parents):
        for name in ("stepwell.toml", "pyproject.toml", "stepwell.lock", "pylock.toml"):
            path = os.path.join(folder, name)
            yield f"bytes {path}", bytes_token(path)
        if folder == work.root and _is_marked(folder):
            return


def _is_marked(root: Path) -> bool:
    return written_of(root) is not None


def _folders(work: Work) -> list[str]:
    """Where another file would mean another import: the roots, and the folders of what was imported."""
    importer, root = work.loaded.importer, os.fspath(work.root)
    folders = {os.path.dirname(path) for path in importer.snapshot}
    return sorted({*folders, *importer.roots, root, os.path.join(root, "src")})


def _hiding(work: Work, listed: set[str]) -> list[str]:
    """Where there is no file that would be imported in place of what was, or of nothing, and no listing would show one.

    That is in folders that are there for something else: of data, say, beside a module of the same name.
    """
    importer = work.loaded.importer
    places = Places(work.root, importer.snapshot)
    names = {*importer.modules, *(name for name in sys.modules if "." not in name)}
    paths = {*work.identified.absent, *(path for name in names for path in places.absent(name))}
    roots = tuple(f"{root}{os.sep}" for root in importer.roots)  # Stepwell's own is part of the question
    paths = {path for path in paths if path.startswith(roots)}
    folders = {os.path.dirname(path) for path in paths}
    seen = {folder for folder in folders if _first_there(folder) in listed}
    return sorted(path for path in paths if os.path.dirname(path) not in seen)


def _first_there(folder: str) -> str:
    """The folder, or the next one above it that exists: what comes to be below changes the names in that."""
    while not os.path.isdir(folder) and folder != os.path.dirname(folder):
        folder = os.path.dirname(folder)
    return folder


def _installed(own: tuple[str, ...]) -> list[str]:
    """The folders of `sys.path` that are neither the project's nor Python's own."""
    standard = os.path.dirname(os.__file__)
    found = {os.path.abspath(path) for path in sys.path if path and not path.endswith(".zip")}
    return sorted(
        path for path in found - {*own, standard} if os.path.isdir(path) and not path.endswith("lib-dynload")
    )


def _observed(results: Sequence[Result]) -> Iterator[tuple[str, str]]:
    """What the steps were seen to rest on."""
    known: dict[int, None] = {}
    for result in results:
        if result.observed and id(result.observed) not in known:
            known[id(result.observed)] = None
            for what, token in result.observed:
                if token:
                    yield _provable(what, token)


def _sources(work: Work, *, used: bool) -> Iterator[tuple[str, str, str]]:
    """The sources, as they were pinned. A plan says of one that it changed, until a run has `used` it."""
    for source, pinned in zip(work.graph.sources, work.pinned, strict=True):
        copied = pinned.kept or bool(pinned.position)
        changed = pinned.changed and not used
        if parse(source.uri).kind in ("web", "release") or changed or copied:
            raise _Open(f"source `{source.name}`")
        yield source.uri, pinned.digest, pinned.facts.hex()


def _until(work: Work, results: Sequence[Result]) -> float:
    """The first moment at which a result has expired; 0 where none does."""
    steps = work.graph.steps
    ends = [
        result.made + ttl
        for node, result in zip(work.graph.nodes, results, strict=True)
        if (ttl := steps[node.step].ttl)
    ]
    return min(ends, default=0.0)


def _blobs(work: Work, results: Sequence[Result]) -> tuple[list[str], list[str]]:
    """The digests of large blobs that any result has, and of small ones that are returned."""
    files: dict[str, None] = {}
    for result in results:
        for artifact in result.outputs:
            files.update(dict.fromkeys([artifact.digest] if artifact.size > INLINE else ()))
            files.update(dict.fromkeys(artifact.parts))
    held: dict[str, None] = {}
    for leaf in leaves(work.graph.result):
        if isinstance(leaf, FromStep):
            held.update(
                (artifact.digest, None) for artifact in results[leaf.node].outputs if artifact.size <= INLINE
            )
    return list(files), list(held)
