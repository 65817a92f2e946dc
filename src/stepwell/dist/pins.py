"""Data as a lock has it: for plans (`Pins`), and for whoever loads one of them by its name (`pinned_of`).

    pins = Pins(root, file, memo, shelf, frozen=True)      # `run --frozen`: all sources come from the lock
    pins.pin(source)                                        # a `sources.pin.Pinned`
    pinned_of("customers", lock.data["customers"], root, folder, places).files

Without `frozen` only data that was frozen comes from the lock (its entry has a `position`), everything else is what is
there now. The content is looked for in place, in the store, in the user's cache and in the places of the manifest
(`release.store`, `release.mirrors`); see `sources.frozen`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property, partial
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

from stepwell.author.written import written_of
from stepwell.errors import FrozenGone, FrozenOtherwise, NotFrozen, NotLocked, StepwellError
from stepwell.kernel.graph import SourceDef
from stepwell.sources.address import shown
from stepwell.sources.kept import Shelf
from stepwell.sources.memo import Memo, Memory
from stepwell.sources.pin import Pinned, hold, pin, since_last

if TYPE_CHECKING:
    from stepwell.dist.lock import Data  # a plan whose lock has nothing frozen does without
    from stepwell.sources.frozen import Fetch, Locked

SPAN = ("by", "from", "until")
"""Words of a position that the manifest says first, under `freeze`."""


def lock_of_project(root: Path, file: Path | None) -> Path:
    """Where the lock of a pipeline is: the project's, or that of a single file which says itself what it needs."""
    from stepwell.dist.lockfile import lock_path

    own = written_of(root, file)
    return lock_path(root, file if own is not None and own.kind == "script" else None)


def locked_of(data: Data, uri: str = "") -> Locked:
    """What a lock says of data, as sources know it; `uri` is its address where the lock's own hides a secret."""
    from stepwell.sources.frozen import Locked

    files = {name: text.rpartition(" ")[2] for name, text in data.files.items()}
    return Locked(uri or data.source, data.bytes, data.size, files, data.position)


def pinned_of(
    name: str,
    data: Data,
    root: Path,
    folder: Path,
    places: Sequence[str] = (),
    memo: Memo | None = None,
    released: str = "",
) -> Pinned:
    """The files of locked data, verified: `Pinned.files`, and `Pinned.folder` where it is one.

    `folder` is the store's (or another folder laid out so, as the user's cache), `places` are asked for blobs that
    are neither in place nor there. Nothing later is ever taken instead. `released` is the installed release whose data
    it is ("churn 1.4.0"). Raises `FrozenGone` naming every place.
    """
    from stepwell.sources.frozen import pin_locked

    try:
        return pin_locked(
            locked_of(data),
            root=root,
            memo=memo or _memory,
            shelf=Shelf(folder),
            fetch=fetch_from(places, root, data.source),
        )
    except StepwellError as error:
        if released and isinstance(error, FrozenGone):
            error.fixes = _asking(released, places)
        raise named(error, name) from None


def _asking(released: str, places: Sequence[str]) -> tuple[str, ...]:
    """What can be done by somebody who has a release installed, and not its project."""
    from stepwell.dist.depot import ANOTHER_PLACE

    if places:
        return (
            "try again later, or with access to one of these places",
            ANOTHER_PLACE,
            f"ask who released {released}",
        )
    return (ANOTHER_PLACE, f"ask who released {released} for a release whose manifest has `release.store`")


def needs_place(data: Data) -> bool:
    """Whether whoever installs a release can have its data only from a place that the release names."""
    return not data.source.startswith("release://")


_memory = Memory()


def fetch_from(places: Sequence[str], root: Path, uri: str = "") -> Fetch:
    """What has blobs from the user's cache, else from these places; data of a release (`uri`) from that before."""

    def fetch(digest: str, size: int) -> Path:
        from stepwell.dist import depot  # most data is in place

        if uri.startswith("release://"):
            from stepwell.plugins.registry import releases

            found: Path | None = releases().blob_of(uri, digest)
            if found is not None:
                return found
        return depot.fetch(digest, size, places, root)

    return fetch


