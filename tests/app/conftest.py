"""What the page expects is beside the tests of its server (`page_types`); previews are held to it here, too."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "ui"))
