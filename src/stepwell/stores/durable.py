"""What makes files durable, and copies them cheaply. Everything here raises `OSError`.

`sync` makes the content of some files durable, `sync_folders` the names in some folders: one by one
where they are few, and with one call for the whole file system where they are many, which is a
hundred times faster for a folder of a thousand files.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Collection, Iterator
from contextlib import suppress
from functools import cache

TYPE_CHECKING = False  # as type checkers know it: lists of runs do without `typing`
if TYPE_CHECKING:
    from typing import Any

BLOCK = 1 << 20
"""Bytes that are copied at a time where the kernel cannot do it."""

STRETCH = 32 << 20
"""Bytes that the kernel is asked to copy at a time."""

MANY = 16
"""Files from which on the whole file system is synced at once."""


def sync(paths: Collection[str]) -> None:
    """Make the content of files durable."""
    if len(paths) >= MANY and _sync_file_system(next(iter(paths))):
        return
    for path in paths:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def sync_folders(paths: Collection[str]) -> None:
    """Make the names in folders durable."""
    if len(paths) >= MANY and _sync_file_system(next(iter(paths))):
        return
    for path in paths:
        sync_folder(path)


def _sync_file_system(path: str) -> bool:
    """syncfs(2), where it can be trusted to report errors: Linux 5.8 and later."""
    call = _libc("syncfs") if _reports_errors() else None
    if call is None:
        return False
    import ctypes

    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if call(fd) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), path)
    finally:
        os.close(fd)
    return True


@cache
def _reports_errors() -> bool:
    release = os.uname().release.split(".")
    try:
        return sys.platform == "linux" and (int(release[0]), int(release[1])) >= (5, 8)
    except (ValueError, IndexError):
        return False


@cache
def _libc(name: str) -> Any:
    """A function of the C library, or None."""
    import ctypes  # only for large or many files

    found = getattr(ctypes.CDLL(None, use_errno=True), name, None)
    if found is not None and name == "sync_file_range":
        found.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
    return found


def sync_folder(path: str) -> None:
    """Make the names in a folder durable. Raises `OSError`; a system that cannot do it is let off."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(fd)


def replace(path: str | os.PathLike[str], data: bytes) -> None:
    """Give a file this content, whole or not at all: written beside it, made durable, then renamed. Keeps its mode."""
    target = os.path.realpath(path)
    folder, name = os.path.split(target)
    beside = os.path.join(folder, f".{name}.{os.getpid()}-{os.urandom(4).hex()}.new")
    try:
        fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        with open(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(fd)
        with suppress(FileNotFoundError):
            os.chmod(beside, stat.S_IMODE(os.stat(target).st_mode))
        os.rename(beside, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(beside)
        raise
    sync_folder(folder)


def link(temporary: str, path: str) -> None:
    """Give a file a second name that nobody has. Raises `FileExistsError`.

    Where there are no links the file is renamed: whatever it could replace has the same content.
    """
    try:
        os.link(temporary, path)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK):
            raise
        if os.path.exists(path):
            raise FileExistsError(errno.EEXIST, "exists", path) from None
        os.rename(temporary, path)


def copied(source: int, target: int) -> Iterator[tuple[int, int]]:
    """Copy what an open file holds to another, empty one: where each stretch begins that was copied, and its length.

    Not durable yet.
    """
    at = 0
    while count := _copy_stretch(source, target):
        yield at, count
        at += count


def share_blocks(old: int, new: int) -> bool:
    """FICLONE: a copy that costs nothing, on btrfs, XFS, APFS over Linux and the like. Whether it could be had."""
    import fcntl

    try:
        fcntl.ioctl(new, 0x40049409, old)
    except OSError:
        return False
    return True


def _copy_stretch(old: int, new: int) -> int:
    """Copy the next bytes inside the kernel where it can, else through a buffer; how many, 0 at the end."""
    copy = getattr(os, "copy_file_range", None)
    if copy is not None:
        try:
            if count := copy(old, new, STRETCH):
                return count  # type: ignore[no-any-return]
        except OSError as error:
            if error.errno not in (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
                raise
    # Some file systems (/proc, sysfs) give nothing this way: whatever is left comes by the buffer.
    block = os.read(old, BLOCK)
    view = memoryview(block)
    while view.nbytes:
        view = view[os.write(new, view) :]
    return len(block)


def begin_writeback(fd: int, start: int, count: int) -> None:
    """Ask the kernel to begin writing a range to the disk. Only a hint, and only on Linux."""
    call = _libc("sync_file_range")
    if call is not None:
        call(fd, start, count, 2)  # SYNC_FILE_RANGE_WRITE
