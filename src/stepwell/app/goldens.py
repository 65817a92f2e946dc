"""Golden predictions: what a model says of a table that is kept, so that the next release can be compared with it.

found = goldens(manifest, lock, works)
found["model"].table, found["model"].predictions       # blobs, and the codec of both
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from stepwell.app.places import at
from stepwell.app.session import Work
from stepwell.app.values import load
from stepwell.author.manifest import Manifest
from stepwell.codecs import choose
from stepwell.dist.edits import Home, home_of
from stepwell.dist.interface.kinds import type_of
from stepwell.dist.lock import Leaving, Lock
from stepwell.dist.pins import pinned_of
from stepwell.dist.releases.pieces import Piece, held_piece, piece_of
from stepwell.errors import GoldenFailed, StepwellError
from stepwell.kernel.ports import Artifact
from stepwell.sources import read
from stepwell.stores.local import LocalStore

if TYPE_CHECKING:
    from stepwell.sources.memo import Memo
    from stepwell.sources.pin import Pinned


class Golden(NamedTuple):
    """The table that an output was asked about, and what it said, as blobs of a codec; how far apart is still the same."""

    table: Piece
    predictions: Piece
    codec: str
    tolerance: float


class _Table(NamedTuple):
    """A table, and how it is kept."""

    value: Any
    codec: str
    piece: Piece


def goldens(manifest: Manifest, lock: Lock, works: Sequence[Work]) -> dict[str, Golden]:
    """The golden predictions of each output that the manifest wants some of. Raises `GoldenFailed`, and what loading raises."""
    found = {}
    for name, said in sorted(manifest.outputs.items()):
        if said.golden is None or name not in lock.output:
            continue
        table = _table(said.golden.on, manifest, lock, works)
        predicted = _predicted(name, lock.output[name], table, works[0].store, _home(works))
        found[name] = Golden(table.piece, predicted.piece, predicted.codec, said.golden.tolerance)
    return found


def _home(works: Sequence[Work]) -> Home:
    return home_of(works[0].root, works[0].loaded.target.file)


def _predicted(name: str, leaving: Leaving, table: _Table, store: LocalStore, home: Home) -> _Table:
    """What an output says of a table; `home` is the manifest's."""
    from stepwell.dist.installed.predicting import predict

    model = load(store, _artifact(name, leaving))
    try:
        said = predict(model, leaving, table.value)
    except StepwellError as error:
        raise GoldenFailed(
            f"`{name}` cannot be asked about its golden table: {error.what}",
            why=error.why,
            fixes=[*error.fixes, f"name another table: {home.heading('outputs', name)} golden.on"],
        ) from error
    kept = _kept(said, store)
    if kept.codec != table.codec:
        raise GoldenFailed(
            f"the golden table of `{name}` is kept as {table.codec}, and its predictions as {kept.codec}",
            why="they are compared as tables of one kind",
            fixes=["let the step give a table: pandas, polars or Arrow"],
        )
    return kept


def _table(name: str, manifest: Manifest, lock: Lock, works: Sequence[Work]) -> _Table:
    """The table of this name: an output, or data as it is now. Raises `GoldenFailed`, and what reading raises."""
    store, root = works[0].store, works[0].root
    if name in lock.output:
        leaving = lock.output[name]
        return _Table(load(store, _artifact(name, leaving)), leaving.codec, piece_of(store, leaving.bytes))
    sources = {source.name: source for work in works for source in work.graph.sources}
    pinned = pins_of(lock, works).get(name)
    with at(root):
        if name in sources and pinned is not None:
            one = sources[name]
            return _kept(
                read.load(one.uri, one.type, dict(one.options), root=root, files=pinned.files), store
            )
        if name in manifest.data and pinned is not None:
            data = manifest.data[name]
            return _kept(
                read.load(data.source, type_of(data), dict(data.read), root=root, files=pinned.files), store
            )
    home = _home(works)
    raise GoldenFailed(
        f"there is no data and no output `{name}` to predict on",
        why="it is neither in the lock nor among what leaves",
        fixes=[
            f"declare it, and lock: {home.heading('data', name)} source = …",
            f"or {home.heading('outputs', name)} step = …",
        ],
    )


def pins_of(lock: Lock, works: Sequence[Work]) -> dict[str, Pinned]:
    """The files of all data of a lock, by name: those that the pipelines read, and those that only the manifest speaks of.

    Raises `FrozenGone`.
    """
    found = {
        source.name: pinned
        for work in works
        for source, pinned in zip(work.graph.sources, work.pinned, strict=True)
    }
    store, root = works[0].store, works[0].root
    others = {name: data for name, data in lock.data.items() if name not in found}
    return found | {
        name: pinned_of(name, data, root, store.blobs.folder, memo=cast("Memo", store.memo))
        for name, data in others.items()
    }


def _kept(value: Any, store: LocalStore) -> _Table:
    """A value as a blob of the store, where the next release finds it again until it is collected."""
    with store.blobs.sink() as sink:
        codec, _ = choose.dump(value, "", sink)
        stored = sink.finish()
    piece = piece_of(store, stored.digest) if stored.data is None else held_piece(stored.digest, stored.data)
    return _Table(value, codec, piece)


def _artifact(name: str, leaving: Leaving) -> Artifact:
    return Artifact(leaving.part or name, leaving.codec, leaving.bytes, leaving.size, leaving.parts)
