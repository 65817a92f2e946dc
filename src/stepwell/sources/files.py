"""Which files a source is now: one file, the matches of a glob, or a folder with everything below it.

The order is that of the relative names, whatever the file system says. Symbolic links are
followed; one that leads back to where it is counts as itself and is not entered. Byte code
(`__pycache__`) and the store (`.stepwell`) inside a folder are no part of it, everything else
is: hidden files, and files that nobody can read, which are an error. In a glob, `*` does not
match names that begin with a dot, `**` goes down any number of folders, and folders that match
do not count.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import NamedTuple

from stepwell.errors import BadSource, MissingSource, UnreadableSource, nearest
from stepwell.sources import package
from stepwell.sources.address import Address, is_glob, printable, shown

LEFT_OUT = frozenset({".stepwell", "__pycache__"})
FIELDS = 5
"""Numbers per file in `Found.stats`: size, mtime, ctime (nanoseconds), inode, device."""

_MASK = (1 << 63) - 1
_STATUS = attrgetter("st_mode", "st_size", "st_mtime_ns", "st_ctime_ns", "st_ino", "st_dev")

_Status = tuple[int, ...]
"""Type and permissions of a file, and then its `FIELDS`."""

_File = tuple[str, str, _Status]
"""A file's name, path and status."""

_Fits = Callable[[str], bool]
"""Whether a name is wanted."""


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
    back to themselves: (name, target). `place` identifies the source on this machine.
    """

    place: str
    text: str
    one: bool
    folder: str
    names: list[str]
    paths: list[str]
    stats: list[int]
    loops: tuple[tuple[str, str], ...] = ()

    @property
    def size(self) -> int:
        """The size of all files together."""
        return sum(self.stats[::FIELDS])


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
        raise missing(place) from None
    except OSError as error:
        raise unreadable(place.text, path, error) from None
    if stat.S_ISDIR(info.st_mode):
        return _folder(place)
    _only_files(place.text, path, info)
    return Found(path, place.text, True, "", [os.path.basename(path)], [path], fields(info))


def fields(info: os.stat_result) -> list[int]:
    """What of a file's status changes when its content does: `FIELDS` numbers below 2**63."""
    return [number & _MASK for number in _STATUS(info)[1:]]


def unreadable(text: str, path: str, error: OSError) -> UnreadableSource:
    """The error for a file or folder that the system does not let us read."""
    about = "" if printable(path) == text or path.endswith("/" + text) else f" of `{text}`"
    fixes = [f"ls -ld {_quoted(path)}"]
    if isinstance(error, PermissionError):
        fixes.insert(0, f"chmod u+r {_quoted(path)}")
    why = (error.strerror or str(error)).lower()
    return UnreadableSource(f"`{printable(path)}`{about} cannot be read", why=why, fixes=fixes)


def missing(place: Place) -> MissingSource:
    """The error for a path that is not there, with what it was most likely meant to be."""
    if os.path.islink(place.whole.rstrip("/")):
        target = printable(os.readlink(place.whole.rstrip("/")))
        return MissingSource(
            f"source `{place.text}` is a link to `{target}`, which does not exist",
            fixes=["make its target available (a mount, `dvc pull`, `git annex get`)"],
        )
    folder, wanted, rest = _first_missing(place)
    if not os.path.isdir(folder):
        return MissingSource(
            f"source `{place.text}` is not there",
            why=f"`{printable(folder)}` is a file, not a folder",
            fixes=[f"`{place.text.rstrip('/')}`, without the slash"] if not wanted.strip("/") else [],
        )
    close = nearest(wanted, _listed(folder))
    fixes = []
    if close is not None:
        written = place.text[: len(place.text) - len(printable(wanted + rest))] + printable(close + rest)
        fixes.append(f"did you mean `{written}`?")
    fixes.append(f"ls {_quoted(folder)}")
    what = "folder" if rest.strip("/") else "file or folder"
    return MissingSource(
        f"source `{place.text}` is not there",
        why=f"`{printable(folder)}` has no {what} `{printable(wanted)}`",
        fixes=fixes,
    )


