"""A large array handed from one step to two others, kept and verified on the way."""

from __future__ import annotations

import importlib.util

from machine import PYTHON, STEPWELL

from workloads.answers import planned, ran
from workloads.layered import printed
from workloads.shape import Budget, Contender, Phase, Workload, project

KEEP = "write, then hash once"
MEMORY = "in memory"


def handover(*, quick: bool) -> Workload:
    """1 GB of float64 (100 MB where quick), beside writing and hashing it by hand."""
    count = 12_500_000 if quick else 125_000_000
    result = [float(count - 1), count * (count - 1) / 2]
    given = f"count={count}"
    run = (STEPWELL, "run", given)
    times = 2 if quick else 3
    contenders = []
    if importlib.util.find_spec("numpy"):
        for name, how in ((KEEP, "keep"), (MEMORY, "memory")):
            command = (PYTHON, "by_hand.py", how, str(count))
            contenders.append(
                Contender(
                    name,
                    (Phase("cold", command, printed(result), fresh=True),),
                    lambda folder: project("handover", folder),
                )
            )
        contenders.append(
            Contender(
                "stepwell",
                (
                    Phase("cold", run, ran(result, given, status="succeeded", steps=3), fresh=True),
                    Phase("unchanged", run, ran(result, given, status="cached", steps=3), times=times),
                    Phase(
                        "plan",
                        (STEPWELL, "plan", given),
                        planned(given, decision="cached", steps=3),
                        times=times,
                    ),
                ),
                lambda folder: project("handover", folder),
            )
        )
    return Workload(
        name="handover",
        title=f"A NumPy array of {8 * count / 1e9:g} GB handed to two steps (its last value; its sum)",
        baseline=KEEP,
        contenders=tuple(contenders),
        rounds=1 if quick else 5,
        budgets=(
            Budget(
                "cold run against making, writing and then hashing it, wall",
                1,
                lambda rows: rows["stepwell", "cold"].wall / rows[KEEP, "cold"].wall,
            ),
            Budget(
                "the same without what is done in memory only, wall",
                1,
                lambda rows: (
                    (rows["stepwell", "cold"].wall - rows[MEMORY, "cold"].wall)
                    / (rows[KEEP, "cold"].wall - rows[MEMORY, "cold"].wall)
                ),
            ),
            Budget(
                "a step that reads one value of it",
                50,
                lambda rows: 1000 * rows["stepwell", "cold"].facts["last"],
                "ms",
            ),
        ),
    )
