"""What an observed thing comes to now: the token of a file, a folder's listing, a probed path, a variable.

`worker.observe` writes down what a step read, each thing as a text; this says what such a text
comes to at this moment, so that comparing two tokens tells whether a result still stands:

    file PATH    content                `b3:…`, `absent`, `folder`, `other`, `unreadable`, `moving`
    kind PATH    existence              `absent`, `folder`, `file SIZE`, `other`, `unreadable`
    list PATH    names in a folder      `n:…`, `absent`, `file`, `other`, `unreadable`
    all PATH     names; sizes and times `a:…` and as for `list`: in place of more than 10,000 files of one folder,
                 of its files           and for folders of installed packages
    link PATH    where a link leads     `l:…`, or `absent`, `folder`, `file`, … where it is no link
    $NAME        a variable             `kernel.identity.token` of its value, of None where it is not set

PATH is relative to the project's root, or absolute. `list` and `all` may be followed by names that
do not count, each after U+001F. `ran PROGRAM`, `net HOST:PORT` and `$*` are merely noted: their
token is empty. `moving` is equal to nothing, not even to itself.
"""

from __future__ import annotations

import os
import stat
import time
from _blake2 import blake2b  # as `hashlib` has it, which loads OpenSSL first
from collections.abc import Collection, Iterable
from pathlib import Path

from stepwell.errors import EmptySource, UnreadableSource
from stepwell.kernel import identity
from stepwell.kernel.identity import MOVING
from stepwell.sources.memo import Memo, Memory

ABSENT, FOLDER, OTHER, UNREADABLE = "absent", "folder", "other", "unreadable"

EMPTY = "b3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
"""The token of a file without a byte."""

SEPARATOR = "\x1f"

UNLISTED = frozenset(("__pycache__", ".stepwell", ".git"))
"""Names that never count in a listing."""

METADATA = (".dist-info", ".egg-info")
"""How the folders end that say what is installed."""

_stat, _scandir, _readlink, _access = os.stat, os.scandir, os.readlink, os.access


class World:
    """Implements `kernel.ports.World` for this machine. `root` is the project's, `memo` keeps digests of files.

    Each token is found out once and kept in the object, until `forget`. Nothing here raises: what
    cannot be read has a token too. Only regular files are ever opened.
    """

    def __init__(self, root: str | Path, memo: Memo | None = None) -> None:
        self._root = os.path.abspath(root)
        self._memo: Memo = Memory() if memo is None else memo
        self._variables: dict[str, str] = {}
        self._places: dict[str, dict[str, str]] = {}

    def token(self, what: str) -> str:
        """What an observed thing comes to now."""
        if what.startswith("$"):
            known = self._variables.get(what)
            if known is None:
                known = self._variables[what] = variable(what[1:])
            return known
        kind, _, rest = what.partition(" ")
        if kind in ("ran", "net"):
            return ""
        path, *without = rest.split(SEPARATOR)
        place = self._place(path)
        tokens = self._places.setdefault(place, {})
        found = tokens.get(what)
        if found is None:
            found = tokens[what] = self._now(kind, place, without)
        return found

    def forget(self, paths: Iterable[str]) -> None:
        """Find out anew what these paths come to, the folders that contain them, and what is below them."""
        for path in paths:
            place = self._place(path)
            self._places.pop(place, None)
            above = os.path.dirname(place)
            while above != os.path.dirname(above):
                self._places.pop(above, None)
                above = os.path.dirname(above)
            status = status_of(place)
            if isinstance(status, str) or not stat.S_ISREG(status.st_mode):  # a folder that came or went
                below = place + os.sep
                for each in [each for each in self._places if each.startswith(below)]:
                    del self._places[each]

    def _place(self, path: str) -> str:
        return self._root if path == "." else os.path.join(self._root, path)

    def _now(self, kind: str, place: str, without: Collection[str]) -> str:
        if "\0" in place:
            return MOVING
        if kind == "file":
            from stepwell.worker import secrets  # much to load, and a recalled plan mostly looks at folders

            if secrets.is_named_file(place):
                return kind_of(status_of(place)).partition(" ")[0]
            return content(place, self._memo)
        if kind == "kind":
            return kind_of(status_of(place))
        if kind == "list":
            return listing(place, without)
        if kind == "all":
            return listing(place, without, deep=True)
        return link(place) if kind == "link" else MOVING


