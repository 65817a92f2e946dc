"""What a wheel says about itself, read with care for archives that were made to deceive or to harm.

    wheel = read(Path("dist/churn-1.4.0-py3-none-any.whl"))
    wheel.project, wheel.version, wheel.sha256      # "churn", "1.4.0", "sha256:b6b2…"

Every reader of a zip file sees the same files in a wheel that passes here: its directory is at the very end, with
nothing before the first file, behind the last one, or twice; no two entries share bytes. Names cannot leave the folder
that they are unpacked to, sizes are those of an honest archive, there is one `.dist-info`, its METADATA agrees
with the name of the file, and its RECORD with the content of every file. Installers check little of this
(pip and uv install wheels whose RECORD is wrong), so whoever promotes a wheel does.

Nothing is unpacked to the disk. The formats are "Binary distribution format" and "Core metadata specifications"
(packaging.python.org).
"""

from __future__ import annotations

import base64
import csv
import email.message
import email.parser
import hashlib
import io
import os
import re
import stat
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, NamedTuple

from stepwell.dist.names import project, shown
from stepwell.dist.versions import parsed
from stepwell.errors import BadReleaseName, BadWheel

BLOCK = 1 << 20
"""Bytes that are read at a time."""

LARGEST = (1 << 32) - 1
"""Bytes of a wheel. pip cannot install larger ones."""

DIRECTORY = 64 << 20
"""Bytes of the directory of an archive: it is read at once."""

FREE = 64 << 20
"""Bytes of content that an archive may have however small it is itself."""

RATIO = 50
"""Times its own size that the content of a larger archive may have, which is what PyPI takes."""

LARGEST_METADATA = 10 << 20
"""Bytes of METADATA or WHEEL."""

_END = struct.Struct("<4s4H2LH")
"""The end of a zip file's directory (APPNOTE 4.3.16), which is the end of the file where there is no comment."""

_LOCAL = struct.Struct("<4s5H3L2H")
"""What precedes an entry's name and content (APPNOTE 4.3.7)."""

_DESCRIPTOR = 0x8
"""The flag of an entry whose checksum and sizes follow its content, and how many bytes these take at most."""

_LONGEST_DESCRIPTOR = 24

_UTF8 = 0x800
"""The flag of an entry whose name is UTF-8."""

_FILE_NAME = re.compile(
    r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._]*[A-Za-z0-9])?)-(?P<version>[A-Za-z0-9.!+_]+)(?:-(?P<build>[0-9][A-Za-z0-9._]*))?"
    r"-(?P<python>[A-Za-z0-9._]+)-(?P<abi>[A-Za-z0-9._]+)-(?P<platform>[A-Za-z0-9._]+)\.whl"
)

_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    NotImplementedError,
    EOFError,
    OverflowError,
    RuntimeError,
    ValueError,
)
"""What `zipfile` raises on archives that it cannot read."""


class FileName(NamedTuple):
    """What the name of a wheel's file says: the project as PEP 503 spells it, and the version as PEP 440 does."""

    project: str
    version: str


class Wheel(NamedTuple):
    """What a wheel is, from its own bytes.

    `file` is its file name, `name` the project as its metadata spells it, `project` and `version` in their one
    spelling, `requires_python` a specifier or "". `sha256` is "sha256:" and 64 hexadecimal digits, `size` in bytes.
    `metadata` are the bytes of METADATA, `dist_info` the folder it is in, `names` all files in the archive's order.
    """

    file: str
    project: str
    name: str
    version: str
    requires_python: str
    sha256: str
    size: int
    metadata: bytes
    dist_info: str
    names: tuple[str, ...]


def read(path: Path) -> Wheel:
    """Read a wheel. Raises `BadWheel`, which says what is wrong with it."""
    try:
        # A named pipe would be waited for.
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise BadWheel(f"`{path}` is not a file", fixes=["give the path of a .whl file"])
        with open(path, "rb") as file:
            return read_open(file, path.name)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise BadWheel(
            f"`{path}` cannot be read", why=why.lower(), fixes=["give the path of a .whl file"]
        ) from error


def read_open(file: BinaryIO, name: str) -> Wheel:
    """Read a wheel from an open file, which is left open. `name` is its file name. Raises `BadWheel`, `OSError`."""
    said = file_name(name)
    digest, size = _hashed(file)
    if size > LARGEST:
        raise _bad(name, f"it has {size} bytes; pip installs wheels up to {LARGEST}")
    start = _directory_start(file, size, name)
    file.seek(0)
    try:
        with zipfile.ZipFile(file) as archive:
            infos = archive.infolist()
            _check_entries(file, infos, start, size, name)
            folder = _dist_info(infos, said, name)
            metadata = _small(archive, f"{folder}/METADATA", name)
            _check_wheel_file(_small(archive, f"{folder}/WHEEL", name), name)
            _check_record(archive, infos, folder, name)
    except _UNREADABLE as error:
        raise _bad(name, f"it cannot be unpacked: {error}") from error
    fields = _fields(metadata, said, name)
    return Wheel(
        name,
        said.project,
        fields["Name"],
        said.version,
        fields["Requires-Python"],
        f"sha256:{digest}",
        size,
        metadata,
        folder,
        tuple(info.filename for info in infos),
    )


