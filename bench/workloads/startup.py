"""Start-up: what everyone pays before anything happens, and the smallest project."""

from __future__ import annotations

from machine import PYTHON, STEPWELL

from workloads.answers import planned, ran
from workloads.shape import Budget, Contender, Phase, Workload, project

BARE = "python -c pass"
COMMANDS = {
    BARE: (PYTHON, "-c", "pass"),
    "import stepwell": (PYTHON, "-c", "import stepwell"),
    "stepwell --help": (STEPWELL, "--help"),
    "stepwell version": (STEPWELL, "version"),
}


def startup(*, quick: bool) -> Workload:
    """Bare Python beside what Stepwell adds to it."""
    times = 3 if quick else 5
    starts = [Contender(name, (Phase("start", command, times=times),)) for name, command in COMMANDS.items()]
    return Workload(
        name="startup",
        title="Start-up, and a project of two steps",
        baseline=BARE,
        contenders=(*starts, two_steps(times)),
        rounds=2 if quick else 5,
        budgets=(
            Budget(
                "`stepwell --help` against `python -c pass`, CPU",
                3,
                lambda rows: rows["stepwell --help", "start"].cpu / rows[BARE, "start"].cpu,
            ),
            Budget(
                "`stepwell version` against `python -c pass`, CPU",
                3,
                lambda rows: rows["stepwell version", "start"].cpu / rows[BARE, "start"].cpu,
            ),
            Budget(
                "`import stepwell` above `python -c pass`, CPU",
                30,
                lambda rows: 1000 * (rows["import stepwell", "start"].cpu - rows[BARE, "start"].cpu),
                "ms",
            ),
        ),
    )


def two_steps(times: int) -> Contender:
    """The project that README shows."""
    result = sum(n * n for n in range(10))
    return Contender(
        "stepwell, two steps",
        (
            Phase("run, cold", (STEPWELL, "run"), ran(result, status="succeeded", steps=2), fresh=True),
            Phase("run, unchanged", (STEPWELL, "run"), ran(result, status="cached", steps=2), times=times),
            Phase("plan, unchanged", (STEPWELL, "plan"), planned(decision="cached", steps=2), times=times),
        ),
        lambda folder: project("two_steps", folder),
    )
