"""What ran: `GET /api/runs/:run/code` and `/environment`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from stepwell.errors import NothingThere
from stepwell.stores.steprow import StepRow
from stepwell.ui.asked import Asked, Here


def code(here: Here, asked: Asked) -> dict[str, Any]:
    """The source of every definition that a step of a run rests on. Raises `UnknownRun`, `NothingThere`."""
    run = here.store.runs.run(asked.path["run"])
    row = _node(here.store.runs.steps(run.run), asked.number("node", 0), run.run)
    digest = row.result.code if row.result is not None else ""
    return {
        "step": row.step,
        "parts": parts(here, digest),
        "commit": run.commit,
        "dirty": run.dirty,
    }


def parts(here: Here, digest: str) -> list[dict[str, Any]]:
    """The definitions behind a code digest, the step's own first; those whose text was not kept have none."""
    named = here.store.results.parts(digest) if digest else {}
    known = {
        one: (source, file, line)
        for one, source, file, line in here.store.database.many(
            "SELECT digest, source, file, line FROM definitions WHERE digest IN (???)", named.values()
        )
    }
    found = []
    for name, one in named.items():
        source, file, line = known.get(one, ("", "", 0))
        found.append({"name": name, "file": file, "line": line, "source": source})
    return found


def environment(here: Here, asked: Asked) -> dict[str, Any]:
    """Interpreter, platform, and the distributions that the steps of a run rest on. Raises `UnknownRun`."""
    run = here.store.runs.run(asked.path["run"])
    about = here.store.runs.about(run.run)
    return {
        "python": about.python,
        "platform": about.platform,
        "distributions": distributions(here, here.store.runs.steps(run.run)),
    }


def distributions(here: Here, rows: Iterable[StepRow]) -> dict[str, str]:
    """Every distribution that some steps rest on, with its version, by name."""
    digests = {row.result.environment for row in rows if row.result is not None}
    found: dict[str, str] = {}
    for digest in sorted(digests):
        found.update(here.store.results.parts(digest))
    return dict(sorted(found.items()))


def _node(rows: Iterable[StepRow], node: int, run: str) -> StepRow:
    for row in rows:
        if row.node == node:
            return row
    raise NothingThere(f"{run} has no step with the number {node}", fixes=[f"stepwell show {run}"])
