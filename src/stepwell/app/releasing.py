"""From a lock in which everything is up to date to a wheel that has all of it: what `stepwell release` does.

    facts = facts_of(works, asked)       # `app.releasable`: raises what forbids a release
    ready = made_of(facts, asked)        # the wheel, in memory, and the blobs that do not go into it
    done = published(ready, facts)       # large blobs and data to the store, then the wheel, as the last act

Until the wheel has its name in `dist/` there is no release; what a store has been given by then is content without
a name, which the next try finds there.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from msgspec import structs

from stepwell.app.goldens import Golden, goldens, pins_of
from stepwell.app.locking import path_of
from stepwell.app.releasable import Asked, Facts
from stepwell.app.session import Work
from stepwell.codecs.choose import by_name
from stepwell.dist import depot
from stepwell.dist.compat.rules import Verdict
from stepwell.dist.compat.versions import following
from stepwell.dist.edits import home_of
from stepwell.dist.interface.writing import interface_of
from stepwell.dist.lock import Lock
from stepwell.dist.lockfile import text_of
from stepwell.dist.names import project as project_name
from stepwell.dist.names import said
from stepwell.dist.pins import needs_place
from stepwell.dist.pylock import pylock_path
from stepwell.dist.releases import backend, made
from stepwell.dist.releases.about import about
from stepwell.dist.releases.archive import packed, placed
from stepwell.dist.releases.document import Golden as GoldenFact
from stepwell.dist.releases.document import Release
from stepwell.dist.releases.follows import (
    gates_in,
    interface_in,
    predicted_by,
    readings_of,
    requires_of,
    stores_of,
)
from stepwell.dist.releases.opened import open_wheel
from stepwell.dist.releases.pieces import Divided, divided, pieces_of
from stepwell.dist.releases.project import Found, held_elsewhere, project_files, with_sources
from stepwell.dist.versions import parsed
from stepwell.errors import CannotRelease, LockStale, NotHigher, StepwellError
from stepwell.stores.blobs import hash_file
from stepwell.version import VERSION


class Ready(NamedTuple):
    """A release that is made and not there yet: the name of its wheel and its bytes, the blobs, what is worth saying."""

    file: str
    data: bytes
    document: Release
    divided: Divided
    notes: tuple[str, ...]


class Done(NamedTuple):
    """A release: its wheel, whether that is new, its SHA-256, how many bytes it has, what changed since the one before, how many blobs were put to the store."""

    path: Path
    new: bool
    sha256: str
    size: int
    document: Release
    outputs: tuple[str, ...]
    verdict: Verdict | None
    put: int
    notes: tuple[str, ...]


# --------------------------------------------------------------------------- the wheel


def made_of(facts: Facts, asked: Asked) -> Ready:
    """The wheel of a release, in memory. Writes nothing but caches.

    Raises `NoReleaseStore`, `GoldenFailed`, `BuildFailed`, `NoPackage`, `CannotRelease`.
    """
    manifest, lock = facts.manifest, facts.lock
    _refuse_pickles(lock)
    golden = goldens(manifest, lock, facts.works)
    pieces = pieces_of(lock, facts.works[0].store)
    pieces += [piece for one in golden.values() for piece in (one.table, one.predictions)]
    stores = stores_of(manifest)
    table = home_of(facts.root, facts.file).heading("release")
    parts = divided(pieces, manifest.release.limit, stores, store=manifest.release.store, table=table)
    found = _project(facts)
    notes = [f"`{name}` does not go along: {why}" for name, why in found.left.items() if why != "it is data"]
    with tempfile.TemporaryDirectory(prefix="stepwell-") as aside:
        base, package = _base(facts, Path(aside))
    found = with_sources(found, facts.root, base.files)
    said = _document(facts, asked, package, parts, stores, golden)
    said = structs.replace(said, left=held_elsewhere(found, facts.root, base.files))
    readings = readings_of({one.codec for one in lock.output.values()})
    content = made.Content(
        said, lock, _pylock(facts), {one.digest: one.data() for one in parts.inside}, found.files,
        interface_in(manifest, lock, path_of(facts.works[0]).name), requires_of(lock, readings, VERSION),
    )  # fmt: skip
    release = made.released(base, content, VERSION)
    if content.pylock is None:
        notes.append(
            "there is no pylock.toml: who reproduces it has to find the environment: stepwell lock --pylock"
        )
    notes += [
        *_older(facts),
        *_without_data(facts),
        *release.notes,
        *(facts.verdict.notes if facts.verdict else ()),
    ]
    return Ready(release.file, packed(release.files, release.dist_info), said, parts, tuple(notes))


def _refuse_pickles(lock: Lock) -> None:
    for name, one in lock.output.items():
        if getattr(by_name(one.codec), "executes", False):
            raise CannotRelease(
                f"`{name}` is kept as {one.codec}, which executes what its bytes say when it is loaded",
                why="whoever installs a release has to trust who wrote it then, and the versions of every library",
                fixes=[
                    "give it as plain data, a table, an array, a file or a scikit-learn model",
                    "register a codec for its type",
                ],
            )


def _base(facts: Facts, aside: Path) -> tuple[made.Base, str]:
    """The wheel to start from, and the package in it."""
    if facts.file is None and backend.has_backend(facts.root):
        tree = facts.tree
        folder = backend.copied(facts.root, tree.files, aside / "project") if tree.known else facts.root
        base = made.opened(backend.built(folder, aside / "dist", facts.version))
        built = base.dist_info.partition("-")[0]
        if project_name(built) != project_name(facts.name):
            raise CannotRelease(
                f"the manifest calls the release `{facts.name}`, and the project's wheel is that of `{built}`",
                why="installers ask for a wheel by the name in [project]",
                fixes=[
                    f"take `name` out of {home_of(facts.root).heading('release')}",
                    "give [project] that name",
                ],
            )
        return base, made.package_in(base.files, facts.name)
    own = about(facts.name, facts.root, facts.file)
    return made.bare(own, facts.version, VERSION), own.package


def _document(
    facts: Facts,
    asked: Asked,
    package: str,
    parts: Divided,
    stores: tuple[str, ...],
    golden: Mapping[str, Golden],
) -> Release:
    manifest, lock = facts.manifest, facts.lock
    return Release(
        project=facts.name,
        package=package,
        version=facts.version,
        commit=facts.tree.commit,
        dirty=facts.tree.dirty,
        pipelines={work.graph.pipeline: _place(work) for work in facts.works},
        predict=predicted_by(manifest, lock),
        blobs=parts.blobs,
        stores=stores,
        golden={
            name: GoldenFact(on=one.table.digest, predictions=one.predictions.digest, codec=one.codec, tolerance=one.tolerance)
            for name, one in golden.items()
        },
        gates=gates_in(manifest),
        silenced=dict(asked.silenced),
        note=said(asked.note, "the note") if asked.note else "",
    )  # fmt: skip


def _place(work: Work) -> str:
    """A pipeline as "FILE:NAME", the file relative to the root."""
    file = Path(work.loaded.module.__file__ or "").resolve()
    inside = (
        file.relative_to(work.root.resolve()).as_posix()
        if file.is_relative_to(work.root.resolve())
        else file.name
    )
    return f"{inside}:{work.graph.pipeline}"


def _project(facts: Facts) -> Found:
    """The project's files: all that belong to it in git, and the modules that were loaded, as they ran; lock and interface of what is released."""
    modules = {path: data for work in facts.works for path, data in work.loaded.importer.snapshot.items()}
    apart = {path for pinned in pins_of(facts.lock, facts.works).values() for path in pinned.files}
    found = project_files(facts.root, facts.tree, modules, apart)
    own = {path_of(facts.works[0]): text_of(facts.lock).encode()}
    face = interface_of(facts.root, facts.works[0].loaded.target.file, facts.lock)
    if face is not None:
        own |= {change.file: change.after for change in face.changes}
    named = {path.relative_to(facts.root).as_posix(): data for path, data in own.items()}
    return found._replace(files={**found.files, **named})


