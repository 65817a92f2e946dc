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
from _blake2 import blake2b  # as `hashlib` has it, which loads OpenSSL first
from array import array
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from stepwell.errors import EmptySource, UnreadableSource
from stepwell.sources.absent import unreadable
from stepwell.sources.address import printable
from stepwell.sources.files import FIELDS, Found, Seen, numbers
from stepwell.sources.memo import Memo, key_for_path
from stepwell.sources.walk import STATUS, Status

if TYPE_CHECKING:
    from blake3 import blake3

MARGIN = 2_000_000_000
"""Nanoseconds for which a file must have been left alone: the coarsest file clock (FAT) and some skew."""

QUIET = 5_000_000_000
"""Nanoseconds after which a file is mapped to be hashed, 1.4 times as fast as reading. Not before:
if somebody truncates a mapped file, the whole process dies of SIGBUS."""

LARGE = 1 << 20
ATTEMPTS = 3
HEAD = b"stepwell listing 1\n"
"""How a listing begins."""

_CHUNK = 4 << 20
_NEVER = -1
"""In place of a mode in the table: never equal to a file's, so that it is read again."""


class _Table(NamedTuple):
    """What is known of the files of a listing: the place of each by name, status and digests by place."""

    places: dict[str, int]
    stats: array[int]
    digests: bytes


_KEPT = struct.Struct("<32s32sQ")
"""What is kept of a source that has settled: the signature of its files, their digest, and their size."""

_NOTHING = _Table({}, array("q"), b"")


class Digest(NamedTuple):
    """What files come to: `b3:…` of their content, and how many bytes they are.

    `lasting`: an equal `Seen.signature` at any later time will mean this content.
    """

    digest: str
    size: int
    lasting: bool


def digest_of(seen: Seen, memo: Memo, moment: int) -> Digest:
    """What the files come to; where any was read, `seen.found.stats` are brought up to what was read.

    `moment` is the time (`time.time_ns`) before the files were looked up. Raises `EmptySource`
    and `UnreadableSource`.
    """
    key = key_for_path(seen.place if seen.one or seen.folder else seen.place + "\0*")
    kept = memo.get("source", key)
    if kept is not None and len(kept) == _KEPT.size:
        signature, digest, size = _KEPT.unpack(kept)
        if signature == seen.signature:
            return Digest(f"b3:{digest.hex()}", size, lasting=True)
    found = seen.found
    refuse_empty(found)
    looked = found.stats[:]
    known = _NOTHING if found.one else _unpack(memo.get("source-files", key))
    digests = _digests(found, known, moment)
    refuse_empty(found)
    digest = digests[0] if found.one else _listing(found, digests)
    lasting = found.stats == looked and settled(found.stats, moment)
    if lasting:
        memo.put("source", key, _KEPT.pack(seen.signature, digest, found.size))
    if not found.one:
        memo.put("source-files", key, _pack(found, digests, moment))
    return Digest(f"b3:{digest.hex()}", found.size, lasting)


def listed(place: str, memo: Memo) -> bytes | None:
    """What `digest_of` kept of the folder or glob at `Found.place`: names, status and digests; None of a single file."""
    keys = (key_for_path(place), key_for_path(place + "\0*"))
    return next((table for key in keys if (table := memo.get("source-files", key)) is not None), None)


def files_of(table: bytes | None) -> Iterator[tuple[str, int, str]]:
    """The relative name, size in bytes and `b3:` digest of each file of a table of `listed`, by name."""
    known = _unpack(table)
    for name in sorted(known.places):
        place = known.places[name]
        yield name, known.stats[place * FIELDS + 1], f"b3:{_digest_in(known, name).hex()}"


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
    """Whether equal `stats` later will mean equal content: the last change of each file was well before `moment`.

    An mtime well after `moment` is no obstacle: an edit would set it to the present.
    """
    quiet = moment - MARGIN
    return all(ctime < quiet for ctime in stats[3::FIELDS]) and not any(
        quiet <= mtime <= moment + MARGIN for mtime in stats[2::FIELDS]
    )


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