def file_name(name: str) -> FileName:
    """What the name of a wheel's file says. Raises `BadWheel`."""
    found = _FILE_NAME.fullmatch(name) if len(name) <= 255 else None
    if found is None:
        raise BadWheel(
            f"{shown(name)} is not the name of a wheel",
            why="it is PROJECT-VERSION-PYTHON-ABI-PLATFORM.whl, and installers take what it says for true",
            fixes=["give it back the name that it was built with, like churn-1.4.0-py3-none-any.whl"],
        )
    try:
        return FileName(project(found["name"]), parsed(found["version"].replace("_", "-")).text)
    except BadReleaseName as error:
        raise _bad(name, error.what) from error


def _bad(name: str, why: str) -> BadWheel:
    return BadWheel(f"the wheel {shown(name)} cannot be used", why=why, fixes=["build it again"])


def _hashed(file: BinaryIO) -> tuple[str, int]:
    """SHA-256 in hexadecimal digits, and size."""
    digest, size = hashlib.sha256(), 0
    file.seek(0)
    while block := file.read(BLOCK):
        digest.update(block)
        size += len(block)
    return digest.hexdigest(), size


# --------------------------------------------------------------------------- the archive


def _directory_start(file: BinaryIO, size: int, name: str) -> int:
    """Where the directory begins: it must reach to the end of the file, so that there is only one way to find it."""
    if size < _END.size:
        raise _bad(name, "it is not a zip file")
    file.seek(size - _END.size)
    mark, disk, first, here, entries, length, start, comment = _END.unpack(file.read(_END.size))
    if mark != b"PK\x05\x06" or comment:
        raise _bad(name, "it is not a zip file, or something follows the end of it")
    if disk or first or here != entries or entries == 0xFFFF or 0xFFFFFFFF in (length, start):
        raise _bad(name, "its directory is in several parts, or has more than 65,534 files")
    if length > DIRECTORY or start + length + _END.size != size:
        raise _bad(name, "its directory is not where its end says")
    return start


def _check_entries(file: BinaryIO, infos: list[zipfile.ZipInfo], start: int, size: int, name: str) -> None:
    """Names, kinds, sizes and places of all entries. `start`: where the directory begins."""
    for info in infos:
        _check_entry(info, name)
    twice = [entry for entry, count in Counter(info.filename for info in infos).items() if count > 1]
    if twice:
        raise _bad(name, f"it has {shown(twice[0])} twice, and installers differ in which one they take")
    total = sum(info.file_size for info in infos)
    if total > max(FREE, RATIO * size):
        raise _bad(name, f"its {size} bytes would unpack to {total}")
    end, descriptor = 0, 0
    for info in sorted(infos, key=lambda info: info.header_offset):
        if not end <= info.header_offset <= end + descriptor:
            raise _bad(
                name,
                f"the bytes of {shown(info.filename)} are those of another file too, or hidden ones precede it",
            )
        end, descriptor = _end_of(file, info, name)
    if not end <= start <= end + descriptor:
        raise _bad(name, "between its last file and its directory is something else")


def _end_of(file: BinaryIO, info: zipfile.ZipInfo, name: str) -> tuple[int, int]:
    """Where an entry's content ends, and how many bytes may describe it behind that.

    What precedes the content says the same as the directory: some installers read the one, some the other.
    """
    file.seek(info.header_offset)
    fields = _LOCAL.unpack(file.read(_LOCAL.size))
    mark, _, flags, method, _, _, checksum, packed, size, name_length, extra_length = fields
    follows = bool(flags & _DESCRIPTOR)
    same = (checksum, packed, size) == (info.CRC, info.compress_size, info.file_size)
    if (
        mark != b"PK\x03\x04"
        or (method, flags) != (info.compress_type, info.flag_bits)
        or not (same or follows)
    ):
        raise _bad(
            name, f"{shown(info.filename)} is described in two ways, and installers differ in which they take"
        )
    if follows and method == zipfile.ZIP_STORED and info.file_size:
        raise _bad(name, f"where {shown(info.filename)} ends can be read in two ways")
    end = info.header_offset + _LOCAL.size + name_length + extra_length + info.compress_size
    return end, _LONGEST_DESCRIPTOR if follows else 0


def _check_entry(info: zipfile.ZipInfo, name: str) -> None:
    """One entry: its name stays inside, it is a file or a folder, it can be unpacked by everyone."""
    path, kind = info.filename, stat.S_IFMT(info.external_attr >> 16)
    parts = path.removesuffix("/").split("/")
    plain = path.isascii() or info.flag_bits & _UTF8
    if info.orig_filename != path or not plain or "\\" in path or ":" in path or not path.isprintable():
        raise _bad(
            name, f"it has a file with a name that systems read differently: {shown(info.orig_filename)}"
        )
    if any(part in ("", ".", "..") for part in parts):
        raise _bad(name, f"it has a file outside of itself: {shown(path)}")
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR) or (path.endswith("/") and info.file_size):
        raise _bad(name, f"{shown(path)} is neither a file nor a folder")
    if info.flag_bits & 0x1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise _bad(
            name, f"{shown(path)} is encrypted, or compressed by a method that not every installer knows"
        )