def _first_missing(place: Place) -> tuple[str, str, str]:
    """The deepest folder of a path that exists, the name that is not in it, and what follows that."""
    folder, rest = place.base, place.path.lstrip("/")
    while True:
        name, slash, rest = rest.partition("/")
        path = os.path.join(folder, name)
        if not os.path.lexists(path) or not os.path.isdir(path):
            if slash and os.path.lexists(path) and not os.path.isdir(path):
                return path, rest, ""
            return folder, name, slash + rest
        folder = path
        if not rest:
            return folder, rest, ""


def _listed(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _quoted(path: str) -> str:
    from shlex import quote

    return quote(printable(path))


def _only_files(text: str, path: str, info: os.stat_result) -> None:
    """Refuse pipes, sockets and devices, which have no content that stays."""
    if not stat.S_ISREG(info.st_mode):
        kinds = {
            stat.S_IFIFO: "a pipe",
            stat.S_IFSOCK: "a socket",
            stat.S_IFCHR: "a device",
            stat.S_IFBLK: "a device",
        }
        kind = kinds.get(stat.S_IFMT(info.st_mode), "not a file")
        about = "" if path.endswith(text) else f" in `{text}`"
        raise UnreadableSource(
            f"`{printable(path)}`{about} is {kind}",
            why="a source must have content that can be read again",
            fixes=["write its content to a file first"],
        )


# --------------------------------------------------------------------------- folders


def _folder(place: Place) -> Found:
    files: list[_File] = []
    loops: list[tuple[str, str]] = []
    for name, path, status in _walk(place.text, place.whole):
        if isinstance(status, tuple):
            files.append((name, path, status))
        elif status:
            loops.append((name, os.readlink(path)))
    return _found(place, place.whole, files, loops)


def _found(place: Place, folder: str, files: list[_File], loops: list[tuple[str, str]]) -> Found:
    """What was found, in the order of the names."""
    files.sort()
    stats: list[int] = []
    for _, path, status in files:
        if not stat.S_ISREG(status[0]):
            _only_files(place.text, path, os.stat(path))
        stats += status[1:]
    if stats and not 0 <= min(stats) <= max(stats) <= _MASK:
        stats = [number & _MASK for number in stats]
    names, paths = [file[0] for file in files], [file[1] for file in files]
    return Found(place.whole, place.text, False, folder, names, paths, stats, tuple(sorted(loops)))


def _lost(text: str, path: str, error: OSError) -> UnreadableSource:
    """The error for an entry without a file: a link to nothing, or one that was just removed."""
    if isinstance(error, FileNotFoundError):
        if os.path.islink(path):
            return UnreadableSource(
                f"`{printable(path)}` of `{text}` is a link to `{printable(os.readlink(path))}`, which does not exist",
                fixes=[
                    "make its target available (a mount, `dvc pull`, `git annex get`)",
                    f"rm {_quoted(path)}",
                ],
            )
        return UnreadableSource(
            f"`{printable(path)}` of `{text}` disappeared while the files were listed",
            why="something is changing the source",
            fixes=["try again when it is finished"],
        )
    return unreadable(text, path, error)


def _walk(
    text: str, top: str, fits: _Fits | None = None, *, hidden: bool = True
) -> Iterator[tuple[str, str, _Status | bool]]:
    """Everything below a folder by relative name, and its path: of a file its status, of a folder whether it is a loop.

    `fits` and `hidden` choose files by their last name, and which folders are entered. `trail`
    holds the real paths of the folders from which a link led here: a link to one of them, or to a
    folder above one of them, is a loop.
    """
    todo: list[tuple[str, str, tuple[str, ...]]] = [(top.rstrip("/"), "", ())]
    while todo:
        folder, prefix, trail = todo.pop()
        files, folders = _entries(text, folder, fits)
        for last, status in files:
            yield prefix + last, f"{folder}/{last}", status
        for last, link in folders:
            if last in LEFT_OUT or (last.startswith(".") and not hidden):
                continue
            name, path, above = prefix + last, f"{folder}/{last}", trail
            if link:
                above = (*trail, os.path.realpath(folder))
                target = os.path.realpath(path).rstrip("/") + "/"
                if any((real + "/").startswith(target) for real in above):
                    yield name, path, True
                    continue
            yield name, path, False
            todo.append((path, name + "/", above))


def _entries(
    text: str, folder: str, fits: _Fits | None = None
) -> tuple[list[tuple[str, _Status]], list[tuple[str, bool]]]:
    """The files of a folder that fit, with their status, and its folders, with whether they are links.

    By the folder's descriptor, since a system call with a long path takes half as long again.
    """
    files: list[tuple[str, _Status]] = []
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
                        files.append((at, _STATUS(entry.stat())))
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _lost(text, os.path.join(folder, at), error) from None
    return files, folders


# --------------------------------------------------------------------------- globs


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
        raise missing(place._replace(path="/".join(parts)))
    matches = {
        name: (name, path, status) for name, path, status in _match(place.text, base, "", parts[fixed:])
    }
    if not matches:
        raise _no_match(place, base, parts[-1])
    return _found(place, "", list(matches.values()), [])


def _match(text: str, folder: str, prefix: str, parts: list[str]) -> Iterator[_File]:
    """Files below a folder whose path matches the parts of a pattern."""
    part, rest = parts[0], parts[1:]
    if part == "**":
        while rest[:1] == ["**"]:
            rest = rest[1:]
        yield from _match_deep(text, folder, prefix, rest or ["*"])
        return
    fits = _matcher(part)
    files, folders = _entries(text, folder, _no_file if rest else fits)
    for name, status in files:
        yield prefix + name, f"{folder}/{name}", status
    for name, _ in folders if rest else ():
        if fits(name):
            yield from _match(text, f"{folder}/{name}", f"{prefix}{name}/", rest)


def _match_deep(text: str, top: str, prefix: str, rest: list[str]) -> Iterator[_File]:
    """What `**` matches: `rest` in this folder and in every one below, hidden ones left out."""
    if len(rest) == 1:
        for name, path, status in _walk(text, top, _matcher(rest[0]), hidden=False):
            if isinstance(status, tuple):
                yield prefix + name, path, status
        return
    yield from _match(text, top, prefix, rest)
    for name, path, status in _walk(text, top, _no_file, hidden=False):
        if status is False:
            yield from _match(text, path, f"{prefix}{name}/", rest)


def _no_file(_: str) -> bool:
    return False


def _matcher(part: str) -> _Fits:
    """Whether a name fits one part of a pattern, as a shell sees it."""
    import re
    from fnmatch import translate

    fits = re.compile(translate(part)).match
    if part.startswith("."):
        return lambda name: fits(name) is not None
    return lambda name: not name.startswith(".") and fits(name) is not None


def _no_match(place: Place, base: str, last: str) -> MissingSource:
    """The error for a pattern without matches: what is there, and a suffix that was likely meant."""
    names = sorted(_listed(base))
    fixes = []
    stem, dot, suffix = last.rpartition(".")
    close = (
        nearest(suffix, {name.rpartition(".")[2] for name in names if "." in name}) if dot and stem else None
    )
    if close is not None and close != suffix:
        fixes.append(f"did you mean `{place.text.removesuffix(printable(suffix))}{printable(close)}`?")
    if names and all(os.path.isdir(os.path.join(base, name)) for name in names) and "**" not in place.path:
        fixes.append(
            f"`{place.text.removesuffix(printable(last))}**/{printable(last)}` looks into folders, too"
        )
    some = ", ".join(printable(name) for name in names[:5]) + (
        f" and {len(names) - 5} more" if len(names) > 5 else ""
    )
    return MissingSource(
        f"no file matches `{place.text}`",
        why=f"`{printable(base)}` holds {some}" if names else f"`{printable(base)}` is empty",
        fixes=[*fixes, f"ls {_quoted(base)}"],
    )
