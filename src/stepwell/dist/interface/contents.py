"""The files that a lock means: in place, if they are still that; else copies by digest, from the store, the cache or a release's places.

Nothing else is ever taken for it: no newer file, and no newer answer of an address (`dist.pins`).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from stepwell.dist.pins import pinned_of
from stepwell.dist.releases.opened import open_installed
from stepwell.sources.memo import Memory
from stepwell.stores.folder import store_folder
from stepwell.worker.places.environments import cache_folder

if TYPE_CHECKING:
    from stepwell.dist.interface.homes import Home
    from stepwell.dist.lock import Data

_memory = Memory()
"""What is known of files for as long as the process lasts: they are not hashed again for each call."""


class Contents(NamedTuple):
    """Files with the bytes that are locked, in the order of their names; the folder, if the data is one."""

    files: tuple[Path, ...]
    folder: Path | None = None


def contents_of(name: str, data: Data, home: Home) -> Contents:
    """The files that hold what is locked, verified. Raises `FrozenGone`, naming every place that was looked at."""
    kept = cache_folder() if home.release is not None else store_folder(home.root)
    found = pinned_of(name, data, home.root, kept, home.places(), _memory, _released(home))
    return Contents(tuple(map(Path, found.files)), Path(found.folder) if found.folder else None)


def _released(home: Home) -> str:
    """The installed release that data is of, with its version; "" of a project's."""
    if home.release is None:
        return ""
    document = open_installed(home.release).document
    return f"{document.project} {document.version}"
