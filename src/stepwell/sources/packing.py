"""One file to be read, unpacked on the way if its suffix says that it is packed."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import IO, NamedTuple, cast

from stepwell.errors import InputUnreadable
from stepwell.sources.address import printable

PACKED = (".gz", ".bz2", ".xz", ".zst", ".zip")
"""Suffixes of files that hold one other file, packed."""


_OPENERS = {"": "io", ".gz": "gzip", ".bz2": "bz2", ".xz": "lzma"}
"""Modules whose `open` packs and unpacks, by suffix."""


class File(NamedTuple):
    """A file to be read: `form` is its suffix (".csv"), `packing` the one behind it (".gz" or "")."""

    path: Path
    form: str
    packing: str

    def __str__(self) -> str:
        return f"`{printable(str(self.path))}`"

    def open(self) -> IO[bytes]:
        """The file opened for reading, unpacked."""
        if self.packing == ".zip":
            return _only_member(self.path)
        if self.packing == ".zst":
            module = "compression.zstd" if sys.version_info >= (3, 14) else "zstandard"
        else:
            module = _OPENERS[self.packing]
        return cast("IO[bytes]", import_module(module).open(self.path, "rb"))


@contextlib.contextmanager
def packed(path: Path, packing: str) -> Iterator[IO[bytes]]:
    """A new file to write to, which packs what it gets as its suffix says.

    Raises `KeyError` for a suffix that can only be read.
    """
    if packing == ".zip":
        from zipfile import ZIP_DEFLATED, ZipFile

        name = path.name.removesuffix(packing)
        with ZipFile(path, "w", ZIP_DEFLATED) as archive, archive.open(name, "w") as file:
            yield file
    else:
        with import_module(_OPENERS[packing]).open(path, "wb") as file:
            yield file


def packable(*formats: str) -> tuple[str, ...]:
    """The formats, and each of them packed: ".csv", ".csv.gz" and so on."""
    return (*formats, *(form + packed for form in formats for packed in PACKED))


def packing_of(name: str) -> str:
    """The suffix that says how a file is packed, or ""."""
    return next((packed for packed in PACKED if name.endswith(packed)), "")


def _only_member(path: Path) -> IO[bytes]:
    from io import BytesIO
    from zipfile import ZipFile

    with ZipFile(path) as archive:
        members = [member for member in archive.infolist() if not member.is_dir()]
        if len(members) != 1:
            raise InputUnreadable(
                f"`{printable(str(path))}` holds {len(members)} files, not one",
                why=", ".join(printable(member.filename) for member in members[:5]),
                fixes=[
                    "unpack it, and use the file or folder as the source",
                    "source(…, Path), and read it in the step",
                ],
            )
        return BytesIO(archive.read(members[0]))
