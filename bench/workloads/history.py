"""A store that has been used for long: how fast it answers questions about its runs."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from machine import PYTHON, STEPWELL
from measure import environment

from workloads.answers import asked
from workloads.make_history import points_of
from workloads.shape import Budget, Check, Contender, Phase, Row, Verdict, Workload, project

VERSION = "stepwell version"
FEW = 10


def history(*, quick: bool) -> Workload:
    """10,000 runs with a million points (1,000 where quick), beside a store with 10."""
    runs = 1_000 if quick else 10_000
    times = 2 if quick else 5
    few, many = f"{FEW} runs", f"{runs:,} runs"
    starts = (Phase("start", (STEPWELL, "version"), times=2 * times),)
    return Workload(
        name="history",
        title=f"A store with {runs:,} runs and {points_of(runs):,} points",
        baseline=few,
        contenders=(Contender(VERSION, starts), asks(few, FEW, times), asks(many, runs, times)),
        rounds=1 if quick else 3,
        budgets=(
            Budget("`runs -n 20` against `stepwell version`, CPU", 3, lambda rows: over(rows, many, "runs -n 20")),
        ),
    )  # fmt: skip


def over(rows: Mapping[tuple[str, str], Row], contender: str, phase: str) -> float:
    """CPU of a question against that of `stepwell version`."""
    return rows[contender, phase].cpu / rows[VERSION, "start"].cpu


def asks(name: str, runs: int, times: int) -> Contender:
    """The questions. On a terminal `runs` shows 20; otherwise, as here, all of them where not told."""
    middle = f"r{runs // 2}"
    return Contender(
        name,
        (
            Phase("runs -n 20", (STEPWELL, "runs", "-n", "20"), listed(runs, min(runs, 20)), times=times),
            Phase("runs", (STEPWELL, "runs"), listed(runs, runs), times=times),
            Phase("show", (STEPWELL, "show", middle), shown(middle), times=times),
            Phase("show last", (STEPWELL, "show"), shown(f"r{runs}"), times=times),
            Phase("why", (STEPWELL, "why", "train"), explained, times=times),
            Phase("why, of a run", (STEPWELL, "why", "train", middle), explained_then, times=times),
        ),
        lambda folder: given(runs, folder),
    )


def listed(runs: int, lines: int) -> Check:
    """Check that the newest runs were listed, so many, and that one of long ago has its metrics."""

    def check(folder: Path, output: str) -> Verdict:
        found = [line.split()[0] for line in output.splitlines()[1:]]
        if found != [f"r{number}" for number in range(runs, runs - lines, -1)]:
            return Verdict(f"{len(found):,} runs listed, or not the newest")
        metrics = asked(folder, "show", f"r{runs // 2}", "--json")["metrics"]
        return Verdict("" if set(metrics) == {"loss", "score"} else "wrong metrics")

    return check


def shown(run: str) -> Check:
    """Check that a run was shown with its three steps."""

    def check(_folder: Path, output: str) -> Verdict:
        right = output.startswith(f"{run} ") and all(name in output for name in ("load", "train", "score"))
        return Verdict("" if right else "not shown")

    return check


def explained(_folder: Path, output: str) -> Verdict:
    """Check that the step was said to be up to date since the first run."""
    return Verdict("" if "up to date since run r1" in output else "not explained")


def explained_then(_folder: Path, output: str) -> Verdict:
    """Check that the reason that a run recorded was told."""
    return Verdict("" if "`rate` 0.1 → " in output else "not explained")


def given(runs: int, folder: Path) -> None:
    """The project with a copy of such a store, which is written once a benchmark."""
    made = folder.parent / f"history-{runs}"
    if not made.exists():
        project("history", made)
        script = Path(__file__).with_name("make_history.py")
        subprocess.run(
            [PYTHON, str(script), str(runs)],
            cwd=made,
            env=environment(),
            check=True,
            stdout=subprocess.DEVNULL,
        )
    shutil.copytree(made, folder, dirs_exist_ok=True)
