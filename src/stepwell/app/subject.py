"""What can be made again, as one kind of thing: a release, a commit or a run is a lock, files, and what is known of what came out.

`app.subjects` makes one of a word, `app.reproducing` makes it again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from stepwell.dist.lock import Lock
from stepwell.dist.lockfile import text_of
from stepwell.dist.releases.document import Golden
from stepwell.dist.releases.opened import Opened
from stepwell.errors import StepwellError
from stepwell.stores.local import LocalStore


class Subject(NamedTuple):
    """What is to be made again.

    `version` is the release's, the run, or the commit's id; `wheel` the release's SHA-256. `targets` say by pipeline how commands call
    it, below the project's root. `put` writes the project's files into a folder. `blob` gives the bytes of a digest that came out
    then, None where they are not to be had. `places` keep bytes by digest. `golden` and `gates` are by output that leaves. `opened` is the release.
    """

    kind: Literal["release", "run", "commit"]
    project: str
    version: str
    lock: Lock
    targets: Mapping[str, str]
    put: Callable[[Path], None]
    blob: Callable[[str, int], bytes | None]
    pylock: bytes | None = None
    wheel: str = ""
    places: tuple[str, ...] = ()
    golden: Mapping[str, Golden] = {}
    gates: Mapping[str, tuple[str, ...]] = {}
    opened: Opened | None = None

    @property
    def lock_sha256(self) -> str:
        """Of the lock's text."""
        return hashlib.sha256(text_of(self.lock).encode()).hexdigest()

    @property
    def tolerance(self) -> float:
        """The largest tolerance that is declared."""
        return max((one.tolerance for one in self.golden.values()), default=0.0)


def in_store(digest: str, store: LocalStore) -> bytes | None:
    """The verified bytes of a blob of the store; None where it has none."""
    try:
        if not store.blobs.check(digest, again=True):
            return store.blobs.path(digest).read_bytes()
        data: Any = store.results.bytes_of(digest)
    except StepwellError:  # a damaged store has nothing to compare with
        return None
    return data if isinstance(data, bytes) else None
