"""The door to a release: its document, lock and blobs, in the file of a wheel or where a wheel is installed.

release = open_wheel(path)              # checks the wheel first; raises BadWheel, NotARelease
release = open_installed(folder)        # PACKAGE/_release of an installed distribution
release.document.version, release.lock.data, release.read("pylock.toml"), release.blob("b3:…")
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from functools import cached_property
from pathlib import Path, PurePosixPath

from blake3 import blake3

from stepwell.dist.lock import Lock
from stepwell.dist.lockfile import lock_of
from stepwell.dist.releases import metrics
from stepwell.dist.releases.document import FILE, FOLDER, Release, decoded
from stepwell.dist.wheels import Wheel, read
from stepwell.errors import BadRelease, NotARelease

LOCK = "stepwell.lock"
PYLOCK = "pylock.toml"
BLOBS = "blobs"
PROJECT = "project"


class Opened:
    """A release to look at. `where` is how messages call it; `wheel` is what its file says, None of an installed one."""

    def __init__(
        self,
        where: str,
        files: Callable[[str], bytes | None],
        names: tuple[str, ...],
        wheel: Wheel | None = None,
        path: Path | None = None,
    ) -> None:
        self.where = where
        self.names = names
        self.wheel = wheel
        self.path = path
        self._files = files

    def read(self, name: str) -> bytes:
        """A file below `_release`, by its name with `/`. Raises `BadRelease` where it is not there."""
        data = self._files(name)
        if data is None:
            raise BadRelease(
                f"{self.where} has no `{FOLDER}/{name}`", fixes=["install it again", "ask who released it"]
            )
        return data

    @cached_property
    def document(self) -> Release:
        """What the release says of itself. Raises `BadRelease`."""
        return decoded(self.read(FILE), f"{self.where}: {FILE}")

    @cached_property
    def lock(self) -> Lock:
        """What it was made of. Raises `BadLock`."""
        return lock_of(self.read(LOCK).decode("utf-8", "replace"), f"{self.where}: {LOCK}")

    @cached_property
    def metrics(self) -> metrics.Metrics:
        """How good it is: what `metrics.json` says, or the lock where there is none. Raises `BadRelease`, `BadLock`."""
        data = self._files(metrics.FILE)
        return (
            metrics.measured(self.lock)
            if data is None
            else metrics.decoded(data, f"{self.where}: {metrics.FILE}")
        )

    def metrics_of(self, output: str) -> dict[str, float]:
        """The metrics that gates of an output can ask for, also those that are not of it. Raises `BadLock`."""
        from stepwell.dist.gates import metrics_of

        return metrics_of(self.lock, output)

    def blob(self, digest: str) -> bytes | None:
        """The verified bytes of a blob that is inside; None of one that is not. Raises `BadRelease` for other bytes."""
        data = self._files(f"{BLOBS}/{digest.removeprefix('b3:')}")
        if data is not None and f"b3:{blake3(data).hexdigest()}" != digest:
            raise BadRelease(
                f"{self.where} has other bytes for {digest[:15]}… than it was released with",
                why="the file was changed or damaged after the release",
                fixes=["install it again", "stepwell verify"],
            )
        return data


def open_wheel(path: Path) -> Opened:
    """A release in the file of a wheel. Raises `BadWheel`; `NotARelease` for a wheel that Stepwell did not release."""
    wheel = read(path)
    found = [PurePosixPath(name) for name in wheel.names if name.endswith(f"/{FOLDER}/{FILE}")]
    places = [place for place in found if len(place.parts) == 3]
    if len(places) != 1:
        raise NotARelease(
            f"`{path.name}` is a wheel, but no release",
            why=f"it has no PACKAGE/{FOLDER}/{FILE}",
            fixes=["stepwell release VERSION"],
        )
    prefix = f"{places[0].parent}/"

    def file(name: str) -> bytes | None:
        with zipfile.ZipFile(path) as archive:
            return archive.read(prefix + name) if prefix + name in wheel.names else None

    names = tuple(name.removeprefix(prefix) for name in wheel.names if name.startswith(prefix))
    return Opened(f"{wheel.project} {wheel.version}", file, names, wheel, path)


def open_installed(folder: Path) -> Opened:
    """A release that is installed: `folder` is its `PACKAGE/_release`. Raises `NotARelease`."""
    if not (folder / FILE).is_file():
        raise NotARelease(
            f"`{folder.parent.name}` is no release",
            why=f"it has no {FOLDER}/{FILE}",
            fixes=["stepwell release VERSION"],
        )

    def file(name: str) -> bytes | None:
        path = folder / name
        return path.read_bytes() if path.is_file() else None

    names = tuple(sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()))
    return Opened(folder.parent.name, file, names, None, folder)
