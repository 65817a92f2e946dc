"""Files to a digest. A file that did not change is not read again.

The digest of one file is `b3:` and the BLAKE3 of its bytes; of several, of a listing of their
names and digests (`_listing`), so that a renamed file is a change.

What was read is remembered with size, mtime, ctime, inode and device. These say that a file is
unchanged only if it had been left alone for a while when it was read: an edit within the same
tick of the file system's clock leaves no trace. So, as in git, files younger than `MARGIN` are
never remembered, and are read again next time. One limit remains and is the system's: writes
through a shared memory map to a page that is dirty already do not touch a file's times.
"""

from __future__ import annotations

import os
import struct
from array import array
from collections.abc import Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

from stepwell.errors import EmptySource, UnreadableSource
from stepwell.sources.absent import unreadable
from stepwell.sources.address import printable
from stepwell.sources.files import FIELDS, Found, fields
from stepwell.sources.memo import Memo, key_for_path

if TYPE_CHECKING:
    from blake3 import blake3

MARGIN = 2_000_000_000
"""Nanoseconds for which a file must have been left alone: the coarsest file clock (FAT) and some skew."""

QUIET = 5_000_000_000
"""Nanoseconds after which a file is mapped to be hashed, 1.4 times as fast as reading. Not before:
if somebody truncates a mapped file, the whole process dies of SIGBUS."""

LARGE = 1 << 20
ATTEMPTS = 3
_CHUNK = 4 << 20
_NEVER = -1
"""In place of a mode in the table: never equal to a file's, so that it is read again."""


class _Table(NamedTuple):
    """What is known of the files of a listing: the place of each by name, status and digests by place."""

    places: dict[str, int]
    stats: array[int]
    digests: bytes


_NOTHING = _Table({}, array("q"), b"")


def digest_of(found: Found, memo: Memo, moment: int) -> str:
    """The digest of the files; `found.stats` are brought up to what was read.

    `moment` is the time (`time.time_ns`) before the files were looked up. Raises `EmptySource`
    and `UnreadableSource`.
    """
    refuse_empty(found)
    key = key_for_path(found.place if found.one or found.folder else found.place + "\0*")
    kept = memo.get("source", key)
    if kept is not None and len(kept) == 64 and kept[:32] == _signature(found):
        return f"b3:{kept[32:].hex()}"
    known = _NOTHING if found.one else _unpack(memo.get("source-files", key))
    digests = [_file(found, i, known, moment) for i in range(len(found.paths))]
    refuse_empty(found)
    digest = digests[0] if found.one else _listing(found, digests)
    if all(settled(found.stats[i : i + FIELDS], moment) for i in range(0, len(found.stats), FIELDS)):
        memo.put("source", key, _signature(found) + digest)
    if not found.one:
        memo.put("source-files", key, _pack(found, digests, moment))
    return f"b3:{digest.hex()}"


def listed(place: str, memo: Memo) -> bytes | None:
    """What `digest_of` kept of the folder or glob at `Found.place`: names, status and digests; None of a single file."""
    keys = (key_for_path(place), key_for_path(place + "\0*"))
    return next((table for key in keys if (table := memo.get("source-files", key)) is not None), None)


def differences(before: bytes | None, now: bytes | None) -> tuple[str, ...]:
    """How two tables of `listed` differ, file by file: "`a.csv` changed", "`b.csv` is new", "`c.csv` is gone"."""
    old, new = _unpack(before), _unpack(now)
    if not old.places or not new.places:
        return ()
    told = []
    for name in sorted({*old.places, *new.places}):
        was, has = _digest_in(old, name), _digest_in(new, name)
        if was != has:
            told.append(f"`{printable(name)}` {'is new' if not was else 'is gone' if not has else 'changed'}")
    return tuple(told)


def _digest_in(table: _Table, name: str) -> bytes:
    """The digest of a file in a table; empty where it is not in it."""
    place = table.places.get(name)
    return b"" if place is None else table.digests[place * 32 : (place + 1) * 32]


def settled(stats: Sequence[int], moment: int) -> bool:
    """Whether equal `stats` later will mean equal content: the last change was well before `moment`.

    An mtime well after `moment` is no obstacle: an edit would set it to the present.
    """
    _, _, mtime, ctime, _, _ = stats
    return ctime < moment - MARGIN and not moment - MARGIN <= mtime <= moment + MARGIN


def refuse_empty(found: Found) -> None:
    """Raise `EmptySource` where there are no files, or not a byte in them."""
    if not found.paths:
        raise EmptySource(
            f"source `{found.text}` is an empty folder",
            fixes=["put the data there", "give the folder that has them"],
        )
    if not found.size:
        what = "an empty file" if found.one else "nothing but empty files"
        raise EmptySource(
            f"source `{found.text}` is {what}",
            why="there is nothing in it to read; was writing it interrupted?",
            fixes=[f"make it again, then `ls -l {printable(found.paths[0])}`"],
        )


