"""One artifact: `GET /api/artifacts/:digest` and `/preview`. Nothing is unpickled, no user code imported."""

from __future__ import annotations

from typing import Any

from stepwell.app.lineage import lineage
from stepwell.app.previews import preview as previewed
from stepwell.errors import NothingThere
from stepwell.ui.asked import Asked, Here
from stepwell.ui.raw import artifact_of

ROWS = 50
"""Rows of a table, where it is not said how many."""


def artifact(here: Here, asked: Asked) -> dict[str, Any]:
    """Which run made it, from what, into what, and what can be shown of it. Raises `NothingThere`."""
    found = lineage(here.store, asked.digest(), asked.word("codec"))
    if not found["codec"] and not found["made"] and not found["into"]:
        raise NothingThere(
            f"no run has {asked.digest()[:15]}…", why="or `stepwell gc` took it away", fixes=["stepwell runs"]
        )
    return {**found, "preview": _previewed(here, asked)}


def preview(here: Here, asked: Asked) -> dict[str, Any]:
    """What can be shown of an artifact: rows from `offset` on, where it has rows."""
    asked.digest()
    return _previewed(here, asked)


def _previewed(here: Here, asked: Asked) -> dict[str, Any]:
    try:
        found = artifact_of(here.store, asked)
    except NothingThere as error:
        return {"kind": "none", "why": f"{error.what}: {error.why}"}
    rows = asked.number("rows", ROWS, most=1000)
    return previewed(here.store, found, rows=rows, offset=asked.number("offset", 0))