def variable(name: str) -> str:
    """The token of an environment variable; empty for `*`, which stands for all of them."""
    if name == "*":
        return ""
    from stepwell.worker import secrets

    value = os.environ.get(name)
    if value is not None and secrets.any_made():
        secrets.prepare(())
        value = secrets.masked(value)
    return secrets.variable_token(name, identity.variable_token(name, value))


def status_of(place: str) -> os.stat_result | str:
    """A path's status, links followed, or in a word why it has none."""
    try:
        return _stat(place)
    except (OSError, ValueError) as error:
        return why_not(error)


def why_not(error: Exception) -> str:
    """In a word why a path has no status."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return ABSENT
    return (
        UNREADABLE if isinstance(error, PermissionError) else OTHER
    )  # a loop of links, a name that is too long


def kind_of(status: os.stat_result | str) -> str:
    """The token of a path's existence."""
    if isinstance(status, str):
        return status
    if stat.S_ISREG(status.st_mode):
        return f"file {status.st_size}"
    return FOLDER if stat.S_ISDIR(status.st_mode) else OTHER


def content(place: str, memo: Memo) -> str:
    """The token of a file's content, from the memo where the file was left alone."""
    moment = time.time_ns()
    status = status_of(place)
    if isinstance(status, str) or not stat.S_ISREG(status.st_mode):
        return kind_of(status)
    if not status.st_size:
        return EMPTY
    from stepwell.sources import content as contents, files  # noqa: I001  # most processes read nothing

    try:
        return contents.digest_of(files.see_file(files.Place("/", place, place), status), memo, moment).digest
    except EmptySource:  # it became empty just now
        return EMPTY
    except UnreadableSource:
        return MOVING if _may_read(place) else gone_or_unreadable(place)


def _may_read(place: str) -> bool:
    """Whether this process may, as who it acts now."""
    return _access(place, os.R_OK, effective_ids=_access in os.supports_effective_ids)


def content_of(data: bytes) -> str:
    """The token of a file with these bytes."""
    from blake3 import blake3  # 4 ms, and most steps execute nothing of the kind

    return f"b3:{blake3(data).hexdigest()}"


def gone_or_unreadable(place: str) -> str:
    """The token of a file that could not be opened: somebody may have removed it just now."""
    status = status_of(place)
    return status if isinstance(status, str) else UNREADABLE


def listing(place: str, without: Collection[str] = (), *, deep: bool = False) -> str:
    """The token of a folder's names, and which of them are folders, or links to one; `deep`: also of its files' sizes and times."""
    skip = UNLISTED.union(without)
    try:
        with _scandir(place) as entries:
            lines = sorted([_line(entry, deep=deep) for entry in entries if entry.name not in skip])
    except OSError:
        found = kind_of(status_of(place))
        return "file" if found.startswith("file ") else UNREADABLE if found == FOLDER else found
    hasher = blake2b(b"stepwell names 1\n", digest_size=32)
    hasher.update(b"".join(lines))
    return f"{'a' if deep else 'n'}:{hasher.hexdigest()}"


def _line(entry: os.DirEntry[str], *, deep: bool) -> bytes:
    try:
        is_folder = entry.is_dir()
    except OSError:  # a loop of links
        is_folder = False
    mark = b"" if not is_folder else b"@/" if entry.is_symlink() else b"/"  # `rglob` and `walk` enter no link
    line = os.fsencode(entry.name) + mark + b"\0"
    # A package's folder changes when Python writes byte code below it; its metadata when it is installed anew.
    if deep and (not is_folder or entry.name.endswith(METADATA)):
        status = status_of(entry.path)
        times = status if isinstance(status, str) else f"{status.st_size} {status.st_mtime_ns}"
        line += times.encode() + b"\0"
    return line


def link(place: str) -> str:
    """The token of a link's target; of what is no link, that of its existence, without a size."""
    try:
        return f"l:{identity.digest(os.fsencode(_readlink(place)))}"
    except (OSError, ValueError):
        return kind_of(status_of(place)).partition(" ")[0]
