"""The files of a wheel, and the one archive that they make: the same files give the same bytes, whenever and wherever.

files = unpacked(path)                   # by name, without RECORD
data = packed(files, dist_info)          # sorted, RECORD written anew, one time for all, two modes
placed(path, data)                       # in a folder of wheels, under a name that nobody has

Bytes are the same on every machine whose zlib is the same; RECORD, which has the digest of every file, on all.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import hashlib
import io
import os
import shutil
import stat
import tempfile
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from stepwell.dist.wheels import read as read_wheel
from stepwell.errors import CannotRelease
from stepwell.stores import durable
from stepwell.stores.filesystem import refusal

TIME = (1980, 1, 1, 0, 0, 0)
"""When every file was changed: the earliest that an archive can say."""

LEVEL = 6

SIGNATURES = ("RECORD", "RECORD.jws", "RECORD.p7s")
"""Files of `.dist-info` that speak of the whole: they hold for one archive only."""


class Entry(NamedTuple):
    """A file in a wheel: its bytes, and whether it is a program."""

    data: bytes
    program: bool = False


Files = Mapping[str, Entry]
"""The files of a wheel by name."""


def unpacked(path: Path) -> dict[str, Entry]:
    """The files of a wheel that was read (`dist.wheels.read`) and so is known to be sound, without RECORD."""
    with zipfile.ZipFile(path) as archive:
        return {
            info.filename: Entry(archive.read(info), bool(info.external_attr >> 16 & stat.S_IXUSR))
            for info in archive.infolist()
            if not info.is_dir() and not _speaks_of_the_whole(info.filename)
        }


def packed(files: Files, dist_info: str) -> bytes:
    """The wheel of some files; `dist_info` is the name of the folder with METADATA. That comes last, as installers like it."""
    record = f"{dist_info}/RECORD"
    lines = [_line(name, files[name].data) for name in sorted(files)]
    whole = {**files, record: Entry("".join([*lines, f"{record},,\n"]).encode())}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in sorted(whole, key=lambda name: (name.startswith(f"{dist_info}/"), name == record, name)):
            archive.writestr(_info(name, program=whole[name].program), whole[name].data)
    return out.getvalue()


def placed(path: Path, data: bytes) -> bool:
    """Write a wheel under a name that nobody has, durably and whole or not at all; whether there was none.

    What was written is read with all care before it has its name. Raises `CannotRelease`, `DiskFull`, `StoreReadOnly`,
    and `BadWheel`, which would be a mistake of whoever packed it.
    """
    folder = path.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _clean(folder)
        aside = Path(tempfile.mkdtemp(prefix=PREFIX, dir=folder))
        held = os.open(aside, os.O_RDONLY)
        try:
            with contextlib.suppress(OSError):  # a file system without locks
                fcntl.flock(held, fcntl.LOCK_EX)
            beside = aside / path.name
            beside.write_bytes(data)
            beside.chmod(0o644)
            read_wheel(beside)
            durable.sync([os.fspath(beside)])
            durable.link(os.fspath(beside), os.fspath(path))
            durable.sync_folder(os.fspath(folder))
        except FileExistsError:
            return False
        finally:
            os.close(held)
            shutil.rmtree(aside, ignore_errors=True)
    except OSError as error:
        told = refusal(error, folder)
        if told.code != "E500":
            raise told from None
        raise CannotRelease(
            f"the wheel cannot be written into `{folder}`: {error.strerror or error}",
            fixes=["see that the folder may be written to", "stepwell release VERSION --out FOLDER"],
        ) from None
    return True


PREFIX = ".stepwell-"
"""What the folder is called in which a wheel is written before it has its name."""

AGE = 10.0
"""Seconds after which such a folder that nobody holds is one that a killed process left."""


def _clean(folder: Path) -> None:
    """Remove what processes left that were killed while they wrote a wheel."""
    for left in folder.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):  # somebody else was faster, or is at it
            if left.is_symlink() or time.time() - left.stat().st_mtime < AGE:
                continue
            held = os.open(left, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left)
            finally:
                os.close(held)


def _info(name: str, *, program: bool) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, TIME)
    info.create_system = 3  # Unix, where modes are
    info.external_attr = (stat.S_IFREG | (0o755 if program else 0o644)) << 16
    info.compress_type = zipfile.ZIP_DEFLATED
    info._compresslevel = LEVEL  # type: ignore[attr-defined]  # `compress_level` from Python 3.13 on
    return info


def _line(name: str, data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    quoted = '"' + name.replace('"', '""') + '"' if any(sign in name for sign in ',"') else name
    return f"{quoted},sha256={digest},{len(data)}\n"


def _speaks_of_the_whole(name: str) -> bool:
    folder, _, file = name.partition("/")
    return folder.endswith(".dist-info") and file in SIGNATURES
