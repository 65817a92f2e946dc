"""Runs beside each other: `GET /api/compare`, which is what `stepwell compare --json` prints."""

from __future__ import annotations

from typing import Any

from stepwell.app.comparing import MOST, Options, compare_runs
from stepwell.app.finding import Wanted
from stepwell.ui.asked import Asked, Here


def compare(here: Here, asked: Asked) -> dict[str, Any]:
    """The comparison of the runs that are named, or wanted. Raises what `app.comparing` raises."""
    lowest = asked.word("lowest")
    wanted = Wanted(
        asked.word("where"),
        asked.word("sort"),
        asked.word("best"),
        lowest in ("1", "true") if lowest else None,
        asked.word("pipeline"),
        asked.word("group"),
        asked.word("tag"),
    )
    options = Options(
        wanted,
        asked.number("limit", MOST, least=1, most=MOST),
        asked.word("metric"),
        everything=asked.flag("all"),
    )
    return compare_runs(here.store, here.site.root, asked.all("run"), options)
