"""The files below a folder, or those that a pattern matches, by relative name and with their status.

Symbolic links are followed; one that leads back to where it is, is a loop, and not entered.

A folder's entries come in the order of the file system and stay packed (`Level`): of 50,000 unchanged files
nobody wants more than one comparison, and a system call each for their status costs as much as all the rest.
"""

from __future__ import annotations

import marshal
import os
from collections.abc import Callable, Iterator
from itertools import islice
from operator import attrgetter
from typing import NamedTuple, TypeVar

from stepwell.sources.absent import lost

LEFT_OUT = frozenset({".stepwell", "__pycache__"})
"""Folders that are never part of a source."""

Status = tuple[int, ...]
"""What a file looks like from outside: mode, size, mtime, ctime (nanoseconds), inode, device."""

STATUS: Callable[[os.stat_result], Status] = attrgetter(
    "st_mode", "st_size", "st_mtime_ns", "st_ctime_ns", "st_ino", "st_dev"
)

Fits = Callable[[str], bool]
"""Whether a name is wanted."""

CHUNK = 256
"""Entries of a folder that are looked at together: an entry holds its whole status for as long as it lives."""

_NAME: Callable[[os.DirEntry[str]], str] = attrgetter("name")

T = TypeVar("T")


class Level(NamedTuple):
    """One folder of a walk, packed: the same folder with the same files gives an equal level.

    `prefix` precedes its entries' names, `names` are those of the files, each followed by a zero byte,
    `stats` their status (`packed`, for up to `CHUNK` files each), `loops` the links that lead back to themselves,
    with their targets. `last`: there is no folder in it.
    """

    prefix: str
    names: str
    stats: tuple[bytes, ...]
    loops: tuple[tuple[str, str], ...] = ()
    last: bool = False

    def files(self) -> Iterator[tuple[str, Status]]:
        """The files, unpacked: name, and status."""
        status = (one for some in self.stats for one in marshal.loads(some))  # noqa: S302  what `packed` packed
        names = self.names.split("\0")[:-1]
        return zip((self.prefix + name for name in names), status, strict=True)


def packed(status: list[Status]) -> bytes:
    """The status of some files. In version 2, equal numbers always give equal bytes, on every Python."""
    return marshal.dumps(status, 2)


def below(
    text: str, top: str, fits: Fits | None = None, *, hidden: bool = True
) -> Iterator[tuple[str, Level]]:
    """A folder and all below it, each with its path. `fits` chooses files by name, `hidden` whether hidden folders are entered.

    `trail` holds the real paths of the folders from which a link led here: a link to one of them,
    or to a folder above one of them, is a loop.
    """
    todo: list[tuple[str, str, tuple[str, ...]]] = [(top.rstrip("/"), "", ())]
    while todo:
        folder, prefix, trail = todo.pop()
        names, stats, folders = _entries(text, folder, fits)
        loops: list[tuple[str, str]] = []
        for name, link in folders:
            if name in LEFT_OUT or (name.startswith(".") and not hidden):
                continue
            path, above = f"{folder}/{name}", trail
            if link:
                above = (*trail, os.path.realpath(folder))
                target = os.path.realpath(path).rstrip("/") + "/"
                if any((real + "/").startswith(target) for real in above):
                    loops.append((name, _target(text, path)))
                    continue
            todo.append((path, f"{prefix}{name}/", above))
        yield folder, Level(prefix, names, stats, tuple(loops), not folders)


def _target(text: str, link: str) -> str:
    try:
        return os.readlink(link)
    except OSError as error:  # somebody removed it just now
        raise lost(text, link, error) from None


def matching(text: str, folder: str, parts: list[str], prefix: str = "") -> Iterator[Level]:
    """Files below a folder whose path matches the parts of a pattern; some come twice if `**` does."""
    part, rest = parts[0], parts[1:]
    if part == "**":
        while rest[:1] == ["**"]:
            rest = rest[1:]
        yield from _matching_deep(text, folder, prefix, rest or ["*"])
        return
    fits = _matcher(part)
    names, stats, folders = _entries(text, folder, _no_file if rest else fits)
    if names:
        yield Level(prefix, names, stats)
    for name, _ in folders if rest else ():
        if fits(name):
            yield from matching(text, f"{folder}/{name}", rest, f"{prefix}{name}/")


def _matching_deep(text: str, top: str, prefix: str, rest: list[str]) -> Iterator[Level]:
    """What `**` matches: `rest` in this folder and in every one below, hidden ones left out."""
    last = len(rest) == 1
    for path, level in below(text, top, _matcher(rest[0]) if last else _no_file, hidden=False):
        inner = prefix + level.prefix
        if not last:
            yield from matching(text, path, rest, inner)
        elif level.names:
            yield Level(inner, level.names, level.stats)


def _no_file(_: str) -> bool:
    return False


def _matcher(part: str) -> Fits:
    """Whether a name fits one part of a pattern, as a shell sees it."""
    import re
    from fnmatch import translate

    fits = re.compile(translate(part)).match
    if part.startswith("."):
        return lambda name: fits(name) is not None
    return lambda name: not name.startswith(".") and fits(name) is not None


def _entries(
    text: str, folder: str, fits: Fits | None = None
) -> tuple[str, tuple[bytes, ...], list[tuple[str, bool]]]:
    """The files of a folder that fit, as in `Level`, and its folders, with whether they are links.

    By the folder's descriptor, since a system call with a long path takes half as long again.
    """
    names: list[str] = []
    stats: list[bytes] = []
    folders: list[tuple[str, bool]] = []
    try:
        descriptor = os.open(folder or "/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with os.scandir(descriptor) as entries:
                while some := list(islice(entries, CHUNK)):
                    are_folders = _each(text, folder, os.DirEntry.is_dir, some)
                    if True in are_folders or fits is not None:
                        pairs = list(zip(some, are_folders, strict=True))
                        folders += [(one.name, one.is_symlink()) for one, is_folder in pairs if is_folder]
                        some = [
                            one
                            for one, is_folder in pairs
                            if not is_folder and (fits is None or fits(one.name))
                        ]
                    stats.append(packed(list(map(STATUS, _each(text, folder, os.DirEntry.stat, some)))))
                    names += map(_NAME, some)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise lost(text, folder, error) from None
    return "\0".join([*names, ""]), tuple(stats), folders


def _each(
    text: str, folder: str, ask: Callable[[os.DirEntry[str]], T], entries: list[os.DirEntry[str]]
) -> list[T]:
    """What each entry answers. Raises `UnreadableSource` that names the one that cannot."""
    try:
        return list(map(ask, entries))
    except OSError:  # of which one? Those that have answered answer the same again
        answers = []
        for entry in entries:
            try:
                answers.append(ask(entry))
            except OSError as error:
                raise lost(text, os.path.join(folder, entry.name), error) from None
        return answers
