"""Sources, pinned: `pin` when planning (or `frozen.pin_locked`), `hold` and `check` around a step that reads one.

now = pin("data/flights.csv", root=root, memo=memo)       # what the plan rests on
held = hold(outside.uri, outside.digest, root=root, ...)  # in the worker: still the same? where is it?
value = load(outside.uri, outside.type, ..., files=held.files)
check(held, root=root, ...)                               # after the step: was it left alone?
unmoved(uri, (now.digest, now.facts), root=root)          # any time later: is it surely the same?
remember(uri, digest, root=root, memo=memo)               # after the run: what `changed` compares with
"""

from __future__ import annotations

import os
from functools import cache
from time import time_ns
from typing import TYPE_CHECKING, NamedTuple

from stepwell.errors import InputChanged, NotFrozen, PlanError
from stepwell.sources.address import LOCAL, MOVING, Address, file_in, parse, shown
from stepwell.sources.content import Digest, differences, digest_of, listed, settled
from stepwell.sources.files import FIELDS, Seen, place_of, see
from stepwell.sources.memo import Memo, Memory, key_for

if TYPE_CHECKING:
    from stepwell.sources.kept import Shelf

_CONTENT = (1, 2, 4, 5)
"""Size, mtime, inode, device: fields of a status that a write changes, and `chmod` or a further link does not."""


class Pinned(NamedTuple):
    """A source as it is now.

    `digest` is `b3:…` of the content, `size` its bytes. `changed`: it is not what it was when last used
    (`remember`). `seen` is what the files look like from outside, looked at after `moment`. `differs` says of
    each file of a listing that changed what became of it. `facts` are for `unmoved`; empty where the files
    changed too recently for it. `kept`: what is read is the store's copy, not what is in place. `position` is where
    data that was frozen was then, as the lock has it; `edited` says in what the files in place differ from it.
    """

    uri: str
    digest: str
    size: int
    seen: Seen
    moment: int = 0
    facts: bytes = b""
    changed: bool = False
    differs: tuple[str, ...] = ()
    kept: bool = False
    position: tuple[tuple[str, str], ...] = ()
    edited: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        """Absolute paths in the order of their names (one of a single file)."""
        return tuple(self.seen.found.paths)

    @property
    def place(self) -> str:
        """An address of the very files that are read: the source's own, or where the store's copy lies."""
        if not self.kept:
            return self.uri
        if self.seen.one:
            return self.files[0]
        return self.folder or f"{self.seen.place}/**/*"

    def address_of(self, name: str) -> str:
        """The address of one of the files by its relative name, whether it is in place or not; of a single file the source's own."""
        return self.uri if self.seen.one else file_in(self.uri, name, folder=bool(self.folder))

    @property
    def folder(self) -> str:
        """The folder, if the source is one."""
        return self.seen.folder

    @property
    def names(self) -> tuple[str, ...]:
        """The relative names of the files, and at the end those of empty folders."""
        return (*self.seen.found.names, *self.seen.found.empty)


def pin(
    uri: str,
    *,
    root: str | os.PathLike[str],
    memo: Memo,
    shelf: Shelf | None = None,
    refresh: bool = False,
) -> Pinned:
    """Look at a source and give its digest; unchanged files are not read again.

    `shelf` is where web addresses are kept (without one, until the process ends); `refresh` asks
    for them again. Raises `BadSource`, `MissingSource`, `UnreadableSource`, `EmptySource`,
    `SourceRefused`, `Offline`; `NotFrozen` for a bucket or a database; of a release what
    `dist.releases.used.pinned` raises.
    """
    address, moment = parse(uri), time_ns()
    refuse_moving(address)
    if address.kind == "release":
        from stepwell.plugins.registry import releases  # most sources are files

        found: Pinned = releases().pinned(address, memo, shelf or passing_shelf())
        return since_last(found, root=root, memo=memo)
    if address.kind == "web":
        from stepwell.sources import web  # most sources are files

        seen, now = web.pinned(address, memo, shelf or passing_shelf(), moment, refresh=refresh)
    else:
        seen = see(place_of(address, root))
        now = digest_of(seen, memo, moment)
    return since_last(pinned(uri, now, seen, moment, kept=address.kind == "web"), root=root, memo=memo)


