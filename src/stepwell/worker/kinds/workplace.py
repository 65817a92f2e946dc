"""The folder of its own that a command runs in, and what it wrote elsewhere.

A folder is made for each execution, in the system's place for temporary files, and removed when what it
gave was stored. One that a killed process left is removed by the next one that makes one: it is locked
as long as its process lives.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

_NAME, _MAKING = "stepwell-command-", ".stepwell-command-"
_LOCK = "lock"

MOST = 5_000
"""Entries of a project that are looked at for what a command wrote there."""

_LEFT_OUT = frozenset(
    {".git", ".hg", ".stepwell", "__pycache__", "node_modules", ".venv", ".mypy_cache", ".pytest_cache"}
)

_swept = False


class Workplace:
    """A new folder, `path`, that nobody else writes to. `close` removes it."""

    def __init__(self) -> None:
        _sweep()
        made = Path(os.path.realpath(tempfile.mkdtemp(prefix=_MAKING)))
        self._lock = os.open(made / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Only now it has the name by which others look for what was left.
        self.path = made.with_name(_NAME + made.name.removeprefix(_MAKING))
        made.rename(self.path)

    def close(self) -> None:
        """Remove the folder with all that is in it."""
        _remove(self.path)
        with contextlib.suppress(OSError):
            os.close(self._lock)


def _remove(folder: Path) -> None:
    """Remove a folder, with parts that were made read-only, as far as that can be done."""

    def again(function: Callable[..., Any], path: str, error: object) -> None:
        with contextlib.suppress(OSError):
            if path != str(folder):  # the folder above it is everybody's
                os.chmod(os.path.dirname(path), 0o700)
            os.chmod(path, 0o700)
            function(path)

    shutil.rmtree(folder, onerror=again)


def _sweep() -> None:
    """Remove what processes of this user left that are gone; once a process."""
    global _swept  # it costs a listing of a folder that may be large  # noqa: PLW0603
    if _swept:
        return
    _swept = True
    with contextlib.suppress(OSError):
        for entry in os.scandir(tempfile.gettempdir()):
            if entry.name.startswith(_NAME) and entry.stat(follow_symlinks=False).st_uid == os.getuid():
                with contextlib.suppress(OSError):
                    lock = os.open(os.path.join(entry.path, _LOCK), os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
                    try:
                        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        _remove(Path(entry.path))
                    finally:
                        os.close(lock)


# --------------------------------------------------------------------------- what it wrote elsewhere


class Project:
    """The files of a project as they were before a command ran; `changed` says which are others after it.

    Only the first `MOST` of its files are looked at; tools' own folders (`.git`, caches) are left out.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._before = dict(_marks(root))

    def changed(self) -> list[str]:
        """The files that are new or were written to, relative to the root, sorted. Nobody says by whom."""
        return sorted(path for path, mark in _marks(self._root) if self._before.get(path) != mark)


def _marks(root: Path) -> Iterator[tuple[str, tuple[int, ...]]]:
    todo, left = [os.fspath(root)], MOST
    while todo:
        folder = todo.pop()
        try:
            entries = list(os.scandir(folder))
        except OSError:
            continue
        for entry in entries:
            if entry.name in _LEFT_OUT:
                continue
            try:
                found = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            if stat.S_ISDIR(found.st_mode):
                todo.append(entry.path)
                continue
            left -= 1
            if left < 0:
                return
            yield os.path.relpath(entry.path, root), (found.st_ino, found.st_size, found.st_mtime_ns)
