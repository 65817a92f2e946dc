"""Start-up: what everyone pays before anything happens, and the smallest project."""

from __future__ import annotations

from machine import PYTHON, STEPWELL
from tools import TOOLS
from tools.tool import ALONE

from workloads.answers import planned, ran
from workloads.shape import Budget, Contender, Phase, Workload, project

BARE = "python -c pass"


def startup(*, quick: bool) -> Workload:
    """Bare Python beside what the tools add to it: help, import, and the plan of two steps."""
    times = 3 if quick else 5
    here = [tool for tool in TOOLS if tool.here]
    contenders = [Contender(BARE, (Phase("start", (PYTHON, "-c", "pass"), times=times),), tool="")]
    contenders.append(two_steps(times))
    for tool in here:
        peer = tool.name != "stepwell"
        for name, command in tool.starts.items():
            start = Phase("start", command, times=3 if tool.heavy else 1 if peer else times)
            one = Contender(name, (start,), tool=tool.name, environment=ALONE if peer else {})
            contenders.append(one._replace(rounds=int(tool.heavy)))
        if tool.small is not None:
            contenders.append(tool.small()._replace(rounds=2 if tool.heavy else 0))
    return Workload(
        name="startup",
        title="Start-up, and a project of two steps",
        baseline=BARE,
        contenders=tuple(contenders),
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
        timeout=60,
        base_phase="start",
        left_out=tuple(f"{tool.name} is not installed" for tool in TOOLS if not tool.here),
    )


def two_steps(times: int) -> Contender:
    """The project that README shows."""
    result = sum(n * n for n in range(10))
    return Contender(
        "stepwell, two steps",
        (
            Phase("plan of nothing", (STEPWELL, "plan"), planned(decision="run", steps=2), fresh=True),
            Phase("run, cold", (STEPWELL, "run"), ran(result, status="succeeded", steps=2), fresh=True),
            Phase("run, unchanged", (STEPWELL, "run"), ran(result, status="cached", steps=2), times=times),
            Phase("plan, unchanged", (STEPWELL, "plan"), planned(decision="cached", steps=2), times=times),
        ),
        lambda folder: project("two_steps", folder),
    )
