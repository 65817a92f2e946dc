"""Sources, pinned: `pin` when planning, `hold` and `check` around a step that reads one.

now = pin("data/flights.csv", root=root, memo=memo)       # what the plan rests on
held = hold(outside.uri, outside.digest, root=root, ...)  # in the worker: still the same? where is it?
value = load(outside.uri, outside.type, ..., files=held.files)
check(held, root=root, ...)                               # after the step: was it left alone?
remember(uri, digest, root=root, memo=memo)               # after the run: what `changed` compares with
"""

from __future__ import annotations

import os
from array import array
from functools import cache
from pathlib import Path
from time import time_ns
from typing import NamedTuple

from stepwell.errors import InputChanged, PlanError
from stepwell.sources import web
from stepwell.sources.address import Address, parse, shown
from stepwell.sources.content import differences, digest_of, listed, settled
from stepwell.sources.files import FIELDS, Found, find, place_of
from stepwell.sources.memo import Memo, Memory, key_for
from stepwell.sources.web import Shelf

_CONTENT = (1, 2, 4, 5)
"""Size, mtime, inode, device: fields of a status that a write changes, and `chmod` or a further link does not."""


class Pinned(NamedTuple):
    """A source as it is now.

    `digest` is `b3:…` of the content. `files` are absolute paths in the order of their names (one
    of a single file), `folder` the folder if the source is one. `changed`: it is not what it was when
    last used (`remember`). `stamp` is what the files look like from outside, `names` included,
    looked at after `moment`. `differs` says of each file of a listing that changed what became of it;
    the names are relative, those of empty folders at the end.
    """

    uri: str
    digest: str
    size: int
    files: tuple[str, ...]
    folder: str = ""
    changed: bool = False
    names: tuple[str, ...] = ()
    stamp: bytes = b""
    moment: int = 0
    differs: tuple[str, ...] = ()


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
        found, digest = web.pinned(address, memo, shelf or passing_shelf(), moment, refresh=refresh)
    else:
        found = find(place_of(address, root))
        digest = digest_of(found, memo, moment)
    used = _used_key(address, root)
    last = memo.get("source-used", used)
    changed = last is not None and last != digest.encode()
    pinned = _pinned(uri, digest, found, moment, changed=changed)
    if not changed or found.one:
        return pinned
    return pinned._replace(
        differs=differences(memo.get("source-used-files", used), listed(found.place, memo))
    )


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
) -> Pinned:
    """The source, in a worker, just before a step reads it. Raises `InputChanged` if it is not what was planned.

    Never fetches: a web address is taken from the store.
    """
    address, moment = parse(uri), time_ns()
    try:
        found = _again(address, digest, root, shelf)
        now = digest_of(found, memo if memo is not None else _memory, moment)
    except PlanError as error:
        raise _changed(uri, error.what) from None
    except FileNotFoundError:
        raise _changed(uri, "its copy is no longer in the store") from None
    if now != digest:
        raise _changed(uri, f"it was {digest[:15]}…, it is {now[:15]}…")
    return _pinned(uri, digest, found, moment)


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
        found = _again(address, held.digest, root, shelf)
        if (*found.names, *found.empty) != held.names:
            return False
        before = array("q", held.stamp)
        if found.stats == before:
            if all(settled(before[i : i + FIELDS], held.moment) for i in range(0, len(before), FIELDS)):
                return True
        elif any(found.stats[i::FIELDS] != before[i::FIELDS] for i in _CONTENT):
            return False
        return digest_of(found, memo if memo is not None else _memory, moment) == held.digest
    except (PlanError, FileNotFoundError):
        return False


@cache
def passing_shelf() -> Shelf:
    """A shelf that is gone when the process ends: for web addresses that are loaded outside of a run."""
    import atexit
    import shutil
    import tempfile

    folder = tempfile.mkdtemp(prefix="stepwell-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Shelf(Path(folder))


_memory = Memory()


def _again(address: Address, digest: str, root: str | os.PathLike[str], shelf: Shelf | None) -> Found:
    """The files of a source that was pinned before, without the network."""
    if address.kind == "web":
        return web.local(address, digest, shelf or passing_shelf())
    return find(place_of(address, root))


def _pinned(uri: str, digest: str, found: Found, moment: int, *, changed: bool = False) -> Pinned:
    files, names, stamp = tuple(found.paths), (*found.names, *found.empty), found.stats.tobytes()
    return Pinned(uri, digest, found.size, files, found.folder, changed, names, stamp, moment)


def _changed(uri: str, why: str) -> InputChanged:
    return InputChanged(
        f"source `{shown(uri)}` changed after it was planned",
        why=why,
        fixes=["run again when nothing writes to it any more"],
    )


def _used_key(address: Address, root: str | os.PathLike[str]) -> str:
    text = address.uri if address.kind != "path" else os.path.join(os.path.abspath(root), address.path)
    return key_for(shown(text) if address.kind == "web" else text)
