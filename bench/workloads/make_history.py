"""Give the project in this folder a long history, written as runs write theirs: through the store.

    make_history.py 10000

The first run is real, as is the last, which finds everything up to date. Those between are like the first, with
another `rate` each: `load` was reused, `train` and `score` made a result each and recorded 100 points.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from blake3 import blake3

from stepwell.kernel.events import RunFinished, StepFinished, StepReused
from stepwell.kernel.identity import digest
from stepwell.kernel.plan import Decision, Reason
from stepwell.kernel.ports import Artifact, Logged, Made, Result
from stepwell.stores.local import LocalStore, open_store
from stepwell.stores.record import Facts
from stepwell.stores.steprow import StepRow

STEPWELL = str(Path(sys.executable).with_name("stepwell"))
POINTS = 100


def points_of(runs: int) -> int:
    """How many points the store of so many runs has: the last one runs nothing."""
    return (runs - 1) * POINTS


def main() -> None:
    """Write the runs."""
    runs = int(sys.argv[1])
    subprocess.run([STEPWELL, "run"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with open_store(Path(".stepwell")) as store:
        first = store.runs.steps("r1")
        started = store.runs.run("r1").started
        for number in range(1, runs - 1):
            write(store, first, 0.1 + number / runs, started - runs + number)
        ((points,),) = store.database.rows("SELECT sum(count) FROM curves WHERE part = -1")
    if points != points_of(runs):
        sys.exit(f"make_history: {points:,} points were written instead of {points_of(runs):,}")
    subprocess.run([STEPWELL, "run"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def write(store: LocalStore, first: list[StepRow], rate: float, started: float) -> None:
    """One run, which was begun at `started` (seconds since 1970) and took half a second."""
    nodes = [(step.id, step.name, step.step) for step in first]
    record = store.begin(
        Facts("fit", {"rows": 10, "rate": rate}, nodes, started, argv=["run", f"rate={rate}"])
    )
    load = store.results.result(first[0].key or "")  # as deciding would have asked for it
    assert load is not None
    record.add(
        StepReused(
            0, Decision(0, "cached", (Reason("cached", "up to date since run r1"),), load.key, load), load
        )
    )
    for epoch in range(POINTS - 1):
        record.add(Logged(1, "loss", (1 - rate) ** epoch, epoch))
    record.add(Logged(2, "score", rate, 0))
    changed = Reason("param", f"`rate` 0.1 → {rate}", "rate", "0.1", str(rate))
    for node, metric in ((1, "loss"), (2, "score")):
        made = output(first[node], str(rate / node).encode())
        result = like(first[node], record.run, rate, made.artifact, metric)
        store.results.keep(result, [made])
        record.add(
            StepFinished(node, Decision(node, "run", (changed,), result.key, None, result.inputs), result)
        )
    record.add(RunFinished("succeeded", 0.5))


def output(step: StepRow, data: bytes) -> Made:
    """What a step gave: bytes that no other run has."""
    name = f"b3:{blake3(data).hexdigest()}"
    return Made(Artifact("result", step.outputs[0].codec, name, len(data), (), data.decode()), data)


def like(step: StepRow, run: str, rate: float, artifact: Artifact, metric: str) -> Result:
    """The result of the same step, for another rate."""
    model = step.result
    assert model is not None
    inputs = tuple((name, str(rate) if name == "rate" else token) for name, token in model.inputs)
    return model._replace(
        key=digest(f"{step.step} {rate}"), site=digest(f"site {step.step} {rate}")[:32], inputs=inputs,
        outputs=(artifact,), run=run, metrics=((metric, rate),),
    )  # fmt: skip


if __name__ == "__main__":
    main()
