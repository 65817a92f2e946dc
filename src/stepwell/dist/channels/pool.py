"""Wheels by project and file name, each written once, with its METADATA beside it (PEP 658).

A wheel that is here and in no log is in nobody's way: an operation ended before it came to the log, or the wheel
was only added.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from stepwell.dist.channels.deciding import Release
from stepwell.dist.channels.files import ABSENT, Change, Files
from stepwell.dist.versions import parsed
from stepwell.dist.wheels import BLOCK, Wheel, file_name, read_open
from stepwell.errors import BadWheel, PoolDamaged, ReleaseChanged, UnknownRelease

FOLDER = "pool"


class Pool:
    """The wheels of an index."""

    def __init__(self, files: Files) -> None:
        self.files = files

    def keep(self, path: Path, wheel: Wheel) -> None:
        """Copy a wheel that was read from `path` into the pool, unless it is there.

        Raises `ReleaseChanged` where the pool has the version with other bytes, `BadWheel` where the file is no longer the
        one that was read, and what `Files` raises.
        """
        self._must_be_free(wheel)
        name = place(wheel.project, wheel.file)
        if not self.files.create(name, _copied(path, wheel.sha256)) and self.digest(name) != wheel.sha256:
            where = f"{self.files.where}/{name}"
            raise ReleaseChanged(
                f"{wheel.project} {wheel.version} is another wheel than the one at {where}",
                why="wheels in the pool never change: somebody may have installed it, or be about to promote it",
                fixes=[
                    "release it under a higher version",
                    f"rm {where}    if `stepwell channels` shows it nowhere and nobody else is at work",
                ],
            )
        self.keep_metadata(wheel)

    def _must_be_free(self, wheel: Wheel) -> None:
        for other in self.versions(wheel.project, wheel.version):
            if other != wheel.file:
                raise ReleaseChanged(
                    f"{wheel.project} {wheel.version} is in the pool as {other}",
                    why=f"{wheel.file} would be a second wheel of the same version, which clients could not tell apart",
                    fixes=["release it under a higher version"],
                )

    def versions(self, project: str, version: str) -> list[str]:
        """The files of a version: one, or none."""
        wanted = parsed(version).key
        files = [name.rpartition("/")[2] for name in self.files.names(f"{FOLDER}/{project}")]
        return [file for file in files if file.endswith(".whl") and _version_key(file) == wanted]

    def keep_metadata(self, wheel: Wheel) -> bool:
        """Write a wheel's METADATA beside it; whether that was to be done. What the wheel says is right."""
        name = metadata_place(wheel.project, wheel.file)
        held = self.files.read(name)
        if held is not None and held.data == wheel.metadata:
            return False
        return not self.files.replace([Change(name, wheel.metadata, held.token if held else ABSENT)])

    def heal(self, release: Release) -> bool:
        """Write the METADATA of a wheel anew where it is not that of the wheel; whether that was done.

        A wheel that is not what was promoted is left as it is. Raises `BadWheel`.
        """
        good = self.digest(metadata_place(release.project, release.file)) == release.metadata
        if good or self.digest(place(release.project, release.file)) != release.wheel:
            return False
        wheel = self.wheel(release.project, release.file)
        return wheel is not None and self.keep_metadata(wheel)

    def find(self, project: str, version: str) -> Wheel:
        """Read the wheel of a version that is in the pool. Raises `UnknownRelease`, `BadWheel`."""
        for file in self.versions(project, version):
            found = self.wheel(project, file)
            if found is not None and found.version == version:
                return found
        raise UnknownRelease(
            f"there is no {project} {version} in the pool of {self.files.where}",
            why="a version is promoted by name once its wheel was promoted or added",
            fixes=[f"stepwell promote dist/{project.replace('-', '_')}-{version}-py3-none-any.whl CHANNEL"],
        )

    def wheel(self, project: str, file: str) -> Wheel | None:
        """Read a wheel of the pool, or None where it is not there. Raises `BadWheel`."""
        blocks = self.files.blocks(place(project, file))
        if blocks is None:
            return None
        with tempfile.SpooledTemporaryFile(max_size=16 << 20) as spool:
            for block in blocks:
                spool.write(block)
            return read_open(cast("BinaryIO", spool), file)

    def digest(self, name: str) -> str:
        """The digest of a file, or "" where there is none."""
        blocks = self.files.blocks(name)
        if blocks is None:
            return ""
        digest = hashlib.sha256()
        for block in blocks:
            digest.update(block)
        return f"sha256:{digest.hexdigest()}"

    def damage(self, release: Release) -> list[PoolDamaged]:
        """What is wrong with the wheel of a version and its METADATA; nothing where they are as promoted."""
        name = place(release.project, release.file)
        path = f"{self.files.where}/{name}"
        out = []
        found = self.digest(name)
        if found != release.wheel:
            out.append(
                PoolDamaged(
                    f"the wheel `{path}` is " + ("not what was promoted" if found else "gone"),
                    why=f"the log has {release.wheel[:19]}…"
                    + (
                        f", the file is {found[:19]}…; pip and uv refuse it"
                        if found
                        else "; nobody can install it"
                    ),
                    fixes=[
                        f"put {release.file} back as it was built: from a copy, or build the release again",
                        f'stepwell yank {release.project} {release.version} --why "its wheel is lost"',
                    ],
                )
            )
        elif self.digest(metadata_place(release.project, release.file)) != release.metadata:
            out.append(
                PoolDamaged(
                    f"the metadata `{path}.metadata` is not that of its wheel",
                    why="installers read it instead of the wheel to see what a version needs, and refuse it",
                    fixes=["stepwell channels --rebuild"],
                )
            )
        return out


def _version_key(file: str) -> object:
    """The key of the version in a file's name, or None where it is not the name of a wheel, which nobody can install."""
    try:
        return parsed(file_name(file).version).key
    except BadWheel:
        return None


def place(project: str, file: str) -> str:
    """Where a wheel lies."""
    return f"{FOLDER}/{project}/{file}"


def metadata_place(project: str, file: str) -> str:
    """Where the METADATA of a wheel lies: installers add this ending to the address of the wheel."""
    return f"{place(project, file)}.metadata"


def release_of(wheel: Wheel) -> Release:
    """What logs and pages need of a wheel."""
    digest = f"sha256:{hashlib.sha256(wheel.metadata).hexdigest()}"
    return Release(
        wheel.project, wheel.version, wheel.sha256, wheel.file, wheel.size, digest, wheel.requires_python
    )


def _copied(path: Path, sha256: str) -> Iterator[bytes]:
    """The bytes of a file. Raises `BadWheel` behind the last one, where they are not those that were read before."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while block := file.read(BLOCK):
                digest.update(block)
                yield block
    except OSError as error:
        raise BadWheel(
            f"`{path}` cannot be read",
            why=(error.strerror or str(error)).lower(),
            fixes=["give the path of a .whl file"],
        ) from error
    if f"sha256:{digest.hexdigest()}" != sha256:
        raise BadWheel(
            f"`{path}` changed while it was copied", fixes=["wait until it is built, then try again"]
        )