def places_of(root: Path, file: Path | None = None) -> tuple[str, ...]:
    """Where a project's content may be fetched from by digest: `release.store` and `release.mirrors` of its manifest."""
    from stepwell.author.manifest import manifest_of  # most data is in place

    release = manifest_of(root, file).release
    return tuple([place for place in (release.store, *release.mirrors) if place])


def query_token(query: str) -> str:
    """What a position says of a query: a short digest of its words, white space aside."""
    return blake2b(" ".join(query.split()).encode(), digest_size=8).hexdigest()


class Pins:
    """Pins sources as a plan wants them: as they are, or as the lock has them. `notes` are worth a look.

    `frozen`: all of them as locked, but those that `upgrade` names, which are as they are now. `refresh`: web
    addresses that are not frozen are asked again.
    """

    def __init__(
        self,
        root: Path,
        file: Path | None,
        memo: Memo,
        shelf: Shelf,
        *,
        frozen: bool = False,
        refresh: bool = False,
        upgrade: Collection[str] = (),
    ) -> None:
        self._root, self._file, self._memo, self._shelf = root, file, memo, shelf
        self._frozen, self._refresh, self._upgrade = frozen, refresh, upgrade
        self.notes: list[str] = []

    @cached_property
    def _data(self) -> Mapping[str, Data]:
        """What comes from the lock, by name. A lock without frozen data is not read: plans do not depend on it."""
        if not self._frozen:
            return frozen_data(self._root, self._file)
        from stepwell.dist.lockfile import read

        return read(lock_of_project(self._root, self._file)).data

    def pin(self, source: SourceDef) -> Pinned:
        """Pin one source. Raises what is wrong with it; `NotFrozen`, `NotLocked`, `FrozenGone`, `FrozenOtherwise`, `BadLock`, `LockMissing`."""
        if source.name in self._upgrade:
            return pin(source.uri, root=self._root, memo=self._memo, shelf=self._shelf, refresh=True)
        data = self._locked(source)
        if data is None or data.source != shown(source.uri):
            return self._as_it_is(source, data)
        from stepwell.sources.frozen import pin_locked

        if not self._frozen:
            self._refuse_other(source.name, data)
        locked, fetch = locked_of(data, source.uri), partial(self._fetch, source.uri)
        try:
            found = pin_locked(locked, root=self._root, memo=self._memo, shelf=self._shelf, fetch=fetch)
        except FrozenGone as error:
            raise named(error, source.name) from None
        if found.edited:
            self.notes.append(_edited(source.name, found.edited, again=bool(data.position)))
        return found

    def file(self, uri: str, copy: str) -> Pinned:
        """Pin one of the files of a listing that is read as the store has it: at `uri` it is, or was, and `copy` is that copy.

        What it is was settled with the listing, so the lock is not asked again. Raises `InputChanged` where it is gone by now.
        """
        digest = pin(copy, root=self._root, memo=self._memo).digest
        found = hold(uri, digest, root=self._root, memo=self._memo, shelf=self._shelf)
        return since_last(found, root=self._root, memo=self._memo)

    def is_locked(self, source: SourceDef) -> bool:
        """Whether the lock says what a source is, and not what is there now."""
        data = self._locked(source)
        return data is not None and data.source == shown(source.uri)

    def is_to_be_frozen(self, source: SourceDef) -> bool:
        """Whether the manifest says which part of a source to freeze, and the lock does not say what that is."""
        return not self.is_locked(source) and has_span(self._root, self._file, source)

    def _locked(self, source: SourceDef) -> Data | None:
        """What the lock says of a source, in `_data`."""
        if not self._data:
            return None
        from stepwell.dist.lock import entry_of

        return entry_of(self._data, source.name, shown(source.uri))

    def _as_it_is(self, source: SourceDef, data: Data | None) -> Pinned:
        if self._frozen:
            raise NotLocked(
                f"the lock has no data `{source.name}` from `{shown(source.uri)}`",
                why=f"it has `{source.name}` from `{data.source}`"
                if data
                else "a frozen run takes data from the lock alone",
                fixes=["stepwell run --lock"],
                where=source.where,
            )
        if has_span(self._root, self._file, source):
            raise NotFrozen(
                f"`{source.name}` is not frozen yet",
                why=f"`[data.{source.name}.freeze]` says which part of it is meant, and only `stepwell freeze` takes that part",
                fixes=[f"stepwell freeze {source.name}"],
                where=source.where,
            )
        try:
            return pin(source.uri, root=self._root, memo=self._memo, shelf=self._shelf, refresh=self._refresh)
        except NotFrozen as error:
            error.fixes = (f"stepwell freeze {source.name}",)
            raise

    def _fetch(self, uri: str, digest: str, size: int) -> Path:
        return fetch_from(places_of(self._root, self._file), self._root, uri)(digest, size)

    def _refuse_other(self, name: str, data: Data) -> None:
        """Raises `FrozenOtherwise` where the manifest asks for something else than was frozen."""
        from stepwell.author.manifest import manifest_of  # most plans have no frozen data

        wanted = manifest_of(self._root, self._file).data.get(name)
        if wanted is None:
            return
        freeze = wanted.freeze
        said = {"query": query_token(wanted.query) if wanted.query else ""}
        said |= dict(
            zip(SPAN, (freeze.by, freeze.start, freeze.until) if freeze else ("", "", ""), strict=True)
        )
        other = [word for word, text in said.items() if text != data.position.get(word, "")]
        if other:
            raise FrozenOtherwise(
                f"`{name}` was frozen with another `{'`, `'.join(other)}` than the manifest has now",
                why="what is in the lock is the answer to what was asked then",
                fixes=[
                    f"stepwell freeze {name}",
                    "undo the edit",
                    "stepwell run --frozen uses what is locked",
                ],
            )