def _pylock(facts: Facts) -> bytes | None:
    """The locked environment, beside the lock, where the lock knows one."""
    wanted = facts.lock.environment.pylock
    if not wanted:
        return None
    path = pylock_path(path_of(facts.works[0]))
    data = path.read_bytes() if path.is_file() else b""
    if hashlib.sha256(data).hexdigest() != wanted.removeprefix("sha256:"):
        raise LockStale(
            f"`{path.name}` is not the one that the lock means",
            fixes=[facts.works[0].loaded.target.command("lock"), f"git checkout HEAD -- {path.name}"],
        )
    return data


def _older(facts: Facts) -> Iterator[str]:
    """What is said where the project's own file names another version: the wheel has the one that was asked for."""
    own = backend.static_version(facts.root) if facts.file is None else ""
    if own and parsed(own).key != parsed(facts.version).key:
        yield f"pyproject.toml says version {own}; the wheel says {facts.version}, which is what installers see"


def _without_data(facts: Facts) -> Iterator[str]:
    """What is said where nobody else can have the data that a release was made of."""
    release, home = facts.manifest.release, home_of(facts.root, facts.file)
    if release.store and not stores_of(facts.manifest):
        yield (
            f'`store = "{release.store}"` is a folder beside this project, which the release does not name: who installs it '
            "elsewhere cannot have what lies there; an absolute folder or an address can be had by others"
        )
    if not release.store and not release.mirrors and any(map(needs_place, facts.lock.data.values())):
        yield (
            "the data are not in the release; who installs it cannot have them "
            f"unless `store` of {home.heading('release')} in `{home.file.name}` names a place"
        )


