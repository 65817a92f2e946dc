"""The files of an index in a folder of this machine, or of a disk that several machines mount.

- A file gets its name when it is whole and durable: by `link`, which never overwrites, or by `rename`.
- "Replace if unchanged" compares and renames while this process holds the lock of `.lock` (flock(2)). The system
  gives the lock up when its holder dies, so nothing is ever left locked. Linux makes it a lock of the server on
  NFS; a mount with `local_lock` or `nolock` keeps it to one machine, and is the one place where two machines
  could both believe that they were first.
- Changes that belong together are all written down first and then renamed, one after the other, so that a full
  disk is met before anything has changed.
- What a process that was killed leaves in `.tmp/` is removed by the next one that writes.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import stat
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from stepwell.dist.channels.files import ABSENT, Change, Content
from stepwell.errors import ChannelsBusy, ChannelsUnusable, DiskFull, NoChannels, StepwellError
from stepwell.stores import durable

BLOCK = 1 << 20
"""Bytes that are read at a time."""

PATIENCE = 30.0
"""Seconds that the lock is waited for. It is held for some milliseconds."""

OLD = 86400.0
"""Seconds after which a file that was being created counts as left behind: no lock says that its maker is dead."""

_LOCK, _TEMPORARY = ".lock", ".tmp"
_SHORT, _LONG = "swap-", "new-"

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_FORBIDDEN = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
_UNLOCKABLE = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})


class LocalFiles:
    """Implements `files.Files` for a folder, which `make` creates. The token of a file is its SHA-256."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def where(self) -> str:
        """The folder's path."""
        return os.fspath(self.folder)

    def make(self) -> None:
        """Create the folder where it is not there."""
        try:
            os.makedirs(self.folder, exist_ok=True)
        except OSError as error:
            if error.errno in _FULL | _FORBIDDEN:
                raise self._refusal(error) from error
            raise ChannelsUnusable(
                f"the folder `{self.where}` cannot be made: {(error.strerror or str(error)).lower()}",
                why="something that is no folder has its name, or that of one above it",
                fixes=["take another folder"],
            ) from error

    # ------------------------------------------------------------------ reading

    def read(self, name: str) -> Content | None:
        """See `Files`."""
        blocks = self.blocks(name)
        if blocks is None:
            return None
        data = b"".join(blocks)
        return Content(data, _token(data))

    def blocks(self, name: str) -> Iterator[bytes] | None:
        """See `Files`."""
        with self._told():
            file = self._opened(name)
        return None if file is None else self._blocks(file)

    def names(self, below: str) -> list[str]:
        """See `Files`. What begins with a dot is nobody's business."""
        found = []
        with self._told():
            self._must_be_there()
            top = self._path(below) if below else os.fspath(self.folder)
            for folder, folders, files in os.walk(top, onerror=_raised):
                folders[:] = [name for name in folders if not name.startswith(".")]
                inside = os.path.relpath(folder, self.folder)
                prefix = "" if inside == "." else f"{inside}/"
                found += [f"{prefix}{name}" for name in files if not name.startswith(".")]
        return sorted(found)

    # ------------------------------------------------------------------ writing

    def create(self, name: str, blocks: Iterable[bytes]) -> bool:
        """See `Files`. The file can be read by all and written by nobody."""
        path = self._path(name)
        with self._told():
            self._must_be_there()
            if os.path.lexists(path):
                return False
            temporary = self._temporary(_LONG)
            try:
                _write(temporary, blocks, 0o444)
                with self._locked():
                    self._make_folder(path)
                    return _linked(temporary, path)
            finally:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(temporary)

    def replace(self, changes: Sequence[Change]) -> frozenset[str]:
        """See `Files`."""
        with self._told(), self._locked():
            self._sweep()
            if self._token_of(changes[0].name) != changes[0].unchanged:
                return frozenset(change.name for change in changes)
            staged = []
            for change in changes:
                temporary = self._temporary(_SHORT)
                self._make_folder(self._path(change.name))
                _write(temporary, [change.data], 0o666)
                staged.append(temporary)
            lost = {change.name for change in changes if self._token_of(change.name) != change.unchanged}
            for change, temporary in zip(changes, staged, strict=True):
                if change.name not in lost:
                    os.rename(temporary, self._path(change.name))
                    durable.sync_folder(os.path.dirname(self._path(change.name)))
            self._sweep()
            return frozenset(lost)

    def delete(self, name: str, unchanged: str) -> bool:
        """See `Files`. Folders that it leaves empty are removed too."""
        with self._told(), self._locked():
            if unchanged == ABSENT or self._token_of(name) != unchanged:
                return False
            path = self._path(name)
            os.unlink(path)
            durable.sync_folder(os.path.dirname(path))
            with contextlib.suppress(OSError):
                os.removedirs(os.path.dirname(path))
            return True

    # ------------------------------------------------------------------ inside

    def _path(self, name: str) -> str:
        """Where a name lies: always below the folder."""
        parts = name.split("/")
        if any(part in ("", ".", "..") or "\\" in part or "\0" in part for part in parts):
            raise ChannelsUnusable(
                f"`{name!r}` is not a name in an index", why="this is a bug", fixes=["report it"]
            )
        return os.path.join(self.folder, *parts)

    def _opened(self, name: str) -> int | None:
        try:
            # Without waiting: a named pipe that somebody put there would never be opened.
            file = os.open(self._path(name), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except (FileNotFoundError, NotADirectoryError):
            self._must_be_there()
            return None
        if not stat.S_ISREG(os.fstat(file).st_mode):
            os.close(file)
            raise OSError(errno.EINVAL, "it is not a file", self._path(name))
        return file

    def _blocks(self, file: int) -> Iterator[bytes]:
        with self._told():
            try:
                while block := os.read(file, BLOCK):
                    yield block
            finally:
                os.close(file)

    def _token_of(self, name: str) -> str:
        found = self.read(name)
        return ABSENT if found is None else found.token

    def _must_be_there(self) -> None:
        if not os.path.isdir(self.folder):
            raise NoChannels(
                f"there is no folder `{self.where}`",
                why="it was never made, was moved away, or its disk is not mounted",
                fixes=[
                    "mount the disk, or give the folder that has channels.json",
                    "stepwell channels --create",
                ],
            )

    def _make_folder(self, path: str) -> None:
        self._must_be_there()
        os.makedirs(os.path.dirname(path), exist_ok=True)

    def _temporary(self, kind: str) -> str:
        folder = os.path.join(self.folder, _TEMPORARY)
        os.makedirs(folder, exist_ok=True)
        return os.path.join(folder, f"{kind}{uuid.uuid4().hex}")

    def _sweep(self) -> None:
        """Remove what the dead left. While the lock is held, nobody but this process swaps files."""
        folder, now = os.path.join(self.folder, _TEMPORARY), time.time()
        with contextlib.suppress(FileNotFoundError):
            for entry in os.scandir(folder):
                if entry.name.startswith(_SHORT) or now - entry.stat().st_mtime > OLD:
                    os.unlink(entry.path)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self._must_be_there()
        path = os.path.join(self.folder, _LOCK)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            self._wait_for(file, path)
            yield
        finally:
            os.close(file)

    def _wait_for(self, file: int, path: str) -> None:
        until = time.monotonic() + PATIENCE
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except (BlockingIOError, PermissionError):
                if time.monotonic() > until:
                    raise ChannelsBusy(
                        f"another process has held `{path}` for {PATIENCE:.0f} s",
                        why="it is stopped, or its disk does not answer; nothing was changed",
                        fixes=[f"see who it is: fuser {path}", "then try again"],
                    ) from None
                time.sleep(0.01)
            else:
                return

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """What the system says, as an error of ours."""
        try:
            yield
        except OSError as error:
            raise self._refusal(error) from error

    def _refusal(self, error: OSError) -> StepwellError:
        said = (error.strerror or str(error)).lower()
        if error.errno in _FULL:
            return DiskFull(
                f"no room left on the disk that holds `{self.where}`",
                why="the disk, a quota or a file-size limit is full; nothing was changed",
                fixes=["make room, then do the same again"],
            )
        if error.errno in _FORBIDDEN:
            return ChannelsUnusable(
                f"`{error.filename or self.where}` is not yours to read or write: {said}",
                why="its folder belongs to somebody else, or its disk is mounted read-only; nothing was changed",
                fixes=[f"as somebody who may write to {self.where}: the same command"],
            )
        if error.errno in _UNLOCKABLE:
            return ChannelsUnusable(
                f"files of `{self.where}` cannot be locked: {said}",
                why="without locks two people could both believe that they moved a channel; nothing was changed",
                fixes=["put the index on a disk with locks (NFS: mounted without `nolock`)"],
            )
        self._must_be_there()
        return ChannelsUnusable(
            f"`{error.filename or self.where}` cannot be used: {said}",
            why="the system refused it; if it was a change, it was not made",
            fixes=["see that the disk is well, and that what lies there is a file"],
        )


def _raised(error: OSError) -> None:
    """For `os.walk`: a folder that is not there has nothing in it, everything else is told."""
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise error


def _token(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _write(path: str, blocks: Iterable[bytes], mode: int) -> None:
    """Write a new file and make its content durable."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        for block in blocks:
            view = memoryview(block)
            while view.nbytes:
                view = view[os.write(file, view) :]
        os.fsync(file)
    finally:
        os.close(file)


def _linked(temporary: str, path: str) -> bool:
    """Give a file the name that nobody has; whether it got it."""
    try:
        durable.link(temporary, path)
    except FileExistsError:
        # A server whose answer was lost is asked again, and says that the name is taken: by this very file.
        if not os.path.exists(temporary) or not os.path.samefile(temporary, path):
            return False
    durable.sync_folder(os.path.dirname(path))
    return True
