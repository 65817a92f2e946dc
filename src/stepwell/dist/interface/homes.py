"""Which lock counts for the names of a `data.py`: its project's, or, in an installed release, the release's own.

home = home_of(Path(data.__file__), "stepwell.lock")
home.locked().data["customers"]
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from stepwell.author.manifest import Manifest, manifest_of
from stepwell.author.shell import root_at
from stepwell.dist.lock import Lock
from stepwell.dist.lockfile import NAME, read
from stepwell.dist.releases.document import FILE, FOLDER
from stepwell.dist.releases.opened import LOCK, open_installed
from stepwell.errors import DataNotLocked


class Home(NamedTuple):
    """Where named data is at home: the project's root (of a release the folder of its package), its lock, its release if it is of one."""

    root: Path
    lock: Path
    release: Path | None = None

    def manifest(self) -> Manifest | None:
        """The project's manifest, or that of the single file whose lock this is; None of a release. Raises as `manifest_of`."""
        if self.release is not None:
            return None
        single = self.lock.with_name(f"{self.lock.name.removesuffix(f'.{NAME}')}.py")
        return manifest_of(self.root, None if self.lock.name == NAME else single)

    def places(self) -> tuple[str, ...]:
        """Where blobs may be fetched from by their digests: as the manifest says, or the release."""
        if self.release is not None:
            return open_installed(self.release).document.stores
        manifest = self.manifest()
        release = manifest.release if manifest is not None else Manifest().release
        return tuple(place for place in (release.store, *release.mirrors) if place)

    def locked(self) -> Lock:
        """The lock, read again when it has changed. Raises `LockMissing`, `BadLock`."""
        if self.release is not None:
            return _released(self.release)
        try:
            status = self.lock.stat()
        except OSError:
            return read(self.lock)
        return _read(self.lock, status.st_mtime_ns, status.st_size, status.st_ino)


def home_of(file: Path, lock: str) -> Home:
    """The home of the names in this file. `lock` is the project's lock, relative to its root; "" for the usual one.

    Raises `DataNotLocked` in a package that is installed without a release.
    """
    release = file.parent / FOLDER
    if (release / FILE).is_file():
        return Home(file.parent, release / LOCK, release)
    if any(part in file.parts for part in ("site-packages", "dist-packages")):
        raise DataNotLocked(
            f"`{file.parent.name}` is installed, and is no release",
            why="data of an installed package is what its release has locked, and nothing else",
            fixes=["install it as it was released: stepwell release", "pip install -e, to work on it"],
        )
    root = root_at(str(file))
    return Home(root, root / (lock or NAME))


@lru_cache(maxsize=8)
def _read(path: Path, *_: int) -> Lock:
    return read(path)


@lru_cache(maxsize=8)
def _released(folder: Path) -> Lock:
    """What is installed does not change while a program runs."""
    return open_installed(folder).lock
