"""A source as a lock has it, and nothing later: in place if that is still so, else from the store, else fetched by digest.

    now = pin_locked(locked, root=root, memo=memo, shelf=shelf, fetch=fetch)      # a `Pinned`, as `pin` gives it

Looked at in this order: the files in place (if their digest is the lock's), what the store keeps under that digest, and
`fetch`, which has blobs from elsewhere by their digests. The address itself is not asked again: it has what is there
now. Of a folder each file is looked for by itself. What was had is kept in the store.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from time import time_ns
from typing import NamedTuple

from stepwell.errors import FrozenGone, PlanError, StepwellError, StoreError
from stepwell.sources.address import LOCAL, Address, parse, printable, shown
from stepwell.sources.content import digest_of, files_of, listed, listing
from stepwell.sources.files import place_of, see
from stepwell.sources.kept import (
    Listing,
    NotListed,
    Shelf,
    adopt,
    discard,
    forget,
    is_kept,
    is_sound,
    keep,
    lay_out,
    listing_of,
    receive,
)
from stepwell.sources.memo import Memo
from stepwell.sources.pin import Pinned, copy_of, pinned, since_last

Fetch = Callable[[str, int], Path]
"""The verified file of a digest, of so many bytes (0: nobody knows). Raises `StepwellError` naming where it looked."""

MOST_TOLD = 3
"""Files that an error names."""


class Locked(NamedTuple):
    """A source as a lock has it.

    `digest` is `b3:…` of its content, `size` its bytes; `files`, of a folder, the digest of each by its relative name
    (empty also where there are too many for a lock); `position` where data that moves was when it was frozen.
    """

    uri: str
    digest: str
    size: int = 0
    files: Mapping[str, str] = {}
    position: Mapping[str, str] = {}


def pin_locked(
    locked: Locked, *, root: str | os.PathLike[str], memo: Memo, shelf: Shelf, fetch: Fetch | None = None
) -> Pinned:
    """The source with exactly the content that is locked. Raises `FrozenGone` naming every place that was looked at."""
    address = parse(locked.uri)
    live, told = _in_place(address, locked, root, memo)
    moved = live is None and bool(told) and address.kind in LOCAL
    found = live or copy_of(locked.uri, locked.digest, memo=memo, shelf=shelf)
    if found is None:
        search = _Search(locked, shelf, fetch, _live_files(address, root, memo), told)
        for careful in (
            False,
            True,
        ):  # what the store has is proven when it is laid out; doubted only if that fails
            search.have(careful=careful)
            found = found or copy_of(locked.uri, locked.digest, memo=memo, shelf=shelf)
    if found is None:
        raise _gone(locked, [*told, f"in the store, {shelf.folder}: what it keeps is something else"])
    found = since_last(found, root=root, memo=memo)
    edited = _edited(address, locked, root, memo, shelf) if moved else ()
    return found._replace(position=tuple(sorted(locked.position.items())), edited=edited)


def _in_place(
    address: Address, locked: Locked, root: str | os.PathLike[str], memo: Memo
) -> tuple[Pinned | None, list[str]]:
    """The source where it was, if it is as locked; else why not."""
    if address.kind not in LOCAL:
        return None, []
    moment = time_ns()
    try:
        seen = see(place_of(address, root))
        now = digest_of(seen, memo, moment)
    except PlanError as error:
        return None, [f"in place: {error.what}"]
    if now.digest != locked.digest:
        return None, [f"in place: it is {now.digest[:15]}… now"]
    return pinned(locked.uri, now, seen, moment), []


def _live_files(address: Address, root: str | os.PathLike[str], memo: Memo) -> dict[str, tuple[Path, str]]:
    """The files in place of a folder or glob, which `_in_place` has looked at: path and digest by relative name."""
    if address.kind not in LOCAL:
        return {}
    try:
        seen = see(place_of(address, root))
    except PlanError:
        return {}
    paths = dict(zip(seen.found.names, map(Path, seen.found.paths), strict=True))
    known = {} if seen.one else {name: one for name, _, one in files_of(listed(seen.place, memo))}
    return {name: (path, known[name]) for name, path in paths.items() if name in known}


class _Search:
    """Has the blobs of what is locked into the store: from the files in place, or fetched."""

    def __init__(
        self,
        locked: Locked,
        shelf: Shelf,
        fetch: Fetch | None,
        live: Mapping[str, tuple[Path, str]],
        told: Sequence[str],
    ) -> None:
        self._locked, self._shelf, self._fetch, self._live = locked, shelf, fetch, live
        self._told = list(told)

    def have(self, *, careful: bool) -> None:
        """Have all of it, laid out to be read; `careful`: what is there is hashed first, and had again if it is damaged.

        Raises `FrozenGone`, and what goes wrong with the store.
        """
        locked, shelf = self._locked, self._shelf
        found = self._listing(careful)
        if found is None:
            return
        if careful:
            forget(locked.digest, shelf)
        lacking = [name for name, one in found.files.items() if not self._has(name, one, careful)]
        if lacking:
            names = ", ".join(f"`{name}` ({found.files[name][:15]}…)" for name in lacking[:MOST_TOLD])
            more = f" and {len(lacking) - MOST_TOLD} more" if len(lacking) > MOST_TOLD else ""
            raise _gone(locked, self._told, f"of it {names}{more}")
        try:
            lay_out(locked.digest, found, shelf)
        except NotListed as error:
            raise _gone(locked, [f"its listing: {error}"]) from None

    def _listing(self, careful: bool) -> Listing | None:
        """The files of a folder; None of a single file, which is then in the store."""
        locked = self._locked
        if locked.files:
            names = sorted(locked.files)
            data = listing(names, [bytes.fromhex(locked.files[name][3:]) for name in names])
            if receive([data], self._shelf)[0] == locked.digest:
                return listing_of(data)
        if not self._has("", locked.digest, careful):
            raise _gone(locked, self._told)
        try:
            return listing_of(self._shelf.blob(locked.digest).read_bytes())
        except NotListed as error:
            if locked.files:
                raise _gone(locked, [f"its listing: {error}"]) from None
            return None

    def _has(self, name: str, digest: str, careful: bool) -> bool:
        """Whether a blob is in the store, now or after it was had from elsewhere; else `_told` says where it was not."""
        shelf = self._shelf
        if is_kept(digest, shelf):
            if not careful or is_sound(digest, shelf):
                return True
            discard(digest, shelf)
        path, live = self._live.get(name, (None, ""))
        if path is not None and live == digest and _kept_now(path, digest, shelf):
            return True
        self._tell(f"in the store, {shelf.folder}")
        if self._fetch is not None:
            try:
                adopt(
                    self._fetch(digest, self._locked.size if digest == self._locked.digest else 0),
                    digest,
                    shelf,
                )
            except StoreError:
                raise
            except StepwellError as error:
                self._tell(error.why or error.what)
                return False
            return True
        return False

    def _tell(self, text: str) -> None:
        if text not in self._told:
            self._told.append(text)


def _kept_now(path: Path, digest: str, shelf: Shelf) -> bool:
    """Copy a file in place into the store; gives whether it is still what it was."""
    try:
        return keep(path, shelf)[0] == digest
    except OSError:  # it cannot be read any more: then it is looked for elsewhere
        return False


def _edited(
    address: Address, locked: Locked, root: str | os.PathLike[str], memo: Memo, shelf: Shelf
) -> tuple[str, ...]:
    """In what the files in place differ from what is locked; nothing where there are none, or only rows were chosen."""
    try:
        seen = see(place_of(address, root))
    except PlanError:
        return ()
    if "by" in locked.position:
        return ()
    if seen.one:
        return (f"`{seen.text}` in place is another now",)
    live = {name: digest for name, (_, digest) in _live_files(address, root, memo).items()}
    then = locked.files or _kept_files(locked.digest, shelf)
    ranged = bool({"from", "until"} & locked.position.keys())
    told = []
    for name in sorted({*live, *then}):
        was, has = then.get(name, ""), live.get(name, "")
        if was != has and (was or not ranged):
            told.append(f"`{printable(name)}` {'is new' if not was else 'is gone' if not has else 'changed'}")
    return tuple(told)


def _kept_files(digest: str, shelf: Shelf) -> Mapping[str, str]:
    """The files of a kept folder that are too many for a lock."""
    try:
        return listing_of(shelf.blob(digest).read_bytes()).files
    except (NotListed, OSError):
        return {}


def _gone(locked: Locked, told: Iterable[str], of_it: str = "") -> FrozenGone:
    return FrozenGone(
        f"what is locked of `{shown(locked.uri)}` is nowhere to be had: {of_it or locked.digest[:15] + '…'}",
        why=f"looked for: {'; '.join(told)}",
        fixes=[
            "put it where it was, or make the place reachable that `release.store` of the manifest names",
            "STEPWELL_MIRRORS=ADDRESS names another place that has it",
            "stepwell lock --upgrade NAME takes what is there now",
        ],
    )
