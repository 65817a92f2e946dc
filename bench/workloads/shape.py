"""What a workload is made of. A new tool is a `Contender`, a new measurement a `Phase`, a new target a `Budget`."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

PROJECTS = Path(__file__).parent / "projects"


class Verdict(NamedTuple):
    """Whether a result was right: `problem` is "" then. `facts` are numbers worth keeping, in seconds."""

    problem: str = ""
    facts: Mapping[str, float] = {}


Check = Callable[[Path, str], Verdict]
"""Looks at the folder and at what was printed, right after a command and unmeasured."""


class Phase(NamedTuple):
    """One command to measure, `times` times a round; in a newly made folder each time where `fresh`."""

    name: str
    command: tuple[str, ...]
    check: Check = lambda _folder, _output: Verdict()
    fresh: bool = False
    times: int = 1


class Contender(NamedTuple):
    """One tool on one workload. `prepare` writes all that it needs into an empty folder."""

    name: str
    phases: tuple[Phase, ...]
    prepare: Callable[[Path], None] = lambda _folder: None


class Row(NamedTuple):
    """The middle of all samples of one contender in one phase; seconds."""

    wall: float
    cpu: float
    facts: Mapping[str, float]


class Budget(NamedTuple):
    """A target: at most `limit`, or at least. `value` gives None where what it compares was not measured."""

    what: str
    limit: float
    value: Callable[[Mapping[tuple[str, str], Row]], float]
    unit: str = "×"
    least: bool = False


class Workload(NamedTuple):
    """What is measured together: every contender once a round, so that a busy minute hits all alike.

    `baseline` is the contender that the ratios are against, in the same phase. `steps` is the size
    of the graph, where speed per step means something.
    """

    name: str
    title: str
    baseline: str
    contenders: tuple[Contender, ...]
    rounds: int
    budgets: tuple[Budget, ...] = ()
    steps: int = 0
    timeout: float = 600.0


def project(name: str, folder: Path) -> None:
    """Put a project of `bench/workloads/projects` into an empty folder."""
    shutil.copytree(PROJECTS / name, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
