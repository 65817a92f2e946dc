"""What a folder lies on, and what the system's errors mean there.

`kind_of` names the file system of a path; `is_local` says whether SQLite's shared memory and the
system's locks can be trusted on it. Only file systems known to be local count as local: on all
others the store is slower, and right.
"""

from __future__ import annotations

import errno
import os
import sys

from stepwell.errors import DiskFull, StepwellError, StoreError, StoreReadOnly, TooManyFiles

LOCAL = frozenset(
    [
        "apfs",
        "aufs",
        "bcachefs",
        "btrfs",
        "erofs",
        "exfat",
        "ext2",
        "ext3",
        "ext4",
        "f2fs",
        "hfs",
        "iso9660",
        "jfs",
        "msdos",
        "nilfs2",
        "ntfs",
        "ntfs3",
        "overlay",
        "overlayfs",
        "ramfs",
        "reiserfs",
        "rootfs",
        "squashfs",
        "tmpfs",
        "ufs",
        "vfat",
        "xfs",
        "zfs",
    ]
)
"""File systems of one machine. Everything else (nfs, cifs, smb3, fuse.*, lustre, gpfs, 9p, virtiofs) is not."""

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_READONLY = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
NO_MORE_FILES = frozenset({errno.EMFILE, errno.ENFILE})
"""What the system says where it opens no further file: for this process, or for any."""

_ENOUGH = 1024
"""Open files that suffice for as many workers as most machines have processors; most systems allow so many."""


def kind_of(path: str | os.PathLike[str]) -> str:
    """The name of the file system that holds a path ("ext4", "nfs4"), or "" where nobody can say."""
    real = os.path.realpath(path)
    try:
        if sys.platform == "darwin":
            return _kind_on_macos(real)
        with open("/proc/self/mounts", encoding="utf-8", errors="surrogateescape") as table:
            return _longest(real, table.read())
    except (OSError, AttributeError, ValueError):
        return ""


def is_local(kind: str) -> bool:
    """Whether a file system belongs to this machine alone."""
    return kind in LOCAL


def _longest(real: str, table: str) -> str:
    """The type of the mount point that is the longest prefix of a path; later lines cover earlier ones."""
    found, length = "", -1
    for line in table.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = _unescaped(fields[1])
        inside = real == point or real.startswith(point if point.endswith("/") else point + "/")
        if inside and len(point) >= length:
            found, length = fields[2], len(point)
    return found


def _unescaped(text: str) -> str:
    """A field of the mount table as it is: blanks are written there as octal numbers."""
    for code, plain in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, plain)
    return text


def _kind_on_macos(real: str) -> str:
    """`f_fstypename` of statfs(2), which Python does not offer: 72 bytes into the 64-bit structure."""
    import ctypes

    buffer = ctypes.create_string_buffer(4096)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.statfs(os.fsencode(real), buffer) != 0:
        return ""
    return buffer.raw[72:88].split(b"\0", 1)[0].decode("ascii", "replace")


def refusal(error: OSError, path: str | os.PathLike[str]) -> StepwellError:
    """The error to raise for one that the system gave while the store was written at `path`."""
    shown = os.fspath(path)
    if error.errno in _FULL:
        return disk_full(shown)
    if error.errno in _READONLY:
        return read_only(shown)
    if error.errno in NO_MORE_FILES:
        return too_many_files(error)
    return StoreError(
        f"the store at `{shown}` cannot be used: {error.strerror or error}",
        fixes=["see that the disk is well and the folder is there", "stepwell verify"],
    )


def disk_full(path: str) -> DiskFull:
    """What to raise where there is no room left."""
    return DiskFull(
        f"no room left on the disk that holds `{path}`",
        why="the disk, a quota or a file-size limit is full; nothing half-written is kept",
        fixes=[
            "make room, then run again: what was finished is kept",
            "stepwell gc    shows what the store can do without, and makes room also here",
            "STEPWELL_STORE=/a/larger/disk stepwell run",
        ],
    )


def too_many_files(error: OSError) -> TooManyFiles:
    """What to raise for an error with one of `NO_MORE_FILES`, whatever was to be opened."""
    fewest = "stepwell run --in-process    needs the fewest, without workers"
    if error.errno == errno.ENFILE:
        return TooManyFiles(
            "the system has no room for one more open file",
            why="all programs of this machine together have as many open as it allows",
            fixes=["end what keeps many files open, then the same command again", fewest],
        )
    allowed = os.sysconf("SC_OPEN_MAX")  # `resource` is a file of its own, which could not be opened either
    wanted = max(_ENOUGH, 2 * allowed)
    return TooManyFiles(
        "the limit of open files is too low",
        why=f"{allowed} may be open at once, and each worker takes some; what was finished is kept",
        fixes=[
            f"ulimit -n {wanted}    (in a new shell, if this one refuses), then the same command again",
            fewest,
        ],
    )


def read_only(path: str) -> StoreReadOnly:
    """What to raise where the store would have to be written and cannot be."""
    return StoreReadOnly(
        f"the store at `{path}` cannot be written",
        why="its folder belongs to somebody else, or its disk is mounted read-only",
        fixes=["STEPWELL_STORE=/a/folder/of/yours stepwell run"],
    )
