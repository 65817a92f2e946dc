"""Where a project's store is. Alone, since much that never opens one asks it."""

from __future__ import annotations

import os

TYPE_CHECKING = False  # as type checkers know it: lists of runs do without `pathlib`
if TYPE_CHECKING:
    from pathlib import Path


def store_folder(root: Path) -> Path:
    """Where a project's store is: `STEPWELL_STORE`, or `.stepwell` in its root."""
    from pathlib import Path

    return Path(store_place(root))


def store_place(root: str | os.PathLike[str]) -> str:
    """`store_folder` as text, for commands that do without `pathlib`."""
    named = os.environ.get("STEPWELL_STORE")
    return os.path.realpath(os.path.expanduser(named)) if named else os.path.join(root, ".stepwell")