def frozen_data(root: Path, file: Path | None) -> Mapping[str, Data]:
    """The data of a project's lock that was frozen, by name. Raises `BadLock`."""
    if not _may_be_frozen(root, file):
        return {}
    from stepwell.dist.lockfile import read

    data = read(lock_of_project(root, file)).data
    return {name: one for name, one in data.items() if one.position}


def has_span(root: Path, file: Path | None, source: SourceDef) -> bool:
    """Whether the manifest says which part of a source is frozen. Raises `BadSettings`."""
    written = written_of(root, file)
    table = written.table.get("data") if written is not None else None
    said = table.get(source.name) if isinstance(table, Mapping) else None
    if not isinstance(said, Mapping) or said.get("freeze") is None:
        return False
    return shown(str(said.get("source", ""))) == shown(source.uri)


def _may_be_frozen(root: Path, file: Path | None) -> bool:
    """Whether a lock speaks of data that was frozen, by a look at its text."""
    for path in (root / "stepwell.lock", file.with_name(f"{file.stem}.stepwell.lock") if file else None):
        try:
            if path is not None and b".position]" in path.read_bytes():
                return True
        except OSError:  # there is none, or whoever needs it says that it cannot be read
            continue
    return False


def named(error: StepwellError, name: str) -> StepwellError:
    """An error with the data's name in what can be done."""
    error.fixes = tuple([fix.replace("NAME", name) for fix in error.fixes])
    return error


def _edited(name: str, edited: Sequence[str], *, again: bool) -> str:
    more = f", and {len(edited) - 3} more" if len(edited) > 3 else ""
    way = f"stepwell freeze {name}" if again else f"stepwell lock --upgrade {name}"
    return (
        f"source `{name}` is read as it is locked; in place: {', '.join(edited[:3])}{more} ({way} takes that)"
    )
