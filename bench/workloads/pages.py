"""Which bytes of a file are in the page cache: how to tell that a command read nothing of it, in whatever way.

Reading a file and touching a map of it both bring its pages into the cache. So: drop them, run the command, and
look whether one is back. Linux only; direct I/O would not be seen.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from workloads.shape import Check, Verdict

LARGE = 1 << 20


def drop(paths: Iterable[Path]) -> None:
    """Write back what is dirty of the files, and drop their pages from the cache."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


def resident(path: Path) -> int:
    """Bytes of a file's pages that are in the page cache. Raises `OSError`."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [
        ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long,
    ]  # fmt: skip
    libc.mincore.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p]
    libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    size = path.stat().st_size
    pages = ctypes.create_string_buffer(-(-size // mmap.PAGESIZE))
    descriptor = os.open(path, os.O_RDONLY)
    try:
        address = libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, descriptor, 0)
        if address == ctypes.c_void_p(-1).value:
            raise OSError(ctypes.get_errno(), "mmap")
        failed = libc.mincore(address, size, pages)
        number = ctypes.get_errno()
        libc.munmap(address, size)
        if failed:
            raise OSError(number, "mincore")
    finally:
        os.close(descriptor)
    return mmap.PAGESIZE * sum(byte & 1 for byte in pages.raw)


def kept(folder: Path) -> list[Path]:
    """The large files of the project's store."""
    store = folder / ".stepwell"
    found = [path for path in store.rglob("*") if path.is_file() and not path.name.startswith("store.db")]
    return [path for path in found if path.stat().st_size >= LARGE]


def reading_nothing(check: Check) -> Check:
    """Another check, with the fact "read": bytes of the store's large files that the command brought into the cache.

    Only where the files were out of it when the command began: behind `before=drop_kept`. Where the machine cannot
    tell, there is no such fact.
    """

    def wrapped(folder: Path, output: str) -> Verdict:
        facts: Mapping[str, float] = {}
        if sys.platform == "linux":
            files = kept(folder)
            if not files:
                return Verdict("no large file in the store")
            facts = {"read": float(sum(map(resident, files)))}
        verdict = check(folder, output)
        return verdict._replace(facts={**verdict.facts, **facts})

    return wrapped


def drop_kept(folder: Path) -> None:
    """Drop the pages of the store's large files from the cache (Linux)."""
    if sys.platform == "linux":
        drop(kept(folder))
