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

import marshal
import os
import stat
from _blake2 import blake2b  # as `hashlib` has it, which loads OpenSSL first
from array import array
from collections.abc import Iterable
from functools import cached_property
from itertools import chain
from typing import NamedTuple

from stepwell.errors import BadSource
from stepwell.sources.absent import missing, no_match, only_files, unreadable
from stepwell.sources.address import Address, is_glob, shown
from stepwell.sources.walk import STATUS, Level, below, matching, packed

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


class Seen:
    """What a source looks like now, in the order that the file system gives, which is cheap: nothing is sorted or joined.

    `place`, `text`, `one` and `folder` are those of `Found`, `base` is the folder below which the levels are.
    """

    def __init__(
        self, place: Place, levels: Iterable[Level], *, base: str, one: bool = False, folder: str = ""
    ) -> None:
        self.place, self.text = place.whole, place.text
        self.one, self.folder = one, folder
        self._base, self._levels = base, tuple(levels)

    @cached_property
    def signature(self) -> bytes:
        """What all files look like from outside, names and order included, in 32 bytes."""
        levels = marshal.dumps([tuple(level) for level in self._levels], 2)
        return blake2b(levels, digest_size=32).digest()

    @cached_property
    def found(self) -> Found:
        """The files in the order of their names. Raises `UnreadableSource` for what is no file."""
        table = {name: status for level in self._levels for name, status in level.files()}
        names = sorted(table)
        start = self._base.rstrip("/") + "/"
        paths = [start + name for name in names]
        stats = numbers(chain.from_iterable(map(table.__getitem__, names)))
        if not all(map(stat.S_ISREG, set(stats[::FIELDS]))):
            for path in paths:
                only_files(self.text, path, os.stat(path))
        loops = sorted((level.prefix + name, to) for level in self._levels for name, to in level.loops)
        return Found(
            self.place, self.text, self.one, self.folder, names, paths, stats, tuple(loops), self._empty()
        )

    def _empty(self) -> tuple[str, ...]:
        """The folders without anything in them."""
        levels = self._levels if self.folder else ()
        return tuple(
            sorted(
                level.prefix
                for level in levels
                if level.last and level.prefix and not level.names and not level.loops
            )
        )


def place_of(address: Address, root: str | os.PathLike[str]) -> Place:
    """Where a path or package address points. Raises `MissingSource` for a package that is not there."""
    text = shown(address.uri)
    if address.kind == "package":
        from stepwell.sources import package  # most sources are files

        bases = package.folders(address.package)
        holding = [base for base in bases if os.path.lexists(os.path.join(base, address.path))]
        return Place((holding or bases)[0], address.path, text)
    if os.path.isabs(address.path):
        return Place("/", address.path.lstrip("/") or ".", text)
    return Place(os.path.abspath(root), address.path, text)


def find(place: Place) -> Found:
    """The files at a place. Raises `MissingSource`, `UnreadableSource` or `BadSource`."""
    return see(place).found


def see(place: Place) -> Seen:
    """What a place looks like. Raises `MissingSource`, `UnreadableSource` or `BadSource`."""
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
        folder = _plain(path)
        return Seen(place, [level for _, level in below(place.text, folder)], base=folder, folder=folder)
    return see_file(place, info)


def see_file(place: Place, info: os.stat_result, path: str = "") -> Seen:
    """A single file whose status is known; `path` is where it is read, if not at its place.

    Raises `UnreadableSource` for what is no file.
    """
    only_files(place.text, place.whole, info)
    folder, name = os.path.split(path or _plain(place.whole))
    return Seen(place, (Level("", f"{name}\0", (packed([STATUS(info)]),)),), base=folder, one=True)


def _plain(path: str) -> str:
    """An absolute path without what says nothing (`/./`, `//`, a slash at the end), as paths are elsewhere; `..` may cross a link."""
    return "/" + "/".join(part for part in path.split("/") if part not in ("", "."))


def _glob(place: Place) -> Seen:
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
    levels = tuple(matching(place.text, base, parts[fixed:]))
    if not levels:
        raise no_match(place.text, base, parts[-1])
    return Seen(place, levels, base=base)


def numbers(status: Iterable[int]) -> array[int]:
    """Status numbers with 63 bits each; some file systems have inodes and times with more."""
    plain = tuple(status)
    try:
        return array("q", plain)
    except OverflowError:
        return array("q", [number & _MASK for number in plain])