def _file(found: Found, i: int, known: _Table, moment: int) -> bytes:
    """The digest of one file, from the table of last time or by reading it."""
    stats, old = found.stats[i * FIELDS : (i + 1) * FIELDS], known.places.get(found.names[i])
    if old is not None and known.stats[old * FIELDS : (old + 1) * FIELDS] == stats:
        return known.digests[old * 32 : (old + 1) * 32]
    digest, read = hash_file(found.paths[i], found.text, moment)
    found.stats[i * FIELDS : (i + 1) * FIELDS] = read
    return digest


def hash_file(path: str, text: str, moment: int) -> tuple[bytes, array[int]]:
    """BLAKE3 of a file and its status while it was read, which did not change meanwhile."""
    for _ in range(ATTEMPTS):
        try:
            with open(path, "rb", buffering=0) as file:
                before = fields(os.fstat(file.fileno()))
                digest = _hash(file.fileno(), path, before, moment)
                after = fields(os.fstat(file.fileno()))
            if before == after == fields(os.stat(path)):
                return digest, before
        except OSError as error:
            raise unreadable(text, path, error) from None
    raise UnreadableSource(
        f"`{printable(path)}` keeps changing while it is read",
        why="a source must stay as it is for as long as it takes to read it",
        fixes=["wait until whatever writes it is finished", "take a copy, and use that as the source"],
    )


def _hash(descriptor: int, path: str, stats: Sequence[int], moment: int) -> bytes:
    from blake3 import blake3  # 4 ms, not needed where nothing changed

    _, size, mtime, ctime, _, _ = stats
    if size < LARGE:
        hasher = blake3()
        while data := os.read(descriptor, LARGE):
            hasher.update(data)
        return hasher.digest()
    hasher = blake3(max_threads=blake3.AUTO)
    if max(mtime, ctime) < moment - QUIET:
        hasher.update_mmap(path)
    else:
        _hash_in_chunks(descriptor, hasher)
    return hasher.digest()


def _hash_in_chunks(descriptor: int, hasher: blake3) -> None:
    buffer = memoryview(bytearray(_CHUNK))
    while count := os.readv(descriptor, [buffer]):
        hasher.update(buffer[:count])


def _listing(found: Found, digests: Sequence[bytes]) -> bytes:
    """The digest of several files: BLAKE3 of a header and, in order of names, length, name and digest of each.

    Links that lead back to themselves follow, with the text of their target instead of a digest, and
    then the names of empty folders.
    """
    from blake3 import blake3

    parts = [b"stepwell listing 1\n"]
    for name, digest in zip(found.names, digests, strict=True):
        raw = os.fsencode(name)
        parts.append(b"f" + struct.pack("<Q", len(raw)) + raw + digest)
    others = [(b"l", text) for loop in found.loops for text in loop] + [(b"d", name) for name in found.empty]
    for kind, text in others:
        raw = os.fsencode(text)
        parts.append(kind + struct.pack("<Q", len(raw)) + raw)
    return blake3(b"".join(parts)).digest()


def _signature(found: Found) -> bytes:
    """What all files look like from outside, in 32 bytes."""
    names = os.fsencode("\0".join(found.names)) + repr((found.loops, found.empty)).encode(
        "utf-8", "surrogatepass"
    )
    return blake2b(names + found.stats.tobytes(), digest_size=32).digest()


def _pack(found: Found, digests: Sequence[bytes], moment: int) -> bytes:
    """The table of a listing, one value for all files, since there may be 50,000."""
    stats = array("q", found.stats)
    for i in range(0, len(stats), FIELDS):
        if not settled(found.stats[i : i + FIELDS], moment):
            stats[i] = _NEVER
    names = os.fsencode("\0".join(found.names))
    body = b"".join([struct.pack("<Q", len(digests)), stats.tobytes(), *digests, names])
    return blake2b(body, digest_size=16).digest() + body


def _unpack(table: bytes | None) -> _Table:
    """What `_pack` packed; nothing if it is damaged."""
    if table is None or len(table) < 24 or blake2b(table[16:], digest_size=16).digest() != table[:16]:
        return _NOTHING
    count = struct.unpack_from("<Q", table, 16)[0]
    at = 24 + count * FIELDS * 8
    names = os.fsdecode(table[at + count * 32 :]).split("\0")
    places = {name: i for i, name in enumerate(names)}
    return _Table(places, array("q", table[24:at]), table[at : at + count * 32])
