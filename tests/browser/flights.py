"""A project with a history to look at: flights, swept over depth and learning rate, changed, failed; small and quick.

swept(folder)       # r1..r12 of sweep g1, then r13 with other code, r14 with other data, r15 failed
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

STEPWELL = Path(sys.executable).with_name("stepwell")

PIPELINE = '''
"""Which flights arrive late?"""

import csv
import math
from typing import NamedTuple

from stepwell import log, pipeline, source, step

flights = source("flights.csv", str)


class Model(NamedTuple):
    depth: int
    rate: float
    weight: float


@step
def clean(flights: str) -> list[list[str]]:
    """Flights that arrived."""
    rows = [row for row in csv.reader(flights.splitlines()) if row[2] != ""]
    log.metric("flights", len(rows))
    return rows


@step
def train(table: list[list[str]], depth: int, lr: float) -> Model:
    """Learn, and tell the loss of each round."""
    best = 0.4 + 0.02 * abs(depth - 6) + 0.03 * abs(math.log10(lr) + 1)
    loss = 1.0
    for round in range(120):
        loss = best + (loss - best) * (1 - lr) + 0.004 * math.sin(round * depth)
        log.metric("loss", loss, step=round)
    print("trained", len(table), "flights to", round, "rounds")
    return Model(depth, lr, loss)


@step
def score(model: Model, table: list[list[str]]) -> dict[str, float]:
    """How good it is."""
    auc = 1.05 - model.weight / 1.6
    log.metrics({"auc": auc, "accuracy": 0.6 + auc / 4})
    log.tag("baseline" if model.depth == 6 else "tried")
    return {"auc": auc}


@pipeline
def delays(depth: int = 6, lr: float = 0.1) -> dict[str, float]:
    table = clean(flights())
    return score(train(table, depth, lr), table)
'''


def command(root: Path, *words: str) -> int:
    """Run the command in a project; give its exit code."""
    environment = {**os.environ, "NO_COLOR": "1"}
    told = subprocess.run(
        [STEPWELL, "-C", root, *words], check=False, env=environment, capture_output=True, text=True
    )
    assert "Traceback" not in told.stderr.split("error[")[0], told.stderr
    return told.returncode


def write(root: Path, pipeline: str = PIPELINE, rows: int = 400) -> None:
    """Write the pipeline and its flights."""
    (root / "pipeline.py").write_text(pipeline, "utf-8")
    lines = [f"UA{at},{at % 24},{(at * 37) % 60 - 20 if at % 50 else ''}" for at in range(rows)]
    (root / "flights.csv").write_text("\n".join(lines) + "\n", "utf-8")


def swept(root: Path) -> Path:
    """Make the project with fifteen runs; give its folder."""
    root.mkdir(parents=True, exist_ok=True)
    write(root)
    assert command(root, "run", "--sweep", "depth=4,6,8,10", "--sweep", "lr=0.03,0.1,0.3") == 0
    write(root, PIPELINE.replace("auc / 4", "auc / 3"))
    assert command(root, "run", "depth=6", "lr=0.1") == 0
    assert command(root, "lock") == 0
    write(root, PIPELINE.replace("auc / 4", "auc / 3"), rows=500)
    assert command(root, "run", "depth=6", "lr=0.1") == 0
    write(root, PIPELINE.replace("auc = 1.05", 'auc = {}["auc"]'), rows=500)
    assert command(root, "run", "depth=5") == 1
    return root
