"""What a workload is made of. A new tool is a `Contender`, a new measurement a `Phase`, a new target a `Budget`."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

PROJECTS = Path(__file__).parent / "projects"


class Verdict(NamedTuple):
    """Whether a result was right: `problem` is "" then. `facts` are numbers worth keeping, in seconds.

    `note` is what a reader of a right result must know: "! change not noticed", "runs all again". A
    note that begins with "!" says that the tool did less than the others: its figures are not compared.
    """

    problem: str = ""
    facts: Mapping[str, float] = {}
    note: str = ""


Check = Callable[[Path, str], Verdict]
"""Looks at the folder and at what was printed, right after a command and unmeasured."""


class Phase(NamedTuple):
    """One command to measure, `times` times a round; in a newly made folder each time where `fresh`.

    `before` is done right before each, unmeasured: an edit whose effect is measured. Where not `fresh`, the
    first round begins with one run that is not counted, for warm caches; not where `once`: what such a command
    does, it does only the first time.
    """

    name: str
    command: tuple[str, ...]
    check: Check = lambda _folder, _output: Verdict()
    fresh: bool = False
    times: int = 1
    before: Callable[[Path], None] = lambda _folder: None
    once: bool = False


class Contender(NamedTuple):
    """One tool on one workload. `prepare` writes all that it needs into an empty folder.

    `tool` is what `--tools` selects it by; "" is not a tool but a floor, and always takes part.
    `environment` are variables for its commands, in which "{work}" is the folder. `rounds` is how many
    it takes part in at most, 0 for all: a slow one takes part in one, and has no uncounted runs then.
    `steps` is the size of its graph where that is not the workload's.
    """

    name: str
    phases: tuple[Phase, ...]
    prepare: Callable[[Path], None] = lambda _folder: None
    tool: str = "stepwell"
    environment: Mapping[str, str] = {}
    rounds: int = 0
    steps: int = 0


class Row(NamedTuple):
    """The middle of all samples of one contender in one phase; seconds.

    `memory` is the highest peak of all its processes together, `driver` that of the process that was
    started (the command itself) alone; bytes, 0 where it was over before it could be looked at.
    """

    wall: float
    cpu: float
    facts: Mapping[str, float]
    memory: int = 0
    driver: int = 0


class Budget(NamedTuple):
    """A target: at most `limit`, or at least. `value` gives None where what it compares was not measured."""

    what: str
    limit: float
    value: Callable[[Mapping[tuple[str, str], Row]], float]
    unit: str = "×"
    least: bool = False


class Workload(NamedTuple):
    """What is measured together: every contender once a round, so that a busy minute hits all alike.

    `baseline` is the contender that the ratios are against, in the same phase, or in `base_phase`
    where it has no such one. `steps` is the size of the graph, where speed per step means something.
    `left_out` says who does not take part, and why, one sentence each.
    """

    name: str
    title: str
    baseline: str
    contenders: tuple[Contender, ...]
    rounds: int
    budgets: tuple[Budget, ...] = ()
    steps: int = 0
    timeout: float = 600.0
    base_phase: str = ""
    left_out: tuple[str, ...] = ()


def project(name: str, folder: Path) -> None:
    """Put a project of `bench/workloads/projects` into an empty folder."""
    shutil.copytree(PROJECTS / name, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
