"""Numbers over time: `GET /api/runs/:run/curves`, thinned so that extremes stay."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from stepwell.app.plaindata import number
from stepwell.ui.answers.rows import ids
from stepwell.ui.asked import Asked, Here

MOST = 20_000
"""Points of a curve in one answer."""


def curves(here: Here, asked: Asked) -> dict[str, Any]:
    """The curves of a run, or those of some names, each of at most `most` points. Raises `UnknownRun`."""
    from stepwell.stores.curves import thinned

    runs = here.store.runs
    run = runs.run(asked.path["run"]).run
    most = asked.number("most", 1000, least=2, most=MOST)
    node = asked.number("node", 0) if asked.word("node") else None
    names = dict(enumerate(ids(here, run)))
    found = []
    for curve in runs.curves(run, asked.all("name") or None, node):
        shown = thinned(curve.steps, curve.values, curve.times, most)
        found.append(
            {
                "run": run,
                "node": curve.node,
                "id": names.get(curve.node, ""),
                "name": curve.name,
                "count": len(curve.steps),
                "steps": list(shown.steps),
                "values": _numbers(shown.values),
                "times": list(shown.times),
                "low": _numbers(shown.low),
                "high": _numbers(shown.high),
            }
        )
    return {"curves": found}


def _numbers(values: Iterable[float]) -> list[float | str]:
    return [number(value) for value in values]
