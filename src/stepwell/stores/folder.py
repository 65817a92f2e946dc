"""Where a project's store is. Alone, since much that never opens one asks it."""

from __future__ import annotations

import os
from pathlib import Path


def store_folder(root: Path) -> Path:
    """Where a project's store is: `STEPWELL_STORE`, or `.stepwell` in its root."""
    named = os.environ.get("STEPWELL_STORE")
    return Path(os.path.expanduser(named)).resolve() if named else root / ".stepwell"