def _dist_info(infos: Iterable[zipfile.ZipInfo], said: FileName, name: str) -> str:
    """The one `.dist-info` folder, which is named after the project and the version."""
    tops = sorted({info.filename.split("/")[0] for info in infos})
    found = [top for top in tops if top.lower().endswith(".dist-info")]
    if len(found) != 1:
        raise _bad(
            name, f"it has {len(found)} .dist-info folders, not one: {', '.join(map(shown, found[:3]))}"
        )
    stem, _, version = found[0].removesuffix(".dist-info").partition("-")
    try:
        same = FileName(project(stem), parsed(version.replace("_", "-")).text) == said
    except BadReleaseName:
        same = False
    if not same:
        raise _bad(name, f"its {shown(found[0])} is that of another project or version")
    return found[0]


def _small(archive: zipfile.ZipFile, path: str, name: str) -> bytes:
    """The content of a file of `.dist-info`."""
    try:
        info = archive.getinfo(path)
    except KeyError:
        raise _bad(name, f"it has no {shown(path)}") from None
    if info.file_size > LARGEST_METADATA:
        raise _bad(name, f"{shown(path)} has {info.file_size} bytes")
    return b"".join(_blocks(archive, info))


def _blocks(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    """What a file holds. `zipfile` stops at the size in the directory, and compares the checksum."""
    with archive.open(info) as file:
        while block := file.read(BLOCK):
            yield block


# --------------------------------------------------------------------------- what it says


def _check_record(archive: zipfile.ZipFile, infos: Iterable[zipfile.ZipInfo], folder: str, name: str) -> None:
    """That RECORD has every file with its SHA-256 and size, and no others."""
    recorded = _recorded(_small(archive, f"{folder}/RECORD", name), name)
    exempt = {f"{folder}/{file}" for file in ("RECORD", "RECORD.jws", "RECORD.p7s")}
    present = {info.filename: info for info in infos if not info.is_dir()}
    gone = sorted(recorded.keys() - present.keys())
    if gone:
        raise _bad(name, f"its RECORD has {shown(gone[0])}, which is not there")
    for path, info in present.items():
        if path in exempt:
            continue
        if path not in recorded:
            raise _bad(name, f"its RECORD does not have {shown(path)}")
        digest = hashlib.sha256()
        for block in _blocks(archive, info):
            digest.update(block)
        text = base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode("ascii")
        if recorded[path] not in ((f"sha256={text}", str(info.file_size)), (f"sha256={text}", "")):
            raise _bad(
                name, f"{shown(path)} is not what its RECORD says: it was changed after the wheel was built"
            )


def _recorded(data: bytes, name: str) -> Mapping[str, tuple[str, str]]:
    """The lines of RECORD: a path with its digest and size."""
    found: dict[str, tuple[str, str]] = {}
    try:
        for row in csv.reader(io.StringIO(data.decode("utf-8"), newline="")):
            path, digest, size = row
            if path in found:
                raise _bad(name, f"its RECORD has {shown(path)} twice")
            found[path] = (digest, size)
    except (csv.Error, ValueError) as error:
        raise _bad(name, "its RECORD is not a table of three columns") from error
    return found


def _check_wheel_file(data: bytes, name: str) -> None:
    """That WHEEL has a version of the format that is known."""
    version = _message(data, name).get("Wheel-Version", "")
    if not re.fullmatch(r"1\.[0-9]+", str(version).strip()):
        raise _bad(name, f"its Wheel-Version is {shown(str(version))}, not 1.0")


def _message(data: bytes, name: str) -> email.message.Message:
    """Headers as METADATA and WHEEL have them."""
    try:
        return email.parser.Parser().parsestr(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise _bad(name, "its METADATA or WHEEL is not UTF-8") from error


def _fields(metadata: bytes, said: FileName, name: str) -> Mapping[str, str]:
    """The fields of METADATA that an index repeats; they agree with the name of the file."""
    message, fields = _message(metadata, name), {}
    for field in ("Metadata-Version", "Name", "Version", "Requires-Python"):
        values = [str(value).strip() for value in message.get_all(field, [])]
        if len(values) > 1 or (not values and field != "Requires-Python"):
            raise _bad(name, f"its METADATA has {len(values)} fields {field}, not one")
        fields[field] = values[0] if values else ""
    try:
        same = FileName(project(fields["Name"]), parsed(fields["Version"]).text) == said
    except BadReleaseName as error:
        raise _bad(name, f"its METADATA: {error.what}") from error
    if not same:
        raise _bad(name, f"its METADATA is that of {shown(fields['Name'] + ' ' + fields['Version'])}")
    if not re.fullmatch(r"[0-9A-Za-z.,*+!<>=~ ]{0,200}", fields["Requires-Python"]):
        raise _bad(name, f"its Requires-Python is {shown(fields['Requires-Python'])}")
    return fields
