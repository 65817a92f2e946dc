"""What became of runs, as a terminal shows it: the colour of each status, and what is said of runs that cannot be read."""

from __future__ import annotations

import sys
from collections.abc import Sequence

COLOUR = {"succeeded": "green", "failed": "red", "interrupted": "yellow", "running": "cyan", "damaged": "red"}


def say_damaged(runs: Sequence[str]) -> int:
    """Say on standard error which runs of what was printed cannot be read; the exit code for that, 0 if there are none."""
    if not runs:
        return 0
    from stepwell.cli.text import clean
    from stepwell.stores.history import runs_damaged

    error = runs_damaged(runs)
    sys.stdout.flush()
    print(clean(str(error)), file=sys.stderr)
    return error.exit_code