def refuse_moving(address: Address) -> None:
    """Raises `NotFrozen` for what nothing can be read of before it is frozen."""
    if address.kind in MOVING:
        raise NotFrozen(
            f"`{shown(address.uri)}` has not been frozen",
            why="what a database or a bucket gives moves, so plans read what was frozen of it and the lock names",
            fixes=["stepwell freeze NAME, after [data.NAME] in the manifest"],
        )


def since_last(now: Pinned, *, root: str | os.PathLike[str], memo: Memo) -> Pinned:
    """A source with what changed since a run last used it (`remember`)."""
    used = _used_key(parse(now.uri), root)
    last = memo.get("source-used", used)
    changed = last is not None and last != now.digest.encode()
    differs: tuple[str, ...] = ()
    if changed and not now.seen.one:
        differs = differences(memo.get("source-used-files", used), listed(now.seen.place, memo))
    return now._replace(changed=changed, differs=differs)


def unmoved(
    uri: str,
    pinned: tuple[str, bytes],
    *,
    root: str | os.PathLike[str],
    memo: Memo | None = None,
    shelf: Shelf | None = None,
) -> bool:
    """Whether a source surely still has the content that it had: `pinned` is `Pinned.digest` and `Pinned.facts`.

    By the status of its files alone: nothing is read, nothing is fetched, nothing raised. False where anything
    looks different, or there are no facts; then `pin` says what it is now. For a web address `memo` and `shelf`
    are those of `pin`: True while the store has the copy that a plan would use.
    """
    digest, facts = pinned
    if not facts:
        return False
    try:
        address = parse(uri)
        if address.kind == "release":
            return False  # another may have been installed
        if address.kind == "web" and (memo is None or _copied(address, memo) != digest):
            return False
        return _again(address, digest, root, shelf, kept=address.kind not in LOCAL).signature == facts
    except (PlanError, FileNotFoundError):
        return False


def last_used(uri: str, *, root: str | os.PathLike[str], memo: Memo) -> str:
    """The digest with which a run last used a source (`remember`); "" where none did."""
    return (memo.get("source-used", _used_key(parse(uri), root)) or b"").decode()


def remember(uri: str, digest: str, *, root: str | os.PathLike[str], memo: Memo) -> None:
    """Note that a run used a source with this content: `Pinned.changed` compares with it from now on."""
    address = parse(uri)
    used, text = _used_key(address, root), digest.encode()
    if memo.get("source-used", used) == text:
        return
    memo.put("source-used", used, text)
    if address.kind in LOCAL:
        table = listed(place_of(address, root).whole, memo)
        if table is not None:
            memo.put("source-used-files", used, table)


def hold(
    uri: str,
    digest: str,
    *,
    root: str | os.PathLike[str],
    memo: Memo | None = None,
    shelf: Shelf | None = None,
    facts: bytes = b"",
) -> Pinned:
    """The source, in a worker, just before a step reads it. Raises `InputChanged` if it is not what was planned.

    Never fetches: a web address is taken from the store, and so is what was frozen. `facts` are those of the source
    when it was planned (`Pinned.facts`): as long as they hold, the files are not read again.
    """
    address, moment = parse(uri), time_ns()
    known, copied = memo if memo is not None else _memory, address.kind not in LOCAL
    why = "its copy is no longer in the store"
    try:
        seen = _again(address, digest, root, shelf, kept=copied)
        if facts and seen.signature == facts:
            return pinned(uri, Digest(digest, seen.found.size, lasting=True), seen, moment, kept=copied)
        if copied or shelf is None or not _is_kept(uri, digest, shelf):
            now = digest_of(seen, known, moment)
            if now.digest == digest:
                return pinned(uri, now, seen, moment, kept=copied)
            why = f"it was {digest[:15]}…, it is {now.digest[:15]}…"
    except PlanError as error:
        why = error.what
    except FileNotFoundError:
        pass
    found = None if copied or shelf is None else copy_of(uri, digest, memo=known, shelf=shelf, facts=facts)
    if found is None:
        raise _changed(uri, why)
    return found


