"""One run: `GET /api/runs/:run`, with its steps, wiring, sources, and what was recorded in it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence, Set
from json import dumps
from typing import Any, NamedTuple

from stepwell.app.comparing import summary
from stepwell.app.directions import by_interest, direction_of
from stepwell.app.documents import failure_document
from stepwell.app.finding import said_directions
from stepwell.app.plaindata import number
from stepwell.kernel.ports import Artifact
from stepwell.stores.history import RunRow
from stepwell.stores.recordings import RecordedRow
from stepwell.stores.steprow import About, StepRow
from stepwell.ui.answers.rows import Document, Reasons, kept
from stepwell.ui.asked import DIGEST, Asked, Here

LONGEST = 2000
"""Characters of an input's text that are shown."""

_SOURCE = re.compile(r"source:(b3:[0-9a-f]{64}):")


def run(here: Here, asked: Asked) -> dict[str, Any]:
    """The run whole. Raises `UnknownRun`."""
    runs = here.store.runs
    row = runs.run(asked.path["run"])
    about, rows = runs.about(row.run), runs.steps(row.run)
    return {
        **summary(row),
        "argv": list(row.argv),
        "file": about.file,
        "python": about.python,
        "platform": about.platform,
        "diff": about.diff,
        "origins": {name: dict(one) for name, one in row.origins.items()},
        "resume": resume(row),
        "steps": steps(here, row, about, rows),
        "sources": [source._asdict() for source in about.sources],
        "edges": [[before, node] for node, all_before in enumerate(about.edges) for before in all_before],
        "reads": [[place, node] for node, places in enumerate(about.reads) for place in places],
        "recorded": recorded(here, row.run),
        "curves": [
            {"node": node, "name": name, "count": count, "last": number(last)}
            for node, name, count, last in runs.curve_names(row.run)
        ],
        "progress": {
            str(node): {"done": done, "total": total, "text": text}
            for node, (done, total, text) in (
                runs.progress_of(row.run) if row.status == "running" else {}
            ).items()
        },
        "previous": before(here, row),
        "directions": (ways := directions(here, row)),
        "metrics": {name: number(row.metrics[name]) for name in by_interest(row.metrics, ways)},
    }


def directions(here: Here, row: RunRow) -> dict[str, str]:
    """Which way is better, "higher" or "lower", of those metrics of a run of which it is known."""
    said = said_directions(here.store, [row])
    return {name: way for name in row.metrics if (way := direction_of(name, said))}


def resume(row: RunRow) -> str:
    """The command that goes on with a run that did not come to its end; "" for one that did, or still goes on."""
    if row.status not in ("failed", "interrupted"):
        return ""
    if "run" in row.argv[:4]:
        return f"stepwell {shlex.join(row.argv)}"
    given = [
        shlex.quote(f"{name}={value if isinstance(value, str) else dumps(value)}")
        for name, value in row.params.items()
        if type(value) in (str, int, float, bool)
    ]
    return " ".join(["stepwell run", shlex.quote(row.pipeline), *given])


def before(here: Here, row: RunRow) -> str:
    """The run of the same pipeline before this one; "" if it is the first."""
    found = here.store.database.row(
        "SELECT id FROM runs WHERE pipeline = ? AND id < ? ORDER BY id DESC LIMIT 1",
        (row.pipeline, int(row.run[1:])),
    )
    return f"r{found[0]}" if found else ""


# --------------------------------------------------------------------------- its steps


class Around(NamedTuple):
    """What is known of a run's steps beside their rows.

    `there` are those of the runs that made their results that are not gone; `givers` the nodes by the digests that they
    gave, `places` those of the sources by theirs; `begun` is when a step began that has no result, and `roles` the role
    of a step, by node.
    """

    run: str
    there: Set[str]
    givers: Mapping[str, int]
    places: Mapping[str, int]
    begun: Mapping[int, float]
    roles: Mapping[int, str]


def steps(here: Here, run: RunRow, about: About, rows: Sequence[StepRow]) -> list[Document]:
    """Its steps. One that did not begin although the run is going on, or was stopped, is waiting."""
    around = Around(
        run.run,
        there(here, {row.made_by for row in rows if row.made_by}),
        {made.digest: row.node for row in rows for made in row.outputs},
        {source.digest: place for place, source in enumerate(about.sources)},
        here.store.runs.begun(run.run),
        roles(here, run.run),
    )
    reasons = Reasons(here)
    return [_step(row, reasons, around) for row in rows]


def _step(row: StepRow, reasons: Reasons, around: Around) -> Document:
    reached = row.node in around.begun or row.decision or row.status not in ("running", "interrupted")
    return {
        "node": row.node,
        "id": row.id,
        "name": row.name,
        "step": row.step,
        "role": around.roles.get(row.node, ""),
        "status": row.status if reached else "waiting",
        "decision": row.decision,
        "reasons": reasons.shown(row.reasons),
        "key": row.key,
        "started": _started(row, around),
        "seconds": row.seconds,
        "cpu": row.cpu,
        "memory": row.memory,
        "inputs": [_input(name, token, row.node, around) for name, token in row.inputs],
        "outputs": [output(one) for one in row.outputs],
        "metrics": {name: number(value) for name, value in row.metrics.items()},
        "made_by": row.made_by if row.made_by in around.there else "",
        "notes": list(row.notes),
        "error": failure_document(row.error) if row.error is not None else None,
    }


def there(here: Here, runs: Iterable[str]) -> set[str]:
    """Those of these runs that `gc` has not taken away."""
    numbers = [int(run[1:]) for run in runs]
    return {
        f"r{number}"
        for (number,) in here.store.database.many("SELECT id FROM runs WHERE id IN (???)", numbers)
    }


def _started(row: StepRow, around: Around) -> float | None:
    """When a step began in this run; None where nothing was executed."""
    if row.result is not None and row.result.run == around.run and row.result.made:
        return row.result.made - row.result.seconds
    return around.begun.get(row.node)


def output(one: Artifact) -> Document:
    """One thing that a step gave."""
    return {"name": one.name, "codec": one.codec, "digest": one.digest, "size": one.size, "note": one.note}


def _input(name: str, token: str, node: int, around: Around) -> Document:
    """One thing that a step took: the text that it came to in its key, and where it came from."""
    source = _SOURCE.match(token)
    found = source[1] if source else next(iter(DIGEST.findall(token)), "")
    giver = around.givers.get(found)
    return {
        "name": name,
        "text": token[:LONGEST],
        "digest": found,
        "from": None if source or giver == node else giver,
        "source": around.places.get(found) if source else None,
    }


def roles(here: Here, run: str) -> dict[int, str]:
    """The roles that steps of a run recorded ("trainer", ...), by node. Raises `StoreDamaged`."""
    found = {}
    for one in here.store.runs.recorded(run):
        if one.kind == "role":
            said = kept(one.text, "what a role recorded")
            found[one.node] = str(said.get("role", one.name)) if isinstance(said, dict) else one.name
    return found


def recorded(here: Here, run: str) -> list[Document]:
    """What the steps of a run recorded, or of the runs whose results it reused."""
    return [_recorded(one) for one in here.store.runs.recorded(run)]


def _recorded(one: RecordedRow) -> Document:
    artifact = one.artifact
    return {
        "node": one.node,
        "kind": one.kind,
        "name": one.name,
        "step": one.step,
        "digest": artifact.digest if artifact is not None else "",
        "codec": artifact.codec if artifact is not None else "",
        "size": artifact.size if artifact is not None else len(one.text.encode()),
        "text": one.text,
    }
