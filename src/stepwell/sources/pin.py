"""Sources, pinned: `pin` when planning, `hold` and `check` around a step that reads one.

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

from stepwell.errors import InputChanged, PlanError
from stepwell.sources.address import Address, parse, shown
from stepwell.sources.content import Digest, differences, digest_of, listed, settled
from stepwell.sources.files import FIELDS, Seen, place_of, see
from stepwell.sources.memo import Memo, Memory, key_for

if TYPE_CHECKING:
    from stepwell.sources.web import Shelf

_CONTENT = (1, 2, 4, 5)
"""Size, mtime, inode, device: fields of a status that a write changes, and `chmod` or a further link does not."""


class Pinned(NamedTuple):
    """A source as it is now.

    `digest` is `b3:…` of the content, `size` its bytes. `changed`: it is not what it was when last used
    (`remember`). `seen` is what the files look like from outside, looked at after `moment`. `differs` says of
    each file of a listing that changed what became of it. `facts` are for `unmoved`; empty where the files
    changed too recently for it.
    """

    uri: str
    digest: str
    size: int
    seen: Seen
    moment: int = 0
    facts: bytes = b""
    changed: bool = False
    differs: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        """Absolute paths in the order of their names (one of a single file)."""
        return tuple(self.seen.found.paths)

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
    `SourceRefused`, `Offline`.
    """
    address, moment = parse(uri), time_ns()
    if address.kind == "web":
        from stepwell.sources import web  # most sources are files

        seen, now = web.pinned(address, memo, shelf or passing_shelf(), moment, refresh=refresh)
    else:
        seen = see(place_of(address, root))
        now = digest_of(seen, memo, moment)
    used = _used_key(address, root)
    last = memo.get("source-used", used)
    changed = last is not None and last != now.digest.encode()
    differs: tuple[str, ...] = ()
    if changed and not seen.one:
        differs = differences(memo.get("source-used-files", used), listed(seen.place, memo))
    return _pinned(uri, now, seen, moment)._replace(changed=changed, differs=differs)


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
        if address.kind == "web" and (memo is None or _copied(address, memo) != digest):
            return False
        return _again(address, digest, root, shelf).signature == facts
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
    if address.kind != "web":
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

    Never fetches: a web address is taken from the store. `facts` are those of the source when it was planned
    (`Pinned.facts`): as long as they hold, the files are not read again.
    """
    address, moment = parse(uri), time_ns()
    try:
        seen = _again(address, digest, root, shelf)
        if facts and seen.signature == facts:
            return _pinned(uri, Digest(digest, seen.found.size, lasting=True), seen, moment)
        now = digest_of(seen, memo if memo is not None else _memory, moment)
    except PlanError as error:
        raise _changed(uri, error.what) from None
    except FileNotFoundError:
        raise _changed(uri, "its copy is no longer in the store") from None
    if now.digest != digest:
        raise _changed(uri, f"it was {digest[:15]}…, it is {now.digest[:15]}…")
    return _pinned(uri, now, seen, moment)


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
        seen = _again(address, held.digest, root, shelf)
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

    from stepwell.sources.web import Shelf

    folder = tempfile.mkdtemp(prefix="stepwell-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Shelf(Path(folder))


_memory = Memory()


def _copied(address: Address, memo: Memo) -> str:
    """The digest of what a web address gave when it was last asked, or ""."""
    from stepwell.sources import web  # most sources are files

    return web.known(address, memo)


def _again(address: Address, digest: str, root: str | os.PathLike[str], shelf: Shelf | None) -> Seen:
    """The files of a source that was pinned before, without the network."""
    if address.kind == "web":
        from stepwell.sources import web  # most sources are files

        return web.local(address, digest, shelf or passing_shelf())
    return see(place_of(address, root))


def _pinned(uri: str, now: Digest, seen: Seen, moment: int) -> Pinned:
    return Pinned(uri, now.digest, now.size, seen, moment, seen.signature if now.lasting else b"")


def _changed(uri: str, why: str) -> InputChanged:
    return InputChanged(
        f"source `{shown(uri)}` changed after it was planned",
        why=why,
        fixes=["run again when nothing writes to it any more"],
    )


def _used_key(address: Address, root: str | os.PathLike[str]) -> str:
    text = address.uri if address.kind != "path" else os.path.join(os.path.abspath(root), address.path)
    return key_for(shown(text) if address.kind == "web" else text)
