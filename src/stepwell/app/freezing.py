"""Named data that moves, frozen: its content into the store, what it is into the lock; everything else stays as locked.

with stored(root) as store:
    done = freeze("customers", root, file, store)     # asks the database, the bucket, the address, the folder
    done.differences                                  # what the lock says otherwise now

Plans read what is frozen from then on (`dist.pins`), until it is frozen again. A lock never says that results came
of data of which they did not come: results of steps that read the data leave the lock when it changes (`replaced`).
How each kind of data is frozen is in `dist.freezing`; loading locked data by its name is `dist.pins.pinned_of`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

from msgspec import structs

from stepwell.app.datafacts import Facts, Reading, others, readings
from stepwell.author.manifest import Data as Meant
from stepwell.author.manifest import Manifest, manifest_of
from stepwell.dist.freezing import Frozen, Wanted, moving_of
from stepwell.dist.interface.kinds import type_of
from stepwell.dist.interface.writing import interface_of
from stepwell.dist.lock import Data, Difference, Lock, Pipeline, Step, differences
from stepwell.dist.lockfile import alone, read, write
from stepwell.dist.pins import lock_of_project
from stepwell.errors import CannotFreeze, FrozenGone, LockMissing, UnknownData, nearest
from stepwell.sources.address import MOVING, parse
from stepwell.sources.frozen import Locked, pin_locked
from stepwell.sources.kept import Shelf

if TYPE_CHECKING:
    from stepwell.app.session import Work
    from stepwell.author.project import Loaded
    from stepwell.sources.memo import Memo
    from stepwell.sources.pin import Pinned
    from stepwell.stores.local import LocalStore


class Done(NamedTuple):
    """Data that was frozen: its entry in the lock, the lock's file, whether that changed, in what, and the whole lock.

    `stale` are the ids of steps, "PIPELINE STEP", whose results the lock had and says no more.
    """

    name: str
    data: Data
    path: Path
    changed: bool
    differences: tuple[Difference, ...]
    lock: Lock
    stale: tuple[str, ...] = ()


def freeze(name: str, root: Path, file: Path | None, store: LocalStore) -> Done:
    """Freeze data of the manifest, and write that into the lock. Raises `UnknownData`, and what `taken` raises.

    Nothing of the lock or the interface is changed unless everything went well.
    """
    manifest = manifest_of(root, file)
    meant = manifest.data.get(name)
    if meant is None:
        raise unknown(name, manifest.data)
    before = locked(root, file)
    _, data = taken(name, meant, root, store, manifest, before.data.get(name))
    return _written(name, data, root, file)


def freeze_again(names: Sequence[str], found: Loaded, store: LocalStore) -> tuple[str, ...]:
    """Freeze those of some data again that are frozen, or can only be had so; gives the names of the others.

    Raises `UnknownData` for a name that neither manifest nor lock nor pipeline has, and what `freeze` raises.
    """
    root, file = found.target.root, found.target.file
    manifest, lock = manifest_of(root, file), locked(root, file)
    rest = []
    for name in dict.fromkeys(names):
        meant, before = manifest.data.get(name), lock.data.get(name)
        if meant is None and before is None:
            raise unknown(name, sorted({*manifest.data, *lock.data}))
        moving = meant is not None and bool(meant.source) and parse(meant.source).kind in MOVING
        if meant is not None and (
            moving or meant.freeze is not None or (before is not None and before.position)
        ):
            freeze(name, root, file, store)
            store.commit(now=True)
        else:
            rest.append(name)
    return tuple(rest)


def upgraded(work: Work, names: Sequence[str]) -> None:
    """Write into the lock what some sources of a plan are now; what came of them before is locked no more.

    Raises `UnknownData` for a name that the pipeline does not read, and what looking into data raises.
    """
    root, file = work.root, work.loaded.target.file
    manifest = manifest_of(root, file)
    own = readings(work.graph.sources, work.pinned, manifest)
    facts = Facts(root, cast("Memo", work.store.memo), own)
    for name in names:
        if name not in own:
            raise unknown(name, sorted(own))
        _written(name, facts.whole(name), root, file)


def taken(
    name: str,
    meant: Meant,
    root: Path,
    store: LocalStore,
    manifest: Manifest,
    before: Data | None = None,
) -> tuple[Pinned, Data]:
    """Freeze data as a manifest means it: its files in the store, and what a lock says of it. The project is not written.

    `before` is what the lock had: of the same rows its very bytes stay. Raises `CannotFreeze`, what the kind of
    data raises (`dist.freezing`), and `DataNotAsSaid` where the manifest says otherwise of its columns.
    """
    if meant.package:
        raise CannotFreeze(
            f"data `{name}` is of the package `{meant.package}`, which does not move",
            why="what it is, is said by the release that is installed",
        )
    shelf, memo = Shelf(store.blobs.folder), cast("Memo", store.memo)
    frozen = moving_of(_wanted(name, meant, root)).materialise(shelf)
    found, data = _looked(name, meant, frozen, root, shelf, memo, manifest)
    if before is None or not _is_same(before, data):
        return found, data
    same = Frozen(before.bytes, before.size, before.position, _files(before))
    if before.bytes == data.bytes:
        return found, structs.replace(data, position=before.position)
    try:  # the same rows, written by another version of a library
        return _looked(name, meant, same, root, shelf, memo, manifest)
    except FrozenGone:
        return found, data


def _wanted(name: str, meant: Meant, root: Path) -> Wanted:
    span = meant.freeze
    by, start, until = (span.by, span.start, span.until) if span is not None else ("", "", "")
    return Wanted(name, meant.source, root, meant.query, tuple(meant.keys), by, start, until, meant.read)


def _looked(
    name: str, meant: Meant, frozen: Frozen, root: Path, shelf: Shelf, memo: Memo, manifest: Manifest
) -> tuple[Pinned, Data]:
    """What was frozen as files to be read, and as a lock says it."""
    where = Locked(meant.source, frozen.digest, frozen.size, frozen.files, frozen.position)
    now = pin_locked(where, root=root, memo=memo, shelf=shelf)
    more, _ = others(manifest, [name], root, memo)
    facts = Facts(root, memo, {**more, name: Reading(meant.source, type_of(meant), meant.read, meant, now)})
    return now, structs.replace(facts.whole(name), position=dict(frozen.position))


def _files(data: Data) -> dict[str, str]:
    return {name: text.rpartition(" ")[2] for name, text in data.files.items()}


_SAID = ("kind", "query", "by", "from", "until")
"""Words of a position that say what was asked; the others say where the data was then."""


def _is_same(before: Data, now: Data) -> bool:
    """Whether frozen data is what it was, asked in the same way, though perhaps written in other bytes."""
    asked = all(before.position.get(word) == now.position.get(word) for word in _SAID)
    content = bool(now.content) and before.content == now.content
    return asked and before.source == now.source and (before.bytes == now.bytes or content)


def unknown(name: str, known: Iterable[str]) -> UnknownData:
    """The error for data that is not known by this name."""
    names = sorted(known)
    near = nearest(name, names)
    fixes = [f"did you mean `{near}`?"] if near else []
    has = f"there is {', '.join(names)}" if names else "the manifest names no data"
    return UnknownData(f"there is no data `{name}`", why=has, fixes=[*fixes, f"stepwell add {name} …"])


# --------------------------------------------------------------------------- the lock


def locked(root: Path, file: Path | None) -> Lock:
    """The lock of a project, empty where there is none yet. Raises `BadLock`."""
    try:
        return read(lock_of_project(root, file))
    except LockMissing:
        return Lock()


def _written(name: str, data: Data, root: Path, file: Path | None) -> Done:
    """Write lock and interface. Raises `BadLock`, `InterfaceTaken`, `InterfaceUnwritable`."""
    path = lock_of_project(root, file)
    with alone(path):
        before = locked(root, file)
        after = replaced(before, name, data)
        face = interface_of(root, file, after)
        if face is not None:
            face.refuse()
        changed = write(path, after)
        if face is not None:
            changed = face.write() or changed
    return Done(name, data, path, changed, tuple(differences(before, after)), after, _without(before, after))


def replaced(lock: Lock, name: str, data: Data) -> Lock:
    """A lock with other data under a name; what came of the data before is in it no more, if its bytes are others."""
    whole = structs.replace(lock, data={**lock.data, name: data})
    old = lock.data.get(name)
    if old is None or old.bytes == data.bytes:
        return whole
    touched = {pipeline: _after(f"data.{name}", one) for pipeline, one in lock.pipeline.items()}
    pipelines = {
        pipeline: _unrun(one, touched[pipeline]) if touched[pipeline] else one
        for pipeline, one in lock.pipeline.items()
    }
    outputs = {
        word: one for word, one in lock.output.items() if one.step not in touched.get(one.pipeline, ())
    }
    return structs.replace(whole, pipeline=pipelines, output=outputs)


def _after(use: str, pipeline: Pipeline) -> frozenset[str]:
    """The steps that rest on something, directly or not."""
    found: set[str] = set()
    todo = [use]
    while todo:
        wanted = todo.pop()
        for step, one in pipeline.step.items():
            if step not in found and wanted in (*one.uses, *pipeline.uses):
                found.add(step)
                todo.append(f"step.{step}")
    return frozenset(found)


def _unrun(pipeline: Pipeline, steps: frozenset[str]) -> Pipeline:
    def step_of(metric: str) -> str:
        return max((step for step in pipeline.step if metric.startswith(f"{step}.")), key=len, default="")

    kept: dict[str, Step] = {
        name: structs.replace(one, output={}) if name in steps else one for name, one in pipeline.step.items()
    }
    metrics = {name: value for name, value in pipeline.metrics.items() if step_of(name) not in steps}
    return structs.replace(pipeline, step=kept, metrics=metrics)


def _without(before: Lock, after: Lock) -> tuple[str, ...]:
    """The steps whose results the first lock has and the second has not."""
    return tuple([
        f"{pipeline} {step}"
        for pipeline, one in before.pipeline.items()
        for step, was in one.step.items()
        if was.output and not after.pipeline[pipeline].step[step].output
    ])  # fmt: skip
