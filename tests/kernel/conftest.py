"""Makes `laboratory` importable: graphs as tables, planned and run without a disk."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
