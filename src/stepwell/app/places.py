"""Where a project's store is, and being in its folder. Alone, since commands that only look at earlier runs need nothing else."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from stepwell.stores.folder import store_folder, store_place

TYPE_CHECKING = False  # as type checkers know it: lists of runs do without `typing` and `pathlib`
if TYPE_CHECKING:
    from pathlib import Path

    from stepwell.stores.local import LocalStore

__all__ = ["at", "store_folder", "stored"]


@contextlib.contextmanager
def at(folder: Path) -> Iterator[None]:
    """The working folder for a while: pipelines and steps run with the project's root as theirs."""
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def stored(
    root: str | Path, *, looking: bool = False, create: bool = True, ghost: bool = False
) -> LocalStore:
    """The project's store, open; to be used in a `with` block. With `ghost` that of its ghost runs.

    With `looking`, one that cannot be written is opened for reading. Without `create`, one that is
    not there is an empty one. Raises the `StoreError`s of `stepwell.errors`.
    """
    from stepwell.stores.local import open_store  # an answer that is recalled needs only its folder

    folder = os.path.join(store_place(root), "ghost") if ghost else store_place(root)
    return open_store(folder, create=create, readonly=None if looking else False)