def _is_kept(uri: str, digest: str, shelf: Shelf) -> bool:
    """Whether the store seems to keep what a source is under a digest; nothing is proven."""
    from stepwell.sources.kept import local

    try:
        return bool(local(parse(uri), digest, shelf))
    except (PlanError, FileNotFoundError):
        return False


def copy_of(uri: str, digest: str, *, memo: Memo, shelf: Shelf, facts: bytes = b"") -> Pinned | None:
    """What the store keeps of a source under a digest, proven to be that; None where it keeps nothing, or it is damaged."""
    from stepwell.sources.kept import local  # only of what was frozen

    moment = time_ns()
    try:
        seen = local(parse(uri), digest, shelf)
        if facts and seen.signature == facts:
            return pinned(uri, Digest(digest, seen.found.size, lasting=True), seen, moment, kept=True)
        now = digest_of(seen, memo, moment)
    except (PlanError, FileNotFoundError):
        return None
    return pinned(uri, now, seen, moment, kept=True) if now.digest == digest else None


def check(
    held: Pinned, *, root: str | os.PathLike[str], memo: Memo | None = None, shelf: Shelf | None = None
) -> bool:
    """Whether a source was left alone since it was looked at.

    A file that was written to meanwhile is a change even if its content is the old one again,
    since a step may have read what was there in between. A new ctime alone (`chmod`, a further
    link) is none, if the content is the same.
    """
    address, moment = parse(held.uri), time_ns()
    try:
        seen = _again(address, held.digest, root, shelf, kept=held.kept)
        if held.facts and seen.signature == held.facts:
            return True
        before, found = held.seen.found, seen.found
        if (found.names, found.loops, found.empty) != (before.names, before.loops, before.empty):
            return False
        if found.stats == before.stats:
            if settled(before.stats, held.moment):
                return True
        elif any(found.stats[i::FIELDS] != before.stats[i::FIELDS] for i in _CONTENT):
            return False
        return digest_of(seen, memo if memo is not None else _memory, moment).digest == held.digest
    except (PlanError, FileNotFoundError):
        return False


@cache
def passing_shelf() -> Shelf:
    """A shelf that is gone when the process ends: for web addresses that are loaded outside of a run."""
    import atexit
    import shutil
    import tempfile
    from pathlib import Path

    from stepwell.sources.kept import Shelf

    folder = tempfile.mkdtemp(prefix="stepwell-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Shelf(Path(folder))


_memory = Memory()


def _copied(address: Address, memo: Memo) -> str:
    """The digest of what a web address gave when it was last asked, or ""."""
    from stepwell.sources import web  # most sources are files

    return web.known(address, memo)


def _again(
    address: Address, digest: str, root: str | os.PathLike[str], shelf: Shelf | None, *, kept: bool
) -> Seen:
    """The files of a source that was pinned before, in place or (`kept`) in the store; without the network."""
    if kept:
        from stepwell.sources.kept import local  # most sources are files

        return local(address, digest, shelf or passing_shelf())
    return see(place_of(address, root))


def pinned(uri: str, now: Digest, seen: Seen, moment: int, *, kept: bool = False) -> Pinned:
    """A source whose files were looked at after `moment` and came to `now`."""
    return Pinned(uri, now.digest, now.size, seen, moment, seen.signature if now.lasting else b"", kept=kept)


def _changed(uri: str, why: str) -> InputChanged:
    return InputChanged(
        f"source `{shown(uri)}` changed after it was planned",
        why=why,
        fixes=["run again when nothing writes to it any more"],
    )


def _used_key(address: Address, root: str | os.PathLike[str]) -> str:
    text = address.uri if address.kind != "path" else os.path.join(os.path.abspath(root), address.path)
    return key_for(shown(text) if address.kind == "web" else text)
