"""Two processes that run overlapping pipelines on one store at once, against one that does all of it.

The graph is several layered ones beside each other ("parts") with steps of some two milliseconds of real work.
One process has parts 0 to 2, the other 1 to 3: two thirds of each are in common. What matters is the work of both
together, and how many steps were executed by both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from machine import PYTHON, STEPWELL

from workloads.answers import asked
from workloads.shape import Budget, Check, Contender, Phase, Verdict, Workload, project

PRIME = 1_000_000_007
ROUNDS = 20_000
ONE, TWO = "one process, all parts", "two processes at once"


def shared(*, quick: bool) -> Workload:
    """Four parts of 484 steps each (100 where quick): 1,452 in each process, 968 of them in common."""
    return of_width("shared", 10 if quick else 22, rounds=2 if quick else 3)


def longer(*, quick: bool) -> Workload:
    """The same with four times as many steps: what starting a second program costs is spread over more work."""
    return of_width("shared-longer", 14 if quick else 44, rounds=2 if quick else 3)


def of_width(name: str, width: int, *, rounds: int) -> Workload:
    """Four parts of `width` times `width` steps."""
    whole, left, right = (0, 4), (0, 3), (1, 4)
    return Workload(
        name=name,
        title=f"Two processes on one store: {3 * width * width:,} steps each, two thirds in common",
        baseline=ONE,
        contenders=(contender(ONE, width, [whole]), contender(TWO, width, [left, right])),
        rounds=rounds,
        budgets=(
            Budget(
                "CPU of two processes together against one that does all of it",
                1.15,
                lambda rows: rows[TWO, "cold"].cpu / rows[ONE, "cold"].cpu,
            ),
            Budget(
                "steps executed by both together against steps there are",
                1.15,
                lambda rows: 1 + rows[TWO, "cold"].facts["twice"] / (4 * width * width),
            ),
        ),
        steps=4 * width * width,
    )


def contender(name: str, width: int, spans: Sequence[tuple[int, int]]) -> Contender:
    """So many commands at once, each with its span of parts."""
    words: list[str] = []
    for first, last in spans:
        words += ["--"] if words else []
        words += given(width, first, last)
    command = (PYTHON, "together.py", STEPWELL, *words)
    return Contender(
        name,
        (Phase("cold", command, did(width, spans), fresh=True),),
        lambda folder: project("shared", folder),
    )


def given(width: int, first: int, last: int) -> list[str]:
    """The parameters of one command."""
    return [f"first={first}", f"last={last}", f"width={width}", f"rounds={ROUNDS}"]


def did(width: int, spans: Sequence[tuple[int, int]]) -> Check:
    """Check the values and that every step was executed; the fact "twice" is how many executions were superfluous."""

    def check(folder: Path, _output: str) -> Verdict:
        runs = asked(folder, "runs", "--json")["runs"]
        if [run["status"] for run in runs] != ["succeeded"] * len(spans):
            return Verdict(f"runs: {', '.join(run['status'] for run in runs)}")
        executed: Counter[str] = Counter()
        for run in runs:
            steps = asked(folder, "show", run["run"], "--json")["steps"]
            executed.update(step["key"] for step in steps if step["status"] == "succeeded")
        parts = {part for span in spans for part in range(*span)}
        if len(executed) != len(parts) * width * width:
            return Verdict(f"{len(executed):,} steps executed")
        for first, last in spans:
            found = asked(folder, "run", "--json", *given(width, first, last))["result"]
            if found != [value for part in range(first, last) for value in last_row(part, width)]:
                return Verdict("wrong result")
        return Verdict("", {"twice": float(executed.total() - len(executed))})

    return check


def last_row(part: int, width: int) -> list[int]:
    """The values that a part must come to. A round of `add` is linear, so all of them are one power of it."""
    factor = pow(31, ROUNDS, PRIME)
    rest = 7 * (factor - 1) * pow(30, -1, PRIME) % PRIME
    row = [part * width + i for i in range(width)]
    for _ in range(width - 1):
        row = [((row[i] + row[(i + 1) % width]) * factor + rest) % PRIME for i in range(width)]
    return row
