"""What both sides of an exchange folder, and all that start a process there, have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from stepwell.errors import StepwellError
from stepwell.stores.blobs import Blobs
from stepwell.worker.places import exchange


class Exchange(NamedTuple):
    """What the other process must be able to reach, by absolute paths that are the same for both.

    `folder` is the exchange folder: what is in its `out` must be writable, the rest need only be
    readable. `reads` are files and folders of sources that the task reads where they are. `root` is
    the folder that it starts in, `package` that of Stepwell's sources (`lib/stepwell` leads there).
    """

    folder: Path
    reads: tuple[str, ...]
    root: Path
    package: str


class Start(NamedTuple):
    """How to start the other process: `argv`, to which what Python is to execute is added, and its environment.

    `end` is called when it is over, with whether it ended by itself: for what killing its process group does
    not reach. `kin`: it is a process of this machine's like any other, which can be told to die with its
    parent. `why` knows what an exit code means, given whether the process began to work. `work` is the folder
    that the process sees in place of the root, where that is not the root itself.
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    end: Callable[[bool], None] = lambda over: None
    kin: bool = True
    why: Callable[[int, bool], StepwellError | None] = lambda status, began: None
    work: Path | None = None


class Shown(Blobs):
    """The blobs of an exchange folder in place of a store's: verified by the worker before they were put there."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, readonly=True)
        self._in = folder / exchange.IN

    def path(self, digest: str) -> Path:
        """Where the worker has put a blob."""
        return self._in / digest

    def part(self, digest: str) -> Path:
        """The file of a part."""
        return self.path(digest)

    def check(self, digest: str, *, again: bool = False) -> str:
        """Nothing is wrong with what is there."""
        return "" if self.path(digest).exists() else f"blob {digest[:15]}… is gone"
