"""The files below a folder, or those that a pattern matches, by relative name and with their status.

Symbolic links are followed; one that leads back to where it is, is a loop, and not entered.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import NamedTuple

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


class Level(NamedTuple):
    """One folder of a walk: what precedes its entries' names, its path, its files, and the loops in it.

    `last`: there is no folder in it.
    """

    prefix: str
    path: str
    files: list[tuple[str, Status]]
    loops: list[str]
    last: bool = False


def below(text: str, top: str, fits: Fits | None = None, *, hidden: bool = True) -> Iterator[Level]:
    """A folder and all below it. `fits` chooses files by name, `hidden` whether hidden folders are entered.

    `trail` holds the real paths of the folders from which a link led here: a link to one of them,
    or to a folder above one of them, is a loop.
    """
    todo: list[tuple[str, str, tuple[str, ...]]] = [(top.rstrip("/"), "", ())]
    while todo:
        folder, prefix, trail = todo.pop()
        files, folders = _entries(text, folder, fits)
        loops: list[str] = []
        for name, link in folders:
            if name in LEFT_OUT or (name.startswith(".") and not hidden):
                continue
            path, above = f"{folder}/{name}", trail
            if link:
                above = (*trail, os.path.realpath(folder))
                target = os.path.realpath(path).rstrip("/") + "/"
                if any((real + "/").startswith(target) for real in above):
                    loops.append(name)
                    continue
            todo.append((path, f"{prefix}{name}/", above))
        yield Level(prefix, folder, files, loops, last=not folders)


def matching(text: str, folder: str, parts: list[str], prefix: str = "") -> Iterator[tuple[str, Status]]:
    """Files below a folder whose path matches the parts of a pattern; some come twice if `**` does."""
    part, rest = parts[0], parts[1:]
    if part == "**":
        while rest[:1] == ["**"]:
            rest = rest[1:]
        yield from _matching_deep(text, folder, prefix, rest or ["*"])
        return
    fits = _matcher(part)
    files, folders = _entries(text, folder, _no_file if rest else fits)
    for name, status in files:
        yield prefix + name, status
    for name, _ in folders if rest else ():
        if fits(name):
            yield from matching(text, f"{folder}/{name}", rest, f"{prefix}{name}/")


def _matching_deep(text: str, top: str, prefix: str, rest: list[str]) -> Iterator[tuple[str, Status]]:
    """What `**` matches: `rest` in this folder and in every one below, hidden ones left out."""
    last = len(rest) == 1
    for level in below(text, top, _matcher(rest[0]) if last else _no_file, hidden=False):
        inner = prefix + level.prefix
        if last:
            for name, status in level.files:
                yield inner + name, status
        else:
            yield from matching(text, level.path, rest, inner)


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
) -> tuple[list[tuple[str, Status]], list[tuple[str, bool]]]:
    """The files of a folder that fit, with their status, and its folders, with whether they are links.

    By the folder's descriptor, since a system call with a long path takes half as long again.
    """
    files: list[tuple[str, Status]] = []
    folders: list[tuple[str, bool]] = []
    at = folder
    try:
        descriptor = os.open(folder or "/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with os.scandir(descriptor) as entries:
                for entry in entries:
                    at = entry.name
                    if entry.is_dir():
                        folders.append((at, entry.is_symlink()))
                    elif fits is None or fits(at):
                        files.append((at, STATUS(entry.stat())))
        finally:
            os.close(descriptor)
    except OSError as error:
        raise lost(text, os.path.join(folder, at), error) from None
    return files, folders