# --------------------------------------------------------------------------- the act


def published(ready: Ready, facts: Facts) -> Done:
    """Put what is too large, and the data, to the store; then write the wheel under its name, which is when there is a release.

    Raises `NotHigher` where the version is there with other bytes, `CannotRelease`, `DiskFull`, and what `depot.put` raises.
    """
    sha256 = hashlib.sha256(ready.data).hexdigest()
    _refuse_other(ready, facts, sha256)
    put = _put(ready, facts)
    path = facts.out / ready.file
    new = placed(path, ready.data)
    if not new and path.read_bytes() != ready.data:  # somebody else was here first
        raise _other_bytes(facts.version, path.name)
    outputs = tuple(sorted(facts.lock.output))
    return Done(path, new, sha256, len(ready.data), ready.document, outputs, facts.verdict, put, ready.notes)


def _refuse_other(ready: Ready, facts: Facts, sha256: str) -> None:
    """Raises `NotHigher` where a wheel of the version is known that has other bytes."""
    for one in facts.known:
        same = one.path is not None and hashlib.sha256(one.path.read_bytes()).hexdigest() == sha256
        if one.version.text == facts.version and one.path is not None and not same:
            raise _other_bytes(facts.version, one.where, _apart(ready.document, one.path))


def _apart(document: Release, path: Path) -> str:
    """What a release says otherwise than the one that is there, in words; "" where the difference is elsewhere."""
    try:
        there = open_wheel(path).document
    except StepwellError:  # it is no release, or of a later Stepwell
        return ""
    told = {
        "note": f"its note is {there.note!r}, and this one's {document.note!r}",
        "commit": f"it is of commit {there.commit[:12] or 'none'}, and this one of {document.commit[:12] or 'none'}",
        "silenced": "other rules were silenced",
        "dirty": "other files were not committed",
    }
    return "; ".join(how for name, how in told.items() if getattr(there, name) != getattr(document, name))


def _other_bytes(version: str, where: str, apart: str = "") -> NotHigher:
    return NotHigher(
        f"{version} was released already, and {where} has other bytes",
        why=f"{apart}{'; ' if apart else ''}somebody may have installed it: what was released once never changes",
        fixes=[f"stepwell release {following(version, 'patch')}", "or remove that file if nobody has it"],
    )


def _put(ready: Ready, facts: Facts) -> int:
    """Put blobs and data to the store of releases; how many."""
    store = facts.manifest.release.store
    if not store:
        return 0
    files = {one.digest: one.path for one in ready.divided.outside if one.path is not None}
    files |= dict(_data(facts))
    with tempfile.TemporaryDirectory(prefix="stepwell-") as aside:
        for one in ready.divided.outside:
            if one.path is None:
                files[one.digest] = Path(aside, one.sha256)
                files[one.digest].write_bytes(one.data())
        for digest, path in files.items():
            depot.put(path, digest, store, facts.root)
    return len(files)


def _data(facts: Facts) -> Iterator[tuple[str, Path]]:
    """Every file of the data that is locked, with its digest."""
    for name, pinned in pins_of(facts.lock, facts.works).items():
        data = facts.lock.data[name]
        if pinned.seen.one:
            yield data.bytes, Path(pinned.files[0])
            continue
        for file, path in zip(pinned.seen.found.names, pinned.files, strict=True):
            told = data.files.get(file, "").rpartition(" ")[2]
            yield told or hash_file(path), Path(path)