def _digests(found: Found, known: _Table, moment: int) -> list[bytes]:
    """The digest of each file, from the table of last time or by reading it."""
    stats, digests = found.stats, []
    for i, name in enumerate(found.names):
        here, old = slice(i * FIELDS, (i + 1) * FIELDS), known.places.get(name)
        if old is not None and known.stats[old * FIELDS : (old + 1) * FIELDS] == stats[here]:
            digests.append(known.digests[old * 32 : (old + 1) * 32])
        else:
            digest, status = hash_file(found.paths[i], found.text, moment)
            stats[here] = numbers(status)
            digests.append(digest)
    return digests


def hash_file(path: str, text: str, moment: int) -> tuple[bytes, Status]:
    """BLAKE3 of a file and its status while it was read, which did not change meanwhile."""
    for _ in range(ATTEMPTS):
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                before = STATUS(os.fstat(descriptor))
                digest = _hash(descriptor, before, moment)
                after = STATUS(os.fstat(descriptor))
            finally:
                os.close(descriptor)
        except OSError as error:
            raise unreadable(text, path, error) from None
        if before == after:
            return digest, before
    raise UnreadableSource(
        f"`{printable(path)}` keeps changing while it is read",
        why="a source must stay as it is for as long as it takes to read it",
        fixes=["wait until whatever writes it is finished", "take a copy, and use that as the source"],
    )


def _hash(descriptor: int, status: Status, moment: int) -> bytes:
    from blake3 import blake3  # 4 ms, not needed where nothing changed

    _, size, mtime, ctime, _, _ = status
    if size < LARGE:
        data = os.read(descriptor, size + 1)
        hasher = blake3(data)
        if len(data) != size:  # it has grown, or is of a file system that does not know sizes
            _hash_in_chunks(descriptor, hasher)
        return hasher.digest()
    hasher = blake3(max_threads=blake3.AUTO)
    if max(mtime, ctime) < moment - QUIET:
        from mmap import ACCESS_READ, mmap

        with mmap(
            descriptor, 0, access=ACCESS_READ
        ) as mapped:  # not by its path, where another file may be by now
            hasher.update(mapped)
    else:
        _hash_in_chunks(descriptor, hasher)
    return hasher.digest()


def _hash_in_chunks(descriptor: int, hasher: blake3) -> None:
    buffer = memoryview(bytearray(_CHUNK))
    while count := os.readv(descriptor, [buffer]):
        hasher.update(buffer[:count])


def _listing(found: Found, digests: Sequence[bytes]) -> bytes:
    """The digest of several files: BLAKE3 of their listing."""
    from blake3 import blake3

    return blake3(listing(found.names, digests, found.loops, found.empty)).digest()


def listing(
    names: Sequence[str],
    digests: Sequence[bytes],
    loops: Sequence[tuple[str, str]] = (),
    empty: Sequence[str] = (),
) -> bytes:
    """What the digest of several files is made of: a header and, in order of names, length, name and digest of each.

    Links that lead back to themselves (`loops`) follow, with the text of their target instead of a digest, and
    then the names of empty folders.
    """
    parts = [HEAD]
    for name, digest in zip(names, digests, strict=True):
        raw = os.fsencode(name)
        parts.append(b"f" + struct.pack("<Q", len(raw)) + raw + digest)
    others = [(b"l", text) for loop in loops for text in loop] + [(b"d", name) for name in empty]
    for kind, text in others:
        raw = os.fsencode(text)
        parts.append(kind + struct.pack("<Q", len(raw)) + raw)
    return b"".join(parts)


def _pack(found: Found, digests: Sequence[bytes], moment: int) -> bytes:
    """The table of a listing, one value for all files, since there may be 50,000."""
    stats = found.stats[:]
    if not settled(stats, moment):
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
