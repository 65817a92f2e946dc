"""Where a project's store is. Alone, since commands that only look at earlier runs need nothing else."""

from __future__ import annotations

import os
from pathlib import Path

from stepwell.stores.local import LocalStore, open_store


def store_folder(root: Path) -> Path:
    """Where a project's store is: `STEPWELL_STORE`, or `.stepwell` in its root."""
    named = os.environ.get("STEPWELL_STORE")
    return Path(os.path.expanduser(named)).resolve() if named else root / ".stepwell"


def stored(root: Path, *, looking: bool = False, create: bool = True) -> LocalStore:
    """The project's store, open; to be used in a `with` block.

    With `looking`, one that cannot be written is opened for reading. Without `create`, one that is
    not there is an empty one. Raises the `StoreError`s of `stepwell.errors`.
    """
    return open_store(store_folder(root), create=create, readonly=None if looking else False)
