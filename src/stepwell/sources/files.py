"""Which files a source is now: one file, the matches of a glob, or a folder with everything below it.

The order is that of the relative names, whatever the file system says. Symbolic links are
followed; one that leads back to where it is counts as itself and is not entered. Byte code
(`__pycache__`) and the store (`.stepwell`) inside a folder are no part of it, everything else
is: hidden files, folders with nothing in them, by name, and files that nobody can read, which are
an error. In a glob, `*` does not
match names that begin with a dot, `**` goes down any number of folders, and folders that match
do not count.
"""

from __future__ import annotations

import os
import stat
from array import array
from collections.abc import Iterable
from itertools import chain
from typing import NamedTuple

from stepwell.errors import BadSource
from stepwell.sources import package
from stepwell.sources.absent import missing, no_match, only_files, unreadable
from stepwell.sources.address import Address, is_glob, shown
from stepwell.sources.walk import STATUS, Status, below, matching

FIELDS = 6
"""Numbers per file in `Found.stats`: mode, size, mtime, ctime (nanoseconds), inode, device."""

_MASK = (1 << 63) - 1


class Place(NamedTuple):
    """Where to look: a folder without wildcards, and a path or pattern below it. `text` is for people."""

    base: str
    path: str
    text: str

    @property
    def whole(self) -> str:
        """The absolute path."""
        return os.path.join(self.base, self.path)


class Found(NamedTuple):
    """The files that a source is now, sorted by name.

    `one`: it is a single file, not a listing of one. `folder` is the folder that it is, if it is
    one. `names` are relative, `stats` has `FIELDS` numbers per file, `loops` are links that lead
    back to themselves: (name, target). `empty` are the names of folders without anything in them,
    each with a slash at the end. `place` identifies the source on this machine.
    """

    place: str
    text: str
    one: bool
    folder: str
    names: list[str]
    paths: list[str]
    stats: array[int]
    loops: tuple[tuple[str, str], ...] = ()
    empty: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """The size of all files together."""
        return sum(self.stats[1::FIELDS])


def place_of(address: Address, root: str | os.PathLike[str]) -> Place:
    """Where a path or package address points. Raises `MissingSource` for a package that is not there."""
    text = shown(address.uri)
    if address.kind == "package":
        bases = package.folders(address.package)
        holding = [base for base in bases if os.path.lexists(os.path.join(base, address.path))]
        return Place((holding or bases)[0], address.path, text)
    if os.path.isabs(address.path):
        return Place("/", address.path.lstrip("/") or ".", text)
    return Place(os.path.abspath(root), address.path, text)


def find(place: Place) -> Found:
    """The files at a place. Raises `MissingSource`, `UnreadableSource` or `BadSource`."""
    path = place.whole
    try:
        info = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        if is_glob(place.path) and not os.path.lexists(path):
            return _glob(place)
        raise missing(*place) from None
    except OSError as error:
        raise unreadable(place.text, path, error) from None
    if stat.S_ISDIR(info.st_mode):
        return _folder(place)
    only_files(place.text, path, info)
    return Found(path, place.text, True, "", [os.path.basename(path)], [path], fields(info))


def fields(info: os.stat_result) -> array[int]:
    """What of a file's status changes when its content does: `FIELDS` numbers below 2**63."""
    return _numbers(STATUS(info))


def _folder(place: Place) -> Found:
    table: dict[str, Status] = {}
    loops: list[tuple[str, str]] = []
    empty: list[str] = []
    for level in below(place.text, place.whole):
        for name, status in level.files:
            table[level.prefix + name] = status
        loops += [(level.prefix + name, os.readlink(f"{level.path}/{name}")) for name in level.loops]
        if level.last and level.prefix and not level.files and not level.loops:
            empty.append(level.prefix)
    return _found(place, place.whole, place.whole, table, loops)._replace(empty=tuple(sorted(empty)))


def _glob(place: Place) -> Found:
    """The files that a pattern matches. Their names are relative to its part without wildcards."""
    parts = [part for part in place.path.split("/") if part not in ("", ".")]
    if place.path.endswith("/"):
        raise BadSource(
            f"`{place.text}` would match folders",
            why="a glob gives files",
            fixes=[f"`{place.text}**` for all files below"],
        )
    fixed = next(i for i, part in enumerate(parts) if is_glob(part))
    base = os.path.join(place.base, *parts[:fixed])
    if not os.path.isdir(base):
        raise missing(place.base, "/".join(parts), place.text)
    table = dict(matching(place.text, base, parts[fixed:]))
    if not table:
        raise no_match(place.text, base, parts[-1])
    return _found(place, base, "", table, [])


def _found(
    place: Place, base: str, folder: str, table: dict[str, Status], loops: list[tuple[str, str]]
) -> Found:
    """What was found below `base`, in the order of the names."""
    names = sorted(table)
    start = base.rstrip("/") + "/"
    paths = [start + name for name in names]
    stats = _numbers(chain.from_iterable(map(table.__getitem__, names)))
    if not all(map(stat.S_ISREG, set(stats[::FIELDS]))):
        for path in paths:
            only_files(place.text, path, os.stat(path))
    return Found(place.whole, place.text, False, folder, names, paths, stats, tuple(sorted(loops)))


def _numbers(status: Iterable[int]) -> array[int]:
    """Status numbers with 63 bits each; some file systems have inodes and times with more."""
    numbers = list(status)
    try:
        return array("q", numbers)
    except OverflowError:
        return array("q", [number & _MASK for number in numbers])
