"""The fixtures of `conftest_places`, which the tests import from, too."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from conftest_places import cache, features, project, wheels

__all__ = ["cache", "features", "project", "wheels"]
